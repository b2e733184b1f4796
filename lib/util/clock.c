#include "util/clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
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

/* Exactly n digits at *at, which moves behind them. -1 when there are others. */
static int take_digits(const char **at, int n)
{
    int v = 0;
    for (; n > 0; n--, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return -1;
        v = v * 10 + (**at - '0');
    }
    return v;
}

static bool take_one_of(const char **at, const char *characters)
{
    if (!**at || !strchr(characters, **at))
        return false;
    (*at)++;
    return true;
}

/* ".678" -> 678000; nothing -> 0. -1 when the point has no digit behind it. */
static int take_fraction(const char **at)
{
    int us = 0, digits = 0;
    if (!take_one_of(at, "."))
        return 0;
    for (; isdigit((unsigned char)**at); (*at)++, digits++)
        if (digits < 6)
            us = us * 10 + (**at - '0');
    for (int i = digits; i < 6; i++)
        us *= 10;
    return digits > 0 ? us : -1;
}

/* "Z", "+02:00": seconds east of Greenwich. */
static bool take_zone(const char **at, int *ret_seconds)
{
    *ret_seconds = 0;
    if (take_one_of(at, "Zz"))
        return true;
    bool west = **at == '-';
    if (!take_one_of(at, "+-"))
        return false;
    int hours = take_digits(at, 2);
    if (hours < 0 || hours > 23 || !take_one_of(at, ":"))
        return false;
    int minutes = take_digits(at, 2);
    *ret_seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return minutes >= 0 && minutes <= 59;
}

static bool take_date_and_time(const char **at, struct tm *ret)
{
    struct {
        int *to;
        const char *before; /* what may stand before it */
        int digits, min, max;
    } const fields[] = {
        {&ret->tm_year, NULL, 4, 1, 9999},
        {&ret->tm_mon, "-", 2, 1, 12},
        {&ret->tm_mday, "-", 2, 1, 31},
        {&ret->tm_hour, "Tt ", 2, 0, 23},
        {&ret->tm_min, ":", 2, 0, 59},
        {&ret->tm_sec, ":", 2, 0, 59},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].before && !take_one_of(at, fields[i].before))
            return false;
        *fields[i].to = take_digits(at, fields[i].digits);
        if (*fields[i].to < fields[i].min || *fields[i].to > fields[i].max)
            return false;
    }
    ret->tm_year -= 1900;
    ret->tm_mon -= 1;
    return true;
}

int clock_parse_utc(const char *text, int64_t *ret_us)
{
    struct tm tm = {0};
    if (!take_date_and_time(&text, &tm))
        return -1;
    int day = tm.tm_mday, east, fraction = take_fraction(&text);
    if (fraction < 0 || !take_zone(&text, &east) || *text)
        return -1;
    time_t sec = timegm(&tm);
    if (tm.tm_mday != day) /* 31 February */
        return -1;
    *ret_us = ((int64_t)sec - east) * US_PER_SEC + fraction;
    return 0;
}
