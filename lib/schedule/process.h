#pragma once
/*
 * A worker: one job's work in a process and a process group of its own. It is started without waiting, read
 * line by line, kept within its time and memory, ended with its whole group, and how it ended is told once.
 * It dies with us, however we die (PR_SET_PDEATHSIG, which the worker itself asks for first of all).
 */
#include "job/report.h"
#include "util/error.h"

#include <sys/types.h>

struct event_base;
struct cJSON;
struct process;

struct process_limits { /* 0: none */
    int64_t time_us;
    uint64_t memory_max; /* bytes, resident: it is ended when it has more … */
    uint64_t beside;     /* … and so much beside */
    /* Bytes of private memory that it asks for, touched or not: the kernel refuses more. 0: memory_max */
    uint64_t reserve_max;
    int niceness; /* so far behind others for a processor, as nice(1) counts */
};

enum process_outcome {
    PROCESS_DONE,   /* it said so, and ended with 0; also where it was just being killed */
    PROCESS_FAILED, /* it said why, or ended without a word, or by a signal */
    PROCESS_KILLED, /* by us: asked to, over its time, over its memory */
};

/* How it ended; valid during the call. */
struct process_end {
    enum process_outcome outcome;
    int exit_code;          /* -1 where a signal ended it */
    int signal;             /* 0 where none did */
    bool transient;         /* as the worker said; a signal that was not ours counts as transient */
    const char *error;      /* in words for people; "" when done */
    const char *sqlstate;   /* "" if none */
    const char *last_words; /* the end of its standard error, at most 4 KB, UTF-8, no control characters */
    struct cJSON *stats;    /* of done; the owner may take it by setting it to NULL */
    uint64_t peak_bytes;    /* of resident memory; 0 where it was too short-lived to be told from ours */
    int64_t cpu_us;         /* user and system time */
};

struct process_events {
    /* The process may be killed in it, but not freed. */
    void (*progress)(void *arg, const struct job_progress *progress);
    void (*ended)(void *arg, struct process_end *end); /* once; the process may be freed in it */
    /* A row, or a piece of one; NULL where none is expected: one is no report then. */
    void (*row)(void *arg, const struct report *piece);
    /* A stage is over; NULL: nobody wants to know. */
    void (*stage)(void *arg, const struct stage_told *stage);
};

/*
 * Starts program (posix_spawn: no page of ours is copied). It waits to be told what to do. events is copied, and
 * nothing is told before this returned. The worker inherits nothing else: no descriptor, and of the environment
 * only PATH, HOME, LANG, TZ and TMPDIR.
 */
int process_start(struct event_base *base, const char *program, const struct process_limits *limits,
    const struct process_events *events, void *arg, struct process **ret_process, struct error *err);
/* Once: spec, a line of JSON, for its standard input (the end of the line is added). Its time limit begins now. One
 * that is ending, or has ended, is told nothing. */
void process_tell(struct process *p, const char *spec);
/* Ends it: SIGTERM to the group now, SIGKILL two seconds later. why: for the record ("cancelled by uid 1000").
 */
void process_kill(struct process *p, const char *why);
pid_t process_pid(const struct process *p);
/* The last progress it told; a zeroed one before the first. */
const struct job_progress *process_progress(const struct process *p);
/* Kills what is left at once, and reaps it; ended is not called any more. */
void process_free(struct process *p);
DEFINE_CLEANUP(struct process *, process_freep, process_free)
