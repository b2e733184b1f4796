/*
 * Letters are sent through decode and write again: by a person's word (replay), or because the parent they
 * wait for has come (release). It goes in pages, so that a million letters are no more in memory than a
 * thousand: read a page above the last id, make a batch of it, give it to the stream, go on when that is
 * committed. A page holds letters of one stream that have one state, because the ledger's change depends on
 * it.
 */
#include "stream/letter_filter.h"

#include "config/config.h"
#include "pg/session.h"
#include "stream/batch.h"
#include "stream/books.h"
#include "stream/statement.h"
#include "util/clock.h"

#include <cjson/cJSON.h>
#include <endian.h>
#include <event2/event.h>
#include <event2/util.h>
#include <inttypes.h>

#define PAGE_LETTERS  "500"
#define RETRY_TIMES   50
#define RETRY_WAIT_US (100 * US_PER_MS)

/* A page stops behind the letter that brings it to a megabyte; $1 stream, $2 how many, $3 above which id. */
#define PAGE_BEGIN                                                                                           \
    "SELECT x.id, x.entry_id, x.shape, x.payload, x.us FROM (SELECT d.id, d.entry_id, d.shape, d.payload,"   \
    " (extract(epoch FROM d.received) * 1000000)::int8 AS us,"                                               \
    " sum(octet_length(d.payload)) OVER (ORDER BY d.id) - octet_length(d.payload) AS before"                 \
    " FROM {s}.dead_letter d WHERE d.id IN ("
#define PAGE_END ")) AS x WHERE x.before < 1000000 ORDER BY x.id"

/* Text parameters $4 … of a filter: id (0: any), reason ('' : any). */
#define REPLAY_IDS                                                                                           \
    "SELECT f.id FROM {s}.dead_letter f WHERE f.stream = $1 AND f.id > $3::int8 AND f.state = $4"            \
    " AND ($5::int8 = 0 OR f.id = $5::int8) AND ($6 = '' OR f.reason = $6) AND f.shape <> 'bytes'"           \
    " ORDER BY f.id LIMIT $2::int8"

/* -- sending again: rounds of pages ---------------------------------------------------------------------- */

struct round {
    struct intake *in;
    char *stream;
    char was[8];  /* "dead" or "parked" */
    char *sql;    /* of a page, with {s} expanded */
    char *reason; /* replay: "" for any */
    int64_t only; /* replay: one id, or 0 */
    bool is_replay;
    int64_t after;
    int64_t n_taken, n_stored;
    struct batch *batch; /* built, and waiting for the stream to be free */
    int retries;
    struct event *retry;
    void (*ended)(void *arg, struct round *r, const char *why);
    void *arg;
};

static void round_page(struct round *r);

static void round_free(struct round *r)
{
    batch_free(r->batch);
    if (r->retry)
        event_free(r->retry);
    free(r->stream);
    free(r->sql);
    free(r->reason);
    free(r);
}

static void round_end(struct round *r, const char *why)
{
    r->ended(r->arg, r, why);
    round_free(r);
}

static void on_settled(void *arg, int64_t n_stored)
{
    struct round *r = arg;
    if (n_stored < 0) {
        round_end(r, "the stream was stopped");
        return;
    }
    r->n_stored += n_stored;
    round_page(r);
}

static void round_hand_over(struct round *r)
{
    struct stream *s = intake_find(r->in, r->stream);
    struct batch *batch = r->batch;
    if (!s) {
        round_end(r, "there is no such stream in the configuration");
        return;
    }
    r->batch = NULL;
    if (stream_settle(s, batch, r->was, on_settled, r))
        return;
    r->batch = batch;
    if (++r->retries > RETRY_TIMES) {
        round_end(r, "the stream is not running; see ingestctl status");
        return;
    }
    struct timeval tv = {0, RETRY_WAIT_US};
    event_add(r->retry, &tv);
}

static void on_round_retry(evutil_socket_t fd, short what, void *arg)
{
    round_hand_over(arg);
}

static int64_t binary_int8(const PGresult *res, int row, int col)
{
    uint64_t v;
    memcpy(&v, PQgetvalue(res, row, col), sizeof(v));
    return (int64_t)be64toh(v);
}

static void add_letter(struct round *r, struct batch *batch, const PGresult *res, int row)
{
    char *end;
    const char *id = PQgetvalue(res, row, 1);
    struct entry entry = {.received_us = binary_int8(res, row, 4)};
    entry.id.hi = strtoull(id, &end, 10);
    entry.id.lo = *end == '-' ? strtoull(end + 1, NULL, 10) : 0;
    enum entry_shape shape = entry_shape_from_string(PQgetvalue(res, row, 2));
    struct slice payload = {PQgetvalue(res, row, 3), (size_t)PQgetlength(res, row, 3)};
    _cleanup_free_ struct entry_field *fields = NULL;
    r->after = binary_int8(res, row, 0);
    r->n_taken++;
    if (entry_from_payload(shape, payload, &entry, &fields) == 0)
        batch_add(batch, &entry, r->after);
}

static void on_page(void *arg, const PGresult *res)
{
    struct round *r = arg;
    char words[256];
    struct stream *s = intake_find(r->in, r->stream);
    if (!res || PQresultStatus(res) != PGRES_TUPLES_OK) {
        round_end(r, res ? pg_describe(res, words, sizeof(words)) : "Postgres went away");
    } else if (PQntuples(res) == 0) {
        round_end(r, NULL);
    } else if (!s || !stream_table(s)) {
        round_end(r, "the stream is not running; see ingestctl status");
    } else {
        r->batch = batch_new(stream_table(s));
        for (int i = 0; i < PQntuples(res); i++)
            add_letter(r, r->batch, res, i);
        round_hand_over(r);
    }
}

static void round_page(struct round *r)
{
    char after[24], only[24];
    snprintf(after, sizeof(after), "%" PRId64, r->after);
    snprintf(only, sizeof(only), "%" PRId64, r->only);
    const char *values[] = {r->stream, PAGE_LETTERS, after, r->was, only, r->reason};
    struct pg_params p = {.n = r->is_replay ? 6 : 3, .values = values};
    struct pg_session *session = intake_session(r->in);
    if (pg_session_send(session, false, r->sql, &p, 1, on_page, r))
        pg_session_sync(session, NULL, NULL);
    else
        round_end(r, "Postgres is away");
}

static struct round *round_new(struct intake *in, const char *stream, const char *was, const char *ids_sql)
{
    struct round *r = xnew(struct round);
    _cleanup_free_ char *text = xasprintf(PAGE_BEGIN "%s" PAGE_END, ids_sql);
    r->in = in;
    r->stream = xstrdup(stream);
    snprintf(r->was, sizeof(r->was), "%s", was);
    r->sql = books_sql(text, intake_config(in)->postgres.schema);
    r->retry = evtimer_new(intake_base(in), on_round_retry, r);
    return r;
}

/* -- release: parked letters whose parent has come ------------------------------------------------------- */

struct release {
    void (*released)(void *arg, int64_t n);
    void *arg;
};

static void on_released(void *arg, struct round *r, const char *why)
{
    struct release *l = arg;
    l->released(l->arg, why ? -1 : r->n_stored);
    free(l);
}

static void expire(struct intake *in, struct stream *stream)
{
    char seconds[24];
    const struct config_stream *cs = stream_config(stream);
    snprintf(seconds, sizeof(seconds), "%" PRId64, cs->park_for_us / US_PER_SEC);
    _cleanup_free_ char *sql = books_sql(
        "WITH p AS (UPDATE {s}.dead_letter d SET state = 'dead', detail = d.detail || ' (waited ' || $2 || ' "
        "s)'"
        " WHERE d.stream = $1 AND d.state = 'parked' AND d.recorded < now() - $2::int8 * interval '1 second'"
        " RETURNING d.stream)," ACCOUNT_AS_DEAD " SELECT count(*) FROM p",
        intake_config(in)->postgres.schema);
    pg_session_query(intake_session(in), sql, 2, (const char *const[]){cs->name, seconds}, NULL, NULL);
}

void letters_release(
    struct intake *in, struct stream *stream, void (*released)(void *arg, int64_t n), void *arg)
{
    const struct table *table = stream_table(stream);
    _cleanup_free_ char *ids = table ? statement_released(table) : NULL;
    if (!pg_session_ready(intake_session(in)) || !table) {
        released(arg, -1);
        return;
    }
    expire(in, stream);
    struct release *l = xnew(struct release);
    *l = (struct release){released, arg};
    /* Without a foreign key that we test, whatever is parked was refused by the server: it may be tried
     * again. */
    struct round *r = round_new(in, stream_name(stream), "parked",
        ids ? ids
            : "SELECT d.id FROM {s}.dead_letter d WHERE d.stream = $1 AND d.state = 'parked' AND d.id > "
              "$3::int8"
              " ORDER BY d.id LIMIT $2::int8");
    r->ended = on_released;
    r->arg = l;
    round_page(r);
}

/* -- replay: what a person asks for ---------------------------------------------------------------------- */

struct replay {
    struct intake *in;
    intake_answer_fn *answer;
    void *arg;
    int64_t only;
    char *reason;
    char **streams, **states; /* the rounds to be done */
    int n, next;
    int64_t n_taken, n_stored;
};

static void replay_next(struct replay *p);

static void replay_end(struct replay *p, const char *why)
{
    cJSON *result = NULL;
    if (!why) {
        result = cJSON_CreateObject();
        cJSON_AddNumberToObject(result, "replayed", (double)p->n_taken);
        cJSON_AddNumberToObject(result, "stored", (double)p->n_stored);
    }
    intake_refresh(p->in);
    p->answer(p->arg, result, why);
    for (int i = 0; i < p->n; i++) {
        free(p->streams[i]);
        free(p->states[i]);
    }
    free(p->streams);
    free(p->states);
    free(p->reason);
    free(p);
}

static void on_round_ended(void *arg, struct round *r, const char *why)
{
    struct replay *p = arg;
    p->n_taken += r->n_taken;
    p->n_stored += r->n_stored;
    if (why)
        replay_end(p, why);
    else
        replay_next(p);
}

static void replay_next(struct replay *p)
{
    if (p->next == p->n) {
        replay_end(p, NULL);
        return;
    }
    struct round *r = round_new(p->in, p->streams[p->next], p->states[p->next], REPLAY_IDS);
    p->next++;
    r->is_replay = true;
    r->only = p->only;
    r->reason = xstrdup(p->reason);
    r->ended = on_round_ended;
    r->arg = p;
    round_page(r);
}

static void on_kinds(void *arg, const PGresult *res)
{
    struct replay *p = arg;
    char words[256];
    if (!res || PQresultStatus(res) != PGRES_TUPLES_OK) {
        replay_end(p, res ? pg_describe(res, words, sizeof(words)) : "Postgres went away");
        return;
    }
    if (PQntuples(res) == 0) {
        replay_end(p, "no letter that could be replayed fits; see ingestctl dead list");
        return;
    }
    p->streams = xcalloc((size_t)PQntuples(res), sizeof(*p->streams));
    p->states = xcalloc((size_t)PQntuples(res), sizeof(*p->states));
    for (; p->n < PQntuples(res); p->n++) {
        p->streams[p->n] = xstrdup(PQgetvalue(res, p->n, 0));
        p->states[p->n] = xstrdup(PQgetvalue(res, p->n, 1));
    }
    replay_next(p);
}

void letters_replay(
    struct intake *in, const struct letter_filter *filter, intake_answer_fn *answer, void *arg)
{
    struct filter_texts t;
    letter_filter_values(filter, &t);
    struct replay *p = xnew(struct replay);
    *p = (struct replay){
        .in = in,
        .answer = answer,
        .arg = arg,
        .only = filter->id,
        .reason = xstrdup(filter->reason ? filter->reason : ""),
    };
    _cleanup_free_ char *sql =
        books_sql("SELECT DISTINCT d.stream, d.state FROM {s}.dead_letter d WHERE" LETTER_FILTER
                  " AND d.state <> 'dropped' AND d.shape <> 'bytes' ORDER BY 1, 2",
            intake_config(in)->postgres.schema);
    if (!pg_session_query(intake_session(in), sql, 4, t.values, on_kinds, p))
        replay_end(p, "Postgres is away, and the letters are kept there; see ingestctl status");
}
