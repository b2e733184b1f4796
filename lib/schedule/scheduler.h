#pragma once
/*
 * The timer. It knows the jobs of the configuration, fires them when they are due, keeps each run on record in
 * `run` (schema of the books), starts workers for them, and answers for all of that. Of several daemons on one
 * database one leads (an advisory lock): it alone fires and starts workers; the others look on, answer the
 * same questions, and take over within seconds.
 */
#include "job/report.h"
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;
struct config;
struct event_base;
struct health;
struct pg_session;
struct resolver;
struct scheduler;

#define JOB_FIRINGS_SHOWN 3

/* Borrows everything; config must live until the scheduler is freed or has taken another. */
struct scheduler *scheduler_new(
    struct event_base *base, struct resolver *resolver, struct health *health, const struct config *config);
void scheduler_free(struct scheduler *s);
DEFINE_CLEANUP(struct scheduler *, scheduler_freep, scheduler_free)
/* Connects, if there is a job; else a reload that brings one does. */
void scheduler_start(struct scheduler *s);
/* Fires no more, ends the workers, records how, and then calls done once; at the latest after timeout_us. */
void scheduler_drain(struct scheduler *s, int64_t timeout_us, void (*done)(void *arg), void *arg);
/* Jobs that are the same go on; a run under way goes on as it was started. */
void scheduler_reload(struct scheduler *s, const struct config *config);

/* -- for status; nothing here waits ---------------------------------------------------------------------- */

enum job_state {
    JOB_IDLE,     /* waits for its next firing */
    JOB_RUNNING,  /* somewhere, not only here */
    JOB_RETRYING, /* its last attempt failed and it is tried again soon */
    JOB_FAILING,  /* its last run failed for good */
    JOB_PAUSED,   /* by a person */
    JOB_UNKNOWN,  /* the database was not reached yet */
};
const char *job_state_to_string(enum job_state s);

/* Times are wall-clock microseconds, 0 where there was none; strings are borrowed until the next turn. */
struct job_report {
    const char *name, *kind;
    const char *schedule;  /* "every 10m", or "" for one that runs by hand alone */
    const char *time_zone; /* the schedule's and the rollup's */
    enum job_state state;
    const char *why; /* the last failure's words while failing or retrying; else "" */
    int64_t since_us;
    int64_t next_us[JOB_FIRINGS_SHOWN]; /* 0: there is none */
    int64_t running;                    /* number of the run under way, 0: none */
    int64_t running_since_us;
    struct job_progress progress; /* of a run in this daemon's own worker */
    int64_t last_success_us;      /* when it finished */
    int64_t last_window_end_us;   /* a rollup: up to where it is computed */
    /* Of the last success; lateness: start less scheduled time, -1: none was by the schedule yet. */
    int64_t last_duration_us, last_lateness_us;
    int64_t last_failure_us;
    int64_t succeeded, failed, skipped; /* all daemons, all time */
    int64_t failed_in_a_row;
    int64_t waiting; /* runs that wait to be started */
};

size_t scheduler_n_jobs(const struct scheduler *s);
void scheduler_report(struct scheduler *s, size_t i, struct job_report *ret_report);
/* Whether this daemon leads; who does ("office-a@host", "" when nobody is known to); and our workers now. */
bool scheduler_leads(const struct scheduler *s);
const char *scheduler_leader(const struct scheduler *s);
int scheduler_n_workers(const struct scheduler *s);

/* -- questions and orders that need Postgres ------------------------------------------------------------- */

/*
 * Each calls answer exactly once, from the event loop (or before returning, when Postgres is away): either
 * result is set (the callee's own) or why says what went wrong.
 */
typedef void scheduler_answer_fn(void *arg, struct cJSON *result, const char *why);

struct run_filter {
    int64_t id;         /* one run, with its result's rows and last words */
    const char *job;    /* or NULL: any */
    const char *status; /* "waiting", "running", "done", "failed", "cancelled", "skipped", or NULL: any */
    int64_t before;     /* only ids below it: for paging */
    int limit;          /* 0: 20 */
};

/*
 * [{id, job, scheduled_for, window_start, window_end, cause, status, attempt, dry_run, daemon, created, not_before,
 * started, finished, duration_us, lateness_us, stats, error, sqlstate, exit_code, signal, progress, stages}], newest
 * first; what does not apply is null. With an id also last_words and result.
 */
void scheduler_runs(
    struct scheduler *s, const struct run_filter *filter, scheduler_answer_fn *answer, void *arg);
/*
 * Runs a job now. at_us: the scheduled time it runs for (0: now; a rollup: its last whole window); in the
 * future it waits until then. One that is on record already is run again. who: "uid 1000".
 * {"id", "scheduled_for", "window_start", "window_end"}
 */
void scheduler_run(struct scheduler *s, const char *job, int64_t at_us, bool dry_run, const char *who,
    scheduler_answer_fn *answer, void *arg);
/* {"status": what it is now} */
void scheduler_cancel(
    struct scheduler *s, int64_t run, const char *who, scheduler_answer_fn *answer, void *arg);
/* {} */
void scheduler_pause(struct scheduler *s, const char *job, bool paused, const char *who,
    scheduler_answer_fn *answer, void *arg);
/* Runs, again where it did, each firing (a rollup: each whole window) in [from, to). {"runs": n} */
void scheduler_backfill(struct scheduler *s, const char *job, int64_t from_us, int64_t to_us, const char *who,
    scheduler_answer_fn *answer, void *arg);
/* How far that is: {"waiting", "running", "done", "failed", "cancelled", "skipped"}: counts of runs scheduled
 * for (from, to]. */
void scheduler_progress(struct scheduler *s, const char *job, int64_t from_us, int64_t to_us,
    scheduler_answer_fn *answer, void *arg);
