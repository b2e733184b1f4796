#include "job/moment.h"

#include "util/cleanup.h"
#include "util/clock.h"

#include <inttypes.h>
#include <time.h>

#define US_PER_DAY (86400 * US_PER_SEC)

bool moment_parse(const char *text, int64_t *ret_us)
{
    _cleanup_free_ char *full = xasprintf("%s%sZ", text, strchr(text, ':') ? "" : " 00:00:00");
    return clock_parse_utc(full, ret_us) == 0;
}

void moment_format(int64_t wall_us, char ret[MOMENT_SIZE])
{
    int64_t us = wall_us % US_PER_SEC;
    time_t sec = (time_t)(wall_us / US_PER_SEC);
    struct tm tm;
    size_t n = gmtime_r(&sec, &tm) ? strftime(ret, MOMENT_SIZE, "%Y-%m-%d %H:%M:%S", &tm) : 0;
    if (us == 0)
        return;
    n += (size_t)snprintf(ret + n, MOMENT_SIZE - n, ".%06d", (int)us);
    while (ret[n - 1] == '0')
        ret[--n] = '\0';
}

int64_t moment_after(const char *newest)
{
    int64_t now = clock_wall_us(), before;
    if (newest && moment_parse(newest, &before) && now <= before)
        now = before + 1;
    return now % US_PER_DAY ? now : now + 1; /* midnight would be a date */
}
