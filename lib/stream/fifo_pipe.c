#include "stream/fifo_pipe.h"

#include "util/clock.h"
#include "util/health.h"
#include "util/notify.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* The path is looked at this often while there is no pipe: for what inotify cannot tell, as when the folder
 * is missing too. */
#define LOOK_US       US_PER_SEC
#define SHUN_US       (5 * US_PER_SEC)
#define PIPE_SIZE_MAX (8 * 1024 * 1024) /* more than fs.pipe-max-size, 1 MB unless set, takes a privilege */

struct fifo_pipe {
    struct event_base *base;
    struct health *health;
    char *subject, *path, *folder, *kept_name;
    void (*opened)(void *arg, bool kept);
    void (*readable)(void *arg);
    void *arg;

    int fd;
    struct pipe_identity identity; /* of fd */
    struct event *read_event;
    bool listening;

    int watch_fd; /* inotify; -1 where there is none to be had */
    int watch;    /* of the folder, -1: none yet */
    struct event *watch_event;
    struct event *look_event;
    bool has_begun;

    struct pipe_identity shunned;
    int64_t shunned_until; /* monotonic */
};

static void look(struct fifo_pipe *p);

static bool is_same(struct pipe_identity a, struct pipe_identity b)
{
    return a.device == b.device && a.inode == b.inode && a.born_ns == b.born_ns;
}

/* 0, or the errno; ENOTSUP: it is no pipe. With fd < 0 of the path. */
static int identify(const char *path, int fd, struct pipe_identity *ret)
{
    struct statx st;
    int rc = fd < 0 ? statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_BTIME, &st)
                    : statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st);
    if (rc < 0)
        return errno;
    if (!S_ISFIFO(st.stx_mode))
        return ENOTSUP;
    ret->device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
    ret->inode = st.stx_ino;
    ret->born_ns = 0;
    if (st.stx_mask & STATX_BTIME)
        ret->born_ns = (uint64_t)st.stx_btime.tv_sec * 1000000000u + st.stx_btime.tv_nsec;
    return 0;
}

int fifo_pipe_fd(const struct fifo_pipe *p)
{
    return p->fd;
}

struct pipe_identity fifo_pipe_identity(const struct fifo_pipe *p)
{
    return p->identity;
}

size_t fifo_pipe_waiting(const struct fifo_pipe *p)
{
    int n = 0;
    return p->fd >= 0 && ioctl(p->fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/* poll(2) cannot tell a pipe whose writer is silent from one that never had any; tee(2) can. */
enum pipe_peek fifo_pipe_peek(const struct fifo_pipe *p)
{
    if (fifo_pipe_waiting(p) > 0)
        return PIPE_HAS_BYTES;
    int scratch[2];
    if (pipe2(scratch, O_CLOEXEC | O_NONBLOCK) < 0)
        return PIPE_HAS_WRITER;
    ssize_t n = tee(p->fd, scratch[1], 1, SPLICE_F_NONBLOCK);
    close(scratch[0]);
    close(scratch[1]);
    return n > 0 ? PIPE_HAS_BYTES : n == 0 ? PIPE_HAS_NEITHER : PIPE_HAS_WRITER;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct fifo_pipe *p = arg;
    p->readable(p->arg);
}

void fifo_pipe_listen(struct fifo_pipe *p, bool on)
{
    p->listening = on;
    if (p->read_event && on)
        event_add(p->read_event, NULL);
    else if (p->read_event)
        event_del(p->read_event);
}

/* The publisher does not wait for us: the larger the pipe, the longer we may be busy, or held up by the file system
 * under the spool, which can take some 10 ms where others sync their files. The largest that we may have is taken;
 * systemd/sysctl.d lets an ordinary user have it too. */
static void enlarge(int fd)
{
    for (int size = PIPE_SIZE_MAX; size > 65536; size /= 2)
        if (fcntl(fd, F_SETPIPE_SZ, size) >= 0)
            return;
}

static void take_pipe(struct fifo_pipe *p, int fd, struct pipe_identity identity, bool kept)
{
    p->fd = fd;
    p->identity = identity;
    enlarge(fd);
    p->read_event = event_new(p->base, fd, EV_READ | EV_PERSIST, on_readable, p);
    fifo_pipe_listen(p, true);
    health_clear(p->health, p->subject, "pipe");
    p->opened(p->arg, kept);
}

static void say_trouble(struct fifo_pipe *p, int why)
{
    if (why == ENOENT || why == ENOTDIR)
        health_raise(p->health, p->subject, "pipe", SEVERITY_NOTE,
            "start the publisher, which makes the pipe", "waits for the publisher: there is no pipe %s",
            p->path);
    else if (why == ENOTSUP)
        health_raise(p->health, p->subject, "pipe", SEVERITY_DEGRADED,
            "remove that file; the publisher makes the pipe", "%s is not a pipe", p->path);
    else
        health_raise(p->health, p->subject, "pipe", SEVERITY_DEGRADED,
            "let our user read the pipe and search its folder", "cannot open the pipe %s: %s", p->path,
            strerror(why));
}

static bool is_shunned(const struct fifo_pipe *p, struct pipe_identity identity)
{
    return clock_mono_us() < p->shunned_until && is_same(identity, p->shunned);
}

static int open_path(struct fifo_pipe *p)
{
    struct pipe_identity identity;
    int why = identify(p->path, -1, &identity);
    if (why)
        return why;
    if (is_shunned(p, identity))
        return 0;
    _cleanup_close_ int fd = open(p->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno;
    why = identify(NULL, fd, &identity);
    if (why)
        return why;
    notify_keep_fd(p->kept_name, fd);
    int mine = fd;
    fd = -1;
    take_pipe(p, mine, identity, false);
    return 0;
}

/* Watches the folder; it may not be there yet, or be another one than before. */
static void watch_folder(struct fifo_pipe *p)
{
    const uint32_t mask = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ATTRIB | IN_DELETE_SELF |
                          IN_MOVE_SELF | IN_ONLYDIR;
    if (p->watch_fd >= 0 && p->watch < 0)
        p->watch = inotify_add_watch(p->watch_fd, p->folder, mask);
}

static void look_again_later(struct fifo_pipe *p)
{
    const struct timeval in = {.tv_sec = LOOK_US / US_PER_SEC};
    event_add(p->look_event, &in);
}

/* An open pipe whose path is now another's is read to its end: only its owner sees when that is. */
static void look_at_open(struct fifo_pipe *p)
{
    struct pipe_identity identity;
    if (identify(p->path, -1, &identity) == 0 && is_same(identity, p->identity))
        return;
    if (fifo_pipe_peek(p) == PIPE_HAS_NEITHER)
        p->readable(p->arg);
}

static void look(struct fifo_pipe *p)
{
    watch_folder(p);
    if (p->fd >= 0)
        look_at_open(p);
    int why = p->fd < 0 ? open_path(p) : 0;
    if (why)
        say_trouble(p, why);
    /* With a watch on the folder there is nothing to look for while the pipe is open. */
    if (p->fd < 0 || p->watch < 0)
        look_again_later(p);
}

static void take_kept(struct fifo_pipe *p)
{
    int fd = notify_take_fd(p->kept_name);
    struct pipe_identity identity;
    if (fd < 0)
        return;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || p->fd >= 0 || identify(NULL, fd, &identity) != 0) {
        close(fd);
        notify_forget_fd(p->kept_name);
        return;
    }
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    take_pipe(p, fd, identity, true);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct fifo_pipe *p = arg;
    if (!p->has_begun)
        take_kept(p);
    p->has_begun = true;
    look(p);
}

/* Whether the folder itself went: it is watched anew, by name. */
static bool is_gone(const struct inotify_event *e)
{
    return e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct fifo_pipe *p = arg;
    char bytes[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool gone = false;
    for (ssize_t n; (n = read(fd, bytes, sizeof(bytes))) > 0;)
        for (char *at = bytes; at < bytes + n;) {
            const struct inotify_event *e = (const struct inotify_event *)(void *)at;
            gone = gone || (e->wd == p->watch && is_gone(e));
            at += sizeof(*e) + e->len;
        }
    if (gone) {
        inotify_rm_watch(p->watch_fd, p->watch);
        p->watch = -1;
    }
    look(p);
}

struct fifo_pipe *fifo_pipe_new(const struct fifo_pipe_setup *setup)
{
    struct fifo_pipe *p = xnew(struct fifo_pipe);
    p->base = setup->base;
    p->health = setup->health;
    p->subject = xstrdup(setup->subject);
    p->path = xstrdup(setup->path);
    _cleanup_free_ char *copy = xstrdup(setup->path);
    p->folder = xstrdup(dirname(copy));
    p->kept_name = xstrdup(setup->kept_name);
    p->opened = setup->opened;
    p->readable = setup->readable;
    p->arg = setup->arg;
    p->fd = p->watch = -1;
    p->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (p->watch_fd >= 0) {
        p->watch_event = event_new(p->base, p->watch_fd, EV_READ | EV_PERSIST, on_watch, p);
        event_add(p->watch_event, NULL);
    }
    p->look_event = evtimer_new(p->base, on_look, p);
    event_active(p->look_event, EV_TIMEOUT, 0);
    return p;
}

static void drop_fd(struct fifo_pipe *p)
{
    if (p->read_event)
        event_free(TAKE(p->read_event));
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

void fifo_pipe_close(struct fifo_pipe *p)
{
    if (p->fd < 0)
        return;
    drop_fd(p);
    notify_forget_fd(p->kept_name);
    /* Not at once: whoever closed it may have more to set right first. */
    event_active(p->look_event, EV_TIMEOUT, 0);
}

void fifo_pipe_shun(struct fifo_pipe *p)
{
    if (p->fd < 0)
        return;
    p->shunned = p->identity;
    p->shunned_until = clock_mono_us() + SHUN_US;
    health_raise(p->health, p->subject, "pipe", SEVERITY_DEGRADED,
        "restart the publisher; it should have ended",
        "closed the pipe %s: what its publisher wrote was no frame", p->path);
    fifo_pipe_close(p);
}

void fifo_pipe_free(struct fifo_pipe *p)
{
    if (!p)
        return;
    drop_fd(p);
    if (p->watch_event)
        event_free(p->watch_event);
    closep(&p->watch_fd);
    if (p->look_event)
        event_free(p->look_event);
    free(p->subject);
    free(p->path);
    free(p->folder);
    free(p->kept_name);
    free(p);
}
