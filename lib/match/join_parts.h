#pragma once
/*
 * What the files of the join share: cursors that read rows of a side, hands that keep one while the cursor goes on, the ids
 * that are named as candidates, and how results are emitted and counted. Whoever holds a row here tells its side's share.
 */
#include "match/join.h"

enum { JOIN_LEFT, JOIN_RIGHT };

struct join {
    const struct join_options *options;
    const struct join_side *sides[2];
    struct join_counts counts;
};

/* Of the join's half of a side's share. The side's own sorter, which is read first, has 0.3 of the whole. */
#define JOIN_PART_LEVEL 0.12 /* one that is read and one that is filled */
#define JOIN_PART_LATE  0.08 /* of what waits */

/* Each of the files has as much. */
static inline size_t join_memory(const struct join *j)
{
    return MAX(j->options->memory / 10, (size_t)65536);
}
/* FOLDER/join-SIDE-WHAT, or with a number behind it where that is 0 or more; the caller frees it. */
char *join_path(const struct join *j, int side, const char *what, int number);
/* The names of the tie-breaks of a level, or `none` where it has none. A new string. */
char *join_reason(const struct join *j, unsigned level, const char *none);
/* A level is a set of tie-breaks: the first is the highest bit. */
static inline bool join_level_has(const struct join *j, unsigned level, size_t tie_break)
{
    return level >> (j->options->n_tie_breaks - 1 - tie_break) & 1;
}
static inline struct slice join_id(const struct match_row *row)
{
    return row->cells[0].p ? (struct slice){row->cells[0].p, row->cells[0].n} : (struct slice){"", 0};
}

/* All zero is a valid cursor, without rows. */
struct cursor {
    struct join *join;
    const struct join_side *side;
    struct sorter *from; /* not owned */
    struct source_cell *cells;
    bool more;               /* the rest is a row's; else it is at the end */
    struct slice key, bytes; /* valid until the next step */
    struct match_row row;
};
/* Stands on the first row then, if there is one. */
int cursor_begin(struct cursor *c, struct join *j, int side, struct sorter *from, struct error *err);
int cursor_next(struct cursor *c, struct error *err);
void cursor_done(struct cursor *c);

struct hand {
    struct match_share *share;
    struct source_cell *cells;
    bool full;
    struct buffer key, bytes;
    struct match_row row;
};
void hand_init(struct hand *h, const struct join_side *side);
/* Takes the row the cursor stands on, in place of the one it had. */
void hand_take(struct hand *h, const struct cursor *c);
void hand_drop(struct hand *h);
void hand_done(struct hand *h);

/* Rows of a side that others cannot be told from: how many, and the ids of the first ones. */
struct names {
    struct match_share *share;
    int64_t n;
    size_t n_named, ends[MATCH_CANDIDATES_MAX];
    struct buffer ids;
};
void names_add(struct names *names, struct slice id);
struct slice names_id(const struct names *names, size_t i);
void names_clear(struct names *names);
void names_done(struct names *names);

/* Each emits a result, and counts it. */
int join_matched(struct join *j, const struct match_row *left, const struct match_row *right,
    const char *reason, struct error *err);
int join_alone(struct join *j, int side, const struct match_row *row, const char *reason, struct error *err);
int join_ambiguous(struct join *j, int side, const struct match_row *row, const char *reason,
    const struct names *others, struct error *err);
int join_damaged(const struct join *j, struct error *err);
