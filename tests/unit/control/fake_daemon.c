#include "fake_daemon.h"

#include "fake_intake.h"
#include "fake_scheduler.h"
#include "util/clock.h"

#include <event2/event.h>

static const struct config *config_in_force(void *arg)
{
    struct fake_daemon *d = arg;
    return &d->config;
}

static int reload(void *arg, char **ret_problems)
{
    struct fake_daemon *d = arg;
    *ret_problems = xstrdup(d->reload_says);
    return d->reload_fails ? -1 : 0;
}

static bool stopping(void *arg)
{
    struct fake_daemon *d = arg;
    return d->stopping;
}

void fake_daemon_init(struct fake_daemon *d)
{
    *d = (struct fake_daemon){0};
    fake_intake_reset();
    fake_scheduler_reset();
    d->config.name = (char *)"doctor-office";
    d->control = (struct control_daemon){
        .base = event_base_new(),
        .health = health_new(),
        .intake = fake_intake(),
        .scheduler = fake_scheduler(),
        .started_us = clock_wall_us() - INT64_C(11520) * US_PER_SEC,
        .config = config_in_force,
        .reload = reload,
        .stopping = stopping,
        .daemon = d,
    };
}

void fake_daemon_done(struct fake_daemon *d)
{
    health_free(d->control.health);
    event_base_free(d->control.base);
    free(d->reload_says);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
}

bool fake_daemon_until(struct fake_daemon *d, bool (*holds)(void *arg), void *arg)
{
    int64_t until = clock_mono_us() + 5 * US_PER_SEC;
    struct event *tick = event_new(d->control.base, -1, EV_PERSIST, on_tick, NULL);
    event_add(tick, &(struct timeval){0, 5000});
    bool held;
    while (!(held = holds(arg)) && clock_mono_us() < until)
        event_base_loop(d->control.base, EVLOOP_ONCE);
    event_free(tick);
    return held;
}
