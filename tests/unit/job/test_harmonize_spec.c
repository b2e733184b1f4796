/* A harmonize from the configuration to the worker's spec, on its way as JSON, and what is none. */
#include "config/config.h"
#include "job/harmonize_spec.h"
#include "job/take.h"
#include "util/cleanup.h"

#include "../util/suite.h"

#include <cjson/cJSON.h>

static const char text[] = "postgres: {url: 'postgresql://u@h/db', password_file: /run/pg}\n"
                           "state_dir: /s\n"
                           "databases: {partner: {url: 'host=p dbname=x', password_file: /run/partner}}\n"
                           "stores:\n"
                           "  drop: {url: 's3://drop/north', endpoint: 'https://minio:9000', "
                           "credentials_file: /run/c, ca_file: /ca}\n"
                           "  amazon: {url: 's3://abc', region: eu-central-1}\n"
                           "  lake: {url: 'file:///srv/lake'}\n"
                           "jobs:\n"
                           "  o:\n"
                           "    kind: harmonize\n"
                           "    sources:\n"
                           "      t: {database: partner, table: public.t}\n"
                           "      q: {database: postgres, sql: /q.sql}\n"
                           "      f: {store: drop, prefix: p/, pattern: '*.csv', format: csv, columns: 'A , "
                           "B?', null: 'x, y', delimiter: "
                           "tab}\n"
                           "      g: {store: amazon, columns: A}\n"
                           "    transform: /sql/a.sql, /sql/b.sql\n"
                           "    variables: 'a=1, \"b=x, y\"'\n"
                           "    lake: lake\n"
                           "    tables: {site: {key: id}, p: {key: 'a, b', references: 'x=site , y=site'}}\n"
                           "    revision: r2\n    max_rejected: 7\n";

static struct config *config;
static struct job_spec spec;

static void take(void)
{
    struct config_problems problems = {0};
    int r = config_parse("/etc/x/f.yaml", text, strlen(text), &config, &problems);
    ck_assert_msg(r == 0, "%s", problems.n ? problems.list[0].text : "");
    config_problems_done(&problems);
    spec = (struct job_spec){0};
    job_spec_take(&spec, config, config_find_job(config, "o"));
}

static void forget(void)
{
    job_spec_done(&spec);
    config_free(config);
}

/* What stands for a path of the configuration in the spec. */
static void expect_words(const struct job_words *words, const char *joined)
{
    _cleanup_free_ char *found = xstrdup("");
    for (size_t i = 0; i < words->n; i++) {
        char *longer = xasprintf("%s[%s]", found, words->list[i]);
        free(found);
        found = longer;
    }
    ck_assert_str_eq(found, joined);
}

START_TEST(what_a_worker_is_told)
{
    const struct job_harmonize *h = &spec.harmonize;
    ck_assert_uint_eq(h->n_sources, 4);
    ck_assert_str_eq(h->sources[0].database.url, "host=p dbname=x");
    ck_assert_str_eq(h->sources[0].database.password_file, "/run/partner");
    ck_assert_str_eq(h->sources[0].table, "public.t");
    ck_assert(!h->sources[0].store.url && !h->sources[0].sql && !h->sources[0].pattern);
    ck_assert_str_eq(h->sources[1].database.url, "postgresql://u@h/db");
    ck_assert_str_eq(h->sources[1].sql, "/q.sql");
    const struct job_feed *f = &h->sources[2];
    ck_assert(!f->database.url && !f->table && !f->sql);
    ck_assert_str_eq(f->store.name, "drop");
    ck_assert_str_eq(f->store.url, "s3://drop/north");
    ck_assert_str_eq(f->store.endpoint, "https://minio:9000");
    ck_assert_str_eq(f->store.region, "us-east-1");
    ck_assert_str_eq(f->store.credentials_file, "/run/c");
    ck_assert_str_eq(f->store.ca_file, "/ca");
    ck_assert(f->store.path_style);
    ck_assert_str_eq(f->prefix, "p/");
    ck_assert_str_eq(f->pattern, "*.csv");
    ck_assert_str_eq(f->format, "csv");
    ck_assert_str_eq(f->delimiter, "tab");
    expect_words(&f->columns, "[A][B?]");
    expect_words(&f->null_tokens, "[x][ y]");
    const struct job_feed *g = &h->sources[3];
    ck_assert(!g->store.path_style && !g->store.endpoint && !g->format && !g->delimiter);
    ck_assert_str_eq(g->store.region, "eu-central-1");
    ck_assert_str_eq(g->prefix, "");
    ck_assert_str_eq(g->pattern, "*");
}
END_TEST

START_TEST(where_it_goes)
{
    const struct job_harmonize *h = &spec.harmonize;
    ck_assert_str_eq(h->lake.url, "file:///srv/lake");
    ck_assert(!h->lake.path_style && !h->lake.region);
    ck_assert_uint_eq(h->n_tables, 2);
    ck_assert_str_eq(h->tables[1].name, "p");
    expect_words(&h->tables[1].key, "[a][b]");
    expect_words(&h->tables[1].references, "[x=site][y=site]");
    expect_words(&h->transform, "[/sql/a.sql][/sql/b.sql]");
    expect_words(&h->variables, "[a=1][b=x, y]");
    ck_assert_str_eq(h->revision, "r2");
    ck_assert(!h->tenant);
    ck_assert_str_eq(h->folder, "/s/harmonize/o");
    ck_assert_uint_eq(h->max_rejected, 7);
    ck_assert_int_eq(h->full_every_us, INT64_C(7) * 86400 * 1000000);
    ck_assert_int_eq(h->keep_versions_us, INT64_C(30) * 86400 * 1000000);
    ck_assert_uint_eq(spec.memory_max, 512 << 20);
    ck_assert_str_eq(spec.books.url, "postgresql://u@h/db");
    ck_assert(!spec.table && !spec.sync.source && !spec.match.report_date);
}
END_TEST

START_TEST(there_and_back)
{
    struct error err = {""};
    _cleanup_free_ char *json = job_spec_to_json(&spec);
    _cleanup_job_spec_ struct job_spec back = {0};
    ck_assert_msg(job_spec_parse(json, strlen(json), &back, &err) == 0, "%s", err.text);
    _cleanup_free_ char *again = job_spec_to_json(&back);
    ck_assert_str_eq(json, again);
    ck_assert_uint_eq(back.harmonize.n_sources, 4);
    ck_assert_str_eq(back.harmonize.sources[2].columns.list[1], "B?");
    ck_assert(back.harmonize.sources[2].store.path_style && !back.harmonize.sources[3].store.path_style);
    ck_assert_str_eq(back.harmonize.tables[1].references.list[1], "y=site");
    ck_assert_str_eq(back.harmonize.lake.url, "file:///srv/lake");
}
END_TEST

START_TEST(a_store_to_be_looked_at)
{
    struct error err = {""};
    job_store_take(&spec.store, config, "drop");
    _cleanup_free_ char *json = job_spec_to_json(&spec);
    _cleanup_job_spec_ struct job_spec back = {0};
    ck_assert_msg(job_spec_parse(json, strlen(json), &back, &err) == 0, "%s", err.text);
    ck_assert_str_eq(back.store.url, "s3://drop/north");
    ck_assert_str_eq(back.store.credentials_file, "/run/c");
    ck_assert(back.store.path_style);
}
END_TEST

/* With the value in place of the member's own (NULL: left out) it is refused, in these words. */
static void refused(const char *member, const char *value, const char *words)
{
    struct error err = {""};
    struct job_spec back = {0};
    _cleanup_free_ char *json = job_spec_to_json(&spec);
    cJSON *object = cJSON_Parse(json), *harmonize = cJSON_GetObjectItemCaseSensitive(object, "harmonize");
    if (value)
        cJSON_ReplaceItemInObjectCaseSensitive(harmonize, member, cJSON_Parse(value));
    else
        cJSON_DeleteItemFromObjectCaseSensitive(harmonize, member);
    char *changed = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    ck_assert_msg(job_spec_parse(changed, strlen(changed), &back, &err) < 0, "%s", changed);
    ck_assert_msg(strstr(err.text, words) && strstr(err.text, member), "%s: %s", member, err.text);
    ck_assert_msg(!strstr(err.text, "minio"), "%s", err.text);
    free(changed);
}

START_TEST(what_is_no_harmonize)
{
    static const char *const needed[] = {
        "sources", "tables", "lake", "full_every_us", "keep_versions_us", "max_rejected", "folder"};
    for (size_t i = 0; i < N_ELEMENTS(needed); i++) {
        refused(needed[i], NULL, "is missing");
        refused(needed[i], "null", "");
        refused(needed[i], "[1]", "");
    }
    refused("sources", "[]", "are none");
    refused("tables", "[]", "are none");
    refused("transform", NULL, "has no file");
    refused("transform", "[\"\"]", "not a string");
    refused("tables", "[{\"name\": \"a\"}]", "has one without a key");
    refused("tables", "[{\"key\": [\"a\"]}]", "is missing");
    refused("lake", "{\"name\": \"a\", \"path_style\": true}", "\"url\" is missing");
    refused("lake", "{\"name\": \"a\", \"url\": \"s3://b\", \"path_style\": 1}", "not true or false");
    refused("lake", "{\"name\": \"a\", \"url\": \"s3://b\", \"path_style\": true, \"key\": \"x\"}",
        "does not know");
#define STORE "\"store\": {\"name\": \"a\", \"url\": \"s3://b\", \"path_style\": true}"
#define BASE  "\"database\": {\"url\": \"a=b\"}"
    refused("sources", "[{\"name\": \"a\", \"prefix\": \"\"}]", "neither a table");
    refused("sources", "[{\"name\": \"a\", \"prefix\": \"\", " BASE "}]", "neither a table");
    refused("sources", "[{\"name\": \"a\", \"prefix\": \"\", \"table\": \"t\"}]", "neither a table");
    refused("sources", "[{\"name\": \"a\", \"prefix\": \"\", " BASE ", \"table\": \"t\", \"sql\": \"/q\"}]",
        "neither a table");
    refused("sources", "[{\"name\": \"a\", \"prefix\": \"\", " STORE "}]", "neither a table");
    refused("sources", "[{\"name\": \"a\", \"prefix\": \"\", " STORE ", \"columns\": [\"a\"], " BASE "}]",
        "neither a table");
    refused("sources", "[{\"name\": \"a\", \"prefix\": 1, " STORE ", \"columns\": [\"a\"]}]", "not a string");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_a_worker_is_told, where_it_goes, there_and_back, a_store_to_be_looked_at, what_is_no_harmonize};
    return run_staged("job-harmonize_spec", take, forget, tests, N_ELEMENTS(tests));
}
