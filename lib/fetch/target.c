#include "fetch/target.h"

#include "util/url.h"

#include <curl/curl.h>

DEFINE_CLEANUP(CURLU *, curlup, curl_url_cleanup)

static char *part(CURLU *u, CURLUPart what, unsigned flags)
{
    char *text = NULL;
    if (curl_url_get(u, what, &text, flags) != CURLUE_OK)
        return NULL;
    char *copy = xstrdup(text);
    curl_free(text);
    return copy;
}

static int refuse(struct fetch_fault *fault, const char *text, const char *why)
{
    _cleanup_free_ char *label = url_redact(text);
    return fetch_fault_set(fault, false, "cannot fetch %s: %s", label, why);
}

static int take_apart(CURLU *u, const char *text, struct target *t, struct fetch_fault *fault)
{
    t->scheme = part(u, CURLUPART_SCHEME, 0);
    if (!t->scheme || (strcmp(t->scheme, "http") != 0 && strcmp(t->scheme, "https") != 0))
        return refuse(fault, text, "only http, https and file are fetched");
    t->user = part(u, CURLUPART_USER, CURLU_URLDECODE);
    t->password = part(u, CURLUPART_PASSWORD, CURLU_URLDECODE);
    t->host = part(u, CURLUPART_HOST, 0);
    t->port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    t->path = part(u, CURLUPART_PATH, CURLU_URLDECODE);
    curl_url_set(u, CURLUPART_USER, NULL, 0);
    curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
    curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
    t->url = part(u, CURLUPART_URL, 0);
    if (!t->host || !t->port || !t->path || !t->url)
        return refuse(fault, text, "its host or its path is not sound (a control character, perhaps)");
    t->label = url_redact(t->url);
    return 0;
}

int target_parse(
    const char *text, const struct target *base, struct target *ret_target, struct fetch_fault *fault)
{
    _cleanup_(curlup) CURLU *u = curl_url();
    _cleanup_target_ struct target t = {0};
    if (!u)
        return refuse(fault, text, "no memory");
    CURLUcode code = base ? curl_url_set(u, CURLUPART_URL, base->url, 0) : CURLUE_OK;
    if (code == CURLUE_OK)
        code = curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    if (code != CURLUE_OK)
        return refuse(fault, text, curl_url_strerror(code));
    if (take_apart(u, text, &t, fault) < 0)
        return -1;
    *ret_target = t;
    t = (struct target){0};
    return 0;
}

void target_done(struct target *t)
{
    free(t->url);
    free(t->user);
    free(t->password);
    free(t->scheme);
    free(t->host);
    free(t->port);
    free(t->path);
    free(t->label);
    *t = (struct target){0};
}

bool target_is_https(const struct target *t)
{
    return strcmp(t->scheme, "https") == 0;
}

bool target_same_origin(const struct target *a, const struct target *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0 &&
           strcmp(a->port, b->port) == 0;
}

char *target_full_url(const struct target *t)
{
    _cleanup_(curlup) CURLU *u = curl_url();
    char *full = NULL;
    if (u && curl_url_set(u, CURLUPART_URL, t->url, 0) == CURLUE_OK &&
        (!t->user || curl_url_set(u, CURLUPART_USER, t->user, CURLU_URLENCODE) == CURLUE_OK) &&
        (!t->password || curl_url_set(u, CURLUPART_PASSWORD, t->password, CURLU_URLENCODE) == CURLUE_OK))
        full = part(u, CURLUPART_URL, 0);
    return full ? full : xstrdup(t->url);
}

char *target_tidy(struct slice text)
{
    _cleanup_buffer_ struct buffer out = {0};
    while (text.n > 0 && text.p[text.n - 1] == ' ')
        text.n--;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < ' ' || c == 0x7F || (c == ' ' && out.n == 0))
            continue;
        if (c == ' ' || c >= 0x80 || strchr("\"<>\\^`{|}", c))
            buffer_printf(&out, "%%%02X", c);
        else
            buffer_put(&out, &text.p[i], 1);
    }
    return xstrdup(buffer_string(&out));
}
