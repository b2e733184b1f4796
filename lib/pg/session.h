#pragma once
/*
 * One Postgres session on the event loop, always in libpq's pipeline mode. It connects, prepares the session,
 * keeps it alive, notices a stalled server, and reconnects with backoff and jitter; the owner sends
 * statements and gets each result in order. Nothing here blocks: names are resolved by util/resolve, the rest
 * is libpq's asynchronous interface (PostgreSQL manual, 34.4, 34.5).
 *
 * A statement sent by pg_session_send() opens an implicit transaction that pg_session_sync() ends: everything
 * between two syncs commits together or not at all.
 */
#include "util/error.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct resolver;
struct pg_session;

/* Where to connect: borrowed strings, copied by the session. */
struct pg_target {
    const char *url;              /* postgresql://… or key=value */
    const char *password_file;    /* or NULL; read at each connect, so that a rotated one is taken */
    const char *application_name; /* shown in pg_stat_activity */
    int64_t timeout_us;           /* longest time a reply may take before the server counts as stalled */
};

enum pg_state { PG_OFF, PG_WAITING, PG_RESOLVING, PG_CONNECTING, PG_SETTING_UP, PG_READY };
const char *pg_state_to_string(enum pg_state s);

/* What the session tells its owner. Both may call back into the session. */
struct pg_session_events {
    void (*ready)(void *arg);
    /* The connection is gone or could not be made; replies under way have been given NULL. It will try again.
     */
    void (*lost)(void *arg, const char *why);
};

/*
 * res: the result, valid during the call; NULL when the connection broke before the answer was complete, so
 * that nobody knows whether it happened. For a sync, PQresultStatus is PGRES_PIPELINE_SYNC.
 */
typedef void pg_reply_fn(void *arg, const PGresult *res);

struct pg_session *pg_session_new(struct event_base *base, struct resolver *resolver,
    const struct pg_target *target, const struct pg_session_events *events, void *arg);
void pg_session_free(struct pg_session *s);
DEFINE_CLEANUP(struct pg_session *, pg_session_freep, pg_session_free)

/* Begins to connect, and keeps at it until pg_session_stop(). */
void pg_session_start(struct pg_session *s);
/* Closes; replies under way get NULL. */
void pg_session_stop(struct pg_session *s);

enum pg_state pg_session_state(const struct pg_session *s);
static inline bool pg_session_ready(const struct pg_session *s)
{
    return pg_session_state(s) == PG_READY;
}
/* Replies outstanding. */
size_t pg_session_pending(const struct pg_session *s);
/* Since when it has been ready, or not (wall clock), the last round trip (0: none yet), and why it was lost ("" if
 * not). */
int64_t pg_session_since_us(const struct pg_session *s);
int64_t pg_session_round_trip_us(const struct pg_session *s);
const char *pg_session_why(const struct pg_session *s);
/* "doctor_office@db" for people. */
const char *pg_session_label(const struct pg_session *s);
/* The server's version as libpq's number, 0 before the first connect. */
int pg_session_server_version(const struct pg_session *s);

/* Parameters of one statement; arrays of n. A NULL value is SQL NULL. format: 0 text, 1 binary. */
struct pg_params {
    int n;
    const Oid *types;
    const char *const *values;
    const int *lengths;
    const int *formats;
};

/*
 * Each queues one request of the pipeline and returns false when the session is not ready (fn is not called
 * then). fn is called exactly once otherwise. fn may be NULL.
 */
bool pg_session_prepare(struct pg_session *s, const char *name, const char *sql, int n_types,
    const Oid *types, pg_reply_fn *fn, void *arg);
/* sql is a statement, or with prepared the name of one. Results come in the format asked for (0 text, 1
 * binary). */
bool pg_session_send(struct pg_session *s, bool prepared, const char *sql, const struct pg_params *params,
    int result_format, pg_reply_fn *fn, void *arg);
/* Ends the implicit transaction: it commits, or had rolled back at the first error since the last sync. */
bool pg_session_sync(struct pg_session *s, pg_reply_fn *fn, void *arg);
/* Asks the server for the answers so far without ending the transaction. */
bool pg_session_flush(struct pg_session *s);

/* One statement with text parameters and its own sync: the reply is the statement's. */
bool pg_session_query(
    struct pg_session *s, const char *sql, int n, const char *const *values, pg_reply_fn *fn, void *arg);

/* What kind of failure a result speaks of, from its SQLSTATE. */
enum pg_fault {
    PG_FAULT_NONE,      /* no error */
    PG_FAULT_ABORTED,   /* the pipeline was aborted by an earlier statement's error */
    PG_FAULT_ROW,       /* a row's own fault: class 22, 23, or raised by a trigger */
    PG_FAULT_SCHEMA,    /* table, column or right is missing: class 42, 0A, 3F */
    PG_FAULT_TRANSIENT, /* try again: 40, 53, 55, 57, 08, 58, XX, 25006 */
};
enum pg_fault pg_fault_of(const PGresult *res);
/* SQLSTATE of a result, "" when there is none. */
const char *pg_sqlstate(const PGresult *res);
/* "SQLSTATE 42501: permission denied for table claim": for messages. The primary text of an error of class 22
 * or 23, which may hold row data, is left out. */
const char *pg_describe(const PGresult *res, char *out, size_t size);
