/*
 * The frame reader, twice over the same bytes: in pieces whose sizes the input chooses, and byte by byte.
 * Both must see the same frames, and account for every byte. The first byte of the input seeds the sizes; a
 * byte 0xEE between two pieces stands for the end of a pipe, 0xED for missing bytes.
 */
#include "stream/frame.h"

#define MAX_ENTRY  4096
#define MAX_LENGTH 100000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct sum {
    size_t n_frames;
    uint64_t hash;
};

static void add(struct sum *sum, const struct frame *f)
{
    if (!f->complete)
        return;
    sum->n_frames++;
    sum->hash = sum->hash * 31 + (uint64_t)f->reason;
    sum->hash = sum->hash * 31 + f->size;
    for (size_t i = 0; i < f->payload.n; i++)
        sum->hash = sum->hash * 31 + (unsigned char)f->payload.p[i];
    if (f->reason == REASON_NONE && (f->payload.n != f->size || f->size > MAX_ENTRY))
        abort();
    if (f->reason != REASON_NONE && f->payload.n > FRAME_KEPT)
        abort();
}

static void feed(struct frame_reader *r, const char *p, size_t n, struct sum *sum)
{
    while (n > 0) {
        struct frame f;
        size_t took = frame_reader_feed(r, p, n, &f);
        if (took == 0 || took > n)
            abort();
        add(sum, &f);
        p += took;
        n -= took;
    }
    if (r->kept.cap > MAX(FRAME_KEPT, MAX_ENTRY) * 2)
        abort();
}

static void end(struct frame_reader *r, struct sum *sum)
{
    struct frame f;
    frame_reader_end(r, &f);
    add(sum, &f);
    if (!frame_reader_is_idle(r))
        abort();
}

static struct sum read_all(const uint8_t *bytes, size_t n, size_t step)
{
    struct frame_reader r;
    struct sum sum = {0};
    frame_reader_init(&r, MAX_ENTRY, MAX_LENGTH);
    size_t block = n ? (size_t)bytes[0] + 1 : 1;
    for (size_t at = 1; at < n;) {
        size_t block_end = MIN(at + block, n);
        for (; at < block_end; at += MIN(step, block_end - at))
            feed(&r, (const char *)bytes + at, MIN(step, block_end - at), &sum);
        if (at < n && bytes[at] == 0xEE)
            end(&r, &sum);
        else if (at < n && bytes[at] == 0xED)
            frame_reader_lose(&r);
        else
            continue;
        at++;
    }
    end(&r, &sum);
    frame_reader_done(&r);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct sum whole = read_all(bytes, n, SIZE_MAX), single = read_all(bytes, n, 1),
               some = read_all(bytes, n, 7);
    if (whole.n_frames != single.n_frames || whole.hash != single.hash || whole.hash != some.hash)
        abort();
    return 0;
}
