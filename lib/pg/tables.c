#include "pg/tables.h"

#include "pg/quote.h"
#include "pg/session.h"
#include "util/buffer.h"

/* Several daemons may start at once; whoever holds this lock makes the tables. The number is ours alone. */
#define MAKE_LOCK "SELECT pg_catalog.pg_advisory_xact_lock(7353178361502019)"

static const char missing_sql[] =
    "SELECT pg_catalog.to_regnamespace({q}) IS NULL,"
    "  (SELECT bool_or(pg_catalog.to_regclass({q} || '.' || pg_catalog.quote_ident(t)) IS NULL)"
    "     FROM unnest($1::text[]) t),"
    "  pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),"
    "  pg_catalog.current_database(), current_user";

char *pg_schema_sql(const char *text, const char *schema, const char *table)
{
    _cleanup_buffer_ struct buffer out = {0}, quoted = {0};
    pg_put_identifier(&quoted, schema);
    for (; *text; text++) {
        bool is_mark = text[0] == '{' && text[1] && text[2] == '}';
        if (!is_mark) {
            buffer_put(&out, text, 1);
            continue;
        }
        if (text[1] == 's')
            buffer_put(&out, quoted.p, quoted.n);
        else if (text[1] == 'q')
            pg_put_literal(&out, buffer_string(&quoted));
        else if (table)
            buffer_put_string(&out, table);
        text += 2;
    }
    return xstrdup(buffer_string(&out));
}

void pg_failure_note(struct pg_failure *f, const PGresult *res, const char *what)
{
    if (f->failed)
        return;
    char words[200];
    f->failed = true;
    f->lost = !res || pg_fault_of(res) == PG_FAULT_TRANSIENT;
    snprintf(f->why, sizeof(f->why), "%s: %s", what,
        res ? pg_describe(res, words, sizeof(words)) : "the connection was lost");
}

/* -- opening --------------------------------------------------------------------------------------------- */

struct opening {
    struct pg_session *session;
    char *schema;
    const char *const *make_sql;
    pg_tables_fn *fn;
    void *arg;
    struct pg_failure failure;
};

static void finish(struct opening *o)
{
    const struct pg_failure *f = &o->failure;
    o->fn(o->arg, !f->failed, f->lost, f->failed ? f->why : NULL);
    free(o->schema);
    free(o);
}

static void on_made(void *arg, const PGresult *res)
{
    struct opening *o = arg;
    if (!res || pg_fault_of(res) == PG_FAULT_SCHEMA || pg_fault_of(res) == PG_FAULT_TRANSIENT)
        pg_failure_note(&o->failure, res, "our own tables could not be made");
}

static void on_made_all(void *arg, const PGresult *res)
{
    struct opening *o = arg;
    if (!res || pg_fault_of(res) != PG_FAULT_NONE)
        pg_failure_note(&o->failure, res, "our own tables could not be made");
    finish(o);
}

static void make(struct opening *o, bool schema_too)
{
    pg_session_send(o->session, false, MAKE_LOCK, NULL, 0, on_made, o);
    if (schema_too) {
        _cleanup_free_ char *sql = pg_schema_sql("CREATE SCHEMA IF NOT EXISTS {s}", o->schema, NULL);
        pg_session_send(o->session, false, sql, NULL, 0, on_made, o);
    }
    for (const char *const *s = o->make_sql; *s; s++) {
        _cleanup_free_ char *sql = pg_schema_sql(*s, o->schema, NULL);
        pg_session_send(o->session, false, sql, NULL, 0, on_made, o);
    }
    pg_session_sync(o->session, on_made_all, o);
}

static void on_missing(void *arg, const PGresult *res)
{
    struct opening *o = arg;
    if (!res || PQresultStatus(res) != PGRES_TUPLES_OK) {
        pg_failure_note(&o->failure, res, "our own tables could not be looked up");
        finish(o);
        return;
    }
    bool no_schema = PQgetvalue(res, 0, 0)[0] == 't', no_tables = PQgetvalue(res, 0, 1)[0] == 't';
    if (no_schema && PQgetvalue(res, 0, 2)[0] != 't') {
        o->failure.failed = true;
        snprintf(o->failure.why, sizeof(o->failure.why),
            "schema %s does not exist in database %s and role %s may not make it; run once as the database's "
            "owner: "
            "CREATE SCHEMA %s AUTHORIZATION %s (or set postgres.schema to one that exists)",
            o->schema, PQgetvalue(res, 0, 3), PQgetvalue(res, 0, 4), o->schema, PQgetvalue(res, 0, 4));
        finish(o);
    } else if (no_tables) {
        make(o, no_schema);
    } else {
        finish(o);
    }
}

void pg_tables_open(struct pg_session *session, const char *schema, const char *const *tables,
    const char *const *make_sql, pg_tables_fn *fn, void *arg)
{
    struct opening *o = xnew(struct opening);
    *o = (struct opening){
        .session = session, .schema = xstrdup(schema), .make_sql = make_sql, .fn = fn, .arg = arg};
    _cleanup_free_ char *sql = pg_schema_sql(missing_sql, schema, NULL);
    _cleanup_buffer_ struct buffer names = {0};
    for (const char *const *t = tables; *t; t++)
        buffer_printf(&names, "%s%s", names.n ? "," : "{", *t);
    buffer_put(&names, "}", 1);
    if (!pg_session_query(session, sql, 1, (const char *const[]){buffer_string(&names)}, on_missing, o)) {
        pg_failure_note(&o->failure, NULL, "our own tables could not be looked up");
        finish(o);
    }
}
