#include "control/job_methods.h"

#include "control/call.h"
#include "control/status.h"
#include "schedule/scheduler.h"

#include <cjson/cJSON.h>

static struct scheduler *scheduler_of(const struct call *c)
{
    return call_daemon(c)->scheduler;
}

/* The job that the call names, or NULL after answering that there is none. */
static const char *known_job(struct call *c)
{
    const char *name = call_text(c, "job");
    struct scheduler *s = scheduler_of(c);
    for (size_t i = 0; s && i < scheduler_n_jobs(s); i++) {
        struct job_report r;
        scheduler_report(s, i, &r);
        if (strcmp(r.name, name) == 0)
            return name;
    }
    call_error_about(c, "io.ingestd.NoSuchJob", "job", name);
    return NULL;
}

/* The number alone: looking up the name may ask a directory server and wait for it. */
static const char *who_asks(const struct call *c, char out[32])
{
    snprintf(out, 32, "uid %u", call_peer(c)->uid);
    return out;
}

static void answer_plain(void *arg, cJSON *result, const char *why)
{
    call_settle(arg, NULL, result, why);
}

static void answer_runs(void *arg, cJSON *result, const char *why)
{
    call_settle(arg, "runs", result, why);
}

void run_jobs(struct call *c)
{
    cJSON *parameters = cJSON_CreateObject();
    status_add_jobs(parameters, call_daemon(c));
    call_reply(c, parameters);
}

/* A job that is gone from the configuration still has its runs on record. */
void run_runs(struct call *c)
{
    if (!scheduler_of(c)) {
        cJSON *parameters = cJSON_CreateObject();
        cJSON_AddArrayToObject(parameters, "runs");
        call_reply(c, parameters);
        return;
    }
    struct run_filter filter = {
        .id = call_number(c, "id"),
        .job = call_text(c, "job"),
        .status = call_text(c, "status"),
        .before = call_number(c, "before"),
        .limit = (int)call_number(c, "limit"),
    };
    call_hold(c);
    scheduler_runs(scheduler_of(c), &filter, answer_runs, c);
}

void run_run_job(struct call *c)
{
    char who[32];
    const char *job = known_job(c);
    if (!job)
        return;
    call_hold(c);
    scheduler_run(
        scheduler_of(c), job, call_time(c, "at"), call_flag(c, "dry_run"), who_asks(c, who), answer_plain, c);
}

void run_run_cancel(struct call *c)
{
    char who[32];
    if (!scheduler_of(c)) {
        call_fail(c, "no job is configured, so there is no run to cancel");
        return;
    }
    call_hold(c);
    scheduler_cancel(scheduler_of(c), call_number(c, "id"), who_asks(c, who), answer_plain, c);
}

static void pause_or_resume(struct call *c, bool paused)
{
    char who[32];
    const char *job = known_job(c);
    if (!job)
        return;
    call_hold(c);
    scheduler_pause(scheduler_of(c), job, paused, who_asks(c, who), answer_plain, c);
}

void run_pause_job(struct call *c)
{
    pause_or_resume(c, true);
}

void run_resume_job(struct call *c)
{
    pause_or_resume(c, false);
}

/* The job whose span the call names, or NULL after answering what is wrong. */
static const char *known_span(struct call *c)
{
    if (call_time(c, "from") < call_time(c, "to"))
        return known_job(c);
    call_error_about(c, VARLINK_INVALID_PARAMETER, "parameter", "to");
    return NULL;
}

void run_backfill(struct call *c)
{
    char who[32];
    const char *job = known_span(c);
    if (!job)
        return;
    call_hold(c);
    scheduler_backfill(
        scheduler_of(c), job, call_time(c, "from"), call_time(c, "to"), who_asks(c, who), answer_plain, c);
}

void run_backfill_progress(struct call *c)
{
    const char *job = known_span(c);
    if (!job)
        return;
    call_hold(c);
    scheduler_progress(scheduler_of(c), job, call_time(c, "from"), call_time(c, "to"), answer_plain, c);
}
