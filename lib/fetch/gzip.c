/*
 * gzip (RFC 1952) by zlib: one member or several, one behind the other. libarchive reads gzip too, but does not compare
 * its checksums (3.6: consume_trailer() of its gzip filter), and a damaged dump must not pass for a good one.
 */
#include "fetch/inside.h"

#include <zlib.h>

struct gzip {
    struct unpacker base;
    z_stream z;
    bool begun, between, done; /* between: a member is over, and perhaps another comes */
};

static const char *label(const struct gzip *g)
{
    return g->base.in->wire->label;
}

static int refill(struct gzip *g, struct fetch_fault *fault)
{
    struct slice more;
    if (intake_take(g->base.in, &more, fault) < 0)
        return -1;
    g->z.next_in = (Bytef *)more.p;
    g->z.avail_in = (uInt)more.n;
    return 0;
}

static int damaged(struct gzip *g, struct fetch_fault *fault)
{
    fault->wrong = FETCH_DAMAGED;
    return fetch_fault_set(fault, false, "%s is a damaged gzip: %s after %lld bytes of it", label(g),
        g->z.msg ? g->z.msg : "its data is broken", (long long)g->base.in->wire->received);
}

static int cut_off(struct gzip *g, struct fetch_fault *fault)
{
    fault->wrong = FETCH_CUT_OFF;
    return fetch_fault_set(fault, false,
        "%s is a gzip that is cut off after %lld bytes: whoever made it did not finish it", label(g),
        (long long)g->base.in->wire->received);
}

/* Behind a member: another, or zeros to fill up a block, or the end. */
static int next_member(struct gzip *g, struct fetch_fault *fault)
{
    while (g->z.avail_in > 0 && *g->z.next_in == 0) {
        g->z.next_in++;
        g->z.avail_in--;
    }
    if (g->z.avail_in == 0) {
        if (refill(g, fault) < 0)
            return -1;
        g->done = g->z.avail_in == 0;
        return 0;
    }
    if (*g->z.next_in != 0x1F) {
        fault->wrong = FETCH_DAMAGED;
        return fetch_fault_set(
            fault, false, "%s is a damaged gzip: something that is no gzip stands behind its end", label(g));
    }
    g->between = false;
    return inflateReset(&g->z) == Z_OK ? 0 : damaged(g, fault);
}

/* Some more of a member. */
static int inflate_some(struct gzip *g, struct fetch_fault *fault)
{
    if (g->z.avail_in == 0) {
        if (refill(g, fault) < 0)
            return -1;
        if (g->z.avail_in == 0)
            return cut_off(g, fault);
    }
    int code = inflate(&g->z, Z_NO_FLUSH);
    if (code == Z_STREAM_END)
        g->between = true;
    else if (code != Z_OK && code != Z_BUF_ERROR)
        return damaged(g, fault);
    return 0;
}

static int begin(struct gzip *g, struct fetch_fault *fault)
{
    if (!g->begun && inflateInit2(&g->z, 16 + MAX_WBITS) != Z_OK)
        return fetch_fault_set(fault, false, "cannot unpack %s: no memory", label(g));
    g->begun = true;
    return 0;
}

static ssize_t gzip_read(struct unpacker *u, char *p, size_t n, struct fetch_fault *fault)
{
    struct gzip *g = (struct gzip *)u;
    if (begin(g, fault) < 0)
        return -1;
    n = MIN(n, (size_t)1 << 30);
    g->z.next_out = (Bytef *)p;
    g->z.avail_out = (uInt)n;
    while (!g->done && g->z.avail_out == n)
        if ((g->between ? next_member(g, fault) : inflate_some(g, fault)) < 0)
            return -1;
    return (ssize_t)(n - g->z.avail_out);
}

static void gzip_free(struct unpacker *u)
{
    struct gzip *g = (struct gzip *)u;
    if (g->begun)
        inflateEnd(&g->z);
    free(g);
}

struct unpacker *gzip_new(struct intake *in)
{
    static const struct unpacker_driver driver = {gzip_read, gzip_free};
    struct gzip *g = xnew(struct gzip);
    g->base = (struct unpacker){.driver = &driver, .in = in};
    return &g->base;
}
