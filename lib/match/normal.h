#pragma once
/* What is made of two values before they are compared, and what tells whether a person is active. Pure. */
#include "util/buffer.h"
#include "util/error.h"

#include <stdbool.h>

/* Which of these, chosen for each key and tie-break. */
enum {
    NORMAL_TRIM = 1 << 0,       /* no blanks at either end; a blank is what Unicode calls White_Space */
    NORMAL_BLANKS = 1 << 1,     /* several blanks are one, U+0020 */
    NORMAL_CASE = 1 << 2,       /* Unicode's full case folding: Straße is STRASSE */
    NORMAL_NFC = 1 << 3,        /* composed characters and their parts are the same */
    NORMAL_UNDERSCORE = 1 << 4, /* _ is a blank: family_medicine is Family Medicine */
};

/* "trim, blanks, case, nfc, underscore" in any order, with commas or blanks between; refuses other words. */
int normal_parse(const char *words, unsigned *ret_normal, struct error *err);

/* Adds what the value is made into to `to`: UTF-8 without NUL comes in and goes out. A value of nothing but what is trimmed
 * becomes nothing. False: there is no memory for it (nothing was added then). */
bool normal_put(struct buffer *to, struct slice value, unsigned normal);

/* The days of the dates that the active rule is about: YYYY-MM-DD, perhaps with a T or a blank and a time behind it, which
 * is not looked at. */
enum match_activity {
    ACTIVITY_WITHIN,     /* active: at most `days` before the report date, that day included */
    ACTIVITY_BEFORE,     /* not active */
    ACTIVITY_NEVER,      /* there is no date (NULL or ""): not active */
    ACTIVITY_FUTURE,     /* after the report date: no activity up to it is known: not active */
    ACTIVITY_UNREADABLE, /* no date: not active */
};
/* report_day: days since 1970-01-01. p NULL: there is none. */
enum match_activity match_activity(struct slice date, int64_t report_day, int64_t days);
/* False when it is no such date. */
bool match_day(struct slice date, int64_t *ret_day);
