#include "history/types.h"

#include "util/cleanup.h"

#include <float.h>
#include <math.h>

#define NUMBER_MAX     40 /* bytes of a cell that may be a double */
#define DIGITS_ANY     15 /* so many of any number are the same after they were a double */
#define DIGITS_MOST    17
#define BIG            "9007199254740992" /* 2^53 */
#define SECONDS_A_DAY  INT64_C(86400)
#define MICROS         INT64_C(1000000)
#define YEAR_1         INT64_C(-719162) /* days from 1970 to 0001-01-01 */
#define YEAR_10000     INT64_C(2932897)
#define ZONE_HOURS_MAX 14

static const char *const words[N_TYPES] = {
    "", "bigint", "double", "date", "timestamp", "timestamptz", "boolean", "text"};

const char *type_word(enum type t)
{
    return words[t];
}

enum type type_of_word(const char *p, size_t n)
{
    for (enum type t = TYPE_BIGINT; t < N_TYPES; t++)
        if (strlen(words[t]) == n && memcmp(words[t], p, n) == 0)
            return t;
    return N_TYPES;
}

/* ---- numbers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t count_digits(const char *p, const char *end)
{
    const char *at = p;
    while (at < end && is_digit(*at))
        at++;
    return (size_t)(at - p);
}

/* Canonical digits without a sign: is it more than the limit, as many digits being the same? */
static bool is_more(const char *p, size_t n, const char *limit)
{
    size_t n_limit = strlen(limit);
    return n != n_limit ? n > n_limit : memcmp(p, limit, n) > 0;
}

static bool is_bigint(const struct db_value *v)
{
    const char *p = v->p, *end = v->p + v->n;
    bool negative = p < end && *p == '-';
    p += negative;
    size_t n = (size_t)(end - p);
    if (n == 0 || n > 19 || count_digits(p, end) != n)
        return false;
    if (*p == '0')
        return n == 1 && !negative;
    return !is_more(p, n, negative ? "9223372036854775808" : "9223372036854775807");
}

bool type_is_big(const struct db_value *v)
{
    size_t sign = v->n > 0 && v->p[0] == '-';
    return is_more(v->p + sign, v->n - sign, BIG);
}

/* The digits of a number as JSON writes it, from the first to the last that is not 0. False: it is none, or an integer. */
struct digits {
    char text[NUMBER_MAX + 1];
    size_t n;
};

static void put_digits(struct digits *d, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (d->n > 0 || p[i] != '0')
            d->text[d->n++] = p[i];
}

static bool read_number(const struct db_value *v, struct digits *d)
{
    const char *p = v->p, *end = v->p + v->n;
    p += v->n > 0 && *p == '-';
    size_t whole = count_digits(p, end), part = 0, power = 0;
    if (v->n > NUMBER_MAX || whole == 0 || (whole > 1 && *p == '0'))
        return false;
    *d = (struct digits){0};
    put_digits(d, p, whole);
    p += whole;
    if (p < end && *p == '.') {
        part = count_digits(++p, end);
        put_digits(d, p, part);
        p += part;
        if (part == 0)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p += p + 1 < end && (p[1] == '+' || p[1] == '-') ? 2 : 1;
        power = count_digits(p, end);
        p += power;
        if (power == 0)
            return false;
    }
    while (d->n > 0 && d->text[d->n - 1] == '0')
        d->n--;
    return p == end && part + power > 0;
}

static double number_of(const struct db_value *v)
{
    char text[NUMBER_MAX + 1];
    size_t n = MIN(v->n, (size_t)NUMBER_MAX);
    memcpy(text, v->p, n);
    text[n] = '\0';
    return strtod(text, NULL);
}

/* Are these the digits in which the number is written when it is written as short as can be? */
static bool is_shortest(double number, const struct digits *d)
{
    char text[NUMBER_MAX];
    int most = DIGITS_ANY;
    for (;; most++) {
        snprintf(text, sizeof(text), "%.*e", most - 1, fabs(number));
        if (most == DIGITS_MOST || strtod(text, NULL) == fabs(number))
            break;
    }
    text[1] = text[0]; /* over the point */
    return d->n == (size_t)most && memcmp(text + 1, d->text, d->n) == 0;
}

static bool is_double(const struct db_value *v)
{
    struct digits d;
    if (!read_number(v, &d) || d.n > DIGITS_MOST)
        return false;
    if (d.n == 0)
        return v->p[0] != '-';
    double number = number_of(v);
    return isfinite(number) && fabs(number) >= DBL_MIN && (d.n <= DIGITS_ANY || is_shortest(number, &d));
}

/* ---- times ---- */

struct moment {
    enum type type;
    int64_t micros; /* since 1970, UTC */
};

/* n digits at p as a number; -1 where they are none. */
static int number_at(const char *p, size_t n)
{
    int number = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(p[i]))
            return -1;
        number = number * 10 + (p[i] - '0');
    }
    return number;
}

static int days_of_month(int year, int month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Since 1970; years begin in March, so that the odd day is the last (the calendar repeats every 400 of them). */
static int64_t days_since_1970(int year, int month, int day)
{
    int64_t y = year - (month <= 2), m = month + (month <= 2 ? 9 : -3);
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static bool read_date(const char *p, const char *end, int64_t *ret_days)
{
    if (end - p < 10 || p[4] != '-' || p[7] != '-')
        return false;
    int year = number_at(p, 4), month = number_at(p + 5, 2), day = number_at(p + 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        return false;
    *ret_days = days_since_1970(year, month, day);
    return true;
}

/* "08:00:00.123456"; what follows it is *p. */
static bool read_time(const char **p, const char *end, int64_t *ret_micros)
{
    const char *at = *p;
    if (end - at < 8 || at[2] != ':' || at[5] != ':')
        return false;
    int hour = number_at(at, 2), minute = number_at(at + 3, 2), second = number_at(at + 6, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return false;
    *ret_micros = (hour * 3600 + minute * 60 + second) * MICROS;
    at += 8;
    if (at < end && *at == '.') {
        size_t n = count_digits(++at, end);
        if (n == 0 || n > 6)
            return false;
        int64_t part = number_at(at, n);
        for (size_t i = n; i < 6; i++)
            part *= 10;
        *ret_micros += part;
        at += n;
    }
    *p = at;
    return true;
}

/* "Z", "+05" or "-05:30", to the end. */
static bool read_zone(const char *p, const char *end, int64_t *ret_micros)
{
    size_t n = (size_t)(end - p);
    *ret_micros = 0;
    if (n == 1 && *p == 'Z')
        return true;
    if ((n != 3 && n != 6) || (*p != '+' && *p != '-') || (n == 6 && p[3] != ':'))
        return false;
    int hours = number_at(p + 1, 2), minutes = n == 6 ? number_at(p + 4, 2) : 0;
    if (hours < 0 || hours > ZONE_HOURS_MAX || minutes < 0 || minutes > 59)
        return false;
    *ret_micros = (hours * 3600 + minutes * 60) * MICROS * (*p == '-' ? -1 : 1);
    return true;
}

static bool read_moment(const struct db_value *v, struct moment *ret)
{
    const char *p = v->p, *end = v->p + v->n;
    int64_t days, time = 0, zone = 0;
    if (!read_date(p, end, &days))
        return false;
    p += 10;
    ret->type = TYPE_DATE;
    if (p < end) {
        ret->type = TYPE_TIMESTAMP;
        if (*p != 'T' && *p != ' ')
            return false;
        p++;
        if (!read_time(&p, end, &time))
            return false;
    }
    if (p < end) {
        ret->type = TYPE_TIMESTAMPTZ;
        if (!read_zone(p, end, &zone))
            return false;
    }
    ret->micros = days * SECONDS_A_DAY * MICROS + time - zone;
    return ret->micros >= YEAR_1 * SECONDS_A_DAY * MICROS &&
           ret->micros < YEAR_10000 * SECONDS_A_DAY * MICROS;
}

/* ---- cells ---- */

static bool is_boolean(const struct db_value *v)
{
    return (v->n == 4 && memcmp(v->p, "true", 4) == 0) || (v->n == 5 && memcmp(v->p, "false", 5) == 0);
}

enum type type_of_cell(const struct db_value *v)
{
    struct moment m;
    char c = v->n > 0 ? v->p[0] : '\0';
    if (c != '-' && !is_digit(c))
        return is_boolean(v) ? TYPE_BOOLEAN : TYPE_TEXT;
    if (is_bigint(v))
        return TYPE_BIGINT;
    if (v->n >= 10 && read_moment(v, &m))
        return m.type;
    return is_double(v) ? TYPE_DOUBLE : TYPE_TEXT;
}

bool type_takes(enum type t, const struct db_value *v)
{
    struct moment m;
    switch (t) {
    case TYPE_BIGINT:
        return is_bigint(v);
    case TYPE_DOUBLE:
        return is_bigint(v) ? !type_is_big(v) : is_double(v);
    case TYPE_DATE:
        return read_moment(v, &m) && m.type == TYPE_DATE;
    case TYPE_TIMESTAMP:
        return read_moment(v, &m) && m.type != TYPE_TIMESTAMPTZ;
    case TYPE_TIMESTAMPTZ:
        return read_moment(v, &m) && m.type == TYPE_TIMESTAMPTZ;
    case TYPE_BOOLEAN:
        return is_boolean(v);
    default:
        return t == TYPE_TEXT;
    }
}

static bool are(enum type a, enum type b, enum type one, enum type other)
{
    return (a == one && b == other) || (a == other && b == one);
}

enum type type_join(enum type a, enum type b, bool big)
{
    if (a == b || a == TYPE_NONE || b == TYPE_NONE)
        return MAX(a, b);
    if (are(a, b, TYPE_BIGINT, TYPE_DOUBLE) && !big)
        return TYPE_DOUBLE;
    return are(a, b, TYPE_DATE, TYPE_TIMESTAMP) ? TYPE_TIMESTAMP : TYPE_TEXT;
}

bool type_rewrites(enum type t)
{
    return t >= TYPE_BIGINT && t <= TYPE_TIMESTAMPTZ;
}

bool type_same(enum type t, const struct db_value *on_record, const struct db_value *v)
{
    struct moment a, b;
    switch (t) {
    case TYPE_BIGINT:
    case TYPE_DOUBLE:
        return type_takes(TYPE_DOUBLE, on_record) && type_takes(TYPE_DOUBLE, v) &&
               (t == TYPE_DOUBLE || is_bigint(on_record)) && number_of(on_record) == number_of(v);
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
        return type_takes(t, on_record) && type_takes(TYPE_TIMESTAMP, v) && read_moment(on_record, &a) &&
               read_moment(v, &b) && a.micros == b.micros;
    case TYPE_TIMESTAMPTZ:
        return read_moment(on_record, &a) && read_moment(v, &b) && a.type == t && b.type == t &&
               a.micros == b.micros;
    default:
        return false;
    }
}

static int order_of_bytes(const struct db_value *a, const struct db_value *b)
{
    int order = memcmp(a->p, b->p, MIN(a->n, b->n));
    return order ? order : (a->n > b->n) - (a->n < b->n);
}

/* Of integers as they are written: the sign, the length, the digits. */
static int order_of_integers(const struct db_value *a, const struct db_value *b)
{
    bool below = a->p[0] == '-';
    if (below != (b->p[0] == '-'))
        return below ? -1 : 1;
    int order = a->n != b->n ? (a->n > b->n) - (a->n < b->n) : memcmp(a->p, b->p, a->n);
    return below ? -order : order;
}

int type_order(enum type t, const struct db_value *a, const struct db_value *b)
{
    return t == TYPE_BIGINT ? order_of_integers(a, b) : order_of_bytes(a, b);
}
