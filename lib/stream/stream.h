#pragma once
/*
 * One stream: a source bound to a table. It checks its column map against the catalog, lets the source fill
 * batches, has them written, acknowledges what was committed, and keeps the account.
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>

struct batch;
struct config;
struct config_stream;
struct event_base;
struct health;
struct resolver;
struct stream;
struct table;

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

/* -- for the intake and the letters ---------------------------------------------------------------------- */

/* config is borrowed until stream_free or stream_take_config; stream_config is copied. NULL and why when the
 * source cannot be made. */
struct stream *stream_new(struct event_base *base, struct resolver *resolver, struct health *health,
    const struct config *config, const struct config_stream *stream_config, struct error *err);
void stream_free(struct stream *s);
void stream_take_config(struct stream *s, const struct config *config);
const struct config_stream *stream_config(const struct stream *s);

/* Connects to Postgres, checks the table, and begins. */
void stream_start(struct stream *s);
/* Checks the table again, as after a reload; what is in flight is kept. */
void stream_recheck(struct stream *s);
/* Stops reading and writes what has come. */
void stream_drain(struct stream *s);
/* Nothing in flight, and every acknowledgement is known upstream. */
bool stream_drained(struct stream *s);
/* The stream will not come back: what its source keeps elsewhere for a restart is given up. */
void stream_leave(struct stream *s);
/* Once a second: rates. */
void stream_tick(struct stream *s);
/* Grows with every batch, entry and retry. */
uint64_t stream_work(const struct stream *s);
/* Entries are in hand that have not been committed yet. */
bool stream_has_work(const struct stream *s);

/* The table as last checked, or NULL. */
const struct table *stream_table(const struct stream *s);
/* The source's own report, for reconcile. */
struct source_report;
void stream_source_report(const struct stream *s, struct source_report *ret);

/* The sums of the ledger and the letters as the database has them, read while `commits` was this stream's
 * count. */
struct stream_totals {
    int64_t delivered, inserted, duplicate, dead, parked, dead_letters;
};
uint64_t stream_commits(const struct stream *s);
void stream_take_totals(struct stream *s, const struct stream_totals *totals, uint64_t commits);
int64_t stream_parked(const struct stream *s);

/*
 * Writes a batch of letters (taken over) that all have the state `was`, between the batches of the source,
 * and calls settled once: how many are stored now, or -1 when the stream ended before. False, and the batch
 * stays the caller's, when the stream is not running or has letters already.
 */
bool stream_settle(struct stream *s, struct batch *batch, const char *was,
    void (*settled)(void *arg, int64_t n_stored), void *arg);
