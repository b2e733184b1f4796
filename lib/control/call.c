#include "control/call.h"

#include "util/clock.h"

#include <cjson/cJSON.h>

struct call {
    const struct control_daemon *daemon;
    struct peer peer;
    struct varlink_call message;
    call_answer_fn *answer; /* NULL once the last answer was given, or nobody waits */
    void *owner;
    bool held; /* somebody else will answer */
};

struct call *call_new(const struct control_daemon *daemon, const struct peer *peer,
    struct varlink_call *message, call_answer_fn *answer, void *owner)
{
    struct call *c = xnew(struct call);
    c->daemon = daemon;
    c->peer = *peer;
    c->message = *message;
    *message = (struct varlink_call){0};
    c->answer = answer;
    c->owner = owner;
    return c;
}

static void free_when_done(struct call *c)
{
    if (c->answer || c->held)
        return;
    varlink_call_done(&c->message);
    free(c);
}

void call_abandon(struct call *c)
{
    c->answer = NULL;
    free_when_done(c);
}

void call_hold(struct call *c)
{
    c->held = true;
}

const struct control_daemon *call_daemon(const struct call *c)
{
    return c->daemon;
}

const struct peer *call_peer(const struct call *c)
{
    return &c->peer;
}

const struct varlink_call *call_message(const struct call *c)
{
    return &c->message;
}

const char *call_text(const struct call *c, const char *parameter)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(c->message.parameters, parameter));
}

int64_t call_number(const struct call *c, const char *parameter)
{
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(c->message.parameters, parameter);
    return cJSON_IsNumber(n) ? (int64_t)n->valuedouble : 0;
}

bool call_flag(const struct call *c, const char *parameter)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c->message.parameters, parameter));
}

int64_t call_time(const struct call *c, const char *parameter)
{
    const char *text = call_text(c, parameter);
    int64_t us = 0;
    return text && clock_parse_utc(text, &us) == 0 ? us : 0;
}

void call_continue(struct call *c, cJSON *parameters)
{
    if (c->answer)
        c->answer(c->owner, varlink_write_reply(parameters, true), false);
    else
        cJSON_Delete(parameters);
}

/* The owner forgets the call in its answer function, so it is cleared before. */
static void finish(struct call *c, char *message)
{
    call_answer_fn *answer = TAKE(c->answer);
    if (answer)
        answer(c->owner, message, true);
    else
        free(message);
    free_when_done(c);
}

void call_reply(struct call *c, cJSON *parameters)
{
    finish(c, varlink_write_reply(parameters, false));
}

void call_error(struct call *c, const char *error, cJSON *parameters)
{
    finish(c, varlink_write_error(error, parameters));
}

void call_error_about(struct call *c, const char *error, const char *parameter, const char *value)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, parameter, value);
    call_error(c, error, parameters);
}

void call_fail(struct call *c, const char *why)
{
    call_error_about(c, "io.ingestd.Failed", "why", why);
}

void call_settle(struct call *c, const char *name, cJSON *result, const char *why)
{
    c->held = false; /* so the last answer frees it */
    if (!result) {
        call_fail(c, why ? why : "no reason was given");
    } else if (name) {
        cJSON *parameters = cJSON_CreateObject();
        cJSON_AddItemToObject(parameters, name, result);
        call_reply(c, parameters);
    } else {
        call_reply(c, result);
    }
}
