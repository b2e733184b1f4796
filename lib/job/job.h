#pragma once
/*
 * The kinds of job, each a recipe in a file of its own: what the worker does with a spec. Adding one is a file
 * and a line of the table in job.c.
 */
#include "db/db.h"
#include "job/spec.h"

struct cJSON;

struct job_kind {
    const char *name;
    /* Does the work, telling progress by report_progress(). 0 and the statistics (a new object), or -1 and the
     * fault: nothing was changed then, or the message says what was. */
    int (*run)(const struct job_spec *spec, struct cJSON **ret_stats, struct db_fault *fault);
};

extern const struct job_kind job_rollup, job_query, job_sync, job_match, job_harmonize;
/* These are no jobs of a configuration: `ingestctl` asks for them (doctor, history, sql). */
extern const struct job_kind job_probe, job_history, job_sql;

/* NULL when there is none of that name. */
const struct job_kind *job_kind_find(const char *name);

/* Writes a fault of our own, that no other attempt makes better, and returns -1. */
int job_refuse(struct db_fault *fault, const char *fmt, ...) _printf_(2, 3);

/* A whole SQL file as a new string; refuses one that is missing, larger than 4 MB, not UTF-8, or without any
 * statement (only blanks and comments). */
int job_read_sql(const char *path, char **ret_text, struct error *err);
