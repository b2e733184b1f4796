#pragma once
/*
 * The inside of a named pipe as a source. Two halves that meet only in the spool: the pipe is drained into it
 * at all times, from make to free, whatever the stream does (fifo_drain.c); and frames are delivered from it
 * while there is room (fifo_deliver.c).
 */
#include "stream/fifo_pipe.h"
#include "stream/frame.h"
#include "stream/source.h"
#include "stream/unacked.h"

#define FIFO_SESSION_NEVER UINT64_MAX

struct fifo_source {
    struct source source;
    char *name, *path, *subject;
    struct health *health;
    const struct source_sink *sink;
    void *sink_arg;

    struct spool *spool;
    struct fifo_pipe *pipe;
    struct event *drain_event; /* again, when the spool was blocked */
    bool owes_open, owes_cut;  /* marks that are to be put before more bytes */
    bool blocked;
    uint64_t session_start; /* position where the open pipe's bytes began; FIFO_SESSION_NEVER: not known */

    struct spool_cursor *cursor;
    struct frame_reader reader;
    int64_t received_us; /* of the bytes read last */
    struct unacked unacked;
    struct event *pump_event;
    bool started, read_failed;
    uint64_t n_delivered, delivered_bytes; /* since make, for the mean frame */
};

/* What the pipe calls (struct fifo_pipe_setup). */
void fifo_opened(void *source, bool kept);
void fifo_readable(void *source);

/* Takes what the pipe has, puts the marks that are owed, and delivers. */
void fifo_drain(struct fifo_source *f);
/* Ends the open pipe's bytes in the log. -1: the spool is blocked, and the mark still owed. */
int fifo_end_session(struct fifo_source *f, struct error *err);
/* Stops or starts reading the pipe; why: the condition to raise, NULL when there is none. */
void fifo_set_blocked(struct fifo_source *f, const struct error *why);

/* Delivers while there is room, a turn's worth. */
void fifo_pump(struct fifo_source *f);
