/*
 * DuckDB through its C API: a database in a file, computed in our own process. A text is split into statements by DuckDB,
 * each is prepared, and its rows are computed as they are taken.
 */
#include "db/duckdb_inside.h"

#include "util/clock.h"
#include "util/text.h"

#include <strings.h>

/* ---- opening ---- */

static void duck_close(struct db *db)
{
    struct duck *duck = (struct duck *)db;
    duck_limit_free(duck->limit);
    if (duck->connection)
        duck->library->disconnect(&duck->connection);
    if (duck->database)
        duck->library->close(&duck->database);
    free(duck->path);
    free(duck);
}

static int start(struct duck *duck, const struct db_options *options, struct db_fault *fault)
{
    duck->library = duck_library(fault);
    if (!duck->library || duck_open_file(duck, options, fault) < 0)
        return -1;
    if (options->statement_timeout_us <= 0)
        return 0;
    duck->limit = duck_limit_new(duck->library, duck->connection, options->statement_timeout_us);
    if (!duck->limit)
        return db_fault_set(fault, "", true, "%s: no memory for a thread", duck->base.label);
    return 0;
}

static int duck_open(
    const char *url, const struct db_options *options, struct db **ret_db, struct db_fault *fault)
{
    _cleanup_free_ char *path = NULL;
    if (duck_path(url, &path, fault) < 0)
        return -1;
    struct duck *duck = xnew(struct duck);
    duck->base = (struct db){.driver = &db_duckdb, .label = xstrdup(path)};
    duck->path = TAKE(path);
    if (start(duck, options, fault) < 0) {
        db_close(&duck->base);
        return -1;
    }
    *ret_db = &duck->base;
    return 0;
}

/* ---- statements ---- */

/* What one call runs. */
struct text {
    struct duck *duck;
    int n; /* parameters */
    const char *const *parameters;
    const char *alone; /* the statement where the text is one, else "" */
    const struct db_sink *sink;
    struct db_fault *fault;
};

static int bind(struct text *t, duckdb_prepared_statement statement)
{
    const struct duck_library *l = t->duck->library;
    idx_t wanted = l->nparams(statement);
    if (wanted != (idx_t)t->n)
        return db_fault_set(t->fault, "07001", false, "%s: the statement has %d parameters, %d were given",
            t->duck->base.label, (int)wanted, t->n);
    for (int i = 0; i < t->n; i++) {
        const char *p = t->parameters[i];
        duckdb_state state = p ? l->bind_varchar_length(statement, (idx_t)i + 1, p, strlen(p))
                               : l->bind_null(statement, (idx_t)i + 1);
        if (state != DuckDBSuccess)
            return duck_fault_text(t->fault, t->duck->base.label, l->prepare_error(statement), 1);
    }
    return 0;
}

static bool tell_columns(struct text *t, struct duck_result *r)
{
    int n = duck_result_columns(r);
    const char **names = xcalloc((size_t)n + 1, sizeof(*names));
    for (int i = 0; i < n; i++)
        names[i] = duck_result_column(r, i);
    bool more = db_sink_columns(t->sink, n, names);
    free(names);
    return more;
}

static int give_up(struct text *t)
{
    return db_fault_given_up(t->fault, t->duck->base.label);
}

static int take_rows(struct text *t, struct duck_result *r, int64_t *ret_rows)
{
    const struct db_value *values;
    int64_t n_rows = 0;
    int more;
    if (!tell_columns(t, r))
        return give_up(t);
    for (; (more = duck_result_next(r, &values, t->fault)) > 0; n_rows++)
        if (!db_sink_row(t->sink, duck_result_columns(r), values))
            return give_up(t);
    *ret_rows = n_rows;
    return more;
}

/* DuckDB does not say which statement of a transaction it was: told where it stands alone, as Postgres tells it. */
static const char *tag_of(const struct text *t, struct duck_result *r)
{
    static const struct {
        const char *word, *tag;
    } words[] = {{"BEGIN", "BEGIN"}, {"START", "START TRANSACTION"}, {"COMMIT", "COMMIT"}, {"END", "COMMIT"},
        {"ROLLBACK", "ROLLBACK"}, {"ABORT", "ROLLBACK"}};
    const char *tag = duck_result_tag(r);
    const char *begins = t->alone + strspn(t->alone, " \t\r\n");
    size_t n = strspn(begins, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    for (size_t i = 0; !*tag && i < N_ELEMENTS(words); i++)
        if (n == strlen(words[i].word) && strncasecmp(begins, words[i].word, n) == 0)
            return words[i].tag;
    return tag;
}

static int execute(struct text *t, duckdb_prepared_statement statement, int nth)
{
    _cleanup_(duck_result_freep) struct duck_result *r = NULL;
    int rows = duck_execute(t->duck, statement, nth, &r, t->fault);
    if (rows < 0)
        return -1;
    int64_t n_rows = 0;
    if (rows == 0)
        n_rows = duck_result_changed(r);
    else if (take_rows(t, r, &n_rows) < 0)
        return -1;
    return db_sink_end(t->sink, tag_of(t, r), n_rows) ? 0 : give_up(t);
}

int duck_extract(struct duck *duck, const char *sql, bool several,
    duckdb_extracted_statements *ret_statements, struct db_fault *fault)
{
    idx_t n = duck->library->extract_statements(duck->connection, sql, ret_statements);
    const char *error = *ret_statements ? duck->library->extract_statements_error(*ret_statements) : NULL;
    if (n == 0 && error)
        return duck_fault_text(fault, duck->base.label, error, 1);
    if (n > 1 && !several)
        return db_fault_set(fault, "42601", false, "%s: the text holds %d statements where one is expected",
            duck->base.label, (int)n);
    return (int)n;
}

int duck_prepare(struct duck *duck, duckdb_extracted_statements statements, int nth,
    duckdb_prepared_statement *ret_statement, struct db_fault *fault)
{
    const struct duck_library *l = duck->library;
    if (l->prepare_extracted_statement(duck->connection, statements, (idx_t)nth, ret_statement) ==
        DuckDBSuccess)
        return 0;
    return duck_fault_text(fault, duck->base.label, l->prepare_error(*ret_statement), nth + 1);
}

int duck_busy(const struct duck *duck, struct db_fault *fault)
{
    if (!duck->busy)
        return 0;
    return db_fault_set(
        fault, "", false, "%s: a cursor is open on this connection: free it first", duck->base.label);
}

int duck_say_limit(const struct duck *duck, struct db_fault *fault)
{
    char limit[32];
    *fault = (struct db_fault){0};
    return db_fault_set(fault, "57014", false, "%s: the statement was stopped: its time limit of %s is over",
        duck->base.label, text_duration(duck_limit_us(duck->limit), limit));
}

static int run_one(struct text *t, duckdb_extracted_statements statements, int i)
{
    duckdb_prepared_statement statement = NULL;
    int r = duck_prepare(t->duck, statements, i, &statement, t->fault);
    if (r == 0)
        r = bind(t, statement);
    if (r == 0)
        r = execute(t, statement, i + 1);
    t->duck->library->destroy_prepare(&statement);
    return r;
}

static int run_all(struct text *t, duckdb_extracted_statements statements, int n)
{
    for (int i = 0; i < n; i++) {
        duck_limit_start(t->duck->limit);
        int r = run_one(t, statements, i);
        bool over = duck_limit_stop(t->duck->limit);
        if (r < 0)
            return over ? duck_say_limit(t->duck, t->fault) : -1;
    }
    return 0;
}

static int run(struct text *t, const char *sql, bool several)
{
    duckdb_extracted_statements statements = NULL;
    if (duck_busy(t->duck, t->fault) < 0)
        return -1;
    int r = duck_extract(t->duck, sql, several, &statements, t->fault);
    t->alone = r == 1 ? sql : "";
    if (r > 0)
        r = run_all(t, statements, r);
    t->duck->library->destroy_extracted(&statements);
    return r;
}

static int duck_query(struct db *db, const char *sql, int n, const char *const *parameters,
    const struct db_sink *sink, struct db_fault *fault)
{
    struct text t = {
        .duck = (struct duck *)db, .n = n, .parameters = parameters, .sink = sink, .fault = fault};
    return run(&t, sql, false);
}

static int duck_script(struct db *db, const char *sql, const struct db_sink *sink, struct db_fault *fault)
{
    struct text t = {.duck = (struct duck *)db, .sink = sink, .fault = fault};
    return run(&t, sql, true);
}

const struct db_driver db_duckdb = {"duckdb", duck_open, duck_close, duck_query, duck_script, duck_load,
    duck_cursor_open, duck_cursor_next, duck_cursor_free, '"', duck_quote_text};
