#pragma once
/* One side of a match on its way into the folder: for match_read.c and match_reader.c alone. */
#include "job/match_read.h"
#include "source/source.h"

#include <pthread.h>
#include <stdatomic.h>

/* What both threads use. */
struct match_shared {
    atomic_bool failed;
    atomic_int first; /* whose fault is told */
    _Atomic int64_t rows[2];
    pthread_mutex_t telling;
    int64_t told_us;
};

struct match_reader {
    struct match_reading *all;
    struct match_shared *shared;
    const struct job_side *spec;
    int which; /* MATCH_LEFT, MATCH_RIGHT */
    struct side_options options;
    struct side_rule *rules;
    struct match_side *side;
    int64_t position; /* where its source is gone on with; -1: it is staged to its end */
    struct match_requests before, now;
    struct cJSON *seen; /* columns that ever had a value */
    struct db *db;
    struct source *source; /* a watch */
    struct source_fault fault;
    int starts;      /* how often it was read from its start, or gone on with */
    bool has_looked; /* for duplicates */
    int result;
};

int match_reader_open(
    struct match_reading *all, struct match_shared *shared, int which, struct db_fault *fault);
void match_reader_free(struct match_reader *r);
/* For a thread; arg: the reader. */
void *match_reader_run(void *arg);
/* After that, in the thread that has the notes. */
void match_reader_note(const struct match_reader *r);
/* The first finds users whose id came before, too. */
int match_reader_check_seams(struct match_reader *r, struct db_fault *fault);
int match_reader_check_rows(const struct match_reader *r, struct db_fault *fault);
int match_reader_check_columns(const struct match_reader *r, struct db_fault *fault);
