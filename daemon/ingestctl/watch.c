#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#define BETWEEN_MS 500

int watch_signals(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    int fd = signalfd(-1, &mask, SFD_CLOEXEC);
    if (fd < 0)
        ctl_say("signalfd: %m");
    return fd;
}

int watch_open(struct watch *w, struct client *client)
{
    w->client = client;
    w->signals = watch_signals();
    return w->signals < 0 ? CTL_FAILED : CTL_DONE;
}

void watch_close(struct watch *w)
{
    if (w->signals >= 0)
        close(w->signals);
    w->signals = -1;
}

/* Until fd (or -1) is readable or the time is over: whoever reads it then finds out which. */
static int wait_for(const struct watch *w, int fd, int timeout_ms)
{
    struct pollfd p[] = {{w->signals, POLLIN, 0}, {fd, POLLIN, 0}};
    int n;
    do
        n = poll(p, N_ELEMENTS(p), timeout_ms);
    while (n < 0 && errno == EINTR);
    return p[0].revents ? CTL_INTERRUPTED : CTL_DONE;
}

int watch_call(struct watch *w, const char *method, struct cJSON *parameters, struct varlink_reply *ret)
{
    struct error err;
    struct varlink_reply reply;
    if (client_send(w->client, method, parameters, false, &err) < 0) {
        ctl_say("%s", err.text);
        return CTL_UNREACHABLE;
    }
    if (wait_for(w, client_fd(w->client), -1) == CTL_INTERRUPTED)
        return CTL_INTERRUPTED;
    if (client_receive(w->client, &reply, &err) < 0) {
        ctl_say("%s", err.text);
        return CTL_UNREACHABLE;
    }
    return ctl_take(&reply, ret);
}

int watch_pause(struct watch *w)
{
    return wait_for(w, -1, BETWEEN_MS);
}
