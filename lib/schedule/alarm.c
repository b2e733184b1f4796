#include "schedule/alarm.h"

#include "util/clock.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <sys/timerfd.h>
#include <time.h>

#define DRIFT_US (1 * US_PER_SEC)
/* Without a time to ring at it still waits, or the kernel would not tell that the clock was set. */
#define FAR_US (INT64_C(366) * 86400 * US_PER_SEC)

struct alarm {
    struct alarm_events events;
    void *arg;
    int fd;
    struct event *readable;
    struct alarm_clocks seen;
    int64_t at_us;
};

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * US_PER_SEC + ts.tv_nsec / 1000;
}

void alarm_read_clocks(struct alarm_clocks *ret)
{
    *ret = (struct alarm_clocks){
        read_clock(CLOCK_REALTIME), read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_BOOTTIME)};
}

/* CLOCK_BOOTTIME goes on while the machine sleeps and CLOCK_MONOTONIC does not; neither can be set. */
struct alarm_jump alarm_compare(const struct alarm_clocks *before, const struct alarm_clocks *after)
{
    int64_t wall = after->wall_us - before->wall_us, boot = after->boot_us - before->boot_us;
    int64_t mono = after->mono_us - before->mono_us;
    struct alarm_jump j = {.set_us = wall - boot, .slept_us = boot - mono};
    if (j.set_us > -DRIFT_US && j.set_us < DRIFT_US)
        j.set_us = 0;
    if (j.slept_us < DRIFT_US)
        j.slept_us = 0;
    return j;
}

static void arm(struct alarm *a)
{
    int64_t at = a->at_us == INT64_MAX ? clock_wall_us() + FAR_US : a->at_us;
    if (at < 1)
        at = 1; /* zero would disarm it */
    const struct itimerspec when = {.it_value = {at / US_PER_SEC, (at % US_PER_SEC) * 1000}};
    timerfd_settime(a->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL);
}

void alarm_look(struct alarm *a)
{
    struct alarm_clocks now;
    alarm_read_clocks(&now);
    struct alarm_jump jump = alarm_compare(&a->seen, &now);
    a->seen = now;
    if (jump.set_us || jump.slept_us)
        a->events.jumped(a->arg, &jump);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct alarm *a = arg;
    uint64_t n;
    bool cancelled = read(a->fd, &n, sizeof(n)) < 0 && errno == ECANCELED;
    alarm_look(a);
    if (cancelled || a->at_us > clock_wall_us()) {
        arm(a);
        return;
    }
    a->at_us = INT64_MAX;
    a->events.rang(a->arg);
}

void alarm_set(struct alarm *a, int64_t wall_us)
{
    a->at_us = wall_us;
    arm(a);
}

int alarm_new(struct event_base *base, const struct alarm_events *events, void *arg, struct alarm **ret_alarm,
    struct error *err)
{
    _cleanup_close_ int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0)
        return error_set(err, "no timer can be had from the kernel: %s", strerror(errno));
    struct alarm *a = xnew(struct alarm);
    *a = (struct alarm){.events = *events, .arg = arg, .fd = fd, .at_us = INT64_MAX};
    alarm_read_clocks(&a->seen);
    a->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, a);
    event_add(a->readable, NULL);
    arm(a);
    fd = -1;
    *ret_alarm = a;
    return 0;
}

void alarm_free(struct alarm *a)
{
    if (!a)
        return;
    event_free(a->readable);
    close(a->fd);
    free(a);
}
