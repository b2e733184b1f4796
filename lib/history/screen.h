#pragma once
/*
 * The way in: rows of a source become rows in the order of the tables' columns; those that cannot be taken, the source's
 * and ours, go to the rejects.
 */
#include "history/columns.h"
#include "history/merge.h"
#include "history/rejects.h"
#include "history/unread.h"
#include "source/source.h"
#include "util/buffer.h"

struct screen {
    struct source *source;
    const size_t *map; /* the column of each cell */
    size_t n_columns;
    const size_t *key; /* columns */
    size_t n_key, key_max;
    size_t cell_most, row_most; /* of the database (dialect.h) */
    /* Columns whose cells must be of the column's type; none where the database keeps no types. */
    const struct column *columns;
    size_t *watched, n_watched;
    struct rejects *rejects;
    struct db_value *values;
    struct buffer raw;
    struct unread unread; /* keys of rows that the source could not take */
    struct db_value *unread_key;
    int64_t rows; /* taken or not */
};

void screen_init(struct screen *s, size_t n_columns);
void screen_done(struct screen *s);

/* A merge_next_row. */
int screen_next(void *arg, struct merge_row *ret_row, struct db_fault *fault);

/* Is this row's key one of a row that the source could not take? */
bool screen_knows(const struct screen *s, const struct db_value *values);

/* A row that was taken, and then turned out to be one of several of its key. */
int screen_reject_duplicate(struct screen *s, const struct merge_event *e, struct db_fault *fault);
