#include "job/harmonize/feed_table.h"

#include "db/load.h"
#include "job/job.h"
#include "util/buffer.h"

#include <nettle/sha2.h>

#define TABLE_SQL                                                                                            \
    "SELECT c.oid, c.relkind, pg_catalog.row_security_active(c.oid) FROM pg_catalog.pg_class c"              \
    " WHERE c.oid = pg_catalog.to_regclass($1)"
/* What is dropped keeps its place in the catalog. */
#define COLUMNS_SQL                                                                                          \
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),"                                     \
    " CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END"                    \
    " FROM pg_catalog.pg_attribute a"                                                                        \
    " LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"                    \
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
/* A partitioned table has no rows of its own; one that others inherit from has. */
#define PARTS_SQL                                                                                            \
    "WITH RECURSIVE part AS (SELECT $1::oid AS oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i"    \
    " JOIN part ON part.oid = i.inhparent) "                                                                 \
    "SELECT coalesce(string_agg(c.oid::text, ',' ORDER BY c.oid), ''),"                                      \
    " coalesce(bool_and(c.relkind = 'r' AND m.amname = 'heap'), true) FROM part"                             \
    " JOIN pg_catalog.pg_class c ON c.oid = part.oid LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam"        \
    " WHERE c.relkind <> 'p'"

void table_facts_done(struct table_facts *t)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        free(t->columns[i].name);
        free(t->columns[i].type);
        free(t->columns[i].expression);
    }
    free(t->columns);
    free(t->oid);
    free(t->parts);
    *t = (struct table_facts){0};
}

static char *text_of(const struct db_value *v)
{
    return v->p ? xstrndup(v->p, v->n) : NULL;
}

static bool is_true(const struct db_value *v)
{
    return v->p && v->n > 0 && v->p[0] == 't';
}

static bool take_table(void *arg, int n, const struct db_value *v)
{
    struct table_facts *t = arg;
    if (n != 3 || !v[0].p || !v[1].p || v[1].n != 1)
        return false;
    t->oid = text_of(&v[0]);
    t->kind = v[1].p[0];
    t->guarded = is_true(&v[2]);
    return true;
}

static bool take_column(void *arg, int n, const struct db_value *v)
{
    struct table_facts *t = arg;
    if (n != 3 || !v[0].p || !v[1].p)
        return false;
    t->columns = xrealloc(t->columns, t->n_columns + 1, sizeof(*t->columns));
    t->columns[t->n_columns++] = (struct table_column){text_of(&v[0]), text_of(&v[1]), text_of(&v[2])};
    return true;
}

static bool take_parts(void *arg, int n, const struct db_value *v)
{
    struct table_facts *t = arg;
    if (n != 2 || !v[0].p || t->parts)
        return false;
    t->parts = text_of(&v[0]);
    t->plain = (t->kind == 'r' || t->kind == 'p') && is_true(&v[1]);
    return true;
}

static int read_all(struct db *db, const char *table, struct table_facts *t, struct db_fault *fault)
{
    const struct db_sink tables = {.row = take_table, .arg = t}, columns = {.row = take_column, .arg = t},
                         parts = {.row = take_parts, .arg = t};
    if (db_query(db, TABLE_SQL, 1, (const char *const[]){table}, &tables, fault) < 0)
        return -1;
    if (!t->oid)
        return 0;
    if (db_query(db, COLUMNS_SQL, 1, (const char *const[]){t->oid}, &columns, fault) < 0)
        return -1;
    return db_query(db, PARTS_SQL, 1, (const char *const[]){t->oid}, &parts, fault);
}

int table_facts_read(
    const struct snapshot *snapshot, const char *name, struct table_facts *ret, struct db_fault *fault)
{
    _cleanup_free_ char *table = snapshot_table(snapshot->db, name);
    _cleanup_(table_facts_done) struct table_facts t = {0};
    if (read_all(snapshot->db, table, &t, fault) < 0)
        return -1;
    if (!t.oid)
        return job_refuse(
            fault, "%.200s has no table %.100s: check `table:` of the source", db_label(snapshot->db), name);
    if (t.n_columns == 0)
        return job_refuse(fault, "%.200s: the table %.100s has no columns", db_label(snapshot->db), name);
    *ret = t;
    t = (struct table_facts){0};
    return 0;
}

/* ---- is it the same? ---- */

static void add(struct sha256_ctx *sum, const char *word)
{
    sha256_update(sum, word ? strlen(word) + 1 : 1, (const uint8_t *)(word ? word : "\1"));
}

char *table_fingerprint(const struct snapshot *snapshot, const struct table_facts *t)
{
    uint8_t digest[16];
    struct sha256_ctx sum;
    _cleanup_buffer_ struct buffer out = {0};
    sha256_init(&sum);
    for (size_t i = 0; i < t->n_columns; i++) {
        add(&sum, t->columns[i].name);
        add(&sum, t->columns[i].type);
        add(&sum, t->columns[i].expression);
    }
    sha256_digest(&sum, sizeof(digest), digest);
    buffer_printf(&out, "%s:%s:", snapshot->cluster, t->oid);
    for (size_t i = 0; i < sizeof(digest); i++)
        buffer_printf(&out, "%02x", digest[i]);
    return xstrdup(buffer_string(&out));
}
