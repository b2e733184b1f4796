#pragma once
/*
 * What a sync reads, on its way in: its rows, the moment it speaks for, and what is on record of it. A driver is a struct
 * of functions and a file: dumps (sync_dump.c), and passes over a REST resource (sync_rest.c). It tells the progress,
 * because it alone sees both what is received and the rows.
 */
#include "db/db.h"
#include "history/history.h"
#include "job/moment.h"
#include "job/spec.h"
#include "job/sync_plan.h"
#include "source/source.h"

struct cJSON;
struct sync_feed;

enum feed_answer {
    FEED_ROWS,
    FEED_UNCHANGED, /* it is what is loaded already */
    FEED_MISSING,   /* there is none, which may be */
    FEED_OTHER,     /* it is no dump, and may be a REST resource */
    FEED_FAILED,
};

struct sync_feed_driver {
    /* Opens it, perhaps again, as far as the columns of its rows, and finds out what it speaks for. */
    enum feed_answer (*open)(struct sync_feed *f, struct db_fault *fault);
    /* Is it one that is loaded already, without a look at its rows? 1, 0, -1. */
    int (*is_loaded)(struct sync_feed *f, struct db_fault *fault);
    /* What failed last is to be forgotten and opened again: it became another one while it was read. */
    bool (*has_changed)(const struct sync_feed *f);
    /* What the history is told beforehand, and what once the rows have ended. */
    void (*describe)(const struct sync_feed *f, struct history_load *load);
    void (*complete)(struct sync_feed *f, struct history_dump *dump);
    /* A stage of the work with its rows; while something is to come, of that. */
    void (*tell)(struct sync_feed *f, const char *stage, int64_t rows);
    /* Beside what all have. notes: an array of strings. */
    void (*add_stats)(const struct sync_feed *f, struct cJSON *stats, struct cJSON *notes);
    void (*free)(struct sync_feed *f);
};

struct sync_feed {
    const struct sync_feed_driver *driver;
    const struct job_sync *sync;
    struct history *history;
    char *shown;    /* its URL without a password */
    char stage[48]; /* for the progress: "2016-02-07 (2 of 6)" */
    struct source *source;
    char as_of[MOMENT_SIZE];
    const char *
        as_of_from; /* "given", "name", "last-modified", "today", "begin"; "record" of what is loaded already */
    int64_t rows, told_us;
};

/* One of the plan's dumps, which the plan keeps. */
struct sync_feed *feed_of_dump(
    const struct job_sync *sync, struct history *history, const struct sync_dump *dump);
struct sync_feed *feed_of_rest(const struct job_sync *sync, struct history *history);

static inline void feed_free(struct sync_feed *f)
{
    if (f)
        f->driver->free(f);
}
DEFINE_CLEANUP(struct sync_feed *, feed_freep, feed_free)

#define FEED_TELL_EVERY_US INT64_C(200000)
