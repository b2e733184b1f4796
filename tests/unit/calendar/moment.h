#pragma once
/* Times in tests as people write them. */
#include "util/cleanup.h"

#include <check.h>
#include <stdint.h>
#include <time.h>

/* "2026-03-29 01:00" or with seconds, as UTC -> seconds since 1970. */
static inline int64_t moment(const char *text)
{
    struct tm t = {0};
    const char *end = strptime(text, "%Y-%m-%d %H:%M", &t);
    if (end && *end == ':')
        end = strptime(end, ":%S", &t);
    ck_assert_msg(end && *end == '\0', "%s", text);
    return timegm(&t);
}

/* The other way. */
static inline const char *shown(int64_t seconds, char out[40])
{
    struct tm t;
    time_t time = seconds;
    ck_assert(gmtime_r(&time, &t));
    strftime(out, 40, t.tm_sec ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &t);
    return out;
}
