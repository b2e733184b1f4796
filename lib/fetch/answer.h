#pragma once
/* What a server says before the body: RFC 9110, as far as a download needs it. */
#include "fetch/inside.h"

#include <curl/curl.h>

#define RETRY_AFTER_MAX_US (INT64_C(600) * 1000000)

struct answer {
    int status;
    char reason[80]; /* what a server calls it, printable; "" */
    char *etag, *last_modified, *content_type, *name, *location;
    int64_t length;                /* Content-Length; -1: none; -2: one that is none */
    int64_t retry_after_us;        /* at most RETRY_AFTER_MAX_US; -1: none */
    int64_t range_at, range_total; /* Content-Range; -1: none, or "*" */
    bool odd_encoding;             /* a Content-Encoding that is not unpacked here */
};

/* The header's value, the library's own; NULL when there is none or it is absurd. */
const char *answer_header(CURL *easy, const char *name);
/* After the headers have come: what they say. */
void answer_read(CURL *easy, const char *status_line, struct answer *ret_answer);
void answer_done(struct answer *a);
#define _cleanup_answer_ _cleanup_(answer_done)

/* Of a status that is no success: whether it may go well later, and what to do about it (": check the path", or ""). */
bool answer_is_transient(int status);
const char *answer_advice(int status);

/* Seconds or an HTTP date, from now on, at most RETRY_AFTER_MAX_US; -1 when it is neither. */
int64_t answer_retry_after(const char *value, int64_t now_us);
/* "bytes 500-999/1234": at and total; "bytes *" "/1234": at is -1; "…/ *": total is -1. */
bool answer_content_range(const char *value, int64_t *ret_at, int64_t *ret_total);
/* The file name of a Content-Disposition, without folders; a new string, or NULL. */
char *answer_disposition_name(const char *value);
/* Good for If-Range: not a weak one, not an absurd one. */
bool answer_etag_is_strong(const char *etag);
