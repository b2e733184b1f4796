#include "stream/intake.h"

#include "config/config.h"
#include "pg/session.h"
#include "stream/books.h"
#include "stream/server_log.h"
#include "util/clock.h"
#include "util/health.h"
#include "util/log.h"

#include <event2/event.h>

#define TOTALS_EVERY_US (30 * US_PER_SEC)
#define PING_EVERY_US   (5 * US_PER_SEC)
#define RELEASE_MIN_US  (1 * US_PER_SEC)
#define RELEASE_MAX_US  (30 * US_PER_SEC)
#define LEAVE_US        (5 * US_PER_SEC)
#define DRAIN_LOOK_US   (10 * US_PER_MS)

/* A stream and what the intake does for it from time to time. */
struct member {
    struct intake *in;
    struct stream *stream;
    int64_t totals_due_us, release_due_us, release_wait_us;
    int64_t parked_seen;
    bool asking_totals, releasing;
    bool leaving; /* drained, then freed: the configuration has it no more, or otherwise */
    bool gone;    /* freed at the next chance: a reply is still to come */
};

struct intake {
    struct event_base *base;
    struct resolver *resolver;
    struct health *health;
    const struct config *config;
    struct pg_session *session;
    struct event *tick;
    int64_t ping_due_us;
    struct member **members;
    size_t n_members;

    uint64_t work_seen;
    int64_t work_changed_us;

    struct event *leave_look;
    int64_t leave_until_us;
    struct event *drain_look;
    int64_t drain_until_us;
    void (*drained)(void *arg);
    void *drained_arg;
};

static void on_leave_look(evutil_socket_t fd, short what, void *arg);

/* -- totals ---------------------------------------------------------------------------------------------- */

static const char totals_sql[] =
    "SELECT coalesce(sum(l.delivered), 0), coalesce(sum(l.inserted), 0), coalesce(sum(l.duplicate), 0),"
    " coalesce(sum(l.dead), 0), (SELECT count(*) FROM {s}.dead_letter WHERE stream = $1 AND state = "
    "'parked'),"
    " (SELECT count(*) FROM {s}.dead_letter WHERE stream = $1 AND state = 'dead')"
    " FROM {s}.ledger l WHERE l.stream = $1";

struct totals_question {
    struct member *member;
    uint64_t commits;
};

static void member_free(struct member *m)
{
    stream_free(TAKE(m->stream));
    m->gone = true;
    if (!m->asking_totals && !m->releasing)
        free(m);
}

static void on_totals(void *arg, const PGresult *res)
{
    struct totals_question *q = arg;
    struct member *m = q->member;
    uint64_t commits = q->commits;
    free(q);
    m->asking_totals = false;
    if (m->gone) {
        member_free(m);
        return;
    }
    if (!res || PQresultStatus(res) != PGRES_TUPLES_OK)
        return;
    int64_t v[6];
    for (int i = 0; i < 6; i++)
        v[i] = strtoll(PQgetvalue(res, 0, i), NULL, 10);
    const struct stream_totals totals = {v[0], v[1], v[2], v[3], v[4], v[5]};
    bool unknown = stream_parked(m->stream) < 0;
    if (commits == stream_commits(m->stream) || unknown)
        m->totals_due_us = clock_mono_us() + TOTALS_EVERY_US;
    stream_take_totals(m->stream, &totals, unknown ? stream_commits(m->stream) : commits);
}

static void ask_totals(struct member *m)
{
    struct totals_question *q = xnew(struct totals_question);
    *q = (struct totals_question){m, stream_commits(m->stream)};
    _cleanup_free_ char *sql = books_sql(totals_sql, m->in->config->postgres.schema);
    if (m->asking_totals)
        return;
    m->asking_totals = true;
    if (!pg_session_query(
            m->in->session, sql, 1, (const char *const[]){stream_name(m->stream)}, on_totals, q)) {
        m->asking_totals = false;
        free(q);
    }
}

void intake_refresh(struct intake *in)
{
    for (size_t i = 0; i < in->n_members; i++)
        in->members[i]->totals_due_us = 0;
}

/* -- the books' session ---------------------------------------------------------------------------------- */

static void on_opened(void *arg, bool ok, bool lost, const char *why)
{
    struct intake *in = arg;
    for (size_t i = 0; ok && i < in->n_members; i++)
        ask_totals(in->members[i]);
    if (ok)
        health_clear(in->health, "postgres", "books");
    else if (!lost)
        health_raise(in->health, "postgres", "books", SEVERITY_FAILED, NULL, "%s", why);
}

static void on_server_log(void *arg, const char *risk, const char *remedy)
{
    struct intake *in = arg;
    if (risk)
        health_raise(in->health, "postgres", "log", SEVERITY_NOTE, remedy, "%s", risk);
    else
        health_clear(in->health, "postgres", "log");
}

static void on_ready(void *arg)
{
    struct intake *in = arg;
    health_clear(in->health, "postgres", "away");
    log_info("postgres", NULL, "connected to %s", pg_session_label(in->session));
    books_open(in->session, in->config->postgres.schema, NULL, NULL, on_opened, in);
    server_log_check(in->session, on_server_log, in);
    intake_refresh(in);
}

static void on_lost(void *arg, const char *why)
{
    struct intake *in = arg;
    health_raise(in->health, "postgres", "away", SEVERITY_DEGRADED,
        "is the server up and reachable? ingestctl doctor looks; it is tried again by itself",
        "%s is not reachable: %s", pg_session_label(in->session), why);
}

static const struct pg_session_events session_events = {on_ready, on_lost};

/* -- release --------------------------------------------------------------------------------------------- */

static void on_released(void *arg, int64_t n)
{
    struct member *m = arg;
    m->releasing = false;
    if (m->gone) {
        member_free(m);
        return;
    }
    m->release_wait_us = n > 0 ? RELEASE_MIN_US : MIN(m->release_wait_us * 2, RELEASE_MAX_US);
    m->release_due_us = clock_mono_us() + m->release_wait_us;
}

/* Soon after something was parked, then less and less often while no parent comes. */
static void look_after_parked(struct member *m, int64_t now)
{
    int64_t parked = stream_parked(m->stream);
    if (parked > m->parked_seen && m->release_wait_us > RELEASE_MIN_US) {
        m->release_wait_us = RELEASE_MIN_US;
        m->release_due_us = MIN(m->release_due_us, now + RELEASE_MIN_US);
    }
    m->parked_seen = parked;
    if (parked <= 0 || m->releasing || now < m->release_due_us)
        return;
    m->releasing = true;
    letters_release(m->in, m->stream, on_released, m);
}

/* -- from time to time ----------------------------------------------------------------------------------- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct intake *in = arg;
    int64_t now = clock_mono_us();
    for (size_t i = 0; i < in->n_members; i++)
        stream_tick(in->members[i]->stream);
    if (!pg_session_ready(in->session))
        return;
    if (now >= in->ping_due_us && pg_session_pending(in->session) == 0) {
        in->ping_due_us = now + PING_EVERY_US;
        pg_session_query(in->session, "SELECT 1", 0, NULL, NULL, NULL);
    }
    for (size_t i = 0; i < in->n_members; i++) {
        struct member *m = in->members[i];
        if (now >= m->totals_due_us && !m->asking_totals)
            ask_totals(m);
        look_after_parked(m, now);
    }
}

bool intake_makes_progress(struct intake *in)
{
    uint64_t work = 0;
    bool has_work = false;
    for (size_t i = 0; i < in->n_members; i++) {
        work += stream_work(in->members[i]->stream);
        has_work = has_work || stream_has_work(in->members[i]->stream);
    }
    int64_t now = clock_mono_us();
    if (work != in->work_seen || !has_work || !pg_session_ready(in->session)) {
        in->work_seen = work;
        in->work_changed_us = now;
    }
    /* Longer than a statement can take before its session is given up: then it is we who are stuck. */
    return now - in->work_changed_us < 2 * in->config->postgres.timeout_us + 10 * US_PER_SEC;
}

/* -- life ------------------------------------------------------------------------------------------------ */

static void add_stream(struct intake *in, const struct config_stream *cs)
{
    struct error err;
    char subject[64];
    snprintf(subject, sizeof(subject), "stream %s", cs->name);
    struct stream *stream = stream_new(in->base, in->resolver, in->health, in->config, cs, &err);
    if (!stream) {
        health_raise(in->health, subject, "source", SEVERITY_FAILED, "mend it and type: ingestctl reload",
            "its source cannot be opened: %s", err.text);
        return;
    }
    struct member *m = xnew(struct member);
    *m = (struct member){.in = in, .stream = stream, .release_wait_us = RELEASE_MIN_US};
    in->members = xrealloc(in->members, in->n_members + 1, sizeof(struct member *));
    in->members[in->n_members++] = m;
}

struct intake *intake_new(
    struct event_base *base, struct resolver *resolver, struct health *health, const struct config *config)
{
    struct intake *in = xnew(struct intake);
    *in = (struct intake){.base = base, .resolver = resolver, .health = health, .config = config};
    const struct pg_target target = {
        .url = config->postgres.url,
        .password_file = config->postgres.password_file,
        .application_name = "ingestd books",
        .timeout_us = config->postgres.timeout_us,
    };
    in->session = pg_session_new(base, resolver, &target, &session_events, in);
    in->tick = event_new(base, -1, EV_PERSIST, on_tick, in);
    in->leave_look = event_new(base, -1, EV_PERSIST, on_leave_look, in);
    for (size_t i = 0; i < config->n_streams; i++)
        add_stream(in, &config->streams[i]);
    return in;
}

void intake_free(struct intake *in)
{
    if (!in)
        return;
    event_free(in->tick);
    event_free(in->leave_look);
    if (in->drain_look)
        event_free(in->drain_look);
    pg_session_stop(in->session); /* so that no reply comes for a member that is gone */
    for (size_t i = 0; i < in->n_members; i++)
        member_free(in->members[i]);
    pg_session_free(in->session);
    free(in->members);
    free(in);
}

void intake_start(struct intake *in)
{
    struct timeval tv = {1, 0};
    event_add(in->tick, &tv);
    in->work_changed_us = clock_mono_us();
    pg_session_start(in->session);
    for (size_t i = 0; i < in->n_members; i++)
        stream_start(in->members[i]->stream);
}

static bool all_drained(struct intake *in)
{
    for (size_t i = 0; i < in->n_members; i++)
        if (!stream_drained(in->members[i]->stream))
            return false;
    return true;
}

static void on_drain_look(evutil_socket_t fd, short what, void *arg)
{
    struct intake *in = arg;
    bool late = clock_mono_us() >= in->drain_until_us;
    if (!all_drained(in) && !late)
        return;
    if (!all_drained(in))
        log_notice(
            "stream", NULL, "stopping with entries not yet committed or acknowledged: they will come again");
    event_del(in->drain_look);
    in->drained(in->drained_arg);
}

void intake_drain(struct intake *in, int64_t timeout_us, void (*done)(void *arg), void *arg)
{
    in->drained = done;
    in->drained_arg = arg;
    in->drain_until_us = clock_mono_us() + timeout_us;
    for (size_t i = 0; i < in->n_members; i++)
        stream_drain(in->members[i]->stream);
    in->drain_look = event_new(in->base, -1, EV_PERSIST, on_drain_look, in);
    struct timeval tv = {0, DRAIN_LOOK_US};
    event_add(in->drain_look, &tv);
}

/* -- reload ---------------------------------------------------------------------------------------------- */

static const struct config_stream *find_config(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_streams; i++)
        if (strcmp(config->streams[i].name, name) == 0)
            return &config->streams[i];
    return NULL;
}

static void remove_member(struct intake *in, size_t i)
{
    struct stream *s = in->members[i]->stream;
    log_notice("stream", ABOUT_STREAM(stream_name(s)), "ended by the new configuration");
    if (!find_config(in->config, stream_name(s)))
        stream_leave(s);
    member_free(in->members[i]);
    memmove(&in->members[i], &in->members[i + 1], (--in->n_members - i) * sizeof(struct member *));
}

/* Streams that leave are gone when what they have in hand is committed and acknowledged; only then does
 * another of the same name begin, so that nothing is read twice. */
static void on_leave_look(evutil_socket_t fd, short what, void *arg)
{
    struct intake *in = arg;
    bool late = clock_mono_us() >= in->leave_until_us, all_gone = true;
    for (size_t i = in->n_members; i-- > 0;) {
        struct member *m = in->members[i];
        if (m->leaving && (late || stream_drained(m->stream)))
            remove_member(in, i);
        else if (m->leaving)
            all_gone = false;
    }
    for (size_t i = 0; i < in->config->n_streams; i++) {
        const struct config_stream *cs = &in->config->streams[i];
        if (intake_find(in, cs->name))
            continue;
        add_stream(in, cs);
        if (intake_find(in, cs->name))
            stream_start(intake_find(in, cs->name));
    }
    if (all_gone)
        event_del(in->leave_look);
}

void intake_reload(struct intake *in, const struct config *config)
{
    in->config = config;
    for (size_t i = 0; i < in->n_members; i++) {
        struct member *m = in->members[i];
        const struct config_stream *wanted = find_config(config, stream_name(m->stream));
        stream_take_config(m->stream, config);
        if (m->leaving)
            continue;
        m->leaving = !wanted || !config_stream_equal(stream_config(m->stream), wanted);
        if (m->leaving)
            stream_drain(m->stream);
        else
            stream_recheck(m->stream);
    }
    for (size_t i = 0; i < config->n_streams; i++) {
        char subject[64];
        snprintf(subject, sizeof(subject), "stream %s", config->streams[i].name);
        health_clear(in->health, subject, "source");
    }
    struct timeval tv = {0, DRAIN_LOOK_US};
    in->leave_until_us = clock_mono_us() + LEAVE_US;
    event_add(in->leave_look, &tv);
    on_leave_look(-1, 0, in);
}

/* -- looking --------------------------------------------------------------------------------------------- */

size_t intake_n_streams(const struct intake *in)
{
    return in->n_members;
}

struct stream *intake_stream(struct intake *in, size_t i)
{
    return in->members[i]->stream;
}

struct stream *intake_find(struct intake *in, const char *name)
{
    for (size_t i = 0; i < in->n_members; i++)
        if (strcmp(stream_name(in->members[i]->stream), name) == 0)
            return in->members[i]->stream;
    return NULL;
}

struct pg_session *intake_session(struct intake *in)
{
    return in->session;
}

const struct config *intake_config(const struct intake *in)
{
    return in->config;
}

struct event_base *intake_base(const struct intake *in)
{
    return in->base;
}
