#include "ctl.h"

#include <cjson/cJSON.h>

static int show(const struct ctl *ctl, const char *run, const cJSON *answer)
{
    const char *status = ctl_text(answer, "status");
    bool cancelled = strcmp(status, "cancelled") == 0, ending = strcmp(status, "running") == 0;
    if (ctl->json)
        ctl_print_json(answer);
    else if (cancelled)
        printf("run %s: cancelled\n", run);
    else if (ending)
        printf("run %s: its worker is being ended\n", run);
    else
        ctl_say("run %s was over before: %s", run, status);
    return cancelled || ending ? CTL_DONE : CTL_FAILED;
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    int64_t id;
    int code, first = ctl_arguments(ctl, self, argc, argv, 1, 1, &code);
    if (first < 0)
        return code;
    if (ctl_parse_id(argv[first], &id) < 0)
        return ctl_misused(self, "%s is not a run's number; `ingestctl runs` lists them", argv[first]);
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddNumberToObject(parameters, "id", (double)id);
    code = ctl_ask(ctl, "io.ingestd.RunCancel", parameters, &reply);
    return code ? code : show(ctl, argv[first], reply.parameters);
}

const struct command command_cancel = {"cancel", "RUN", "end a run, or have a waiting one not start",
    "What it had not committed is rolled back. Ends with 1 when the run was over before.\n", run};
