#include "ctl.h"

#include <cjson/cJSON.h>

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    int code;
    if (ctl_arguments(ctl, self, argc, argv, 0, 0, &code) < 0)
        return code;
    _cleanup_(client_freep) struct client *client = ctl_connect(ctl);
    if (!client)
        return CTL_UNREACHABLE;
    struct error err;
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    if (client_call(client, "io.ingestd.Reload", NULL, &reply, &err) < 0) {
        ctl_say("%s", err.text);
        return CTL_UNREACHABLE;
    }
    const char *note = ctl_text(reply.parameters, "note");
    if (ctl->json)
        ctl_print_json(reply.parameters);
    else if (reply.error)
        ctl_say_error(&reply);
    else
        printf("the new configuration is in force%s%s\n", note[0] ? "; note: " : "", note);
    return reply.error ? CTL_FAILED : CTL_DONE;
}

const struct command command_reload = {"reload", "", "take the changed configuration file",
    "When the file has mistakes they are listed, and the old configuration stays in force.\n", run};
