#include "job/rest_spec.h"

#include "config/value.h"
#include "util/cleanup.h"
#include "util/text.h"

static void split_headers(struct job_words *to, const char *text)
{
    for (const char *at = text; at && *at; at += strspn(at, ", ")) {
        size_t n = value_header_end(at);
        _cleanup_free_ char *header = xstrndup(at, n);
        job_words_add(to, header);
        at += n;
    }
}

/* Of an API that says it like most: newest first. */
static char *usual_order(const char *updated)
{
    return updated ? xasprintf("sort_field=%s&sort_dir=desc", updated) : NULL;
}

void job_rest_take(struct job_rest *to, const struct config_rest *from)
{
    *to = (struct job_rest){
        .rows = xstrdup(from->rows),
        .paging = xstrdup(from->paging),
        .page_size = from->page_size,
        .first_page = from->first_page,
        .parallel = from->parallel,
        .per_second = from->per_second,
        .order = xstrdup(from->order),
        .updated = xstrdup(from->updated),
        .updated_order = from->updated_order ? xstrdup(from->updated_order) : usual_order(from->updated),
        .full_every_us = from->full_every_us,
        .header_file = xstrdup(from->header_file),
        .token_file = xstrdup(from->token_file),
        .credentials_file = xstrdup(from->credentials_file),
        .next = xstrdup(from->next),
        .cursor = xstrdup(from->cursor),
        .limit = xstrdup(from->limit),
        .offset = xstrdup(from->offset),
        .page = xstrdup(from->page),
    };
    job_words_split(&to->fields, from->fields, text_next_word);
    split_headers(&to->headers, from->headers);
}
