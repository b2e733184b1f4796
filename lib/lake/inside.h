#pragma once
/* What the files of this room share. */
#include "lake/log.h"

#define LOG_FOLDER     "_delta_log/"
#define POINTER_FOLDER "_published/"

struct lake {
    struct store *store;
    struct db *duck;
    char *folder, *cache, *writer; /* cache: or NULL */
    const char *const *untold;     /* or NULL */
};

struct lake_column {
    char *name;
    char *type;    /* DuckDB's */
    bool required; /* never NULL */
};

struct lake_columns {
    struct lake_column *list;
    size_t n;
};

struct lake_table {
    char *name;
    int64_t version;
    int64_t checkpoint; /* the version of the checkpoint that it was read from; -1: from the first entry */
    struct log_state state;
    struct lake_file *files; /* borrowed of state */
    size_t n_files;
    struct lake_columns columns;
};

/* ---- lake.c ---- */

/* Write the fault and return -1. */
int lake_fault(struct db_fault *fault, bool transient, const char *fmt, ...) _printf_(3, 4);
int lake_store_fault(struct db_fault *fault, const struct store_fault *store);
/* "provider/_delta_log/00000000000000000007" and what is behind it, a new string. */
char *lake_log_key(const char *table, int64_t version, const char *suffix);
/* A key whose last part begins with a version of 20 digits: it, and what is behind it; -1: none. */
int64_t lake_key_version(const char *name, const char **ret_rest);
int64_t lake_now_ms(void);
/* A new folder below that of the run, emptied; a new string. */
char *lake_scratch(struct lake *l, const char *name, struct db_fault *fault);
/* The folder and the files in it. */
void lake_scratch_remove(const char *path);
/* Of paths, for tsearch(3). */
int lake_path_order(const void *a, const void *b);

/* ---- pointer.c ---- */

int lake_pointer_read(struct lake *l, int64_t number, struct cJSON **ret_pointer, struct db_fault *fault);

/* ---- state.c ---- */

void lake_file_done(struct lake_file *f);
void lake_file_copy(struct lake_file *to, const struct lake_file *from);
/* Takes what f holds. */
int log_put_file(struct log_state *s, struct log_file *f, struct error *err);

/* ---- snapshot.c ---- */

/* Makes of it the table as of the version behind its own. */
int lake_table_next(struct lake *l, struct lake_table *t, struct db_fault *fault);

/* ---- schema.c ---- */

void lake_columns_done(struct lake_columns *c);
void lake_columns_add(struct lake_columns *c, const char *name, const char *type, bool required);
const struct lake_column *lake_columns_find(const struct lake_columns *c, const char *name);
/* Of a metaData's schemaString. */
int lake_schema_read(const char *schema, struct lake_columns *ret_columns, struct error *err);
/* The schema (or NULL: none yet) with these columns behind its own, a new string. */
char *lake_schema_add(const char *schema, const struct lake_columns *more);
/* The columns of what SQL names, in order. */
int lake_columns_of(
    struct lake *l, const char *sql, struct lake_columns *ret_columns, struct db_fault *fault);

/* ---- commit.c: actions as JSON, for the caller to free ---- */

struct cJSON *lake_add_action(const struct lake_file *f);
struct cJSON *lake_remove_action(const struct lake_file *f, int64_t removed_ms);
struct cJSON *lake_protocol_action(const struct log_state *s);
struct cJSON *lake_metadata_action(const struct log_state *s);

/* ---- checkpoint.c ---- */

/* Reads a checkpoint's files, which lie here. */
int checkpoint_read(struct lake *l, const char *list, struct log_state *state, struct db_fault *fault);
/* Writes that of the table's version, and says so in _last_checkpoint. */
int checkpoint_write(struct lake *l, const struct lake_table *t, struct db_fault *fault);

/* ---- cache.c ---- */

/* Where a key's file can be read here; one that is not here is fetched into the folder, or the cache. A new string. */
char *lake_local(struct lake *l, const char *key, const char *fetched, int64_t size, struct db_fault *fault);
/* DuckDB's list of paths; what would be a pattern to it is refused. */
int lake_list_add(struct lake *l, struct buffer *list, const char *path, struct db_fault *fault);
/* lake_table_list() of those that are picked (NULL: all); none of them is no list. */
int lake_list_files(
    struct lake *l, const struct lake_table *t, const bool *picked, char **ret_list, struct db_fault *fault);
/* Puts a new file of the table into the store, and into the cache where there is one. */
int lake_upload(
    struct lake *l, const char *table, const char *path, const char *name, struct db_fault *fault);

/* ---- write.c, stats.c ---- */

/* The columns that table and rows have together; the new ones of the rows last, and again in *ret_new. */
int write_columns(struct lake *l, const struct lake_table *t, const char *rows, struct lake_columns *ret_all,
    struct lake_columns *ret_rows, char **ret_schema, struct db_fault *fault);
/* Puts a SELECT's list of these columns: of `alias`, whose own are `have`; the others are NULL. */
void write_select(struct lake *l, struct buffer *sql, const struct lake_columns *all,
    const struct lake_columns *have, const char *alias);
/* Writes what the SELECT returns as files into the store, and puts them before the change's others. */
int write_files(struct lake *l, const struct lake_table *t, const struct lake_columns *columns,
    const char *select, struct lake_change *change, struct db_fault *fault);
/* A file of the table: its size, rows and stats. */
int stats_read(struct lake *l, const char *table, const char *path, const struct lake_columns *columns,
    struct lake_file *ret_file, struct db_fault *fault);
/* Marks the small files where there are many of them: true. */
bool write_pick_small(const struct lake_table *t, bool *rewrite);
/* Behind the change's files, copies. */
void change_add(struct lake_change *c, const struct lake_file *f);
