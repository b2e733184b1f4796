#pragma once
/* From a harmonize as the configuration has it to what a worker is told of it. */
#include "job/spec.h"

struct config;
struct config_job;

/* to: zeroed, as in a spec. */
void job_harmonize_take(struct job_harmonize *to, const struct config *config, const struct config_job *from);
/* The store of that name, which there is. to: zeroed. */
void job_store_take(struct job_store *to, const struct config *config, const char *name);
