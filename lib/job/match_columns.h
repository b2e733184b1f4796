#pragma once
/* The columns of a match's table, in their order (docs/match.md): what they are called, and what is in them. */
#include "job/spec.h"

enum match_type {
    MATCH_TYPE_DATE,
    MATCH_TYPE_WORD,  /* of ours, short */
    MATCH_TYPE_TEXT,  /* of anybody's, of any length */
    MATCH_TYPE_SCORE, /* 0 to 1, three decimals */
    MATCH_TYPE_FLAG,
    MATCH_TYPE_COUNT,
};

struct match_column {
    char *name;
    enum match_type type;
    bool may_come; /* a table that was made for other rules or columns gets it */
};

struct match_columns {
    struct match_column *list;
    size_t n;
};

/* Where the fixed ones are; behind the tie-breaks' those of the sides, and at the end MATCH_AT_END. */
enum { MATCH_AT_DATE, MATCH_AT_OUTCOME, MATCH_AT_REASON, MATCH_AT_SCORE, MATCH_AT_AGREES };
enum { MATCH_END_COUNT, MATCH_END_CANDIDATES, MATCH_END_SIDE, MATCH_END_RAW, MATCH_N_END };

/* Where LEFT_id is; RIGHT_id, LEFT_active and RIGHT_active are behind it, then the columns that are carried. */
static inline size_t match_at_ids(const struct job_match *match)
{
    return MATCH_AT_AGREES + match->n_tie_breaks;
}

static inline size_t match_at_carried(const struct job_match *match, bool right)
{
    return match_at_ids(match) + 4 + (right ? match->left.columns.n : 0);
}

static inline size_t match_at_end(const struct job_match *match)
{
    return match_at_carried(match, true) + match->right.columns.n;
}

/* Refuses two of one name, whatever their case, and names that a database has no room for. */
int match_columns_make(const struct job_match *match, struct match_columns *ret_columns, struct error *err);
void match_columns_done(struct match_columns *columns);
#define _cleanup_match_columns_ _cleanup_(match_columns_done)
