#include "stream/frame.h"

#include <endian.h>

/* Memory that one large frame took is given back. */
#define KEEP_CAPACITY FRAME_KEPT

void frame_reader_init(struct frame_reader *r, uint64_t max_entry, uint64_t max_length)
{
    *r = (struct frame_reader){.max_entry = max_entry, .max_length = MIN(max_length, FRAME_LENGTH_MAX)};
}

void frame_reader_done(struct frame_reader *r)
{
    buffer_done(&r->kept);
}

bool frame_reader_is_idle(const struct frame_reader *r)
{
    return r->state == FRAME_IN_LENGTH && r->n_length == 0;
}

bool frame_reader_is_lost(const struct frame_reader *r)
{
    return r->state == FRAME_LOST;
}

static void begin(struct frame_reader *r)
{
    r->state = FRAME_IN_LENGTH;
    r->n_length = 0;
    r->size = r->got = 0;
    r->is_spent = true;
}

static void complete(struct frame_reader *r, enum reason reason, struct slice payload, struct frame *ret)
{
    *ret = (struct frame){true, reason, payload, r->size};
    begin(r);
}

static struct slice kept_bytes(const struct frame_reader *r)
{
    return (struct slice){r->kept.n ? r->kept.p : "", r->kept.n};
}

/* Keeps of n bytes what there is room for up to `most` in all. False: there is no memory for them. */
static bool keep(struct frame_reader *r, const char *p, size_t n, uint64_t most)
{
    if (r->kept.n >= most)
        return true;
    n = (size_t)MIN((uint64_t)n, most - r->kept.n);
    if (!buffer_reserve(&r->kept, n))
        return false;
    buffer_put(&r->kept, p, n);
    return true;
}

/* The length cannot be true: what came so far is garbage, and so is what follows. */
static void lose(struct frame_reader *r, const char *p, size_t n)
{
    r->state = FRAME_LOST;
    r->size = n;
    keep(r, p, n, FRAME_KEPT);
}

/* A frame of that length begins. */
static void take_length(struct frame_reader *r, struct frame *ret)
{
    static const unsigned char zeros[FRAME_LENGTH_SIZE - sizeof(uint64_t)];
    uint64_t n;
    memcpy(&n, r->length + sizeof(zeros), sizeof(n));
    n = be64toh(n);
    if (memcmp(r->length, zeros, sizeof(zeros)) != 0 || n > r->max_length) {
        lose(r, (const char *)r->length, sizeof(r->length));
        return;
    }
    r->size = n;
    r->state = n > r->max_entry ? FRAME_SKIPPING : FRAME_IN_BODY;
    if (n == 0)
        complete(r, REASON_EMPTY, (struct slice){"", 0}, ret);
}

static size_t feed_length(struct frame_reader *r, const char *p, size_t n, struct frame *ret)
{
    size_t take = MIN(n, sizeof(r->length) - r->n_length);
    memcpy(r->length + r->n_length, p, take);
    r->n_length += take;
    if (r->n_length == sizeof(r->length))
        take_length(r, ret);
    return take;
}

static size_t feed_body(struct frame_reader *r, const char *p, size_t n, struct frame *ret)
{
    size_t take = (size_t)MIN((uint64_t)n, r->size - r->got);
    if (r->got == 0 && take == r->size) {
        complete(r, REASON_NONE, (struct slice){p, take}, ret);
        return take;
    }
    /* No memory for it is a limit like max_entry, only lower. */
    if (!keep(r, p, take, r->size)) {
        r->state = FRAME_SKIPPING;
        return 0;
    }
    r->got += take;
    if (r->got == r->size)
        complete(r, REASON_NONE, kept_bytes(r), ret);
    return take;
}

static size_t skip_body(struct frame_reader *r, const char *p, size_t n, struct frame *ret)
{
    size_t take = (size_t)MIN((uint64_t)n, r->size - r->got);
    keep(r, p, take, FRAME_KEPT);
    r->got += take;
    if (r->got == r->size)
        complete(
            r, REASON_TOO_LARGE, (struct slice){kept_bytes(r).p, MIN(r->kept.n, (size_t)FRAME_KEPT)}, ret);
    return take;
}

static void forget_spent(struct frame_reader *r)
{
    if (r->is_spent)
        buffer_reset(&r->kept, KEEP_CAPACITY);
    r->is_spent = false;
}

size_t frame_reader_feed(struct frame_reader *r, const char *p, size_t n, struct frame *ret)
{
    size_t taken = 0;
    forget_spent(r);
    *ret = (struct frame){0};
    while (taken < n && !ret->complete)
        switch (r->state) {
        case FRAME_IN_LENGTH:
            taken += feed_length(r, p + taken, n - taken, ret);
            break;
        case FRAME_IN_BODY:
            taken += feed_body(r, p + taken, n - taken, ret);
            break;
        case FRAME_SKIPPING:
            taken += skip_body(r, p + taken, n - taken, ret);
            break;
        case FRAME_LOST:
            keep(r, p + taken, n - taken, FRAME_KEPT);
            r->size += n - taken;
            return n;
        }
    return taken;
}

void frame_reader_end(struct frame_reader *r, struct frame *ret)
{
    forget_spent(r);
    *ret = (struct frame){0};
    if (frame_reader_is_idle(r))
        return;
    struct slice payload = kept_bytes(r);
    if (r->state == FRAME_LOST) {
        complete(r, REASON_BAD_FRAME, payload, ret);
        return;
    }
    /* Cut within its length: the length's bytes are all there is. */
    if (r->state == FRAME_IN_LENGTH) {
        r->size = 0;
        payload = (struct slice){(const char *)r->length, r->n_length};
    }
    complete(r, REASON_CUT_OFF, payload, ret);
}

void frame_reader_lose(struct frame_reader *r)
{
    forget_spent(r);
    if (r->state == FRAME_LOST)
        return;
    if (r->state == FRAME_IN_LENGTH)
        lose(r, (const char *)r->length, r->n_length);
    else
        lose(r, "", 0);
    r->size = r->n_length + r->got;
    if (r->kept.n > FRAME_KEPT)
        r->kept.n = FRAME_KEPT;
}
