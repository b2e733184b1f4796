#pragma once
/*
 * The table that a match fills, in any of the three databases. Its rows of one report date are replaced in one
 * transaction: whoever reads sees the old ones or the new.
 */
#include "db/load.h"
#include "job/match_columns.h"

struct cJSON;
struct match_table;

/* Connects. The table need not be there. columns: the caller's. */
int match_table_open(const struct job_spec *spec, const struct match_columns *columns,
    struct match_table **ret_table, struct db_fault *fault);
void match_table_free(struct match_table *t);
DEFINE_CLEANUP(struct match_table *, match_table_freep, match_table_free)

/* Makes the table, or adds to it what may come, and finds out whether it can be written to. A dry run changes nothing.
 * notes: an array of strings, which gets what was done, or would be; or NULL. */
int match_table_prepare(struct match_table *t, struct cJSON *notes, struct db_fault *fault);

/* The rows of that date become those of next(), a value for each column. ret_replaced: how many there were before. */
int match_table_load(struct match_table *t, const char *report_date, db_next_row *next, void *arg,
    int64_t *ret_written, int64_t *ret_replaced, struct db_fault *fault);

/* How many rows of that date there are; of a table that is not there yet 0. */
int match_table_count(
    struct match_table *t, const char *report_date, int64_t *ret_rows, struct db_fault *fault);

/* Ten of the rows that were loaded as objects, as the table has them, matched ones first, long values cut. A new array. */
int match_table_sample(
    struct match_table *t, const char *report_date, struct cJSON **ret_rows, struct db_fault *fault);
/* What would make the table as it is; a new string, NULL where there is none. */
int match_table_ddl(struct match_table *t, char **ret_sql, struct db_fault *fault);
