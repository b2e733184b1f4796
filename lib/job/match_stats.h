#pragma once
/* What a match found, in numbers: what `ingestctl` shows and a run keeps. */
#include "job/match_read.h"
#include "match/join.h"

struct cJSON;

struct match_tally {
    struct join_counts join;
    int64_t activity[2][ACTIVITY_UNREADABLE + 1]; /* users of each side */
    struct match_share results;                   /* rows of either side that are in memory as results */
};

/* Each row of a side is accounted for once; a fault says what is not. */
int match_stats_check(const struct match_reading *all, const struct match_tally *tally, struct error *err);
/* {"matched", "contested", "left": {…}, "right": {…}}, a new object. */
struct cJSON *match_stats_found(const struct match_reading *all, const struct match_tally *tally);

void match_stats_add_seconds(struct cJSON *to, const char *name, int64_t us);
