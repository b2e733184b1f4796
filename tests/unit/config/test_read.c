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
    ck_assert_uint_eq(c->workers, 4);
    ck_assert_int_eq(c->keep_runs_us, INT64_C(400) * 86400 * 1000000);
    ck_assert_uint_eq(c->n_jobs, 0);
    ck_assert_uint_eq(c->n_databases, 0);
}
END_TEST

START_TEST(defaults_of_jobs_are_filled_in)
{
    _cleanup_(config_freep) struct config *c =
        parse_good(POSTGRES "jobs:\n"
                            "  r: {kind: rollup, sql: /r.sql, schedule: every 10m, table: revenue}\n"
                            "  q: {kind: query, sql: /q.sql}\n"
                            "databases:\n  w: {url: 'mysql://h/db'}\n");
    const struct config_job *r = config_find_job(c, "r"), *q = config_find_job(c, "q");
    ck_assert_ptr_eq(r, &c->jobs[0]);
    ck_assert_ptr_eq(q, &c->jobs[1]);
    ck_assert_ptr_null(config_find_job(c, "w"));
    ck_assert_ptr_eq(config_find_database(c, "w"), &c->databases[0]);
    ck_assert_ptr_null(config_find_database(c, "postgres"));
    ck_assert_ptr_null(c->databases[0].password_file);
    ck_assert_int_eq(c->databases[0].line, 6);
    ck_assert_int_eq(q->line, 4);
    ck_assert_str_eq(r->catch_up, "all");
    ck_assert_str_eq(q->catch_up, "last");
    ck_assert_ptr_null(q->schedule);
    ck_assert_ptr_null(q->table);
    ck_assert_str_eq(q->time_zone, "UTC");
    ck_assert_str_eq(q->database, "postgres");
    ck_assert_int_eq(q->time_limit_us, 600000000);
    ck_assert_uint_eq(q->retries, 3);
    ck_assert_int_eq(q->retry_after_us, 10000000);
    ck_assert_uint_eq(q->memory_max, 128 << 20);
    ck_assert_uint_eq(q->result_rows, 20);
    ck_assert_str_eq(q->transaction, "yes");
}
END_TEST

START_TEST(defaults_of_syncs_are_filled_in)
{
    _cleanup_(config_freep) struct config *c =
        parse_good(POSTGRES "jobs: {s: {kind: sync, source: 'https://h/a.csv', table: npi}}\n");
    const struct config_job *s = &c->jobs[0];
    ck_assert_str_eq(s->null_tokens, "NULL");
    ck_assert_str_eq(s->database, "postgres");
    ck_assert_str_eq(s->catch_up, "last");
    ck_assert_uint_eq(s->max_removed, 20);
    ck_assert_uint_eq(s->max_rejected, 10);
    ck_assert_int_eq(s->time_limit_us, INT64_C(6) * 3600 * 1000000);
    ck_assert(!s->rest.rows && !s->types);
    ck_assert(!s->sql && !s->key && !s->pattern && !s->member && !s->since && !s->delimiter);
}
END_TEST

START_TEST(no_null_token_is_not_the_default_one)
{
    _cleanup_(config_freep) struct config *c =
        parse_good(POSTGRES "jobs: {s: {kind: sync, source: 'https://h/a.csv', table: npi, 'null': \"\"}}\n");
    ck_assert_str_eq(c->jobs[0].null_tokens, "");
}
END_TEST

#define REST(more)                                                                                           \
    POSTGRES "jobs: {s: {kind: sync, source: 'https://h/v1', table: t, key: id, rest: {" more "}}}\n"

START_TEST(a_rest_resource)
{
    _cleanup_(config_freep) struct config *c = parse_good(REST(""));
    const struct config_rest *d = &c->jobs[0].rest;
    ck_assert_str_eq(d->rows, "data");
    ck_assert_str_eq(d->paging, "offset");
    ck_assert(d->page_size == 1000 && d->first_page == 1 && d->parallel == 4 && d->per_second == 0);
    ck_assert_int_eq(d->full_every_us, INT64_C(7) * 86400 * 1000000);
    ck_assert(!d->order && !d->updated && !d->updated_order && !d->fields && !d->headers && !d->token_file);
    _cleanup_(config_freep) struct config *all = parse_good(REST(
        "rows: ., paging: cursor, page_size: 7, first_page: 0, parallel: 64, per_second: 9, order: a=b&c=d,"
        " updated: u, updated_order: e=f, full_every: 0s, fields: 'a,b', headers: 'A: b, c, D: e',"
        " header_file: /h, token_file: /t, next: meta.n, cursor: c, limit: l, offset: o, page: p"));
    const struct config_rest *r = &all->jobs[0].rest;
    const char *texts[] = {r->rows, ".", r->paging, "cursor", r->order, "a=b&c=d", r->updated, "u",
        r->updated_order, "e=f", r->fields, "a,b", r->headers, "A: b, c, D: e", r->header_file, "/h",
        r->token_file, "/t", r->next, "meta.n", r->cursor, "c", r->limit, "l", r->offset, "o", r->page, "p"};
    for (size_t i = 0; i < N_ELEMENTS(texts); i += 2)
        ck_assert_str_eq(texts[i], texts[i + 1]);
    ck_assert(r->page_size == 7 && r->first_page == 0 && r->parallel == 64 && r->per_second == 9);
    ck_assert_int_eq(r->full_every_us, 0);
    ck_assert(!config_job_equal(&c->jobs[0], &all->jobs[0]));
    ck_assert(config_is_one_key("\"City, State\"") && config_is_one_key("id"));
    ck_assert(!config_is_one_key("id,City") && !config_is_one_key(NULL) && !config_is_one_key(""));
}
END_TEST

START_TEST(every_key_of_jobs_is_taken)
{
    _cleanup_(config_freep) struct config *c = parse_good(
        POSTGRES "workers: 64\nkeep_runs: 36500d\n"
                 "databases:\n  w:\n    url: mysql://u:p@h:3307/db\n    password_file: /p\n"
                 "  l: {url: host=db}\n"
                 "jobs:\n"
                 "  r:\n    kind: rollup\n    schedule: 0 */2 * * *\n    time_zone: Europe/Berlin\n"
                 "    catch_up: none\n    sql: /r.sql\n    table: public.revenue_2\n    time_limit: 30d\n"
                 "    retries: 0\n    retry_after: 100ms\n    memory_max: 1024GB\n"
                 "  q:\n    kind: query\n    sql: /q.sql\n    database: w\n    result_rows: 0\n"
                 "    transaction: no\n");
    const struct config_job *r = &c->jobs[0], *q = &c->jobs[1];
    ck_assert_uint_eq(c->workers, 64);
    ck_assert_int_eq(c->keep_runs_us, INT64_C(36500) * 86400 * 1000000);
    ck_assert_uint_eq(c->n_databases, 2);
    ck_assert_str_eq(c->databases[0].name, "w");
    ck_assert_str_eq(c->databases[0].url, "mysql://u:p@h:3307/db");
    ck_assert_str_eq(c->databases[0].password_file, "/p");
    ck_assert_str_eq(c->databases[1].url, "host=db");
    ck_assert_str_eq(r->name, "r");
    ck_assert_str_eq(r->kind, "rollup");
    ck_assert_str_eq(r->schedule, "0 */2 * * *");
    ck_assert_str_eq(r->time_zone, "Europe/Berlin");
    ck_assert_str_eq(r->catch_up, "none");
    ck_assert_str_eq(r->sql, "/r.sql");
    ck_assert_str_eq(r->table, "public.revenue_2");
    ck_assert_int_eq(r->time_limit_us, INT64_C(30) * 86400 * 1000000);
    ck_assert_uint_eq(r->retries, 0);
    ck_assert_int_eq(r->retry_after_us, 100000);
    ck_assert_uint_eq(r->memory_max, UINT64_C(1) << 40);
    ck_assert_str_eq(q->kind, "query");
    ck_assert_str_eq(q->database, "w");
    ck_assert_uint_eq(q->result_rows, 0);
    ck_assert_str_eq(q->transaction, "no");
}
END_TEST

static char *sql_of(const char *config_path, const char *sql)
{
    struct config *c = NULL;
    struct config_problems problems = {0};
    _cleanup_free_ char *text = xasprintf(POSTGRES "jobs: {a: {kind: query, sql: '%s'}}\n", sql);
    int result = config_parse(config_path, text, strlen(text), &c, &problems);
    char *found = xstrdup(result == 0 ? c->jobs[0].sql : problems.list[0].text);
    config_free(c);
    config_problems_done(&problems);
    return found;
}

START_TEST(files_begin_at_the_configuration)
{
    static const struct {
        const char *config, *sql, *wanted;
    } list[] = {
        {"/usr/share/f", "/x/../q.sql", "/x/../q.sql"},
        {"/usr/share/f", "q.sql", "/usr/share/q.sql"},
        {"/usr/share/f", "a/q.sql", "/usr/share/a/q.sql"},
        {"/usr/share/f", "./a/../q.sql", "/usr/share/a/../q.sql"},
        {"/usr/share/f", "../q.sql", "/usr/q.sql"},
        {"/usr/share/f", "..//.//../q.sql", "/q.sql"},
        {"/usr/share/f", "../../../../q.sql", "/q.sql"},
        {"/usr/share/f", ".q.sql", "/usr/share/.q.sql"},
        {"/usr/share/f", "..q.sql", "/usr/share/..q.sql"},
        {"/usr/../usr/./share//f", "q.sql", "/usr/share/q.sql"},
        {"/f", "q.sql", "/q.sql"},
        {"/f", "../q.sql", "/q.sql"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++) {
        _cleanup_free_ char *found = sql_of(list[i].config, list[i].sql);
        ck_assert_str_eq(found, list[i].wanted);
    }
    ck_assert_int_eq(chdir("/usr/share"), 0);
    _cleanup_free_ char *bare = sql_of("f", "q.sql"), *up = sql_of("../f", "q.sql");
    ck_assert_str_eq(bare, "/usr/share/q.sql");
    ck_assert_str_eq(up, "/usr/q.sql");
    _cleanup_free_ char *lost = sql_of("/nonexistent/f", "q.sql"),
                        *whole = sql_of("/nonexistent/f", "/q.sql");
    ck_assert_msg(strstr(lost, "the folder of the configuration file cannot be found") != NULL, "%s", lost);
    ck_assert_str_eq(whole, "/q.sql");
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
    ck_assert_uint_eq(c->n_jobs, 1);
    ck_assert_str_eq(c->jobs[0].name, "revenue");
    ck_assert_str_eq(c->jobs[0].kind, "rollup");
    ck_assert_str_eq(c->jobs[0].schedule, "every 10m");
    ck_assert_str_eq(c->jobs[0].table, "public.revenue_by_condition");
    _cleanup_free_ char *folder = realpath(EXAMPLES "/..", NULL);
    _cleanup_free_ char *sql = xasprintf("%s/rollup/revenue-by-condition.sql", folder);
    ck_assert_str_eq(c->jobs[0].sql, sql);
    config_free(c);
    config_problems_done(&problems);
}
END_TEST

static struct config *example_of_one_job(const char *path)
{
    struct config *c = NULL;
    struct config_problems problems = {0};
    unsetenv("DATABASE_URL");
    int result = config_read(path, &c, &problems);
    ck_assert_msg(result == 0, "%s", problems.n ? problems.list[0].text : "");
    ck_assert_uint_eq(c->n_jobs, 1);
    config_problems_done(&problems);
    return c;
}

START_TEST(the_examples_of_syncs_are_good)
{
    _cleanup_(config_freep) struct config *npi = example_of_one_job(EXAMPLES "/npi-history.yaml");
    ck_assert_str_eq(npi->jobs[0].pattern, "npi-sample-%Y-%m-%d.csv");
    _cleanup_(config_freep) struct config *clinic = example_of_one_job(EXAMPLES "/clinic.yaml");
    ck_assert_str_eq(clinic->jobs[0].rest.updated, "updated_at");
}
END_TEST

START_TEST(the_example_of_a_match_is_good)
{
    unsetenv("VENDOR_URL");
    unsetenv("REPORT_DATE");
    _cleanup_(config_freep) struct config *c = example_of_one_job(EXAMPLES "/vendor-match.yaml");
    ck_assert_str_eq(c->jobs[0].left.name, "ours");
    ck_assert_str_eq(c->jobs[0].right.source, "https://host/api/v1/users");
    ck_assert_str_eq(c->jobs[0].report_date, "2017-02-02");
    _cleanup_free_ char *sql = realpath(EXAMPLES "/vendor-users.sql", NULL);
    ck_assert_ptr_nonnull(sql);
    _cleanup_free_ char *said = realpath(c->jobs[0].left.sql, NULL);
    ck_assert_str_eq(said, sql);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {defaults_are_filled_in, defaults_of_jobs_are_filled_in, every_key_is_taken,
        defaults_of_syncs_are_filled_in, no_null_token_is_not_the_default_one, a_rest_resource,
        every_key_of_jobs_is_taken, files_begin_at_the_configuration, the_consumer_is_the_host_and_the_name,
        max_entry_follows_a_small_memory, variables_are_replaced, a_variable_is_not_replaced_twice,
        one_source_may_feed_two_groups, a_file_without_streams_is_read, quoted_nothing_is_a_word,
        the_shipped_example_is_good, the_examples_of_syncs_are_good, the_example_of_a_match_is_good};
    return run_tests("config-read", tests, N_ELEMENTS(tests));
}
