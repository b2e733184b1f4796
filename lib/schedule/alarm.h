#pragma once
/*
 * An alarm on the wall clock. It rings at its time whatever the clock did meanwhile, and says when the clock
 * was set, or the machine slept: timerfd_create(2) with CLOCK_REALTIME and TFD_TIMER_CANCEL_ON_SET.
 */
#include "util/error.h"

#include <stdint.h>

struct alarm;
struct event_base;

/* What the clocks of a machine show at one moment. */
struct alarm_clocks {
    int64_t wall_us, mono_us, boot_us; /* CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME */
};
/* What happened between two readings, less than a second of drift left aside. */
struct alarm_jump {
    int64_t set_us;   /* how far the wall clock was set forward; negative: back */
    int64_t slept_us; /* how long the machine slept */
};
void alarm_read_clocks(struct alarm_clocks *ret);
struct alarm_jump alarm_compare(const struct alarm_clocks *before, const struct alarm_clocks *after);

struct alarm_events {
    void (*rang)(void *arg);
    void (*jumped)(void *arg, const struct alarm_jump *jump);
};

int alarm_new(struct event_base *base, const struct alarm_events *events, void *arg, struct alarm **ret_alarm,
    struct error *err);
void alarm_free(struct alarm *a);
DEFINE_CLEANUP(struct alarm *, alarm_freep, alarm_free)
/* Rings once at the time, at once if it has passed; INT64_MAX: not at all. */
void alarm_set(struct alarm *a, int64_t wall_us);
/* Looks at the clocks now; jumped is called if they moved. For a tick: a machine that wakes has no event. */
void alarm_look(struct alarm *a);
