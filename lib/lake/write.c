/*
 * New Parquet files. DuckDB writes them into a folder of the run, beginning another one where one has its size; from there
 * they go into the store. Rows that are few in a file of their own would make a table of thousands of files, so now and then the
 * small ones are written together anew.
 */
#include "lake/inside.h"

#include "db/load.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>

#define FILE_SIZE   "64MB" /* after so much another file is begun */
#define SMALL_FILE  (INT64_C(4) << 20)
#define SMALL_FILES 12 /* so many are written together anew */

/* Rows are in memory until their group is written, once a thread: a group has no more than so many bytes. DuckDB heeds that
 * only where the order of rows does not matter to it; where it cannot be told so (its settings are locked), there are few rows
 * in a group. */
#define GROUP_OF_BYTES "ROW_GROUP_SIZE_BYTES '12MB'"
#define GROUP_OF_ROWS  "ROW_GROUP_SIZE 8192"
#define ORDER          "preserve_insertion_order"

/* ---- columns ---- */

static int check_type(const struct lake_table *t, const struct lake_column *have,
    const struct lake_column *want, struct db_fault *fault)
{
    if (strcmp(have->type, want->type) == 0)
        return 0;
    return lake_fault(fault, false,
        "column %.100s of table %s is of the type %s in the lake, and %s in the rows: cast it to %s, or give "
        "it another "
        "name",
        have->name, t->name, have->type, want->type, have->type);
}

/* Spark makes no column of such a name, nor reads one everywhere, without column mapping. */
static int check_name(const struct lake_table *t, const char *name, struct db_fault *fault)
{
    if (*name && !strpbrk(name, " ,;{}()\n\t="))
        return 0;
    return lake_fault(fault, false,
        "column '%.100s' of table %s: a name in a Delta table has no blank, and none of ,;{}()= in it: give "
        "it "
        "another name",
        name, t->name);
}

static int check_required(struct lake *l, const struct lake_table *t, const char *rows,
    const struct lake_columns *have, struct db_fault *fault)
{
    for (size_t i = 0; i < t->columns.n; i++) {
        const struct lake_column *c = &t->columns.list[i];
        if (!c->required)
            continue;
        _cleanup_free_ char *name = db_quote_name(l->duck, NULL, c->name), *missing = NULL;
        _cleanup_free_ char *sql = xasprintf("SELECT 1 FROM %s WHERE %s IS NULL LIMIT 1", rows,
            lake_columns_find(have, c->name) ? name : "NULL");
        if (db_value(l->duck, sql, 0, NULL, &missing, fault) < 0)
            return -1;
        if (missing)
            return lake_fault(fault, false,
                "column %.100s of table %s may not be NULL, and rows have no value for it", c->name, t->name);
    }
    return 0;
}

static int match_columns(const struct lake_table *t, const struct lake_columns *rows,
    struct lake_columns *all, struct lake_columns *new, struct db_fault *fault)
{
    for (size_t i = 0; i < t->columns.n; i++)
        lake_columns_add(all, t->columns.list[i].name, t->columns.list[i].type, t->columns.list[i].required);
    for (size_t i = 0; i < rows->n; i++) {
        const struct lake_column *c = &rows->list[i], *there = lake_columns_find(&t->columns, c->name);
        if (there && check_type(t, there, c, fault) < 0)
            return -1;
        if (there)
            continue;
        if (check_name(t, c->name, fault) < 0)
            return -1;
        lake_columns_add(all, c->name, c->type, false);
        lake_columns_add(new, c->name, c->type, false);
    }
    return 0;
}

int write_columns(struct lake *l, const struct lake_table *t, const char *rows, struct lake_columns *ret_all,
    struct lake_columns *ret_rows, char **ret_schema, struct db_fault *fault)
{
    _cleanup_(lake_columns_done) struct lake_columns all = {0}, have = {0}, new = {0};
    if (lake_columns_of(l, rows, &have, fault) < 0 || match_columns(t, &have, &all, &new, fault) < 0 ||
        check_required(l, t, rows, &have, fault) < 0)
        return -1;
    *ret_schema =
        new.n || !t->state.schema ? lake_schema_add(t->state.schema, &new) : xstrdup(t->state.schema);
    *ret_all = all;
    *ret_rows = have;
    all = have = (struct lake_columns){0};
    return 0;
}

void write_select(struct lake *l, struct buffer *sql, const struct lake_columns *all,
    const struct lake_columns *have, const char *alias)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct lake_column *c = &all->list[i];
        _cleanup_free_ char *name = db_quote_name(l->duck, NULL, c->name);
        buffer_put_string(sql, i ? ", CAST(" : "CAST(");
        if (lake_columns_find(have, c->name))
            buffer_printf(sql, "%s.%s", alias, name);
        else
            buffer_put_string(sql, "NULL");
        buffer_printf(sql, " AS %s) AS %s", c->type, name);
    }
}

/* ---- files ---- */

void change_add(struct lake_change *c, const struct lake_file *f)
{
    c->files = xrealloc(c->files, c->n_files + 1, sizeof(*c->files));
    lake_file_copy(&c->files[c->n_files++], f);
}

static int keep_file(struct lake *l, const struct lake_table *t, const struct lake_columns *columns,
    const char *path, const char *name, struct lake_change *change, struct db_fault *fault)
{
    struct lake_file f = {.modified_ms = lake_now_ms()};
    int r = stats_read(l, t->name, path, columns, &f, fault);
    if (r == 0 && f.rows > 0)
        r = lake_upload(l, t->name, path, name, fault);
    if (r == 0 && f.rows > 0) {
        f.path = xstrdup(name);
        f.entry = log_encode_path(name);
        change_add(change, &f);
        change->n_new++;
        change->bytes += f.size;
    }
    lake_file_done(&f);
    return r;
}

static int keep_files(struct lake *l, const struct lake_table *t, const struct lake_columns *columns,
    const char *folder, struct lake_change *change, struct db_fault *fault)
{
    DIR *dir = opendir(folder);
    int r = 0;
    if (!dir)
        return lake_fault(fault, false, "the folder %s cannot be read: %s", folder, strerror(errno));
    for (const struct dirent *e; r == 0 && (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        _cleanup_free_ char *path = xasprintf("%s/%s", folder, e->d_name);
        r = keep_file(l, t, columns, path, e->d_name, change, fault);
    }
    closedir(dir);
    return r;
}

/* Nobody has seen them yet. */
static void give_up(struct lake *l, const struct lake_table *t, const struct lake_change *change)
{
    struct store_fault ignored;
    for (size_t i = 0; i < change->n_new; i++) {
        _cleanup_free_ char *key = xasprintf("%s/%s", t->name, change->files[i].path);
        store_remove(l->store, key, &ignored);
    }
}

static int copy(
    struct lake *l, const char *select, const char *folder, const char *group, struct db_fault *fault)
{
    _cleanup_free_ char *quoted = db_quote_text(l->duck, folder);
    _cleanup_free_ char *sql =
        xasprintf("COPY (%s) TO %s (FORMAT parquet, COMPRESSION zstd, %s, "
                  "FILE_SIZE_BYTES '" FILE_SIZE "', FILENAME_PATTERN 'part-{uuid}-c000.zstd')",
            select, quoted, group);
    return db_query(l->duck, sql, 0, NULL, NULL, fault);
}

static int copy_unordered(struct lake *l, const char *select, const char *folder, struct db_fault *fault)
{
    struct db_fault ignored;
    _cleanup_free_ char *ordered = NULL;
    if (db_value(l->duck, "SELECT current_setting('" ORDER "')", 0, NULL, &ordered, fault) < 0)
        return -1;
    if (!ordered || strcmp(ordered, "true") != 0)
        return copy(l, select, folder, GROUP_OF_BYTES, fault);
    if (db_query(l->duck, "SET " ORDER " = false", 0, NULL, NULL, &ignored) < 0)
        return copy(l, select, folder, GROUP_OF_ROWS, fault);
    int r = copy(l, select, folder, GROUP_OF_BYTES, fault);
    db_query(l->duck, "SET " ORDER " = true", 0, NULL, NULL, &ignored);
    return r;
}

int write_files(struct lake *l, const struct lake_table *t, const struct lake_columns *columns,
    const char *select, struct lake_change *change, struct db_fault *fault)
{
    _cleanup_free_ char *folder = lake_scratch(l, "parquet", fault);
    if (!folder)
        return -1;
    int r = copy_unordered(l, select, folder, fault);
    if (r == 0)
        r = keep_files(l, t, columns, folder, change, fault);
    if (r < 0)
        give_up(l, t, change);
    lake_scratch_remove(folder);
    return r;
}

/* ---- small files ---- */

bool write_pick_small(const struct lake_table *t, bool *rewrite)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_files; i++)
        n += !rewrite[i] && t->files[i].size < SMALL_FILE;
    if (n < SMALL_FILES || t->state.append_only)
        return false;
    for (size_t i = 0; i < t->n_files; i++)
        rewrite[i] |= t->files[i].size < SMALL_FILE;
    return true;
}
