/* What is due, driven by a clock of the test's own: a year in a moment, with naps, jumps and long downtime. */
#include "../util/suite.h"
#include "calendar/schedule.h"
#include "schedule/alarm.h"
#include "schedule/plan.h"

#include <check.h>

#define MINUTE (INT64_C(60) * 1000000)
#define DAY    (1440 * MINUTE)
#define T0     (INT64_C(1767225600) * 1000000) /* 2026-01-01T00:00:00Z */

static struct schedule *parse(const char *text, const char *zone)
{
    struct schedule *s;
    struct error err;
    ck_assert_msg(schedule_parse(text, zone, &s, &err) == 0, "%s", err.text);
    return s;
}

static struct plan due(const struct schedule *s, enum catch_up c, int64_t handled, int64_t now)
{
    struct plan p;
    plan_due(s, c, handled, now, &p);
    return p;
}

START_TEST(nothing_is_due_before_its_time)
{
    struct schedule *s = parse("every 10m", NULL);
    struct plan p = due(s, CATCH_UP_ALL, T0, T0 + 10 * MINUTE - 1);
    ck_assert_int_eq(p.n_firings, 0);
    ck_assert_int_eq(p.handled_us, T0);
    free(p.firings);
    p = due(s, CATCH_UP_ALL, T0, T0 + 10 * MINUTE);
    ck_assert_int_eq(p.n_firings, 1);
    ck_assert_int_eq(p.firings[0].at_us, T0 + 10 * MINUTE);
    ck_assert(!p.firings[0].late);
    ck_assert_int_eq(p.handled_us, T0 + 10 * MINUTE);
    free(p.firings);
    schedule_free(s);
}
END_TEST

START_TEST(downtime_is_caught_up_with_as_asked)
{
    struct schedule *s = parse("every 10m", NULL);
    int64_t now = T0 + 65 * MINUTE; /* six firings, the newest five minutes ago */
    struct plan p = due(s, CATCH_UP_ALL, T0, now);
    ck_assert_int_eq(p.n_firings, 6);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(p.firings[i].at_us, T0 + (int64_t)(i + 1) * 10 * MINUTE);
        ck_assert(p.firings[i].late);
    }
    free(p.firings);
    p = due(s, CATCH_UP_LAST, T0, now);
    ck_assert_int_eq(p.n_firings, 1);
    ck_assert_int_eq(p.firings[0].at_us, T0 + 60 * MINUTE);
    ck_assert_int_eq(p.n_skipped, 5);
    free(p.firings);
    p = due(s, CATCH_UP_NONE, T0, now);
    ck_assert_int_eq(p.n_firings, 0);
    ck_assert_int_eq(p.n_skipped, 6);
    ck_assert_int_eq(p.handled_us, T0 + 60 * MINUTE);
    free(p.firings);
    p = due(s, CATCH_UP_NONE, T0, T0 + 60 * MINUTE + 5000000); /* the newest is on time */
    ck_assert_int_eq(p.n_firings, 1);
    ck_assert(!p.firings[0].late);
    ck_assert_int_eq(p.n_skipped, 5);
    free(p.firings);
    schedule_free(s);
}
END_TEST

START_TEST(years_of_downtime_have_a_bound)
{
    struct schedule *s = parse("every 1s", NULL);
    struct plan p = due(s, CATCH_UP_ALL, T0, T0 + 400 * DAY);
    ck_assert_int_eq(p.n_firings, PLAN_MAX);
    ck_assert(p.more_skipped);
    ck_assert_int_eq(p.firings[PLAN_MAX - 1].at_us, T0 + 400 * DAY);
    ck_assert_int_eq(p.firings[0].at_us, T0 + 400 * DAY - (PLAN_MAX - 1) * INT64_C(1000000));
    free(p.firings);
    schedule_free(s);
}
END_TEST

START_TEST(a_clock_set_back_fires_nothing_twice)
{
    struct schedule *s = parse("every 10m", NULL);
    struct plan p = due(s, CATCH_UP_ALL, T0, T0 - DAY);
    ck_assert_int_eq(p.n_firings, 0);
    ck_assert_int_eq(p.handled_us, T0);
    free(p.firings);
    schedule_free(s);
}
END_TEST

/* The schedule's own firings, one after the other, are what must have come of it, however the time was cut. */
static void drive_a_year(const char *text, const char *zone, unsigned seed)
{
    struct schedule *s = parse(text, zone);
    int64_t handled = T0, now = T0, expected = schedule_next(s, T0), n = 0;
    srand(seed);
    while (now < T0 + 366 * DAY) {
        int kind = rand() % 100;
        int64_t step = kind < 90   ? rand() % (15 * MINUTE)
                       : kind < 99 ? rand() % (12 * 60) * MINUTE
                                   : -(rand() % 30) * MINUTE;
        now += step; /* on, a long sleep, or set back */
        struct plan p = due(s, CATCH_UP_ALL, handled, now);
        for (size_t i = 0; i < p.n_firings; i++, n++) {
            ck_assert_int_eq(p.firings[i].at_us, expected);
            ck_assert_int_le(p.firings[i].at_us, now);
            expected = schedule_next(s, expected);
        }
        ck_assert_int_ge(p.handled_us, handled);
        ck_assert(p.n_skipped == 0 && !p.more_skipped);
        handled = p.handled_us;
        free(p.firings);
    }
    ck_assert_int_gt(n, 300);
    schedule_free(s);
}

START_TEST(a_year_of_naps_and_jumps_fires_each_once)
{
    drive_a_year("30 2 * * *", "America/New_York", 3);
    if (under_valgrind())
        return;
    drive_a_year("every 10m", NULL, 1);
    drive_a_year("*/30 * * * *", "Europe/Berlin", 2);
    drive_a_year("15 */3 * * *", "Australia/Sydney", 4);
}
END_TEST

START_TEST(windows_of_a_year_leave_no_gap)
{
    struct schedule *s = parse("0 0 * * *", "America/Santiago");
    int64_t *list;
    int64_t n = plan_span(s, true, T0, T0 + 366 * DAY, 1000, &list);
    ck_assert_int_ge(n, 364);
    for (int64_t i = 1; i < n; i++)
        ck_assert_int_eq(plan_window_start(s, list[i]), list[i - 1]);
    ck_assert_int_ge(plan_window_start(s, list[0]), T0);
    free(list);
    ck_assert_int_eq(plan_span(s, true, T0, T0 + 366 * DAY, 100, &list), -1);
    schedule_free(s);
}
END_TEST

START_TEST(a_span_takes_whole_windows_alone)
{
    struct schedule *s = parse("every 10m", NULL);
    int64_t *list;
    ck_assert_int_eq(plan_span(s, true, T0, T0 + 30 * MINUTE, 100, &list), 3);
    ck_assert_int_eq(list[0], T0 + 10 * MINUTE);
    free(list);
    ck_assert_int_eq(plan_span(s, true, T0 + 1, T0 + 30 * MINUTE, 100, &list), 2);
    free(list);
    ck_assert_int_eq(plan_span(s, true, T0, T0 + 30 * MINUTE - 1, 100, &list), 2);
    free(list);
    ck_assert_int_eq(plan_span(s, true, T0, T0 + 9 * MINUTE, 100, &list), 0);
    free(list);
    schedule_free(s);
}
END_TEST

/* -- the clocks ------------------------------------------------------------------------------------------ */

START_TEST(sleep_and_setting_are_told_apart)
{
    struct alarm_clocks a = {1000 * MINUTE, 50 * MINUTE, 60 * MINUTE}, b = a;
    b.wall_us += 3 * MINUTE, b.mono_us += 3 * MINUTE, b.boot_us += 3 * MINUTE;
    struct alarm_jump j = alarm_compare(&a, &b);
    ck_assert(j.set_us == 0 && j.slept_us == 0);
    b = a;
    b.wall_us += 63 * MINUTE, b.mono_us += 3 * MINUTE, b.boot_us += 63 * MINUTE;
    j = alarm_compare(&a, &b);
    ck_assert(j.set_us == 0 && j.slept_us == 60 * MINUTE);
    b = a;
    b.wall_us += 3 * MINUTE - 60 * MINUTE, b.mono_us += 3 * MINUTE, b.boot_us += 3 * MINUTE;
    j = alarm_compare(&a, &b);
    ck_assert(j.set_us == -60 * MINUTE && j.slept_us == 0);
    b = a;
    b.wall_us += 500000, b.mono_us += 3000, b.boot_us += 3000; /* a slewing clock is no jump */
    j = alarm_compare(&a, &b);
    ck_assert(j.set_us == 0 && j.slept_us == 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        nothing_is_due_before_its_time,
        downtime_is_caught_up_with_as_asked,
        years_of_downtime_have_a_bound,
        a_clock_set_back_fires_nothing_twice,
        a_year_of_naps_and_jumps_fires_each_once,
        windows_of_a_year_leave_no_gap,
        a_span_takes_whole_windows_alone,
        sleep_and_setting_are_told_apart,
    };
    return run_tests("schedule-plan", tests, N_ELEMENTS(tests));
}
