/*
 * A folder of this machine as a store. A key is walked part by part from the folder's own descriptor, and no link is
 * followed on the way or at its end: whoever may write into the folder cannot lead us out of it.
 */
#include "store/folder_inside.h"

#include "util/clock.h"
#include "util/text.h"
#include "util/url.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <strings.h>

int folder_failed(struct folder *f, const char *what, const char *key, int code, struct store_fault *fault)
{
    const char *advice = code == EACCES || code == EPERM    ? "; this program's user must be allowed to"
                         : code == ENOSPC || code == EDQUOT ? "; make room there"
                                                            : "";
    bool transient = code == EIO || code == ESTALE || code == ETIMEDOUT || code == EMFILE || code == ENFILE;
    if (code == ENOENT)
        store_absent(&f->base, key, fault);
    else if (code == ELOOP || code == ENOTDIR)
        store_fault_set(fault, false,
            "cannot %s %s in %s: a link, or a file that should be a folder, is in its way, and links are not "
            "followed",
            what, key, f->base.label);
    else
        store_fault_set(
            fault, transient, "cannot %s %s in %s: %s%s", what, key, f->base.label, strerror(code), advice);
    return -1;
}

static int enter(int at, const char *name, bool make)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(at, name, flags);
    if (fd >= 0 || errno != ENOENT || !make)
        return fd;
    if (mkdirat(at, name, 0750) < 0 && errno != EEXIST)
        return -1;
    fd = openat(at, name, flags);
    if (fd >= 0 && fsync(at) < 0 && errno != EINVAL) {
        close(fd);
        return -1;
    }
    return fd;
}

int folder_walk(
    struct folder *f, const char *key, bool make, const char **ret_name, struct store_fault *fault)
{
    _cleanup_close_ int at = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    const char *p = key, *slash;
    char name[STORE_KEY_MAX + 1];
    if (at < 0)
        return folder_failed(f, "reach", key, errno, fault);
    for (; (slash = strchr(p, '/')); p = slash + 1) {
        snprintf(name, sizeof(name), "%.*s", (int)(slash - p), p);
        int next = enter(at, name, make);
        if (next < 0)
            return folder_failed(f, "reach", key, errno, fault);
        close(at);
        at = next;
    }
    if (strncmp(p, PUT_MARK, strlen(PUT_MARK)) == 0) {
        store_fault_set(fault, false, "%s in %s: names that begin with %s are this program's own", key,
            f->base.label, PUT_MARK);
        return -1;
    }
    *ret_name = p;
    int found = at;
    at = -1;
    return found;
}

/* ---- one object ---- */

void folder_etag(const struct stat *st, char out[64])
{
    snprintf(out, 64, "%" PRIx64 "-%" PRIx64 ".%lx-%" PRIx64, (uint64_t)st->st_size,
        (uint64_t)st->st_mtim.tv_sec, (unsigned long)st->st_mtim.tv_nsec, (uint64_t)st->st_ino);
}

int64_t folder_modified_us(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * US_PER_SEC + st->st_mtim.tv_nsec / 1000;
}

/* O_NONBLOCK: a pipe without a writer would hold us. */
static int open_object(struct folder *f, const char *key, struct stat *ret_stat, struct store_fault *fault)
{
    const char *name;
    _cleanup_close_ int dir = folder_walk(f, key, false, &name, fault);
    if (dir < 0)
        return -1;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        folder_failed(f, "read", key, errno, fault);
        return -1;
    }
    if (fstat(fd, ret_stat) == 0 && S_ISREG(ret_stat->st_mode))
        return fd;
    close(fd);
    store_absent(&f->base, key, fault);
    return -1;
}

static int folder_head(
    struct store *s, const char *key, struct store_object *ret_object, struct store_fault *fault)
{
    struct folder *f = (struct folder *)s;
    struct stat st;
    const char *name;
    char etag[64];
    _cleanup_close_ int dir = folder_walk(f, key, false, &name, fault);
    if (dir < 0)
        return -1;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return folder_failed(f, "look at", key, errno, fault);
    if (S_ISLNK(st.st_mode))
        return folder_failed(f, "look at", key, ELOOP, fault);
    if (!S_ISREG(st.st_mode))
        return store_absent(s, key, fault);
    folder_etag(&st, etag);
    buffer_reset(&s->facts, 4096);
    buffer_put(&s->facts, key, strlen(key) + 1);
    buffer_put(&s->facts, etag, strlen(etag) + 1);
    *ret_object =
        (struct store_object){s->facts.p, s->facts.p + strlen(key) + 1, st.st_size, folder_modified_us(&st)};
    return 0;
}

static bool is_version(const struct stat *st, const char *etag)
{
    char mine[64];
    folder_etag(st, mine);
    return !etag || strcmp(mine, etag) == 0;
}

/* The one that is there, and not another. */
static int open_version(
    struct folder *f, const char *key, const char *etag, struct stat *ret_stat, struct store_fault *fault)
{
    int fd = open_object(f, key, ret_stat, fault);
    if (fd < 0 || is_version(ret_stat, etag))
        return fd;
    close(fd);
    return store_changed(&f->base, key, fault);
}

static int folder_descriptor(struct store *s, const char *key, const char *etag, struct store_fault *fault)
{
    struct stat st;
    return open_version((struct folder *)s, key, etag, &st, fault);
}

/* Was it left alone while it was read? */
static int check_still(
    struct folder *f, int fd, const char *key, const struct stat *was, int64_t n, struct store_fault *fault)
{
    struct stat now;
    char etag[64];
    folder_etag(was, etag);
    if (fstat(fd, &now) < 0)
        return folder_failed(f, "read", key, errno, fault);
    return n == was->st_size && is_version(&now, etag) ? 0 : store_changed(&f->base, key, fault);
}

static int folder_get_file(
    struct store *s, const char *key, const char *etag, const char *path, struct store_fault *fault)
{
    struct folder *f = (struct folder *)s;
    struct stat st;
    _cleanup_close_ int from = open_version(f, key, etag, &st, fault), to = -1;
    if (from < 0)
        return -1;
    to = local_create(path, fault);
    if (to < 0)
        return -1;
    int64_t n = folder_copy(from, to, INT64_MAX);
    int code = errno;
    if (n >= 0 && check_still(f, from, key, &st, n, fault) == 0)
        return 0;
    return n >= 0 ? -1
                  : store_fault_set(fault, code == EIO, "cannot copy %s of %s to %s: %s%s", key, s->label,
                        path, strerror(code), code == ENOSPC || code == EDQUOT ? "; make room there" : "");
}

static int read_all(int fd, struct buffer *into, size_t n)
{
    while (n > 0) {
        ssize_t got = read(fd, into->p + into->n, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return (int)got;
        into->n += (size_t)got;
        n -= (size_t)got;
    }
    return 0;
}

static int folder_get(
    struct store *s, const char *key, size_t max, struct buffer *into, struct store_fault *fault)
{
    struct folder *f = (struct folder *)s;
    struct stat st;
    _cleanup_close_ int fd = open_object(f, key, &st, fault);
    if (fd < 0)
        return -1;
    if ((uint64_t)st.st_size > max)
        return store_too_large(s, key, max, fault);
    if (!buffer_reserve(into, (size_t)st.st_size + 1))
        return store_fault_set(fault, false, "no memory for %s of %s", key, s->label);
    if (read_all(fd, into, (size_t)st.st_size) < 0)
        return folder_failed(f, "read", key, errno, fault);
    return check_still(f, fd, key, &st, (int64_t)into->n, fault);
}

/* Only what is certain to be the object itself: no link, nor through one. */
static char *folder_path(const struct store *s, const char *key)
{
    struct folder *f = (struct folder *)s;
    struct store_fault fault;
    struct stat st;
    const char *name;
    _cleanup_close_ int dir = folder_walk(f, key, false, &name, &fault);
    if (dir < 0 ? !fault.absent : fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
        return NULL;
    return xasprintf("%s/%s", f->path, key);
}

/* ---- the store ---- */

static void folder_free(struct store *s)
{
    struct folder *f = (struct folder *)s;
    closep(&f->fd);
    free(f->path);
    free(f);
}

static const struct store_driver folder_driver = {
    .list = folder_list,
    .head = folder_head,
    .get_file = folder_get_file,
    .get = folder_get,
    .put_file = folder_put_file,
    .put = folder_put,
    .remove = folder_remove,
    .path = folder_path,
    .descriptor = folder_descriptor,
    .free = folder_free,
};

static char *path_of(const char *url, struct store_fault *fault)
{
    _cleanup_url_ struct url u = {0};
    if (url_parse(url, &u, &fault->error) < 0)
        return NULL;
    if ((u.host && u.host[0] && strcasecmp(u.host, "localhost") != 0) || u.path[0] != '/') {
        store_fault_set(fault, false, "%.200s: the URL of a folder has its whole path, file:///folder", url);
        return NULL;
    }
    for (size_t n = strlen(u.path); n > 0 && u.path[n - 1] == '/'; n--)
        u.path[n - 1] = '\0';
    return TAKE(u.path);
}

int folder_open(const struct store_options *options, struct store **ret_store, struct store_fault *fault)
{
    _cleanup_free_ char *path = path_of(options->url, fault);
    if (!path)
        return -1;
    int fd = open(*path ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return store_fault_set(fault, false, "cannot use the folder %s as a store: %s%s", path,
            strerror(errno),
            errno == ENOENT   ? "; make it, or mount what belongs there"
            : errno == EACCES ? "; this program's user must be allowed to read it"
                              : "");
    struct folder *f = xnew(struct folder);
    f->base.driver = &folder_driver;
    f->base.label = xstrdup(*path ? path : "/");
    f->fd = fd;
    f->path = TAKE(path);
    *ret_store = &f->base;
    return 0;
}
