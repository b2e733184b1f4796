#pragma once
/*
 * A lane: one connection to Postgres and the batches that go over it, one that fills while another is
 * written. A stream has one lane or several; entries of one key always take the same one, so that they stay
 * in order.
 */
#include "stream/writer.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct event_base;
struct lane;
struct resolver;
struct stream;

/* What a lane tells its stream. */
struct lane_events {
    void (*ready)(struct stream *stream, struct lane *lane); /* connected: it waits for lane_adopt */
    void (*lost)(struct stream *stream, const char *why);
    void (*prepared)(
        struct stream *stream, const char *why); /* why: NULL, or what the server says against it */
    void (*committed)(
        struct stream *stream, struct batch *batch, size_t from, size_t to, const struct outcome *outcome);
    /* A batch of n_items is committed, all of it; letters: it is the one given to lane_write_letters. */
    void (*written)(struct stream *stream, size_t n_items, bool letters);
    void (*misfit)(struct stream *stream, const char *why);
    void (*trouble)(struct stream *stream, const char *why);
};

/* name: the stream's, for the log and the ledger; number: which lane, from 0. */
struct lane *lane_new(struct event_base *base, struct resolver *resolver, const struct config *config,
    const char *name, int number, const struct lane_events *events, struct stream *stream);
void lane_free(struct lane *lane);
void lane_start(struct lane *lane);

/* How many entries the batch that fills takes; 0 when it is full by rows or by max_bytes. */
size_t lane_room(const struct lane *lane, size_t max_bytes);
/* Moves the one entry of `arrival` into the batch that fills. */
void lane_take(struct lane *lane, struct batch *arrival);
/* Writes what has come, unless it is writing already or is not prepared. */
void lane_pump(struct lane *lane);
/* Writes letters before anything else; only when lane_idle() and lane_prepared(). The batch is borrowed until
 * written. */
void lane_write_letters(struct lane *lane, struct batch *letters, const char *was);

/*
 * Decodes what has come again if the table is another one than before, prepares the statements and goes on.
 * The table is borrowed; the one before must still be there during this call. Only when nothing is in flight.
 */
void lane_adopt(struct lane *lane, const struct table *table);

bool lane_ready(const struct lane *lane);    /* connected */
bool lane_prepared(const struct lane *lane); /* and its statements are known to the server */
void lane_unprepare(struct lane *lane);      /* no new batch is written until lane_adopt */
bool lane_idle(
    const struct lane *lane); /* nothing is being written, or the server is not there to write it */
bool lane_writing(
    const struct lane *lane);             /* a batch is with the writer, in flight or kept for a reconnect */
bool lane_empty(const struct lane *lane); /* nothing has come that is not committed */
struct pg_session *lane_session(const struct lane *lane);
