#include "history/screen.h"

#include "history/inside.h"
#include "source/reason.h"
#include "util/text.h"

/* Of all cells of a key: an entry of an index of Postgres is at most 2704 bytes, with its heads and a date. */
#define KEY_BYTES_MAX 2600

void screen_init(struct screen *s, size_t n_columns)
{
    *s = (struct screen){.n_columns = n_columns, .values = xcalloc(n_columns, sizeof(struct db_value))};
}

void screen_done(struct screen *s)
{
    free(s->values);
    free(s->unread_key);
    free(s->watched);
    unread_done(&s->unread);
    buffer_done(&s->raw);
    *s = (struct screen){0};
}

/* ---- a row as text again ---- */

static void put_cell(struct buffer *out, const struct db_value *v)
{
    bool quoted = v->n == 0 || memchr(v->p, ',', v->n) || memchr(v->p, '"', v->n) ||
                  memchr(v->p, '\n', v->n) || memchr(v->p, '\r', v->n);
    if (quoted)
        buffer_put(out, "\"", 1);
    for (size_t i = 0; i < v->n && out->n <= SOURCE_RAW_MAX; i++) {
        if (v->p[i] == '"')
            buffer_put(out, "\"", 1);
        buffer_put(out, &v->p[i], 1);
    }
    if (quoted)
        buffer_put(out, "\"", 1);
}

/* The cells in the dump's order; what is longer than SOURCE_RAW_MAX is cut between two characters. */
static void write_raw(struct screen *s, const struct db_value *values)
{
    buffer_reset(&s->raw, SOURCE_RAW_MAX * 2);
    for (size_t i = 0; i < s->source->n_columns && s->raw.n < SOURCE_RAW_MAX; i++) {
        if (i > 0)
            buffer_put(&s->raw, ",", 1);
        if (values[s->map[i]].p)
            put_cell(&s->raw, &values[s->map[i]]);
    }
    if (s->raw.n <= SOURCE_RAW_MAX)
        return;
    s->raw.n = SOURCE_RAW_MAX;
    while (s->raw.n > 0 && ((unsigned char)s->raw.p[s->raw.n] & 0xC0) == 0x80)
        s->raw.n--;
}

/* A row that was just read is there as it stood; of one that the merge kept, or a stage, the cells are. */
static struct slice raw_of(struct screen *s, const struct db_value *values)
{
    struct slice raw;
    if (values == s->values && s->source->driver->raw) {
        raw.p = s->source->driver->raw(s->source, &raw.n);
        return raw;
    }
    write_raw(s, values);
    return (struct slice){s->raw.p, s->raw.n};
}

/* ---- rejecting ---- */

static int reject(struct screen *s, const struct db_value *values, int64_t line, enum source_reason reason,
    const char *detail, struct db_fault *fault)
{
    struct slice raw = raw_of(s, values);
    struct reject r = {
        .line = line, .reason = source_reason_code(reason), .detail = detail, .raw = raw.p, .n_raw = raw.n};
    return rejects_put(s->rejects, &r, fault);
}

int screen_reject_duplicate(struct screen *s, const struct merge_event *e, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer words = {0};
    for (size_t i = 0; i < e->n_lines; i++)
        if (e->lines[i] != e->line)
            buffer_printf(
                &words, "%s%lld", words.n ? ", " : "the same key is on line ", (long long)e->lines[i]);
    if (e->more)
        buffer_put_string(&words, words.n ? " and others" : "the same key is on other lines");
    return reject(s, e->values, e->line, SOURCE_DUPLICATE_KEY, buffer_string(&words), fault);
}

static int reject_long(struct screen *s, int64_t line, size_t most, const char *unit, struct db_fault *fault)
{
    char words[64];
    snprintf(words, sizeof(words), "the key is longer than %zu %s", most, unit);
    return reject(s, s->values, line, SOURCE_KEY_TOO_LONG, words, fault) < 0 ? -1 : 1;
}

/* Is it one that cannot be on record? 1: it was rejected. */
static int check_key(struct screen *s, int64_t line, struct db_fault *fault)
{
    size_t n_bytes = 0;
    for (size_t i = 0; i < s->n_key; i++) {
        const struct db_value *v = &s->values[s->key[i]];
        if (!v->p)
            return reject(s, s->values, line, SOURCE_NULL_KEY, "the key has no value", fault) < 0 ? -1 : 1;
        if (v->n > s->key_max && text_utf8_length(v->p, v->n) > s->key_max)
            return reject_long(s, line, s->key_max, "characters", fault);
        n_bytes += v->n;
    }
    return n_bytes > KEY_BYTES_MAX ? reject_long(s, line, KEY_BYTES_MAX, "bytes", fault) : 0;
}

/* ---- taking ---- */

/* The cell of a key's column, where the row has one that can be a key. */
static bool key_cell(
    const struct screen *s, const struct source_row *row, size_t column, struct db_value *ret)
{
    for (size_t i = 0; i < row->n_cells; i++) {
        if (s->map[i] != column)
            continue;
        *ret = (struct db_value){row->cells[i].p, row->cells[i].n};
        return ret->p && !memchr(ret->p, 0, ret->n) && text_is_utf8(ret->p, ret->n) &&
               text_utf8_length(ret->p, ret->n) <= s->key_max;
    }
    return false;
}

static int note_key(struct screen *s, const struct source_row *row, struct db_fault *fault)
{
    for (size_t i = 0; i < s->n_key; i++)
        if (!key_cell(s, row, s->key[i], &s->unread_key[i]))
            return 0;
    if (unread_add(&s->unread, s->n_key, s->unread_key))
        return 0;
    return history_fault(fault, false,
        "more than %d rows of the dump cannot be taken: is it the right file, and the right delimiter?",
        UNREAD_MAX);
}

/* Servers keep all cells of a row on one page, but for the text of long ones. */
static bool is_too_wide(const struct screen *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_columns && s->n_columns * s->cell_most > s->row_most; i++)
        n += s->values[i].p ? MIN(s->values[i].n + 1, s->cell_most) : 0;
    return n > s->row_most;
}

static int reject_wide(struct screen *s, const struct source_row *row, struct db_fault *fault)
{
    if (note_key(s, row, fault) < 0)
        return -1;
    return reject(s, s->values, row->line, SOURCE_ROW_TOO_WIDE,
               "too many filled cells for a row of the database", fault) < 0
               ? -1
               : 1;
}

/* 1: it was rejected. */
static int check_types(struct screen *s, const struct source_row *row, struct db_fault *fault)
{
    char words[160];
    for (size_t i = 0; i < s->n_watched; i++) {
        const struct column *c = &s->columns[s->watched[i]];
        const struct db_value *v = &s->values[s->watched[i]];
        if (!v->p || type_takes(c->wide, v))
            continue;
        snprintf(
            words, sizeof(words), "column %.100s is %s, and the cell is none", c->name, type_word(c->wide));
        if (!c->is_key && note_key(s, row, fault) < 0)
            return -1;
        return reject(s, s->values, row->line, SOURCE_WRONG_TYPE, words, fault) < 0 ? -1 : 1;
    }
    return 0;
}

bool screen_knows(const struct screen *s, const struct db_value *values)
{
    for (size_t i = 0; i < s->n_key && s->unread.n > 0; i++)
        s->unread_key[i] = values[s->key[i]];
    return unread_has(&s->unread, s->n_key, s->unread_key);
}

static int take(struct screen *s, const struct source_row *row, struct db_fault *fault)
{
    if (row->reason) {
        struct reject r = {.line = row->line,
            .reason = row->reason,
            .detail = row->detail,
            .raw = row->raw,
            .n_raw = row->n_raw};
        return note_key(s, row, fault) < 0 || rejects_put(s->rejects, &r, fault) < 0 ? -1 : 1;
    }
    for (size_t i = 0; i < row->n_cells; i++)
        s->values[s->map[i]] = (struct db_value){row->cells[i].p, row->cells[i].n};
    int rejected = check_key(s, row->line, fault);
    if (rejected == 0 && s->n_watched > 0)
        rejected = check_types(s, row, fault);
    return rejected || !is_too_wide(s) ? rejected : reject_wide(s, row, fault);
}

int screen_next(void *arg, struct merge_row *ret_row, struct db_fault *fault)
{
    struct screen *s = arg;
    struct source_row row;
    struct source_fault why;
    int rejected = 1;
    while (rejected > 0) {
        why = (struct source_fault){0};
        int got = source_next(s->source, &row, &why);
        if (got < 0) {
            *fault = (struct db_fault){.error = why.error, .transient = why.transient || why.restart};
            return -1;
        }
        if (got == 0)
            return 0;
        s->rows++;
        rejected = take(s, &row, fault);
    }
    if (rejected < 0)
        return -1;
    *ret_row = (struct merge_row){.values = s->values, .line = row.line};
    return 1;
}
