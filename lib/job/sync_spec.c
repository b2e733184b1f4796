#include "job/sync_spec.h"

#include "config/config.h"
#include "util/text.h"

static void split(struct job_words *to, const char *text)
{
    for (char *word; (word = text_next_word(&text)); free(word))
        if (*word)
            job_words_add(to, word);
}

void job_sync_take(struct job_sync *to, const struct config_job *from)
{
    to->source = xstrdup(from->source);
    to->pattern = xstrdup(from->pattern);
    to->member = xstrdup(from->member);
    to->delimiter = xstrdup(from->delimiter);
    to->since = xstrdup(from->since);
    to->max_removed = from->max_removed;
    to->max_rejected = from->max_rejected;
    split(&to->key, from->key);
    split(&to->null_tokens, from->null_tokens);
}
