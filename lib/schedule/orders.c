/* What people ask of the timer, and order it to do. All of it is in the tables, so any daemon can be asked. */
#include "calendar/schedule.h"
#include "config/config.h"
#include "schedule/inside.h"
#include "schedule/record.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/log.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#define RUNS_DEFAULT 20
#define RUNS_MOST    1000
#define SPAN_MOST    100000

static const char *const statuses[] = {"waiting", "running", "done", "failed", "cancelled", "skipped"};

/* -- asking ---------------------------------------------------------------------------------------------- */

struct order {
    struct scheduler *s;
    scheduler_answer_fn *answer;
    void *arg;
    /* The answer from the rows, or NULL and the reason in err. */
    cJSON *(*make)(const struct order *o, const PGresult *res, struct error *err);
    bool changes; /* what is due may have changed */
    int64_t at_us, start_us;
    bool window;
};

static void on_answered(void *arg, const PGresult *res)
{
    struct order *o = arg;
    struct error err;
    cJSON *result = NULL;
    if (!res)
        error_set(&err, "Postgres went away while it was asked; try again");
    else if (pg_fault_of(res) != PG_FAULT_NONE)
        pg_describe(res, err.text, sizeof(err.text));
    else
        result = o->make(o, res, &err);
    if (res && o->changes) {
        o->s->looking = false; /* an answer that is on its way is older than this */
        look_now(o->s);
    }
    o->answer(o->arg, result, result ? NULL : err.text);
    free(o);
}

static void ask(struct order order, const char *sql, int n, const char *const *values)
{
    struct order *o = xnew(struct order);
    *o = order;
    if (order.s->open && scheduler_ask(order.s, sql, n, values, on_answered, o))
        return;
    free(o);
    order.answer(order.arg, NULL, "Postgres is away, and the runs are on record there; see ingestctl status");
}

/* NULL after the refusal was answered. */
static struct job *named_job(struct scheduler *s, const char *name, scheduler_answer_fn *answer, void *arg)
{
    struct job *j = scheduler_find_job(s, name);
    if (!j)
        answer(arg, NULL, "there is no such job in the configuration; see ingestctl jobs");
    return j;
}

static void add_time(cJSON *to, const char *name, int64_t us)
{
    char when[40];
    clock_format_utc(us, when, sizeof(when));
    cJSON_AddStringToObject(to, name, when);
}

/* -- runs ------------------------------------------------------------------------------------------------ */

static const struct pass *pass_of_run(const struct scheduler *s, const cJSON *run)
{
    int64_t pass = (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(run, "pass"));
    for (size_t i = 0; i < s->n_passes; i++)
        if (s->passes[i]->spec.pass == pass && s->passes[i]->process)
            return s->passes[i];
    return NULL;
}

static cJSON *new_progress(const struct job_progress *progress)
{
    cJSON *to = cJSON_CreateObject();
    cJSON_AddStringToObject(to, "stage", progress->stage);
    cJSON_AddStringToObject(to, "unit", progress->unit);
    cJSON_AddNumberToObject(to, "done", (double)progress->done);
    cJSON_AddNumberToObject(to, "total", (double)progress->total);
    return to;
}

static cJSON *new_stages(const struct pass *p)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < p->n_stages; i++)
        cJSON_AddItemToArray(list, stage_told_json(&p->stages[i]));
    return list;
}

/* What its worker told so far, if it is one of ours. */
static void add_told(const struct scheduler *s, cJSON *run)
{
    const struct pass *p = pass_of_run(s, run);
    cJSON_AddItemToObject(
        run, "progress", p ? new_progress(process_progress(p->process)) : cJSON_CreateNull());
    cJSON_AddItemToObject(run, "stages", p && p->n_stages > 0 ? new_stages(p) : cJSON_CreateNull());
}

static cJSON *make_runs(const struct order *o, const PGresult *res, struct error *err)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < PQntuples(res); i++) {
        cJSON *run = cJSON_Parse(PQgetvalue(res, i, 0));
        if (!run)
            continue;
        add_told(o->s, run);
        cJSON_DeleteItemFromObjectCaseSensitive(run, "pass");
        cJSON_AddItemToArray(list, run);
    }
    return list;
}

static const char *known_status(const char *text)
{
    for (size_t i = 0; i < N_ELEMENTS(statuses); i++)
        if (strcmp(statuses[i], text) == 0)
            return statuses[i];
    return NULL;
}

/*
 * $1 id, or the id that all are below; $2 limit, $3 job or NULL. Only words of our own become a part of the text.
 * The job is asked for as a span, and sorted by, because otherwise the planner, who does not know the job, may take
 * its chance and read all runs from the newest on until enough are of it.
 */
static char *runs_sql(const struct run_filter *filter)
{
    _cleanup_buffer_ struct buffer sql = {0};
    /* Most are done: whoever does not say which gets mostly those. */
    const char *status = filter->status && *filter->status ? known_status(filter->status) : "done";
    bool of_job = filter->job && *filter->job, by_job = of_job && status && strcmp(status, "done") == 0;
    buffer_put_string(&sql, record_runs_sql);
    buffer_put_string(&sql, filter->id ? " WHERE r.id = $1::bigint" : " WHERE r.id < $1::bigint");
    buffer_put_string(&sql, by_job   ? " AND r.job BETWEEN $3::text AND $3::text"
                            : of_job ? " AND r.job = $3::text"
                                     : " AND ($3::text IS NULL OR true)");
    if (!status)
        buffer_put_string(&sql, " AND false");
    else if (filter->status && *filter->status)
        buffer_printf(&sql, " AND r.status = '%s'", status);
    buffer_printf(&sql, " ORDER BY %sr.id DESC LIMIT $2::int", by_job ? "r.job DESC, " : "");
    return xstrdup(buffer_string(&sql));
}

void scheduler_runs(
    struct scheduler *s, const struct run_filter *filter, scheduler_answer_fn *answer, void *arg)
{
    char id[24], limit[24];
    int n = filter->limit <= 0 ? RUNS_DEFAULT : MIN(filter->limit, RUNS_MOST);
    int64_t before = filter->before > 0 ? filter->before : INT64_MAX;
    _cleanup_free_ char *sql = runs_sql(filter);
    const char *const values[] = {number_text(filter->id ? filter->id : before, id), number_text(n, limit),
        filter->job, filter->id ? "true" : "false"};
    ask((struct order){.s = s, .answer = answer, .arg = arg, .make = make_runs}, sql, 4, values);
}

/* -- running now, and again ------------------------------------------------------------------------------ */

static cJSON *make_ordered(const struct order *o, const PGresult *res, struct error *err)
{
    if (PQntuples(res) == 0) {
        error_set(err, "that run waits or is under way already; see ingestctl runs");
        return NULL;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "id", (double)number_at(res, 0, 0));
    add_time(result, "scheduled_for", o->at_us);
    if (o->window) {
        add_time(result, "window_start", o->start_us);
        add_time(result, "window_end", o->at_us);
    }
    return result;
}

static char *start_array(const struct job *j, const int64_t *list, size_t n)
{
    _cleanup_buffer_ struct buffer out = {0};
    buffer_put_string(&out, "{");
    for (size_t i = 0; i < n; i++)
        if (j->rollup)
            buffer_printf(&out, "%s%" PRId64, i ? "," : "", plan_window_start(j->schedule, list[i]));
        else
            buffer_printf(&out, "%sNULL", i ? "," : "");
    buffer_put_string(&out, "}");
    return xstrdup(buffer_string(&out));
}

static void order_runs(struct order o, const struct job *j, const int64_t *list, size_t n, const char *cause,
    bool dry_run, const char *who)
{
    char now[24];
    _cleanup_free_ char *at = number_array(list, n), *starts = start_array(j, list, n);
    const char *const values[] = {j->config->name, at, starts, cause, number_text(clock_wall_us(), now),
        dry_run ? "true" : "false", who};
    ask(o, record_order_sql, 7, values);
}

void scheduler_run(struct scheduler *s, const char *job, int64_t at_us, bool dry_run, const char *who,
    scheduler_answer_fn *answer, void *arg)
{
    struct job *j = named_job(s, job, answer, arg);
    if (!j)
        return;
    int64_t now = clock_wall_us();
    /* A rollup computes whole windows: without a time the last one, else the one that ends then or holds it. */
    int64_t at = at_us ? at_us : now;
    if (j->rollup && j->schedule)
        at = at_us ? schedule_next(j->schedule, at_us - 1) : schedule_previous(j->schedule, now + 1);
    if (at == INT64_MAX || at == INT64_MIN) {
        answer(arg, NULL, "the schedule has no window there; see ingestctl jobs");
        return;
    }
    struct order o = {
        .s = s, .answer = answer, .arg = arg, .make = make_ordered, .changes = true, .at_us = at};
    o.window = j->rollup && j->schedule;
    if (o.window)
        o.start_us = plan_window_start(j->schedule, at);
    order_runs(o, j, &at, 1, "manual", dry_run, who);
}

static cJSON *make_count(const struct order *o, const PGresult *res, struct error *err)
{
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "runs", PQntuples(res));
    return result;
}

void scheduler_backfill(struct scheduler *s, const char *job, int64_t from_us, int64_t to_us, const char *who,
    scheduler_answer_fn *answer, void *arg)
{
    struct job *j = named_job(s, job, answer, arg);
    if (!j)
        return;
    int64_t now = clock_wall_us();
    _cleanup_free_ int64_t *list = NULL;
    int64_t n = -2;
    /* Of a rollup the windows that end by `to`; of the others the firings in [from, to). */
    if (j->schedule)
        n = j->rollup ? plan_span(j->schedule, true, from_us, to_us < now ? to_us : now, SPAN_MOST, &list)
                      : plan_span(j->schedule, false, from_us - 1, (to_us < now ? to_us : now + 1) - 1,
                            SPAN_MOST, &list);
    if (n > 0) {
        struct order o = {.s = s, .answer = answer, .arg = arg, .make = make_count, .changes = true};
        order_runs(o, j, list, (size_t)n, "backfill", false, who);
        return;
    }
    answer(arg, NULL,
        n == -2   ? "this job has no schedule, so there is nothing to fill between two times"
        : n == -1 ? "these are more than 100,000 runs; take a shorter span, several times"
                  : "no firing that is over lies in this span; see ingestctl jobs for the schedule");
}

/* -- cancelling and pausing ------------------------------------------------------------------------------ */

static cJSON *make_cancelled(const struct order *o, const PGresult *res, struct error *err)
{
    if (PQntuples(res) == 0) {
        error_set(err, "there is no run with that number; see ingestctl runs");
        return NULL;
    }
    const char *before = PQgetvalue(res, 0, 1);
    if (strcmp(before, "waiting") != 0 && strcmp(before, "running") != 0) {
        error_set(err, "that run is %s; there is nothing to cancel", before);
        return NULL;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "status", PQgetvalue(res, 0, 0));
    return result;
}

void scheduler_cancel(
    struct scheduler *s, int64_t run, const char *who, scheduler_answer_fn *answer, void *arg)
{
    char id[24], now[24];
    const char *const values[] = {number_text(run, id), who, number_text(clock_wall_us(), now)};
    ask((struct order){.s = s, .answer = answer, .arg = arg, .make = make_cancelled, .changes = true},
        record_cancel_sql, 3, values);
}

static cJSON *make_paused(const struct order *o, const PGresult *res, struct error *err)
{
    if (PQntuples(res) > 0)
        return cJSON_CreateObject();
    error_set(err, "the job is not on record yet; try again in a second");
    return NULL;
}

void scheduler_pause(struct scheduler *s, const char *job, bool paused, const char *who,
    scheduler_answer_fn *answer, void *arg)
{
    char now[24];
    if (!named_job(s, job, answer, arg))
        return;
    const char *const values[] = {job, paused ? "true" : "false", who, number_text(clock_wall_us(), now)};
    ask((struct order){.s = s, .answer = answer, .arg = arg, .make = make_paused, .changes = true},
        record_pause_sql, 4, values);
}

/* -- how far a backfill is ------------------------------------------------------------------------------- */

static cJSON *make_progress(const struct order *o, const PGresult *res, struct error *err)
{
    cJSON *result = cJSON_CreateObject();
    for (size_t i = 0; i < N_ELEMENTS(statuses); i++)
        cJSON_AddNumberToObject(result, statuses[i], (double)number_at(res, 0, (int)i));
    return result;
}

void scheduler_progress(struct scheduler *s, const char *job, int64_t from_us, int64_t to_us,
    scheduler_answer_fn *answer, void *arg)
{
    char from[24], to[24];
    struct job *j = named_job(s, job, answer, arg);
    if (!j)
        return;
    if (!j->rollup) {
        from_us--;
        to_us--;
    }
    const char *const values[] = {job, number_text(from_us, from), number_text(to_us, to)};
    ask((struct order){.s = s, .answer = answer, .arg = arg, .make = make_progress}, record_progress_sql, 3,
        values);
}
