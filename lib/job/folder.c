#include "job/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK            JOB_FOLDER_LOCK
#define DESCRIPTORS_MAX 16

int job_folder_fail(const struct job_folder *f, const char *what, struct error *err)
{
    return error_set(err,
        "the folder %s, where a %s keeps what it works with, cannot be used: %s: %s; our user must be able "
        "to "
        "write there, and the disk needs room",
        f->path, f->kind, what, strerror(errno));
}

/* Those above it, which others may see. */
static int make_parents(const struct job_folder *f, struct error *err)
{
    _cleanup_free_ char *path = xstrdup(f->path);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return job_folder_fail(f, path, err);
        *slash = '/';
    }
    return 0;
}

static int open_folder(struct job_folder *f, struct error *err)
{
    struct stat st;
    if (make_parents(f, err) < 0)
        return -1;
    if (mkdir(f->path, 0700) < 0 && errno != EEXIST)
        return job_folder_fail(f, "making it", err);
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &st) < 0)
        return job_folder_fail(f, "opening it", err);
    if (st.st_uid != geteuid())
        return error_set(err,
            "the folder %s belongs to another user (%u): a %s keeps what it works with there, "
            "and nobody else may see it",
            f->path, (unsigned)st.st_uid, f->kind);
    if ((st.st_mode & 077) && fchmod(f->fd, 0700) < 0)
        return job_folder_fail(f, "closing it to others", err);
    return 0;
}

static int refuse_busy(const struct job_folder *f, struct error *err)
{
    char pid[24] = "";
    ssize_t n = pread(f->lock, pid, sizeof(pid) - 1, 0);
    pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
    return error_set(err,
        "another run of this %s is under way (process %s has %s/" LOCK "): wait for its end", f->kind,
        *pid ? pid : "unknown", f->path);
}

static int take_lock(struct job_folder *f, bool *ret_busy, struct error *err)
{
    f->lock = openat(f->fd, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->lock < 0)
        return job_folder_fail(f, "opening the file " LOCK, err);
    if (flock(f->lock, LOCK_EX | LOCK_NB) < 0) {
        *ret_busy = errno == EWOULDBLOCK;
        return *ret_busy ? refuse_busy(f, err) : job_folder_fail(f, "locking the file " LOCK, err);
    }
    if (ftruncate(f->lock, 0) < 0 || dprintf(f->lock, "%d\n", (int)getpid()) < 0)
        return job_folder_fail(f, "writing the file " LOCK, err);
    return 0;
}

int job_folder_open(
    const char *path, const char *kind, struct job_folder *ret_folder, bool *ret_busy, struct error *err)
{
    struct job_folder f = {.path = xstrdup(path), .kind = kind, .fd = -1, .lock = -1};
    *ret_busy = false;
    if (open_folder(&f, err) < 0 || take_lock(&f, ret_busy, err) < 0) {
        job_folder_done(&f);
        return -1;
    }
    *ret_folder = f;
    return 0;
}

void job_folder_done(struct job_folder *f)
{
    closep(&f->fd);
    closep(&f->lock);
    free(f->path);
    *f = (struct job_folder){.fd = -1, .lock = -1};
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    remove(path);
    return 0;
}

void job_folder_remove(const char *path)
{
    nftw(path, remove_one, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS);
}

int job_folder_make(
    const struct job_folder *f, const char *name, bool keep, char **ret_path, struct error *err)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", f->path, name);
    if (!keep)
        job_folder_remove(path);
    if (mkdir(path, 0700) < 0 && !(keep && errno == EEXIST))
        return job_folder_fail(f, path, err);
    *ret_path = TAKE(path);
    return 0;
}
