/*
 * An object is written under a name of its own in the folder it will be in, brought to the disk, and only then given its
 * key: by rename(2), or by link(2) where there must not be one yet, which of two who do so lets one alone succeed. Then the
 * folder is brought to the disk too. A put that is killed leaves its file behind; a list that passes by removes it.
 */
#include "store/folder_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/sendfile.h>

#define COPY_CHUNK ((size_t)16 * 1024 * 1024)

struct put {
    struct folder *folder;
    const char *key, *name; /* name: the key's last part */
    int dir, fd;
    char temporary[64]; /* "": there is none, or no more */
};

static void put_done(struct put *p)
{
    int code = errno;
    if (p->temporary[0])
        unlinkat(p->dir, p->temporary, 0);
    closep(&p->fd);
    closep(&p->dir);
    errno = code;
}

static int failed(struct put *p, int code, struct store_fault *fault)
{
    return folder_failed(p->folder, "write", p->key, code, fault);
}

static int put_begin(struct put *p, struct folder *f, const char *key, struct store_fault *fault)
{
    uint64_t random[2];
    *p = (struct put){.folder = f, .key = key, .fd = -1};
    p->dir = folder_walk(f, key, true, &p->name, fault);
    if (p->dir < 0)
        return -1;
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return failed(p, errno, fault);
    char name[64];
    snprintf(name, sizeof(name), PUT_MARK "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    p->fd = openat(p->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (p->fd < 0)
        return failed(p, errno, fault);
    memcpy(p->temporary, name, sizeof(name));
    flock(p->fd, LOCK_EX | LOCK_NB); /* where there are no locks, its age alone tells that it is left */
    return 0;
}

/* On a network's file system an answer can be lost and the call be made twice: two names say that ours is it. */
static bool is_ours(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink == 2;
}

static int name_fresh(struct put *p)
{
    if (linkat(p->dir, p->temporary, p->dir, p->name, 0) == 0 || (errno == EEXIST && is_ours(p->fd))) {
        if (unlinkat(p->dir, p->temporary, 0) == 0)
            p->temporary[0] = '\0';
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
        return -1;
    if (renameat2(p->dir, p->temporary, p->dir, p->name, RENAME_NOREPLACE) < 0)
        return -1;
    p->temporary[0] = '\0';
    return 0;
}

static int name_over(struct put *p)
{
    if (renameat(p->dir, p->temporary, p->dir, p->name) < 0)
        return -1;
    p->temporary[0] = '\0';
    return 0;
}

static int put_end(struct put *p, bool fresh, struct store_fault *fault)
{
    if (fsync(p->fd) < 0)
        return failed(p, errno, fault);
    if ((fresh ? name_fresh : name_over)(p) < 0) {
        if (fresh && errno == EEXIST)
            return store_exists(&p->folder->base, p->key, fault);
        if (fresh && errno == EINVAL)
            return store_fault_set(fault, false,
                "%s is on a file system that cannot give a file its name only where there is none: it knows "
                "neither "
                "link(2) nor RENAME_NOREPLACE. Use another one",
                p->folder->base.label);
        return failed(p, errno, fault);
    }
    if (fsync(p->dir) < 0 && errno != EINVAL)
        return failed(p, errno, fault);
    return 0;
}

int folder_put(struct store *s, const char *key, struct slice bytes, bool fresh, struct store_fault *fault)
{
    _cleanup_(put_done) struct put p;
    if (put_begin(&p, (struct folder *)s, key, fault) < 0)
        return -1;
    if (local_write(p.fd, bytes.p, bytes.n) < 0)
        return failed(&p, errno, fault);
    return put_end(&p, fresh, fault);
}

/* Several calls know how to copy in the kernel, and none of them knows all file systems. */
static ssize_t copy_some(int from, int to, size_t n)
{
    ssize_t got = copy_file_range(from, NULL, to, NULL, n, 0);
    if (got > 0 || (got < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP &&
                       errno != EPERM))
        return got;
    return sendfile(to, from, NULL, n); /* some answer "0 bytes" for files that have no size of their own */
}

int64_t folder_copy(int from, int to, int64_t n)
{
    int64_t done = 0;
    while (done < n) {
        ssize_t got = copy_some(from, to, (size_t)MIN(n - done, (int64_t)COPY_CHUNK));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += got;
    }
    return done;
}

int folder_put_file(struct store *s, const char *key, const char *path, struct store_fault *fault)
{
    _cleanup_(put_done) struct put p = {.dir = -1, .fd = -1};
    _cleanup_close_ int from = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (from < 0 || fstat(from, &st) < 0)
        return store_fault_set(fault, false, "cannot read %s: %s", path, strerror(errno));
    if (put_begin(&p, (struct folder *)s, key, fault) < 0)
        return -1;
    int64_t n = folder_copy(from, p.fd, INT64_MAX);
    if (n < 0)
        return failed(&p, errno, fault);
    if (n != st.st_size)
        return store_fault_set(fault, false, "%s was written to while it was put into %s", path, s->label);
    return put_end(&p, false, fault);
}

int folder_remove(struct store *s, const char *key, struct store_fault *fault)
{
    struct folder *f = (struct folder *)s;
    const char *name;
    _cleanup_close_ int dir = folder_walk(f, key, false, &name, fault);
    if (dir < 0 && fault->absent) {
        *fault = (struct store_fault){0};
        return 0;
    }
    if (dir < 0)
        return -1;
    if (unlinkat(dir, name, 0) < 0)
        return errno == ENOENT || errno == EISDIR ? 0 : folder_failed(f, "remove", key, errno, fault);
    if (fsync(dir) < 0 && errno != EINVAL)
        return folder_failed(f, "remove", key, errno, fault);
    return 0;
}
