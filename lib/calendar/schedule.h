#pragma once
/*
 * When something is due. `every 10m` is aligned to the clock: its firings are the multiples of the interval
 * since 1970-01-01T00:00:00Z, the same on every host. A five-field line is cron's (crontab(5)): minute, hour,
 * day of month, month, day of week; with names, lists, ranges and steps, in a zone of the tz database. Where
 * neither kind of day begins with `*`, a day fits that is one of them; else it must be both.
 *
 * Where clocks change it keeps to Debian's cron: a line whose minute or hour begins with `*` follows the
 * instants (in autumn it fires in both of the doubled hours, in spring in none that was skipped); any other
 * fires once for each clock time: in autumn at the first of the two, in spring, where its time was skipped, at
 * the instant of the change. One rule for every change, also where a zone skipped a whole day (cron's own
 * stops at three hours): a daily line fires for that day too.
 *
 * Pure: no clock is read here. Times are microseconds since 1970-01-01T00:00:00Z.
 */
#include "util/error.h"

#include <stdint.h>

struct schedule;

/* zone: of the cron line; "UTC" if NULL. The message says which field is wrong and what it may hold; a line
 * that can never fire (31 February) is wrong too. */
int schedule_parse(const char *text, const char *zone, struct schedule **ret_schedule, struct error *err);
void schedule_free(struct schedule *s);
DEFINE_CLEANUP(struct schedule *, schedule_freep, schedule_free)
const char *schedule_text(const struct schedule *s);

/* The first firing after (not at) the time, the last one before (not at) it. INT64_MAX and INT64_MIN where
 * there is none within 50 years, or within 1900 to 2999. */
int64_t schedule_next(const struct schedule *s, int64_t after_us);
int64_t schedule_previous(const struct schedule *s, int64_t before_us);
