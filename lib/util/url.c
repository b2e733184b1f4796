#include "util/url.h"

#include "util/buffer.h"

#include <event2/event.h>
#include <event2/http.h>

#define HIDDEN "…"

static char *decode(const char *s)
{
    return s ? evhttp_uridecode(s, 0, NULL) : NULL;
}

static char *decode_host(const char *host)
{
    if (!host || !*host)
        return NULL;
    size_t n = strlen(host);
    if (host[0] == '[' && host[n - 1] == ']')
        return xstrndup(host + 1, n - 2);
    return decode(host);
}

int url_parse(const char *text, struct url *ret, struct error *err)
{
    if (strstr(
            text, "%00")) /* decoded it would end the string early, and what is checked is not what is used */
        return error_set(err, "this URL holds a NUL (%%00)");
    struct evhttp_uri *uri = evhttp_uri_parse(text);
    if (!uri || !evhttp_uri_get_scheme(uri)) {
        if (uri)
            evhttp_uri_free(uri);
        return error_set(err, "this is not a URL (expected scheme://host/path)");
    }
    struct url u = {0};
    const char *info = evhttp_uri_get_userinfo(uri);
    const char *colon = info ? strchr(info, ':') : NULL;
    if (info && *info && colon != info) {
        _cleanup_free_ char *user = colon ? xstrndup(info, (size_t)(colon - info)) : xstrdup(info);
        u.user = decode(user);
    }
    u.scheme = xstrdup(evhttp_uri_get_scheme(uri));
    u.password = colon ? decode(colon + 1) : NULL;
    u.host = decode_host(evhttp_uri_get_host(uri));
    u.port = MAX(evhttp_uri_get_port(uri), 0);
    u.path = decode(evhttp_uri_get_path(uri) ? evhttp_uri_get_path(uri) : "");
    u.query = xstrdup(evhttp_uri_get_query(uri));
    evhttp_uri_free(uri);
    *ret = u;
    return 0;
}

void url_done(struct url *u)
{
    free(u->scheme);
    free(u->user);
    free(u->password);
    free(u->host);
    free(u->path);
    free(u->query);
    *u = (struct url){0};
}

/*
 * Masking works on the text, not on a parse of it, so that a URL with a mistake in it is masked too. Each
 * step marks bytes as secret; every run of marked bytes is shown as one "…".
 */

static void hide(char *secret, const char *text, const char *from, const char *to)
{
    if (from < to)
        memset(secret + (from - text), 1, (size_t)(to - from));
}

static char *show_masked(const char *text, const char *secret)
{
    _cleanup_buffer_ struct buffer out = {0};
    for (size_t i = 0; text[i]; i++)
        if (!secret[i])
            buffer_put(&out, &text[i], 1);
        else if (i == 0 || !secret[i - 1])
            buffer_put_string(&out, HIDDEN);
    return xstrdup(buffer_string(&out));
}

/* Is this the name of a secret? One with a % may be anything once it is decoded. What ends in key may be one (api_key,
 * Subscription-Key), and nobody needs a key's value to know which URL is meant. */
static bool names_secret(const char *name, size_t n)
{
    static const char *const words[] = {"passw", "passphrase", "pwd", "secret", "token", "sig", "auth",
        "credential", "accesskey", "jwt", "%"};
    _cleanup_free_ char *copy = xstrndup(name, n);
    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        if (strcasestr(copy, words[i]))
            return true;
    return n >= 3 && strcasecmp(copy + n - 3, "key") == 0;
}

/* Values of a URL's query: ?password=… and &sslpassword=… */
static void hide_query(char *secret, const char *text, const char *query)
{
    for (const char *name = query; name; name = strpbrk(name, "&;#")) {
        name++;
        size_t n = strcspn(name, "=&;#");
        if (name[n] == '=' && names_secret(name, n))
            hide(secret, text, name + n + 1, name + n + strcspn(name + n, "&"));
    }
}

/* Digits, and for several hosts (h1:5432,h2:5432) what belongs to the next one. */
static bool port_list(const char *p, const char *end)
{
    size_t n = strspn(p, "0123456789");
    return p + n >= end || p[n] == ',';
}

/* From the first colon to the last @, wherever that is: a password may hold a raw / or ? or @ by mistake.
 * Without an @ it may have been forgotten: what is not a port is a password then. */
static void hide_userinfo(char *secret, const char *text, const char *start)
{
    const char *at = strrchr(start, '@');
    const char *colon = strchr(start, ':');
    if (at && colon && colon < at)
        return hide(secret, text, colon + 1, at);
    const char *end = start + strcspn(start, "/?#");
    const char *port = *start == '[' ? strchr(start, ']') : start;
    for (port = port ? port : start; port < end; port++)
        if (*port == ':' && !port_list(port + 1, end))
            return hide(secret, text, port + 1, end);
}

static const char *after_scheme(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    return n > 0 && strncmp(text + n, "://", 3) == 0 ? text + n + 3 : NULL;
}

bool url_hides_query(const char *shown)
{
    const char *query = strchr(shown, '?');
    return query && strstr(query, HIDDEN);
}

char *url_redact(const char *text)
{
    const char *start = after_scheme(text);
    if (!start)
        return xstrdup("(not a URL)");
    _cleanup_free_ char *secret = xcalloc(strlen(text) + 1, 1);
    hide_userinfo(secret, text, start);
    hide_query(secret, text, strchr(start, '?'));
    return show_masked(text, secret);
}

void url_scrub(char *text)
{
    const char *start = strstr(text, "://");
    if (!start)
        return;
    _cleanup_free_ char *secret = xcalloc(strlen(text) + 1, 1);
    hide_userinfo(secret, text, start + 3);
    hide_query(secret, text, strchr(start, '?'));
    for (size_t i = 0; text[i]; i++)
        text[i] = secret[i] ? 'x' : text[i];
}

/* The end of a value of libpq's words: 'quoted' or bare, both with \ before a byte meant as such. */
static const char *value_end(const char *p)
{
    bool quoted = *p == '\'';
    for (p += quoted; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (quoted ? *p == '\'' : strchr(" \t\r\n\f\v", *p) != NULL)
            return quoted ? p + 1 : p;
    }
    return p;
}

static char *redact_words(const char *text)
{
    static const char space[] = " \t\r\n\f\v";
    _cleanup_free_ char *secret = xcalloc(strlen(text) + 1, 1);
    for (const char *p = text; *p;) {
        p += strspn(p, space);
        size_t n = strcspn(p, "= \t\r\n\f\v");
        const char *equals = p + n + strspn(p + n, space);
        if (*equals != '=') {
            p += n;
            continue;
        }
        const char *value = equals + 1 + strspn(equals + 1, space);
        const char *end = value_end(value);
        if (names_secret(p, n))
            hide(secret, text, value, end);
        p = end;
    }
    return show_masked(text, secret);
}

char *url_redact_connection(const char *text)
{
    return after_scheme(text) ? url_redact(text) : redact_words(text);
}
