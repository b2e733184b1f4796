#pragma once
/* One source on its way into the staging: its rows into a table of text, and the view that the job's SQL sees. */
#include "job/harmonize/stage_books.h"

struct stage_source {
    struct feed *feed;
    char **columns; /* as the table has them, without our own */
    size_t n_columns;

    /* Of the attempt at hand, without what is of refused deliveries but for bytes. */
    int64_t rows, bytes, rejected, deliveries, refused;
    int64_t extract_us, stage_us; /* spent */
    bool broke_off;               /* what failed was the reading, not the writing */

    /* Of a table: what stands in every row. */
    int64_t number;
    char *table, *snapshot;
};

void stage_source_done(struct stage_source *s);

/* Opens the feed, which is prepared, makes its table anew and fills it. rows_before: for the progress. */
int stage_source_load(
    struct stage_source *s, struct books *books, int64_t rows_before, struct db_fault *fault);
/* Makes the view. Behind books_load(). */
int stage_source_view(struct stage_source *s, struct db_fault *fault);
