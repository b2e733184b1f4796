/*
 * Questions to the server and their answers, on a connection that is kept from one to the next. A question is signed by
 * libcurl (SigV4), which takes path, query and headers as they are written here: keys are encoded once, queries are in order.
 * What breaks, or is answered with 429 or 5xx, is asked again after a pause, or after as long as the server says.
 */
#include "store/s3_inside.h"

#include "util/clock.h"

#include <errno.h>
#include <time.h>

#define MAX_PAUSE_US (20 * US_PER_SEC)
#define REFUSAL_MAX  ((size_t)64 * 1024)
#define CONNECT_US   (10 * US_PER_SEC)

void s3_encode(struct buffer *out, const char *text, bool keep_slash)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
                     strchr("-_.~", *p) || (keep_slash && *p == '/');
        if (plain)
            buffer_put(out, p, 1);
        else
            buffer_printf(out, "%%%02X", *p);
    }
}

static void hex(const uint8_t digest[SHA256_DIGEST_SIZE], char out[SHA256_HEX])
{
    for (size_t i = 0; i < SHA256_DIGEST_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

void s3_sha256(struct slice bytes, char out[SHA256_HEX])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sum;
    sha256_init(&sum);
    sha256_update(&sum, bytes.n, (const uint8_t *)bytes.p);
    sha256_digest(&sum, sizeof(digest), digest);
    hex(digest, out);
}

int s3_sha256_file(const struct s3 *s, int fd, int64_t at, int64_t n, char out[SHA256_HEX])
{
    uint8_t digest[SHA256_DIGEST_SIZE], block[65536];
    struct sha256_ctx sum;
    if (s->tls) {
        strcpy(out, "UNSIGNED-PAYLOAD");
        return 0;
    }
    sha256_init(&sum);
    while (n > 0) {
        ssize_t got = pread(fd, block, (size_t)MIN(n, (int64_t)sizeof(block)), at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        sha256_update(&sum, (size_t)got, block);
        at += got;
        n -= got;
    }
    sha256_digest(&sum, sizeof(digest), digest);
    hex(digest, out);
    return 0;
}

char *s3_what(const struct s3 *s, const struct s3_ask *ask)
{
    return ask->key ? xasprintf("%s %s in %s", ask->verb, ask->key, s->base.label)
                    : xasprintf("%s %s", ask->verb, s->base.label);
}

/* ---- one question ---- */

static void add_header(struct s3 *s, const char *line)
{
    struct curl_slist *longer = curl_slist_append(s->sent, line);
    if (!longer)
        abort(); /* no memory */
    s->sent = longer;
}

static void make_headers(struct s3 *s, const struct s3_ask *ask)
{
    static const char nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    _cleanup_free_ char *sum = xasprintf("x-amz-content-sha256: %s", ask->sha256 ? ask->sha256 : nothing);
    _cleanup_free_ char *token = s->token ? xasprintf("x-amz-security-token: %s", s->token) : NULL;
    request_stop(s->request);
    curl_slist_free_all(s->sent);
    s->sent = NULL;
    if (s->sign)
        add_header(s, sum);
    if (token)
        add_header(s, token);
    for (size_t i = 0; i < S3_HEADERS_MAX && ask->headers[i]; i++)
        add_header(s, ask->headers[i]);
}

static char *url_of(const struct s3 *s, const struct s3_ask *ask)
{
    _cleanup_buffer_ struct buffer url = {0};
    buffer_printf(&url, "%s", s->origin);
    if (ask->key) {
        buffer_put_string(&url, "/");
        s3_encode(&url, s->prefix, true);
        s3_encode(&url, ask->key, true);
    }
    if (ask->query)
        buffer_printf(&url, "?%s", ask->query);
    return xstrdup(buffer_string(&url));
}

static int take_fault(const struct fetch_fault *why, struct store_fault *fault)
{
    return store_fault_set(fault, why->transient, "%s", why->error.text);
}

static bool is_success(int status)
{
    return status >= 200 && status < 300;
}

/* The server said no: what it says of it is read, as far as it goes. */
static int read_refusal(struct s3 *s, const struct s3_ask *ask, int status, struct store_fault *fault)
{
    _cleanup_buffer_ struct buffer body = {0};
    char block[4096];
    enum request_end end;
    size_t got;
    while (body.n < REFUSAL_MAX && (got = request_read(s->request, block, sizeof(block), &end)) > 0)
        buffer_put(&body, block, got);
    s3_refused(s, ask, status, (struct slice){body.p, body.n}, fault);
    request_stop(s->request);
    return -1;
}

int s3_begin(struct s3 *s, const struct s3_ask *ask, struct answer *ret_answer, struct store_fault *fault)
{
    _cleanup_target_ struct target t = {0};
    _cleanup_answer_ struct answer a = {0};
    _cleanup_free_ char *url = url_of(s, ask), *what = s3_what(s, ask);
    struct fetch_fault why = {0};
    s->retry_after_us = -1;
    s->no_bucket = false;
    if (target_parse(url, NULL, &t, &why) < 0)
        return take_fault(&why, fault);
    make_headers(s, ask);
    struct request_options o = {.headers = s->sent,
        .stall_us = s->stall_us,
        .connect_timeout_us = CONNECT_US,
        .ca_file = s->ca_file,
        .method = ask->method,
        .body = ask->body,
        .sign = s->sign,
        .access_key = s->access_key,
        .secret_key = s->secret_key,
        .keep = true,
        .alone = ask->alone,
        .what = what,
        .stop = s->stop};
    if (request_start(s->request, &t, &o, &a, &why) < 0) {
        request_stop(s->request);
        return take_fault(&why, fault);
    }
    s->retry_after_us = a.retry_after_us;
    if (!is_success(a.status))
        return read_refusal(s, ask, a.status, fault);
    *ret_answer = a;
    a = (struct answer){0};
    return 0;
}

int s3_read_body(
    struct s3 *s, const struct s3_ask *ask, size_t max, struct buffer *into, struct store_fault *fault)
{
    enum request_end end = REQUEST_GOES_ON;
    _cleanup_free_ char *what = s3_what(s, ask);
    for (;;) {
        size_t want = MIN((size_t)65536, max - into->n + 1);
        if (!buffer_reserve(into, want))
            return store_fault_set(fault, false, "cannot %s: no memory", what);
        size_t got = request_read(s->request, into->p + into->n, want, &end);
        into->n += got;
        if (into->n > max)
            return store_too_large(&s->base, ask->key ? ask->key : "its answer", max, fault);
        if (got == 0 && end == REQUEST_COMPLETE)
            return 0;
        if (got == 0)
            return store_fault_set(fault, true, "cannot %s: it broke off: %s", what,
                end == REQUEST_TOO_LONG ? "more came than was promised" : request_why(s->request));
    }
}

/* ---- again and again ---- */

static bool wait_a_while(const struct s3 *s, int64_t us)
{
    int64_t until = clock_mono_us() + us;
    for (int64_t left = us; left > 0; left = until - clock_mono_us()) {
        int64_t step = s->stop ? MIN(left, 100 * US_PER_MS) : left;
        struct timespec t = {.tv_sec = step / US_PER_SEC, .tv_nsec = step % US_PER_SEC * 1000};
        if (s->stop && *s->stop)
            return false;
        clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
    }
    return true;
}

bool s3_again(struct s3 *s, int failures, struct store_fault *fault)
{
    int64_t us = s->pause_us;
    if (!fault->transient || fault->changed || (s->stop && *s->stop))
        return false;
    if (failures > s->retries) {
        if (failures > 1)
            error_prefix(&fault->error, "given up after %d attempts", failures);
        return false;
    }
    for (int i = 1; i < failures && us < MAX_PAUSE_US; i++)
        us *= 2;
    return wait_a_while(s, s->retry_after_us >= 0 ? s->retry_after_us : MIN(us, MAX_PAUSE_US));
}

static int talk_once(struct s3 *s, const struct s3_ask *ask, size_t max, struct buffer *into,
    struct answer *ret_answer, struct store_fault *fault)
{
    _cleanup_answer_ struct answer a = {0};
    into->n = 0;
    if (s3_begin(s, ask, &a, fault) < 0)
        return -1;
    if (s3_read_body(s, ask, max, into, fault) < 0) {
        request_stop(s->request);
        return -1;
    }
    if (ret_answer) {
        *ret_answer = a;
        a = (struct answer){0};
    }
    return 0;
}

int s3_talk(struct s3 *s, const struct s3_ask *ask, size_t max, struct buffer *into,
    struct answer *ret_answer, int *ret_attempts, struct store_fault *fault)
{
    int attempts = 1;
    while (talk_once(s, ask, max, into, ret_answer, fault) < 0) {
        if (ret_attempts)
            *ret_attempts = attempts;
        if (!s3_again(s, attempts++, fault))
            return -1;
    }
    *fault = (struct store_fault){0};
    return 0;
}
