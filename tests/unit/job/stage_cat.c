/*
 * stage_cat: extract and stage of a harmonize, alone, for tests/integration/test_stage.py. On its standard input a JSON object:
 *
 *   {"folder": "/there", "memory": bytes, "sources": [{"name", "url", "table" or "sql"} or {"name", "script": "/file"}
 *    or {"name", "store": {"url", …}, "prefix", "pattern", "columns": […], "format", "null": […], "delimiter"}],
 *    "pointer": {"sources": {…}}, "anew": false, "full_every_us": n, "show": ["SELECT …", …]}
 *
 * and on its standard output what came of it. "delivered" is DuckDB's list of Parquet files of the folder "lake" that
 * stand for its `delivery`.
 * stage_cat has scripts for objects (stage_scripts.c), objects_cat those of stores.
 */
#include "stage_cat.h"

#include "../db/print.h"
#include "job/harmonize/harmonize.h"
#include "job/job.h"
#include "util/clock.h"

/* ---- the lake ---- */

static const char *delivered;

/* For objects_new.c. */
int lake_table_list(struct lake *l, const struct lake_table *t, char **ret_list, struct db_fault *fault)
{
    *ret_list = xstrdup(delivered);
    return 0;
}

/* ---- the program ---- */

static char *text(const cJSON *from, const char *name)
{
    return (char *)word(from, name);
}

static struct job_words words_of(const cJSON *list)
{
    struct job_words words = {0};
    for (const cJSON *w = list ? list->child : NULL; w; w = w->next)
        job_words_add(&words, w->valuestring);
    return words;
}

static void take_objects(const cJSON *from, struct job_feed *to)
{
    const cJSON *store = cJSON_GetObjectItem(from, "store");
    to->store = (struct job_store){.url = text(store, "url"),
        .endpoint = text(store, "endpoint"),
        .path_style = true,
        .credentials_file = text(store, "credentials_file")};
    to->prefix = text(from, "prefix");
    to->pattern = text(from, "pattern");
    to->format = text(from, "format");
    to->delimiter = text(from, "delimiter");
    to->columns = words_of(cJSON_GetObjectItem(from, "columns"));
    to->null_tokens = words_of(cJSON_GetObjectItem(from, "null"));
}

static void take_sources(const cJSON *input, struct job_harmonize *job)
{
    const cJSON *list = cJSON_GetObjectItem(input, "sources");
    job->sources = xcalloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*job->sources));
    for (const cJSON *s = list->child; s; s = s->next) {
        struct job_feed *to = &job->sources[job->n_sources++];
        *to = (struct job_feed){.name = text(s, "name"),
            .database.url = text(s, "url"),
            .table = text(s, "table"),
            .sql = text(s, "sql"),
            .prefix = text(s, "script")};
        if (cJSON_HasObjectItem(s, "store"))
            take_objects(s, to);
    }
}

static struct db *open_duck(const cJSON *input, const char *folder)
{
    struct db *duck;
    struct db_fault fault;
    _cleanup_free_ char *url = xasprintf("duckdb://%s/stage.duckdb", folder);
    const char *const folders[] = {folder, text(input, "lake")};
    const struct db_options options = {.memory_max = number(input, "memory", 256 << 20),
        .threads = number(input, "threads", 0),
        .files_folders = folders,
        .n_files_folders = folders[1] ? 2 : 1,
        .scratch = true};
    if (db_open(url, &options, &duck, &fault) == 0)
        return duck;
    print_fault(&fault);
    exit(2);
}

static void print_account(const char *name, const struct stage_account *a)
{
    cJSON *line = cJSON_CreateObject(), *account = cJSON_AddObjectToObject(line, name);
    cJSON_AddNumberToObject(account, "rows", (double)a->rows);
    cJSON_AddNumberToObject(account, "bytes", (double)a->bytes);
    cJSON_AddNumberToObject(account, "us", (double)a->us);
    cJSON_AddNumberToObject(account, "attempts", a->attempts);
    print(line);
}

static bool print_row(void *arg, int n, const struct db_value *values)
{
    cJSON *rows = arg, *row = cJSON_CreateArray();
    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(row, value_json(&values[i]));
    cJSON_AddItemToArray(rows, row);
    return true;
}

static void print_shown(struct db *duck, const char *sql)
{
    struct db_fault fault;
    cJSON *line = cJSON_CreateObject(), *rows = cJSON_AddArrayToObject(line, "shown");
    const struct db_sink sink = {.row = print_row, .arg = rows};
    if (db_query(duck, sql, 0, NULL, &sink, &fault) < 0)
        print_fault(&fault);
    print(line);
}

static void print_all(struct harmonize *h)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddItemToObject(line, "sources", h->sources);
    cJSON_AddItemToObject(line, "told", h->told);
    cJSON_AddItemToObject(line, "again", h->again);
    cJSON_AddItemToObject(line, "notes", h->notes);
    cJSON_AddNumberToObject(line, "staged", (double)h->staged_rows);
    cJSON_AddNumberToObject(line, "rejected", (double)h->rejected_rows);
    print(line);
}

int main(void)
{
    _cleanup_buffer_ struct buffer in = {0};
    struct stage_account extract = {0}, stage = {0};
    struct db_fault fault;
    read_input(&in);
    cJSON *input = cJSON_Parse(buffer_string(&in));
    struct job_spec spec = {
        .job = (char *)"omop", .harmonize.full_every_us = number(input, "full_every_us", INT32_MAX)};
    take_sources(input, &spec.harmonize);
    struct harmonize h = {.spec = &spec,
        .job = &spec.harmonize,
        .at_us = clock_wall_us(),
        .run_folder = text(input, "folder"),
        .pointer = cJSON_GetObjectItem(input, "pointer"),
        .anew = cJSON_IsTrue(cJSON_GetObjectItem(input, "anew"))};
    delivered = text(input, "delivered");
    struct lake_table *tables[1] = {0};
    h.tables = tables;
    h.n_tables = delivered ? 1 : 0;
    h.duck = open_duck(input, h.run_folder);
    int64_t began_us = clock_mono_us();
    int r = harmonize_stage(&h, &extract, &stage, &fault);
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "us", (double)(clock_mono_us() - began_us));
    print(line);
    if (r < 0)
        print_fault(&fault);
    print_account("extract", &extract);
    print_account("stage", &stage);
    print_all(&h);
    const cJSON *show = cJSON_GetObjectItem(input, "show");
    for (const cJSON *sql = r == 0 && show ? show->child : NULL; sql; sql = sql->next)
        print_shown(h.duck, sql->valuestring);
    print_peak();
    db_close(h.duck);
    for (size_t i = 0; i < spec.harmonize.n_sources; i++) {
        job_words_done(&spec.harmonize.sources[i].columns);
        job_words_done(&spec.harmonize.sources[i].null_tokens);
    }
    free(spec.harmonize.sources);
    cJSON_Delete(input);
    return r < 0;
}
