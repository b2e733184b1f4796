/*
 * A wire over HTTP: redirects, another try where that may help, and going on where it broke. Going on means a Range with
 * If-Range (RFC 9110, 13.1.5), and every answer is held against the first: what became another thing is never glued on.
 * Each new request begins at the URL that was typed, as what it redirects to may be valid for minutes only.
 */
#include "fetch/http.h"

#include "fetch/request.h"
#include "util/clock.h"
#include "util/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

#define MAX_REDIRECTS 10
#define MAX_PAUSE_US  (60 * US_PER_SEC)

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

/* ---- one request, as far as its headers ---- */

static void add_header(struct http *h, const char *fmt, ...) _printf_(2, 3);
static void add_header(struct http *h, const char *fmt, ...)
{
    va_list ap;
    char *line;
    va_start(ap, fmt);
    int n = vasprintf(&line, fmt, ap);
    va_end(ap);
    struct curl_slist *longer = n < 0 ? NULL : curl_slist_append(h->sent, line);
    if (!longer)
        abort();
    h->sent = longer;
    free(line);
}

/* What may stand in If-Range; NULL when there is none. */
static const char *validator(const struct http *h)
{
    return answer_etag_is_strong(h->base.etag) ? h->base.etag : h->base.last_modified;
}

/* own: to whom our own headers and credentials may go. */
static void make_headers(struct http *h, int64_t offset, bool own)
{
    curl_slist_free_all(h->sent);
    h->sent = NULL;
    add_header(h, "Accept-Encoding: identity"); /* else ranges would count other bytes than we do */
    for (size_t i = 0; own && i < h->n_headers; i++)
        add_header(h, "%s", h->headers[i]);
    if (offset > 0) {
        add_header(h, "Range: bytes=%" PRId64 "-", offset);
        add_header(h, "If-Range: %s", validator(h));
    }
    if (!h->opened && h->if_etag)
        add_header(h, "If-None-Match: %s", h->if_etag);
    if (!h->opened && h->if_modified)
        add_header(h, "If-Modified-Since: %s", h->if_modified);
}

static bool is_redirect(const struct answer *a)
{
    return a->location &&
           (a->status == 301 || a->status == 302 || a->status == 303 || a->status == 307 || a->status == 308);
}

static int ask_once(
    struct http *h, const struct target *t, int64_t offset, struct answer *ret, struct fetch_fault *fault)
{
    bool own = target_same_origin(&h->first, t);
    request_stop(h->request);
    make_headers(h, offset, own);
    struct request_options o = {.headers = h->sent,
        .credentials = true, /* those of t's own URL */
        .stall_us = h->stall_us,
        .connect_timeout_us = h->connect_timeout_us,
        .ca_file = h->ca_file};
    free(h->base.label);
    h->base.label = xstrdup(t->label);
    return request_start(h->request, t, &o, ret, fault);
}

/* Where the answer leads; the user and password go along to the same server alone. */
static int follow(struct http *h, const struct target *from, const struct answer *a, struct target *ret_next,
    struct fetch_fault *fault)
{
    _cleanup_target_ struct target next = {0};
    _cleanup_free_ char *location = target_tidy(SLICE(a->location));
    if (target_parse(location, from, &next, fault) < 0)
        return error_prefix(&fault->error, "%s redirects", from->label);
    if (target_is_https(from) && !target_is_https(&next))
        return fetch_fault_set(fault, false,
            "cannot fetch %s: it redirects from https to plain http (%s), which anybody on the way could "
            "read or change",
            from->label, next.label);
    if (target_same_origin(&h->first, &next) && !next.user) {
        next.user = xstrdup(h->first.user);
        free(next.password);
        next.password = xstrdup(h->first.password);
    }
    *ret_next = next;
    next = (struct target){0};
    return 0;
}

static int ask(struct http *h, int64_t offset, struct answer *ret_answer, struct fetch_fault *fault)
{
    _cleanup_target_ struct target at = {0};
    for (int hops = 0;; hops++) {
        const struct target *t = hops > 0 ? &at : &h->first;
        _cleanup_answer_ struct answer a = {0};
        if (ask_once(h, t, offset, &a, fault) < 0)
            return -1;
        if (!is_redirect(&a)) {
            *ret_answer = a;
            a = (struct answer){0};
            target_done(&h->last);
            h->last = at;
            at = (struct target){0};
            return 0;
        }
        if (hops == MAX_REDIRECTS)
            return fetch_fault_set(fault, false,
                "cannot fetch %s: more than %d redirects, the last one to %s", h->first.label, MAX_REDIRECTS,
                t->label);
        struct target next;
        if (follow(h, t, &a, &next, fault) < 0)
            return -1;
        target_done(&at);
        at = next;
    }
}

/* ---- what to make of an answer ---- */

static const char *advice(int status)
{
    static const struct {
        int status;
        const char *words;
    } list[] = {
        {401, ": check the user and the password in its URL"},
        {403, ": it does not let us have it; check the user, or the address it allows"},
        {404, ": check the path"},
        {407, ": the proxy wants a user and a password"},
        {410, ": it is gone for good"},
        {429, ": it is asked too often"},
        {503, ": it is overloaded, or under repair"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        if (list[i].status == status)
            return list[i].words;
    return "";
}

static int refused(struct http *h, const struct answer *a, struct fetch_fault *fault)
{
    bool later = a->status == 408 || a->status == 425 || a->status == 429 || a->status >= 500;
    fault->status = a->status;
    return fetch_fault_set(fault, later, "cannot fetch %s: the server answered %d%s%s%s", h->base.label,
        a->status, a->reason[0] ? " " : "", a->reason, advice(a->status));
}

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool differs(const char *a, const char *b)
{
    return a && b && strcmp(a, b) != 0;
}

/* Is the answer one about the thing that was opened? */
static int check_same(struct http *h, const struct answer *a, int64_t total, struct fetch_fault *fault)
{
    const struct wire *w = &h->base;
    if (differs(w->etag, a->etag))
        return fetch_fault_changed(
            fault, "%s became another one while it was read: its ETag changed", w->label);
    if (!(w->etag && a->etag) && differs(w->last_modified, a->last_modified))
        return fetch_fault_changed(
            fault, "%s became another one while it was read: its Last-Modified changed", w->label);
    if (w->total >= 0 && total >= 0 && total != w->total)
        return fetch_fault_changed(fault,
            "%s became another one while it was read: of %" PRId64 " bytes it has %" PRId64 " now", w->label,
            w->total, total);
    return 0;
}

static char *name_of(const struct http *h, const struct answer *a)
{
    if (a->name)
        return xstrdup(a->name);
    const struct target *last = http_target(&h->base);
    const char *name = fetch_last_parts(last->path, 0);
    if (!*name)
        name = fetch_last_parts(h->first.path, 0);
    char *copy = *name ? xstrdup(name) : NULL;
    if (copy)
        text_make_printable(copy);
    return copy;
}

static void note_facts(struct http *h, const struct answer *a)
{
    struct wire *w = &h->base;
    w->url = xstrdup(http_target(w)->label);
    w->name = name_of(h, a);
    w->etag = xstrdup(a->etag);
    w->last_modified = xstrdup(a->last_modified);
    w->content_type = xstrdup(a->content_type);
    w->total = h->unchanged ? -1 : a->length;
    time_t at = a->last_modified ? curl_getdate(a->last_modified, NULL) : -1;
    w->modified_us = at < 0 ? -1 : (int64_t)at * US_PER_SEC;
    h->opened = true;
}

/* A server that does not know conditions says 200 and the same ETag. */
static bool is_unchanged(const struct http *h, const struct answer *a)
{
    if (a->status == 304)
        return h->if_etag || h->if_modified;
    if (h->if_etag || a->etag)
        return answer_etag_is_strong(a->etag) && same_text(h->if_etag, a->etag);
    return same_text(h->if_modified, a->last_modified);
}

static int judge_body(struct http *h, const struct answer *a, struct fetch_fault *fault)
{
    if (a->length == -2)
        return fetch_fault_set(fault, false,
            "cannot fetch %s: its Content-Length is no number, or said twice and not the same",
            h->base.label);
    if (a->odd_encoding)
        return fetch_fault_set(fault, false,
            "cannot fetch %s: the server packs it (Content-Encoding) in a way that was not asked for",
            h->base.label);
    return 0;
}

/* The first answer, or one to the same question when nothing had come yet. */
static int judge_whole(struct http *h, const struct answer *a, struct fetch_fault *fault)
{
    if (!h->opened && is_unchanged(h, a)) {
        h->unchanged = h->complete = true;
        note_facts(h, a);
        return 0;
    }
    if (a->status != 200 && a->status != 203)
        return refused(h, a, fault);
    if (judge_body(h, a, fault) < 0)
        return -1;
    if (h->opened)
        return check_same(h, a, a->length, fault);
    note_facts(h, a);
    return 0;
}

static int judge_rest(struct http *h, const struct answer *a, int64_t offset, struct fetch_fault *fault)
{
    struct wire *w = &h->base;
    if (a->status == 416 && w->total < 0 && a->range_at < 0 &&
        a->range_total == offset) { /* it broke at its very end */
        h->complete = true;
        return check_same(h, a, -1, fault);
    }
    if (a->status == 200 || a->status == 416)
        return fetch_fault_changed(fault,
            "%s broke off after %" PRId64
            " bytes, and the server does not go on from there: it became another one, or the "
            "server knows no ranges",
            w->label, offset);
    if (a->status != 206)
        return refused(h, a, fault);
    if (judge_body(h, a, fault) < 0 || check_same(h, a, a->range_total, fault) < 0)
        return -1;
    if (a->range_at != offset || (w->total >= 0 && a->length > w->total - offset))
        return fetch_fault_changed(fault,
            "%s was asked for from byte %" PRId64 " on, and the server sends another part", w->label, offset);
    if (w->total < 0)
        w->total = a->range_total;
    return 0;
}

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
        if (ask(h, offset, &a, &why) == 0 &&
            (offset > 0 ? judge_rest(h, &a, offset, &why) : judge_whole(h, &a, &why)) == 0)
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
    if (w->received > 0 && !validator(h))
        return fetch_fault_set(fault, true,
            "%s broke off after %" PRId64
            " bytes (%s), and nothing tells whether what is there now is still the same (no "
            "strong ETag, no Last-Modified): it is to be read from the start",
            w->label, w->received, why);
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
