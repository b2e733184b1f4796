/*
 * COPY in both directions (PostgreSQL manual, 34.10 and COPY, text format). Text, not binary: values are text, whatever
 * type a column has. Rows go out in chunks that do not mind where a row ends; they come in one by one, and are unescaped
 * where they lie.
 */
#include "db/lines.h"
#include "db/postgres_inside.h"

#include "util/buffer.h"
#include "util/clock.h"

#define CHUNK ((size_t)64 * 1024)

/* ---- both ---- */

/* What is left of a statement's results. 0 and the rows it counted; -1 with the fault. */
static int finish(struct postgres *pg, const char *sql, int64_t *ret_rows, struct db_fault *fault)
{
    int result = 0;
    for (PGresult *res; (res = PQgetResult(pg->conn));) {
        ExecStatusType status = PQresultStatus(res);
        if (status == PGRES_COMMAND_OK)
            *ret_rows = strtoll(PQcmdTuples(res), NULL, 10);
        else if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) /* it could not be ended */
            result = postgres_fault_connection(pg, fault);
        else
            result = postgres_fault_result(pg, res, sql, 1, fault);
        PQclear(res);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
            break;
    }
    return PQstatus(pg->conn) == CONNECTION_BAD ? postgres_fault_connection(pg, fault) : result;
}

/* 0 and the number of columns when the server is ready to copy. */
static int begin(
    struct postgres *pg, const char *sql, ExecStatusType expected, int *ret_n_columns, struct db_fault *fault)
{
    int64_t ignored = 0;
    if (!PQsendQueryParams(pg->conn, sql, 0, NULL, NULL, NULL, NULL, 0))
        return postgres_fault_connection(pg, fault);
    PGresult *res = PQgetResult(pg->conn);
    bool ready = PQresultStatus(res) == expected;
    if (ready)
        *ret_n_columns = PQnfields(res);
    else
        postgres_fault_result(pg, res, sql, 1, fault);
    PQclear(res);
    return ready ? 0 : (finish(pg, sql, &ignored, fault), -1);
}

/* ---- in ---- */

/* False when the connection does not take it: why is in the result. */
static bool send_lines(struct postgres *pg, struct db_lines *lines)
{
    char chunk[CHUNK];
    ssize_t n;
    while ((n = db_lines_read(lines, chunk, sizeof(chunk))) > 0)
        if (PQputCopyData(pg->conn, chunk, (int)n) != 1)
            return false;
    return PQputCopyEnd(pg->conn, n < 0 ? "there are no more rows, by a fault" : NULL) == 1;
}

static int load_rows(struct postgres *pg, const char *sql, struct db_lines *lines)
{
    int n_columns = 0;
    int64_t n_stored = 0;
    if (begin(pg, sql, PGRES_COPY_IN, &n_columns, lines->fault) < 0)
        return -1;
    if (!send_lines(pg, lines))
        PQputCopyEnd(pg->conn, "the client failed");
    if (finish(pg, sql, &n_stored, lines->fault) < 0 || lines->failed)
        return -1;
    if (n_stored != lines->n_rows)
        return db_fault_set(lines->fault, "", false,
            "%s: the table %s took %lld of %lld rows: has it a trigger or rule that drops some?",
            pg->base.label, lines->load->table, (long long)n_stored, (long long)lines->n_rows);
    return 0;
}

int postgres_load(struct db *db, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault)
{
    struct postgres *pg = (struct postgres *)db;
    struct db_lines lines = {.load = load, .fault = fault};
    _cleanup_free_ char *table = db_quote_name(db, load->schema, load->table);
    _cleanup_free_ char *columns = db_quote_columns(db, load);
    _cleanup_free_ char *sql = xasprintf("COPY %s (%s) FROM STDIN", table, columns);
    int before = db_send_timeout(PQsocket(pg->conn), DB_PATIENCE_S * 1000);
    int result = load_rows(pg, sql, &lines);
    db_send_timeout(PQsocket(pg->conn), before);
    if (result == 0)
        *ret_rows = lines.n_rows;
    return result;
}

/* ---- out ---- */

struct cursor {
    struct db_cursor base;
    char *sql;
    char *line; /* libpq's; the values point into it */
    struct db_value *values;
    bool ended;
};

/* COPY tells how many columns there are, not what they are called: that is asked before. */
static int describe(struct postgres *pg, const char *sql, struct db_cursor *c, struct db_fault *fault)
{
    PGresult *res = PQprepare(pg->conn, "", sql, 0, NULL);
    if (PQresultStatus(res) == PGRES_COMMAND_OK) {
        PQclear(res);
        res = PQdescribePrepared(pg->conn, "");
    }
    int result = 0;
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        result = postgres_fault_result(pg, res, sql, 1, fault);
    else
        c->n_columns = (size_t)PQnfields(res);
    c->columns = xcalloc(c->n_columns + 1, sizeof(*c->columns));
    for (size_t i = 0; i < c->n_columns; i++)
        c->columns[i] = xstrdup(PQfname(res, (int)i));
    PQclear(res);
    return PQstatus(pg->conn) == CONNECTION_BAD ? postgres_fault_connection(pg, fault) : result;
}

static int start_copy(struct cursor *c, struct db_fault *fault)
{
    int n_columns = 0;
    if (begin((struct postgres *)c->base.db, c->sql, PGRES_COPY_OUT, &n_columns, fault) < 0)
        return -1;
    c->ended = false;
    if ((size_t)n_columns == c->base.n_columns)
        return 0;
    return db_fault_set(
        fault, "", true, "%s: the columns of a statement changed while it began", c->base.db->label);
}

int postgres_cursor_open(
    struct db *db, const char *sql, struct db_cursor **ret_cursor, struct db_fault *fault)
{
    size_t n = strlen(sql);
    while (n > 0 && strchr("; \t\r\n", sql[n - 1]))
        n--;
    struct cursor *c = xnew(struct cursor);
    c->base.db = db;
    c->ended = true;
    /* A line break: the statement may end in a comment. */
    c->sql = xasprintf("COPY (%.*s\n) TO STDOUT", (int)n, sql);
    if (describe((struct postgres *)db, sql, &c->base, fault) < 0 || start_copy(c, fault) < 0) {
        db_cursor_free(&c->base);
        return -1;
    }
    c->values = xcalloc(c->base.n_columns + 1, sizeof(*c->values));
    *ret_cursor = &c->base;
    return 0;
}

/* What COPY writes behind a backslash; another character stands for itself. */
static char unescape(char c)
{
    static const char plain[] = {
        ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t', ['v'] = '\v'};
    unsigned char i = (unsigned char)c;
    return i < sizeof(plain) && plain[i] ? plain[i] : c;
}

/* Takes one cell, which becomes a string where it stands; what comes behind its separator, or NULL when it was the
 * line's last. */
static char *take_cell(char *p, struct db_value *ret_value)
{
    char *begin = p;
    while (*p != '\t' && *p != '\n' && *p != '\\')
        p++;
    char *out = p;
    bool null = p == begin && p[0] == '\\' && p[1] == 'N';
    while (*p != '\t' && *p != '\n')
        if (*p == '\\' && p[1] != '\n') {
            *out++ = unescape(p[1]);
            p += 2;
        } else
            *out++ = *p++;
    bool last = *p == '\n';
    *out = '\0';
    *ret_value = (struct db_value){null ? NULL : begin, null ? 0 : (size_t)(out - begin)};
    return last ? NULL : p + 1;
}

/* A line ends in a newline, and has none within. */
static int take_line(struct cursor *c, int n, struct db_fault *fault)
{
    size_t i = 0;
    char *p = n > 0 && c->line[n - 1] == '\n' ? c->line : NULL;
    bool complete = p != NULL;
    for (; p && i < c->base.n_columns; i++)
        p = take_cell(p, &c->values[i]);
    if (!complete || i != c->base.n_columns || (p && c->base.n_columns > 0))
        return db_fault_set(fault, "08P01", true, "%s: a row of %zu columns was expected, another came",
            c->base.db->label, c->base.n_columns);
    return 1;
}

int postgres_cursor_next(struct db_cursor *base, const struct db_value **ret_values, struct db_fault *fault)
{
    struct cursor *c = (struct cursor *)base;
    struct postgres *pg = (struct postgres *)base->db;
    int64_t ignored = 0;
    if (c->ended)
        return 0;
    PQfreemem(TAKE(c->line));
    int n = PQgetCopyData(pg->conn, &c->line, 0);
    if (n > 0) {
        *ret_values = c->values;
        return take_line(c, n, fault);
    }
    c->ended = true;
    return finish(pg, c->sql, &ignored, fault);
}

void postgres_cursor_free(struct db_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    struct postgres *pg = (struct postgres *)base->db;
    struct db_fault ignored = {0};
    int64_t n_rows = 0;
    PQfreemem(c->line);
    if (!c->ended) {
        postgres_stop(pg);
        for (char *line; PQgetCopyData(pg->conn, &line, 0) > 0;)
            PQfreemem(line);
        finish(pg, c->sql, &n_rows, &ignored);
    }
    free(c->values);
    free(c->sql);
    free(c);
}

/* ---- literals ---- */

/* With E before it a backslash is one in any server, whatever its standard_conforming_strings. */
char *postgres_quote_text(const struct db *db, const char *text)
{
    _cleanup_buffer_ struct buffer out = {0};
    bool escape = strchr(text, '\\') != NULL;
    buffer_put_string(&out, escape ? "E'" : "'");
    for (const char *p = text; *p; p++)
        buffer_put(&out, (char[]){*p, *p}, *p == '\'' || *p == '\\' ? 2 : 1);
    buffer_put_string(&out, "'");
    return xstrdup(buffer_string(&out));
}
