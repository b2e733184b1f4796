#pragma once
/* A folder as a store: what its files say to each other. */
#include "store/driver.h"

#include <sys/stat.h>

struct folder {
    struct store base;
    char *path; /* without a slash at its end; "" is the root of the file system */
    int fd;
};

/* The name of a file that is still written; whoever writes it holds a lock on it. */
#define PUT_MARK ".ingestd-put-"

/* The folder that a key is in, and the key's last part. make: it and those above it are made where they are missing.
 * -1 with the fault. Nothing but folders is walked through: a link in a key's way is a fault. */
int folder_walk(
    struct folder *f, const char *key, bool make, const char **ret_name, struct store_fault *fault);
/* errno as a fault: "cannot WHAT KEY in FOLDER: why". */
int folder_failed(struct folder *f, const char *what, const char *key, int code, struct store_fault *fault);

void folder_etag(const struct stat *st, char out[64]);
int64_t folder_modified_us(const struct stat *st);

int folder_list(struct store *s, const char *prefix, const char *after, store_listed *fn, void *arg,
    struct store_fault *fault);
int folder_put_file(struct store *s, const char *key, const char *path, struct store_fault *fault);
int folder_put(struct store *s, const char *key, struct slice bytes, bool fresh, struct store_fault *fault);
int folder_remove(struct store *s, const char *key, struct store_fault *fault);
/* From where `from` stands to where `to` stands, n bytes or up to its end. How many, or -1 and errno. */
int64_t folder_copy(int from, int to, int64_t n);
