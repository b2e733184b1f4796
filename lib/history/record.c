#include "history/record.h"

/* Every RANGE_STEP-th row is a sample of the keys; in their order each {nth} of them ends a range. */
static const char ends_sql[] = "SELECT {cols.key} FROM (SELECT {cols.key}, row_number() OVER (ORDER BY "
                               "{cols.key}) AS _nth FROM {of range}"
                               " WHERE rowid % {step} = 0) AS sample WHERE _nth % {nth} = 0 ORDER BY _nth";

struct ends {
    struct record *r;
    size_t n;
};

static char *literal(const struct record *r, const struct db_value *v)
{
    _cleanup_free_ char *text = xstrndup(v->p, v->n);
    return db_quote_text(r->db, text);
}

static bool take_end(void *arg, int n, const struct db_value *values)
{
    struct ends *e = arg;
    struct record *r = e->r;
    r->ends = xrealloc(r->ends, (e->n + 1) * r->n_key, sizeof(*r->ends));
    for (size_t i = 0; i < r->n_key; i++)
        r->ends[e->n * r->n_key + i] = literal(r, &values[i]);
    e->n++;
    return true;
}

/* Keys above an end, or up to it: column by column, in the first of which they differ. {a, b} > {x, y} is
 * a >= x AND (a > x OR (a = x AND (b > y))); what stands first tells the database which blocks it need not read. */
static void put_side(struct record *r, bool above, size_t end, struct buffer *out)
{
    const struct columns *c = &r->h->columns;
    size_t at = 0, left = r->n_key;
    for (size_t i = 0; i < c->n && left > 0; i++) {
        if (!c->list[i].is_key)
            continue;
        _cleanup_free_ char *name = db_quote_name(r->db, NULL, c->list[i].name);
        const char *value = r->ends[end * r->n_key + at++];
        const char *strictly = above ? ">" : "<";
        if (--left == 0)
            buffer_printf(out, "%s %s%s %s", name, strictly, above ? "" : "=", value);
        else
            buffer_printf(out, "%s %s= %s AND (%s %s %s OR (%s = %s AND (", name, strictly, value, name,
                strictly, value, name, value);
    }
    for (size_t i = 1; i < r->n_key; i++)
        buffer_put_string(out, ")))");
}

static int open_range(struct record *r, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    bool below = r->range + 1 < r->n_ranges;
    buffer_put_string(&sql, r->select);
    if (r->range > 0) {
        buffer_put_string(&sql, " WHERE ");
        put_side(r, true, r->range - 1, &sql);
    }
    if (below) {
        buffer_put_string(&sql, r->range > 0 ? " AND " : " WHERE ");
        put_side(r, false, r->range, &sql);
    }
    buffer_printf(&sql, " ORDER BY %s", r->order);
    return db_cursor_open(r->db, buffer_string(&sql), &r->cursor, fault);
}

static int find_ends(struct record *r, const char *table, struct db_fault *fault)
{
    struct history *h = r->h;
    struct ends ends = {r, 0};
    struct db_sink sink = {.row = take_end, .arg = &ends};
    _cleanup_free_ char *name = marks_expand(&h->marks, table);
    marks_set(&h->marks, "of range", name);
    marks_set_int(&h->marks, "step", RANGE_STEP);
    marks_set_int(&h->marks, "nth", RANGE_ROWS / RANGE_STEP);
    _cleanup_free_ char *sql = marks_expand(&h->marks, ends_sql);
    if (db_query(r->db, sql, 0, NULL, &sink, fault) < 0)
        return -1;
    r->n_ranges = ends.n + 1;
    return 0;
}

int record_open(struct record *r, struct history *h, struct db *db, const char *select, const char *order,
    const char *table, struct db_fault *fault)
{
    *r = (struct record){.h = h, .db = db, .select = xstrdup(select), .order = xstrdup(order), .n_ranges = 1};
    for (size_t i = 0; i < h->columns.n; i++)
        r->n_key += h->columns.list[i].is_key;
    if (table && h->dialect->ranges && find_ends(r, table, fault) < 0)
        return -1;
    return open_range(r, fault);
}

void record_close(struct record *r)
{
    db_cursor_free(r->cursor);
    for (size_t i = 0; i + 1 < r->n_ranges; i++)
        for (size_t j = 0; j < r->n_key; j++)
            free(r->ends[i * r->n_key + j]);
    free(r->ends);
    free(r->select);
    free(r->order);
    *r = (struct record){0};
}

int record_next(struct record *r, const struct db_value **ret_values, struct db_fault *fault)
{
    for (;;) {
        int got = db_cursor_next(r->cursor, ret_values, fault);
        if (got != 0 || r->range + 1 >= r->n_ranges)
            return got;
        db_cursor_free(TAKE(r->cursor));
        r->range++;
        if (open_range(r, fault) < 0)
            return -1;
    }
}
