#include "util/url.h"

#include <event2/event.h>
#include <event2/http.h>

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
    struct evhttp_uri *uri = evhttp_uri_parse(text);
    if (!uri || !evhttp_uri_get_scheme(uri)) {
        if (uri)
            evhttp_uri_free(uri);
        return error_set(err, "this is not a URL (expected scheme://host/path)");
    }
    struct url u = {0};
    const char *info = evhttp_uri_get_userinfo(uri);
    const char *colon = info ? strchr(info, ':') : NULL;
    if (info && *info) {
        char *user = colon ? xstrndup(info, (size_t)(colon - info)) : xstrdup(info);
        u.user = decode(user);
        free(user);
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

/* Works on the text, not on a parse of it, so that a URL with a mistake in it is redacted too: everything
 * between the first colon after "//" and the last @ before the path, as generously as can be. */
char *url_redact(const char *text)
{
    const char *start = strstr(text, "://");
    if (!start)
        return xstrdup("(not a URL)");
    start += 3;
    const char *at = strrchr(start, '@');
    const char *colon = strchr(start, ':');
    if (!at || !colon || colon > at)
        return xstrdup(text);
    return xasprintf("%.*s:…%s", (int)(colon - text), text, at);
}
