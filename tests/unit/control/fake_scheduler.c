#include "fake_scheduler.h"

#include "fake_intake.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#define N_JOBS    3
#define RUN_STEPS 10
#define N_WINDOWS 144
#define FILL_STEP 12
#define T(hh, mm) (INT64_C(1767312000000000) + ((hh)*60 + (mm)) * 60 * US_PER_SEC) /* 2026-01-02 */
#define FAILURE   "nightly.sql: line 3: relation \"visits\" does not exist"

struct scheduler {
    struct job_report jobs[N_JOBS];
    int run_step, filled;
    bool cancelled;
};

size_t fake_n_jobs = N_JOBS;
const char *fake_leader = "office-a@host";
char fake_ordered[256];

static const struct scheduler fresh = {
    .jobs = {{.name = "revenue",
                 .kind = "rollup",
                 .schedule = "every 10m",
                 .time_zone = "Europe/Berlin",
                 .state = JOB_IDLE,
                 .why = "",
                 .since_us = T(3, 10),
                 .next_us = {T(3, 20), T(3, 30), T(3, 40)},
                 .last_success_us = T(3, 10) + 1200000,
                 .last_window_end_us = T(3, 10),
                 .last_duration_us = 1150000,
                 .last_lateness_us = 12000,
                 .succeeded = 4321,
                 .failed = 2,
                 .skipped = 1},
        {.name = "nightly",
            .kind = "query",
            .schedule = "30 2 * * mon-fri",
            .time_zone = "Europe/Berlin",
            .state = JOB_FAILING,
            .why = FAILURE,
            .since_us = T(1, 30),
            .next_us = {T(25, 30), T(49, 30), 0},
            .last_failure_us = T(1, 30),
            .failed = 4,
            .failed_in_a_row = 4},
        {.name = "adhoc",
            .kind = "query",
            .schedule = "",
            .time_zone = "UTC",
            .state = JOB_RUNNING,
            .why = "",
            .since_us = T(3, 0),
            .running = 41,
            .running_since_us = T(3, 0),
            .progress = {.stage = "count", .unit = "rows", .done = 3, .total = 10},
            .last_success_us = T(2, 0),
            .succeeded = 1,
            .waiting = 2}},
};
static struct scheduler the_scheduler; /* fake_daemon_init() resets it */

struct scheduler *fake_scheduler(void)
{
    return &the_scheduler;
}

struct job_report *fake_job(size_t i)
{
    return &the_scheduler.jobs[i];
}

void fake_scheduler_reset(void)
{
    the_scheduler = fresh;
    fake_n_jobs = N_JOBS;
    fake_leader = "office-a@host";
    fake_ordered[0] = '\0';
}

const char *job_state_to_string(enum job_state s)
{
    static const char *const names[] = {"idle", "running", "retrying", "failing", "paused", "unknown"};
    return names[s];
}

size_t scheduler_n_jobs(const struct scheduler *s)
{
    return fake_n_jobs;
}

void scheduler_report(struct scheduler *s, size_t i, struct job_report *ret_report)
{
    *ret_report = s->jobs[i];
}

bool scheduler_leads(const struct scheduler *s)
{
    return true;
}

const char *scheduler_leader(const struct scheduler *s)
{
    return fake_leader;
}

int scheduler_n_workers(const struct scheduler *s)
{
    return 1;
}

/* A run's ten steps; nightly's last one fails. */
static const char *run_as_it_stands(struct scheduler *s)
{
    if (s->cancelled)
        return "{\"id\":43,\"job\":\"revenue\",\"scheduled_for\":\"2026-01-02T03:10:00.000Z\","
               "\"cause\":\"manual\",\"status\":\"cancelled\",\"attempt\":1,\"dry_run\":false,"
               "\"created\":\"2026-01-02T03:12:00.000Z\",\"error\":\"cancelled by uid 0\"}";
    if (s->run_step == 0)
        return "{\"id\":43,\"job\":\"revenue\",\"scheduled_for\":\"2026-01-02T03:10:00.000Z\","
               "\"cause\":\"manual\",\"status\":\"waiting\",\"attempt\":0,\"dry_run\":false,"
               "\"created\":\"2026-01-02T03:12:00.000Z\",\"progress\":null}";
    if (s->run_step >= RUN_STEPS)
        return "{\"id\":43,\"job\":\"revenue\",\"scheduled_for\":\"2026-01-02T03:10:00.000Z\","
               "\"window_start\":\"2026-01-02T03:00:00.000Z\",\"window_end\":\"2026-01-02T03:10:00.000Z\","
               "\"cause\":\"manual\",\"status\":\"done\",\"attempt\":1,\"dry_run\":false,"
               "\"daemon\":\"office-a@host\",\"created\":\"2026-01-02T03:12:00.000Z\",\"not_before\":null,"
               "\"started\":\"2026-01-02T03:12:00.100Z\",\"finished\":\"2026-01-02T03:12:05.100Z\","
               "\"duration_us\":5000000,\"lateness_us\":120100000,\"stats\":{\"windows\":1,\"rows\":2,"
               "\"changed\":1,\"compute_us\":4000000,\"by\":{\"J44.9\":1}},\"error\":null,"
               "\"sqlstate\":null,\"exit_code\":0,\"signal\":null,\"progress\":null,\"last_words\":null,"
               "\"result\":{\"columns\":[\"n\",\"name\"],\"rows\":[[\"1\",\"a\"],[\"20\",null]]}}";
    return NULL;
}

static cJSON *run_43(struct scheduler *s)
{
    const char *fixed = run_as_it_stands(s);
    _cleanup_free_ char *text = NULL;
    if (!fixed)
        text =
            xasprintf("{\"id\":43,\"job\":\"revenue\",\"scheduled_for\":\"2026-01-02T03:10:00.000Z\","
                      "\"cause\":\"manual\",\"status\":\"running\",\"attempt\":1,\"dry_run\":false,"
                      "\"created\":\"2026-01-02T03:12:00.000Z\",\"started\":\"2026-01-02T03:12:00.100Z\","
                      "\"progress\":{\"stage\":\"compute\",\"unit\":\"windows\",\"done\":%d,\"total\":%d}}",
                s->run_step, RUN_STEPS);
    s->run_step++;
    return cJSON_Parse(fixed ? fixed : text);
}

static cJSON *run_42(void)
{
    return cJSON_Parse(
        "{\"id\":42,\"job\":\"nightly\",\"scheduled_for\":\"2026-01-02T01:30:00.000Z\","
        "\"window_start\":null,\"window_end\":null,\"cause\":\"schedule\",\"status\":\"failed\","
        "\"attempt\":4,\"dry_run\":false,\"daemon\":\"office-a@host\","
        "\"created\":\"2026-01-02T01:30:00.000Z\",\"not_before\":null,"
        "\"started\":\"2026-01-02T01:31:10.000Z\",\"finished\":\"2026-01-02T01:31:10.250Z\","
        "\"duration_us\":250000,\"lateness_us\":8000,\"stats\":null,"
        "\"error\":\"nightly.sql: line 3: relation \\\"visits\\\" does not exist\","
        "\"sqlstate\":\"42P01\",\"exit_code\":1,\"signal\":null,\"progress\":null,"
        "\"last_words\":\"connecting\\nLINE 3: from visits\\n\",\"result\":null}");
}

void scheduler_runs(
    struct scheduler *s, const struct run_filter *filter, scheduler_answer_fn *answer, void *arg)
{
    snprintf(fake_ordered, sizeof(fake_ordered),
        "runs id=%" PRId64 " job=%s status=%s before=%" PRId64 " limit=%d", filter->id,
        filter->job ? filter->job : "-", filter->status ? filter->status : "-", filter->before,
        filter->limit);
    cJSON *list = cJSON_CreateArray();
    bool all = filter->id == 0 && (!filter->job || strcmp(filter->job, "nope") != 0);
    if (all || filter->id == 43)
        cJSON_AddItemToArray(list, run_43(s));
    if (all || filter->id == 42)
        cJSON_AddItemToArray(list, run_42());
    fake_ask(answer, arg, list);
}

void scheduler_run(struct scheduler *s, const char *job, int64_t at_us, bool dry_run, const char *who,
    scheduler_answer_fn *answer, void *arg)
{
    snprintf(fake_ordered, sizeof(fake_ordered), "run %s at=%" PRId64 " dry_run=%d by %s", job, at_us,
        dry_run, who);
    s->run_step = 0;
    s->cancelled = false;
    fake_ask(answer, arg,
        cJSON_Parse("{\"id\":43,\"scheduled_for\":\"2026-01-02T03:10:00.000Z\","
                    "\"window_start\":\"2026-01-02T03:00:00.000Z\","
                    "\"window_end\":\"2026-01-02T03:10:00.000Z\"}"));
}

void scheduler_cancel(
    struct scheduler *s, int64_t run, const char *who, scheduler_answer_fn *answer, void *arg)
{
    snprintf(fake_ordered, sizeof(fake_ordered), "cancel %" PRId64 " by %s", run, who);
    s->cancelled = true;
    fake_ask(answer, arg, cJSON_Parse(run == 42 ? "{\"status\":\"failed\"}" : "{\"status\":\"cancelled\"}"));
}

void scheduler_pause(struct scheduler *s, const char *job, bool paused, const char *who,
    scheduler_answer_fn *answer, void *arg)
{
    snprintf(fake_ordered, sizeof(fake_ordered), "%s %s by %s", paused ? "pause" : "resume", job, who);
    fake_ask(answer, arg, cJSON_CreateObject());
}

void scheduler_backfill(struct scheduler *s, const char *job, int64_t from_us, int64_t to_us, const char *who,
    scheduler_answer_fn *answer, void *arg)
{
    snprintf(fake_ordered, sizeof(fake_ordered), "backfill %s from=%" PRId64 " to=%" PRId64 " by %s", job,
        from_us, to_us, who);
    s->filled = 0;
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "runs", N_WINDOWS);
    fake_ask(answer, arg, result);
}

void scheduler_progress(struct scheduler *s, const char *job, int64_t from_us, int64_t to_us,
    scheduler_answer_fn *answer, void *arg)
{
    snprintf(
        fake_ordered, sizeof(fake_ordered), "progress %s from=%" PRId64 " to=%" PRId64, job, from_us, to_us);
    int failed = strcmp(job, "nightly") == 0 && s->filled > 0 ? 3 : 0;
    _cleanup_free_ char *text = xasprintf("{\"waiting\":%d,\"running\":%d,\"done\":%d,\"failed\":%d,"
                                          "\"cancelled\":0,\"skipped\":0}",
        MAX(N_WINDOWS - s->filled - 1, 0), s->filled < N_WINDOWS, s->filled - failed, failed);
    s->filled = MIN(s->filled + FILL_STEP, N_WINDOWS);
    fake_ask(answer, arg, cJSON_Parse(text));
}
