#include "source/rest_document.h"

#include <strings.h>

#define WHY_MAX 160

/* What a member of the text is; type JSON_NULL and raw.p NULL when there is none. */
static bool find_member(struct json_reader *r, struct slice text, struct slice name, struct json_token *ret)
{
    struct json_token t;
    struct slice key;
    *ret = (struct json_token){.type = JSON_NULL};
    json_begin(r, text);
    if (json_object(r))
        while (json_member(r, &key, &t))
            if (slice_equal(key, name))
                *ret = t; /* of two the last, as everywhere */
    return r->fault == JSON_GOOD;
}

/* "a.b" within the text: its raw value. False when the text is no good JSON, or there is no object on the way. */
static bool find_path(struct json_reader *r, struct slice text, const char *path, struct json_token *ret)
{
    for (;;) {
        size_t n = strcspn(path, ".");
        if (!find_member(r, text, (struct slice){path, n}, ret))
            return false;
        if (!path[n] || !ret->raw.p)
            return true;
        text = ret->raw;
        path += n + 1;
    }
}

static bool not_json(struct json_reader *r, struct slice body, char *why)
{
    size_t blank = 0;
    while (blank < body.n && strchr(" \t\r\n", body.p[blank]))
        blank++;
    if (blank == body.n)
        snprintf(why, WHY_MAX, "the body is empty");
    else if (body.p[blank] == '<')
        snprintf(
            why, WHY_MAX, "what came is HTML or XML and no JSON: an error page, or a login page perhaps");
    else
        snprintf(why, WHY_MAX, "what came is no JSON, or cut off: at byte %zu: %s", json_offset(r), r->words);
    return false;
}

static bool read_rows(struct json_reader *r, struct slice body, const char *path, struct rest_document *d,
    char *why, bool *is_json)
{
    struct json_token t = {.raw = body};
    bool good = *path ? find_path(r, body, path, &t) : (json_begin(r, body), json_value(r, &t));
    *is_json = good || r->fault == JSON_NOT_OBJECT;
    if (!*is_json)
        return not_json(r, body, why);
    if (!good || !t.raw.p)
        snprintf(why, WHY_MAX, "there is no member `%.80s` in it: is that where the rows are?", path);
    else if (t.type != JSON_ARRAY)
        snprintf(why, WHY_MAX, "its member `%.80s` is no list of rows", path);
    d->rows = t.raw;
    return good && t.raw.p && t.type == JSON_ARRAY;
}

/* The last member of an object may be unescaped into scratch that the next look takes: so it is copied. */
static void read_next(struct json_reader *r, struct slice body, const char *path, struct rest_document *d)
{
    struct json_token t;
    size_t n = strcspn(path, ".");
    struct slice at = body;
    for (;; path += n + 1, n = strcspn(path, ".")) {
        bool good = find_member(r, at, (struct slice){path, n}, &t) && t.raw.p;
        if (!good)
            return;
        if (!path[n])
            break;
        at = t.raw;
    }
    d->has_next = true;
    if (t.type == JSON_NULL || t.type == JSON_FALSE || t.has_nul || t.has_bad_text)
        return;
    struct json_token again;
    json_begin(r, t.raw); /* the string's own text, which what came behind it may have taken */
    if (!json_value(r, &again) || again.type >= JSON_ARRAY)
        return;
    d->next_text = xstrndup(again.text.p, again.text.n);
    d->next = (struct slice){d->next_text, again.text.n};
}

bool rest_document_read(struct json_reader *r, struct slice body, const struct rest_places *places,
    struct rest_document *ret, char ret_why[WHY_MAX], bool *ret_is_json)
{
    struct rest_document d = {0};
    if (body.n >= 3 && memcmp(body.p, "\xef\xbb\xbf", 3) == 0)
        body = (struct slice){body.p + 3, body.n - 3};
    r->lenient = true;
    *ret_is_json = false;
    if (!read_rows(r, body, places->rows, &d, ret_why, ret_is_json))
        return false;
    if (places->next && *places->rows)
        read_next(r, body, places->next, &d);
    *ret = d;
    return true;
}

void rest_document_done(struct rest_document *d)
{
    free(d->next_text);
    *d = (struct rest_document){0};
}

/* Whether one of the blank-separated words is "next". */
static bool says_next(const char *p, size_t n)
{
    while (n > 0) {
        while (n > 0 && (*p == ' ' || *p == '"'))
            p++, n--;
        size_t word = 0;
        while (word < n && p[word] != ' ' && p[word] != '"')
            word++;
        if (word == 4 && strncasecmp(p, "next", 4) == 0)
            return true;
        p += word;
        n -= word;
    }
    return false;
}

/* The end of one link's parameters: a comma that is in no quotes. */
static const char *link_end(const char *p)
{
    for (bool quoted = false; *p && (quoted || *p != ','); p++)
        quoted ^= *p == '"';
    return p;
}

static bool link_is_next(const char *p, const char *end)
{
    for (; p < end; p++) {
        if (*p != ';')
            continue;
        const char *q = p + 1 + strspn(p + 1, " \t");
        if (strncasecmp(q, "rel=", 4) != 0)
            continue;
        q += 4;
        const char *stop = *q == '"' ? strchr(q + 1, '"') : q + strcspn(q, ";, ");
        return stop && stop <= end && says_next(q, (size_t)(stop - q));
    }
    return false;
}

struct slice rest_link_next(const char *header)
{
    for (const char *p = header; *p;) {
        p += strspn(p, " \t,");
        const char *close = *p == '<' ? strchr(p, '>') : NULL;
        if (!close)
            break;
        const char *end = link_end(close + 1);
        if (link_is_next(close + 1, end))
            return (struct slice){p + 1, (size_t)(close - p - 1)};
        p = end;
    }
    return (struct slice){"", 0};
}
