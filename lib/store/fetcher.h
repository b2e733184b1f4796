#pragma once
/*
 * Many objects of a store into files, several at a time and ahead of whoever reads them, in the order that was asked for. It
 * is some threads, each with a store of its own; what waits to be read is bounded in number and bytes on the disk.
 */
#include "store/store.h"

struct fetcher;

struct fetcher_options {
    struct store_options store; /* strings stay the caller's, until it is freed */
    const char *folder;         /* for the files; it is there */
    int threads;                /* 0: 4 */
    int ahead;                  /* objects that wait, at most; 0: 64 */
    int64_t bytes_ahead;        /* after so many no other is begun; 0: 256 MB */
};

/* What to fetch next, called under a lock: 1 and the key and version ("": any), copied at once; 0: no more; -1 with the fault. */
typedef int fetcher_wanted(void *arg, const char **ret_key, const char **ret_etag, struct store_fault *fault);

int fetcher_start(const struct fetcher_options *options, fetcher_wanted *wanted, void *arg,
    struct fetcher **ret_fetcher, struct store_fault *fault);
/* Ends what is under way and removes the files. */
void fetcher_free(struct fetcher *f);
DEFINE_CLEANUP(struct fetcher *, fetcher_freep, fetcher_free)

/* 1 and the file of the next one in order, which is removed at the next call; 0 when all were; -1: this one could not be
 * fetched (absent, changed, denied, …), the next call goes on behind it. */
int fetcher_next(struct fetcher *f, const char **ret_path, struct store_fault *fault);
