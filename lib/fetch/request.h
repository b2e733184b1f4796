#pragma once
/*
 * One HTTP request, pulled: libcurl's multi interface runs only while somebody waits for bytes, and is paused when
 * REQUEST_HELD_MAX of them wait for somebody.
 */
#include "fetch/answer.h"
#include "fetch/target.h"

#define REQUEST_HELD_MAX ((size_t)1 << 20)

struct request_options {
    struct curl_slist *headers; /* stays the caller's, until the request is stopped */
    bool credentials;           /* send the target's user and password */
    int64_t stall_us, connect_timeout_us;
    const char *ca_file; /* or NULL */
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
/* Why it broke, in words. */
const char *request_why(const struct request *r);
