#pragma once
/* What the files of the HTTP wire share. */
#include "fetch/http.h"
#include "fetch/request.h"

struct http {
    struct wire base;
    struct request *request;
    struct target first, last; /* as typed, and after redirects */
    char **headers;
    size_t n_headers;
    char *if_etag, *if_modified; /* what is there already; or NULL */
    char *ca_file;
    struct curl_slist *sent; /* the headers of the request under way */
    int retries;
    int64_t retry_after_us, stall_us, connect_timeout_us;
    int failures; /* in a row without a byte */
    bool opened, unchanged, complete;
};

/* What may stand in If-Range; NULL when there is none. */
const char *http_validator(const struct http *h);

/* Asks for what begins at the offset, follows redirects, and has the last one's answer. */
int http_ask(struct http *h, int64_t offset, struct answer *ret_answer, struct fetch_fault *fault);

/* Whether that answer is about the thing that was asked for; the first one's facts are noted. */
int http_judge(struct http *h, const struct answer *a, int64_t offset, struct fetch_fault *fault);
