#pragma once
/*
 * What the staging has on record beside the rows: every delivery, and what was rejected. It is gathered in files while the loads are
 * under way, since one runs at a time, and then becomes staged.delivery and the first rows of out.quarantine. What an attempt
 * wrote that failed is left out.
 */
#include "job/harmonize/feed.h"

struct books;

/*
 * The database of DuckDB's that rows lie in as they came, a table a source: one in memory, which spills to the temporary folder
 * what is beyond the limit. In the file each row would be written twice, and packed: that is half of the work again. Its name is no
 * word, so that nothing the job's SQL makes comes into its way.
 */
#define STAGE_ROWS ".rows"

int books_open(struct harmonize *h, struct books **ret_books, struct db_fault *fault);
void books_free(struct books *b);
DEFINE_CLEANUP(struct books *, books_freep, books_free)

/* What comes from now on is of another attempt. */
void books_begin(struct books *b);
/* The attempt failed: nothing of it counts. */
void books_forget(struct books *b);

/* The number of the delivery that is under way, from 1. */
int64_t books_number(const struct books *b);

/* A row of it that cannot be taken. */
int books_reject(struct books *b, const struct feed_item *item, struct db_fault *fault);
/* It is over; rows, rejected: of this one. */
int books_deliver(struct books *b, const char *source, const struct feed_item *item, int64_t rows,
    int64_t rejected, struct db_fault *fault);

/* Makes the two tables. */
int books_load(struct books *b, struct db_fault *fault);
/* So many rejected rows have no `raw`, since there were too many. */
int64_t books_bare(const struct books *b);
