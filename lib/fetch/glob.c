/*
 * Globs over names: * ? [a-z] [!a-z], and %Y %m %d for a date's parts. Every element but the star has a fixed length, so
 * that going back to the last star alone is enough, and the time is bounded by pattern times text.
 */
#include "fetch/inside.h"

#include "util/clock.h"

#include <ctype.h>

enum { YEAR, MONTH, DAY, N_PARTS };

/* What the parts of the date were, and the element of the pattern that said so. */
struct found {
    int value[N_PARTS];
    const char *by[N_PARTS];
};

static int part_of(char letter)
{
    static const char letters[] = "Ymd";
    const char *p = letter ? strchr(letters, letter) : NULL;
    return p ? (int)(p - letters) : -1;
}

bool glob_is_sound(const char *pattern, struct error *err)
{
    bool has[N_PARTS] = {0};
    for (const char *p = strchr(pattern, '%'); p; p = strchr(p + 2, '%')) {
        int part = part_of(p[1]);
        if (part < 0 && p[1] != '%') {
            error_set(err, "the pattern %s has a %% that is none of %%Y, %%m, %%d and %%%%", pattern);
            return false;
        }
        if (part >= 0)
            has[part] = true;
    }
    if ((has[MONTH] || has[DAY]) && !has[YEAR])
        error_set(
            err, "the pattern %s has a part of a date, but no year: write %%Y where it stands", pattern);
    else if (has[DAY] && !has[MONTH])
        error_set(err, "the pattern %s has a day, but no month: write %%m where it stands", pattern);
    else
        return true;
    return false;
}

static bool take_part(int part, const char *element, const char *text, size_t *ret_n, struct found *found)
{
    static const struct {
        size_t digits;
        int min, max;
    } limits[N_PARTS] = {{4, 1900, 2199}, {2, 1, 12}, {2, 1, 31}};
    int value = 0;
    for (size_t i = 0; i < limits[part].digits; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        value = value * 10 + (text[i] - '0');
    }
    if (value < limits[part].min || value > limits[part].max)
        return false;
    if (found->by[part] && found->by[part] < element && found->value[part] != value)
        return false;
    if (!found->by[part] || found->by[part] >= element) {
        found->by[part] = element;
        found->value[part] = value;
    }
    *ret_n = limits[part].digits;
    return true;
}

/* [a-z], [!a-z]; *ret_end: behind it. NULL when it is not closed: the [ stands for itself then. */
static const char *bracket_end(const char *p)
{
    p += p[1] == '!' || p[1] == '^' ? 2 : 1;
    if (*p == ']')
        p++;
    p = strchr(p, ']');
    return p ? p + 1 : NULL;
}

static bool bracket_holds(const char *p, const char *end, unsigned char c)
{
    bool inverted = p[1] == '!' || p[1] == '^', in = false;
    for (p += inverted ? 2 : 1; p < end - 1; p++) {
        unsigned char from = (unsigned char)*p, to = from;
        if (p[1] == '-' && p + 2 < end - 1) {
            to = (unsigned char)p[2];
            p += 2;
        }
        in = in || (from <= c && c <= to);
    }
    return in != inverted;
}

/* One element that is no star at the text's start: how much of each it takes. */
static bool take_element(
    const char *pattern, const char *text, size_t *ret_pattern, size_t *ret_text, struct found *found)
{
    const char *end = *pattern == '[' ? bracket_end(pattern) : NULL;
    int part = *pattern == '%' ? part_of(pattern[1]) : -1;
    *ret_pattern = *ret_text = 1;
    if (part >= 0) {
        *ret_pattern = 2;
        return take_part(part, pattern, text, ret_text, found);
    }
    if (*pattern == '%' && pattern[1] == '%')
        *ret_pattern = 2;
    else if (*pattern == '?') {
        while (((unsigned char)text[*ret_text] & 0xC0) == 0x80) /* the rest of the character */
            (*ret_text)++;
        return true;
    } else if (end) {
        *ret_pattern = (size_t)(end - pattern);
        return bracket_holds(pattern, end, (unsigned char)*text);
    }
    return *pattern == *text;
}

static bool walk(const char *pattern, const char *text, struct found *found)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        size_t n_pattern, n_text;
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (*pattern && take_element(pattern, text, &n_pattern, &n_text, found)) {
            pattern += n_pattern;
            text += n_text;
        } else if (star) {
            pattern = star;
            text = ++from;
        } else
            return false;
    }
    pattern += strspn(pattern, "*");
    return !*pattern;
}

bool glob_matches(const char *pattern, const char *text, char ret_date[11])
{
    struct found found = {0};
    char date[32] = "";
    int64_t us;
    if (!walk(pattern, text, &found))
        return false;
    if (found.by[YEAR]) {
        snprintf(date, sizeof(date), "%04d-%02d-%02dT00:00:00Z", found.value[YEAR],
            found.by[MONTH] ? found.value[MONTH] : 1, found.by[DAY] ? found.value[DAY] : 1);
        if (clock_parse_utc(date, &us) < 0)
            return false;
        date[10] = '\0';
    }
    if (ret_date)
        memcpy(ret_date, date, 11);
    return true;
}

const char *fetch_last_parts(const char *path, size_t n_slashes)
{
    const char *p = path + strlen(path);
    while (p > path && (p[-1] != '/' || n_slashes-- > 0))
        p--;
    return p;
}
