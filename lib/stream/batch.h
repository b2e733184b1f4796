#pragma once
/*
 * A batch: entries that are written in one transaction. It keeps each entry's id and full payload, the values
 * of the good ones as Postgres binary arrays (one a column), and the reason of each that was refused. Entries
 * keep the order in which they were added; rows are the good ones among them, in the same order.
 */
#include "stream/decode.h"
#include "stream/entry.h"
#include "stream/reason.h"

struct batch;

/* One entry of the batch. */
struct batch_item {
    struct entry_id id;
    int64_t received_us;
    int64_t letter_id; /* > 0: it came back from the dead letters, which keep it */
    size_t payload_at; /* in the batch's payloads */
    size_t payload_n;
    size_t detail_at; /* words behind the reason, NUL-terminated, in the batch's payloads; 0: none */
    uint64_t size;    /* of the whole entry where more came than is kept; else 0 */
    int row;          /* its row, or -1 */
    uint8_t shape;    /* enum entry_shape */
    uint8_t reason;   /* enum reason */
};

/* The table is shared for as long as the batch is made for it. */
struct batch *batch_new(const struct table *table);
void batch_free(struct batch *b);
DEFINE_CLEANUP(struct batch *, batch_freep, batch_free)
/* Empties it for the next entries; large buffers are given back. */
void batch_reset(struct batch *b);

/* Decodes the entry into a row, or keeps it as refused. letter_id: 0, or the letter it comes from. */
void batch_add(struct batch *b, const struct entry *entry, int64_t letter_id);
/* Moves all entries of one batch behind those of another for the same table; `from` is empty then. */
void batch_move(struct batch *to, struct batch *from);
/* A number that is the same for equal keys, so that entries of one key can be kept in order. */
uint64_t batch_key_hash(const struct batch *b, size_t item);
/* Decodes every entry again, for a table that has changed. */
void batch_rebuild(struct batch *b, const struct table *table);

const struct table *batch_table(const struct batch *b);
size_t batch_n_items(const struct batch *b);
size_t batch_n_rows(const struct batch *b);
/* Bytes held: payloads and values. */
size_t batch_bytes(const struct batch *b);
uint64_t batch_ignored_fields(const struct batch *b);

struct batch_item *batch_item(struct batch *b, size_t i);
/* The item of a row. */
size_t batch_row_item(const struct batch *b, size_t row);
/* Rows among the items before i, so that items [i, j) hold the rows [batch_rows_before(i),
 * batch_rows_before(j)). */
size_t batch_rows_before(const struct batch *b, size_t i);
struct slice batch_payload(const struct batch *b, const struct batch_item *item);
const char *batch_detail(const struct batch *b, const struct batch_item *item);
/* Marks an item as refused; detail (may be NULL) is copied. */
void batch_refuse(struct batch *b, size_t i, enum reason reason, const char *detail);

/*
 * The rows [from, to) as one binary array a column (array_recv in src/backend/utils/adt/arrayfuncs.c): values
 * and lengths are arrays of table->n_columns, valid until the batch changes or this is called again.
 */
void batch_arrays(struct batch *b, size_t from, size_t to, const char **values, int *lengths);

/* The bytes that stand for an entry in the dead letters: its JSON or bytes, or its fields as a RESP array
 * (names and values in turn, https://redis.io/docs/reference/protocol-spec), which keeps any byte. */
void entry_payload(const struct entry *entry, struct buffer *out);
/* The text of the shape column: "json", "fields", "bytes". */
const char *entry_shape_to_string(enum entry_shape shape);
enum entry_shape entry_shape_from_string(const char *word);
/*
 * The way back: fills entry's payload or fields from the bytes. fields (an array the caller frees) holds what
 * entry->fields points to. 0, or -1 when the bytes are not what entry_payload makes.
 */
int entry_from_payload(
    enum entry_shape shape, struct slice payload, struct entry *entry, struct entry_field **ret_fields);
