#pragma once
/* From a job as the configuration has it, or the command line, to what a worker is told of it. */
#include "job/spec.h"

struct config_job;

/* What a sync is told beside its sink. to: zeroed, as in a spec. */
void job_sync_take(struct job_sync *to, const struct config_job *from);
