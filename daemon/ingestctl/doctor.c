#include "ctl.h"
#include "grid.h"
#include "work.h"

#include "config/config.h"
#include "job/harmonize_spec.h"
#include "job/worker_path.h"
#include "stream/probe.h"
#include "stream/source.h"
#include "util/clock.h"
#include "util/text.h"

#include <cjson/cJSON.h>

#define MOST_FAILURES 100
/* For one database: the worker gives up connecting after 10 s by itself, and says why. */
#define PATIENCE_US (15 * US_PER_SEC)

struct findings {
    const struct ctl *ctl;
    cJSON *list; /* with --json */
};

/* Each line at once: a server that does not answer makes one wait for the next. */
static void say(void *arg, bool ok, const char *what, const char *words)
{
    struct findings *f = arg;
    if (f->list) {
        cJSON *to = cJSON_CreateObject();
        cJSON_AddBoolToObject(to, "ok", ok);
        cJSON_AddStringToObject(to, "what", what);
        cJSON_AddStringToObject(to, "words", words ? words : "");
        cJSON_AddItemToArray(f->list, to);
        return;
    }
    _cleanup_buffer_ struct buffer line = {0};
    _cleanup_free_ char *clean = printable(words ? words : "");
    style_write(&line, f->ctl->color, ok ? GREEN : RED, ok ? "ok    " : "FAILED");
    buffer_printf(&line, "  %s: %s\n", what, clean);
    fwrite(line.p, 1, line.n, stdout);
    fflush(stdout);
}

static int probe_source(struct findings *f, const struct config *config, const struct config_stream *s)
{
    struct error err = {""};
    _cleanup_free_ char *said = NULL;
    _cleanup_free_ char *what = xasprintf("stream %s", s->name);
    const struct source_ops *ops = source_for_url(s->source, &err);
    bool ok = ops && ops->check(s, &err) == 0 && ops->probe(config, s, &said, &err) == 0;
    say(f, ok, what, ok ? said : err.text);
    return !ok;
}

/* -- the worker, and what it alone can reach ------------------------------------------------------------- */

static int probe_worker(struct findings *f, const char *worker)
{
    struct error err;
    _cleanup_free_ char *version = NULL, *words = NULL;
    bool ok = work_version(worker, &version, &err) == 0;
    if (ok && strcmp(version, INGESTD_VERSION) == 0) {
        words = xasprintf("%s, version %s", worker, version);
    } else if (ok) {
        words = xasprintf("%s is of version %s, but ingestctl is of " INGESTD_VERSION
                          ": install both from one build",
            worker, version);
        ok = false;
    } else {
        words = xstrdup(err.text);
    }
    say(f, ok, "worker", words);
    return !ok;
}

static char *words_of_good(const struct work_end *end)
{
    char lasted[32];
    const char *server = ctl_text(end->stats, "server");
    text_duration((int64_t)(ctl_number(end->stats, "seconds") * US_PER_SEC), lasted);
    return xasprintf("%s, %s", server[0] ? server : "answers", lasted);
}

static char *words_of_bad(const struct work_end *end)
{
    char patience[32];
    if (end->outcome == PROCESS_KILLED)
        return xasprintf("gave no answer within %s", text_duration(PATIENCE_US, patience));
    const char *between = end->last_words[0] ? "; its last words: " : "";
    return xasprintf("%s%s%s", end->error, between, end->last_words);
}

/* 0 or 1 failed, or -1: we were interrupted. */
static int probe(
    struct findings *f, const char *worker, struct job_spec *spec, const char *noun, const char *name)
{
    const struct process_limits limits = {.time_us = PATIENCE_US};
    _cleanup_work_end_ struct work_end end = {0};
    spec->time_limit_us = PATIENCE_US;
    work_run(worker, spec, &limits, NULL, &end);
    if (end.interrupted)
        return -1;
    bool ok = end.outcome == PROCESS_DONE;
    _cleanup_free_ char *what = xasprintf("%s %s", noun, name);
    _cleanup_free_ char *words = ok ? words_of_good(&end) : words_of_bad(&end);
    say(f, ok, what, words);
    return !ok;
}

static int probe_database(struct findings *f, const char *worker, const struct config_database *d)
{
    _cleanup_job_spec_ struct job_spec spec = {0};
    work_spec("probe", "doctor", &(struct job_database){d->url, d->password_file}, &spec);
    return probe(f, worker, &spec, "database", d->name);
}

static int probe_store(
    struct findings *f, const char *worker, const struct config *config, const struct config_store *s)
{
    _cleanup_job_spec_ struct job_spec spec = {0};
    work_spec("probe", "doctor", &(struct job_database){config->postgres.url, NULL}, &spec);
    job_store_take(&spec.store, config, s->name);
    return probe(f, worker, &spec, "store", s->name);
}

/* How many failed, or -1: we were interrupted. Without jobs, databases and stores nobody needs the worker. */
static int probe_work(struct findings *f, const struct config *config)
{
    if (config->n_jobs + config->n_databases + config->n_stores == 0)
        return 0;
    _cleanup_free_ char *worker = worker_path();
    int n_failed = probe_worker(f, worker);
    size_t n = config->n_databases;
    for (size_t i = 0; i < n + config->n_stores; i++) {
        int r = i < n ? probe_database(f, worker, &config->databases[i])
                      : probe_store(f, worker, config, &config->stores[i - n]);
        if (r < 0)
            return -1;
        n_failed += r;
    }
    return n_failed;
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    int code;
    if (ctl_arguments(ctl, self, argc, argv, 0, 0, &code) < 0)
        return code;
    _cleanup_(config_freep) struct config *config = ctl_read_config(ctl->config);
    if (!config)
        return CTL_FAILED;
    struct findings f = {ctl, ctl->json ? cJSON_CreateArray() : NULL};
    int n_failed = intake_probe(config, say, &f);
    for (size_t i = 0; i < config->n_streams; i++)
        n_failed += probe_source(&f, config, &config->streams[i]);
    int n_more = probe_work(&f, config);
    if (f.list)
        ctl_print_json(f.list);
    cJSON_Delete(f.list);
    return n_more < 0 ? CTL_INTERRUPTED : MIN(n_failed + n_more, MOST_FAILURES);
}

const struct command command_doctor = {"doctor", "", "try every server the configuration names",
    "Databases that jobs name are tried by the worker, as their jobs would use them. Needs no daemon.\n"
    "The exit code is the number of failed probes, at most 100.\n",
    run};
