#pragma once
/*
 * One HTTP request, pulled: libcurl's multi interface runs only while somebody waits for bytes, and is paused when
 * REQUEST_HELD_MAX of them wait for somebody.
 */
#include "fetch/answer.h"
#include "fetch/target.h"

#include <stdatomic.h>

#define REQUEST_HELD_MAX ((size_t)1 << 20)

/* What is sent along: memory, or a part of a file. */
struct request_body {
    const char *p; /* or NULL: of the file */
    int fd;
    int64_t at, n;
};

/* Everything in it stays the caller's, until the request is stopped. */
struct request_options {
    struct curl_slist *headers;
    bool credentials; /* send the target's user and password */
    int64_t stall_us, connect_timeout_us;
    const char *ca_file;             /* or NULL */
    const char *method;              /* NULL: GET */
    const struct request_body *body; /* or NULL */
    /* Sign it as AWS wants it (SigV4): for whom, "aws:amz:REGION:s3", with these keys. */
    const char *sign, *access_key, *secret_key;
    /* The connection serves the next request too, where this one was read to its end. The length is libcurl's then: what
     * comes beyond it is not told from the next answer, so that the connection is closed instead. */
    bool keep;
    bool
        alone; /* on a connection of its own: on an older one libcurl may ask twice where the first is not answered */
    const char *what;        /* for messages, "fetch http://…"; or NULL: that */
    const atomic_bool *stop; /* another thread sets it to end this one; or NULL */
};

/* What every request of ours has, on a handle that was reset: no redirects, no length that libcurl counts, no old TLS. */
void request_prepare(CURL *easy, const struct target *target, const struct request_options *options);
/* Whether it will be the same however often it is tried. */
bool request_is_lasting(CURLcode code);

/* How a request stands. */
enum request_end {
    REQUEST_GOES_ON,
    REQUEST_COMPLETE, /* all that was promised has come */
    REQUEST_TOO_LONG, /* more came than was promised */
    REQUEST_BROKEN,   /* it broke, or stalled: request_why() */
};

struct request;
struct request *request_new(void);
void request_free(struct request *r);

/* Asks, and waits for the headers. -1: it did not get that far. */
int request_start(struct request *r, const struct target *target, const struct request_options *options,
    struct answer *ret_answer, struct fetch_fault *fault);
/* The body's bytes: waits for at least one. 0: look at *ret_end. */
size_t request_read(struct request *r, char *p, size_t n, enum request_end *ret_end);
/* Ends it, whatever it does. */
void request_stop(struct request *r);
/* A header of the answer, valid until it is stopped; NULL when there is none, or it is absurd. */
const char *request_header(const struct request *r, const char *name);
/* Why it broke, in words. */
const char *request_why(const struct request *r);
