#pragma once
/* An object in a file, for the tests of source/object.h. */
#include "../util/suite.h"
#include "source/object.h"
#include "util/buffer.h"

struct delivered {
    const char *key;
    const char *columns; /* "a b c?" */
    struct object_options options;
};

/* Everything the object gives, as text: a line a row, "LINE: cell|cell" with ~ for NULL, "LINE! reason raw", at last "end" or
 * "failed REASON WORDS". others: a line more, with the names of what nobody declared. */
void deliver(const struct delivered *d, const char *p, size_t n, struct buffer *out);
/* The bytes as a gzip. */
void pack_gzip(const char *p, size_t n, struct buffer *out);

/* The whole of what it gives. */
void expect_rows(const struct delivered *d, const char *p, size_t n, const char *wanted);
/* Refused at the opening or later, for this reason; the words are among those of the failure. */
void expect_refused(
    const struct delivered *d, const char *p, size_t n, const char *reason, const char *words);
