#include "stream/value.h"

#include "stream/datetime.h"
#include "stream/numeric.h"
#include "util/text.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>

#define OID_JSONB 3802

/* The server's limit for one value is 1 GB with its header (MaxAllocSize). */
#define BYTES_MAX 0x3fffff00

static void cut_between_characters(char *s, size_t max)
{
    size_t n = strlen(s);
    if (n <= max)
        return;
    for (n = max; n > 0 && (s[n] & 0xc0) == 0x80;)
        n--;
    s[n] = '\0';
}

enum reason value_refuse(
    enum reason reason, const struct column *c, char detail[DETAIL_MAX], const char *fmt, ...)
{
    char words[DETAIL_MAX], name[DETAIL_MAX], line[2 * DETAIL_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    snprintf(name, sizeof(name), "%s", c->field ? c->field : "@received");
    cut_between_characters(name, 80);
    snprintf(line, sizeof(line), "field %.80s: %s", name, words);
    cut_between_characters(line, DETAIL_MAX - 1);
    memcpy(detail, line, strlen(line) + 1);
    return reason;
}

static enum reason no_memory(const struct column *c, char *detail)
{
    return value_refuse(REASON_TOO_LARGE, c, detail, "no memory for a value of this length");
}

/* An element of up to eight bytes: the length, then the lowest `size` bytes of v, highest first. */
static enum reason put_fixed(
    struct buffer *out, const struct column *c, uint64_t v, size_t size, char *detail)
{
    if (!buffer_reserve(out, 12))
        return no_memory(c, detail);
    uint32_t length = htobe32((uint32_t)size);
    v = htobe64(v << (64 - 8 * size));
    memcpy(out->p + out->n, &length, 4);
    memcpy(out->p + out->n + 4, &v, 8);
    out->n += 4 + size;
    return REASON_NONE;
}

/* prefix: one byte before the text, or -1. */
static enum reason put_bytes(
    struct buffer *out, const struct column *c, int prefix, struct slice text, char *detail)
{
    if (text.n > BYTES_MAX)
        return value_refuse(REASON_TOO_LONG, c, detail, "1 GB at most");
    if (!buffer_reserve(out, text.n + 5))
        return no_memory(c, detail);
    buffer_put_u32(out, (uint32_t)(text.n + (prefix >= 0)));
    if (prefix >= 0)
        out->p[out->n++] = (char)prefix;
    buffer_put(out, text.p, text.n);
    return REASON_NONE;
}

/* "-?digits" to a number; REASON_OUT_OF_RANGE beyond 64 bits. text has JSON's grammar. */
static enum reason read_integer(struct slice text, int64_t *ret)
{
    const char *p = text.p, *end = text.p + text.n;
    bool negative = *p == '-';
    p += negative;
    uint64_t v = 0;
    bool fits = true;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return REASON_WRONG_TYPE;
        fits = fits && !__builtin_mul_overflow(v, UINT64_C(10), &v) &&
               !__builtin_add_overflow(v, (uint64_t)(*p - '0'), &v);
    }
    if (!fits || v > (uint64_t)INT64_MAX + negative)
        return REASON_OUT_OF_RANGE;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return REASON_NONE;
}

static enum reason put_integer(
    struct buffer *out, const struct column *c, const struct json_token *t, char *detail)
{
    static const struct {
        size_t size;
        const char *name;
        int64_t min, max;
    } integers[] = {
        [VALUE_INT2] = {2, "smallint", INT16_MIN, INT16_MAX},
        [VALUE_INT4] = {4, "integer", INT32_MIN, INT32_MAX},
        [VALUE_INT8] = {8, "bigint", INT64_MIN, INT64_MAX},
    };
    int64_t v, min = integers[c->kind].min, max = integers[c->kind].max;
    enum reason r = read_integer(t->text, &v);
    if (r == REASON_WRONG_TYPE)
        return value_refuse(r, c, detail, "must be written as a whole number");
    if (r != REASON_NONE || v < min || v > max)
        return value_refuse(REASON_OUT_OF_RANGE, c, detail, "%s takes %" PRId64 " to %" PRId64,
            integers[c->kind].name, min, max);
    return put_fixed(out, c, (uint64_t)v, integers[c->kind].size, detail);
}

static enum reason put_numeric_value(
    struct buffer *out, const struct column *c, const struct json_token *t, char *detail)
{
    return numeric_append(out, c, t->text, detail);
}

static locale_t plain_locale(void)
{
    static locale_t plain;
    if (!plain)
        plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return plain;
}

/* False when the number is too large, or too small to be told from zero: the server refuses both. */
static bool read_float(const char *number, bool single, uint64_t *ret_bits)
{
    errno = 0;
    if (single) {
        float f = strtof_l(number, NULL, plain_locale());
        uint32_t bits;
        memcpy(&bits, &f, sizeof(bits));
        *ret_bits = bits;
        return !(errno == ERANGE && (isinf(f) || f == 0));
    }
    double d = strtod_l(number, NULL, plain_locale());
    memcpy(ret_bits, &d, sizeof(d));
    return !(errno == ERANGE && (isinf(d) || d == 0));
}

static enum reason put_float(
    struct buffer *out, const struct column *c, const struct json_token *t, char *detail)
{
    bool single = c->kind == VALUE_FLOAT4;
    char near[512];
    _cleanup_buffer_ struct buffer far = {0};
    char *number = near;
    if (t->text.n >= sizeof(near)) {
        if (!buffer_reserve(&far, t->text.n + 1))
            return no_memory(c, detail);
        number = far.p;
    }
    memcpy(number, t->text.p, t->text.n);
    number[t->text.n] = '\0';
    uint64_t bits;
    if (!read_float(number, single, &bits))
        return value_refuse(REASON_OUT_OF_RANGE, c, detail, "outside of what %s can hold",
            single ? "real" : "double precision");
    return put_fixed(out, c, bits, single ? 4 : 8, detail);
}

static enum reason put_bool(
    struct buffer *out, const struct column *c, const struct json_token *t, char *detail)
{
    return put_fixed(out, c, t->type == JSON_TRUE, 1, detail);
}

static enum reason put_text(
    struct buffer *out, const struct column *c, const struct json_token *t, char *detail)
{
    if (t->has_nul)
        return value_refuse(REASON_NUL_IN_TEXT, c, detail, "text cannot hold U+0000");
    size_t max = (size_t)c->max_chars;
    if (max > 0 && t->text.n > max && text_utf8_length(t->text.p, t->text.n) > max)
        return value_refuse(REASON_TOO_LONG, c, detail, "%zu characters at most", max);
    return put_bytes(out, c, -1, t->text, detail);
}

static enum reason put_datetime(
    struct buffer *out, const struct column *c, const struct json_token *t, char *detail)
{
    return datetime_append(out, c, t->text, detail);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* 32 hexadecimal digits, with the four hyphens of RFC 4122 or none. */
static bool read_uuid(struct slice text, char ret[16])
{
    bool hyphens = text.n == 36;
    size_t n = 0;
    if (text.n != 32 && !hyphens)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (hyphens && (i == 8 || i == 13 || i == 18 || i == 23)) {
            if (text.p[i] != '-')
                return false;
            continue;
        }
        int v = hex_digit(text.p[i]);
        if (v < 0)
            return false;
        ret[n / 2] = (char)(n % 2 ? ret[n / 2] | v : v << 4);
        n++;
    }
    return true;
}

static enum reason put_uuid(
    struct buffer *out, const struct column *c, const struct json_token *t, char *detail)
{
    char uuid[16];
    if (!read_uuid(t->text, uuid))
        return value_refuse(REASON_WRONG_TYPE, c, detail, "must be a UUID");
    return put_bytes(out, c, -1, (struct slice){uuid, sizeof(uuid)}, detail);
}

static enum reason put_enum(
    struct buffer *out, const struct column *c, const struct json_token *t, char *detail)
{
    for (size_t i = 0; i < c->n_labels; i++)
        if (slice_is(t->text, c->labels[i]))
            return put_bytes(out, c, -1, t->text, detail);
    return value_refuse(REASON_WRONG_TYPE, c, detail, "must be one of the labels of %s", c->type_sql);
}

/* Does a numeric hold every number that stands in the JSON text? It has been checked before. */
static bool numbers_fit(struct slice json)
{
    const char *p = json.p, *end = json.p + json.n;
    bool quoted = false;
    while (p < end) {
        size_t n = quoted ? 0 : json_number_length(p, end);
        if (n > 0 && !numeric_fits((struct slice){p, n}))
            return false;
        if (*p == '"')
            quoted = !quoted;
        p += n > 0 ? n : quoted && *p == '\\' ? 2 : 1;
    }
    return true;
}

static enum reason put_json(
    struct buffer *out, const struct column *c, const struct json_token *t, char *detail)
{
    bool binary = c->type_oid == OID_JSONB;
    if (binary && t->has_nul)
        return value_refuse(REASON_NUL_IN_TEXT, c, detail, "jsonb cannot hold U+0000");
    if (binary && t->has_big_number && !numbers_fit(t->raw))
        return value_refuse(
            REASON_OUT_OF_RANGE, c, detail, "jsonb cannot hold a number this large or this fine");
    return put_bytes(out, c, binary ? 1 : -1, t->raw, detail);
}

enum wanted { WANT_NUMBER, WANT_BOOL, WANT_STRING, WANT_ANY };

static const char *const wanted_words[] = {
    [WANT_NUMBER] = "must be a number",
    [WANT_BOOL] = "must be true or false",
    [WANT_STRING] = "must be a string",
    [WANT_ANY] = "must be JSON",
};

static const struct {
    enum wanted wanted;
    enum reason (*put)(struct buffer *out, const struct column *c, const struct json_token *t, char *detail);
} kinds[N_VALUE_KINDS] = {
    [VALUE_INT2] = {WANT_NUMBER, put_integer},
    [VALUE_INT4] = {WANT_NUMBER, put_integer},
    [VALUE_INT8] = {WANT_NUMBER, put_integer},
    [VALUE_NUMERIC] = {WANT_NUMBER, put_numeric_value},
    [VALUE_FLOAT4] = {WANT_NUMBER, put_float},
    [VALUE_FLOAT8] = {WANT_NUMBER, put_float},
    [VALUE_BOOL] = {WANT_BOOL, put_bool},
    [VALUE_TEXT] = {WANT_STRING, put_text},
    [VALUE_DATE] = {WANT_STRING, put_datetime},
    [VALUE_TIMESTAMP] = {WANT_STRING, put_datetime},
    [VALUE_TIMESTAMPTZ] = {WANT_STRING, put_datetime},
    [VALUE_UUID] = {WANT_STRING, put_uuid},
    [VALUE_JSON] = {WANT_ANY, put_json},
    [VALUE_ENUM] = {WANT_STRING, put_enum},
};

static bool is_wanted(enum wanted wanted, enum json_type type)
{
    switch (wanted) {
    case WANT_NUMBER:
        return type == JSON_NUMBER;
    case WANT_BOOL:
        return type == JSON_TRUE || type == JSON_FALSE;
    case WANT_STRING:
        return type == JSON_STRING;
    case WANT_ANY:
        return true;
    }
    return false;
}

void value_append_null(struct buffer *out)
{
    buffer_put_u32(out, UINT32_MAX);
}

enum reason value_append(
    struct buffer *out, const struct column *c, const struct json_token *token, char detail[DETAIL_MAX])
{
    enum wanted wanted = kinds[c->kind].wanted;
    if (token->type == JSON_NULL) {
        if (c->not_null)
            return value_refuse(REASON_NULL_FIELD, c, detail, "is null, and its column takes no NULL");
        value_append_null(out);
        return REASON_NONE;
    }
    if (!is_wanted(wanted, token->type))
        return value_refuse(REASON_WRONG_TYPE, c, detail, "%s", wanted_words[wanted]);
    return kinds[c->kind].put(out, c, token, detail);
}

static bool token_of_bool(struct slice text, struct json_token *t)
{
    static const struct {
        const char *word;
        enum json_type type;
    } words[] = {
        {"true", JSON_TRUE},
        {"t", JSON_TRUE},
        {"1", JSON_TRUE},
        {"false", JSON_FALSE},
        {"f", JSON_FALSE},
        {"0", JSON_FALSE},
    };
    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        if (slice_is(text, words[i].word)) {
            t->type = words[i].type;
            return true;
        }
    return false;
}

enum reason value_json_reason(enum json_fault fault)
{
    static const enum reason reasons[] = {
        [JSON_GOOD] = REASON_NONE,
        [JSON_NOT_JSON] = REASON_NOT_JSON,
        [JSON_NOT_OBJECT] = REASON_NOT_OBJECT,
        [JSON_NOT_ARRAY] = REASON_WRONG_TYPE,
        [JSON_NOT_UTF8] = REASON_NOT_UTF8,
        [JSON_TOO_DEEP] = REASON_TOO_DEEP,
        [JSON_TOO_LARGE] = REASON_TOO_LARGE,
    };
    return reasons[fault];
}

/* A field that is to be JSON itself. */
static enum reason token_of_json(struct slice text, struct json_token *t)
{
    struct json_reader r = {0};
    json_begin(&r, text);
    bool good = text.n > 0 && json_value(&r, t);
    json_done(&r);
    t->raw = text;
    if (good)
        return REASON_NONE;
    return r.fault == JSON_GOOD || r.fault == JSON_NOT_JSON ? REASON_WRONG_TYPE : value_json_reason(r.fault);
}

/* What the text would be as a JSON token; REASON_WRONG_TYPE when the column cannot read it so. */
static enum reason token_of_text(const struct column *c, struct slice text, struct json_token *t)
{
    *t = (struct json_token){.type = JSON_STRING, .text = text, .raw = text};
    switch (kinds[c->kind].wanted) {
    case WANT_NUMBER:
        return text.n > 0 && json_number_length(text.p, text.p + text.n) == text.n ? REASON_NONE
                                                                                   : REASON_WRONG_TYPE;
    case WANT_BOOL:
        return token_of_bool(text, t) ? REASON_NONE : REASON_WRONG_TYPE;
    case WANT_STRING:
        t->has_nul = text.n > 0 && memchr(text.p, '\0', text.n);
        return REASON_NONE;
    case WANT_ANY:
        return token_of_json(text, t);
    }
    return REASON_WRONG_TYPE;
}

enum reason value_append_text(
    struct buffer *out, const struct column *c, struct slice text, char detail[DETAIL_MAX])
{
    struct json_token t;
    if (!text_is_utf8(text.p, text.n))
        return value_refuse(REASON_NOT_UTF8, c, detail, "is not UTF-8");
    enum reason r = token_of_text(c, text, &t);
    if (r == REASON_WRONG_TYPE)
        return value_refuse(r, c, detail, "%s", wanted_words[kinds[c->kind].wanted]);
    if (r != REASON_NONE)
        return value_refuse(r, c, detail, "its JSON breaks a rule of ours");
    return kinds[c->kind].put(out, c, &t, detail);
}

enum reason value_append_received(
    struct buffer *out, const struct column *c, int64_t received_us, char detail[DETAIL_MAX])
{
    if (!datetime_append_unix(out, received_us))
        return value_refuse(
            REASON_OUT_OF_RANGE, c, detail, "the entry's own time is none that Postgres knows");
    return REASON_NONE;
}
