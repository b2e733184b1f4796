#include "stream/datetime.h"

#include "stream/value.h"
#include "util/clock.h"

#define US_PER_DAY (86400 * US_PER_SEC)
/* 2000-01-01 in Unix time, and the server's limits: MIN_TIMESTAMP and END_TIMESTAMP in
 * src/include/datatype/timestamp.h. */
#define EPOCH_DAY      10957
#define EPOCH_US       (EPOCH_DAY * US_PER_DAY)
#define TIMESTAMP_MIN  INT64_C(-211813488000000000)
#define TIMESTAMP_END  INT64_C(9223371331200000000)
#define ZONE_HOURS_MAX 15

/* What is being read, and where. */
struct reading {
    const char *p, *end;
};

static bool take_char(struct reading *r, char c)
{
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

/* Exactly n digits. */
static bool take_digits(struct reading *r, int n, int *ret)
{
    int v = 0;
    if (r->end - r->p < n)
        return false;
    for (int i = 0; i < n; i++) {
        if (r->p[i] < '0' || r->p[i] > '9')
            return false;
        v = v * 10 + r->p[i] - '0';
    }
    r->p += n;
    *ret = v;
    return true;
}

/* Decimals of a second, to the nearest microsecond: up to nine are written by common clocks. */
static bool take_decimals(struct reading *r, int *ret_us)
{
    int ns = 0, digits = 0;
    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++, digits++)
        if (digits < 9)
            ns = ns * 10 + *r->p - '0';
    if (digits == 0 || digits > 9)
        return false;
    for (; digits < 9; digits++)
        ns *= 10;
    *ret_us = (ns + 500) / 1000;
    return true;
}

struct clock_time {
    int year, month, day, hour, minute, second, us;
    bool zoned;
    int zone_sign, zone_hours, zone_minutes;
};

static bool read_date(struct reading *r, struct clock_time *t)
{
    return take_digits(r, 4, &t->year) && take_char(r, '-') && take_digits(r, 2, &t->month) &&
           take_char(r, '-') && take_digits(r, 2, &t->day);
}

static bool read_time(struct reading *r, struct clock_time *t)
{
    if (!take_char(r, 'T') && !take_char(r, ' '))
        return false;
    if (!take_digits(r, 2, &t->hour) || !take_char(r, ':') || !take_digits(r, 2, &t->minute) ||
        !take_char(r, ':') || !take_digits(r, 2, &t->second))
        return false;
    return !take_char(r, '.') || take_decimals(r, &t->us);
}

static bool read_zone(struct reading *r, struct clock_time *t)
{
    if (r->p == r->end)
        return true;
    t->zoned = true;
    if (take_char(r, 'Z'))
        return true;
    t->zone_sign = take_char(r, '-') ? -1 : take_char(r, '+') ? 1 : 0;
    if (t->zone_sign == 0 || !take_digits(r, 2, &t->zone_hours))
        return false;
    return !take_char(r, ':') || take_digits(r, 2, &t->zone_minutes);
}

static bool in_calendar(const struct clock_time *t)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = t->year % 4 == 0 && (t->year % 100 != 0 || t->year % 400 == 0);
    if (t->year < 1 || t->month < 1 || t->month > 12 || t->day < 1)
        return false;
    if (t->day > days[t->month - 1] + (leap && t->month == 2))
        return false;
    return t->hour < 24 && t->minute < 60 && t->second < 60 && t->zone_hours <= ZONE_HOURS_MAX &&
           t->zone_minutes < 60;
}

/* Days since 2000-01-01 in the Gregorian calendar. Years begin in March, so that the leap day is the last. */
static int64_t days_of(const struct clock_time *t)
{
    int64_t year = t->year - (t->month <= 2);
    int64_t era = year / 400, year_of_era = year % 400;
    int64_t day_of_year = (153 * (t->month + (t->month > 2 ? -3 : 9)) + 2) / 5 + t->day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468 - EPOCH_DAY;
}

static int64_t microseconds_of(const struct clock_time *t)
{
    int64_t zone = t->zone_sign * (t->zone_hours * 60 + t->zone_minutes) * INT64_C(60);
    int64_t seconds = t->hour * INT64_C(3600) + t->minute * INT64_C(60) + t->second - zone;
    return days_of(t) * US_PER_DAY + seconds * US_PER_SEC + t->us;
}

static void put_timestamp(struct buffer *out, int64_t us)
{
    buffer_put_u32(out, 8);
    buffer_put_u64(out, (uint64_t)us);
}

static enum reason append_date(
    struct buffer *out, const struct column *c, struct reading *r, char detail[DETAIL_MAX])
{
    struct clock_time t = {0};
    if (!read_date(r, &t) || r->p != r->end)
        return value_refuse(REASON_WRONG_TYPE, c, detail, "must be a date written YYYY-MM-DD");
    if (!in_calendar(&t))
        return value_refuse(REASON_OUT_OF_RANGE, c, detail, "is no day of the calendar");
    buffer_put_u32(out, 4);
    buffer_put_u32(out, (uint32_t)days_of(&t));
    return REASON_NONE;
}

enum reason datetime_append(
    struct buffer *out, const struct column *c, struct slice text, char detail[DETAIL_MAX])
{
    struct reading r = {text.p, text.p + text.n};
    struct clock_time t = {0};
    if (c->kind == VALUE_DATE)
        return append_date(out, c, &r, detail);
    if (!read_date(&r, &t) || !read_time(&r, &t) || !read_zone(&r, &t) || r.p != r.end)
        return value_refuse(REASON_WRONG_TYPE, c, detail,
            "must be a time written YYYY-MM-DDTHH:MM:SS, then any decimals%s",
            c->kind == VALUE_TIMESTAMPTZ ? ", then the zone: Z or +HH:MM" : "");
    if (t.zoned != (c->kind == VALUE_TIMESTAMPTZ))
        return value_refuse(REASON_WRONG_TYPE, c, detail,
            t.zoned ? "timestamp takes no time zone" : "timestamp with time zone needs one: Z or +HH:MM");
    if (!in_calendar(&t))
        return value_refuse(REASON_OUT_OF_RANGE, c, detail, "is no time of the calendar");
    put_timestamp(out, microseconds_of(&t));
    return REASON_NONE;
}

bool datetime_append_unix(struct buffer *out, int64_t unix_us)
{
    int64_t us;
    if (__builtin_sub_overflow(unix_us, EPOCH_US, &us) || us < TIMESTAMP_MIN || us >= TIMESTAMP_END)
        return false;
    put_timestamp(out, us);
    return true;
}
