#include "control/client.h"

#include "util/buffer.h"
#include "util/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The largest answer: what the server would send at most, and a little. */
#define MAX_ANSWER (9 * 1024 * 1024)
#define READ_SIZE  65536

struct client {
    int fd;
    char *path, *unit;
    int64_t timeout_us;
    struct buffer in;
    size_t scanned;
};

/* What to do about a socket that cannot be reached, with the unit's name in it. */
static const struct {
    int reason;
    const char *before, *behind;
} advices[] = {
    {ENOENT, "the daemon does not run, or listens elsewhere; start it with `systemctl start ",
        "`, or name its socket with --socket"},
    {ECONNREFUSED, "the daemon has ended; start it with `systemctl start ", "`"},
    {EACCES, "you may not talk to the daemon; be a member of the group ",
        " (adduser YOU GROUP), then log in again"},
    {EAGAIN, "the daemon does not answer; see `systemctl status ", "`"},
    {0, "see `systemctl status ", "`"},
};

static int cannot_reach(struct error *err, const char *path, const char *unit, int reason)
{
    size_t i = 0;
    _cleanup_free_ char *name = xstrdup(unit);
    char *at = reason == EACCES ? strchr(name, '@') : NULL;
    if (at) /* ingestd@north is run by ingestd-north */
        *at = '-';
    while (advices[i].reason && advices[i].reason != reason)
        i++;
    return error_set(err, "cannot reach the daemon at %s: %s: %s%s%s", path, strerror(reason),
        advices[i].before, name, advices[i].behind);
}

/* A Unix socket connects at once, or its queue is full: then we try again while the timeout lasts. */
static int connect_within(int fd, const struct sockaddr_un *address, int64_t timeout_us)
{
    int64_t until = clock_mono_us() + timeout_us;
    while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return errno;
        if (clock_mono_us() > until)
            return EAGAIN;
        poll(NULL, 0, 20);
    }
    return 0;
}

int client_open(const char *path, const char *unit, struct client **ret_client, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return cannot_reach(err, path, unit, ENAMETOOLONG);
    strcpy(address.sun_path, path);
    _cleanup_(client_freep) struct client *c = xnew(struct client);
    c->path = xstrdup(path);
    c->unit = xstrdup(unit);
    c->timeout_us = 10 * US_PER_SEC;
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return cannot_reach(err, path, unit, errno);
    int reason = connect_within(c->fd, &address, c->timeout_us);
    if (reason)
        return cannot_reach(err, path, unit, reason);
    *ret_client = TAKE(c);
    return 0;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    if (c->fd >= 0)
        close(c->fd);
    buffer_done(&c->in);
    free(c->path);
    free(c->unit);
    free(c);
}

void client_set_timeout(struct client *c, int64_t us)
{
    c->timeout_us = us;
}

int client_fd(const struct client *c)
{
    return c->fd;
}

/* Waits until the socket is ready for events. */
static int wait_for(struct client *c, short events, struct error *err)
{
    int64_t until = clock_mono_us() + c->timeout_us;
    for (;;) {
        struct pollfd p = {c->fd, events, 0};
        int64_t left = MAX(until - clock_mono_us(), 0);
        int n = poll(&p, 1, (int)((left + US_PER_MS - 1) / US_PER_MS));
        if (n > 0)
            return 0;
        if (n == 0)
            return error_set(
                err, "the daemon at %s does not answer; see `systemctl status %s`", c->path, c->unit);
        if (errno != EINTR)
            return error_set(err, "poll: %m");
    }
}

static int lost(struct client *c, struct error *err)
{
    return error_set(err, "the daemon at %s closed the connection; see `journalctl -u %s`", c->path, c->unit);
}

static int send_all(struct client *c, const char *p, size_t n, struct error *err)
{
    while (n > 0) {
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
        if (sent >= 0) {
            p += sent;
            n -= (size_t)sent;
        } else if (errno != EAGAIN && errno != EINTR) {
            return lost(c, err);
        } else if (wait_for(c, POLLOUT, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int client_send(struct client *c, const char *method, struct cJSON *parameters, bool more, struct error *err)
{
    _cleanup_free_ char *message = varlink_write_call(method, parameters, more);
    return send_all(c, message, strlen(message) + 1, err);
}

/* Waits for some bytes and takes them. */
static int read_more(struct client *c, struct error *err)
{
    if (wait_for(c, POLLIN, err) < 0)
        return -1;
    if (!buffer_reserve(&c->in, READ_SIZE))
        return error_set(err, "no memory for the daemon's answer");
    ssize_t got = recv(c->fd, c->in.p + c->in.n, READ_SIZE, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0)
        return lost(c, err);
    c->in.n += (size_t)got;
    return 0;
}

int client_receive(struct client *c, struct varlink_reply *ret, struct error *err)
{
    for (;;) {
        size_t length;
        switch (varlink_next(c->in.p, c->in.n, MAX_ANSWER, &c->scanned, &length)) {
        case VARLINK_WHOLE: {
            int result = varlink_reply_parse(c->in.p, length, ret, err);
            buffer_drop(&c->in, length + 1);
            c->scanned = 0;
            return result < 0 ? error_prefix(err, "the daemon's answer") : 0;
        }
        case VARLINK_TOO_LONG:
            return error_set(err, "the daemon's answer is longer than %d MB", MAX_ANSWER >> 20);
        case VARLINK_PART:
            if (read_more(c, err) < 0)
                return -1;
        }
    }
}

int client_call(struct client *c, const char *method, struct cJSON *parameters, struct varlink_reply *ret,
    struct error *err)
{
    if (client_send(c, method, parameters, false, err) < 0)
        return -1;
    return client_receive(c, ret, err);
}
