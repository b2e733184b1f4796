#pragma once
/*
 * Many rows into one table, and many rows out of one statement: the two streams of a bulk job. Both are pulled, so that
 * rows walk from a source to a table in one thread and nothing piles up between; neither holds more than a few hundred
 * kilobytes whatever their number.
 */
#include "db/db.h"

/* The next row, as many values as columns, valid until the next call: 1; 0 at the end; -1 with the fault. For DuckDB it is
 * called from a thread of its own, ahead of what DuckDB has taken, while db_load() waits. */
typedef int db_next_row(void *arg, const struct db_value **ret_values, struct db_fault *fault);

/*
 * Loads rows into a table in the transaction that is open: COPY in Postgres, LOAD DATA LOCAL in MySQL with a file that
 * exists only here, or inserts of many rows where the server forbids that. table and columns are names as they are,
 * quoted here; schema may be NULL. What the server would cut or alter to make it fit (MySQL does so with a warning) is a
 * fault, and so is one row too many or too few. After a fault the transaction is to be rolled back.
 */
struct db_load {
    const char *schema, *table;
    size_t n_columns;
    const char *const *columns;
    db_next_row *next;
    void *arg;
};
int db_load(struct db *db, const struct db_load *load, int64_t *ret_rows, struct db_fault *fault);

/* What a SELECT returns, values as the server writes them as text. The connection is busy until it is freed; freed
 * before the end, the server is told to stop, which in Postgres fails the transaction that is open. */
struct db_cursor;
int db_cursor_open(struct db *db, const char *sql, struct db_cursor **ret_cursor, struct db_fault *fault);
/* Its columns, as the server names them; valid as long as the cursor. */
const char *const *db_cursor_columns(const struct db_cursor *c, size_t *ret_n);
/* 1 and the row, valid until the next call; 0 at the end; -1. */
int db_cursor_next(struct db_cursor *c, const struct db_value **ret_values, struct db_fault *fault);
void db_cursor_free(struct db_cursor *c);
DEFINE_CLEANUP(struct db_cursor *, db_cursor_freep, db_cursor_free)

/* A name as the server takes it in SQL: "npi" or `npi`, with schema "s"."npi"; quotes inside are doubled. A new string. */
char *db_quote_name(const struct db *db, const char *schema, const char *name);
/* A string as a literal of the server's: 'it''s'; NULL for NULL. Bytes without NUL, UTF-8. A new string. */
char *db_quote_text(const struct db *db, const char *text);
