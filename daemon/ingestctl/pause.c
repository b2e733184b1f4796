#include "ctl.h"
#include "names.h"

#include <cjson/cJSON.h>

/* `pause` and `resume` differ in the methods and words alone. */
struct change {
    const char *stream_method, *job_method, *done;
};

static int call_about(
    struct client *client, const char *method, const char *kind, const char *name, struct varlink_reply *ret)
{
    struct error err;
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, kind, name);
    if (client_call(client, method, parameters, ret, &err) == 0)
        return 0;
    ctl_say("%s", err.text);
    return CTL_UNREACHABLE;
}

static bool is_error(const struct varlink_reply *reply, const char *name)
{
    return reply->error && strcmp(reply->error, name) == 0;
}

/* A name is a stream's or a job's, never both. */
static int change_one(struct client *client, const struct change *change, const char *name)
{
    _cleanup_varlink_reply_ struct varlink_reply of_stream = {0}, of_job = {0};
    int code = call_about(client, change->stream_method, "stream", name, &of_stream);
    if (code || !of_stream.error)
        return code;
    if (!is_error(&of_stream, "io.ingestd.NoSuchStream"))
        return ctl_say_error(&of_stream);
    code = call_about(client, change->job_method, "job", name, &of_job);
    if (code || !of_job.error)
        return code;
    if (is_error(&of_job, "io.ingestd.NoSuchJob"))
        return names_say_neither(client, name);
    return ctl_say_error(&of_job);
}

/* One connection serves all the names. */
static int change_all(const struct ctl *ctl, const struct change *change, int n, char **names)
{
    _cleanup_(client_freep) struct client *client = ctl_connect(ctl);
    if (!client)
        return CTL_UNREACHABLE;
    int worst = CTL_DONE;
    for (int i = 0; i < n && worst != CTL_UNREACHABLE; i++) {
        int code = change_one(client, change, names[i]);
        worst = MAX(worst, code);
        if (code == CTL_DONE && !ctl->json)
            printf("%s: %s\n", names[i], change->done);
    }
    if (ctl->json)
        puts(worst ? "{\"ok\": false}" : "{\"ok\": true}");
    return worst;
}

static int run_pause(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    static const struct change pause_it = {"io.ingestd.Pause", "io.ingestd.PauseJob", "paused"};
    int code, first = ctl_arguments(ctl, self, argc, argv, 1, argc, &code);
    return first < 0 ? code : change_all(ctl, &pause_it, argc - first, argv + first);
}

static int run_resume(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    static const struct change resume_it = {"io.ingestd.Resume", "io.ingestd.ResumeJob", "resumed"};
    int code, first = ctl_arguments(ctl, self, argc, argv, 1, argc, &code);
    return first < 0 ? code : change_all(ctl, &resume_it, argc - first, argv + first);
}

const struct command command_pause = {"pause", "NAME…", "stop reading a stream, or firing a job",
    "A stream: nothing is lost; what comes in waits upstream, or in the spool, until `resume` or a restart.\n"
    "A job: it stays paused over restarts, on every daemon; a run under way goes on.\n",
    run_pause};
const struct command command_resume = {
    "resume", "NAME…", "read a paused stream, or fire a paused job, again", "", run_resume};
