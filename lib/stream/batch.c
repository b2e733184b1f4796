#include "stream/batch.h"

#include "pg/array.h"

#define KEEP_BYTES (512 * 1024) /* buffers above this go back when the batch is emptied */

struct batch {
    struct table *table;
    struct decoder *decoder;
    struct buffer *columns; /* each begins with PG_ARRAY_HEADER bytes for the header */
    struct buffer *parts;   /* copies of a part of a column, for a range that does not begin at row 0 */
    struct buffer payloads; /* payloads and details; offset 0 is never one */
    struct batch_item *items;
    size_t n_items, cap_items;
    size_t *row_items; /* the item of each row */
    size_t *row_ends;  /* n_columns ends a row: where its value ends in each column */
    size_t n_rows, cap_rows;
    uint64_t ignored_before; /* of decoders that are gone */
};

static void start_columns(struct batch *b)
{
    static const char zeros[PG_ARRAY_HEADER];
    for (size_t c = 0; c < b->table->n_columns; c++) {
        buffer_reset(&b->columns[c], KEEP_BYTES);
        buffer_reset(&b->parts[c], 0);
        buffer_put(&b->columns[c], zeros, PG_ARRAY_HEADER);
    }
    b->n_rows = 0;
}

static void take_table(struct batch *b, const struct table *table)
{
    b->table = table_share(table);
    b->decoder = decoder_new(table);
    b->columns = xcalloc(table->n_columns, sizeof(*b->columns));
    b->parts = xcalloc(table->n_columns, sizeof(*b->parts));
    start_columns(b);
}

static void drop_table(struct batch *b)
{
    for (size_t c = 0; c < b->table->n_columns; c++) {
        buffer_done(&b->columns[c]);
        buffer_done(&b->parts[c]);
    }
    free(TAKE(b->columns));
    free(TAKE(b->parts));
    free(TAKE(b->row_ends));
    free(TAKE(b->row_items));
    b->cap_rows = 0;
    b->ignored_before += decoder_ignored_fields(b->decoder);
    decoder_free(TAKE(b->decoder));
    table_free(TAKE(b->table));
}

struct batch *batch_new(const struct table *table)
{
    struct batch *b = xnew(struct batch);
    take_table(b, table);
    batch_reset(b);
    return b;
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    drop_table(b);
    buffer_done(&b->payloads);
    free(b->items);
    free(b);
}

void batch_reset(struct batch *b)
{
    b->n_items = 0;
    buffer_reset(&b->payloads, KEEP_BYTES);
    buffer_put(&b->payloads, "", 1);
    start_columns(b);
}

static void note_row(struct batch *b, size_t item)
{
    size_t n = b->table->n_columns;
    if (b->n_rows == b->cap_rows) {
        b->cap_rows = b->cap_rows ? b->cap_rows * 2 : 16;
        b->row_ends = xrealloc(b->row_ends, b->cap_rows * n, sizeof(*b->row_ends));
        b->row_items = xrealloc(b->row_items, b->cap_rows, sizeof(*b->row_items));
    }
    for (size_t c = 0; c < n; c++)
        b->row_ends[b->n_rows * n + c] = b->columns[c].n;
    b->row_items[b->n_rows] = item;
    b->items[item].row = (int)b->n_rows++;
}

static void decode(struct batch *b, size_t i, const struct entry *entry)
{
    char detail[DETAIL_MAX] = "";
    enum reason reason = decoder_row(b->decoder, entry, b->columns, detail);
    b->items[i].row = -1;
    b->items[i].reason = REASON_NONE;
    if (reason == REASON_NONE)
        note_row(b, i);
    else
        batch_refuse(b, i, reason, detail);
}

static struct batch_item *add_item(struct batch *b)
{
    if (b->n_items == b->cap_items) {
        b->cap_items = b->cap_items ? b->cap_items * 2 : 16;
        b->items = xrealloc(b->items, b->cap_items, sizeof(*b->items));
    }
    return &b->items[b->n_items++];
}

void batch_add(struct batch *b, const struct entry *entry, int64_t letter_id)
{
    struct batch_item *item = add_item(b);
    *item = (struct batch_item){
        .id = entry->id,
        .received_us = entry->received_us,
        .letter_id = letter_id,
        .payload_at = b->payloads.n,
        .shape = (uint8_t)entry->shape,
        .size = entry->shape == ENTRY_BROKEN ? entry->size : 0,
    };
    entry_payload(entry, &b->payloads);
    item->payload_n = b->payloads.n - item->payload_at;
    decode(b, b->n_items - 1, entry);
}

/* Where the value of a row begins in a column; it ends where the next one begins. */
static size_t row_begin(const struct batch *b, size_t row, size_t column)
{
    return row ? b->row_ends[(row - 1) * b->table->n_columns + column] : PG_ARRAY_HEADER;
}

static void move_item(struct batch *to, const struct batch *from, size_t i)
{
    const struct batch_item *old = &from->items[i];
    struct batch_item *item = add_item(to);
    *item = *old;
    item->payload_at = to->payloads.n;
    buffer_put(&to->payloads, from->payloads.p + old->payload_at, old->payload_n);
    if (old->detail_at)
        batch_refuse(to, to->n_items - 1, old->reason, batch_detail(from, old));
    if (old->row < 0)
        return;
    for (size_t c = 0; c < to->table->n_columns; c++) {
        size_t begin = row_begin(from, (size_t)old->row, c), end = row_begin(from, (size_t)old->row + 1, c);
        buffer_put(&to->columns[c], from->columns[c].p + begin, end - begin);
    }
    note_row(to, to->n_items - 1);
}

void batch_move(struct batch *to, struct batch *from)
{
    for (size_t i = 0; i < from->n_items; i++)
        move_item(to, from, i);
    batch_reset(from);
}

uint64_t batch_key_hash(const struct batch *b, size_t i)
{
    /* FNV-1a, and a last multiplication so that the low bits depend on all of them. */
    const struct batch_item *item = &b->items[i];
    uint64_t h = UINT64_C(14695981039346656037);
    if (item->row < 0)
        return item->id.lo;
    for (size_t k = 0; k < b->table->n_key; k++) {
        size_t c = b->table->key[k], end = row_begin(b, (size_t)item->row + 1, c);
        for (size_t at = row_begin(b, (size_t)item->row, c); at < end; at++)
            h = (h ^ (unsigned char)b->columns[c].p[at]) * UINT64_C(1099511628211);
    }
    return (h ^ h >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

void batch_rebuild(struct batch *b, const struct table *table)
{
    drop_table(b);
    take_table(b, table);
    for (size_t i = 0; i < b->n_items; i++) {
        struct batch_item *item = &b->items[i];
        struct entry entry = {.id = item->id, .received_us = item->received_us, .broken = item->reason};
        _cleanup_free_ struct entry_field *fields = NULL;
        /* The payload is what we made ourselves; details may be added behind it, so it is copied. */
        struct slice kept = batch_payload(b, item);
        _cleanup_free_ char *copy = xcalloc(kept.n + 1, 1);
        memcpy(copy, kept.p, kept.n);
        if (item->shape == ENTRY_BROKEN ||
            entry_from_payload(item->shape, (struct slice){copy, kept.n}, &entry, &fields) < 0)
            continue;
        decode(b, i, &entry);
    }
}

const struct table *batch_table(const struct batch *b)
{
    return b->table;
}

size_t batch_n_items(const struct batch *b)
{
    return b->n_items;
}

size_t batch_n_rows(const struct batch *b)
{
    return b->n_rows;
}

size_t batch_bytes(const struct batch *b)
{
    size_t n = b->payloads.n + b->n_items * sizeof(*b->items);
    for (size_t c = 0; c < b->table->n_columns; c++)
        n += b->columns[c].n;
    return n;
}

uint64_t batch_ignored_fields(const struct batch *b)
{
    return b->ignored_before + decoder_ignored_fields(b->decoder);
}

struct batch_item *batch_item(struct batch *b, size_t i)
{
    return &b->items[i];
}

size_t batch_row_item(const struct batch *b, size_t row)
{
    return b->row_items[row];
}

size_t batch_rows_before(const struct batch *b, size_t i)
{
    size_t low = 0, high = b->n_rows; /* the first row whose item is not before i */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->row_items[middle] < i)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct slice batch_payload(const struct batch *b, const struct batch_item *item)
{
    return (struct slice){b->payloads.p + item->payload_at, item->payload_n};
}

const char *batch_detail(const struct batch *b, const struct batch_item *item)
{
    return item->detail_at ? b->payloads.p + item->detail_at : "";
}

void batch_refuse(struct batch *b, size_t i, enum reason reason, const char *detail)
{
    b->items[i].reason = (uint8_t)reason;
    b->items[i].detail_at = 0;
    if (detail && *detail) {
        b->items[i].detail_at = b->payloads.n;
        buffer_put(&b->payloads, detail, strlen(detail) + 1);
    }
}

void batch_arrays(struct batch *b, size_t from, size_t to, const char **values, int *lengths)
{
    size_t n = b->table->n_columns;
    for (size_t c = 0; c < n; c++) {
        size_t begin = row_begin(b, from, c);
        size_t end = row_begin(b, to, c);
        struct buffer *array = &b->columns[c];
        if (from) {
            array = &b->parts[c];
            buffer_reset(array, KEEP_BYTES);
            buffer_put(array, b->columns[c].p, PG_ARRAY_HEADER);
            buffer_put(array, b->columns[c].p + begin, end - begin);
            end = array->n;
        }
        pg_array_header(array->p, b->table->columns[c].element_oid, to - from);
        values[c] = array->p;
        lengths[c] = (int)end;
    }
}
