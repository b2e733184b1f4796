/*
 * stage_cat: extract and stage of a harmonize, alone, for tests/integration/test_stage.py. On its standard input a JSON object:
 *
 *   {"folder": "/there", "memory": bytes, "sources": [{"name", "url", "table" or "sql"} or {"name", "script": "/file"}],
 *    "pointer": {"sources": {…}}, "anew": false, "full_every_us": n, "show": ["SELECT …", …]}
 *
 * and on its standard output what came of it. The objects of these tests are scripts, lines of JSON that say what comes
 * next: {"columns": […], "fail_prepare": n}, {"row": […]}, {"reject": "reason"}, {"delivery": "key", "refused": "reason"},
 * {"fault": "words", "transient": true, "times": n}. Objects of a store have tests of their own.
 */
#include "job/harmonize/feed.h"

#include "../db/print.h"
#include "job/job.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <sys/stat.h>

/* ---- scripts as objects ---- */

struct script_feed {
    struct feed feed;
    cJSON *lines;
    const cJSON *at;
    char **columns;
    struct source_cell *cells;
    int64_t line;
    int n_prepared;
};

static const char *word(const cJSON *from, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(from, name));
}

static int number(const cJSON *from, const char *name, int otherwise)
{
    const cJSON *n = cJSON_GetObjectItem(from, name);
    return n ? n->valueint : otherwise;
}

static int fail(const cJSON *line, struct db_fault *fault)
{
    *fault = (struct db_fault){.transient = cJSON_IsTrue(cJSON_GetObjectItem(line, "transient"))};
    return error_set(&fault->error, "%s", word(line, "fault"));
}

static cJSON *read_script(const char *path)
{
    char *line = NULL;
    size_t n = 0;
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    cJSON *lines = cJSON_CreateArray();
    while (file && getline(&line, &n, file) > 0)
        cJSON_AddItemToArray(lines, cJSON_Parse(line));
    free(line);
    return lines;
}

static int prepare(struct feed *f, struct db_fault *fault)
{
    struct script_feed *s = (struct script_feed *)f;
    s->lines = s->lines ? s->lines : read_script(f->spec->prefix);
    s->at = s->lines->child;
    s->line = 0;
    if (s->n_prepared++ < number(s->at, "fail_prepare", 0)) {
        *fault = (struct db_fault){.transient = true};
        return error_set(&fault->error, "the store is not there");
    }
    feed_note(f, "prepared %d times", s->n_prepared);
    return 0;
}

static int open_script(struct feed *f, struct db_fault *fault)
{
    struct script_feed *s = (struct script_feed *)f;
    const cJSON *columns = cJSON_GetObjectItem(s->at, "columns");
    f->n_columns = (size_t)cJSON_GetArraySize(columns);
    free(s->columns);
    free(s->cells);
    s->columns = xcalloc(f->n_columns + 1, sizeof(*s->columns));
    s->cells = xcalloc(f->n_columns + 1, sizeof(*s->cells));
    for (size_t i = 0; i < f->n_columns; i++)
        s->columns[i] = cJSON_GetStringValue(cJSON_GetArrayItem(columns, (int)i));
    f->columns = (const char *const *)s->columns;
    return 0;
}

static int next(struct feed *f, struct feed_item *ret, enum feed_kind *ret_kind, struct db_fault *fault)
{
    struct script_feed *s = (struct script_feed *)f;
    *ret_kind = FEED_END;
    s->at = s->at->next;
    if (s->at && word(s->at, "fault") && s->n_prepared <= number(s->at, "times", 99))
        return fail(s->at, fault);
    while (s->at && word(s->at, "fault"))
        s->at = s->at->next;
    if (!s->at)
        return 0;
    const cJSON *row = cJSON_GetObjectItem(s->at, "row"), *cell = row ? row->child : NULL;
    for (size_t i = 0; cell; cell = cell->next, i++)
        s->cells[i] =
            (struct source_cell){cell->valuestring, cell->valuestring ? strlen(cell->valuestring) : 0};
    const char *reject = word(s->at, "reject"), *object = word(s->at, "delivery");
    *ret = (struct feed_item){.line = ++s->line,
        .cells = s->cells,
        .reason = reject ? reject : word(s->at, "refused"),
        .detail = "said the script",
        .raw = word(s->at, "raw"),
        .object = object,
        .version = "e1",
        .size = 7,
        .modified_us = 1};
    ret->n_raw = ret->raw ? strlen(ret->raw) : 0;
    *ret_kind = row ? FEED_ROW : reject ? FEED_REJECTED : FEED_DELIVERY;
    if (object)
        s->line = 0;
    return 0;
}

static void close_script(struct feed *f)
{
}

static void free_script(struct feed *f)
{
    struct script_feed *s = (struct script_feed *)f;
    cJSON_Delete(s->lines);
    free(s->columns);
    free(s->cells);
    free(s);
}

static const struct feed_driver script_driver = {
    false, prepare, open_script, next, close_script, free_script};

struct feed *feed_of_objects(struct harmonize *h, const struct job_feed *spec)
{
    struct script_feed *s = xnew(struct script_feed);
    s->feed = (struct feed){.driver = &script_driver, .h = h, .spec = spec};
    return &s->feed;
}

/* ---- the program ---- */

static char *text(const cJSON *from, const char *name)
{
    return (char *)word(from, name);
}

static void take_sources(const cJSON *input, struct job_harmonize *job)
{
    const cJSON *list = cJSON_GetObjectItem(input, "sources");
    job->sources = xcalloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*job->sources));
    for (const cJSON *s = list->child; s; s = s->next)
        job->sources[job->n_sources++] = (struct job_feed){.name = text(s, "name"),
            .database.url = text(s, "url"),
            .table = text(s, "table"),
            .sql = text(s, "sql"),
            .prefix = text(s, "script")};
}

static struct db *open_duck(const cJSON *input, const char *folder)
{
    struct db *duck;
    struct db_fault fault;
    _cleanup_free_ char *url = xasprintf("duckdb://%s/stage.duckdb", folder);
    const struct db_options options = {
        .memory_max = number(input, "memory", 256 << 20), .threads = number(input, "threads", 0)};
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
        .run_folder = text(input, "folder"),
        .pointer = cJSON_GetObjectItem(input, "pointer"),
        .anew = cJSON_IsTrue(cJSON_GetObjectItem(input, "anew"))};
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
    free(spec.harmonize.sources);
    cJSON_Delete(input);
    return r < 0;
}
