#include "schedule/scheduler.h"

#include "calendar/schedule.h"
#include "config/config.h"
#include "job/worker_path.h"
#include "pg/tables.h"
#include "schedule/inside.h"
#include "schedule/record.h"
#include "util/clock.h"
#include "util/health.h"
#include "util/log.h"
#include "util/text.h"

#include <event2/event.h>
#include <inttypes.h>

#define TICK_US         (1 * US_PER_SEC)
#define JOINING_US      (200 * US_PER_MS) /* until we are one of the daemons, look more often */
#define DRAIN_LOOK_US   (10 * US_PER_MS)
#define FORGET_EVERY_US (INT64_C(600) * US_PER_SEC)

/* -- the session ----------------------------------------------------------------------------------------- */

/*
 * So that the server notices within seconds that we are gone, and lets our locks go (runtime-config-connection
 * in the PostgreSQL manual): the host by its silence (over a Unix socket that means nothing, and need not), a
 * daemon that hangs by its own: it asks something each second. Servers before 14 do not know the last.
 */
static const char *const notice_us_sql[] = {
    "SELECT pg_catalog.set_config(k, v, false) FROM (VALUES ('tcp_keepalives_idle', '2'),"
    " ('tcp_keepalives_interval', '1'), ('tcp_keepalives_count', '2'), ('tcp_user_timeout', '3500')) AS t(k, "
    "v)",
    "SELECT pg_catalog.set_config('idle_session_timeout', '3500', false)",
};

static void on_ready(void *arg)
{
    struct scheduler *s = arg;
    for (size_t i = 0; i < N_ELEMENTS(notice_us_sql); i++)
        pg_session_query(s->session, notice_us_sql[i], 0, NULL, NULL, NULL);
    lead_tick(s);
}

static void on_lost(void *arg, const char *why)
{
    struct scheduler *s = arg;
    if (!s->lost_us)
        s->lost_us = clock_mono_us();
    lead_lost(s);
    for (size_t i = 0; i < s->n_jobs; i++)
        s->jobs[i]->firing = s->jobs[i]->taking = false;
}

static const struct pg_session_events session_events = {on_ready, on_lost};

/* -- from time to time ----------------------------------------------------------------------------------- */

static void on_forgotten(void *arg, const PGresult *res)
{
    struct scheduler *s = arg;
    if (scheduler_heard(s, "schedule", "forget", res, "old runs cannot be forgotten") &&
        strtol(PQcmdTuples((PGresult *)res), NULL, 10) == RECORD_FORGET_MOST)
        s->forget_due_us = 0; /* there are more */
}

static void forget_old_runs(struct scheduler *s, int64_t now)
{
    char before[24];
    if (!s->leads || now < s->forget_due_us)
        return;
    s->forget_due_us = now + FORGET_EVERY_US;
    scheduler_ask(s, record_forget_sql, 1,
        (const char *const[]){number_text(clock_wall_us() - s->config->keep_runs_us, before)}, on_forgotten,
        s);
}

static void set_tick(struct scheduler *s)
{
    int64_t us = s->is ? TICK_US : JOINING_US;
    struct timeval tv = {us / US_PER_SEC, us % US_PER_SEC};
    event_add(s->tick, &tv);
}

/* The session and the ticks are there as long as there is a job: without one nothing is asked of the database,
 * and another daemon may lead. */
static void begin(struct scheduler *s)
{
    if (s->begun || s->stopping)
        return;
    s->begun = true;
    s->lost_us = clock_mono_us();
    set_tick(s);
    pg_session_start(s->session);
}

static void cease(struct scheduler *s)
{
    s->begun = false;
    lead_lost(s);
    health_clear_subject(s->health, "schedule");
    event_del(s->tick);
    alarm_set(s->alarm, INT64_MAX);
    pg_session_stop(s->session);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct scheduler *s = arg;
    int64_t now = clock_mono_us();
    set_tick(s);
    alarm_look(s->alarm);
    if (s->lost_us && now - s->lost_us > LEASE_HELD_US)
        passes_interrupt(s, "the database that keeps the record has been away for ten seconds");
    for (size_t i = 0; i < s->n_jobs; i++)
        job_tell_late(s->jobs[i]);
    if (s->n_jobs == 0 && s->n_passes == 0 && !s->stopping) {
        cease(s);
        return;
    }
    if (!pg_session_ready(s->session))
        return;
    passes_record(s);
    if (s->stopping)
        return;
    lead_tick(s);
    if (now >= s->look_due_us)
        look_now(s);
    lead_find_absent(s);
    forget_old_runs(s, now);
}

static void on_rang(void *arg)
{
    fire_due(arg);
}

static void on_jumped(void *arg, const struct alarm_jump *jump)
{
    struct scheduler *s = arg;
    char by[32];
    if (jump->slept_us)
        log_notice("schedule", NULL,
            "the machine slept for %s; what was missed is caught up with as catch_up says",
            text_duration(jump->slept_us, by));
    if (jump->set_us)
        log_notice("schedule", NULL, "the clock was set %s by %s", jump->set_us > 0 ? "forward" : "back",
            text_duration(jump->set_us > 0 ? jump->set_us : -jump->set_us, by));
    if (s->leads && jump->set_us < 0)
        fire_turn_back(s);
    fire_due(s);
}

static const struct alarm_events alarm_events = {on_rang, on_jumped};

/* -- the jobs -------------------------------------------------------------------------------------------- */

static void job_free(struct job *j)
{
    schedule_free(j->schedule);
    free(j->row.last_error);
    free(j);
}

/* The configuration was checked when it was read; what cannot be parsed now is a job that runs by hand. */
static struct job *job_new(struct scheduler *s, const struct config_job *config)
{
    struct error err;
    struct job *j = xnew(struct job);
    *j = (struct job){
        .s = s,
        .config = config,
        .rollup = strcmp(config->kind, "rollup") == 0,
        .catch_up = catch_up_from_string(config->catch_up),
        .state = JOB_UNKNOWN,
        .since_us = clock_wall_us(),
    };
    if (config->schedule && schedule_parse(config->schedule, config->time_zone, &j->schedule, &err) < 0)
        log_error("schedule", NULL, "job %s: %s", config->name, err.text);
    return j;
}

static void take_jobs(struct scheduler *s, const struct config *config)
{
    s->jobs = xcalloc(config->n_jobs, sizeof(struct job *));
    s->n_jobs = config->n_jobs;
    for (size_t i = 0; i < config->n_jobs; i++)
        s->jobs[i] = job_new(s, &config->jobs[i]);
}

/* What is known of a job that stays goes over to the new one; what its schedule makes of it is worked out anew. */
static void inherit(struct job *to, struct job *from)
{
    char subject[64];
    if (!to) {
        snprintf(subject, sizeof(subject), "job %s", from->config->name);
        health_clear_subject(from->s->health, subject);
        return;
    }
    to->row = from->row;
    from->row.last_error = NULL;
    to->state = from->state;
    to->since_us = from->since_us;
    to->handled_us = from->handled_us;
    to->firing = from->firing;
    to->taking = from->taking;
    to->rested_us = from->rested_us;
    if (to->s->leads && to->schedule && !from->schedule)
        fire_set_handled(to, clock_wall_us()); /* of the time before it had one nothing is missed */
}

void scheduler_reload(struct scheduler *s, const struct config *config)
{
    struct job **old = s->jobs;
    size_t n_old = s->n_jobs;
    take_jobs(s, config);
    for (size_t i = 0; i < n_old; i++) {
        inherit(scheduler_find_job(s, old[i]->config->name), old[i]);
        job_free(old[i]);
    }
    free(old);
    s->config = config;
    scheduler_start(s);
    if (s->leads)
        lead_name_jobs(s);
    s->looking = false;
    look_now(s);
}

/* -- life ------------------------------------------------------------------------------------------------ */

struct scheduler *scheduler_new(
    struct event_base *base, struct resolver *resolver, struct health *health, const struct config *config)
{
    struct error err;
    char host[256] = "localhost";
    if (gethostname(host, sizeof(host) - 1) < 0)
        snprintf(host, sizeof(host), "localhost");
    struct scheduler *s = xnew(struct scheduler);
    *s = (struct scheduler){.base = base, .resolver = resolver, .health = health, .config = config};
    s->name = xasprintf("%s@%s", config->name, host);
    s->worker = worker_path();
    s->leader = xstrdup("");
    const struct pg_target target = {
        .url = config->postgres.url,
        .password_file = config->postgres.password_file,
        .application_name = "ingestd schedule",
        .timeout_us = config->postgres.timeout_us,
    };
    s->session = pg_session_new(base, resolver, &target, &session_events, s);
    s->tick = evtimer_new(base, on_tick, s);
    if (alarm_new(base, &alarm_events, s, &s->alarm, &err) < 0) {
        log_error("schedule", NULL, "%s", err.text);
        abort(); /* timerfd cannot be had: out of descriptors at the very start */
    }
    take_jobs(s, config);
    return s;
}

void scheduler_free(struct scheduler *s)
{
    if (!s)
        return;
    event_free(s->tick);
    if (s->drain_look)
        event_free(s->drain_look);
    alarm_free(s->alarm);
    pg_session_stop(s->session); /* so that no reply comes for what is gone */
    pg_session_free(s->session);
    for (size_t i = 0; i < s->n_passes; i++)
        pass_free(s->passes[i]);
    for (size_t i = 0; i < s->n_jobs; i++)
        job_free(s->jobs[i]);
    lead_forget(s);
    free(s->passes);
    free(s->jobs);
    free(s->leader);
    free(s->worker);
    free(s->name);
    free(s);
}

void scheduler_start(struct scheduler *s)
{
    if (s->n_jobs > 0)
        begin(s);
}

/* -- draining -------------------------------------------------------------------------------------------- */

static void on_drain_look(evutil_socket_t fd, short what, void *arg)
{
    struct scheduler *s = arg;
    bool late = clock_mono_us() >= s->drain_until_us;
    bool unwritten = pg_session_ready(s->session) && (s->n_passes > 0 || pg_session_pending(s->session) > 0);
    if (!late && (scheduler_n_workers(s) > 0 || unwritten))
        return;
    event_del(s->drain_look);
    s->drained(s->drained_arg);
}

void scheduler_drain(struct scheduler *s, int64_t timeout_us, void (*done)(void *arg), void *arg)
{
    s->stopping = true;
    s->drained = done;
    s->drained_arg = arg;
    s->drain_until_us = clock_mono_us() + timeout_us;
    alarm_set(s->alarm, INT64_MAX);
    passes_interrupt(s, "the daemon is ending");
    s->drain_look = event_new(s->base, -1, EV_PERSIST, on_drain_look, s);
    struct timeval tv = {0, DRAIN_LOOK_US};
    event_add(s->drain_look, &tv);
}

/* -- status ---------------------------------------------------------------------------------------------- */

size_t scheduler_n_jobs(const struct scheduler *s)
{
    return s->n_jobs;
}

bool scheduler_leads(const struct scheduler *s)
{
    return s->leads;
}

const char *scheduler_leader(const struct scheduler *s)
{
    return s->leader;
}

int scheduler_n_workers(const struct scheduler *s)
{
    int n = 0;
    for (size_t i = 0; i < s->n_passes; i++)
        n += s->passes[i]->process != NULL;
    return n;
}

static void report_firings(const struct job *j, struct job_report *r)
{
    int64_t at = clock_wall_us();
    for (int i = 0; j->schedule && i < JOB_FIRINGS_SHOWN; i++) {
        at = schedule_next(j->schedule, at);
        if (at == INT64_MAX)
            return;
        r->next_us[i] = at;
    }
}

void scheduler_report(struct scheduler *s, size_t i, struct job_report *r)
{
    const struct job *j = s->jobs[i];
    const struct pass *p = pass_of_job(s, j->config->name);
    const struct job_row *row = &j->row;
    *r = (struct job_report){
        .name = j->config->name,
        .kind = j->config->kind,
        .schedule = j->config->schedule ? j->config->schedule : "",
        .time_zone = j->config->time_zone ? j->config->time_zone : "UTC",
        .state = j->state,
        .why = row->failed_in_a_row > 0 && row->last_error ? row->last_error : "",
        .since_us = j->since_us,
        .running = p ? p->spec.run : row->running,
        .running_since_us = p ? p->started_us : row->running_since_us,
        .last_success_us = row->last_success_us,
        .last_window_end_us = row->last_window_end_us,
        .last_duration_us = row->last_duration_us,
        .last_lateness_us = row->last_lateness_us,
        .last_failure_us = row->last_failure_us,
        .succeeded = row->succeeded,
        .failed = row->failed,
        .skipped = row->skipped,
        .failed_in_a_row = row->failed_in_a_row,
        .waiting = row->waiting,
    };
    if (p && p->process)
        r->progress = *process_progress(p->process);
    report_firings(j, r);
}
