/*
 * The ledger against what others count: the table's own rows, the letters, and the source's books. One
 * statement a stream, so that all of Postgres' numbers are of one moment; the source's numbers are taken
 * before it, so that they may be smaller, never larger, than what we have by then.
 */
#include "stream/intake.h"

#include "config/config.h"
#include "pg/session.h"
#include "stream/books.h"
#include "stream/source.h"
#include "stream/table.h"

#include <cjson/cJSON.h>

static const char count_sql[] =
    "SELECT (SELECT coalesce(sum(delivered), 0) FROM {s}.ledger WHERE stream = $1),"
    " (SELECT coalesce(sum(inserted + duplicate + dead), 0) FROM {s}.ledger WHERE stream = $1),"
    " (SELECT coalesce(sum(dead), 0) FROM {s}.ledger WHERE stream = $1),"
    " (SELECT count(*) FROM {s}.dead_letter WHERE stream = $1 AND state IN ('dead', 'dropped')),"
    " (SELECT count(*) FROM {s}.dead_letter WHERE stream = $1 AND state = 'parked'),"
    " (SELECT r.baseline + coalesce((SELECT sum(l.inserted) FROM {s}.ledger l JOIN {s}.stream o ON o.name = "
    "l.stream"
    "    WHERE o.table_name = r.table_name), 0) FROM {s}.stream r WHERE r.name = $1),"
    " (SELECT count(*) FROM %s)";

struct reconcile {
    struct intake *in;
    intake_answer_fn *answer;
    void *arg;
    cJSON *result, *streams;
    size_t next;
    int64_t acknowledged; /* by the source of the stream under way, -1 when it does not know */
    char name[64];
    bool ok;
};

static void count_next(struct reconcile *r);

static void finish(struct reconcile *r, const char *why)
{
    cJSON *result = NULL;
    if (why)
        cJSON_Delete(r->result);
    else
        result = r->result;
    if (result)
        cJSON_AddBoolToObject(result, "ok", r->ok);
    r->answer(r->arg, result, why);
    free(r);
}

static bool add_check(
    cJSON *checks, const char *what, int64_t expected, int64_t found, bool ok, const char *note)
{
    cJSON *c = cJSON_CreateObject();
    cJSON_AddStringToObject(c, "what", what);
    cJSON_AddNumberToObject(c, "expected", (double)expected);
    cJSON_AddNumberToObject(c, "found", (double)found);
    cJSON_AddBoolToObject(c, "ok", ok);
    cJSON_AddStringToObject(c, "note", note);
    cJSON_AddItemToArray(checks, c);
    return ok;
}

static bool add_checks(const struct reconcile *r, cJSON *checks, const PGresult *res)
{
    enum { DELIVERED, ENDED, DEAD, LETTERS, PARKED, EXPECTED_ROWS, ROWS, N };
    int64_t v[N];
    for (int i = 0; i < N; i++)
        v[i] = strtoll(PQgetvalue(res, 0, i), NULL, 10);
    bool ok = add_check(checks, "delivered = inserted + duplicate + dead", v[DELIVERED], v[ENDED],
        v[DELIVERED] == v[ENDED], "the ledger's own sums");
    ok &= add_check(checks, "rows in the table", v[EXPECTED_ROWS], v[ROWS], v[EXPECTED_ROWS] == v[ROWS],
        v[EXPECTED_ROWS] == v[ROWS]  ? "rows before the first entry, and all inserted since"
        : v[EXPECTED_ROWS] < v[ROWS] ? "the table has rows that did not come this way"
                                     : "rows were deleted from the table by another hand");
    ok &= add_check(checks, "letters that are dead or dropped", v[DEAD], v[LETTERS], v[DEAD] == v[LETTERS],
        "the ledger against ingest.dead_letter");
    if (r->acknowledged >= 0) {
        int64_t have = v[DELIVERED] + v[PARKED];
        ok &= add_check(checks, "entries the source counts as taken", r->acknowledged, have,
            have >= r->acknowledged,
            have > r->acknowledged
                ? "the source counts fewer: newer entries, or some that came again after a break"
            : have == r->acknowledged ? "each one is accounted for"
                                      : "acknowledged entries that are not in the ledger");
    }
    return ok;
}

static void on_counted(void *arg, const PGresult *res)
{
    struct reconcile *r = arg;
    char words[256];
    if (!res || PQresultStatus(res) != PGRES_TUPLES_OK) {
        finish(
            r, res ? pg_describe(res, words, sizeof(words)) : "Postgres went away while counting; try again");
        return;
    }
    cJSON *one = cJSON_CreateObject();
    cJSON_AddStringToObject(one, "name", r->name);
    cJSON *checks = cJSON_CreateArray();
    bool ok = add_checks(r, checks, res);
    cJSON_AddBoolToObject(one, "ok", ok);
    cJSON_AddItemToObject(one, "checks", checks);
    cJSON_AddItemToArray(r->streams, one);
    r->ok = r->ok && ok;
    count_next(r);
}

static void count_stream(struct reconcile *r, struct stream *s)
{
    struct source_report report;
    stream_source_report(s, &report);
    r->acknowledged = report.acknowledged;
    snprintf(r->name, sizeof(r->name), "%s", stream_name(s));
    _cleanup_free_ char *books = books_sql(count_sql, intake_config(r->in)->postgres.schema);
    _cleanup_buffer_ struct buffer sql = {0};
    buffer_put(&sql, books, strlen(books) - strlen("%s)"));
    buffer_printf(&sql, "%s)", stream_table(s)->sql_name);
    if (!pg_session_query(
            intake_session(r->in), buffer_string(&sql), 1, (const char *const[]){r->name}, on_counted, r))
        finish(r, "Postgres is away; see ingestctl status");
}

/* A stream whose table could not be checked yet has nothing to compare, and so is not all right. */
static void add_unknown(struct reconcile *r, const struct stream *s)
{
    cJSON *one = cJSON_CreateObject();
    cJSON_AddStringToObject(one, "name", stream_name(s));
    cJSON_AddBoolToObject(one, "ok", false);
    cJSON *checks = cJSON_AddArrayToObject(one, "checks");
    add_check(checks, "table checked against the column map", 1, 0, false, "not yet: see ingestctl status");
    cJSON_AddItemToArray(r->streams, one);
    r->ok = false;
}

static void count_next(struct reconcile *r)
{
    while (r->next < intake_n_streams(r->in)) {
        struct stream *s = intake_stream(r->in, r->next++);
        if (stream_table(s)) {
            count_stream(r, s);
            return;
        }
        add_unknown(r, s);
    }
    finish(r, NULL);
}

void intake_reconcile(struct intake *in, intake_answer_fn *answer, void *arg)
{
    struct reconcile *r = xnew(struct reconcile);
    *r = (struct reconcile){.in = in, .answer = answer, .arg = arg, .ok = true};
    r->result = cJSON_CreateObject();
    r->streams = cJSON_AddArrayToObject(r->result, "streams");
    count_next(r);
}
