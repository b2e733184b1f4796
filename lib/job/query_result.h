#pragma once
/*
 * What stays of a query job's work: how many statements and rows, and the beginning of its last result, so
 * small that it can be kept on record for years. Of rows beyond that only the number is kept.
 */
#include "db/db.h"

struct cJSON;

#define QUERY_CELL_MAX 1024 /* bytes of a value; what is longer ends in "…" */

struct query_result {
    uint64_t max_rows; /* to keep */
    int64_t statements, rows;
    int64_t rows_now;        /* of the statement under way */
    struct cJSON *statement; /* [{tag, rows}], the first 50 */
    struct cJSON *columns;   /* of the last statement that returned rows; */
    struct cJSON *kept;      /* its first rows, */
    size_t size;             /* what both take as text, */
    bool full, truncated;    /* and whether that was all */
    int64_t told_us;         /* the last progress */
    bool committed;          /* a statement was a COMMIT, where the server says so */
    bool in_transaction;     /* as the statements' tags have it */
};

void query_result_init(struct query_result *r, uint64_t max_rows);
void query_result_done(struct query_result *r);
#define _cleanup_query_result_ _cleanup_(query_result_done)

/* Takes what comes of the statements, and tells progress meanwhile. */
struct db_sink query_result_sink(struct query_result *r);

/* {"statements", "rows", "statement": [{"tag", "rows"}], "columns": […], "result": [[…]], "truncated"}; at most
 * 64 KB. The result is moved into it. */
struct cJSON *query_result_stats(struct query_result *r);
