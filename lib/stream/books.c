#include "stream/books.h"

#include "pg/session.h"
#include "pg/tables.h"

static const char *const tables[] = {"stream", "ledger", "dead_letter", NULL};

static const char *const make_sql[] = {
    "CREATE TABLE IF NOT EXISTS {s}.stream ("
    " name text PRIMARY KEY,"
    " table_name text NOT NULL,"
    " baseline bigint NOT NULL,"
    " registered timestamptz NOT NULL DEFAULT now())",

    "CREATE TABLE IF NOT EXISTS {s}.ledger ("
    " stream text NOT NULL,"
    " minute timestamptz NOT NULL,"
    " delivered bigint NOT NULL,"
    " inserted bigint NOT NULL,"
    " duplicate bigint NOT NULL,"
    " dead bigint NOT NULL,"
    " PRIMARY KEY (stream, minute),"
    " CHECK (delivered = inserted + duplicate + dead))",

    "CREATE TABLE IF NOT EXISTS {s}.dead_letter ("
    " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " stream text NOT NULL,"
    " entry_id text NOT NULL,"
    " state text NOT NULL CHECK (state IN ('dead', 'parked', 'dropped')),"
    " reason text NOT NULL,"
    " detail text NOT NULL,"
    " sqlstate text,"
    " constraint_name text,"
    " parent_key text[],"
    " shape text NOT NULL CHECK (shape IN ('json', 'fields', 'bytes')),"
    " payload bytea,"
    " bytes bigint NOT NULL,"
    " received timestamptz NOT NULL,"
    " recorded timestamptz NOT NULL DEFAULT now(),"
    " dropped_by text,"
    " dropped_at timestamptz,"
    " UNIQUE (stream, entry_id))",

    "CREATE INDEX IF NOT EXISTS dead_letter_by_state ON {s}.dead_letter (stream, state, id)",
    NULL,
};

/* The rows that are there and are not ours: what is counted now, less what the ledger says that we wrote. */
static const char register_sql[] =
    "INSERT INTO {s}.stream AS r (name, table_name, baseline)"
    " SELECT $1, $2, (SELECT pg_catalog.count(*) FROM {t})"
    "   - coalesce((SELECT sum(l.inserted) FROM {s}.ledger l"
    "                WHERE l.stream = $1 OR l.stream IN (SELECT o.name FROM {s}.stream o WHERE o.table_name "
    "= $2)), 0)"
    " WHERE NOT EXISTS (SELECT FROM {s}.stream x WHERE x.name = $1 AND x.table_name = $2)"
    " ON CONFLICT (name) DO UPDATE SET table_name = excluded.table_name, baseline = excluded.baseline,"
    "   registered = now() WHERE r.table_name <> excluded.table_name";

static const struct {
    const char *name, *sql;
} statements[] = {
    /* $1 stream, $2 delivered, $3 inserted, $4 duplicate */
    [BOOKS_LEDGER] = {"ledger",
        "INSERT INTO {s}.ledger AS l VALUES ($1::text, date_trunc('minute', now()), $2::bigint, $3::bigint,"
        " $4::bigint, 0)"
        " ON CONFLICT (stream, minute) DO UPDATE SET delivered = l.delivered + excluded.delivered,"
        " inserted = l.inserted + excluded.inserted, duplicate = l.duplicate + excluded.duplicate"},

    /*
     * $1 stream, $2 entries in the batch, $3 inserted, then arrays, one element a letter: $4 entry_id, $5
     * state, $6 reason, $7 detail, $8 sqlstate, $9 constraint, $10 parent_key (as text), $11 shape, $12
     * payload, $13 bytes, $14 received. An entry that is on record already (re-delivered) is a duplicate.
     * Parked ones are not accounted until they end.
     */
    [BOOKS_LETTERS] = {"letters",
        "WITH n AS (INSERT INTO {s}.dead_letter (stream, entry_id, state, reason, detail, sqlstate, "
        "constraint_name,"
        "   parent_key, shape, payload, bytes, received)"
        " SELECT $1::text, u.e, u.s, u.r, u.d, u.q, u.c, u.k::text[], u.h, u.p, u.b, u.t"
        " FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],"
        "   $11::text[], $12::bytea[], $13::bigint[], $14::timestamptz[]) AS u(e, s, r, d, q, c, k, h, p, b, "
        "t)"
        " ON CONFLICT (stream, entry_id) DO NOTHING RETURNING state),"
        " c AS (SELECT count(*) FILTER (WHERE state = 'dead') AS dead,"
        "   count(*) FILTER (WHERE state = 'parked') AS parked FROM n),"
        " b AS (INSERT INTO {s}.ledger AS l SELECT $1::text, date_trunc('minute', now()), $2::bigint - "
        "parked,"
        "   $3::bigint, $2::bigint - parked - $3::bigint - dead, dead FROM c"
        "   ON CONFLICT (stream, minute) DO UPDATE SET delivered = l.delivered + excluded.delivered,"
        "   inserted = l.inserted + excluded.inserted, duplicate = l.duplicate + excluded.duplicate,"
        "   dead = l.dead + excluded.dead)"
        " SELECT dead, parked FROM c"},

    /*
     * Letters that were written again. $1 stream, $2 the state they all had, $3 inserted among the stored, $4
     * ids of the stored, and for those still refused: $5 ids, $6 state, $7 reason, $8 detail, $9 sqlstate,
     * $10 constraint, $11 parent_key. Were some of them taken by somebody else meanwhile, the division by
     * zero takes all back. A dead letter was accounted as dead when it came, a parked one not at all: hence
     * the differences.
     */
    [BOOKS_SETTLE] = {"settle",
        "WITH gone AS (DELETE FROM {s}.dead_letter d WHERE d.stream = $1::text AND d.state = $2::text"
        "   AND d.id = ANY ($4::bigint[]) RETURNING 1),"
        " kept AS (UPDATE {s}.dead_letter d SET state = u.s, reason = u.r, detail = u.d, sqlstate = u.q,"
        "   constraint_name = u.c, parent_key = u.k::text[]"
        "   FROM unnest($5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], "
        "$11::text[])"
        "     AS u(i, s, r, d, q, c, k)"
        "   WHERE d.id = u.i AND d.stream = $1::text AND d.state = $2::text RETURNING d.state),"
        " c AS (SELECT (SELECT count(*) FROM gone) AS gone,"
        "   (SELECT count(*) FROM kept WHERE state = 'dead') AS dead,"
        "   (SELECT count(*) FROM kept WHERE state = 'parked') AS parked,"
        "   CASE WHEN (SELECT count(*) FROM gone) = cardinality($4::bigint[])"
        "     AND (SELECT count(*) FROM kept) = cardinality($5::bigint[]) THEN 1 ELSE 0 END AS ours),"
        " v AS (SELECT CASE $2::text WHEN 'parked' THEN gone + dead ELSE -parked END AS delivered,"
        "   $3::bigint AS inserted, gone - $3::bigint AS duplicate,"
        "   CASE $2::text WHEN 'parked' THEN dead ELSE -gone - parked END AS dead FROM c WHERE 1 / ours = 1),"
        " b AS (INSERT INTO {s}.ledger AS l SELECT $1::text, date_trunc('minute', now()), delivered, "
        "inserted,"
        "   duplicate, dead FROM v WHERE delivered <> 0 OR inserted <> 0 OR duplicate <> 0 OR dead <> 0"
        "   ON CONFLICT (stream, minute) DO UPDATE SET delivered = l.delivered + excluded.delivered,"
        "   inserted = l.inserted + excluded.inserted, duplicate = l.duplicate + excluded.duplicate,"
        "   dead = l.dead + excluded.dead)"
        " SELECT v.delivered, v.inserted, v.duplicate, v.dead, c.parked, c.gone FROM v, c"},
};

/* -- texts ----------------------------------------------------------------------------------------------- */

char *books_sql(const char *text, const char *schema)
{
    return pg_schema_sql(text, schema, NULL);
}

const char *books_statement_name(enum books_statement which)
{
    return statements[which].name;
}

char *books_statement_sql(enum books_statement which, const char *schema)
{
    return books_sql(statements[which].sql, schema);
}

/* -- opening --------------------------------------------------------------------------------------------- */

struct opening {
    struct pg_session *session;
    char *schema, *stream, *table;
    books_fn *fn;
    void *arg;
    struct pg_failure failure;
};

static void finish(struct opening *o)
{
    const struct pg_failure *f = &o->failure;
    o->fn(o->arg, !f->failed, f->lost, f->failed ? f->why : NULL);
    free(o->schema);
    free(o->stream);
    free(o->table);
    free(o);
}

static void on_registered(void *arg, const PGresult *res)
{
    struct opening *o = arg;
    if (!res || pg_fault_of(res) != PG_FAULT_NONE)
        pg_failure_note(&o->failure, res,
            "the stream could not be registered (its table's rows are counted once; a very large table may "
            "need a longer postgres.timeout)");
}

static void on_end(void *arg, const PGresult *res)
{
    struct opening *o = arg;
    if (!res || pg_fault_of(res) != PG_FAULT_NONE)
        pg_failure_note(&o->failure, res, "the books could not be opened");
    finish(o);
}

static void on_tables(void *arg, bool ok, bool lost, const char *why)
{
    struct opening *o = arg;
    o->failure = (struct pg_failure){.failed = !ok, .lost = lost};
    snprintf(o->failure.why, sizeof(o->failure.why), "%s", why ? why : "");
    if (!ok || !o->stream) {
        finish(o);
        return;
    }
    _cleanup_free_ char *sql = pg_schema_sql(register_sql, o->schema, o->table);
    struct pg_params p = {.n = 2, .values = (const char *[]){o->stream, o->table}};
    pg_session_send(o->session, false, sql, &p, 0, on_registered, o);
    pg_session_sync(o->session, on_end, o);
}

void books_open(struct pg_session *session, const char *schema, const char *stream, const char *sql_name,
    books_fn *fn, void *arg)
{
    struct opening *o = xnew(struct opening);
    *o = (struct opening){
        .session = session,
        .schema = xstrdup(schema),
        .stream = xstrdup(stream),
        .table = xstrdup(sql_name),
        .fn = fn,
        .arg = arg,
    };
    pg_tables_open(session, schema, tables, make_sql, on_tables, o);
}
