#pragma once
/*
 * One call from its arrival to its last answer. It lives as long as either side needs it: a question to
 * Postgres may be answered after the client has gone (then the answer is dropped), and a client may go while
 * a call that answers every second is under way. Nothing here knows of sockets.
 */
#include "control/control.h"
#include "control/varlink.h"

#include <sys/types.h>

struct call;

/* Who calls, as the kernel says (SO_PEERCRED). */
struct peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
};

/* Takes message, a new string. last: the call is over and will not be heard of again. */
typedef void call_answer_fn(void *owner, char *message, bool last);

/* Takes the parsed call. */
struct call *call_new(const struct control_daemon *daemon, const struct peer *peer,
    struct varlink_call *message, call_answer_fn *answer, void *owner);
/* Nobody waits any more: no answer is given from here on. What was asked of others goes on. */
void call_abandon(struct call *c);

/* For the methods. The parameters are checked before a method sees them: absent and null are NULL, 0 and
 * false. */
const struct control_daemon *call_daemon(const struct call *c);
const struct peer *call_peer(const struct call *c);
const struct varlink_call *call_message(const struct call *c);
const char *call_text(const struct call *c, const char *parameter);
int64_t call_number(const struct call *c, const char *parameter);
bool call_flag(const struct call *c, const char *parameter);
/* A time's microseconds since 1970-01-01T00:00:00Z. */
int64_t call_time(const struct call *c, const char *parameter);

/* Another answer will follow. parameters is taken. */
void call_continue(struct call *c, struct cJSON *parameters);
/* The last answer; the call may be gone afterwards. parameters is taken; NULL for none. */
void call_reply(struct call *c, struct cJSON *parameters);
void call_error(struct call *c, const char *error, struct cJSON *parameters);
/* The same with a single text parameter, as most errors have. */
void call_error_about(struct call *c, const char *error, const char *parameter, const char *value);
/* io.ingestd.Failed. */
void call_fail(struct call *c, const char *why);

/* Somebody else holds the call from here on: it stays until it is settled, abandoned or not. */
void call_hold(struct call *c);
/* The held call's answer, and its end: result (taken) as it is, or, where it has a name, {name: result};
 * or, where there is none, why. */
void call_settle(struct call *c, const char *name, struct cJSON *result, const char *why);
