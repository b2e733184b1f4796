#pragma once
/*
 * A row of one side as it is staged, and what became of it, as it goes to the table: both as bytes, so that the sorters and
 * spills need to know nothing of them.
 *
 * The sorter's key of a row begins with MATCH_KEYLESS or MATCH_KEYED. Behind the latter are the normalised values of the
 * match keys, in order, with a NUL between them. A row of which a key is NULL, or nothing once it is normalised, equals no
 * other: it is keyless, and its key ends there.
 */
#include "match/normal.h"
#include "source/source.h"
#include "util/buffer.h"

#include <stdbool.h>
#include <stdint.h>

enum { MATCH_KEYLESS = 0, MATCH_KEYED = 1 };

#define MATCH_TIE_BREAKS_MAX 6
#define MATCH_CANDIDATES_MAX 10 /* that are named */

struct match_row {
    int64_t number; /* in its source, from 0 */
    enum match_activity activity;
    /* [0]: the id; then the normalised values of the tie-breaks; then the columns to carry, as they came. */
    size_t n_cells;
    const struct source_cell *cells;
};

/* Puts the row's bytes behind what is there; UTF-8 and NULLs as they are. */
bool match_row_put(struct buffer *to, const struct match_row *row);
/* Reads it back; cells: room for n_cells, which must be as many as were put. The cells point into the bytes. False: it is
 * no such row (the file is damaged). */
bool match_row_get(struct slice bytes, size_t n_cells, struct source_cell *cells, struct match_row *ret_row);

enum match_outcome { MATCH_MATCHED, MATCH_AMBIGUOUS, MATCH_LEFT_ONLY, MATCH_RIGHT_ONLY, MATCH_REJECTED };
extern const char
    *const match_outcomes[5]; /* "matched", "ambiguous", "left_only", "right_only", "rejected" */

/* What became of a row, or of two. */
struct match_result {
    enum match_outcome outcome;
    const struct match_row *left, *right; /* NULL: there is none */
    /* Why, as a word: docs/match.md has them all. Valid during the call. */
    const char *reason;
    /* Of an ambiguous row: the ids of those it cannot be told from, the first few, and how many there are. */
    size_t n_named;
    const struct slice *named;
    int64_t n_candidates;
};
