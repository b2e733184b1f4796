#include "names.h"

#include "util/text.h"

#include <cjson/cJSON.h>

#define MOST_NAMES 256

static size_t list_names(const cJSON *things, const char **names, size_t n)
{
    const cJSON *thing;
    cJSON_ArrayForEach(thing, things)
    {
        if (n < MOST_NAMES)
            names[n++] = ctl_text(thing, "name");
    }
    return n;
}

/* What may have been meant; words is "no job is called". */
static int say_unknown(struct client *client, const char *words, const char *name, bool streams_too)
{
    struct error err;
    _cleanup_varlink_reply_ struct varlink_reply reply = {0};
    const char *names[MOST_NAMES], *meant = NULL;
    if (client_call(client, "io.ingestd.Status", NULL, &reply, &err) == 0 && !reply.error) {
        size_t n = list_names(ctl_item(reply.parameters, "jobs"), names, 0);
        if (streams_too)
            n = list_names(ctl_item(reply.parameters, "streams"), names, n);
        meant = text_suggest(name, names, n);
    }
    if (meant)
        ctl_say("%s \"%s\"; did you mean \"%s\"?", words, name, meant);
    else
        ctl_say("%s \"%s\"; `ingestctl %s` lists them", words, name, streams_too ? "status" : "jobs");
    return CTL_FAILED;
}

int names_say_no_job(struct client *client, const char *name)
{
    return say_unknown(client, "no job is called", name, false);
}

int names_say_neither(struct client *client, const char *name)
{
    return say_unknown(client, "neither a stream nor a job is called", name, true);
}

int names_call(struct client *client, const char *method, cJSON *parameters, struct varlink_reply *ret)
{
    struct error err;
    struct varlink_reply reply;
    if (client_call(client, method, parameters, &reply, &err) < 0) {
        ctl_say("%s", err.text);
        return CTL_UNREACHABLE;
    }
    if (!reply.error || strcmp(reply.error, "io.ingestd.NoSuchJob") != 0)
        return ctl_take(&reply, ret);
    int code = names_say_no_job(client, ctl_text(reply.parameters, "job"));
    varlink_reply_done(&reply);
    return code;
}
