#include "stream/lane.h"

#include "config/config.h"
#include "pg/session.h"
#include "stream/batch.h"

#define MAX_ROWS 2048
#define MIN_ROWS 64

struct lane {
    struct stream *stream;
    struct lane_events events;
    struct pg_session *session;
    struct writer *writer;
    const struct table *table;
    struct batch *filling, *spare;
    struct batch *writing; /* what the writer has */
    bool letters;          /* it is the stream's letters */
    bool prepared;
    size_t target_rows;
    size_t ranges_committed; /* of the batch being written */
};

/* -- from the session ------------------------------------------------------------------------------------ */

static void on_ready(void *arg)
{
    struct lane *l = arg;
    l->events.ready(l->stream, l);
}

static void on_lost(void *arg, const char *why)
{
    struct lane *l = arg;
    l->prepared = false;
    writer_suspend(l->writer);
    l->events.lost(l->stream, why);
}

/* -- from the writer ------------------------------------------------------------------------------------- */

static void on_prepared(void *arg, const char *why)
{
    struct lane *l = arg;
    l->prepared = !why;
    l->events.prepared(l->stream, why);
}

static void on_committed(void *arg, struct batch *batch, size_t from, size_t to, const struct outcome *o)
{
    struct lane *l = arg;
    l->ranges_committed++;
    l->events.committed(l->stream, batch, from, to, o);
}

/* Where the server refused rows, small batches cost fewer attempts; clean ones grow again. */
static void tune(struct lane *l)
{
    if (l->ranges_committed > 1)
        l->target_rows = MAX(l->target_rows / 4, (size_t)MIN_ROWS);
    else
        l->target_rows = MIN(l->target_rows * 2, (size_t)MAX_ROWS);
}

static void on_written(void *arg, struct batch *batch)
{
    struct lane *l = arg;
    bool letters = l->letters;
    size_t n_items = batch_n_items(batch);
    l->writing = NULL;
    l->letters = false;
    if (!letters) {
        tune(l);
        batch_reset(batch);
        l->spare = batch;
    }
    l->events.written(l->stream, n_items, letters);
}

static void on_misfit(void *arg, const char *why)
{
    struct lane *l = arg;
    l->events.misfit(l->stream, why);
}

static void on_trouble(void *arg, const char *why)
{
    struct lane *l = arg;
    l->events.trouble(l->stream, why);
}

/* -- life ------------------------------------------------------------------------------------------------ */

struct lane *lane_new(struct event_base *base, struct resolver *resolver, const struct config *config,
    const char *name, int number, const struct lane_events *events, struct stream *stream)
{
    static const struct pg_session_events session_events = {on_ready, on_lost};
    static const struct writer_events writer_events = {on_committed, on_written, on_misfit, on_trouble};
    struct lane *l = xnew(struct lane);
    *l = (struct lane){.stream = stream, .events = *events, .target_rows = MAX_ROWS};
    _cleanup_free_ char *application = xasprintf("ingestd %s %d", name, number);
    const struct pg_target target = {
        .url = config->postgres.url,
        .password_file = config->postgres.password_file,
        .application_name = application,
        .timeout_us = config->postgres.timeout_us,
    };
    l->session = pg_session_new(base, resolver, &target, &session_events, l);
    l->writer = writer_new(base, l->session, config->postgres.schema, name, &writer_events, l);
    return l;
}

void lane_free(struct lane *l)
{
    if (!l)
        return;
    pg_session_free(l->session);
    writer_free(l->writer);
    if (!l->letters)
        batch_free(l->writing);
    batch_free(l->filling);
    batch_free(l->spare);
    free(l);
}

void lane_start(struct lane *l)
{
    pg_session_start(l->session);
}

/* -- batches --------------------------------------------------------------------------------------------- */

size_t lane_room(const struct lane *l, size_t max_bytes)
{
    size_t n = batch_n_items(l->filling);
    return n >= l->target_rows || batch_bytes(l->filling) >= max_bytes ? 0 : l->target_rows - n;
}

void lane_take(struct lane *l, struct batch *arrival)
{
    batch_move(l->filling, arrival);
}

void lane_pump(struct lane *l)
{
    if (l->writing || !l->prepared || !batch_n_items(l->filling))
        return;
    l->writing = l->filling;
    l->filling = TAKE(l->spare);
    l->ranges_committed = 0;
    writer_write(l->writer, l->writing, NULL);
}

void lane_write_letters(struct lane *l, struct batch *letters, const char *was)
{
    l->writing = letters;
    l->letters = true;
    l->ranges_committed = 0;
    writer_write(l->writer, letters, was);
}

void lane_adopt(struct lane *l, const struct table *table)
{
    if (!l->filling) {
        l->filling = batch_new(table);
        l->spare = batch_new(table);
    } else if (l->table != table) {
        batch_rebuild(l->filling, table);
        if (l->spare)
            batch_rebuild(l->spare, table);
    }
    l->table = table;
    l->prepared = false;
    writer_resume(l->writer, table, on_prepared);
}

bool lane_ready(const struct lane *l)
{
    return pg_session_ready(l->session);
}

bool lane_prepared(const struct lane *l)
{
    return l->prepared;
}

void lane_unprepare(struct lane *l)
{
    l->prepared = false;
}

bool lane_idle(const struct lane *l)
{
    return !l->writing || writer_suspended(l->writer);
}

bool lane_writing(const struct lane *l)
{
    return l->writing != NULL;
}

bool lane_empty(const struct lane *l)
{
    return !l->writing && (!l->filling || batch_n_items(l->filling) == 0);
}

struct pg_session *lane_session(const struct lane *l)
{
    return l->session;
}
