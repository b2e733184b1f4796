#pragma once
/*
 * One dump on its way in: its bytes, the rows they are, and the date it speaks for. It tells the progress, because it
 * alone sees both bytes and rows.
 */
#include "db/db.h"
#include "fetch/fetch.h"
#include "job/spec.h"
#include "job/sync_plan.h"
#include "source/csv.h"

struct history_dump;

struct sync_feed {
    const struct job_sync *sync;
    const struct sync_dump *dump;
    char *shown;    /* its URL without a password */
    char stage[48]; /* for the progress: "2016-02-07 (2 of 6)" */
    struct fetch *fetch;
    struct source *source;
    struct fetch_fault fault; /* the last of its bytes */
    char as_of[DATE_SIZE];
    const char *as_of_from; /* "given", "name", "last-modified", "today" */
    bool hashed;            /* its bytes are gone for a sum: for its rows it is to be opened again */
    int64_t rows, told_us;
};

enum feed_answer { FEED_ROWS, FEED_UNCHANGED, FEED_MISSING, FEED_FAILED };

/* Opens it as far as the header of its rows, and finds out its date. known: a dump that is loaded, which it may turn
 * out to be; or NULL. */
enum feed_answer feed_open(struct sync_feed *f, const struct history_dump *known, struct db_fault *fault);
/* Reads the rest of its bytes without looking at them, for their hash: the fetch's own, NULL with the fault. */
const char *feed_hash(struct sync_feed *f, struct db_fault *fault);
/* What is open of it. */
void feed_close(struct sync_feed *f);
void feed_done(struct sync_feed *f);
#define _cleanup_feed_ _cleanup_(feed_done)

/* A stage of the work with its rows; while there are bytes to come, of these. */
void feed_tell(struct sync_feed *f, const char *stage, int64_t rows);
