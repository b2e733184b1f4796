#include "suite.h"
#include "util/clock.h"
#include "util/health.h"

/* The log's lines go to stderr; a file in its place shows them. */
static FILE *lines_of_log(void)
{
    FILE *f = tmpfile();
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(dup2(fileno(f), STDERR_FILENO), 0);
    return f;
}

static size_t count_lines(FILE *f)
{
    size_t n = 0;
    rewind(f);
    for (int c; (c = fgetc(f)) != EOF;)
        n += c == '\n';
    return n;
}

START_TEST(nothing_is_wrong_at_first)
{
    _cleanup_(health_freep) struct health *h = health_new();
    ck_assert(health_ok(h));
    ck_assert_uint_eq(health_count(h), 0);
    health_clear(h, "postgres", "away");
    health_clear_subject(h, "postgres");
    ck_assert(health_ok(h));
    health_free(NULL);
}
END_TEST

START_TEST(a_condition_keeps_its_since)
{
    _cleanup_(health_freep) struct health *h = health_new();
    int64_t before = clock_wall_us();
    health_raise(h, "postgres", "away", SEVERITY_DEGRADED, "start it", "refused by %s", "db");
    const struct condition *c = health_at(h, 0);
    int64_t since = c->since_us;
    ck_assert(since >= before && since <= clock_wall_us());
    ck_assert_str_eq(c->subject, "postgres");
    ck_assert_str_eq(c->code, "away");
    ck_assert_str_eq(c->what, "refused by db");
    ck_assert_str_eq(c->remedy, "start it");
    while (clock_wall_us() == since)
        ;
    health_raise(h, "postgres", "away", SEVERITY_FAILED, NULL, "still");
    ck_assert_uint_eq(health_count(h), 1);
    ck_assert_int_eq(health_at(h, 0)->since_us, since);
    ck_assert_int_eq(health_at(h, 0)->severity, SEVERITY_FAILED);
    ck_assert_str_eq(health_at(h, 0)->what, "still");
    ck_assert_str_eq(health_at(h, 0)->remedy, "");
}
END_TEST

START_TEST(the_gravest_comes_first)
{
    _cleanup_(health_freep) struct health *h = health_new();
    health_raise(h, "a", "x", SEVERITY_NOTE, NULL, "1");
    ck_assert(health_ok(h));
    health_raise(h, "b", "x", SEVERITY_DEGRADED, NULL, "2");
    ck_assert(!health_ok(h));
    health_raise(h, "c", "x", SEVERITY_FAILED, NULL, "3");
    health_raise(h, "d", "x", SEVERITY_DEGRADED, NULL, "4");
    ck_assert_str_eq(health_at(h, 0)->subject, "c");
    ck_assert_int_eq(health_at(h, 1)->severity, SEVERITY_DEGRADED);
    ck_assert_int_eq(health_at(h, 2)->severity, SEVERITY_DEGRADED);
    ck_assert_str_eq(health_at(h, 3)->subject, "a");
    health_clear(h, "c", "x");
    health_clear(h, "b", "x");
    ck_assert(!health_ok(h));
    health_clear(h, "d", "x");
    ck_assert(health_ok(h));
    ck_assert_uint_eq(health_count(h), 1);
}
END_TEST

START_TEST(a_subject_is_cleared_whole)
{
    _cleanup_(health_freep) struct health *h = health_new();
    health_raise(h, "stream a", "x", SEVERITY_FAILED, NULL, "1");
    health_raise(h, "stream b", "x", SEVERITY_FAILED, NULL, "2");
    health_raise(h, "stream a", "y", SEVERITY_NOTE, NULL, "3");
    health_clear_subject(h, "stream a");
    ck_assert_uint_eq(health_count(h), 1);
    ck_assert_str_eq(health_at(h, 0)->subject, "stream b");
}
END_TEST

START_TEST(names_that_are_too_long_are_found_again)
{
    _cleanup_(health_freep) struct health *h = health_new();
    char name[200];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (int i = 0; i < 3; i++)
        health_raise(h, name, name, SEVERITY_FAILED, name, "%s%s%s%s", name, name, name, name);
    ck_assert_uint_eq(health_count(h), 1);
    health_clear(h, name, name);
    ck_assert_uint_eq(health_count(h), 0);
    health_raise(h, name, "x", SEVERITY_FAILED, NULL, "1");
    health_clear_subject(h, name);
    ck_assert_uint_eq(health_count(h), 0);
}
END_TEST

START_TEST(it_is_logged_when_it_comes_and_when_it_goes)
{
    _cleanup_fclose_ FILE *log = lines_of_log();
    _cleanup_(health_freep) struct health *h = health_new();
    for (int i = 0; i < 5; i++)
        health_raise(h, "postgres", "away", SEVERITY_DEGRADED, "start it", "refused");
    ck_assert_uint_eq(count_lines(log), 1);
    health_clear(h, "postgres", "away");
    health_clear(h, "postgres", "away");
    ck_assert_uint_eq(count_lines(log), 2);
}
END_TEST

START_TEST(severities_have_names)
{
    ck_assert_str_eq(severity_to_string(SEVERITY_NOTE), "note");
    ck_assert_str_eq(severity_to_string(SEVERITY_DEGRADED), "degraded");
    ck_assert_str_eq(severity_to_string(SEVERITY_FAILED), "failed");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {nothing_is_wrong_at_first, a_condition_keeps_its_since,
        the_gravest_comes_first, a_subject_is_cleared_whole, names_that_are_too_long_are_found_again,
        it_is_logged_when_it_comes_and_when_it_goes, severities_have_names};
    return run_tests("util-health", tests, N_ELEMENTS(tests));
}
