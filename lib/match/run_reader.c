/*
 * A reader begins each time with a whole record at the start of its buffer, and then reads no more bytes than as many of the
 * run's smallest records have as may be held. So there are never more in the buffer, without one of them being read.
 */
#include "match/run.h"

#include <errno.h>

#define KEEP ((size_t)1 << 20) /* bytes a buffer keeps after a large record */

void run_reader_init(struct run_reader *r, const struct run_file *file, const struct run *run,
    struct match_share *share, int64_t records, size_t memory)
{
    int64_t window = (int64_t)MIN(memory, (size_t)1 << 30);
    if (records < window / run->least)
        window = records * run->least;
    *r = (struct run_reader){.file = file, .share = share, .run = *run, .at = run->at, .left = run->records};
    r->window = (size_t)MAX(window, run->least);
}

void run_reader_done(struct run_reader *r)
{
    if (r->share)
        share_hold(r->share, -r->held);
    buffer_done(&r->buffer);
    *r = (struct run_reader){0};
}

static int64_t run_end(const struct run_reader *r)
{
    return r->run.at + r->run.n_bytes;
}

/* How many bytes of the run there are from the record at pos on. */
static int64_t ahead(const struct run_reader *r, size_t pos)
{
    return run_end(r) - r->at + (int64_t)(r->buffer.n - pos);
}

/* The size of the record at pos, of which the lengths are in the buffer; 0: they cannot be true. */
static size_t size_at(const struct run_reader *r, size_t pos, uint32_t head[2])
{
    memcpy(head, r->buffer.p + pos, RUN_HEAD);
    int64_t size = RUN_HEAD + (int64_t)head[0] + (int64_t)head[1];
    return size >= r->run.least && size <= r->run.most && size <= ahead(r, pos) ? (size_t)size : 0;
}

/* Reads until n bytes are in the buffer, or all of the run that are left. */
static int read_up_to(struct run_reader *r, size_t n, struct error *err)
{
    struct buffer *b = &r->buffer;
    if (n > b->n && !buffer_reserve(b, n - b->n))
        return error_set(err, "no memory for a record of %s: %zu bytes", r->file->path, n);
    while (b->n < n && r->at < run_end(r)) {
        size_t most = (size_t)MIN((int64_t)(n - b->n), run_end(r) - r->at);
        ssize_t got = pread(r->file->fd, b->p + b->n, most, r->at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(err, "cannot read %s: %s; the disk fails", r->file->path, strerror(errno));
        if (got == 0)
            return run_file_damaged(r->file, "it is shorter than what was written", err);
        b->n += (size_t)got;
        r->at += got;
    }
    return 0;
}

static int64_t count_held(const struct run_reader *r)
{
    uint32_t head[2];
    int64_t n = 0;
    for (size_t pos = r->pos; pos < r->buffer.n; n++) {
        size_t size = r->buffer.n - pos < RUN_HEAD ? 0 : size_at(r, pos, head);
        pos = size == 0 || size > r->buffer.n - pos ? r->buffer.n : pos + size;
    }
    return n;
}

/* There is no whole record at pos: makes it one. */
static int fill(struct run_reader *r, struct error *err)
{
    uint32_t head[2];
    size_t rest = r->buffer.n - r->pos;
    if (rest > 0)
        memmove(r->buffer.p, r->buffer.p + r->pos, rest);
    r->buffer.n = rest;
    r->pos = 0;
    if (rest == 0 && r->buffer.cap > MAX(KEEP, r->window * 2))
        buffer_done(&r->buffer);
    if (read_up_to(r, r->window, err) < 0)
        return -1;
    if (r->buffer.n >= RUN_HEAD && read_up_to(r, size_at(r, 0, head), err) < 0)
        return -1;
    int64_t held = count_held(r);
    if (r->share)
        share_hold(r->share, held - r->held);
    r->held = held;
    return 0;
}

static void release(struct run_reader *r)
{
    r->pos += r->size;
    r->size = 0;
    r->held--;
    if (r->share)
        share_hold(r->share, -1);
}

static int at_end(struct run_reader *r, struct error *err)
{
    if (ahead(r, r->pos) > 0)
        return run_file_damaged(r->file, "it holds more than it should", err);
    buffer_done(&r->buffer);
    r->pos = 0;
    return 0;
}

int run_next(struct run_reader *r, struct error *err)
{
    uint32_t head[2];
    if (r->size > 0)
        release(r);
    if (r->left == 0)
        return at_end(r, err);
    size_t there = r->buffer.n - r->pos;
    size_t size = there >= RUN_HEAD ? size_at(r, r->pos, head) : 0;
    if (size == 0 || size > there) {
        if (fill(r, err) < 0)
            return -1;
        size = r->buffer.n >= RUN_HEAD ? size_at(r, 0, head) : 0;
    }
    if (size == 0)
        return run_file_damaged(r->file, "the length of a record cannot be true", err);
    r->size = size;
    r->left--;
    r->key = (struct slice){r->buffer.p + r->pos + RUN_HEAD, head[0]};
    r->value = (struct slice){r->key.p + head[0], head[1]};
    return 1;
}
