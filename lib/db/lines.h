#pragma once
/*
 * The rows of a load as the text that COPY and LOAD DATA both take: cells apart by tabs, rows ended by a newline, \N for
 * NULL, and a backslash before what would be one of these. It is pulled: a row is asked for when there is room for it,
 * and a cell of any size passes through a buffer of any size.
 */
#include "db/load.h"

#include <sys/types.h>

/* Begins with { .load = …, .fault = … }, all else zero. */
struct db_lines {
    const struct db_load *load;
    struct db_fault *fault;
    int64_t n_rows;                /* that next has given */
    const struct db_value *values; /* of the row that is being written, or NULL */
    size_t column, at;             /* its cell that comes next, and how many bytes of that are written */
    bool ended, failed;
};

/* Bytes written to out, whose size is at least 3; 0 at the end; -1 with the fault that next gave. */
ssize_t db_lines_read(struct db_lines *l, char *out, size_t size);

/* One row of a load: as its next() does it, with a fault whatever that wrote. */
int db_load_next(const struct db_load *load, const struct db_value **ret_values, struct db_fault *fault);
