#pragma once
/* The other end of the control socket: a small blocking client for the command line. */
#include "control/varlink.h"

#include <stdint.h>

struct client;

/* Connects. The message says the path, why it failed and what to do about it. unit: the service manager's name of the
 * daemon, without .service, as "ingestd". */
int client_open(const char *path, const char *unit, struct client **ret_client, struct error *err);
void client_free(struct client *c);
DEFINE_CLEANUP(struct client *, client_freep, client_free)

/* The longest silence before a call or an answer counts as lost; 10 s to begin with. */
void client_set_timeout(struct client *c, int64_t us);
/* For poll(): readable when an answer, or its beginning, is there. */
int client_fd(const struct client *c);

/* Sends a call. parameters is taken, and may be NULL for none. */
int client_send(struct client *c, const char *method, struct cJSON *parameters, bool more, struct error *err);
/* Waits for the next answer, an error of the daemon's included. *ret is released by varlink_reply_done(). */
int client_receive(struct client *c, struct varlink_reply *ret, struct error *err);
/* Both. */
int client_call(struct client *c, const char *method, struct cJSON *parameters, struct varlink_reply *ret,
    struct error *err);
