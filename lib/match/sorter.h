#pragma once
/*
 * Any number of records in order of their keys, in bounded memory: records are gathered, sorted and written to a file, run
 * after run, and the runs are merged when they are read. Keys are compared as bytes, a shorter one before a longer one that
 * begins with it; records of one key come in the order they were put in. What comes in order already makes one run, and
 * costs no merging.
 *
 * The file is ours alone (0600). What was saved can be gone on with by another process after this one has died.
 */
#include "match/share.h"
#include "util/buffer.h"
#include "util/error.h"

#include <stdbool.h>

struct cJSON;
struct sorter;

struct sorter_options {
    const char *path; /* of its file, which is made anew; it is removed when the sorter is freed … */
    bool keep;        /* … but for this */
    size_t memory;    /* bytes to gather in, and to merge in; at least 64 KB */
    struct match_share *share; /* whose rows the records are; not owned. NULL: they count as none */
    double part;               /* of that share, while records are put in, and the same while they are read */
};

/* ret_sorter is the caller's. */
int sorter_open(const struct sorter_options *options, struct sorter **ret_sorter, struct error *err);
/* The same with a file that an earlier process kept, and what it had saved: records put in after that are gone. */
int sorter_resume(const struct sorter_options *options, const struct cJSON *saved, struct sorter **ret_sorter,
    struct error *err);
void sorter_free(struct sorter *s);
DEFINE_CLEANUP(struct sorter *, sorter_freep, sorter_free)

/* Neither key nor value may be longer than 64 MB together; a record larger than the memory is a run of its own. */
int sorter_put(struct sorter *s, struct slice key, struct slice value, struct error *err);
int64_t sorter_records(const struct sorter *s);
/* All records so far are on the disk for good then. ret_saved: for sorter_resume(), the caller deletes it. */
int sorter_save(struct sorter *s, struct cJSON **ret_saved, struct error *err);

/* Begins to read from the first record; may be called again. Nothing is put in any more after it. */
int sorter_rewind(struct sorter *s, struct error *err);
/* 1 and the record, valid until the next call; 0 at the end; -1. */
int sorter_next(struct sorter *s, struct slice *ret_key, struct slice *ret_value, struct error *err);
