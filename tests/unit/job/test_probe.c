/* The probe: what it asks a database, and what it makes of the answers. The real servers are in
 * tests/integration/test_doctor.py. */
#include "job/job.h"

#include "../util/suite.h"
#include "fake_db.h"

#include <cjson/cJSON.h>

static struct db_fault fault;
static cJSON *stats;

static int probe(void)
{
    struct job_spec spec = {
        .job = (char *)(uintptr_t) "tidy",
        .database.url = (char *)(uintptr_t) "postgresql://",
        .time_limit_us = 15000000,
    };
    return job_probe.run(&spec, &stats, &fault);
}

static void is_named(const char *driver, const char *version, const char *expected)
{
    const struct fake_answer answers[] = {
        {.begins = "SELECT 1", .value = "1"},
        {.begins = "SELECT version()", .value = version},
    };
    fake_start(driver, answers, N_ELEMENTS(answers));
    ck_assert_int_eq(probe(), 0);
    ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(stats, "server")), expected);
    ck_assert(cJSON_GetObjectItem(stats, "seconds")->valuedouble >= 0);
    ck_assert_str_eq(fake_said, "open|value|value|close");
    ck_assert_int_eq(fake_options.statement_timeout_us, 15000000);
    ck_assert(fake_options.read_only);
    cJSON_Delete(stats);
}

START_TEST(servers)
{
    is_named("postgres", "PostgreSQL 15.6 (Debian 15.6-0+deb12u1) on x86_64-pc-linux-gnu", "PostgreSQL 15.6");
    is_named("postgres", "PostgreSQL 17beta1, compiled by", "PostgreSQL 17beta1");
    is_named("mysql", "10.11.6-MariaDB-0+deb12u1", "MariaDB 10.11.6");
    is_named("mysql", "8.0.36", "MySQL 8.0.36");
    is_named("duckdb", "v1.4.4", "DuckDB 1.4.4");
}
END_TEST

START_TEST(odd_servers)
{
    char longest[300];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    _cleanup_free_ char *cut = xasprintf("%.63s", longest);
    is_named("postgres", longest, cut);
    is_named("postgres", "", "");
    is_named("postgres", " ", " ");
    is_named("postgres", "One", "One");
    is_named("postgres", "\x1b[31mred \xff\xfe", "?[31mred ??");
    is_named("mysql", "", "MySQL ");
    is_named("mysql", "-MariaDB", "MariaDB ");
    is_named("mysql", NULL, "");
}
END_TEST

START_TEST(without_a_version)
{
    static const struct fake_answer answers[] = {
        {.begins = "SELECT 1", .value = "1"},
        {.begins = "SELECT version()", .sqlstate = "42883"},
    };
    fake_start("postgres", answers, N_ELEMENTS(answers));
    ck_assert_int_eq(probe(), 0);
    ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(stats, "server")), "");
    cJSON_Delete(stats);
}
END_TEST

START_TEST(refused)
{
    static const struct fake_answer answers[] = {{.begins = "SELECT 1", .sqlstate = "57P03"}};
    fake_start("postgres", answers, N_ELEMENTS(answers));
    ck_assert_int_lt(probe(), 0);
    ck_assert_str_eq(fault.sqlstate, "57P03");
    ck_assert_str_eq(fake_said, "open|value|close");
}
END_TEST

START_TEST(nonsense)
{
    static const struct fake_answer two[] = {{.begins = "SELECT 1", .value = "2"}};
    fake_start("postgres", two, N_ELEMENTS(two));
    ck_assert_int_lt(probe(), 0);
    ck_assert_ptr_nonnull(strstr(fault.error.text, "something else"));
    fake_start("postgres", NULL, 0); /* no row */
    ck_assert_int_lt(probe(), 0);
    ck_assert_str_eq(fake_said, "open|value|close");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {servers, odd_servers, without_a_version, refused, nonsense};
    return run_tests("probe", tests, N_ELEMENTS(tests));
}
