/*
 * A statement with parameters: prepared by the server, so that a value never becomes SQL (MariaDB Connector/C,
 * prepared statements). Every column is bound as text; a cell that is longer than its buffer is fetched again.
 */
#include "db/mysql_inside.h"

#include "util/buffer.h"

#define CELL_FIRST                                                                                           \
    256 /* enough for every number and date: the library rounds them to the room that there is */

/* One row's cells, reused for the next. */
struct cells {
    int n;
    MYSQL_BIND *binds;
    struct buffer *buffers;
    unsigned long *lengths;
    my_bool *nulls;
    struct db_value *values;
};

static void cells_done(struct cells *c)
{
    for (int i = 0; i < c->n; i++)
        buffer_done(&c->buffers[i]);
    free(c->binds);
    free(c->buffers);
    free(c->lengths);
    free(c->nulls);
    free(c->values);
    *c = (struct cells){0};
}

static void bind_cell(struct cells *c, int i)
{
    c->binds[i] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
        .buffer = c->buffers[i].p,
        .buffer_length = c->buffers[i].cap,
        .length = &c->lengths[i],
        .is_null = &c->nulls[i]};
}

static bool cells_init(struct cells *c, int n)
{
    *c = (struct cells){
        .n = n,
        .binds = xcalloc((size_t)n, sizeof(*c->binds)),
        .buffers = xcalloc((size_t)n, sizeof(*c->buffers)),
        .lengths = xcalloc((size_t)n, sizeof(*c->lengths)),
        .nulls = xcalloc((size_t)n, sizeof(*c->nulls)),
        .values = xcalloc((size_t)n, sizeof(*c->values)),
    };
    for (int i = 0; i < n; i++) {
        if (!buffer_reserve(&c->buffers[i], CELL_FIRST))
            return false;
        bind_cell(c, i);
    }
    return true;
}

struct run {
    struct mysql *my;
    MYSQL_STMT *stmt;
    const char *sql;
    const struct db_sink *sink;
    struct db_fault *fault;
};

static int fault_statement(struct run *r)
{
    struct mysql_failure f = {.code = mysql_stmt_errno(r->stmt),
        .sqlstate = mysql_stmt_sqlstate(r->stmt),
        .text = mysql_stmt_error(r->stmt),
        .sql = r->sql};
    return mysql_fault(r->fault, r->my->base.label, &f, 1);
}

static int no_memory(struct run *r)
{
    mysql_stop(r->my);
    return db_fault_set(r->fault, "", true, "%s: no memory for a row of the result", r->my->base.label);
}

static int give_up(struct run *r)
{
    mysql_stop(r->my);
    return db_fault_given_up(r->fault, r->my->base.label);
}

/* Cells that did not fit: more room, and once more. ret_grown: the binding is not what it was. */
static int fetch_long(struct run *r, struct cells *c, bool *ret_grown)
{
    for (int i = 0; i < c->n; i++) {
        if (c->nulls[i] || c->lengths[i] <= c->buffers[i].cap)
            continue;
        if (!buffer_reserve(&c->buffers[i], c->lengths[i]))
            return no_memory(r);
        bind_cell(c, i);
        *ret_grown = true;
        if (mysql_stmt_fetch_column(r->stmt, &c->binds[i], (unsigned)i, 0) != 0)
            return fault_statement(r);
    }
    return 0;
}

static int take_row(struct run *r, struct cells *c)
{
    bool grown = false;
    if (fetch_long(r, c, &grown) < 0)
        return -1;
    for (int i = 0; i < c->n; i++)
        c->values[i] =
            (struct db_value){c->nulls[i] ? NULL : c->buffers[i].p, c->nulls[i] ? 0 : c->lengths[i]};
    if (!db_sink_row(r->sink, c->n, c->values))
        return give_up(r);
    return grown && mysql_stmt_bind_result(r->stmt, c->binds) ? fault_statement(r) : 0;
}

static int take_rows(struct run *r, struct cells *c)
{
    int64_t n_rows = 0;
    if (mysql_stmt_bind_result(r->stmt, c->binds))
        return fault_statement(r);
    for (int got; (got = mysql_stmt_fetch(r->stmt)) != MYSQL_NO_DATA; n_rows++) {
        if (got != 0 && got != MYSQL_DATA_TRUNCATED)
            return fault_statement(r);
        if (take_row(r, c) < 0)
            return -1;
    }
    return db_sink_end(r->sink, "", n_rows) ? 0 : give_up(r);
}

static int take_result(struct run *r)
{
    MYSQL_RES *fields = mysql_stmt_result_metadata(r->stmt);
    if (!fields)
        return db_sink_end(r->sink, "", (int64_t)mysql_stmt_affected_rows(r->stmt)) ? 0 : give_up(r);
    struct cells cells = {0};
    int result;
    if (!mysql_tell_columns(fields, r->sink))
        result = give_up(r);
    else if (!cells_init(&cells, (int)mysql_num_fields(fields)))
        result = no_memory(r);
    else
        result = take_rows(r, &cells);
    cells_done(&cells);
    mysql_free_result(fields);
    return result;
}

/* A procedure's CALL has several. */
static int take_results(struct run *r)
{
    for (;;) {
        if (take_result(r) < 0)
            return -1;
        mysql_stmt_free_result(r->stmt);
        int next = mysql_stmt_next_result(r->stmt);
        if (next != 0)
            return next > 0 ? fault_statement(r) : 0;
    }
}

static int execute(struct run *r, int n, const char *const *parameters)
{
    MYSQL_BIND *binds = xcalloc((size_t)n, sizeof(*binds));
    for (int i = 0; i < n; i++) {
        const char *p = parameters[i];
        binds[i].buffer_type = p ? MYSQL_TYPE_STRING : MYSQL_TYPE_NULL;
        binds[i].buffer = (void *)p;
        binds[i].buffer_length = binds[i].length_value = p ? strlen(p) : 0;
    }
    bool bad = mysql_stmt_bind_param(r->stmt, binds) || mysql_stmt_execute(r->stmt) != 0;
    free(binds);
    return bad ? fault_statement(r) : take_results(r);
}

int mysql_statement(struct mysql *my, const char *sql, int n, const char *const *parameters,
    const struct db_sink *sink, struct db_fault *fault)
{
    struct run r = {.my = my, .sql = sql, .sink = sink, .fault = fault, .stmt = mysql_stmt_init(my->conn)};
    if (!r.stmt)
        return db_fault_set(fault, "", true, "%s: no memory for a statement", my->base.label);
    int result;
    if (mysql_stmt_prepare(r.stmt, sql, strlen(sql)) != 0)
        result = fault_statement(&r);
    else if (mysql_stmt_param_count(r.stmt) != (unsigned long)n)
        result = db_fault_set(fault, "07001", false, "%s: the statement has %lu parameters, %d were given",
            my->base.label, mysql_stmt_param_count(r.stmt), n);
    else
        result = execute(&r, n, parameters);
    mysql_stmt_close(r.stmt); /* reads what is left of the result */
    if (result < 0)
        mysql_settle(my);
    return result;
}
