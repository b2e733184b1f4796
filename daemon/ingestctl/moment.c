#include "moment.h"

#include "util/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static bool shows(const struct tm *a, const struct tm *b)
{
    return a->tm_sec == b->tm_sec && a->tm_min == b->tm_min && a->tm_hour == b->tm_hour &&
           a->tm_mday == b->tm_mday;
}

/* The first instant at which this machine's clocks show the time: summer and winter may have one each. */
static bool find_instant(const struct tm *local, time_t *ret)
{
    bool found = false;
    for (int summer = 0; summer <= 1; summer++) {
        struct tm tm = *local;
        tm.tm_isdst = summer;
        time_t at = mktime(&tm);
        if (tm.tm_isdst != summer || !shows(&tm, local) || (found && at > *ret))
            continue;
        *ret = at;
        found = true;
    }
    return found;
}

/* Read as if it were UTC, so that one reader checks it: the date alone, to the minute or the second. */
static bool read_local(const char *text, struct tm *ret)
{
    static const char *const endings[] = {"T00:00:00Z", ":00Z", "Z"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        char whole[64];
        int64_t us;
        if ((size_t)snprintf(whole, sizeof(whole), "%s%s", text, endings[i]) >= sizeof(whole) ||
            clock_parse_utc(whole, &us) < 0)
            continue;
        time_t as_utc = (time_t)(us / US_PER_SEC);
        return us % US_PER_SEC == 0 && gmtime_r(&as_utc, ret);
    }
    return false;
}

bool moment_parse(const char *text, char ret[40])
{
    int64_t us;
    struct tm local;
    time_t at = 0;
    if (clock_parse_utc(text, &us) < 0) {
        if (!read_local(text, &local) || !find_instant(&local, &at))
            return false;
        us = (int64_t)at * US_PER_SEC;
    }
    if (us <= 0)
        return false;
    clock_format_utc(us, ret, 40);
    return true;
}
