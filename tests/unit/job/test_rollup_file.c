/* A rollup's file: its sections, the words in it, and every way to get it wrong. */
#include "job/rollup_file.h"

#include "../util/suite.h"

static const struct rollup_names names = {
    .job = "o'clock", .table = "revenue", .schema = "ingest", .time_zone = "Europe/Berlin"};

static struct rollup_file parse(const char *text)
{
    struct rollup_file f;
    struct error err = {""};
    ck_assert_msg(rollup_file_parse("x.sql", text, &names, &f, &err) == 0, "%s", err.text);
    return f;
}

static void refuses_for(const struct rollup_names *n, const char *text, const char *words)
{
    struct rollup_file f;
    struct error err = {""};
    ck_assert_int_eq(rollup_file_parse("x.sql", text, n, &f, &err), -1);
    ck_assert_msg(strstr(err.text, words) != NULL, "wanted \"%s\" in \"%s\"", words, err.text);
}

static void refuses(const char *text, const char *words)
{
    refuses_for(&names, text, words);
}

START_TEST(sections_are_found_with_their_lines)
{
    _cleanup_rollup_file_ struct rollup_file f =
        parse("-- what it is\n\n-- name: prepare\nSELECT 1;\nSELECT 2;\n--  name:\tcompute \r\nSELECT 3");
    ck_assert_ptr_null(f.text[ROLLUP_READY]);
    ck_assert_ptr_null(f.text[ROLLUP_TOUCHED]);
    ck_assert_int_eq(f.line[ROLLUP_PREPARE], 3);
    ck_assert_int_eq(f.line[ROLLUP_COMPUTE], 6);
    /* The server counts lines as the file does. */
    ck_assert_str_eq(f.text[ROLLUP_PREPARE], "\n\n\nSELECT 1;\nSELECT 2;\n");
    ck_assert_str_eq(f.text[ROLLUP_COMPUTE], "\n\n\n\n\n\nSELECT 3");
}
END_TEST

START_TEST(words_are_put_in)
{
    _cleanup_rollup_file_ struct rollup_file f =
        parse("-- name: compute\nINSERT INTO {table} SELECT {job}, '{schema}.{name}_x' -- {table} "
              "{other}\n/* {name} ' */");
    ck_assert_str_eq(f.text[ROLLUP_COMPUTE], "\nINSERT INTO \"public\".\"revenue\" SELECT 'o''clock', "
                                             "'ingest.revenue_x' -- {table} {other}\n/* {name} ' */");
}
END_TEST

START_TEST(what_only_looks_like_a_word_stays)
{
    _cleanup_rollup_file_ struct rollup_file f =
        parse("-- name: compute\nSELECT '{1,2}', '{}', '{a,b}', '{ a }', '{A}', '{', '{9}'");
    ck_assert_str_eq(f.text[ROLLUP_COMPUTE], "\nSELECT '{1,2}', '{}', '{a,b}', '{ a }', '{A}', '{', '{9}'");
}
END_TEST

START_TEST(a_table_may_have_a_schema)
{
    struct rollup_names n = names;
    struct rollup_file f;
    n.table = "demo.revenue_2";
    ck_assert_int_eq(
        rollup_file_parse("x.sql", "-- name: compute\nSELECT 1 FROM {table}, {name}_x", &n, &f, NULL), 0);
    ck_assert_str_eq(f.text[ROLLUP_COMPUTE], "\nSELECT 1 FROM \"demo\".\"revenue_2\", revenue_2_x");
    rollup_file_done(&f);
}
END_TEST

static char *version_of(const char *prepare, const char *zone)
{
    struct rollup_names n = names;
    struct rollup_file f;
    _cleanup_free_ char *text =
        xasprintf("-- name: prepare\n%s\n-- name: compute\nSELECT {version}", prepare);
    n.time_zone = zone;
    ck_assert_int_eq(rollup_file_parse("x.sql", text, &n, &f, NULL), 0);
    char *version = xstrdup(strstr(f.text[ROLLUP_COMPUTE], "SELECT"));
    rollup_file_done(&f);
    return version;
}

START_TEST(the_version_is_that_of_prepare_and_zone)
{
    _cleanup_free_ char *first = version_of("SELECT 1", "UTC"), *again = version_of("SELECT 1", "UTC");
    _cleanup_free_ char *other = version_of("SELECT 2", "UTC"),
                        *elsewhere = version_of("SELECT 1", "Asia/Tokyo");
    ck_assert_str_eq(first, again);
    ck_assert_str_ne(first, other);
    ck_assert_str_ne(first, elsewhere);
    ck_assert_ptr_nonnull(strstr(first, "SELECT 'public.revenue UTC "));
}
END_TEST

START_TEST(parameters_are_counted_where_they_are_any)
{
    _cleanup_rollup_file_ struct rollup_file f =
        parse("-- name: touched\nSELECT 1 -- not $1\n-- name: compute\nSELECT '$3', $1, \"a$\", $2 /* $3 */");
    ck_assert_int_eq(f.n_parameters[ROLLUP_TOUCHED], 0);
    ck_assert_int_eq(f.n_parameters[ROLLUP_COMPUTE], 2);
}
END_TEST

START_TEST(what_is_wrong_is_told_with_its_line)
{
    refuses("", "no section compute");
    refuses("-- nothing", "no section compute");
    refuses("\nSELECT 1", "x.sql:2: SQL before the first section");
    refuses("-- name: ready\nSELECT 1", "no section compute");
    refuses("-- name: compute\nSELECT 1\n-- name: compute\nSELECT 1",
        "x.sql:3: section compute is there a second time, the first is on line 1");
    refuses("-- name: computed\nSELECT 1", "x.sql:1: unknown section \"computed\"");
    refuses("-- name:\nSELECT 1", "unknown section \"\"");
    refuses("-- name: compute\n-- nothing\n", "x.sql:1: section compute holds no statement");
    refuses("-- name: compute\nSELECT 1;\n\nSELECT 2", "x.sql:4: a second statement");
    refuses("-- name: compute\nSELECT $4", "is given 3 parameters");
    refuses("-- name: ready\nSELECT $1\n-- name: compute\nSELECT 1", "is given 0 parameters");
    refuses("-- name: compute\nSELECT\n'{tabel}'", "x.sql:3: unknown {tabel}");
    refuses("-- name: prepare\nSELECT 1;\nCOMMIT;\n-- name: compute\nSELECT 1",
        "x.sql:3: COMMIT in section prepare");
    refuses("-- name: compute\nROLLBACK", "x.sql:2: ROLLBACK");
}
END_TEST

START_TEST(names_that_could_not_be_put_into_longer_ones_are_refused)
{
    static const char *const wrong[] = {"", ".", "a.", ".a", "Revenue", "1st", "a.b.c", "a-b", "a\"b", "a b",
        "\xc3\xa4", "a23456789012345678901234567890123456789012345678x"};
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
        struct rollup_names n = names;
        n.table = wrong[i];
        refuses_for(&n, "-- name: compute\nSELECT 1", "a rollup cannot fill");
    }
}
END_TEST

START_TEST(text_that_ends_anywhere_is_survived)
{
    static const char whole[] = "-- a\n-- name: ready\nSELECT {job} -- x\n-- name: compute\nSELECT "
                                "'a''{name}', $tag$ /* $tag$, {table} /* x */;";
    for (size_t n = 0; n < sizeof(whole); n++) {
        _cleanup_free_ char *text = xstrndup(whole, n);
        struct rollup_file f;
        struct error err = {""};
        if (rollup_file_parse("x.sql", text, &names, &f, &err) == 0)
            rollup_file_done(&f);
        else
            ck_assert(err.text[0]);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        sections_are_found_with_their_lines,
        words_are_put_in,
        what_only_looks_like_a_word_stays,
        a_table_may_have_a_schema,
        the_version_is_that_of_prepare_and_zone,
        parameters_are_counted_where_they_are_any,
        what_is_wrong_is_told_with_its_line,
        names_that_could_not_be_put_into_longer_ones_are_refused,
        text_that_ends_anywhere_is_survived,
    };
    return run_tests("rollup_file", tests, N_ELEMENTS(tests));
}
