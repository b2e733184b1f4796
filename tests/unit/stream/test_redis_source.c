/* The Redis source against a real server: what it delivers, what Redis' own books say then, and how it heals.
 */
#include "../util/suite.h"
#include "config/config.h"
#include "redis_server.h"
#include "stream/reason.h"
#include "stream/source.h"
#include "util/clock.h"
#include "util/health.h"
#include "util/log.h"
#include "util/resolve.h"

#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>

#define WITHIN_US (30 * US_PER_SEC)

/* The stream's side: keeps ids until it is told to acknowledge. */
struct taker {
    size_t room;           /* entries it takes; shrinks by delivery */
    struct entry_id *kept; /* delivered, not acknowledged */
    size_t n_kept, cap;
    size_t n_delivered, n_flushes, n_doubled;
    bool acks_at_once;
    struct source *source;
    /* of the last entry */
    enum entry_shape shape;
    int broken;
    size_t n_removed;
    uint64_t size;
    size_t n_fields, n_payload;
    char text[64];
    int64_t received_us;
    size_t most_heap; /* bytes allocated while a long entry was delivered */
};

static struct redis_server server;
static struct event_base *base;
static struct resolver *resolver;
static struct health *health;
static struct event *tick;
static struct config config;
static struct config_stream stream;
static struct taker taker;
static char url[256], name[] = "claim", group[] = "ingestd", consumer[] = "one";

static size_t room(void *arg)
{
    return ((struct taker *)arg)->room;
}

static void note_shape(struct taker *t, const struct entry *e)
{
    struct slice text = e->shape == ENTRY_FIELDS ? e->fields[0].value : e->payload;
    t->shape = e->shape;
    t->broken = e->broken;
    t->n_removed += e->shape == ENTRY_BROKEN && e->broken == REASON_REMOVED;
    t->size = e->size;
    t->n_fields = e->n_fields;
    t->n_payload = e->payload.n;
    t->received_us = e->received_us;
    if (t->n_payload > 10000) {
        struct mallinfo2 heap = mallinfo2(); /* all zero under a sanitizer and valgrind */
        t->most_heap = MAX(t->most_heap, heap.uordblks + heap.hblkhd);
    }
    snprintf(t->text, sizeof(t->text), "%.*s", (int)MIN(text.n, sizeof(t->text) - 1), text.p);
}

static void deliver(void *arg, const struct entry *e)
{
    struct taker *t = arg;
    ck_assert_uint_gt(t->room, 0);
    for (size_t i = 0; i < t->n_kept; i++)
        t->n_doubled += t->kept[i].hi == e->id.hi && t->kept[i].lo == e->id.lo;
    if (t->n_kept == t->cap) {
        t->cap = MAX(t->cap * 2, (size_t)64);
        t->kept = xrealloc(t->kept, t->cap, sizeof(*t->kept));
    }
    t->kept[t->n_kept++] = e->id;
    t->room--;
    t->n_delivered++;
    note_shape(t, e);
}

static void acknowledge(struct taker *t)
{
    size_t n = t->n_kept;
    t->n_kept = 0;
    t->source->ops->ack(t->source, t->kept, n);
}

static void flush(void *arg)
{
    struct taker *t = arg;
    t->n_flushes++;
    if (t->acks_at_once)
        acknowledge(t);
}

static const struct source_sink sink = {.room = room, .deliver = deliver, .flush = flush};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
}

static void make_source(void)
{
    struct error err;
    struct source_setup setup = {.base = base,
        .resolver = resolver,
        .health = health,
        .config = &config,
        .stream = &stream,
        .sink = &sink,
        .sink_arg = &taker};
    int made = source_redis.make(&setup, &taker.source, &err);
    ck_assert_msg(made == 0, "%s", err.text);
}

static void begin_with(const char *option, const char *value)
{
    log_set_level(LOG_LEVEL_ERROR);
    redis_server_start(&server, option, value);
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d/0/claim", server.port);
    base = event_base_new();
    resolver = resolver_new(base);
    health = health_new();
    /* Conditions that Redis alone knows of are asked for again at each tick. */
    tick = event_new(base, -1, EV_PERSIST, on_tick, NULL);
    event_add(tick, &(struct timeval){.tv_usec = 10000});
    config = (struct config){.max_entry = 1 << 20};
    stream = (struct config_stream){
        .name = name, .source = url, .group = group, .consumer = consumer, .claim_after_us = 60 * US_PER_SEC};
    taker = (struct taker){.room = 100000};
}

static void begin(void)
{
    begin_with(NULL, NULL);
}

static void start_source(void)
{
    make_source();
    taker.source->ops->start(taker.source);
}

static void free_source(void)
{
    if (taker.source)
        taker.source->ops->free(TAKE(taker.source));
}

static void end(void)
{
    free_source();
    ck_assert_uint_eq(health_count(health), 0); /* nothing is left behind */
    event_free(tick);
    health_free(health);
    resolver_free(resolver);
    event_base_free(base);
    free(taker.kept);
    redis_server_remove(&server);
}

#define UNTIL(condition)                                                                                     \
    do {                                                                                                     \
        int64_t until_ = clock_mono_us() + WITHIN_US;                                                        \
        while (!(condition)) {                                                                               \
            ck_assert_msg(clock_mono_us() < until_, "waited in vain for %s (delivered %zu, kept %zu)",       \
                #condition, taker.n_delivered, taker.n_kept);                                                \
            event_base_loop(base, EVLOOP_ONCE);                                                              \
        }                                                                                                    \
    } while (0)

static void turn_for(int64_t us)
{
    for (int64_t until = clock_mono_us() + us; clock_mono_us() < until;)
        event_base_loop(base, EVLOOP_ONCE);
}

static void publish(size_t n)
{
    for (size_t i = 0; i < n; i++)
        redisAppendCommand(server.admin, "XADD claim * data {\"id\":%d}", (int)i);
    for (size_t i = 0; i < n; i++) {
        redisReply *reply = NULL;
        ck_assert_int_eq(redisGetReply(server.admin, (void **)&reply), REDIS_OK);
        ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
        freeReplyObject(reply);
    }
}

#define HUGE_ENTRY (16 << 20) /* twice of what we may ever hold of it */

/* The server makes them itself, so that we never have them in memory. Fields: `field`, then `b`. */
static void publish_long(int n_fields, const char *field, int size)
{
    ask(&server, "EVAL %s 0 %d %s %d",
        "local s = string.rep('x', ARGV[1]) "
        "if ARGV[3] == '1' then redis.call('XADD', 'claim', '*', ARGV[2], s) "
        "else redis.call('XADD', 'claim', '*', ARGV[2], s, 'b', s) end return 1",
        size, field, n_fields);
}

/* Entries pending in the group, by Redis' own books. */
static long long pending(void)
{
    redisReply *reply = redisCommand(server.admin, "XPENDING claim ingestd");
    long long n = reply && reply->type == REDIS_REPLY_ARRAY ? reply->element[0]->integer : -1;
    freeReplyObject(reply);
    return n;
}

/* Clients that wait in XREADGROUP. */
static int n_blocked(void)
{
    redisReply *reply = redisCommand(server.admin, "INFO clients");
    int n = atoi(strstr(reply->str, "blocked_clients:") + strlen("blocked_clients:"));
    freeReplyObject(reply);
    return n;
}

static struct source_report report(void)
{
    struct source_report r;
    taker.source->ops->report(taker.source, &r);
    return r;
}

static bool is_connected(void)
{
    return report().connected;
}

static size_t unsent(void)
{
    return taker.source->ops->unsent_acks(taker.source);
}

static bool stands(enum severity severity)
{
    return health_count(health) == 1 && health_at(health, 0)->severity == severity &&
           strcmp(health_at(health, 0)->subject, "stream claim") == 0;
}

START_TEST(the_group_is_made_at_the_beginning)
{
    publish(3);
    start_source();
    UNTIL(taker.n_delivered == 3);
    ck_assert_int_eq(taker.shape, ENTRY_JSON);
    ck_assert_str_eq(taker.text, "{\"id\":2}");
    ck_assert_int_eq(ask(&server, "XINFO GROUPS claim"), 1);
    char label[64];
    taker.source->ops->label(taker.source, label, sizeof(label));
    ck_assert_str_eq(label, "redis claim/ingestd");
}
END_TEST

START_TEST(a_stream_that_does_not_exist_is_waited_for)
{
    start_source();
    UNTIL(is_connected());
    publish(1);
    UNTIL(taker.n_delivered == 1);
    ck_assert_uint_ge(taker.n_flushes, 1);
}
END_TEST

START_TEST(both_shapes_and_the_entry_s_own_time)
{
    ask(&server, "XADD claim 1700000000123-4 id 7 code 03003 price 5");
    start_source();
    UNTIL(taker.n_delivered == 1);
    ck_assert_int_eq(taker.shape, ENTRY_FIELDS);
    ck_assert_uint_eq(taker.n_fields, 3);
    ck_assert_str_eq(taker.text, "7");
    ck_assert_int_eq(taker.received_us, INT64_C(1700000000123000));
    ask(&server, "XADD claim * other {}");
    UNTIL(taker.n_delivered == 2);
    ck_assert_int_eq(taker.shape, ENTRY_FIELDS);
    ask(&server, "XADD claim 18446744073709551615-1 data {}");
    UNTIL(taker.n_delivered == 3);
    ck_assert_int_eq(taker.shape, ENTRY_JSON);
    ck_assert_int_gt(taker.received_us, 0);
    acknowledge(&taker);
    UNTIL(pending() == 0);
}
END_TEST

START_TEST(acknowledging_empties_the_pending_list)
{
    publish(2500);
    start_source();
    UNTIL(taker.n_delivered == 2500);
    ck_assert_int_eq(pending(), 2500);
    acknowledge(&taker);
    ck_assert_uint_gt(unsent(), 0);
    UNTIL(unsent() == 0);
    ck_assert_int_eq(pending(), 0);
    UNTIL(report().acknowledged == 2500);
    ck_assert_int_eq(report().lag, 0);
    ck_assert_int_eq(report().pending, 0);
}
END_TEST

START_TEST(without_room_nothing_is_read)
{
    publish(100);
    taker.room = 10;
    start_source();
    UNTIL(taker.n_delivered == 10);
    UNTIL(report().lag >= 0);
    turn_for(300 * US_PER_MS);
    ck_assert_uint_eq(taker.n_delivered, 10);
    ck_assert_int_le(pending(), 10);
    taker.room = 1000;
    taker.source->ops->resume(taker.source);
    UNTIL(taker.n_delivered == 100);
    ck_assert_uint_eq(taker.n_doubled, 0);
}
END_TEST

START_TEST(a_deleted_stream_is_made_again)
{
    publish(5);
    start_source();
    UNTIL(taker.n_delivered == 5);
    ask(&server, "DEL claim");
    publish(7);
    UNTIL(taker.n_delivered == 12);
    acknowledge(&taker);
    UNTIL(pending() == 0 && unsent() == 0);
}
END_TEST

START_TEST(a_destroyed_group_is_made_again_and_delivers_all)
{
    publish(5);
    start_source();
    UNTIL(taker.n_delivered == 5);
    ask(&server, "XGROUP DESTROY claim ingestd");
    UNTIL(taker.n_delivered == 10); /* in our hands twice: nothing of it may be acknowledged too early */
    struct entry_id first[5];
    memcpy(first, taker.kept, sizeof(first));
    taker.source->ops->ack(taker.source, first, 5);
    ck_assert_uint_eq(unsent(), 0);
    ck_assert_int_eq(pending(), 5);
    taker.source->ops->ack(taker.source, first, 5);
    UNTIL(pending() == 0);
}
END_TEST

START_TEST(everything_flushed_is_healed)
{
    publish(5);
    start_source();
    UNTIL(taker.n_delivered == 5);
    ask(&server, "FLUSHALL");
    UNTIL(ask(&server, "EXISTS claim") == 1);
    publish(3);
    UNTIL(taker.n_delivered == 8);
}
END_TEST

START_TEST(a_restart_of_the_server_delivers_nothing_twice)
{
    publish(2000);
    start_source();
    UNTIL(taker.n_delivered == 2000);
    struct entry_id half[1000];
    memcpy(half, taker.kept, sizeof(half));
    redis_server_stop(&server);
    UNTIL(stands(SEVERITY_DEGRADED));
    taker.source->ops->ack(taker.source, half, 1000); /* cannot be sent now */
    ck_assert_uint_eq(unsent(), 1000);
    redis_server_again(&server);
    UNTIL(unsent() == 0 && pending() == 1000);
    UNTIL(health_count(health) == 0);
    publish(10);
    UNTIL(taker.n_delivered >= 2010);
    ck_assert_uint_eq(taker.n_delivered, 2010);
    ck_assert_uint_eq(taker.n_doubled, 0);
}
END_TEST

START_TEST(broken_connections_under_load_lose_and_double_nothing)
{
    taker.acks_at_once = true;
    taker.room = SIZE_MAX;
    start_source();
    for (size_t i = 1; i <= 20; i++) {
        publish(500);
        UNTIL(taker.n_delivered >= 400 * i);
        ask(&server, "CLIENT KILL TYPE normal SKIPME yes");
    }
    UNTIL(taker.n_delivered >= 10000 && unsent() == 0 && pending() == 0);
    ck_assert_uint_eq(taker.n_delivered, 10000);
}
END_TEST

START_TEST(an_earlier_life_s_entries_come_again)
{
    publish(3000);
    start_source();
    UNTIL(taker.n_delivered == 3000);
    free_source();
    taker.n_kept = 0;
    taker.n_delivered = 0;
    taker.room = 100;
    start_source();
    UNTIL(taker.n_delivered == 100);
    acknowledge(&taker);
    taker.room = 10000;
    taker.source->ops->resume(taker.source);
    UNTIL(taker.n_delivered == 3000);
    acknowledge(&taker);
    UNTIL(pending() == 0);
    ck_assert_uint_eq(taker.n_delivered, 3000);
}
END_TEST

START_TEST(entries_of_a_dead_consumer_are_claimed)
{
    publish(5000);
    ask(&server, "XGROUP CREATE claim ingestd 0");
    ask(&server, "XREADGROUP GROUP ingestd dead COUNT 5000 STREAMS claim >");
    ask(&server, "XCLAIM claim ingestd alive 0 0-0 JUSTID");
    stream.claim_after_us = 50 * US_PER_MS;
    taker.acks_at_once = true;
    start_source();
    UNTIL(taker.n_delivered >= 5000 && unsent() == 0 && pending() == 0);
    ck_assert_uint_eq(taker.n_delivered, 5000);
    ck_assert_int_eq(report().claimed, 5000);
}
END_TEST

START_TEST(what_we_hold_ourselves_is_not_claimed_from_us)
{
    publish(500);
    stream.claim_after_us = 10 * US_PER_MS;
    start_source();
    UNTIL(taker.n_delivered == 500);
    turn_for(1500 * US_PER_MS); /* the claim timer runs every second at least */
    ck_assert_uint_eq(taker.n_delivered, 500);
    ck_assert_int_eq(report().claimed, 0);
}
END_TEST

START_TEST(too_large_entries_are_cut)
{
    config.max_entry = 100000;
    publish_long(1, "data", 100001);
    publish_long(1, "data", HUGE_ENTRY);
    publish_long(2, "a", 60000);
    publish_long(2, "a", HUGE_ENTRY);
    ask(&server, "XADD claim * data {}");
    static const uint64_t sizes[] = {100001, HUGE_ENTRY, 120002, 2 * HUGE_ENTRY + 2};
    taker.room = 1;
    start_source();
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        UNTIL(taker.n_delivered == i + 1);
        ck_assert_int_eq(taker.shape, ENTRY_BROKEN);
        ck_assert_int_eq(taker.broken, REASON_TOO_LARGE);
        ck_assert_uint_eq(taker.size, sizes[i]);
        ck_assert_uint_eq(taker.n_payload, 65536);
        taker.room = 1;
        taker.source->ops->resume(taker.source);
    }
    UNTIL(taker.n_delivered == 5);
    ck_assert_int_eq(taker.shape, ENTRY_JSON);
    ck_assert_str_eq(taker.text, "{}");
    ck_assert_uint_eq(health_count(health), 0);
    ck_assert_uint_lt(taker.most_heap, 8 << 20);
}
END_TEST

START_TEST(entries_that_grow_at_once_come_one_by_one)
{
    enum { LONG = 500000, N = 60 };
    publish(2000);
    for (int i = 0; i < N; i++)
        publish_long(1, "data", LONG);
    taker.acks_at_once = true;
    start_source();
    UNTIL(taker.n_delivered >= 2000 + N && unsent() == 0 && pending() == 0);
    ck_assert_uint_eq(taker.n_delivered, 2000 + N);
    ck_assert_uint_eq(taker.n_payload, LONG);
    ck_assert_uint_eq(health_count(health), 0);
    ck_assert_uint_lt(taker.most_heap, 24 << 20);
}
END_TEST

START_TEST(entries_removed_while_pending_are_on_record)
{
    publish(10);
    start_source();
    UNTIL(taker.n_delivered == 10);
    free_source();
    taker.n_kept = 0;
    ask(&server, "XTRIM claim MAXLEN 4");
    start_source();
    UNTIL(taker.n_delivered == 20);
    UNTIL(taker.n_removed == 6);
    UNTIL(stands(SEVERITY_NOTE));
    acknowledge(&taker);
    UNTIL(pending() == 0);
    ck_assert_ptr_nonnull(strstr(health_at(health, 0)->what, "6 entries"));
}
END_TEST

START_TEST(stopped_means_that_nothing_is_taken)
{
    publish(10);
    start_source();
    UNTIL(taker.n_delivered == 10);
    taker.source->ops->stop(taker.source);
    UNTIL(n_blocked() == 0); /* what the server gives before it sees us go, it gives in vain */
    publish(10);
    acknowledge(&taker);
    UNTIL(pending() == 0); /* acknowledgements still go out */
    turn_for(200 * US_PER_MS);
    ck_assert_uint_eq(taker.n_delivered, 10);
    ck_assert_int_eq(pending(), 0);
    taker.source->ops->start(taker.source);
    UNTIL(taker.n_delivered == 20);
    ck_assert_uint_eq(taker.n_doubled, 0);
}
END_TEST

START_TEST(a_stalled_server_is_noticed_and_healed)
{
    start_source();
    publish(1);
    UNTIL(taker.n_delivered == 1);
    kill(server.pid, SIGSTOP);
    UNTIL(stands(SEVERITY_DEGRADED));
    kill(server.pid, SIGCONT);
    UNTIL(health_count(health) == 0);
    publish(1);
    UNTIL(taker.n_delivered == 2);
    ck_assert_uint_eq(taker.n_doubled, 0);
}
END_TEST

START_TEST(a_key_of_another_type_is_refused)
{
    ask(&server, "SET claim 1");
    start_source();
    UNTIL(stands(SEVERITY_FAILED));
    ck_assert_ptr_nonnull(strstr(health_at(health, 0)->what, "WRONGTYPE"));
    int64_t since = health_at(health, 0)->since_us;
    turn_for(500 * US_PER_MS);
    ck_assert(stands(SEVERITY_FAILED));
    ck_assert_int_eq(health_at(health, 0)->since_us, since); /* it does not flap */
    ck_assert(!report().connected);
    ask(&server, "DEL claim");
    publish(1);
    UNTIL(taker.n_delivered == 1);
    UNTIL(health_count(health) == 0);
}
END_TEST

START_TEST(a_wrong_password_is_refused_until_it_is_right)
{
    ask(&server, "CONFIG SET requirepass secret");
    snprintf(url, sizeof(url), "redis://:s%%65cret-2@127.0.0.1:%d/3/a/b%%20c", server.port);
    start_source();
    UNTIL(stands(SEVERITY_FAILED));
    ck_assert_ptr_null(strstr(health_at(health, 0)->what, "secret"));
    ask(&server, "CONFIG SET requirepass secret-2");
    ask(&server, "SELECT 3");
    ask(&server, "XADD %s * data {}", "a/b c");
    UNTIL(taker.n_delivered == 1);
    UNTIL(health_count(health) == 0);
}
END_TEST

START_TEST(missing_rights_do_not_flap)
{
    ask(&server, "ACL SETUSER half on >pw ~claim +@all -xreadgroup");
    snprintf(url, sizeof(url), "redis://half:pw@127.0.0.1:%d/0/claim", server.port);
    publish(1);
    start_source();
    UNTIL(stands(SEVERITY_FAILED));
    int64_t since = health_at(health, 0)->since_us;
    turn_for(1000 * US_PER_MS);
    ck_assert(stands(SEVERITY_FAILED));
    ck_assert_int_eq(health_at(health, 0)->since_us, since);
    ask(&server, "ACL SETUSER half +xreadgroup");
    UNTIL(taker.n_delivered == 1);
    UNTIL(health_count(health) == 0);
}
END_TEST

START_TEST(the_probe_says_what_is_there)
{
    struct error err;
    _cleanup_free_ char *none = NULL, *some = NULL;
    ck_assert_int_eq(source_redis.probe(&config, &stream, &none, &err), 0);
    ck_assert_ptr_nonnull(strstr(none, "does not exist yet"));
    publish(3);
    start_source();
    UNTIL(taker.n_delivered == 3);
    ck_assert_int_eq(source_redis.probe(&config, &stream, &some, &err), 0);
    ck_assert_ptr_nonnull(strstr(some, "3 pending"));
    ask(&server, "SET text 1");
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d/0/text", server.port);
    ck_assert_int_eq(source_redis.probe(&config, &stream, &some, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "no stream"));
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d/0/text", free_port());
    ck_assert_int_eq(source_redis.probe(&config, &stream, &some, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "refused"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_group_is_made_at_the_beginning,
        a_stream_that_does_not_exist_is_waited_for,
        both_shapes_and_the_entry_s_own_time,
        acknowledging_empties_the_pending_list,
        without_room_nothing_is_read,
        a_deleted_stream_is_made_again,
        a_destroyed_group_is_made_again_and_delivers_all,
        everything_flushed_is_healed,
        a_restart_of_the_server_delivers_nothing_twice,
        broken_connections_under_load_lose_and_double_nothing,
        an_earlier_life_s_entries_come_again,
        entries_of_a_dead_consumer_are_claimed,
        what_we_hold_ourselves_is_not_claimed_from_us,
        too_large_entries_are_cut,
        entries_that_grow_at_once_come_one_by_one,
        entries_removed_while_pending_are_on_record,
        stopped_means_that_nothing_is_taken,
        a_stalled_server_is_noticed_and_healed,
        a_key_of_another_type_is_refused,
        a_wrong_password_is_refused_until_it_is_right,
        missing_rights_do_not_flap,
        the_probe_says_what_is_there,
    };
    return run_staged("redis source", begin, end, tests, N_ELEMENTS(tests));
}
