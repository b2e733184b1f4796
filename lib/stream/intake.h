#pragma once
/*
 * The intake: all streams of one daemon, and the Postgres session that keeps the books (our schema, the
 * totals, dead letters, reconcile). The control room talks to this header and to stream/stream.h alone.
 */
#include "stream/stream.h"
#include "util/error.h"

#include <stddef.h>

struct cJSON;
struct config;
struct event_base;
struct health;
struct intake;
struct pg_session;
struct resolver;

/* Borrows everything; config must live until the intake is freed or has taken another by intake_reload. */
struct intake *intake_new(
    struct event_base *base, struct resolver *resolver, struct health *health, const struct config *config);
void intake_free(struct intake *in);
DEFINE_CLEANUP(struct intake *, intake_freep, intake_free)

void intake_start(struct intake *in);
/* Stops reading, commits and acknowledges what is in flight, then calls done once; at the latest after
 * timeout_us. */
void intake_drain(struct intake *in, int64_t timeout_us, void (*done)(void *arg), void *arg);
/* Takes a new configuration: streams that are the same go on untouched, others are drained, changed, added.
 * Checks every table against the catalog again. */
void intake_reload(struct intake *in, const struct config *config);

size_t intake_n_streams(const struct intake *in);
struct stream *intake_stream(struct intake *in, size_t i);
struct stream *intake_find(struct intake *in, const char *name);
/* The session the books are kept over: for status (state, since, round trip, label). */
struct pg_session *intake_session(struct intake *in);

/* The configuration in force, and a stream's totals to be read again soon: for the letters. */
const struct config *intake_config(const struct intake *in);
struct event_base *intake_base(const struct intake *in);
void intake_refresh(struct intake *in);

/* Counts turns of work, so that a watchdog can tell that we still get somewhere. Idle counts as progress. */
bool intake_makes_progress(struct intake *in);

/*
 * Questions that need Postgres. Each calls answer exactly once, from the event loop (or before returning,
 * when Postgres is away): either result is set (the callee's own, to be freed with cJSON_Delete) or why says
 * what went wrong. result's form is given with each.
 */
typedef void intake_answer_fn(void *arg, struct cJSON *result, const char *why);

/* Which letters: an id, or all of one stream or reason. Zero and NULL mean any. */
struct letter_filter {
    int64_t id;
    const char *stream;
    const char *state;  /* "dead", "parked", "dropped", or NULL: dead and parked */
    const char *reason; /* a reason's code */
    int64_t after;      /* only ids above it: for paging */
    int limit;          /* 0: 100 */
};

/* [{id, stream, entry, state, reason, detail, sqlstate, bytes, received, recorded}], by id. No payloads. */
void letters_list(struct intake *in, const struct letter_filter *filter, intake_answer_fn *answer, void *arg);
/* One of the above with "payload" (text), or "payload_base64" where it is not UTF-8, or "fields": {name:
 * text}. */
void letters_show(struct intake *in, int64_t id, intake_answer_fn *answer, void *arg);
/* Sends them through decode and write again. {"replayed": n}: how many were taken up; those that still cannot
 * be stored stay, with their new reason. */
void letters_replay(
    struct intake *in, const struct letter_filter *filter, intake_answer_fn *answer, void *arg);
/* Forgets the payloads; that there were such entries, and who dropped them (who), stays on record.
 * {"dropped": n} */
void letters_drop(struct intake *in, const struct letter_filter *filter, const char *who,
    intake_answer_fn *answer, void *arg);
/* Looks for parked letters of the stream whose parent has come and has them written; those older than
 * park_for become dead. released is called once: how many left the park, or -1 when it could not be done now.
 */
void letters_release(
    struct intake *in, struct stream *stream, void (*released)(void *arg, int64_t n), void *arg);

/* {"ok": bool, "streams": [{name, ok, checks: [{what, expected, found, ok, note}]}]}: the ledger against the
 * tables' own counts and the sources' own books. */
void intake_reconcile(struct intake *in, intake_answer_fn *answer, void *arg);
