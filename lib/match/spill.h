#pragma once
/* Records one after the other in a file of ours (0600, removed when it is freed), written once and then read in the same
 * order, as often as wanted. In memory is at most one buffer. */
#include "match/share.h"
#include "util/buffer.h"
#include "util/error.h"

#include <stdbool.h>

struct spill;

struct spill_options {
    const char *path;
    bool keep;                 /* the file stays when it is freed */
    size_t memory;             /* bytes of the buffer */
    struct match_share *share; /* or NULL, as in sorter.h */
    double part;
};

int spill_open(const struct spill_options *options, struct spill **ret_spill, struct error *err);
/* A file that an earlier process kept and finished with spill_finish(): to be read. */
int spill_reopen(
    const struct spill_options *options, int64_t records, struct spill **ret_spill, struct error *err);
void spill_free(struct spill *s);
DEFINE_CLEANUP(struct spill *, spill_freep, spill_free)

int spill_put(struct spill *s, struct slice record, struct error *err);
/* All of it is on the disk for good. */
int spill_finish(struct spill *s, struct error *err);
int64_t spill_records(const struct spill *s);

int spill_rewind(struct spill *s, struct error *err);
/* 1 and the record, valid until the next call; 0 at the end; -1. */
int spill_next(struct spill *s, struct slice *ret_record, struct error *err);
