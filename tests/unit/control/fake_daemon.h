#pragma once
/* What the control room is given of the daemon, around the fake intake and scheduler. */
#include "config/config.h"
#include "control/control.h"
#include "util/health.h"

struct fake_daemon {
    struct control_daemon control;
    struct config config;
    char *reload_says; /* the next reload's problems, or note */
    bool reload_fails;
    bool stopping;
};

/* Makes the event base and the health; both are released by fake_daemon_done(). */
void fake_daemon_init(struct fake_daemon *d);
void fake_daemon_done(struct fake_daemon *d);
/* Runs the event loop until the condition holds; false when it does not within five seconds. */
bool fake_daemon_until(struct fake_daemon *d, bool (*holds)(void *arg), void *arg);
