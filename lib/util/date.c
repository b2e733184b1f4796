#include "util/date.h"

#include "util/buffer.h"
#include "util/clock.h"

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

enum date_pattern date_pattern(const char *text)
{
    bool year = strstr(text, "%Y") != NULL, month = strstr(text, "%m") != NULL;
    if (!year)
        return DATE_PATTERN_NONE;
    if (!month)
        return DATE_PATTERN_BROKEN;
    return strstr(text, "%d") ? DATE_PATTERN_DAYS : DATE_PATTERN_MONTHS;
}

char *date_fill(const char *pattern, const char *date)
{
    _cleanup_buffer_ struct buffer out = {0};
    for (const char *p = pattern; *p; p++) {
        size_t at, n;
        if (*p == '%' && part_of(p[1], &at, &n)) {
            buffer_put(&out, date + at, n);
            p++;
        } else {
            buffer_put(&out, p, 1);
        }
    }
    return xstrdup(buffer_string(&out));
}
