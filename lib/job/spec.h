#pragma once
/*
 * What a worker is told: one job's work as a JSON object, which the daemon writes to the worker's standard
 * input (so that nothing of it is seen in a list of processes). Both ends are here, so that they cannot drift
 * apart. Times are microseconds since 1970-01-01T00:00:00Z.
 *
 * The members are named as the fields; windows are [[start_us, end_us], …]. A whole number is a JSON number up to
 * 2^53, where every reader holds it exactly, and a string of its digits beyond. A member that is unknown, missing
 * or there twice is an error; `table`, `sync`, `match`, `harmonize`, `store`, `words` and `password_file` may be absent. Messages name members, never
 * values.
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;

struct job_window {
    int64_t start_us, end_us; /* [start, end) */
};

struct job_database {
    char *url;
    char *password_file; /* or NULL */
};

struct job_words {
    char **list; /* each with something in it */
    size_t n;
};

/* Of a sync whose source is a REST resource; the members are those of struct config_rest. */
struct job_rest {
    char *rows; /* NULL: the source is dumps */
    char *paging;
    uint64_t page_size, first_page, parallel, per_second;
    char *order, *updated, *updated_order; /* or NULL */
    int64_t full_every_us;
    struct job_words fields, headers;
    char *header_file, *token_file, *credentials_file;
    char *next, *cursor, *limit, *offset, *page;
    bool full;    /* this pass, whatever is due */
    bool if_json; /* nobody said that it is one: it is when the source answers with JSON */
};

/* What a sync is told beside its sink, which is the database and the table. */
struct job_sync {
    char *
        source; /* a URL; with %Y, %m and %d in it one a date; with a pattern the page that lists the dumps */
    char *pattern;                /* of the dumps' names; or NULL */
    char *member;                 /* of a zip, a glob; or NULL */
    char *delimiter;              /* one character, or "tab"; NULL: found out */
    char *as_of;                  /* the date the dump speaks for; NULL: found out */
    char *since;                  /* no dump before this date is of interest; or NULL */
    struct job_words key;         /* headers; none: the first column */
    struct job_words null_tokens; /* cells that mean nothing is there, beside the empty one */
    uint64_t max_removed;         /* percent of the keys that may vanish with a dump; 100: all */
    uint64_t max_rejected;        /* percent of the rows that may be rejected; 100: all */
    struct job_words types;       /* "header=type" */
    struct job_rest rest;
};

struct job_rule {
    char *name, *left, *right, *normalise;
};

struct job_side {
    char *name;
    struct job_database database; /* of a query; its url NULL: the side is a REST resource */
    char *sql;                    /* path */
    char *source;                 /* URL; NULL: it is a query */
    struct job_rest rest;
    char *id, *active; /* active may be NULL */
    struct job_words columns;
};

/* What a match is told beside its sink, which is the database and the table. */
struct job_match {
    struct job_side left, right;
    struct job_rule *keys, *tie_breaks;
    size_t n_keys, n_tie_breaks;
    char *report_date; /* "2017-02-02", or "today"; NULL: it is no match */
    uint64_t active_days;
    uint64_t batch_fraction; /* millionths */
    struct job_words outcomes;
    char *folder; /* for what is staged: STATE_DIR/match/JOB */
};

struct job_store {
    char *name;
    char *url;
    char *endpoint, *region; /* or NULL */
    bool path_style;
    char *credentials_file, *ca_file; /* or NULL */
};

/* A source: a table or SELECT, or objects of a store. */
struct job_feed {
    char *name;
    struct job_database database; /* its url NULL: it is objects */
    char *table, *sql;            /* one of the two */
    struct job_store store;       /* its url NULL: it is a database's */
    char *prefix, *pattern;
    char *format;             /* "csv", "json", "ndjson"; NULL: found out */
    struct job_words columns; /* as in the configuration, with their ? */
    struct job_words null_tokens;
    char *delimiter; /* or NULL */
};

struct job_target {
    char *name;
    struct job_words key;
    struct job_words references; /* "column=table" */
};

/* What a harmonize is told. */
struct job_harmonize {
    struct job_feed *sources;
    struct job_target *tables;
    size_t n_sources, n_tables;
    struct job_words transform; /* paths */
    struct job_words variables; /* "name=value" */
    struct job_store lake;      /* its url NULL: it is no harmonize */
    char *tenant, *revision;    /* or NULL */
    int64_t full_every_us, keep_versions_us;
    uint64_t max_rejected; /* percent of the staged rows that may be rejected; 100: all */
    char *
        folder; /* STATE_DIR/harmonize/JOB: what is kept there is a lock, the run's folder, and copies of the lake */
};

struct job_spec {
    char *job; /* its name */
    char *
        kind; /* "rollup", "query", "sync", "match", "harmonize"; of ingestctl's own: "probe", "history", "sql" */
    int64_t run;  /* the run's number: of several windows in one pass, the first's */
    int64_t pass; /* this execution's own number: whoever finds another one on record was overtaken */
    int64_t scheduled_us;
    struct job_window *windows; /* of a rollup, in order of time */
    size_t n_windows;
    char *sql;            /* path of the file */
    char *table;          /* rollup, sync: the [schema.]table it fills; else NULL */
    char *time_zone;      /* never NULL */
    struct job_sync sync; /* its source is NULL where it is none */
    struct job_match match;
    struct job_harmonize harmonize;
    struct job_store
        store; /* probe: what is looked at in place of the database; its url NULL: the database */
    struct job_words words;       /* history: the key's cells; sql: the one statement */
    struct job_database database; /* what the SQL runs against, what a sync fills */
    struct job_database books;    /* where the runs are on record … */
    char *schema;                 /* … and in which schema */
    int64_t time_limit_us;
    uint64_t memory_max;
    uint64_t result_rows; /* how many rows of a query's result are kept */
    bool transaction;     /* the whole file in one transaction */
    bool dry_run;         /* do it all, then roll back */
};

/* A copy of the word behind the others. */
void job_words_add(struct job_words *words, const char *word);
/* What stands in the text, or NULL; next: text_next_word, or text_next_item. */
void job_words_split(struct job_words *to, const char *text, char *next(const char **at));
void job_words_done(struct job_words *words);

/* How much private memory its worker may ask the kernel for, touched or not: the SQL of a harmonize has DuckDB ask for much
 * more than it touches, whole hash tables, buffers of files, a stack for each thread. And how much more than memory_max may
 * be resident before it is ended: what DuckDB itself takes, its code and what its allocator keeps. */
uint64_t job_spec_reserve_max(const struct job_spec *spec);
uint64_t job_spec_memory_beside(const struct job_spec *spec);

/* A new string; one line. */
char *job_spec_to_json(const struct job_spec *spec);
int job_spec_parse(const char *text, size_t n, struct job_spec *ret_spec, struct error *err);
void job_spec_done(struct job_spec *spec);
#define _cleanup_job_spec_ _cleanup_(job_spec_done)
