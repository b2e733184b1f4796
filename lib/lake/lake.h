#pragma once
/*
 * Delta Lake tables in a store: Parquet files that DuckDB writes, and a transaction log that we write (the Delta protocol,
 * https://github.com/delta-io/delta/blob/master/PROTOCOL.md, reader version 1, writer version 2). Each table is a folder of
 * the lake, `provider/`, with its log in `provider/_delta_log/`.
 *
 * A version of a table comes to be by one put-if-absent of its log entry, so of two writers one alone wins. Several tables
 * change together by the published pointer: `_published/NNN.json` (20 digits), put-if-absent too, which says of each table
 * which version belongs to it. What lies above the pointer's versions was left by a run that was killed: the next commit
 * is the difference to what should be there, and so mends it. Therefore the tables are ours alone to write: what another
 * program commits to them behind the published version is undone by the next run.
 */
#include "db/db.h"
#include "store/store.h"

struct cJSON;
struct lake;
struct lake_table;

struct lake_options {
    struct store *store; /* stays the caller's */
    struct db *duck;     /* DuckDB, the caller's; it may read and write `folder` */
    const char *folder;  /* of this run: what is written lies here until it is put */
    const char
        *cache; /* of a lake that is no folder of this machine: copies of its files, kept from run to run */
    const char *writer; /* "ingestd/0.1.0 clinic omop": who, for the log */
    /* "quarantine.raw": columns whose least and greatest values the log does not tell, NULL behind the last. The list stays
     * the caller's, as long as the lake. NULL: of all it does */
    const char *const *untold;
};
int lake_open(const struct lake_options *options, struct lake **ret_lake, struct db_fault *fault);
void lake_free(struct lake *l);
DEFINE_CLEANUP(struct lake *, lake_freep, lake_free)

/* ---- the published pointer (pointer.c) ---- */

/* The newest: its number from 1, and what was published, a new object. Number 0 and NULL: nothing was ever. */
int lake_published(struct lake *l, int64_t *ret_number, struct cJSON **ret_pointer, struct db_fault *fault);
/* Is there a newer one than that by now? Then *ret_lost, a transient fault: what is made from it would come to nothing. */
int lake_check_published(struct lake *l, int64_t number, bool *ret_lost, struct db_fault *fault);
/* Makes number + 1. pointer: {"tables": {"provider": {"version": 12}, …}, …}: what else is in it is the caller's. *ret_lost:
 * somebody else has made it meanwhile, which is a transient fault. One that is there with the same words is our own, put by an
 * attempt whose answer was lost: a success. So what tells this run from others has to be in it, and nothing of the attempt. */
int lake_publish(
    struct lake *l, int64_t number, const struct cJSON *pointer, bool *ret_lost, struct db_fault *fault);

/* ---- a table as of a version (log.c, snapshot.c) ---- */

struct lake_file {
    char *path;   /* below the table's folder, decoded */
    char *entry;  /* the same as it stands in the log: URL-encoded */
    int64_t size; /* bytes */
    int64_t rows; /* -1: its statistics do not say */
    char *stats;  /* as they stand in the log; or NULL */
    int64_t modified_ms;
};

/* version LAKE_NEWEST: the newest. Of a table without a log the newest is -1, and it has no files. LAKE_NOTHING: as if it
 * had no log, which is what a lake without a pointer has published, whatever a run that was killed left. Refuses what it does
 * not understand: a higher protocol, a table that is partitioned, a log with a hole. */
#define LAKE_NEWEST  (-1)
#define LAKE_NOTHING (-2)
int lake_table_open(
    struct lake *l, const char *name, int64_t version, struct lake_table **ret_table, struct db_fault *fault);
void lake_table_free(struct lake_table *t);
DEFINE_CLEANUP(struct lake_table *, lake_table_freep, lake_table_free)

/* Is there no newer version in its log? Of one that was opened as if it had no log: has it none? */
int lake_table_is_newest(
    struct lake *l, const struct lake_table *t, bool *ret_newest, struct db_fault *fault);

const char *lake_table_name(const struct lake_table *t);
int64_t lake_table_version(const struct lake_table *t);
int64_t lake_table_rows(const struct lake_table *t); /* -1: not known */
int64_t lake_table_bytes(const struct lake_table *t);
const struct lake_file *lake_table_files(const struct lake_table *t, size_t *ret_n);
/* The column of its schema, in order: name and DuckDB's type ("BIGINT", "VARCHAR"); NULL behind the last. */
const char *lake_table_column(const struct lake_table *t, size_t i, const char **ret_type);
/* DuckDB's list of its files as they can be read here, "['/…/a.parquet', …]", a new string; "[]" when there are none. What is
 * not here yet is fetched into the cache. */
int lake_table_list(struct lake *l, const struct lake_table *t, char **ret_list, struct db_fault *fault);

/* ---- what is to be there next (write.c, merge.c) ---- */

/* The files that a new version is to consist of. */
struct lake_change {
    struct lake_file *files; /* all of them, the new ones first */
    size_t n_files, n_new;
    int64_t inserted, updated, unchanged; /* rows */
    int64_t bytes;                        /* of the new files */
    char *schema;                         /* as it stands in the log's metaData */
};
void lake_change_done(struct lake_change *c);

/*
 * rows: the table in DuckDB that holds them ("out.provider"), as SQL names it. Their columns, by name, are those of the
 * table; a column that the table does not have yet is added to it and is NULL in what was there, one that the rows lack is
 * NULL in them; a column of another type is a fault. New Parquet files (zstd) are written into the folder and put into the
 * store, under names nobody had before: until the commit nobody sees them. Where small files have become many, their rows
 * are written together with the new ones.
 */
int lake_append(struct lake *l, const struct lake_table *t, const char *rows, struct lake_change *ret_change,
    struct db_fault *fault);
/* key: columns, no two rows of `rows` have the same, and none is NULL in it. Rows of a key that is there replace it where they
 * differ in any column (NULL is equal to NULL); files without such a row stay as they are. */
int lake_merge(struct lake *l, const struct lake_table *t, const char *rows, const char *const *key,
    size_t n_key, struct lake_change *ret_change, struct db_fault *fault);

/*
 * Writes the version behind the newest in the log, so that the table is what `change` says, whatever the newest is: what was left
 * there by a run that was killed is removed. t: what the change was made from. Nothing is written when the newest is just
 * so. *ret_version: the version that holds it. *ret_lost: another writer came before, a transient fault. Every tenth version gets a
 * checkpoint, whose failure is no failure (*ret_note, a new string or NULL).
 * operation: "MERGE", "WRITE".
 */
int lake_commit(struct lake *l, const struct lake_table *t, const struct lake_change *change,
    const char *operation, int64_t *ret_version, char **ret_note, bool *ret_lost, struct db_fault *fault);

/* ---- what nobody needs any more (vacuum.c) ---- */

/* Removes what is older than keep_us and needed by nothing that is younger: files of the named tables which are in no version that
 * was there then or came later, and in none of a pointer that is kept; entries of their logs that are behind a checkpoint, which is all that reading those needs; and pointers, but for the one that was the newest then, and
 * the one before the newest. Counts what it removed. */
int lake_vacuum(struct lake *l, const char *const *names, size_t n_names, int64_t keep_us,
    int64_t *ret_removed, int64_t *ret_bytes, struct db_fault *fault);
