#include "db/driver.h"

#include "util/clock.h"
#include "util/url.h"

#include <strings.h>

#define CONNECT_TIMEOUT_US (10 * US_PER_SEC)

static const struct {
    const char *scheme;
    const struct db_driver *driver;
} drivers[] = {
    {"postgresql://", &db_postgres},
    {"postgres://", &db_postgres},
    {"mysql://", &db_mysql},
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

int db_open(const char *url, const struct db_options *options, struct db **ret_db, struct db_fault *fault)
{
    struct db_fault own;
    fault = fault ? fault : &own;
    *fault = (struct db_fault){0};
    const struct db_driver *driver = db_driver_for(url);
    if (!driver) {
        _cleanup_free_ char *shown = url_redact(url);
        return db_fault_set(fault, "", false,
            "there is no driver for the database %s: its URL begins with postgresql:// or mysql://", shown);
    }
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
