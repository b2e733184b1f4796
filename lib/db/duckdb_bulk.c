/*
 * DuckDB's bulk streams: the appender, which casts text to a column's type, and a cursor over a statement whose rows are
 * computed as they are read.
 */
#include "db/duckdb_inside.h"

#include "util/buffer.h"
#include "util/text.h"

#include <inttypes.h>

/* The appender keeps rows until it is flushed, outside of DuckDB's memory limit, and by itself flushes only at 204,800
 * of them. */
#define UNFLUSHED_MAX ((size_t)4 << 20)

/* ---- load ---- */

struct loading {
    struct duck *duck;
    const struct db_load *load;
    duckdb_appender appender;
    size_t unflushed; /* bytes */
    int64_t n_rows;
    struct db_fault *fault;
};

/* at: where in the rows, or "". */
static int appender_failed(struct loading *g, const char *at)
{
    const struct duck_library *l = g->duck->library;
    duckdb_error_data error = l->appender_error_data(g->appender);
    const char *text = l->error_data_message(error);
    duck_fault(g->fault, g->duck->base.label, l->error_data_error_type(error), text ? text : "", 1);
    l->destroy_error_data(&error);
    return error_prefix(&g->fault->error, "loading into the table %.100s%s", g->load->table, at);
}

static int cell_failed(struct loading *g, size_t column)
{
    char at[160];
    snprintf(at, sizeof(at), ", row %" PRId64 ", column %.100s", g->n_rows + 1, g->load->columns[column]);
    return appender_failed(g, at);
}

static int start_appender(struct loading *g)
{
    const struct duck_library *l = g->duck->library;
    if (l->appender_create(g->duck->connection, g->load->schema, g->load->table, &g->appender) !=
        DuckDBSuccess)
        return appender_failed(g, "");
    for (size_t i = 0; i < g->load->n_columns; i++)
        if (l->appender_add_column(g->appender, g->load->columns[i]) != DuckDBSuccess)
            return appender_failed(g, "");
    return 0;
}

static int append_row(struct loading *g, const struct db_value *values)
{
    const struct duck_library *l = g->duck->library;
    for (size_t i = 0; i < g->load->n_columns; i++) {
        const struct db_value *v = &values[i];
        if (v->p && !text_is_utf8(v->p, v->n))
            return db_fault_set(g->fault, "22021", false,
                "%s: loading into the table %.100s, row %" PRId64 ", column %.100s: text that is not UTF-8",
                g->duck->base.label, g->load->table, g->n_rows + 1, g->load->columns[i]);
        duckdb_state state =
            v->p ? l->append_varchar_length(g->appender, v->p, v->n) : l->append_null(g->appender);
        if (state != DuckDBSuccess)
            return cell_failed(g, i);
        g->unflushed += v->n + sizeof(duckdb_string_t);
    }
    return l->appender_end_row(g->appender) == DuckDBSuccess ? 0 : appender_failed(g, "");
}

static int flush(struct loading *g)
{
    g->unflushed = 0;
    return g->duck->library->appender_flush(g->appender) == DuckDBSuccess ? 0 : appender_failed(g, "");
}

static int append_rows(struct loading *g)
{
    const struct db_value *values;
    int more;
    for (; (more = g->load->next(g->load->arg, &values, g->fault)) > 0; g->n_rows++) {
        if (append_row(g, values) < 0)
            return -1;
        if (g->unflushed > UNFLUSHED_MAX && flush(g) < 0)
            return -1;
    }
    return more < 0 ? -1 : flush(g);
}

int duck_load(struct db *db, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault)
{
    struct loading g = {.duck = (struct duck *)db, .load = load, .fault = fault};
    if (duck_busy(g.duck, fault) < 0)
        return -1;
    int r = start_appender(&g);
    if (r == 0)
        r = append_rows(&g);
    g.duck->library->appender_destroy(&g.appender);
    if (r == 0)
        *ret_rows = g.n_rows;
    return r;
}

/* ---- cursor ---- */

struct duck_cursor {
    struct db_cursor base;
    duckdb_extracted_statements statements;
    duckdb_prepared_statement statement;
    struct duck_result *result;
};

static int start_cursor(struct duck_cursor *c, const char *sql, struct db_fault *fault)
{
    struct duck *duck = (struct duck *)c->base.db;
    if (duck_extract(duck, sql, false, &c->statements, fault) < 0 ||
        duck_prepare(duck, c->statements, 0, &c->statement, fault) < 0)
        return -1;
    int rows = duck_execute(duck, c->statement, 1, &c->result, fault);
    if (rows == 0)
        return db_fault_set(
            fault, "", false, "%s: the statement of a cursor returns no rows", db_label(&duck->base));
    return rows < 0 ? -1 : 0;
}

int duck_cursor_open(struct db *db, const char *sql, struct db_cursor **ret_cursor, struct db_fault *fault)
{
    struct duck *duck = (struct duck *)db;
    if (duck_busy(duck, fault) < 0)
        return -1;
    struct duck_cursor *c = xnew(struct duck_cursor);
    c->base.db = db;
    duck->busy = true;
    duck_limit_start(duck->limit);
    if (start_cursor(c, sql, fault) < 0) {
        if (duck_limit_stop(duck->limit))
            duck_say_limit(duck, fault);
        duck_cursor_free(&c->base);
        return -1;
    }
    *ret_cursor = &c->base;
    return 0;
}

int duck_cursor_next(struct db_cursor *cursor, const struct db_value **ret_values, struct db_fault *fault)
{
    struct duck_cursor *c = (struct duck_cursor *)cursor;
    struct duck *duck = (struct duck *)cursor->db;
    int more = duck_result_next(c->result, ret_values, fault);
    if (more <= 0 && duck_limit_stop(duck->limit) && more < 0)
        duck_say_limit(duck, fault);
    return more;
}

void duck_cursor_free(struct db_cursor *cursor)
{
    struct duck_cursor *c = (struct duck_cursor *)cursor;
    struct duck *duck = (struct duck *)cursor->db;
    duck_limit_stop(duck->limit);
    duck_result_free(c->result);
    duck->library->destroy_prepare(&c->statement);
    duck->library->destroy_extracted(&c->statements);
    duck->busy = false;
    free(c);
}

/* ---- text in SQL ---- */

char *duck_quote_text(const struct db *db, const char *text)
{
    _cleanup_buffer_ struct buffer out = {0};
    buffer_put_string(&out, "'");
    for (const char *p = text; *p; p++)
        buffer_put(&out, (char[]){*p, '\''}, *p == '\'' ? 2 : 1);
    buffer_put_string(&out, "'");
    return xstrdup(buffer_string(&out));
}
