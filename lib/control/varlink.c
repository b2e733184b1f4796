#include "control/varlink.h"

#include "util/text.h"

#include <cjson/cJSON.h>

enum varlink_frame varlink_next(const char *p, size_t n, size_t max, size_t *scanned, size_t *ret_length)
{
    size_t from = MIN(*scanned, n);
    const char *nul = n > from ? memchr(p + from, '\0', n - from) : NULL;
    size_t length = nul ? (size_t)(nul - p) : n;
    *scanned = length;
    if (length > max)
        return VARLINK_TOO_LONG;
    if (!nul)
        return VARLINK_PART;
    *ret_length = length;
    return VARLINK_WHOLE;
}

/* cJSON takes text after the value and bytes that are no UTF-8; a peer that sends either is not a varlink
 * peer. */
static cJSON *parse_object(const char *p, size_t n, struct error *err)
{
    if (!text_is_utf8(p, n)) {
        error_set(err, "the message is not UTF-8");
        return NULL;
    }
    cJSON *message = cJSON_ParseWithLengthOpts(p, n + 1, NULL, true);
    if (!message || !cJSON_IsObject(message)) {
        cJSON_Delete(message);
        error_set(err, "the message is not a JSON object");
        return NULL;
    }
    return message;
}

/* Absent and null mean false. */
static int read_flag(const cJSON *message, const char *name, bool *ret, struct error *err)
{
    const cJSON *flag = cJSON_GetObjectItemCaseSensitive(message, name);
    if (flag && !cJSON_IsBool(flag) && !cJSON_IsNull(flag))
        return error_set(err, "\"%s\" is not true or false", name);
    *ret = cJSON_IsTrue(flag);
    return 0;
}

static int read_parameters(const cJSON *message, const cJSON **ret, struct error *err)
{
    const cJSON *parameters = cJSON_GetObjectItemCaseSensitive(message, "parameters");
    if (parameters && !cJSON_IsObject(parameters) && !cJSON_IsNull(parameters))
        return error_set(err, "\"parameters\" is not an object");
    *ret = cJSON_IsObject(parameters) ? parameters : NULL;
    return 0;
}

int varlink_call_parse(const char *p, size_t n, struct varlink_call *ret, struct error *err)
{
    _cleanup_varlink_call_ struct varlink_call call = {.message = parse_object(p, n, err)};
    if (!call.message)
        return -1;
    call.method = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(call.message, "method"));
    if (!call.method)
        return error_set(err, "the call has no \"method\"");
    if (read_parameters(call.message, &call.parameters, err) < 0 ||
        read_flag(call.message, "more", &call.more, err) < 0 ||
        read_flag(call.message, "oneway", &call.oneway, err) < 0 ||
        read_flag(call.message, "upgrade", &call.upgrade, err) < 0)
        return -1;
    *ret = call;
    call.message = NULL;
    return 0;
}

void varlink_call_done(struct varlink_call *call)
{
    cJSON_Delete(call->message);
    *call = (struct varlink_call){0};
}

int varlink_reply_parse(const char *p, size_t n, struct varlink_reply *ret, struct error *err)
{
    cJSON *message = parse_object(p, n, err);
    if (!message)
        return -1;
    const cJSON *parameters = NULL, *error = cJSON_GetObjectItemCaseSensitive(message, "error");
    bool continues = false;
    if (read_parameters(message, &parameters, err) < 0 ||
        read_flag(message, "continues", &continues, err) < 0) {
        cJSON_Delete(message);
        return -1;
    }
    ret->error = xstrdup(cJSON_GetStringValue(error));
    ret->continues = continues;
    ret->parameters =
        parameters ? cJSON_DetachItemFromObjectCaseSensitive(message, "parameters") : cJSON_CreateObject();
    cJSON_Delete(message);
    return 0;
}

void varlink_reply_done(struct varlink_reply *reply)
{
    cJSON_Delete(reply->parameters);
    free(reply->error);
    *reply = (struct varlink_reply){0};
}

/* The message's text; without memory for an answer the process ends, as with every allocation of ours. */
static char *write_message(cJSON *message)
{
    char *text = cJSON_PrintUnformatted(message);
    cJSON_Delete(message);
    if (!text)
        abort();
    return text;
}

static void add_parameters(cJSON *message, cJSON *parameters)
{
    cJSON_AddItemToObject(message, "parameters", parameters ? parameters : cJSON_CreateObject());
}

char *varlink_write_call(const char *method, cJSON *parameters, bool more)
{
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "method", method);
    add_parameters(message, parameters);
    if (more)
        cJSON_AddTrueToObject(message, "more");
    return write_message(message);
}

char *varlink_write_reply(cJSON *parameters, bool continues)
{
    cJSON *message = cJSON_CreateObject();
    add_parameters(message, parameters);
    if (continues)
        cJSON_AddTrueToObject(message, "continues");
    return write_message(message);
}

char *varlink_write_error(const char *error, cJSON *parameters)
{
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "error", error);
    add_parameters(message, parameters);
    return write_message(message);
}
