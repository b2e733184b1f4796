#pragma once
/*
 * One side: its source is read once, to the end, into two sorters: the rows by their match keys, and their ids, which find
 * the rows whose id came before. From time to time all so far is saved, so that another process can go on from there; of a
 * source that can be gone on with (a position) without asking again for what is staged. Two sides may be read by two threads.
 */
#include "match/join.h"
#include "match/row.h"
#include "match/share.h"
#include "match/sorter.h"
#include "source/source.h"

struct cJSON;

struct side_rule {
    const char *column;
    unsigned normal;
};

struct match_side;

/* What they point to stays the caller's, until the side is freed. */
struct side_options {
    const char *folder, *name; /* files: FOLDER/NAME-rows, FOLDER/NAME-ids, FOLDER/NAME-rejects */
    double fraction;
    size_t memory;
    const char *id;
    const char *active; /* column; NULL: there is none, and all are ACTIVITY_NEVER */
    int64_t report_day, active_days;
    const struct side_rule *keys, *tie_breaks;
    size_t n_keys, n_tie_breaks;
    const char *const *columns; /* to carry; each must be one of the source's */
    size_t n_columns;
    /* Where the source could be gone on with, if what it handed out so far is kept: a number of its own; -1: it cannot, or not
     * just now. NULL: never. */
    int64_t (*position)(void *arg);
    /* All rows so far are on the disk for good: what side_resume() needs, which becomes the callee's. Called when the source
     * has ended, and before that now and then where there is a position. -1 ends the whole. */
    int (*save)(void *arg, struct cJSON *saved, struct error *err);
    /* Called often while it is read; -1 ends the whole. */
    int (*progress)(void *arg, int64_t rows, struct error *err);
    void *arg;
};

struct side_counts {
    int64_t rows;       /* read: users + duplicates + rejected */
    int64_t users;      /* what is joined */
    int64_t duplicates; /* rows whose id came before: the first one stands */
    int64_t rejected;   /* rows that cannot be taken, or have no id */
};

/* The files are kept until side_discard(). */
int side_open(const struct side_options *options, struct match_side **ret_side, struct error *err);
/* What an earlier process saved, with the same options. ret_position: where its source goes on; -1: it was read to its end,
 * and side_read() is not called any more. */
int side_resume(const struct side_options *options, const struct cJSON *saved, struct match_side **ret_side,
    int64_t *ret_position, struct error *err);
void side_free(struct match_side *side);
DEFINE_CLEANUP(struct match_side *, side_freep, side_free)
/* The files are removed with it. */
void side_discard(struct match_side *side);

/* To its end. The columns are looked at first: one that is missing is a fault that names it and those there are. */
int side_read(struct match_side *side, struct source *source, struct source_fault *fault);
/* After that, and before the rest: finds the rows whose id came before, and of rejected ones those that came twice because
 * a page was asked for again. */
int side_find_duplicates(struct match_side *side, struct error *err);
/* After that: where its source was gone on with, no row was known, so that users between may be missing: it is to be read
 * from the start. */
bool side_has_gap(const struct match_side *side);

void side_counts(const struct match_side *side, struct side_counts *ret_counts);
struct match_share *side_share(struct match_side *side);
/* Rows by their keys, less the duplicates: for the join. */
void side_join(struct match_side *side, struct join_side *ret_join);
/* The rejected, in the order of their text; reason and raw are valid until the next call. 1, 0 at the end, -1. */
int side_next_reject(
    struct match_side *side, const char **ret_reason, struct slice *ret_raw, struct error *err);
