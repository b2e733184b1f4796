#pragma once
/*
 * Asking the daemon again and again until something is done, or until the person has seen enough: Ctrl-C ends
 * the watching, not what is watched. From watch_open() on SIGINT, SIGTERM and SIGHUP are told by the
 * functions here alone.
 */
#include "ctl.h"

struct watch {
    struct client *client; /* borrowed */
    int signals;           /* a signalfd */
};

/* A descriptor that is readable when the person, or the system, wants us to go; -1 after saying why not. */
int watch_signals(void);
/* CTL_DONE, or another exit code after saying why. */
int watch_open(struct watch *w, struct client *client);
void watch_close(struct watch *w);
#define _cleanup_watch_ _cleanup_(watch_close)

/* As ctl_call(); CTL_INTERRUPTED when a signal came before the answer. */
int watch_call(struct watch *w, const char *method, struct cJSON *parameters, struct varlink_reply *ret);
/* Half a second: CTL_DONE when it is over, CTL_INTERRUPTED when a signal came. */
int watch_pause(struct watch *w);
