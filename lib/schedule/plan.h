#pragma once
/*
 * What is due, worked out from the schedule, the last firing that was handled, and the time it is now. Pure: a
 * clock that jumps, a machine that slept and a daemon that was down are all the same to it, a `now` that is
 * further on than expected, or less far.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct schedule;

/* What becomes of firings that were missed. */
enum catch_up {
    CATCH_UP_NONE, /* they are skipped */
    CATCH_UP_LAST, /* one run, for the last of them */
    CATCH_UP_ALL,  /* a run for each, the newest PLAN_MAX at most */
};
/* "none", "last", "all"; anything else is CATCH_UP_LAST. */
enum catch_up catch_up_from_string(const char *word);

#define PLAN_MAX 10000
/* A firing found this late was missed. Less is the ordinary way of a busy machine, or of a takeover. */
#define PLAN_LATE_US (INT64_C(60) * 1000000)

struct firing {
    int64_t at_us;
    bool late; /* it is caught up with */
};

struct plan {
    struct firing *firings; /* in order of time; the caller frees it */
    size_t n_firings;
    size_t n_skipped;   /* firings that are not run */
    bool more_skipped;  /* and others, too many to be counted */
    int64_t handled_us; /* the newest firing of all, run or skipped; the one before where nothing is due */
};

/* The firings in (handled_us, now_us]. */
void plan_due(const struct schedule *s, enum catch_up catch_up, int64_t handled_us, int64_t now_us,
    struct plan *ret_plan);

/* The window that ends at a firing begins at the one before. */
int64_t plan_window_start(const struct schedule *s, int64_t firing_us);
/*
 * The firings of a span, oldest first: those f with from < f <= to, or for windows those whose window lies in
 * [from, to). At most max; -1 when there are more. *ret_list is the caller's own.
 */
int64_t plan_span(
    const struct schedule *s, bool windows, int64_t from_us, int64_t to_us, size_t max, int64_t **ret_list);
