/*
 * A merge by key. The rows are joined with what is there once, and of each pair is kept which row it is, which file the other
 * one is in, and whether they are equal. Files with a row that is replaced are written anew without those rows, together with
 * what is new; all others stay.
 */
#include "lake/inside.h"

#include "db/load.h"

#include <inttypes.h>

/* row: of the rows; file: in which its key is, by its number in the table, NULL for none; same. A key that is in the table
 * twice is here twice. */
#define HITS    "temp.lake_hit"
#define CHANGED "SELECT row FROM " HITS " WHERE file IS NOT NULL AND NOT same"

struct merge {
    struct lake *l;
    const struct lake_table *t;
    const char *rows; /* the table's name in SQL */
    const char *const *key;
    size_t n_key;
    struct lake_columns all, have, old; /* of both; of the rows; of the files that are there */
    bool *rewrite;                      /* of each file */
    struct lake_change change;
};

static void merge_done(struct merge *m)
{
    struct db_fault ignored;
    lake_columns_done(&m->all);
    lake_columns_done(&m->have);
    lake_columns_done(&m->old);
    lake_change_done(&m->change);
    free(m->rewrite);
    db_script(m->l->duck, "DROP TABLE IF EXISTS " HITS, NULL, &ignored);
}

static int get_count(struct merge *m, const char *sql, int64_t *ret, struct db_fault *fault)
{
    _cleanup_free_ char *value = NULL;
    if (db_value(m->l->duck, sql, 0, NULL, &value, fault) < 0)
        return -1;
    *ret = value ? strtoll(value, NULL, 10) : 0;
    return 0;
}

/* ---- a change of rows that are only added ---- */

static char *parquet(const char *list)
{
    return xasprintf("read_parquet(%s, union_by_name = true)", list);
}

/* SELECT … FROM the files that are picked. */
static int put_old_rows(struct merge *m, struct buffer *sql, const char *behind, struct db_fault *fault)
{
    _cleanup_free_ char *list = NULL;
    if (lake_list_files(m->l, m->t, m->rewrite, &list, fault) < 0)
        return -1;
    if (!list)
        return 0;
    _cleanup_free_ char *from = parquet(list);
    buffer_put_string(sql, " UNION ALL SELECT ");
    write_select(m->l, sql, &m->all, &m->old, "t");
    buffer_printf(sql, " FROM %s AS t%s", from, behind);
    return 0;
}

static int describe_old(struct merge *m, const char *list, struct db_fault *fault)
{
    _cleanup_free_ char *from = parquet(list);
    struct lake_columns found = {0};
    if (lake_columns_of(m->l, from, &found, fault) < 0)
        return -1;
    m->old = found;
    return 0;
}

static void keep_others(struct merge *m)
{
    for (size_t i = 0; i < m->t->n_files; i++)
        if (!m->rewrite[i])
            change_add(&m->change, &m->t->files[i]);
}

static int append(struct merge *m, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *count = xasprintf("SELECT count(*) FROM %s", m->rows), *list = NULL;
    bool small = write_pick_small(m->t, m->rewrite);
    if (get_count(m, count, &m->change.inserted, fault) < 0)
        return -1;
    if (small && (lake_table_list(m->l, m->t, &list, fault) < 0 || describe_old(m, list, fault) < 0))
        return -1;
    buffer_put_string(&sql, "SELECT ");
    write_select(m->l, &sql, &m->all, &m->have, "r");
    buffer_printf(&sql, " FROM %s AS r", m->rows);
    if (put_old_rows(m, &sql, "", fault) < 0)
        return -1;
    if (m->change.inserted > 0 &&
        write_files(m->l, m->t, &m->all, buffer_string(&sql), &m->change, fault) < 0)
        return -1;
    if (m->change.inserted == 0)
        memset(m->rewrite, 0, m->t->n_files * sizeof(bool));
    keep_others(m);
    return 0;
}

static int begin(struct merge *m, struct db_fault *fault)
{
    *fault = (struct db_fault){0};
    m->rewrite = xcalloc(m->t->n_files + 1, sizeof(bool));
    return write_columns(m->l, m->t, m->rows, &m->all, &m->have, &m->change.schema, fault);
}

int lake_append(struct lake *l, const struct lake_table *t, const char *rows, struct lake_change *ret_change,
    struct db_fault *fault)
{
    _cleanup_(merge_done) struct merge m = {.l = l, .t = t, .rows = rows};
    if (begin(&m, fault) < 0 || append(&m, fault) < 0)
        return -1;
    *ret_change = m.change;
    m.change = (struct lake_change){0};
    return 0;
}

/* ---- a merge ---- */

static int check_key(const struct merge *m, struct db_fault *fault)
{
    for (size_t i = 0; i < m->n_key; i++)
        if (!lake_columns_find(&m->have, m->key[i]) ||
            (m->t->version >= 0 && !lake_columns_find(&m->t->columns, m->key[i])))
            return lake_fault(fault, false,
                "column %.100s, of the key of table %s, is not in %s: a key is of columns that both have",
                m->key[i], m->t->name,
                lake_columns_find(&m->have, m->key[i]) ? "the lake's table" : "the rows");
    return m->n_key ? 0 : lake_fault(fault, false, "table %s has no key to merge by", m->t->name);
}

/* r.a = CAST(t.a AS …) AND … */
static void put_join(const struct merge *m, struct buffer *sql)
{
    for (size_t i = 0; i < m->n_key; i++) {
        _cleanup_free_ char *name = db_quote_name(m->l->duck, NULL, m->key[i]);
        const struct lake_column *c = lake_columns_find(&m->all, m->key[i]);
        buffer_printf(
            sql, "%sCAST(r.%s AS %s) = CAST(t.%s AS %s)", i ? " AND " : "", name, c->type, name, c->type);
    }
}

/* All columns are equal, NULL being equal to NULL. */
static void put_same(const struct merge *m, struct buffer *sql)
{
    for (size_t i = 0; i < m->all.n; i++) {
        const struct lake_column *c = &m->all.list[i];
        bool ours = lake_columns_find(&m->have, c->name), theirs = lake_columns_find(&m->old, c->name);
        _cleanup_free_ char *name = db_quote_name(m->l->duck, NULL, c->name);
        buffer_put_string(sql, i ? " AND " : "");
        if (ours && theirs)
            buffer_printf(
                sql, "CAST(r.%s AS %s) IS NOT DISTINCT FROM CAST(t.%s AS %s)", name, c->type, name, c->type);
        else if (ours || theirs)
            buffer_printf(sql, "%s.%s IS NULL", ours ? "r" : "t", name);
        else
            buffer_put_string(sql, "true");
    }
}

static int find_hits(struct merge *m, const char *list, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *from = parquet(list);
    buffer_put_string(
        &sql, "CREATE OR REPLACE TEMP TABLE lake_hit AS SELECT r.rowid AS row, t.file_index AS file, ");
    put_same(m, &sql);
    buffer_printf(&sql, " AS same FROM %s AS r LEFT JOIN %s AS t ON ", m->rows, from);
    put_join(m, &sql);
    return db_query(m->l->duck, buffer_string(&sql), 0, NULL, NULL, fault);
}

static int count_hits(struct merge *m, struct db_fault *fault)
{
    struct lake_change *c = &m->change;
    int64_t all;
    _cleanup_free_ char *count = xasprintf("SELECT count(*) FROM %s", m->rows);
    if (get_count(m, count, &all, fault) < 0 ||
        get_count(m, "SELECT count(*) FROM " HITS " WHERE file IS NULL", &c->inserted, fault) < 0 ||
        get_count(m, "SELECT count(DISTINCT row) FROM (" CHANGED ")", &c->updated, fault) < 0)
        return -1;
    c->unchanged = all - c->inserted - c->updated;
    return 0;
}

static bool pick_file(void *arg, int n, const struct db_value *values)
{
    struct merge *m = arg;
    size_t file = values[0].p ? strtoul(values[0].p, NULL, 10) : 0;
    if (file < m->t->n_files)
        m->rewrite[file] = true;
    return file < m->t->n_files;
}

/* Where a key is in the table twice, both go. */
static int pick_files(struct merge *m, struct db_fault *fault)
{
    struct db_sink sink = {.row = pick_file, .arg = m};
    if (m->change.updated > 0 &&
        db_query(m->l->duck,
            "SELECT DISTINCT file FROM " HITS " WHERE file IS NOT NULL AND row IN (" CHANGED ")", 0, NULL,
            &sink, fault) < 0)
        return -1;
    if (m->change.updated > 0 && m->t->state.append_only)
        return lake_fault(fault, false,
            "table %s is append-only (delta.appendOnly), and %" PRId64
            " rows in it would be replaced: set that to false, or write to another table",
            m->t->name, m->change.updated);
    if (m->change.updated + m->change.inserted > 0)
        write_pick_small(m->t, m->rewrite);
    return 0;
}

/* The rows that are new or other than before, and of the files that are picked those that are not replaced. */
static int write_merged(struct merge *m, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0}, behind = {0};
    buffer_put_string(&sql, "SELECT ");
    write_select(m->l, &sql, &m->all, &m->have, "r");
    buffer_printf(&sql,
        " FROM %s AS r SEMI JOIN (SELECT row FROM " HITS
        " WHERE file IS NULL OR NOT same) AS h ON r.rowid = h.row",
        m->rows);
    buffer_printf(&behind,
        " ANTI JOIN (SELECT * FROM %s AS r SEMI JOIN (" CHANGED ") AS h ON r.rowid = h.row) AS r ON ",
        m->rows);
    put_join(m, &behind);
    if (put_old_rows(m, &sql, buffer_string(&behind), fault) < 0)
        return -1;
    return write_files(m->l, m->t, &m->all, buffer_string(&sql), &m->change, fault);
}

static int merge(struct merge *m, struct db_fault *fault)
{
    _cleanup_free_ char *list = NULL;
    if (lake_table_list(m->l, m->t, &list, fault) < 0 || describe_old(m, list, fault) < 0 ||
        find_hits(m, list, fault) < 0 || count_hits(m, fault) < 0 || pick_files(m, fault) < 0)
        return -1;
    if (m->change.inserted + m->change.updated > 0 && write_merged(m, fault) < 0)
        return -1;
    keep_others(m);
    return 0;
}

int lake_merge(struct lake *l, const struct lake_table *t, const char *rows, const char *const *key,
    size_t n_key, struct lake_change *ret_change, struct db_fault *fault)
{
    _cleanup_(merge_done) struct merge m = {.l = l, .t = t, .rows = rows, .key = key, .n_key = n_key};
    if (begin(&m, fault) < 0 || check_key(&m, fault) < 0)
        return -1;
    if ((t->n_files ? merge(&m, fault) : append(&m, fault)) < 0)
        return -1;
    *ret_change = m.change;
    m.change = (struct lake_change){0};
    return 0;
}
