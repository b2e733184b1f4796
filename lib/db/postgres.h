#pragma once
/* The faults of the Postgres driver, apart from it so that they can be tested without a server. */
#include "db/driver.h"

/* What is known of a refused statement; what is missing is NULL. */
struct postgres_error {
    const char *sqlstate;
    const char *text; /* the primary message */
    const char *table, *column, *constraint;
    const char *position; /* in the statement, in characters from 1 */
    const char *inner;    /* a function's own statement, where that is what failed */
};

int postgres_fault(struct db_fault *fault, const char *label, const struct postgres_error *e, const char *sql,
    int statement);
/* A connection that could not be made: message is libpq's, in its verbose form. */
int postgres_fault_connect(
    struct db_fault *fault, const char *label, const char *message, bool needs_password);

/* Is it worth another try? */
bool postgres_is_transient(const char *sqlstate);
