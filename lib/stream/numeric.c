/*
 * The binary form (numeric_recv in the server's src/backend/utils/adt/numeric.c): four 16-bit words, namely
 * how many digits, the weight of the first, the sign, and how many decimals are shown; then the digits, to
 * base 10000, where a digit of weight w counts 10000^w. Zeros at both ends are left out.
 *
 * The decimal digits stay where they are in the text, and are asked for by their power of ten; so 1e131071
 * costs ten bytes, and a longer exponent is refused before anything is written.
 */
#include "stream/numeric.h"

#include "stream/value.h"

#include <endian.h>

/* What the server's format holds: see NUMERIC_WEIGHT_MAX and NUMERIC_DSCALE_MAX. */
#define POWER_MAX    131071
#define DECIMALS_MAX 16383

/* Beyond every limit, and far from overflow in sums with a text's length. */
#define EXPONENT_MAX INT64_C(1000000000000)

#define SIGN_NEGATIVE 0x4000

struct decimal {
    const char *digits; /* from the first that is not zero on; a point may be among them */
    int64_t n;          /* digits, the point not counted; 0: the number is zero */
    int64_t point;      /* how many of them stand before the point */
    int64_t lead;       /* the first digit's power of ten */
    int64_t decimals;   /* to show */
    bool negative;
};

static int64_t read_exponent(const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    int64_t v = 0;
    for (; p < end && v < EXPONENT_MAX; p++)
        v = v * 10 + (*p - '0');
    return negative ? -v : v;
}

static struct decimal read_decimal(struct slice number)
{
    const char *p = number.p, *end = number.p + number.n;
    struct decimal d = {.negative = *p == '-'};
    p += d.negative;
    const char *e = memchr(p, 'e', (size_t)(end - p));
    if (!e)
        e = memchr(p, 'E', (size_t)(end - p));
    int64_t exponent = e ? read_exponent(e + 1, end) : 0;
    if (e)
        end = e;
    const char *point = memchr(p, '.', (size_t)(end - p));
    int64_t whole = (point ? point : end) - p;
    int64_t fraction = point ? end - point - 1 : 0;
    d.decimals = MAX(fraction - exponent, INT64_C(0));
    d.lead = whole - 1 + exponent;
    for (; p < end && (*p == '0' || *p == '.'); p++)
        d.lead -= *p == '0';
    d.digits = p;
    if (p == end)
        return d;
    d.point = point && p < point ? point - p : INT64_MAX;
    d.n = end - p - (d.point != INT64_MAX);
    return d;
}

static int digit_at(const struct decimal *d, int64_t power)
{
    int64_t i = d->lead - power;
    if (i < 0 || i >= d->n)
        return 0;
    return d->digits[i < d->point ? i : i + 1] - '0';
}

static int64_t floor4(int64_t power)
{
    return power >= 0 ? power / 4 : -((3 - power) / 4);
}

static int base_digit(const struct decimal *d, int64_t weight, int64_t lowest)
{
    int v = 0;
    for (int64_t power = weight * 4 + 3; power >= weight * 4; power--)
        v = v * 10 + (power >= lowest ? digit_at(d, power) : 0);
    return v;
}

/* Digits while they are made, in the order of the machine; the first counts most. */
struct groups {
    uint16_t *first;
    size_t n;
    int64_t weight; /* of the first */
};

/* Adds one at the power of ten that is kept last. The first group is 0, so that there is room to carry. */
static void round_up(struct groups *g, int64_t lowest)
{
    static const uint16_t ones[] = {1, 10, 100, 1000};
    uint16_t *v = g->first + g->n - 1;
    *v += ones[lowest - floor4(lowest) * 4];
    for (; *v >= 10000; v--) {
        *v -= 10000;
        v[-1]++;
    }
}

static void strip_zeros(struct groups *g)
{
    for (; g->n > 0 && *g->first == 0; g->n--, g->weight--)
        g->first++;
    while (g->n > 0 && g->first[g->n - 1] == 0)
        g->n--;
}

/* The power of ten of the number's first digit; it is not zero. */
static int64_t lead_of(const struct groups *g)
{
    uint16_t v = *g->first;
    return g->weight * 4 + (v >= 1000 ? 3 : v >= 100 ? 2 : v >= 10 ? 1 : 0);
}

static enum reason too_large(const struct column *c, char *detail)
{
    return value_refuse(REASON_OUT_OF_RANGE, c, detail, "%s cannot hold a number this large or this fine",
        c->precision ? c->type_sql : "numeric");
}

/*
 * All groups down to the one that holds `lowest`, in memory for as many as they take. One more than needed
 * stands in front, for the carry.
 */
static struct groups fill_groups(const struct decimal *d, int64_t lowest, uint16_t *memory)
{
    struct groups g = {.first = memory, .weight = floor4(MAX(d->lead, lowest)) + 1};
    for (int64_t w = g.weight; w >= floor4(lowest); w--)
        g.first[g.n++] = (uint16_t)base_digit(d, w, lowest);
    if (digit_at(d, lowest - 1) >= 5)
        round_up(&g, lowest);
    strip_zeros(&g);
    return g;
}

static char *put_u16(char *w, int64_t v)
{
    uint16_t be = htobe16((uint16_t)v);
    memcpy(w, &be, sizeof(be));
    return w + sizeof(be);
}

/* Header and digits behind the bytes in use; g's digits may stand there too, but not before. */
static void put_numeric(struct buffer *out, const struct groups *g, bool negative, int64_t decimals)
{
    bool zero = g->n == 0;
    uint32_t length = htobe32((uint32_t)(8 + 2 * g->n));
    char *w = out->p + out->n;
    memcpy(w, &length, sizeof(length));
    w = put_u16(w + sizeof(length), (int64_t)g->n);
    w = put_u16(w, zero ? 0 : g->weight);
    w = put_u16(w, negative && !zero ? SIGN_NEGATIVE : 0);
    w = put_u16(w, decimals);
    for (size_t i = 0; i < g->n; i++)
        w = put_u16(w, g->first[i]);
    out->n = (size_t)(w - out->p);
}

enum { HEADER = 12 }; /* the length, and the four words before the digits */

enum reason numeric_append(
    struct buffer *out, const struct column *c, struct slice number, char detail[DETAIL_MAX])
{
    struct decimal d = read_decimal(number);
    bool limited = c->precision > 0;
    int64_t lead_max = limited ? (int64_t)c->precision - c->scale - 1 : POWER_MAX;
    int64_t decimals = limited ? MAX(c->scale, 0) : d.decimals;
    if (decimals > DECIMALS_MAX || (d.n > 0 && d.lead > lead_max))
        return too_large(c, detail);
    int64_t lowest = d.lead - d.n + 1;
    if (limited)
        lowest = MAX(lowest, -(int64_t)c->scale);
    size_t n_groups = d.n > 0 ? (size_t)(floor4(MAX(d.lead, lowest)) + 2 - floor4(lowest)) : 0;
    if (!buffer_reserve(out, HEADER + 2 * n_groups + 1))
        return value_refuse(REASON_TOO_LARGE, c, detail, "no memory for a number of this length");
    size_t aligned = (out->n + HEADER + 1) & ~(size_t)1;
    struct groups g = {0};
    if (d.n > 0)
        g = fill_groups(&d, lowest, (uint16_t *)(void *)(out->p + aligned));
    if (g.n > 0 && lead_of(&g) > lead_max)
        return too_large(c, detail);
    put_numeric(out, &g, d.negative, decimals);
    return REASON_NONE;
}

bool numeric_fits(struct slice number)
{
    struct decimal d = read_decimal(number);
    return d.decimals <= DECIMALS_MAX && (d.n == 0 || d.lead <= POWER_MAX);
}
