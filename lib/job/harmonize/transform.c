/*
 * The transform: the job's SQL files, one after the other, statement by statement. What runs are statements that make, fill and
 * read tables of this database; what would reach beyond it, or change how it works, is refused before it runs, whatever DuckDB
 * would say to it. Behind the first file, which makes the tables of `out`, the lake is there to be read as it is published.
 */
#include "job/harmonize/ask.h"
#include "job/harmonize/check.h"
#include "job/job.h"
#include "job/report.h"
#include "job/sql.h"
#include "util/buffer.h"
#include "util/text.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <strings.h>

struct file {
    const char *path;
    const char *name; /* without its folder */
    char *text;
};

static void file_done(struct file *f)
{
    free(f->text);
}

/* ---- what a file may do ---- */

/* The first words of a statement. What is not among them is refused: COPY, ATTACH, INSTALL, LOAD, SET of a setting, PRAGMA, … */
static const char *const allowed[] = {"SELECT", "FROM", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE",
    "MERGE", "TRUNCATE", "CREATE TABLE", "CREATE TEMP", "CREATE TEMPORARY", "CREATE VIEW", "CREATE MACRO",
    "CREATE FUNCTION", "CREATE TYPE", "CREATE SEQUENCE", "CREATE SCHEMA", "CREATE INDEX",
    "CREATE UNIQUE INDEX", "CREATE OR REPLACE", "ALTER TABLE", "ALTER VIEW", "DROP TABLE", "DROP VIEW",
    "DROP MACRO", "DROP FUNCTION", "DROP TYPE", "DROP SEQUENCE", "DROP SCHEMA", "DROP INDEX", "SET VARIABLE",
    "RESET VARIABLE", "ANALYZE", "COMMENT", "DESCRIBE", "SUMMARIZE"};
/* Among these what is allowed is a secret, or runs something else. */
static const char *const refused[] = {"CREATE OR REPLACE SECRET", "CREATE OR REPLACE PERSISTENT",
    "CREATE OR REPLACE TEMPORARY SECRET", "CREATE OR REPLACE TEMP SECRET", "CREATE TEMP SECRET",
    "CREATE TEMPORARY SECRET"};

static bool is_among(const struct sql_statement *s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sql_begins(s, words[i]))
            return true;
    return false;
}

static bool is_allowed(const struct sql_statement *s)
{
    if (*s->start == '(')
        return true; /* a SELECT in brackets */
    return is_among(s, allowed, N_ELEMENTS(allowed)) && !is_among(s, refused, N_ELEMENTS(refused));
}

static int refuse(const struct file *f, const struct sql_statement *s, struct db_fault *fault)
{
    return job_refuse(fault,
        "%.100s, line %d: %.60s is not for a transform: its SQL makes, fills and reads tables, reads files "
        "of its own folders, and does no more",
        f->name, s->line, s->head[0] ? s->head : "this statement");
}

/* ---- a file ---- */

static int say_where(const struct file *f, const struct sql_statement *s, struct db_fault *fault)
{
    /* The same SQL on the same rows ends in the same way; but for a disk that is full. */
    fault->transient = fault->transient && strcmp(fault->sqlstate, "53100") == 0;
    if (strcmp(fault->sqlstate, "42501") == 0)
        error_prefix(&fault->error, "a file outside of the folders of the job's SQL files cannot be reached");
    if (strcmp(fault->sqlstate, "53200") == 0)
        error_prefix(&fault->error, "the job's memory_max is too little for it");
    if (strstr(fault->error.text, ", line "))
        return error_prefix(&fault->error, "%.100s", f->name);
    return error_prefix(&fault->error, "%.100s, the statement from line %d on", f->name, s->line);
}

/* As many line ends before it as in the file, so that the lines DuckDB tells are the file's. */
static int run_statement(
    struct harmonize *h, const struct file *f, const struct sql_statement *s, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer one = {0};
    if (!is_allowed(s))
        return refuse(f, s, fault);
    for (int line = 1; line < s->line; line++)
        buffer_put(&one, "\n", 1);
    buffer_put(&one, s->start, s->n);
    if (db_query(h->duck, buffer_string(&one), 0, NULL, NULL, fault) < 0)
        return say_where(f, s, fault);
    return 0;
}

static int set_variable(struct harmonize *h, const char *name, const char *value, struct db_fault *fault)
{
    _cleanup_free_ char *quoted = db_quote_name(h->duck, NULL, name);
    _cleanup_free_ char *text = db_quote_text(h->duck, value);
    _cleanup_free_ char *sql = xasprintf("SET VARIABLE %s = %s", quoted, text);
    return db_query(h->duck, sql, 0, NULL, NULL, fault);
}

static int set_folder(struct harmonize *h, const struct file *f, struct db_fault *fault)
{
    _cleanup_free_ char *folder = xstrndup(f->path, (size_t)(f->name - f->path));
    size_t n = strlen(folder);
    if (n > 1)
        folder[n - 1] = '\0';
    return set_variable(h, "folder", folder, fault);
}

static int run_file(struct harmonize *h, const char *path, struct db_fault *fault)
{
    const char *slash = strrchr(path, '/');
    _cleanup_(file_done) struct file f = {.path = path, .name = slash ? slash + 1 : path};
    struct error err;
    if (job_read_sql(path, &f.text, &err) < 0)
        return job_refuse(fault, "%s; see `transform:` of the job", err.text);
    if (set_folder(h, &f, fault) < 0)
        return -1;
    struct sql_reader reader = sql_reader(SQL_POSTGRES, f.text);
    for (struct sql_statement s; sql_next(&reader, &s);)
        if (run_statement(h, &f, &s, fault) < 0)
            return -1;
    return 0;
}

/* ---- what it is given ---- */

static int set_variables(struct harmonize *h, struct db_fault *fault)
{
    const struct job_words *given = &h->job->variables;
    for (size_t i = 0; i < given->n; i++) {
        const char *equal = strchr(given->list[i], '=');
        if (!equal)
            return job_refuse(fault, "`variables` of the job: name=value is wanted, with commas between");
        _cleanup_free_ char *name = xstrndup(given->list[i], (size_t)(equal - given->list[i]));
        if (set_variable(h, name, equal + 1, fault) < 0)
            return -1;
    }
    _cleanup_free_ char *own =
        xasprintf("SET VARIABLE run_at = make_timestamp(%" PRId64 "); SET VARIABLE run = %" PRId64 "::BIGINT",
            h->at_us, h->spec->run);
    if (db_script(h->duck, own, NULL, fault) < 0)
        return -1;
    return set_variable(h, "tenant", h->job->tenant ? h->job->tenant : "", fault);
}

/* The name as the table in the lake has it; false: it has no such column. */
static bool is_published(const struct lake_table *t, const char *column)
{
    const char *type, *name;
    for (size_t i = 0; (name = lake_table_column(t, i, &type)); i++)
        if (strcasecmp(name, column) == 0)
            return true;
    return false;
}

/* Its columns, and those that out.TABLE has beside them, which are NULL in what is published. */
static void put_columns(
    struct buffer *sql, const struct harmonize *h, const struct lake_table *t, const cJSON *made)
{
    const char *type, *name, *comma = "";
    for (size_t i = 0; (name = lake_table_column(t, i, &type)); i++, comma = ", ") {
        _cleanup_free_ char *quoted = db_quote_name(h->duck, NULL, name);
        buffer_printf(sql, "%s%s", comma, quoted);
    }
    const cJSON *column;
    cJSON_ArrayForEach(column, made)
    {
        const char *added = cJSON_GetStringValue(column);
        if (is_published(t, added))
            continue;
        _cleanup_free_ char *quoted = db_quote_name(h->duck, NULL, added);
        _cleanup_free_ char *out = db_quote_name(h->duck, "out", lake_table_name(t));
        buffer_printf(sql, "%s(SELECT %s FROM %s WHERE false) AS %s", comma, quoted, out, quoted);
        comma = ", ";
    }
}

static int show_published(
    struct harmonize *h, const struct lake_table *t, const cJSON *made, struct db_fault *fault)
{
    size_t n_files;
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *list = NULL;
    _cleanup_free_ char *lake = db_quote_name(h->duck, "lake", lake_table_name(t));
    _cleanup_free_ char *out = db_quote_name(h->duck, "out", lake_table_name(t));
    lake_table_files(t, &n_files);
    if (n_files == 0) {
        buffer_printf(&sql, "CREATE TABLE %s AS FROM %s WHERE false", lake, out);
        return db_query(h->duck, buffer_string(&sql), 0, NULL, NULL, fault);
    }
    if (lake_table_list(h->lake, t, &list, fault) < 0)
        return -1;
    buffer_printf(&sql, "CREATE VIEW %s AS SELECT ", lake);
    put_columns(&sql, h, t, made);
    buffer_printf(&sql, " FROM read_parquet(%s, union_by_name = true)", list);
    return db_query(h->duck, buffer_string(&sql), 0, NULL, NULL, fault);
}

/* Behind the first file: before it, a table that was never published has no columns. */
static int show_lake(struct harmonize *h, struct db_fault *fault)
{
    for (size_t i = 0; i < h->job->n_tables; i++) {
        const char *name = lake_table_name(h->tables[i]);
        cJSON *made = NULL;
        if (harmonize_columns(h, "out", name, &made, fault) < 0)
            return -1;
        int r = cJSON_GetArraySize(made) > 0
                    ? show_published(h, h->tables[i], made, fault)
                    : job_refuse(fault,
                          "the first of the SQL files makes no table out.%.64s, which the job is to fill: "
                          "CREATE TABLE out.%.64s (…)",
                          name, name);
        cJSON_Delete(made);
        if (r < 0)
            return -1;
    }
    return 0;
}

/* ---- all of it ---- */

int harmonize_transform(struct harmonize *h, struct stage_account *account, struct db_fault *fault)
{
    const struct job_words *files = &h->job->transform;
    if (set_variables(h, fault) < 0)
        return -1;
    for (size_t i = 0; i < files->n; i++) {
        report_progress("transform", "files", (int64_t)i, (int64_t)files->n);
        if (run_file(h, files->list[i], fault) < 0 || (i == 0 && show_lake(h, fault) < 0))
            return -1;
    }
    report_progress("transform", "files", (int64_t)files->n, (int64_t)files->n);
    return harmonize_check(h, &account->rows, fault);
}
