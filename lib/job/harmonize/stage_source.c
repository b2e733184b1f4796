#include "job/harmonize/stage_source.h"

#include "db/load.h"
#include "job/job.h"
#include "job/report.h"
#include "util/buffer.h"
#include "util/clock.h"

#include <inttypes.h>
#include <strings.h>

#define TELL_EVERY_ROWS 4096
#define TELL_EVERY_US   (200 * US_PER_MS)
#define NAME_SHOWN      64

static const char *const own_columns[] = {
    "_source", "_object", "_etag", "_table", "_snapshot", "_line", "_delivery"};

/* ---- columns ---- */

static void forget_columns(struct stage_source *s)
{
    for (size_t i = 0; i < s->n_columns; i++)
        free(s->columns[i]);
    free(TAKE(s->columns));
    s->n_columns = 0;
}

void stage_source_done(struct stage_source *s)
{
    forget_columns(s);
    feed_free(TAKE(s->feed));
    free(TAKE(s->table));
    free(TAKE(s->snapshot));
}

static int refuse_column(
    const struct stage_source *s, const char *column, const char *why, struct db_fault *fault)
{
    return job_refuse(fault, "its column `%.*s` cannot be staged: %s: %s", NAME_SHOWN, column, why,
        s->feed->driver->of_table ? "read it with a SELECT (`sql:`) that gives it another name"
                                  : "give it another name in `columns:`");
}

static int by_name(const void *a, const void *b)
{
    return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

/* DuckDB tells names apart without regard to capitals. */
static int check_columns(const struct stage_source *s, struct db_fault *fault)
{
    int r = 0;
    for (size_t i = 0; i < s->n_columns; i++)
        for (size_t j = 0; j < N_ELEMENTS(own_columns); j++)
            if (strcasecmp(s->columns[i], own_columns[j]) == 0)
                return refuse_column(s, s->columns[i], "that is the name of one of ours", fault);
    char **sorted = xcalloc(s->n_columns + 1, sizeof(*sorted));
    memcpy(sorted, s->columns, s->n_columns * sizeof(*sorted));
    qsort(sorted, s->n_columns, sizeof(*sorted), by_name);
    for (size_t i = 1; r == 0 && i < s->n_columns; i++)
        if (strcasecmp(sorted[i - 1], sorted[i]) == 0)
            r = refuse_column(s, sorted[i], "two differ in capitals alone", fault);
    free(sorted);
    return r;
}

static int take_columns(struct stage_source *s, struct db_fault *fault)
{
    const struct feed *f = s->feed;
    forget_columns(s);
    s->columns = xcalloc(f->n_columns + 2, sizeof(*s->columns));
    for (s->n_columns = 0; s->n_columns < f->n_columns; s->n_columns++)
        s->columns[s->n_columns] = xstrdup(f->columns[s->n_columns]);
    return check_columns(s, fault);
}

/* ---- its table ---- */

/* A new string. */
static char *rows_table(const struct stage_source *s)
{
    return db_quote_name(s->feed->h->duck, STAGE_ROWS, s->feed->spec->name);
}

static int make_table(const struct stage_source *s, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *table = rows_table(s);
    buffer_printf(&sql, "CREATE OR REPLACE TABLE %s (", table);
    for (size_t i = 0; i < s->n_columns; i++) {
        _cleanup_free_ char *column = db_quote_name(s->feed->h->duck, NULL, s->columns[i]);
        buffer_printf(&sql, "%s VARCHAR, ", column);
    }
    buffer_printf(&sql, "_line BIGINT%s)", s->feed->driver->of_table ? "" : ", _delivery INTEGER");
    return db_query(s->feed->h->duck, buffer_string(&sql), 0, NULL, NULL, fault);
}

/* ---- its rows ---- */

struct pull {
    struct stage_source *source;
    struct books *books;
    struct db_value *values;
    char line[24], delivery[24];
    int64_t rows, rejected; /* of the delivery */
    int64_t rows_before, told_us, ended_us;
};

/* Digits from the end. */
static struct db_value digits(char out[24], int64_t number)
{
    char *p = out + 24;
    uint64_t rest = (uint64_t)number;
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    return (struct db_value){p, (size_t)(out + 24 - p)};
}

static void tell(struct pull *p)
{
    int64_t now_us = clock_mono_us();
    if (now_us - p->told_us < TELL_EVERY_US)
        return;
    p->told_us = now_us;
    report_progress("stage", "rows", p->rows_before + p->source->rows + p->rows, -1);
}

static void put_row(struct pull *p, const struct feed_item *item)
{
    struct stage_source *s = p->source;
    size_t n = s->n_columns;
    for (size_t i = 0; i < n; i++) {
        p->values[i] = (struct db_value){item->cells[i].p, item->cells[i].n};
        s->bytes += (int64_t)item->cells[i].n;
    }
    p->values[n] = digits(p->line, item->line);
    if (++p->rows % TELL_EVERY_ROWS == 0)
        tell(p);
}

static void begin_delivery(struct pull *p)
{
    p->rows = p->rejected = 0;
    p->values[p->source->n_columns + 1] = digits(p->delivery, books_number(p->books));
}

static int end_delivery(struct pull *p, const struct feed_item *item, struct db_fault *fault)
{
    struct stage_source *s = p->source;
    bool taken = !item->reason;
    int64_t rows = taken ? p->rows : 0, rejected = taken ? p->rejected : 0;
    s->rows += rows;
    s->rejected += rejected;
    s->deliveries++;
    s->refused += !taken;
    if (s->feed->driver->of_table) {
        s->number = books_number(p->books);
        free(s->table);
        free(s->snapshot);
        s->table = xstrdup(item->object);
        s->snapshot = xstrdup(item->version);
    }
    int r = books_deliver(p->books, s->feed->spec->name, item, rows, rejected, fault);
    begin_delivery(p);
    tell(p);
    return r;
}

static int take_other(
    struct pull *p, enum feed_kind kind, const struct feed_item *item, struct db_fault *fault)
{
    if (kind == FEED_DELIVERY)
        return end_delivery(p, item, fault);
    p->rejected++;
    return books_reject(p->books, item, fault);
}

static int next_row(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct pull *p = arg;
    struct feed *f = p->source->feed;
    struct feed_item item;
    enum feed_kind kind = FEED_END;
    do {
        if (f->driver->next(f, &item, &kind, fault) < 0) {
            p->source->broke_off = true;
            return -1;
        }
        if (kind == FEED_ROW) {
            put_row(p, &item);
            *ret_values = p->values;
            return 1;
        }
        if (kind != FEED_END && take_other(p, kind, &item, fault) < 0)
            return -1;
    } while (kind != FEED_END);
    p->ended_us = clock_mono_us();
    return 0;
}

static int load_rows(struct stage_source *s, struct books *books, int64_t rows_before, struct db_fault *fault)
{
    const struct feed *f = s->feed;
    struct pull p = {.source = s, .books = books, .rows_before = rows_before, .told_us = clock_mono_us()};
    const char **columns = xcalloc(s->n_columns + 2, sizeof(*columns));
    const struct db_load load = {
        STAGE_ROWS, f->spec->name, s->n_columns + (f->driver->of_table ? 1 : 2), columns, next_row, &p};
    int64_t began_us = clock_mono_us(), n;
    memcpy(columns, s->columns, s->n_columns * sizeof(*columns));
    columns[s->n_columns] = "_line";
    columns[s->n_columns + 1] = "_delivery";
    p.values = xcalloc(s->n_columns + 2, sizeof(*p.values));
    begin_delivery(&p);
    int r = db_load(f->h->duck, &load, &n, fault);
    s->extract_us += (p.ended_us ? p.ended_us : clock_mono_us()) - began_us;
    s->stage_us += clock_mono_us() - began_us;
    free(p.values);
    free(columns);
    return r;
}

int stage_source_load(
    struct stage_source *s, struct books *books, int64_t rows_before, struct db_fault *fault)
{
    int64_t began_us = clock_mono_us();
    s->rows = s->bytes = s->rejected = s->deliveries = s->refused = 0;
    s->broke_off = true;
    if (s->feed->driver->open(s->feed, fault) < 0 || take_columns(s, fault) < 0)
        return -1;
    s->extract_us += clock_mono_us() - began_us;
    s->broke_off = false;
    if (make_table(s, fault) < 0)
        return -1;
    return load_rows(s, books, rows_before, fault);
}

/* ---- its view ---- */

static void put_text(struct buffer *sql, const struct db *duck, const char *text, const char *name)
{
    _cleanup_free_ char *quoted = db_quote_text(duck, text);
    buffer_printf(sql, ", %s AS %s", quoted, name);
}

/* Of a table all rows have the same lineage; of objects it is that of their delivery. */
int stage_source_view(struct stage_source *s, struct db_fault *fault)
{
    const struct feed *f = s->feed;
    const struct db *duck = f->h->duck;
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *view = db_quote_name(duck, "staged", f->spec->name), *table = rows_table(s);
    buffer_printf(&sql, "CREATE OR REPLACE VIEW %s AS SELECT ", view);
    for (size_t i = 0; i < s->n_columns; i++) {
        _cleanup_free_ char *column = db_quote_name(duck, NULL, s->columns[i]);
        buffer_printf(&sql, "%sr.%s", i ? ", " : "", column);
    }
    put_text(&sql, duck, f->spec->name, "_source");
    if (f->driver->of_table) {
        put_text(&sql, duck, s->table, "_table");
        put_text(&sql, duck, s->snapshot, "_snapshot");
        buffer_printf(&sql, ", r._line, %" PRId64 "::INTEGER AS _delivery FROM %s r", s->number, table);
    } else
        buffer_printf(&sql,
            ", d.object AS _object, d.version AS _etag, r._line, r._delivery FROM %s r"
            " JOIN staged.delivery d ON d.number = r._delivery WHERE d.refused IS NULL",
            table);
    return db_query(f->h->duck, buffer_string(&sql), 0, NULL, NULL, fault);
}
