/*
 * The dump's row at hand is a copy, because whether its key is its own is known only when the row after it is there,
 * and that takes the place of what the source lent us. Where it is what is on record, the record serves as the copy:
 * so nothing is copied of the many rows that have not changed. Rows of one key are held until all are there, or MERGE_LINES_MAX
 * of them, or HELD_MAX bytes; then they are told, and the rest of them one by one.
 */
#include "history/merge.h"

#include "util/buffer.h"

#define HELD_MAX (1 << 20)
#define KEEP     (1 << 20) /* bytes a buffer may keep after one large row */

struct held {
    struct buffer bytes;
    struct db_value *values;
    int64_t line;
};

enum side { SIDE_UNREAD, SIDE_ROW, SIDE_END };

struct merge {
    struct merge_options o;
    enum side dump, current;
    struct merge_row ahead, record; /* borrowed: the row after `row`, and the one on record */
    bool same;                      /* the row at hand is `record` */
    struct held row;                /* the dump's row at hand, or room for one */
    bool unordered;
    int64_t current_rows;
    struct buffer last_key; /* of the row on record before */

    bool in_group; /* `row` and those held are of one key that came more than once */
    bool telling;  /* the held ones are being told */
    struct held group[MERGE_LINES_MAX];
    size_t n_group, n_told, group_bytes;
    int64_t lines[MERGE_LINES_MAX];
    size_t n_lines;
    bool more_lines;
};

struct merge *merge_new(const struct merge_options *options)
{
    struct merge *m = xnew(struct merge);
    m->o = *options;
    if (!m->o.current)
        m->current = SIDE_END;
    return m;
}

static void held_done(struct held *h)
{
    buffer_done(&h->bytes);
    free(h->values);
}

void merge_free(struct merge *m)
{
    if (!m)
        return;
    held_done(&m->row);
    buffer_done(&m->last_key);
    for (size_t i = 0; i < MERGE_LINES_MAX; i++)
        held_done(&m->group[i]);
    free(m);
}

bool merge_is_unordered(const struct merge *m)
{
    return m->unordered;
}

int64_t merge_current_rows(const struct merge *m)
{
    return m->current_rows;
}

static int fail(struct db_fault *fault, const char *words)
{
    *fault = (struct db_fault){0};
    return error_set(&fault->error, "%s", words);
}

/* ---- rows ---- */

static enum type type_of(const struct merge *m, size_t column)
{
    return m->o.types ? m->o.types[column] : TYPE_TEXT;
}

static int compare_keys(const struct merge *m, const struct db_value *a, const struct db_value *b)
{
    int order = 0;
    for (size_t i = 0; order == 0 && i < m->o.n_key; i++)
        order = type_order(type_of(m, m->o.key[i]), &a[m->o.key[i]], &b[m->o.key[i]]);
    return order;
}

static bool equal_value(enum type type, const struct db_value *on_record, const struct db_value *v)
{
    if (!on_record->p || !v->p)
        return !on_record->p && !v->p;
    return (on_record->n == v->n && memcmp(on_record->p, v->p, v->n) == 0) || type_same(type, on_record, v);
}

static bool equal_rows(const struct merge *m, const struct db_value *on_record, const struct db_value *row)
{
    for (size_t i = 0; i < m->o.n_compared; i++) {
        size_t c = m->o.compared[i];
        if (!equal_value(type_of(m, c), &on_record[c], &row[c]))
            return false;
    }
    return true;
}

static int hold(const struct merge *m, const struct merge_row *row, struct held *h, struct db_fault *fault)
{
    size_t n = 0;
    for (size_t i = 0; i < m->o.n_columns; i++)
        n += row->values[i].p ? row->values[i].n : 0;
    buffer_reset(&h->bytes, KEEP);
    if (!buffer_reserve(&h->bytes, n + 1)) {
        fail(fault, "no memory for a row of the dump");
        return -1;
    }
    if (!h->values)
        h->values = xcalloc(m->o.n_columns, sizeof(*h->values));
    char *to = h->bytes.p;
    for (size_t i = 0; i < m->o.n_columns; i++) {
        const struct db_value *v = &row->values[i];
        h->values[i] = (struct db_value){v->p ? to : NULL, v->p ? v->n : 0};
        if (v->p)
            to = mempcpy(to, v->p, v->n);
    }
    h->bytes.n = n;
    h->line = row->line;
    return 0;
}

/* ---- the two sides ---- */

static int fetch_ahead(struct merge *m, struct db_fault *fault)
{
    int got = m->o.dump(m->o.dump_arg, &m->ahead, fault);
    if (got < 0)
        return -1;
    m->dump = got ? SIDE_ROW : SIDE_END;
    return 0;
}

/* The row ahead becomes the one at hand, and the one after it is fetched. */
static int advance_dump(struct merge *m, bool same, struct db_fault *fault)
{
    m->same = same;
    m->row.line = m->ahead.line;
    if (!same && hold(m, &m->ahead, &m->row, fault) < 0)
        return -1;
    return fetch_ahead(m, fault);
}

/* How the row ahead stands to the one at hand: above it, or equal; below is a failure. */
static int look_ahead(struct merge *m, bool *ret_equal, struct db_fault *fault)
{
    const struct db_value *at_hand = m->same ? m->record.values : m->row.values;
    int order = m->dump == SIDE_ROW ? compare_keys(m, m->ahead.values, at_hand) : 1;
    if (order < 0) {
        m->unordered = true;
        return fail(fault, "the dump is not in the order of its key");
    }
    *ret_equal = order == 0;
    return 0;
}

/* Each column of a key: its length, its bytes. */
static void keep_key(struct merge *m)
{
    m->last_key.n = 0;
    for (size_t i = 0; i < m->o.n_key; i++) {
        const struct db_value *v = &m->record.values[m->o.key[i]];
        buffer_put(&m->last_key, &v->n, sizeof(v->n));
        buffer_put(&m->last_key, v->p, v->n);
    }
}

static bool above_last(const struct merge *m)
{
    const char *p = m->last_key.p;
    int order = 0;
    for (size_t i = 0; order == 0 && i < m->o.n_key; i++) {
        struct db_value last;
        memcpy(&last.n, p, sizeof(last.n));
        last.p = p + sizeof(last.n);
        p = last.p + last.n;
        order = type_order(type_of(m, m->o.key[i]), &m->record.values[m->o.key[i]], &last);
    }
    return order > 0;
}

/* A server that sorts by other rules would make us take a row for gone and for new. */
static int read_current(struct merge *m, struct db_fault *fault)
{
    if (m->current != SIDE_UNREAD)
        return 0;
    int got = m->o.current(m->o.current_arg, &m->record, fault);
    if (got < 0)
        return -1;
    m->current = got ? SIDE_ROW : SIDE_END;
    if (got && m->current_rows++ > 0 && !above_last(m))
        return fail(fault,
            "the server does not return the rows on record in the order of their key's bytes: was "
            "the collation of a key's column changed?");
    if (got)
        keep_key(m);
    return 0;
}

/* How the row ahead stands to the one on record; at the end of a side the other is less. */
static int compare_sides(const struct merge *m)
{
    if (m->dump == SIDE_END || m->current == SIDE_END)
        return m->current == SIDE_END ? -1 : 1;
    return compare_keys(m, m->ahead.values, m->record.values);
}

/* ---- rows of one key ---- */

/* The row at hand is needed as it came in the dump. */
static int hold_same(struct merge *m, struct db_fault *fault)
{
    struct merge_row row = {m->record.values, m->row.line};
    if (m->same && hold(m, &row, &m->row, fault) < 0)
        return -1;
    for (size_t i = 0; m->same && i < m->o.n_kept; i++)
        m->row.values[m->o.kept[i]] = (struct db_value){0};
    m->same = false;
    return 0;
}

static void begin_group(struct merge *m)
{
    m->in_group = true;
    m->telling = m->more_lines = false;
    m->n_group = m->n_told = m->n_lines = m->group_bytes = 0;
}

static void note_line(struct merge *m, int64_t line)
{
    if (m->n_lines < MERGE_LINES_MAX)
        m->lines[m->n_lines++] = line;
    else
        m->more_lines = true;
}

static void tell_duplicate(struct merge *m, const struct held *h, struct merge_event *e)
{
    *e = (struct merge_event){.kind = MERGE_DUPLICATE,
        .values = h->values,
        .line = h->line,
        .lines = m->lines,
        .n_lines = m->n_lines,
        .more = m->more_lines};
}

/* Takes rows of the group until it ends or is too large to be held; `row` is the next to be taken. */
static int gather(struct merge *m, struct db_fault *fault)
{
    bool equal = true;
    while (equal && m->n_group < MERGE_LINES_MAX && m->group_bytes < HELD_MAX) {
        if (look_ahead(m, &equal, fault) < 0)
            return -1;
        struct held spare = m->group[m->n_group];
        m->group[m->n_group++] = m->row;
        m->group_bytes += m->row.bytes.n;
        note_line(m, m->row.line);
        m->row = spare;
        if (equal && advance_dump(m, false, fault) < 0)
            return -1;
    }
    if (equal) {
        m->more_lines = true; /* `row` is of it too */
    } else {
        m->in_group = false;
    }
    m->telling = true;
    return 0;
}

/* The rest of a group that was too large: each as it comes. */
static int tell_rest(struct merge *m, struct merge_event *e, struct db_fault *fault)
{
    bool equal = false;
    if (look_ahead(m, &equal, fault) < 0)
        return -1;
    struct held spare = m->group[0];
    m->group[0] = m->row;
    m->row = spare;
    tell_duplicate(m, &m->group[0], e);
    m->in_group = equal;
    if (equal && advance_dump(m, false, fault) < 0)
        return -1;
    return 1;
}

static int tell_group(struct merge *m, struct merge_event *e, struct db_fault *fault)
{
    if (m->n_told < m->n_group) {
        tell_duplicate(m, &m->group[m->n_told++], e);
        return 1;
    }
    if (m->in_group)
        return tell_rest(m, e, fault);
    m->telling = false;
    return 0;
}

/* ---- events ---- */

static int tell_removed(struct merge *m, struct merge_event *e)
{
    *e = (struct merge_event){.kind = MERGE_REMOVED, .values = m->record.values};
    m->current = SIDE_UNREAD;
    return 1;
}

static int tell_row(struct merge *m, bool on_record, struct merge_event *e)
{
    *e = (struct merge_event){.kind = m->same     ? MERGE_UNCHANGED
                                      : on_record ? MERGE_CHANGED
                                                  : MERGE_ADDED,
        .values = m->same ? m->record.values : m->row.values,
        .line = m->row.line};
    for (size_t i = 0; e->kind == MERGE_CHANGED && i < m->o.n_kept; i++)
        m->row.values[m->o.kept[i]] = m->record.values[m->o.kept[i]];
    if (on_record)
        m->current = SIDE_UNREAD;
    m->same = false;
    return 1;
}

/* The row at hand, once it is clear whether others have its key. 0: they have, and are held now. */
static int tell_at_hand(struct merge *m, bool on_record, struct merge_event *e, struct db_fault *fault)
{
    bool equal = false;
    if (look_ahead(m, &equal, fault) < 0)
        return -1;
    if (!equal)
        return tell_row(m, on_record, e);
    if (hold_same(m, fault) < 0)
        return -1;
    if (on_record)
        m->current = SIDE_UNREAD;
    begin_group(m);
    return gather(m, fault);
}

static bool at_end(const struct merge *m)
{
    return m->dump == SIDE_END && m->current == SIDE_END;
}

/* 0: nothing to tell yet, call again. */
static int tell_next(struct merge *m, struct merge_event *e, struct db_fault *fault)
{
    if ((m->dump == SIDE_UNREAD && fetch_ahead(m, fault) < 0) || read_current(m, fault) < 0)
        return -1;
    if (at_end(m))
        return 0;
    int order = compare_sides(m);
    if (order > 0)
        return tell_removed(m, e);
    bool same = order == 0 && equal_rows(m, m->record.values, m->ahead.values);
    if (advance_dump(m, same, fault) < 0)
        return -1;
    return tell_at_hand(m, order == 0, e, fault);
}

int merge_next(struct merge *m, struct merge_event *ret_event, struct db_fault *fault)
{
    int got = 0;
    while (got == 0 && (m->telling || !at_end(m))) {
        got = m->telling ? tell_group(m, ret_event, fault) : 0;
        if (got == 0 && !m->telling && !at_end(m))
            got = tell_next(m, ret_event, fault);
    }
    return got;
}
