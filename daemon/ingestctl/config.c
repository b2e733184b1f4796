#include "ctl.h"

#include "config/config.h"

#include <cjson/cJSON.h>

static int print_json(cJSON *json)
{
    ctl_print_json(json);
    cJSON_Delete(json);
    return CTL_DONE;
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    bool schema = false;
    const struct ctl_option options[] = {{"schema", &schema, NULL}};
    int code, first = ctl_options(ctl, self, options, N_ELEMENTS(options), argc, argv, &code);
    if (first < 0)
        return code;
    if (first < argc)
        return ctl_misused(self, "one argument too many: %s", argv[first]);
    if (schema)
        return print_json(config_schema());
    _cleanup_(config_freep) struct config *config = ctl_read_config(ctl->config);
    if (!config)
        return CTL_FAILED;
    if (ctl->json)
        return print_json(config_to_json(config));
    _cleanup_free_ char *text = config_to_yaml(config);
    fputs(text, stdout);
    return CTL_DONE;
}

const struct command command_config = {"config", "[--schema]", "the configuration with its defaults",
    "Reads the file, needs no daemon; passwords are masked.\n\n"
    "  --schema        the JSON Schema of the file instead\n",
    run};
