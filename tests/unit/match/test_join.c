/* The join by cases that docs/match.md tells, and its limits. */
#include "people.h"

#define PEOPLE_MAX 24

/* "ID KEY TIE TIE …" a line, "-" for none; the id of one that is dropped ends in "!". Changes the text. */
static void parse_people(char *text, struct people *ret)
{
    char *rest_lines = text;
    ret->n = 0;
    ret->fraction = 0.1;
    for (char *line; (line = strsep(&rest_lines, "\n")) && *line;) {
        struct person *p = &ret->list[ret->n++];
        char *id = strsep(&line, " "), *key = strsep(&line, " ");
        *p = (struct person){.key = strcmp(key, "-") == 0 ? NULL : key};
        snprintf(p->id, sizeof(p->id), "%s", id);
        p->dropped = id[strlen(id) - 1] == '!';
        for (size_t t = 0; t < TIES_MAX && line; t++) {
            const char *tie = strsep(&line, " ");
            p->ties[t] = strcmp(tie, "-") == 0 ? NULL : tie;
        }
    }
}

static void expect(size_t n_ties, const char *left, const char *right, const char *wanted)
{
    struct person lefts[PEOPLE_MAX], rights[PEOPLE_MAX];
    struct people sides[2] = {{.list = lefts}, {.list = rights}};
    _cleanup_free_ char *left_text = xstrdup(left), *right_text = xstrdup(right), *lines = xstrdup(wanted);
    _cleanup_(lines_done) struct lines got = {0}, want = {0};
    struct join_counts counts;
    struct error err;
    parse_people(left_text, &sides[0]);
    parse_people(right_text, &sides[1]);
    char *rest = lines;
    for (char *line; (line = strsep(&rest, "\n")) && *line;)
        lines_add(&want, line);
    lines_sort(&want);
    if (people_join(sides, n_ties, &got, &counts, &err) < 0)
        ck_abort_msg("%s", err.text);
    lines_compare(&got, &want);
}

START_TEST(nobody)
{
    expect(0, "", "", "");
    expect(2, "", "", "");
    expect(2, "1 ann\n", "", "left_only no_counterpart 1 -\n");
    expect(2, "", "1 ann\n", "right_only no_counterpart - 1\n");
}
END_TEST

START_TEST(the_only_two_with_their_keys)
{
    expect(2, "1 ann x y\n2 bob x y\n3 cy x y\n", "7 bob q r\n8 dan x y\n9 ann - -\n",
        "matched keys 1 9\nmatched keys 2 7\nleft_only no_counterpart 3 -\nright_only no_counterpart - 8\n");
}
END_TEST

START_TEST(no_key_equals_nothing)
{
    expect(1, "1 - x\n2 - x\n3 ann x\n", "7 - x\n",
        "left_only no_key 1 -\nleft_only no_key 2 -\n"
        "left_only no_counterpart 3 -\nright_only no_key - 7\n");
}
END_TEST

START_TEST(who_is_no_other_user_becomes_nothing)
{
    expect(0, "1 ann\n1! ann\n2! bob\n3! -\n", "7 ann\n8! ann\n9 bob\n",
        "matched keys 1 7\nright_only no_counterpart - 9\n");
}
END_TEST

START_TEST(tie_breaks_choose)
{
    expect(2, "1 ann x y\n2 ann x z\n3 ann w -\n4 ann v v\n", "6 ann u u\n7 ann w z\n8 ann x z\n9 ann x y\n",
        "matched location+specialty 1 9\nmatched location+specialty 2 8\nmatched location 3 7\n"
        "matched elimination 4 6\n");
}
END_TEST

START_TEST(the_first_weighs_more_than_all_behind_it)
{
    expect(3, "1 ann x y z\n", "7 ann x - -\n8 ann q y z\n", "matched location 1 7\nright_only taken - 8\n");
    expect(3, "1 ann x y z\n", "7 ann w y -\n8 ann q r z\n", "matched specialty 1 7\nright_only taken - 8\n");
    expect(3, "1 ann x y z\n", "7 ann x - z\n8 ann x y -\n",
        "matched location+specialty 1 8\nright_only taken - 7\n");
}
END_TEST

START_TEST(nothing_is_guessed)
{
    expect(0, "1 ann\n2 ann\n", "7 ann\n",
        "ambiguous keys 1 - of 1: 7\nambiguous keys 2 - of 1: 7\n"
        "ambiguous keys - 7 of 2: 1 2\n");
    expect(1, "1 ann x\n", "7 ann x\n8 ann x\n9 ann y\n",
        "ambiguous location 1 - of 2: 7 8\nambiguous location - 7 of 1: 1\nambiguous location - 8 of 1: 1\n"
        "ambiguous keys - 9 of 1: 1\n");
    /* 9 and 4 are the only two left, but 4 may be 7 or 8 as well. */
    expect(1, "1 ann x\n4 ann z\n", "7 ann x\n8 ann x\n9 ann y\n",
        "ambiguous location 1 - of 2: 7 8\nambiguous location - 7 of 1: 1\nambiguous location - 8 of 1: 1\n"
        "ambiguous keys 4 - of 3: 7 8 9\nambiguous keys - 9 of 2: 1 4\n");
    /* 4 agrees with 9 in the specialty, but with 8 as well, which may be 1. */
    expect(2, "1 ann x q\n4 ann z s\n", "7 ann x p\n8 ann x s\n9 ann y s\n",
        "ambiguous location 1 - of 2: 7 8\nambiguous location - 7 of 1: 1\nambiguous location - 8 of 1: 1\n"
        "ambiguous specialty 4 - of 2: 8 9\nambiguous specialty - 9 of 1: 4\n");
}
END_TEST

START_TEST(null_agrees_with_nothing)
{
    expect(1, "1 ann -\n2 ann x\n", "7 ann -\n8 ann -\n",
        "ambiguous keys 1 - of 2: 7 8\nambiguous keys 2 - of 2: 7 8\nambiguous keys - 7 of 2: 1 2\n"
        "ambiguous keys - 8 of 2: 1 2\n");
    expect(2, "1 ann - y\n2 ann - z\n", "7 ann - z\n8 ann - y\n",
        "matched specialty 1 8\nmatched specialty 2 7\n");
}
END_TEST

START_TEST(values_do_not_run_into_each_other)
{
    expect(2, "1 ann ab c\n2 ann a bc\n", "7 ann a bc\n8 ann abc c\n",
        "matched location+specialty 2 7\nmatched specialty 1 8\n");
}
END_TEST

START_TEST(who_is_left_over)
{
    expect(1, "1 ann x\n2 ann y\n", "7 ann x\n", "matched location 1 7\nleft_only taken 2 -\n");
    expect(1, "1 ann x\n2 ann y\n", "7 ann x\n8! ann y\n", "matched location 1 7\nleft_only taken 2 -\n");
    expect(1, "1 ann x\n2 ann x\n3 ann y\n", "7 ann x\n",
        "ambiguous location 1 - of 1: 7\nambiguous location 2 - of 1: 7\nambiguous location - 7 of 2: 1 2\n"
        "ambiguous keys 3 - of 1: 7\n");
}
END_TEST

START_TEST(groups_do_not_mix)
{
    expect(1, "1 ann x\n2 ann x\n3 bob x\n4 bob y\n5 cy z\n6 cy z\n", "7 bob x\n8 ann q\n9 bob q\n",
        "ambiguous keys 1 - of 1: 8\nambiguous keys 2 - of 1: 8\nambiguous keys - 8 of 2: 1 2\n"
        "matched location 3 7\nmatched elimination 4 9\n"
        "left_only no_counterpart 5 -\nleft_only no_counterpart 6 -\n");
}
END_TEST

START_TEST(ten_candidates_are_named)
{
    expect(0, "1 ann\n",
        "30 ann\n31 ann\n32 ann\n33 ann\n34 ann\n29 ann\n28 ann\n27 ann\n26 ann\n25 ann\n24 ann\n",
        "ambiguous keys 1 - of 11: 24 25 26 27 28 29 30 31 32 33\n"
        "ambiguous keys - 24 of 1: 1\nambiguous keys - 25 of 1: 1\nambiguous keys - 26 of 1: 1\n"
        "ambiguous keys - 27 of 1: 1\nambiguous keys - 28 of 1: 1\nambiguous keys - 29 of 1: 1\n"
        "ambiguous keys - 30 of 1: 1\nambiguous keys - 31 of 1: 1\nambiguous keys - 32 of 1: 1\n"
        "ambiguous keys - 33 of 1: 1\nambiguous keys - 34 of 1: 1\n");
}
END_TEST

/* n of one name, each with a value of its own where `apart`; in an order that the step makes. */
static void one_name(struct people *people, unsigned n, unsigned step, bool apart, char (*values)[16])
{
    for (unsigned i = 0; i < n; i++) {
        struct person *p = &people->list[people->n++];
        snprintf(values[i], sizeof(values[i]), "%05u", i * step % n);
        *p = (struct person){.key = "smith", .ties = {apart ? values[i] : "here"}};
        strcpy(p->id, values[i]);
    }
}

static void join_smiths(
    size_t n, double fraction, bool apart, struct lines *ret_lines, struct join_counts *ret)
{
    struct people sides[2] = {{.fraction = fraction}, {.fraction = fraction}};
    char(*values)[16] = xcalloc(2 * n, sizeof(*values));
    struct error err;
    for (size_t side = 0; side < 2; side++) {
        sides[side].list = xcalloc(n, sizeof(struct person));
        one_name(&sides[side], n, side ? 7919 : 104729, apart, values + side * n);
    }
    if (people_join(sides, 1, ret_lines, ret, &err) < 0)
        ck_abort_msg("%s", err.text);
    for (int side = 0; side < 2; side++) {
        ck_assert_int_gt(sides[side].peak, 0);
        ck_assert_int_le(sides[side].peak, (int64_t)((double)n * fraction));
        free(sides[side].list);
    }
    free(values);
}

START_TEST(ten_thousand_of_one_name_whom_nothing_tells_apart)
{
    enum { N = 10000 };
    _cleanup_(lines_done) struct lines lines = {0};
    struct join_counts n;
    join_smiths(N, _i ? 0.01 : 0.1, false, &lines, &n);
    ck_assert_int_eq(n.left_ambiguous, N);
    ck_assert_int_eq(n.right_ambiguous, N);
    ck_assert_int_eq(n.contested, 2 * N);
    ck_assert_uint_eq(lines.n, 2 * N);
    ck_assert_str_eq(lines.list[0], "ambiguous location - 00000 of 10000: 00000 00001 00002 00003 00004 "
                                    "00005 00006 00007 00008 00009");
    for (unsigned i = 0; i < N; i++) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), "ambiguous location %05u - of 10000: 00000 00001", i);
        if (strncmp(lines.list[N + i], wanted, strlen(wanted)) != 0)
            ck_abort_msg("%s", lines.list[N + i]);
    }
}
END_TEST

START_TEST(ten_thousand_of_one_name_whom_a_tie_break_tells_apart)
{
    enum { N = 10000 };
    _cleanup_(lines_done) struct lines lines = {0};
    struct join_counts n;
    join_smiths(N, _i ? 0.01 : 0.1, true, &lines, &n);
    ck_assert_int_eq(n.matched, N);
    ck_assert_uint_eq(lines.n, N);
    for (unsigned i = 0; i < N; i++) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), "matched location %05u %05u", i, i);
        if (strcmp(lines.list[i], wanted) != 0)
            ck_abort_msg("%s", lines.list[i]);
    }
}
END_TEST

/* Wherever it is that a result cannot be taken. */
START_TEST(what_cannot_be_taken_ends_it)
{
    struct person lefts[PEOPLE_MAX], rights[PEOPLE_MAX];
    struct people sides[2] = {{.list = lefts}, {.list = rights}};
    char left[] = "1 - x\n2 ann x\n3 bob x\n4 bob x\n5 bob y\n6 bob z\n7 cy x\n8 dan x\n9 dan y\n",
         right[] = "1 ann x\n2 bob x\n3 bob y\n4 -\n5 dan x\n6 eve x\n";
    struct join_counts counts;
    parse_people(left, &sides[0]);
    parse_people(right, &sides[1]);
    size_t n = 0;
    for (int done = -1; done < 0; n++) {
        _cleanup_(lines_done) struct lines got = {.fail_at = n + 1};
        struct error err = {""};
        done = people_join(sides, 1, &got, &counts, &err);
        ck_assert_uint_eq(got.n, n + 1);
        ck_assert(done == 0 || strcmp(err.text, "no more can be taken") == 0);
        ck_assert_uint_le(n, 20);
    }
    ck_assert_uint_eq(n, 12);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {nobody, the_only_two_with_their_keys, no_key_equals_nothing,
        who_is_no_other_user_becomes_nothing, tie_breaks_choose, the_first_weighs_more_than_all_behind_it,
        nothing_is_guessed, null_agrees_with_nothing, values_do_not_run_into_each_other, who_is_left_over,
        groups_do_not_mix, ten_candidates_are_named, what_cannot_be_taken_ends_it};
    Suite *suite = suite_create("join");
    add_tests(add_case(suite, "cases", NULL, NULL), tests, N_ELEMENTS(tests));
    TCase *many = add_case(suite, "many", NULL, NULL);
    int first = under_valgrind() ? 1 : 0;
    tcase_add_loop_test(many, ten_thousand_of_one_name_whom_nothing_tells_apart, first, 2);
    tcase_add_loop_test(many, ten_thousand_of_one_name_whom_a_tie_break_tells_apart, first, 2);
    return run_suite(suite);
}
