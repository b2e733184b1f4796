#include "source/rest_inside.h"

#include "util/text.h"
#include "util/url.h"

#include <inttypes.h>

#define TURN_EVERY 64 /* rows, after which the pages under way are looked after */

static struct rest *rest_of(const struct source *s)
{
    return (struct rest *)s; /* its first field */
}

/* ---- handing out ---- */

/* A page is one moment's answer: within it the order must hold. */
static int check_order(struct rest *r, struct slice updated, struct source_fault *fault)
{
    struct slice before = {r->before.p, r->before.n};
    if (before.n > 0 && rest_compare(updated, before) > 0)
        return error_set(&fault->error,
            "%s: its rows do not come in descending order of `%s`: a pass by cursor needs that order; say so "
            "in the URL",
            r->label, r->columns.names[r->columns.updated]);
    buffer_reset(&r->before, 1024);
    buffer_put(&r->before, updated.p, updated.n);
    return 0;
}

static const char *raw(struct source *s, size_t *ret_n)
{
    struct rest *r = rest_of(s);
    size_t max = MIN(r->row.n * 3, (size_t)SOURCE_RAW_MAX);
    free(r->raw);
    r->raw = xcalloc(max + 1, 1);
    *ret_n = text_make_utf8(r->row.p, r->row.n, r->raw, max);
    return r->raw;
}

static void reject(struct rest *r, enum source_reason reason, struct source_row *ret)
{
    ret->raw = raw(&r->source, &ret->n_raw);
    ret->reason = source_reason_code(reason);
    ret->detail = source_reason_sentence(reason);
}

/* 1 and a row; 0: not one that is handed out; -1. */
static int take_row(
    struct rest *r, const struct json_token *t, struct source_row *ret, struct source_fault *fault)
{
    struct json_row row;
    if (!json_row_read(&r->reader, &r->columns, t, &row))
        return error_set(&fault->error, "%s: its rows have more than %d members: choose some with fields",
            r->label, JSON_COLUMNS_MAX);
    if (r->since && row.updated.p) {
        if (check_order(r, row.updated, fault) < 0)
            return -1;
        r->is_past = r->is_past || rest_compare(row.updated, SLICE(r->since)) < 0;
    }
    if (r->is_past) /* the rest of the page is looked at for its order alone */
        return 0;
    r->surveying = r->surveying || r->columns.grew;
    struct rest_seen seen = rest_identify(r, &row, t);
    r->sum = (r->sum ^ seen.key[0]) * UINT64_C(0x9e3779b97f4a7c15) ^ seen.key[1];
    if (row.key.p ? rest_window_has(&r->window, &seen)
                  : rest_window_has(&r->window, &seen) && !rest_window_has_version(&r->window, &seen)) {
        r->again++;
        if (!rest_window_has_version(&r->window, &seen)) /* where it stands now is behind us too */
            rest_window_note(&r->window, &seen);
        return 0;
    }
    rest_window_note(&r->window, &seen);
    r->n_new++;
    if (r->surveying)
        return 0;
    /* Also of a row that cannot be taken: its key tells which one stays as it is. */
    *ret = (struct source_row){
        .line = ++r->rows, .n_cells = row.cells ? r->source.n_columns : 0, .cells = row.cells};
    r->row = t->raw;
    if (row.reason != SOURCE_TAKEN)
        reject(r, row.reason, ret);
    return 1;
}

/* The columns that were told are not all there are. */
static int start_over(struct rest *r, struct source_fault *fault)
{
    size_t before = r->source.n_columns;
    r->source.n_columns = r->columns.n_shown;
    fault->transient = fault->restart = true;
    return error_set(&fault->error,
        "%s: later pages have %zu members that the first has not: it is to be read again with them", r->label,
        r->columns.n_shown - before);
}

static int next_row(struct rest *r, struct source_row *ret, struct source_fault *fault)
{
    struct json_token t;
    for (int got;;) {
        if (r->at_end)
            return r->surveying || r->columns.grew ? start_over(r, fault) : 0;
        if (!r->current) {
            got = rest_plan_next(r, fault);
            if (got < 0)
                return -1;
            r->at_end = got == 0;
            continue;
        }
        got = rest_document_row(&r->current->document, &r->current->body, &t);
        if (got < 0)
            return rest_plan_lost(r, r->current, fault);
        if (got == 0) {
            if (rest_plan_leave(r, fault) < 0)
                return -1;
            continue;
        }
        r->n_read++;
        got = take_row(r, &t, ret, fault);
        if (got > 0)
            r->position = r->n_read < r->n_rows ? -1 : rest_plan_position(r);
        if (got != 0)
            return got;
    }
}

static int next(struct source *s, struct source_row *ret_row, struct source_fault *fault)
{
    struct rest *r = rest_of(s);
    if (!r->has_failed) {
        r->failure = (struct source_fault){0};
        int got = next_row(r, ret_row, &r->failure);
        if (got > 0 && r->rows % TURN_EVERY == 0)
            rest_wire_turn(&r->wire);
        r->has_failed = got < 0;
        if (got >= 0)
            return got;
    }
    *fault = r->failure;
    return -1;
}

/* ---- life ---- */

static void facts(const struct source *s, struct source_facts *ret)
{
    const struct rest *r = rest_of(s);
    *ret = (struct source_facts){.rows = r->rows, .received = r->wire.received, .total = -1};
}

void rest_facts(const struct source *s, struct rest_facts *ret)
{
    const struct rest *r = rest_of(s);
    *ret = (struct rest_facts){.requests = r->wire.requests,
        .pages = r->pages,
        .again = r->again,
        .newest = r->newest,
        .position = r->position,
        .restart = r->has_failed && r->failure.restart};
}

static void release(struct source *s)
{
    struct rest *r = rest_of(s);
    rest_wire_done(&r->wire);
    json_columns_done(&r->columns);
    json_row_reader_done(&r->reader);
    rest_window_done(&r->window);
    buffer_done(&r->before);
    free(r->label);
    free(r->offset);
    free(r->limit);
    free(r->page);
    free(r->cursor);
    free(r->since);
    free(r->plan_next);
    free(r->mark);
    free(r->newest);
    free(r->raw);
    free(r);
}

static const struct source_driver driver = {next, facts, release, raw};

/* At least so many rows, a power of two. */
static size_t window_size(int64_t rows)
{
    size_t size = REST_WINDOW;
    while (rows > 0 && size > 1024 && size / 2 >= (uint64_t)rows)
        size /= 2;
    return size;
}

struct rest *rest_new(int64_t remember)
{
    struct rest *r = xnew(struct rest);
    r->source.driver = &driver;
    r->position = -1;
    json_columns_init(&r->columns);
    json_row_reader_init(&r->reader);
    rest_window_init(&r->window, window_size(remember));
    return r;
}
