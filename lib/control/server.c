#include "control/connection.h"
#include "control/control.h"
#include "control/listen.h"
#include "util/log.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>

#define MAX_CONNECTIONS 32
#define BACKLOG         64

struct control_server {
    struct control_daemon daemon;
    struct socket_file file;
    struct evconnlistener *listener;
    struct event *accept_again;
    struct connection *connections[MAX_CONNECTIONS]; /* NULL: free */
};

static struct connection **find_slot(struct control_server *s, const struct connection *c)
{
    for (size_t i = 0; i < MAX_CONNECTIONS; i++)
        if (s->connections[i] == c)
            return &s->connections[i];
    return NULL;
}

static void on_closed(void *owner, struct connection *c)
{
    struct control_server *s = owner;
    *find_slot(s, c) = NULL;
    connection_free(c);
}

static void on_accept(
    struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *address, int length, void *arg)
{
    struct control_server *s = arg;
    struct connection **slot = find_slot(s, NULL);
    if (!slot) {
        log_notice("control", NULL, "refused a connection: %d are open", MAX_CONNECTIONS);
        close(fd);
        return;
    }
    *slot = connection_new(&s->daemon, fd, &(struct connection_owner){on_closed, s});
}

/* Out of descriptors, most likely: the waiting connection would wake us again at once, for ever. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
    struct control_server *s = arg;
    log_warning("control", NULL, "cannot accept a connection: %m; trying again in a second");
    evconnlistener_disable(l);
    event_add(s->accept_again, &(struct timeval){1, 0});
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
    struct control_server *s = arg;
    evconnlistener_enable(s->listener);
}

int control_server_new(const struct control_daemon *daemon, const char *path,
    struct control_server **ret_server, struct error *err)
{
    _cleanup_(control_server_freep) struct control_server *s = xnew(struct control_server);
    s->daemon = *daemon;
    int fd;
    if (socket_file_bind(path, &s->file, &fd, err) < 0)
        return -1;
    /* libevent writes with writev(): a client that went away must not end the daemon. */
    signal(SIGPIPE, SIG_IGN);
    s->listener = evconnlistener_new(
        daemon->base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
    if (!s->listener) {
        close(fd);
        return error_set(err, "control socket %s: cannot listen: %m", path);
    }
    evconnlistener_set_error_cb(s->listener, on_accept_error);
    s->accept_again = event_new(daemon->base, -1, 0, on_accept_again, s);
    if (!s->accept_again)
        abort();
    *ret_server = TAKE(s);
    return 0;
}

void control_server_free(struct control_server *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < MAX_CONNECTIONS; i++)
        connection_free(s->connections[i]);
    if (s->listener)
        evconnlistener_free(s->listener);
    if (s->accept_again)
        event_free(s->accept_again);
    socket_file_remove(&s->file);
    free(s);
}
