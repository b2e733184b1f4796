/*
 * The Redis Streams source.
 *
 * Redis keeps the account: a consumer group remembers what was delivered to whom and not acknowledged (the
 * pending list). So the rules of a source come nearly by themselves: we read as a consumer with a lasting
 * name, acknowledge (XACK) what the stream says is committed, and after any break read first what is still
 * pending under our name, then what is new. What is left to get right:
 *
 * - Two connections. The reader waits in XREADGROUP BLOCK and can say nothing else meanwhile; the clerk
 *   acknowledges, claims from consumers that died (XAUTOCLAIM), and asks how far we are (XINFO).
 * - Nothing twice within one life. After a break, what is pending under our name includes what the stream has
 * in its hands, and what it stored while its acknowledgement got lost. `outstanding` knows these ids; they
 * are passed over when they come again, and lost acknowledgements are sent again.
 * - Bounded memory. How many entries to ask for follows from the room the stream has and the size entries had
 *   of late. Should they become huge at once, the link drops the connection in the middle of the reply; what
 * it would have brought is pending then, and is read one by one. A single huge entry is cut by redis_wire.c.
 * - Anything may vanish: the group, the stream, everything (FLUSHALL), the server. XGROUP CREATE … MKSTREAM
 * at the stream's beginning heals the first three, a new connection the fourth. That a group was made anew,
 * and not merely found, shows in XGROUP's answer; its entries are then delivered from the first one, and the
 * ones we stored before are found to be duplicates downstream.
 * - Stopped means: the reader is closed, so that a paused daemon takes nothing from the others of its group.
 *
 * redis_link.c keeps a connection alive, redis_wire.c couples hiredis to libevent, redis_read.c reads, claims
 * and delivers, redis_entry.c shapes entries, redis_ack.c acknowledges, redis_report.c asks for figures.
 */
#include "config/config.h"
#include "stream/redis_inside.h"
#include "stream/redis_reply.h"
#include "util/clock.h"
#include "util/log.h"

#include <event2/event.h>
#include <inttypes.h>

#define CODE "redis"

#define REPORT_EVERY_US     (2 * US_PER_SEC)
#define CLAIM_EVERY_MIN_US  (1 * US_PER_SEC)
#define CLAIM_EVERY_MAX_US  (15 * US_PER_SEC)
#define MEAN_ENTRY_AT_FIRST 4096

static struct redis_source *self(struct source *source)
{
    return (struct redis_source *)source;
}

static struct timeval timeval_of(int64_t us)
{
    return (struct timeval){.tv_sec = us / US_PER_SEC, .tv_usec = us % US_PER_SEC};
}

bool redis_is_refused(struct redis_link *link, const char *what, const redisReply *reply)
{
    if (redis_fault_of(reply) == REDIS_NO_FAULT)
        return false;
    redis_link_refused(link, what, reply);
    return true;
}

void redis_works(struct redis_source *s, struct redis_link *link)
{
    if (redis_link_is_good(link))
        return;
    redis_link_confirm(link);
    const struct redis_link *other = link == s->reader ? s->clerk : s->reader;
    if (redis_link_is_good(other) || redis_link_state(other) == LINK_OFF)
        health_clear(s->health, s->subject, CODE);
}

/* -- what the links say ---------------------------------------------------------------------------------- */

static void on_ping(void *owner, redisReply *reply, size_t tag)
{
    struct redis_source *s = owner;
    if (redis_fault_of(reply) != REDIS_DENIED && redis_is_refused(s->clerk, "PING", reply))
        return;
    if (s->acks.n == 0) /* else the first XACK shows it */
        redis_works(s, s->clerk);
}

static void on_up(void *owner, struct redis_link *link)
{
    struct redis_source *s = owner;
    if (link == s->reader) {
        redis_make_group(s);
        return;
    }
    const char *ping[] = {"PING"};
    redis_link_send(link, on_ping, 0, 1, ping, NULL);
    redis_ask_report(s);
    redis_acks_send(s);
    redis_claim_more(s);
}

static void on_down(void *owner, struct redis_link *link, const struct redis_loss *loss)
{
    struct redis_source *s = owner;
    if (link == s->reader) {
        redis_read_lost(s, loss->too_much);
    } else {
        redis_acks_lost(s);
        redis_claim_lost(s, loss->too_much);
        s->asking = false;
        s->lag = s->pending = s->acknowledged = -1;
    }
    if (loss->what)
        health_raise(s->health, s->subject, CODE, loss->severity, loss->remedy, "%s", loss->what);
}

static void on_moved(void *owner, struct redis_link *link, const char *host, int port)
{
    struct redis_source *s = owner;
    log_notice("redis", ABOUT_STREAM(s->name), "the cluster keeps this stream at %s:%d", host, port);
    const struct redis_loss no_trouble = {.severity = SEVERITY_NOTE};
    struct redis_link *links[] = {s->reader, s->clerk};
    for (size_t i = 0; i < N_ELEMENTS(links); i++) {
        redis_link_redirect(links[i], host, port);
        on_down(s, links[i], &no_trouble);
    }
}

static const struct redis_link_events link_events = {
    .up = on_up,
    .down = on_down,
    .moved = on_moved,
};

static void on_claim_timer(evutil_socket_t fd, short what, void *arg)
{
    struct redis_source *s = arg;
    s->claim_due = true;
    redis_claim_more(s);
}

static void on_report_timer(evutil_socket_t fd, short what, void *arg)
{
    redis_ask_report(arg);
}

/* -- life ------------------------------------------------------------------------------------------------ */

static int check(const struct config_stream *stream, struct error *err)
{
    _cleanup_target_ struct redis_target t = {0};
    if (redis_target_parse(stream, &t, err) < 0)
        return -1;
    if (!stream->group || !*stream->group || !stream->consumer || !*stream->consumer)
        return error_set(err, "`group` and `consumer` must not be empty");
    return 0;
}

static struct redis_link *make_link(
    struct redis_source *s, const struct source_setup *setup, const char *name)
{
    return redis_link_new(&(struct redis_link_setup){
        .base = setup->base,
        .resolver = setup->resolver,
        .target = &s->target,
        .events = &link_events,
        .owner = s,
        .stream = s->name,
        .name = name,
        .string_max = s->max_entry,
    });
}

static void set_claiming(struct redis_source *s, int64_t claim_after_us)
{
    int64_t every = MAX(claim_after_us / 4, CLAIM_EVERY_MIN_US);
    s->claim_every_us = MIN(every, CLAIM_EVERY_MAX_US);
    snprintf(s->claim_cursor, sizeof(s->claim_cursor), "0-0");
    snprintf(s->claim_idle_ms, sizeof(s->claim_idle_ms), "%" PRId64, claim_after_us / US_PER_MS);
}

static int make(const struct source_setup *setup, struct source **ret_source, struct error *err)
{
    const struct config_stream *stream = setup->stream;
    struct redis_target target;
    if (check(stream, err) < 0 || redis_target_parse(stream, &target, err) < 0)
        return -1;
    struct redis_source *s = xnew(struct redis_source);
    *s = (struct redis_source){
        .source.ops = &source_redis,
        .sink = setup->sink,
        .sink_arg = setup->sink_arg,
        .health = setup->health,
        .name = xstrdup(stream->name),
        .group = xstrdup(stream->group),
        .consumer = xstrdup(stream->consumer),
        .target = target,
        .max_entry = setup->config->max_entry,
        .mean_entry = MEAN_ENTRY_AT_FIRST,
        .epoch = 1,
        .lag = -1,
        .pending = -1,
        .acknowledged = -1,
    };
    snprintf(s->subject, sizeof(s->subject), "stream %s", stream->name);
    set_claiming(s, stream->claim_after_us);
    s->reader = make_link(s, setup, "reader");
    s->clerk = make_link(s, setup, "clerk");
    s->claim_timer = event_new(setup->base, -1, EV_PERSIST, on_claim_timer, s);
    s->report_timer = event_new(setup->base, -1, EV_PERSIST, on_report_timer, s);
    *ret_source = &s->source;
    return 0;
}

static void start(struct source *source)
{
    struct redis_source *s = self(source);
    if (s->started)
        return;
    s->started = true;
    struct timeval claim_every = timeval_of(s->claim_every_us), report_every = timeval_of(REPORT_EVERY_US);
    event_add(s->claim_timer, &claim_every);
    event_add(s->report_timer, &report_every);
    redis_link_open(s->clerk);
    redis_link_open(s->reader);
}

/* A reply that is on its way is not waited for: its entries stay pending under our name and come again. */
static void stop(struct source *source)
{
    struct redis_source *s = self(source);
    if (!s->started)
        return;
    s->started = false;
    event_del(s->claim_timer);
    redis_link_close(s->reader);
    redis_read_lost(s, false);
    if (redis_link_is_good(s->clerk))
        health_clear(s->health, s->subject, CODE);
}

static void resume(struct source *source)
{
    redis_go_on(self(source));
}

static size_t unsent_acks(const struct source *source)
{
    return ((const struct redis_source *)source)->acks.n;
}

static void report(struct source *source, struct source_report *ret)
{
    const struct redis_source *s = self(source);
    bool in_group = s->phase >= PHASE_OWN || !s->started;
    *ret = (struct source_report){
        .lag = s->lag,
        .pending = s->pending,
        .acknowledged = s->acknowledged,
        .spool_bytes = -1,
        .claimed = s->claimed,
        .connected = redis_link_is_good(s->clerk) && in_group,
    };
}

static void label(const struct source *source, char *out, size_t size)
{
    const struct redis_source *s = (const struct redis_source *)source;
    snprintf(out, size, "redis %s/%s", s->target.key, s->group);
}

static void redis_free(struct source *source)
{
    if (!source)
        return;
    struct redis_source *s = self(source);
    s->started = false;
    redis_link_free(s->reader);
    redis_link_free(s->clerk);
    redis_drop_held(s);
    event_free(s->claim_timer);
    event_free(s->report_timer);
    health_clear(s->health, s->subject, CODE);
    health_clear(s->health, s->subject, "removed");
    outstanding_done(&s->outstanding);
    redis_ids_done(&s->acks);
    redis_ids_done(&s->settled);
    redis_target_done(&s->target);
    buffer_done(&s->cut);
    free(s->fields);
    free(s->name);
    free(s->group);
    free(s->consumer);
    free(s);
}

const struct source_ops source_redis = {
    .scheme = "redis",
    .check = check,
    .probe = redis_probe,
    .make = make,
    .start = start,
    .stop = stop,
    .resume = resume,
    .ack = redis_ack,
    .unsent_acks = unsent_acks,
    .report = report,
    .label = label,
    .free = redis_free,
};
