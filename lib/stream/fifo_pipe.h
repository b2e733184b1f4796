#pragma once
/*
 * The reading end of a named pipe that someone else makes, removes and makes again: it waits for the path to
 * be a pipe, opens it, and follows it. It reads nothing; its owner does, and says when the pipe is over.
 */
#include "stream/spool.h"

#include <stdbool.h>

struct event_base;
struct fifo_pipe;
struct health;

struct fifo_pipe_setup {
    struct event_base *base;
    struct health *health;
    const char *subject; /* of its health condition "pipe": "stream claim" */
    const char *path;
    const char *kept_name;                /* of the descriptor in the service manager's store */
    void (*opened)(void *arg, bool kept); /* kept: by the service manager, over our restart */
    void (*readable)(void *arg); /* bytes, an end, or another pipe stands at the path now: time to read */
    void *arg;
};

/* Copies the setup's words. Takes the descriptor the service manager kept, if it did, and begins to follow.
 * It calls back from the event loop only. */
struct fifo_pipe *fifo_pipe_new(const struct fifo_pipe_setup *setup);
/* The service manager's copy stays: the next one takes it. */
void fifo_pipe_free(struct fifo_pipe *p);

/* -1: not open. */
int fifo_pipe_fd(const struct fifo_pipe *p);
struct pipe_identity fifo_pipe_identity(const struct fifo_pipe *p);

enum pipe_peek { PIPE_HAS_BYTES, PIPE_HAS_WRITER, PIPE_HAS_NEITHER };
/* What a read would find, without reading. */
enum pipe_peek fifo_pipe_peek(const struct fifo_pipe *p);
/* Bytes that wait in the pipe. */
size_t fifo_pipe_waiting(const struct fifo_pipe *p);

/* False: readable() is not called until true. */
void fifo_pipe_listen(struct fifo_pipe *p, bool on);
/* Closes it and waits for the next. */
void fifo_pipe_close(struct fifo_pipe *p);
/* The same, but this very pipe is left closed for a while, so that its publisher notices. */
void fifo_pipe_shun(struct fifo_pipe *p);
