#include "stream/redis_link.h"

#include "stream/redis_reply.h"
#include "stream/redis_wire.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/resolve.h"

#include <event2/event.h>
#include <fcntl.h>
#include <hiredis/async.h>
#include <stdarg.h>
#include <sys/random.h>

#define CONNECT_WITHIN_US (5 * US_PER_SEC)
#define BACKOFF_MIN_US    (100 * US_PER_MS)
#define BACKOFF_MAX_US    (5 * US_PER_SEC)

struct redis_link {
    struct redis_link_setup setup;
    enum redis_link_state state;
    redisAsyncContext *ac;
    struct resolve_request *lookup;
    struct event *timer; /* by state: end of the backoff, of connecting, of patience */
    char *host;          /* where the cluster sent us; NULL: the target's own */
    int port;
    unsigned failures; /* since it was last confirmed to work */
    bool good;
    size_t n_waiting;   /* commands without an answer, greetings included */
    size_t n_greetings; /* of these, AUTH and SELECT */
    int64_t heard_us;   /* monotonic: the last byte, or the first command that waits */
    char *password;     /* only while connecting */
};

/* A command under way. */
struct request {
    redis_reply_fn *fn;
    size_t tag;
};

static void start_attempt(struct redis_link *link);

const char *redis_link_state_to_string(enum redis_link_state s)
{
    static const char *const names[] = {"off", "waiting", "resolving", "connecting", "greeting", "up"};
    return names[s];
}

static void set_state(struct redis_link *link, enum redis_link_state state)
{
    if (state == link->state)
        return;
    log_debug("redis", ABOUT_STREAM(link->setup.stream), "%s: %s -> %s", link->setup.name,
        redis_link_state_to_string(link->state), redis_link_state_to_string(state));
    link->state = state;
}

static void set_timer(struct redis_link *link, int64_t us)
{
    struct timeval tv = {.tv_sec = us / US_PER_SEC, .tv_usec = us % US_PER_SEC};
    event_add(link->timer, &tv);
}

static const char *host_of(const struct redis_link *link)
{
    return link->host ? link->host : link->setup.target->host;
}

static int port_of(const struct redis_link *link)
{
    return link->host ? link->port : link->setup.target->port;
}

/* Lets go of whatever the current state holds. hiredis may be calling us: it frees the context when it is
 * done, and what it says meanwhile is not heard, because the context points to no link any more. */
static void drop(struct redis_link *link)
{
    event_del(link->timer);
    resolve_cancel(TAKE(link->lookup));
    redisAsyncContext *ac = TAKE(link->ac);
    if (ac) {
        ac->data = NULL;
        redisAsyncFree(ac);
    }
    redis_forget(TAKE(link->password));
    link->good = false;
    link->n_waiting = link->n_greetings = 0;
}

static int64_t backoff_us(struct redis_link *link)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = (uint32_t)clock_mono_us();
    int64_t us = MIN(BACKOFF_MIN_US << MIN(link->failures, 6U), BACKOFF_MAX_US);
    link->failures++;
    return us / 2 + us / 2 * (random % 1024) / 1023;
}

static void lose(struct redis_link *link, const struct redis_loss *loss)
{
    drop(link);
    set_state(link, LINK_WAITING);
    set_timer(link, backoff_us(link));
    link->setup.events->down(link->setup.owner, link, loss);
}

static void _printf_(4, 5)
    lose_because(struct redis_link *link, enum severity severity, const char *remedy, const char *fmt, ...)
{
    char reason[256], what[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    snprintf(what, sizeof(what), "Redis at %s:%d: %s", host_of(link), port_of(link), reason);
    lose(link, &(struct redis_loss){.severity = severity, .remedy = remedy, .what = what});
}

/* The node that the cluster named is not there: ask the one that we were configured with. */
static void forget_redirect(struct redis_link *link)
{
    free(TAKE(link->host));
}

static void cannot_connect(struct redis_link *link, const char *why)
{
    lose_because(link, SEVERITY_DEGRADED, "start Redis, or correct host and port in `source`",
        "cannot connect: %s", why && *why ? why : "unknown reason");
    forget_redirect(link);
}

static void is_up(struct redis_link *link)
{
    set_state(link, LINK_UP);
    link->setup.events->up(link->setup.owner, link);
}

static void on_reply(redisAsyncContext *ac, void *reply, void *arg)
{
    struct request *q = arg;
    struct redis_link *link = ac->data;
    if (link && reply) {
        link->n_waiting--;
        bool is_greeting = link->state == LINK_GREETING;
        q->fn(is_greeting ? link : link->setup.owner, reply, q->tag);
        redis_wire_next_reply(ac);
    }
    free(q);
}

static bool send_command(struct redis_link *link, redis_reply_fn *fn, size_t tag, int argc, const char **argv,
    const size_t *lengths)
{
    struct request *q = xnew(struct request);
    *q = (struct request){fn, tag};
    if (redisAsyncCommandArgv(link->ac, on_reply, q, argc, argv, lengths) != REDIS_OK) {
        free(q);
        return false;
    }
    if (link->n_waiting++ == 0)
        link->heard_us = clock_mono_us();
    if (!event_pending(link->timer, EV_TIMEOUT, NULL))
        set_timer(link, REDIS_ANSWER_WITHIN_US);
    return true;
}

static void on_greeting(void *owner, redisReply *reply, size_t tag)
{
    struct redis_link *link = owner;
    if (redis_fault_of(reply) != REDIS_NO_FAULT) {
        redis_link_refused(link, tag ? "SELECT" : "AUTH", reply);
        return;
    }
    if (--link->n_greetings == 0)
        is_up(link);
}

static void greet(struct redis_link *link)
{
    const struct redis_target *t = link->setup.target;
    const char *auth[3] = {"AUTH", t->user ? t->user : link->password, link->password};
    char db[16];
    snprintf(db, sizeof(db), "%d", t->db);
    const char *select[2] = {"SELECT", db};
    set_state(link, LINK_GREETING);
    if (link->password && send_command(link, on_greeting, 0, t->user ? 3 : 2, auth, NULL))
        link->n_greetings++;
    if (t->db && send_command(link, on_greeting, 1, 2, select, NULL))
        link->n_greetings++;
    redis_forget(TAKE(link->password));
    if (link->n_greetings == 0)
        is_up(link);
}

/* hiredis frees the context by itself after a failure, and not to be freed from in here. */
static void on_connected(const redisAsyncContext *ac, int status)
{
    struct redis_link *link = ac->data;
    if (!link)
        return;
    if (status == REDIS_OK) {
        set_timer(link, REDIS_ANSWER_WITHIN_US);
        link->heard_us = clock_mono_us();
        greet(link);
        return;
    }
    char why[128];
    snprintf(why, sizeof(why), "%s", ac->c.errstr);
    link->ac->data = NULL;
    link->ac = NULL;
    cannot_connect(link, why);
}

static void on_disconnected(const redisAsyncContext *ac, int status)
{
    struct redis_link *link = ac->data;
    if (!link)
        return;
    char why[128];
    snprintf(why, sizeof(why), "%s", ac->errstr && *ac->errstr ? ac->errstr : "connection lost");
    link->ac->data = NULL;
    link->ac = NULL;
    lose_because(link, SEVERITY_DEGRADED, NULL, "%s", why);
}

static void on_heard(void *owner)
{
    ((struct redis_link *)owner)->heard_us = clock_mono_us();
}

static void on_too_much(void *owner)
{
    struct redis_link *link = owner;
    link->failures = 0;
    lose(link, &(struct redis_loss){.severity = SEVERITY_NOTE, .too_much = true});
}

static const struct redis_wire_events wire_events = {.heard = on_heard, .too_much = on_too_much};

static void connect_to(struct redis_link *link, const char *address)
{
    redisAsyncContext *ac = redisAsyncConnect(address, port_of(link));
    if (!ac || ac->err) {
        char why[128];
        snprintf(why, sizeof(why), "%s", ac ? ac->errstr : "out of memory");
        if (ac)
            redisAsyncFree(ac);
        cannot_connect(link, why);
        return;
    }
    fcntl(ac->c.fd, F_SETFD, FD_CLOEXEC);
    ac->data = link;
    link->ac = ac;
    set_state(link, LINK_CONNECTING);
    redis_wire_attach(ac, link->setup.base, link->setup.string_max, &wire_events, link);
    redisAsyncSetConnectCallback(ac, on_connected);
    redisAsyncSetDisconnectCallback(ac, on_disconnected);
}

static void on_address(void *arg, const char *address, const char *why)
{
    struct redis_link *link = arg;
    link->lookup = NULL;
    if (address)
        connect_to(link, address);
    else
        cannot_connect(link, why);
}

static void start_attempt(struct redis_link *link)
{
    struct error err;
    set_state(link, LINK_RESOLVING);
    if (redis_target_password(link->setup.target, &link->password, &err) < 0) {
        lose_because(link, SEVERITY_FAILED, "correct password_file", "%s", err.text);
        return;
    }
    set_timer(link, CONNECT_WITHIN_US);
    struct resolve_request *lookup = resolve_start(link->setup.resolver, host_of(link), on_address, link);
    if (lookup)
        link->lookup = lookup;
}

static void check_patience(struct redis_link *link)
{
    if (link->n_waiting == 0)
        return; /* the next command sets the timer again */
    int64_t silent = clock_mono_us() - link->heard_us;
    if (silent < REDIS_ANSWER_WITHIN_US) {
        set_timer(link, REDIS_ANSWER_WITHIN_US - silent);
        return;
    }
    lose_because(link, SEVERITY_DEGRADED, "look whether Redis hangs, or the network between us",
        "no answer for %d seconds", (int)(silent / US_PER_SEC));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct redis_link *link = arg;
    if (link->state == LINK_WAITING)
        start_attempt(link);
    else if (link->state == LINK_RESOLVING)
        cannot_connect(link, "its name cannot be resolved in time");
    else if (link->state == LINK_CONNECTING)
        cannot_connect(link, "it does not answer");
    else
        check_patience(link);
}

struct redis_link *redis_link_new(const struct redis_link_setup *setup)
{
    struct redis_link *link = xnew(struct redis_link);
    link->setup = *setup;
    link->timer = event_new(setup->base, -1, 0, on_timer, link);
    return link;
}

void redis_link_free(struct redis_link *link)
{
    if (!link)
        return;
    drop(link);
    forget_redirect(link);
    event_free(link->timer);
    free(link);
}

void redis_link_open(struct redis_link *link)
{
    if (link->state == LINK_OFF)
        start_attempt(link);
}

void redis_link_close(struct redis_link *link)
{
    drop(link);
    set_state(link, LINK_OFF);
}

enum redis_link_state redis_link_state(const struct redis_link *link)
{
    return link->state;
}

void redis_link_confirm(struct redis_link *link)
{
    link->failures = 0;
    link->good = link->state == LINK_UP;
}

bool redis_link_is_good(const struct redis_link *link)
{
    return link->good;
}

bool redis_link_send(struct redis_link *link, redis_reply_fn *fn, size_t tag, int argc, const char **argv,
    const size_t *lengths)
{
    return link->state == LINK_UP && send_command(link, fn, tag, argc, argv, lengths);
}

void redis_link_push(struct redis_link *link)
{
    int done;
    if (link->state == LINK_UP)
        redisBufferWrite(&link->ac->c, &done); /* an error is found again by the next event */
}

void redis_link_limit(struct redis_link *link, size_t reply_max)
{
    if (link->ac)
        redis_wire_limit(link->ac, reply_max);
}

size_t redis_link_reply_bytes(const struct redis_link *link)
{
    return link->ac ? redis_wire_reply_bytes(link->ac) : 0;
}

void redis_link_refused(struct redis_link *link, const char *what, const redisReply *reply)
{
    char host[256];
    int port;
    enum redis_fault fault = redis_fault_of(reply);
    if (fault == REDIS_MOVED && redis_moved_parse(reply->str, host, sizeof(host), &port)) {
        if (!*host)
            snprintf(host, sizeof(host), "%s", host_of(link));
        link->setup.events->moved(link->setup.owner, link, host, port);
        return;
    }
    lose_because(link, redis_fault_severity(fault), redis_fault_remedy(fault), "%s: %s", what, reply->str);
}

void redis_link_confused(struct redis_link *link, const char *what)
{
    lose_because(link, SEVERITY_DEGRADED, "is this a Redis server, of version 6.2 or later?",
        "cannot make sense of its answer to %s", what);
}

void redis_link_redirect(struct redis_link *link, const char *host, int port)
{
    char *wanted = xstrdup(host); /* may be our own */
    forget_redirect(link);
    link->host = wanted;
    link->port = port;
    if (link->state == LINK_OFF)
        return;
    drop(link);
    set_state(link, LINK_WAITING);
    set_timer(link, backoff_us(link));
}
