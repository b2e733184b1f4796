#pragma once
/* Shared by the files of the Postgres driver: its connection, and its bulk streams. */
#include "db/postgres.h"

#include <libpq-fe.h>

struct postgres {
    struct db base;
    PGconn *conn;
};

/* The server went away, or libpq itself failed. */
int postgres_fault_connection(struct postgres *pg, struct db_fault *fault);
/* A result that is a failure. statement: which of the text, from 1. */
int postgres_fault_result(
    struct postgres *pg, const PGresult *res, const char *sql, int statement, struct db_fault *fault);

/* Asks the server, over a connection of its own, to stop what it does for us; the answers are to be read to their end
 * all the same, so that the connection can be used again. */
void postgres_stop(struct postgres *pg);

/* The driver's bulk functions (postgres_bulk.c). */
int postgres_load(struct db *db, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault);
int postgres_cursor_open(
    struct db *db, const char *sql, struct db_cursor **ret_cursor, struct db_fault *fault);
int postgres_cursor_next(struct db_cursor *c, const struct db_value **ret_values, struct db_fault *fault);
void postgres_cursor_free(struct db_cursor *c);
char *postgres_quote_text(const struct db *db, const char *text);
