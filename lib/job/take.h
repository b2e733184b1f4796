#pragma once
/* From a job as the configuration has it to a worker's spec: for the daemon, and for a run without one. */
#include "job/spec.h"

struct config;
struct config_job;

/* All but what is a run's own: its numbers, its time, its windows. to: zeroed. */
void job_spec_take(struct job_spec *to, const struct config *config, const struct config_job *from);
/* The database of that name, or the one under `postgres:` where there is no name, or it is that. to: zeroed. */
void job_database_take(struct job_database *to, const struct config *config, const char *name);
