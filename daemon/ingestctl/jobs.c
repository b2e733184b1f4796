#include "ctl.h"
#include "names.h"
#include "tenants.h"
#include "view_jobs.h"
#include "view_tenants.h"

#include <cjson/cJSON.h>

static const cJSON *find_job(const cJSON *answer, const char *name)
{
    const cJSON *job;
    cJSON_ArrayForEach(job, ctl_item(answer, "jobs"))
    {
        if (strcmp(ctl_text(job, "name"), name) == 0)
            return job;
    }
    return NULL;
}

static void show(const struct ctl *ctl, const cJSON *answer, const cJSON *job)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (ctl->json) {
        ctl_print_json(job ? job : answer);
        return;
    }
    if (job)
        view_job(&text, job, ctl->color);
    else
        view_jobs(&text, answer, ctl->color);
    fwrite(text.p, 1, text.n, stdout);
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    bool all = false;
    const struct ctl_option options[] = {{"all-tenants", .flag = &all}};
    int code, first = ctl_options(ctl, self, options, N_ELEMENTS(options), argc, argv, &code);
    if (first < 0)
        return code;
    if (argc - first > (all ? 0 : 1))
        return ctl_misused(self, "one argument too many: %s", argv[first + !all]);
    if (all)
        return tenants_show(ctl, "io.ingestd.Jobs", view_tenants_jobs, NULL);
    const char *name = first < argc ? argv[first] : NULL;
    _cleanup_(client_freep) struct client *client = ctl_connect(ctl);
    if (!client)
        return CTL_UNREACHABLE;
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    code = ctl_call(client, "io.ingestd.Jobs", NULL, &reply);
    if (code)
        return code;
    const cJSON *job = name ? find_job(reply.parameters, name) : NULL;
    if (name && !job)
        return names_say_no_job(client, name);
    show(ctl, reply.parameters, job);
    return CTL_DONE;
}

const struct command command_jobs = {"jobs", "[--all-tenants | JOB]",
    "the jobs: when each is due, and how it went",
    "With a name, everything known about that one.\n"
    "\n"
    "  --all-tenants   those of every tenant on this machine, each asked of its own daemon. Ends with 3 "
    "where one\n"
    "                  does not answer.\n",
    run};
