/*
 * The links of an HTML page: <a href=…> and <base href=…>, as a browser would find them (HTML, 13.2.5) in what web servers write
 * as an index. No more of HTML is known here than tags, attributes, comments, scripts and the references in values. A
 * library for all of it would be far larger than this, and hostile pages are what such libraries stumble over.
 */
#include "fetch/target.h"

#include <ctype.h>
#include <strings.h>

#define LINK_MAX_LENGTH 8192

struct cursor {
    const char *p, *end;
};

static bool looking_at(const struct cursor *c, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(c->end - c->p) >= n && strncasecmp(c->p, word, n) == 0;
}

/* Behind the word, or to the end. */
static void skip_behind(struct cursor *c, const char *word)
{
    while (c->p < c->end && !looking_at(c, word)) {
        const char *next = memchr(c->p + 1, word[0], (size_t)(c->end - c->p - 1));
        c->p = next ? next : c->end;
    }
    c->p = c->p < c->end ? c->p + strlen(word) : c->end;
}

static void skip_space(struct cursor *c)
{
    while (c->p < c->end && isspace((unsigned char)*c->p))
        c->p++;
}

static struct slice take_until(struct cursor *c, const char *stops)
{
    const char *from = c->p;
    while (c->p < c->end && (!*c->p || !strchr(stops, *c->p)))
        c->p++;
    return (struct slice){from, (size_t)(c->p - from)};
}

/* ---- references: &amp; &#38; &#x26; ---- */

static void put_utf8(struct buffer *out, unsigned long c)
{
    char bytes[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3F));
    bytes[0] = (char)(lead[n] | c);
    buffer_put(out, bytes, n);
}

/* The number of a reference behind its #, up to the ;. 0 when it is none that may stand in a URL. */
static unsigned long take_code(struct slice digits)
{
    char text[12], *end;
    bool hex = digits.n > 0 && (digits.p[0] == 'x' || digits.p[0] == 'X');
    if (digits.n < 1 || digits.n >= sizeof(text) || !isxdigit((unsigned char)digits.p[hex]))
        return 0;
    snprintf(text, sizeof(text), "%.*s", (int)(digits.n - hex), digits.p + hex);
    unsigned long c = strtoul(text, &end, hex ? 16 : 10);
    return *end || c < ' ' || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? 0 : c;
}

/* What stands at an &: how many bytes of it make one character; 0 when it is no reference. */
static size_t take_reference(struct slice at, struct buffer *out)
{
    static const struct {
        const char *name;
        char c;
    } names[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        size_t n = strlen(names[i].name);
        if (at.n >= n && memcmp(at.p, names[i].name, n) == 0) {
            buffer_put(out, &names[i].c, 1);
            return n;
        }
    }
    const char *semicolon = at.n > 3 && at.p[1] == '#' ? memchr(at.p, ';', MIN(at.n, 12)) : NULL;
    if (!semicolon)
        return 0;
    unsigned long c = take_code((struct slice){at.p + 2, (size_t)(semicolon - at.p - 2)});
    if (c == 0)
        return 0;
    put_utf8(out, c);
    return (size_t)(semicolon - at.p) + 1;
}

/* NULL when it is too long. */
static char *decode_value(struct slice value)
{
    _cleanup_buffer_ struct buffer plain = {0};
    if (value.n > LINK_MAX_LENGTH)
        return NULL;
    for (size_t i = 0; i < value.n;) {
        struct slice rest = {value.p + i, value.n - i};
        size_t n = *rest.p == '&' ? take_reference(rest, &plain) : 0;
        if (n == 0)
            buffer_put(&plain, rest.p, n = 1);
        i += n;
    }
    return target_tidy((struct slice){plain.p, plain.n});
}

/* ---- tags ---- */

static struct slice take_value(struct cursor *c)
{
    skip_space(c);
    if (c->p == c->end || (*c->p != '"' && *c->p != '\''))
        return take_until(c, " \t\r\n\f>");
    const char quote[] = {*c->p++, '\0'};
    struct slice value = take_until(c, quote);
    if (c->p < c->end)
        c->p++;
    return value;
}

/* The attributes of a tag, to behind its end; the first href among them. */
static bool take_attributes(struct cursor *c, struct slice *ret_href)
{
    bool found = false;
    while (c->p < c->end && *c->p != '>') {
        if (isspace((unsigned char)*c->p) || *c->p == '/' || *c->p == '=') {
            c->p++;
            continue;
        }
        struct slice name = take_until(c, " \t\r\n\f/>="), value = {0};
        skip_space(c);
        if (c->p == c->end || *c->p != '=')
            continue;
        c->p++;
        value = take_value(c);
        if (!found && name.n == 4 && strncasecmp(name.p, "href", 4) == 0) {
            *ret_href = value;
            found = true;
        }
    }
    if (c->p < c->end)
        c->p++;
    return found;
}

static bool named(struct slice name, const char *word)
{
    return name.n == strlen(word) && strncasecmp(name.p, word, name.n) == 0;
}

/* What begins at a <: the value of a link's href, if it is a link. */
static bool take_tag(struct cursor *c, struct slice *ret_href, bool *ret_is_base)
{
    if (looking_at(c, "<!--")) {
        c->p += 4;
        skip_behind(c, "-->");
        return false;
    }
    c->p++;
    if (c->p == c->end || !(isalpha((unsigned char)*c->p) || *c->p == '/'))
        return false;
    struct slice name = take_until(c, " \t\r\n\f/>");
    bool has_href = take_attributes(c, ret_href);
    if (named(name, "script"))
        skip_behind(c, "</script");
    else if (named(name, "style"))
        skip_behind(c, "</style");
    *ret_is_base = named(name, "base");
    return has_href && (*ret_is_base || named(name, "a"));
}

char *page_next_link(struct slice page, size_t *at, bool *ret_is_base)
{
    struct cursor c = {page.p + *at, page.p + page.n};
    char *link = NULL;
    while (!link && c.p < c.end) {
        struct slice href = {0};
        const char *tag = memchr(c.p, '<', (size_t)(c.end - c.p));
        c.p = tag ? tag : c.end;
        if (tag && take_tag(&c, &href, ret_is_base))
            link = decode_value(href);
    }
    *at = (size_t)(c.p - page.p);
    return link;
}
