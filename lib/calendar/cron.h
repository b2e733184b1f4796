#pragma once
/*
 * A five-field line of crontab(5), and the local times that fit it. It knows the calendar and no zone: a local
 * time is seconds since 1970-01-01T00:00:00, written as if it were UTC (calendar/zone.h).
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Bit n stands for the value n. */
struct cron {
    uint64_t minutes;
    uint64_t hours;
    uint64_t days; /* of the month, 1-31 */
    uint64_t months;
    uint64_t weekdays; /* 0-6, Sunday is 0 */
    bool either_day;   /* both kinds of day are restricted: a day fits that is one of them */
    bool by_instant;   /* minute or hour begins with "*" */
};

int cron_parse(const char *text, struct cron *ret_cron, struct error *err);

/* The first local time that fits after this one, the last one before it; INT64_MAX and INT64_MIN where there
 * is none within fifty years. (40 are needed: from the Sunday 29 February of 2088 to that of 2128.) */
int64_t cron_after(const struct cron *c, int64_t local);
int64_t cron_before(const struct cron *c, int64_t local);
