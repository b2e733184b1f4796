#pragma once
/*
 * The control socket's server, and what it answers. The protocol is varlink (https://varlink.org): a JSON
 * object and a NUL byte a message, over a Unix stream socket; the interface is io.ingestd, described by its
 * own text in control/interface.c and served by org.varlink.service.
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct config;
struct health;
struct intake;
struct scheduler;
struct control_server;

/* What the control room may touch of the daemon. */
struct control_daemon {
    struct event_base *base;
    struct health *health;
    struct intake *intake;
    struct scheduler *scheduler;
    int64_t started_us; /* wall clock */
    /* The configuration in force. */
    const struct config *(*config)(void *daemon);
    /* Reads the file again and takes it; 0, or -1 and every mistake (a new string) in *ret_problems. On
     * success *ret_problems may hold a note (keys that need a restart) or NULL. */
    int (*reload)(void *daemon, char **ret_problems);
    bool (*stopping)(void *daemon); /* the daemon is ending; may be NULL */
    void *daemon;                   /* handed to the three above */
};

/* Listens on path with mode 0660; a stale socket file is replaced, a live one is an error. */
int control_server_new(const struct control_daemon *daemon, const char *path,
    struct control_server **ret_server, struct error *err);
/* Closes the connections and removes the socket file. */
void control_server_free(struct control_server *s);
DEFINE_CLEANUP(struct control_server *, control_server_freep, control_server_free)

struct http_server;
/* /metrics (Prometheus text 0.0.4) and /healthz on "address:port"; only a loopback address is accepted. */
int http_server_new(const struct control_daemon *daemon, const char *address, struct http_server **ret_server,
    struct error *err);
void http_server_free(struct http_server *s);
/* The port it listens on: of use where the address says port 0. */
int http_server_port(const struct http_server *s);
DEFINE_CLEANUP(struct http_server *, http_server_freep, http_server_free)
