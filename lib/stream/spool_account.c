/* The small files beside the segments: up to where all is acknowledged, whose bytes the log ends with, and
 * when the spool was made. Each is a few fixed records with a check, so that half a record is never believed.
 */
#include "stream/spool_files.h"

#include "util/clock.h"

#include <errno.h>
#include <fcntl.h>

/* FNV-1a: against a torn write, not against an enemy. */
static uint64_t check_of(const void *p, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const unsigned char *)p)[i]) * UINT64_C(0x100000001b3);
    return h;
}

uint64_t chunk_check(const struct chunk_header *h)
{
    return check_of(h, offsetof(struct chunk_header, check));
}

bool record_read(int fd, unsigned slot, struct record *ret)
{
    struct record r;
    if (pread(fd, &r, sizeof(r), (off_t)(slot * sizeof(r))) != (ssize_t)sizeof(r))
        return false;
    if (r.check != check_of(r.values, sizeof(r.values)))
        return false;
    *ret = r;
    return true;
}

bool record_write(int fd, unsigned slot, const uint64_t values[3])
{
    struct record r;
    memcpy(r.values, values, sizeof(r.values));
    r.check = check_of(r.values, sizeof(r.values));
    return pwrite(fd, &r, sizeof(r), (off_t)(slot * sizeof(r))) == (ssize_t)sizeof(r);
}

static int open_book(const struct spool *s, const char *name, int *ret_fd, struct error *err)
{
    int fd = openat(s->folder_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set(err, "cannot open %s/%s: %s", s->folder, name, strerror(errno));
    *ret_fd = fd;
    return 0;
}

/* Of the two slots the one with the higher sequence is the last that was written whole. */
static bool read_acked(struct spool *s)
{
    bool found = false;
    for (unsigned slot = 0; slot < 2; slot++) {
        struct record r;
        if (!record_read(s->acked_fd, slot, &r) || (found && r.values[2] < s->acked_sequence))
            continue;
        s->acked = r.values[0];
        s->n_acked = r.values[1];
        s->acked_sequence = r.values[2];
        found = true;
    }
    return found;
}

/* The epoch is what keeps ids unique when positions begin again: a spool that lost its account and its
 * segments is a new one. */
static int read_epoch(struct spool *s, bool is_new, struct error *err)
{
    _cleanup_close_ int fd = -1;
    if (open_book(s, "epoch", &fd, err) < 0)
        return -1;
    struct record r;
    if (!is_new && record_read(fd, 0, &r)) {
        s->epoch = r.values[0];
        return 0;
    }
    s->epoch = (uint64_t)clock_wall_us();
    if (!record_write(fd, 0, (const uint64_t[3]){s->epoch}))
        return error_set(err, "cannot write %s/epoch: %s", s->folder, strerror(errno));
    return 0;
}

/* Both slots at once, so that the file never has to grow on a full disk. */
static int make_acked(struct spool *s)
{
    const uint64_t nothing[3] = {0};
    return record_write(s->acked_fd, 0, nothing) && record_write(s->acked_fd, 1, nothing) ? 0 : -1;
}

int account_open(struct spool *s, struct error *err)
{
    if (open_book(s, "acked", &s->acked_fd, err) < 0 || open_book(s, "pipe", &s->pipe_fd, err) < 0)
        return -1;
    bool has_acked = read_acked(s);
    if (!has_acked && make_acked(s) < 0)
        return error_set(err, "cannot write %s/acked: %s", s->folder, strerror(errno));
    struct record r;
    if (record_read(s->pipe_fd, 0, &r))
        s->pipe = (struct pipe_identity){r.values[0], r.values[1], r.values[2]};
    return read_epoch(s, !has_acked && s->n_segments == 0, err);
}

void account_close(struct spool *s)
{
    closep(&s->acked_fd);
    closep(&s->pipe_fd);
}

/* The small files keep their size once they are made, so that a full disk does not stop them; were a write to
 * fail all the same, entries are delivered again after a restart, never lost. */
void account_put_acked(struct spool *s)
{
    unsigned slot = ++s->acked_sequence & 1;
    record_write(s->acked_fd, slot, (const uint64_t[3]){s->acked, s->n_acked, s->acked_sequence});
}

struct pipe_identity spool_pipe(const struct spool *s)
{
    return s->pipe;
}

void spool_set_pipe(struct spool *s, struct pipe_identity pipe)
{
    s->pipe = pipe;
    record_write(s->pipe_fd, 0, (const uint64_t[3]){pipe.device, pipe.inode, pipe.born_ns});
}
