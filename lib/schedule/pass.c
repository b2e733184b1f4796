/*
 * A pass: the runs that were taken together, the worker that does them, and how that ended. Its end is kept
 * until it is on record: the database may be away just then.
 */
#include "config/config.h"
#include "job/report.h"
#include "job/take.h"
#include "schedule/inside.h"
#include "schedule/record.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#include <cjson/cJSON.h>
#include <event2/event.h>
#include <inttypes.h>

#define NICENESS      5 /* the live path goes first */
#define RETRY_MOST_US (INT64_C(3600) * US_PER_SEC)
#define WAIT_MOST_US  (AHEAD_US + US_PER_SEC) /* for its time; clocks drift */

void pass_free(struct pass *p)
{
    if (!p)
        return;
    if (p->due)
        event_free(p->due);
    process_free(p->process);
    job_spec_done(&p->spec);
    free(p->stages);
    free(p->outcome);
    free(p->stats);
    free(p->result);
    free(p->error);
    free(p->sqlstate);
    free(p->last_words);
    free(p);
}

static void remove_pass(struct pass *p)
{
    struct scheduler *s = p->s;
    struct job *j = scheduler_find_job(s, p->spec.job);
    if (j)
        j->rested_us = clock_wall_us();
    for (size_t i = 0; i < s->n_passes; i++)
        if (s->passes[i] == p)
            s->passes[i] = s->passes[--s->n_passes];
    pass_free(p);
}

static struct pass *find_pass(const struct scheduler *s, int64_t number)
{
    for (size_t i = 0; i < s->n_passes; i++)
        if (s->passes[i]->spec.pass == number)
            return s->passes[i];
    return NULL;
}

struct pass *pass_of_job(const struct scheduler *s, const char *job)
{
    for (size_t i = 0; i < s->n_passes; i++)
        if (strcmp(s->passes[i]->spec.job, job) == 0)
            return s->passes[i];
    return NULL;
}

/* -- its end --------------------------------------------------------------------------------------------- */

static void say_end(const struct pass *p, int64_t done, int64_t failed, int64_t waiting)
{
    char lasted[32];
    text_duration(p->ended_us - p->started_us, lasted);
    if (done > 0)
        log_info("schedule", NULL, "job %s: run %" PRId64 " done in %s%s", p->spec.job, p->spec.run, lasted,
            p->spec.n_windows > 1 ? " (several windows in one pass)" : "");
    else if (strcmp(p->outcome, "failed") == 0)
        log_error("schedule", NULL, "job %s: run %" PRId64 ", attempt %d, failed after %s: %s%s", p->spec.job,
            p->spec.run, p->attempt, lasted, p->error ? p->error : "",
            waiting > 0  ? "; it is tried again"
            : failed > 0 ? "; no attempt is left"
                         : "");
    else
        log_notice("schedule", NULL, "job %s: run %" PRId64 " %s after %s", p->spec.job, p->spec.run,
            p->outcome, lasted);
}

/* As a database whose encoding lacks a character does. What it refuses is left out: else the run is under way for
 * ever, and a place for a worker is lost. */
static void say_less(struct pass *p, const PGresult *res)
{
    char words[256];
    pg_describe(res, words, sizeof(words));
    free(p->stats);
    free(p->result);
    free(p->last_words);
    free(p->error);
    p->stats = p->result = p->last_words = NULL;
    p->error = xasprintf("how it ended cannot be kept in full: %s", words);
}

static void on_recorded(void *arg, const PGresult *res)
{
    struct pass *p = arg;
    struct scheduler *s = p->s;
    p->recording = false;
    if (!res)
        return; /* nobody knows whether it is on record: passes_record() says it again, and it holds once */
    if (!scheduler_heard_of(s, p->spec.job, "ending", res, "the end of its run cannot be written down")) {
        if (pg_fault_of(res) == PG_FAULT_ROW)
            say_less(p, res);
        return;
    }
    int64_t done = number_at(res, 0, 0), failed = number_at(res, 0, 1), waiting = number_at(res, 0, 2);
    say_end(p, done, failed, waiting);
    char now[24], retries[24];
    if (done > 0 && p->spec.n_windows > 0 && !p->spec.dry_run)
        scheduler_ask(s, record_again_sql, 3,
            (const char *const[]){
                p->spec.job, number_text(clock_wall_us(), now), number_text(p->retries, retries)},
            NULL, NULL);
    remove_pass(p);
    s->looking = false; /* what was asked before this end is out of date */
    look_now(s);
}

static void record(struct pass *p)
{
    char n[9][24];
    const char *const values[] = {
        number_text(p->spec.pass, n[0]),
        p->outcome,
        number_text(p->ended_us, n[1]),
        number_text(p->ended_us - p->started_us, n[2]),
        p->lateness_us < 0 ? NULL : number_text(p->lateness_us, n[3]),
        p->stats,
        p->result,
        p->error,
        p->sqlstate,
        p->exit_code < 0 ? NULL : number_text(p->exit_code, n[4]),
        p->signal ? number_text(p->signal, n[5]) : NULL,
        p->last_words,
        p->pid ? number_text(p->pid, n[6]) : NULL,
        number_text(p->retries, n[7]),
        number_text(p->retry_us, n[8]),
    };
    p->recording = scheduler_ask(p->s, record_end_sql, N_ELEMENTS(values), values, on_recorded, p);
}

void passes_record(struct scheduler *s)
{
    for (size_t i = 0; i < s->n_passes; i++)
        if (s->passes[i]->ended && !s->passes[i]->recording)
            record(s->passes[i]);
}

/* Doubled with each attempt, so that a server that is down is not beaten. */
static int64_t retry_time(const struct pass *p)
{
    int64_t wait = p->retry_after_us;
    for (int i = 1; i < p->attempt && wait < RETRY_MOST_US; i++)
        wait *= 2;
    return p->ended_us + (wait < RETRY_MOST_US ? wait : RETRY_MOST_US);
}

static void end(struct pass *p, const char *outcome)
{
    p->ended = true;
    p->ended_us = clock_wall_us();
    p->retry_us = retry_time(p);
    p->outcome = xstrdup(p->cancelled ? "cancelled" : p->interrupted ? "interrupted" : outcome);
    record(p);
}

static char *words_or_null(const char *words)
{
    return words && *words ? xstrdup(words) : NULL;
}

static void take_stats(struct pass *p, const struct process_end *e)
{
    cJSON *result = report_take_result(e->stats);
    if (result)
        p->result = cJSON_PrintUnformatted(result);
    cJSON_AddNumberToObject(e->stats, "peak_bytes", (double)e->peak_bytes);
    cJSON_AddNumberToObject(e->stats, "cpu_us", (double)e->cpu_us);
    p->stats = cJSON_PrintUnformatted(e->stats);
    cJSON_Delete(result);
}

static void on_ended(void *arg, struct process_end *e)
{
    struct pass *p = arg;
    if (e->stats)
        take_stats(p, e);
    p->error = words_or_null(e->error);
    p->sqlstate = words_or_null(e->sqlstate);
    p->last_words = words_or_null(e->last_words);
    p->exit_code = e->exit_code;
    p->signal = e->signal;
    process_free(TAKE(p->process));
    /* Done is done, also where a cancel came too late. */
    if (e->outcome == PROCESS_DONE)
        p->cancelled = p->interrupted = false;
    end(p, e->outcome == PROCESS_DONE ? "done" : "failed");
}

static void on_progress(void *arg, const struct job_progress *progress)
{
}

static void on_stage(void *arg, const struct stage_told *stage)
{
    struct pass *p = arg;
    _cleanup_buffer_ struct buffer words = {0};
    if (p->n_stages == STAGES_TOLD_MAX)
        return;
    p->stages = xrealloc(p->stages, p->n_stages + 1, sizeof(*p->stages));
    p->stages[p->n_stages++] = *stage;
    stage_told_words(stage, &words);
    log_info(
        "schedule", NULL, "job %s: run %" PRId64 ": %s", p->spec.job, p->spec.run, buffer_string(&words));
}

static const struct process_events process_events = {
    .progress = on_progress, .ended = on_ended, .stage = on_stage};

/* -- its beginning --------------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
    const struct job_window *x = a, *y = b;
    return (x->start_us > y->start_us) - (x->start_us < y->start_us);
}

/* The columns of record_take_sql. */
static void take_runs(struct pass *p, const struct job *j, const PGresult *res)
{
    struct job_spec *spec = &p->spec;
    int n = PQntuples(res);
    spec->pass = number_at(res, 0, TAKE_PASS);
    spec->run = number_at(res, 0, TAKE_RUN);
    spec->dry_run = PQgetvalue(res, 0, TAKE_DRY_RUN)[0] == 't';
    p->attempt = (int)number_at(res, 0, TAKE_ATTEMPT);
    if (j->rollup)
        spec->windows = xcalloc((size_t)n, sizeof(*spec->windows));
    for (int i = 0; i < n; i++) {
        int64_t scheduled = number_at(res, i, TAKE_SCHEDULED);
        bool on_time = strcmp(PQgetvalue(res, i, TAKE_CAUSE), "schedule") == 0 && p->attempt == 1;
        if (number_at(res, i, TAKE_RUN) < spec->run)
            spec->run = number_at(res, i, TAKE_RUN);
        if (scheduled >= spec->scheduled_us) {
            spec->scheduled_us = scheduled;
            p->lateness_us = on_time ? 0 : -1;
        }
        if (j->rollup)
            spec->windows[spec->n_windows++] =
                (struct job_window){number_at(res, i, TAKE_WINDOW_START), number_at(res, i, TAKE_WINDOW_END)};
    }
    if (spec->n_windows > 1)
        qsort(spec->windows, spec->n_windows, sizeof(*spec->windows), by_start);
}

static void interrupt(struct pass *p, const char *why)
{
    log_notice("schedule", NULL, "job %s: run %" PRId64 " is ended, to be taken up again: %s", p->spec.job,
        p->spec.run, why);
    p->interrupted = true;
    process_kill(p->process, why);
}

static void begin(struct pass *p)
{
    _cleanup_free_ char *text = job_spec_to_json(&p->spec);
    p->started_us = clock_wall_us();
    if (p->lateness_us == 0)
        p->lateness_us = MAX(p->started_us - p->spec.scheduled_us, 0);
    process_tell(p->process, text);
}

/*
 * A run that was taken ahead of its time has its worker up by then, and it is told to begin on the stroke. The clock
 * of the loop is a few milliseconds behind, and the wall's may be set meanwhile: so that one is asked again. Where the
 * time is far off all at once it was set back; the time comes a second time then, and the run with it.
 */
static void on_due(evutil_socket_t fd, short what, void *arg);
static void begin_when_due(struct pass *p)
{
    int64_t wait_us = p->spec.scheduled_us - clock_wall_us();
    if (wait_us <= 0 || wait_us > WAIT_MOST_US) {
        begin(p);
        return;
    }
    const struct timeval wait = {wait_us / US_PER_SEC, wait_us % US_PER_SEC};
    if (!p->due)
        p->due = evtimer_new(p->s->base, on_due, p);
    evtimer_add(p->due, &wait);
}

/* A daemon that stood still while it waited may find that its run was given to another. */
static void on_due(evutil_socket_t fd, short what, void *arg)
{
    struct pass *p = arg;
    if (!p->process || p->cancelled || p->interrupted)
        return; /* it ended, or is ending, before its time */
    if (clock_wall_us() - p->started_us > LEASE_HELD_US)
        interrupt(p, "the daemon stood still when it was to begin");
    else
        begin_when_due(p);
}

static void start_worker(struct pass *p)
{
    struct error err;
    const struct process_limits limits = {.time_us = p->spec.time_limit_us,
        .memory_max = p->spec.memory_max,
        .beside = job_spec_memory_beside(&p->spec),
        .reserve_max = job_spec_reserve_max(&p->spec),
        .niceness = NICENESS};
    if (process_start(p->s->base, p->s->worker, &limits, &process_events, p, &p->process, &err) < 0) {
        p->exit_code = -1;
        p->error = xstrdup(err.text);
        end(p, "failed");
        return;
    }
    p->pid = process_pid(p->process);
    begin_when_due(p);
}

void pass_start(struct job *j, const PGresult *taken)
{
    struct scheduler *s = j->s;
    struct pass *p = xnew(struct pass);
    *p = (struct pass){
        .s = s,
        .retries = (int)j->config->retries,
        .retry_after_us = j->config->retry_after_us,
        .started_us = clock_wall_us(),
        .lateness_us = -1,
        .exit_code = -1,
    };
    job_spec_take(&p->spec, s->config, j->config);
    take_runs(p, j, taken);
    s->passes = xrealloc(s->passes, s->n_passes + 1, sizeof(struct pass *));
    s->passes[s->n_passes++] = p;
    j->row.waiting = 0;
    log_debug(
        "schedule", NULL, "job %s: run %" PRId64 " begins, attempt %d", p->spec.job, p->spec.run, p->attempt);
    start_worker(p);
    job_judge(j);
}

void pass_give_back(struct scheduler *s, const PGresult *taken, const char *why)
{
    char pass[24], now[24];
    number_text(clock_wall_us(), now);
    const char *const values[15] = {[0] = number_text(number_at(taken, 0, TAKE_PASS), pass),
        [1] = "interrupted",
        [2] = now,
        [7] = why,
        [13] = "0",
        [14] = now};
    scheduler_ask(s, record_end_sql, N_ELEMENTS(values), values, NULL, NULL);
}

/* -- being ended ----------------------------------------------------------------------------------------- */

void pass_cancel(struct scheduler *s, int64_t number, const char *who)
{
    struct pass *p = find_pass(s, number);
    if (!p || !p->process || p->cancelled)
        return;
    _cleanup_free_ char *why = xasprintf("cancelled by %s", who);
    p->cancelled = true;
    process_kill(p->process, why);
}

void passes_interrupt(struct scheduler *s, const char *why)
{
    for (size_t i = 0; i < s->n_passes; i++) {
        struct pass *p = s->passes[i];
        if (p->process && !p->interrupted)
            interrupt(p, why);
    }
}
