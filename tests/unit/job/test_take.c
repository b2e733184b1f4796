/* From the configuration to a worker's spec: what is named there is resolved. */
#include "config/config.h"
#include "job/take.h"
#include "util/cleanup.h"

#include "../util/suite.h"

static const char text[] =
    "postgres: {url: 'postgresql://u@h/db', password_file: /run/pg, schema: own}\n"
    "state_dir: /s\n"
    "databases: {w: {url: 'mysql://u@h/db', password_file: /run/w}, d: {url: 'duckdb:///x/y'}}\n"
    "jobs:\n"
    "  m:\n"
    "    kind: match\n    table: t\n    database: d\n    memory_max: 64MB\n"
    "    left: {name: ours, database: w, sql: /q.sql, columns: 'a, b ,\"c, d\"', active: seen}\n"
    "    right: {source: 'https://h/', rest: {rows: users, fields: 'x,y', headers: 'A: 1, B: 2'}}\n"
    "    keys: {k: {left: p, normalise: ''}, l: {}}\n"
    "    outcomes: matched, rejected\n"
    "  n:\n"
    "    kind: match\n    table: t\n"
    "    left: {source: 'https://h/'}\n    right: {database: postgres, sql: /q.sql}\n    keys: {k: {}}\n"
    "    tie_breaks: {a: {}, b: {}}\n"
    "  q: {kind: query, sql: /q.sql, database: w, transaction: no}\n"
    "  s: {kind: sync, source: 'https://h/a.csv', table: t, null: 'a, b'}\n";

static struct config *config;

static void parse(void)
{
    struct config *c = NULL;
    struct config_problems problems = {0};
    int r = config_parse("/etc/x/f.yaml", text, strlen(text), &c, &problems);
    ck_assert_msg(r == 0, "%s", problems.n ? problems.list[0].text : "");
    config_problems_done(&problems);
    config = c;
}

static void forget(void)
{
    config_free(config);
}

static struct job_spec take(const char *name)
{
    struct job_spec spec = {0};
    job_spec_take(&spec, config, config_find_job(config, name));
    return spec;
}

START_TEST(a_match)
{
    _cleanup_job_spec_ struct job_spec spec = take("m");
    const struct job_match *m = &spec.match;
    ck_assert_str_eq(spec.kind, "match");
    ck_assert_str_eq(spec.table, "t");
    ck_assert_str_eq(spec.database.url, "duckdb:///x/y");
    ck_assert_str_eq(spec.books.url, "postgresql://u@h/db");
    ck_assert_uint_eq(spec.memory_max, 64 << 20);
    ck_assert_str_eq(m->folder, "/s/match/m");
    ck_assert_str_eq(m->report_date, "today");
    ck_assert_str_eq(m->left.database.url, "mysql://u@h/db");
    ck_assert_str_eq(m->left.database.password_file, "/run/w");
    ck_assert_str_eq(m->left.sql, "/q.sql");
    ck_assert(!m->left.rest.rows && !m->left.source && !m->right.database.url);
    ck_assert_uint_eq(m->left.columns.n, 3);
    ck_assert_str_eq(m->left.columns.list[1], "b");
    ck_assert_str_eq(m->left.columns.list[2], "c, d");
    ck_assert_str_eq(m->right.name, "right");
    ck_assert_str_eq(m->right.rest.rows, "users");
    ck_assert_uint_eq(m->right.rest.fields.n, 2);
    ck_assert_uint_eq(m->right.rest.headers.n, 2);
    ck_assert(!m->right.rest.order && !m->right.rest.updated && !m->right.rest.updated_order);
    ck_assert_uint_eq(m->n_keys, 2);
    ck_assert_str_eq(m->keys[0].left, "p");
    ck_assert_str_eq(m->keys[0].right, "k");
    ck_assert_str_eq(m->keys[0].normalise, "");
    ck_assert_uint_eq(m->n_tie_breaks, 0);
    ck_assert_uint_eq(m->outcomes.n, 2);
    ck_assert_str_eq(m->outcomes.list[1], "rejected");
}
END_TEST

START_TEST(a_match_as_it_usually_is)
{
    _cleanup_job_spec_ struct job_spec spec = take("n");
    const struct job_match *m = &spec.match;
    ck_assert_str_eq(spec.database.url, "postgresql://u@h/db");
    ck_assert_str_eq(m->right.database.url, "postgresql://u@h/db");
    ck_assert_str_eq(m->right.database.password_file, "/run/pg");
    ck_assert_str_eq(m->left.rest.rows, "data");
    ck_assert_str_eq(m->left.rest.paging, "offset");
    ck_assert_uint_eq(m->left.rest.parallel, 4);
    ck_assert_uint_eq(m->outcomes.n, 5);
    ck_assert_uint_eq(m->batch_fraction, 100000);
    ck_assert_uint_eq(m->n_tie_breaks, 2);
    ck_assert_str_eq(m->tie_breaks[1].name, "b");
}
END_TEST

START_TEST(what_a_worker_is_told_it_reads)
{
    for (size_t i = 0; i < config->n_jobs; i++) {
        struct error err = {""};
        _cleanup_job_spec_ struct job_spec spec = take(config->jobs[i].name), back = {0};
        _cleanup_free_ char *json = job_spec_to_json(&spec);
        ck_assert_msg(job_spec_parse(json, strlen(json), &back, &err) == 0, "%s", err.text);
        _cleanup_free_ char *again = job_spec_to_json(&back);
        ck_assert_str_eq(json, again);
    }
}
END_TEST

START_TEST(other_kinds)
{
    _cleanup_job_spec_ struct job_spec q = take("q"), s = take("s");
    ck_assert_str_eq(q.sql, "/q.sql");
    ck_assert_str_eq(q.database.password_file, "/run/w");
    ck_assert(!q.transaction && !q.table && !q.match.report_date && !q.sync.source);
    ck_assert_str_eq(q.schema, "own");
    ck_assert_str_eq(s.sql, "-");
    ck_assert_str_eq(s.sync.source, "https://h/a.csv");
    ck_assert_uint_eq(s.sync.null_tokens.n, 2);
    ck_assert_str_eq(s.sync.null_tokens.list[1], " b");
    ck_assert(s.transaction && !s.match.report_date && !s.sync.rest.rows);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_match, a_match_as_it_usually_is, what_a_worker_is_told_it_reads, other_kinds};
    return run_staged("job-take", parse, forget, tests, N_ELEMENTS(tests));
}
