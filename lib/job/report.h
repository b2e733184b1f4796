#pragma once
/*
 * What a worker says on its standard output, one JSON object a line, and how the daemon reads it:
 *
 *   {"progress": {"stage": "compute", "unit": "windows", "done": 3, "total": 10}}    perhaps with "rows": 1234
 *   {"stage": {"name": "load", "outcome": "done", …}}                                 a stage is over (job/stage_told.h)
 *   {"row": {"cells": ["a", null]}}        for ingestctl alone: a row of what it asked for
 *   {"done": {…}}                          the last line of a success: the run's statistics
 *   {"failed": {"error": "…", "sqlstate": "42P01", "transient": false}}       the last line of a failure
 *
 * A row may take several lines: "more" is "row" where it goes on in the next line, and "cell" where the last cell does.
 * The row of the columns' names comes first, with "head": true.
 *
 * Standard error is for words; the daemon keeps the last of them.
 */
#include "job/stage_told.h"
#include "util/buffer.h"
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;
struct db_fault;

#define REPORT_LINE_MAX (256 * 1024) /* a longer line is an error */

struct job_progress {
    char stage[48];
    char unit[24];       /* "windows", "rows"; "" where nothing is counted */
    int64_t done, total; /* total -1: not known */
    int64_t rows;        /* where something else is counted (bytes), the rows so far; else 0 */
};

enum report_more { REPORT_WHOLE, REPORT_MORE_CELLS, REPORT_MORE_OF_CELL };

enum report_kind { REPORT_PROGRESS, REPORT_STAGE, REPORT_ROW, REPORT_DONE, REPORT_FAILED };

struct report {
    enum report_kind kind;
    struct job_progress progress;
    struct stage_told stage;
    struct cJSON *cells; /* of a row: strings and nulls */
    bool head;
    enum report_more more;
    struct cJSON *stats; /* of done */
    char *error;         /* of failed */
    char sqlstate[6];
    bool transient;
};

/* The worker's side: a line on stdout, written at once. stats is taken. A reader that went away ends the
 * process. */
void report_progress(const char *stage, const char *unit, int64_t done, int64_t total);
void report_bytes(const char *stage, int64_t done, int64_t total, int64_t rows);
void report_pages(const char *stage, int64_t done, int64_t rows);
/* What does not fit its name and its error is cut; the outcome is s's own. */
void report_stage(const struct stage_told *s);
/* n cells; NULL: there is no value. What is no text comes as its bytes in hex, as Postgres shows them. */
void report_row(bool head, size_t n, const struct slice *cells);
void report_done(struct cJSON *stats);
void report_failed(const char *error, const char *sqlstate, bool transient);

/* The rows of a query as they are kept, apart from what is counted, out of its statistics: {"columns", "rows",
 * "truncated"}. NULL: there are none. The caller's. */
struct cJSON *report_take_result(struct cJSON *stats);

/* The daemon's side: one line without its end. Refuses what is none of these. */
int report_parse(const char *line, size_t n, struct report *ret_report, struct error *err);
void report_clear(struct report *r);
#define _cleanup_report_ _cleanup_(report_clear)
