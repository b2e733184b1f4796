/* Rows of an object that is CSV: csv.c reads them, and its cells are put where they were declared. The header is looked at once. */
#include "source/csv.h"
#include "source/object_inside.h"
#include "source/reason.h"

#include <strings.h>

#define NOWHERE SIZE_MAX
#define ROW_MAX ((size_t)16 << 20)

struct csv_object {
    struct object_reader base;
    struct source *csv;
    size_t *from;  /* of each declared column: the header's; NOWHERE */
    size_t *other; /* of each other one: the header's */
    size_t row_max;
};

static struct csv_object *csv_of(const struct object *o)
{
    return (struct csv_object *)(uintptr_t)o->reader; /* its first field */
}

static void release(struct object *o)
{
    struct csv_object *c = csv_of(o);
    source_free(c->csv);
    free(c->from);
    free(c->other);
    free(c);
}

/* ---- the header ---- */

typedef int compare(const char *a, const char *b);

/* Where the header has the name; NOWHERE. Twice: *ret_is_doubled. */
static size_t find(const struct source *csv, const char *name, compare *is_other, bool *ret_is_doubled)
{
    size_t found = NOWHERE;
    for (size_t i = 0; i < csv->n_columns; i++) {
        if (is_other(csv->columns[i], name) != 0)
            continue;
        *ret_is_doubled = found != NOWHERE;
        if (*ret_is_doubled)
            break;
        found = i;
    }
    return found;
}

static int map_columns(struct object *o, bool *is_taken, struct source_fault *fault)
{
    struct csv_object *c = csv_of(o);
    _cleanup_free_ bool *is_found = xcalloc(o->n_declared, sizeof(*is_found));
    for (size_t i = 0; i < o->n_declared; i++) {
        bool is_doubled = false;
        c->from[i] = find(c->csv, o->columns[i], strcmp, &is_doubled);
        if (c->from[i] == NOWHERE)
            c->from[i] = find(c->csv, o->columns[i], strcasecmp, &is_doubled);
        is_found[i] = c->from[i] != NOWHERE;
        is_doubled = is_doubled || (is_found[i] && is_taken[c->from[i]]);
        if (is_doubled)
            return object_refuse(o->label, fault, OBJECT_DOUBLED_COLUMN,
                "the column %.60s stands in its header more than once, or is declared more than once: which "
                "one is "
                "meant cannot be known",
                o->columns[i]);
        if (is_found[i])
            is_taken[c->from[i]] = true;
    }
    return object_check_columns(o, is_found, "header", fault);
}

static bool is_other(const struct object *o, const char *name)
{
    for (size_t i = 0; i < o->n_others; i++)
        if (strcmp(o->others[i], name) == 0)
            return true;
    return false;
}

/* One that stood there before gets the number of its column behind it, so that in `_more` each is its own. */
static void add_other(struct object *o, const char *name, size_t place)
{
    _cleanup_free_ char *own = xstrdup(name);
    for (size_t k = place + 1; is_other(o, own); k++) {
        free(own);
        own = xasprintf("%s_%zu", name, k);
    }
    o->others[o->n_others++] = TAKE(own);
}

static int map_header(struct object *o, struct source_fault *fault)
{
    struct csv_object *c = csv_of(o);
    size_t n = c->csv->n_columns;
    _cleanup_free_ bool *is_taken = xcalloc(n + 1, sizeof(*is_taken));
    c->from = xcalloc(o->n_declared, sizeof(*c->from));
    c->other = xcalloc(n + 1, sizeof(*c->other));
    o->others = xcalloc(n + 1, sizeof(*o->others));
    if (map_columns(o, is_taken, fault) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (!is_taken[i]) {
            c->other[o->n_others] = i;
            add_other(o, c->csv->columns[i], i);
        }
    return 0;
}

/* ---- rows ---- */

/* False: it would be longer than a row may be. */
static bool put_more(struct object *o, const struct source_cell *cells)
{
    const struct csv_object *c = csv_of(o);
    for (size_t i = 0; i < o->n_others; i++) {
        const struct source_cell *cell = &cells[c->other[i]];
        if (!cell->p)
            continue;
        if (o->more.n + cell->n > c->row_max)
            return false;
        object_begin_more(o, o->others[i], strlen(o->others[i]));
        json_put_string(&o->more, cell->p, cell->n);
    }
    object_end_more(o);
    return true;
}

static void reject_long(struct object *o, const struct source_row *row, struct source_row *ret)
{
    *ret = (struct source_row){.line = row->line,
        .reason = source_reason_code(SOURCE_TOO_LONG),
        .detail = "its cells that nobody declared are longer than a row may be"};
    ret->raw = o->reader->raw(o, &ret->n_raw);
}

static int next(struct object *o, struct source_row *ret, struct source_fault *fault)
{
    struct csv_object *c = csv_of(o);
    struct source_row row;
    int got = source_next(c->csv, &row, fault);
    if (got <= 0)
        return got;
    if (row.reason) {
        row.n_cells = 0;
        row.cells = NULL;
        *ret = row;
        return 1;
    }
    for (size_t i = 0; i < o->n_declared; i++)
        o->cells[i] = c->from[i] == NOWHERE ? (struct source_cell){0} : row.cells[c->from[i]];
    if (o->n_others > 0 && !put_more(o, row.cells))
        reject_long(o, &row, ret);
    else
        *ret = (struct source_row){.line = row.line, .n_cells = o->source.n_columns, .cells = o->cells};
    return 1;
}

static const char *raw(struct object *o, size_t *ret_n)
{
    struct source *csv = csv_of(o)->csv;
    return csv->driver->raw(csv, ret_n);
}

int object_open_csv(struct object *o, const struct object_options *options, struct source_fault *fault)
{
    struct csv_object *c = xnew(struct csv_object);
    const struct csv_bytes bytes = {object_bytes_read, object_bytes_facts, &o->bytes};
    const struct csv_options as = {.label = o->label,
        .delimiter = options->delimiter,
        .null_tokens = options->null_tokens,
        .n_null_tokens = options->n_null_tokens,
        .row_max = options->row_max};
    c->base = (struct object_reader){next, raw, release};
    c->row_max = options->row_max ? options->row_max : ROW_MAX;
    o->reader = &c->base;
    if (csv_open(&bytes, &as, &c->csv, fault) < 0) {
        c->csv = NULL;
        return -1;
    }
    return map_header(o, fault);
}
