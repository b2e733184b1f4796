#pragma once
/*
 * What the files of a harmonize share (docs/harmonize.md). The recipe is harmonize.c; each stage is a file with one function,
 * which works on this. A stage that fails leaves it so that the stage can be tried again, or the run given up.
 */
#include "db/db.h"
#include "job/folder.h"
#include "job/spec.h"
#include "lake/lake.h"
#include "store/store.h"

struct cJSON;

/* How a stage went, as it is told. */
struct stage_account {
    int64_t rows, bytes, us;
    int attempts;
};

struct harmonize {
    const struct job_spec *spec;
    const struct job_harmonize *job; /* of the spec */
    int64_t at_us;                   /* when the run began: run_at of the SQL, and "at" in the lake */

    struct job_folder folder; /* FOLDER, and its lock */
    /* folders: FOLDER/run is made anew for each run, FOLDER/lake is the cache */
    char *run_folder;
    struct db *duck; /* the ephemeral database, FOLDER/run/stage.duckdb; schemas staged, lake, out */

    struct store *lake_store;
    struct lake *lake;
    int64_t published;          /* the number of the newest pointer; 0: none */
    struct cJSON *pointer;      /* NULL: none */
    struct lake_table **tables; /* as published: n_tables of the job's, then quarantine, then delivery */
    size_t n_tables;            /* with those two */
    bool anew;                  /* everything is to be taken: no pointer, or another revision */

    struct cJSON *sources; /* what the next pointer says of them, by name (extract) */
    struct cJSON *
        told; /* per source, for the statistics: {"name", "rows", "bytes", "rejected", "full", "objects", "refused"} */
    struct cJSON *again; /* names of the sources that may have brought what they brought before (extract) */
    struct cJSON *notes; /* strings: what a person should know */
    int64_t staged_rows, rejected_rows; /* rejected: by the staging alone */
    int64_t quarantined, repaired;      /* rows of out.quarantine, by kind (transform) */

    struct lake_change *changes; /* one a table (load) */
    int64_t *versions;           /* one a table (load): -1 while it has none */
    bool *loaded;                /* one a table (load): another attempt need not do it again */
    struct cJSON *next; /* the pointer that is to be published: each attempt puts the same; NULL: none yet */
    bool lost;          /* another writer came before (load, publish): only a new run helps */
};

/* Each: 0, or -1 with the fault; account is added to. */

/* open.c: folders and the lock (busy is a transient fault), the ephemeral DuckDB, the lake as published. */
int harmonize_open(struct harmonize *h, struct db_fault *fault);
void harmonize_close(struct harmonize *h);

/* A store of the configuration. */
int harmonize_store_open(const struct job_store *from, struct store **ret_store, struct db_fault *fault);
int harmonize_store_fault(struct db_fault *fault, const struct store_fault *from);

/* extract.c, stage.c, feed_table.c, feed_objects.c: both stages, since they go on side by side. Makes the staged tables and views,
 * staged.delivery, and the rows of `h->rejects` … in out.quarantine (which it makes). Which of the two a fault is of, its first
 * word says: "stage: …". */
int harmonize_stage(
    struct harmonize *h, struct stage_account *extract, struct stage_account *stage, struct db_fault *fault);

/* transform.c, check.c: shuts the door (files, network), makes lake.* , runs the files, checks. */
int harmonize_transform(struct harmonize *h, struct stage_account *account, struct db_fault *fault);

/* load.c: Parquet files and log entries of every table. Called again after a fault, it does what is left. */
int harmonize_load(struct harmonize *h, struct stage_account *account, struct db_fault *fault);
/* What it would do, without writing: an array of {"name", "version", "inserted", "updated", "unchanged", "rows"}, a new one. */
int harmonize_would_load(struct harmonize *h, struct cJSON **ret_tables, struct db_fault *fault);
/* The same of what it did. */
struct cJSON *harmonize_loaded(const struct harmonize *h);
/* Has anything been taken, or changed, that the next run has to know of? */
bool harmonize_has_news(const struct harmonize *h);

/* publish.c: the pointer; once a day what is too old is removed from the lake. */
int harmonize_publish(struct harmonize *h, struct stage_account *account, struct db_fault *fault);
