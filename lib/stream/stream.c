/*
 * The way of an entry: the source delivers it into the batch that fills; when the writer is free the batches
 * change places; when the batch is committed its entries are acknowledged and the source is told that there
 * is room. So a lone entry is written at once, and a flood in large batches, without a linger setting.
 *
 * The states: STARTING until Postgres is there and the table has been checked, RUNNING, WAITING while
 * Postgres is away, REFUSED while the table does not fit, PAUSED by a person, DRAINING at the end. Only in
 * RUNNING (and, to finish, in PAUSED and DRAINING) is anything written; only in RUNNING is anything read.
 */
#include "stream/stream.h"

#include "config/config.h"
#include "pg/session.h"
#include "stream/batch.h"
#include "stream/books.h"
#include "stream/catalog.h"
#include "stream/source.h"
#include "stream/writer.h"
#include "util/clock.h"
#include "util/health.h"
#include "util/log.h"

#include <event2/event.h>

#define MAX_ROWS     4096
#define MIN_ROWS     64
#define RECHECK_US   (5 * US_PER_SEC)
#define RATE_SECONDS 10
#define BATCH_SHARE  64 /* a batch is cut off at memory_max divided by this: 1 MB of 64 MB */

struct stream {
    struct event_base *base;
    struct health *health;
    const struct config *config;
    const struct config_stream *cs;
    char subject[64]; /* "stream claim" */

    struct pg_session *session;
    struct writer *writer;
    struct table *table;   /* what the batches and the writer are made for; NULL before the first check */
    struct table *checked; /* what the catalog has just said, until it is adopted */
    struct source *source;
    struct event *recheck;
    bool checking;     /* a check is under way */
    bool check_wanted; /* as soon as the batch in flight is written */
    bool prepared;     /* the session knows our statements */
    bool paused, reading;

    enum stream_state state;
    int64_t since_us;

    struct batch *filling, *spare;
    struct batch *writing; /* what the writer has: one that was filling, or the letters */
    size_t target_rows;
    size_t ranges_committed; /* of the batch being written */

    struct batch *letters; /* waiting for their turn, or being written */
    const char *letters_was;
    void (*settled)(void *arg, int64_t n_stored);
    void *settled_arg;
    int64_t n_settled;

    struct stream_totals totals; /* all -1 until they are known */
    uint64_t commits, delivered_here;
    uint64_t per_second[RATE_SECONDS];
    size_t second;
    int64_t batches, batch_rows_max, last_commit_us, commit_us_mean;
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

/* -- from the source
 * ------------------------------------------------------------------------------------------ */

static size_t room(void *arg)
{
    struct stream *s = arg;
    if (s->state != STREAM_RUNNING || !s->filling)
        return 0;
    size_t n = batch_n_items(s->filling);
    if (n >= s->target_rows || batch_bytes(s->filling) >= s->config->memory_max / BATCH_SHARE)
        return 0;
    return s->target_rows - n;
}

static void deliver(void *arg, const struct entry *entry)
{
    struct stream *s = arg;
    batch_add(s->filling, entry, 0);
    s->per_second[s->second]++;
    s->delivered_here++;
}

static void flush(void *arg)
{
    pump(arg);
}

static const struct source_sink sink = {.room = room, .deliver = deliver, .flush = flush};

/* -- to the writer
 * -------------------------------------------------------------------------------------------- */

static bool may_write(const struct stream *s)
{
    bool state_allows =
        s->state == STREAM_RUNNING || s->state == STREAM_PAUSED || s->state == STREAM_DRAINING;
    return state_allows && s->prepared && !s->check_wanted && !s->writing && pg_session_ready(s->session);
}

static void pump(struct stream *s)
{
    if (!may_write(s))
        return;
    s->ranges_committed = 0;
    if (s->letters) {
        s->writing = s->letters;
        writer_write(s->writer, s->writing, s->letters_was);
    } else if (batch_n_items(s->filling)) {
        s->writing = s->filling;
        s->filling = TAKE(s->spare);
        writer_write(s->writer, s->writing, NULL);
    }
}

static void acknowledge(struct stream *s, struct batch *batch, size_t from, size_t to)
{
    _cleanup_free_ struct entry_id *ids = xcalloc(to - from, sizeof(*ids));
    for (size_t i = from; i < to; i++)
        ids[i - from] = batch_item(batch, i)->id;
    s->source->ops->ack(s->source, ids, to - from);
}

static void on_committed(void *arg, struct batch *batch, size_t from, size_t to, const struct outcome *o)
{
    struct stream *s = arg;
    const struct stream_totals change = {
        o->delivered, o->inserted, o->duplicate, o->dead, o->parked, o->dead_letters};
    stream_add_totals(s, &change);
    s->commits++;
    s->ranges_committed++;
    s->last_commit_us = clock_wall_us();
    s->commit_us_mean = s->commit_us_mean ? (s->commit_us_mean * 7 + o->took_us) / 8 : o->took_us;
    if (batch == s->letters)
        s->n_settled += o->inserted + o->duplicate;
    else
        acknowledge(s, batch, from, to);
}

/* Where the server refused rows, small batches cost fewer attempts; clean ones grow again. */
static void tune(struct stream *s)
{
    if (s->ranges_committed > 1)
        s->target_rows = MAX(s->target_rows / 4, (size_t)MIN_ROWS);
    else
        s->target_rows = MIN(s->target_rows * 2, (size_t)MAX_ROWS);
}

static void end_letters(struct stream *s, int64_t n_stored)
{
    void (*settled)(void *, int64_t) = s->settled;
    batch_free(TAKE(s->letters));
    s->settled = NULL;
    if (settled)
        settled(s->settled_arg, n_stored);
}

static void on_written(void *arg, struct batch *batch)
{
    struct stream *s = arg;
    s->writing = NULL;
    s->batches++;
    s->batch_rows_max = MAX(s->batch_rows_max, (int64_t)batch_n_items(batch));
    if (batch == s->letters) {
        end_letters(s, s->n_settled);
    } else {
        tune(s);
        batch_reset(batch);
        s->spare = batch;
    }
    if (s->check_wanted)
        check_table(s);
    pump(s);
    read_on(s);
}

static void refuse(struct stream *s, const char *why)
{
    stop_reading(s);
    s->prepared = false;
    set_state(s, STREAM_REFUSED);
    health_raise(s->health, s->subject, "table", SEVERITY_FAILED,
        "mend the table or the column map; it is looked at again every 5 s, or at once by: ingestctl reload",
        "nothing is read: %s", why);
    struct timeval tv = {RECHECK_US / US_PER_SEC, 0};
    event_add(s->recheck, &tv);
}

static void on_misfit(void *arg, const char *why)
{
    refuse(arg, why);
}

static void on_trouble(void *arg, const char *why)
{
    struct stream *s = arg;
    if (why)
        health_raise(s->health, s->subject, "write", SEVERITY_DEGRADED,
            "see the Postgres server's log; the batch is kept and tried again by itself",
            "Postgres cannot write: %s", why);
    else
        health_clear(s->health, s->subject, "write");
}

static const struct writer_events writer_events = {on_committed, on_written, on_misfit, on_trouble};

/* -- the check, and what follows from it
 * ---------------------------------------------------------------------- */

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
    s->prepared = true;
    s->checking = false;
    health_clear(s->health, s->subject, "check");
    health_clear(s->health, s->subject, "table");
    health_clear(s->health, s->subject, "postgres");
    if (s->state == STREAM_DRAINING)
        return;
    set_state(s, s->paused ? STREAM_PAUSED : STREAM_RUNNING);
    pump(s);
    read_on(s);
}

static void on_prepared(void *arg, const char *why)
{
    struct stream *s = arg;
    s->checking = false;
    if (why)
        refuse(s, why);
    else
        begin(s);
}

/* Every batch that is for the old table is decoded again before that table goes. */
static void adopt_table(struct stream *s)
{
    struct table *table = TAKE(s->checked), *old = s->table;
    if (old && table_equal(old, table)) {
        table_free(table);
        writer_resume(s->writer, old, on_prepared);
        return;
    }
    s->table = table;
    if (!old) {
        s->filling = batch_new(table);
        s->spare = batch_new(table);
    } else {
        batch_rebuild(s->filling, table);
        if (s->spare)
            batch_rebuild(s->spare, table);
        if (s->letters && s->letters != s->writing)
            batch_rebuild(s->letters, table);
    }
    writer_resume(s->writer, table, on_prepared);
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
        books_open(s->session, s->config->postgres.schema, s->cs->name, table->sql_name, on_books, s);
    } else if (outcome == CATALOG_LOST) {
        look_again_soon(s, why);
    } else {
        s->checking = false;
        refuse(s, why);
    }
}

static void check_table(struct stream *s)
{
    if (s->checking || !pg_session_ready(s->session))
        return;
    s->check_wanted = s->prepared && s->writing;
    if (s->check_wanted)
        return;
    s->checking = true;
    s->prepared = false;
    catalog_check(s->session, s->cs, on_catalog, s);
}

static void on_recheck(evutil_socket_t fd, short what, void *arg)
{
    check_table(arg);
}

static void on_ready(void *arg)
{
    check_table(arg);
}

static void on_lost(void *arg, const char *why)
{
    struct stream *s = arg;
    s->checking = s->prepared = s->check_wanted = false;
    writer_suspend(s->writer);
    stop_reading(s);
    if (s->state == STREAM_RUNNING || s->state == STREAM_REFUSED)
        set_state(s, STREAM_WAITING);
    health_raise(s->health, s->subject, "postgres", SEVERITY_DEGRADED,
        "nothing is lost: Redis keeps its entries, a pipe's are spooled; bring Postgres back (ingestctl "
        "doctor)",
        "waits for Postgres: %s", why);
}

static const struct pg_session_events session_events = {on_ready, on_lost};

/* -- life
 * ----------------------------------------------------------------------------------------------------- */

static struct pg_session *make_session(struct stream *s, struct resolver *resolver)
{
    _cleanup_free_ char *name = xasprintf("ingestd %s", s->cs->name);
    const struct pg_target target = {
        .url = s->config->postgres.url,
        .password_file = s->config->postgres.password_file,
        .application_name = name,
        .timeout_us = s->config->postgres.timeout_us,
    };
    return pg_session_new(s->base, resolver, &target, &session_events, s);
}

struct stream *stream_new(struct event_base *base, struct resolver *resolver, struct health *health,
    const struct config *config, const struct config_stream *stream_config, struct error *err)
{
    struct stream *s = xnew(struct stream);
    s->base = base;
    s->health = health;
    s->config = config;
    s->cs = stream_config;
    s->target_rows = MAX_ROWS;
    s->since_us = clock_wall_us();
    s->totals = (struct stream_totals){-1, -1, -1, -1, -1, -1};
    snprintf(s->subject, sizeof(s->subject), "stream %s", stream_config->name);
    s->recheck = evtimer_new(base, on_recheck, s);
    s->session = make_session(s, resolver);
    s->writer = writer_new(base, s->session, config->postgres.schema, stream_config->name, &writer_events, s);
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
    pg_session_free(s->session);
    writer_free(s->writer);
    event_free(s->recheck);
    if (s->writing != s->letters)
        batch_free(s->writing);
    if (s->letters)
        end_letters(s, -1);
    batch_free(s->filling);
    batch_free(s->spare);
    table_free(s->table);
    table_free(s->checked);
    health_clear_subject(s->health, s->subject);
    free(s);
}

void stream_take_config(
    struct stream *s, const struct config *config, const struct config_stream *stream_config)
{
    s->config = config;
    s->cs = stream_config;
}

const struct config_stream *stream_config(const struct stream *s)
{
    return s->cs;
}

void stream_start(struct stream *s)
{
    pg_session_start(s->session);
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
    bool empty = !s->writing && (!s->filling || !batch_n_items(s->filling));
    return empty && s->source->ops->unsent_acks(s->source) == 0;
}

bool stream_has_work(const struct stream *s)
{
    return s->writing != NULL;
}

uint64_t stream_work(const struct stream *s)
{
    return s->commits + s->delivered_here;
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

/* -- pause and resume
 * ----------------------------------------------------------------------------------------- */

void stream_pause(struct stream *s)
{
    s->paused = true;
    stop_reading(s);
    if (s->state == STREAM_RUNNING)
        set_state(s, STREAM_PAUSED);
    health_raise(s->health, s->subject, "paused", SEVERITY_NOTE, "ingestctl resume", "paused by hand");
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

/* -- the account
 * ---------------------------------------------------------------------------------------------- */

uint64_t stream_commits(const struct stream *s)
{
    return s->commits;
}

void stream_take_totals(struct stream *s, const struct stream_totals *totals, uint64_t commits)
{
    /* A batch committed while the sums were read may be in them or not; then they are read again later. */
    if (commits == s->commits)
        s->totals = *totals;
}

void stream_add_totals(struct stream *s, const struct stream_totals *change)
{
    if (s->totals.delivered < 0)
        return;
    s->totals.delivered += change->delivered;
    s->totals.inserted += change->inserted;
    s->totals.duplicate += change->duplicate;
    s->totals.dead += change->dead;
    s->totals.parked += change->parked;
    s->totals.dead_letters += change->dead_letters;
}

int64_t stream_parked(const struct stream *s)
{
    return s->totals.parked;
}

void stream_tick(struct stream *s)
{
    s->second = (s->second + 1) % RATE_SECONDS;
    s->per_second[s->second] = 0;
}

/* Over the seconds that are complete. */
static double rate(const struct stream *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < RATE_SECONDS; i++)
        n += i == s->second ? 0 : s->per_second[i];
    return (double)n / (RATE_SECONDS - 1);
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
        .rate = rate(s),
        .lag = source.lag,
        .pending = source.pending,
        .spool_bytes = source.spool_bytes,
        .claimed = source.claimed,
        .connected = source.connected,
        .delivered = s->totals.delivered,
        .inserted = s->totals.inserted,
        .duplicate = s->totals.duplicate,
        .dead = s->totals.dead,
        .parked = s->totals.parked,
        .dead_letters = s->totals.dead_letters,
        .batches = s->batches,
        .batch_rows_max = s->batch_rows_max,
        .last_commit_us = s->last_commit_us,
        .commit_us_mean = s->commit_us_mean,
    };
    struct batch *both[] = {s->filling, s->writing ? s->writing : s->spare};
    for (size_t i = 0; i < N_ELEMENTS(both); i++)
        ret->ignored_fields += both[i] ? (int64_t)batch_ignored_fields(both[i]) : 0;
    s->source->ops->label(s->source, ret->source, sizeof(ret->source));
}

/* -- letters
 * -------------------------------------------------------------------------------------------------- */

bool stream_settle(struct stream *s, struct batch *batch, const char *was,
    void (*settled)(void *arg, int64_t n_stored), void *arg)
{
    if (s->letters || !s->prepared || (s->state != STREAM_RUNNING && s->state != STREAM_PAUSED))
        return false;
    s->letters = batch;
    s->letters_was = was;
    s->settled = settled;
    s->settled_arg = arg;
    s->n_settled = 0;
    pump(s);
    return true;
}
