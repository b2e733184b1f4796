/* Dates in the names of dumps. */
#include "fetch/inside.h"

#include "util/clock.h"

#include <ctype.h>

#define FIRST_YEAR "1900"
#define LAST_YEAR  "2199"

static size_t digits_at(const char *p)
{
    size_t n = 0;
    while (isdigit((unsigned char)p[n]))
        n++;
    return n;
}

/* Is there such a day? */
static bool take_date(const char *year, const char *month, const char *day, char ret[11])
{
    char text[32], date[11];
    int64_t us;
    snprintf(date, sizeof(date), "%.4s-%.2s-%.2s", year, month, day);
    snprintf(text, sizeof(text), "%sT00:00:00Z", date);
    if (strncmp(year, FIRST_YEAR, 4) < 0 || strncmp(year, LAST_YEAR, 4) > 0 || clock_parse_utc(text, &us) < 0)
        return false;
    memcpy(ret, date, sizeof(date));
    return true;
}

static bool is_separator(char c)
{
    return c == '-' || c == '_';
}

/* What stands at p, behind no digit; *ret_n: how long it is. */
static bool date_at(const char *p, char ret_date[11], size_t *ret_n)
{
    size_t n = digits_at(p);
    *ret_n = n;
    if (n == 8)
        return take_date(p, p + 4, p + 6, ret_date);
    if (n != 4 || !is_separator(p[4]) || digits_at(p + 5) != 2)
        return false;
    size_t n_day = is_separator(p[7]) ? digits_at(p + 8) : 0;
    if (n_day == 0) {
        *ret_n = 7;
        return take_date(p, p + 5, "01", ret_date);
    }
    if (n_day != 2 || p[7] != p[4])
        return false;
    *ret_n = 10;
    return take_date(p, p + 5, p + 8, ret_date);
}

bool fetch_date_in_name(const char *name, char ret_date[11])
{
    char found[11] = "", date[11];
    for (const char *p = name; *p;) {
        size_t n = 1;
        if (isdigit((unsigned char)*p) && date_at(p, date, &n)) {
            if (found[0] && strcmp(found, date) != 0)
                return false;
            memcpy(found, date, sizeof(found));
        }
        p += n;
    }
    if (!found[0])
        return false;
    memcpy(ret_date, found, sizeof(found));
    return true;
}
