/* The real source on a real event loop and real pipes; only the stream behind it is made up. */
#include "../util/suite.h"
#include "config/config.h"
#include "stream/frame.h"
#include "stream/reason.h"
#include "stream/source.h"

#include "util/clock.h"
#include "util/health.h"
#include "util/notify.h"

#include <endian.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#define MAX_SEEN 4096

struct seen {
    struct entry_id id;
    enum entry_shape shape;
    int broken;
    uint64_t size;
    int64_t received_us;
    struct buffer payload;
};

static char folder[FOLDER_MAX], pipe_path[128];
static struct config config;
static struct config_stream stream;
static struct event_base *base;
static struct health *health;
static struct source *source;
static struct seen seen[MAX_SEEN];
static size_t n_seen, room, n_flushes;
static int writer = -1;

/* -- the stream behind the source ------------------------------------------------------------------------ */

static size_t sink_room(void *arg)
{
    return room;
}

static void sink_deliver(void *arg, const struct entry *e)
{
    ck_assert_uint_gt(room, 0);
    ck_assert_uint_lt(n_seen, MAX_SEEN);
    room--;
    struct seen *x = &seen[n_seen++];
    *x = (struct seen){e->id, e->shape, e->broken, e->size, e->received_us, {0}};
    buffer_put(&x->payload, e->payload.p, e->payload.n);
}

static void sink_flush(void *arg)
{
    n_flushes++;
}

static const struct source_sink sink = {sink_room, sink_deliver, sink_flush};

/* -- the service manager, in place of util/notify.c ------------------------------------------------------ */

static int store = -1; /* a copy of the descriptor it keeps */

void notify_keep_fd(const char *name, int fd)
{
    ck_assert_str_eq(name, "fifo-claim");
    notify_forget_fd(name);
    store = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void notify_forget_fd(const char *name)
{
    ck_assert_str_eq(name, "fifo-claim");
    if (store >= 0)
        close(store);
    store = -1;
}

/* It keeps a descriptor over a restart, but only where a test wants it to. */
static bool store_survives;

int notify_take_fd(const char *name)
{
    ck_assert_str_eq(name, "fifo-claim");
    int fd = store_survives ? fcntl(store, F_DUPFD_CLOEXEC, 0) : -1;
    store_survives = false;
    return fd;
}

/* -- the loop -------------------------------------------------------------------------------------------- */

/* Turns the loop until the condition holds; fails the test when it does not within 10 s. */
#define AWAIT(condition)                                                                                     \
    do {                                                                                                     \
        int64_t until_ = clock_mono_us() + 10 * US_PER_SEC;                                                  \
        while (!(condition)) {                                                                               \
            ck_assert_msg(clock_mono_us() < until_, "never came true: " #condition);                         \
            turn();                                                                                          \
        }                                                                                                    \
    } while (0)

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
}

/* One turn, at most 20 ms. */
static void turn(void)
{
    const struct timeval in = {.tv_usec = 20000};
    event_base_once(base, -1, EV_TIMEOUT, on_tick, NULL, &in);
    event_base_loop(base, EVLOOP_ONCE);
}

/* Everything that is ready is worked off. */
static void settle(void)
{
    for (int i = 0; i < 20; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
}

static void make_source(void)
{
    struct error err;
    const struct source_setup setup = {
        .base = base, .health = health, .config = &config, .stream = &stream, .sink = &sink};
    ck_assert_msg(source_fifo.make(&setup, &source, &err) == 0, "%s", err.text);
}

static void free_source(void)
{
    source_fifo.free(TAKE(source));
    if (!store_survives)
        notify_forget_fd("fifo-claim");
}

static struct source_report report(void)
{
    struct source_report r;
    source_fifo.report(source, &r);
    return r;
}

static const struct condition *find_condition(const char *code)
{
    for (size_t i = 0; i < health_count(health); i++)
        if (strcmp(health_at(health, i)->code, code) == 0)
            return health_at(health, i);
    return NULL;
}

static void forget_seen(void)
{
    for (size_t i = 0; i < n_seen; i++)
        buffer_done(&seen[i].payload);
    n_seen = 0;
}

static void ack(size_t from, size_t n)
{
    for (size_t i = from; i < from + n; i++)
        source_fifo.ack(source, &seen[i].id, 1);
}

/* -- the publisher --------------------------------------------------------------------------------------- */

static void open_writer(void)
{
    AWAIT((writer = open(pipe_path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0);
}

static void close_writer(void)
{
    close(writer);
    writer = -1;
}

static void publish_bytes(const void *bytes, size_t n)
{
    for (const char *p = bytes; n > 0;) {
        ssize_t put = write(writer, p, n);
        if (put < 0)
            ck_assert_int_eq(errno, EAGAIN);
        if (put < 0)
            turn();
        else {
            p += put;
            n -= (size_t)put;
        }
    }
}

static void publish_length(uint64_t n)
{
    unsigned char length[FRAME_LENGTH_SIZE] = {0};
    n = htobe64(n);
    memcpy(length + sizeof(length) - sizeof(n), &n, sizeof(n));
    publish_bytes(length, sizeof(length));
}

static void publish(const char *body)
{
    publish_length(strlen(body));
    publish_bytes(body, strlen(body));
}

static void publish_numbered(int from, int n)
{
    char body[40];
    for (int i = from; i < from + n; i++) {
        snprintf(body, sizeof(body), "{\"id\": %d}", i);
        publish(body);
    }
}

static void restart_publisher(void)
{
    close_writer();
    ck_assert_int_eq(unlink(pipe_path), 0);
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    open_writer();
}

static void expect_whole(size_t i, const char *payload)
{
    ck_assert_uint_lt(i, n_seen);
    ck_assert_int_eq(seen[i].shape, ENTRY_JSON);
    ck_assert_str_eq(buffer_string(&seen[i].payload), payload);
}

static void expect_numbered(size_t i, int from, size_t n)
{
    char body[40];
    for (size_t k = 0; k < n; k++) {
        snprintf(body, sizeof(body), "{\"id\": %d}", from + (int)k);
        expect_whole(i + k, body);
    }
}

static void expect_broken(size_t i, enum reason reason)
{
    ck_assert_uint_lt(i, n_seen);
    ck_assert_int_eq(seen[i].shape, ENTRY_BROKEN);
    ck_assert_int_eq(seen[i].broken, (int)reason);
}

/* -- around each test ------------------------------------------------------------------------------------ */

static char source_url[160];

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    new_folder(folder);
    snprintf(pipe_path, sizeof(pipe_path), "%s/claim-pipe", folder);
    snprintf(source_url, sizeof(source_url), "fifo://%s", pipe_path);
    config.state_dir = folder;
    config.max_entry = 1 << 20;
    stream.name = (char *)"claim";
    stream.source = source_url;
    stream.spool_max = UINT64_C(64) << 20;
    base = event_base_new();
    health = health_new();
    room = MAX_SEEN;
}

static void teardown(void)
{
    source_fifo.free(TAKE(source));
    forget_seen();
    if (writer >= 0)
        close(writer);
    writer = -1;
    health_free(health);
    event_base_free(base);
    notify_forget_fd("fifo-claim");
    remove_folder(folder);
}

static void setup_running(void)
{
    setup();
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    make_source();
    source_fifo.start(source);
    open_writer();
}

/* -- tests ----------------------------------------------------------------------------------------------- */

START_TEST(frames_are_delivered_and_counted)
{
    int64_t before = clock_wall_us();
    publish_numbered(0, 100);
    AWAIT(n_seen == 100);
    expect_numbered(0, 0, 100);
    ck_assert_uint_gt(n_flushes, 0);
    for (size_t i = 0; i < n_seen; i++) {
        ck_assert_int_ge(seen[i].received_us, before);
        ck_assert_int_le(seen[i].received_us, clock_wall_us());
        ck_assert_uint_eq(seen[i].id.hi, seen[0].id.hi);
        ck_assert(i == 0 || seen[i].id.lo > seen[i - 1].id.lo);
    }
    struct source_report r = report();
    ck_assert_int_eq(r.pending, 100);
    ck_assert_int_eq(r.lag, 0);
    ck_assert_int_eq(r.acknowledged, 0);
    ck_assert_int_gt(r.spool_bytes, 0);
    ck_assert(r.connected);
    ck_assert_int_ge(store, 0);
    ack(0, 100);
    r = report();
    ck_assert_int_eq(r.pending, 0);
    ck_assert_int_eq(r.acknowledged, 100);
    ck_assert_int_eq(r.spool_bytes, 0);
    char label[64];
    source_fifo.label(source, label, sizeof(label));
    ck_assert_str_eq(label, "fifo claim-pipe");
}
END_TEST

START_TEST(the_pipe_may_come_later_and_its_folder_too)
{
    char deep[80];
    snprintf(deep, sizeof(deep), "%s/run", folder);
    snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", deep);
    snprintf(source_url, sizeof(source_url), "fifo://%s", pipe_path);
    make_source();
    source_fifo.start(source);
    AWAIT(find_condition("pipe"));
    ck_assert_int_eq(find_condition("pipe")->severity, SEVERITY_NOTE);
    ck_assert(!report().connected);
    ck_assert_int_eq(mkdir(deep, 0700), 0);
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    open_writer();
    ck_assert_ptr_null(find_condition("pipe"));
    publish("first");
    AWAIT(n_seen == 1);
    expect_whole(0, "first");
}
END_TEST

START_TEST(what_is_no_pipe_is_told_and_healed)
{
    int fd = open(pipe_path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    make_source();
    source_fifo.start(source);
    AWAIT(find_condition("pipe"));
    ck_assert_int_eq(find_condition("pipe")->severity, SEVERITY_DEGRADED);
    ck_assert_int_eq(unlink(pipe_path), 0);
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    open_writer();
    publish("first");
    AWAIT(n_seen == 1);
}
END_TEST

START_TEST(it_drains_before_it_is_started_and_while_stopped)
{
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    make_source();
    open_writer();
    char body[10001] = {0};
    memset(body, 'a', 10000);
    for (int i = 0; i < 200; i++)
        publish(body); /* two megabytes: more than a pipe holds */
    settle();
    ck_assert_uint_eq(n_seen, 0);
    source_fifo.start(source);
    AWAIT(n_seen == 200);
    source_fifo.stop(source);
    for (int i = 0; i < 200; i++)
        publish(body);
    settle();
    ck_assert_uint_eq(n_seen, 200);
    source_fifo.start(source);
    AWAIT(n_seen == 400);
}
END_TEST

START_TEST(without_room_nothing_is_delivered)
{
    room = 3;
    publish_numbered(0, 10);
    AWAIT(n_seen == 3);
    settle();
    AWAIT(report().lag == 7);
    ck_assert_uint_eq(n_seen, 3);
    room = 4;
    source_fifo.resume(source);
    AWAIT(n_seen == 7);
    ck_assert_int_eq(report().lag, 3);
    room = 100;
    source_fifo.resume(source);
    AWAIT(n_seen == 10);
    expect_numbered(0, 0, 10);
}
END_TEST

START_TEST(the_publisher_may_restart)
{
    publish_numbered(0, 5);
    for (int i = 1; i < 20; i++) {
        restart_publisher();
        publish_numbered(i * 5, 5);
    }
    AWAIT(n_seen == 100);
    settle();
    ck_assert_uint_eq(n_seen, 100);
    expect_numbered(0, 0, 100);
}
END_TEST

START_TEST(the_same_pipe_may_get_another_writer)
{
    for (int i = 0; i < 20; i++) {
        publish_numbered(i, 1);
        close_writer();
        settle();
        open_writer();
    }
    AWAIT(n_seen == 20);
    expect_numbered(0, 0, 20);
}
END_TEST

START_TEST(an_unlinked_pipe_is_read_to_its_end)
{
    publish_numbered(0, 2);
    AWAIT(n_seen == 2);
    int old = writer;
    ck_assert_int_eq(unlink(pipe_path), 0);
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    settle();
    publish_numbered(2, 2);
    settle();
    close(old);
    open_writer();
    publish_numbered(4, 2);
    AWAIT(n_seen == 6);
    expect_numbered(0, 0, 6);
}
END_TEST

START_TEST(a_pipe_replaced_before_it_had_a_writer_is_let_go)
{
    close_writer();
    settle();
    ck_assert_int_eq(unlink(pipe_path), 0);
    AWAIT(!report().connected);
    ck_assert_int_eq(store, -1);
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    open_writer();
    publish_numbered(0, 1);
    AWAIT(n_seen == 1);
}
END_TEST

START_TEST(a_frame_cut_off_is_told_and_harms_no_other)
{
    publish("whole");
    publish_length(100);
    publish_bytes("{\"id\": 7, ", 10);
    restart_publisher();
    publish("next");
    AWAIT(n_seen == 3);
    expect_whole(0, "whole");
    expect_broken(1, REASON_CUT_OFF);
    ck_assert_str_eq(buffer_string(&seen[1].payload), "{\"id\": 7, ");
    ck_assert_uint_eq(seen[1].size, 100);
    expect_whole(2, "next");
}
END_TEST

START_TEST(empty_and_large_frames_are_told)
{
    publish("");
    char *large = xcalloc((2 << 20) + 1, 1);
    memset(large, 'L', 2 << 20);
    publish(large);
    publish("next");
    AWAIT(n_seen == 3);
    expect_broken(0, REASON_EMPTY);
    expect_broken(1, REASON_TOO_LARGE);
    ck_assert_uint_eq(seen[1].payload.n, FRAME_KEPT);
    ck_assert_uint_eq(seen[1].size, 2 << 20);
    expect_whole(2, "next");
    free(large);
}
END_TEST

START_TEST(garbage_closes_the_pipe_so_that_the_publisher_notices)
{
    publish("whole");
    AWAIT(n_seen == 1);
    char garbage[1000];
    memset(garbage, 'g', sizeof(garbage));
    publish_bytes(garbage, sizeof(garbage));
    AWAIT(n_seen == 2);
    expect_broken(1, REASON_BAD_FRAME);
    ck_assert_uint_eq(seen[1].size, 1000);
    ck_assert_uint_eq(seen[1].payload.n, 1000);
    ck_assert_int_eq(write(writer, "x", 1), -1);
    ck_assert_int_eq(errno, EPIPE);
    ck_assert_int_eq(find_condition("pipe")->severity, SEVERITY_DEGRADED);
    restart_publisher();
    publish("next");
    AWAIT(n_seen == 3);
    expect_whole(2, "next");
    ck_assert_ptr_null(find_condition("pipe"));
}
END_TEST

START_TEST(garbage_found_late_leaves_the_next_pipe_alone)
{
    room = 0;
    char garbage[100];
    memset(garbage, 'g', sizeof(garbage));
    publish_bytes(garbage, sizeof(garbage));
    restart_publisher();
    publish("next");
    settle();
    room = 10;
    source_fifo.resume(source);
    AWAIT(n_seen == 2);
    expect_broken(0, REASON_BAD_FRAME);
    ck_assert_uint_eq(seen[0].size, 100);
    expect_whole(1, "next");
    publish("and on");
    AWAIT(n_seen == 3);
}
END_TEST

START_TEST(a_restart_delivers_the_unacknowledged_again_in_order)
{
    publish_numbered(0, 10);
    AWAIT(n_seen == 10);
    struct entry_id ids[10];
    for (size_t i = 0; i < 10; i++)
        ids[i] = seen[i].id;
    ack(0, 3);
    ack(5, 2); /* out of order: 3 and 4 are still missing */
    ck_assert_int_eq(report().acknowledged, 3);
    ck_assert_int_eq(report().pending, 7);
    free_source();
    forget_seen();
    make_source();
    source_fifo.start(source);
    AWAIT(n_seen == 7);
    expect_numbered(0, 3, 7);
    for (size_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(seen[i].id.hi, ids[i + 3].hi);
        ck_assert_uint_eq(seen[i].id.lo, ids[i + 3].lo);
    }
    ck_assert_int_eq(report().acknowledged, 3);
    ack(0, 7);
    ck_assert_int_eq(report().acknowledged, 10);
    free_source();
    forget_seen();
    make_source();
    source_fifo.start(source);
    settle();
    ck_assert_uint_eq(n_seen, 0);
}
END_TEST

START_TEST(broken_entries_keep_their_ids_over_a_restart)
{
    publish_length(100);
    publish_bytes("half", 4);
    restart_publisher();
    publish("");
    publish_bytes("garbage, garbage, garbage, garbage, garbage", 43);
    restart_publisher();
    publish("end");
    AWAIT(n_seen == 4);
    uint64_t ids[4];
    for (size_t i = 0; i < 4; i++)
        ids[i] = seen[i].id.lo;
    free_source();
    forget_seen();
    make_source();
    source_fifo.start(source);
    AWAIT(n_seen == 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(seen[i].id.lo, ids[i]);
    expect_broken(0, REASON_CUT_OFF);
    expect_broken(1, REASON_EMPTY);
    expect_broken(2, REASON_BAD_FRAME);
    expect_whole(3, "end");
}
END_TEST

START_TEST(a_writer_that_never_noticed_our_restart_goes_on_in_the_middle_of_a_frame)
{
    publish_length(10);
    publish_bytes("01234", 5);
    settle();
    free_source();
    make_source();
    source_fifo.start(source);
    AWAIT(report().connected);
    publish_bytes("56789", 5);
    publish("next");
    AWAIT(n_seen == 2);
    expect_whole(0, "0123456789");
    expect_whole(1, "next");
}
END_TEST

START_TEST(a_frame_begun_before_our_restart_is_cut_off_when_its_writer_is_gone)
{
    publish_length(10);
    publish_bytes("01234", 5);
    settle();
    free_source();
    close_writer();
    make_source();
    source_fifo.start(source);
    open_writer();
    publish("next");
    AWAIT(n_seen == 2);
    expect_broken(0, REASON_CUT_OFF);
    expect_whole(1, "next");
}
END_TEST

START_TEST(a_descriptor_kept_over_the_restart_keeps_the_framing)
{
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    make_source();
    source_fifo.start(source);
    open_writer();
    publish_numbered(0, 3);
    publish_length(10);
    publish_bytes("01234", 5);
    AWAIT(n_seen == 3);
    settle();
    store_survives = true;
    free_source();
    /* The publisher goes on, ends, and another one begins, all while we are away. */
    publish_bytes("56789", 5);
    publish("while away");
    close_writer();
    ck_assert_int_eq(unlink(pipe_path), 0);
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    forget_seen();
    make_source();
    source_fifo.start(source);
    open_writer();
    publish("another");
    AWAIT(n_seen == 6);
    expect_numbered(0, 0, 3);
    expect_whole(3, "0123456789");
    expect_whole(4, "while away");
    expect_whole(5, "another");
}
END_TEST

START_TEST(a_full_spool_holds_the_publisher_back_and_loses_nothing)
{
    free_source();
    close_writer();
    stream.spool_max = 65536;
    make_source();
    source_fifo.start(source);
    open_writer();
    room = 0;
    /* As much as goes into spool and pipe, then wait for the condition. */
    char body[1001] = {0};
    int n = 0;
    memset(body, 'b', 1000);
    for (; n < 3000 && !find_condition("spool"); n++) {
        publish(body);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    ck_assert_int_eq(find_condition("spool")->severity, SEVERITY_FAILED);
    AWAIT(report().spool_bytes <= 65536);
    ck_assert_int_ge(report().lag, 50);
    publish("last");
    n++;
    room = MAX_SEEN;
    source_fifo.resume(source);
    size_t acked = 0;
    AWAIT((acked < n_seen ? ack(acked, n_seen - acked), acked = n_seen : acked) == (size_t)n);
    ck_assert_ptr_null(find_condition("spool"));
    expect_whole((size_t)n - 1, "last");
    for (int i = 0; i < n - 1; i++)
        expect_whole((size_t)i, body);
}
END_TEST

START_TEST(a_spool_in_use_is_refused)
{
    struct source *other;
    struct error err;
    const struct source_setup again = {
        .base = base, .health = health, .config = &config, .stream = &stream, .sink = &sink};
    ck_assert_int_eq(source_fifo.make(&again, &other, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "in use by another daemon"));
}
END_TEST

START_TEST(settings_are_checked)
{
    static const struct {
        const char *url;
        int rc;
    } cases[] = {
        {"fifo:///run/practice/claim-pipe", 0},
        {"fifo://host/claim-pipe", -1},
        {"fifo:///", -1},
        {"fifo:///run/", -1},
        {"fifo:claim-pipe", -1},
        {"fifo:///run/pipe?x=1", -1},
    };
    struct error err;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        stream.source = (char *)(uintptr_t)cases[i].url;
        ck_assert_msg(source_fifo.check(&stream, &err) == cases[i].rc, "%s", cases[i].url);
    }
    stream.source = source_url;
    char *said;
    ck_assert_int_eq(source_fifo.probe(&config, &stream, &said, &err), 0);
    ck_assert_ptr_nonnull(strstr(said, "not there yet"));
    free(said);
    stream.spool_max = 1000;
    ck_assert_int_eq(source_fifo.check(&stream, &err), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fifo source");
    TCase *t = add_case(s, "running", setup_running, teardown);
    tcase_add_test(t, frames_are_delivered_and_counted);
    tcase_add_test(t, without_room_nothing_is_delivered);
    tcase_add_test(t, the_publisher_may_restart);
    tcase_add_test(t, the_same_pipe_may_get_another_writer);
    tcase_add_test(t, an_unlinked_pipe_is_read_to_its_end);
    tcase_add_test(t, a_pipe_replaced_before_it_had_a_writer_is_let_go);
    tcase_add_test(t, a_frame_cut_off_is_told_and_harms_no_other);
    tcase_add_test(t, empty_and_large_frames_are_told);
    tcase_add_test(t, garbage_closes_the_pipe_so_that_the_publisher_notices);
    tcase_add_test(t, garbage_found_late_leaves_the_next_pipe_alone);
    tcase_add_test(t, a_restart_delivers_the_unacknowledged_again_in_order);
    tcase_add_test(t, broken_entries_keep_their_ids_over_a_restart);
    tcase_add_test(t, a_writer_that_never_noticed_our_restart_goes_on_in_the_middle_of_a_frame);
    tcase_add_test(t, a_frame_begun_before_our_restart_is_cut_off_when_its_writer_is_gone);
    tcase_add_test(t, a_full_spool_holds_the_publisher_back_and_loses_nothing);
    tcase_add_test(t, a_spool_in_use_is_refused);
    t = add_case(s, "not running yet", setup, teardown);
    tcase_add_test(t, the_pipe_may_come_later_and_its_folder_too);
    tcase_add_test(t, what_is_no_pipe_is_told_and_healed);
    tcase_add_test(t, it_drains_before_it_is_started_and_while_stopped);
    tcase_add_test(t, a_descriptor_kept_over_the_restart_keeps_the_framing);
    tcase_add_test(t, settings_are_checked);
    return run_suite(s);
}
