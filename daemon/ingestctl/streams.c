#include "ctl.h"
#include "view.h"

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    int code;
    if (ctl_arguments(ctl, self, argc, argv, 0, 0, &code) < 0)
        return code;
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    code = ctl_ask(ctl, "io.ingestd.Streams", NULL, &reply);
    if (code)
        return code;
    const struct cJSON *streams = ctl_item(reply.parameters, "streams");
    if (ctl->json) {
        ctl_print_json(streams);
        return CTL_DONE;
    }
    _cleanup_buffer_ struct buffer text = {0};
    view_streams(&text, streams, ctl->color);
    fwrite(text.p, 1, text.n, stdout);
    return CTL_DONE;
}

const struct command command_streams = {"streams", "", "everything known about each stream", "", run};
