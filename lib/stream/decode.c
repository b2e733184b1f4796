/*
 * One pass over the entry: each field that a column takes is turned into its element as it comes by. The
 * first fault of a field is kept while the rest is still read, because a payload that is no JSON is that
 * first of all, wherever it breaks off.
 */
#include "stream/decode.h"

#include "stream/value.h"

/* Scratch memory that stays with a decoder between entries. */
#define SCRATCH_KEPT 65536

/* A name that stands in the column map, and the columns it feeds. */
struct field {
    struct slice name;
    size_t *columns;
    size_t n_columns;
    bool seen; /* in the entry being read */
};

struct decoder {
    const struct table *table;
    struct field *fields;
    size_t n_fields;
    size_t next;   /* the field that is likely to come next: publishers keep an order */
    size_t *marks; /* how long each column's buffer was before the row */
    struct json_reader json;
    uint64_t ignored;
};

/* The row being made. */
struct row {
    struct buffer *columns;
    enum reason reason; /* the first fault of a field */
    char *detail;
    size_t n_seen;
};

static struct field *field_named(struct decoder *d, const char *name)
{
    for (size_t i = 0; i < d->n_fields; i++)
        if (slice_is(d->fields[i].name, name))
            return &d->fields[i];
    struct field *f = &d->fields[d->n_fields++];
    f->name = SLICE(name);
    f->columns = xcalloc(d->table->n_columns, sizeof(*f->columns));
    return f;
}

struct decoder *decoder_new(const struct table *table)
{
    struct decoder *d = xnew(struct decoder);
    d->table = table;
    d->fields = xcalloc(table->n_columns, sizeof(*d->fields));
    d->marks = xcalloc(table->n_columns, sizeof(*d->marks));
    for (size_t i = 0; i < table->n_columns; i++) {
        if (table->columns[i].received)
            continue;
        struct field *f = field_named(d, table->columns[i].field);
        f->columns[f->n_columns++] = i;
    }
    return d;
}

void decoder_free(struct decoder *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n_fields; i++)
        free(d->fields[i].columns);
    free(d->fields);
    free(d->marks);
    json_done(&d->json);
    free(d);
}

uint64_t decoder_ignored_fields(const struct decoder *d)
{
    return d->ignored;
}

static struct field *find_field(struct decoder *d, struct slice name)
{
    for (size_t i = 0; i < d->n_fields; i++) {
        size_t at = d->next;
        d->next = at + 1 < d->n_fields ? at + 1 : 0;
        if (slice_equal(d->fields[at].name, name))
            return &d->fields[at];
    }
    return NULL;
}

static const struct column *first_column(const struct decoder *d, const struct field *f)
{
    return &d->table->columns[f->columns[0]];
}

/* The field to fill under this name; NULL when no column takes it, or when it is refused. */
static struct field *take_field(struct decoder *d, struct row *row, struct slice name)
{
    struct field *f = find_field(d, name);
    if (!f) {
        d->ignored++;
        return NULL;
    }
    row->n_seen++;
    if (row->reason != REASON_NONE)
        return NULL;
    if (f->seen) {
        row->reason =
            value_refuse(REASON_DOUBLED_FIELD, first_column(d, f), row->detail, "stands more than once");
        return NULL;
    }
    f->seen = true;
    return f;
}

static void fill_token(struct decoder *d, struct row *row, const struct field *f, const struct json_token *t)
{
    for (size_t i = 0; i < f->n_columns && row->reason == REASON_NONE; i++) {
        size_t c = f->columns[i];
        row->reason = value_append(&row->columns[c], &d->table->columns[c], t, row->detail);
    }
}

static void fill_text(struct decoder *d, struct row *row, const struct field *f, struct slice text)
{
    for (size_t i = 0; i < f->n_columns && row->reason == REASON_NONE; i++) {
        size_t c = f->columns[i];
        row->reason = value_append_text(&row->columns[c], &d->table->columns[c], text, row->detail);
    }
}

static enum reason refuse_entry(enum reason reason, char *detail, const char *words)
{
    snprintf(detail, DETAIL_MAX, "%s", words);
    return reason;
}

static enum reason read_json(struct decoder *d, struct row *row, struct slice payload)
{
    if (payload.n == 0)
        return refuse_entry(REASON_EMPTY, row->detail, "the payload has no bytes");
    struct json_reader *json = &d->json;
    struct json_token value;
    struct slice key;
    json_begin(json, payload);
    if (json_object(json))
        while (json_member(json, &key, &value)) {
            const struct field *f = take_field(d, row, key);
            if (f)
                fill_token(d, row, f, &value);
        }
    json_trim(json, SCRATCH_KEPT);
    if (json->fault == JSON_GOOD)
        return row->reason;
    snprintf(row->detail, DETAIL_MAX, "at byte %zu: %s", json_offset(json), json->words);
    return value_json_reason(json->fault);
}

static enum reason read_fields(struct decoder *d, struct row *row, const struct entry *entry)
{
    for (size_t i = 0; i < entry->n_fields; i++) {
        const struct field *f = take_field(d, row, entry->fields[i].name);
        if (f)
            fill_text(d, row, f, entry->fields[i].value);
    }
    if (row->n_seen == 0)
        return refuse_entry(REASON_NO_DATA, row->detail, "no field `data`, and none that a column takes");
    return row->reason;
}

static enum reason read_broken(struct row *row, const struct entry *entry)
{
    bool known = entry->broken > REASON_NONE && entry->broken < N_REASONS;
    if (entry->size > 0)
        snprintf(row->detail, DETAIL_MAX, "%llu bytes in all, %zu of them kept",
            (unsigned long long)entry->size, entry->payload.n);
    else
        snprintf(row->detail, DETAIL_MAX, "%zu bytes of it kept", entry->payload.n);
    return known ? (enum reason)entry->broken : REASON_BAD_FRAME;
}

static enum reason read_entry(struct decoder *d, struct row *row, const struct entry *entry)
{
    switch (entry->shape) {
    case ENTRY_JSON:
        return read_json(d, row, entry->payload);
    case ENTRY_FIELDS:
        return read_fields(d, row, entry);
    case ENTRY_BROKEN:
        break;
    }
    return read_broken(row, entry);
}

/* The columns that no field has filled. */
static enum reason fill_rest(struct decoder *d, struct row *row, const struct entry *entry)
{
    for (size_t i = 0; i < d->table->n_columns; i++) {
        const struct column *c = &d->table->columns[i];
        struct buffer *out = &row->columns[i];
        enum reason r = REASON_NONE;
        if (c->received)
            r = value_append_received(out, c, entry->received_us, row->detail);
        else if (out->n > d->marks[i])
            continue;
        else if (c->not_null)
            r = value_refuse(
                REASON_MISSING_FIELD, c, row->detail, "is missing, and its column takes no NULL");
        else
            value_append_null(out);
        if (r != REASON_NONE)
            return r;
    }
    return REASON_NONE;
}

enum reason decoder_row(
    struct decoder *d, const struct entry *entry, struct buffer *columns, char detail[DETAIL_MAX])
{
    struct row row = {.columns = columns, .detail = detail};
    detail[0] = '\0';
    d->next = 0;
    for (size_t i = 0; i < d->n_fields; i++)
        d->fields[i].seen = false;
    for (size_t i = 0; i < d->table->n_columns; i++)
        d->marks[i] = columns[i].n;
    enum reason r = read_entry(d, &row, entry);
    if (r == REASON_NONE)
        r = fill_rest(d, &row, entry);
    if (r != REASON_NONE)
        for (size_t i = 0; i < d->table->n_columns; i++)
            columns[i].n = d->marks[i];
    return r;
}
