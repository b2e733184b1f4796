/* From the spool to the stream. */
#include "stream/fifo_source.h"

#include "util/health.h"
#include "util/log.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>

/* Work of one turn of the event loop. */
#define TURN_READ    (4 * 1024 * 1024)
#define TURN_ENTRIES 1024

static void deliver(struct fifo_source *f, const struct frame *frame)
{
    uint64_t position = spool_cursor_position(f->cursor);
    struct entry e = {
        .id = {spool_epoch(f->spool), position},
        .received_us = f->received_us,
        .shape = frame->reason == REASON_NONE ? ENTRY_JSON : ENTRY_BROKEN,
        .payload = frame->payload,
        .broken = (int)frame->reason,
        .size = frame->size,
    };
    char id[ENTRY_ID_MAX];
    if (frame->reason == REASON_BAD_FRAME) {
        snprintf(id, sizeof(id), "%" PRIu64 "-%" PRIu64, e.id.hi, e.id.lo);
        log_warning("fifo", (&(const struct log_about){.stream = f->name, .entry = id}),
            "%" PRIu64 " bytes of the pipe %s were no frames", frame->size, f->path);
    }
    unacked_add(&f->unacked, position);
    f->n_delivered++;
    f->sink->deliver(f->sink_arg, &e);
}

/* The bytes are no frames, and more of them would not be either: the pipe is closed, so that its publisher
 * notices, and what came ends here. 0: there is an end now. */
static int give_up_pipe(struct fifo_source *f)
{
    struct error err;
    if (f->owes_cut)
        return -1;
    bool is_its_fault = fifo_pipe_fd(f->pipe) >= 0 && !f->owes_open;
    bool owed_open = f->owes_open;
    f->owes_open = false;
    int rc = fifo_end_session(f, &err);
    f->owes_open = owed_open;
    if (is_its_fault)
        fifo_pipe_shun(f->pipe);
    if (rc < 0)
        fifo_set_blocked(f, &err);
    return rc;
}

/* One step forward in the spool: at most one frame comes of it. False: there is nothing more for now. */
static bool step(struct fifo_source *f, uint64_t *budget, struct frame *ret)
{
    struct spool_piece piece;
    *ret = (struct frame){0};
    spool_cursor_next(f->cursor, &piece);
    uint64_t n = piece.size;
    switch (piece.kind) {
    case PIECE_BYTES:
        n = frame_reader_feed(&f->reader, piece.bytes.p, piece.bytes.n, ret);
        f->received_us = piece.received_us;
        *budget -= MIN(*budget, n);
        break;
    case PIECE_OPENED:
    case PIECE_CUT:
        frame_reader_end(&f->reader, ret);
        break;
    case PIECE_MISSING:
        log_error("fifo", ABOUT_STREAM(f->name),
            "%" PRIu64
            " bytes of the spool of the pipe %s are missing or damaged: its folder was changed, or the "
            "machine lost power",
            n, f->path);
        frame_reader_lose(&f->reader);
        break;
    case PIECE_END:
        return frame_reader_is_lost(&f->reader) && give_up_pipe(f) == 0;
    case PIECE_FAILED:
        f->read_failed = true;
        return false;
    }
    spool_cursor_advance(f->cursor, n);
    f->delivered_bytes += n;
    if (frame_reader_is_lost(&f->reader) && spool_cursor_position(f->cursor) > f->session_start)
        give_up_pipe(f);
    return true;
}

static void say_read_failed(struct fifo_source *f)
{
    const struct timeval in = {.tv_sec = 1};
    health_raise(f->health, f->subject, "spool-read", SEVERITY_FAILED, "look at the disk's health",
        "cannot read the spool of the pipe %s: %s", f->path, strerror(errno));
    event_add(f->pump_event, &in);
}

void fifo_pump(struct fifo_source *f)
{
    size_t n = 0;
    uint64_t budget = TURN_READ;
    bool more = true, had_failed = f->read_failed;
    f->read_failed = false;
    while (f->started && n < TURN_ENTRIES && budget > 0 && f->sink->room(f->sink_arg) > 0) {
        struct frame frame;
        more = step(f, &budget, &frame);
        if (!more)
            break;
        if (frame.complete) {
            deliver(f, &frame);
            n++;
        }
    }
    if (n > 0)
        f->sink->flush(f->sink_arg);
    if (f->read_failed)
        say_read_failed(f);
    else if (had_failed)
        health_clear(f->health, f->subject, "spool-read");
    if (n == TURN_ENTRIES || budget == 0)
        event_active(f->pump_event, EV_TIMEOUT, 0);
}
