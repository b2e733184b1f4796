#include "view_tenants.h"

#include "ctl.h"
#include "view.h"
#include "view_jobs.h"

#include <cjson/cJSON.h>

static void put_heads(struct grid *g, const char *const *heads)
{
    for (; *heads; heads++)
        grid_cell(g, BOLD, "%s", *heads);
}

/* One that did not answer: why not, in place of what it would have told. */
static bool put_error(struct grid *g, const cJSON *tenant)
{
    const char *error = ctl_text(tenant, "error");
    if (!error[0])
        return false;
    grid_row(g);
    grid_cell(g, PLAIN, "%s", ctl_text(tenant, "tenant"));
    grid_rest(g, RED, "! %s", error);
    return true;
}

static bool none(struct buffer *to, const cJSON *answer)
{
    if (cJSON_GetArraySize(ctl_item(answer, "tenants")) > 0)
        return false;
    buffer_put_string(to, "there is no tenant\n");
    return true;
}

static void put_jobs(struct grid *g, const cJSON *tenant)
{
    const char *name = ctl_text(tenant, "tenant");
    const cJSON *jobs = ctl_item(tenant, "jobs"), *job;
    if (cJSON_GetArraySize(jobs) == 0) {
        grid_row(g);
        grid_cell(g, PLAIN, "%s", name);
        grid_rest(g, DIM, "no job is configured");
    }
    cJSON_ArrayForEach(job, jobs)
    {
        view_job_row(g, name, job);
    }
}

void view_tenants_jobs(struct buffer *to, const cJSON *answer, bool color)
{
    static const char *const heads[] = {
        "TENANT", "job", "kind", "schedule", "state", "last success", "next", NULL};
    const cJSON *tenant;
    if (none(to, answer))
        return;
    _cleanup_(grid_freep) struct grid *g = grid_new("lllllll", color);
    put_heads(g, heads);
    cJSON_ArrayForEach(tenant, ctl_item(answer, "tenants"))
    {
        if (!put_error(g, tenant))
            put_jobs(g, tenant);
    }
    grid_write(g, to);
}

static int n_failing(const cJSON *jobs)
{
    int n = 0;
    const cJSON *job;
    cJSON_ArrayForEach(job, jobs)
    {
        n +=
            strcmp(ctl_text(job, "state"), "failing") == 0 || strcmp(ctl_text(job, "state"), "retrying") == 0;
    }
    return n;
}

static void put_status(struct grid *g, const cJSON *tenant)
{
    char up[32];
    const char *state = ctl_text(tenant, "state");
    const cJSON *jobs = ctl_item(tenant, "jobs"), *condition;
    int failing = n_failing(jobs);
    grid_row(g);
    grid_cell(g, PLAIN, "%s", ctl_text(tenant, "tenant"));
    grid_cell(g, view_style(state), "%s", state);
    grid_cell(g, PLAIN, "%s", view_seconds(ctl_number(tenant, "uptime_s"), up));
    grid_cell(g, PLAIN, "%d", cJSON_GetArraySize(ctl_item(tenant, "streams")));
    grid_cell(g, PLAIN, "%d", cJSON_GetArraySize(jobs));
    grid_cell(g, failing > 0 ? RED : PLAIN, "%d", failing);
    grid_cell(g, PLAIN, "%s", ctl_text(tenant, "version"));
    cJSON_ArrayForEach(condition, ctl_item(tenant, "conditions"))
    {
        grid_row(g);
        grid_rest(g, view_style(ctl_text(condition, "severity")), "  ! %s: %s",
            ctl_text(condition, "subject"), ctl_text(condition, "what"));
    }
}

void view_tenants_status(struct buffer *to, const cJSON *answer, bool color)
{
    static const char *const heads[] = {
        "TENANT", "state", "up", "streams", "jobs", "failing", "version", NULL};
    const cJSON *tenant;
    if (none(to, answer))
        return;
    _cleanup_(grid_freep) struct grid *g = grid_new("lllrrrl", color);
    put_heads(g, heads);
    cJSON_ArrayForEach(tenant, ctl_item(answer, "tenants"))
    {
        if (!put_error(g, tenant))
            put_status(g, tenant);
    }
    grid_write(g, to);
}
