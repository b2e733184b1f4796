#pragma once
/* Jobs for a person: from the daemon's answer to lines of text. */
#include "util/buffer.h"

#include "grid.h"

struct cJSON;

/* A line a job: its schedule, state, last success and next firing. Nothing where there is no job. */
void view_jobs_in_short(struct buffer *to, const struct cJSON *status, bool color);
/* A line a job with its next firings, below it what is wrong and what to do; then who leads. Of Jobs. */
void view_jobs(struct buffer *to, const struct cJSON *answer, bool color);
/* One such line with what is below it, and before it the tenant where there is one (NULL: none). */
void view_job_row(struct grid *g, const char *tenant, const struct cJSON *job);
/* One job, with everything that is known. */
void view_job(struct buffer *to, const struct cJSON *job, bool color);
