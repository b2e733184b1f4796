/* One request after another until none redirects any more, with what each may see of our secrets. */
#include "fetch/http_inside.h"

#include <inttypes.h>

#define MAX_REDIRECTS 10

/* line: a new string, which is freed. */
static void add_header(struct http *h, char *line)
{
    struct curl_slist *longer = curl_slist_append(h->sent, line);
    if (!longer)
        abort(); /* no memory */
    h->sent = longer;
    free(line);
}

const char *http_validator(const struct http *h)
{
    return answer_etag_is_strong(h->base.etag) ? h->base.etag : h->base.last_modified;
}

/* own: our own headers may go there. */
static void make_headers(struct http *h, int64_t offset, bool own)
{
    curl_slist_free_all(h->sent);
    h->sent = NULL;
    add_header(h, xstrdup("Accept-Encoding: identity")); /* else ranges would count other bytes than we do */
    for (size_t i = 0; own && i < h->n_headers; i++)
        add_header(h, xstrdup(h->headers[i]));
    if (offset > 0) {
        add_header(h, xasprintf("Range: bytes=%" PRId64 "-", offset));
        add_header(h, xasprintf("If-Range: %s", http_validator(h)));
    }
    if (!h->opened && h->if_etag)
        add_header(h, xasprintf("If-None-Match: %s", h->if_etag));
    if (!h->opened && h->if_modified)
        add_header(h, xasprintf("If-Modified-Since: %s", h->if_modified));
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

int http_ask(struct http *h, int64_t offset, struct answer *ret_answer, struct fetch_fault *fault)
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
