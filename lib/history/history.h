#pragma once
/*
 * A dataset: a keyed table in a database with every version of every row that its dumps ever showed, and for each the
 * dump that says so. Written once for all databases; what differs between them is a table of facts (dialect.h).
 *
 * For a dataset `npi`, next to each other:
 *   npi            one row per key that the newest dump holds: its columns, and valid_from, opened_by, opened_dump, line
 *   npi_past       the versions that are closed: the same, and valid_to, closed_by, closed_dump
 *   npi_history    both, as a view: every version; valid_to is NULL of those that hold
 *   ingest_dump    (shared by all datasets there) every dump: where from, as of when, what it changed
 *   ingest_reject  rows that could not be taken: dump, line, reason, detail, raw text
 *   ingest_column  which header became which column
 * A version is written once: it opens in npi and moves to npi_past when it is closed.
 *
 * How a dump is loaded: the rows of the dump and of npi walk past each other in the order of the key, and are compared
 * column by column. The differences go to a staging table by bulk load, and from there by a few statements for all rows
 * into the tables, in one transaction with the dump's own row. A first dump goes into npi directly. Where a dump turns
 * out not to be in the order of its key, it is staged whole, and read back in order. Nothing is in memory whole.
 *
 * A partial dump holds what may have changed since an earlier one: a pass by cursor. It is staged, compared with the rows
 * on record of its own keys alone, and removes nothing. What the next such pass begins with is kept with the dump.
 *
 * Text is kept as it is. A database that keeps types (DuckDB) has for each column the narrowest type that holds all it
 * ever had, bigint, double, date, timestamp, timestamptz, boolean or text: found out from its cells, or given. A cell that
 * does not fit widens the column, which is noted; where the type was given, or the column is of the key, the row is
 * rejected (wrong_type). Cells are the same when they mean the same value: "2024-01-01T08:00:00" and what the
 * database makes of it; a type that changes opens no version.
 */
#include "db/db.h"
#include "source/source.h"

#define HISTORY_KEY_MAX 255 /* characters of a key's cell; all cells of it together have at most 2600 bytes */

struct history_target {
    const char *
        url; /* mysql://…/database/table, postgresql://…/database/[schema.]table, duckdb:///path/to/file/table */
    const char *password_file, *application_name;
    int64_t
        lock_timeout_us; /* how long another load of the same dataset is waited for; then a fault that names it */
    bool
        read_only; /* nothing is to be loaded: a database that is a file is not made, and others may read it too */
};

struct history;

/* Connects and reads what is there. Makes nothing: that is for the first load. */
int history_open(const struct history_target *target, struct history **ret_history, struct db_fault *fault);
void history_free(struct history *h);
DEFINE_CLEANUP(struct history *, history_freep, history_free)
const char *history_label(const struct history *h); /* "external.npi@db:3306" */

/* A dump on record. Strings are the history's own, NULL where unknown. */
struct history_dump {
    int64_t id;
    const char *as_of;  /* "2016-02-07" or, in UTC, "2026-11-21 13:45:10.123456" */
    bool partial;       /* it held what may have changed, not all */
    const char *cursor; /* where the next pass by cursor begins; of a source without: NULL */
    const char *url, *name, *etag, *last_modified, *sha256;
    int64_t bytes;
};
/* The newest that was loaded; NULL when there is none. */
const struct history_dump *history_newest(const struct history *h);
/* The same of those that held all. */
const struct history_dump *history_newest_full(const struct history *h);
/* The database keeps types: its integer keys are in the order of numbers, all others in that of bytes. */
bool history_is_typed(const struct history *h);
/* One that was loaded, by its as-of and bytes; NULL when there is none. For a cheap look whether the same comes again. */
const struct history_dump *history_find(struct history *h, const char *as_of, const char *sha256);

struct history_counts {
    int64_t rows; /* records of the dump, without the header */
    int64_t added, changed, removed, reactivated, unchanged, rejected;
    int64_t current; /* keys after it */
};

struct history_load {
    struct source *source;
    const char *const *key; /* headers of the key's columns; n_key 0: the first column */
    size_t n_key;
    /* A date, or a date and time in UTC; a dataset keeps to what its first dump had (valid_from is of that type). */
    const char *as_of;
    struct history_dump dump; /* what is known beforehand; id, as_of and partial are unused */
    /* "header=type" each: as above; for databases that keep types, else an error. */
    const char *const *types;
    size_t n_types;
    /* Called when the source has ended and before anything is committed: sha256, bytes, cursor. */
    void (*complete)(void *arg, struct history_dump *dump);
    void (*progress)(void *arg, const char *stage, int64_t rows);
    void *arg;
    double
        max_removed; /* refused when more than this share of the keys vanish (and more than 20), or all; 0.2 is usual, 1: never */
    double
        max_rejected; /* refused when more than this share of the rows cannot be taken (and more than 20); 0.1 */
    bool any_order; /* it is known not to be in order: stage it at once */
    bool partial;   /* as above; it is of any order */
    bool dry_run;   /* counts, and writes nothing */
};

enum history_outcome {
    HISTORY_LOADED,
    HISTORY_NOTHING_NEW, /* nothing was written: it is loaded already; or a partial one that brings nothing, its cursor neither */
    HISTORY_UNORDERED, /* nothing was written; open the source anew and come again with any_order */
    HISTORY_FAILED,
};

/*
 * One dump, all or nothing. Rows in ingest_reject beside those the source could not read: null_key, key_too_long,
 * duplicate_key (every row of that key, each naming the others' lines; what is on record of the key stays as it is).
 * Refused before anything is written: a dump older than the newest, another one of the same date, a key that is no column,
 * too many keys gone, too many rows rejected. *ret_notes: what a person should know, one a line ("column x is new",
 * "column y is not in this dump: its values stay"); a new string, "" if nothing.
 */
enum history_outcome history_load(struct history *h, const struct history_load *load,
    struct history_counts *ret_counts, char **ret_notes, struct db_fault *fault);

/* One version of a key's life, oldest first. */
struct history_version {
    const char *valid_from, *valid_to; /* valid_to NULL: it holds */
    const char *opened_by, *closed_by; /* added, changed, reactivated; changed, removed */
    int64_t opened_dump, closed_dump, line;
    const struct db_value *values; /* of history_columns() */
};
struct history_column {
    const char *name, *header; /* in the table; as the dump writes it */
    bool is_key;
};
const struct history_column *history_columns(const struct history *h, size_t *ret_n);
/* The versions of one key (as many values as key columns); each is valid during the call only. */
int history_life(struct history *h, const char *const *key, size_t n_key,
    void (*version)(void *arg, const struct history_version *v), void *arg, struct db_fault *fault);
/* A loaded dump by its number; NULL when there is none. */
const struct history_dump *history_dump_by_id(struct history *h, int64_t id);
