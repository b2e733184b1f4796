/* An object's facts and its bytes. A download that breaks goes on where it broke (Range), and only with the version that it
 * began with (If-Match). */
#include "store/s3_inside.h"

#include "util/clock.h"

#include <errno.h>
#include <inttypes.h>

/* Without its quotes; "" where there is none. */
static char *plain_etag(const char *etag)
{
    return answer_etag_is_strong(etag) ? xstrndup(etag + 1, strlen(etag) - 2) : xstrdup("");
}

/* ---- facts ---- */

/* The answer to a HEAD has no body that says why not: that to a GET of one byte has. 1: that went well. */
static int learn_why(struct s3 *s, const char *key, struct store_fault *fault)
{
    _cleanup_buffer_ struct buffer byte = {0};
    struct store_fault why;
    struct s3_ask ask = {.method = "GET", .verb = "look at", .key = key, .headers = {"Range: bytes=0-0"}};
    if (fault->status < 400 || fault->status >= 500)
        return -1;
    if (s3_talk(s, &ask, S3_ANSWER_MAX, &byte, NULL, NULL, &why) == 0)
        return 1;
    if (why.status != 416) /* it is there, and empty */
        *fault = why;
    return -1;
}

static int ask_head(struct s3 *s, const char *key, struct answer *ret_answer, struct store_fault *fault)
{
    _cleanup_buffer_ struct buffer nothing = {0};
    struct s3_ask ask = {.method = "HEAD", .verb = "look at", .key = key};
    for (int i = 0; s3_talk(s, &ask, 0, &nothing, ret_answer, NULL, fault) < 0; i++)
        if (i == s->retries || learn_why(s, key, fault) < 0)
            return -1;
    return 0;
}

int s3_head(struct store *store, const char *key, struct store_object *ret_object, struct store_fault *fault)
{
    struct s3 *s = (struct s3 *)store;
    _cleanup_answer_ struct answer a = {0};
    if (ask_head(s, key, &a, fault) < 0)
        return -1;
    if (a.length < 0)
        return store_fault_set(fault, false,
            "cannot look at %s in %s: the server does not say how long it is", key, store->label);
    _cleanup_free_ char *etag = plain_etag(a.etag);
    time_t at = a.last_modified ? curl_getdate(a.last_modified, NULL) : -1;
    buffer_reset(&store->facts, 4096);
    buffer_put(&store->facts, key, strlen(key) + 1);
    buffer_put(&store->facts, etag, strlen(etag) + 1);
    *ret_object = (struct store_object){
        store->facts.p, store->facts.p + strlen(key) + 1, a.length, at < 0 ? 0 : (int64_t)at * US_PER_SEC};
    return 0;
}

/* ---- into memory ---- */

int s3_get(struct store *store, const char *key, size_t max, struct buffer *into, struct store_fault *fault)
{
    struct s3_ask ask = {.method = "GET", .verb = "read", .key = key};
    return s3_talk((struct s3 *)store, &ask, max, into, NULL, NULL, fault);
}

/* ---- into a file ---- */

struct download {
    struct s3 *s;
    const char *key, *path;
    char *etag; /* the version: as wanted, or as begun; "": not known */
    int fd;
    int64_t at, total; /* total: -1 until the first answer, or not promised */
    int failures;      /* in a row without a byte */
};

static int restart(struct download *d, struct store_fault *fault)
{
    d->at = 0;
    if (ftruncate(d->fd, 0) < 0 || lseek(d->fd, 0, SEEK_SET) < 0)
        return store_fault_set(fault, false, "cannot write %s: %s", d->path, strerror(errno));
    return 0;
}

/* Is it the version, and from the byte that was asked for? */
static int judge(struct download *d, const struct answer *a, struct store_fault *fault)
{
    _cleanup_free_ char *etag = plain_etag(a->etag);
    if (*d->etag && *etag && strcmp(d->etag, etag) != 0)
        return store_changed(&d->s->base, d->key, fault);
    if (d->at > 0 && (a->status != 206 || a->range_at != d->at)) {
        if (a->status != 200)
            return store_fault_set(fault, false,
                "cannot read %s in %s: the server sends another part than was asked for", d->key,
                d->s->base.label);
        if (restart(d, fault) < 0) /* it knows no ranges: from the start then */
            return -1;
    }
    if (a->length == -2)
        return store_fault_set(
            fault, false, "cannot read %s in %s: its Content-Length is no number", d->key, d->s->base.label);
    d->total = a->length < 0 ? -1 : d->at + a->length;
    free(d->etag);
    d->etag = TAKE(etag);
    return 0;
}

static int ask_on(struct download *d, struct store_fault *fault)
{
    _cleanup_answer_ struct answer a = {0};
    _cleanup_free_ char *match = xasprintf("If-Match: \"%s\"", d->etag),
                        *range = xasprintf("Range: bytes=%" PRId64 "-", d->at);
    struct s3_ask ask = {.method = "GET", .verb = "read", .key = d->key};
    if (d->at > 0 && !*d->etag && restart(d, fault) < 0) /* nothing tells whether it is the same */
        return -1;
    size_t n = 0;
    if (*d->etag)
        ask.headers[n++] = match;
    if (d->at > 0)
        ask.headers[n++] = range;
    if (s3_begin(d->s, &ask, &a, fault) < 0) {
        if (fault->status == 416)
            store_changed(&d->s->base, d->key, fault);
        return -1;
    }
    return judge(d, &a, fault);
}

static int keep(struct download *d, size_t n, struct store_fault *fault)
{
    if (local_write(d->fd, d->s->block, n) < 0)
        return store_fault_set(fault, errno == EIO, "cannot write %s, for %s of %s: %s%s", d->path, d->key,
            d->s->base.label, strerror(errno), errno == ENOSPC || errno == EDQUOT ? "; make room there" : "");
    d->at += (int64_t)n;
    d->failures = 0;
    return 0;
}

/* From where it is to its end. */
static int take_rest(struct download *d, struct store_fault *fault)
{
    enum request_end end;
    size_t got;
    if (ask_on(d, fault) < 0)
        return -1;
    while ((got = request_read(d->s->request, d->s->block, S3_BLOCK, &end)) > 0)
        if (keep(d, got, fault) < 0)
            return -1;
    if (end == REQUEST_COMPLETE && (d->total < 0 || d->at == d->total))
        return 0;
    return store_fault_set(fault, true, "cannot read %s in %s: it broke off after %" PRId64 " bytes: %s",
        d->key, d->s->base.label, d->at,
        end == REQUEST_BROKEN ? request_why(d->s->request) : "not all that was promised came");
}

static void download_done(struct download *d)
{
    free(d->etag);
    closep(&d->fd);
}

int s3_get_file(
    struct store *store, const char *key, const char *etag, const char *path, struct store_fault *fault)
{
    struct s3 *s = (struct s3 *)store;
    _cleanup_(download_done) struct download d = {.s = s, .key = key, .path = path, .fd = -1, .total = -1};
    if (etag && etag[strcspn(etag, "\"\r\n")])
        return store_changed(store, key, fault); /* no version has such a name */
    d.etag = xstrdup(etag ? etag : "");
    d.fd = local_create(path, fault);
    if (d.fd < 0)
        return -1;
    if (!s->block)
        s->block = xcalloc(1, S3_BLOCK);
    while (take_rest(&d, fault) < 0) {
        request_stop(s->request);
        if (!s3_again(s, ++d.failures, fault))
            return -1;
    }
    *fault = (struct store_fault){0};
    return 0;
}
