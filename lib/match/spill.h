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
    size_t memory;             /* bytes of the buffer */
    struct match_share *share; /* or NULL, as in sorter.h */
    double part;
};

int spill_open(const struct spill_options *options, struct spill **ret_spill, struct error *err);
void spill_free(struct spill *s);
DEFINE_CLEANUP(struct spill *, spill_freep, spill_free)

int spill_put(struct spill *s, struct slice record, struct error *err);

int spill_rewind(struct spill *s, struct error *err);
/* 1 and the record, valid until the next call; 0 at the end; -1. */
int spill_next(struct spill *s, struct slice *ret_record, struct error *err);
