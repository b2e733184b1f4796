#pragma once
/*
 * Shared by the files of the DuckDB driver: where the file is, how it is opened, its faults, its values as text, and the
 * time limit of a statement.
 */
#include "db/duckdb_library.h"

struct duck_limit;

struct duck {
    struct db base;
    const struct duck_library *library;
    char *path; /* of the file, in full, without links */
    duckdb_database database;
    duckdb_connection connection;
    struct duck_limit *limit; /* NULL: statements have none */
    bool busy;                /* a cursor is open */
    bool patient; /* it waits for another thread of DuckDB's, and does not ask it again and again */
};

/* ---- duckdb.c ---- */

/* A fault while a cursor is open: another statement would end it. */
int duck_busy(const struct duck *duck, struct db_fault *fault);
/* The statements of a text; one alone where several is false. Returns how many, or -1; to be destroyed in any case. */
int duck_extract(struct duck *duck, const char *sql, bool several,
    duckdb_extracted_statements *ret_statements, struct db_fault *fault);
/* The nth of them, from 0; to be destroyed in any case. */
int duck_prepare(struct duck *duck, duckdb_extracted_statements statements, int nth,
    duckdb_prepared_statement *ret_statement, struct db_fault *fault);
/* The statement was stopped by the clock: says so in place of what DuckDB makes of it. */
int duck_say_limit(const struct duck *duck, struct db_fault *fault);

/* ---- duckdb_bulk.c ---- */

/* Makes the function that loads select from. Outside of a transaction, that it would be gone with. */
void duck_register_rows(const struct duck *duck);
int duck_load(struct db *db, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault);
int duck_cursor_open(struct db *db, const char *sql, struct db_cursor **ret_cursor, struct db_fault *fault);
int duck_cursor_next(struct db_cursor *cursor, const struct db_value **ret_values, struct db_fault *fault);
void duck_cursor_free(struct db_cursor *cursor);
char *duck_quote_text(const struct db *db, const char *text);

/* ---- duckdb_open.c ---- */

/* The file of duckdb:///path/to/file. A new string. */
int duck_path(const char *url, char **ret_path, struct db_fault *fault);
/* Opens path and connects, waiting for another process that has it. */
int duck_open_file(struct duck *duck, const struct db_options *options, struct db_fault *fault);

/* ---- duckdb_fault.c ---- */

/* statement: which of the text, from 1. */
int duck_fault(
    struct db_fault *fault, const char *label, duckdb_error_type type, const char *text, int statement);
/* The same of texts that come without a type: "Parser Error: …". */
int duck_fault_text(struct db_fault *fault, const char *label, const char *text, int statement);
/* The file could not be opened. */
int duck_fault_open(struct db_fault *fault, const char *path, const char *text);
/* Another process has the file open. */
bool duck_is_locked(const char *text);

/* ---- duckdb_feed.c ---- */

/* Begins to pull the rows of a load, in a thread of its own. NULL with the fault. */
struct duck_feed;
struct duck_feed *duck_feed_new(struct duck *duck, const struct db_load *load, struct db_fault *fault);
/* Waits for the end of the row that is pulled. */
void duck_feed_free(struct duck_feed *f);
/* The next of them, as many as fit. 1; 0: there are no more behind these; -1: they broke off, with the fault. */
int duck_feed_take(struct duck_feed *f, duckdb_data_chunk chunk, idx_t *ret_rows, struct db_fault *fault);

/* ---- duckdb_limit.c ---- */

/* A thread that interrupts the connection's statement when its time is over. */
struct duck_limit *duck_limit_new(
    const struct duck_library *library, duckdb_connection connection, int64_t us);
void duck_limit_free(struct duck_limit *limit);
/* Both do nothing where limit is NULL. */
void duck_limit_start(struct duck_limit *limit);
/* When it returns, no statement is interrupted any more. True: the time was over. */
bool duck_limit_stop(struct duck_limit *limit);
int64_t duck_limit_us(const struct duck_limit *limit);

/* ---- duckdb_result.c ---- */

/* The rows of one statement, chunk by chunk, each value as DuckDB itself writes it as text. */
struct duck_result;

/* Runs the statement; its rows are computed as they are read. 1: it has rows. 0: it has none, ret_changed is how many it
 * changed. *ret_result in both cases. -1: with the fault. */
int duck_execute(struct duck *duck, duckdb_prepared_statement statement, int nth,
    struct duck_result **ret_result, struct db_fault *fault);
void duck_result_free(struct duck_result *r);
DEFINE_CLEANUP(struct duck_result *, duck_result_freep, duck_result_free)
int duck_result_columns(struct duck_result *r);
const char *duck_result_column(struct duck_result *r, int i);
const char *duck_result_tag(struct duck_result *r);
int64_t duck_result_changed(struct duck_result *r);
/* 1 and the row, valid until the next call; 0 at the end; -1. */
int duck_result_next(struct duck_result *r, const struct db_value **ret_values, struct db_fault *fault);

/* ---- duckdb_value.c ---- */

/* A cell of a vector as a value of DuckDB's, to be destroyed by the caller. NULL: of a type that is not known here. */
duckdb_value duck_value(
    const struct duck_library *library, duckdb_logical_type type, duckdb_vector vector, idx_t row);
