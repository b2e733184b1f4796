#pragma once
/*
 * Objects under keys: an S3-compatible bucket, or a folder of this machine, behind one face. For workers alone: it blocks.
 * A driver is a struct of functions and a file. A store is one thread's; whoever works in several opens one in each.
 *
 * A key is UTF-8 of at most 1024 bytes, without NUL, not beginning with '/', with no part that is "", "." or ".."; in a
 * bucket also without control characters. Keys are below the store's own prefix: who has the store "s3://bucket/north" never
 * sees, and cannot name, what is outside of it.
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct store;

/* Why something failed, beside the words: what a caller decides by. */
struct store_fault {
    struct error error; /* names the store and the key, never what is in the object */
    int status;         /* of HTTP; else 0 */
    bool transient;     /* it may go well when tried again */
    bool absent;        /* there is no such object (or bucket) */
    bool exists;        /* a put that was to make it found it there already */
    bool changed;       /* the object became another one while it was read */
};

struct store_options {
    const char *url; /* s3://bucket[/prefix], or file:///folder */
    /* Of S3 alone: */
    const char *endpoint; /* http(s)://host[:port]; NULL: https://s3.REGION.amazonaws.com */
    const char *region;   /* NULL: us-east-1 */
    bool path_style;      /* endpoint/bucket/key, not bucket.endpoint/key */
    /* Its first line is ACCESS_KEY:SECRET_KEY[:SESSION_TOKEN], and others must not be able to read it. NULL: requests are not
     * signed. */
    const char *credentials_file;
    const char *ca_file;    /* or NULL: the system's */
    int retries;            /* of a request that broke or was answered with 429 or 5xx; -1: 5 */
    int64_t retry_after_us; /* the first pause, doubled each time up to 20 s; 0: 200 ms */
    int64_t stall_us;       /* 0: 30 s */
};

/* Opens no connection yet: whether it can be reached, the first call says. A folder must be there. */
int store_open(const struct store_options *options, struct store **ret_store, struct store_fault *fault);
void store_free(struct store *s);
DEFINE_CLEANUP(struct store *, store_freep, store_free)

/* "s3://bucket/prefix", "/folder" for people. */
const char *store_label(const struct store *s);
/* Of a folder the path of a key's file, a new string: it can be read there without a copy. NULL of S3, and where a link is
 * in its way: links in a folder are not followed, and not listed. */
char *store_path(const struct store *s, const char *key);
/* The same of what others may write into: a descriptor, the caller's, of the file with that version (NULL: any). Whatever is put
 * in its place meanwhile, /proc/self/fd/N is that file. S3 has none. */
int store_descriptor(struct store *s, const char *key, const char *etag, struct store_fault *fault);

struct store_object {
    const char *key;
    const char *etag; /* without its quotes; of a folder one made of size, time and inode. Never NULL */
    int64_t size;
    int64_t modified_us;
};

/* Calls fn for every object whose key begins with prefix (""), in the order of the keys' bytes, from behind `after` (or
 * NULL). Objects that are folders' marks (a key that ends in '/') are left out, and so is what another put is still
 * writing. What is there under a name that is no key (above) is left out too, and the log says how much that is. fn returns
 * false to end it. Some thousand keys are in memory at a time. */
typedef bool store_listed(void *arg, const struct store_object *object);
int store_list(struct store *s, const char *prefix, const char *after, store_listed *fn, void *arg,
    struct store_fault *fault);

/* The object's facts; absent is a fault. The strings are valid until the next call. */
int store_head(struct store *s, const char *key, struct store_object *ret_object, struct store_fault *fault);

/* The whole object into a file, made anew (0600), perhaps in several requests. etag: the version wanted (another one is a
 * fault `changed`), or NULL. Its length is checked against what was promised. When it fails
 * there is no file. */
int store_get_file(
    struct store *s, const char *key, const char *etag, const char *path, struct store_fault *fault);
/* The same of a small object into memory: a new buffer with a NUL behind its n bytes; larger than max is a fault. */
int store_get(
    struct store *s, const char *key, size_t max, char **ret_bytes, size_t *ret_n, struct store_fault *fault);

/* Makes the object, or replaces it, as a whole: nobody sees a part of it, and when this returns it is there for good. */
int store_put_file(struct store *s, const char *key, const char *path, struct store_fault *fault);
int store_put(struct store *s, const char *key, const void *bytes, size_t n, struct store_fault *fault);
/* The same only where there is none: of two who do so at once one alone succeeds, the other's fault says `exists`. After a
 * broken connection it looks what became of it: its own bytes are a success. A server that would ignore the condition
 * is refused. */
int store_put_new(struct store *s, const char *key, const void *bytes, size_t n, struct store_fault *fault);

/* One that is not there is no fault. */
int store_remove(struct store *s, const char *key, struct store_fault *fault);

/* Writes the fault and returns -1. */
int store_fault_set(struct store_fault *fault, bool transient, const char *fmt, ...) _printf_(3, 4);
