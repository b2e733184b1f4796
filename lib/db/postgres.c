/*
 * Postgres through libpq, blocking, in single-row mode (PostgreSQL manual, 34.6): a row is handed on as it comes, and
 * is freed before the next. One loop takes the results of a statement with parameters and of a text with several.
 */
#include "db/postgres_inside.h"

#include "pg/target.h"
#include "util/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* One call's way through its results. */
struct reading {
    struct postgres *pg;
    const char *sql;
    const struct db_sink *sink;
    struct db_fault *fault;
    int statement;  /* which of the text, from 1 */
    bool in_rows;   /* its columns have been told */
    int64_t n_rows; /* of this statement */
    bool stopped;   /* nobody listens any more: what still comes is dropped */
    struct db_value *values;
    int n_values;
};

/* A NOTICE may hold values: it goes nowhere. */
static void ignore_notice(void *arg, const char *message)
{
}

static const char *field(const PGresult *res, int code)
{
    return PQresultErrorField(res, code);
}

/* ---- connecting ---- */

/* Waits until the socket is ready; false when time is up. */
static bool wait_for(PGconn *conn, PostgresPollingStatusType wants, int64_t deadline_us)
{
    for (;;) {
        struct pollfd p = {.fd = PQsocket(conn), .events = wants == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int64_t left_us = deadline_us - clock_mono_us();
        if (left_us <= 0)
            return false;
        int n = poll(&p, 1, (int)(left_us / US_PER_MS) + 1);
        if (n > 0 || (n < 0 && errno != EINTR))
            return true;
    }
}

/* libpq looks up the host's name in PQconnectStartParams: it takes as long as the resolver does. */
static bool connect_until(PGconn *conn, int64_t deadline_us)
{
    PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
    while (PQstatus(conn) != CONNECTION_BAD) {
        if (!wait_for(conn, wants, deadline_us))
            return false;
        wants = PQconnectPoll(conn);
        if (wants == PGRES_POLLING_OK || wants == PGRES_POLLING_FAILED)
            break;
    }
    return true;
}

static int start(struct postgres *pg, const struct pg_keywords *k, int64_t timeout_us, struct db_fault *fault)
{
    int64_t deadline_us = clock_mono_us() + timeout_us;
    pg->conn = PQconnectStartParams(k->names, k->values, 0);
    if (!pg->conn)
        return db_fault_set(fault, "", true, "cannot connect to %s: no memory", pg->base.label);
    PQsetNoticeProcessor(pg->conn, ignore_notice, NULL);
    PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE); /* so that a refusal has its SQLSTATE */
    if (!connect_until(pg->conn, deadline_us))
        return db_fault_set(fault, "", true,
            "cannot connect to %s: no answer within %lld s: is it up, and does a firewall let us through?",
            pg->base.label, (long long)(timeout_us / US_PER_SEC));
    if (PQstatus(pg->conn) != CONNECTION_OK)
        return postgres_fault_connect(
            fault, pg->base.label, PQerrorMessage(pg->conn), PQconnectionNeedsPassword(pg->conn));
    return 0;
}

static bool set_config(struct postgres *pg, const char *name, int64_t ms)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)ms);
    const char *const values[] = {name, text};
    PGresult *res =
        PQexecParams(pg->conn, "SELECT set_config($1, $2, false)", 2, NULL, values, NULL, NULL, 0);
    bool ok = PQresultStatus(res) == PGRES_TUPLES_OK;
    PQclear(res);
    return ok;
}

/* By SET, not by the connection's options: a pooler between us refuses those. */
static int set_up(struct postgres *pg, const struct db_options *options, struct db_fault *fault)
{
    /* A server from 14 on looks at times whether we are still there, and stops the work of a worker that was
     * killed. An older one, or one on a system that cannot, does not know how: that is as it is. */
    set_config(pg, "client_connection_check_interval", 2000);
    int64_t ms = (options->statement_timeout_us + US_PER_MS - 1) / US_PER_MS;
    if (ms > 0 && !set_config(pg, "statement_timeout", MIN(ms, INT32_MAX)))
        return db_fault_set(fault, "", true, "%s does not take a statement_timeout", pg->base.label);
    return 0;
}

static void postgres_close(struct db *db)
{
    struct postgres *pg = (struct postgres *)db;
    PQfinish(pg->conn);
    free(pg);
}

static int open_with(
    struct postgres *pg, const char *url, const struct db_options *options, struct db_fault *fault)
{
    struct error err;
    struct pg_keywords keywords;
    if (pg_keywords_make(url, options->password_file, options->application_name, NULL, &keywords, &err) < 0)
        return db_fault_set(fault, "", false, "cannot connect to %s: %s", pg->base.label, err.text);
    int result = start(pg, &keywords, options->connect_timeout_us, fault);
    pg_keywords_done(&keywords);
    return result < 0 ? result : set_up(pg, options, fault);
}

static int postgres_open(
    const char *url, const struct db_options *options, struct db **ret_db, struct db_fault *fault)
{
    PQconninfoOption *parsed = PQconninfoParse(url, NULL);
    if (!parsed)
        return db_fault_set(fault, "", false,
            "the database's URL is not one that libpq understands: expected "
            "postgresql://user@host:port/database, special characters in it as %%XX");
    PQconninfoFree(parsed);
    struct postgres *pg = xnew(struct postgres);
    pg->base = (struct db){.driver = &db_postgres, .label = pg_label(url)};
    if (open_with(pg, url, options, fault) < 0) {
        db_close(&pg->base);
        return -1;
    }
    *ret_db = &pg->base;
    return 0;
}

/* ---- results ---- */

int postgres_fault_connection(struct postgres *pg, struct db_fault *fault)
{
    const char *why = PQerrorMessage(pg->conn);
    int n = (int)strcspn(why, "\n");
    if (PQstatus(pg->conn) == CONNECTION_OK)
        return db_fault_set(
            fault, "", false, "%s: the statement could not be sent: %.*s", pg->base.label, MIN(n, 300), why);
    return db_fault_set(
        fault, "", true, "the connection to %s is gone: %.*s", pg->base.label, MIN(n, 300), why);
}

int postgres_fault_result(
    struct postgres *pg, const PGresult *res, const char *sql, int statement, struct db_fault *fault)
{
    const char *state = field(res, PG_DIAG_SQLSTATE);
    if (!state)
        return postgres_fault_connection(pg, fault);
    struct postgres_error e = {
        .sqlstate = state,
        .text = field(res, PG_DIAG_MESSAGE_PRIMARY),
        .table = field(res, PG_DIAG_TABLE_NAME),
        .column = field(res, PG_DIAG_COLUMN_NAME),
        .constraint = field(res, PG_DIAG_CONSTRAINT_NAME),
        .position = field(res, PG_DIAG_STATEMENT_POSITION),
        .inner = field(res, PG_DIAG_INTERNAL_QUERY),
    };
    return postgres_fault(fault, pg->base.label, &e, sql, statement);
}

void postgres_stop(struct postgres *pg)
{
    char why[256];
    PGcancel *cancel = PQgetCancel(pg->conn);
    if (!cancel || !PQcancel(cancel, why, sizeof(why)))
        shutdown(PQsocket(pg->conn), SHUT_RDWR); /* reading would last as long as the work does */
    PQfreeCancel(cancel);
}

static void stop(struct reading *r)
{
    r->stopped = true;
    postgres_stop(r->pg);
}

static void give_up(struct reading *r)
{
    db_fault_given_up(r->fault, r->pg->base.label);
    stop(r);
}

static bool tell_columns(struct reading *r, const PGresult *res)
{
    int n = PQnfields(res);
    const char **columns = xcalloc((size_t)n + 1, sizeof(*columns));
    for (int i = 0; i < n; i++)
        columns[i] = PQfname(res, i);
    r->values = xrealloc(r->values, (size_t)n + 1, sizeof(*r->values));
    r->n_values = n;
    r->in_rows = true;
    bool more = db_sink_columns(r->sink, n, columns);
    free(columns);
    return more;
}

static bool tell_row(struct reading *r, const PGresult *res)
{
    for (int i = 0; i < r->n_values; i++) {
        bool null = PQgetisnull(res, 0, i);
        r->values[i] = (struct db_value){null ? NULL : PQgetvalue(res, 0, i), (size_t)PQgetlength(res, 0, i)};
    }
    r->n_rows++;
    return db_sink_row(r->sink, r->n_values, r->values);
}

/* "INSERT 0 3" -> "INSERT" */
static bool tell_end(struct reading *r, PGresult *res)
{
    const char *status = PQcmdStatus(res);
    size_t n = strcspn(status, "0123456789");
    while (n > 0 && status[n - 1] == ' ')
        n--;
    _cleanup_free_ char *tag = xstrndup(status, n);
    int64_t rows = r->in_rows ? r->n_rows : strtoll(PQcmdTuples(res), NULL, 10);
    r->in_rows = false;
    r->n_rows = 0;
    r->statement++;
    return db_sink_end(r->sink, tag, rows);
}

/* COPY speaks with the client in the middle of a statement, and we have nothing to say. */
static void refuse_copy(struct reading *r, const PGresult *res)
{
    bool in = PQresultStatus(res) == PGRES_COPY_IN;
    db_fault_set(r->fault, "0A000", false, "%s, statement %d: COPY … %s has no client here that %s: use %s",
        r->pg->base.label, r->statement, in ? "FROM STDIN" : "TO STDOUT", in ? "sends rows" : "takes rows",
        in ? "INSERT" : "SELECT");
    if (!r->stopped)
        stop(r);
    char *bytes = NULL;
    if (in)
        PQputCopyEnd(r->pg->conn, "COPY FROM STDIN is not possible here");
    else
        while (PQgetCopyData(r->pg->conn, &bytes, 0) > 0)
            PQfreemem(bytes);
}

static void take_result(struct reading *r, PGresult *res)
{
    bool more = true;
    switch (PQresultStatus(res)) {
    case PGRES_SINGLE_TUPLE:
        more = r->stopped || ((r->in_rows || tell_columns(r, res)) && tell_row(r, res));
        break;
    case PGRES_TUPLES_OK: /* the end of rows, or that there are none */
        more = r->stopped || ((r->in_rows || tell_columns(r, res)) && tell_end(r, res));
        break;
    case PGRES_COMMAND_OK:
        more = r->stopped || tell_end(r, res);
        break;
    case PGRES_EMPTY_QUERY:
        break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
        refuse_copy(r, res);
        break;
    default:
        postgres_fault_result(r->pg, res, r->sql, r->statement, r->fault);
        r->stopped = true;
    }
    if (!more)
        give_up(r);
}

static int read_results(
    struct postgres *pg, const char *sql, const struct db_sink *sink, struct db_fault *fault)
{
    struct reading r = {.pg = pg, .sql = sql, .sink = sink, .fault = fault, .statement = 1};
    PQsetSingleRowMode(pg->conn);
    for (PGresult *res; (res = PQgetResult(pg->conn));) {
        take_result(&r, res);
        bool replication = PQresultStatus(res) == PGRES_COPY_BOTH; /* would be answered for ever */
        PQclear(res);
        if (replication)
            break;
    }
    free(r.values);
    if (PQstatus(pg->conn) == CONNECTION_BAD)
        postgres_fault_connection(pg, fault);
    return fault->error.text[0] ? -1 : 0;
}

static int postgres_query(struct db *db, const char *sql, int n, const char *const *parameters,
    const struct db_sink *sink, struct db_fault *fault)
{
    struct postgres *pg = (struct postgres *)db;
    if (!PQsendQueryParams(pg->conn, sql, n, NULL, parameters, NULL, NULL, 0))
        return postgres_fault_connection(pg, fault);
    return read_results(pg, sql, sink, fault);
}

static int postgres_script(struct db *db, const char *sql, const struct db_sink *sink, struct db_fault *fault)
{
    struct postgres *pg = (struct postgres *)db;
    if (!PQsendQuery(pg->conn, sql))
        return postgres_fault_connection(pg, fault);
    return read_results(pg, sql, sink, fault);
}

const struct db_driver db_postgres = {
    .name = "postgres",
    .open = postgres_open,
    .close = postgres_close,
    .query = postgres_query,
    .script = postgres_script,
    .load = postgres_load,
    .cursor_open = postgres_cursor_open,
    .cursor_next = postgres_cursor_next,
    .cursor_free = postgres_cursor_free,
    .name_quote = '"',
    .quote_text = postgres_quote_text,
};
