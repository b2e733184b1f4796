#include "job/member.h"

#include "util/text.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>

#define EXACT (INT64_C(1) << 53) /* the last whole number that a double counts up to */

/* Its digits as they are: cJSON itself would print 1754000000000000 as 1.754e+15. */
static cJSON *new_number(const char *digits, bool exact)
{
    return exact ? cJSON_CreateRaw(digits) : cJSON_CreateString(digits);
}

cJSON *member_new_int(int64_t v)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRId64, v);
    return new_number(digits, v >= -EXACT && v <= EXACT);
}

void member_add_int(cJSON *object, const char *name, int64_t v)
{
    cJSON_AddItemToObject(object, name, member_new_int(v));
}

void member_add_uint(cJSON *object, const char *name, uint64_t v)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRIu64, v);
    cJSON_AddItemToObject(object, name, new_number(digits, v <= (uint64_t)EXACT));
}

/* Digits with at most a minus before them; strtoll would take blanks and a plus too. */
static bool is_digits(const char *s)
{
    s += *s == '-';
    size_t n = strspn(s, "0123456789");
    return n > 0 && s[n] == '\0';
}

bool member_int(const cJSON *item, int64_t *ret)
{
    if (cJSON_IsNumber(item)) {
        double v = item->valuedouble;
        if (!(v >= -(double)EXACT && v <= (double)EXACT) || v != (double)(int64_t)v)
            return false;
        *ret = (int64_t)v;
        return true;
    }
    const char *s = cJSON_IsRaw(item) ? item->valuestring : cJSON_GetStringValue(item);
    if (!s || !is_digits(s))
        return false;
    errno = 0;
    long long v = strtoll(s, NULL, 10);
    if (errno)
        return false;
    *ret = v;
    return true;
}

bool member_uint(const cJSON *item, uint64_t *ret)
{
    int64_t v;
    if (member_int(item, &v)) {
        if (v >= 0)
            *ret = (uint64_t)v;
        return v >= 0;
    }
    const char *s = cJSON_GetStringValue(item);
    if (!s || !is_digits(s) || *s == '-')
        return false;
    errno = 0;
    unsigned long long u = strtoull(s, NULL, 10);
    if (errno)
        return false;
    *ret = u;
    return true;
}

bool member_word(const cJSON *item, char *ret, size_t size)
{
    const char *s = cJSON_GetStringValue(item);
    if (!s || strlen(s) >= size)
        return false;
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    strcpy(ret, s);
    return true;
}

int member_parse_object(const char *text, size_t n, const char *what, cJSON **ret_object, struct error *err)
{
    if (n == 0)
        return error_set(err, "%s is empty", what);
    if (memchr(text, '\0', n) || !text_is_utf8(text, n))
        return error_set(err, "%s is not UTF-8 text", what);
    _cleanup_free_ char *copy = xstrndup(text, n); /* cJSON looks for the end only where a NUL is */
    cJSON *object = cJSON_ParseWithLengthOpts(copy, n + 1, NULL, true);
    if (!cJSON_IsObject(object)) {
        cJSON_Delete(object);
        return error_set(err, "%s is not one JSON object", what);
    }
    *ret_object = object;
    return 0;
}

char *member_print(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (!text) {
        fputs("out of memory while writing JSON, ending\n", stderr);
        abort();
    }
    return text;
}
