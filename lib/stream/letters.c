/*
 * The dead letters: listed, shown, dropped, and sent through decode and write again. Sending again works in
 * pages, so that a million letters are no more in memory than a thousand: read a page above the last id, make
 * a batch of it, give it to the stream, go on when that is committed. A page holds letters of one stream that
 * have one state, because the ledger's change depends on it.
 */
#include "stream/intake.h"

#include "config/config.h"
#include "pg/session.h"
#include "stream/batch.h"
#include "stream/books.h"
#include "stream/statement.h"
#include "util/clock.h"
#include "util/text.h"

#include <cjson/cJSON.h>
#include <endian.h>
#include <event2/event.h>
#include <event2/util.h>
#include <inttypes.h>

#define PAGE_LETTERS  "500"
#define LIST_DEFAULT  100
#define LIST_MOST     10000
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

/* -- asking
 * --------------------------------------------------------------------------------------------------- */

/* A question that is answered from one result. */
struct asking {
    struct intake *in;
    intake_answer_fn *answer;
    void *arg;
    cJSON *(*make)(const PGresult *res, const char **ret_why);
};

static void on_asked(void *arg, const PGresult *res)
{
    struct asking *a = arg;
    char words[256] = "Postgres went away while it was asked; try again";
    const char *why = words;
    cJSON *result = NULL;
    if (res && pg_fault_of(res) != PG_FAULT_NONE)
        pg_describe(res, words, sizeof(words));
    else if (res)
        result = a->make(res, &why);
    a->answer(a->arg, result, result ? NULL : why);
    free(a);
}

static void ask(struct intake *in, const char *sql, int n, const char *const *values, int result_format,
    cJSON *(*make)(const PGresult *res, const char **ret_why), intake_answer_fn *answer, void *arg)
{
    struct pg_session *session = intake_session(in);
    struct asking *a = xnew(struct asking);
    *a = (struct asking){in, answer, arg, make};
    _cleanup_free_ char *text = books_sql(sql, intake_config(in)->postgres.schema);
    struct pg_params p = {.n = n, .values = values};
    if (pg_session_send(session, false, text, &p, result_format, on_asked, a)) {
        pg_session_sync(session, NULL, NULL);
        return;
    }
    free(a);
    answer(arg, NULL, "Postgres is away, and the letters are kept there; see ingestctl status");
}

struct filter_texts {
    char id[24], after[24], limit[24];
    const char *values[6];
};

/* $1 id, $2 stream, $3 state, $4 reason, $5 after, $6 limit; '' and 0 mean any. */
static void filter_values(const struct letter_filter *f, struct filter_texts *t)
{
    int limit = f->limit <= 0 ? LIST_DEFAULT : MIN(f->limit, LIST_MOST);
    snprintf(t->id, sizeof(t->id), "%" PRId64, f->id);
    snprintf(t->after, sizeof(t->after), "%" PRId64, f->after);
    snprintf(t->limit, sizeof(t->limit), "%d", limit);
    const char *values[] = {t->id, f->stream ? f->stream : "", f->state ? f->state : "",
        f->reason ? f->reason : "", t->after, t->limit};
    memcpy(t->values, values, sizeof(values));
}

#define FILTER                                                                                               \
    " ($1::int8 = 0 OR d.id = $1::int8) AND ($2 = '' OR d.stream = $2)"                                      \
    " AND (CASE $3 WHEN '' THEN d.state <> 'dropped' ELSE d.state = $3 END) AND ($4 = '' OR d.reason = $4)"

#define LETTER_COLUMNS                                                                                       \
    "d.id, d.stream, d.entry_id, d.state, d.reason, d.detail, coalesce(d.sqlstate, ''), d.bytes,"            \
    " to_char(d.received AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),"                          \
    " to_char(d.recorded AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

static cJSON *make_letter(const PGresult *res, int row)
{
    static const char *const names[] = {
        "id", "stream", "entry", "state", "reason", "detail", "sqlstate", "bytes", "received", "recorded"};
    cJSON *letter = cJSON_CreateObject();
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        const char *v = PQgetvalue(res, row, (int)i);
        bool is_number = strcmp(names[i], "id") == 0 || strcmp(names[i], "bytes") == 0;
        if (is_number)
            cJSON_AddNumberToObject(letter, names[i], strtod(v, NULL));
        else
            cJSON_AddStringToObject(letter, names[i], v);
    }
    return letter;
}

static cJSON *make_list(const PGresult *res, const char **ret_why)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < PQntuples(res); i++)
        cJSON_AddItemToArray(list, make_letter(res, i));
    return list;
}

void letters_list(struct intake *in, const struct letter_filter *filter, intake_answer_fn *answer, void *arg)
{
    struct filter_texts t;
    filter_values(filter, &t);
    ask(in,
        "SELECT " LETTER_COLUMNS " FROM {s}.dead_letter d WHERE" FILTER
        " AND d.id > $5::int8 ORDER BY d.id LIMIT $6::int8",
        6, t.values, 0, make_list, answer, arg);
}

/* -- showing one
 * ---------------------------------------------------------------------------------------------- */

/* Text as text where it is UTF-8 without NUL, else the base64 that the server made of it. */
static void add_bytes(cJSON *to, const char *name, struct slice s, const char *base64)
{
    if (memchr(s.p, '\0', s.n) || !text_is_utf8(s.p, s.n)) {
        _cleanup_free_ char *other = xasprintf("%s_base64", name);
        cJSON_AddStringToObject(to, other, base64);
        return;
    }
    _cleanup_free_ char *text = xstrndup(s.p, s.n);
    cJSON_AddStringToObject(to, name, text);
}

static void add_fields(cJSON *letter, const struct entry *entry)
{
    cJSON *fields = cJSON_AddObjectToObject(letter, "fields");
    for (size_t i = 0; i < entry->n_fields; i++) {
        _cleanup_free_ char *name = xstrndup(entry->fields[i].name.p, entry->fields[i].name.n);
        add_bytes(fields, name, entry->fields[i].value, "(not UTF-8)");
    }
}

static cJSON *make_shown(const PGresult *res, const char **ret_why)
{
    if (PQntuples(res) == 0) {
        *ret_why = "there is no letter with that id; see ingestctl dead list";
        return NULL;
    }
    cJSON *letter = make_letter(res, 0);
    if (PQgetisnull(res, 0, 11))
        return letter; /* dropped: its payload is forgotten */
    size_t n;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *)PQgetvalue(res, 0, 11), &n);
    if (!bytes)
        return letter;
    struct slice payload = {(const char *)bytes, n};
    struct entry entry = {0};
    _cleanup_free_ struct entry_field *fields = NULL;
    enum entry_shape shape = entry_shape_from_string(PQgetvalue(res, 0, 10));
    if (shape == ENTRY_FIELDS && entry_from_payload(shape, payload, &entry, &fields) == 0)
        add_fields(letter, &entry);
    else
        add_bytes(letter, "payload", payload, PQgetvalue(res, 0, 12));
    PQfreemem(bytes);
    return letter;
}

void letters_show(struct intake *in, int64_t id, intake_answer_fn *answer, void *arg)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, id);
    ask(in,
        "SELECT " LETTER_COLUMNS ", d.shape, d.payload, translate(encode(d.payload, 'base64'), E'\\n', '')"
        " FROM {s}.dead_letter d WHERE d.id = $1::int8",
        1, (const char *const[]){text}, 0, make_shown, answer, arg);
}

/* -- dropping
 * ------------------------------------------------------------------------------------------------- */

static cJSON *make_dropped(const PGresult *res, const char **ret_why)
{
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "dropped", strtod(PQgetvalue(res, 0, 0), NULL));
    return result;
}

/* A parked letter had not been accounted: now it has ended, as dead. */
#define ACCOUNT_AS_DEAD                                                                                      \
    " b AS (INSERT INTO {s}.ledger AS l SELECT stream, date_trunc('minute', now()), count(*), 0, 0, "        \
    "count(*)"                                                                                               \
    "  FROM p GROUP BY stream ON CONFLICT (stream, minute) DO UPDATE SET"                                    \
    "  delivered = l.delivered + excluded.delivered, dead = l.dead + excluded.dead)"

void letters_drop(struct intake *in, const struct letter_filter *filter, const char *who,
    intake_answer_fn *answer, void *arg)
{
    struct filter_texts t;
    filter_values(filter, &t);
    t.values[4] = who;
    ask(in,
        "WITH o AS (SELECT d.id, d.state, d.stream FROM {s}.dead_letter d WHERE" FILTER
        "  AND d.state <> 'dropped' FOR UPDATE),"
        " n AS (UPDATE {s}.dead_letter d SET state = 'dropped', payload = NULL, parent_key = NULL, "
        "dropped_by = $5,"
        "  dropped_at = now() FROM o WHERE d.id = o.id RETURNING 1),"
        " p AS (SELECT o.stream FROM o WHERE o.state = 'parked')," ACCOUNT_AS_DEAD " SELECT count(*) FROM n",
        5, t.values, 0, make_dropped, answer, arg);
    intake_refresh(in);
}

/* -- sending again: rounds of pages
 * --------------------------------------------------------------------------- */

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

/* -- release: parked letters whose parent has come
 * ------------------------------------------------------------ */

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

/* -- replay: what a person asks for
 * --------------------------------------------------------------------------- */

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
    filter_values(filter, &t);
    struct replay *p = xnew(struct replay);
    *p = (struct replay){
        .in = in,
        .answer = answer,
        .arg = arg,
        .only = filter->id,
        .reason = xstrdup(filter->reason ? filter->reason : ""),
    };
    _cleanup_free_ char *sql =
        books_sql("SELECT DISTINCT d.stream, d.state FROM {s}.dead_letter d WHERE" FILTER
                  " AND d.state <> 'dropped' AND d.shape <> 'bytes' ORDER BY 1, 2",
            intake_config(in)->postgres.schema);
    if (!pg_session_query(intake_session(in), sql, 4, t.values, on_kinds, p))
        replay_end(p, "Postgres is away, and the letters are kept there; see ingestctl status");
}
