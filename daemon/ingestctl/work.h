#pragma once
/*
 * The worker, started from the command line: as the daemon starts it (schedule/process.h), but waited for. It is
 * for commands that do a worker's work without a daemon, or that ask for what its drivers alone can tell.
 */
#include "job/spec.h"
#include "schedule/process.h"

/* A spec of its own in which everything that need not be said has a value; job_spec_done() releases it. The
 * books are the database: such work keeps no record. */
void work_spec(const char *kind, const char *job, const struct job_database *database, struct job_spec *ret);

/* How it ended. */
struct work_end {
    enum process_outcome outcome; /* of one that could not be started: PROCESS_FAILED */
    bool interrupted;             /* by a signal to us (SIGINT, SIGTERM, SIGHUP); it was killed then */
    char *error;                  /* "" when done */
    char *last_words;             /* the end of its standard error, "" */
    struct cJSON *stats;          /* of done */
    uint64_t peak_bytes;          /* as in struct process_end */
    int64_t cpu_us;
};
void work_end_done(struct work_end *end);
#define _cleanup_work_end_ _cleanup_(work_end_done)

/* What is told meanwhile; each may be NULL. */
struct work_events {
    void (*progress)(void *arg, const struct job_progress *progress);
    void (*row)(void *arg, const struct report *piece);
    void (*stage)(void *arg, const struct stage_told *stage);
    void *arg;
};

/* What shows progress: arg is a struct bar. */
void work_show_progress(void *arg, const struct job_progress *progress);

/* What shows a stage that is over, as a line above the bar: arg is a struct bar. */
void work_show_stage(void *arg, const struct stage_told *stage);

/* Does the spec's work in the worker program, and blocks until it ended. events may be NULL. Our terminal's Ctrl-C
 * does not reach the worker by itself: it ends it through us. */
void work_run(const char *program, const struct job_spec *spec, const struct process_limits *limits,
    const struct work_events *events, struct work_end *ret_end);
/* Says why it did not end well; the exit code. */
int work_say_end(const struct work_end *end);

/* Which version the worker program says it is: "0.1.0", a new string. Waits five seconds at most. */
int work_version(const char *program, char **ret_version, struct error *err);
