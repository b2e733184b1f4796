#pragma once
/*
 * Writes batches into the stream's table, one transaction each: the rows, the letters and the ledger
 * together, or none of them. It isolates rows that only the server can refuse by halving the batch, waits and
 * tries again when the server is in trouble, and goes on where it was after a reconnect.
 */
#include "stream/account.h"
#include "stream/batch.h"
#include "stream/table.h"

struct event_base;
struct pg_session;
struct writer;

struct writer_events {
    /* The items [from, to) of the batch are committed. */
    void (*committed)(void *arg, struct batch *batch, size_t from, size_t to, const struct outcome *outcome);
    /* All of the batch is. Another may be written now, also from inside this call. */
    void (*done)(void *arg, struct batch *batch);
    /* The table or our own tables do not take it: the batch is kept; call writer_resume after a new check. */
    void (*misfit)(void *arg, const char *why);
    /* The server is in trouble (why), or out of it (NULL). It is tried again by itself. */
    void (*trouble)(void *arg, const char *why);
};

struct writer *writer_new(struct event_base *base, struct pg_session *session, const char *schema,
    const char *stream, const struct writer_events *events, void *arg);
void writer_free(struct writer *w);
DEFINE_CLEANUP(struct writer *, writer_freep, writer_free)

/*
 * Prepares the statements on a session that has just become ready, or for a table that has changed (kept,
 * borrowed, until another one comes); then goes on with an unfinished batch, decoded again if the table is
 * another one. why is NULL when all is prepared.
 */
void writer_resume(struct writer *w, const struct table *table, void (*prepared)(void *arg, const char *why));
/* The session is gone: an unfinished batch is kept until writer_resume. */
void writer_suspend(struct writer *w);

/*
 * Writes a batch (borrowed until done). was: NULL for entries from a source; "dead" or "parked" when they are
 * letters that all have that state. Only when not busy.
 */
void writer_write(struct writer *w, struct batch *batch, const char *was);
/* It has a batch, and waits for writer_resume. */
bool writer_suspended(const struct writer *w);
