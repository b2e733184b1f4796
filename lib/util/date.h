#pragma once
/*
 * Days of the calendar as text, "2016-02-07" (so that strcmp() is their order), and names in which %Y, %m and %d stand
 * for the parts of one.
 */
#include "util/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

#define DATE_SIZE 11

/* A day that there is, of the years 1000 to 9998, written in full. */
bool date_is_good(const char *text);
/* The day of a time, in UTC. */
void date_of_time(int64_t wall_us, char ret[DATE_SIZE]);

enum date_step { DATE_DAY, DATE_MONTH };
/* The next day; or the first day of the next month. */
void date_next(char date[DATE_SIZE], enum date_step step);

/* How names made from a pattern follow each other. A % that is not %Y, %m or %d is itself: in a URL it begins an escape,
 * so without %Y there is no date in it at all. Nor is the %d of %d0%bf a day, a letter in UTF-8. */
enum date_pattern {
    DATE_PATTERN_NONE,
    DATE_PATTERN_BROKEN, /* a year without a month, or a day without one */
    DATE_PATTERN_MONTHS, /* %Y and %m: the first day is meant */
    DATE_PATTERN_DAYS,
};
enum date_pattern date_pattern(const char *text);
/* The pattern with the date's parts in it, a new string. */
char *date_fill(const char *pattern, const char *date);
