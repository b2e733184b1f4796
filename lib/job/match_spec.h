#pragma once
/* From a match as the configuration has it to what a worker is told of it. */
#include "job/spec.h"

struct config;
struct config_job;

/* What it is told beside its sink. to: zeroed, as in a spec. */
void job_match_take(struct job_match *to, const struct config *config, const struct config_job *from);
