/*
 * The keys of a folder in the order of their bytes. A folder's name stands in that order with the slash behind it:
 * "a-b" is before "a/x", though "a" is before "a-b". Of each folder only some names are in memory; it is gone through again
 * for those behind them. What a killed put left behind is removed on the way.
 */
#include "store/folder_inside.h"

#include "util/clock.h"
#include "util/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#define NAMES_AT_ONCE 8192
#define LEFT_AFTER_US (3600 * US_PER_SEC)

struct walk {
    struct folder *folder;
    const char *prefix, *after;
    store_listed *fn;
    void *arg;
    struct store_fault *fault;
    uint64_t n_left_out;
    char key[STORE_KEY_MAX + 256 + 2]; /* of what is looked at */
};

struct names {
    char **list; /* folders' with a slash at their end */
    size_t n;
    char *beyond; /* names from this one on are for later; or NULL */
};

static void names_done(struct names *n)
{
    for (size_t i = 0; i < n->n; i++)
        free(n->list[i]);
    free(n->list);
    free(n->beyond);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The later half goes; it is gone through again. */
static void halve(struct names *n)
{
    qsort(n->list, n->n, sizeof(n->list[0]), by_bytes);
    free(n->beyond);
    n->beyond = n->list[NAMES_AT_ONCE];
    for (size_t i = NAMES_AT_ONCE + 1; i < n->n; i++)
        free(n->list[i]);
    n->n = NAMES_AT_ONCE;
}

/* ---- what is in a folder ---- */

/* Old, and nobody holds it any more. */
static void sweep(int dir, const char *name)
{
    struct stat st;
    _cleanup_close_ int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        folder_modified_us(&st) < clock_wall_us() - LEFT_AFTER_US && flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(dir, name, 0);
}

/* 'f' a file, 'd' a folder, 0 neither (a link is neither). */
static char kind_of(int dir, const struct dirent *e)
{
    struct stat st;
    if (e->d_type == DT_REG)
        return 'f';
    if (e->d_type == DT_DIR)
        return 'd';
    if (e->d_type != DT_UNKNOWN || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return S_ISREG(st.st_mode) ? 'f' : S_ISDIR(st.st_mode) ? 'd' : 0;
}

/* Whether a key that is this, or begins with it where it is a folder's, can be among the wanted ones. */
static bool is_wanted(const struct walk *w, const char *key, size_t n, bool is_folder)
{
    size_t n_prefix = strlen(w->prefix), n_after = strlen(w->after);
    if (memcmp(key, w->prefix, MIN(n, n_prefix)) != 0 || (!is_folder && n < n_prefix))
        return false;
    return is_folder ? memcmp(key, w->after, MIN(n, n_after)) >= 0 : strcmp(key, w->after) > 0;
}

static void note_name(
    struct walk *w, size_t at, const char *name, char kind, const char *behind, struct names *names)
{
    _cleanup_free_ char *own = xasprintf("%s%s", name, kind == 'd' ? "/" : "");
    size_t n = strlen(own);
    if (strcmp(own, behind) <= 0 || (names->beyond && strcmp(own, names->beyond) >= 0))
        return;
    if (at + n > STORE_KEY_MAX || !text_is_utf8(own, n)) {
        w->n_left_out++;
        return;
    }
    memcpy(w->key + at, own, n + 1);
    if (!is_wanted(w, w->key, at + n, kind == 'd'))
        return;
    names->list[names->n++] = TAKE(own);
    if (names->n == 2 * NAMES_AT_ONCE)
        halve(names);
}

/* The next names behind `behind`, in order. */
static int gather(struct walk *w, DIR *dir, size_t at, const char *behind, struct names *names)
{
    struct dirent *e;
    names->list = xcalloc((size_t)2 * NAMES_AT_ONCE, sizeof(names->list[0]));
    rewinddir(dir);
    while ((void)(errno = 0), (e = readdir(dir))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (strncmp(e->d_name, PUT_MARK, strlen(PUT_MARK)) == 0) {
            sweep(dirfd(dir), e->d_name);
            continue;
        }
        char kind = kind_of(dirfd(dir), e);
        if (kind)
            note_name(w, at, e->d_name, kind, behind, names);
    }
    if (errno) {
        w->key[at] = '\0';
        return folder_failed(w->folder, "list", w->key, errno, w->fault);
    }
    names->list = xrealloc(names->list, MAX(names->n, 1), sizeof(names->list[0]));
    qsort(names->list, names->n, sizeof(names->list[0]), by_bytes);
    return 0;
}

/* ---- the walk: each returns 1 to go on, 0 when the caller has enough, -1 with the fault ---- */

static int tell(struct walk *w, int dir, const char *name)
{
    struct stat st;
    char etag[64];
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return 1; /* it went meanwhile */
    folder_etag(&st, etag);
    struct store_object object = {w->key, etag, st.st_size, folder_modified_us(&st)};
    return w->fn(w->arg, &object);
}

static int walk_folder(struct walk *w, int fd, size_t at);

static int walk_into(struct walk *w, int dir, const char *name, size_t at)
{
    char plain[256 + 1];
    size_t n = strlen(name);
    snprintf(plain, sizeof(plain), "%.*s", (int)n - 1, name);
    int fd = openat(dir, plain, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return 1; /* it went meanwhile, or became another thing */
    if (fd < 0)
        return folder_failed(w->folder, "list", w->key, errno, w->fault);
    return walk_folder(w, fd, at + n);
}

static int walk_names(struct walk *w, DIR *dir, size_t at, const struct names *names)
{
    int go_on = 1;
    for (size_t i = 0; i < names->n && go_on == 1; i++) {
        const char *name = names->list[i];
        size_t n = strlen(name);
        memcpy(w->key + at, name, n + 1);
        go_on = name[n - 1] == '/' ? walk_into(w, dirfd(dir), name, at) : tell(w, dirfd(dir), name);
    }
    return go_on;
}

static void closedirp(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* All below a folder whose key is the first `at` bytes of w->key. Takes the descriptor. */
static int walk_folder(struct walk *w, int fd, size_t at)
{
    _cleanup_(closedirp) DIR *dir = fdopendir(fd);
    _cleanup_free_ char *behind = xstrdup("");
    int go_on;
    if (!dir) {
        go_on = folder_failed(w->folder, "list", w->key, errno, w->fault);
        close(fd);
        return go_on;
    }
    do {
        _cleanup_(names_done) struct names names = {0};
        if (gather(w, dir, at, behind, &names) < 0)
            return -1;
        go_on = walk_names(w, dir, at, &names);
        free(behind);
        behind = names.beyond ? xstrdup(names.list[names.n - 1]) : NULL;
    } while (go_on == 1 && behind);
    return go_on;
}

int folder_list(struct store *s, const char *prefix, const char *after, store_listed *fn, void *arg,
    struct store_fault *fault)
{
    struct walk w = {(struct folder *)s, prefix, after, fn, arg, fault, 0, ""};
    const char *slash = strrchr(prefix, '/'), *name;
    size_t at = slash ? (size_t)(slash - prefix) + 1 : 0;
    _cleanup_free_ char *below =
        xasprintf("%.*sx", (int)at, prefix); /* the walk stops before its last part */
    if (store_key_wrong(below))
        return 0; /* no key begins with that, and it could lead out of here */
    int fd = folder_walk(w.folder, below, false, &name, fault);
    if (fd < 0 && fault->absent) {
        *fault = (struct store_fault){0};
        return 0;
    }
    if (fd < 0)
        return -1;
    memcpy(w.key, prefix, at);
    int ended = walk_folder(&w, fd, at);
    store_tell_left_out(s, w.n_left_out);
    return ended < 0 ? -1 : 0;
}
