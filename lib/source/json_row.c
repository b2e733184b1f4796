#include "source/json_row.h"

#include <strings.h>

#define TEXT_KEPT ((size_t)1 << 20)

/* ---- columns ---- */

void json_columns_init(struct json_columns *c)
{
    *c = (struct json_columns){.key = SIZE_MAX, .updated = SIZE_MAX};
    c->names = xcalloc(JSON_COLUMNS_MAX + 2, sizeof(*c->names));
    c->slices = xcalloc(JSON_COLUMNS_MAX + 2, sizeof(*c->slices));
}

void json_columns_done(struct json_columns *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->names[i]);
    free(c->names);
    free(c->slices);
}

/* Rows have their members in one order: so the search begins where the last one ended. */
static size_t find(const struct json_columns *c, struct slice name, size_t *at)
{
    for (size_t i = 0; i < c->n; i++) {
        size_t k = *at < c->n ? *at : 0;
        *at = k + 1;
        if (slice_equal(c->slices[k], name))
            return k;
    }
    return SIZE_MAX;
}

/* The same without regard to capitals, of which ASCII's alone count. */
static size_t find_folded(const struct json_columns *c, struct slice name)
{
    for (size_t i = 0; c->fold && i < c->n; i++)
        if (c->slices[i].n == name.n && strncasecmp(c->slices[i].p, name.p, name.n) == 0)
            return i;
    return SIZE_MAX;
}

size_t json_columns_add(struct json_columns *c, struct slice name)
{
    size_t at = 0, found = find(c, name, &at);
    if (found != SIZE_MAX)
        return found;
    if (c->n == JSON_COLUMNS_MAX + 2 || (c->open && c->n == JSON_COLUMNS_MAX))
        return SIZE_MAX;
    c->names[c->n] = xstrndup(name.p, name.n);
    c->slices[c->n] = (struct slice){c->names[c->n], name.n};
    c->grew = true;
    return c->n++;
}

/* ---- rows ---- */

void json_row_reader_init(struct json_row_reader *r)
{
    *r = (struct json_row_reader){.json.lenient = true};
    r->cells = xcalloc(JSON_COLUMNS_MAX + 2, sizeof(*r->cells));
    r->is_set = xcalloc(JSON_COLUMNS_MAX + 2, sizeof(*r->is_set));
}

void json_row_reader_done(struct json_row_reader *r)
{
    json_done(&r->json);
    free(r->cells);
    free(r->is_set);
    buffer_done(&r->text);
}

/* There is room: the text of a row is never longer than the row. */
static struct source_cell keep(struct json_row_reader *r, struct slice s)
{
    char *p = r->text.p + r->text.n;
    memcpy(p, s.p, s.n);
    r->text.n += s.n;
    return (struct source_cell){p, s.n};
}

/* Blanks between the tokens go. */
static struct source_cell keep_compact(struct json_row_reader *r, struct slice s)
{
    char *begin = r->text.p + r->text.n, *w = begin;
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!quoted && (c == ' ' || c == '\n' || c == '\r' || c == '\t'))
            continue;
        *w++ = c;
        if (quoted && c == '\\')
            *w++ = s.p[++i];
        else if (c == '"')
            quoted = !quoted;
    }
    r->text.n += (size_t)(w - begin);
    return (struct source_cell){begin, (size_t)(w - begin)};
}

static struct source_cell cell_of(struct json_row_reader *r, const struct json_token *t)
{
    switch (t->type) {
    case JSON_NULL:
        return (struct source_cell){0};
    case JSON_ARRAY:
    case JSON_OBJECT:
        return keep_compact(r, t->raw);
    case JSON_STRING:
        if (t->text.p != t->raw.p + 1)
            return keep(r, t->text);
        break;
    default:
        break;
    }
    return (struct source_cell){t->text.p, t->text.n};
}

/* Why the member cannot be taken. */
static enum source_reason judge(const struct json_row_reader *r, size_t place, const struct json_token *t)
{
    if (r->is_set[place])
        return SOURCE_DOUBLED_MEMBER;
    if (t->has_bad_text)
        return SOURCE_BAD_ENCODING;
    return t->has_nul ? SOURCE_NUL_BYTE : SOURCE_TAKEN;
}

/* The member's place; SIZE_MAX: it is none of ours. False: there are too many. */
static bool place_of(
    struct json_columns *c, struct slice key, size_t *at, enum source_reason *why, size_t *ret)
{
    *ret = find(c, key, at);
    if (*ret == SIZE_MAX)
        *ret = find_folded(c, key);
    if (*ret != SIZE_MAX || !c->open)
        return true;
    if (memchr(key.p, 0, key.n)) {
        *why = SOURCE_NUL_BYTE;
        return true;
    }
    *ret = json_columns_add(c, key);
    c->n_shown = c->n;
    return *ret != SIZE_MAX;
}

static bool read_members(
    struct json_row_reader *r, struct json_columns *c, struct json_row *row, bool *ret_too_many)
{
    struct json_token t;
    struct slice key;
    size_t at = 0, place;
    while (json_member(&r->json, &key, &t)) {
        enum source_reason why = SOURCE_TAKEN;
        if (t.has_bad_text && c->open && find(c, key, &at) == SIZE_MAX) {
            row->reason = row->reason ? row->reason : SOURCE_BAD_ENCODING;
            continue;
        }
        if (!place_of(c, key, &at, &why, &place)) {
            *ret_too_many = true;
            return false;
        }
        if (place != SIZE_MAX) {
            why = judge(r, place, &t);
            if (!r->is_set[place])
                r->cells[place] = cell_of(r, &t);
            r->is_set[place] = true;
        } else if (r->other) {
            why = r->other(r->other_arg, key, &t);
        }
        if (row->reason == SOURCE_TAKEN)
            row->reason = why;
    }
    return r->json.fault == JSON_GOOD;
}

static struct slice cell_at(const struct json_row_reader *r, size_t place)
{
    if (place == SIZE_MAX || !r->cells[place].p)
        return (struct slice){0};
    return (struct slice){r->cells[place].p, r->cells[place].n};
}

bool json_row_read(
    struct json_row_reader *r, struct json_columns *c, const struct json_token *row, struct json_row *ret)
{
    struct json_row out = {.cells = r->cells};
    bool too_many = false;
    if (row->type != JSON_OBJECT) {
        *ret = (struct json_row){.reason = SOURCE_NOT_AN_OBJECT};
        return true;
    }
    memset(r->cells, 0, c->n * sizeof(*r->cells)); /* beyond them nothing was ever set */
    memset(r->is_set, 0, c->n * sizeof(*r->is_set));
    buffer_reset(&r->text, TEXT_KEPT);
    if (!buffer_reserve(&r->text, row->raw.n))
        return false;
    json_begin(&r->json, row->raw);
    if (!json_object(&r->json) || !read_members(r, c, &out, &too_many))
        return false;
    out.key = cell_at(r, c->key);
    out.updated = cell_at(r, c->updated);
    *ret = out;
    return true;
}
