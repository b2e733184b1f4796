/* Jobs, and the databases they name. */
#include "config/config.h"
#include "config/entry.h"

const struct config_job *config_find_job(const struct config *c, const char *name)
{
    return entry_find(&section_job, c, name);
}

const struct config_database *config_find_database(const struct config *c, const char *name)
{
    return entry_find(&section_database, c, name);
}

bool config_job_equal(const struct config_job *a, const struct config_job *b)
{
    return entry_equal(&section_job, a, b);
}
