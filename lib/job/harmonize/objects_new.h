#pragma once
/*
 * Which objects of a store have to be taken: those under a source's prefix and pattern that are not in the lake's `delivery` yet
 * with this key and ETag, in the order of their times and then of their keys. However many they are, they are in a file and in
 * DuckDB, not in memory.
 */
#include "job/harmonize/harmonize.h"

struct new_object {
    char *key, *etag; /* of one that the store lists without an ETag: made of its size and time */
    int64_t size, modified_us;
};
void new_object_done(struct new_object *o);
/* What the store is to be asked for: its ETag, or "" when that is one of ours. */
const char *new_object_version(const struct new_object *o);

struct new_objects;

/* Lists the store, with h->duck's help. */
int new_objects_find(struct harmonize *h, const struct job_feed *spec, struct store *store,
    struct new_objects **ret_objects, struct db_fault *fault);
void new_objects_free(struct new_objects *n);
DEFINE_CLEANUP(struct new_objects *, new_objects_freep, new_objects_free)

int64_t new_objects_count(const struct new_objects *n);
/* 1 and the next one, the caller's; 0 at the end; -1. Any thread's, one at a time. */
int new_objects_next(struct new_objects *n, struct new_object *ret, struct error *err);
