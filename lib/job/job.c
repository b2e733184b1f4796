#include "job/job.h"

static const struct job_kind *const kinds[] = {
    &job_rollup, &job_query, &job_sync, &job_match, &job_harmonize, &job_probe, &job_history, &job_sql};

const struct job_kind *job_kind_find(const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}
