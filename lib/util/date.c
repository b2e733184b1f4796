#include "util/date.h"

#include "util/buffer.h"
#include "util/clock.h"

#include <ctype.h>

#define US_PER_DAY (86400 * US_PER_SEC)

static bool to_time(const char *date, int64_t *ret_us)
{
    char text[40];
    if (strlen(date) != DATE_SIZE - 1)
        return false;
    snprintf(text, sizeof(text), "%sT00:00:00Z", date);
    return clock_parse_utc(text, ret_us) == 0;
}

bool date_is_good(const char *text)
{
    int64_t ignored;
    return to_time(text, &ignored) && strcmp(text, "1000-01-01") >= 0 && strcmp(text, "9998-12-31") <= 0;
}

void date_of_time(int64_t wall_us, char ret[DATE_SIZE])
{
    char text[40];
    clock_format_utc(wall_us, text, sizeof(text));
    snprintf(ret, DATE_SIZE, "%.10s", text);
}

static void to_first_of_month(char date[DATE_SIZE])
{
    date[8] = '0';
    date[9] = '1';
}

void date_next(char date[DATE_SIZE], enum date_step step)
{
    int64_t us;
    if (!to_time(date, &us))
        return;
    /* 31 days after the first of any month is in the next one. */
    if (step == DATE_MONTH) {
        to_first_of_month(date);
        to_time(date, &us);
    }
    date_of_time(us + (step == DATE_MONTH ? 31 : 1) * US_PER_DAY, date);
    if (step == DATE_MONTH)
        to_first_of_month(date);
}

/* Where each part begins in a date, and how long it is. */
static bool part_of(char letter, size_t *ret_at, size_t *ret_n)
{
    *ret_at = letter == 'Y' ? 0 : letter == 'm' ? 5 : 8;
    *ret_n = letter == 'Y' ? 4 : 2;
    return letter == 'Y' || letter == 'm' || letter == 'd';
}

/* %d0 to %df may be a day before a hex digit, or a URL's escape of the byte that begins a character of UTF-8. That one
 * is always followed by the escape of a byte from 80 to bf, and a day never is. */
static bool is_escape(const char *p)
{
    return isxdigit((unsigned char)p[2]) && p[3] == '%' && p[4] && strchr("89abAB", p[4]) &&
           isxdigit((unsigned char)p[5]);
}

static bool has_part(const char *text, char letter)
{
    for (const char *p = strchr(text, '%'); p; p = strchr(p + 1, '%'))
        if (p[1] == letter && (letter != 'd' || !is_escape(p)))
            return true;
    return false;
}

enum date_pattern date_pattern(const char *text)
{
    if (!has_part(text, 'Y'))
        return DATE_PATTERN_NONE;
    if (!has_part(text, 'm'))
        return DATE_PATTERN_BROKEN;
    return has_part(text, 'd') ? DATE_PATTERN_DAYS : DATE_PATTERN_MONTHS;
}

char *date_fill(const char *pattern, const char *date)
{
    _cleanup_buffer_ struct buffer out = {0};
    for (const char *p = pattern; *p; p++) {
        size_t at, n;
        if (*p == '%' && part_of(p[1], &at, &n) && !(p[1] == 'd' && is_escape(p))) {
            buffer_put(&out, date + at, n);
            p++;
        } else {
            buffer_put(&out, p, 1);
        }
    }
    return xstrdup(buffer_string(&out));
}
