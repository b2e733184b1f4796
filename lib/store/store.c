/* The face of the room: it checks keys, so that no driver has to, and finds the driver. */
#include "store/driver.h"

#include "util/log.h"
#include "util/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>

int store_fault_set(struct store_fault *fault, bool transient, const char *fmt, ...)
{
    va_list ap;
    *fault = (struct store_fault){.transient = transient};
    va_start(ap, fmt);
    vsnprintf(fault->error.text, sizeof(fault->error.text), fmt, ap);
    va_end(ap);
    text_make_printable(fault->error.text);
    return -1;
}

int store_absent(struct store *s, const char *key, struct store_fault *fault)
{
    store_fault_set(fault, false, "%s has no object %s: it was removed, or never was there", s->label, key);
    fault->absent = true;
    return -1;
}

int store_exists(struct store *s, const char *key, struct store_fault *fault)
{
    store_fault_set(fault, false, "%s has an object %s already: somebody else made it", s->label, key);
    fault->exists = true;
    return -1;
}

int store_changed(struct store *s, const char *key, struct store_fault *fault)
{
    store_fault_set(
        fault, false, "%s in %s is another version by now: list it again, and take that one", key, s->label);
    fault->changed = true;
    return -1;
}

int store_too_large(struct store *s, const char *key, size_t max, struct store_fault *fault)
{
    char size[32];
    return store_fault_set(fault, false, "%s in %s is larger than %s, which is too much for what it is to be",
        key, s->label, text_bytes(max, size));
}

/* ---- keys ---- */

const char *store_key_wrong(const char *key)
{
    size_t n = strlen(key);
    if (n == 0)
        return "it is empty";
    if (n > STORE_KEY_MAX)
        return "it is longer than 1024 bytes";
    if (!text_is_utf8(key, n))
        return "it is not UTF-8";
    for (const char *p = key;; p++) {
        size_t part = strcspn(p, "/");
        if (part == 0)
            return "a part of it is empty";
        if (part <= 2 && strncmp(p, "..", part) == 0)
            return "a part of it is . or ..";
        p += part;
        if (!*p)
            return NULL;
    }
}

static int check_key(const struct store *s, const char *key, struct store_fault *fault)
{
    const char *why = store_key_wrong(key);
    *fault = (struct store_fault){0};
    if (!why)
        return 0;
    return store_fault_set(fault, false, "\"%.200s\" is no key of an object in %s: %s", key, s->label, why);
}

void store_tell_left_out(const struct store *s, uint64_t n)
{
    char count[28];
    if (n > 0)
        log_warning("store", NULL,
            "%s of what is in %s is left out, as its name is no key: it is not UTF-8, or a part of it is "
            "empty, . or .., or it is too long, or, in a bucket, has a control character. Have it renamed",
            text_count(n, count), s->label);
}

/* ---- files of this machine ---- */

int local_create(const char *path, struct store_fault *fault)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return store_fault_set(fault, false, "cannot remove %s, to make it anew: %s", path, strerror(errno));
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return store_fault_set(fault, false, "cannot make %s: %s", path, strerror(errno));
    return fd;
}

int local_write(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t got = write(fd, p, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

/* ---- the face ---- */

int store_open(const struct store_options *options, struct store **ret_store, struct store_fault *fault)
{
    *fault = (struct store_fault){0};
    if (strncmp(options->url, "file://", 7) == 0)
        return folder_open(options, ret_store, fault);
    if (strncmp(options->url, "s3://", 5) == 0)
        return s3_open(options, ret_store, fault);
    return store_fault_set(
        fault, false, "\"%.100s\" is no store: write s3://bucket/prefix or file:///folder", options->url);
}

void store_free(struct store *s)
{
    if (!s)
        return;
    free(s->label);
    buffer_done(&s->facts);
    s->driver->free(s);
}

void store_stop_when(struct store *s, const atomic_bool *stop)
{
    if (s->driver->stop_when)
        s->driver->stop_when(s, stop);
}

const char *store_label(const struct store *s)
{
    return s->label;
}

char *store_path(const struct store *s, const char *key)
{
    return s->driver->path && !store_key_wrong(key) ? s->driver->path(s, key) : NULL;
}

int store_descriptor(struct store *s, const char *key, const char *etag, struct store_fault *fault)
{
    if (check_key(s, key, fault) < 0)
        return -1;
    return s->driver->descriptor
               ? s->driver->descriptor(s, key, etag, fault)
               : store_fault_set(fault, false, "%s in %s is no file of this machine", key, s->label);
}

int store_list(struct store *s, const char *prefix, const char *after, store_listed *fn, void *arg,
    struct store_fault *fault)
{
    *fault = (struct store_fault){0};
    if (strlen(prefix) > STORE_KEY_MAX || !text_is_utf8(prefix, strlen(prefix)))
        return store_fault_set(fault, false, "cannot list %s: no key begins with that prefix, it is %s",
            s->label, strlen(prefix) > STORE_KEY_MAX ? "too long" : "not UTF-8");
    return s->driver->list(s, prefix, after ? after : "", fn, arg, fault);
}

int store_head(struct store *s, const char *key, struct store_object *ret_object, struct store_fault *fault)
{
    return check_key(s, key, fault) < 0 ? -1 : s->driver->head(s, key, ret_object, fault);
}

int store_get_file(
    struct store *s, const char *key, const char *etag, const char *path, struct store_fault *fault)
{
    if (check_key(s, key, fault) == 0 && s->driver->get_file(s, key, etag, path, fault) == 0)
        return 0;
    unlink(path);
    return -1;
}

int store_get(
    struct store *s, const char *key, size_t max, char **ret_bytes, size_t *ret_n, struct store_fault *fault)
{
    _cleanup_buffer_ struct buffer into = {0};
    if (check_key(s, key, fault) < 0 || s->driver->get(s, key, max, &into, fault) < 0)
        return -1;
    buffer_string(&into); /* the NUL behind them */
    *ret_n = into.n;
    *ret_bytes = TAKE(into.p);
    return 0;
}

int store_put_file(struct store *s, const char *key, const char *path, struct store_fault *fault)
{
    return check_key(s, key, fault) < 0 ? -1 : s->driver->put_file(s, key, path, fault);
}

int store_put(struct store *s, const char *key, const void *bytes, size_t n, struct store_fault *fault)
{
    struct slice all = {bytes, n};
    return check_key(s, key, fault) < 0 ? -1 : s->driver->put(s, key, all, false, fault);
}

int store_put_new(struct store *s, const char *key, const void *bytes, size_t n, struct store_fault *fault)
{
    struct slice all = {bytes, n};
    return check_key(s, key, fault) < 0 ? -1 : s->driver->put(s, key, all, true, fault);
}

int store_remove(struct store *s, const char *key, struct store_fault *fault)
{
    return check_key(s, key, fault) < 0 ? -1 : s->driver->remove(s, key, fault);
}
