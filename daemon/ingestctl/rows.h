#pragma once
/* Rows that a worker reports, put together from the lines they came in (job/report.h). */
#include "job/report.h"
#include "util/buffer.h"

#define ROWS_CELLS_MAX 100000

/* All zero but for taken and arg is one that has begun. */
struct rows {
    /* A whole row, valid during the call: n strings, NULL where there is no value. */
    void (*taken)(void *arg, bool head, size_t n, const char *const *cells);
    void *arg;
    struct buffer *cells; /* as strings with their NUL; none: no value */
    size_t n, cap;
    bool open; /* the last cell goes on */
};

void rows_add(struct rows *r, const struct report *piece);
void rows_done(struct rows *r);
#define _cleanup_rows_ _cleanup_(rows_done)
