#pragma once
/* What a stream has done, for status: its rate, its part in the ledger, its batches. */
#include "stream/account.h"
#include "stream/stream.h"

#define TALLY_SECONDS 10

struct tally {
    struct stream_totals totals; /* all -1 until they have been read */
    uint64_t commits, delivered; /* since start */
    uint64_t per_second[TALLY_SECONDS];
    size_t second; /* the one that is under way */
    int64_t batches, batch_rows_max;
    int64_t last_commit_us; /* wall clock, 0: none yet */
    int64_t commit_us_mean; /* of the recent ones */
};

void tally_init(struct tally *t);
void tally_delivered(struct tally *t);
void tally_committed(struct tally *t, const struct outcome *o);
void tally_written(struct tally *t, size_t n_items);
/* Once a second. */
void tally_tick(struct tally *t);
/* Entries a second, over the seconds that are complete. */
double tally_rate(const struct tally *t);
/* Takes the sums as read while `commits` was the count; a batch committed meanwhile may be in them or not, and then
 * they are left for the next time. */
void tally_take_totals(struct tally *t, const struct stream_totals *totals, uint64_t commits);
