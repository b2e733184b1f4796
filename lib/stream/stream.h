#pragma once
/*
 * One stream: a source bound to a table. It checks its column map against the catalog, lets the source fill
 * batches, has them written, acknowledges what was committed, and keeps the account.
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>

struct stream;

enum stream_state {
    STREAM_STARTING, /* waits for Postgres and the check of its table */
    STREAM_RUNNING,
    STREAM_WAITING,  /* Postgres is away: nothing is read, nothing is acknowledged */
    STREAM_PAUSED,   /* a person paused it */
    STREAM_REFUSED,  /* its table or columns do not fit: nothing is read; tried again by itself */
    STREAM_DRAINING, /* we are stopping: what is in flight is being committed */
    STREAM_STOPPED,
};
const char *stream_state_to_string(enum stream_state s);

/* For status. Strings are the stream's own, valid until the event loop turns. Counts are -1 where not known.
 */
struct stream_report {
    const char *name;
    const char *table;
    char source[128]; /* "redis claim/ingestd" */
    enum stream_state state;
    int64_t since_us; /* wall clock of the state */
    double rate;      /* entries per second, over the last ten seconds */
    int64_t lag;      /* entries waiting upstream */
    int64_t pending;  /* delivered upstream, not acknowledged */
    int64_t spool_bytes;
    int64_t claimed;
    bool connected;                               /* the source's side */
    int64_t delivered, inserted, duplicate, dead; /* the ledger's sums, all daemons and all time */
    int64_t parked;                               /* letters that wait for their parent now */
    int64_t dead_letters;                         /* letters that are dead now: not replayed, not dropped */
    int64_t ignored_fields;
    int64_t batches, batch_rows_max; /* since start */
    int64_t last_commit_us;          /* wall clock, 0: none yet */
    int64_t commit_us_mean;          /* of the recent batches: sent to committed */
};

void stream_report(struct stream *s, struct stream_report *ret);
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
const char *stream_name(const struct stream *s);
