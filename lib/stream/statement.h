#pragma once
/* The statements that are made for one table. */
#include "stream/table.h"

/*
 * The function that writes a batch's rows, of the session's own (pg_temp), made anew at each connect. It is a
 * function because it catches what is wrong with a row before the server logs it: the log would quote the
 * row.
 *
 * Parameters: one array a column, in the table's order. It tests each row's foreign keys and checks, inserts
 * the good ones in order with ON CONFLICT (key) DO NOTHING, so that the first delivery wins inside a batch
 * too, and returns rows of three: (0, how many were inserted, NULL), then one a refused row: its ordinal from
 * 1, its verdict, and the missing parent's key as a text array. A verdict v > 0 is the foreign key v - 1, v <
 * 0 the check -v - 1. If the server refused a row for another reason, nothing was inserted and there is one
 * row alone: (-1, 0, "SQLSTATE constraint"). A new string.
 */
char *statement_function(const struct table *table);
/* The call of that function with the parameters. A new string. */
char *statement_call(const struct table *table);

/*
 * The ids of parked letters of the stream ($1) whose parent has arrived, at most $2, above id $3. NULL when
 * the table has no foreign key that we test. {s} is the schema. A new string.
 */
char *statement_released(const struct table *table);
