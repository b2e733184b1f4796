#pragma once
/*
 * Where the publisher's events go. Redis: XADD, pipelined. Pipe: as the practice's own publisher does it: it
 * makes the pipe and fails if there is one, waits for a reader, opens without blocking, writes length and
 * body in two writes, gives up when the pipe is full or its reader goes away, and removes the pipe at the
 * end.
 */
#include "event.h"

#include "util/error.h"

#include <signal.h>

/* What the program ends with. */
enum { ENDED_WELL = 0, ENDED_FAILED = 1, ENDED_USAGE = 2, ENDED_PIPE_FULL = 3, ENDED_NO_READER = 4 };

/* Set by SIGINT and SIGTERM: end in order. */
extern volatile sig_atomic_t stopping;

struct redis_outlet;

int redis_outlet_open(
    const char *url, size_t pipeline, bool as_fields, struct redis_outlet **ret, struct error *err);
/* Sends what is queued first; false when the server did not take all of it. */
bool redis_outlet_close(struct redis_outlet *r, struct error *err);
/* Queues the event, and waits for the replies when as many as the pipeline takes are queued. */
int redis_outlet_send(struct redis_outlet *r, const struct event *e, struct error *err);
/* Sends what is queued and waits for its replies. */
int redis_outlet_flush(struct redis_outlet *r, struct error *err);

struct pipe_outlet;

/* Makes the pipe. */
int pipe_outlet_make(const char *path, bool wait_on_full, struct pipe_outlet **ret, struct error *err);
/* Waits until it has a reader, or stopping. */
int pipe_outlet_open(struct pipe_outlet *p, struct error *err);
/* An ENDED_… */
int pipe_outlet_send(struct pipe_outlet *p, const struct event *e, struct error *err);
/* Closes and removes it. */
void pipe_outlet_close(struct pipe_outlet *p);
