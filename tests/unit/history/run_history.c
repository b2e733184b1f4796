/*
 * run_history URL COMMAND…: a dataset, and what came of it as one line of JSON. For the integration tests, which have the
 * servers.
 *   load FILE AS_OF [--key COLUMN]… [--sha256 HEX] [--any-order] [--dry-run] [--retry] [--max-removed X]
 *       [--max-rejected X] [--lock-timeout MS] [--pause N] [--fail-after N] [--partial] [--cursor TEXT]
 *   life KEY…     newest     newest-full     columns     find AS_OF SHA256
 * A FILE ends each cell with 0x1F and each row with 0x1E; a cell of 0x00 is NULL; the first row is the header; a row that
 * begins with 0x01 cannot be taken, its cells are the reason, the detail and the raw text. --retry comes again with
 * any_order when the dump is not in order. --pause says so after N rows and waits until standard input is at its end;
 * --fail-after ends the rows with a fault.
 */
#include "history/history.h"

#include <cjson/cJSON.h>
#include <getopt.h>

#define CELLS_MAX 2000

struct plain {
    struct source source;
    FILE *file;
    char *text;
    size_t size;
    struct source_cell cells[CELLS_MAX];
    char *columns[CELLS_MAX];
    int64_t rows, pause, fail_after;
};

/* Cells of the next row, -1 at the end. */
static int read_row(struct plain *p)
{
    ssize_t n = getdelim(&p->text, &p->size, 0x1E, p->file);
    if (n <= 0)
        return -1;
    int n_cells = 0;
    char *end = p->text + n - 1;
    for (char *at = p->text; at < end && n_cells < CELLS_MAX; n_cells++) {
        char *stop = memchr(at, 0x1F, (size_t)(end - at));
        if (!stop)
            abort();
        *stop = '\0';
        bool null = stop == at + 1 && *at == '\0';
        p->cells[n_cells] = (struct source_cell){null ? NULL : at, null ? 0 : (size_t)(stop - at)};
        at = stop + 1;
    }
    return n_cells;
}

static void wait_for_input(void)
{
    puts("paused");
    fflush(stdout);
    while (getchar() != EOF)
        ;
}

static int plain_next(struct source *s, struct source_row *ret_row, struct source_fault *fault)
{
    struct plain *p = (struct plain *)s;
    if (p->pause > 0 && p->rows == p->pause)
        wait_for_input();
    if (p->fail_after > 0 && p->rows == p->fail_after) {
        fault->transient = true;
        return error_set(&fault->error, "the source broke off");
    }
    int n = read_row(p);
    if (n < 0)
        return 0;
    *ret_row = (struct source_row){.line = ++p->rows + 1, .n_cells = (size_t)n, .cells = p->cells};
    if (n == 0 || !p->cells[0].p || p->cells[0].p[0] != 0x01)
        return 1;
    ret_row->reason = p->cells[0].p + 1;
    ret_row->detail = p->cells[1].p;
    ret_row->raw = p->cells[2].p;
    ret_row->n_raw = p->cells[2].n;
    ret_row->n_cells = 0;
    return 1;
}

static void plain_facts(const struct source *s, struct source_facts *ret_facts)
{
    *ret_facts = (struct source_facts){.rows = ((const struct plain *)s)->rows, .total = -1};
}

static void plain_free(struct source *s)
{
    struct plain *p = (struct plain *)s;
    for (size_t i = 0; i < s->n_columns; i++)
        free(p->columns[i]);
    if (p->file)
        fclose(p->file);
    free(p->text);
    free(p);
}

static struct source *plain_open(const char *path, int64_t pause, int64_t fail_after)
{
    static const struct source_driver driver = {plain_next, plain_facts, plain_free};
    struct plain *p = xnew(struct plain);
    p->file = fopen(path, "re");
    int n = p->file ? read_row(p) : 0;
    for (int i = 0; i < n; i++)
        p->columns[i] = xstrdup(p->cells[i].p);
    p->pause = pause;
    p->fail_after = fail_after;
    p->source = (struct source){
        .driver = &driver, .columns = (const char *const *)p->columns, .n_columns = (size_t)MAX(n, 0)};
    return &p->source;
}

/* ---- load ---- */

struct how {
    const char *file, *sha256, *cursor;
    const char *key[16];
    struct history_load load;
    int64_t pause, fail_after, lock_ms;
    bool retry;
};

static void complete(void *arg, struct history_dump *dump)
{
    const struct how *how = arg;
    dump->sha256 = how->sha256;
    dump->cursor = how->cursor;
    dump->bytes = 4711;
}

static void put_counts(cJSON *out, const struct history_counts *c)
{
    const struct {
        const char *name;
        int64_t n;
    } list[] = {{"rows", c->rows}, {"added", c->added}, {"changed", c->changed}, {"removed", c->removed},
        {"reactivated", c->reactivated}, {"unchanged", c->unchanged}, {"rejected", c->rejected},
        {"current", c->current}};
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        cJSON_AddNumberToObject(out, list[i].name, (double)list[i].n);
}

static int put_fault(cJSON *out, const struct db_fault *fault)
{
    cJSON_AddStringToObject(out, "fault", fault->error.text);
    cJSON_AddStringToObject(out, "sqlstate", fault->sqlstate);
    cJSON_AddBoolToObject(out, "transient", fault->transient);
    return 1;
}

static int load(struct history *h, struct how *how, cJSON *out)
{
    static const char *const outcomes[] = {"loaded", "nothing", "unordered", "failed"};
    struct history_counts counts;
    struct db_fault fault = {0};
    _cleanup_free_ char *notes = NULL;
    _cleanup_(source_freep) struct source *source = plain_open(how->file, how->pause, how->fail_after);
    how->load.source = source;
    how->load.complete = complete;
    how->load.arg = how;
    how->load.key = how->key;
    how->load.dump = (struct history_dump){.url = "http://host/file", .name = how->file, .etag = "\"e\""};
    enum history_outcome outcome = history_load(h, &how->load, &counts, &notes, &fault);
    if (outcome == HISTORY_UNORDERED && how->retry && !how->load.any_order) {
        how->load.any_order = true;
        return load(h, how, out);
    }
    cJSON_AddStringToObject(out, "outcome", outcomes[outcome]);
    if (outcome != HISTORY_LOADED && outcome != HISTORY_NOTHING_NEW)
        return put_fault(out, &fault);
    put_counts(out, &counts);
    cJSON_AddStringToObject(out, "notes", notes);
    return 0;
}

static void read_options(int argc, char **argv, struct how *how)
{
    static const struct option options[] = {{"key", 1, NULL, 'k'}, {"sha256", 1, NULL, 's'},
        {"any-order", 0, NULL, 'o'}, {"dry-run", 0, NULL, 'd'}, {"retry", 0, NULL, 'r'},
        {"max-removed", 1, NULL, 'm'}, {"max-rejected", 1, NULL, 'j'}, {"lock-timeout", 1, NULL, 'l'},
        {"pause", 1, NULL, 'p'}, {"fail-after", 1, NULL, 'f'}, {"partial", 0, NULL, 'P'},
        {"cursor", 1, NULL, 'c'}, {0}};
    how->load.max_removed = 0.2;
    how->load.max_rejected = 0.1;
    how->lock_ms = 10000;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 'k':
            how->key[how->load.n_key++] = optarg;
            break;
        case 's':
            how->sha256 = optarg;
            break;
        case 'o':
            how->load.any_order = true;
            break;
        case 'd':
            how->load.dry_run = true;
            break;
        case 'r':
            how->retry = true;
            break;
        case 'm':
            how->load.max_removed = strtod(optarg, NULL);
            break;
        case 'j':
            how->load.max_rejected = strtod(optarg, NULL);
            break;
        case 'l':
            how->lock_ms = strtoll(optarg, NULL, 10);
            break;
        case 'p':
            how->pause = strtoll(optarg, NULL, 10);
            break;
        case 'f':
            how->fail_after = strtoll(optarg, NULL, 10);
            break;
        case 'P':
            how->load.partial = true;
            break;
        case 'c':
            how->cursor = optarg;
            break;
        default:
            exit(2);
        }
}

/* ---- reading ---- */

struct showing {
    struct history *h;
    cJSON *versions;
};

static void show_version(void *arg, const struct history_version *v)
{
    struct showing *s = arg;
    size_t n;
    const struct history_column *columns = history_columns(s->h, &n);
    cJSON *one = cJSON_CreateObject();
    const char *const texts[][2] = {{"valid_from", v->valid_from}, {"valid_to", v->valid_to},
        {"opened_by", v->opened_by}, {"closed_by", v->closed_by}};
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        cJSON_AddItemToObject(
            one, texts[i][0], texts[i][1] ? cJSON_CreateString(texts[i][1]) : cJSON_CreateNull());
    cJSON_AddNumberToObject(one, "opened_dump", (double)v->opened_dump);
    cJSON_AddNumberToObject(one, "closed_dump", (double)v->closed_dump);
    cJSON_AddNumberToObject(one, "line", (double)v->line);
    cJSON *values = cJSON_AddObjectToObject(one, "values");
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToObject(values, columns[i].name,
            v->values[i].p ? cJSON_CreateString(v->values[i].p) : cJSON_CreateNull());
    cJSON_AddItemToArray(s->versions, one);
}

static void put_dump(cJSON *out, const struct history_dump *d)
{
    cJSON_AddBoolToObject(out, "there", d != NULL);
    if (!d)
        return;
    cJSON_AddNumberToObject(out, "id", (double)d->id);
    cJSON_AddNumberToObject(out, "bytes", (double)d->bytes);
    cJSON_AddStringToObject(out, "as_of", d->as_of);
    cJSON_AddBoolToObject(out, "partial", d->partial);
    if (d->cursor)
        cJSON_AddStringToObject(out, "cursor", d->cursor);
    if (d->sha256)
        cJSON_AddStringToObject(out, "sha256", d->sha256);
    if (d->url)
        cJSON_AddStringToObject(out, "url", d->url);
    if (d->etag)
        cJSON_AddStringToObject(out, "etag", d->etag);
}

static int life(struct history *h, char **key, int n_key, cJSON *out)
{
    struct showing s = {h, cJSON_AddArrayToObject(out, "versions")};
    struct db_fault fault = {0};
    if (history_life(h, (const char *const *)key, (size_t)n_key, show_version, &s, &fault) < 0)
        return put_fault(out, &fault);
    return 0;
}

static void put_columns(const struct history *h, cJSON *out)
{
    size_t n;
    const struct history_column *columns = history_columns(h, &n);
    cJSON *list = cJSON_AddArrayToObject(out, "columns");
    for (size_t i = 0; i < n; i++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "name", columns[i].name);
        cJSON_AddStringToObject(one, "header", columns[i].header);
        cJSON_AddBoolToObject(one, "is_key", columns[i].is_key);
        cJSON_AddItemToArray(list, one);
    }
}

static int run(struct history *h, struct how *how, int argc, char **argv, cJSON *out)
{
    const char *command = argv[0];
    cJSON_AddStringToObject(out, "label", history_label(h));
    if (strcmp(command, "load") == 0) {
        how->file = argv[1];
        how->load.as_of = argv[2];
        return load(h, how, out);
    }
    if (strcmp(command, "life") == 0)
        return life(h, argv + 1, argc - 1, out);
    if (strcmp(command, "columns") == 0)
        put_columns(h, out);
    else if (strcmp(command, "find") == 0)
        put_dump(out, history_find(h, argv[1], argv[2]));
    else
        put_dump(out, strcmp(command, "newest-full") == 0 ? history_newest_full(h) : history_newest(h));
    return 0;
}

int main(int argc, char **argv)
{
    struct how how = {0};
    struct db_fault fault = {0};
    read_options(argc, argv, &how);
    _cleanup_(history_freep) struct history *h = NULL;
    struct history_target target = {
        .url = argv[optind], .application_name = "run-history", .lock_timeout_us = how.lock_ms * 1000};
    cJSON *out = cJSON_CreateObject();
    int result;
    if (history_open(&target, &h, &fault) < 0)
        result = put_fault(out, &fault);
    else
        result = run(h, &how, argc - optind - 1, argv + optind + 1, out);
    char *text = cJSON_PrintUnformatted(out);
    puts(text);
    cJSON_free(text);
    cJSON_Delete(out);
    return result;
}
