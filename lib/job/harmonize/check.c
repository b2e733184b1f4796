#include "job/harmonize/check.h"

#include "job/harmonize/ask.h"
#include "job/job.h"
#include "source/object_reason.h"
#include "source/reason.h"
#include "util/buffer.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#define REJECTED_ANYWAY 20 /* so many may be, whatever the percentage */

/* A key's columns, quoted, each with `before` and `behind`, and `between` them. */
static void put_key(struct buffer *sql, const struct harmonize *h, const struct job_words *key,
    const char *behind, const char *between)
{
    for (size_t i = 0; i < key->n; i++) {
        _cleanup_free_ char *column = db_quote_name(h->duck, NULL, key->list[i]);
        buffer_printf(sql, "%s%s%s", i ? between : "", column, behind);
    }
}

static const char *named(const struct buffer *b)
{
    return b->n ? b->p : "";
}

/* ---- the tables ---- */

static int check_columns(struct harmonize *h, const struct job_target *t, struct db_fault *fault)
{
    cJSON *columns = NULL;
    const cJSON *column;
    int r = harmonize_columns(h, "out", t->name, &columns, fault);
    for (size_t i = 0; r == 0 && i < t->key.n; i++) {
        bool there = false;
        cJSON_ArrayForEach(column, columns) there |=
            strcmp(cJSON_GetStringValue(column), t->key.list[i]) == 0;
        if (!there)
            r = job_refuse(fault,
                "check: out.%.64s has no column %.64s, which `key` of the table names: make it in the first "
                "SQL "
                "file, or see `tables:` of the job",
                t->name, t->key.list[i]);
    }
    cJSON_Delete(columns);
    return r;
}

static int check_null_keys(
    struct harmonize *h, const struct job_target *t, const char *out, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0}, key = {0};
    int64_t n;
    buffer_printf(&sql, "SELECT count(*) FROM %s WHERE ", out);
    put_key(&sql, h, &t->key, " IS NULL", " OR ");
    put_key(&key, h, &t->key, "", ", ");
    buffer_string(&key);
    if (harmonize_numbers(h, buffer_string(&sql), 1, &n, fault) < 0)
        return -1;
    if (n == 0)
        return 0;
    return job_refuse(fault,
        "check: %" PRId64 " rows of out.%.64s have no key (%.200s is NULL): reject such rows", n, t->name,
        named(&key));
}

/* All hashes being different says that all keys are, and needs less than to compare them. */
static int check_doubled_keys(
    struct harmonize *h, const struct job_target *t, const char *out, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0}, key = {0};
    int64_t n[2];
    put_key(&key, h, &t->key, "", ", ");
    buffer_string(&key);
    buffer_printf(&sql, "SELECT count(*), count(DISTINCT hash(%s)) FROM %s", named(&key), out);
    if (harmonize_numbers(h, buffer_string(&sql), 2, n, fault) < 0)
        return -1;
    if (n[0] == n[1])
        return 0;
    buffer_reset(&sql, 4096);
    buffer_printf(&sql,
        "SELECT count(*), sum(n) FROM (SELECT count(*) AS n FROM %s GROUP BY %s HAVING n > 1)", out,
        named(&key));
    if (harmonize_numbers(h, buffer_string(&sql), 2, n, fault) < 0)
        return -1;
    if (n[0] == 0)
        return 0;
    return job_refuse(fault,
        "check: %" PRId64 " keys (%.200s) stand in %" PRId64 " rows of out.%.64s: one row a key is wanted",
        n[0], named(&key), n[1], t->name);
}

/* ---- references ---- */

static const struct job_target *target_of(const struct harmonize *h, const char *name)
{
    for (size_t i = 0; i < h->job->n_tables; i++)
        if (strcmp(h->job->tables[i].name, name) == 0)
            return &h->job->tables[i];
    return NULL;
}

/* Every value is a key of the other table as it will be: of what is published, and of what is added. */
static int count_orphans(struct harmonize *h, const struct job_target *t, const char *column,
    const struct job_target *of, int64_t *ret, struct db_fault *fault)
{
    _cleanup_free_ char *c = db_quote_name(h->duck, NULL, column);
    _cleanup_free_ char *key = db_quote_name(h->duck, NULL, of->key.list[0]);
    _cleanup_free_ char *from = db_quote_name(h->duck, "out", t->name);
    _cleanup_free_ char *out = db_quote_name(h->duck, "out", of->name);
    _cleanup_free_ char *lake = db_quote_name(h->duck, "lake", of->name);
    _cleanup_free_ char *sql =
        xasprintf("SELECT count(*) FROM (SELECT %s AS v FROM %s WHERE %s IS NOT NULL) a"
                  " ANTI JOIN (SELECT %s AS v FROM %s) o ON o.v = a.v ANTI JOIN (SELECT %s AS v FROM %s) l "
                  "ON l.v = a.v",
            c, from, c, key, out, key, lake);
    return harmonize_numbers(h, sql, 1, ret, fault);
}

static int check_reference(
    struct harmonize *h, const struct job_target *t, const char *reference, struct db_fault *fault)
{
    const char *equal = strchr(reference, '=');
    const struct job_target *of = equal ? target_of(h, equal + 1) : NULL;
    int64_t n;
    if (!of || of->key.n != 1)
        return job_refuse(fault,
            "`references` of the table %.64s: column=table is wanted, with a table of this job whose key is "
            "one "
            "column",
            t->name);
    _cleanup_free_ char *column = xstrndup(reference, (size_t)(equal - reference));
    if (count_orphans(h, t, column, of, &n, fault) < 0)
        return -1;
    if (n == 0)
        return 0;
    return job_refuse(fault,
        "check: %" PRId64
        " rows of out.%.64s have a %.64s that is no %.64s of %.64s, neither of the published ones "
        "nor of those to be added",
        n, t->name, column, of->key.list[0], of->name);
}

static int check_table(struct harmonize *h, const struct job_target *t, int64_t *rows, struct db_fault *fault)
{
    int64_t n;
    _cleanup_free_ char *out = db_quote_name(h->duck, "out", t->name);
    if (harmonize_count(h, out, &n, fault) < 0 || check_columns(h, t, fault) < 0)
        return -1;
    *rows += n;
    if (n == 0)
        return 0;
    if (check_null_keys(h, t, out, fault) < 0 || check_doubled_keys(h, t, out, fault) < 0)
        return -1;
    for (size_t i = 0; i < t->references.n; i++)
        if (check_reference(h, t, t->references.list[i], fault) < 0)
            return -1;
    return 0;
}

/* ---- the quarantine ---- */

/* The staging has codes of its own. */
static void put_own_codes(struct buffer *sql)
{
    for (int r = 1; r < N_SOURCE_REASONS; r++)
        buffer_printf(
            sql, "%s('%s', 'rejected')", r > 1 ? ", " : "", source_reason_code((enum source_reason)r));
    for (int r = 1; r < N_OBJECT_REASONS; r++)
        buffer_printf(sql, ", ('%s', 'rejected')", object_reason_code((enum object_reason)r));
}

static int check_reasons(struct harmonize *h, struct db_fault *fault)
{
    int64_t there;
    char *unknown = NULL;
    _cleanup_buffer_ struct buffer sql = {0};
    if (harmonize_count(
            h, "duckdb_tables() WHERE schema_name = 'main' AND table_name = 'reason'", &there, fault) < 0)
        return -1;
    buffer_put_string(&sql,
        "SELECT coalesce(q.reason, 'NULL') || ' (' || coalesce(q.kind, 'NULL') || ')'"
        " FROM (SELECT DISTINCT reason, kind FROM out.quarantine) q ANTI JOIN (FROM (VALUES ");
    put_own_codes(&sql);
    buffer_printf(&sql, ") v (code, kind) %s) k ON k.code = q.reason AND k.kind = q.kind ORDER BY 1 LIMIT 1",
        there ? "UNION ALL SELECT code, kind FROM main.reason" : "");
    if (db_value(h->duck, buffer_string(&sql), 0, NULL, &unknown, fault) < 0)
        return -1;
    if (!unknown)
        return 0;
    job_refuse(fault,
        "check: out.quarantine has the reason %.100s, which the table `reason` does not have: add it there, "
        "with a "
        "sentence that says what it means",
        unknown);
    free(unknown);
    return -1;
}

static int count_quarantine(struct harmonize *h, int64_t *ret_rows, struct db_fault *fault)
{
    int64_t n[3];
    if (harmonize_numbers(h,
            "SELECT count(*) FILTER (kind = 'rejected'), count(*) FILTER (kind = 'repaired'),"
            " count(*) FILTER (kind = 'rejected' AND line IS NOT NULL) FROM out.quarantine",
            3, n, fault) < 0)
        return -1;
    h->quarantined = n[0];
    h->repaired = n[1];
    *ret_rows = n[2]; /* without the objects that were refused as a whole */
    return 0;
}

static int check_rejected(struct harmonize *h, struct db_fault *fault)
{
    int64_t rejected, all = h->staged_rows + h->rejected_rows;
    if (count_quarantine(h, &rejected, fault) < 0)
        return -1;
    if (h->job->max_rejected >= 100 || rejected <= REJECTED_ANYWAY ||
        (double)rejected * 100 <= (double)h->job->max_rejected * (double)all)
        return 0;
    return job_refuse(fault,
        "check: %" PRId64 " of %" PRId64 " rows were rejected, and at most %" PRIu64
        " %% may be (`max_rejected`): nothing is published. `ingestctl run JOB --dry-run` shows which and "
        "why",
        rejected, all, h->job->max_rejected);
}

int harmonize_check(struct harmonize *h, int64_t *ret_rows, struct db_fault *fault)
{
    int64_t rows = 0;
    for (size_t i = 0; i < h->job->n_tables; i++)
        if (check_table(h, &h->job->tables[i], &rows, fault) < 0)
            return -1;
    if (check_reasons(h, fault) < 0 || check_rejected(h, fault) < 0)
        return -1;
    *ret_rows = rows;
    return 0;
}
