#pragma once
/* A CSV file out of memory, in pieces of any size, for the tests of source/csv.h. */
#include "source/csv.h"
#include "util/buffer.h"

struct given {
    const char *p;
    size_t n, at, step; /* so many bytes a read; 0: all */
    size_t fails_at;    /* reading fails there; 0: never */
};

ssize_t given_read(void *arg, char *p, size_t n, struct source_fault *fault);

/* Opens it with these options, or the default ones for NULL. */
int given_open(
    struct given *g, const struct csv_options *options, struct source **ret, struct source_fault *fault);
/* Everything it gives, as text: a line a row, "LINE: cell|cell" with ~ for NULL, "LINE! reason raw", at last "end" or
 * "failed WORDS". */
void given_dump(struct given *g, const struct csv_options *options, struct buffer *out);
