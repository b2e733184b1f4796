#include "ctl.h"
#include "grid.h"

#include "config/config.h"
#include "stream/probe.h"
#include "stream/source.h"

#include <cjson/cJSON.h>

#define MOST_FAILURES 100

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
    if (f.list)
        ctl_print_json(f.list);
    cJSON_Delete(f.list);
    return MIN(n_failed, MOST_FAILURES);
}

const struct command command_doctor = {"doctor", "", "try every server the configuration names",
    "Needs no daemon. The exit code is the number of failed probes, at most 100.\n", run};
