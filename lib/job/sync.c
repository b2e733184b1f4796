/*
 * The recipe of a sync: which dumps are missing in the table; then each in order of its date is fetched, read and put
 * into the history, one transaction a dump. What was loaded stays, also when a later one fails: the next run goes on
 * there. The same dump again costs one request, where the server knows its own versions, and else its bytes. A pass over
 * a REST resource is one such dump, which speaks for the moment it begins. What differs is in sync_feed.h.
 */
#include "job/job.h"
#include "job/report.h"
#include "job/sync_feed.h"
#include "job/sync_plan.h"
#include "job/sync_stats.h"
#include "util/clock.h"

#include <cjson/cJSON.h>

#define STARTS_MAX      3 /* of a dump that becomes another while it is read */
#define LOCK_TIMEOUT_US (30 * US_PER_SEC)

struct sync {
    const struct job_spec *spec;
    struct history *history;
    struct sync_stats stats;
    bool dry_run_over; /* a dry run has looked at its dump */
};

/* -- the sink -------------------------------------------------------------------------------------------- */

/* The database's URL with the table behind its path; a new string. */
static char *sink_url(const struct job_spec *spec)
{
    const char *url = spec->database.url;
    if (!spec->table)
        return xstrdup(url);
    size_t n = strcspn(url, "?#");
    return xasprintf("%.*s%s%s%s", (int)n, url, n > 0 && url[n - 1] == '/' ? "" : "/", spec->table, url + n);
}

static int open_history(struct sync *s, struct db_fault *fault)
{
    _cleanup_free_ char *url = sink_url(s->spec), *name = xasprintf("ingestd job %s", s->spec->job);
    const struct history_target target = {
        .url = url,
        .password_file = s->spec->database.password_file,
        .application_name = name,
        .lock_timeout_us = LOCK_TIMEOUT_US,
    };
    return history_open(&target, &s->history, fault);
}

/* -- one of them ----------------------------------------------------------------------------------------- */

static void complete(void *arg, struct history_dump *dump)
{
    struct sync_feed *f = arg;
    f->driver->complete(f, dump);
}

static void progress(void *arg, const char *stage, int64_t rows)
{
    struct sync_feed *f = arg;
    f->driver->tell(f, stage, rows);
}

static enum history_outcome load_rows(
    struct sync *s, struct sync_feed *f, bool any_order, struct sync_result *ret, struct db_fault *fault)
{
    const struct job_sync *sync = &s->spec->sync;
    struct history_load load = {
        .source = f->source,
        .key = (const char *const *)sync->key.list,
        .n_key = sync->key.n,
        .as_of = f->as_of,
        .types = (const char *const *)sync->types.list,
        .n_types = sync->types.n,
        .complete = complete,
        .progress = progress,
        .arg = f,
        .max_removed = (double)sync->max_removed / 100,
        .max_rejected = (double)sync->max_rejected / 100,
        .any_order = any_order,
        .dry_run = s->spec->dry_run,
    };
    f->driver->describe(f, &load);
    return history_load(s->history, &load, &ret->counts, &ret->notes, fault);
}

enum step { STEP_OVER, STEP_AGAIN, STEP_AGAIN_ANY_ORDER, STEP_OTHER_SOURCE, STEP_FAILED };

static enum step failed(const struct sync_feed *f)
{
    return f->driver->has_changed(f) ? STEP_AGAIN : STEP_FAILED;
}

static enum step try_rows(
    struct sync *s, struct sync_feed *f, bool any_order, struct sync_result *ret, struct db_fault *fault)
{
    int loaded = f->driver->is_loaded(f, fault);
    if (loaded > 0)
        ret->status = "unchanged";
    if (loaded)
        return loaded < 0 ? failed(f) : STEP_OVER;
    switch (load_rows(s, f, any_order, ret, fault)) {
    case HISTORY_LOADED:
        ret->status = s->spec->dry_run ? "dry-run" : "loaded";
        return STEP_OVER;
    case HISTORY_UNORDERED:
        return STEP_AGAIN_ANY_ORDER;
    case HISTORY_NOTHING_NEW:
        ret->status = "unchanged";
        return STEP_OVER;
    case HISTORY_FAILED:
        break;
    }
    return failed(f);
}

static enum step try_feed(
    struct sync *s, struct sync_feed *f, bool any_order, struct sync_result *ret, struct db_fault *fault)
{
    switch (f->driver->open(f, fault)) {
    case FEED_ROWS:
        return try_rows(s, f, any_order, ret, fault);
    case FEED_UNCHANGED:
        ret->status = "unchanged";
        return STEP_OVER;
    case FEED_MISSING:
        return STEP_OVER;
    case FEED_OTHER:
        return STEP_OTHER_SOURCE;
    case FEED_FAILED:
        break;
    }
    return failed(f);
}

static enum step load_feed(
    struct sync *s, struct sync_feed *f, struct sync_result *ret, struct db_fault *fault)
{
    bool any_order = false;
    for (int starts = 1;; starts++) {
        enum step step = try_feed(s, f, any_order, ret, fault);
        if (step == STEP_AGAIN_ANY_ORDER && !any_order) {
            any_order = true; /* that is known from now on, and counts for no start */
            starts--;
        }
        if (step != STEP_AGAIN && step != STEP_AGAIN_ANY_ORDER)
            return step;
        if (starts >= STARTS_MAX) {
            error_prefix(
                &fault->error, "it broke off, or became another one, %d times while it was read", STARTS_MAX);
            return STEP_FAILED;
        }
    }
}

/* Loads it, and puts down what became of it. */
static enum step sync_feed(struct sync *s, struct sync_feed *f, struct db_fault *fault)
{
    struct sync_result result = {.began_us = clock_mono_us()};
    enum step step = load_feed(s, f, &result, fault);
    if (result.status)
        stats_add(&s->stats, f, &result, s->history);
    s->dry_run_over = s->spec->dry_run && result.status;
    free(result.notes);
    return step;
}

/* -- all of them ----------------------------------------------------------------------------------------- */

static void name_stage(struct sync_feed *f, const struct sync_plan *plan, size_t i)
{
    const struct sync_dump *dump = &plan->dumps[i];
    const char *slash = strrchr(dump->url, '/');
    if (dump->date[0] && plan->n > 1)
        snprintf(f->stage, sizeof(f->stage), "%s (%u of %u)", dump->date, (unsigned)i + 1, (unsigned)plan->n);
    else
        snprintf(f->stage, sizeof(f->stage), "%.40s",
            dump->date[0]                    ? dump->date
            : slash && !strpbrk(slash, "?@") ? slash + 1
                                             : "dump");
}

static int sync_rest(struct sync *s, struct db_fault *fault)
{
    _cleanup_(feed_freep) struct sync_feed *f = feed_of_rest(&s->spec->sync, s->history);
    return sync_feed(s, f, fault) == STEP_FAILED ? -1 : 0;
}

static int sync_dump(struct sync *s, const struct sync_plan *plan, size_t i, struct db_fault *fault)
{
    _cleanup_(feed_freep) struct sync_feed *f = feed_of_dump(&s->spec->sync, s->history, &plan->dumps[i]);
    name_stage(f, plan, i);
    report_progress(f->stage, "", 0, -1);
    enum step step = sync_feed(s, f, fault);
    if (step == STEP_OTHER_SOURCE) {
        feed_free(TAKE(f)); /* with its connection: a server may have one at a time */
        return sync_rest(s, fault);
    }
    if (step == STEP_FAILED && s->stats.n_loaded > 0)
        error_prefix(&fault->error, "%s (the %zu before it are loaded)", f->stage, s->stats.n_loaded);
    return step == STEP_FAILED ? -1 : 0;
}

static int check_spec(const struct job_spec *spec, struct db_fault *fault)
{
    if (!spec->sync.source)
        return error_set(
            &fault->error, "the job has no source: are the daemon and the worker of one version?");
    return 0;
}

/* Behind the one that a dry run looked at. */
static void note_others(struct sync *s, const struct sync_plan *plan, size_t from)
{
    const char *what = plan->dumps[from].may_be_missing ? "later dates that may have one" : "others to load";
    _cleanup_free_ char *words = xasprintf("a dry run looks at one dump; %s: %zu", what, plan->n - from);
    stats_note(&s->stats, words);
}

static int sync_dumps(struct sync *s, struct db_fault *fault)
{
    char today[DATE_SIZE];
    _cleanup_sync_plan_ struct sync_plan plan = {0};
    date_of_time(clock_wall_us(), today);
    const struct history_dump *newest = history_newest(s->history);
    if (sync_plan_make(&s->spec->sync, newest ? newest->as_of : NULL, today, &plan, fault) < 0)
        return -1;
    for (size_t i = 0; i < plan.n; i++) {
        if (sync_dump(s, &plan, i, fault) < 0)
            return -1;
        if (s->dry_run_over && i + 1 < plan.n) {
            note_others(s, &plan, i + 1);
            break;
        }
    }
    return 0;
}

static int work(struct sync *s, struct db_fault *fault)
{
    const struct job_rest *rest = &s->spec->sync.rest;
    report_progress("look", "", 0, -1);
    if (open_history(s, fault) < 0)
        return -1;
    return rest->rows && !rest->if_json ? sync_rest(s, fault) : sync_dumps(s, fault);
}

static int sync_run(const struct job_spec *spec, cJSON **ret_stats, struct db_fault *fault)
{
    struct sync s = {.spec = spec};
    *fault = (struct db_fault){0};
    stats_init(&s.stats, &spec->sync);
    int r = check_spec(spec, fault) < 0 ? -1 : work(&s, fault);
    history_free(s.history);
    cJSON *stats = stats_end(&s.stats, spec->dry_run);
    if (r < 0)
        cJSON_Delete(stats);
    else
        *ret_stats = stats;
    return r;
}

const struct job_kind job_sync = {"sync", sync_run};
