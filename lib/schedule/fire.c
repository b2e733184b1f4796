/*
 * What is due. The one that leads writes a row into run for each firing, and in the same transaction takes what
 * waits. It does so a moment before the time, so that the worker is up and has only to be told then. That a
 * firing is handled is written with it in one statement, so none is forgotten and none comes twice.
 */
#include "calendar/schedule.h"
#include "config/config.h"
#include "schedule/inside.h"
#include "schedule/record.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/health.h"
#include "util/log.h"
#include "util/text.h"

#include <inttypes.h>

bool job_is_busy(const struct job *j)
{
    return j->taking || pass_of_job(j->s, j->config->name);
}

/* -- taking ---------------------------------------------------------------------------------------------- */

struct taking {
    struct scheduler *s;
    char *job;
};

static void on_taken(void *arg, const PGresult *res)
{
    struct taking *t = arg;
    struct scheduler *s = t->s;
    struct job *j = scheduler_find_job(s, t->job);
    if (j)
        j->taking = false;
    bool taken =
        scheduler_heard_of(s, t->job, "taking", res, "its runs cannot be taken") && PQntuples(res) > 0;
    if (taken && (!j || s->stopping))
        pass_give_back(s, res, j ? "the daemon is ending" : "the job has left the configuration");
    else if (taken)
        pass_start(j, res);
    free(t->job);
    free(t);
}

/* now: of the runs that are due by then. */
static void take(struct job *j, int64_t now)
{
    struct scheduler *s = j->s;
    char now_text[24], retries[24];
    struct taking *t = xnew(struct taking);
    *t = (struct taking){s, xstrdup(j->config->name)};
    const char *const values[] = {j->config->name, number_text(now, now_text), s->name,
        number_text((int64_t)j->config->retries, retries)};
    j->taking = j->rollup ? scheduler_ask(s, record_take_windows_sql, 4, values, on_taken, t)
                          : scheduler_ask(s, record_take_sql, 3, values, on_taken, t);
    if (j->taking)
        return;
    free(t->job);
    free(t);
}

static bool may_take(const struct scheduler *s)
{
    size_t n = s->n_passes;
    for (size_t i = 0; i < s->n_jobs; i++)
        n += s->jobs[i]->taking;
    return s->leads && s->looked && !s->stopping && n < s->config->workers;
}

static bool is_due(const struct job *j, int64_t now)
{
    return j->row.waiting > 0 && j->row.due_us <= now && !job_is_busy(j) && j->row.running == 0;
}

/* Since when it could have had a worker. */
static int64_t waits_since(const struct job *j)
{
    return MAX(j->row.due_us, j->rested_us);
}

/* The one that waits longest goes first, so that no job keeps another from its turn, however many runs of it are
 * due. */
static struct job *next_due(const struct scheduler *s, int64_t now)
{
    struct job *first = NULL;
    for (size_t i = 0; i < s->n_jobs; i++)
        if (is_due(s->jobs[i], now) && (!first || waits_since(s->jobs[i]) < waits_since(first)))
            first = s->jobs[i];
    return first;
}

void take_due(struct scheduler *s)
{
    while (may_take(s)) {
        int64_t now = clock_wall_us();
        struct job *first = next_due(s, now);
        if (!first)
            return;
        take(first, now);
        if (!first->taking)
            return;
    }
}

/* -- firing ---------------------------------------------------------------------------------------------- */

struct firing_note {
    struct scheduler *s;
    char *job;
    int64_t handled_us;
};

static void on_fired(void *arg, const PGresult *res)
{
    struct firing_note *n = arg;
    struct job *j = scheduler_find_job(n->s, n->job);
    if (j)
        j->firing = false;
    if (j && scheduler_heard_of(n->s, n->job, "firing", res, "its firing cannot be written down")) {
        /* After a failure the next look tries again, not the alarm: it would ring at once. */
        j->handled_us = MAX(j->handled_us, n->handled_us);
        fire_set_alarm(n->s);
    }
    free(n->job);
    free(n);
}

static void say_skipped(const struct job *j, const struct plan *plan)
{
    char from[32], to[32], count[48] = "";
    if (plan->n_skipped == 0 && !plan->more_skipped)
        return;
    clock_format_utc(j->handled_us, from, sizeof(from));
    clock_format_utc(plan->n_firings ? plan->firings[0].at_us : plan->handled_us, to, sizeof(to));
    if (plan->n_skipped > 0)
        snprintf(count, sizeof(count), "%s%zu ", plan->more_skipped ? "more than " : "", plan->n_skipped);
    log_notice("schedule", NULL,
        "job %s: %sfirings between %s and %s were missed and are not run: catch_up is %s%s", j->config->name,
        count, from, to, j->config->catch_up,
        j->catch_up == CATCH_UP_ALL ? ", for the newest 10,000; ingestctl backfill runs the others" : "");
}

/* The arrays of record_fire_sql. */
struct firing_arrays {
    struct buffer at, start, cause, status;
};

static void put_firing(struct firing_arrays *a, const struct job *j, const struct firing *f, bool skip)
{
    const char *comma = a->at.n ? "," : "{";
    buffer_printf(&a->at, "%s%" PRId64, comma, f->at_us);
    if (j->rollup)
        buffer_printf(&a->start, "%s%" PRId64, comma, plan_window_start(j->schedule, f->at_us));
    else
        buffer_printf(&a->start, "%sNULL", comma);
    buffer_printf(&a->cause, "%s%s", comma, f->late ? "catch-up" : "schedule");
    buffer_printf(&a->status, "%s%s", comma, skip ? "skipped" : "waiting");
}

static void close_arrays(struct firing_arrays *a)
{
    struct buffer *all[] = {&a->at, &a->start, &a->cause, &a->status};
    for (size_t i = 0; i < N_ELEMENTS(all); i++)
        buffer_put_string(all[i], all[i]->n ? "}" : "{}");
}

static void done_arrays(struct firing_arrays *a)
{
    buffer_done(&a->at);
    buffer_done(&a->start);
    buffer_done(&a->cause);
    buffer_done(&a->status);
}

/* A run, or the next attempt at one. What waits for a time of its own, by a person's word, is not in the way. */
static bool is_under_way(const struct job *j, int64_t now)
{
    const struct job_row *r = &j->row;
    return job_is_busy(j) || r->running > 0 || r->retrying || (r->waiting > 0 && r->due_us <= now);
}

/* Windows of a rollup add up: each must be computed. Of anything else a firing that finds the one before still
 * at work is skipped, and counted. now: or the firing's own time, where that is still to come. */
static void fire(struct job *j, const struct plan *plan, int64_t now)
{
    struct scheduler *s = j->s;
    struct firing_arrays a = {0};
    char now_text[24], handled[24], skipped[24], why[128];
    bool overlaps = !j->rollup && is_under_way(j, now);
    for (size_t i = 0; i < plan->n_firings; i++)
        put_firing(&a, j, &plan->firings[i], overlaps);
    close_arrays(&a);
    if (j->row.running > 0)
        snprintf(why, sizeof(why), "run %" PRId64 " was still under way", j->row.running);
    else
        snprintf(
            why, sizeof(why), "the run before was still under way, or waited for a worker or a new attempt");
    struct firing_note *note = xnew(struct firing_note);
    *note = (struct firing_note){s, xstrdup(j->config->name), plan->handled_us};
    const char *const values[] = {j->config->name, buffer_string(&a.at), buffer_string(&a.start),
        buffer_string(&a.cause), buffer_string(&a.status), number_text(now, now_text),
        number_text(plan->handled_us, handled), number_text((int64_t)plan->n_skipped, skipped), why};
    j->firing = scheduler_tell(s, record_fire_sql, 9, values, on_fired, note);
    done_arrays(&a);
    if (!j->firing) {
        free(note->job);
        free(note);
        return;
    }
    say_skipped(j, plan);
    /* Known before the next look: so that it is taken in this very transaction, if it is its turn. */
    if (!overlaps && plan->n_firings > 0) {
        j->row.waiting += (int64_t)plan->n_firings;
        j->row.due_us = j->row.due_us ? MIN(j->row.due_us, now) : now;
    }
    if (may_take(s) && next_due(s, now) == j)
        take(j, now);
    if (!j->taking)
        pg_session_sync(s->session, NULL, NULL);
}

/* As a firing is, so that an answer from before it is not taken for news. */
void fire_set_handled(struct job *j, int64_t until_us)
{
    char text[24];
    struct firing_note *note = xnew(struct firing_note);
    *note = (struct firing_note){j->s, xstrdup(j->config->name), until_us};
    j->handled_us = until_us;
    j->firing = scheduler_ask(j->s, record_handled_sql, 2,
        (const char *const[]){j->config->name, number_text(until_us, text)}, on_fired, note);
    if (j->firing)
        return;
    free(note->job);
    free(note);
}

void fire_turn_back(struct scheduler *s)
{
    char now[24];
    scheduler_ask(
        s, record_turn_back_sql, 1, (const char *const[]){number_text(clock_wall_us(), now)}, NULL, NULL);
}

/* A clock that ran ahead had fired what was not due yet. Set right again, it must not wait until it gets there
 * a second time. */
static void turn_back(struct job *j, int64_t now)
{
    char ahead[32];
    log_notice("schedule", NULL,
        "job %s: the clock was set back by %s; it fires from now on, and windows that were "
        "computed before their time are computed again",
        j->config->name, text_duration(j->handled_us - now, ahead));
    fire_turn_back(j->s);
    fire_set_handled(j, now);
}

/* What is to run in that time may be over at the firing's, and must not make it an overlap. */
static int64_t ahead_us(const struct job *j, int64_t now)
{
    return is_under_way(j, now + AHEAD_US) ? 0 : AHEAD_US;
}

static void fire_job(struct job *j, int64_t now)
{
    if (!j->schedule || !j->row.known || j->row.paused || j->firing)
        return;
    if (j->handled_us > now + PLAN_LATE_US)
        turn_back(j, now);
    struct plan plan;
    plan_due(j->schedule, j->catch_up, j->handled_us, now + ahead_us(j, now), &plan);
    if (plan.handled_us > j->handled_us)
        fire(j, &plan, MAX(now, plan.handled_us));
    free(plan.firings);
}

void fire_due(struct scheduler *s)
{
    if (!s->leads || !s->looked || s->stopping || !pg_session_ready(s->session))
        return;
    int64_t now = clock_wall_us();
    for (size_t i = 0; i < s->n_jobs; i++)
        fire_job(s->jobs[i], now);
    take_due(s);
    fire_set_alarm(s);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void fire_set_alarm(struct scheduler *s)
{
    int64_t next = INT64_MAX, now = clock_wall_us();
    for (size_t i = 0; i < s->n_jobs && s->leads && s->looked; i++) {
        struct job *j = s->jobs[i];
        if (j->schedule && j->row.known && !j->row.paused && !j->firing)
            next = earlier(next, schedule_next(j->schedule, j->handled_us) - ahead_us(j, now));
        if (j->row.waiting > 0 && j->row.due_us > now)
            next = earlier(next, j->row.due_us);
    }
    alarm_set(s->alarm, next);
}
