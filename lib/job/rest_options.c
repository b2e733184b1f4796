#include "job/rest_options.h"

static enum rest_paging paging_of(const char *word)
{
    static const char *const words[] = {
        [REST_OFFSET] = "offset", [REST_PAGE] = "page", [REST_NEXT] = "next", [REST_CURSOR] = "cursor"};
    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        if (strcmp(words[i], word) == 0)
            return (enum rest_paging)i;
    return REST_OFFSET;
}

struct rest_options rest_options_take(const struct job_rest *rest)
{
    return (struct rest_options){
        .paging = paging_of(rest->paging),
        .offset = rest->offset,
        .limit = rest->limit,
        .page = rest->page,
        .next = rest->next,
        .cursor = rest->cursor,
        .rows = strcmp(rest->rows, ".") == 0 ? "" : rest->rows,
        .page_size = (int)rest->page_size,
        .first_page = (int)rest->first_page,
        .parallel = (int)rest->parallel,
        .per_second = (double)rest->per_second,
        .headers = (const char *const *)rest->headers.list,
        .n_headers = rest->headers.n,
        .header_file = rest->header_file,
        .token_file = rest->token_file,
        .credentials_file = rest->credentials_file,
        .fields = (const char *const *)rest->fields.list,
        .n_fields = rest->fields.n,
        .updated = rest->updated,
        .retries = -1,
    };
}
