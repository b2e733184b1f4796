#pragma once
/*
 * A SELECT as a source: what a database says to one statement, as of one moment, row by row. Cells are text as the server
 * writes it. A row with bytes that are no UTF-8, or with U+0000, is handed out as one that cannot be taken.
 */
#include "db/db.h"
#include "source/source.h"

/* sql: one SELECT (or WITH … SELECT), with or without a ; at its end. The database stays the caller's, and is busy until the
 * source is freed. A statement that returns no columns is refused, and so are two columns of one name. */
int query_open(struct db *db, const char *sql, struct source **ret_source, struct source_fault *fault);
