/* From the pipe into the spool. */
#include "stream/fifo_source.h"

#include "util/clock.h"
#include "util/health.h"
#include "util/log.h"

#include <event2/event.h>

#define TURN_TAKE (1024 * 1024) /* bytes of one turn of the event loop */
#define RETRY_US  (200 * US_PER_MS)

void fifo_set_blocked(struct fifo_source *f, const struct error *why)
{
    const struct timeval in = {.tv_usec = RETRY_US};
    if (why) {
        health_raise(f->health, f->subject, "spool", SEVERITY_FAILED,
            "free space there, let the database catch up, or raise spool_max",
            "the pipe %s is not read, its publisher is held back: %s", f->path, why->text);
        event_add(f->drain_event, &in);
    } else if (f->blocked) {
        health_clear(f->health, f->subject, "spool");
        event_del(f->drain_event);
    }
    if (f->blocked != (why != NULL))
        fifo_pipe_listen(f->pipe, !why);
    f->blocked = why != NULL;
}

/* The mark of a new pipe is put when its first bytes are there, so that pipes opened in vain leave no trace.
 * It ends what was before it, so that it stands for a cut that is still owed too. */
static int settle_marks(struct fifo_source *f, struct error *err)
{
    if (f->owes_open && fifo_pipe_waiting(f->pipe) > 0) {
        if (spool_put_mark(f->spool, SPOOL_OPENED, err) < 0)
            return -1;
        spool_set_pipe(f->spool, fifo_pipe_identity(f->pipe));
        f->session_start = spool_end(f->spool);
        f->owes_open = f->owes_cut = false;
    }
    if (f->owes_cut) {
        if (spool_put_mark(f->spool, SPOOL_CUT, err) < 0)
            return -1;
        f->owes_cut = false;
    }
    return 0;
}

static enum spool_took take(struct fifo_source *f, struct error *err)
{
    if (fifo_pipe_fd(f->pipe) < 0)
        return SPOOL_TOOK_NOTHING;
    if (f->owes_open)
        return fifo_pipe_peek(f->pipe) == PIPE_HAS_NEITHER ? SPOOL_TOOK_END : SPOOL_TOOK_NOTHING;
    return spool_take(f->spool, fifo_pipe_fd(f->pipe), TURN_TAKE, err);
}

/* The open pipe's bytes are over, in the log. */
int fifo_end_session(struct fifo_source *f, struct error *err)
{
    if (!f->owes_open) {
        spool_set_pipe(f->spool, (struct pipe_identity){0});
        f->owes_cut = true;
    }
    f->owes_open = false;
    f->session_start = FIFO_SESSION_NEVER;
    return settle_marks(f, err);
}

void fifo_drain(struct fifo_source *f)
{
    struct error err;
    enum spool_took took = settle_marks(f, &err) < 0 ? SPOOL_BLOCKED : take(f, &err);
    if (took == SPOOL_TOOK_END) {
        took = fifo_end_session(f, &err) < 0 ? SPOOL_BLOCKED : SPOOL_TOOK_NOTHING;
        fifo_pipe_close(f->pipe);
    }
    fifo_set_blocked(f, took == SPOOL_BLOCKED ? &err : NULL);
    if (spool_holds_bytes(f->spool) && !f->blocked)
        event_active(f->drain_event, EV_TIMEOUT, 0);
    fifo_pump(f);
}

void fifo_readable(void *arg)
{
    fifo_drain(arg);
}

/* Whether the pipe is the one the log ends with, so that a frame begun there goes on here: the service
 * manager kept it, or its writer never noticed that we were gone. */
static bool goes_on(const struct fifo_source *f, bool kept)
{
    struct pipe_identity now = fifo_pipe_identity(f->pipe), then = spool_pipe(f->spool);
    if (now.device != then.device || now.inode != then.inode || now.born_ns != then.born_ns)
        return false;
    return kept || (now.born_ns != 0 && fifo_pipe_peek(f->pipe) != PIPE_HAS_NEITHER);
}

void fifo_opened(void *arg, bool kept)
{
    struct fifo_source *f = arg;
    f->owes_open = !goes_on(f, kept);
    f->session_start = FIFO_SESSION_NEVER;
    if (f->owes_open && spool_pipe(f->spool).inode != 0) {
        spool_set_pipe(f->spool, (struct pipe_identity){0});
        f->owes_cut = true;
    }
    fifo_pipe_listen(f->pipe, !f->blocked);
    log_info("fifo", ABOUT_STREAM(f->name), "opened the pipe %s%s", f->path,
        f->owes_open ? "" : ", going on where we left it");
}
