#include "source/query.h"

#include "db/load.h"
#include "source/reason.h"
#include "util/buffer.h"
#include "util/text.h"

#define NAME_SHOWN 64 /* bytes of a column's name in a message */

struct query {
    struct source source;
    struct db *db;
    struct db_cursor *cursor;
    struct source_cell *cells;
    int64_t rows, received;
    struct buffer text, raw;
    const struct db_value *values; /* the row that was handed out last; NULL: none */
};

/* ---- rows ---- */

static int from_db(const struct db_fault *why, struct source_fault *fault)
{
    *fault = (struct source_fault){.error = why->error, .transient = why->transient};
    return -1;
}

/* As a line of CSV (RFC 4180): what is empty stands in quotes, and NULL is nothing. */
static void put_csv(struct buffer *out, const struct db_value *v)
{
    bool quoted = v->p && (v->n == 0 || memchr(v->p, ',', v->n) || memchr(v->p, '"', v->n) ||
                              memchr(v->p, '\n', v->n) || memchr(v->p, '\r', v->n));
    size_t n = MIN(v->n, (size_t)SOURCE_RAW_MAX); /* more is not kept */
    if (!v->p)
        return;
    if (!quoted) {
        buffer_put(out, v->p, n);
        return;
    }
    buffer_put(out, "\"", 1);
    for (size_t i = 0; i < n; i++)
        buffer_put(out, (char[]){v->p[i], '"'}, v->p[i] == '"' ? 2 : 1);
    buffer_put(out, "\"", 1);
}

static const char *raw(struct source *s, size_t *ret_n)
{
    struct query *q = (struct query *)s;
    *ret_n = 0;
    if (!q->values)
        return NULL;
    buffer_reset(&q->text, SOURCE_RAW_MAX);
    for (size_t i = 0; i < s->n_columns && q->text.n < SOURCE_RAW_MAX; i++) {
        if (i > 0)
            buffer_put(&q->text, ",", 1);
        put_csv(&q->text, &q->values[i]);
    }
    buffer_reset(&q->raw, SOURCE_RAW_MAX);
    if (!buffer_reserve(&q->raw, SOURCE_RAW_MAX))
        return NULL;
    *ret_n = q->raw.n = text_make_utf8(q->text.p, q->text.n, q->raw.p, SOURCE_RAW_MAX);
    return q->raw.p;
}

static enum source_reason judge(const struct db_value *v)
{
    if (!v->p)
        return SOURCE_TAKEN;
    if (!text_is_utf8(v->p, v->n))
        return SOURCE_BAD_ENCODING;
    return memchr(v->p, 0, v->n) ? SOURCE_NUL_BYTE : SOURCE_TAKEN;
}

static int next(struct source *s, struct source_row *ret_row, struct source_fault *fault)
{
    struct query *q = (struct query *)s;
    struct db_fault why = {0};
    enum source_reason reason = SOURCE_TAKEN;
    int got = db_cursor_next(q->cursor, &q->values, &why);
    if (got <= 0) {
        q->values = NULL;
        return got < 0 ? from_db(&why, fault) : 0;
    }
    for (size_t i = 0; i < s->n_columns; i++) {
        const struct db_value *v = &q->values[i];
        q->cells[i] = (struct source_cell){v->p, v->n};
        q->received += (int64_t)v->n;
        if (reason == SOURCE_TAKEN)
            reason = judge(v);
    }
    *ret_row = (struct source_row){.line = ++q->rows, .n_cells = s->n_columns, .cells = q->cells};
    if (reason != SOURCE_TAKEN) {
        ret_row->reason = source_reason_code(reason);
        ret_row->detail = source_reason_sentence(reason);
        ret_row->raw = raw(s, &ret_row->n_raw);
    }
    return 1;
}

/* ---- life ---- */

/* received is what the values hold: what went over the wire is not known. */
static void facts(const struct source *s, struct source_facts *ret)
{
    const struct query *q = (const struct query *)s;
    *ret = (struct source_facts){.rows = q->rows, .received = q->received, .total = -1};
}

static void release(struct source *s)
{
    struct query *q = (struct query *)s;
    db_cursor_free(q->cursor);
    free(q->cells);
    buffer_done(&q->text);
    buffer_done(&q->raw);
    free(q);
}

static const struct source_driver driver = {next, facts, release, raw};

/* What is at the end of a file of one statement. */
static char *without_semicolon(const char *sql)
{
    size_t n = strlen(sql);
    while (n > 0 && strchr(" \t\r\n\f\v", sql[n - 1]))
        n--;
    return xstrndup(sql, n > 0 && sql[n - 1] == ';' ? n - 1 : n);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_columns(const struct query *q, struct source_fault *fault)
{
    const struct source *s = &q->source;
    const char *label = db_label(q->db);
    if (s->n_columns == 0)
        return error_set(
            &fault->error, "%s: the statement returns no columns: SELECT what is to be read", label);
    _cleanup_free_ const char **names = xcalloc(s->n_columns, sizeof(*names));
    memcpy(names, s->columns, s->n_columns * sizeof(*names));
    qsort(names, s->n_columns, sizeof(*names), by_name);
    for (size_t i = 1; i < s->n_columns; i++)
        if (strcmp(names[i - 1], names[i]) == 0) {
            error_set(&fault->error,
                "%s: the statement returns two columns of the name `%.*s`: give one another name with AS",
                label, NAME_SHOWN, names[i]);
            text_make_printable(fault->error.text);
            return -1;
        }
    return 0;
}

int query_open(struct db *db, const char *sql, struct source **ret_source, struct source_fault *fault)
{
    _cleanup_free_ char *statement = without_semicolon(sql);
    struct db_fault why = {0};
    struct query *q = xnew(struct query);
    _cleanup_(source_freep) struct source *s = &q->source;
    *fault = (struct source_fault){0};
    s->driver = &driver;
    q->db = db;
    if (db_cursor_open(db, statement, &q->cursor, &why) < 0)
        return from_db(&why, fault);
    s->columns = db_cursor_columns(q->cursor, &s->n_columns);
    if (check_columns(q, fault) < 0)
        return -1;
    q->cells = xcalloc(s->n_columns, sizeof(*q->cells));
    *ret_source = TAKE(s);
    return 0;
}
