#include "job/sync_dump.h"

#include "history/history.h"
#include "job/report.h"
#include "util/clock.h"
#include "util/url.h"

#include <errno.h>

#define TELL_EVERY_US (200 * US_PER_MS)

/* -- progress -------------------------------------------------------------------------------------------- */

void feed_tell(struct sync_feed *f, const char *stage, int64_t rows)
{
    struct fetch_facts facts;
    int64_t now = clock_mono_us();
    f->rows = rows > 0 ? rows : f->rows;
    if (now - f->told_us < TELL_EVERY_US)
        return;
    f->told_us = now;
    if (f->fetch)
        fetch_facts(f->fetch, &facts);
    if (f->fetch && !facts.sha256) {
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
    struct sync_feed *f = arg;
    ssize_t got = fetch_read(f->fetch, p, n, &f->fault);
    if (got < 0)
        *fault = (struct source_fault){f->fault.error, f->fault.transient, f->fault.changed};
    else
        feed_tell(f, "reading", 0);
    return got;
}

static void byte_facts(void *arg, int64_t *ret_received, int64_t *ret_total)
{
    struct fetch_facts facts;
    fetch_facts(((struct sync_feed *)arg)->fetch, &facts);
    *ret_received = facts.received;
    *ret_total = facts.total;
}

/* On a date without a dump there is none: 404, 410, or no such file. */
static bool is_missing(const struct sync_feed *f)
{
    _cleanup_url_ struct url u = {0};
    if (f->fault.status == 404 || f->fault.status == 410)
        return true;
    return url_parse(f->dump->url, &u, NULL) == 0 && strcmp(u.scheme, "file") == 0 &&
           access(u.path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Of a zip with several members one is loaded: another one is at the same URL, and has the same ETag. */
static bool may_be_unchanged(const struct sync_feed *f, const struct history_dump *known)
{
    const char *member = f->sync->member;
    return known && known->url && strcmp(known->url, f->shown) == 0 &&
           (!member || (known->name && fetch_is_member(member, known->name)));
}

static enum feed_answer open_bytes(
    struct sync_feed *f, const struct history_dump *known, struct db_fault *fault)
{
    struct fetch_options options = {.retries = -1, .member = f->sync->member};
    enum fetch_answer answer;
    if (may_be_unchanged(f, known)) {
        options.etag = known->etag;
        /* Two URLs that differ in what is hidden look the same here; an ETag tells their things apart, a date does not. */
        options.last_modified = url_hides_query(f->shown) ? NULL : known->last_modified;
    }
    f->fault = (struct fetch_fault){0};
    if (fetch_open(f->dump->url, &options, &f->fetch, &answer, &f->fault) == 0)
        return answer == FETCH_UNCHANGED ? FEED_UNCHANGED : FEED_ROWS;
    f->fetch = NULL;
    if (f->dump->may_be_missing && is_missing(f))
        return FEED_MISSING;
    take_fault(&f->fault, fault);
    return FEED_FAILED;
}

const char *feed_hash(struct sync_feed *f, struct db_fault *fault)
{
    char block[65536];
    struct fetch_facts facts;
    ssize_t got;
    f->hashed = true;
    while ((got = fetch_read(f->fetch, block, sizeof(block), &f->fault)) > 0)
        feed_tell(f, "reading", 0);
    if (got < 0) {
        take_fault(&f->fault, fault);
        return NULL;
    }
    fetch_facts(f->fetch, &facts);
    if (!facts.sha256)
        error_set(&fault->error, "the sum of %s is not known", f->shown);
    return facts.sha256;
}

/* -- rows ------------------------------------------------------------------------------------------------ */

static char delimiter_of(const struct job_sync *sync)
{
    if (!sync->delimiter)
        return 0;
    return strcmp(sync->delimiter, "tab") == 0 ? '\t' : sync->delimiter[0];
}

static int open_rows(struct sync_feed *f, struct db_fault *fault)
{
    const struct csv_bytes bytes = {read_bytes, byte_facts, f};
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
static bool date_in_names(const struct sync_feed *f, const struct fetch_facts *facts)
{
    char *date = (char *)f->as_of;
    const char *slash = strrchr(f->shown, '/');
    return (facts->name && fetch_date_in_name(facts->name, date)) ||
           (slash && fetch_date_in_name(slash + 1, date));
}

static void choose_date(struct sync_feed *f)
{
    struct fetch_facts facts;
    fetch_facts(f->fetch, &facts);
    if (f->sync->as_of) {
        f->as_of_from = "given";
        snprintf(f->as_of, sizeof(f->as_of), "%s", f->sync->as_of);
    } else if (f->dump->date[0]) {
        f->as_of_from = "name";
        memcpy(f->as_of, f->dump->date, sizeof(f->as_of));
    } else if (date_in_names(f, &facts)) {
        f->as_of_from = "name";
    } else {
        f->as_of_from = facts.modified_us > 0 ? "last-modified" : "today";
        date_of_time(facts.modified_us > 0 ? facts.modified_us : clock_wall_us(), f->as_of);
    }
}

enum feed_answer feed_open(struct sync_feed *f, const struct history_dump *known, struct db_fault *fault)
{
    feed_close(f);
    free(f->shown);
    f->shown = url_redact(f->dump->url);
    enum feed_answer answer = open_bytes(f, known, fault);
    if (answer != FEED_ROWS)
        return answer;
    if (open_rows(f, fault) < 0)
        return FEED_FAILED;
    choose_date(f);
    return FEED_ROWS;
}

void feed_close(struct sync_feed *f)
{
    source_free(f->source);
    fetch_free(f->fetch);
    f->source = NULL;
    f->fetch = NULL;
    f->hashed = false;
    f->rows = 0;
}

void feed_done(struct sync_feed *f)
{
    feed_close(f);
    free(f->shown);
    f->shown = NULL;
}
