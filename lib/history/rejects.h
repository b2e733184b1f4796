#pragma once
/*
 * Rows that could not be taken, on their way to ingest_reject: kept in a file without a name until the transaction that
 * the rest goes in. Raw text is kept of the first REJECTS_RAW_MAX bytes of them; of later ones all but that.
 */
#include "db/load.h"

#define REJECTS_RAW_MAX (256 << 20)

struct rejects {
    FILE *file;
    int64_t n, raw_bytes;
    struct db_value read[5]; /* dump, line, reason, detail, raw */
    char dump[24], line[24];
    char *text;
    size_t n_text;
};

void rejects_done(struct rejects *r);

struct reject {
    int64_t line;
    const char *reason, *detail, *raw; /* detail and raw may be NULL */
    size_t n_raw;
};
int rejects_put(struct rejects *r, const struct reject *reject, struct db_fault *fault);

/* Begins to read them back as rows of ingest_reject, by rejects_next() (a db_next_row). */
int rejects_rewind(struct rejects *r, int64_t dump, struct db_fault *fault);
int rejects_next(void *arg, const struct db_value **ret_values, struct db_fault *fault);
