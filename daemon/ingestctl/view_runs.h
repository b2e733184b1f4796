#pragma once
/* Runs for a person: from the daemon's answer to lines of text. */
#include "util/buffer.h"

struct cJSON;

/* A line a run. */
void view_runs(struct buffer *to, const struct cJSON *runs, bool color);
/* One run, with everything that is known. */
void view_run(struct buffer *to, const struct cJSON *run, bool color);
/* What it counted, a line each; and the rows that it returned, as a table. Nothing where there are none. */
void view_run_stats(struct buffer *to, const struct cJSON *run, bool color);
void view_run_result(struct buffer *to, const struct cJSON *run, bool color);
/* How a failed run ended: what was wrong, its exit, its last words. */
void view_run_failure(struct buffer *to, const struct cJSON *run, bool color);
/* What it is for: its window, or the time it was scheduled for. Also of RunJob's answer. */
const char *view_run_for(const struct cJSON *run, char out[80]);
/* True when it is over: done, failed, cancelled, skipped. */
bool view_run_is_over(const struct cJSON *run);
