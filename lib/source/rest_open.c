/* The beginning of a pass: what is wished for, the newest there is, and the first page with the columns. */
#include "source/rest_inside.h"

#include "config/config.h"
#include "util/clock.h"
#include "util/url.h"

#define PAGE_SIZE_MAX 1000000

/* ---- wishes ---- */

static char *parameter(const char *name, const char *usual)
{
    const char *wanted = name ? name : usual;
    if (!wanted)
        return NULL;
    char *escaped = curl_easy_escape(NULL, wanted, (int)strlen(wanted)),
         *copy = xstrdup(escaped ? escaped : "");
    curl_free(escaped);
    return copy;
}

static int add_header(struct rest *r, const char *line, struct source_fault *fault)
{
    if (line[strcspn(line, "\r\n")] || !strchr(line, ':'))
        return error_set(&fault->error,
            "%s: a header to send is none: a name, a colon and a value, on one line", r->label);
    struct curl_slist *longer = curl_slist_append(r->wire.headers, line);
    if (!longer)
        abort(); /* no memory */
    r->wire.headers = longer;
    return 0;
}

/* The file's first line; what is wrong with it names the file alone. */
static int read_line(const struct rest *r, const char *path, char **ret, struct source_fault *fault)
{
    struct error err;
    if (config_read_secret(path, ret, &err) == 0)
        return 0;
    return error_set(&fault->error, "%s: %s", r->label, err.text);
}

static int add_token(struct rest *r, const char *path, struct source_fault *fault)
{
    _cleanup_free_ char *token = NULL;
    if (read_line(r, path, &token, fault) < 0)
        return -1;
    _cleanup_free_ char *line = xasprintf("Authorization: Bearer %s", token);
    r->wire.credentials = false;
    return add_header(r, line, fault);
}

static int add_secret_header(struct rest *r, const char *path, struct source_fault *fault)
{
    _cleanup_free_ char *line = NULL;
    return read_line(r, path, &line, fault) < 0 ? -1 : add_header(r, line, fault);
}

static int add_credentials(struct rest *r, const char *path, struct source_fault *fault)
{
    _cleanup_free_ char *line = NULL;
    struct target *t = &r->wire.target;
    if (read_line(r, path, &line, fault) < 0)
        return -1;
    char *colon = strchr(line, ':');
    if (!colon)
        return error_set(&fault->error, "%s: the first line of %s is no user:password", r->label, path);
    free(t->user);
    free(t->password);
    t->user = xstrndup(line, (size_t)(colon - line));
    t->password = xstrdup(colon + 1);
    return 0;
}

static int take_headers(struct rest *r, const struct rest_options *o, struct source_fault *fault)
{
    r->wire.credentials = true;
    if (add_header(r, "Accept: application/json", fault) < 0)
        return -1;
    for (size_t i = 0; i < o->n_headers; i++)
        if (add_header(r, o->headers[i], fault) < 0)
            return -1;
    if (o->header_file && add_secret_header(r, o->header_file, fault) < 0)
        return -1;
    if (o->credentials_file && add_credentials(r, o->credentials_file, fault) < 0)
        return -1;
    return o->token_file ? add_token(r, o->token_file, fault) : 0;
}

static int refuse(const struct rest *r, struct source_fault *fault, const char *why)
{
    return error_set(&fault->error, "%s: %s", r->label, why);
}

static int take_fields(struct rest *r, const struct rest_options *o, struct source_fault *fault)
{
    struct json_columns *c = &r->columns;
    c->open = o->n_fields == 0;
    const char *const *names = c->open ? o->known : o->fields;
    size_t n = c->open ? o->n_known : o->n_fields;
    if (n > JSON_COLUMNS_MAX)
        return refuse(r, fault, "more fields are to be kept than a table can have columns");
    for (size_t i = 0; i < n; i++)
        json_columns_add(c, SLICE(names[i]));
    c->n_shown = c->n;
    if (c->open) /* they are found on the first page */
        return 0;
    c->key = o->key ? json_columns_add(c, SLICE(o->key)) : SIZE_MAX;
    c->updated = o->updated ? json_columns_add(c, SLICE(o->updated)) : SIZE_MAX;
    return 0;
}

static int check(const struct rest *r, const struct rest_options *o, struct source_fault *fault)
{
    if (!o->key || !*o->key)
        return refuse(r, fault, "no key is given: the member that tells its rows apart");
    if (o->since && !o->updated)
        return refuse(r, fault, "a pass by cursor needs the member that says when a row was updated");
    if (o->page_size < 0 || o->page_size > PAGE_SIZE_MAX)
        return refuse(r, fault, "the size of its pages must be between 1 and 1000000");
    if (o->parallel < 0 || o->parallel > REST_PARALLEL_MAX)
        return refuse(r, fault, "at most 64 of its pages can be under way at once");
    if (o->begin_at < 0 || (o->begin_at > 0 && (o->paging == REST_NEXT || o->paging == REST_CURSOR)))
        return refuse(r, fault, "it cannot be gone on with in the middle: its pages have no numbers");
    if (!(o->per_second >= 0 && o->per_second <= 1e6))
        return refuse(r, fault, "the limit of requests a second is no number from 0 to 1000000");
    return 0;
}

/* With begin_at the page before it, which joins what is known to what is new. */
static int64_t first_wanted(const struct rest *r, const struct rest_options *o)
{
    if (o->paging == REST_PAGE)
        return r->is_resumed ? MAX(o->begin_at - 1, o->first_page) : o->first_page;
    return MAX(o->begin_at - r->page_size, 0);
}

static void take_numbers(struct rest *r, const struct rest_options *o)
{
    struct rest_wire *w = &r->wire;
    r->paging = o->paging;
    r->page_size = o->page_size ? o->page_size : 1000;
    if (o->paging == REST_OFFSET && r->page_size < 2) /* pages overlap */
        r->page_size = 2;
    r->overlap = 1;
    r->mark_at = 1;
    r->is_resumed = o->begin_at > 0;
    r->begin = r->plan = first_wanted(r, o);
    w->interval_us = o->per_second > 0 ? (int64_t)(1e6 / o->per_second) : 0;
    w->retries = o->retries >= 0 ? o->retries : 5;
    w->retry_after_us = o->retry_after_us ? o->retry_after_us : 500 * US_PER_MS;
    w->stall_us = o->stall_us ? o->stall_us : 30 * US_PER_SEC;
}

static void take_words(struct rest *r, const struct rest_options *o)
{
    struct rest_wire *w = &r->wire;
    r->offset = parameter(o->offset, "offset");
    r->limit = parameter(o->limit, o->paging == REST_OFFSET ? "limit" : NULL);
    r->page = parameter(o->page, "page");
    r->cursor = parameter(o->cursor, "cursor");
    r->since = xstrdup(o->since);
    w->ca_file = xstrdup(o->ca_file);
    w->rows_path = xstrdup(o->rows ? o->rows : "data");
    w->next_path = xstrdup(o->next ? o->next : "next");
    bool is_chain = o->paging == REST_NEXT || o->paging == REST_CURSOR;
    w->places = (struct rest_places){.rows = w->rows_path, .next = is_chain ? w->next_path : NULL};
}

static int parse(const char *url, struct target *ret, struct source_fault *fault)
{
    struct fetch_fault why = {0};
    if (target_parse(url, NULL, ret, &why) == 0)
        return 0;
    fault->error = why.error;
    return -1;
}

static int take_options(struct rest *r, const struct rest_options *o, struct source_fault *fault)
{
    int parallel = o->parallel ? o->parallel : 4;
    r->label = url_redact(o->url);
    if (check(r, o, fault) < 0 || parse(o->url, &r->wire.target, fault) < 0)
        return -1;
    take_numbers(r, o);
    take_words(r, o);
    if (take_headers(r, o, fault) < 0 || take_fields(r, o, fault) < 0)
        return -1;
    if (rest_wire_init(&r->wire, (size_t)parallel, o->spool_folder, fault) == 0)
        return 0;
    return error_prefix(&fault->error, "%s", r->label);
}

/* ---- what is there at the beginning ---- */

static void note_newest(struct rest *r, struct slice updated)
{
    if (!updated.p || (r->newest && rest_compare(updated, SLICE(r->newest)) <= 0))
        return;
    free(r->newest);
    r->newest = xstrndup(updated.p, updated.n);
}

/* Reads a page's rows for their members, and for the newest of them. */
static int survey(struct rest *r, struct rest_page *p, bool for_newest, struct source_fault *fault)
{
    struct json_token t;
    struct json_row row;
    int got;
    rest_document_begin(&p->document, &p->body);
    while ((got = rest_document_row(&p->document, &p->body, &t)) > 0) {
        if (!json_row_read(&r->reader, &r->columns, &t, &row))
            return refuse(r, fault,
                "its rows have more members than a table can have columns: choose some with fields");
        if (for_newest)
            note_newest(r, row.updated);
    }
    return got < 0 ? rest_plan_lost(r, p, fault) : 0;
}

/* Before the first page, so that what is updated while we read is newer. */
static int ask_newest(struct rest *r, const struct rest_options *o, struct source_fault *fault)
{
    _cleanup_target_ struct target t = {0};
    if (parse(o->newest_url, &t, fault) < 0)
        return -1;
    if (!target_same_origin(&t, &r->wire.target))
        return refuse(r, fault, "the URL of its newest row is on another server");
    struct rest_page *p = &r->wire.pages[0];
    char *url = r->paging == REST_OFFSET
                    ? xasprintf("%s%s%s=0&%s=1", t.url, strchr(t.url, '?') ? "&" : "?", r->offset, r->limit)
                    : xstrdup(t.url);
    p->number = 1;
    rest_wire_ask(p, url);
    if (rest_wire_wait(p, fault) < 0)
        return -1;
    struct json_columns chosen = r->columns;
    json_columns_init(&r->columns); /* what else that list has is of no interest */
    r->columns.key = json_columns_add(&r->columns, SLICE(o->key));
    r->columns.updated = json_columns_add(&r->columns, SLICE(o->updated));
    int got = survey(r, p, true, fault);
    json_columns_done(&r->columns);
    r->columns = chosen;
    rest_wire_drop(p);
    return got;
}

/* Where the member is; an empty list has it too, for want of any. */
static int place_member(
    struct rest *r, const char *name, bool is_empty, size_t *ret, struct source_fault *fault)
{
    struct json_columns *c = &r->columns;
    for (size_t i = 0; i < c->n; i++)
        if (slice_is(c->slices[i], name))
            *ret = i;
    if (*ret == SIZE_MAX && is_empty)
        *ret = json_columns_add(c, SLICE(name));
    c->n_shown = c->open ? c->n : c->n_shown;
    if (*ret != SIZE_MAX)
        return 0;
    return error_set(&fault->error, "%s: no row of its first page has the member `%s`: is it spelt as there?",
        r->label, name);
}

static int choose_columns(
    struct rest *r, const struct rest_options *o, struct rest_page *p, struct source_fault *fault)
{
    struct json_columns *c = &r->columns;
    bool empty = p->document.n_rows == 0;
    if (c->open) {
        if (survey(r, p, false, fault) < 0 || place_member(r, o->key, empty, &c->key, fault) < 0)
            return -1;
        if (o->updated && place_member(r, o->updated, empty, &c->updated, fault) < 0)
            return -1;
    }
    c->grew = false;
    r->source.columns = (const char *const *)c->names;
    r->source.n_columns = c->n_shown;
    return o->updated && !r->newest ? survey(r, p, true, fault) : 0;
}

static int begin(struct rest *r, const struct rest_options *o, struct source_fault *fault)
{
    if (o->updated && o->newest_url && !o->since && ask_newest(r, o, fault) < 0)
        return -1;
    if (rest_plan_begin(r, fault) < 0)
        return -1;
    if (choose_columns(r, o, &r->wire.pages[r->head], fault) < 0)
        return -1;
    if (o->since)
        note_newest(r, SLICE(o->since));
    return 0;
}

int rest_open(const struct rest_options *options, struct source **ret_source, struct source_fault *fault)
{
    struct rest *r = rest_new(options->remember);
    _cleanup_(source_freep) struct source *s = &r->source;
    *fault = (struct source_fault){0};
    if (take_options(r, options, fault) < 0 || begin(r, options, fault) < 0)
        return -1;
    *ret_source = TAKE(s);
    return 0;
}
