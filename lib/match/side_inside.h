#pragma once
/* What the parts of a side share: side.c opens, saves and counts; side_read.c takes the rows in. */
#include "match/side.h"

/* Parts of the share; half of it is the join's. */
#define ROWS_PART    0.3
#define IDS_PART     0.15
#define REJECTS_PART 0.05

/* Where another process went on: the rows of one page, some of which must have come before. */
struct side_joint {
    int64_t from, to; /* numbers of rows */
    int64_t users;    /* among them */
};

struct match_side {
    struct side_options o;
    struct match_share share;
    struct sorter *rows, *ids, *rejects;
    struct side_counts counts;
    uint8_t *dropped; /* a bit for each row; NULL: none is */
    struct buffer id; /* scratch */
    bool repeats;     /* gone on with: the rows up to the next position came before */
    struct side_joint *joints;
    size_t n_joints;
    bool has_rejects; /* they are being read */
};

static inline size_t side_n_cells(const struct match_side *s)
{
    return 1 + s->o.n_tie_breaks + s->o.n_columns;
}

int side_save(struct match_side *side, int64_t position, struct error *err);
