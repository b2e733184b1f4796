#pragma once
/*
 * Rows in the order of their key, a range of keys at a time: so that a database that sorts in our own memory never sorts
 * a table whole. The keys between the ranges are taken from every RANGE_STEP-th row as they lie in the table.
 */
#include "db/load.h"
#include "history/inside.h"

#define RANGE_STEP 4000
#define RANGE_ROWS 200000 /* or so */

struct record {
    struct history *h;
    struct db *db;
    struct db_cursor *cursor; /* of the range at hand */
    char *select, *order;     /* SELECT … FROM …, and the columns behind ORDER BY */
    char **ends;              /* of each range but the last: its last key as literals, n_key of them */
    size_t n_key, n_ranges, range;
};

/* The rows of select, which ends with its FROM, in this order. table: {current} or the like, in ranges where the database
 * wants them; NULL: all at once. The connection stays the caller's, and is busy until the end. */
int record_open(struct record *r, struct history *h, struct db *db, const char *select, const char *order,
    const char *table, struct db_fault *fault);
void record_close(struct record *r);
/* As db_cursor_next(). */
int record_next(struct record *r, const struct db_value **ret_values, struct db_fault *fault);
