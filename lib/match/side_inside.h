#pragma once
/* What the parts of a side share: side.c opens, saves and counts; side_read.c takes the rows in. */
#include "match/side.h"

/* Parts of the share; half of it is the join's. */
#define ROWS_PART    0.3
#define IDS_PART     0.15
#define REJECTS_PART 0.05

/* Where the source was gone on with: rows of the page that was asked for once more, from and up to but without these numbers. */
#define SEAMS_MAX 100
struct seam {
    int64_t from, to; /* to -1: it is being read */
};

struct cJSON;

struct match_side {
    struct side_options o;
    struct match_share share;
    struct sorter *rows, *ids, *rejects;
    struct side_counts counts;
    uint8_t *dropped; /* a bit for each row; NULL: none is */
    struct buffer id; /* scratch */
    bool repeats;     /* gone on with: the rows up to the next position came before */
    struct seam seams[SEAMS_MAX];
    size_t n_seams;
    bool has_rejects; /* they are being read */
};

static inline size_t side_n_cells(const struct match_side *s)
{
    return 1 + s->o.n_tie_breaks + s->o.n_columns;
}

int side_save(struct match_side *side, int64_t position, struct error *err);

/* A seam begins behind the rows so far, and ends there, when it is open. False: there are too many. */
bool side_begin_seam(struct match_side *side);
void side_end_seam(struct match_side *side);
struct cJSON *side_save_seams(const struct match_side *side);
bool side_take_seams(struct match_side *side, const struct cJSON *saved);
