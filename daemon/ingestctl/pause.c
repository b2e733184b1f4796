#include "ctl.h"

#include <cjson/cJSON.h>

/* `pause` and `resume` differ in the method alone. One connection serves all the names. */
static int change(const struct ctl *ctl, const char *method, const char *done, int n, char **names)
{
    _cleanup_(client_freep) struct client *client = ctl_connect(ctl);
    if (!client)
        return CTL_UNREACHABLE;
    int worst = CTL_DONE;
    for (int i = 0; i < n; i++) {
        _cleanup_varlink_reply_ struct varlink_reply reply = {0};
        cJSON *parameters = cJSON_CreateObject();
        cJSON_AddStringToObject(parameters, "stream", names[i]);
        int code = ctl_call(client, method, parameters, &reply);
        worst = MAX(worst, code);
        if (code == CTL_UNREACHABLE)
            break;
        if (code == CTL_DONE && !ctl->json)
            printf("%s: %s\n", names[i], done);
    }
    if (ctl->json)
        puts(worst ? "{\"ok\": false}" : "{\"ok\": true}");
    return worst;
}

static int run_pause(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    int code, first = ctl_arguments(ctl, self, argc, argv, 1, argc, &code);
    return first < 0 ? code : change(ctl, "io.ingestd.Pause", "paused", argc - first, argv + first);
}

static int run_resume(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    int code, first = ctl_arguments(ctl, self, argc, argv, 1, argc, &code);
    return first < 0 ? code : change(ctl, "io.ingestd.Resume", "resumed", argc - first, argv + first);
}

const struct command command_pause = {"pause", "STREAM…", "stop reading a stream",
    "Nothing is lost: what comes in waits upstream, or in the spool, until `resume` or a restart.\n",
    run_pause};
const struct command command_resume = {"resume", "STREAM…", "read a paused stream again", "", run_resume};
