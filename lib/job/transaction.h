#pragma once
/*
 * A transaction around a text of SQL that is not ours and may end it: by a COMMIT of its own, or in MySQL by
 * any statement that commits implicitly. It is not prevented, but noticed.
 */
#include "db/db.h"
#include "job/sql.h"

enum sql_dialect transaction_dialect(const struct db *db);

int transaction_begin(struct db *db, struct db_fault *fault);

/* Whether it is still the one that was begun. It takes a mark away: ask once. -1: cannot be asked. */
int transaction_is_ours(struct db *db, bool *ret_ours, struct db_fault *fault);

/* A connection that is lost meanwhile leaves open which of the two became of it: the fault says so then, and
 * is not transient. */
int transaction_commit(struct db *db, struct db_fault *fault);

/* *ret_kept: the server could not take back everything (MySQL's tables without transactions). */
int transaction_roll_back(struct db *db, bool *ret_kept, struct db_fault *fault);

/* The statement ends a transaction, or may do so unseen. */
bool transaction_is_ended_by(enum sql_dialect dialect, const struct sql_statement *s);

/* The connection is lost, or the server is going down. */
bool transaction_fault_is_loss(const struct db_fault *fault);
