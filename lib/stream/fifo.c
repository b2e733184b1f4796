/* Named pipes as a source: making, words and numbers. How it works: fifo_source.h, and the essay in spool.c.
 */
#include "config/config.h"
#include "stream/fifo_source.h"

#include "util/text.h"
#include "util/url.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define SPOOL_MAX_MIN (64 * 1024)
#define LAG_COUNTED   65536 /* bytes of backlog that are counted, not estimated */

static struct fifo_source *self(struct source *s)
{
    return (struct fifo_source *)s;
}

static const struct fifo_source *self_const(const struct source *s)
{
    return (const struct fifo_source *)s;
}

static void on_drain(evutil_socket_t fd, short what, void *arg)
{
    fifo_drain(arg);
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
    fifo_pump(arg);
}

static void fifo_start(struct source *s)
{
    self(s)->started = true;
    event_active(self(s)->pump_event, EV_TIMEOUT, 0);
}

static void fifo_stop(struct source *s)
{
    self(s)->started = false;
}

static void fifo_resume(struct source *s)
{
    event_active(self(s)->pump_event, EV_TIMEOUT, 0);
}

/* When nothing is unacked all that was read is done, the marks behind the last frame included. */
static bool all_is_done(const struct fifo_source *f)
{
    return f->unacked.n == 0 && frame_reader_is_idle(&f->reader);
}

static void fifo_ack(struct source *s, const struct entry_id *ids, size_t n)
{
    struct fifo_source *f = self(s);
    uint64_t position = 0;
    for (size_t i = 0; i < n; i++)
        if (ids[i].hi == spool_epoch(f->spool))
            unacked_mark(&f->unacked, ids[i].lo);
    size_t n_done = unacked_settle(&f->unacked, &position);
    if (n_done == 0)
        return;
    if (all_is_done(f))
        position = spool_cursor_position(f->cursor);
    spool_ack(f->spool, position, n_done);
    if (f->blocked)
        event_active(f->drain_event, EV_TIMEOUT, 0);
}

static size_t fifo_unsent_acks(const struct source *s)
{
    return 0;
}

/* -- words and numbers ----------------------------------------------------------------------------------- */

/* Counts the frames that end behind the cursor, without touching it. */
static int64_t count_frames(const struct fifo_source *f)
{
    _cleanup_(spool_cursor_freep) struct spool_cursor *c =
        spool_cursor_new(f->spool, spool_cursor_position(f->cursor));
    struct frame_reader r = f->reader;
    struct spool_piece piece;
    struct frame frame;
    int64_t n = 0;
    r.kept = (struct buffer){0};
    r.is_spent = false;
    r.max_entry = 0;
    if (r.state == FRAME_IN_BODY)
        r.state = FRAME_SKIPPING;
    for (;;) {
        spool_cursor_next(c, &piece);
        if (piece.kind == PIECE_END || piece.kind == PIECE_FAILED)
            break;
        uint64_t size = piece.size;
        frame = (struct frame){0};
        if (piece.kind == PIECE_BYTES)
            size = frame_reader_feed(&r, piece.bytes.p, piece.bytes.n, &frame);
        else if (piece.kind == PIECE_MISSING)
            frame_reader_lose(&r);
        else
            frame_reader_end(&r, &frame);
        spool_cursor_advance(c, size);
        n += frame.complete;
    }
    frame_reader_done(&r);
    return n;
}

static int64_t estimate_lag(const struct fifo_source *f)
{
    uint64_t bytes = spool_end(f->spool) - spool_cursor_position(f->cursor);
    uint64_t waiting = f->blocked ? fifo_pipe_waiting(f->pipe) : 0;
    if (bytes <= LAG_COUNTED && waiting == 0)
        return bytes ? count_frames(f) : 0;
    uint64_t mean = f->n_delivered ? MAX(f->delivered_bytes / f->n_delivered, 1) : 128;
    return (int64_t)((bytes + waiting + mean - 1) / mean);
}

static void fifo_report(struct source *s, struct source_report *ret)
{
    const struct fifo_source *f = self(s);
    uint64_t done = all_is_done(f) ? spool_cursor_position(f->cursor) : spool_acked(f->spool);
    *ret = (struct source_report){
        .lag = estimate_lag(f),
        .pending = (int64_t)f->unacked.n,
        .acknowledged = (int64_t)spool_n_acked(f->spool),
        .spool_bytes = (int64_t)(spool_end(f->spool) - MAX(done, spool_acked(f->spool))),
        .claimed = -1,
        .connected = fifo_pipe_fd(f->pipe) >= 0,
    };
}

static void fifo_label(const struct source *s, char *out, size_t size)
{
    const char *path = self_const(s)->path, *slash = strrchr(path, '/');
    snprintf(out, size, "fifo %s", slash ? slash + 1 : path);
}

/* -- making ---------------------------------------------------------------------------------------------- */

static int parse_path(const struct config_stream *stream, char **ret_path, struct error *err)
{
    _cleanup_url_ struct url u = {0};
    if (url_parse(stream->source, &u, err) < 0)
        return -1;
    if ((u.host && u.host[0]) || u.path[0] != '/' || u.path[1] == '\0' || u.path[strlen(u.path) - 1] == '/')
        return error_set(err,
            "source %s: the pipe's absolute path is wanted, as in fifo:///run/practice/claim-pipe",
            stream->source);
    if (u.query)
        return error_set(err, "source %s: a pipe takes no ?parameters", stream->source);
    *ret_path = TAKE(u.path);
    return 0;
}

static int fifo_check(const struct config_stream *stream, struct error *err)
{
    _cleanup_free_ char *path = NULL;
    if (parse_path(stream, &path, err) < 0)
        return -1;
    if (stream->spool_max < SPOOL_MAX_MIN)
        return error_set(err, "stream %s: spool_max is too small; at least 64KB are wanted", stream->name);
    return 0;
}

static char *spool_folder(const struct config *config, const struct config_stream *stream)
{
    return xasprintf("%s/spool/%s", config->state_dir, stream->name);
}

/* Free space of the nearest folder above that is there: the spool's own may not be yet. */
static uint64_t free_space(const char *folder)
{
    _cleanup_free_ char *path = xstrdup(folder);
    struct statvfs st;
    while (statvfs(path, &st) < 0) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path)
            return 0;
        *slash = '\0';
    }
    return (uint64_t)st.f_bavail * st.f_frsize;
}

static int fifo_probe(
    const struct config *config, const struct config_stream *stream, char **ret_said, struct error *err)
{
    _cleanup_free_ char *path = NULL, *folder = spool_folder(config, stream);
    char space[32], most[32];
    struct stat st;
    if (fifo_check(stream, err) < 0 || parse_path(stream, &path, err) < 0 || !path)
        return -1;
    bool there = stat(path, &st) == 0;
    if (!there && errno != ENOENT)
        return error_set(
            err, "cannot look at the pipe %s: %s; let our user search its folder", path, strerror(errno));
    if (there && !S_ISFIFO(st.st_mode))
        return error_set(err, "%s is not a pipe; remove that file, the publisher makes the pipe", path);
    if (there && access(path, R_OK) < 0)
        return error_set(err, "cannot read the pipe %s: %s", path, strerror(errno));
    *ret_said = xasprintf("%s %s; spool %s takes up to %s, %s are free", path,
        there ? "is a pipe we may read" : "is not there yet: the publisher makes it", folder,
        text_bytes(stream->spool_max, most), text_bytes(free_space(folder), space));
    return 0;
}

static void fifo_leave(struct source *s)
{
    fifo_pipe_close(self(s)->pipe);
}

static void fifo_free(struct source *s)
{
    if (!s)
        return;
    struct fifo_source *f = self(s);
    fifo_pipe_free(f->pipe);
    if (f->drain_event)
        event_free(f->drain_event);
    if (f->pump_event)
        event_free(f->pump_event);
    spool_cursor_free(f->cursor);
    spool_free(f->spool);
    frame_reader_done(&f->reader);
    unacked_done(&f->unacked);
    free(f->name);
    free(f->path);
    free(f->subject);
    free(f);
}

/* A frame must fit into the spool with room to spare, or a full spool could wait for its own end. */
static void init_reader(struct fifo_source *f, const struct source_setup *setup)
{
    uint64_t longest = MIN(setup->stream->spool_max / 2, FRAME_LENGTH_MAX);
    frame_reader_init(&f->reader, MIN(setup->config->max_entry, longest), longest);
}

static int fifo_make(const struct source_setup *setup, struct source **ret_source, struct error *err)
{
    const struct config_stream *stream = setup->stream;
    struct fifo_source *f = xnew(struct fifo_source);
    _cleanup_free_ char *folder = spool_folder(setup->config, stream);
    _cleanup_free_ char *kept_name = xasprintf("fifo-%s", stream->name);
    const struct spool_limits limits = {.max_bytes = stream->spool_max};
    f->source.ops = &source_fifo;
    f->session_start = FIFO_SESSION_NEVER;
    f->name = xstrdup(stream->name);
    f->subject = xasprintf("stream %s", stream->name);
    f->health = setup->health;
    f->sink = setup->sink;
    f->sink_arg = setup->sink_arg;
    if (fifo_check(stream, err) < 0 || parse_path(stream, &f->path, err) < 0 ||
        spool_open(folder, &limits, &f->spool, err) < 0) {
        fifo_free(&f->source);
        return -1;
    }
    init_reader(f, setup);
    f->cursor = spool_cursor_new(f->spool, spool_acked(f->spool));
    f->drain_event = evtimer_new(setup->base, on_drain, f);
    f->pump_event = evtimer_new(setup->base, on_pump, f);
    const struct fifo_pipe_setup pipe = {
        setup->base, setup->health, f->subject, f->path, kept_name, fifo_opened, fifo_readable, f};
    f->pipe = fifo_pipe_new(&pipe);
    *ret_source = &f->source;
    return 0;
}

const struct source_ops source_fifo = {
    .scheme = "fifo",
    .check = fifo_check,
    .probe = fifo_probe,
    .make = fifo_make,
    .start = fifo_start,
    .stop = fifo_stop,
    .resume = fifo_resume,
    .ack = fifo_ack,
    .unsent_acks = fifo_unsent_acks,
    .report = fifo_report,
    .label = fifo_label,
    .leave = fifo_leave,
    .free = fifo_free,
};
