/*
 * A dump: its bytes, the rows they are, and the date it speaks for.
 */
#include "fetch/fetch.h"
#include "job/report.h"
#include "job/sync_feed.h"
#include "source/csv.h"
#include "util/clock.h"
#include "util/url.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <strings.h>

struct dump_feed {
    struct sync_feed feed;
    const struct sync_dump *dump;
    struct fetch *fetch;
    struct fetch_fault fault; /* the last of its bytes */
};

static struct dump_feed *dump_of(const struct sync_feed *f)
{
    return (struct dump_feed *)(uintptr_t)f; /* its first field */
}

/* -- progress -------------------------------------------------------------------------------------------- */

static void tell(struct sync_feed *f, const char *stage, int64_t rows)
{
    struct fetch_facts facts;
    const struct dump_feed *d = dump_of(f);
    int64_t now = clock_mono_us();
    f->rows = rows > 0 ? rows : f->rows;
    if (now - f->told_us < FEED_TELL_EVERY_US)
        return;
    f->told_us = now;
    if (d->fetch)
        fetch_facts(d->fetch, &facts);
    if (d->fetch && !facts.sha256) {
        report_bytes(f->stage, facts.received, facts.total, f->rows);
        return;
    }
    _cleanup_free_ char *words = xasprintf("%s, %s", f->stage, stage);
    report_progress(words, rows > 0 ? "rows" : "", rows, -1);
}

/* -- bytes ----------------------------------------------------------------------------------------------- */

static void take_fault(const struct fetch_fault *from, struct db_fault *to)
{
    *to = (struct db_fault){.error = from->error, .transient = from->transient};
}

static ssize_t read_bytes(void *arg, char *p, size_t n, struct source_fault *fault)
{
    struct dump_feed *d = arg;
    ssize_t got = fetch_read(d->fetch, p, n, &d->fault);
    if (got < 0)
        *fault = (struct source_fault){d->fault.error, d->fault.transient, d->fault.changed};
    else
        tell(&d->feed, "reading", 0);
    return got;
}

static void byte_facts(void *arg, int64_t *ret_received, int64_t *ret_total)
{
    struct fetch_facts facts;
    fetch_facts(((struct dump_feed *)arg)->fetch, &facts);
    *ret_received = facts.received;
    *ret_total = facts.total;
}

/* On a date without a dump there is none: 404, 410, or no such file. */
static bool is_missing(const struct dump_feed *d)
{
    _cleanup_url_ struct url u = {0};
    if (d->fault.status == 404 || d->fault.status == 410)
        return true;
    return url_parse(d->dump->url, &u, NULL) == 0 && strcmp(u.scheme, "file") == 0 &&
           access(u.path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Of a zip with several members one is loaded: another one is at the same URL, and has the same ETag. */
static bool may_be_unchanged(const struct dump_feed *d, const struct history_dump *known)
{
    const char *member = d->feed.sync->member;
    return known && known->url && strcmp(known->url, d->feed.shown) == 0 &&
           (!member || (known->name && fetch_is_member(member, known->name)));
}

static bool is_json(const struct dump_feed *d)
{
    static const char json[] = "application/json";
    struct fetch_facts facts;
    fetch_facts(d->fetch, &facts);
    return facts.content_type && strncasecmp(facts.content_type, json, strlen(json)) == 0;
}

/* known: a dump that is loaded, which it may turn out to be; or NULL. */
static enum feed_answer open_bytes(
    struct dump_feed *d, const struct history_dump *known, struct db_fault *fault)
{
    struct fetch_options options = {.retries = -1, .member = d->feed.sync->member};
    enum fetch_answer answer;
    if (may_be_unchanged(d, known)) {
        options.etag = known->etag;
        /* Two URLs that differ in what is hidden look the same here; an ETag tells their things apart, a date does not. */
        options.last_modified = url_hides_query(d->feed.shown) ? NULL : known->last_modified;
    }
    d->fault = (struct fetch_fault){0};
    if (fetch_open(d->dump->url, &options, &d->fetch, &answer, &d->fault) == 0) {
        if (answer == FETCH_UNCHANGED)
            return FEED_UNCHANGED;
        return d->feed.sync->rest.if_json && is_json(d) ? FEED_OTHER : FEED_ROWS;
    }
    d->fetch = NULL;
    if (d->dump->may_be_missing && is_missing(d))
        return FEED_MISSING;
    take_fault(&d->fault, fault);
    return FEED_FAILED;
}

/* Reads the rest of its bytes without looking at them, for their hash: the fetch's own, NULL with the fault. */
static const char *hash(struct dump_feed *d, struct db_fault *fault)
{
    char block[65536];
    struct fetch_facts facts;
    ssize_t got;
    while ((got = fetch_read(d->fetch, block, sizeof(block), &d->fault)) > 0)
        tell(&d->feed, "reading", 0);
    if (got < 0) {
        take_fault(&d->fault, fault);
        return NULL;
    }
    fetch_facts(d->fetch, &facts);
    if (!facts.sha256)
        error_set(&fault->error, "the sum of %s is not known", d->feed.shown);
    return facts.sha256;
}

/* -- rows ------------------------------------------------------------------------------------------------ */

static char delimiter_of(const struct job_sync *sync)
{
    if (!sync->delimiter)
        return 0;
    return strcmp(sync->delimiter, "tab") == 0 ? '\t' : sync->delimiter[0];
}

static int open_rows(struct dump_feed *d, struct db_fault *fault)
{
    struct sync_feed *f = &d->feed;
    const struct csv_bytes bytes = {read_bytes, byte_facts, d};
    const struct csv_options options = {
        .label = f->shown,
        .delimiter = delimiter_of(f->sync),
        .null_tokens = (const char *const *)f->sync->null_tokens.list,
        .n_null_tokens = f->sync->null_tokens.n,
    };
    struct source_fault why = {0};
    if (csv_open(&bytes, &options, &f->source, &why) == 0)
        return 0;
    f->source = NULL;
    *fault = (struct db_fault){.error = why.error, .transient = why.transient};
    return -1;
}

/* -- the date -------------------------------------------------------------------------------------------- */

/* The file's own name first; of a zip's member without a date the zip's. */
static bool date_in_names(const struct sync_feed *f, const struct fetch_facts *facts, char ret[DATE_SIZE])
{
    const char *slash = strrchr(f->shown, '/');
    return (facts->name && fetch_date_in_name(facts->name, ret)) ||
           (slash && fetch_date_in_name(slash + 1, ret));
}

static void choose_date(struct dump_feed *d)
{
    struct sync_feed *f = &d->feed;
    struct fetch_facts facts;
    char date[DATE_SIZE];
    fetch_facts(d->fetch, &facts);
    if (f->sync->as_of) {
        f->as_of_from = "given";
        snprintf(date, sizeof(date), "%s", f->sync->as_of);
    } else if (d->dump->date[0]) {
        f->as_of_from = "name";
        memcpy(date, d->dump->date, sizeof(date));
    } else if (date_in_names(f, &facts, date)) {
        f->as_of_from = "name";
    } else {
        f->as_of_from = facts.modified_us > 0 ? "last-modified" : "today";
        date_of_time(facts.modified_us > 0 ? facts.modified_us : clock_wall_us(), date);
    }
    snprintf(f->as_of, sizeof(f->as_of), "%s", date);
}

/* -- opening --------------------------------------------------------------------------------------------- */

static void close_dump(struct dump_feed *d)
{
    source_free(d->feed.source);
    fetch_free(d->fetch);
    d->feed.source = NULL;
    d->fetch = NULL;
    d->feed.rows = 0;
}

static enum feed_answer open_known(
    struct dump_feed *d, const struct history_dump *known, struct db_fault *fault)
{
    close_dump(d);
    enum feed_answer answer = open_bytes(d, known, fault);
    if (answer != FEED_ROWS)
        return answer;
    if (open_rows(d, fault) < 0)
        return FEED_FAILED;
    choose_date(d);
    return FEED_ROWS;
}

/* The newest that is loaded, where this one may be it unchanged: a date that was given says that it is another. */
static const struct history_dump *known_dump(const struct sync_feed *f)
{
    const struct history_dump *newest = history_newest(f->history);
    const char *given = f->sync->as_of;
    return newest && (!given || strcmp(given, newest->as_of) == 0) ? newest : NULL;
}

static enum feed_answer open_dump(struct sync_feed *f, struct db_fault *fault)
{
    enum feed_answer answer = open_known(dump_of(f), known_dump(f), fault);
    if (answer == FEED_UNCHANGED) {
        f->as_of_from = "record";
        snprintf(f->as_of, sizeof(f->as_of), "%s", history_newest(f->history)->as_of);
    }
    return answer;
}

/* The sum is of the whole zip, and so the same for each of its members. 1 or -1. */
static int is_same_member(const struct sync_feed *f, const struct fetch_facts *facts,
    const struct history_dump *found, struct db_fault *fault)
{
    if (!f->sync->member || !found->name || !facts->name || strcmp(found->name, facts->name) == 0)
        return 1;
    return error_set(&fault->error,
        "%s: another member of this zip, %.100s, is loaded for %s already: if %.100s is of another date, say "
        "--as-of",
        f->shown, found->name, found->as_of, facts->name);
}

/* Its sum tells; then its bytes are gone, and for its rows it is opened again. */
static int is_loaded(struct sync_feed *f, struct db_fault *fault)
{
    struct dump_feed *d = dump_of(f);
    const struct history_dump *newest = history_newest(f->history);
    struct fetch_facts facts;
    fetch_facts(d->fetch, &facts);
    int order = newest ? strcmp(f->as_of, newest->as_of) : 1;
    if (order > 0 || (order == 0 && facts.total >= 0 && facts.total != newest->bytes))
        return 0;
    const char *sum = hash(d, fault);
    if (!sum)
        return -1;
    const struct history_dump *found = history_find(f->history, f->as_of, sum);
    if (found)
        return is_same_member(f, &facts, found, fault);
    return open_known(d, NULL, fault) == FEED_ROWS ? 0 : -1;
}

static bool has_changed(const struct sync_feed *f)
{
    return dump_of(f)->fault.changed;
}

/* -- the history ----------------------------------------------------------------------------------------- */

static void describe(const struct sync_feed *f, struct history_load *load)
{
    struct fetch_facts facts;
    fetch_facts(dump_of(f)->fetch, &facts);
    load->dump = (struct history_dump){.url = f->shown,
        .name = facts.name,
        .etag = facts.etag,
        .last_modified = facts.last_modified,
        .bytes = facts.total};
}

static void complete(struct sync_feed *f, struct history_dump *dump)
{
    struct fetch_facts facts;
    fetch_facts(dump_of(f)->fetch, &facts);
    dump->sha256 = facts.sha256;
    dump->bytes = facts.received;
}

static void add_stats(const struct sync_feed *f, cJSON *stats, cJSON *notes)
{
    const char *note = dump_of(f)->dump->note;
    if (note)
        cJSON_AddItemToArray(notes, cJSON_CreateString(note));
}

static void release(struct sync_feed *f)
{
    struct dump_feed *d = dump_of(f);
    close_dump(d);
    free(f->shown);
    free(d);
}

struct sync_feed *feed_of_dump(
    const struct job_sync *sync, struct history *history, const struct sync_dump *dump)
{
    static const struct sync_feed_driver driver = {
        open_dump, is_loaded, has_changed, describe, complete, tell, add_stats, release};
    struct dump_feed *d = xnew(struct dump_feed);
    d->feed = (struct sync_feed){.driver = &driver, .sync = sync, .history = history};
    d->feed.shown = url_redact(dump->url);
    d->dump = dump;
    return &d->feed;
}
