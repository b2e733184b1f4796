#include "view_jobs.h"

#include "ctl.h"
#include "grid.h"
#include "util/clock.h"
#include "util/text.h"
#include "view.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>

#define NOBODY_LEADS "no daemon leads now: nothing is started until one does"

static const struct remedy {
    const char *state, *words; /* %s: the job's name; %t: the option that names its tenant */
} remedies[] = {
    {"retrying", "it is tried again by itself; see ingestctl%t runs %s"},
    {"failing", "see ingestctl%t runs %s; when it is mended: ingestctl%t run %s"},
};

static bool is_cron(const cJSON *job)
{
    const char *schedule = ctl_text(job, "schedule");
    return schedule[0] && strncmp(schedule, "every ", 6) != 0;
}

/* The clock's multiples need no zone, a cron line does. */
static void schedule_cell(struct grid *g, const cJSON *job)
{
    if (is_cron(job))
        grid_cell(g, PLAIN, "%s (%s)", ctl_text(job, "schedule"), ctl_text(job, "time_zone"));
    else
        grid_cell(g, PLAIN, "%s", ctl_text(job, "schedule")[0] ? ctl_text(job, "schedule") : "by hand");
}

/* "running 3/10"; of bytes "running 67 %" */
static void state_cell(struct grid *g, const cJSON *job)
{
    const char *state = ctl_text(job, "state");
    const cJSON *progress = ctl_item(job, "progress");
    double done = ctl_number(progress, "done"), total = ctl_number(progress, "total");
    char of_done[28], of_total[28];
    if (total >= 1 && strcmp(ctl_text(progress, "unit"), "bytes") == 0)
        grid_cell(g, view_style(state), "%s %.0f %%", state, floor(100 * done / total));
    else if (total >= 1)
        grid_cell(
            g, view_style(state), "%s %s/%s", state, view_count(done, of_done), view_count(total, of_total));
    else
        grid_cell(g, view_style(state), "%s", state);
}

/* "in 3m 10s"; "now" for one that is due. */
static const char *until(const char *rfc3339, char out[40])
{
    char words[32];
    double left = -view_age(rfc3339);
    if (left < 1)
        return strcpy(out, "now");
    snprintf(out, 40, "in %s", view_seconds(left, words));
    return out;
}

static bool is_paused(const cJSON *job)
{
    return strcmp(ctl_text(job, "state"), "paused") == 0;
}

/* "" where there is none; the schedule goes on while a job is paused, but nothing comes of it. */
static const char *next_firing(const cJSON *job, int i)
{
    if (is_paused(job))
        return "";
    const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(ctl_item(job, "next"), i));
    return text ? text : "";
}

static const char *instead_of_firings(const cJSON *job)
{
    return is_paused(job) && ctl_text(job, "schedule")[0] ? "when resumed" : "-";
}

static void short_line(struct grid *g, const cJSON *job)
{
    char words[40], when[32];
    const char *success = ctl_text(job, "last_success"), *window = ctl_text(job, "last_window_end");
    grid_row(g);
    grid_cell(g, PLAIN, "  %s", ctl_text(job, "name"));
    schedule_cell(g, job);
    state_cell(g, job);
    if (success[0])
        grid_cell(g, PLAIN, "%s ago%s%s", view_seconds(view_age(success), words), window[0] ? ", up to " : "",
            window[0] ? view_time(window, when) : "");
    else
        grid_cell(g, PLAIN, "never");
    grid_cell(
        g, PLAIN, "%s", next_firing(job, 0)[0] ? until(next_firing(job, 0), words) : instead_of_firings(job));
}

void view_jobs_in_short(struct buffer *to, const cJSON *status, bool color)
{
    static const char *const heads[] = {"jobs", "schedule", "state", "last success", "next"};
    const cJSON *jobs = ctl_item(status, "jobs"), *job;
    if (cJSON_GetArraySize(jobs) == 0)
        return;
    _cleanup_(grid_freep) struct grid *g = grid_new("lllll", color);
    for (size_t i = 0; i < N_ELEMENTS(heads); i++)
        grid_cell(g, BOLD, "%s", heads[i]);
    cJSON_ArrayForEach(job, jobs)
    {
        short_line(g, job);
    }
    if (cJSON_IsNull(ctl_item(status, "leader"))) {
        grid_row(g);
        grid_rest(g, YELLOW, "  " NOBODY_LEADS);
    }
    grid_write(g, to);
}

/* "03:20 in 3m 10s, 03:30, 03:40" */
static void put_firings(struct buffer *to, const cJSON *job)
{
    char when[32], left[40];
    for (int i = 0; next_firing(job, i)[0]; i++) {
        buffer_printf(to, "%s%s", i ? ", " : "",
            view_firing(next_firing(job, i), i ? next_firing(job, i - 1) : NULL, when));
        if (i == 0)
            buffer_printf(to, " %s", until(next_firing(job, i), left));
    }
}

/* "03:10:01 (1.2s)"; "never". */
static void put_success(struct buffer *to, const cJSON *job)
{
    char when[32], took[32];
    const char *success = ctl_text(job, "last_success");
    if (!success[0]) {
        buffer_put_string(to, "never");
        return;
    }
    buffer_put_string(to, view_time(success, when));
    if (cJSON_IsNumber(ctl_item(job, "last_duration_us")))
        buffer_printf(to, " (%s)", text_duration((int64_t)ctl_number(job, "last_duration_us"), took));
}

static const struct remedy *remedy_of(const cJSON *job)
{
    for (size_t i = 0; i < N_ELEMENTS(remedies); i++)
        if (strcmp(remedies[i].state, ctl_text(job, "state")) == 0)
            return &remedies[i];
    return NULL;
}

/* The words with what stands for it in each place that asks for it, as a new string. */
static char *fill_in(const char *words, const char *name, const char *tenant)
{
    _cleanup_buffer_ struct buffer filled = {0};
    for (const char *place; (place = strchr(words, '%')); words = place + 2) {
        buffer_put(&filled, words, (size_t)(place - words));
        if (place[1] == 's')
            buffer_put_string(&filled, name);
        else if (tenant)
            buffer_printf(&filled, " --tenant %s", tenant);
    }
    buffer_put_string(&filled, words);
    return xstrdup(buffer_string(&filled));
}

static void put_trouble(struct grid *g, const char *tenant, const cJSON *job)
{
    const struct remedy *remedy = remedy_of(job);
    if (!remedy)
        return;
    _cleanup_free_ char *words = fill_in(remedy->words, ctl_text(job, "name"), tenant);
    if (ctl_text(job, "why")[0]) {
        grid_row(g);
        grid_rest(g, view_style(ctl_text(job, "state")), "  ! %s", ctl_text(job, "why"));
    }
    grid_row(g);
    grid_rest(g, PLAIN, "  → %s", words);
}

static void put_leader(struct buffer *to, const cJSON *answer)
{
    char count[28];
    double workers = ctl_number(answer, "workers");
    _cleanup_free_ char *leader = printable(ctl_text(answer, "leader"));
    if (leader[0])
        buffer_printf(to, "%s leads%s, %s worker%s here at work\n", leader,
            ctl_true(answer, "leads") ? " (this daemon)" : "", view_count(workers, count),
            workers == 1 ? "" : "s");
    else
        buffer_put_string(to, NOBODY_LEADS "\n");
}

void view_job_row(struct grid *g, const char *tenant, const cJSON *job)
{
    _cleanup_buffer_ struct buffer success = {0}, firings = {0};
    put_success(&success, job);
    put_firings(&firings, job);
    grid_row(g);
    if (tenant)
        grid_cell(g, PLAIN, "%s", tenant);
    grid_cell(g, PLAIN, "%s", ctl_text(job, "name"));
    grid_cell(g, PLAIN, "%s", ctl_text(job, "kind"));
    schedule_cell(g, job);
    state_cell(g, job);
    grid_cell(g, PLAIN, "%s", buffer_string(&success));
    grid_rest(g, PLAIN, "%s", firings.n > 0 ? buffer_string(&firings) : instead_of_firings(job));
    put_trouble(g, tenant, job);
}

void view_jobs(struct buffer *to, const cJSON *answer, bool color)
{
    static const char *const heads[] = {"job", "kind", "schedule", "state", "last success", "next"};
    const cJSON *jobs = ctl_item(answer, "jobs"), *job;
    if (cJSON_GetArraySize(jobs) == 0) {
        buffer_put_string(to, "no job is configured\n");
        return;
    }
    _cleanup_(grid_freep) struct grid *g = grid_new("llllll", color);
    for (size_t i = 0; i < N_ELEMENTS(heads); i++)
        grid_cell(g, BOLD, "%s", heads[i]);
    cJSON_ArrayForEach(job, jobs)
    {
        view_job_row(g, NULL, job);
    }
    grid_write(g, to);
    put_leader(to, answer);
}

/* -- one job, whole -------------------------------------------------------------------------------------- */

_printf_(3, 4) static void put_line(struct grid *g, const char *name, const char *fmt, ...)
{
    va_list ap;
    _cleanup_free_ char *words = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&words, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    grid_row(g);
    grid_cell(g, PLAIN, "  %s", name);
    grid_rest(g, PLAIN, "%s", words);
}

static void put_running(struct grid *g, const cJSON *job)
{
    char words[32], amounts[96];
    const cJSON *progress = ctl_item(job, "progress");
    if (ctl_number(job, "running") < 1)
        return;
    put_line(g, "running", "run %.0f, for %s", ctl_number(job, "running"),
        view_seconds(view_age(ctl_text(job, "running_since")), words));
    if (!cJSON_IsObject(progress))
        return;
    view_progress(progress, amounts);
    put_line(g, "progress", "%s%s%s", ctl_text(progress, "stage"), amounts[0] ? ", " : "", amounts);
}

static void put_times(struct grid *g, const cJSON *job)
{
    static const struct {
        const char *label, *key;
    } times[] = {
        {"computed up to", "last_window_end"},
        {"last failure", "last_failure"},
    };
    char words[40], left[40];
    _cleanup_buffer_ struct buffer success = {0};
    for (int i = 0; next_firing(job, i)[0]; i++)
        put_line(g, i ? "" : "next", "%s %s", view_time(next_firing(job, i), words),
            until(next_firing(job, i), left));
    if (!next_firing(job, 0)[0])
        put_line(g, "next", "%s", instead_of_firings(job));
    put_success(&success, job);
    put_line(g, "last success", "%s", buffer_string(&success));
    for (size_t i = 0; i < N_ELEMENTS(times); i++)
        if (ctl_text(job, times[i].key)[0])
            put_line(g, times[i].label, "%s", view_time(ctl_text(job, times[i].key), words));
    if (cJSON_IsNumber(ctl_item(job, "last_lateness_us")))
        put_line(
            g, "started late by", "%s", text_duration((int64_t)ctl_number(job, "last_lateness_us"), words));
}

static void put_counts(struct grid *g, const cJSON *job)
{
    static const struct {
        const char *label, *key;
    } counts[] = {
        {"succeeded", "succeeded"},
        {"failed", "failed"},
        {"failed in a row", "failed_in_a_row"},
        {"skipped", "skipped"},
        {"waiting", "waiting"},
    };
    char count[28];
    for (size_t i = 0; i < N_ELEMENTS(counts); i++)
        put_line(g, counts[i].label, "%s", view_count(ctl_number(job, counts[i].key), count));
}

void view_job(struct buffer *to, const cJSON *job, bool color)
{
    _cleanup_(grid_freep) struct grid *g = grid_new("ll", color);
    char since[32];
    const char *state = ctl_text(job, "state"), *schedule = ctl_text(job, "schedule");
    grid_cell(g, BOLD, "%s", ctl_text(job, "name"));
    grid_row(g);
    grid_cell(g, PLAIN, "  state");
    grid_rest(g, view_style(state), "%s%s%s", state, ctl_text(job, "since")[0] ? " since " : "",
        ctl_text(job, "since")[0] ? view_time(ctl_text(job, "since"), since) : "");
    put_trouble(g, NULL, job);
    put_line(g, "kind", "%s", ctl_text(job, "kind"));
    put_line(g, "schedule", "%s", schedule[0] ? schedule : "by hand");
    put_line(g, "time zone", "%s", ctl_text(job, "time_zone"));
    put_running(g, job);
    put_times(g, job);
    put_counts(g, job);
    grid_write(g, to);
}
