#pragma once
/*
 * What a worker says on its standard output, one JSON object a line, and how the daemon reads it:
 *
 *   {"progress": {"stage": "compute", "unit": "windows", "done": 3, "total": 10}}
 *   {"done": {…}}                          the last line of a success: the run's statistics
 *   {"failed": {"error": "…", "sqlstate": "42P01", "transient": false}}       the last line of a failure
 *
 * Standard error is for words; the daemon keeps the last of them.
 */
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
};

enum report_kind { REPORT_PROGRESS, REPORT_DONE, REPORT_FAILED };

struct report {
    enum report_kind kind;
    struct job_progress progress;
    struct cJSON *stats; /* of done */
    char *error;         /* of failed */
    char sqlstate[6];
    bool transient;
};

/* The worker's side: a line on stdout, written at once. stats is taken. A reader that went away ends the
 * process. */
void report_progress(const char *stage, const char *unit, int64_t done, int64_t total);
void report_done(struct cJSON *stats);
void report_failed(const char *error, const char *sqlstate, bool transient);

/* The daemon's side: one line without its end. Refuses what is none of the three. */
int report_parse(const char *line, size_t n, struct report *ret_report, struct error *err);
void report_clear(struct report *r);
#define _cleanup_report_ _cleanup_(report_clear)
