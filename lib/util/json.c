/*
 * Why our own: Debian 12's JSON libraries (cJSON, jansson, json-c, yajl) each lack one of what an exact sink
 * needs: a number's own text (a price must not pass through a double), lone surrogates refused and not
 * replaced, doubled names reported and not merged. It is also the hot path: every entry and every page passes here.
 *
 * Two speeds: members of the outermost object are handed out; what is inside their values is only checked
 * and passed over, with one bit for each level of depth in place of recursion.
 */
#include "util/json.h"

#include "util/text.h"

#include <endian.h>

/* A longer number may have more digits than Postgres' numeric holds. */
#define LONG_NUMBER 16000

static bool fail(struct json_reader *r, enum json_fault fault, const char *words)
{
    r->fault = fault;
    r->words = words;
    return false;
}

static bool not_json(struct json_reader *r, const char *words)
{
    return fail(r, JSON_NOT_JSON, words);
}

/* The next character that is no blank, -1 at the end. */
static int peek(struct json_reader *r)
{
    for (; r->p < r->end; r->p++)
        if (*r->p != ' ' && *r->p != '\n' && *r->p != '\r' && *r->p != '\t')
            return (unsigned char)*r->p;
    return -1;
}

static bool take(struct json_reader *r, char c)
{
    if (peek(r) != c)
        return false;
    r->p++;
    return true;
}

/*
 * The first quote, backslash or control character from p on, or end. Eight bytes at a time: in the sums
 * below a byte's highest bit is set when it is one of the three; a borrow can spoil only the bytes behind the
 * first. Notes in *high whether a byte that is not ASCII may stand before it.
 */
static const char *plain_end(const char *p, const char *end, bool *high)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
    for (; end - p >= 8; p += 8) {
        uint64_t w;
        memcpy(&w, p, sizeof(w));
        w = le64toh(w);
        uint64_t quote = w ^ (ones * '"'), backslash = w ^ (ones * '\\');
        uint64_t stops =
            ((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
        *high |= (w & tops) != 0;
        if (stops & tops)
            return p + __builtin_ctzll(stops & tops) / 8;
    }
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == '"' || c == '\\')
            return p;
        *high |= c >= 0x80;
    }
    return end;
}

/* The value of four hexadecimal digits at p, -1 when they are not there. */
static int hex4(const char *p, const char *end)
{
    if (end - p < 4)
        return -1;
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int c = (unsigned char)p[i], letter = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v * 16 + c - '0';
        else if (letter >= 'a' && letter <= 'f')
            v = v * 16 + letter - 'a' + 10;
        else
            return -1;
    }
    return v;
}

/* Passes over the escape behind the backslash at p. */
static bool skip_escape(struct json_reader *r)
{
    r->p++;
    if (r->p == r->end || !*r->p || !strchr("\"\\/bfnrtu", *r->p))
        return not_json(r, "a backslash with no escape behind it");
    if (*r->p++ != 'u')
        return true;
    int first = hex4(r->p, r->end);
    if (first < 0)
        return not_json(r, "\\u without four hexadecimal digits");
    r->p += 4;
    r->has_nul |= first == 0;
    if (first < 0xd800 || first > 0xdfff)
        return true;
    int second = r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u' ? hex4(r->p + 2, r->end) : -1;
    if (first > 0xdbff || second < 0xdc00 || second > 0xdfff) {
        r->has_bad_text = true;
        return r->lenient || fail(r, JSON_NOT_UTF8, "half of a surrogate pair");
    }
    r->p += 6;
    return true;
}

/* Checks and passes over the string whose opening quote is next; what is between the quotes is in ret_inner.
 */
static bool skip_string(struct json_reader *r, struct slice *ret_inner, bool *ret_escaped)
{
    const char *begin = ++r->p;
    bool high = false, escaped = false;
    for (;;) {
        r->p = plain_end(r->p, r->end, &high);
        if (r->p == r->end)
            return not_json(r, "a string without its end");
        if (*r->p == '"')
            break;
        if (*r->p != '\\')
            return not_json(r, "a control character in a string");
        if (!skip_escape(r))
            return false;
        escaped = true;
    }
    *ret_inner = (struct slice){begin, (size_t)(r->p - begin)};
    *ret_escaped = escaped;
    if (high && !text_is_utf8(begin, ret_inner->n)) {
        r->has_bad_text = true;
        if (!r->lenient) {
            r->p = begin - 1;
            return fail(r, JSON_NOT_UTF8, "a string that is not UTF-8");
        }
    }
    r->p++;
    return true;
}

static char *put_utf8(char *w, unsigned c)
{
    if (c < 0x80) {
        *w++ = (char)c;
    } else if (c < 0x800) {
        *w++ = (char)(0xc0 | c >> 6);
        *w++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *w++ = (char)(0xe0 | c >> 12);
        *w++ = (char)(0x80 | (c >> 6 & 0x3f));
        *w++ = (char)(0x80 | (c & 0x3f));
    } else {
        *w++ = (char)(0xf0 | c >> 18);
        *w++ = (char)(0x80 | (c >> 12 & 0x3f));
        *w++ = (char)(0x80 | (c >> 6 & 0x3f));
        *w++ = (char)(0x80 | (c & 0x3f));
    }
    return w;
}

/* Writes what the escape at *p stands for, and moves *p behind it. It has been checked before. */
static char *put_escape(char *w, const char **p)
{
    char c = (*p)[1];
    const char *s = *p + 2;
    if (c == 'u') {
        unsigned v = (unsigned)hex4(s, s + 4);
        s += 4;
        if (v >= 0xd800 && v <= 0xdbff) {
            v = 0x10000 + ((v - 0xd800) << 10) + ((unsigned)hex4(s + 2, s + 6) - 0xdc00);
            s += 6;
        }
        w = put_utf8(w, v);
    } else {
        *w++ = c == 'b' ? '\b' : c == 'f' ? '\f' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
    }
    *p = s;
    return w;
}

/* The string's own characters, in the scratch buffer: never longer than with its escapes. */
static bool unescape(struct json_reader *r, struct slice inner, struct buffer *scratch, struct slice *ret)
{
    scratch->n = 0;
    if (!buffer_reserve(scratch, inner.n))
        return fail(r, JSON_TOO_LARGE, "no memory for a string of this length");
    char *w = scratch->p;
    const char *p = inner.p, *end = inner.p + inner.n;
    while (p < end) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        size_t run = (size_t)((escape ? escape : end) - p);
        memcpy(w, p, run);
        w += run;
        p += run;
        if (escape)
            w = put_escape(w, &p);
    }
    *ret = (struct slice){scratch->p, (size_t)(w - scratch->p)};
    return true;
}

static const char *digits_end(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

size_t json_number_length(const char *begin, const char *end)
{
    const char *p = begin, *from;
    if (p < end && *p == '-')
        p++;
    from = p;
    p = p < end && *p == '0' ? p + 1 : digits_end(p, end);
    if (p == from)
        return 0;
    if (p < end && *p == '.') {
        from = p + 1;
        p = digits_end(from, end);
        if (p == from)
            return 0;
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        from = p;
        p = digits_end(from, end);
        if (p == from)
            return 0;
    }
    return (size_t)(p - begin);
}

static bool skip_number(struct json_reader *r)
{
    size_t n = json_number_length(r->p, r->end);
    if (n == 0)
        return not_json(r, "a value was expected");
    r->has_big_number |= n > LONG_NUMBER || memchr(r->p, 'e', n) || memchr(r->p, 'E', n);
    r->p += n;
    return true;
}

static bool skip_word(struct json_reader *r, const char *word, size_t n)
{
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
        return not_json(r, "a value was expected");
    r->p += n;
    return true;
}

/* A value that is no object and no array; first is its first character. */
static bool skip_scalar(struct json_reader *r, int first)
{
    struct slice inner;
    bool escaped;
    switch (first) {
    case '"':
        return skip_string(r, &inner, &escaped);
    case 't':
        return skip_word(r, "true", 4);
    case 'f':
        return skip_word(r, "false", 5);
    case 'n':
        return skip_word(r, "null", 4);
    default:
        return skip_number(r);
    }
}

/* A member's name and the colon behind it. */
static bool skip_key(struct json_reader *r, struct slice *ret_inner, bool *ret_escaped)
{
    if (peek(r) != '"')
        return not_json(r, "a name in quotes was expected");
    if (!skip_string(r, ret_inner, ret_escaped))
        return false;
    return take(r, ':') || not_json(r, "a colon was expected");
}

/* Checks and passes over an object or array with all that is in it; `outside` are open around it. */
static bool skip_nested(struct json_reader *r, unsigned outside)
{
    struct slice inner;
    bool escaped;
    uint64_t objects = 0; /* one bit a level, the innermost lowest: is it an object? */
    unsigned depth = 0;
    for (;;) {
        int c = peek(r);
        bool opens = c == '{' || c == '[';
        if (opens) {
            if (outside + ++depth > JSON_MAX_DEPTH)
                return fail(r, JSON_TOO_DEEP, "objects and arrays nested too deep");
            objects = objects << 1 | (c == '{');
            r->p++;
        } else if (!skip_scalar(r, c)) {
            return false;
        }
        bool empty = opens && peek(r) == (objects & 1 ? '}' : ']');
        if (!opens || empty) {
            for (; depth > 0 && take(r, objects & 1 ? '}' : ']'); depth--)
                objects >>= 1;
            if (depth == 0)
                return true;
            if (!take(r, ','))
                return not_json(r, "a comma or the end of an object or array was expected");
        }
        if ((objects & 1) && !skip_key(r, &inner, &escaped))
            return false;
    }
}

static enum json_type type_of(int first)
{
    return first == '"'   ? JSON_STRING
           : first == '{' ? JSON_OBJECT
           : first == '[' ? JSON_ARRAY
           : first == 't' ? JSON_TRUE
           : first == 'f' ? JSON_FALSE
           : first == 'n' ? JSON_NULL
                          : JSON_NUMBER;
}

static bool read_value(struct json_reader *r, unsigned outside, struct json_token *ret)
{
    int first = peek(r);
    const char *begin = r->p;
    struct json_token t = {.type = type_of(first)};
    bool escaped = false;
    r->has_nul = r->has_big_number = r->has_bad_text = false;
    if (first < 0)
        return not_json(r, "it ends where a value was expected");
    if (t.type == JSON_STRING  ? !skip_string(r, &t.text, &escaped)
        : t.type >= JSON_ARRAY ? !skip_nested(r, outside)
                               : !skip_scalar(r, first))
        return false;
    t.raw = (struct slice){begin, (size_t)(r->p - begin)};
    if (t.type != JSON_STRING)
        t.text = t.raw;
    else if (escaped && !r->has_bad_text && !unescape(r, t.text, &r->string, &t.text))
        return false;
    t.has_nul = r->has_nul;
    t.has_big_number = r->has_big_number;
    t.has_bad_text = r->has_bad_text;
    *ret = t;
    return true;
}

void json_begin(struct json_reader *r, struct slice text)
{
    r->start = r->p = text.p;
    r->end = text.p + text.n;
    r->inside = false;
    r->fault = JSON_GOOD;
    r->words = NULL;
}

void json_trim(struct json_reader *r, size_t keep)
{
    buffer_reset(&r->key, keep);
    buffer_reset(&r->string, keep);
}

void json_done(struct json_reader *r)
{
    buffer_done(&r->key);
    buffer_done(&r->string);
}

static bool at_end(struct json_reader *r)
{
    return peek(r) < 0 || not_json(r, "something stands behind the value");
}

bool json_value(struct json_reader *r, struct json_token *ret)
{
    struct json_token t;
    if (r->end - r->p >= 3 && memcmp(r->p, "\xef\xbb\xbf", 3) == 0)
        return not_json(r, "it begins with a byte order mark");
    if (!read_value(r, 0, &t) || !at_end(r))
        return false;
    *ret = t;
    return true;
}

bool json_part(struct json_reader *r, unsigned outside, struct json_token *ret_value)
{
    return read_value(r, outside, ret_value);
}

bool json_object(struct json_reader *r)
{
    struct json_token t;
    if (take(r, '{'))
        return true;
    r->p = r->start;
    return json_value(r, &t) && fail(r, JSON_NOT_OBJECT, "it is no object");
}

bool json_array(struct json_reader *r)
{
    struct json_token t;
    if (take(r, '['))
        return true;
    r->p = r->start;
    return json_value(r, &t) && fail(r, JSON_NOT_ARRAY, "it is no array");
}

bool json_element(struct json_reader *r, struct json_token *ret_value)
{
    bool more = r->inside ? take(r, ',') : peek(r) != ']';
    if (more) {
        r->inside = true;
        return read_value(r, 1, ret_value);
    }
    if (!take(r, ']'))
        return not_json(r, "a comma or the end of the array was expected");
    at_end(r);
    return false;
}

bool json_member(struct json_reader *r, struct slice *ret_key, struct json_token *ret_value)
{
    bool more = r->inside ? take(r, ',') : peek(r) != '}';
    if (!more) {
        if (!take(r, '}'))
            return not_json(r, "a comma or the end of the object was expected");
        at_end(r);
        return false;
    }
    struct slice key;
    bool escaped;
    r->inside = true;
    r->has_bad_text = false;
    if (!skip_key(r, &key, &escaped))
        return false;
    bool bad_key = r->has_bad_text;
    if (escaped && !bad_key && !unescape(r, key, &r->key, &key))
        return false;
    if (!read_value(r, 1, ret_value))
        return false;
    ret_value->has_bad_text |= bad_key;
    *ret_key = key;
    return true;
}

void json_put_string(struct buffer *b, const char *p, size_t n)
{
    const char *end = p + n;
    bool high = false;
    buffer_put(b, "\"", 1);
    while (p < end) {
        const char *stop = plain_end(p, end, &high);
        buffer_put(b, p, (size_t)(stop - p));
        if (stop < end && (*stop == '"' || *stop == '\\'))
            buffer_printf(b, "\\%c", *stop);
        else if (stop < end)
            buffer_printf(b, "\\u%04x", (unsigned)(unsigned char)*stop);
        p = stop + 1;
    }
    buffer_put(b, "\"", 1);
}
