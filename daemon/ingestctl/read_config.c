#include "ctl.h"

#include "config/config.h"

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
