#include "parse.h"

#include <cjson/cJSON.h>

static const char whole[] =
    "name: office-1\nhttp: localhost:9187\nlog_level: debug\nmemory_max: 65537KB\nmax_entry: 1025\n"
    "postgres: {url: 'postgresql://u@h/db', schema: own, timeout: 90s}\n"
    "streams:\n"
    "  a:\n    source: redis://h/0/k\n    group: 'null'\n    consumer: \"q\\\"x\\\\ #: $${x} \xc3\xa9\"\n"
    "    claim_after: 1500ms\n    table: s.t\n    time_zone: Europe/Berlin\n    park_for: 36h\n"
    "    columns: {tsp: '@received', '~': 'true', 'id: x': '- y', \"null\": '${T_V:-1}'}\n"
    "  b:\n    source: fifo:///run/pipe\n    table: t\n    columns: {id: id}\n"
    "workers: 7\nkeep_runs: 36h\n"
    "databases:\n  w: {url: 'mysql://u@h/db', password_file: /p}\n"
    "jobs:\n"
    "  s: {kind: sync, source: 'https://h/v1', table: t, key: id, rest: {updated: u, page_size: 7, fields: "
    "'a,b'}}\n"
    "  r: {kind: rollup, schedule: every 10m, sql: 'a $${x}.sql', table: t}\n"
    "  q: {kind: query, schedule: '0 6 * * *', sql: /q.sql, database: w, transaction: no, retries: 0}\n";

START_TEST(yaml_reads_back_the_same)
{
    _cleanup_(config_freep) struct config *c = parse_good(whole);
    _cleanup_free_ char *text = config_to_yaml(c);
    _cleanup_(config_freep) struct config *again = parse_good(text);
    _cleanup_free_ char *text_again = config_to_yaml(again);
    ck_assert_str_eq(text, text_again);
    ck_assert_ptr_null(config_needs_restart(c, again));
    ck_assert_uint_eq(again->n_streams, 2);
    ck_assert(config_stream_equal(&c->streams[0], &again->streams[0]));
    ck_assert(config_stream_equal(&c->streams[1], &again->streams[1]));
    ck_assert_uint_eq(again->n_databases, 1);
    ck_assert_uint_eq(again->n_jobs, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert(config_job_equal(&c->jobs[i], &again->jobs[i]));
    ck_assert_uint_eq(again->jobs[0].rest.page_size, 7);
    ck_assert(!again->jobs[1].rest.rows);
    ck_assert_uint_eq(again->workers, 7);
    ck_assert_str_eq(c->streams[0].consumer, "q\"x\\ #: ${x} \xc3\xa9");
    ck_assert_uint_eq(again->memory_max, 65537 * 1024);
    ck_assert_uint_eq(again->max_entry, 1025);
    ck_assert_int_eq(again->postgres.timeout_us, 90000000);
}
END_TEST

START_TEST(a_file_without_streams_reads_back)
{
    _cleanup_(config_freep) struct config *c = parse_good(POSTGRES);
    _cleanup_free_ char *text = config_to_yaml(c);
    expect_good(text);
}
END_TEST

static const char *word_at(const cJSON *object, const char *section, const char *name, const char *key)
{
    object = cJSON_GetObjectItemCaseSensitive(object, section);
    if (name)
        object = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

START_TEST(json_shows_what_is_in_force)
{
    _cleanup_(config_freep) struct config *c = parse_good(whole);
    cJSON *json = config_to_json(c);
    ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(json, "state_dir")), "/var/lib/ingestd");
    ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(json, "memory_max")), "65537KB");
    ck_assert_str_eq(word_at(json, "postgres", NULL, "timeout"), "90s");
    ck_assert_str_eq(word_at(json, "streams", "a", "park_for"), "36h");
    ck_assert_str_eq(word_at(json, "streams", "b", "spool_max"), "1GB");
    /* What means nothing to the source is not shown. */
    ck_assert_ptr_null(word_at(json, "streams", "a", "spool_max"));
    ck_assert_ptr_null(word_at(json, "streams", "b", "group"));
    ck_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(json, "workers")), "7");
    ck_assert_str_eq(word_at(json, "databases", "w", "url"), "mysql://u@h/db");
    ck_assert_str_eq(word_at(json, "jobs", "r", "catch_up"), "all");
    ck_assert_str_eq(word_at(json, "jobs", "q", "retries"), "0");
    ck_assert_ptr_null(word_at(json, "jobs", "r", "database"));
    ck_assert_ptr_null(word_at(json, "jobs", "q", "table"));
    cJSON_Delete(json);
}
END_TEST

START_TEST(no_secret_of_a_rest_resource_is_shown)
{
    _cleanup_(config_freep) struct config *c = parse_good(
        POSTGRES "jobs: {s: {kind: sync, source: 'https://u:s3cret@h/v1', table: t, key: id,"
                 " rest: {headers: 'X-Key: s3cret, s3cret, Other: s3cret', token_file: /t,"
                 " order: 'api_key=s3cret&sort=id', updated: u, updated_order: 'token=s3cret'}}}\n");
    _cleanup_free_ char *yaml = config_to_yaml(c);
    ck_assert_msg(strstr(yaml, "X-Key: …, Other: …") && strstr(yaml, "/t"), "%s", yaml);
    ck_assert_msg(strstr(yaml, "api_key=…&sort=id"), "%s", yaml);
    ck_assert_ptr_null(strstr(yaml, "s3cret"));
}
END_TEST

START_TEST(no_password_is_shown)
{
    static const char *const databases[] = {"postgresql://u:s3cret@h/db", "postgres://u:s3c?ret/s3cret@h/db",
        "postgresql://h/db?password=s3cret", "postgresql://h/db?user=x&p%61ssword=s3cret&a=b",
        "postgresql://h:5432/db?sslpassword=s3cret@x", "host=h password=s3cret dbname=x",
        "password = s3cret host=h", "host=h PASSWORD='s3cret\\' s3cret' dbname=x",
        "host=h password=s3\\ s3cret", "host=h password='s3cret", "host=h sslpassword=s3cret",
        "host=h password=http://s3cret", "mysql://u:s3cret@h:3306/db", "mysql://u:s3c?ret/s3cret@h/db"};
    for (size_t i = 0; i < N_ELEMENTS(databases); i++) {
        _cleanup_(config_freep) struct config *c = parse_good(
            MINIMAL "    group: g\n  z: {source: 'redis://u:s3cret@h/0/k', table: t, columns: {i: i}}\n"
                    "databases: {w: {url: host=h}}\n");
        free(c->postgres.url);
        free(c->databases[0].url);
        c->postgres.url = xstrdup(databases[i]);
        c->databases[0].url = xstrdup(databases[i]);
        _cleanup_free_ char *yaml = config_to_yaml(c);
        cJSON *object = config_to_json(c);
        char *json = cJSON_Print(object);
        ck_assert_msg(!strstr(yaml, "s3cret") && strstr(yaml, "…"), "%s", yaml);
        ck_assert_msg(!strstr(json, "s3cret"), "%s", json);
        cJSON_free(json);
        cJSON_Delete(object);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {yaml_reads_back_the_same, a_file_without_streams_reads_back,
        json_shows_what_is_in_force, no_secret_of_a_rest_resource_is_shown, no_password_is_shown};
    return run_tests("config-show", tests, N_ELEMENTS(tests));
}
