#pragma once
/*
 * One face over the databases that a worker talks to: blocking, for a process of its own, never for the
 * daemon. A driver is one file and one line of the table in db.c. Rows are streamed: what a result holds is
 * never in memory whole.
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>

struct db;

/* Why something failed, beside the words: what a caller decides by. */
struct db_fault {
    struct error error;
    char sqlstate[6]; /* "" where the server gave none */
    bool transient;   /* it may go well when tried again: connection, lock, deadlock, shutdown, resources */
};

struct db_options {
    const char *password_file;    /* or NULL */
    const char *application_name; /* shown in the server's list of sessions where it has one */
    int64_t connect_timeout_us;   /* 0: 10 s */
    int64_t statement_timeout_us; /* 0: none; where the server can be told */
    bool read_only; /* of a DuckDB file: it is not made, and one that is not there yet is empty */
    /* What a database that computes in our own process (DuckDB) may use. */
    int64_t memory_max; /* 0: half of the process's own limit (RLIMIT_DATA), or 256 MB */
    int threads;        /* 0: one for each 64 MB of memory_max, 4 and one a processor at most */
    const char
        *temp_folder; /* for what does not fit into memory_max; NULL: beside the file, its name with .tmp */
    /* Folders whose files its SQL may read and write; none: its own file alone. Where there are some, the SQL is a stranger's:
     * no setting can be changed by it. */
    const char *const *files_folders;
    size_t n_files_folders;
    bool
        scratch; /* of a file that nobody reads after us: the order in which rows come is not kept, and it is left untidy */
};

/* postgresql://…, libpq's key=value words, or mysql://[user[:password]@]host[:port]/database with, behind a ?,
 * socket=/path, ssl=verify|required|no (default: when the server has it), ssl_ca=/file; or duckdb:///path/to/file, which
 * is made where it is not there, and waited for (connect_timeout_us) while another process has it. Messages show no
 * password and no row data. */
int db_open(const char *url, const struct db_options *options, struct db **ret_db, struct db_fault *fault);
void db_close(struct db *db);
DEFINE_CLEANUP(struct db *, db_closep, db_close)

/* "postgres", "mysql", "duckdb". */
const char *db_driver(const struct db *db);
/* "external@db:3306", "/path/to/file" for people. */
const char *db_label(const struct db *db);

/* A value of a row: text as the server writes it; NULL is SQL NULL. */
struct db_value {
    const char *p;
    size_t n;
};

/*
 * What comes of a statement. Each may be NULL; one that returns false ends the whole with fault "given up".
 * Everything is valid during the call only.
 */
struct db_sink {
    /* A statement returns rows: its columns. */
    bool (*columns)(void *arg, int n, const char *const *names);
    bool (*row)(void *arg, int n, const struct db_value *values);
    /* A statement is over. tag: "SELECT", "INSERT" where the server says so, else "" (MySQL). rows: returned or
     * affected. */
    bool (*end)(void *arg, const char *tag, int64_t rows);
    void *arg;
};

/* After a fault the connection serves the next call, unless it is lost: then each says so, as a transient fault. */

/* One statement with n text parameters ($1… in Postgres, ? in MySQL, either in DuckDB). sink may be NULL. */
int db_query(struct db *db, const char *sql, int n, const char *const *parameters, const struct db_sink *sink,
    struct db_fault *fault);
/* The same for the first value of the first row: a new string, NULL where there is no row or it is NULL. */
int db_value(struct db *db, const char *sql, int n, const char *const *parameters, char **ret_value,
    struct db_fault *fault);
/* Any number of statements as one text, split by the server; what stands after one that fails is not run. Postgres
 * takes them as one transaction where the text says nothing else, MySQL and DuckDB commit each. */
int db_script(struct db *db, const char *sql, const struct db_sink *sink, struct db_fault *fault);
