#include "ctl.h"
#include "view.h"

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    int code;
    if (ctl_arguments(ctl, self, argc, argv, 0, 0, &code) < 0)
        return code;
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    code = ctl_ask(ctl, "io.ingestd.Status", NULL, &reply);
    if (code)
        return code;
    if (ctl->json) {
        ctl_print_json(reply.parameters);
    } else {
        _cleanup_buffer_ struct buffer text = {0};
        view_status(&text, reply.parameters, ctl->color);
        fwrite(text.p, 1, text.n, stdout);
    }
    return view_is_healthy(reply.parameters) ? CTL_DONE : CTL_FAILED;
}

const struct command command_status = {
    "status", "", "is all well, and what is not", "Ends with 1 unless the daemon is HEALTHY.\n", run};
