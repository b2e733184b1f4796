/* The table, opened and filled. Two runs that fill it wait for each other, as two loads of a dataset do: the lock is the same. */
#include "job/job.h"
#include "job/match_table_inside.h"
#include "util/clock.h"

#define LOCK_TIMEOUT_US (30 * US_PER_SEC)

/* As its catalog has it: the columns, then what is said of the table beside them, then indexes of their own. */
static const char postgres_ddl[] =
    "WITH t AS (SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = {1} AND c.relname = {2}), lines AS ("
    "SELECT 1 AS part, a.attnum::int AS place, quote_ident(a.attname) || ' ' || format_type(a.atttypid, "
    "a.atttypmod)"
    " || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')"
    " || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS line"
    " FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " UNION ALL SELECT 2, row_number() OVER (ORDER BY k.conname)::int,"
    " 'CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid)"
    " FROM t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid AND k.contype IN ('p', 'u', 'c', 'f'))"
    " SELECT ddl FROM (SELECT 0 AS part, '' AS name, 'CREATE TABLE ' || t.name || E' (\n  '"
    " || (SELECT string_agg(line, E',\n  ' ORDER BY part, place) FROM lines) || E'\n)' AS ddl FROM t"
    " UNION ALL SELECT 1, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)"
    " FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid"
    " WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid)) AS "
    "all_of_it"
    " ORDER BY part, name";

static const struct match_table_facts all_facts[] = {
    {
        .driver = "postgres",
        .columns =
            "SELECT a.attname, CASE WHEN a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' THEN 1 "
            "ELSE 0 END,"
            " CASE WHEN y.typcategory <> 'S' OR a.atttypmod >= 0 THEN format_type(a.atttypid, a.atttypmod) "
            "END"
            " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_catalog.pg_type y ON y.oid = a.atttypid"
            " WHERE n.nspname = {1} AND c.relname = {2} AND a.attnum > 0 AND NOT a.attisdropped",
        .index = "",
        .then = "CREATE INDEX ON {table} (report_date)",
        .ddl = postgres_ddl,
    },
    {
        .driver = "mysql",
        .columns = "SELECT column_name, IF(is_nullable = 'NO' AND column_default IS NULL AND extra NOT LIKE "
                   "'%auto_increment%', 1, 0)"
                   " FROM information_schema.columns WHERE table_schema = {1} AND table_name = {2}",
        .index = ", INDEX (report_date)",
        .ddl = "SHOW CREATE TABLE {table}",
        .any_case = true,
    },
    /* An index would be in our memory whole; the rows of a date lie together, and blocks of other dates are passed over. */
    {
        .driver = "duckdb",
        .columns = "SELECT column_name, CASE WHEN is_nullable OR column_default IS NOT NULL THEN 0 ELSE 1 END"
                   " FROM duckdb_columns() WHERE database_name = current_database()"
                   " AND schema_name = {1} AND lower(table_name) = lower({2})",
        .index = "",
        .ddl = "SELECT sql FROM duckdb_tables() WHERE database_name = current_database()"
               " AND schema_name = {1} AND lower(table_name) = lower({2})"
               " UNION ALL SELECT sql FROM duckdb_indexes() WHERE database_name = current_database()"
               " AND schema_name = {1} AND lower(table_name) = lower({2})",
        .any_case = true,
        .is_file = true,
    },
};

int match_table_run(struct match_table *t, const char *sql, int n, const char *const *parameters,
    const struct db_sink *sink, struct db_fault *fault)
{
    _cleanup_free_ char *text = marks_expand(&t->marks, sql);
    return db_query(t->db, text, n, parameters, sink, fault);
}

static int run(struct match_table *t, const char *sql, struct db_fault *fault)
{
    return match_table_run(t, sql, 0, NULL, NULL, fault);
}

/* ---- opening ---- */

static int connect(struct match_table *t, struct db_fault *fault)
{
    struct db_fault ignored;
    _cleanup_free_ char *name = xasprintf("ingestd job %s", t->spec->job);
    const struct db_options options = {
        .password_file = t->spec->database.password_file,
        .application_name = name,
        .connect_timeout_us = LOCK_TIMEOUT_US,
        .memory_max = (int64_t)t->spec->memory_max / 5,
        .read_only = t->spec->dry_run,
    };
    if (db_open(t->spec->database.url, &options, &t->db, fault) < 0)
        return -1;
    t->dialect = dialect_for(db_driver(t->db));
    for (size_t i = 0; i < N_ELEMENTS(all_facts); i++)
        if (strcmp(all_facts[i].driver, db_driver(t->db)) == 0)
            t->facts = &all_facts[i];
    for (const char *const *sql = t->dialect->session; *sql; sql++)
        db_query(t->db, *sql, 0, NULL, NULL, &ignored);
    return 0;
}

static int find_place(struct match_table *t, struct db_fault *fault)
{
    const char *dot = strchr(t->spec->table, '.');
    t->schema = dot ? xstrndup(t->spec->table, (size_t)(dot - t->spec->table)) : NULL;
    t->name = xstrdup(dot ? dot + 1 : t->spec->table);
    t->label = xasprintf("the table %s of %s", t->spec->table, db_label(t->db));
    if (!t->schema && db_value(t->db, t->dialect->schema, 0, NULL, &t->schema, fault) < 0)
        return -1;
    if (!t->schema)
        return job_refuse(fault,
            "%s: no schema of the search path exists there: name one before the table, as in schema.table",
            t->label);
    return 0;
}

static int mark(struct match_table *t, struct db_fault *fault)
{
    const struct dialect *d = t->dialect;
    _cleanup_free_ char *collation = NULL;
    _cleanup_free_ char *table = db_quote_name(t->db, t->schema, t->name);
    if (d->collation && db_value(t->db, d->collation, 0, NULL, &collation, fault) < 0)
        return -1;
    t->marks.numbered = d->numbered;
    marks_set(&t->marks, "collate", collation);
    _cleanup_free_ char *text = marks_expand(&t->marks, d->collation && !collation ? d->text_plain : d->text);
    marks_set(&t->marks, "text", text);
    marks_set(&t->marks, "table", table);
    marks_set_int(&t->marks, "lock_ms", LOCK_TIMEOUT_US / US_PER_MS + 1);
    marks_set_int(&t->marks, "lock_s", LOCK_TIMEOUT_US / US_PER_SEC + 1);
    return 0;
}

int match_table_open(const struct job_spec *spec, const struct match_columns *columns,
    struct match_table **ret_table, struct db_fault *fault)
{
    _cleanup_(match_table_freep) struct match_table *t = xnew(struct match_table);
    *t = (struct match_table){.spec = spec, .columns = columns};
    if (connect(t, fault) < 0 || find_place(t, fault) < 0 || mark(t, fault) < 0)
        return -1;
    *ret_table = TAKE(t);
    return 0;
}

void match_table_free(struct match_table *t)
{
    if (!t)
        return;
    match_table_forget(t);
    db_close(t->db);
    marks_done(&t->marks);
    free(t->schema);
    free(t->name);
    free(t->label);
    free(t);
}

/* ---- the lock ---- */

static int refuse_locked(struct match_table *t, const char *lock, struct db_fault *fault)
{
    struct db_fault ignored;
    _cleanup_free_ char *sql = marks_expand(&t->marks, t->dialect->lock_holder), *holder = NULL;
    if (db_value(t->db, sql, 1, &lock, &holder, &ignored) < 0)
        holder = NULL;
    *fault = (struct db_fault){.transient = true};
    return error_set(&fault->error, "%s: another run fills it (%s), and was not over after %lld s", t->label,
        holder ? holder : "by whom is not known", (long long)(LOCK_TIMEOUT_US / US_PER_SEC));
}

/* It ends with the connection. */
int match_table_lock(struct match_table *t, struct db_fault *fault)
{
    _cleanup_free_ char *name = xasprintf("%s/%s", t->schema, t->name), *got = NULL;
    _cleanup_free_ char *sql = marks_expand(&t->marks, t->dialect->lock);
    const char *const parameters[] = {name};
    if (t->dialect->limit_waits && run(t, t->dialect->limit_waits, fault) < 0)
        return -1;
    int result = db_value(t->db, sql, 1, parameters, &got, fault);
    if (result == 0 && got && strcmp(got, "1") == 0)
        return 0;
    if (result < 0 && strcmp(fault->sqlstate, "55P03") != 0)
        return -1;
    return refuse_locked(t, name, fault);
}

void match_table_unlock(struct match_table *t)
{
    struct db_fault ignored;
    _cleanup_free_ char *name = xasprintf("%s/%s", t->schema, t->name);
    const char *const parameters[] = {name};
    match_table_run(t, t->dialect->unlock, 1, parameters, NULL, &ignored);
}

/* ---- filling ---- */

static bool count_rows(void *arg, const char *tag, int64_t rows)
{
    *(int64_t *)arg = rows;
    return true;
}

struct feed {
    struct match_table *t;
    db_next_row *next;
    void *arg;
};

static int next_row(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct feed *feed = arg;
    int got = feed->next(feed->arg, ret_values, fault);
    if (got > 0)
        match_table_choose(feed->t, *ret_values);
    return got;
}

static int fill(struct match_table *t, const char *report_date, const struct db_load *load,
    int64_t *ret_written, int64_t *ret_replaced, struct db_fault *fault)
{
    static const char delete_sql[] = "DELETE FROM {table} WHERE report_date = CAST({1} AS date)";
    const char *const parameters[] = {report_date};
    const struct db_sink sink = {.end = count_rows, .arg = ret_replaced};
    if (run(t, "BEGIN", fault) < 0 || match_table_run(t, delete_sql, 1, parameters, &sink, fault) < 0 ||
        db_load(t->db, load, ret_written, fault) < 0)
        return -1;
    return run(t, "COMMIT", fault);
}

int match_table_load(struct match_table *t, const char *report_date, db_next_row *next, void *arg,
    int64_t *ret_written, int64_t *ret_replaced, struct db_fault *fault)
{
    struct db_fault ignored;
    const char **names = xcalloc(t->columns->n, sizeof(*names));
    struct feed feed = {t, next, arg};
    const struct db_load load = {
        .schema = t->schema,
        .table = t->name,
        .n_columns = t->columns->n,
        .columns = names,
        .next = next_row,
        .arg = &feed,
    };
    match_table_forget(t);
    for (size_t i = 0; i < t->columns->n; i++)
        names[i] = t->columns->list[i].name;
    int r = match_table_lock(t, fault);
    if (r == 0) {
        r = fill(t, report_date, &load, ret_written, ret_replaced, fault);
        if (r < 0)
            run(t, "ROLLBACK", &ignored);
        if (r < 0 && t->facts->is_file && strcmp(fault->sqlstate, "53200") == 0)
            error_prefix(
                &fault->error, "%s takes more memory than the job may have: raise its memory_max", t->label);
        match_table_unlock(t);
    }
    free(names);
    return r;
}
