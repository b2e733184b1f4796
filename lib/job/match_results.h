#pragma once
/*
 * What comes of the rows of both sides, made by joining them in a thread of its own while they are loaded, so that neither
 * waits for the other. Whether the account is even is known at the end, which the load hears before it commits.
 */
#include "db/load.h"
#include "job/match_read.h"

struct cJSON;
struct match_results;

/* all: the caller's, as long as there are results. */
int match_results_new(const struct match_reading *all, const char *report_date,
    struct match_results **ret_results, struct db_fault *fault);
/* Ends the join, if it has not ended. */
void match_results_free(struct match_results *r);
DEFINE_CLEANUP(struct match_results *, match_results_freep, match_results_free)

/* Once both sides are read. */
int match_results_begin(struct match_results *r, struct db_fault *fault);
/* A db_next_row, of those that go into the table; arg: the results. 0 when all is even. */
int match_results_next(void *arg, const struct db_value **ret_values, struct db_fault *fault);
/* The join failed, or the account was not even: so will the next one of what is staged. */
bool match_results_have_failed(const struct match_results *r);

/* After the end: what match_stats_found() says; how many went into the table; how long the join took. */
const struct cJSON *match_results_found(const struct match_results *r);
int64_t match_results_rows(const struct match_results *r);
int64_t match_results_join_us(const struct match_results *r);
