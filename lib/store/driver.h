#pragma once
/* What the files of this room say to each other. Keys that reach a driver are sound and without the store's own prefix. */
#include "store/store.h"
#include "util/buffer.h"

#include <stdatomic.h>

#define STORE_KEY_MAX 1024

struct store_driver {
    int (*list)(struct store *s, const char *prefix, const char *after, store_listed *fn, void *arg,
        struct store_fault *fault);
    int (*head)(struct store *s, const char *key, struct store_object *ret_object, struct store_fault *fault);
    int (*get_file)(
        struct store *s, const char *key, const char *etag, const char *path, struct store_fault *fault);
    int (*get)(struct store *s, const char *key, size_t max, struct buffer *into, struct store_fault *fault);
    int (*put_file)(struct store *s, const char *key, const char *path, struct store_fault *fault);
    /* fresh: only where there is none. */
    int (*put)(struct store *s, const char *key, struct slice bytes, bool fresh, struct store_fault *fault);
    int (*remove)(struct store *s, const char *key, struct store_fault *fault);
    char *(*path)(const struct store *s, const char *key);
    int (*descriptor)(
        struct store *s, const char *key, const char *etag, struct store_fault *fault); /* or NULL */
    void (*stop_when)(struct store *s, const atomic_bool *stop);                        /* or NULL */
    void (*free)(struct store *s);
};

struct store {
    const struct store_driver *driver;
    char *label;
    struct buffer facts; /* what the last head's strings are in */
};

int folder_open(const struct store_options *options, struct store **ret_store, struct store_fault *fault);
int s3_open(const struct store_options *options, struct store **ret_store, struct store_fault *fault);

/* NULL when it is sound, else what is wrong with it. */
const char *store_key_wrong(const char *key);
/* What a driver came across while it listed, and whoever lists cannot be given. */
void store_tell_left_out(const struct store *s, uint64_t n);

/* Another thread sets *stop, and what this one is at ends soon, with a fault; it is one of several threads then. */
void store_stop_when(struct store *s, const atomic_bool *stop);

/* The same flags each time: it is there no more, it is there already, it became another. Each returns -1. */
int store_absent(struct store *s, const char *key, struct store_fault *fault);
int store_exists(struct store *s, const char *key, struct store_fault *fault);
int store_changed(struct store *s, const char *key, struct store_fault *fault);
int store_too_large(struct store *s, const char *key, size_t max, struct store_fault *fault);

/* ---- files of this machine ---- */

/* Makes it anew for us alone; one that is there goes. -1 with the fault. */
int local_create(const char *path, struct store_fault *fault);
/* All of them. 0, or -1 and errno. */
int local_write(int fd, const char *p, size_t n);
