#pragma once
/* How a REST resource's pages go, from the configuration to what a worker is told: of a sync, and of a match's side. */
#include "job/spec.h"

struct config_rest;

/* to: zeroed. */
void job_rest_take(struct job_rest *to, const struct config_rest *from);
