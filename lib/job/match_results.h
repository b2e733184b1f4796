#pragma once
/*
 * What comes of the rows of both sides, as it waits in the match's folder to be loaded; made by joining them, or found there
 * from a run that was killed.
 */
#include "db/load.h"
#include "job/match_read.h"

struct cJSON;
struct match_results;

int match_results_new(const struct job_spec *spec, const char *report_date, struct match_state *state,
    struct match_results **ret_results, struct db_fault *fault);
void match_results_free(struct match_results *r);
DEFINE_CLEANUP(struct match_results *, match_results_freep, match_results_free)

/* False: there are none, or none that can be read; a note says so. */
bool match_results_find(struct match_results *r, struct cJSON *notes);
int match_results_make(struct match_results *r, const struct match_reading *all, struct error *err);

/* What match_stats_found() said. */
const struct cJSON *match_results_found(const struct match_results *r);
/* Those that go into the table. */
int64_t match_results_rows(const struct match_results *r);

int match_results_rewind(struct match_results *r, struct error *err);
/* A db_next_row; arg: the results. */
int match_results_next(void *arg, const struct db_value **ret_values, struct db_fault *fault);
/* They cannot be read back. */
bool match_results_are_damaged(const struct match_results *r);
