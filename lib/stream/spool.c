/*
 * The spool.
 *
 * A named pipe cannot deliver again what was read from it, and its publisher ends when the pipe is full. So
 * the pipe is emptied at once, whatever the database does, and what came out of it must outlive us. The spool
 * is the queue between the two: a raw log of the pipe's bytes, of which nothing is ever held in our memory
 * alone.
 *
 * Bytes go from the pipe into a file by splice(2), inside the kernel: a kill -9 finds them in the one or in
 * the other. Where the file system refuses splice they are read and written, and a kill between the two calls
 * costs at most 64 KB; every common file system takes it.
 *
 * The log is cut into segments, files FOLDER/<position of its first byte, 20 digits>.spool, each a sequence
 * of chunks: a header (struct chunk_header) and its bytes. The bytes are spliced first, behind a gap that the
 * header is then written into. Who dies between the two leaves a header of zeros with bytes up to the file's
 * end: that is a chunk like any other, received when the file was last written. A file is therefore always as
 * long as what it holds, and where a segment ends needs no search.
 *
 * Positions count the log's bytes, headers included, and go on from segment to segment and over restarts, so
 * that position minus the file's name is the place in the file. After a start a new segment is begun: old
 * ones are never written again.
 *
 * A segment's blocks are reserved when it is made (fallocate, KEEP_SIZE), so that a full disk is met between
 * segments, when nothing is under way, and acknowledged segments give their space back. Full disk or full
 * spool: nothing is taken from the pipe until there is room. That is all that can be done without losing
 * something; what the pipe itself holds, and then the publisher, wait.
 *
 * Acknowledged entries move the account (spool_account.c) forward, and segments wholly before it are removed.
 * The account is written first, twice where a segment goes, so that neither a kill nor a torn write can leave
 * it before the first segment.
 *
 * Nothing here calls fsync: it would stall the event loop, and with it the pipe, for what only a power cut
 * can take. A cut may cost the bytes of its last seconds, as it does in the pipe itself.
 */
#include "stream/spool_files.h"

#include "util/clock.h"
#include "util/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>

#define SEGMENT_SIZE_MAX (UINT64_C(4) << 20)
#define SEGMENT_SIZE_MIN (UINT64_C(8) << 10)
#define STASH_SIZE       65536

/* A chunk is not worth beginning for less, and a mark always finds a place behind the last one. */
#define CHUNK_LEAST   (sizeof(struct chunk_header) + 1024)
#define KEPT_FOR_MARK (2 * sizeof(struct chunk_header))

const char *segment_name(uint64_t start, char out[SEGMENT_NAME_SIZE])
{
    snprintf(out, SEGMENT_NAME_SIZE, "%020" PRIu64 ".spool", start);
    return out;
}

/* -- opening --------------------------------------------------------------------------------------------- */

static int make_folders(const char *path, struct error *err)
{
    _cleanup_free_ char *part = xstrdup(path);
    for (char *slash = part + 1; slash; *slash = '/', slash++) {
        slash = strchr(slash, '/');
        if (!slash)
            break;
        *slash = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return error_set(err, "cannot make the folder %s: %s", part, strerror(errno));
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(err, "cannot make the folder %s: %s", path, strerror(errno));
    return 0;
}

static int lock_folder(struct spool *s, struct error *err)
{
    s->folder_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder_fd < 0)
        return error_set(err, "cannot open the spool folder %s: %s", s->folder, strerror(errno));
    if (flock(s->folder_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return error_set(err,
            "the spool folder %s is in use by another daemon; give each its own state_dir, or stop the other",
            s->folder);
    return error_set(err, "cannot lock the spool folder %s: %s", s->folder, strerror(errno));
}

static int by_start(const void *a, const void *b)
{
    uint64_t x = ((const struct segment *)a)->start, y = ((const struct segment *)b)->start;
    return x < y ? -1 : x > y;
}

static struct segment *add_segment(struct spool *s, uint64_t start, uint64_t end)
{
    s->segments = xrealloc(s->segments, s->n_segments + 1, sizeof(*s->segments));
    s->segments[s->n_segments] = (struct segment){start, end};
    return &s->segments[s->n_segments++];
}

static bool parse_segment_name(const char *name, uint64_t *ret_start)
{
    if (strlen(name) != 26 || strspn(name, "0123456789") != 20 || strcmp(name + 20, ".spool") != 0)
        return false;
    errno = 0;
    *ret_start = strtoull(name, NULL, 10);
    return errno == 0 && *ret_start < INT64_MAX;
}

/* What a segment reserved beyond its end is given back; its time, which may be a chunk's, stays. */
static void trim_segment(int fd, const struct stat *st)
{
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    if (ftruncate(fd, st->st_size) == 0)
        futimens(fd, times);
}

static int take_segment(struct spool *s, const char *name, uint64_t start, struct error *err)
{
    _cleanup_close_ int fd = openat(s->folder_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(err, "cannot open %s/%s: %s", s->folder, name, strerror(errno));
    if (st.st_size == 0) {
        unlinkat(s->folder_fd, name, 0);
        return 0;
    }
    if ((uint64_t)st.st_blocks * 512 > (uint64_t)st.st_size + 65536)
        trim_segment(fd, &st);
    add_segment(s, start, start + (uint64_t)st.st_size);
    return 0;
}

static int list_segments(struct spool *s, struct error *err)
{
    DIR *dir = opendir(s->folder);
    if (!dir)
        return error_set(err, "cannot read the spool folder %s: %s", s->folder, strerror(errno));
    int rc = 0;
    uint64_t start;
    for (struct dirent *e; rc == 0 && (e = readdir(dir));)
        if (parse_segment_name(e->d_name, &start))
            rc = take_segment(s, e->d_name, start, err);
    closedir(dir);
    if (rc < 0 || s->n_segments == 0)
        return rc;
    qsort(s->segments, s->n_segments, sizeof(*s->segments), by_start);
    for (size_t i = 1; i < s->n_segments; i++)
        if (s->segments[i].start < s->segments[i - 1].end)
            return error_set(err,
                "the spool folder %s holds two files for position %" PRIu64 "; move the foreign one away",
                s->folder, s->segments[i].start);
    return 0;
}

static uint64_t choose_segment_size(const struct spool_limits *limits)
{
    if (limits->segment_size)
        return MAX(limits->segment_size, SEGMENT_SIZE_MIN);
    return MAX(MIN(limits->max_bytes / 8, SEGMENT_SIZE_MAX), SEGMENT_SIZE_MIN);
}

/* Removes what lies wholly before the account, but the segment that is written to. */
static void drop_acked(struct spool *s)
{
    size_t n = 0, last = s->n_segments - (s->fd >= 0);
    char name[SEGMENT_NAME_SIZE];
    while (n < last && s->segments[n].end <= s->acked)
        n++;
    if (n == 0)
        return;
    account_put_acked(s);
    for (size_t i = 0; i < n; i++)
        unlinkat(s->folder_fd, segment_name(s->segments[i].start, name), 0);
    s->n_segments -= n;
    memmove(s->segments, s->segments + n, s->n_segments * sizeof(*s->segments));
}

int spool_open(const char *folder, const struct spool_limits *limits, struct spool **ret, struct error *err)
{
    _cleanup_(spool_freep) struct spool *s = xnew(struct spool);
    s->folder = xstrdup(folder);
    s->folder_fd = s->fd = s->acked_fd = s->pipe_fd = -1;
    s->limits = *limits;
    s->limits.segment_size = choose_segment_size(limits);
    if (make_folders(folder, err) < 0 || lock_folder(s, err) < 0 || list_segments(s, err) < 0 ||
        account_open(s, err) < 0)
        return -1;
    s->end = s->n_segments ? s->segments[s->n_segments - 1].end : 0;
    s->end = MAX(s->end, s->acked);
    drop_acked(s);
    *ret = TAKE(s);
    return 0;
}

void spool_free(struct spool *s)
{
    if (!s)
        return;
    account_close(s);
    closep(&s->fd);
    closep(&s->folder_fd);
    buffer_done(&s->stash);
    free(s->segments);
    free(s->folder);
    free(s);
}

/* -- writing --------------------------------------------------------------------------------------------- */

static enum spool_took blocked(const struct spool *s, struct error *err, const char *what)
{
    error_set(err, "cannot %s in %s: %s", what, s->folder, strerror(errno));
    return SPOOL_BLOCKED;
}

static void seal_segment(struct spool *s)
{
    struct stat st;
    if (s->fd < 0)
        return;
    if (fstat(s->fd, &st) == 0)
        trim_segment(s->fd, &st);
    close(s->fd);
    s->fd = -1;
}

/* Blocks for a segment: whole, or as large a part of one as there still is on a disk that is nearly full. A
 * file system that cannot reserve is used as it is. Returns the size, 0: no space, errno. */
static uint64_t reserve(const struct spool *s, int fd)
{
    uint64_t size = s->limits.segment_size;
    while (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0) {
        if (errno == EINTR)
            continue;
        if (errno != ENOSPC && errno != EDQUOT && errno != EIO)
            break;
        size /= 2;
        if (size < SEGMENT_SIZE_MIN)
            return 0;
    }
    return size;
}

/* The one before is sealed only when there is another: its last bytes are kept for a mark. */
static enum spool_took begin_segment(struct spool *s, bool over_limit, struct error *err)
{
    char name[SEGMENT_NAME_SIZE], most[32];
    if (!over_limit && (s->n_segments + 1) * s->limits.segment_size > s->limits.max_bytes) {
        error_set(err, "the spool %s has reached its limit of %s", s->folder,
            text_bytes(s->limits.max_bytes, most));
        return SPOOL_BLOCKED;
    }
    segment_name(s->end, name);
    int fd = openat(s->folder_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return blocked(s, err, "make a file");
    uint64_t size = reserve(s, fd);
    if (size == 0) {
        enum spool_took took = blocked(s, err, "reserve space");
        close(fd);
        unlinkat(s->folder_fd, name, 0);
        return took;
    }
    seal_segment(s);
    s->fd = fd;
    s->room = size;
    add_segment(s, s->end, s->end);
    return SPOOL_TOOK_BYTES;
}

static struct segment *last_segment(struct spool *s)
{
    return &s->segments[s->n_segments - 1];
}

/* A segment with room for n more bytes. When there can be no other, one that is all acknowledged makes room.
 */
static enum spool_took have_room(struct spool *s, size_t n, bool over_limit, struct error *err)
{
    if (s->fd >= 0 && s->end - last_segment(s)->start + n <= s->room)
        return SPOOL_TOOK_BYTES;
    if (begin_segment(s, over_limit, err) == SPOOL_TOOK_BYTES)
        return SPOOL_TOOK_BYTES;
    if (s->fd < 0 || s->acked < s->end)
        return SPOOL_BLOCKED;
    seal_segment(s);
    drop_acked(s);
    return begin_segment(s, over_limit, err);
}

static enum spool_took put_header(
    struct spool *s, uint32_t kind, size_t length, int64_t received_us, struct error *err)
{
    struct chunk_header h = {CHUNK_MAGIC, kind, length, received_us, 0};
    h.check = chunk_check(&h);
    off_t at = (off_t)(s->end - last_segment(s)->start);
    if (pwrite(s->fd, &h, sizeof(h), at) != (ssize_t)sizeof(h))
        return blocked(s, err, "write");
    s->end += sizeof(h) + length;
    last_segment(s)->end = s->end;
    return SPOOL_TOOK_BYTES;
}

/* Gives the bytes that are in the file already their header. */
static enum spool_took finish_chunk(struct spool *s, struct error *err)
{
    if (s->n_headless == 0)
        return SPOOL_TOOK_BYTES;
    enum spool_took took = put_header(s, CHUNK_DATA, s->n_headless, s->headless_us, err);
    if (took == SPOOL_TOOK_BYTES)
        s->n_headless = 0;
    return took;
}

/* As splice(2), by way of our memory: what could not be written waits in the stash. */
static ssize_t copy_bytes(struct spool *s, int pipe, off_t at, size_t most)
{
    if (s->stash.n == 0) {
        if (!buffer_reserve(&s->stash, STASH_SIZE))
            return -1;
        ssize_t got = read(pipe, s->stash.p, MIN(most, (size_t)STASH_SIZE));
        if (got <= 0)
            return got;
        s->stash.n = (size_t)got;
    }
    ssize_t put = pwrite(s->fd, s->stash.p, MIN(s->stash.n, most), at);
    if (put > 0)
        buffer_drop(&s->stash, (size_t)put);
    /* A disk that takes nothing must not look like a pipe that has nothing. */
    if (put < 0 && errno == EAGAIN)
        errno = EIO;
    return put;
}

static ssize_t move_bytes(struct spool *s, int pipe, off_t at, size_t most)
{
    if (!s->limits.no_splice) {
        ssize_t n = splice(pipe, NULL, s->fd, &at, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n >= 0 || errno != EINVAL)
            return n;
        s->limits.no_splice = true;
    }
    return copy_bytes(s, pipe, at, most);
}

enum spool_took spool_take(struct spool *s, int pipe, size_t most, struct error *err)
{
    enum spool_took took = finish_chunk(s, err);
    if (took == SPOOL_TOOK_BYTES)
        took = have_room(s, CHUNK_LEAST + KEPT_FOR_MARK, false, err);
    if (took != SPOOL_TOOK_BYTES)
        return took;
    uint64_t at = s->end - last_segment(s)->start + sizeof(struct chunk_header);
    ssize_t n = move_bytes(s, pipe, (off_t)at, (size_t)MIN((uint64_t)most, s->room - KEPT_FOR_MARK - at));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return SPOOL_TOOK_NOTHING;
    if (n < 0)
        return blocked(s, err, "write");
    if (n == 0)
        return SPOOL_TOOK_END;
    s->n_headless = (size_t)n;
    s->headless_us = clock_wall_us();
    return finish_chunk(s, err);
}

/* A mark may go over the spool's limit: without it a full spool could hold an end that never comes, and never
 * be emptied. */
int spool_put_mark(struct spool *s, enum spool_mark mark, struct error *err)
{
    bool done = finish_chunk(s, err) == SPOOL_TOOK_BYTES &&
                have_room(s, sizeof(struct chunk_header), true, err) == SPOOL_TOOK_BYTES &&
                put_header(s, (uint32_t)mark, 0, clock_wall_us(), err) == SPOOL_TOOK_BYTES;
    return done ? 0 : -1;
}

bool spool_holds_bytes(const struct spool *s)
{
    return s->stash.n > 0 || s->n_headless > 0;
}

/* -- the account ----------------------------------------------------------------------------------------- */

void spool_ack(struct spool *s, uint64_t position, uint64_t n_entries)
{
    if (position < s->acked || (position == s->acked && n_entries == 0))
        return;
    s->acked = position;
    s->n_acked += n_entries;
    account_put_acked(s);
    drop_acked(s);
}

uint64_t spool_epoch(const struct spool *s)
{
    return s->epoch;
}

uint64_t spool_acked(const struct spool *s)
{
    return s->acked;
}

uint64_t spool_n_acked(const struct spool *s)
{
    return s->n_acked;
}

uint64_t spool_end(const struct spool *s)
{
    return s->end;
}

uint64_t spool_disk_bytes(const struct spool *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_segments; i++)
        n += s->segments[i].end - s->segments[i].start;
    return n;
}
