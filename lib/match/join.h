#pragma once
/*
 * The two sides, each sorted by its key, become results: what docs/match.md says under "What is matched". Nothing of it
 * depends on the order in which rows came. However many people have one name, no more than the shares allow is in memory:
 * what is contested goes through sorters of its own, once for each level of agreement.
 */
#include "match/row.h"
#include "match/sorter.h"

struct join_side {
    struct sorter *rows;       /* all are put in */
    struct match_share *share; /* of which the join may use half */
    size_t n_cells;            /* of a row */
    /* A row that is not another user (its id came before): it becomes no result. */
    bool (*is_dropped)(const void *arg, int64_t number);
    const void *arg;
};

struct join_options {
    struct join_side left, right;
    const char *folder; /* for files of its own, which begin with "join-" */
    size_t memory;      /* bytes, beside the sorters' of both sides */
    size_t n_tie_breaks;
    const char *const *tie_breaks; /* their names, for the reasons */
    /* Each result, once; what it points to is valid during the call. -1 ends the whole. */
    int (*emit)(void *arg, const struct match_result *result, struct error *err);
    void *arg;
};

struct join_counts {
    int64_t matched; /* pairs */
    int64_t left_ambiguous, right_ambiguous, left_only, right_only;
    int64_t left_keyless, right_keyless; /* among those */
    int64_t contested;                   /* rows that went through the levels */
};

int match_join(const struct join_options *options, struct join_counts *ret_counts, struct error *err);
