#pragma once
/*
 * The records of a CSV file, one after the other. The bytes are cut at the ends of physical lines and libcsv gets them
 * line by line: so the line that a record begins in is exact, and its text is at hand as it stood. What quotes mean is
 * libcsv's business alone; a line that is a record and has none is split in place, more than twice as fast.
 */
#include "source/csv.h"
#include "source/reason.h"
#include "util/buffer.h"

#include <csv.h>

#define CSV_CELLS_MAX 1600 /* of a header: more columns no table has */

struct csv_reader {
    struct csv_bytes bytes;
    size_t row_max;
    size_t max_cells; /* so many are kept, all are counted */
    struct csv_parser parser;

    char *in; /* what was read: [at, n) is still to come */
    size_t at, n;
    ssize_t cr, lf, quote; /* the next of each from at on, n: none; before at: not looked for */
    bool lf_pending;       /* a CR ended what was read: an LF now belongs to it */
    int64_t next_line;     /* the physical line at `at` */
    int64_t received;

    /* The record that is read, or was just read. */
    bool is_begun, is_complete;
    bool has_end;  /* a line end is behind what came of it: not so where the file ends without one */
    bool is_plain; /* ASCII without NUL */
    enum source_reason reason; /* SOURCE_BAD_QUOTE, SOURCE_TOO_LONG, or SOURCE_TAKEN */
    int64_t line, cell_line;   /* where it begins, and its last cell */
    size_t size;               /* bytes so far, line ends between them too */
    size_t begin, end;         /* of what is of it in `in` */
    struct buffer before;      /* its bytes that are not in `in` any more; at most what raw text takes */
    struct buffer text;        /* what libcsv made of its cells, one behind the other */
    const char *first;         /* the text of the first cell; so many bytes are between two: */
    size_t gap;
    size_t n_cells;
    struct source_cell cells[CSV_CELLS_MAX];
};

void csv_reader_init(struct csv_reader *r, const struct csv_bytes *bytes, size_t row_max);
void csv_reader_done(struct csv_reader *r);

/* Reads more behind what is still to come. 1; 0 at the end, or when there is no room for more; -1. */
int csv_reader_fill(struct csv_reader *r, struct source_fault *fault);
/* The next record. 1; 0 at the end; -1: reading failed, or SOURCE_BAD_QUOTE in ret_why: a quote is never closed. */
int csv_reader_next(struct csv_reader *r, enum source_reason *ret_why, struct source_fault *fault);
/* The record as it stood, without the line end; at most SOURCE_RAW_MAX and a few bytes. Any bytes. */
struct slice csv_reader_raw(struct csv_reader *r);
