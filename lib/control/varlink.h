#pragma once
/*
 * varlink messages (https://varlink.org/Method-Call): a JSON object and a NUL byte each. This file knows
 * bytes and JSON and nothing of sockets, so that it can be fuzzed as it is.
 */
#include "util/error.h"

#include <stdbool.h>

struct cJSON;

/* A message may be this long, without its NUL. No call of ours comes near it. */
#define VARLINK_MAX_MESSAGE (256 * 1024)

#define VARLINK_METHOD_NOT_FOUND       "org.varlink.service.MethodNotFound"
#define VARLINK_METHOD_NOT_IMPLEMENTED "org.varlink.service.MethodNotImplemented"
#define VARLINK_INTERFACE_NOT_FOUND    "org.varlink.service.InterfaceNotFound"
#define VARLINK_INVALID_PARAMETER      "org.varlink.service.InvalidParameter"

enum varlink_frame {
    VARLINK_PART,     /* no whole message yet */
    VARLINK_WHOLE,    /* one stands at the beginning */
    VARLINK_TOO_LONG, /* it can become none within max bytes */
};

/*
 * Looks for the first message in n bytes. *scanned: how many bytes of it were looked at before; start with 0,
 * keep it while more bytes come, and set it to 0 when the message is taken. *ret_length: without the NUL.
 */
enum varlink_frame varlink_next(const char *p, size_t n, size_t max, size_t *scanned, size_t *ret_length);

struct varlink_call {
    struct cJSON *message;          /* owns everything below */
    const char *method;             /* "io.ingestd.Status" */
    const struct cJSON *parameters; /* an object, or NULL */
    bool more, oneway, upgrade;
};

/* p[n] must be the message's NUL. Refuses everything that is not a well-formed call. */
int varlink_call_parse(const char *p, size_t n, struct varlink_call *ret, struct error *err);
void varlink_call_done(struct varlink_call *call);
#define _cleanup_varlink_call_ _cleanup_(varlink_call_done)

struct varlink_reply {
    struct cJSON *parameters; /* an object, never NULL */
    char *error;              /* NULL: it went well */
    bool continues;
};

int varlink_reply_parse(const char *p, size_t n, struct varlink_reply *ret, struct error *err);
void varlink_reply_done(struct varlink_reply *reply);
#define _cleanup_varlink_reply_ _cleanup_(varlink_reply_done)

/* Messages as new strings; their NUL is the message's own. parameters is taken, and may be NULL for none. */
char *varlink_write_call(const char *method, struct cJSON *parameters, bool more);
char *varlink_write_reply(struct cJSON *parameters, bool continues);
char *varlink_write_error(const char *error, struct cJSON *parameters);
