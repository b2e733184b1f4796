/* Which local times fit a cron line: by the day first, then within the day, so that no minute is walked. */
#include "calendar/cron.h"
#include "calendar/inside.h"

#include <time.h>

#define MINUTES_A_DAY  1440
#define DAYS_LOOKED_AT (INT64_C(50) * 366)

static int month_length(const struct tm *t)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = t->tm_year + 1900;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return lengths[t->tm_mon] + (t->tm_mon == 1 && leap);
}

static bool has_bit(uint64_t bits, int n)
{
    return bits >> n & 1;
}

static bool day_fits(const struct cron *c, const struct tm *t)
{
    bool day = has_bit(c->days, t->tm_mday), weekday = has_bit(c->weekdays, t->tm_wday);
    return has_bit(c->months, t->tm_mon + 1) && (c->either_day ? day || weekday : day && weekday);
}

/* How far it is to the next day that may fit: months that do not are left in one step. */
static int64_t stride(const struct cron *c, const struct tm *t, int direction)
{
    if (has_bit(c->months, t->tm_mon + 1))
        return direction;
    return direction > 0 ? month_length(t) - t->tm_mday + 1 : -t->tm_mday;
}

/* The first day that fits, from this one on, forwards (1) or backwards (-1). */
static bool find_day(const struct cron *c, int64_t day, int direction, int64_t *ret_day)
{
    int64_t last = day + direction * DAYS_LOOKED_AT;
    while ((last - day) * direction > 0) {
        struct tm t;
        time_t seconds = day * DAY;
        if (!gmtime_r(&seconds, &t))
            return false;
        if (day_fits(c, &t)) {
            *ret_day = day;
            return true;
        }
        day += stride(c, &t, direction);
    }
    return false;
}

/* The first minute of a day that fits, not before this one; -1 if there is none. */
static int minute_from(const struct cron *c, int minute)
{
    for (int hour = minute / 60; hour < 24; hour++, minute = 0) {
        uint64_t left = c->minutes >> minute % 60;
        if (has_bit(c->hours, hour) && left)
            return hour * 60 + minute % 60 + __builtin_ctzll(left);
    }
    return -1;
}

/* The last minute of a day that fits, not after this one; -1 if there is none. */
static int minute_up_to(const struct cron *c, int minute)
{
    for (int hour = minute / 60; hour >= 0; hour--, minute = 59) {
        uint64_t left = c->minutes << (63 - minute % 60);
        if (has_bit(c->hours, hour) && left)
            return hour * 60 + minute % 60 - __builtin_clzll(left);
    }
    return -1;
}

int64_t cron_after(const struct cron *c, int64_t local)
{
    int64_t minutes = floor_div(local, MINUTE) + 1;
    int64_t day = floor_div(minutes, MINUTES_A_DAY), found;
    if (!find_day(c, day, 1, &found))
        return INT64_MAX;
    int minute = minute_from(c, found == day ? (int)(minutes - day * MINUTES_A_DAY) : 0);
    if (minute < 0) { /* nothing is left of that day; a whole one always has something */
        if (!find_day(c, day + 1, 1, &found))
            return INT64_MAX;
        minute = minute_from(c, 0);
    }
    return found * DAY + minute * MINUTE;
}

int64_t cron_before(const struct cron *c, int64_t local)
{
    int64_t minutes = floor_div(local - 1, MINUTE);
    int64_t day = floor_div(minutes, MINUTES_A_DAY), found;
    if (!find_day(c, day, -1, &found))
        return INT64_MIN;
    int minute = minute_up_to(c, found == day ? (int)(minutes - day * MINUTES_A_DAY) : MINUTES_A_DAY - 1);
    if (minute < 0) {
        if (!find_day(c, day - 1, -1, &found))
            return INT64_MIN;
        minute = minute_up_to(c, MINUTES_A_DAY - 1);
    }
    return found * DAY + minute * MINUTE;
}
