/* Which driver takes a URL, and what is said of one that none takes. Nothing here has a server. */
#include "db/driver.h"

#include "../util/suite.h"

START_TEST(schemes)
{
    static const struct {
        const char *url;
        const struct db_driver *driver;
    } list[] = {
        {"postgresql://h/d", &db_postgres},
        {"postgres://h/d", &db_postgres},
        {"POSTGRES://h/d", &db_postgres},
        {"host=h dbname=d", &db_postgres},
        {"dbname = d", &db_postgres},
        {"service=s", &db_postgres},
        {"host=h options=a://b", &db_postgres},
        {"mysql://h/d", &db_mysql},
        {"MySQL://h/d", &db_mysql},
#ifdef INGESTD_DUCKDB
        {"duckdb:///f", &db_duckdb},
        {"DuckDB://f", &db_duckdb},
#endif
        {"duckdb:/f", NULL},
        {"mysql:/h", NULL},
        {"mysql", NULL},
        {"oracle://h/d?x=y", NULL},
        {"/path?a=b", NULL},
        {"=x", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        ck_assert_msg(db_driver_for(list[i].url) == list[i].driver, "%s", list[i].url);
}
END_TEST

static struct db_fault refusal(const char *url, const char *password_file)
{
    struct db_fault fault;
    struct db *db = NULL;
    struct db_options options = {.password_file = password_file};
    ck_assert_int_eq(db_open(url, &options, &db, &fault), -1);
    ck_assert_ptr_null(db);
    ck_assert_str_ne(fault.error.text, "");
    return fault;
}

START_TEST(refusals_show_no_password)
{
    static const char *const urls[] = {
        "oracle://u:hunter2@h/d",
        "hunter2 oracle",
        "mysql://u:hunter2@h",
        "mysql://u:hunter2@h/d?ssl=hunter2",
        "mysql://u:hunter2@h/d?socket=hunter2",
        "mysql://u@h/d?password=hunter2",
        "mysql://u:hun%00ter2@h/hunter2",
        "mysql://u:hunter2@[::1/d",
        "mysql://u:hunter2@h:99999/d",
        "postgresql://u:hunter2@h:x:y/d?nonsense=hunter2",
        "password=hunter2 nonsense",
        "password='hunter2",
    };
    for (size_t i = 0; i < N_ELEMENTS(urls); i++) {
        struct db_fault fault = refusal(urls[i], NULL);
        ck_assert_msg(!strstr(fault.error.text, "hunter2"), "%s: %s", urls[i], fault.error.text);
        ck_assert_msg(!fault.transient, "%s: %s", urls[i], fault.error.text);
    }
}
END_TEST

START_TEST(refusals_say_what_to_do)
{
    ck_assert_ptr_nonnull(
        strstr(refusal("oracle://h/d", NULL).error.text, "postgresql://, mysql:// or duckdb://"));
    ck_assert_ptr_nonnull(strstr(refusal("mysql://h", NULL).error.text, "names no database"));
    ck_assert_ptr_nonnull(strstr(refusal("mysql://h/d?tls=yes", NULL).error.text, "?tls="));
    ck_assert_ptr_nonnull(strstr(refusal("mysql://h/d", "/nowhere/secret").error.text, "/nowhere/secret"));
    ck_assert_ptr_nonnull(strstr(refusal("host=h", "/nowhere/secret").error.text, "/nowhere/secret"));
}
END_TEST

START_TEST(a_socket_without_server_is_worth_another_try)
{
    static const char *const urls[] = {
        "mysql://u:hunter2@h/d?socket=/nowhere/sock",
        "host=/nowhere dbname=d password=hunter2",
    };
    for (size_t i = 0; i < N_ELEMENTS(urls); i++) {
        struct db_fault fault = refusal(urls[i], NULL);
        ck_assert_msg(fault.transient, "%s: %s", urls[i], fault.error.text);
        ck_assert_ptr_nonnull(strstr(fault.error.text, "/nowhere"));
        ck_assert_ptr_null(strstr(fault.error.text, "hunter2"));
    }
}
END_TEST

START_TEST(no_fault_wanted)
{
    struct db *db = NULL;
    ck_assert_int_eq(db_open("oracle://h/d", NULL, &db, NULL), -1);
    db_close(NULL);
}
END_TEST

START_TEST(an_empty_sink_takes_all)
{
    struct db_sink sink = {0};
    const struct db_sink *const sinks[] = {NULL, &sink};
    for (size_t i = 0; i < N_ELEMENTS(sinks); i++) {
        ck_assert(db_sink_columns(sinks[i], 0, NULL));
        ck_assert(db_sink_row(sinks[i], 0, NULL));
        ck_assert(db_sink_end(sinks[i], "", 0));
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {schemes, refusals_show_no_password, refusals_say_what_to_do,
        a_socket_without_server_is_worth_another_try, no_fault_wanted, an_empty_sink_takes_all};
    return run_tests("db-driver", tests, N_ELEMENTS(tests));
}
