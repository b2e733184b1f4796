#pragma once
/* All tenants for a person, as tenants.h has them: {"tenants": [{"tenant", …}]}. */
#include "util/buffer.h"

struct cJSON;

/* A line a job, with its tenant before it. */
void view_tenants_jobs(struct buffer *to, const struct cJSON *answer, bool color);
/* A line a tenant, and below it what is wrong with it. */
void view_tenants_status(struct buffer *to, const struct cJSON *answer, bool color);
