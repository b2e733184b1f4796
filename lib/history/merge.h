#pragma once
/*
 * A dump and what is on record, both in the order of the key, walk past each other and tell the differences. Pure: rows
 * come from two functions, events are pulled. In memory is one row of each side, and the row ahead of the dump's.
 *
 * A row is as many values as the tables have columns. Columns that the dump does not have are NULL in its rows; they do
 * not make a change, and a changed row is told with the values on record there. The order is that of bytes: column by
 * column of the key, the shorter of two that begin alike first; of a column with a type that of type_order().
 */
#include "history/types.h"

#include "db/load.h"

struct merge_row {
    const struct db_value *values;
    int64_t line; /* of the dump; else 0 */
};

/* The next row, valid until the next call: 1; 0 at the end; -1 with the fault. */
typedef int merge_next_row(void *arg, struct merge_row *ret_row, struct db_fault *fault);

struct merge_options {
    size_t n_columns;
    const size_t *key; /* columns of the key */
    size_t n_key;
    const size_t *compared; /* columns that both sides have, without the key */
    size_t n_compared;
    const size_t *kept; /* columns that only the record has */
    size_t n_kept;
    const enum type *types; /* of the columns on record, for their order and what is the same; NULL: text */
    merge_next_row *dump, *current; /* current may be NULL: there is nothing on record */
    void *dump_arg, *current_arg;
};

enum merge_kind {
    MERGE_UNCHANGED,
    MERGE_ADDED,
    MERGE_CHANGED,
    MERGE_REMOVED,   /* values: those on record */
    MERGE_DUPLICATE, /* one of several rows of one key; what is on record of it is left alone */
};

#define MERGE_LINES_MAX 16 /* that a duplicate names, and that are held before they are told */

struct merge_event {
    enum merge_kind kind;
    const struct db_value *values; /* valid until the next call */
    int64_t line;
    /* Of a duplicate: the lines of that key, its own among them; more: there are others. */
    const int64_t *lines;
    size_t n_lines;
    bool more;
};

struct merge;
struct merge *merge_new(const struct merge_options *options);
void merge_free(struct merge *m);
DEFINE_CLEANUP(struct merge *, merge_freep, merge_free)

/* 1 and the next difference; 0 at the end; -1. */
int merge_next(struct merge *m, struct merge_event *ret_event, struct db_fault *fault);
/* It failed because the dump is not in order. */
bool merge_is_unordered(const struct merge *m);
/* Rows on record so far, also those that were no event. */
int64_t merge_current_rows(const struct merge *m);
