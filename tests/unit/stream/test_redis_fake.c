/* The Redis source against a server of our own making, which says what a real one says rarely or never. */
#include "../util/suite.h"
#include "config/config.h"
#include "redis_server.h"
#include "stream/source.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/health.h"
#include "util/log.h"
#include "util/resolve.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>

#define WITHIN_US (15 * US_PER_SEC)
#define EMPTY     "*1\r\n*2\r\n$5\r\nclaim\r\n*0\r\n"
#define ONE_ENTRY "*1\r\n*2\r\n$5\r\nclaim\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$4\r\ndata\r\n$2\r\n{}\r\n"

/* What it answers to a command; NULL: nothing, as yet. */
struct fake {
    struct evconnlistener *listener;
    int port, n_connections, n_open;
    const char *group, *own, *fresh, *ack; /* XGROUP; XREADGROUP with an id, with ">"; XACK */
    const char *any;                       /* to all commands instead */
    struct bufferevent *reader;            /* the one that asked XREADGROUP last */
    int n_groups, n_own, n_fresh, n_acks;  /* how often it was asked */
};

static struct event_base *base;
static struct resolver *resolver;
static struct health *health;
static struct source *source;
static struct fake fakes[2];
static size_t n_delivered, n_kept;
static struct entry_id kept;

static void say(struct bufferevent *bev, const char *text)
{
    if (text)
        evbuffer_add(bufferevent_get_output(bev), text, strlen(text));
}

static void answer(struct fake *f, struct bufferevent *bev, const char *command)
{
    if (f->any) {
        say(bev, f->any);
    } else if (strstr(command, "XGROUP")) {
        f->n_groups++;
        say(bev, f->group);
    } else if (strstr(command, "XREADGROUP")) {
        bool fresh = strstr(command, "\n>\r") != NULL;
        f->reader = bev;
        f->n_fresh += fresh;
        f->n_own += !fresh;
        say(bev, fresh ? f->fresh : f->own);
    } else if (strstr(command, "XACK")) {
        f->n_acks++;
        say(bev, f->ack);
    } else if (strstr(command, "XAUTOCLAIM")) {
        say(bev, "*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n");
    } else if (strstr(command, "XINFO")) {
        say(bev, "*0\r\n");
    } else {
        say(bev, "+PONG\r\n");
    }
}

/* Commands are told apart by the '*' they start with: none of ours holds another one. */
static void on_command(struct bufferevent *bev, void *arg)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    char *text = xcalloc(evbuffer_get_length(in) + 1, 1);
    evbuffer_remove(in, text, evbuffer_get_length(in));
    for (char *at = text, *next; at; at = next) {
        next = strchr(at + 1, '*');
        char *command = xstrndup(at, next ? (size_t)(next - at) : strlen(at));
        answer(arg, bev, command);
        free(command);
    }
    free(text);
}

static void hang_up(struct fake *f, struct bufferevent *bev)
{
    if (f->reader == bev)
        f->reader = NULL;
    f->n_open--;
    bufferevent_free(bev);
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
    hang_up(arg, bev);
}

static void on_client(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a, int n, void *arg)
{
    struct fake *f = arg;
    struct bufferevent *bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    f->n_connections++;
    f->n_open++;
    bufferevent_setcb(bev, on_command, NULL, on_end, f);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void fake_start(struct fake *f)
{
    *f = (struct fake){.port = free_port(), .group = "+OK\r\n", .own = EMPTY, .ack = ":1\r\n"};
    struct sockaddr_in a = {.sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons((uint16_t)f->port)};
    f->listener = evconnlistener_new_bind(
        base, on_client, f, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 16, (struct sockaddr *)&a, sizeof(a));
    ck_assert_ptr_nonnull(f->listener);
}

static size_t room(void *arg)
{
    return 1000;
}

static void deliver(void *arg, const struct entry *e)
{
    n_delivered++;
    n_kept++;
    kept = e->id;
}

static void flush(void *arg)
{
}

static const struct source_sink sink = {room, deliver, flush};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
}

static struct event *tick;

static void begin(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    base = event_base_new();
    resolver = resolver_new(base);
    health = health_new();
    tick = event_new(base, -1, EV_PERSIST, on_tick, NULL);
    event_add(tick, &(struct timeval){.tv_usec = 10000});
    fake_start(&fakes[0]);
    fake_start(&fakes[1]);
    n_delivered = n_kept = 0;
}

static void start_source(void)
{
    char url[64], name[] = "claim", group[] = "g", consumer[] = "c";
    snprintf(url, sizeof(url), "redis://localhost:%d/0/claim", fakes[0].port);
    struct config config = {.max_entry = 1 << 20};
    struct config_stream stream = {
        .name = name, .source = url, .group = group, .consumer = consumer, .claim_after_us = 60 * US_PER_SEC};
    struct source_setup setup = {base, resolver, health, &config, &stream, &sink, NULL};
    ck_assert_int_eq(source_redis.make(&setup, &source, NULL), 0);
    source->ops->start(source);
}

#define UNTIL(condition)                                                                                     \
    do {                                                                                                     \
        int64_t until_ = clock_mono_us() + WITHIN_US;                                                        \
        while (!(condition)) {                                                                               \
            ck_assert_msg(clock_mono_us() < until_, "waited in vain for %s", #condition);                    \
            event_base_loop(base, EVLOOP_ONCE);                                                              \
        }                                                                                                    \
    } while (0)

static void end(void)
{
    source->ops->free(source);
    UNTIL(fakes[0].n_open == 0 && fakes[1].n_open == 0);
    evconnlistener_free(fakes[0].listener);
    evconnlistener_free(fakes[1].listener);
    event_free(tick);
    health_free(health);
    resolver_free(resolver);
    event_base_free(base);
}

static bool stands(enum severity severity, const char *words)
{
    return health_count(health) == 1 && health_at(health, 0)->severity == severity &&
           strstr(health_at(health, 0)->what, words);
}

START_TEST(the_cluster_s_direction_is_followed)
{
    char moved[64];
    snprintf(moved, sizeof(moved), "-MOVED 3999 127.0.0.1:%d\r\n", fakes[1].port);
    fakes[0].any = moved;
    fakes[1].fresh = ONE_ENTRY;
    start_source();
    UNTIL(n_delivered == 1);
    source->ops->ack(source, &kept, 1);
    UNTIL(fakes[1].n_acks == 1 && source->ops->unsent_acks(source) == 0);
    ck_assert_uint_eq(health_count(health), 0);
}
END_TEST

START_TEST(a_direction_to_nowhere_leads_back)
{
    char moved[64];
    snprintf(moved, sizeof(moved), "-MOVED 3999 127.0.0.1:%d\r\n", free_port());
    fakes[0].any = moved;
    start_source();
    UNTIL(stands(SEVERITY_DEGRADED, "refused"));
    fakes[0].any = NULL;
    fakes[0].fresh = ONE_ENTRY;
    UNTIL(n_delivered == 1);
    UNTIL(health_count(health) == 0);
}
END_TEST

START_TEST(an_acknowledged_entry_that_a_late_page_repeats_is_passed_over)
{
    fakes[0].fresh = ONE_ENTRY;
    start_source();
    UNTIL(n_delivered == 1 && fakes[0].reader);
    fakes[0].group = "-BUSYGROUP it is there\r\n";
    fakes[0].fresh = fakes[0].own = NULL;
    int n_own = fakes[0].n_own;
    hang_up(&fakes[0], fakes[0].reader);
    UNTIL(fakes[0].n_own > n_own); /* it asks again for its own, and waits */
    source->ops->ack(source, &kept, 1);
    UNTIL(fakes[0].n_acks == 1 && source->ops->unsent_acks(source) == 0);
    say(fakes[0].reader, ONE_ENTRY); /* made before the acknowledgement came */
    UNTIL(fakes[0].n_own > n_own + 1);
    ck_assert_uint_eq(n_delivered, 1);
    say(fakes[0].reader, ONE_ENTRY); /* a new page: here it is truly pending */
    UNTIL(n_delivered == 2);
}
END_TEST

static const struct {
    const char *says;
    enum severity severity;
    const char *words;
} troubles[] = {
    {"-LOADING Redis is loading\r\n", SEVERITY_DEGRADED, "LOADING"},
    {"-READONLY You can't write against a read only replica.\r\n", SEVERITY_DEGRADED, "READONLY"},
    {"-CLUSTERDOWN The cluster is down\r\n", SEVERITY_DEGRADED, "CLUSTERDOWN"},
    {"-NOAUTH Authentication required.\r\n", SEVERITY_FAILED, "NOAUTH"},
    {"-MOVED\r\n", SEVERITY_DEGRADED, "MOVED"},
    {"-MOVED 1 host:99999\r\n", SEVERITY_DEGRADED, "MOVED"},
    {"-\r\n", SEVERITY_FAILED, "Redis at"},
    {"HTTP/1.1 400 Bad Request\r\n\r\n", SEVERITY_DEGRADED, "Protocol error"},
    {"*99999999999\r\n", SEVERITY_DEGRADED, "out of range"},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", SEVERITY_DEGRADED, "nested"},
};

START_TEST(trouble_is_named_and_over_when_it_is_over)
{
    fakes[0].any = troubles[_i].says;
    start_source();
    UNTIL(stands(troubles[_i].severity, troubles[_i].words));
    int n = fakes[0].n_connections;
    UNTIL(fakes[0].n_connections > n + 1);
    ck_assert_uint_eq(health_count(health), 1);
    fakes[0].any = NULL;
    fakes[0].fresh = ONE_ENTRY;
    UNTIL(n_delivered == 1);
    UNTIL(health_count(health) == 0);
}
END_TEST

/* Each would be read as entries by somebody careless. */
static const char *const nonsense[] = {
    "+OK\r\n",
    ":1\r\n",
    "*0\r\n",
    "*1\r\n*0\r\n",
    "*1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    "*1\r\n*2\r\n$1\r\na\r\n*-1\r\n",
    "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*-1\r\n",
    "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*0\r\n",
    "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n:1\r\n*0\r\n",
    "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-x\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$22\r\n99999999999999999999-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*1\r\n$1\r\na\r\n",
    "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n:1\r\n",
    "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$-1\r\n",
    "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*0\r\n",
};

START_TEST(nonsense_is_not_delivered)
{
    fakes[0].fresh = nonsense[_i];
    start_source();
    UNTIL(stands(SEVERITY_DEGRADED, "make sense"));
    ck_assert_uint_eq(n_delivered, 0);
    fakes[0].fresh = ONE_ENTRY;
    UNTIL(n_delivered == 1);
    UNTIL(health_count(health) == 0);
}
END_TEST

START_TEST(a_server_that_says_nothing_is_given_up)
{
    fakes[0].group = NULL;
    start_source();
    UNTIL(stands(SEVERITY_DEGRADED, "no answer"));
    fakes[0].group = "+OK\r\n";
    fakes[0].fresh = ONE_ENTRY;
    UNTIL(n_delivered == 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis fake");
    TCase *c = add_case(suite, "redis fake", begin, end);
    tcase_add_test(c, the_cluster_s_direction_is_followed);
    tcase_add_test(c, a_direction_to_nowhere_leads_back);
    tcase_add_test(c, an_acknowledged_entry_that_a_late_page_repeats_is_passed_over);
    tcase_add_loop_test(c, trouble_is_named_and_over_when_it_is_over, 0, (int)N_ELEMENTS(troubles));
    tcase_add_loop_test(c, nonsense_is_not_delivered, 0, (int)N_ELEMENTS(nonsense));
    tcase_add_test(c, a_server_that_says_nothing_is_given_up);
    return run_suite(suite);
}
