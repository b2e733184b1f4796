/*
 * The life of a session: WAITING for its backoff, RESOLVING the host's name, CONNECTING, SETTING_UP, READY,
 * and back to WAITING when anything breaks. set_state() is the only place where it changes.
 *
 * Requests wait in a queue in the order sent; libpq gives each its results and then NULL, but a sync gives
 * one result and no NULL. A callback may break or stop the session, so after each one we look whether the
 * connection is still the one we were reading from (`epoch`).
 */
#include "pg/session.h"

#include "pg/target.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/resolve.h"

#include <event2/event.h>
#include <inttypes.h>
#include <sys/random.h>

#define BACKOFF_MIN_US     (100 * US_PER_MS)
#define BACKOFF_MAX_US     (5 * US_PER_SEC)
#define CONNECT_TIMEOUT_US (10 * US_PER_SEC)
#define REPLY_MARGIN_US    (2 * US_PER_SEC) /* beyond the server's own statement_timeout */

struct request {
    pg_reply_fn *fn;
    void *arg;
    bool is_sync;
};

struct pg_session {
    struct event_base *base;
    struct resolver *resolver;
    struct pg_session_events events;
    void *arg;

    char *url;
    char *password_file;
    char *application_name;
    char *label;
    int64_t timeout_us;

    enum pg_state state;
    int64_t since_us;
    int64_t backoff_us;
    char why[256];

    PGconn *conn;
    bool doomed;    /* libpq could not send: the timer drops the connection at the next turn of the loop */
    uint64_t epoch; /* counts connections, so that a callback can tell that its own is gone */
    struct resolve_request *lookup;
    struct event *readable, *writable, *timer;

    struct request *queue; /* queue[head … head + n_queue) */
    size_t head, n_queue, cap_queue;
    PGresult *result; /* of the request at the head, until its NULL comes */
    int64_t sent_us;  /* monotonic: when the queue was last empty and filled again */
    int64_t round_trip_us;
    int server_version;
};

static void connect_now(struct pg_session *s);
static void take_results(struct pg_session *s);

const char *pg_state_to_string(enum pg_state s)
{
    static const char *const names[] = {"off", "waiting", "resolving", "connecting", "setting up", "ready"};
    return names[s];
}

static void set_state(struct pg_session *s, enum pg_state state)
{
    if (s->state == state)
        return;
    log_debug("postgres", NULL, "%s: %s -> %s", s->application_name, pg_state_to_string(s->state),
        pg_state_to_string(state));
    /* For people it is there or it is not: the attempts between do not begin anew. */
    if (state == PG_READY || s->state == PG_READY)
        s->since_us = clock_wall_us();
    s->state = state;
}

static void arm(struct event *e, int64_t us)
{
    struct timeval tv = {.tv_sec = us / US_PER_SEC, .tv_usec = us % US_PER_SEC};
    event_add(e, &tv);
}

/* -- losing it and coming back --------------------------------------------------------------------------- */

static void drop_connection(struct pg_session *s)
{
    s->epoch++;
    s->doomed = false;
    resolve_cancel(TAKE(s->lookup));
    event_del(s->timer);
    if (s->readable)
        event_free(TAKE(s->readable));
    if (s->writable)
        event_free(TAKE(s->writable));
    PQclear(TAKE(s->result));
    PQfinish(TAKE(s->conn));
}

/* Every outstanding request hears that nobody knows. A callback may queue nothing: the session is not ready.
 */
static void fail_requests(struct pg_session *s)
{
    while (s->n_queue) {
        struct request r = s->queue[s->head++];
        s->n_queue--;
        if (r.fn)
            r.fn(r.arg, NULL);
    }
    s->head = 0;
}

static int64_t with_jitter(int64_t us)
{
    uint32_t r = 0;
    if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
        r = (uint32_t)clock_mono_us();
    return us / 2 + (int64_t)(r % (uint32_t)us);
}

static void lose(struct pg_session *s, const char *why)
{
    /* libpq's messages go over several lines; the further ones are questions to a person at a shell. */
    snprintf(s->why, sizeof(s->why), "%.*s", (int)strcspn(why, "\n"), why);
    drop_connection(s);
    set_state(s, PG_WAITING);
    arm(s->timer, with_jitter(s->backoff_us));
    s->backoff_us = MIN(s->backoff_us * 2, BACKOFF_MAX_US);
    fail_requests(s);
    s->events.lost(s->arg, s->why);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct pg_session *s = arg;
    if (s->state == PG_WAITING)
        connect_now(s);
    else if (s->doomed)
        lose(s, "the server closed the connection");
    else if (s->state == PG_READY || s->state == PG_SETTING_UP)
        lose(s, "the server does not answer");
    else
        lose(s, "no answer to the attempt to connect");
}

/* -- setting up ------------------------------------------------------------------------------------------ */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct pg_session *s = arg;
    if (!PQconsumeInput(s->conn)) {
        lose(s, "the server closed the connection");
        return;
    }
    take_results(s);
}

static void write_out(struct pg_session *s)
{
    int r = PQflush(s->conn);
    if (r == 1)
        event_add(s->writable, NULL);
    /* r < 0: the connection is broken; the readable event tells, outside of any caller of ours. */
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct pg_session *s = arg;
    if (!PQconsumeInput(s->conn)) {
        lose(s, "the server closed the connection");
        return;
    }
    write_out(s);
    take_results(s);
}

static void on_set_up(void *arg, const PGresult *res)
{
    struct pg_session *s = arg;
    if (!res)
        return;
    if (PQresultStatus(res) == PGRES_FATAL_ERROR) {
        char words[200];
        lose(s, pg_describe(res, words, sizeof(words)));
    }
}

static void on_set_up_done(void *arg, const PGresult *res)
{
    struct pg_session *s = arg;
    if (!res)
        return;
    s->backoff_us = BACKOFF_MIN_US;
    s->why[0] = '\0';
    s->server_version = PQserverVersion(s->conn);
    set_state(s, PG_READY);
    s->events.ready(s->arg);
}

/*
 * search_path is the catalog alone, so that every name we send or read back is qualified. Generic plans: our
 * statements take arrays, whose plans do not depend on their values. jit costs more than these plans run.
 */
static void set_up(struct pg_session *s)
{
    set_state(s, PG_SETTING_UP);
    char sql[512];
    snprintf(sql, sizeof(sql),
        "SELECT pg_catalog.set_config(k, v, false) FROM (VALUES ('search_path', 'pg_catalog'), ('TimeZone', "
        "'UTC'), "
        "('DateStyle', 'ISO'), ('jit', 'off'), ('plan_cache_mode', 'force_generic_plan'), "
        "('statement_timeout', '%" PRId64 "'), ('idle_in_transaction_session_timeout', '%" PRId64
        "')) AS t(k, v)",
        s->timeout_us / 1000, s->timeout_us / 1000);
    pg_session_send(s, false, sql, NULL, 0, on_set_up, s);
    pg_session_sync(s, on_set_up_done, s);
}

static void watch(struct pg_session *s, short what)
{
    int fd = PQsocket(s->conn);
    event_assign(s->readable, s->base, fd, EV_READ | EV_PERSIST, on_readable, s);
    event_assign(s->writable, s->base, fd, EV_WRITE, on_writable, s);
    if (what & EV_READ)
        event_add(s->readable, NULL);
}

static void discard_notice(void *arg, const PGresult *res)
{
    /* A notice may quote a row (a trigger's RAISE); libpq's default would print it to our log. */
}

static void on_connected(struct pg_session *s)
{
    event_del(s->timer);
    PQsetNoticeReceiver(s->conn, discard_notice, NULL);
    if (PQsetnonblocking(s->conn, 1) < 0 || !PQenterPipelineMode(s->conn)) {
        lose(s, "libpq refused pipeline mode");
        return;
    }
    watch(s, EV_READ);
    set_up(s);
}

static void on_connecting(evutil_socket_t fd, short what, void *arg);

static void poll_connect(struct pg_session *s)
{
    PostgresPollingStatusType next = PQconnectPoll(s->conn);
    if (next == PGRES_POLLING_OK) {
        on_connected(s);
        return;
    }
    if (next == PGRES_POLLING_FAILED) {
        lose(s, PQerrorMessage(s->conn));
        return;
    }
    short what = next == PGRES_POLLING_READING ? EV_READ : EV_WRITE;
    event_assign(s->readable, s->base, PQsocket(s->conn), what, on_connecting, s);
    event_add(s->readable, NULL);
}

static void on_connecting(evutil_socket_t fd, short what, void *arg)
{
    poll_connect(arg);
}

/* hostaddr: the address of the host, or NULL when libpq needs none (a socket, or an address already). */
static void connect_to(struct pg_session *s, const char *hostaddr)
{
    struct error err;
    _cleanup_(pg_keywords_done) struct pg_keywords keywords = {0};
    if (pg_keywords_make(s->url, s->password_file, s->application_name, hostaddr, &keywords, &err) < 0) {
        lose(s, err.text);
        return;
    }
    set_state(s, PG_CONNECTING);
    s->readable = event_new(s->base, -1, 0, on_readable, s);
    s->writable = event_new(s->base, -1, 0, on_writable, s);
    s->conn = PQconnectStartParams(keywords.names, keywords.values, 0);
    if (!s->conn || PQstatus(s->conn) == CONNECTION_BAD) {
        lose(s, s->conn ? PQerrorMessage(s->conn) : "no memory");
        return;
    }
    arm(s->timer, CONNECT_TIMEOUT_US);
    event_assign(s->readable, s->base, PQsocket(s->conn), EV_WRITE, on_connecting, s);
    event_add(s->readable, NULL);
}

static void on_resolved(void *arg, const char *address, const char *why)
{
    struct pg_session *s = arg;
    s->lookup = NULL;
    if (address) {
        connect_to(s, address);
        return;
    }
    char words[200];
    snprintf(words, sizeof(words), "the host's name cannot be resolved: %s", why);
    lose(s, words);
}

/* A name is resolved first, because libpq's own lookup would block. Several hosts, sockets and addresses go
 * as is. */
static void connect_now(struct pg_session *s)
{
    _cleanup_free_ char *name = pg_host_to_resolve(s->url);
    if (name) {
        set_state(s, PG_RESOLVING);
        arm(s->timer, CONNECT_TIMEOUT_US);
        struct resolve_request *q = resolve_start(s->resolver, name, on_resolved, s);
        if (q)
            s->lookup = q;
    } else {
        connect_to(s, NULL);
    }
}

/* -- requests and replies -------------------------------------------------------------------------------- */

static void enqueue(struct pg_session *s, bool is_sync, pg_reply_fn *fn, void *arg)
{
    if (s->n_queue == 0) {
        s->head = 0;
        s->sent_us = clock_mono_us();
        if (!s->doomed)
            arm(s->timer, s->timeout_us + REPLY_MARGIN_US);
    }
    if (s->head + s->n_queue == s->cap_queue) {
        s->cap_queue = s->cap_queue ? s->cap_queue * 2 : 16;
        s->queue = xrealloc(s->queue, s->cap_queue, sizeof(*s->queue));
    }
    s->queue[s->head + s->n_queue++] = (struct request){fn, arg, is_sync};
}

static void dequeue(struct pg_session *s, const PGresult *res)
{
    struct request r = s->queue[s->head++];
    if (--s->n_queue == 0)
        s->round_trip_us = clock_mono_us() - s->sent_us;
    if (s->n_queue == 0 && !s->doomed)
        event_del(s->timer);
    else if (!s->doomed)
        arm(s->timer, s->timeout_us + REPLY_MARGIN_US);
    if (r.fn)
        r.fn(r.arg, res);
}

/*
 * One step: false when there is nothing more to take now. An error at the commit itself (a deferred
 * constraint) comes in front of the sync's own result, and is then what the sync is answered with.
 */
static bool take_result(struct pg_session *s)
{
    bool is_sync = s->queue[s->head].is_sync;
    PGresult *res = PQgetResult(s->conn);
    bool complete = is_sync ? PQresultStatus(res) == PGRES_PIPELINE_SYNC : !res;
    if (!complete) {
        if (res) {
            PQclear(s->result);
            s->result = res;
        }
        return res != NULL;
    }
    if (!is_sync && !s->result)
        return false;
    PGresult *whole = s->result ? TAKE(s->result) : TAKE(res);
    dequeue(s, whole);
    PQclear(whole);
    PQclear(res);
    return true;
}

static void take_results(struct pg_session *s)
{
    uint64_t epoch = s->epoch;
    while (s->epoch == epoch && s->n_queue && !PQisBusy(s->conn)) {
        if (PQstatus(s->conn) == CONNECTION_BAD) {
            lose(s, "the server closed the connection");
            return;
        }
        if (!take_result(s))
            break;
    }
}

static bool may_send(const struct pg_session *s)
{
    return s->state == PG_READY || s->state == PG_SETTING_UP;
}

/* What libpq cannot send is queued all the same and hears NULL when the connection is dropped, so that every
 * request of a ready session is answered, and none from inside the call that sent it. */
static void sent(struct pg_session *s, int ok, bool is_sync, pg_reply_fn *fn, void *arg)
{
    enqueue(s, is_sync, fn, arg);
    if (ok)
        return;
    s->doomed = true;
    arm(s->timer, 0);
}

bool pg_session_prepare(struct pg_session *s, const char *name, const char *sql, int n_types,
    const Oid *types, pg_reply_fn *fn, void *arg)
{
    if (!may_send(s))
        return false;
    sent(s, PQsendPrepare(s->conn, name, sql, n_types, types), false, fn, arg);
    return true;
}

bool pg_session_send(struct pg_session *s, bool prepared, const char *sql, const struct pg_params *p,
    int result_format, pg_reply_fn *fn, void *arg)
{
    static const struct pg_params none;
    if (!may_send(s))
        return false;
    if (!p)
        p = &none;
    int ok = prepared
                 ? PQsendQueryPrepared(s->conn, sql, p->n, p->values, p->lengths, p->formats, result_format)
                 : PQsendQueryParams(
                       s->conn, sql, p->n, p->types, p->values, p->lengths, p->formats, result_format);
    sent(s, ok, false, fn, arg);
    return true;
}

bool pg_session_sync(struct pg_session *s, pg_reply_fn *fn, void *arg)
{
    if (!may_send(s))
        return false;
    sent(s, PQpipelineSync(s->conn), true, fn, arg);
    write_out(s);
    return true;
}

bool pg_session_flush(struct pg_session *s)
{
    if (!may_send(s))
        return false;
    if (!PQsendFlushRequest(s->conn)) {
        s->doomed = true;
        arm(s->timer, 0);
    }
    write_out(s);
    return true;
}

bool pg_session_query(
    struct pg_session *s, const char *sql, int n, const char *const *values, pg_reply_fn *fn, void *arg)
{
    struct pg_params p = {.n = n, .values = values};
    return pg_session_send(s, false, sql, &p, 0, fn, arg) && pg_session_sync(s, NULL, NULL);
}

/* -- life ------------------------------------------------------------------------------------------------ */

struct pg_session *pg_session_new(struct event_base *base, struct resolver *resolver,
    const struct pg_target *target, const struct pg_session_events *events, void *arg)
{
    struct pg_session *s = xnew(struct pg_session);
    s->base = base;
    s->resolver = resolver;
    s->events = *events;
    s->arg = arg;
    s->url = xstrdup(target->url);
    s->password_file = xstrdup(target->password_file);
    s->application_name = xstrdup(target->application_name);
    s->timeout_us = target->timeout_us;
    s->label = pg_label(target->url);
    s->backoff_us = BACKOFF_MIN_US;
    s->since_us = clock_wall_us();
    s->timer = evtimer_new(base, on_timer, s);
    return s;
}

void pg_session_free(struct pg_session *s)
{
    if (!s)
        return;
    pg_session_stop(s);
    event_free(s->timer);
    free(s->queue);
    free(s->url);
    free(s->password_file);
    free(s->application_name);
    free(s->label);
    free(s);
}

void pg_session_start(struct pg_session *s)
{
    if (s->state == PG_OFF)
        connect_now(s);
}

void pg_session_stop(struct pg_session *s)
{
    if (s->state == PG_OFF)
        return;
    drop_connection(s);
    set_state(s, PG_OFF);
    fail_requests(s);
}

enum pg_state pg_session_state(const struct pg_session *s)
{
    return s->state;
}

size_t pg_session_pending(const struct pg_session *s)
{
    return s->n_queue;
}

int64_t pg_session_since_us(const struct pg_session *s)
{
    return s->since_us;
}

int64_t pg_session_round_trip_us(const struct pg_session *s)
{
    return s->round_trip_us;
}

const char *pg_session_why(const struct pg_session *s)
{
    return s->why;
}

const char *pg_session_label(const struct pg_session *s)
{
    return s->label;
}

int pg_session_server_version(const struct pg_session *s)
{
    return s->server_version;
}
