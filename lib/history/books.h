#pragma once
/* The tables that all datasets of a schema share: ingest_dump, ingest_reject, ingest_column. */
#include "history/inside.h"

/* What they say of this dataset: its columns and its newest dump. Tables that are missing are empty ones. */
int books_read(struct history *h, struct db_fault *fault);
/* One that was loaded, by its as-of, and by its bytes unless that is NULL; NULL when there is none. */
int books_find(struct history *h, const char *as_of, const char *sha256, const struct history_dump **ret_dump,
    struct db_fault *fault);
/* Makes those that are missing. */
int books_make(struct history *h, struct db_fault *fault);

/* Columns that are not on record yet go there. */
int books_write_columns(struct history *h, struct db_fault *fault);

/* A load begins to be on record, in the transaction that is open. status: loaded, refused, failed. */
int books_begin_dump(struct history *h, const char *as_of, bool partial, const char *status, int64_t *ret_id,
    struct db_fault *fault);

/* The rest of it. */
struct attempt {
    int64_t id;
    const struct history_load *load;
    const struct history_dump *dump; /* all that is known of it */
    const struct history_counts *counts;
    const char *error;          /* or NULL */
    const char *schema_changes; /* or NULL */
    int64_t started_us;
};
int books_end_dump(struct history *h, const struct attempt *a, struct db_fault *fault);
