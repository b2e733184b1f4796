/* Which dumps a sync may have to load. Pages over HTTP are for tests/integration/test_copy.py. */
#include "job/sync_plan.h"
#include "util/buffer.h"

#include "../util/suite.h"

#include <sys/stat.h>

#define S(words) ((char *)(uintptr_t)(words))

static struct sync_plan plan_of(struct job_sync sync, const char *newest, const char *today)
{
    struct sync_plan plan = {0};
    struct db_fault fault = {0};
    ck_assert_msg(sync_plan_make(&sync, newest, today, &plan, &fault) == 0, "%s", fault.error.text);
    return plan;
}

static void refused(struct job_sync sync, const char *newest, const char *words)
{
    struct sync_plan plan = {0};
    struct db_fault fault = {0};
    ck_assert_int_eq(sync_plan_make(&sync, newest, "2026-01-02", &plan, &fault), -1);
    ck_assert_msg(strstr(fault.error.text, words), "%s", fault.error.text);
}

START_TEST(one_source)
{
    _cleanup_sync_plan_ struct sync_plan plan =
        plan_of((struct job_sync){.source = S("https://h/a%20b.csv")}, "2016-01-01", "2026-01-02");
    ck_assert_uint_eq(plan.n, 1);
    ck_assert_str_eq(plan.dumps[0].url, "https://h/a%20b.csv");
    ck_assert_str_eq(plan.dumps[0].date, "");
    ck_assert(!plan.dumps[0].may_be_missing);
}
END_TEST

static void expect_dates(
    const char *source, const char *since, const char *newest, const char *today, const char *wanted)
{
    _cleanup_sync_plan_ struct sync_plan plan =
        plan_of((struct job_sync){.source = S(source), .since = S(since)}, newest, today);
    _cleanup_buffer_ struct buffer dates = {0};
    for (size_t i = 0; i < plan.n; i++) {
        _cleanup_free_ char *url = date_fill(source, plan.dumps[i].date);
        ck_assert_str_eq(plan.dumps[i].url, url);
        ck_assert(plan.dumps[i].may_be_missing);
        buffer_printf(&dates, "%s ", plan.dumps[i].date);
    }
    ck_assert_str_eq(buffer_string(&dates), wanted);
}

#define DAYS   "https://h/%Y/%m-%d.csv"
#define MONTHS "https://h/%Y%m.csv"

START_TEST(dates)
{
    expect_dates(DAYS, "2016-02-28", NULL, "2016-03-01", "2016-02-28 2016-02-29 2016-03-01 ");
    expect_dates(DAYS, "2016-02-28", "2016-02-29", "2016-03-01", "2016-03-01 ");
    expect_dates(DAYS, "2016-02-28", "2016-02-20", "2016-02-29", "2016-02-28 2016-02-29 ");
    expect_dates(DAYS, NULL, "2016-02-29", "2016-03-01", "2016-03-01 ");
    expect_dates(DAYS, "2016-01-01", "2016-03-01", "2016-03-01", "");
    expect_dates(DAYS, "2016-01-01", "2016-03-05", "2016-03-01", "");
    expect_dates(MONTHS, "2015-12-01", NULL, "2016-02-07", "2015-12-01 2016-01-01 2016-02-01 ");
    expect_dates(MONTHS, "2015-12-02", NULL, "2016-02-07", "2016-01-01 2016-02-01 ");
    expect_dates(MONTHS, "2015-12-02", "2016-01-01", "2016-02-07", "2016-02-01 ");
    expect_dates(MONTHS, "2015-12-02", "2016-01-15", "2016-02-07", "2016-02-01 ");
}
END_TEST

START_TEST(dates_without_a_beginning_or_an_end)
{
    refused((struct job_sync){.source = S(DAYS)}, NULL, "`since`");
    refused((struct job_sync){.source = S(DAYS), .since = S("2016-02-30")}, NULL, "`since`");
    refused((struct job_sync){.source = S(DAYS), .since = S("1990-01-01")}, NULL, "10000 dates");
    refused((struct job_sync){.source = S("https://h/%Y.csv"), .since = S("2016-01-01")}, NULL, "without %m");
}
END_TEST

/* Its URL; a new string. */
static char *make_files(char *folder, const char *const *names, size_t n)
{
    new_folder(folder);
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", folder, names[i]);
        _cleanup_fclose_ FILE *f = fopen(path, "w");
        ck_assert_ptr_nonnull(f);
    }
    return xasprintf("file://%s/", folder);
}

START_TEST(a_folder)
{
    char folder[FOLDER_MAX];
    static const char *const names[] = {
        "npi-2016-03-13.csv", "npi-2016-02-07.csv", "npi-2016-04-10.csv", "README"};
    _cleanup_free_ char *source = make_files(folder, names, N_ELEMENTS(names));
    struct job_sync sync = {.source = source, .pattern = S("npi-%Y-%m-%d.csv")};
    _cleanup_sync_plan_ struct sync_plan all = plan_of(sync, NULL, "2026-01-02");
    _cleanup_sync_plan_ struct sync_plan missing = plan_of(sync, "2016-03-13", "2026-01-02");
    ck_assert_uint_eq(all.n, 3);
    ck_assert_str_eq(all.dumps[0].date, "2016-02-07");
    ck_assert_str_eq(all.dumps[2].date, "2016-04-10");
    ck_assert_uint_eq(missing.n, 1);
    ck_assert_str_eq(missing.dumps[0].date, "2016-04-10");
    sync.since = S("2016-03-01");
    _cleanup_sync_plan_ struct sync_plan later = plan_of(sync, NULL, "2026-01-02");
    ck_assert_uint_eq(later.n, 2);
    sync.pattern = S("nppes-%Y-%m.csv");
    refused(sync, NULL, "matches the pattern");
    remove_folder(folder);
}
END_TEST

START_TEST(several_of_a_date)
{
    char folder[FOLDER_MAX];
    static const char *const names[] = {"a-2016-01.csv.zip", "a-2016-01.csv", "a-2016-01.csv.GZ",
        "a-2016-02.csv", "a-2016-03.zip", "b-2016-04.csv", "b-2016-04.csvx", "c-2016-05.csv",
        "C-2016-05.csv"};
    _cleanup_free_ char *source = make_files(folder, names, N_ELEMENTS(names));
    struct job_sync sync = {.source = source, .pattern = S("a-%Y-%m.*")};
    _cleanup_sync_plan_ struct sync_plan plan = plan_of(sync, NULL, "2026-01-02");
    ck_assert_uint_eq(plan.n, 3);
    ck_assert_str_eq(plan.dumps[0].name, "a-2016-01.csv.GZ");
    ck_assert_str_eq(strrchr(plan.dumps[0].url, '/'), "/a-2016-01.csv.GZ");
    ck_assert_ptr_nonnull(strstr(plan.dumps[0].note, "a-2016-01.csv.zip is there too"));
    ck_assert_str_eq(plan.dumps[1].name, "a-2016-02.csv");
    ck_assert_ptr_null(plan.dumps[1].note);
    sync.pattern = S("b-%Y-%m.*");
    refused(sync, NULL, "b-2016-04.csv and b-2016-04.csvx");
    sync.pattern = S("?-%Y-%m.csv");
    sync.since = S("2016-05-01");
    refused(sync, NULL, "C-2016-05.csv and c-2016-05.csv");
    _cleanup_sync_plan_ struct sync_plan none = plan_of(sync, "2016-05-01", "2026-01-02");
    ck_assert_uint_eq(none.n, 0);
    remove_folder(folder);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        one_source, dates, dates_without_a_beginning_or_an_end, a_folder, several_of_a_date};
    return run_tests("sync-plan", tests, N_ELEMENTS(tests));
}
