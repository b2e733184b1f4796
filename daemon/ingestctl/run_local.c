#include "run_local.h"

#include "bar.h"
#include "grid.h"
#include "view_runs.h"
#include "work.h"

#include "config/config.h"
#include "job/take.h"
#include "job/worker_path.h"
#include "util/clock.h"
#include "util/text.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <sys/stat.h>

static int say_no_job(const struct ctl *ctl, const struct config *config, const char *name)
{
    const char **names = xcalloc(config->n_jobs + 1, sizeof(*names));
    for (size_t i = 0; i < config->n_jobs; i++)
        names[i] = config->jobs[i].name;
    _cleanup_free_ char *clean = printable(name);
    const char *near = text_suggest(name, names, config->n_jobs);
    ctl_say("no job is called %s in %s%s%s%s", clean, ctl->config, near ? "; did you mean " : "",
        near ? near : "", near ? "?" : "");
    free(names);
    return CTL_FAILED;
}

/* Those above it too, where they are missing. */
static bool is_folder_of_ours(const char *folder)
{
    _cleanup_free_ char *path = xstrdup(folder);
    for (char *slash = path; (slash = strchr(slash + 1, '/')); *slash = '/') {
        *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return false;
    }
    return (mkdir(path, 0700) == 0 || errno == EEXIST) && access(path, W_OK | X_OK) == 0;
}

/* Of the kinds that keep something on the disk. The worker makes the job's own in it, but does not know where it can be
 * set. */
static int make_folder(const struct ctl *ctl, const struct config *config, const struct config_job *job)
{
    if (strcmp(job->kind, "match") != 0 && strcmp(job->kind, "harmonize") != 0)
        return CTL_DONE;
    _cleanup_free_ char *path = xasprintf("%s/%s", config->state_dir, job->kind);
    if (is_folder_of_ours(path))
        return CTL_DONE;
    ctl_say("the folder %s, for what a %s has read, cannot be made or written in: %s; set state_dir in %s "
            "to a folder of your own",
        path, job->kind, strerror(errno), ctl->config);
    return CTL_FAILED;
}

/* As the daemon keeps it, so that it is shown in the same way. */
static cJSON *as_run(struct work_end *end)
{
    cJSON *run = cJSON_CreateObject(), *result = report_take_result(end->stats);
    cJSON_AddItemToObject(run, "stats", TAKE(end->stats));
    if (result)
        cJSON_AddItemToObject(run, "result", result);
    return run;
}

static void show(const struct ctl *ctl, struct work_end *end, bool dry_run)
{
    cJSON_AddNumberToObject(end->stats, "peak_bytes", (double)end->peak_bytes);
    cJSON_AddNumberToObject(end->stats, "cpu_us", (double)end->cpu_us);
    if (ctl->json) {
        ctl_print_json(end->stats);
        return;
    }
    _cleanup_buffer_ struct buffer text = {0};
    cJSON *run = as_run(end);
    if (dry_run)
        buffer_put_string(&text, "a dry run: nothing was changed, and this is what it would do:\n");
    view_run_stats(&text, run, ctl->color);
    view_run_result(&text, run, ctl->color);
    cJSON_Delete(run);
    fwrite(text.p, 1, text.n, stdout);
}

static int work(
    const struct ctl *ctl, const struct config *config, const struct config_job *job, bool dry_run)
{
    struct bar bar = {.form = ctl->terminal && !ctl->json ? BAR_DRAWN : BAR_NONE};
    const struct work_events events = {
        .progress = work_show_progress, .stage = ctl->json ? NULL : work_show_stage, .arg = &bar};
    _cleanup_free_ char *worker = worker_path();
    _cleanup_job_spec_ struct job_spec spec = {0};
    _cleanup_work_end_ struct work_end end = {0};
    job_spec_take(&spec, config, job);
    spec.scheduled_us = clock_wall_us();
    spec.dry_run = dry_run;
    const struct process_limits limits = {.time_us = spec.time_limit_us,
        .memory_max = spec.memory_max,
        .beside = job_spec_memory_beside(&spec),
        .reserve_max = job_spec_reserve_max(&spec)};
    work_run(worker, &spec, &limits, &events, &end);
    bar_clear(&bar);
    if (end.outcome == PROCESS_DONE)
        show(ctl, &end, dry_run);
    return work_say_end(&end);
}

int run_local(const struct ctl *ctl, const struct command *self, const char *name, bool dry_run)
{
    _cleanup_(config_freep) struct config *config = ctl_read_config(ctl->config);
    if (!config)
        return CTL_FAILED;
    const struct config_job *job = config_find_job(config, name);
    if (!job)
        return say_no_job(ctl, config, name);
    if (strcmp(job->kind, "rollup") == 0)
        return ctl_misused(self,
            "%s is a rollup, whose windows the daemon keeps on record; without --local it "
            "is run there",
            name);
    int code = make_folder(ctl, config, job);
    return code ? code : work(ctl, config, job, dry_run);
}
