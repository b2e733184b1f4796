#include "schedule/plan.h"

#include "calendar/schedule.h"
#include "util/cleanup.h"

enum catch_up catch_up_from_string(const char *word)
{
    if (strcmp(word, "all") == 0)
        return CATCH_UP_ALL;
    return strcmp(word, "none") == 0 ? CATCH_UP_NONE : CATCH_UP_LAST;
}

/* From the newest back to the last that was handled, so that years of downtime cost no more than PLAN_MAX. */
static size_t collect(
    const struct schedule *s, int64_t handled_us, int64_t now_us, int64_t *list, bool *ret_more)
{
    size_t n = 0;
    int64_t at = schedule_previous(s, now_us + 1);
    for (; at > handled_us && n < PLAN_MAX; at = schedule_previous(s, at))
        list[n++] = at;
    *ret_more = at > handled_us;
    return n;
}

void plan_due(const struct schedule *s, enum catch_up catch_up, int64_t handled_us, int64_t now_us,
    struct plan *ret_plan)
{
    *ret_plan = (struct plan){.handled_us = handled_us};
    if (schedule_next(s, handled_us) > now_us)
        return;
    _cleanup_free_ int64_t *list = xcalloc(PLAN_MAX, sizeof(*list));
    size_t n = collect(s, handled_us, now_us, list, &ret_plan->more_skipped);
    if (n == 0)
        return;
    bool newest_late = now_us - list[0] > PLAN_LATE_US;
    size_t n_run = catch_up == CATCH_UP_ALL ? n : catch_up == CATCH_UP_NONE && newest_late ? 0 : 1;
    ret_plan->firings = xcalloc(n_run, sizeof(*ret_plan->firings));
    ret_plan->n_firings = n_run;
    ret_plan->n_skipped = n - n_run;
    ret_plan->handled_us = list[0];
    for (size_t i = 0; i < n_run; i++) {
        int64_t at = list[n_run - 1 - i];
        ret_plan->firings[i] = (struct firing){at, now_us - at > PLAN_LATE_US};
    }
}

int64_t plan_window_start(const struct schedule *s, int64_t firing_us)
{
    return schedule_previous(s, firing_us);
}

int64_t plan_span(
    const struct schedule *s, bool windows, int64_t from_us, int64_t to_us, size_t max, int64_t **ret_list)
{
    size_t n = 0, room = 0;
    _cleanup_free_ int64_t *list = NULL;
    int64_t at = schedule_next(s, from_us);
    if (windows && at != INT64_MAX && plan_window_start(s, at) < from_us)
        at = schedule_next(s, at);
    for (; at <= to_us && at != INT64_MAX; at = schedule_next(s, at)) {
        if (n == max)
            return -1;
        if (n == room)
            list = xrealloc(list, room = room ? 2 * room : 64, sizeof(*list));
        list[n++] = at;
    }
    *ret_list = TAKE(list);
    return (int64_t)n;
}
