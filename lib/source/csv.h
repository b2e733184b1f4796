#pragma once
/*
 * CSV (RFC 4180, and what is sold as it) as a source: quotes, embedded newlines, CRLF, a BOM, other delimiters. libcsv
 * parses. The first record is the header. Cells are text as they stand. docs/bad-data.md says what becomes of which oddity.
 */
#include "source/source.h"

#include <sys/types.h>

/* Where the bytes come from: up to n of them, 0 at the end, -1 and why, which says what it is that cannot be read. */
struct csv_bytes {
    ssize_t (*read)(void *arg, char *p, size_t n, struct source_fault *fault);
    void (*facts)(void *arg, int64_t *ret_received, int64_t *ret_total);
    void *arg; /* stays the caller's */
};

struct csv_options {
    const char *label;              /* for messages: the URL without its password */
    char delimiter;                 /* 0: , or ; or tab or |, whichever the header has most of */
    const char *const *null_tokens; /* cells that are exactly this, besides the empty cell, are NULL */
    size_t n_null_tokens;
    size_t row_max; /* bytes of one record; a longer one is a row that cannot be taken; 0: 16 MB */
};

/*
 * Reads the header. Refuses, with what to do: nothing at all, a header alone is fine, HTML or a PDF or another thing that is
 * no CSV, a header with NUL bytes or that is not UTF-8, more than 1600 columns. Rows that cannot be taken (reasons):
 * too_few_cells, too_many_cells, bad_quote, bad_encoding, nul_byte, too_long; an unclosed quote at the end of the file, and
 * a last record that is cut off in the middle of a cell, is a failure of the whole. The options and bytes are copied, but
 * for what bytes->arg points to.
 */
int csv_open(const struct csv_bytes *bytes, const struct csv_options *options, struct source **ret_source,
    struct source_fault *fault);
