/* Random small dumps against a model that holds everything, and what a merge says at its edges. */
#include "../util/suite.h"
#include "history/merge.h"

#define ROWS_MAX 40
#define N        4 /* columns: two of the key, one in both, one that may be on one side */

/* The letters of a row; 0 is NULL. */
struct row {
    char cell[N];
};

struct side {
    struct row rows[ROWS_MAX];
    size_t n, at;
    struct db_value values[N];
    int64_t fail_at;
};

static int next_row(void *arg, struct merge_row *ret_row, struct db_fault *fault)
{
    struct side *s = arg;
    if (s->fail_at > 0 && (int64_t)s->at == s->fail_at)
        return error_set(&fault->error, "the side broke off");
    memset(s->values, 0x5A, sizeof(s->values)); /* what was lent before is gone */
    if (s->at == s->n)
        return 0;
    for (size_t i = 0; i < N; i++) {
        const char *cell = &s->rows[s->at].cell[i];
        s->values[i] = (struct db_value){*cell ? cell : NULL, *cell ? 1 : 0};
    }
    *ret_row = (struct merge_row){.values = s->values, .line = (int64_t)++s->at};
    return 1;
}

static int compare_key(const void *a, const void *b)
{
    return memcmp(((const struct row *)a)->cell, ((const struct row *)b)->cell, 2);
}

static struct side random_side(bool unique, bool fourth)
{
    struct side s = {0};
    size_t n = (size_t)(rand() % (ROWS_MAX / 2));
    for (size_t i = 0; i < n; i++) {
        struct row row = {{(char)('a' + rand() % 3), (char)('a' + rand() % 4),
            (char)(rand() % 3 ? 'x' + rand() % 2 : 0), (char)(fourth && rand() % 2 ? 'z' : 0)}};
        s.rows[s.n++] = row;
    }
    qsort(s.rows, s.n, sizeof(*s.rows), compare_key);
    for (size_t i = 1; unique && i < s.n;)
        if (compare_key(&s.rows[i - 1], &s.rows[i]) == 0)
            memmove(&s.rows[i], &s.rows[i + 1], (--s.n - i) * sizeof(*s.rows));
        else
            i++;
    return s;
}

static size_t count_key(const struct side *s, const struct row *row, const struct row **ret_found)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (compare_key(&s->rows[i], row) == 0) {
            *ret_found = &s->rows[i];
            n++;
        }
    return n;
}

static struct merge *begin(struct side *dump, struct side *current, bool dumped)
{
    static const size_t key[] = {0, 1}, both[] = {2, 3}, fourth[] = {3};
    struct merge_options o = {.n_columns = N,
        .key = key,
        .n_key = 2,
        .compared = both,
        .n_compared = dumped ? 2 : 1,
        .kept = fourth,
        .n_kept = dumped ? 0 : 1,
        .dump = next_row,
        .dump_arg = dump,
        .current = current ? next_row : NULL,
        .current_arg = current};
    return merge_new(&o);
}

static struct row row_of(const struct merge_event *e)
{
    struct row row = {0};
    for (size_t i = 0; i < N; i++)
        row.cell[i] = e->values[i].p ? e->values[i].p[0] : '\0';
    return row;
}

/* What must become of a row of the dump. */
static enum merge_kind expect_dump(
    const struct side *dump, const struct side *current, const struct row *row, bool dumped)
{
    const struct row *found = NULL;
    if (count_key(dump, row, &found) > 1)
        return MERGE_DUPLICATE;
    if (count_key(current, row, &found) == 0)
        return MERGE_ADDED;
    return memcmp(found->cell, row->cell, dumped ? 4 : 3) == 0 ? MERGE_UNCHANGED : MERGE_CHANGED;
}

static void check_duplicate(const struct side *dump, const struct merge_event *e, const struct row *row)
{
    const struct row *found = NULL;
    size_t n = count_key(dump, row, &found);
    ck_assert_uint_eq(e->n_lines, MIN(n, MERGE_LINES_MAX));
    ck_assert(e->more == (n > MERGE_LINES_MAX));
    for (size_t i = 0; i < e->n_lines; i++)
        ck_assert_int_eq(compare_key(&dump->rows[e->lines[i] - 1], row), 0);
}

static void check_event(const struct side *dump, const struct side *current, bool dumped,
    const struct merge_event *e, size_t *seen)
{
    struct row row = row_of(e);
    const struct row *found = NULL;
    if (e->kind == MERGE_REMOVED) {
        ck_assert_uint_eq(count_key(dump, &row, &found), 0);
        ck_assert_uint_eq(count_key(current, &row, &found), 1);
        ck_assert_mem_eq(found, &row, sizeof(row));
        seen[e->kind]++;
        return;
    }
    const struct row *own = &dump->rows[e->line - 1];
    ck_assert_int_eq(e->kind, expect_dump(dump, current, own, dumped));
    ck_assert_mem_eq(own->cell, row.cell, 3);
    if (e->kind == MERGE_DUPLICATE)
        check_duplicate(dump, e, &row);
    if (e->kind == MERGE_CHANGED && !dumped) {
        count_key(current, &row, &found);
        ck_assert_int_eq(found->cell[3], row.cell[3]);
    }
    seen[e->kind]++;
}

static size_t expect_removed(const struct side *dump, const struct side *current)
{
    const struct row *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < current->n; i++)
        n += count_key(dump, &current->rows[i], &found) == 0;
    return n;
}

static void check_one(size_t *all)
{
    bool dumped = rand() % 2;
    struct side dump = random_side(rand() % 2, dumped), current = random_side(true, true);
    struct db_fault fault = {0};
    struct merge_event e;
    size_t seen[5] = {0};
    int got;
    _cleanup_(merge_freep) struct merge *m = begin(&dump, &current, dumped);
    while ((got = merge_next(m, &e, &fault)) > 0)
        check_event(&dump, &current, dumped, &e, seen);
    ck_assert_int_eq(got, 0);
    ck_assert_int_eq(merge_next(m, &e, &fault), 0);
    ck_assert_uint_eq(seen[MERGE_REMOVED], expect_removed(&dump, &current));
    ck_assert_uint_eq(seen[0] + seen[1] + seen[2] + seen[4], dump.n);
    ck_assert_int_eq(merge_current_rows(m), (int64_t)current.n);
    for (size_t i = 0; i < 5; i++)
        all[i] += seen[i];
}

START_TEST(random_sides_differ_as_the_model_says)
{
    size_t all[5] = {0};
    srand(1);
    for (size_t i = 0; i < fewer(4000); i++)
        check_one(all);
    for (size_t i = 0; i < 5; i++)
        ck_assert_uint_gt(all[i], fewer(200));
}
END_TEST

static struct side side_of(const char *const *rows)
{
    struct side s = {0};
    for (; *rows; rows++)
        memcpy(s.rows[s.n++].cell, *rows, N);
    return s;
}

START_TEST(a_dump_that_is_not_in_order_is_told_at_once)
{
    struct side dump = side_of((const char *const[]){"aaxx", "acxx", "abxx", "adxx", NULL}), none = {0};
    struct db_fault fault = {0};
    struct merge_event e;
    _cleanup_(merge_freep) struct merge *m = begin(&dump, &none, true);
    ck_assert_int_eq(merge_next(m, &e, &fault), 1);
    ck_assert_int_eq(merge_next(m, &e, &fault), -1);
    ck_assert(merge_is_unordered(m));
    ck_assert_uint_eq(dump.at, 3);
}
END_TEST

START_TEST(a_key_that_comes_back_after_others_is_not_in_order)
{
    struct side dump = side_of((const char *const[]){"aaxx", "aaxx", "abxx", "aaxx", NULL});
    struct db_fault fault = {0};
    struct merge_event e;
    int got;
    _cleanup_(merge_freep) struct merge *m = begin(&dump, NULL, true);
    while ((got = merge_next(m, &e, &fault)) > 0)
        ck_assert_int_eq(e.kind, MERGE_DUPLICATE);
    ck_assert_int_eq(got, -1);
    ck_assert(merge_is_unordered(m));
}
END_TEST

START_TEST(a_record_that_is_not_in_order_is_a_failure_of_its_own)
{
    struct side dump = {0}, current = side_of((const char *const[]){"abxx", "aaxx", NULL});
    struct db_fault fault = {0};
    struct merge_event e;
    _cleanup_(merge_freep) struct merge *m = begin(&dump, &current, true);
    ck_assert_int_eq(merge_next(m, &e, &fault), 1);
    ck_assert_int_eq(merge_next(m, &e, &fault), -1);
    ck_assert(!merge_is_unordered(m));
    ck_assert_ptr_nonnull(strstr(fault.error.text, "collation"));
}
END_TEST

START_TEST(a_side_that_fails_is_a_failure_wherever_it_does)
{
    for (int64_t at = 1; at < 4; at++)
        for (int side = 0; side < 2; side++) {
            struct side s[2] = {side_of((const char *const[]){"aaxx", "aaxx", "acxx", NULL}),
                side_of((const char *const[]){"abxx", "acxx", "adxx", NULL})};
            struct db_fault fault = {0};
            struct merge_event e;
            int got;
            s[side].fail_at = at;
            _cleanup_(merge_freep) struct merge *m = begin(&s[0], &s[1], true);
            while ((got = merge_next(m, &e, &fault)) > 0)
                ;
            ck_assert_int_eq(got, -1);
            ck_assert_str_eq(fault.error.text, "the side broke off");
        }
}
END_TEST

START_TEST(a_large_group_is_told_row_by_row)
{
    struct side dump = {0}, current = side_of((const char *const[]){"aaxx", "abxx", NULL});
    for (size_t i = 0; i < MERGE_LINES_MAX + 3; i++)
        memcpy(dump.rows[dump.n++].cell, "aaxx", N);
    memcpy(dump.rows[dump.n++].cell, "abxx", N);
    struct db_fault fault = {0};
    struct merge_event e;
    _cleanup_(merge_freep) struct merge *m = begin(&dump, &current, true);
    for (size_t i = 0; i < MERGE_LINES_MAX + 3; i++) {
        ck_assert_int_eq(merge_next(m, &e, &fault), 1);
        ck_assert_int_eq(e.kind, MERGE_DUPLICATE);
        ck_assert_int_eq(e.line, (int64_t)i + 1);
        ck_assert(e.more);
        ck_assert_uint_eq(e.n_lines, MERGE_LINES_MAX);
    }
    ck_assert_int_eq(merge_next(m, &e, &fault), 1);
    ck_assert_int_eq(e.kind, MERGE_UNCHANGED);
    ck_assert_int_eq(merge_next(m, &e, &fault), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {random_sides_differ_as_the_model_says,
        a_dump_that_is_not_in_order_is_told_at_once, a_key_that_comes_back_after_others_is_not_in_order,
        a_record_that_is_not_in_order_is_a_failure_of_its_own,
        a_side_that_fails_is_a_failure_wherever_it_does, a_large_group_is_told_row_by_row};
    return run_tests("history-merge", tests, N_ELEMENTS(tests));
}
