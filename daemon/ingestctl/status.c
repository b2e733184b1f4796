#include "ctl.h"
#include "tenants.h"
#include "view.h"
#include "view_tenants.h"

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    bool all = false;
    const struct ctl_option options[] = {{"all-tenants", .flag = &all}};
    int code, first = ctl_options(ctl, self, options, N_ELEMENTS(options), argc, argv, &code);
    if (first < 0)
        return code;
    if (first < argc)
        return ctl_misused(self, "one argument too many: %s", argv[first]);
    if (all)
        return tenants_show(ctl, "io.ingestd.Status", view_tenants_status, view_is_healthy);
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

const struct command command_status = {"status", "[--all-tenants]", "is all well, and what is not",
    "Ends with 1 unless the daemon is HEALTHY.\n"
    "\n"
    "  --all-tenants   of every tenant on this machine, a line each. Ends with 3 where one does not "
    "answer.\n",
    run};
