#pragma once
/*
 * The configuration: a YAML file becomes typed structs. One table (config/keys.c) names every key with its
 * type, default, whether a reload takes it, and a line of help; the reader, the JSON Schema, `ingestctl
 * config` and the reference page are all made from that table. Reading never touches the network, and finds
 * every mistake in one pass, not the first alone.
 */
#include "util/error.h"

#include <stdbool.h>
#include <stdint.h>

struct cJSON;

struct config_column {
    char *column; /* the table's column */
    char *field;  /* the entry's field, or "@received": the entry's own time */
    int line;
};

struct config_stream {
    char *name;          /* [a-z0-9_-], beginning with a letter or digit, at most 48 characters, unique */
    char *source;        /* URL: redis://[user[:password]@]host[:port]/DB/STREAM, or fifo:///path/to/pipe */
    char *password_file; /* or NULL: the source's password, first line of the file */
    char *group;         /* redis: consumer group; default "ingestd" */
    char *consumer; /* redis: our name in the group; default: the host's name, a dash, the config's name */
    int64_t
        claim_after_us; /* redis: entries pending this long with another consumer are claimed; default 60s */
    uint64_t spool_max; /* fifo: bytes; default 1GB */
    char *table;        /* [schema.]table; schema default "public" */
    struct config_column *columns;
    size_t n_columns;
    uint64_t connections; /* to Postgres, that write side by side; default 2 */
    char *time_zone;      /* for @received into timestamp without time zone; default "UTC" */
    int64_t park_for_us;  /* how long a row waits for its parent before it is dead; default 7d */
    int line;
};

/* A database that jobs may name; the one under `postgres:` is there without. */
struct config_database {
    char *name; /* as a stream's, unique among databases; never "postgres" */
    char *
        url; /* postgresql://…, key=value words, or mysql://[user[:password]@]host[:port]/database, duckdb:///path */
    char *password_file; /* or NULL */
    int line;
};

/* Where a sync's rows are a REST resource (source/rest.h): how its pages go. */
struct config_rest {
    char *rows;         /* where the rows are; "." is the document itself; default "data"; NULL: it is none */
    char *paging;       /* "offset" (default), "page", "next", "cursor" */
    uint64_t page_size; /* rows; default 1000 */
    uint64_t first_page;    /* of numbered pages; default 1 */
    uint64_t parallel;      /* default 4 */
    uint64_t per_second;    /* requests; default 0: no limit */
    char *order;            /* query string of a full pass; or NULL */
    char *updated;          /* member that tells when a row was changed; or NULL: every pass is full */
    char *updated_order;    /* query string of a pass by cursor; NULL: sort_field=UPDATED&sort_dir=desc */
    int64_t full_every_us;  /* default 7d */
    char *fields;           /* with commas between them; NULL: all */
    char *headers;          /* "Name: value, Name: value"; or NULL */
    char *header_file;      /* one more, the first line of the file; or NULL */
    char *token_file;       /* or NULL */
    char *credentials_file; /* "user:password"; or NULL */
    char *next, *cursor, *limit, *offset, *page; /* names of members and parameters; or NULL */
};

/* A pair of columns that a match compares. */
struct config_rule {
    char *name; /* [a-z0-9_], unique among its kind in the job; what the pair is called in the table */
    char *left, *right; /* columns; default: the name */
    char *
        normalise; /* of trim, blanks, case, nfc, underscore, with commas; default "trim, blanks, case, nfc"; "": none */
    int line;
};

struct config_rules {
    struct config_rule *list; /* in the order of the file */
    size_t n;
};

/* One side of a match: a query (database and sql), or a REST resource (source and perhaps rest). */
struct config_side {
    char *name;     /* before its columns in the table; default "left", "right" */
    char *database; /* one of `databases:`, or "postgres"; NULL: it is a REST resource */
    char *sql;      /* file with one SELECT; absolute once read */
    char *source;   /* URL; NULL: it is a query */
    struct config_rest
        rest;      /* of a source always there; its order, updated and full_every are for a sync alone */
    char *id;      /* column or member; default "id" */
    char *active;  /* the date somebody was last active; or NULL */
    char *columns; /* to carry, with commas between; or NULL: none */
};

/* A place for objects: an S3-compatible bucket, or a folder. */
struct config_store {
    char *name;             /* as a database's */
    char *url;              /* "s3://bucket[/prefix]" or "file:///folder" */
    char *endpoint;         /* s3: "http(s)://host[:port]"; NULL: Amazon's own */
    char *region;           /* s3: default "us-east-1" */
    char *addressing;       /* s3: "path" (default where an endpoint is given) or "virtual" (default else) */
    char *credentials_file; /* s3: "ACCESS_KEY:SECRET_KEY"; or NULL: unsigned */
    char *ca_file;          /* s3; or NULL */
    bool of_tenant;         /* ${tenant} stands in its URL, or a value of the tenant's own */
    int line;
};

/* One source of a harmonize: a table or SELECT of Postgres (database, and table or sql), or objects of a store. */
struct config_feed {
    char *name;     /* [a-z0-9_] */
    char *database; /* one of `databases:`, or "postgres"; NULL: it is objects */
    char *table;    /* [schema.]table; or NULL */
    char *sql;      /* file with one SELECT; absolute once read; or NULL */
    char *store;    /* one of `stores:`; NULL: it is a database's */
    char *prefix;   /* of the keys; default "" */
    char *pattern;  /* glob of the keys' last part; default "*" */
    char *format;   /* "auto" (default), "csv", "json", "ndjson" */
    char *columns;  /* with commas between; of objects required; a name with a ? behind it may be missing */
    char *null_tokens; /* default "NULL" */
    char *delimiter;   /* or NULL: found out */
    int line;
};
struct config_feeds {
    struct config_feed *list; /* in the order of the file */
    size_t n;
};

/* One table of the lake that a harmonize fills. */
struct config_target {
    char *name;       /* [a-z0-9_]; not quarantine, delivery */
    char *key;        /* columns, with commas between */
    char *references; /* "column=table", with commas between; or NULL */
    int line;
};
struct config_targets {
    struct config_target *list;
    size_t n;
};

struct config_job {
    char *name;      /* as a stream's, unique among jobs and streams */
    char *kind;      /* "rollup", "query", "sync", "match" or "harmonize" */
    char *schedule;  /* "every 10m" or a five-field cron line; NULL: by hand alone (not for a rollup) */
    char *time_zone; /* of a cron line, and of timestamps without time zone in a rollup; default "UTC" */
    char *catch_up;  /* "none", "last", "all"; default: rollup "all", else "last" */
    char *sql;      /* rollup, query: file; relative to the configuration file's folder, absolute once read */
    char *table;    /* rollup, sync: [schema.]table it fills, of [a-z0-9_]; required there */
    char *database; /* query, sync: one of `databases:`, or "postgres" (the default) */
    char *source;   /* sync: a URL, perhaps with %Y, %m and %d in it, or the page that lists the dumps */
    char *pattern;  /* sync: of the dumps' names on that page; or NULL */
    char *since;    /* sync: a date, no dump before it is of interest; or NULL */
    char *member;   /* sync: a glob of the file in a zip; or NULL */
    char *key;      /* sync: headers, with commas between them; NULL: the first column */
    char *null_tokens;              /* sync: with commas between them; default "NULL", "": none */
    char *delimiter;                /* sync: one character; NULL: found out */
    uint64_t max_removed;           /* sync: percent of the keys; default 20 */
    uint64_t max_rejected;          /* sync: percent of the rows; default 10 */
    char *types;                    /* sync: "header=type,…" for DuckDB; or NULL */
    struct config_rest rest;        /* sync: with its rows NULL the source is dumps */
    struct config_side left, right; /* match */
    struct config_rules keys;       /* match: at least one */
    struct config_rules tie_breaks; /* match: at most 6, the strongest first */
    char *report_date;              /* match: "2017-02-02", or "today" (the default) */
    uint64_t active_days;           /* match: default 30 */
    uint64_t batch_fraction;        /* match: millionths; written "0.1" (the default, and the most), "0.05" */
    char *
        outcomes; /* match: which go into the table; default "matched, ambiguous, left_only, right_only, rejected" */
    struct config_feeds sources;  /* harmonize: at least one, 64 at most */
    struct config_targets tables; /* harmonize: at least one, 64 at most */
    char *transform;              /* harmonize: SQL files, with commas between; absolute once read */
    char *variables;              /* harmonize: "name=value", with commas between; or NULL */
    char *lake;                   /* harmonize: one of `stores:` */
    char *revision;               /* harmonize: a word; or NULL */
    int64_t full_every_us;        /* harmonize: default 7d */
    int64_t keep_versions_us;     /* harmonize: default 30d; 0: for ever */
    int64_t time_limit_us;        /* default 10m, for a sync, a match and a harmonize 6h */
    uint64_t retries;             /* attempts after the first; default 3 */
    int64_t retry_after_us;       /* the first wait, doubled each time, at most an hour; default 10s */
    uint64_t memory_max;          /* of its worker; default 128MB */
    uint64_t result_rows;         /* query: rows of the result that are kept on record; default 20 */
    char *transaction;            /* query: "yes" (default) or "no" */
    int line;
};

struct config {
    char *path;          /* the file it was read from */
    char *name;          /* what this daemon is called in status and logs; default "ingestd" */
    char *control;       /* path of the control socket; default /run/ingestd/control */
    char *state_dir;     /* spools live here; default /var/lib/ingestd */
    char *http;          /* "127.0.0.1:9187", or NULL: no listener */
    char *log_level;     /* default "info" */
    uint64_t memory_max; /* ceiling for the daemon, default 64MB; batches are sized from it */
    uint64_t max_entry;  /* a longer entry is dead with its first 64 KB; default 16MB or memory_max / 4 */
    struct {
        char *url;           /* postgresql://… or a libpq connection string */
        char *password_file; /* or NULL */
        char *schema;        /* where our own tables live; default "ingest" */
        int64_t timeout_us;  /* a statement that takes longer is given up and tried again; default 30s */
    } postgres;
    struct config_stream *streams;
    size_t n_streams;
    struct config_database *databases;
    size_t n_databases;
    struct config_store *stores;
    size_t n_stores;
    struct config_job *jobs;
    size_t n_jobs;
    char *tenant;         /* of a tenant's file (docs/fleet.md): its name; else NULL */
    char *template;       /* the file that such a one names, and that all lines are of; else NULL */
    uint64_t workers;     /* runs at once, at most; default 4 */
    int64_t keep_runs_us; /* how long runs stay on record; default 400d */
};

/* One mistake, where it stands. */
struct config_problem {
    int line, column; /* from 1; 0 when it concerns the whole file */
    bool in_template; /* there, not in the tenant's file that was read */
    char text[400];   /* what is wrong and, where there is one, a suggestion */
};

struct config_problems {
    struct config_problem *list;
    size_t n;
    char *template;   /* the path of a tenant's template; NULL: there is none */
    bool of_template; /* what is added now is in it */
};
void config_problems_done(struct config_problems *p);

/*
 * Reads the file. On success *ret_config is the caller's own. Else -1, and every mistake is in *problems (at
 * least one). "${NAME}" in a value is taken from the environment, "${NAME:-words}" with a default; a plain
 * "${" is written "$${". `problems` must be zeroed before and is released by the caller in both cases.
 *
 * A tenant's file has two keys, `template` and `values`: then the configuration is the template, in which ${tenant} is the
 * file's name without its .yaml, and ${NAME} one of the values before it is the environment's.
 */
int config_read(const char *path, struct config **ret_config, struct config_problems *problems);
/* The same from memory, for tests and fuzzing; path is for messages, and its folder is where relative files
 * begin. */
int config_parse(const char *path, const char *text, size_t n, struct config **ret_config,
    struct config_problems *problems);
void config_free(struct config *c);
DEFINE_CLEANUP(struct config *, config_freep, config_free)

#define TENANT_NAME_MAX 23 /* characters: its user is called ingestd-NAME, and has 31 */
/* Of the first n characters. */
bool is_tenant_name(const char *name, size_t n);

/* The tenants' files in a folder, in the order of their names. What else is in it but ends in .yaml too is told in
 * `problems`, as of the whole folder. 0 or -1. */
struct config_tenants {
    char **names, **paths;
    size_t n;
};
int config_list_tenants(
    const char *folder, struct config_tenants *ret, struct config_problems *problems, struct error *err);
void config_tenants_done(struct config_tenants *t);
/* The path of a tenant's file there, a new string; NULL where that is no tenant's name. */
char *config_tenant_path(const char *folder, const char *name, struct error *err);
/* What two tenants share that each must have of its own, as words: "the control socket /run/x"; NULL: nothing. A new
 * string. */
char *config_shared(const struct config *a, const struct config *b);

/* "path:line:column: text" lines, one a problem, as a new string. */
char *config_problems_to_string(const char *path, const struct config_problems *p);

/* The effective configuration with passwords masked. The caller frees it with cJSON_Delete. */
struct cJSON *config_to_json(const struct config *c);
/* The same as YAML that could be read back (but for the masked passwords). A new string. */
char *config_to_yaml(const struct config *c);
/* The JSON Schema of the file (draft 2020-12). The caller frees it with cJSON_Delete. */
struct cJSON *config_schema(void);
/* The reference of every key as Markdown, for docs/config.md. A new string. */
char *config_reference(void);

/* First line of a password file into ret (a new string); refuses one that others may read or that is empty.
 */
int config_read_secret(const char *path, char **ret, struct error *err);

/* Names the keys that differ between the two and that a reload cannot take, as "a, b" in a new string; NULL
 * if none. */
char *config_needs_restart(const struct config *now, const struct config *wanted);
/* A copy of its own, for a stream that outlives the configuration it was made from; free accepts NULL. */
struct config_stream *config_stream_copy(const struct config_stream *from);
void config_stream_free(struct config_stream *s);
/* Releases what it holds, not itself. */
void config_stream_done(struct config_stream *s);
/* True when the two describe the same stream, so that a reload can leave it running. */
bool config_stream_equal(const struct config_stream *a, const struct config_stream *b);

/* NULL when the configuration has none of that name. */
const struct config_job *config_find_job(const struct config *c, const char *name);
const struct config_database *config_find_database(const struct config *c, const char *name);
const struct config_store *config_find_store(const struct config *c, const char *name);
/* A key of one column, as a REST resource has it; false also where there is none. */
bool config_is_one_key(const char *key);
/* The same of a list whose items may have blanks around them. */
bool config_is_one_item(const char *list);
/* Why the keys of a REST resource cannot be so together; NULL: they can. */
const char *config_rest_wrong(const struct config_rest *rest);
/* True when the two describe the same job. */
bool config_job_equal(const struct config_job *a, const struct config_job *b);
