/* What all wires have in common, and the look ahead into one. */
#include "fetch/inside.h"

#include "util/url.h"

void wire_init(struct wire *w, const struct wire_driver *driver, const char *url)
{
    w->driver = driver;
    w->label = url_redact(url);
    w->modified_us = w->total = -1;
    sha256_init(&w->sha256);
}

void wire_done(struct wire *w)
{
    free(w->label);
    free(w->url);
    free(w->name);
    free(w->etag);
    free(w->last_modified);
    free(w->content_type);
}

static void finish_sum(struct wire *w)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    if (w->sum[0])
        return;
    sha256_digest(&w->sha256, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(w->sum + 2 * i, 3, "%02x", digest[i]);
}

ssize_t wire_read(struct wire *w, char *p, size_t n, struct fetch_fault *fault)
{
    ssize_t got = w->driver->read(w, p, n, fault);
    if (got > 0) {
        sha256_update(&w->sha256, (size_t)got, (const uint8_t *)p);
        w->received += got;
    } else if (got == 0)
        finish_sum(w);
    return got;
}

int intake_peek(struct intake *in, size_t want, struct slice *ret_bytes, struct fetch_fault *fault)
{
    if (in->at > 0) {
        memmove(in->block, in->block + in->at, in->n - in->at);
        in->n -= in->at;
        in->at = 0;
    }
    while (in->n < want) {
        ssize_t got = wire_read(in->wire, in->block + in->n, INTAKE_BLOCK - in->n, fault);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        in->n += (size_t)got;
    }
    *ret_bytes = (struct slice){in->block, MIN(in->n, want)};
    return 0;
}

int intake_take(struct intake *in, struct slice *ret_bytes, struct fetch_fault *fault)
{
    if (in->at == in->n) {
        ssize_t got = wire_read(in->wire, in->block, INTAKE_BLOCK, fault);
        if (got < 0)
            return -1;
        in->at = 0;
        in->n = (size_t)got;
    }
    *ret_bytes = (struct slice){in->block + in->at, in->n - in->at};
    in->at = in->n;
    return 0;
}
