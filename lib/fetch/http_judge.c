/* What to make of an answer: is it the thing, the rest of it, or none of both? */
#include "fetch/http_inside.h"

#include "util/clock.h"
#include "util/text.h"

#include <inttypes.h>

static int refused(struct http *h, const struct answer *a, struct fetch_fault *fault)
{
    fault->status = a->status;
    return fetch_fault_set(fault, answer_is_transient(a->status),
        "cannot fetch %s: the server answered %d%s%s%s", h->base.label, a->status, a->reason[0] ? " " : "",
        a->reason, answer_advice(a->status));
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

int http_judge(struct http *h, const struct answer *a, int64_t offset, struct fetch_fault *fault)
{
    return offset > 0 ? judge_rest(h, a, offset, fault) : judge_whole(h, a, fault);
}
