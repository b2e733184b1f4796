#include "parse.h"

#define BASE                                                                                                 \
    "name: a\ncontrol: /c\nstate_dir: /s\nhttp: localhost:1\nlog_level: info\nmemory_max: 64MB\n"            \
    "max_entry: 1MB\npostgres:\n  url: host=a\n  password_file: /p\n  schema: own\n  timeout: 5s\n"          \
    "workers: 2\nkeep_runs: 9d\ndatabases: {x: {url: host=a}}\njobs: {a: {kind: query, sql: /q}}\n"

START_TEST(what_needs_a_restart)
{
    static const struct {
        const char *from, *to, *keys;
    } list[] = {
        {"name: a\n", "name: b\n", "name"},
        {"control: /c\n", "control: /d\n", "control"},
        {"state_dir: /s\n", "state_dir: /d\n", "state_dir"},
        {"http: localhost:1\n", "", "http"},
        {"log_level: info\n", "log_level: debug\n", NULL},
        {"memory_max: 64MB\n", "memory_max: 65MB\n", "memory_max"},
        {"max_entry: 1MB\n", "max_entry: 2MB\n", "max_entry"},
        {"  url: host=a\n", "  url: host=b\n", "postgres.url"},
        {"  password_file: /p\n", "", "postgres.password_file"},
        {"  schema: own\n", "", "postgres.schema"},
        {"  timeout: 5s\n", "  timeout: 6s\n", "postgres.timeout"},
        {"name: a\ncontrol: /c\n", "", "name, control"},
        {"name: a\n", "name: a\n", NULL},
        {"workers: 2\n", "workers: 3\n", NULL},
        {"keep_runs: 9d\n", "", NULL},
        {"databases: {x: {url: host=a}}\n", "databases: {x: {url: host=b}}\n", NULL},
        {"jobs: {a: {kind: query, sql: /q}}\n", "", NULL},
    };
    _cleanup_(config_freep) struct config *now = parse_good(BASE);
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        const char *at = strstr(BASE, list[i].from);
        ck_assert_ptr_nonnull(at);
        _cleanup_free_ char *text =
            xasprintf("%.*s%s%s", (int)(at - BASE), BASE, list[i].to, at + strlen(list[i].from));
        _cleanup_(config_freep) struct config *wanted = parse_good(text);
        _cleanup_free_ char *keys = config_needs_restart(now, wanted);
        if (list[i].keys) {
            ck_assert_ptr_nonnull(keys);
            ck_assert_str_eq(keys, list[i].keys);
        } else {
            ck_assert_ptr_null(keys);
        }
    }
}
END_TEST

START_TEST(what_makes_a_stream_another)
{
    static const char *const others[] = {
        "a: {source: 'redis://h/0/x', table: t, columns: {i: i, j: j}}",
        "a: {source: 'redis://h/0/k', table: u, columns: {i: i, j: j}}",
        "a: {source: 'redis://h/0/k', table: t, columns: {i: i}}",
        "a: {source: 'redis://h/0/k', table: t, columns: {i: i, j: k}}",
        "a: {source: 'redis://h/0/k', table: t, columns: {i: i, k: j}}",
        "b: {source: 'redis://h/0/k', table: t, columns: {i: i, j: j}}",
        "a: {source: 'redis://h/0/k', table: t, columns: {i: i, j: j}, group: g}",
        "a: {source: 'redis://h/0/k', table: t, columns: {i: i, j: j}, consumer: g}",
        "a: {source: 'redis://h/0/k', table: t, columns: {i: i, j: j}, password_file: /g}",
        "a: {source: 'redis://h/0/k', table: t, columns: {i: i, j: j}, claim_after: 61s}",
        "a: {source: 'redis://h/0/k', table: t, columns: {i: i, j: j}, park_for: 6d}",
        "a: {source: 'redis://h/0/k', table: t, columns: {i: i, j: j}, time_zone: Europe/Berlin}",
    };
    _cleanup_(config_freep) struct config *c =
        parse_good(POSTGRES "streams:\n  a: {source: 'redis://h/0/k', table: t, columns: {i: i, j: j}}\n");
    _cleanup_(config_freep) struct config *same =
        parse_good(POSTGRES "\n\nstreams:\n  a: {table: t, source: 'redis://h/0/k', claim_after: 1m,\n"
                            "    columns: {i: i, j: j}}\n");
    ck_assert(config_stream_equal(&c->streams[0], &same->streams[0]));
    for (size_t i = 0; i < N_ELEMENTS(others); i++) {
        _cleanup_free_ char *text = xasprintf(POSTGRES "streams:\n  %s\n", others[i]);
        _cleanup_(config_freep) struct config *other = parse_good(text);
        ck_assert_msg(!config_stream_equal(&c->streams[0], &other->streams[0]), "%s", others[i]);
    }
}
END_TEST

#define JOB_BASE POSTGRES "databases: {w: {url: host=w}}\njobs:\n  a:\n    kind: query\n    sql: /q.sql\n"

#define REST(more)                                                                                           \
    POSTGRES "jobs: {s: {kind: sync, source: 'https://h/v1', table: t, key: id, rest: {" more "}}}\n"

START_TEST(what_makes_a_job_another)
{
    static const char *const others[] = {"schedule: every 1h", "time_zone: Europe/Berlin", "catch_up: all",
        "database: w", "time_limit: 1h", "retries: 0", "retry_after: 1s", "memory_max: 64MB",
        "result_rows: 0", "transaction: no"};
    _cleanup_(config_freep) struct config *c = parse_good(JOB_BASE);
    _cleanup_(config_freep) struct config *same =
        parse_good("\n\n" JOB_BASE "    time_limit: 600s\n    catch_up: last\n    transaction: yes\n"
                   "    memory_max: 131072KB\n");
    ck_assert(config_job_equal(&c->jobs[0], &same->jobs[0]));
    for (size_t i = 0; i < N_ELEMENTS(others); i++) {
        _cleanup_free_ char *text = xasprintf(JOB_BASE "    %s\n", others[i]);
        _cleanup_(config_freep) struct config *other = parse_good(text);
        ck_assert_msg(!config_job_equal(&c->jobs[0], &other->jobs[0]), "%s", others[i]);
    }
    _cleanup_(config_freep) struct config *names =
        parse_good(POSTGRES "jobs:\n  b: {kind: query, sql: /q.sql}\n  a: {kind: query, sql: /r.sql}\n"
                            "  c: {kind: rollup, sql: /q.sql, schedule: every 1h, table: t}\n"
                            "  d: {kind: rollup, sql: /q.sql, schedule: every 1h, table: u}\n");
    for (size_t i = 0; i < names->n_jobs; i++)
        ck_assert(!config_job_equal(&c->jobs[0], &names->jobs[i]));
    free(names->jobs[3].name);
    names->jobs[3].name = xstrdup("c");
    ck_assert(!config_job_equal(&names->jobs[2], &names->jobs[3]));
}
END_TEST

START_TEST(what_makes_a_rest_resource_another)
{
    static const char *const others[] = {"rows: x", "paging: page", "page_size: 7", "updated: u",
        "full_every: 1d", "headers: 'A: b'", "token_file: /t", "page: p"};
    _cleanup_(config_freep) struct config *c = parse_good(REST(""));
    for (size_t i = 0; i < N_ELEMENTS(others); i++) {
        _cleanup_free_ char *text = xasprintf(REST("%s"), others[i]);
        _cleanup_(config_freep) struct config *other = parse_good(text);
        ck_assert_msg(!config_job_equal(&c->jobs[0], &other->jobs[0]), "%s", others[i]);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_needs_a_restart, what_makes_a_stream_another, what_makes_a_job_another,
        what_makes_a_rest_resource_another};
    return run_tests("config-compare", tests, N_ELEMENTS(tests));
}
