#pragma once
/* Shared by the files of the MySQL driver: where it connects to, its faults, its statements with parameters, its bulk
 * streams. */
#include "db/driver.h"
#include "db/lines.h"
#include "util/url.h"

#include <mysql.h>

enum mysql_tls {
    MYSQL_TLS_OFFERED,  /* use it when the server has it */
    MYSQL_TLS_NO,       /* never */
    MYSQL_TLS_REQUIRED, /* not without, whoever the server is */
    MYSQL_TLS_VERIFY,   /* not without, and its certificate must be one for this host */
};

/* What a URL of ours says: mysql://user:password@host:port/database?socket=/path&ssl=verify&ssl_ca=/file */
struct mysql_target {
    struct url url;
    char *password; /* of the file or the URL; or NULL */
    char *socket;   /* or NULL: by TCP */
    char *ssl_ca;   /* or NULL: the system's */
    const char *host, *database;
    unsigned port;
    enum mysql_tls tls;
};

int mysql_target_parse(
    const char *url, const char *password_file, struct mysql_target *ret_target, struct db_fault *fault);
void mysql_target_done(struct mysql_target *target);
/* "external@db:3306". A new string. */
char *mysql_target_label(const struct mysql_target *target);

/* A file that the server may ask for. */
struct mysql_file {
    struct db_lines lines; /* without a load: it has none */
    bool asked, ended;
};

struct mysql {
    struct db base;
    struct mysql_target target;
    int64_t connect_timeout_us;
    MYSQL *conn;
    bool several;              /* the server splits a text into statements */
    bool insert_only;          /* it refuses LOAD DATA LOCAL */
    bool patient;              /* its session waits for a bulk stream that stands still */
    struct mysql_file *file;   /* the load's */
    struct mysql_file no_file; /* for whatever else the server asks for */
};

/* What is known of a failure; sqlstate and sql, the text that was sent, may be NULL. */
struct mysql_failure {
    unsigned code;
    const char *sqlstate, *text, *sql;
};

/* Is it worth another try? */
bool mysql_is_transient(unsigned code, const char *sqlstate);
int mysql_fault(struct db_fault *fault, const char *label, const struct mysql_failure *f, int statement);
int mysql_fault_connect(struct db_fault *fault, const char *label, const struct mysql_failure *f);

/* A warning about a row, which its text may quote. table: that it was meant for. */
int mysql_fault_warning(
    struct db_fault *fault, const char *label, const struct db_load *load, const struct mysql_failure *f);

/* The connection's last failure as a fault. statement: which of the text, from 1. */
int mysql_fault_here(struct mysql *my, const char *sql, int statement, struct db_fault *fault);

/* The names of a result's columns. */
bool mysql_tell_columns(MYSQL_RES *fields, const struct db_sink *sink);

/* Has the server stop the statement that runs; where that fails the connection is cut. */
void mysql_stop(struct mysql *my);
/* Takes back a stop that came too late for the statement it was meant for. */
void mysql_settle(struct mysql *my);

/* What still comes of a text that was stopped. */
void mysql_drain(struct mysql *my);

/* From now on a text is one statement, or may be several. */
int mysql_allow_several(struct mysql *my, bool several, struct db_fault *fault);

/* The driver's bulk functions (mysql_bulk.c). */
int mysql_load(struct db *db, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault);
int mysql_cursor_open(struct db *db, const char *sql, struct db_cursor **ret_cursor, struct db_fault *fault);
int mysql_cursor_next(struct db_cursor *c, const struct db_value **ret_values, struct db_fault *fault);
void mysql_cursor_free(struct db_cursor *c);
char *mysql_quote_text(const struct db *db, const char *text);

/* The server asks for a file: it gets none but the one that a load holds ready. */
void mysql_guard_files(struct mysql *my);
/* result, or -1 with the fault where the server asked for another file. */
int mysql_without_files(struct mysql *my, int result, struct db_fault *fault);

/* -1 where the statement that stored rows was not content: with a warning, or another number than n_rows of them. */
int mysql_check_rows(struct mysql *my, const struct db_load *load, int64_t n_rows, struct db_fault *fault);
/* The rows of a load by INSERT (mysql_insert.c). */
int mysql_insert(struct mysql *my, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault);

/* One statement with parameters (mysql_statement.c). */
int mysql_statement(struct mysql *my, const char *sql, int n, const char *const *parameters,
    const struct db_sink *sink, struct db_fault *fault);
