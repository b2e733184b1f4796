#pragma once
/* Time. Durations and waits use the monotonic clock; what is stored or shown uses the wall clock, in UTC. */
#include <stddef.h>
#include <stdint.h>

#define US_PER_MS  INT64_C(1000)
#define US_PER_SEC INT64_C(1000000)

/* Microseconds since some fixed point; does not jump. */
int64_t clock_mono_us(void);
/* Microseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_us(void);
/* "2026-01-02T03:04:05.678Z" into out (at least 32 bytes; 40 is comfortable for years past 9999). */
void clock_format_utc(int64_t wall_us, char *out, size_t size);
/* An RFC 3339 time with its zone ("2026-01-02T03:04:05.678Z", "…+02:00") in years 1 to 9999, to the
 * microsecond; what is finer is cut off, and a leap second is no time of ours. 0 or -1. */
int clock_parse_utc(const char *text, int64_t *ret_us);
