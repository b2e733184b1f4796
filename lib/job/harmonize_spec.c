#include "job/harmonize_spec.h"

#include "config/config.h"
#include "job/take.h"
#include "util/cleanup.h"
#include "util/text.h"

void job_store_take(struct job_store *to, const struct config *config, const char *name)
{
    const struct config_store *from = config_find_store(config, name);
    bool s3 = strncmp(from->url, "s3://", 5) == 0;
    *to = (struct job_store){
        .name = xstrdup(from->name),
        .url = xstrdup(from->url),
        .endpoint = xstrdup(from->endpoint),
        .region = s3 ? xstrdup(from->region) : NULL,
        .path_style = s3 && strcmp(from->addressing, "path") == 0,
        .credentials_file = xstrdup(from->credentials_file),
        .ca_file = xstrdup(from->ca_file),
    };
}

static void take_feed(struct job_feed *to, const struct config *config, const struct config_feed *from)
{
    to->name = xstrdup(from->name);
    to->prefix = xstrdup(from->prefix ? from->prefix : "");
    if (from->database) {
        job_database_take(&to->database, config, from->database);
        to->table = xstrdup(from->table);
        to->sql = xstrdup(from->sql);
        return;
    }
    job_store_take(&to->store, config, from->store);
    to->pattern = xstrdup(from->pattern);
    to->format = strcmp(from->format, "auto") == 0 ? NULL : xstrdup(from->format);
    to->delimiter = xstrdup(from->delimiter);
    job_words_split(&to->columns, from->columns, text_next_item);
    job_words_split(&to->null_tokens, from->null_tokens, text_next_word);
}

static void take_target(struct job_target *to, const struct config_target *from)
{
    to->name = xstrdup(from->name);
    job_words_split(&to->key, from->key, text_next_item);
    job_words_split(&to->references, from->references, text_next_item);
}

void job_harmonize_take(struct job_harmonize *to, const struct config *config, const struct config_job *from)
{
    to->n_sources = from->sources.n;
    to->sources = xcalloc(to->n_sources, sizeof(*to->sources));
    for (size_t i = 0; i < to->n_sources; i++)
        take_feed(&to->sources[i], config, &from->sources.list[i]);
    to->n_tables = from->tables.n;
    to->tables = xcalloc(to->n_tables, sizeof(*to->tables));
    for (size_t i = 0; i < to->n_tables; i++)
        take_target(&to->tables[i], &from->tables.list[i]);
    job_words_split(&to->transform, from->transform, text_next_item);
    job_words_split(&to->variables, from->variables, text_next_item);
    job_store_take(&to->lake, config, from->lake);
    to->tenant = xstrdup(config->tenant);
    to->revision = xstrdup(from->revision);
    to->full_every_us = from->full_every_us;
    to->keep_versions_us = from->keep_versions_us;
    to->max_rejected = from->max_rejected;
    to->folder = xasprintf("%s/harmonize/%s", config->state_dir, from->name);
}
