#pragma once
/*
 * The scheduler's own: what its files share. scheduler.c has its life and its ticks, ask.c the statements, lead.c who leads,
 * look.c what the tables say, fire.c what is due, pass.c the workers, orders.c what people ask for.
 */
#include "job/spec.h"
#include "pg/session.h"
#include "schedule/alarm.h"
#include "schedule/plan.h"
#include "schedule/process.h"
#include "schedule/scheduler.h"

struct config_job;
struct schedule;

/* Without the database for so long, a daemon ends its workers; and after so long without it, the one that
 * leads gives their runs to others. The first must be well before the second. */
#define LEASE_HELD_US (10 * US_PER_SEC)
#define LEASE_OUT_US  (15 * US_PER_SEC)

/* A firing is written down, and its worker started, so long before its time: it begins on the stroke then,
 * however slow the database is just now. Only where the run before is over: else it shows at its time. */
#define AHEAD_US (US_PER_SEC / 4)

/* A row of the table job, and what is open in run, as last looked at. */
struct job_row {
    bool known, paused, retrying;
    int64_t handled_us, succeeded, failed, skipped, failed_in_a_row, last_success_us, last_window_end_us,
        last_duration_us, last_lateness_us, last_failure_us, waiting, due_us, running, running_since_us,
        given_up;
    char *last_error;
};

struct job {
    struct scheduler *s;
    const struct config_job *config; /* of the configuration in force */
    struct schedule *schedule;       /* NULL: by hand alone */
    bool rollup;
    enum catch_up catch_up;
    struct job_row row;
    enum job_state state;
    int64_t since_us;
    int64_t handled_us; /* of the one that leads: up to which firing it has fired */
    bool firing;        /* a firing is being written down */
    bool taking;        /* runs are being taken */
    int64_t rested_us;  /* since when it has no worker of ours */
};

/* One execution of a worker, from the moment its runs are taken until their end is on record. */
struct pass {
    struct scheduler *s;
    struct job_spec spec;
    int attempt, retries;
    int64_t retry_after_us;
    int64_t started_us, lateness_us; /* lateness -1: it was not to be on time */
    struct process *process;         /* NULL once it ended, or could not be started */
    struct event *due;               /* until it may begin; else NULL */
    pid_t pid;
    bool cancelled, interrupted;
    struct stage_told *stages; /* those that are over */
    size_t n_stages;
    /* How it ended, kept until it is on record. */
    bool ended, recording;
    int64_t ended_us, retry_us;
    char *outcome, *stats, *result, *error, *sqlstate, *last_words;
    int exit_code, signal;
};

struct scheduler {
    struct event_base *base;
    struct resolver *resolver;
    struct health *health;
    const struct config *config;
    char *name;   /* "office-a@host": what this daemon is called in the tables */
    char *worker; /* the program */
    struct pg_session *session;
    struct alarm *alarm;
    struct event *tick;
    struct job **jobs;
    size_t n_jobs;
    struct pass **passes;
    size_t n_passes;

    bool begun;              /* there are jobs: the session is wanted */
    bool open;               /* our tables are there */
    bool opening;            /* they are being looked at */
    bool is, leads, joining; /* we hold our own lock, the leader's; one is being asked for */
    bool looked;             /* what the tables say is known since the last connect */
    bool looking;
    char *leader;
    int64_t joined_fail_us; /* since when another has our name; 0: nobody has */
    int64_t lost_us;        /* since when we do not hold our own lock; 0: we do (monotonic) */
    int64_t look_due_us, absent_due_us, forget_due_us;
    struct absent *absent; /* daemons that are gone and have running runs */
    size_t n_absent;

    bool stopping;
    struct event *drain_look;
    int64_t drain_until_us;
    void (*drained)(void *arg);
    void *drained_arg;
};

/* ask.c */
/* One statement of record.h with text parameters. False when the database is away (fn is not called then). */
bool scheduler_ask(
    struct scheduler *s, const char *sql, int n, const char *const *values, pg_reply_fn *fn, void *arg);
/* The same without the end of its transaction: another ask, or pg_session_sync(), follows at once. */
bool scheduler_tell(
    struct scheduler *s, const char *sql, int n, const char *const *values, pg_reply_fn *fn, void *arg);
/* Whether a statement succeeded. Where Postgres refused it a condition of the subject, of this code, says so until
 * one succeeds. */
bool scheduler_heard(
    struct scheduler *s, const char *subject, const char *code, const PGresult *res, const char *what);
/* The same of a job's own statement. */
bool scheduler_heard_of(
    struct scheduler *s, const char *job, const char *code, const PGresult *res, const char *what);
struct job *scheduler_find_job(struct scheduler *s, const char *name);
/* The text of a number; 24 bytes are enough. */
const char *number_text(int64_t n, char out[24]);
/* "{1,2,3}" of a list: an array parameter, a new string. */
char *number_array(const int64_t *list, size_t n);
/* A number of a result; 0 where it is NULL. */
int64_t number_at(const PGresult *res, int row, int column);

/* lead.c */
void lead_tick(struct scheduler *s);
void lead_lost(struct scheduler *s);
void lead_forget(struct scheduler *s); /* releases what it keeps */
/* Gives back, at once, the lead: our locks go with the session. */
void lead_find_absent(struct scheduler *s);
/* Makes rows for the jobs of the configuration that have none yet. */
void lead_name_jobs(struct scheduler *s);

/* look.c */
void look_now(struct scheduler *s);
void job_judge(struct job *j);
void job_tell_late(struct job *j);

/* fire.c */
void fire_due(struct scheduler *s);
void fire_set_alarm(struct scheduler *s);
/* The job's firings until then are not to be run, or run no more. */
void fire_set_handled(struct job *j, int64_t until_us);
/* The clock was set back: what waits for a time that it showed before is due. */
void fire_turn_back(struct scheduler *s);
void take_due(struct scheduler *s);
/* A worker of ours is at it, or about to be. */
bool job_is_busy(const struct job *j);

/* pass.c */
void pass_start(struct job *j, const PGresult *taken);
/* Gives taken runs back: nobody here is to start them. */
void pass_give_back(struct scheduler *s, const PGresult *taken, const char *why);
void pass_cancel(struct scheduler *s, int64_t number, const char *who);
/* Ends all of them; their runs wait again. */
void passes_interrupt(struct scheduler *s, const char *why);
/* Writes down what ended and is not on record yet. */
void passes_record(struct scheduler *s);
struct pass *pass_of_job(const struct scheduler *s, const char *job);
void pass_free(struct pass *p);
