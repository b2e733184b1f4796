#include "parse.h"

START_TEST(defaults_are_filled_in)
{
    _cleanup_(config_freep) struct config *c = parse_good(MINIMAL);
    ck_assert_str_eq(c->path, "f");
    ck_assert_str_eq(c->name, "ingestd");
    ck_assert_str_eq(c->control, "/run/ingestd/control");
    ck_assert_str_eq(c->state_dir, "/var/lib/ingestd");
    ck_assert_ptr_null(c->http);
    ck_assert_str_eq(c->log_level, "info");
    ck_assert_uint_eq(c->memory_max, 64 << 20);
    ck_assert_uint_eq(c->max_entry, 16 << 20);
    ck_assert_str_eq(c->postgres.schema, "ingest");
    ck_assert_int_eq(c->postgres.timeout_us, 30000000);
    ck_assert_uint_eq(c->n_streams, 1);
    const struct config_stream *s = &c->streams[0];
    ck_assert_str_eq(s->group, "ingestd");
    ck_assert_int_eq(s->claim_after_us, 60000000);
    ck_assert_uint_eq(s->spool_max, 1 << 30);
    ck_assert_str_eq(s->time_zone, "UTC");
    ck_assert_int_eq(s->park_for_us, INT64_C(7) * 86400 * 1000000);
    ck_assert_int_eq(s->line, 3);
    ck_assert_ptr_null(s->password_file);
}
END_TEST

START_TEST(every_key_is_taken)
{
    _cleanup_(config_freep) struct config *c = parse_good(
        "name: office-1\n"
        "control: /tmp/c\nstate_dir: /tmp/s\nhttp: '[::1]:9187'\nlog_level: debug\n"
        "memory_max: 24MB\nmax_entry: 1MB\n"
        "postgres:\n  url: host=db dbname=x\n  password_file: /p\n  schema: own\n  timeout: 1500ms\n"
        "streams:\n"
        "  a:\n    source: redis://u:p@h:1/2/k\n    password_file: /q\n    group: g\n    consumer: me\n"
        "    claim_after: 5s\n    table: s.t\n    time_zone: Europe/Berlin\n    park_for: 0s\n"
        "    columns:\n      tsp: '@received'\n      id: the id\n"
        "  b:\n    source: fifo:///run/pipe\n    spool_max: 16MB\n    table: t\n    columns: {id: id}\n");
    ck_assert_str_eq(c->name, "office-1");
    ck_assert_str_eq(c->control, "/tmp/c");
    ck_assert_str_eq(c->state_dir, "/tmp/s");
    ck_assert_str_eq(c->http, "[::1]:9187");
    ck_assert_str_eq(c->log_level, "debug");
    ck_assert_uint_eq(c->memory_max, 24 << 20);
    ck_assert_uint_eq(c->max_entry, 1 << 20);
    ck_assert_str_eq(c->postgres.url, "host=db dbname=x");
    ck_assert_str_eq(c->postgres.password_file, "/p");
    ck_assert_str_eq(c->postgres.schema, "own");
    ck_assert_int_eq(c->postgres.timeout_us, 1500000);
    ck_assert_uint_eq(c->n_streams, 2);
    const struct config_stream *a = &c->streams[0], *b = &c->streams[1];
    ck_assert_str_eq(a->name, "a");
    ck_assert_str_eq(a->source, "redis://u:p@h:1/2/k");
    ck_assert_str_eq(a->password_file, "/q");
    ck_assert_str_eq(a->group, "g");
    ck_assert_str_eq(a->consumer, "me");
    ck_assert_int_eq(a->claim_after_us, 5000000);
    ck_assert_str_eq(a->table, "s.t");
    ck_assert_str_eq(a->time_zone, "Europe/Berlin");
    ck_assert_int_eq(a->park_for_us, 0);
    ck_assert_uint_eq(a->n_columns, 2);
    ck_assert_str_eq(a->columns[0].column, "tsp");
    ck_assert_str_eq(a->columns[0].field, "@received");
    ck_assert_str_eq(a->columns[1].column, "id");
    ck_assert_str_eq(a->columns[1].field, "the id");
    ck_assert_int_eq(a->columns[1].line, 25);
    ck_assert_uint_eq(b->spool_max, 16 << 20);
}
END_TEST

START_TEST(the_consumer_is_the_host_and_the_name)
{
    char host[256];
    ck_assert_int_eq(gethostname(host, sizeof(host)), 0);
    /* The name may stand behind the streams. */
    _cleanup_(config_freep) struct config *c = parse_good(MINIMAL "name: office\n");
    _cleanup_free_ char *wanted = xasprintf("%s-office", host);
    ck_assert_str_eq(c->streams[0].consumer, wanted);
}
END_TEST

START_TEST(max_entry_follows_a_small_memory)
{
    _cleanup_(config_freep) struct config *c = parse_good("memory_max: 32MB\n" MINIMAL);
    ck_assert_uint_eq(c->max_entry, 8 << 20);
    _cleanup_(config_freep) struct config *large = parse_good("memory_max: 1GB\n" MINIMAL);
    ck_assert_uint_eq(large->max_entry, 16 << 20);
}
END_TEST

START_TEST(variables_are_replaced)
{
    setenv("T_HOST", "db.example", 1);
    setenv("T_EMPTY", "", 1);
    unsetenv("T_NONE");
    _cleanup_(config_freep) struct config *c =
        parse_good("postgres: {url: 'postgresql://${T_HOST}:${T_NONE:-5432}/$${T_HOST}$x', schema: "
                   "\"${T_EMPTY:-own}\"}\n"
                   "streams:\n" CLAIM);
    ck_assert_str_eq(c->postgres.url, "postgresql://db.example:5432/${T_HOST}$x");
    ck_assert_str_eq(c->postgres.schema, "own");
}
END_TEST

START_TEST(a_variable_is_not_replaced_twice)
{
    setenv("T_NESTED", "${T_INNER}", 1);
    setenv("T_INNER", "x", 1);
    _cleanup_(config_freep) struct config *c = parse_good(
        POSTGRES "streams:\n  a: {source: 'redis://h/0/k', table: t, columns: {id: \"${T_NESTED}\"}}\n");
    ck_assert_str_eq(c->streams[0].columns[0].field, "${T_INNER}");
}
END_TEST

START_TEST(one_source_may_feed_two_groups)
{
    expect_good(POSTGRES "streams:\n" CLAIM STREAM("b", "redis://localhost/0/claim") "    group: other\n");
    expect_good(POSTGRES "streams:\n" CLAIM STREAM("b", "redis://localhost/1/claim"));
}
END_TEST

START_TEST(a_file_without_streams_is_read)
{
    _cleanup_(config_freep) struct config *c = parse_good(POSTGRES);
    ck_assert_uint_eq(c->n_streams, 0);
    expect_good(POSTGRES "streams: {}\n");
    expect_good("\xef\xbb\xbf---\n" POSTGRES "...\n");
}
END_TEST

START_TEST(quoted_nothing_is_a_word)
{
    _cleanup_(config_freep) struct config *c = parse_good(
        POSTGRES "streams:\n  a: {source: 'redis://h/0/k', table: t, columns: {\"null\": \"null\"}}\n");
    ck_assert_str_eq(c->streams[0].columns[0].column, "null");
    ck_assert_str_eq(c->streams[0].columns[0].field, "null");
}
END_TEST

START_TEST(the_shipped_example_is_good)
{
    struct config *c = NULL;
    struct config_problems problems = {0};
    unsetenv("DATABASE_URL");
    unsetenv("LOG_LEVEL");
    int result = config_read(EXAMPLES "/doctor-office.yaml", &c, &problems);
    ck_assert_msg(result == 0, "%s", problems.n ? problems.list[0].text : "");
    ck_assert_uint_eq(c->n_streams, 2);
    ck_assert_str_eq(c->streams[0].source, "redis://127.0.0.1:6379/0/claim");
    ck_assert_str_eq(c->streams[0].table, "public.claim");
    ck_assert_uint_eq(c->streams[0].n_columns, 5);
    ck_assert_str_eq(c->streams[0].columns[4].field, "@received");
    ck_assert_str_eq(c->streams[1].source, "fifo:///run/office/diagnose-pipe");
    ck_assert_str_eq(c->streams[1].table, "public.diagnose");
    ck_assert_uint_eq(c->streams[1].n_columns, 4);
    config_free(c);
    config_problems_done(&problems);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {defaults_are_filled_in, every_key_is_taken,
        the_consumer_is_the_host_and_the_name, max_entry_follows_a_small_memory, variables_are_replaced,
        a_variable_is_not_replaced_twice, one_source_may_feed_two_groups, a_file_without_streams_is_read,
        quoted_nothing_is_a_word, the_shipped_example_is_good};
    return run_tests("config-read", tests, N_ELEMENTS(tests));
}
