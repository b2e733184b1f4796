#include "db/driver.h"

#include "util/buffer.h"
#include "util/clock.h"
#include "util/url.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNECT_TIMEOUT_US (10 * US_PER_SEC)

static const struct {
    const char *scheme;
    const struct db_driver *driver;
} drivers[] = {
    {"postgresql://", &db_postgres},
    {"postgres://", &db_postgres},
    {"mysql://", &db_mysql},
#ifdef INGESTD_DUCKDB
    {"duckdb://", &db_duckdb},
#endif
};

const struct db_driver *db_driver_for(const char *url)
{
    for (size_t i = 0; i < N_ELEMENTS(drivers); i++)
        if (strncasecmp(url, drivers[i].scheme, strlen(drivers[i].scheme)) == 0)
            return drivers[i].driver;
    /* libpq's words: a name, then "=" before anything that a URL begins with */
    size_t n = strcspn(url, "=:/");
    return n > 0 && url[n] == '=' ? &db_postgres : NULL;
}

static int no_driver(const char *url, struct db_fault *fault)
{
    _cleanup_free_ char *shown = url_redact(url);
    if (strncasecmp(url, "duckdb://", 9) == 0)
        return db_fault_set(fault, "", false,
            "this ingestd was built without DuckDB, which %s needs: run setup/duckdb and build it again",
            shown);
    return db_fault_set(fault, "", false,
        "there is no driver for the database %s: its URL begins with postgresql://, mysql:// or duckdb://",
        shown);
}

int db_open(const char *url, const struct db_options *options, struct db **ret_db, struct db_fault *fault)
{
    struct db_fault own;
    fault = fault ? fault : &own;
    *fault = (struct db_fault){0};
    const struct db_driver *driver = db_driver_for(url);
    if (!driver)
        return no_driver(url, fault);
    struct db_options complete = options ? *options : (struct db_options){0};
    if (complete.connect_timeout_us <= 0)
        complete.connect_timeout_us = CONNECT_TIMEOUT_US;
    if (!complete.application_name)
        complete.application_name = "ingest-worker";
    return driver->open(url, &complete, ret_db, fault);
}

void db_close(struct db *db)
{
    if (!db)
        return;
    char *label = db->label;
    db->driver->close(db);
    free(label);
}

const char *db_driver(const struct db *db)
{
    return db->driver->name;
}

const char *db_label(const struct db *db)
{
    return db->label;
}

int db_query(struct db *db, const char *sql, int n, const char *const *parameters, const struct db_sink *sink,
    struct db_fault *fault)
{
    struct db_fault own;
    fault = fault ? fault : &own;
    *fault = (struct db_fault){0};
    return db->driver->query(db, sql, n, parameters, sink, fault);
}

int db_script(struct db *db, const char *sql, const struct db_sink *sink, struct db_fault *fault)
{
    struct db_fault own;
    fault = fault ? fault : &own;
    *fault = (struct db_fault){0};
    return db->driver->script(db, sql, sink, fault);
}

/* The first value of the first row; the other rows are let pass. */
struct first {
    char *value;
    bool seen;
};

static bool keep_first(void *arg, int n, const struct db_value *values)
{
    struct first *first = arg;
    if (!first->seen && n > 0 && values[0].p)
        first->value = xstrndup(values[0].p, values[0].n);
    first->seen = true;
    return true;
}

int db_value(struct db *db, const char *sql, int n, const char *const *parameters, char **ret_value,
    struct db_fault *fault)
{
    struct first first = {0};
    struct db_sink sink = {.row = keep_first, .arg = &first};
    if (db_query(db, sql, n, parameters, &sink, fault) < 0) {
        free(first.value);
        return -1;
    }
    *ret_value = first.value;
    return 0;
}

/* ---- bulk ---- */

int db_load(struct db *db, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault)
{
    struct db_fault own;
    fault = fault ? fault : &own;
    *fault = (struct db_fault){0};
    if (load->n_columns == 0)
        return db_fault_set(
            fault, "", false, "%s: a load into the table %s has no columns", db->label, load->table);
    return db->driver->load(db, load, ret_rows, fault);
}

int db_cursor_open(struct db *db, const char *sql, struct db_cursor **ret_cursor, struct db_fault *fault)
{
    struct db_fault own;
    fault = fault ? fault : &own;
    *fault = (struct db_fault){0};
    return db->driver->cursor_open(db, sql, ret_cursor, fault);
}

int db_cursor_next(struct db_cursor *c, const struct db_value **ret_values, struct db_fault *fault)
{
    struct db_fault own;
    fault = fault ? fault : &own;
    *fault = (struct db_fault){0};
    return c->db->driver->cursor_next(c, ret_values, fault);
}

const char *const *db_cursor_columns(const struct db_cursor *c, size_t *ret_n)
{
    *ret_n = c->n_columns;
    return (const char *const *)c->columns;
}

void db_cursor_free(struct db_cursor *c)
{
    if (!c)
        return;
    char **columns = c->columns;
    size_t n = c->n_columns;
    c->db->driver->cursor_free(c);
    for (size_t i = 0; i < n; i++)
        free(columns[i]);
    free(columns);
}

static void put_name(struct buffer *out, const struct db *db, const char *name)
{
    char quote = db->driver->name_quote;
    buffer_put(out, &quote, 1);
    for (const char *p = name; *p; p++)
        buffer_put(out, (char[]){*p, quote}, *p == quote ? 2 : 1);
    buffer_put(out, &quote, 1);
}

char *db_quote_name(const struct db *db, const char *schema, const char *name)
{
    _cleanup_buffer_ struct buffer out = {0};
    if (schema) {
        put_name(&out, db, schema);
        buffer_put_string(&out, ".");
    }
    put_name(&out, db, name);
    return xstrdup(buffer_string(&out));
}

char *db_quote_columns(const struct db *db, const struct db_load *load)
{
    _cleanup_buffer_ struct buffer out = {0};
    for (size_t i = 0; i < load->n_columns; i++) {
        if (i > 0)
            buffer_put_string(&out, ", ");
        put_name(&out, db, load->columns[i]);
    }
    return xstrdup(buffer_string(&out));
}

char *db_quote_text(const struct db *db, const char *text)
{
    return text ? db->driver->quote_text(db, text) : xstrdup("NULL");
}

/* A busy server leaves what we send in its socket for a while: that is no sign of its death. */
int db_send_timeout(int fd, int ms)
{
    int before;
    socklen_t size = sizeof(before);
    if (ms < 0 || getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &before, &size) < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
    return before;
}

/* ---- sinks ---- */

bool db_sink_columns(const struct db_sink *sink, int n, const char *const *names)
{
    return !sink || !sink->columns || sink->columns(sink->arg, n, names);
}

bool db_sink_row(const struct db_sink *sink, int n, const struct db_value *values)
{
    return !sink || !sink->row || sink->row(sink->arg, n, values);
}

bool db_sink_end(const struct db_sink *sink, const char *tag, int64_t rows)
{
    return !sink || !sink->end || sink->end(sink->arg, tag, rows);
}
