/*
 * DuckDB's bulk streams. Rows go in by an INSERT that selects from a table function of ours, which pulls them: so DuckDB
 * casts text to the columns' types, and writes what is large to the file before the end of the transaction. (Its
 * appender keeps some bytes of every row until then.) Rows come out of a statement as they are computed.
 */
#include "db/duckdb_inside.h"

#include "util/buffer.h"

#include <inttypes.h>

#define ROWS_FUNCTION "ingestd_rows"

/* ---- load ---- */

struct loading {
    struct duck *duck;
    const struct db_load *load;
    struct duck_feed *feed;
    int64_t n_rows, chunk_from; /* rows that were handed over; how many of them before the last chunk */
    bool broke_off;             /* fault is of the rows, not of DuckDB */
    struct db_fault *fault;
};

/* The one that is under way: loads do not run beside each other, nor one in another's rows. */
static struct loading *current;

static void bind_rows(duckdb_bind_info info)
{
    const struct duck_library *l = duck_library_loaded();
    if (!current) {
        l->bind_set_error(info, ROWS_FUNCTION " is for loads of ingestd alone");
        return;
    }
    duckdb_logical_type text = l->create_logical_type(DUCKDB_TYPE_VARCHAR);
    for (size_t i = 0; i < current->load->n_columns; i++)
        l->bind_add_result_column(info, current->load->columns[i], text);
    l->destroy_logical_type(&text);
}

static void init_rows(duckdb_init_info info)
{
    duck_library_loaded()->init_set_max_threads(info, 1);
}

/* DuckDB asks for the next chunk: from one of its threads, never from two at once. */
static void put_rows(duckdb_function_info info, duckdb_data_chunk chunk)
{
    struct loading *g = current;
    const struct duck_library *l = duck_library_loaded();
    idx_t n;
    int more = duck_feed_take(g->feed, chunk, &n, g->fault);
    g->chunk_from = g->n_rows;
    g->n_rows += (int64_t)n;
    l->data_chunk_set_size(chunk, n);
    if (more < 0) {
        g->broke_off = true;
        l->function_set_error(info, "the rows broke off");
    }
}

/* Fails where another connection to the file has made it. */
void duck_register_rows(const struct duck *duck)
{
    const struct duck_library *l = duck->library;
    duckdb_table_function f = l->create_table_function();
    l->table_function_set_name(f, ROWS_FUNCTION);
    l->table_function_set_bind(f, bind_rows);
    l->table_function_set_init(f, init_rows);
    l->table_function_set_function(f, put_rows);
    l->register_table_function(duck->connection, f);
    l->destroy_table_function(&f);
}

static int load_failed(struct loading *g)
{
    static const char *const of_rows[] = {"22", "23502", "23514"};
    char rows[64] = "";
    if (g->broke_off)
        return -1;
    if (db_sqlstate_among(g->fault->sqlstate, of_rows, N_ELEMENTS(of_rows)) && g->n_rows > g->chunk_from)
        snprintf(rows, sizeof(rows), ", rows %" PRId64 " to %" PRId64, g->chunk_from + 1, g->n_rows);
    return error_prefix(&g->fault->error, "loading into the table %.100s%s", g->load->table, rows);
}

static int insert(struct loading *g, const char *sql)
{
    duckdb_extracted_statements statements = NULL;
    duckdb_prepared_statement statement = NULL;
    _cleanup_(duck_result_freep) struct duck_result *result = NULL;
    struct duck *duck = g->duck;
    int r = duck_extract(duck, sql, false, &statements, g->fault);
    if (r >= 0)
        r = duck_prepare(duck, statements, 0, &statement, g->fault);
    if (r >= 0)
        r = duck_execute(duck, statement, 1, &result, g->fault);
    if (r >= 0 && duck_result_changed(result) != g->n_rows)
        r = db_fault_set(g->fault, "", false, "%s: %" PRId64 " of %" PRId64 " rows were taken",
            duck->base.label, duck_result_changed(result), g->n_rows);
    duck->library->destroy_prepare(&statement);
    duck->library->destroy_extracted(&statements);
    return r < 0 ? -1 : 0;
}

int duck_load(struct db *db, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault)
{
    struct loading g = {.duck = (struct duck *)db, .load = load, .fault = fault};
    if (duck_busy(g.duck, fault) < 0)
        return -1;
    if (current)
        return db_fault_set(fault, "", false, "%s: another load is under way", g.duck->base.label);
    _cleanup_free_ char *table = db_quote_name(db, load->schema, load->table);
    _cleanup_free_ char *columns = db_quote_columns(db, load);
    _cleanup_free_ char *sql =
        xasprintf("INSERT INTO %s (%s) SELECT * FROM " ROWS_FUNCTION "()", table, columns);
    g.feed = duck_feed_new(g.duck, load, fault);
    if (!g.feed)
        return -1;
    current = &g;
    g.duck->patient = true;
    duck_limit_start(g.duck->limit);
    int r = insert(&g, sql);
    bool over = duck_limit_stop(g.duck->limit);
    current = NULL;
    g.duck->patient = false;
    duck_feed_free(g.feed);
    if (r < 0)
        return over && !g.broke_off ? duck_say_limit(g.duck, fault) : load_failed(&g);
    *ret_rows = g.n_rows;
    return 0;
}

/* ---- cursor ---- */

struct duck_cursor {
    struct db_cursor base;
    duckdb_extracted_statements statements;
    duckdb_prepared_statement statement;
    struct duck_result *result;
};

static void take_columns(struct duck_cursor *c)
{
    struct db_cursor *base = &c->base;
    base->n_columns = (size_t)duck_result_columns(c->result);
    base->columns = xcalloc(base->n_columns + 1, sizeof(*base->columns));
    for (size_t i = 0; i < base->n_columns; i++)
        base->columns[i] = xstrdup(duck_result_column(c->result, (int)i));
}

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
    take_columns(c);
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
