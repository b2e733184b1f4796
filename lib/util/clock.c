#include "util/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * US_PER_SEC + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

void clock_format_utc(int64_t wall_us, char *out, size_t size)
{
    int64_t us = wall_us % US_PER_SEC;
    if (us < 0)
        us += US_PER_SEC;
    time_t sec = (time_t)((wall_us - us) / US_PER_SEC);
    struct tm tm;
    char day[40] = "unknown time";
    if (gmtime_r(&sec, &tm))
        strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, size, "%s.%03dZ", day, (int)(us / 1000));
}
