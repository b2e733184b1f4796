#pragma once
/*
 * An entry becomes a row. The row's values are appended to one buffer a column, each as Postgres' binary
 * array element: a 4-byte length and the type's binary form (src/backend/utils/adt/…recv functions), or
 * length -1 for NULL. A refused entry leaves every buffer as it was.
 *
 * A column that takes @received gets a *timestamptz* element (8 bytes, microseconds since 2000-01-01 UTC)
 * whatever its own type is: the writer declares it so, and its SQL converts to date or timestamp in the
 * stream's time zone, by the server's own rules for zones.
 */
#include "stream/entry.h"
#include "stream/reason.h"
#include "stream/table.h"

struct decoder;

/* Keeps a borrowed table. */
struct decoder *decoder_new(const struct table *table);
void decoder_free(struct decoder *d);
DEFINE_CLEANUP(struct decoder *, decoder_freep, decoder_free)

/*
 * Appends the entry's row to columns (table->n_columns buffers) and returns REASON_NONE; or returns why not,
 * with the words in detail. Fields that no column takes are passed over and counted.
 */
enum reason decoder_row(
    struct decoder *d, const struct entry *entry, struct buffer *columns, char detail[DETAIL_MAX]);
/* How many fields were passed over since the decoder was made, over all entries. */
uint64_t decoder_ignored_fields(const struct decoder *d);
