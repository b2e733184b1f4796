#pragma once
/*
 * Our own tables, in the schema named by postgres.schema, next to the site's:
 *
 *   stream       one row a stream: its table, and how many rows that held before we wrote the first
 *   ledger       per stream and minute: delivered = inserted + duplicate + dead, always
 *   dead_letter  entries that are dead, parked until their parent arrives, or dropped (payload forgotten)
 *
 * Here are their definition and every statement that changes the account.
 */
#include "util/buffer.h"

struct pg_session;

/* ok: the tables are there and this stream's row is. Else why says what is missing and what to do; lost means
 * that only the connection was the trouble. */
typedef void books_fn(void *arg, bool ok, bool lost, const char *why);

/*
 * Makes the tables where they are missing and this role may; then registers the stream with its table
 * (sql_name), counting the rows there once. stream may be NULL: only the tables.
 */
void books_open(struct pg_session *session, const char *schema, const char *stream, const char *sql_name,
    books_fn *fn, void *arg);

/* Statements, prepared by each writer under these names; {s} in the texts is the quoted schema. */
enum books_statement {
    BOOKS_LEDGER,  /* a batch without letters */
    BOOKS_LETTERS, /* a batch with some */
    BOOKS_SETTLE,  /* letters that came back: what became of them */
    N_BOOKS_STATEMENTS
};
/* The name and the text of a statement. The text is a new string. */
const char *books_statement_name(enum books_statement which);
char *books_statement_sql(enum books_statement which, const char *schema);

/* A text with each {s} replaced by the quoted schema; a new string. */
char *books_sql(const char *text, const char *schema);
