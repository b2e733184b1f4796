/* What the tables say of the jobs, read from time to time, and what a person is to know of it. */
#include "calendar/schedule.h"
#include "config/config.h"
#include "schedule/inside.h"
#include "schedule/record.h"
#include "util/clock.h"
#include "util/health.h"
#include "util/log.h"

#include <inttypes.h>

#define LATE_TOLD_US      (10 * US_PER_SEC)
#define LOOK_LEADING_US   (900 * US_PER_MS)
#define LOOK_FOLLOWING_US (2900 * US_PER_MS)

static const char *const state_names[] = {
    [JOB_IDLE] = "idle",
    [JOB_RUNNING] = "running",
    [JOB_RETRYING] = "retrying",
    [JOB_FAILING] = "failing",
    [JOB_PAUSED] = "paused",
    [JOB_UNKNOWN] = "unknown",
};

const char *job_state_to_string(enum job_state s)
{
    return state_names[s];
}

/* -- judging --------------------------------------------------------------------------------------------- */

static enum job_state state_of(const struct job *j)
{
    const struct job_row *r = &j->row;
    if (!r->known)
        return JOB_UNKNOWN;
    if (r->running || job_is_busy(j))
        return JOB_RUNNING;
    if (r->retrying)
        return JOB_RETRYING;
    if (r->paused)
        return JOB_PAUSED;
    return r->failed_in_a_row > 0 ? JOB_FAILING : JOB_IDLE;
}

static void tell_health(const struct job *j)
{
    char subject[64], remedy[200];
    const struct job_row *r = &j->row;
    snprintf(subject, sizeof(subject), "job %s", j->config->name);
    snprintf(remedy, sizeof(remedy), "ingestctl runs %s shows its runs; when it is mended: ingestctl run %s",
        j->config->name, j->config->name);
    const char *why = r->last_error ? r->last_error : "no reason was given";
    /* While it runs nothing is known anew: what was said before stands. */
    if (j->state == JOB_RUNNING && r->failed_in_a_row > 0)
        return;
    if (r->failed_in_a_row > 0 && j->state == JOB_RETRYING)
        health_raise(j->s->health, subject, "retrying", SEVERITY_DEGRADED, remedy,
            "attempt %" PRId64 " failed and it is tried again by itself: %s", r->failed_in_a_row, why);
    else
        health_clear(j->s->health, subject, "retrying");
    if (r->failed_in_a_row > 0 && j->state != JOB_RETRYING)
        health_raise(j->s->health, subject, "failing", SEVERITY_FAILED, remedy,
            "its last run failed, after %" PRId64 " attempts in a row: %s", r->failed_in_a_row, why);
    else
        health_clear(j->s->health, subject, "failing");
    snprintf(remedy, sizeof(remedy), "ingestctl resume %s takes it up again", j->config->name);
    if (r->paused)
        health_raise(
            j->s->health, subject, "paused", SEVERITY_NOTE, remedy, "it is paused: it does not fire");
    else
        health_clear(j->s->health, subject, "paused");
}

/* What should have begun and has not: the database that stands still, or workers that are all at work. */
void job_tell_late(struct job *j)
{
    char subject[64], when[40];
    const struct job_row *r = &j->row;
    int64_t now = clock_wall_us(), due = INT64_MAX;
    bool idle = r->known && r->running == 0 && !job_is_busy(j);
    snprintf(subject, sizeof(subject), "job %s", j->config->name);
    if (j->schedule && r->known && !r->paused)
        due = schedule_next(j->schedule, j->handled_us);
    clock_format_utc(due, when, sizeof(when));
    if (due < now - LATE_TOLD_US)
        health_raise(j->s->health, subject, "late", SEVERITY_DEGRADED,
            "does the database answer? ingestctl doctor looks; it is made good by itself, as catch_up says",
            "it should have fired at %s and has not", when);
    else
        health_clear(j->s->health, subject, "late");
    clock_format_utc(r->due_us, when, sizeof(when));
    if (idle && r->waiting > 0 && r->due_us < now - LATE_TOLD_US)
        health_raise(j->s->health, subject, "queue", SEVERITY_DEGRADED,
            "ingestctl runs --status running shows what is at work; workers: in the configuration allows "
            "more",
            j->s->leads ? "a run waits for a worker since %s: all %" PRIu64 " are at work"
                        : "a run waits since %s: the workers of the daemon that leads are all at work (here "
                          "they would "
                          "be %" PRIu64 "), or its configuration has no such job",
            when, j->s->config->workers);
    else
        health_clear(j->s->health, subject, "queue");
}

/* Others succeed since, so nothing else tells of them; and nobody adds them by himself. */
static void tell_given_up(const struct job *j)
{
    char subject[64], remedy[200];
    snprintf(subject, sizeof(subject), "job %s", j->config->name);
    snprintf(remedy, sizeof(remedy),
        "ingestctl runs %s --status failed shows them; when it is mended: ingestctl backfill %s --from … "
        "--to …",
        j->config->name, j->config->name);
    if (j->row.given_up > 0)
        health_raise(j->s->health, subject, "windows", SEVERITY_FAILED, remedy,
            "%" PRId64 " of its windows failed each time and are not tried any more", j->row.given_up);
    else
        health_clear(j->s->health, subject, "windows");
}

void job_judge(struct job *j)
{
    enum job_state now = state_of(j);
    if (now != j->state) {
        log_debug(
            "schedule", NULL, "job %s: %s -> %s", j->config->name, state_names[j->state], state_names[now]);
        j->state = now;
        j->since_us = clock_wall_us();
    }
    if (!j->row.known)
        return;
    tell_health(j);
    tell_given_up(j);
}

/* -- looking --------------------------------------------------------------------------------------------- */

static void take_row(struct job *j, const PGresult *res, int i)
{
    struct job_row *r = &j->row;
    free(r->last_error);
    *r = (struct job_row){
        .known = true,
        .paused = PQgetvalue(res, i, LOOK_PAUSED)[0] == 't',
        .retrying = PQgetvalue(res, i, LOOK_RETRYING)[0] == 't',
        .handled_us = number_at(res, i, LOOK_HANDLED),
        .succeeded = number_at(res, i, LOOK_SUCCEEDED),
        .failed = number_at(res, i, LOOK_FAILED),
        .skipped = number_at(res, i, LOOK_SKIPPED),
        .failed_in_a_row = number_at(res, i, LOOK_FAILED_IN_A_ROW),
        .last_success_us = number_at(res, i, LOOK_LAST_SUCCESS),
        .last_window_end_us = number_at(res, i, LOOK_LAST_WINDOW_END),
        .last_duration_us = number_at(res, i, LOOK_LAST_DURATION),
        .last_lateness_us =
            PQgetisnull(res, i, LOOK_LAST_LATENESS) ? -1 : number_at(res, i, LOOK_LAST_LATENESS),
        .last_failure_us = number_at(res, i, LOOK_LAST_FAILURE),
        .waiting = number_at(res, i, LOOK_WAITING),
        .due_us = number_at(res, i, LOOK_DUE),
        .running = number_at(res, i, LOOK_RUNNING),
        .given_up = number_at(res, i, LOOK_GIVEN_UP),
        .running_since_us = number_at(res, i, LOOK_RUNNING_SINCE),
        .last_error =
            PQgetisnull(res, i, LOOK_LAST_ERROR) ? NULL : xstrdup(PQgetvalue(res, i, LOOK_LAST_ERROR)),
    };
    if (!j->firing)
        j->handled_us = r->handled_us;
    job_judge(j);
}

static void cancel_asked(struct scheduler *s, const PGresult *res, int i)
{
    if (PQgetisnull(res, i, LOOK_CANCELS))
        return;
    _cleanup_free_ char *list = xstrdup(PQgetvalue(res, i, LOOK_CANCELS));
    for (char *rest, *one = strtok_r(list, ",", &rest); one; one = strtok_r(NULL, ",", &rest))
        pass_cancel(s, strtoll(one, NULL, 10), PQgetvalue(res, i, LOOK_CANCEL_BY));
}

static size_t n_unknown(const struct scheduler *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_jobs; i++)
        n += !s->jobs[i]->row.known;
    return n;
}

static void on_looked(void *arg, const PGresult *res)
{
    struct scheduler *s = arg;
    s->looking = false;
    if (!res)
        return;
    if (!scheduler_heard(s, "schedule", "look", res, "the tables of jobs and runs cannot be read")) {
        s->open = false; /* somebody may have dropped our tables: they are looked for again */
        return;
    }
    for (size_t i = 0; i < s->n_jobs; i++)
        s->jobs[i]->row.known = false;
    for (int i = 0; i < PQntuples(res); i++) {
        struct job *j = scheduler_find_job(s, PQgetvalue(res, i, LOOK_NAME));
        cancel_asked(s, res, i);
        if (j)
            take_row(j, res, i);
        if (!s->leads && !PQgetisnull(res, i, LOOK_LEADER)) {
            free(s->leader);
            s->leader = xstrdup(PQgetvalue(res, i, LOOK_LEADER));
        }
    }
    s->looked = true;
    if (s->leads && n_unknown(s) > 0)
        lead_name_jobs(s); /* somebody deleted its row */
    fire_due(s);
    take_due(s);
}

void look_now(struct scheduler *s)
{
    if (s->looking || !s->open)
        return;
    s->look_due_us = clock_mono_us() + (s->leads ? LOOK_LEADING_US : LOOK_FOLLOWING_US);
    s->looking = scheduler_ask(s, record_look_sql, 0, NULL, on_looked, s);
}
