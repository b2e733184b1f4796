/* Reading the spool back, through a window of 64 KB over the segment the cursor is in. */
#include "stream/spool_files.h"

#include "util/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define WINDOW_SIZE 65536

struct spool_cursor {
    const struct spool *spool;
    uint64_t position;
    uint64_t segment; /* start of the segment that is open; valid when fd is */
    int fd;
    bool in_chunk; /* the position is inside a data chunk, … */
    uint64_t chunk_end;
    int64_t received_us;
    uint64_t window_start; /* position of the window's first byte */
    size_t n_window;
    char window[WINDOW_SIZE];
};

struct spool_cursor *spool_cursor_new(const struct spool *s, uint64_t position)
{
    struct spool_cursor *c = xnew(struct spool_cursor);
    c->spool = s;
    c->position = position;
    c->fd = -1;
    return c;
}

void spool_cursor_free(struct spool_cursor *c)
{
    if (!c)
        return;
    closep(&c->fd);
    free(c);
}

uint64_t spool_cursor_position(const struct spool_cursor *c)
{
    return c->position;
}

/* The first segment that ends behind the position. */
static const struct segment *find_segment(const struct spool *s, uint64_t position)
{
    size_t low = 0, high = s->n_segments;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->segments[mid].end <= position)
            low = mid + 1;
        else
            high = mid;
    }
    return low < s->n_segments ? &s->segments[low] : NULL;
}

static bool open_segment(struct spool_cursor *c, const struct segment *g)
{
    char name[SEGMENT_NAME_SIZE];
    if (c->fd >= 0 && c->segment == g->start)
        return true;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = openat(c->spool->folder_fd, segment_name(g->start, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    c->segment = g->start;
    c->in_chunk = false;
    c->n_window = 0;
    return c->fd >= 0;
}

static size_t in_window(const struct spool_cursor *c, uint64_t position)
{
    if (position < c->window_start || position - c->window_start >= c->n_window)
        return 0;
    return c->n_window - (size_t)(position - c->window_start);
}

/* At least `least` bytes at the position into the window, or all there are; how many there are. -1: errno. */
static ssize_t look_at(struct spool_cursor *c, const struct segment *g, uint64_t position, size_t least)
{
    size_t there = in_window(c, position);
    if (there >= least)
        return (ssize_t)there;
    uint64_t want = MIN(g->end - position, (uint64_t)WINDOW_SIZE);
    ssize_t got;
    do
        got = pread(c->fd, c->window, (size_t)want, (off_t)(position - g->start));
    while (got < 0 && errno == EINTR);
    c->window_start = position;
    c->n_window = got > 0 ? (size_t)got : 0;
    return got;
}

static const char *window_at(const struct spool_cursor *c, uint64_t position)
{
    return c->window + (position - c->window_start);
}

/* The header that a kill left unwritten: zeros with bytes behind them, up to the file's end. */
static bool guess_header(
    struct spool_cursor *c, const struct segment *g, uint64_t position, struct chunk_header *h)
{
    static const struct chunk_header zero;
    struct stat st;
    if (memcmp(h, &zero, sizeof(zero)) != 0 || g->end - position <= sizeof(zero) || fstat(c->fd, &st) < 0)
        return false;
    h->kind = CHUNK_DATA;
    h->length = g->end - position - sizeof(zero);
    h->received_us = (int64_t)st.st_mtim.tv_sec * US_PER_SEC + st.st_mtim.tv_nsec / 1000;
    return true;
}

enum header_state { HEADER_GOOD, HEADER_DAMAGED, HEADER_FAILED };

static enum header_state read_header(
    struct spool_cursor *c, const struct segment *g, uint64_t position, struct chunk_header *ret)
{
    ssize_t n = look_at(c, g, position, sizeof(*ret));
    if (n < 0)
        return HEADER_FAILED;
    if ((size_t)n < sizeof(*ret))
        return HEADER_DAMAGED;
    memcpy(ret, window_at(c, position), sizeof(*ret));
    if (guess_header(c, g, position, ret))
        return HEADER_GOOD;
    bool good = ret->magic == CHUNK_MAGIC && ret->check == chunk_check(ret) && ret->kind >= CHUNK_DATA &&
                ret->kind <= SPOOL_CUT && ret->length <= g->end - position - sizeof(*ret) &&
                (ret->kind != CHUNK_DATA || ret->length > 0);
    return good ? HEADER_GOOD : HEADER_DAMAGED;
}

/* Finds the chunk the position lies in, from the segment's start: once, after a start. */
static enum header_state find_chunk(struct spool_cursor *c, const struct segment *g)
{
    struct chunk_header h;
    for (uint64_t at = g->start; at < c->position;) {
        enum header_state state = read_header(c, g, at, &h);
        if (state != HEADER_GOOD)
            return state;
        uint64_t end = at + sizeof(h) + h.length;
        if (c->position < at + sizeof(h))
            return HEADER_DAMAGED;
        if (c->position < end) {
            c->in_chunk = true;
            c->chunk_end = end;
            c->received_us = h.received_us;
        }
        at = end;
    }
    return HEADER_GOOD;
}

static void say_missing(struct spool_cursor *c, uint64_t until, struct spool_piece *ret)
{
    c->in_chunk = false;
    ret->kind = PIECE_MISSING;
    ret->size = until - c->position;
}

/* Into the next chunk. False: ret says what is there instead of bytes. */
static bool enter_chunk(struct spool_cursor *c, const struct segment *g, struct spool_piece *ret)
{
    struct chunk_header h;
    enum header_state state = read_header(c, g, c->position, &h);
    if (state == HEADER_DAMAGED)
        say_missing(c, g->end, ret);
    else if (state == HEADER_FAILED)
        ret->kind = PIECE_FAILED;
    if (state != HEADER_GOOD)
        return false;
    ret->received_us = h.received_us;
    if (h.kind != CHUNK_DATA) {
        ret->kind = h.kind == SPOOL_OPENED ? PIECE_OPENED : PIECE_CUT;
        ret->size = sizeof(h) + h.length;
        return false;
    }
    c->in_chunk = true;
    c->received_us = h.received_us;
    c->position += sizeof(h);
    c->chunk_end = c->position + h.length;
    return true;
}

static void next_bytes(struct spool_cursor *c, const struct segment *g, struct spool_piece *ret)
{
    ssize_t n = look_at(c, g, c->position, 1);
    if (n < 0) {
        ret->kind = PIECE_FAILED;
        return;
    }
    if (n == 0) {
        say_missing(c, g->end, ret);
        return;
    }
    ret->kind = PIECE_BYTES;
    ret->size = MIN((uint64_t)n, c->chunk_end - c->position);
    ret->bytes = (struct slice){window_at(c, c->position), (size_t)ret->size};
    ret->received_us = c->received_us;
}

/* Opens the segment the position is in, and the chunk where it is in the middle of one. */
static bool enter_segment(struct spool_cursor *c, const struct segment *g, struct spool_piece *ret)
{
    if (c->fd >= 0 && c->segment == g->start)
        return true;
    enum header_state state = HEADER_GOOD;
    if (!open_segment(c, g))
        state = errno == ENOENT ? HEADER_DAMAGED : HEADER_FAILED;
    else
        state = find_chunk(c, g);
    if (state == HEADER_DAMAGED)
        say_missing(c, g->end, ret);
    else if (state == HEADER_FAILED)
        ret->kind = PIECE_FAILED;
    if (state != HEADER_GOOD) {
        closep(&c->fd);
        c->fd = -1;
    }
    return state == HEADER_GOOD;
}

void spool_cursor_next(struct spool_cursor *c, struct spool_piece *ret)
{
    *ret = (struct spool_piece){.kind = PIECE_END};
    const struct segment *g = find_segment(c->spool, c->position);
    if (!g)
        return;
    if (c->position < g->start) {
        say_missing(c, g->start, ret);
        return;
    }
    if (!enter_segment(c, g, ret))
        return;
    if (!c->in_chunk && !enter_chunk(c, g, ret))
        return;
    next_bytes(c, g, ret);
}

void spool_cursor_advance(struct spool_cursor *c, uint64_t n)
{
    c->position += n;
    if (c->in_chunk && c->position >= c->chunk_end)
        c->in_chunk = false;
}
