#include "match/normal.h"

#include "util/text.h"

#include <strings.h>
#include <utf8proc.h>

static const struct {
    const char *word;
    unsigned bit;
} words[] = {
    {"trim", NORMAL_TRIM},
    {"blanks", NORMAL_BLANKS},
    {"case", NORMAL_CASE},
    {"nfc", NORMAL_NFC},
    {"underscore", NORMAL_UNDERSCORE},
};

static int unknown_word(const char *word, size_t n, struct error *err)
{
    const char *known[N_ELEMENTS(words)];
    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        known[i] = words[i].word;
    char typed[64];
    snprintf(typed, sizeof(typed), "%.*s", (int)MIN(n, sizeof(typed)), word);
    text_make_printable(typed);
    const char *near = text_suggest(typed, known, N_ELEMENTS(known));
    if (near)
        return error_set(err, "no way to normalise is called '%s'; did you mean '%s'?", typed, near);
    return error_set(
        err, "no way to normalise is called '%s'; there are trim, blanks, case, nfc and underscore", typed);
}

int normal_parse(const char *text, unsigned *ret_normal, struct error *err)
{
    unsigned normal = 0;
    for (size_t n;; text += n) {
        text += strspn(text, ", \t\n");
        n = strcspn(text, ", \t\n");
        if (n == 0)
            break;
        size_t i = 0;
        while (i < N_ELEMENTS(words) && !slice_is((struct slice){text, n}, words[i].word))
            i++;
        if (i == N_ELEMENTS(words))
            return unknown_word(text, n, err);
        normal |= words[i].bit;
    }
    *ret_normal = normal;
    return 0;
}

/* How many bytes the blank at p has; 0: it is none. What Unicode calls White_Space: PropList.txt of the Unicode Character
 * Database. */
static size_t blank_at(const unsigned char *p, size_t n, unsigned normal)
{
    if (p[0] < 0x80)
        return p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r') || (p[0] == '_' && normal & NORMAL_UNDERSCORE);
    if (n >= 2 && p[0] == 0xc2) /* U+0085, U+00A0 */
        return p[1] == 0x85 || p[1] == 0xa0 ? 2 : 0;
    if (n < 3 || p[0] < 0xe1 || p[0] > 0xe3)
        return 0;
    unsigned c = (p[0] & 0xfU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
    bool is_blank = c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
                    c == 0x202f || c == 0x205f || c == 0x3000;
    return is_blank ? 3 : 0;
}

/* All but what needs Unicode's tables. What is added is never longer than the value. */
static bool put_plain(struct buffer *to, struct slice value, unsigned normal)
{
    if (value.n == 0)
        return true;
    if (!buffer_reserve(to, value.n))
        return false;
    const unsigned char *p = (const unsigned char *)value.p, *end = p + value.n;
    char *w = to->p + to->n, *kept = w; /* behind the last that is no blank */
    bool after_blank = false, at_start = true;
    for (size_t n; p < end; p += n) {
        size_t blank = blank_at(p, (size_t)(end - p), normal);
        n = blank ? blank : 1;
        if (!blank) {
            bool upper = normal & NORMAL_CASE && *p >= 'A' && *p <= 'Z';
            *w++ = (char)(upper ? *p + ('a' - 'A') : *p);
            kept = w;
        } else if (normal & NORMAL_BLANKS) {
            if (!after_blank && !(at_start && normal & NORMAL_TRIM))
                *w++ = ' ';
        } else if (!(at_start && normal & NORMAL_TRIM)) {
            memcpy(w, *p == '_' ? (const char *)" " : (const char *)p, n);
            w += n;
        }
        after_blank = blank;
        at_start = at_start && blank;
    }
    if (normal & NORMAL_TRIM)
        w = kept;
    to->n = (size_t)(w - to->p);
    return true;
}

/* A value on its way through utf8proc: code points, and where they were, in the end, UTF-8. */
struct points {
    utf8proc_int32_t few[256], *many;
    struct slice text;
};

static void points_done(struct points *at)
{
    free(at->many);
}

static bool to_points(struct points *ret, struct slice value, utf8proc_option_t options)
{
    const utf8proc_uint8_t *from = (const utf8proc_uint8_t *)value.p;
    utf8proc_int32_t *p = ret->few;
    utf8proc_ssize_t most = N_ELEMENTS(ret->few) - 1; /* the NUL that utf8proc adds */
    utf8proc_ssize_t n = utf8proc_decompose(from, (utf8proc_ssize_t)value.n, p, most, options);
    if (n > most) {
        most = n;
        p = ret->many = reallocarray(ret->many, (size_t)most + 1, sizeof(*p));
        if (!p)
            return false;
        n = utf8proc_decompose(from, (utf8proc_ssize_t)value.n, p, most, options);
    }
    if (n < 0 || (n = utf8proc_reencode(p, n, options)) < 0)
        return false;
    ret->text = (struct slice){(const char *)p, (size_t)n};
    return true;
}

/* Canonical caseless matching, D145 of the Unicode Standard: NFD, then folded, then normalised again. The first matters
 * where folding changes the order of marks (U+0345). Without NORMAL_NFC what is not composed stays so. */
static bool put_unicode(struct buffer *to, struct slice value, unsigned normal)
{
    _cleanup_(points_done) struct points parts = {0}, whole = {0};
    unsigned fold = normal & NORMAL_CASE ? UTF8PROC_CASEFOLD : 0;
    if (normal & NORMAL_NFC) {
        if (!to_points(&parts, value, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE))
            return false;
        value = parts.text;
        fold |= UTF8PROC_COMPOSE;
    }
    if (!to_points(&whole, value, (utf8proc_option_t)(UTF8PROC_STABLE | fold)))
        return false;
    return put_plain(to, whole.text, normal);
}

static bool is_ascii(struct slice value)
{
    unsigned char all = 0;
    for (size_t i = 0; i < value.n; i++)
        all |= (unsigned char)value.p[i];
    return all < 0x80;
}

bool normal_put(struct buffer *to, struct slice value, unsigned normal)
{
    if (is_ascii(value))
        return put_plain(to, value, normal);
    if (!text_is_utf8(value.p, value.n)) /* no source hands out such a value; it is as it is */
        return put_plain(to, value, 0);
    if (!(normal & (NORMAL_CASE | NORMAL_NFC)))
        return put_plain(to, value, normal);
    return put_unicode(to, value, normal);
}

/* A number of n digits; -1: it is none. */
static int digits(const char *p, size_t n)
{
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

static int64_t day_of(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    int in_month = before[month] - before[month - 1] + (month == 2 && leap);
    if (day < 1 || day > in_month)
        return -1;
    int y = year - 1;
    return INT64_C(365) * y + y / 4 - y / 100 + y / 400 + before[month - 1] + (month > 2 && leap) + day - 1;
}

bool match_day(struct slice date, int64_t *ret_day)
{
    static const int64_t of_1970 = 719162; /* since 0001-01-01 */
    const char *p = date.p;
    if (date.n < 10 || p[4] != '-' || p[7] != '-' || date.n == 11)
        return false;
    if (date.n > 11 && p[10] != 'T' && p[10] != ' ')
        return false;
    int year = digits(p, 4), month = digits(p + 5, 2), day = digits(p + 8, 2);
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    int64_t since = day_of(year, month, day);
    if (since < 0)
        return false;
    *ret_day = since - of_1970;
    return true;
}

enum match_activity match_activity(struct slice date, int64_t report_day, int64_t days)
{
    int64_t day;
    if (!date.p || date.n == 0)
        return ACTIVITY_NEVER;
    if (!match_day(date, &day))
        return ACTIVITY_UNREADABLE;
    if (day > report_day)
        return ACTIVITY_FUTURE;
    return report_day - day <= days ? ACTIVITY_WITHIN : ACTIVITY_BEFORE;
}
