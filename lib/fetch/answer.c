#include "fetch/answer.h"

#include "util/clock.h"
#include "util/text.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#define VALUE_MAX 4096 /* of a header that is kept */

/* Digits alone, to *ret_end. -1 when there are none or too many. */
static int64_t take_number(const char *p, const char **ret_end)
{
    int64_t n = 0;
    if (!isdigit((unsigned char)*p))
        return -1;
    for (; isdigit((unsigned char)*p); p++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
            return -1;
    *ret_end = p;
    return n;
}

int64_t answer_retry_after(const char *value, int64_t now_us)
{
    const char *end = value;
    int64_t seconds = take_number(value, &end);
    if (isdigit((unsigned char)*value)) {
        if (seconds >= 0 && *end)
            return -1;
        return seconds < 0 || seconds > RETRY_AFTER_MAX_US / US_PER_SEC ? RETRY_AFTER_MAX_US
                                                                        : seconds * US_PER_SEC;
    }
    time_t at = curl_getdate(value, NULL);
    if (at < 0)
        return -1;
    if (at > now_us / US_PER_SEC + RETRY_AFTER_MAX_US / US_PER_SEC)
        return RETRY_AFTER_MAX_US;
    int64_t wait = at * US_PER_SEC - now_us;
    return MAX(wait, 0);
}

bool answer_content_range(const char *value, int64_t *ret_at, int64_t *ret_total)
{
    int64_t at = -1, total = -1, last = -1;
    if (strncasecmp(value, "bytes ", 6) != 0)
        return false;
    const char *p = value + 6;
    if (*p == '*')
        p++;
    else {
        if ((at = take_number(p, &p)) < 0 || *p != '-' || (last = take_number(p + 1, &p)) < at)
            return false;
    }
    if (*p++ != '/')
        return false;
    if (strcmp(p, "*") == 0)
        p++;
    else if ((total = take_number(p, &p)) < 0 || (at >= 0 && last >= total))
        return false;
    if (*p)
        return false;
    *ret_at = at;
    *ret_total = total;
    return true;
}

bool answer_etag_is_strong(const char *etag)
{
    size_t n = etag ? strlen(etag) : 0;
    return n >= 2 && n <= 1024 && etag[0] == '"' && etag[n - 1] == '"';
}

/* ---- Content-Disposition (RFC 6266) ---- */

/* One value behind a =: a token, or a quoted string. A new string; *at moves behind it. */
static char *take_value(const char **at)
{
    _cleanup_buffer_ struct buffer out = {0};
    const char *p = *at;
    if (*p != '"') {
        size_t n = strcspn(p, "; \t");
        *at = p + n;
        return xstrndup(p, n);
    }
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1])
            p++;
        buffer_put(&out, p, 1);
    }
    *at = *p ? p + 1 : p;
    return xstrdup(buffer_string(&out));
}

/* UTF-8''na%C3%AFve.csv (RFC 8187); NULL when it is of another encoding, or holds a NUL. */
static char *decode_extended(const char *value)
{
    const char *text = strncasecmp(value, "utf-8'", 6) == 0 ? strchr(value + 6, '\'') : NULL;
    int n;
    if (!text || strstr(text, "%00"))
        return NULL;
    char *raw = curl_easy_unescape(NULL, text + 1, 0, &n);
    char *copy = xstrdup(raw);
    curl_free(raw);
    return copy;
}

/* A name of a file and no more: no folders, no control characters. */
static char *tidy_name(char *name)
{
    if (!name)
        return NULL;
    char *slash = strrchr(name, '/'), *backslash = strrchr(name, '\\');
    char *last = MAX(slash, backslash);
    if (last)
        memmove(name, last + 1, strlen(last + 1) + 1);
    text_make_printable(name);
    if (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strlen(name) <= 255)
        return name;
    free(name);
    return NULL;
}

char *answer_disposition_name(const char *value)
{
    _cleanup_free_ char *plain = NULL, *extended = NULL;
    const char *p = value + strcspn(value, ";");
    while (*p == ';') {
        p += 1 + strspn(p + 1, " \t");
        size_t n = strcspn(p, "=;");
        const char *name = p;
        p += n;
        while (n > 0 && (name[n - 1] == ' ' || name[n - 1] == '\t'))
            n--;
        if (*p != '=')
            continue;
        p += 1 + strspn(p + 1, " \t");
        char *got = take_value(&p);
        p += strcspn(p, ";");
        if (n == 9 && strncasecmp(name, "filename*", 9) == 0 && !extended)
            extended = decode_extended(got);
        else if (n == 8 && strncasecmp(name, "filename", 8) == 0 && !plain)
            plain = TAKE(got);
        free(got);
    }
    char *tidy = tidy_name(TAKE(extended));
    return tidy ? tidy : tidy_name(TAKE(plain));
}

/* ---- all of it ---- */

const char *answer_header(CURL *easy, const char *name)
{
    struct curl_header *h;
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    return strlen(h->value) <= VALUE_MAX ? h->value : NULL;
}

/* All of that name must say the same. */
static int64_t read_length(CURL *easy)
{
    struct curl_header *h;
    int64_t length = -1;
    const char *coding = answer_header(easy, "Transfer-Encoding"), *end;
    if (coding && strcasestr(coding, "chunked")) /* then it does not count (RFC 9112, 6.3) */
        return -1;
    for (size_t i = 0; curl_easy_header(easy, "Content-Length", i, CURLH_HEADER, -1, &h) == CURLHE_OK; i++) {
        int64_t n = take_number(h->value, &end);
        if (n < 0 || *end || (length >= 0 && n != length))
            return -2;
        length = n;
    }
    return length;
}

static bool is_odd_encoding(const char *coding)
{
    return coding && *coding && strcasecmp(coding, "identity") != 0 && strcasecmp(coding, "gzip") != 0 &&
           strcasecmp(coding, "x-gzip") != 0;
}

/* "HTTP/1.1 404 Not Found" */
static void read_reason(const char *line, struct answer *a)
{
    const char *p = strchr(line, ' ');
    p = p ? strchr(p + 1, ' ') : NULL;
    snprintf(a->reason, sizeof(a->reason), "%s", p ? p + 1 : "");
    text_make_printable(a->reason);
}

void answer_read(CURL *easy, const char *status_line, struct answer *ret_answer)
{
    struct answer a = {.retry_after_us = -1, .range_at = -1, .range_total = -1};
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    a.status = (int)status;
    read_reason(status_line, &a);
    a.etag = xstrdup(answer_header(easy, "ETag"));
    a.last_modified = xstrdup(answer_header(easy, "Last-Modified"));
    a.content_type = xstrdup(answer_header(easy, "Content-Type"));
    a.location = xstrdup(answer_header(easy, "Location"));
    a.length = read_length(easy);
    const char *disposition = answer_header(easy, "Content-Disposition"),
               *retry = answer_header(easy, "Retry-After"), *range = answer_header(easy, "Content-Range");
    a.name = disposition ? answer_disposition_name(disposition) : NULL;
    if (retry)
        a.retry_after_us = answer_retry_after(retry, clock_wall_us());
    if (range)
        answer_content_range(range, &a.range_at, &a.range_total);
    a.odd_encoding = is_odd_encoding(answer_header(easy, "Content-Encoding"));
    *ret_answer = a;
}

void answer_done(struct answer *a)
{
    free(a->etag);
    free(a->last_modified);
    free(a->content_type);
    free(a->name);
    free(a->location);
    *a = (struct answer){0};
}

/* ---- what its status means ---- */

bool answer_is_transient(int status)
{
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

const char *answer_advice(int status)
{
    static const struct {
        int status;
        const char *words;
    } list[] = {
        {401, ": check the user and the password in its URL"},
        {403, ": it does not let us have it; check the user, or the address it allows"},
        {404, ": check the path"},
        {407, ": the proxy wants a user and a password"},
        {410, ": it is gone for good"},
        {429, ": it is asked too often"},
        {503, ": it is overloaded, or under repair"},
    };
    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        if (list[i].status == status)
            return list[i].words;
    return "";
}
