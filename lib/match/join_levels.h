#pragma once
/*
 * The rows of groups that have more than one of a side go through the levels of agreement, all groups together: each level
 * sorts them by group and by the tie-breaks that are to agree, so that who agrees stands side by side. What is settled is
 * emitted, the rest goes into the next level's sorters.
 */
#include "match/join_parts.h"

struct levels;

int levels_open(struct join *j, struct levels **ret_levels, struct error *err);
void levels_free(struct levels *l);
DEFINE_CLEANUP(struct levels *, levels_freep, levels_free)

/* A row of a contested group; bytes: the same row, as it is staged. */
int levels_put(struct levels *l, int side, uint64_t group, const struct match_row *row, struct slice bytes,
    struct error *err);
/* All rows are in. Emits what becomes of each. */
int levels_settle(struct levels *l, struct error *err);
