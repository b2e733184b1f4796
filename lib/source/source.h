#pragma once
/*
 * A source: a list of columns, then rows, one after the other, however many there are. A driver is a struct of functions
 * and a file; what it holds in memory does not grow with the number of rows.
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Why something failed, beside the words. */
struct source_fault {
    struct error error;
    bool transient; /* it may go well when tried again */
    bool restart;   /* what was handed out is to be forgotten: the thing changed while it was read */
    const char
        *reason; /* the thing as a whole cannot be taken: why, as a word of docs/bad-data.md; else NULL */
};

struct source_cell {
    const char *p; /* NULL: there is no value */
    size_t n;
};

struct source_row {
    int64_t line; /* where it begins, from 1; of sources without lines its number */
    size_t n_cells;
    const struct source_cell *cells; /* as many as columns; UTF-8 without NUL */
    /* A row that cannot be taken: why, as a word of docs/bad-data.md, and words for a person; else NULL. Its cells are
     * then those that can be told apart, if any: fewer, never more than columns, and of any bytes. */
    const char *reason, *detail;
    const char *raw; /* of one that cannot be taken: as it stood, at most SOURCE_RAW_MAX bytes, made UTF-8 */
    size_t n_raw;
};
#define SOURCE_RAW_MAX 65536

struct source_facts {
    int64_t rows;            /* handed out so far, also those that cannot be taken */
    int64_t received, total; /* bytes over the wire; total -1: not known */
};

struct source;
struct source_driver {
    /* 1 and a row, which is valid until the next call; 0 at the end; -1. */
    int (*next)(struct source *s, struct source_row *ret_row, struct source_fault *fault);
    void (*facts)(const struct source *s, struct source_facts *ret_facts);
    void (*free)(struct source *s);
    /* The row that was handed out last, taken or not, as source_row's raw; NULL where the driver has none. */
    const char *(*raw)(struct source *s, size_t *ret_n);
};

struct source {
    const struct source_driver *driver;
    const char *const *columns; /* as the source writes them; the driver's own */
    size_t n_columns;
};

static inline int source_next(struct source *s, struct source_row *ret_row, struct source_fault *fault)
{
    return s->driver->next(s, ret_row, fault);
}
static inline void source_free(struct source *s)
{
    if (s)
        s->driver->free(s);
}
DEFINE_CLEANUP(struct source *, source_freep, source_free)
