/*
 * A pass over a REST resource. It is full, or by cursor: what was updated since the last pass. A full one is due when
 * nothing else is possible, and from time to time, because it alone sees what is gone. It speaks for the moment it begins.
 */
#include "job/member.h"
#include "job/report.h"
#include "job/rest_options.h"
#include "job/sync_cursor.h"
#include "job/sync_feed.h"
#include "util/clock.h"
#include "util/text.h"
#include "util/url.h"

#include <cjson/cJSON.h>

#define DUE_BEFORE 100 /* a full pass is due already when only so small a part of its interval is left */

struct rest_feed {
    struct sync_feed feed;
    bool is_planned, by_cursor;
    bool at_end;            /* all its rows were read */
    char *since;            /* of a pass by cursor */
    char *cursor;           /* what the next one begins with, for the record */
    char *why;              /* it is of this kind, for a person */
    struct job_words known; /* members that were found too late */
};

static struct rest_feed *rest_of(const struct sync_feed *f)
{
    return (struct rest_feed *)(uintptr_t)f; /* its first field */
}

/* -- which pass ------------------------------------------------------------------------------------------ */

/* Both are taken; by cursor: with a since. */
static void plan(struct rest_feed *r, char *since, char *why)
{
    r->is_planned = true;
    r->by_cursor = since != NULL;
    r->since = since;
    r->why = why;
}

static const struct history_column *find_column(const struct rest_feed *r, const char *header)
{
    size_t n;
    const struct history_column *columns = history_columns(r->feed.history, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(columns[i].header, header) == 0)
            return &columns[i];
    return NULL;
}

/* A member that is to be kept from now on, also of rows that do not change. */
static const char *new_field(const struct rest_feed *r)
{
    const struct job_words *fields = &r->feed.sync->rest.fields;
    for (size_t i = 0; i < fields->n; i++)
        if (!find_column(r, fields->list[i]))
            return fields->list[i];
    return NULL;
}

/* When the next full pass is due; false: at once. */
static bool next_full(const struct rest_feed *r, int64_t *ret_us)
{
    const struct history_dump *full = history_newest_full(r->feed.history);
    int64_t as_of;
    if (!full || !moment_parse(full->as_of, &as_of))
        return false;
    *ret_us = as_of + r->feed.sync->rest.full_every_us;
    return true;
}

/* Why the pass must be full; NULL: it need not, and has a since. New strings. */
static char *reason_for_full(const struct rest_feed *r, char **ret_since)
{
    const struct job_rest *rest = &r->feed.sync->rest;
    const struct history_dump *newest = history_newest(r->feed.history);
    const char *field = new_field(r);
    if (!newest)
        return xstrdup("nothing is loaded yet");
    if (rest->full)
        return xstrdup("as was asked for");
    if (!rest->updated)
        return xstrdup("each is, as `updated` is not given");
    if (!newest->cursor)
        return xstrdup("the last one left no cursor");
    if (newest->url && strcmp(newest->url, r->feed.shown) != 0)
        return xstrdup("the source is another one than before");
    return field ? xasprintf("the field %.100s is a new one", field)
                 : sync_cursor_read(rest, newest->cursor, ret_since);
}

/* The passes of a schedule begin now earlier, now later: one that would be due a little after this one is due now. Where the
 * clock was set back, what it said before is nothing to wait for. */
static char *reason_by_clock(const struct rest_feed *r, int64_t due_us)
{
    char moment[MOMENT_SIZE], every[32];
    int64_t now_us = clock_wall_us(), every_us = r->feed.sync->rest.full_every_us;
    moment_format(due_us, moment);
    if (due_us - every_us > now_us)
        return xstrdup("the last one was later than it is now: the clock was set back");
    if (due_us - every_us / DUE_BEFORE > now_us)
        return NULL;
    return xasprintf("one is due every %s, that is at %s", text_duration(every_us, every), moment);
}

static void choose_pass(struct rest_feed *r)
{
    char moment[MOMENT_SIZE];
    int64_t due_us = 0;
    _cleanup_free_ char *since = NULL;
    char *why = reason_for_full(r, &since);
    if (!why)
        why = next_full(r, &due_us) ? reason_by_clock(r, due_us) : xstrdup("none is on record");
    if (why)
        return plan(r, NULL, why);
    moment_format(due_us, moment);
    plan(r, TAKE(since), xasprintf("a full pass is due at %s", moment));
}

/* -- opening --------------------------------------------------------------------------------------------- */

static char *with_query(const char *url, const char *query)
{
    size_t n = strcspn(url, "#");
    const char *mark = memchr(url, '?', n);
    return xasprintf("%.*s%s%s", (int)n, url, !query ? "" : mark ? "&" : "?", query ? query : "");
}

/* The member that tells rows apart: as it was given, else as the dataset has it. */
static const char *find_key(const struct rest_feed *r, struct db_fault *fault)
{
    size_t n, n_keys = 0;
    const char *key = NULL;
    const struct job_words *given = &r->feed.sync->key;
    const struct history_column *columns = history_columns(r->feed.history, &n);
    for (size_t i = 0; i < n && given->n == 0; i++)
        if (columns[i].is_key) {
            key = columns[i].header;
            n_keys++;
        }
    if (given->n == 1)
        return given->list[0];
    if (n_keys == 1)
        return key;
    error_set(&fault->error,
        given->n + n_keys > 1
            ? "%s: a REST resource has one key, the member that tells its rows apart; here are several"
            : "%s: the key is missing, the member that tells its rows apart: --key id",
        r->feed.shown);
    return NULL;
}

/* What earlier passes had, and this one when it was begun before. */
static const char **list_known(const struct rest_feed *r, size_t *ret_n)
{
    size_t n;
    const struct history_column *columns = history_columns(r->feed.history, &n);
    const char **list = xcalloc(n + r->known.n, sizeof(*list));
    for (size_t i = 0; i < n; i++)
        list[i] = columns[i].header;
    for (size_t i = 0; i < r->known.n; i++)
        if (!find_column(r, r->known.list[i]))
            list[n++] = r->known.list[i];
    *ret_n = n;
    return list;
}

static int open_pass(struct rest_feed *r, const char *key, struct db_fault *fault)
{
    const struct job_sync *sync = r->feed.sync;
    struct rest_options options = rest_options_take(&sync->rest);
    struct source_fault why = {0};
    _cleanup_free_ char *full = with_query(sync->source, sync->rest.order);
    _cleanup_free_ char *recent = with_query(sync->source, sync->rest.updated_order);
    options.url = r->by_cursor ? recent : full;
    options.key = key;
    options.since = r->since;
    options.newest_url = sync->rest.updated && !r->by_cursor ? recent : NULL;
    const char **known = list_known(r, &options.n_known);
    options.known = known;
    int opened = rest_open(&options, &r->feed.source, &why);
    free(known);
    if (opened == 0)
        return 0;
    r->feed.source = NULL;
    *fault = (struct db_fault){.error = why.error, .transient = why.transient};
    return -1;
}

static bool has_changed(const struct sync_feed *f)
{
    struct rest_facts facts = {0};
    if (f->source)
        rest_facts(f->source, &facts);
    return facts.restart;
}

/* What it has come to know goes into the next attempt. */
static void close_pass(struct rest_feed *r)
{
    const struct source *s = r->feed.source;
    for (size_t i = 0; has_changed(&r->feed) && i < s->n_columns; i++)
        job_words_add(&r->known, s->columns[i]);
    source_free(r->feed.source);
    r->feed.source = NULL;
    r->feed.rows = 0;
    r->at_end = false;
}

static enum feed_answer open_rest(struct sync_feed *f, struct db_fault *fault)
{
    struct rest_feed *r = rest_of(f);
    const struct history_dump *newest = history_newest(f->history);
    close_pass(r);
    if (!r->is_planned)
        choose_pass(r);
    const char *key = find_key(r, fault);
    if (!key)
        return FEED_FAILED;
    snprintf(f->stage, sizeof(f->stage), "%s", r->by_cursor ? "pass by cursor" : "full pass");
    report_progress(f->stage, "", 0, -1);
    moment_format(moment_after(newest ? newest->as_of : NULL), f->as_of);
    f->as_of_from = "begin";
    return open_pass(r, key, fault) < 0 ? FEED_FAILED : FEED_ROWS;
}

static int is_loaded(struct sync_feed *f, struct db_fault *fault)
{
    return 0;
}

/* -- the history ----------------------------------------------------------------------------------------- */

static void describe(const struct sync_feed *f, struct history_load *load)
{
    load->dump = (struct history_dump){.url = f->shown, .bytes = -1};
    load->partial = rest_of(f)->by_cursor;
    load->any_order = load->any_order || !history_is_typed(f->history); /* 10 is before 9 there */
}

static int64_t received(const struct source *s)
{
    struct source_facts facts = {0};
    s->driver->facts(s, &facts);
    return facts.received;
}

static void complete(struct sync_feed *f, struct history_dump *dump)
{
    struct rest_facts facts;
    struct rest_feed *r = rest_of(f);
    rest_facts(f->source, &facts);
    free(r->cursor);
    dump->cursor = r->cursor = sync_cursor_write(&f->sync->rest, facts.newest);
    dump->bytes = received(f->source);
    r->at_end = true;
}

/* -- for people ------------------------------------------------------------------------------------------ */

static void tell(struct sync_feed *f, const char *stage, int64_t rows)
{
    struct rest_facts facts;
    int64_t now = clock_mono_us();
    f->rows = rows > 0 ? rows : f->rows;
    if (now - f->told_us < FEED_TELL_EVERY_US)
        return;
    f->told_us = now;
    if (f->source && !rest_of(f)->at_end) {
        rest_facts(f->source, &facts);
        report_pages(f->stage, facts.pages, f->rows);
        return;
    }
    _cleanup_free_ char *words = xasprintf("%s, %s", f->stage, stage);
    report_progress(words, rows > 0 ? "rows" : "", rows, -1);
}

static void add_next_full(const struct rest_feed *r, cJSON *stats)
{
    char moment[MOMENT_SIZE];
    int64_t due;
    if (!r->feed.sync->rest.updated || !next_full(r, &due))
        return;
    moment_format(due, moment);
    cJSON_AddStringToObject(stats, "next_full", moment);
}

static void add_note(const struct rest_feed *r, const struct rest_facts *facts, cJSON *notes)
{
    char pages[28], requests[28];
    _cleanup_free_ char *since = r->by_cursor ? xasprintf(" since %s", r->since) : xstrdup("");
    _cleanup_free_ char *note =
        xasprintf("a %s%s (%s): %s page%s, %s request%s", r->by_cursor ? "pass by cursor" : "full pass",
            since, r->why, text_count((uint64_t)facts->pages, pages), facts->pages == 1 ? "" : "s",
            text_count((uint64_t)facts->requests, requests), facts->requests == 1 ? "" : "s");
    cJSON_AddItemToArray(notes, cJSON_CreateString(note));
    if (r->feed.sync->rest.if_json)
        cJSON_AddItemToArray(
            notes, cJSON_CreateString("the source answers with JSON, and is read as a REST resource"));
}

static void add_stats(const struct sync_feed *f, cJSON *stats, cJSON *notes)
{
    const struct rest_feed *r = rest_of(f);
    struct rest_facts facts;
    rest_facts(f->source, &facts);
    cJSON_AddStringToObject(stats, "pass", r->by_cursor ? "cursor" : "full");
    cJSON_AddStringToObject(stats, "why", r->why);
    if (r->by_cursor)
        cJSON_AddStringToObject(stats, "since", r->since);
    add_next_full(r, stats);
    member_add_int(stats, "pages", facts.pages);
    member_add_int(stats, "requests", facts.requests);
    member_add_int(stats, "again", facts.again);
    member_add_int(stats, "bytes", received(f->source));
    add_note(r, &facts, notes);
}

/* -- life ------------------------------------------------------------------------------------------------ */

static void release(struct sync_feed *f)
{
    struct rest_feed *r = rest_of(f);
    close_pass(r);
    job_words_done(&r->known);
    free(r->since);
    free(r->cursor);
    free(r->why);
    free(f->shown);
    free(r);
}

struct sync_feed *feed_of_rest(const struct job_sync *sync, struct history *history)
{
    static const struct sync_feed_driver driver = {
        open_rest, is_loaded, has_changed, describe, complete, tell, add_stats, release};
    struct rest_feed *r = xnew(struct rest_feed);
    r->feed = (struct sync_feed){.driver = &driver, .sync = sync, .history = history};
    r->feed.shown = url_redact(sync->source);
    return &r->feed;
}
