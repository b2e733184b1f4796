#pragma once
/*
 * What a driver is, for db.c and the drivers alone. A driver is a struct of functions; its connection begins
 * with struct db.
 */
#include "db/load.h"

struct db_driver {
    const char *name;
    /* The options are complete: timeouts have their defaults. Sets label and driver of *ret_db. */
    int (*open)(
        const char *url, const struct db_options *options, struct db **ret_db, struct db_fault *fault);
    void (*close)(struct db *db);
    int (*query)(struct db *db, const char *sql, int n, const char *const *parameters,
        const struct db_sink *sink, struct db_fault *fault);
    int (*script)(struct db *db, const char *sql, const struct db_sink *sink, struct db_fault *fault);
    int (*load)(struct db *db, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault);
    /* Sets db of *ret_cursor, and its columns. */
    int (*cursor_open)(struct db *db, const char *sql, struct db_cursor **ret_cursor, struct db_fault *fault);
    int (*cursor_next)(struct db_cursor *c, const struct db_value **ret_values, struct db_fault *fault);
    void (*cursor_free)(struct db_cursor *c);
    char name_quote; /* around a name */
    char *(*quote_text)(const struct db *db, const char *text);
};

struct db {
    const struct db_driver *driver;
    char *label;
};

/* A driver's cursor begins with it. */
struct db_cursor {
    struct db *db;
    char **columns; /* db_cursor_free() frees them */
    size_t n_columns;
};

extern const struct db_driver db_postgres, db_mysql, db_duckdb;

/* The driver for a URL; NULL when there is none. */
const struct db_driver *db_driver_for(const char *url);

/* Writes the fault and returns -1, as error_set() does; the first of one call stays. What is no printable text in it
 * (line breaks, bytes that are no UTF-8) is replaced, so that it can be stored and logged as it is. */
int db_fault_set(struct db_fault *fault, const char *sqlstate, bool transient, const char *fmt, ...)
    _printf_(4, 5);

/* The sink said stop. */
int db_fault_given_up(struct db_fault *fault, const char *label);

/* Does the state begin with one of these prefixes? */
bool db_sqlstate_among(const char *sqlstate, const char *const *prefixes, size_t n);

/* The line of a text that its nth character (from 1) stands in, from 1. The text is UTF-8. */
int db_line_of(const char *sql, long position);

/* A load's columns, quoted, with commas between. A new string. */
char *db_quote_columns(const struct db *db, const struct db_load *load);

/* How long a bulk stream may stand still while whoever is at its other end works. */
#define DB_PATIENCE_S 3600

/* Sets how long a peer may take nothing of what we send before the connection is cut; what it was, or -1 where there is
 * none: a Unix socket. */
int db_send_timeout(int fd, int ms);

/* The calls of a sink; a NULL sink or function is true. */
bool db_sink_columns(const struct db_sink *sink, int n, const char *const *names);
bool db_sink_row(const struct db_sink *sink, int n, const struct db_value *values);
bool db_sink_end(const struct db_sink *sink, const char *tag, int64_t rows);
