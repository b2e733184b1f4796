/*
 * Which page is asked for next, and whether a page that came continues the ones before it. Offsets overlap: a page continues
 * when its first row is one that was handed out lately. Rows that went before it have moved the list up: then a row may
 * have slipped through, and it is asked for from further ahead. Rows that came have moved it down: some come again, and are
 * dropped by their keys. docs/rest.md says why that is enough.
 */
#include "source/rest_inside.h"

#include <inttypes.h>

#define CALM_PAGES 64 /* so many without a shift, and they overlap less again */

static struct rest_page *page_at(struct rest *r, size_t i)
{
    size_t at = r->head + i;
    return &r->wire.pages[at < r->wire.n_pages ? at : at - r->wire.n_pages];
}

/* ---- asking ---- */

static char *with_parameters(const struct rest *r, const char *parameters)
{
    const char *url = r->wire.target.url;
    return xasprintf("%s%s%s", url, !*parameters ? "" : strchr(url, '?') ? "&" : "?", parameters);
}

static char *escape(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, (int)strlen(text)), *copy = xstrdup(escaped ? escaped : "");
    curl_free(escaped);
    return copy;
}

static char *make_url(struct rest *r)
{
    _cleanup_free_ char *limit = r->limit ? xasprintf("%s=%" PRId64, r->limit, r->page_size) : xstrdup("");
    const char *and = *limit ? "&" : "";
    _cleanup_free_ char *parameters = NULL, *word = NULL;
    if (r->paging == REST_OFFSET)
        parameters = xasprintf("%s=%" PRId64 "%s%s", r->offset, r->plan, and, limit);
    else if (r->paging == REST_PAGE)
        parameters = xasprintf("%s=%" PRId64 "%s%s", r->page, r->plan, and, limit);
    else if (!r->plan_next)
        parameters = xstrdup(limit);
    else if (r->paging == REST_NEXT)
        return TAKE(r->plan_next);
    else {
        word = escape(r->plan_next);
        parameters = xasprintf("%s=%s%s%s", r->cursor, word, and, limit);
        free(TAKE(r->plan_next));
    }
    return with_parameters(r, parameters);
}

static void ask(struct rest *r)
{
    struct rest_page *p = page_at(r, r->n_used++);
    p->number = r->pages + (int64_t)r->n_used - (r->current != NULL);
    p->offset = r->plan;
    p->limit = r->page_size;
    rest_wire_ask(p, make_url(r));
    r->plan += r->paging == REST_OFFSET ? r->page_size - r->overlap : 1;
}

static bool is_chain(const struct rest *r)
{
    return r->paging == REST_NEXT || r->paging == REST_CURSOR;
}

static void ask_ahead(struct rest *r)
{
    if (is_chain(r)) {
        if (r->plan_next && r->n_used < MIN(r->wire.n_pages, (size_t)2) && (r->is_steady || r->n_used == 0))
            ask(r);
        return;
    }
    while (r->n_used == 0 || (r->is_steady && r->n_used < r->wire.n_pages))
        ask(r);
}

static void forget(struct rest *r)
{
    for (; r->n_used > 0; r->n_used--)
        rest_wire_drop(page_at(r, r->n_used - 1));
}

/* ---- judging ---- */

static struct slice to_slice(const char *text)
{
    return text ? SLICE(text) : (struct slice){0};
}

struct rest_seen rest_identify(const struct rest *r, const struct json_row *row, const struct json_token *t)
{
    struct rest_seen s = rest_seen_of(row->key.p ? row->key : t->raw, row->updated);
    if (row->key.p)
        return s;
    s.key[0] ^= 0x40; /* of the first byte, which no key has: see rest_window.c */
    s.version = (uint64_t)r->pages;
    return s;
}

int rest_plan_lost(const struct rest *r, const struct rest_page *p, struct source_fault *fault)
{
    fault->transient = true;
    return error_set(&fault->error,
        "page %" PRId64 " of %s: what was kept of it in a file cannot be read: %s", p->number, r->label,
        strerror(p->body.error));
}

/* The page's row that begins at this offset of its body. */
static bool look_at(struct rest *r, struct rest_page *p, int64_t offset, struct json_token *ret,
    struct json_row *ret_row, struct source_fault *fault)
{
    if (!rest_document_row_at(&p->document, &p->body, offset, ret)) {
        rest_plan_lost(r, p, fault);
        return false;
    }
    if (json_row_read(&r->reader, &r->columns, ret, ret_row))
        return true;
    error_set(&fault->error, "%s: its rows have more than %d members: choose some with fields", r->label,
        JSON_COLUMNS_MAX);
    return false;
}

/* A pass that goes on in the middle, and finds nothing there. */
static int too_short(const struct rest *r, struct source_fault *fault)
{
    fault->transient = fault->restart = true;
    return error_set(&fault->error,
        "%s: more rows went since it was broken off than a page holds: it is to be read from the start",
        r->label);
}

/* 1, 0, or -1. */
static int is_continued(struct rest *r, struct rest_page *p, struct source_fault *fault)
{
    struct json_row row;
    struct json_token first;
    if (r->pages == 0 && r->is_resumed)
        return r->n_rows > 0 ? 1 : too_short(r, fault);
    if (r->paging != REST_OFFSET || (p->offset == 0 && (r->n_rows == 0 || !r->window.has_forgotten)))
        return 1;
    if (r->n_rows == 0)
        return 0;
    if (!look_at(r, p, p->document.first, &first, &row, fault))
        return -1;
    struct rest_seen seen = rest_identify(r, &row, &first);
    /* In order of `updated`, a row of another version stood elsewhere. */
    return r->since && row.key.p ? rest_window_has_version(&r->window, &seen)
                                 : rest_window_has(&r->window, &seen);
}

static int step_back(struct rest *r, const struct rest_page *p, struct source_fault *fault)
{
    if (p->offset == r->begin) {
        fault->transient = fault->restart = true;
        return error_set(&fault->error,
            "%s: its rows move faster than they can be read: it is to be read from the start; is the order "
            "in "
            "the URL one that does not change?",
            r->label);
    }
    if (++r->shifts > REST_SHIFTS_MAX) {
        fault->transient = true;
        return error_set(&fault->error,
            "page %" PRId64
            " of %s: it was read %d times and never continued the page before: is the order in "
            "the URL one that does not change?",
            p->number, r->label, r->shifts);
    }
    int64_t back = INT64_C(1) << MIN(2 * r->shifts, 40);
    r->overlap = MAX(MIN(back, r->page_size / 2), 1);
    forget(r);
    r->plan = MAX(r->frontier - back, r->begin);
    r->is_steady = false;
    r->calm = 0;
    return 0;
}

/* Brent's circle finding: whatever comes back is met again at a mark, and only one is kept. */
static int take_next(struct rest *r, char *next, struct source_fault *fault)
{
    r->next_count++;
    if (r->mark && strcmp(r->mark, next) == 0) {
        free(next);
        return error_set(&fault->error,
            "page %" PRId64 " of %s: what it says comes next was read before: it "
            "goes round without an end",
            r->pages + 1, r->label);
    }
    if (r->next_count >= r->mark_at) {
        free(r->mark);
        r->mark = xstrdup(next);
        r->mark_at = r->next_count * 2;
    }
    free(r->plan_next);
    r->plan_next = next;
    return 0;
}

static int plan_link(struct rest *r, const struct rest_page *p, const char *text, struct source_fault *fault)
{
    _cleanup_target_ struct target next = {0};
    struct target here = r->wire.target;
    struct fetch_fault why = {0};
    _cleanup_free_ char *tidy = target_tidy(SLICE(text));
    here.url = p->url;
    if (target_parse(tidy, &here, &next, &why) < 0)
        return error_set(&fault->error, "page %" PRId64 " of %s: the link to the next page is no good URL",
            p->number, r->label);
    if (!target_same_origin(&r->wire.target, &next))
        return error_set(&fault->error,
            "page %" PRId64 " of %s: the next page would be on another server (%s): our headers are not sent "
            "there; is it a proxy that does not know its own name?",
            p->number, r->label, next.label);
    return take_next(r, xstrdup(next.url), fault);
}

static int plan_chain(struct rest *r, const struct rest_page *p, struct source_fault *fault)
{
    const struct rest_document *d = &p->document;
    if (r->paging == REST_CURSOR)
        return d->next.n > 0 ? take_next(r, xstrdup(d->next_text), fault) : 0;
    if (d->next.n > 0)
        return plan_link(r, p, d->next_text, fault);
    return !d->has_next && p->link ? plan_link(r, p, p->link, fault) : 0;
}

/* Whether there is reason to ask for the next page before this one is done. */
static int judge_steady(struct rest *r, struct rest_page *p, struct source_fault *fault)
{
    struct json_row row;
    struct json_token last;
    r->is_steady = r->n_rows > 0 && (r->paging != REST_OFFSET || r->n_rows >= r->page_size);
    if (!r->is_steady || !r->since)
        return 0;
    if (!look_at(r, p, p->document.last, &last, &row, fault))
        return -1;
    r->is_steady = !row.updated.p || rest_compare(row.updated, to_slice(r->since)) >= 0;
    return 0;
}

static int accept_page(struct rest *r, struct rest_page *p, struct source_fault *fault)
{
    if (plan_chain(r, p, fault) < 0 || judge_steady(r, p, fault) < 0)
        return -1;
    if (r->pages++ >= REST_PAGES_MAX)
        return error_set(
            &fault->error, "%s: more than %d pages: does it ever end?", r->label, REST_PAGES_MAX);
    if (++r->calm % CALM_PAGES == 0)
        r->overlap = MAX(r->overlap / 2, 1);
    r->frontier = p->offset + r->n_rows;
    r->shifts = 0;
    r->before.n = 0;
    r->current = p;
    r->n_read = 0;
    r->sum_before = r->sum;
    r->sum = 0;
    rest_document_begin(&p->document, &p->body);
    return 1;
}

int rest_plan_begin(struct rest *r, struct source_fault *fault)
{
    ask(r);
    return rest_wire_wait(page_at(r, 0), fault);
}

int rest_plan_next(struct rest *r, struct source_fault *fault)
{
    for (;;) {
        ask_ahead(r);
        if (r->n_used == 0)
            return 0;
        struct rest_page *p = page_at(r, 0);
        if (rest_wire_wait(p, fault) < 0)
            return -1;
        r->n_rows = p->document.n_rows;
        r->n_new = 0;
        int continued = is_continued(r, p, fault);
        if (continued < 0)
            return -1;
        if (continued) {
            int got = accept_page(r, p, fault);
            if (got > 0)
                ask_ahead(r);
            return got;
        }
        if (step_back(r, p, fault) < 0)
            return -1;
    }
}

/* ---- a page is done ---- */

/* A page that is not full is either the last, or the server gives fewer rows than it is asked for. */
static void learn_size(struct rest *r, const struct rest_page *p)
{
    if (r->n_rows >= p->limit) {
        r->short_rows = 0;
        return;
    }
    if (r->n_new > 0 && r->short_rows > 0) {
        r->page_size = MAX(MAX(r->short_rows, r->n_rows), 2);
        r->overlap = MAX(MIN(r->overlap, r->page_size / 2), 1);
        r->is_steady = r->n_rows >= r->page_size;
    }
    r->short_rows = r->n_rows;
}

static bool is_last(const struct rest *r, const struct rest_page *p)
{
    if (r->paging == REST_OFFSET)
        return r->n_new == 0 && r->n_rows < p->limit;
    return r->paging == REST_PAGE && r->n_rows == 0;
}

/* A page that is longer than the window is not found barren. */
static bool is_again(const struct rest *r)
{
    return r->pages > 1 && r->n_new > 0 && r->n_rows > 1 && r->sum == r->sum_before;
}

int64_t rest_plan_position(const struct rest *r)
{
    if (is_chain(r))
        return -1;
    return r->paging == REST_PAGE ? r->current->offset + 1 : r->frontier;
}

int rest_plan_leave(struct rest *r, struct source_fault *fault)
{
    struct rest_page *p = page_at(r, 0);
    int64_t number = p->number;
    r->position = rest_plan_position(r);
    r->current = NULL;
    r->barren = r->n_new > 0 ? 0 : r->barren + 1;
    r->at_end = r->is_past || is_last(r, p);
    learn_size(r, p);
    rest_wire_drop(p);
    r->head = r->head + 1 < r->wire.n_pages ? r->head + 1 : 0;
    r->n_used--;
    if (r->at_end) {
        r->position = -1;
        forget(r);
        return 0;
    }
    if (is_again(r))
        return error_set(&fault->error,
            "page %" PRId64
            " of %s: it is the same as the page before, and longer than what is remembered of its "
            "rows: does the server heed what says which page is wanted?",
            number, r->label);
    if (r->barren > REST_BARREN_MAX)
        return error_set(&fault->error,
            "page %" PRId64 " of %s: %d pages in a row brought nothing new: does the server heed what says "
            "which page is wanted, and is its order one that does not change?",
            number, r->label, r->barren);
    if (r->paging != REST_OFFSET)
        return 0;
    int64_t wanted = MAX(r->frontier - r->overlap, r->begin);
    if (r->n_used > 0 && page_at(r, 0)->offset <= wanted && page_at(r, 0)->offset > p->offset)
        return 0;
    forget(r);
    r->plan = wanted;
    return 0;
}
