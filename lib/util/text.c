#include "util/text.h"

#include "util/clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <strings.h>

const char *text_count(uint64_t n, char out[28])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
    char *w = out;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            *w++ = ',';
        *w++ = digits[i];
    }
    *w = '\0';
    return out;
}

const char *text_duration(int64_t us, char out[32])
{
    if (us < 0)
        us = 0;
    int64_t s = us / US_PER_SEC;
    if (us < 10 * US_PER_MS)
        snprintf(out, 32, "%.1f ms", (double)us / 1000);
    else if (s < 1)
        snprintf(out, 32, "%" PRId64 " ms", us / 1000);
    else if (s < 10)
        snprintf(out, 32, "%.1fs", (double)us / 1e6);
    else if (s < 60)
        snprintf(out, 32, "%" PRId64 "s", s);
    else if (s < 3600)
        snprintf(out, 32, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, 32, "%" PRId64 "h %" PRId64 "m", s / 3600, s % 3600 / 60);
    else
        snprintf(out, 32, "%" PRId64 "d %" PRId64 "h", s / 86400, s % 86400 / 3600);
    return out;
}

const char *text_bytes(uint64_t n, char out[32])
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
    double v = (double)n;
    size_t u = 0;
    while (v >= (u ? 1023.95 : 1024) && u + 1 < N_ELEMENTS(units)) {
        v /= 1024;
        u++;
    }
    snprintf(out, 32, u ? "%.1f %s" : "%.0f %s", v, units[u]);
    return out;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* "<digits><unit>", the unit one of the list. */
static int parse_with_unit(const char *s, const struct unit *units, size_t n_units, uint64_t *ret)
{
    char *end;
    if (!isdigit((unsigned char)*s))
        return -1;
    errno = 0;
    unsigned long long v = strtoull(s, &end, 10);
    if (errno)
        return -1;
    for (size_t i = 0; i < n_units; i++)
        if (strcasecmp(end, units[i].name) == 0) {
            uint64_t total;
            if (__builtin_mul_overflow((uint64_t)v, units[i].factor, &total) || total > INT64_MAX)
                return -1;
            *ret = total;
            return 0;
        }
    return -1;
}

int text_parse_duration(const char *s, int64_t *ret_us)
{
    static const struct unit units[] = {
        {"ms", 1000},
        {"s", 1000000},
        {"m", 60000000},
        {"h", UINT64_C(3600000000)},
        {"d", UINT64_C(86400000000)},
    };
    uint64_t v;
    if (parse_with_unit(s, units, N_ELEMENTS(units), &v) < 0)
        return -1;
    *ret_us = (int64_t)v;
    return 0;
}

int text_parse_bytes(const char *s, uint64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"KB", 1024},
        {"MB", 1024 * 1024},
        {"GB", 1024 * 1024 * 1024},
    };
    return parse_with_unit(s, units, N_ELEMENTS(units), ret_bytes);
}

/* Levenshtein distance, for words of up to 63 characters. */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b), row[64];
    if (la > 63 || lb > 63)
        return 64;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(replace, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[lb];
}

/* "warn" of "warning": far by count of letters, and meant all the same. */
static bool is_beginning(const char *typed, const char *word)
{
    size_t n = strlen(typed);
    return n >= 3 && strncmp(typed, word, n) == 0;
}

const char *text_suggest(const char *typed, const char *const *words, size_t n_words)
{
    const char *best = NULL;
    size_t nearest = strlen(typed) / 3 + 2; /* the first distance that is too far */
    for (size_t i = 0; i < n_words; i++) {
        size_t d = distance(typed, words[i]);
        if (d < nearest && d < strlen(words[i])) {
            nearest = d;
            best = words[i];
        }
    }
    for (size_t i = 0; !best && i < n_words; i++)
        if (is_beginning(typed, words[i]))
            best = words[i];
    return best;
}

static char *quoted_word(const char **at)
{
    _cleanup_buffer_ struct buffer word = {0};
    const char *p = *at + 1;
    for (; *p && (p[0] != '"' || p[1] == '"'); p++) {
        p += *p == '"';
        buffer_put(&word, p, 1);
    }
    if (*p != '"' || (p[1] && p[1] != ','))
        return NULL;
    *at = p[1] ? p + 2 : NULL;
    return xstrdup(buffer_string(&word));
}

char *text_next_word(const char **at)
{
    const char *p = *at;
    if (!p || *p == '"')
        return p ? quoted_word(at) : NULL;
    size_t n = strcspn(p, ",");
    *at = p[n] ? p + n + 1 : NULL;
    return xstrndup(p, n);
}

char *text_next_item(const char **at)
{
    if (*at)
        *at += strspn(*at, " ");
    char *word = text_next_word(at);
    for (size_t n = word ? strlen(word) : 0; n > 0 && word[n - 1] == ' ';)
        word[--n] = '\0';
    return word;
}

/* The length of the well-formed sequence at p, or 0 (the table of RFC 3629, section 4). */
static size_t sequence(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
                 : (p[0] & 0xf0) == 0xe0        ? 3
                 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                                : 0;
    if (len == 0 || len > n)
        return 0;
    unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* How many bytes at the beginning are ASCII: eight at a time, perhaps a few less than there are. */
static size_t ascii(const char *p, size_t n)
{
    uint64_t eight;
    size_t i = 0;
    for (; i + sizeof(eight) <= n; i += sizeof(eight)) {
        memcpy(&eight, p + i, sizeof(eight));
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

bool text_is_utf8(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    for (size_t i = n ? ascii(p, n) : 0; i < n;) {
        size_t len = sequence(u + i, n - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

size_t text_make_utf8(const char *p, size_t n, char *out, size_t max)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t made = 0;
    for (size_t i = 0; i < n;) {
        size_t len = p[i] ? sequence((const unsigned char *)p + i, n - i) : 0;
        size_t width = len ? len : strlen(replacement);
        if (width > max - made)
            break;
        memcpy(out + made, len ? p + i : replacement, width);
        made += width;
        i += MAX(len, (size_t)1);
    }
    return made;
}

size_t text_utf8_length(const char *p, size_t n)
{
    size_t characters = 0;
    for (size_t i = 0; i < n; i++)
        characters += ((unsigned char)p[i] & 0xc0) != 0x80;
    return characters;
}

/* A character that was cut in the middle at the text's end goes. */
static void drop_cut_character(char *text)
{
    size_t n = strlen(text), back = 0;
    while (back < 3 && back < n && ((unsigned char)text[n - 1 - back] & 0xC0) == 0x80)
        back++;
    if (back < n && ((unsigned char)text[n - 1 - back] & 0xC0) == 0xC0 &&
        !text_is_utf8(text + n - 1 - back, back + 1))
        text[n - 1 - back] = '\0';
}

void text_make_printable(char *text)
{
    drop_cut_character(text);
    bool utf8 = text_is_utf8(text, strlen(text));
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7F)
            c = ' ';
        else if (c >= 0x80 && !utf8)
            c = '?';
        if (c != ' ' || n == 0 || text[n - 1] != ' ')
            text[n++] = (char)c;
    }
    while (n > 0 && text[n - 1] == ' ')
        n--;
    text[n] = '\0';
}
