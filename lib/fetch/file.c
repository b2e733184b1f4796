/* A wire from a file of this machine. It must stay the same file from the first byte to the last. */
#include "fetch/open.h"

#include "util/clock.h"
#include "util/text.h"
#include "util/url.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

struct file {
    struct wire base;
    int fd;
    struct stat was;
};

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static ssize_t read_some(struct file *f, char *p, size_t n, struct fetch_fault *fault)
{
    ssize_t got;
    do
        got = read(f->fd, p, n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        fetch_fault_set(fault, errno == EIO, "cannot read %s: %s", f->base.label, strerror(errno));
    return got;
}

static ssize_t file_read(struct wire *w, char *p, size_t n, struct fetch_fault *fault)
{
    struct file *f = (struct file *)w;
    struct stat now;
    int64_t left = w->total - w->received;
    ssize_t got = left > 0 ? read_some(f, p, (size_t)MIN((int64_t)n, left), fault) : 0;
    if (got != 0)
        return got;
    if (left > 0 || fstat(f->fd, &now) < 0 || !is_same(&f->was, &now))
        return fetch_fault_changed(fault, "%s was written to while it was read", w->label);
    return 0;
}

static void file_free(struct wire *w)
{
    struct file *f = (struct file *)w;
    closep(&f->fd);
    wire_done(w);
    free(f);
}

static const struct wire_driver file_driver = {file_read, file_free};

static const char *what_it_is(mode_t mode)
{
    if (S_ISDIR(mode))
        return "it is a directory, and a file is wanted";
    if (S_ISFIFO(mode))
        return "it is a pipe, which can be read only once and never again: only files are read";
    return "it is a device or a socket, and only files are read";
}

/* O_NONBLOCK: a pipe without a writer would hold us. */
static int open_path(struct file *f, const char *path, struct fetch_fault *fault)
{
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (f->fd < 0 || fstat(f->fd, &f->was) < 0)
        return fetch_fault_set(fault, false, "cannot read %s: %s", f->base.label, strerror(errno));
    if (!S_ISREG(f->was.st_mode))
        return fetch_fault_set(fault, false, "cannot read %s: %s", f->base.label, what_it_is(f->was.st_mode));
    return 0;
}

/* What a server would say of it. */
static void note_facts(struct file *f, const char *path)
{
    struct wire *w = &f->base;
    struct tm tm;
    char date[64];
    int64_t sec = f->was.st_mtim.tv_sec;
    w->url = xstrdup(w->label);
    w->name = xstrdup(fetch_last_parts(path, 0));
    text_make_printable(w->name);
    w->total = f->was.st_size;
    w->modified_us = sec * US_PER_SEC + f->was.st_mtim.tv_nsec / 1000;
    w->etag = xasprintf("\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%lx\"", (uint64_t)f->was.st_ino,
        (uint64_t)f->was.st_size, (uint64_t)sec, f->was.st_mtim.tv_nsec);
    if (gmtime_r(&f->was.st_mtim.tv_sec, &tm) &&
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
        w->last_modified = xstrdup(date);
}

char *file_path(const char *url, struct fetch_fault *fault)
{
    _cleanup_url_ struct url u = {0};
    if (url_parse(url, &u, &fault->error) < 0)
        return NULL;
    if (u.host && strcasecmp(u.host, "localhost") != 0)
        fetch_fault_set(fault, false,
            "cannot read a file of the host %s: a file's URL has three slashes, file:///path", u.host);
    else if (u.path[0] != '/')
        fetch_fault_set(fault, false, "a file's URL has its whole path, file:///path");
    else
        return TAKE(u.path);
    return NULL;
}

static void file_freep(struct file **f)
{
    if (*f)
        file_free(&(*f)->base);
}

int file_open(const char *url, const struct fetch_options *options, struct wire **ret_wire,
    enum fetch_answer *ret_answer, struct fetch_fault *fault)
{
    _cleanup_(file_freep) struct file *f = xnew(struct file);
    _cleanup_free_ char *path = file_path(url, fault);
    f->fd = -1;
    wire_init(&f->base, &file_driver, url);
    if (!path || open_path(f, path, fault) < 0)
        return -1;
    note_facts(f, path);
    *ret_answer = options->etag && strcmp(options->etag, f->base.etag) == 0 ? FETCH_UNCHANGED : FETCH_BODY;
    *ret_wire = &TAKE(f)->base;
    return 0;
}
