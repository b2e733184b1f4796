/*
 * The way of an entry: the source delivers it, it is decoded, and its key says which lane takes it; when the
 * lane is free its batches change places; when the batch is committed its entries are acknowledged and the
 * source is told that there is room. So a lone entry is written at once, and a flood in large batches,
 * without a linger setting.
 *
 * The states: STARTING until Postgres is there and the table has been checked, RUNNING, WAITING while
 * Postgres is away, REFUSED while the table does not fit, PAUSED by a person, DRAINING at the end. Only in
 * RUNNING (and, to finish, in PAUSED and DRAINING) is anything written; only in RUNNING is anything read. The
 * first lane's session is the one that checks the table.
 */
#include "stream/stream.h"

#include "config/config.h"
#include "stream/batch.h"
#include "stream/books.h"
#include "stream/catalog.h"
#include "stream/lane.h"
#include "stream/source.h"
#include "stream/tally.h"
#include "util/clock.h"
#include "util/health.h"
#include "util/log.h"

#include <event2/event.h>

#define RECHECK_US (5 * US_PER_SEC)
/* A quarter of memory_max is for batches: a lane has one that fills, one that is written, and libpq's copy of that. */
#define BATCH_SHARE (4 * 3)

struct stream {
    struct event_base *base;
    struct health *health;
    const struct config *config;
    struct config_stream *cs; /* our own copy */
    char subject[64];         /* "stream claim" */

    struct lane **lanes;
    size_t n_lanes;
    size_t batch_max;      /* bytes */
    struct table *table;   /* what the batches and the lanes are made for; NULL before the first check */
    struct table *checked; /* what the catalog has just said, until it is adopted */
    struct batch *arrival; /* the entry that is being delivered */
    struct source *source;
    struct event *recheck;
    bool checking;     /* from the question to the catalog until every lane is prepared */
    bool adopted;      /* the lanes have what this check found; one that connects later takes it too */
    bool check_wanted; /* as soon as the batches in flight are written, or the check under way is over */
    bool paused, reading;

    enum stream_state state;
    int64_t since_us;

    struct batch *letters; /* waiting for their turn, or being written */
    bool letters_written;  /* the first lane has them */
    const char *letters_was;
    void (*settled)(void *arg, int64_t n_stored);
    void *settled_arg;
    int64_t n_settled;

    struct tally tally;
};

static void pump(struct stream *s);
static void check_table(struct stream *s);

const char *stream_state_to_string(enum stream_state s)
{
    static const char *const names[] = {
        "starting", "running", "waiting", "paused", "refused", "draining", "stopped"};
    return names[s];
}

static void set_state(struct stream *s, enum stream_state state)
{
    if (s->state == state)
        return;
    log_debug("stream", ABOUT_STREAM(s->cs->name), "%s -> %s", stream_state_to_string(s->state),
        stream_state_to_string(state));
    s->state = state;
    s->since_us = clock_wall_us();
}

static void read_on(struct stream *s)
{
    if (s->state != STREAM_RUNNING)
        return;
    if (s->reading) {
        s->source->ops->resume(s->source);
        return;
    }
    s->reading = true;
    s->source->ops->start(s->source);
}

static void stop_reading(struct stream *s)
{
    if (s->reading)
        s->source->ops->stop(s->source);
    s->reading = false;
}

/* -- from the source ------------------------------------------------------------------------------------- */

static size_t room(void *arg)
{
    struct stream *s = arg;
    if (s->state != STREAM_RUNNING)
        return 0;
    /* The next entry may be for any lane, so the fullest one counts. */
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < s->n_lanes; i++)
        least = MIN(least, lane_room(s->lanes[i], s->batch_max));
    return least;
}

static void deliver(void *arg, const struct entry *entry)
{
    struct stream *s = arg;
    batch_add(s->arrival, entry, 0);
    size_t lane = s->table->key_is_exact ? batch_key_hash(s->arrival, 0) % s->n_lanes : 0;
    lane_take(s->lanes[lane], s->arrival);
    tally_delivered(&s->tally);
}

static void flush(void *arg)
{
    pump(arg);
}

static const struct source_sink sink = {.room = room, .deliver = deliver, .flush = flush};

/* -- to the lanes ---------------------------------------------------------------------------------------- */

static void pump(struct stream *s)
{
    bool may_write = s->state == STREAM_RUNNING || s->state == STREAM_PAUSED || s->state == STREAM_DRAINING;
    if (!may_write || s->check_wanted)
        return;
    struct lane *first = s->lanes[0];
    if (s->letters && !s->letters_written && lane_prepared(first) && !lane_writing(first)) {
        s->letters_written = true;
        lane_write_letters(first, s->letters, s->letters_was);
    }
    for (size_t i = 0; i < s->n_lanes; i++)
        lane_pump(s->lanes[i]);
}

static void acknowledge(struct stream *s, struct batch *batch, size_t from, size_t to)
{
    _cleanup_free_ struct entry_id *ids = xcalloc(to - from, sizeof(*ids));
    for (size_t i = from; i < to; i++)
        ids[i - from] = batch_item(batch, i)->id;
    s->source->ops->ack(s->source, ids, to - from);
}

static void on_committed(
    struct stream *s, struct batch *batch, size_t from, size_t to, const struct outcome *o)
{
    tally_committed(&s->tally, o);
    if (batch == s->letters)
        s->n_settled += o->inserted + o->duplicate;
    else
        acknowledge(s, batch, from, to);
}

static void end_letters(struct stream *s, int64_t n_stored)
{
    void (*settled)(void *, int64_t) = s->settled;
    batch_free(TAKE(s->letters));
    s->letters_written = false;
    s->settled = NULL;
    if (settled)
        settled(s->settled_arg, n_stored);
}

static void on_written(struct stream *s, size_t n_items, bool letters)
{
    tally_written(&s->tally, n_items);
    if (letters)
        end_letters(s, s->n_settled);
    if (s->check_wanted)
        check_table(s);
    pump(s);
    read_on(s);
}

static void refuse(struct stream *s, const char *why)
{
    stop_reading(s);
    for (size_t i = 0; i < s->n_lanes; i++)
        lane_unprepare(s->lanes[i]);
    set_state(s, STREAM_REFUSED);
    health_raise(s->health, s->subject, "table", SEVERITY_FAILED,
        "mend the table or the column map; it is looked at again every 5 s, or at once by: ingestctl reload",
        "nothing is read: %s", why);
    struct timeval tv = {RECHECK_US / US_PER_SEC, 0};
    event_add(s->recheck, &tv);
}

static void on_trouble(struct stream *s, const char *why)
{
    if (why)
        health_raise(s->health, s->subject, "write", SEVERITY_DEGRADED,
            "see the Postgres server's log; the batch is kept and tried again by itself",
            "Postgres cannot write: %s", why);
    else
        health_clear(s->health, s->subject, "write");
}

/* -- the check, and what follows from it ----------------------------------------------------------------- */

static void look_again_soon(struct stream *s, const char *why)
{
    struct timeval tv = {1, 0};
    s->checking = false;
    health_raise(s->health, s->subject, "check", SEVERITY_DEGRADED, "it is tried again every second",
        "its table could not be looked up: %s", why);
    event_add(s->recheck, &tv);
}

static void begin(struct stream *s)
{
    health_clear(s->health, s->subject, "check");
    health_clear(s->health, s->subject, "table");
    health_clear(s->health, s->subject, "postgres");
    if (s->state != STREAM_DRAINING)
        set_state(s, s->paused ? STREAM_PAUSED : STREAM_RUNNING);
    if (s->check_wanted)
        check_table(s);
    pump(s);
    read_on(s);
}

static void on_prepared(struct stream *s, const char *why)
{
    if (why) {
        s->checking = false;
        refuse(s, why);
        return;
    }
    for (size_t i = 0; i < s->n_lanes; i++)
        if (!lane_prepared(s->lanes[i]))
            return;
    s->checking = false;
    begin(s);
}

static void give_table(struct stream *s, struct table *table)
{
    s->adopted = true;
    for (size_t i = 0; i < s->n_lanes; i++)
        lane_adopt(s->lanes[i], table);
}

/* Every batch that is for the old table is decoded again before that table goes. */
static void adopt_table(struct stream *s)
{
    struct table *table = TAKE(s->checked), *old = s->table;
    if (old && table_equal(old, table)) {
        table_free(table);
        give_table(s, old);
        return;
    }
    s->table = table;
    if (s->letters && !s->letters_written)
        batch_rebuild(s->letters, table);
    if (s->arrival)
        batch_rebuild(s->arrival, table);
    else
        s->arrival = batch_new(table);
    give_table(s, table);
    table_free(old);
}

static void on_books(void *arg, bool ok, bool lost, const char *why)
{
    struct stream *s = arg;
    if (ok) {
        adopt_table(s);
    } else if (lost) {
        look_again_soon(s, why);
    } else {
        s->checking = false;
        refuse(s, why);
    }
}

static void on_catalog(void *arg, enum catalog_outcome outcome, struct table *table, const char *why)
{
    struct stream *s = arg;
    if (outcome == CATALOG_FITS) {
        table_free(s->checked);
        s->checked = table;
        books_open(
            lane_session(s->lanes[0]), s->config->postgres.schema, s->cs->name, table->sql_name, on_books, s);
    } else if (outcome == CATALOG_LOST) {
        look_again_soon(s, why);
    } else {
        s->checking = false;
        refuse(s, why);
    }
}

static void check_table(struct stream *s)
{
    if (s->checking || !lane_ready(s->lanes[0])) {
        s->check_wanted = s->checking;
        return;
    }
    s->check_wanted = false;
    for (size_t i = 0; i < s->n_lanes; i++)
        s->check_wanted = s->check_wanted || !lane_idle(s->lanes[i]);
    if (s->check_wanted)
        return;
    s->checking = true;
    s->adopted = false;
    for (size_t i = 0; i < s->n_lanes; i++)
        lane_unprepare(s->lanes[i]);
    catalog_check(lane_session(s->lanes[0]), s->cs, on_catalog, s);
}

static void on_recheck(evutil_socket_t fd, short what, void *arg)
{
    check_table(arg);
}

static void on_ready(struct stream *s, struct lane *lane)
{
    if (lane == s->lanes[0])
        check_table(s);
    else if (s->adopted)
        lane_adopt(lane, s->table);
}

static void on_lost(struct stream *s, const char *why)
{
    s->checking = s->checking && lane_ready(s->lanes[0]);
    stop_reading(s);
    if (s->state == STREAM_RUNNING || s->state == STREAM_REFUSED)
        set_state(s, STREAM_WAITING);
    health_raise(s->health, s->subject, "postgres", SEVERITY_DEGRADED,
        "nothing is lost: Redis keeps its entries, a pipe's are spooled; bring Postgres back (ingestctl "
        "doctor)",
        "waits for Postgres: %s", why);
    if (s->check_wanted)
        check_table(s);
}

static const struct lane_events lane_events = {
    on_ready, on_lost, on_prepared, on_committed, on_written, refuse, on_trouble};

/* -- life ------------------------------------------------------------------------------------------------ */

struct stream *stream_new(struct event_base *base, struct resolver *resolver, struct health *health,
    const struct config *config, const struct config_stream *stream_config, struct error *err)
{
    struct stream *s = xnew(struct stream);
    s->base = base;
    s->health = health;
    stream_take_config(s, config);
    s->cs = config_stream_copy(stream_config);
    s->since_us = clock_wall_us();
    tally_init(&s->tally);
    snprintf(s->subject, sizeof(s->subject), "stream %s", stream_config->name);
    s->recheck = evtimer_new(base, on_recheck, s);
    s->n_lanes = (size_t)stream_config->connections;
    s->lanes = xcalloc(s->n_lanes, sizeof(*s->lanes));
    for (size_t i = 0; i < s->n_lanes; i++)
        s->lanes[i] = lane_new(base, resolver, config, stream_config->name, (int)i, &lane_events, s);
    const struct source_setup setup = {base, resolver, health, config, stream_config, &sink, s};
    const struct source_ops *ops = source_for_url(stream_config->source, err);
    if (!ops || ops->make(&setup, &s->source, err) < 0) {
        stream_free(s);
        return NULL;
    }
    return s;
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    if (s->source)
        s->source->ops->free(TAKE(s->source));
    for (size_t i = 0; i < s->n_lanes; i++)
        lane_free(s->lanes[i]);
    free(s->lanes);
    event_free(s->recheck);
    if (s->letters)
        end_letters(s, -1);
    batch_free(s->arrival);
    table_free(s->table);
    table_free(s->checked);
    health_clear_subject(s->health, s->subject);
    config_stream_free(s->cs);
    free(s);
}

void stream_take_config(struct stream *s, const struct config *config)
{
    uint64_t n_lanes = 0;
    for (size_t i = 0; i < config->n_streams; i++)
        n_lanes += config->streams[i].connections;
    s->config = config;
    s->batch_max = config->memory_max / BATCH_SHARE / MAX(n_lanes, (uint64_t)1);
}

const struct config_stream *stream_config(const struct stream *s)
{
    return s->cs;
}

void stream_start(struct stream *s)
{
    for (size_t i = 0; i < s->n_lanes; i++)
        lane_start(s->lanes[i]);
}

void stream_recheck(struct stream *s)
{
    check_table(s);
}

void stream_drain(struct stream *s)
{
    stop_reading(s);
    set_state(s, STREAM_DRAINING);
    pump(s);
}

bool stream_drained(struct stream *s)
{
    for (size_t i = 0; i < s->n_lanes; i++)
        if (!lane_empty(s->lanes[i]))
            return false;
    return s->source->ops->unsent_acks(s->source) == 0;
}

bool stream_has_work(const struct stream *s)
{
    for (size_t i = 0; i < s->n_lanes; i++)
        if (lane_writing(s->lanes[i]))
            return true;
    return false;
}

void stream_leave(struct stream *s)
{
    if (s->source->ops->leave)
        s->source->ops->leave(s->source);
}

uint64_t stream_work(const struct stream *s)
{
    return s->tally.commits + s->tally.delivered;
}

const struct table *stream_table(const struct stream *s)
{
    return s->table;
}

const char *stream_name(const struct stream *s)
{
    return s->cs->name;
}

void stream_source_report(const struct stream *s, struct source_report *ret)
{
    s->source->ops->report(s->source, ret);
}

/* -- pause and resume ------------------------------------------------------------------------------------ */

void stream_pause(struct stream *s)
{
    s->paused = true;
    stop_reading(s);
    if (s->state == STREAM_RUNNING)
        set_state(s, STREAM_PAUSED);
    char remedy[80];
    snprintf(remedy, sizeof(remedy), "ingestctl resume %s", s->cs->name);
    health_raise(s->health, s->subject, "paused", SEVERITY_NOTE, remedy, "paused by hand");
}

void stream_resume(struct stream *s)
{
    s->paused = false;
    health_clear(s->health, s->subject, "paused");
    if (s->state != STREAM_PAUSED)
        return;
    set_state(s, STREAM_RUNNING);
    pump(s);
    read_on(s);
}

/* -- the account ----------------------------------------------------------------------------------------- */

uint64_t stream_commits(const struct stream *s)
{
    return s->tally.commits;
}

void stream_take_totals(struct stream *s, const struct stream_totals *totals, uint64_t commits)
{
    tally_take_totals(&s->tally, totals, commits);
}

int64_t stream_parked(const struct stream *s)
{
    return s->tally.totals.parked;
}

void stream_tick(struct stream *s)
{
    tally_tick(&s->tally);
}

void stream_report(struct stream *s, struct stream_report *ret)
{
    struct source_report source;
    s->source->ops->report(s->source, &source);
    *ret = (struct stream_report){
        .name = s->cs->name,
        .table = s->cs->table,
        .state = s->state,
        .since_us = s->since_us,
        .rate = tally_rate(&s->tally),
        .lag = source.lag,
        .pending = source.pending,
        .spool_bytes = source.spool_bytes,
        .claimed = source.claimed,
        .connected = source.connected,
        .delivered = s->tally.totals.delivered,
        .inserted = s->tally.totals.inserted,
        .duplicate = s->tally.totals.duplicate,
        .dead = s->tally.totals.dead,
        .parked = s->tally.totals.parked,
        .dead_letters = s->tally.totals.dead_letters,
        .batches = s->tally.batches,
        .batch_rows_max = s->tally.batch_rows_max,
        .last_commit_us = s->tally.last_commit_us,
        .commit_us_mean = s->tally.commit_us_mean,
    };
    ret->ignored_fields = s->arrival ? (int64_t)batch_ignored_fields(s->arrival) : 0;
    s->source->ops->label(s->source, ret->source, sizeof(ret->source));
}

/* -- letters --------------------------------------------------------------------------------------------- */

bool stream_settle(struct stream *s, struct batch *batch, const char *was,
    void (*settled)(void *arg, int64_t n_stored), void *arg)
{
    if (s->letters || !lane_prepared(s->lanes[0]) ||
        (s->state != STREAM_RUNNING && s->state != STREAM_PAUSED))
        return false;
    s->letters = batch;
    s->letters_was = was;
    s->settled = settled;
    s->settled_arg = arg;
    s->n_settled = 0;
    pump(s);
    return true;
}
