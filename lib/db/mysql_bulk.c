/*
 * Bulk streams of MySQL and MariaDB. In: LOAD DATA LOCAL INFILE, where the server asks for a file and gets the rows of
 * the load (MariaDB Connector/C, mysql_set_local_infile_handler). A server may ask for any file at any time (MySQL manual,
 * Security Considerations for LOAD DATA LOCAL): it gets the one that we named, once, while we load. LOCAL makes mistakes
 * in rows warnings, and skips what is a duplicate: both are faults here. Out: an unbuffered result.
 */
#include "db/lines.h"
#include "db/mysql_inside.h"

#include <errmsg.h>
#include <mysqld_error.h>

#define FILE_NAME "rows-of-this-load"

/* ---- both ---- */

/* A stream may have to wait for another: the server's own patience is 30 s for what it reads and 60 s for what it writes. */
static int be_patient(struct mysql *my, struct db_fault *fault)
{
    char sql[96];
    snprintf(sql, sizeof(sql), "SET SESSION net_read_timeout = %d, net_write_timeout = %d", DB_PATIENCE_S,
        DB_PATIENCE_S);
    if (!my->patient && mysql_query(my->conn, sql) != 0)
        return mysql_fault_here(my, sql, 1, fault);
    my->patient = true;
    return 0;
}

/* ---- the file that does not exist ---- */

/* The library's own way to refuse reads the answer without heeding it, and is out of step from then on. So a file that
 * is refused is there: an empty line, at which the server finds that its statement has been stopped. */
static int file_begin(void **ret_file, const char *name, void *arg)
{
    struct mysql *my = arg;
    bool ours = my->file && !my->file->asked && strcmp(name, FILE_NAME) == 0;
    struct mysql_file *file = ours ? my->file : &my->no_file;
    file->asked = true;
    *ret_file = file;
    if (!ours)
        mysql_stop(my);
    return 0;
}

static int read_nothing(struct mysql_file *file, char *out)
{
    if (file->ended)
        return 0;
    file->ended = true;
    *out = '\n';
    return 1;
}

/* After a fault of its rows the file ends, for the same reason. */
static int file_read(void *arg, char *out, unsigned size)
{
    struct mysql_file *file = arg;
    ssize_t n = file->lines.load ? db_lines_read(&file->lines, out, size) : read_nothing(file, out);
    return n > 0 ? (int)n : 0;
}

static void file_end(void *file)
{
}

static int file_error(void *file, char *out, unsigned size)
{
    snprintf(out, size, "no file");
    return CR_UNKNOWN_ERROR;
}

void mysql_guard_files(struct mysql *my)
{
    unsigned on = 1;
    mysql_optionsv(my->conn, MYSQL_OPT_LOCAL_INFILE, &on);
    mysql_set_local_infile_handler(my->conn, file_begin, file_read, file_end, file_error, my);
}

int mysql_without_files(struct mysql *my, int result, struct db_fault *fault)
{
    if (!my->no_file.asked)
        return result;
    my->no_file = (struct mysql_file){0};
    mysql_settle(my);
    *fault = (struct db_fault){0};
    return db_fault_set(fault, "42000", false,
        "%s: the server asked for a file of this machine, and got none: LOAD DATA LOCAL is not for "
        "statements",
        my->base.label);
}

/* ---- in ---- */

/* The client did not say that it has files; the server does not take any: MySQL's old number, its new, MariaDB's; and
 * what a client library of MySQL's says in a proxy between us. */
static bool refuses_files(unsigned code)
{
    return code == ER_NOT_ALLOWED_COMMAND || code == 3948 || code == 3950 || code == 4166 || code == 2068;
}

/* Said of statements, not of rows: unsafe for a statement-based binary log, and deprecated. */
static bool is_harmless(unsigned code)
{
    return code == 1592 || code == 1287 || code == 1681;
}

/* The first that matters becomes the fault. */
static int check_warnings(struct mysql *my, const struct db_load *load, struct db_fault *fault)
{
    unsigned n_left = mysql_warning_count(my->conn);
    if (n_left == 0)
        return 0;
    MYSQL_RES *res = mysql_query(my->conn, "SHOW WARNINGS") == 0 ? mysql_store_result(my->conn) : NULL;
    if (!res)
        return mysql_fault_here(my, NULL, 1, fault);
    for (MYSQL_ROW row; (row = mysql_fetch_row(res)); n_left--) {
        struct mysql_failure f = {.code = (unsigned)strtoul(row[1], NULL, 10), .text = row[2]};
        if (!is_harmless(f.code))
            mysql_fault_warning(fault, my->base.label, load, &f);
    }
    mysql_free_result(res);
    if (n_left > 0) /* the session's max_error_count may be 0 */
        db_fault_set(fault, "", false,
            "%s: the table %s does not take the rows as they are: %u warnings, which the server did not keep",
            my->base.label, load->table, n_left);
    return fault->error.text[0] ? -1 : 0;
}

int mysql_check_rows(struct mysql *my, const struct db_load *load, int64_t n_rows, struct db_fault *fault)
{
    int64_t n_stored = (int64_t)mysql_affected_rows(my->conn);
    if (check_warnings(my, load, fault) < 0)
        return -1;
    if (n_stored != n_rows)
        return db_fault_set(fault, "", false, "%s: the table %s took %lld of %lld rows", my->base.label,
            load->table, (long long)n_stored, (long long)n_rows);
    return 0;
}

/* Hexadecimal, because what a backslash is in a literal depends on the session. */
static char *file_statement(const struct db *db, const struct db_load *load)
{
    _cleanup_free_ char *table = db_quote_name(db, load->schema, load->table);
    _cleanup_free_ char *columns = db_quote_columns(db, load);
    return xasprintf("LOAD DATA LOCAL INFILE '" FILE_NAME "' INTO TABLE %s CHARACTER SET utf8mb4 "
                     "FIELDS TERMINATED BY 0x09 ESCAPED BY 0x5C LINES TERMINATED BY 0x0A (%s)",
        table, columns);
}

static int query_with_file(struct mysql *my, const char *sql, struct mysql_file *file)
{
    my->file = file;
    int result = mysql_real_query(my->conn, sql, strlen(sql));
    my->file = NULL;
    return result;
}

/* A server that refuses does so before it asks for the file: no row has been taken by then. */
static int load_file(struct mysql *my, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault)
{
    struct mysql_file file = {.lines = {.load = load, .fault = fault}};
    _cleanup_free_ char *sql = file_statement(&my->base, load);
    int result = query_with_file(my, sql, &file);
    if (file.lines.failed)
        return -1;
    if (my->no_file.asked)
        return mysql_without_files(my, -1, fault);
    if (result != 0 && !file.asked && refuses_files(mysql_errno(my->conn))) {
        my->insert_only = true;
        return mysql_insert(my, load, ret_rows, fault);
    }
    if (result != 0)
        return mysql_fault_here(my, sql, 1, fault);
    if (!file.asked)
        return db_fault_set(
            fault, "", false, "%s: the server did not ask for the rows of %s", my->base.label, load->table);
    if (mysql_check_rows(my, load, file.lines.n_rows, fault) < 0)
        return -1;
    *ret_rows = file.lines.n_rows;
    return 0;
}

int mysql_load(struct db *db, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault)
{
    struct mysql *my = (struct mysql *)db;
    if (mysql_allow_several(my, false, fault) < 0 || be_patient(my, fault) < 0)
        return -1;
    int fd = (int)mysql_get_socket(my->conn);
    int before = db_send_timeout(fd, DB_PATIENCE_S * 1000);
    int result =
        my->insert_only ? mysql_insert(my, load, ret_rows, fault) : load_file(my, load, ret_rows, fault);
    db_send_timeout(fd, before);
    return result;
}

/* ---- out ---- */

struct cursor {
    struct db_cursor base;
    MYSQL_RES *res; /* NULL: at its end */
    struct db_value *values;
};

static void take_columns(struct db_cursor *c, MYSQL_RES *res)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(res);
    c->n_columns = mysql_num_fields(res);
    c->columns = xcalloc(c->n_columns + 1, sizeof(*c->columns));
    for (size_t i = 0; i < c->n_columns; i++)
        c->columns[i] = xstrdup(fields[i].name);
}

int mysql_cursor_open(struct db *db, const char *sql, struct db_cursor **ret_cursor, struct db_fault *fault)
{
    struct mysql *my = (struct mysql *)db;
    if (mysql_allow_several(my, false, fault) < 0 || be_patient(my, fault) < 0)
        return -1;
    MYSQL_RES *res = mysql_real_query(my->conn, sql, strlen(sql)) == 0 ? mysql_use_result(my->conn) : NULL;
    if (!res && mysql_errno(my->conn) != 0)
        return mysql_without_files(my, mysql_fault_here(my, sql, 1, fault), fault);
    if (!res)
        return db_fault_set(
            fault, "", false, "%s: the statement returns no rows: use SELECT", my->base.label);
    struct cursor *c = xnew(struct cursor);
    c->base.db = db;
    c->res = res;
    take_columns(&c->base, res);
    c->values = xcalloc(c->base.n_columns + 1, sizeof(*c->values));
    *ret_cursor = &c->base;
    return 0;
}

static void end(struct cursor *c)
{
    struct mysql *my = (struct mysql *)c->base.db;
    mysql_free_result(TAKE(c->res)); /* reads what is left of it */
    if (mysql_more_results(my->conn))
        mysql_drain(my);
}

int mysql_cursor_next(struct db_cursor *base, const struct db_value **ret_values, struct db_fault *fault)
{
    struct cursor *c = (struct cursor *)base;
    struct mysql *my = (struct mysql *)base->db;
    if (!c->res)
        return 0;
    MYSQL_ROW row = mysql_fetch_row(c->res);
    if (!row) {
        int result = mysql_errno(my->conn) != 0 ? mysql_fault_here(my, NULL, 1, fault) : 0;
        end(c);
        return result;
    }
    const unsigned long *lengths = mysql_fetch_lengths(c->res);
    for (size_t i = 0; i < base->n_columns; i++)
        c->values[i] = (struct db_value){row[i], row[i] ? lengths[i] : 0};
    *ret_values = c->values;
    return 1;
}

void mysql_cursor_free(struct db_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    struct mysql *my = (struct mysql *)base->db;
    if (c->res) {
        mysql_stop(my);
        end(c);
        mysql_settle(my);
    }
    free(c->values);
    free(c);
}

/* ---- literals ---- */

char *mysql_quote_text(const struct db *db, const char *text)
{
    const struct mysql *my = (const struct mysql *)db;
    unsigned long n = strlen(text);
    char *out = xcalloc(2 * n + 3, 1);
    out[0] = '\'';
    n = mysql_real_escape_string(my->conn, out + 1, text, n);
    out[1 + n] = '\'';
    return out;
}
