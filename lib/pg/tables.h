#pragma once
/* Our own tables in the site's database: looked for, and made where they are missing and this role may. */
#include "util/error.h"

#include <libpq-fe.h>
#include <stdbool.h>

struct pg_session;

/* ok: they are there. Else why says what is missing and what to do; lost means that only the connection, or
 * the moment, was the trouble. */
typedef void pg_tables_fn(void *arg, bool ok, bool lost, const char *why);

/*
 * tables and make_sql end with NULL and live as long as the program: the names (without schema) that must be
 * there, and the statements that make them, run in one transaction and under one lock when any of them is
 * missing; each must bear that its table is there already. fn is called once.
 */
void pg_tables_open(struct pg_session *session, const char *schema, const char *const *tables,
    const char *const *make_sql, pg_tables_fn *fn, void *arg);

/* Why an opening fails, in the words of such a function; zeroed at the beginning. */
struct pg_failure {
    bool failed, lost;
    char why[400];
};

/* The first one counts: what comes after it is its echo. Without a result the connection was lost. */
void pg_failure_note(struct pg_failure *f, const PGresult *res, const char *what);

/* A text with {s} replaced by the schema as an identifier, {q} by that as a literal, and {t} by table (NULL:
 * nothing); a new string. */
char *pg_schema_sql(const char *text, const char *schema, const char *table);
