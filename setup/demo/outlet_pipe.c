#include "outlet.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#define LENGTH_SIZE 32

struct pipe_outlet {
    char *path;
    int fd;
    bool wait_on_full;
};

int pipe_outlet_make(const char *path, bool wait_on_full, struct pipe_outlet **ret, struct error *err)
{
    if (mkfifo(path, 0660) < 0)
        return error_set(err, "cannot make the pipe %s: %s", path, strerror(errno));
    struct pipe_outlet *p = xnew(struct pipe_outlet);
    p->path = xstrdup(path);
    p->fd = -1;
    p->wait_on_full = wait_on_full;
    *ret = p;
    return 0;
}

int pipe_outlet_open(struct pipe_outlet *p, struct error *err)
{
    while (!stopping) {
        p->fd = open(p->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (p->fd >= 0)
            return 0;
        if (errno != ENXIO && errno != EINTR)
            return error_set(err, "cannot open the pipe %s: %s", p->path, strerror(errno));
        /* A pipe without a reader cannot be waited for, only asked. */
        poll(NULL, 0, 20);
    }
    return 0;
}

/* Who was told to end does not wait for ever in the middle of a frame. */
static bool await_room(struct pipe_outlet *p)
{
    struct pollfd fd = {.fd = p->fd, .events = POLLOUT};
    int n;
    do
        n = poll(&fd, 1, stopping ? 5000 : -1);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

static int write_all(struct pipe_outlet *p, const char *bytes, size_t n, struct error *err)
{
    while (n > 0) {
        ssize_t put = write(p->fd, bytes, n);
        if (put < 0 && errno == EPIPE) {
            error_set(err, "the reader of %s went away", p->path);
            return ENDED_NO_READER;
        }
        if (put < 0 && errno != EAGAIN && errno != EINTR) {
            error_set(err, "cannot write to %s: %s", p->path, strerror(errno));
            return ENDED_FAILED;
        }
        if (put > 0) {
            bytes += put;
            n -= (size_t)put;
        }
        if (n > 0 && !(p->wait_on_full && await_room(p))) {
            error_set(err, "the pipe %s is full", p->path);
            return ENDED_PIPE_FULL;
        }
    }
    return ENDED_WELL;
}

int pipe_outlet_send(struct pipe_outlet *p, const struct event *e, struct error *err)
{
    char length[LENGTH_SIZE] = {0};
    uint64_t n = htobe64(e->payload.n);
    memcpy(length + LENGTH_SIZE - sizeof(n), &n, sizeof(n));
    if (e->fault == FRAME_HUGE)
        memset(length, 'x', sizeof(length));
    int ended = write_all(p, length, sizeof(length), err);
    if (ended != ENDED_WELL)
        return ended;
    size_t body = e->fault == FRAME_CUT ? e->payload.n / 2 : e->payload.n;
    ended = write_all(p, e->payload.p, body, err);
    if (ended == ENDED_WELL && e->fault == FRAME_CUT) {
        error_set(err, "%s: ended in the middle of a frame, as was asked for", p->path);
        return ENDED_FAILED;
    }
    return ended;
}

void pipe_outlet_close(struct pipe_outlet *p)
{
    if (!p)
        return;
    if (p->fd >= 0)
        close(p->fd);
    unlink(p->path);
    free(p->path);
    free(p);
}
