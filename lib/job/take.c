#include "job/take.h"

#include "config/config.h"
#include "job/harmonize_spec.h"
#include "job/match_spec.h"
#include "job/sync_spec.h"
#include "util/cleanup.h"

void job_database_take(struct job_database *to, const struct config *config, const char *name)
{
    const struct config_database *d = name ? config_find_database(config, name) : NULL;
    to->url = xstrdup(d ? d->url : config->postgres.url);
    to->password_file = xstrdup(d ? d->password_file : config->postgres.password_file);
}

void job_spec_take(struct job_spec *to, const struct config *config, const struct config_job *from)
{
    to->job = xstrdup(from->name);
    to->kind = xstrdup(from->kind);
    to->sql = xstrdup(from->sql ? from->sql : "-");
    to->table = xstrdup(from->table);
    to->time_zone = xstrdup(from->time_zone ? from->time_zone : "UTC");
    if (from->source)
        job_sync_take(&to->sync, from);
    if (strcmp(from->kind, "match") == 0)
        job_match_take(&to->match, config, from);
    if (strcmp(from->kind, "harmonize") == 0)
        job_harmonize_take(&to->harmonize, config, from);
    job_database_take(&to->database, config, from->database);
    job_database_take(&to->books, config, NULL);
    to->schema = xstrdup(config->postgres.schema);
    to->time_limit_us = from->time_limit_us;
    to->memory_max = from->memory_max;
    to->result_rows = from->result_rows;
    to->transaction = !from->transaction || strcmp(from->transaction, "no") != 0;
}
