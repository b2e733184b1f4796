#include "ctl.h"

#include "config/config.h"
#include "stream/source.h"

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

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    int code, first = ctl_arguments(ctl, self, argc, argv, 0, 1, &code);
    if (first < 0)
        return code;
    const char *path = first < argc ? argv[first] : ctl->config;
    _cleanup_(config_freep) struct config *config = ctl_read_config(path);
    bool ok = config && check_sources(config, path) == 0;
    if (ctl->json)
        printf("{\"ok\": %s, \"streams\": %zu}\n", ok ? "true" : "false", config ? config->n_streams : 0);
    else if (ok)
        printf("%s: ok, %zu stream%s\n", path, config->n_streams, config->n_streams == 1 ? "" : "s");
    return ok ? CTL_DONE : CTL_FAILED;
}

const struct command command_check = {"check", "[FILE]", "find the mistakes in a configuration file",
    "Touches no server and needs no daemon. Each mistake is a line FILE:LINE:COLUMN: TEXT on stderr.\n", run};
