#include "control/connection.h"

#include "control/methods.h"
#include "util/clock.h"
#include "util/log.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>

/* What a client may make us do before the other sockets have their turn. */
#define CALLS_PER_TURN 16
/* Above this much unread output a client is answered no more until it has read. */
#define ENOUGH_OUTPUT (256 * 1024)
/* A message shorter than this is copied: as a piece of its own it would take more memory than its bytes. */
#define COPY_BELOW 4096
/* A client that has nothing under way and says nothing, or that does not read what it asked for. */
#define IDLE_SECONDS    300
#define STALLED_SECONDS 60

/*
 * It ends in one place: drop() marks it, and the next turn of the event loop frees it, because drop() may be
 * reached from deep inside a call (an answer too many) while callers up the stack still hold the pointer.
 */
struct connection {
    const struct control_daemon *daemon;
    struct connection_owner owner;
    struct peer peer;
    struct bufferevent *bev;
    struct event *again;  /* take further calls, or end */
    struct event *second; /* pending while the call answers each second */
    struct call *call;    /* under way, or NULL */
    bool streams;         /* the call answers each second */
    bool ended;           /* the client will send no more */
    bool dropped;         /* to be freed */
    size_t scanned;       /* of the first message in the input: see varlink_next() */
};

/* By a timeout of nothing: an event made active by hand runs before the other sockets are looked at again. */
static void turn_soon(struct connection *c)
{
    event_add(c->again, &(struct timeval){0, 0});
}

static void drop(struct connection *c, const char *why)
{
    if (c->dropped)
        return;
    if (why)
        log_notice("control", NULL, "closed the connection of uid %u, pid %d: %s", c->peer.uid,
            (int)c->peer.pid, why);
    c->dropped = true;
    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
    if (c->call)
        call_abandon(TAKE(c->call));
    turn_soon(c);
}

static size_t unread_output(const struct connection *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->bev));
}

static void free_message(const void *p, size_t n, void *arg)
{
    free(arg);
}

/* Takes the message. */
static void send_message(struct connection *c, char *message)
{
    size_t n = strlen(message) + 1;
    if (c->dropped || unread_output(c) + n > CONNECTION_MAX_OUTPUT) {
        free(message);
        drop(c, "it does not read its answers");
        return;
    }
    struct evbuffer *out = bufferevent_get_output(c->bev);
    if (n > COPY_BELOW) {
        evbuffer_add_reference(out, message, n, free_message, message);
        return;
    }
    evbuffer_add(out, message, n);
    free(message);
}

/* One answer that is larger than all we would hold for a client is refused in words. */
static char *bounded(char *message)
{
    if (strlen(message) < CONNECTION_MAX_OUTPUT)
        return message;
    free(message);
    return xstrdup(
        "{\"error\":\"io.ingestd.Failed\",\"parameters\":{\"why\":\"the answer is longer than 8 MB; "
        "read it in Postgres, in the tables dead_letter and run\"}}");
}

static void on_answer(void *owner, char *message, bool last)
{
    struct connection *c = owner;
    c->streams = !last;
    if (last) {
        c->call = NULL;
        turn_soon(c);
    } else if (!event_pending(c->second, EV_TIMEOUT, NULL)) {
        event_add(c->second, &(struct timeval){1, 0});
    }
    send_message(c, bounded(message));
}

static void ignore_answer(void *owner, char *message, bool last)
{
    free(message);
}

/* A oneway call belongs to nobody: its answer is not sent, and the next call need not wait for it. */
static void run_call(struct connection *c, struct varlink_call *message)
{
    bool oneway = message->oneway;
    if (oneway)
        message->more = false;
    struct call *call =
        call_new(c->daemon, &c->peer, message, oneway ? ignore_answer : on_answer, oneway ? NULL : c);
    if (!oneway)
        c->call = call;
    methods_run(call);
}

/* True when one was taken. */
static bool take_call(struct connection *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t n = evbuffer_get_length(in), length;
    const char *p = n > 0 ? (const char *)evbuffer_pullup(in, -1) : NULL;
    if (!p)
        return false;
    enum varlink_frame frame = varlink_next(p, n, VARLINK_MAX_MESSAGE, &c->scanned, &length);
    if (frame == VARLINK_TOO_LONG)
        drop(c, "a message longer than 256 KB");
    if (frame != VARLINK_WHOLE)
        return false;
    struct error err;
    _cleanup_varlink_call_ struct varlink_call message = {0};
    if (varlink_call_parse(p, length, &message, &err) < 0) {
        drop(c, err.text);
        return false;
    }
    evbuffer_drain(in, length + 1);
    c->scanned = 0;
    run_call(c, &message);
    return true;
}

/* Nothing more will come, nothing is under way, all is sent. */
static bool is_over(const struct connection *c)
{
    return c->ended && (!c->call || c->streams) && unread_output(c) == 0;
}

/*
 * Reading stops while the input is full. libevent's own high watermark does that too, but calls on_read again
 * and again for as long as the input stays full (bufferevent_inbuf_wm_check()), which would burn a processor
 * while one client's call is under way.
 */
static void read_or_not(struct connection *c)
{
    bool full = evbuffer_get_length(bufferevent_get_input(c->bev)) > VARLINK_MAX_MESSAGE;
    bool reads = bufferevent_get_enabled(c->bev) & EV_READ;
    if (full && reads)
        bufferevent_disable(c->bev, EV_READ);
    else if (!full && !reads && !c->ended)
        bufferevent_enable(c->bev, EV_READ);
}

static void turn(struct connection *c)
{
    int taken = 0;
    while (
        !c->dropped && !c->call && unread_output(c) < ENOUGH_OUTPUT && taken < CALLS_PER_TURN && take_call(c))
        taken++;
    if (c->dropped)
        return;
    if (is_over(c))
        drop(c, NULL);
    else
        read_or_not(c);
    if (taken == CALLS_PER_TURN)
        turn_soon(c);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    if (c->dropped)
        c->owner.closed(c->owner.owner, c);
    else
        turn(c);
}

/* A reader that has not read the last answers does not get another on top. */
static void on_second(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    if (!c->streams || c->dropped) {
        event_del(c->second);
        return;
    }
    if (unread_output(c) < ENOUGH_OUTPUT)
        methods_again(c->call);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    turn(arg);
}

/* The output has run empty. */
static void on_written(struct bufferevent *bev, void *arg)
{
    turn(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;
    if (what & BEV_EVENT_EOF) {
        c->ended = true;
        turn(c);
    } else if (!(what & BEV_EVENT_TIMEOUT)) {
        drop(c, NULL);
    } else if (what & BEV_EVENT_WRITING) {
        drop(c, "it does not read its answers");
    } else if (c->call || unread_output(c) > 0) {
        bufferevent_enable(
            bev, EV_READ); /* it waits for us, not we for it; the timeout switched reading off */
    } else {
        drop(c, NULL);
    }
}

static bool read_peer(int fd, struct peer *ret)
{
    struct ucred cred;
    socklen_t n = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
        return false;
    *ret = (struct peer){cred.uid, cred.gid, cred.pid};
    return true;
}

static void set_limits(struct bufferevent *bev)
{
    bufferevent_setwatermark(bev, EV_READ, 0, VARLINK_MAX_MESSAGE + 1);
    bufferevent_set_timeouts(bev, &(struct timeval){IDLE_SECONDS, 0}, &(struct timeval){STALLED_SECONDS, 0});
}

struct connection *connection_new(
    const struct control_daemon *daemon, int fd, const struct connection_owner *owner)
{
    struct peer peer;
    struct bufferevent *bev =
        read_peer(fd, &peer) ? bufferevent_socket_new(daemon->base, fd, BEV_OPT_CLOSE_ON_FREE) : NULL;
    if (!bev) {
        close(fd);
        return NULL;
    }
    struct connection *c = xnew(struct connection);
    c->daemon = daemon;
    c->owner = *owner;
    c->peer = peer;
    c->bev = bev;
    c->again = event_new(daemon->base, -1, 0, on_again, c);
    c->second = event_new(daemon->base, -1, EV_PERSIST, on_second, c);
    if (!c->again || !c->second)
        abort();
    bufferevent_setcb(bev, on_read, on_written, on_event, c);
    set_limits(bev);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
    return c;
}

void connection_free(struct connection *c)
{
    if (!c)
        return;
    if (c->call)
        call_abandon(c->call);
    event_free(c->again);
    event_free(c->second);
    bufferevent_free(c->bev);
    free(c);
}
