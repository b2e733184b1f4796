/*
 * A wire over HTTP: redirects, another try where that may help, and going on where it broke. Going on means a Range with
 * If-Range (RFC 9110, 13.1.5), and every answer is held against the first: what became another thing is never glued on.
 * Each new request begins at the URL that was typed, as what it redirects to may be valid for minutes only.
 */
#include "fetch/http_inside.h"

#include "util/clock.h"

#include <inttypes.h>
#include <time.h>

#define MAX_PAUSE_US (60 * US_PER_SEC)

/* ---- again and again ---- */

/* Waits: as long as the server says, else longer each time. */
static void wait_a_while(const struct http *h, int64_t retry_after_us)
{
    int64_t us = h->retry_after_us;
    for (int i = 1; i < h->failures && us < MAX_PAUSE_US; i++)
        us *= 2;
    us = retry_after_us >= 0 ? retry_after_us : MIN(us, MAX_PAUSE_US);
    struct timespec left = {.tv_sec = us / US_PER_SEC, .tv_nsec = us % US_PER_SEC * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) != 0)
        ;
}

/* Asks from the offset on until there is an answer that can be used. */
static int reach(struct http *h, int64_t offset, struct fetch_fault *fault)
{
    for (;;) {
        struct fetch_fault why = {0};
        _cleanup_answer_ struct answer a = {.retry_after_us = -1};
        if (http_ask(h, offset, &a, &why) == 0 && http_judge(h, &a, offset, &why) == 0)
            return 0;
        h->failures++;
        if (!why.transient || why.changed || h->failures > h->retries) {
            *fault = why;
            if (why.transient && !why.changed && h->failures > 1)
                error_prefix(&fault->error, "given up after %d attempts", h->failures);
            return -1;
        }
        wait_a_while(h, a.status ? a.retry_after_us : -1);
    }
}

static int go_on(struct http *h, const char *why, struct fetch_fault *fault)
{
    struct wire *w = &h->base;
    if (w->received > 0 && !http_validator(h)) {
        fetch_fault_set(fault, true,
            "%s broke off after %" PRId64
            " bytes (%s), and nothing tells whether what is there now is still the same (no "
            "strong ETag, no Last-Modified): it is to be read from the start",
            w->label, w->received, why);
        fault->changed = true;
        return -1;
    }
    if (++h->failures > h->retries)
        return fetch_fault_set(fault, true, "%s broke off after %" PRId64 " bytes, %d times in a row: %s",
            w->label, w->received, h->failures, why);
    wait_a_while(h, -1);
    if (reach(h, w->received, fault) < 0)
        return -1;
    w->resumed++;
    return 0;
}

static ssize_t http_read(struct wire *w, char *p, size_t n, struct fetch_fault *fault)
{
    struct http *h = (struct http *)w;
    while (!h->complete) {
        enum request_end end;
        size_t got = request_read(h->request, p, n, &end);
        bool too_long = end == REQUEST_TOO_LONG || (w->total >= 0 && (int64_t)got > w->total - w->received);
        if (too_long)
            return fetch_fault_set(fault, true,
                "%s is longer than the %" PRId64
                " bytes that its server promised: perhaps it is being written just now",
                w->label, w->total);
        if (got > 0) {
            h->failures = 0;
            return (ssize_t)got;
        }
        h->complete = end == REQUEST_COMPLETE && (w->total < 0 || w->received == w->total);
        const char *why =
            end == REQUEST_COMPLETE ? "the connection ended before its end" : request_why(h->request);
        if (!h->complete && go_on(h, why, fault) < 0)
            return -1;
    }
    return 0;
}

/* ---- life ---- */

static void http_free(struct wire *w)
{
    struct http *h = (struct http *)w;
    request_free(h->request);
    curl_slist_free_all(h->sent);
    target_done(&h->first);
    target_done(&h->last);
    for (size_t i = 0; i < h->n_headers; i++)
        free(h->headers[i]);
    free(h->headers);
    free(h->if_etag);
    free(h->if_modified);
    free(h->ca_file);
    wire_done(w);
    free(h);
}

static const struct wire_driver http_driver = {http_read, http_free};

const struct target *http_target(const struct wire *w)
{
    const struct http *h = (const struct http *)w;
    if (w->driver != &http_driver)
        return NULL;
    return h->last.url ? &h->last : &h->first;
}

/* A line break in one would be another header. */
static bool is_one_line(const char *text)
{
    return !text || !text[strcspn(text, "\r\n")];
}

static int take_options(struct http *h, const struct fetch_options *o, struct fetch_fault *fault)
{
    if (!is_one_line(o->etag) || !is_one_line(o->last_modified))
        return fetch_fault_set(fault, false,
            "cannot fetch %s: the ETag or the date to compare with holds a line break", h->base.label);
    h->headers = xcalloc(o->n_headers, sizeof(*h->headers));
    for (; h->n_headers < o->n_headers; h->n_headers++) {
        const char *header = o->headers[h->n_headers];
        if (!is_one_line(header) || !strchr(header, ':'))
            return fetch_fault_set(fault, false,
                "cannot fetch %s: header %zu to send is none: a name, a colon and a value, on one line",
                h->base.label, h->n_headers + 1);
        h->headers[h->n_headers] = xstrdup(header);
    }
    h->if_etag = xstrdup(o->etag);
    h->if_modified = xstrdup(o->last_modified);
    h->ca_file = xstrdup(o->ca_file);
    h->retries = o->retries;
    h->retry_after_us = o->retry_after_us;
    h->stall_us = o->stall_us;
    h->connect_timeout_us = o->connect_timeout_us;
    return 0;
}

static void http_freep(struct http **h)
{
    if (*h)
        http_free(&(*h)->base);
}

int http_open(const char *url, const struct fetch_options *options, struct wire **ret_wire,
    enum fetch_answer *ret_answer, struct fetch_fault *fault)
{
    _cleanup_(http_freep) struct http *h = xnew(struct http);
    wire_init(&h->base, &http_driver, url);
    if (target_parse(url, NULL, &h->first, fault) < 0 || take_options(h, options, fault) < 0)
        return -1;
    h->request = request_new();
    if (!h->request)
        return fetch_fault_set(fault, false, "cannot fetch %s: no memory", h->base.label);
    if (reach(h, 0, fault) < 0)
        return -1;
    h->failures = 0;
    *ret_answer = h->unchanged ? FETCH_UNCHANGED : FETCH_BODY;
    if (h->unchanged)
        request_stop(h->request);
    *ret_wire = &TAKE(h)->base;
    return 0;
}
