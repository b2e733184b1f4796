#pragma once
/*
 * The timer's tables, in the schema of the books:
 *
 *   job        one row a job: up to which firing it is handled, whether it is paused, its totals
 *   run        one row a run, unique by job and scheduled time; of a rollup one a window
 *   scheduler  one row: who leads
 *
 * Here are their definition and every statement that changes them. {s} in the texts is the quoted schema.
 * Times are bigint microseconds since 1970-01-01T00:00:00Z on their way in and out: exact, and of no zone.
 */

/* NULL behind the last. */
extern const char *const record_tables[], *const record_make_sql[];

/* $1 the daemon's name. One row, one boolean. */
extern const char record_be_sql[];   /* takes the lock that says that this daemon is alive */
extern const char record_lead_sql[]; /* takes the leader's lock, and writes down who it is */

/* $1 job names (text[]), $2 now. Makes the rows of new jobs: handled until now. */
extern const char record_jobs_sql[];
/* $1 daemon, $2 passes of it that are alive (bigint[]), $3 now, $4 why. Its other running runs wait again. */
extern const char record_requeue_sql[];
/* The same parameters. Runs that a rollup's worker marked done before the daemon could write down how it ended.
 */
extern const char record_settle_sql[];
/* Daemons that have runs under way, or not yet written down, and do not hold their lock. */
extern const char record_absent_sql[];
/* What every daemon looks at: enum look_column. */
extern const char record_look_sql[];

enum look_column {
    LOOK_NAME,
    LOOK_PAUSED,
    LOOK_HANDLED,
    LOOK_SUCCEEDED,
    LOOK_FAILED,
    LOOK_SKIPPED,
    LOOK_FAILED_IN_A_ROW,
    LOOK_LAST_SUCCESS,
    LOOK_LAST_WINDOW_END,
    LOOK_LAST_DURATION,
    LOOK_LAST_LATENESS,
    LOOK_LAST_FAILURE,
    LOOK_LAST_ERROR,
    LOOK_WAITING,
    LOOK_DUE,
    LOOK_RUNNING,
    LOOK_RUNNING_SINCE,
    LOOK_RETRYING,
    LOOK_CANCELS, /* passes to be cancelled, "12,13" */
    LOOK_CANCEL_BY,
    LOOK_LEADER,
    LOOK_GIVEN_UP, /* windows that failed and are not tried again */
};

/*
 * $1 job, arrays of one element a firing: $2 scheduled times (bigint[]), $3 window starts (bigint[], or NULL),
 * $4 causes, $5 statuses; $6 now, $7 handled until, $8 others skipped, $9 why those with status skipped are.
 */
extern const char record_fire_sql[];
/* $1 job, $2 now, $3 daemon. Takes the run that is due first: enum take_column. */
extern const char record_take_sql[];
/* And $4 retries. Of a rollup: takes the windows that are due, as one pass. */
extern const char record_take_windows_sql[];

enum take_column {
    TAKE_RUN,
    TAKE_PASS,
    TAKE_ATTEMPT,
    TAKE_SCHEDULED,
    TAKE_WINDOW_START,
    TAKE_WINDOW_END,
    TAKE_DRY_RUN,
    TAKE_CAUSE,
};

/*
 * How a pass ended. $1 pass, $2 what it came to ("done", "failed", "cancelled", "interrupted"), $3 now, $4
 * duration, $5 lateness of its newest run (NULL: it was not on time on purpose), $6 stats, $7 result, $8 error, $9 sqlstate, $10
 * exit code, $11 signal, $12 last words, $13 pid, $14 retries, $15 time of the next attempt. One row: how many
 * of its runs are done, failed, and waiting again.
 */
extern const char record_end_sql[];
/* $1 job, $2 now, $3 retries: windows that failed for good have another chance, now that others succeed. */
extern const char record_again_sql[];
/* $1 job, $2 handled until. */
extern const char record_handled_sql[];
/* $1 now: runs that wait for a later attempt, as a clock that ran ahead saw it, need wait no more. */
extern const char record_turn_back_sql[];
#define RECORD_FORGET_MOST 2000
/* $1: runs that ended before are forgotten, so many at a time. */
extern const char record_forget_sql[];

/* $1 job, $2 scheduled times (bigint[]), $3 window starts (bigint[] or NULL), $4 cause, $5 now, $6 dry run, $7
 * who. Rows: id of each that will run now. Those that wait or run already are left alone. */
extern const char record_order_sql[];
/* $1 run, $2 who, $3 now. Rows: its status now. */
extern const char record_cancel_sql[];
/* $1 job, $2 paused, $3 who, $4 now. Rows: the job's name. */
extern const char record_pause_sql[];
/* $1 job, $2 from, $3 to: counts by status of runs scheduled in (from, to]. */
extern const char record_progress_sql[];
/* One JSON object a row; $4: with result and last words. Which rows, by $1 to $3, is for orders.c to add: a condition
 * that may or may not hold would be planned as if it never did, and a table of millions be read for it. */
extern const char record_runs_sql[];
