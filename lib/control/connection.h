#pragma once
/*
 * One client of the control socket. Its calls are answered in order, one at a time: while one is under way
 * the next ones wait in the socket, so that a client cannot pile up work here.
 */
#include "control/call.h"

struct connection;
struct bufferevent;

#define CONNECTION_MAX_OUTPUT (8 * 1024 * 1024)

struct connection_owner {
    void (*closed)(void *owner, struct connection *c); /* it is gone when this returns */
    void *owner;
};

/* Takes the connected, non-blocking socket. NULL when the kernel does not say who it is. */
struct connection *connection_new(
    const struct control_daemon *daemon, int fd, const struct connection_owner *owner);
void connection_free(struct connection *c);
