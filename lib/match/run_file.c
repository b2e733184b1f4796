#include "match/run.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static const char *remedy(void)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return "; make room there, or have the files on a larger disk (state_dir), and run it again";
    if (errno == EFBIG)
        return "; the process may write no larger files: raise that limit (ulimit -f)";
    return errno == EIO ? "; the disk fails" : "";
}

static int fail(const struct run_file *f, const char *verb, struct error *err)
{
    return error_set(err, "cannot %s %s: %s%s", verb, f->path, strerror(errno), remedy());
}

int run_file_damaged(const struct run_file *f, const char *what, struct error *err)
{
    return error_set(err,
        "%s is damaged (%s): somebody else wrote to it, or the disk lost what was written; run it again from "
        "the "
        "beginning, without the file",
        f->path, what);
}

/* ---- files ---- */

int run_file_make(struct run_file *f, const char *path, bool keep, struct error *err)
{
    *f = (struct run_file){.path = xstrdup(path), .fd = -1, .keep = keep};
    if (unlink(path) < 0 && errno != ENOENT)
        return fail(f, "remove", err);
    f->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return f->fd < 0 ? fail(f, "make", err) : 0;
}

int run_file_open(struct run_file *f, const char *path, bool keep, int64_t *ret_size, struct error *err)
{
    struct stat st;
    *f = (struct run_file){.path = xstrdup(path), .keep = true};
    f->fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &st) < 0)
        return fail(f, "open", err);
    if (!S_ISREG(st.st_mode))
        return run_file_damaged(f, "it is no file", err);
    f->keep = keep;
    *ret_size = st.st_size;
    return 0;
}

void run_file_done(struct run_file *f)
{
    if (f->path && f->fd >= 0 && !f->keep)
        unlink(f->path);
    if (f->path)
        closep(&f->fd);
    free(f->path);
    *f = (struct run_file){.fd = -1};
}

int run_file_cut(const struct run_file *f, int64_t size, struct error *err)
{
    return ftruncate(f->fd, size) < 0 ? fail(f, "cut", err) : 0;
}

int run_file_sync(const struct run_file *f, struct error *err)
{
    return fdatasync(f->fd) < 0 ? fail(f, "write", err) : 0;
}

static int write_all(struct run_writer *w, const char *p, size_t n, struct error *err)
{
    while (n > 0) {
        ssize_t put = pwrite(w->file->fd, p, n, w->at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put == 0)
            errno = EIO;
        if (put <= 0)
            return fail(w->file, "write", err);
        p += put;
        n -= (size_t)put;
        w->at += put;
    }
    return 0;
}

/* ---- writing ---- */

void run_writer_init(struct run_writer *w, const struct run_file *file, int64_t at, size_t memory)
{
    *w = (struct run_writer){.file = file, .at = at, .cap = memory, .most_held = INT64_MAX};
}

void run_writer_done(struct run_writer *w)
{
    if (w->share)
        share_hold(w->share, -w->held);
    free(w->p);
    *w = (struct run_writer){0};
}

struct run run_begin(const struct run_writer *w)
{
    return (struct run){.at = w->at + (int64_t)w->n, .least = INT64_MAX};
}

int run_flush(struct run_writer *w, struct error *err)
{
    size_t n = w->n;
    if (w->share)
        share_hold(w->share, -w->held);
    w->n = 0;
    w->held = 0;
    return write_all(w, w->p, n, err);
}

static void gather(struct run_writer *w, const void *p, size_t n)
{
    if (n > 0)
        memcpy(w->p + w->n, p, n);
    w->n += n;
}

static int put_parts(struct run_writer *w, const struct slice parts[3], size_t size, struct error *err)
{
    if ((size > w->cap - w->n || w->held >= w->most_held) && run_flush(w, err) < 0)
        return -1;
    if (size > w->cap || w->most_held == 0) {
        for (size_t i = 0; i < 3; i++)
            if (write_all(w, parts[i].p, parts[i].n, err) < 0)
                return -1;
        return 0;
    }
    if (!w->p)
        w->p = xrealloc(NULL, w->cap, 1);
    for (size_t i = 0; i < 3; i++)
        gather(w, parts[i].p, parts[i].n);
    w->held++;
    if (w->share)
        share_hold(w->share, 1);
    return 0;
}

int run_put(struct run_writer *w, struct run *run, struct slice key, struct slice value, struct error *err)
{
    if (key.n > RECORD_MAX || value.n > RECORD_MAX - key.n)
        return error_set(err,
            "a row is larger than the %d MB that %s can take of one; leave out its largest columns",
            RECORD_MAX >> 20, w->file->path);
    const uint32_t head[2] = {(uint32_t)key.n, (uint32_t)value.n};
    const struct slice parts[3] = {{(const char *)head, RUN_HEAD}, key, value};
    int64_t size = RUN_HEAD + (int64_t)(key.n + value.n);
    if (put_parts(w, parts, (size_t)size, err) < 0)
        return -1;
    run->n_bytes += size;
    run->records++;
    run->least = MIN(run->least, size);
    run->most = MAX(run->most, size);
    return 0;
}
