#include "job/match_results.h"

#include "job/job.h"
#include "job/match_queue.h"
#include "job/match_record.h"
#include "job/match_stats.h"
#include "job/report.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <pthread.h>

#define TELL_EVERY_US INT64_C(200000)
#define QUEUE_PART    0.05 /* of the rows that may be in memory: those that wait to be written */
#define STACK_SIZE    ((size_t)4 << 20)

struct match_results {
    const struct match_reading *all;
    const struct job_spec *spec;
    bool wanted[N_ELEMENTS(match_outcomes)];
    struct match_tally tally;
    cJSON *found;
    int64_t loaded, told_us;
    /* The thread's, up to its end. */
    struct match_record *writer;
    struct error err;
    int joined; /* 0, or -1 with the error */
    int64_t join_us;
    /* Ours. */
    struct match_record *reader;
    struct match_queue *queue;
    pthread_t thread;
    bool started, has_failed;
};

/* ---- joining ---- */

static int put(
    struct match_results *r, const struct match_result *result, struct slice raw, struct error *err)
{
    struct slice bytes;
    if (!r->wanted[result->outcome])
        return 0;
    if (match_record_make(r->writer, result, raw, &bytes, err) < 0)
        return -1;
    return queue_put(r->queue, bytes) ? 0 : error_set(err, "it was stopped, because the load failed");
}

static int emit(void *arg, const struct match_result *result, struct error *err)
{
    struct match_results *r = arg;
    if (result->left)
        r->tally.activity[MATCH_LEFT][result->left->activity]++;
    if (result->right)
        r->tally.activity[MATCH_RIGHT][result->right->activity]++;
    return put(r, result, (struct slice){0}, err);
}

static int put_rejects(struct match_results *r, struct match_side *side, struct error *err)
{
    struct match_result result = {.outcome = MATCH_REJECTED};
    struct slice raw;
    int got;
    while ((got = side_next_reject(side, &result.reason, &raw, err)) > 0)
        if (put(r, &result, raw, err) < 0)
            return -1;
    return got;
}

static int join(struct match_results *r, struct match_side *left, struct match_side *right, struct error *err)
{
    const struct job_match *match = &r->spec->match;
    const char *names[MATCH_TIE_BREAKS_MAX] = {NULL};
    struct join_options options = {
        .folder = match->folder,
        .memory = r->spec->memory_max / 16,
        .n_tie_breaks = match->n_tie_breaks,
        .tie_breaks = names,
        .emit = emit,
        .arg = r,
    };
    for (size_t i = 0; i < match->n_tie_breaks && i < N_ELEMENTS(names); i++)
        names[i] = match->tie_breaks[i].name;
    side_join(left, &options.left);
    side_join(right, &options.right);
    if (match_join(&options, &r->tally.join, err) < 0 || put_rejects(r, left, err) < 0)
        return -1;
    return put_rejects(r, right, err);
}

static void *run_join(void *arg)
{
    struct match_results *r = arg;
    int64_t began = clock_mono_us();
    r->joined = join(r, match_reader_side(r->all->readers[MATCH_LEFT]),
        match_reader_side(r->all->readers[MATCH_RIGHT]), &r->err);
    if (r->joined == 0)
        r->joined = match_stats_check(r->all, &r->tally, &r->err);
    r->join_us = clock_mono_us() - began;
    queue_end(r->queue);
    return NULL;
}

int match_results_begin(struct match_results *r, struct db_fault *fault)
{
    pthread_attr_t attr;
    struct match_share *share = &r->tally.results;
    share->fraction = (double)r->spec->match.batch_fraction / 1e6;
    share->rows = MIN(side_share(match_reader_side(r->all->readers[MATCH_LEFT]))->rows,
        side_share(match_reader_side(r->all->readers[MATCH_RIGHT]))->rows);
    r->queue = queue_new(share, QUEUE_PART);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    int error = pthread_create(&r->thread, &attr, run_join, r);
    pthread_attr_destroy(&attr);
    r->started = error == 0;
    return error ? job_refuse(fault, "no thread can be started to join with: %s", strerror(error)) : 0;
}

static void end_join(struct match_results *r)
{
    if (r->started)
        pthread_join(r->thread, NULL);
    r->started = false;
}

/* ---- loading ---- */

static void tell(struct match_results *r)
{
    int64_t now = clock_mono_us();
    if (now - r->told_us < TELL_EVERY_US)
        return;
    r->told_us = now;
    report_progress("load", "rows", r->loaded, -1);
}

static int finish(struct match_results *r, struct db_fault *fault)
{
    end_join(r);
    r->has_failed = r->joined < 0;
    if (r->has_failed) {
        fault->error = r->err;
        return -1;
    }
    if (!r->found)
        r->found = match_stats_found(r->all, &r->tally);
    return 0;
}

int match_results_next(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct match_results *r = arg;
    struct slice bytes;
    if (!queue_next(r->queue, &bytes))
        return finish(r, fault);
    r->loaded++;
    tell(r);
    if (match_record_read(r->reader, bytes, ret_values))
        return 1;
    return error_set(
        &fault->error, "a row on its way to the table is damaged: this is a fault of ours, please report it");
}

bool match_results_have_failed(const struct match_results *r)
{
    return r->has_failed;
}

const cJSON *match_results_found(const struct match_results *r)
{
    return r->found;
}

int64_t match_results_rows(const struct match_results *r)
{
    return r->loaded;
}

int64_t match_results_join_us(const struct match_results *r)
{
    return r->join_us;
}

/* ---- life ---- */

static int take_outcomes(struct match_results *r, struct db_fault *fault)
{
    const struct job_words *outcomes = &r->spec->match.outcomes;
    for (size_t k = 0; k < N_ELEMENTS(r->wanted); k++)
        r->wanted[k] = outcomes->n == 0;
    for (size_t i = 0; i < outcomes->n; i++) {
        bool known = false;
        for (size_t k = 0; k < N_ELEMENTS(r->wanted); k++)
            if (strcmp(outcomes->list[i], match_outcomes[k]) == 0)
                r->wanted[k] = known = true;
        if (!known)
            return job_refuse(fault,
                "%.60s is no outcome: matched, ambiguous, left_only, right_only and rejected are",
                outcomes->list[i]);
    }
    return 0;
}

int match_results_new(const struct match_reading *all, const char *report_date,
    struct match_results **ret_results, struct db_fault *fault)
{
    _cleanup_(match_results_freep) struct match_results *r = xnew(struct match_results);
    r->all = all;
    r->spec = all->spec;
    r->writer = match_record_new(&r->spec->match, report_date);
    r->reader = match_record_new(&r->spec->match, report_date);
    if (take_outcomes(r, fault) < 0)
        return -1;
    *ret_results = TAKE(r);
    return 0;
}

void match_results_free(struct match_results *r)
{
    if (!r)
        return;
    if (r->started)
        queue_abandon(r->queue);
    end_join(r);
    queue_free(r->queue);
    match_record_free(r->writer);
    match_record_free(r->reader);
    cJSON_Delete(r->found);
    free(r);
}
