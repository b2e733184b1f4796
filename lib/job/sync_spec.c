#include "job/sync_spec.h"

#include "config/config.h"
#include "job/rest_spec.h"
#include "util/cleanup.h"
#include "util/text.h"

void job_sync_take(struct job_sync *to, const struct config_job *from)
{
    to->source = xstrdup(from->source);
    to->pattern = xstrdup(from->pattern);
    to->member = xstrdup(from->member);
    to->delimiter = xstrdup(from->delimiter);
    to->since = xstrdup(from->since);
    to->max_removed = from->max_removed;
    to->max_rejected = from->max_rejected;
    if (from->rest.rows)
        job_rest_take(&to->rest, &from->rest);
    job_words_split(&to->key, from->key, text_next_word);
    job_words_split(&to->types, from->types, text_next_word);
    job_words_split(&to->null_tokens, from->null_tokens, text_next_word);
}
