/*
 * The objects of stage_cat are scripts, lines of JSON that say what comes next: {"columns": […], "fail_prepare": n},
 * {"row": […]}, {"reject": "reason"}, {"delivery": "key", "refused": "reason"}, {"fault": "words", "transient": true, "times": n}.
 */
#include "stage_cat.h"

#include "job/harmonize/feed.h"

struct script_feed {
    struct feed feed;
    cJSON *lines;
    const cJSON *at;
    char **columns;
    struct source_cell *cells;
    int64_t line;
    int n_prepared;
};

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
