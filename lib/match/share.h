#pragma once
/*
 * How many rows of one side are in memory, in whatever form, and how many may be: never more than a fraction of the rows
 * the side has. How many it has is known at its end only, so while it is read the fraction is of the rows so far, which
 * is never more. Whatever keeps a row (a buffer that fills, one that is read, a row at hand) adds it to `held`.
 */
#include "util/cleanup.h"

#include <stdint.h>

struct match_share {
    double fraction; /* above 0, at most 0.1 */
    int64_t rows;    /* so far; in the end all there are */
    int64_t held, peak;
};

/* How many rows may be held by one of those who share, which has this part of it; at least 1. */
static inline int64_t share_part(const struct match_share *s, double part)
{
    double most = (double)s->rows * s->fraction * part;
    return most < 1 ? 1 : (int64_t)most;
}

static inline void share_hold(struct match_share *s, int64_t n)
{
    s->held += n;
    if (s->held > s->peak)
        s->peak = s->held;
}
