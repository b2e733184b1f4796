#pragma once
/*
 * What a harmonize reads, on its way into the staged tables: a feed is one source of the job. A driver is a struct of functions
 * and a file: tables and SELECTs of Postgres (feed_table.c), objects of a store (feed_objects.c). Rows are pulled, one after the
 * other; those that cannot be taken, and the end of a delivery, come between them as what they are.
 *
 * stage.c prepares all feeds, so that what can be fetched ahead is, and then loads one after the other. What fails transiently
 * is closed, which forgets all of it, and prepared again. Faults are told with the source's name before them: they need not name it.
 */
#include "job/harmonize/harmonize.h"
#include "source/source.h"

struct feed;
struct snapshots; /* extract.h */

/* What comes next of a feed. */
enum feed_kind {
    FEED_END,
    FEED_ROW,
    FEED_REJECTED, /* a row that cannot be taken */
    FEED_DELIVERY, /* what came since the last one (and perhaps nothing) was this one, which is over */
};

struct feed_item {
    /* Of a row, taken or not: where it begins in its object, from 1; of a table its number. */
    int64_t line;
    const struct source_cell *cells; /* of a row: as many as columns, UTF-8 without NUL */

    /* Of a row that cannot be taken, and of a delivery that is refused as a whole (else NULL): a word of docs/bad-data.md, and
     * words for a person, without anything of what is in the row. */
    const char *reason, *detail;
    const char *raw; /* of such a row: as it stood, made UTF-8, SOURCE_RAW_MAX bytes at most; or NULL */
    size_t n_raw;

    /* Of a delivery. The rows of one that is refused are left out of the view, its rejected ones out of the quarantine. */
    const char *object;        /* the key; of a table its name */
    const char *version;       /* the ETag; of a table the snapshot */
    int64_t size, modified_us; /* -1: it has none (a table) */
};

struct feed_driver {
    bool of_table; /* its lineage is _table and _snapshot, of one delivery; else _object and _etag */
    /* Finds out what is new, and begins to fetch it. It may use h->duck, which is idle then. */
    int (*prepare)(struct feed *f, struct db_fault *fault);
    /* What is to be read next is this one: sets the columns. After prepare(), in the same thread. */
    int (*open)(struct feed *f, struct db_fault *fault);
    /* Everything in the item is valid until the next call. From another thread than the others, never beside them: h->duck is
     * busy then, and nothing else of h may be written to. -1 with the fault: transient, all of the source is begun anew. */
    int (*next)(struct feed *f, struct feed_item *ret_item, enum feed_kind *ret_kind, struct db_fault *fault);
    /* Ends what is under way and forgets it: prepare() may follow. Also of one that failed, or was never prepared. */
    void (*close)(struct feed *f);
    void (*free)(struct feed *f); /* behind close() */
};

struct feed {
    const struct feed_driver *driver;
    struct harmonize *h;
    const struct job_feed *spec;

    /* Set by open(), the driver's, valid until the first next(): names as the source has them. Without any new rows too. */
    const char *const *columns;
    size_t n_columns;

    /* Kept by the driver as it goes; stage.c empties them before each prepare(). */
    int64_t bytes;            /* read so far */
    int64_t deliveries;       /* how many will come; -1: not known */
    bool full;                /* all there is, not what is new alone */
    bool again;               /* what is new, and perhaps something of what came before */
    struct cJSON *notes;      /* strings: what a person should know; feed_note() */
    struct cJSON *remembered; /* what the next pointer says of it; NULL: nothing */
};

/* Adds to the notes. */
void feed_note(struct feed *f, const char *fmt, ...) _printf_(2, 3);

/* Both: a new feed, not prepared. The snapshots stay the caller's. */
struct feed *feed_of_table(struct harmonize *h, const struct job_feed *spec, struct snapshots *snapshots);
struct feed *feed_of_objects(struct harmonize *h, const struct job_feed *spec);

/* Closes it too. NULL is no feed. */
void feed_free(struct feed *f);
DEFINE_CLEANUP(struct feed *, feed_freep, feed_free)
