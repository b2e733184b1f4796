#include "ctl.h"

#include "config/config.h"
#include "util/text.h"

struct config *ctl_read_config(const char *path)
{
    struct config_problems problems = {0};
    struct config *config = NULL;
    if (config_read(path, &config, &problems) < 0) {
        _cleanup_free_ char *words = config_problems_to_string(path, &problems);
        fprintf(stderr, "%s%s", words, words[0] && words[strlen(words) - 1] != '\n' ? "\n" : "");
    }
    config_problems_done(&problems);
    return config;
}

int ctl_say_no_tenant(const struct ctl *ctl)
{
    struct error err;
    struct config_tenants files = {0};
    struct config_problems problems = {0};
    if (config_list_tenants(ctl->tenants, &files, &problems, &err) < 0) {
        ctl_say("%s", err.text);
        return CTL_USAGE;
    }
    const char *near = text_suggest(ctl->tenant, (const char *const *)files.names, files.n);
    ctl_say("there is no tenant %s in %s%s%s%s", ctl->tenant, ctl->tenants, near ? "; did you mean " : "",
        near ? near : "", near ? "?" : "");
    config_tenants_done(&files);
    config_problems_done(&problems);
    return CTL_USAGE;
}
