#include "ctl.h"
#include "tenants.h"

#include "config/config.h"
#include "job/job.h"
#include "job/rollup_file.h"
#include "stream/source.h"
#include "util/text.h"

#include <cjson/cJSON.h>

/* What the config room cannot judge: whether each source takes its URL and settings. */
static int check_sources(const struct config *config, const char *path)
{
    int n_wrong = 0;
    for (size_t i = 0; i < config->n_streams; i++) {
        const struct config_stream *s = &config->streams[i];
        struct error err;
        const struct source_ops *ops = source_for_url(s->source, &err);
        if (ops && (!ops->check || ops->check(s, &err) == 0))
            continue;
        fprintf(stderr, "%s:%d:1: stream %s: %s\n", path, s->line, s->name, err.text);
        n_wrong++;
    }
    return n_wrong;
}

/* Of a match's side; one that is no query has none. */
static int check_side(const struct config_side *side, struct error *err)
{
    _cleanup_free_ char *text = NULL;
    return side->sql ? job_read_sql(side->sql, &text, err) : 0;
}

static int check_harmonize(const struct config_job *job, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < job->sources.n; i++) {
        _cleanup_free_ char *text = NULL;
        const char *sql = job->sources.list[i].sql;
        r = sql ? job_read_sql(sql, &text, err) : 0;
    }
    for (const char *at = job->transform; r == 0 && at;) {
        _cleanup_free_ char *text = NULL, *path = text_next_item(&at);
        r = job_read_sql(path, &text, err);
    }
    return r;
}

static int check_sql(const struct config *config, const struct config_job *job, struct error *err)
{
    _cleanup_free_ char *text = NULL;
    if (check_side(&job->left, err) < 0 || check_side(&job->right, err) < 0 || check_harmonize(job, err) < 0)
        return -1;
    if (!job->sql)
        return 0;
    if (job_read_sql(job->sql, &text, err) < 0)
        return -1;
    if (strcmp(job->kind, "rollup") != 0)
        return 0;
    const struct rollup_names names = {
        .job = job->name,
        .table = job->table,
        .schema = config->postgres.schema,
        .time_zone = job->time_zone,
    };
    _cleanup_rollup_file_ struct rollup_file file = {0};
    return rollup_file_parse(job->sql, text, &names, &file, err);
}

/* Whether the SQL file of each job that has one is there, and is what its kind takes. What the SQL means only a server can judge. */
static int check_jobs(const struct config *config, const char *path)
{
    int n_wrong = 0;
    for (size_t i = 0; i < config->n_jobs; i++) {
        const struct config_job *job = &config->jobs[i];
        struct error err;
        if (check_sql(config, job, &err) == 0)
            continue;
        fprintf(stderr, "%s:%d:1: job %s: %s\n", path, job->line, job->name, err.text);
        n_wrong++;
    }
    return n_wrong;
}

static int check_one(const struct config *config, const char *path)
{
    const char *file = config->template ? config->template : path;
    return check_sources(config, file) + check_jobs(config, file);
}

static void say_good(const char *path, const struct config *config)
{
    size_t streams = config->n_streams, jobs = config->n_jobs;
    printf("%s: ok, %zu stream%s, %zu job%s\n", path, streams, streams == 1 ? "" : "s", jobs,
        jobs == 1 ? "" : "s");
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    bool all = false;
    const struct ctl_option options[] = {{"all-tenants", .flag = &all}};
    int code, first = ctl_options(ctl, self, options, N_ELEMENTS(options), argc, argv, &code);
    if (first < 0)
        return code;
    if (argc - first > (all ? 0 : 1))
        return ctl_misused(self, "one argument too many: %s", argv[first + !all]);
    if (all)
        return tenants_check(ctl, check_one);
    const char *path = first < argc ? argv[first] : ctl->config;
    _cleanup_(config_freep) struct config *config = ctl_read_config(path);
    int n_wrong = config ? check_one(config, path) : 1;
    bool ok = n_wrong == 0;
    if (ctl->json)
        printf("{\"ok\": %s, \"streams\": %zu, \"jobs\": %zu}\n", ok ? "true" : "false",
            config ? config->n_streams : 0, config ? config->n_jobs : 0);
    else if (ok)
        say_good(path, config);
    return ok ? CTL_DONE : CTL_FAILED;
}

const struct command command_check = {"check", "[--all-tenants | FILE]",
    "find the mistakes in a configuration file",
    "Reads the jobs' SQL files too. Touches no server and needs no daemon. Each mistake is a line\n"
    "FILE:LINE:COLUMN: TEXT on stderr.\n"
    "\n"
    "  --all-tenants   those of every tenant on this machine, and what two of them share: a control socket, "
    "a\n"
    "                  state_dir, a schema of a database, a store, the source of a stream. None may.\n",
    run};
