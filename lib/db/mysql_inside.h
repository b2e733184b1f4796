#pragma once
/* Shared by the files of the MySQL driver: where it connects to, its faults, its statements with parameters. */
#include "db/driver.h"
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

struct mysql {
    struct db base;
    struct mysql_target target;
    int64_t connect_timeout_us;
    MYSQL *conn;
    bool several; /* the server splits a text into statements */
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

/* The connection's last failure as a fault. statement: which of the text, from 1. */
int mysql_fault_here(struct mysql *my, const char *sql, int statement, struct db_fault *fault);

/* The names of a result's columns. */
bool mysql_tell_columns(MYSQL_RES *fields, const struct db_sink *sink);

/* Has the server stop the statement that runs; where that fails the connection is cut. */
void mysql_stop(struct mysql *my);
/* Takes back a stop that came too late for the statement it was meant for. */
void mysql_settle(struct mysql *my);

/* One statement with parameters (mysql_statement.c). */
int mysql_statement(struct mysql *my, const char *sql, int n, const char *const *parameters,
    const struct db_sink *sink, struct db_fault *fault);
