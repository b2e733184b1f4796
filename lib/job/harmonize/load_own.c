/*
 * The rows of quarantine and delivery. A source that was read in full (a SELECT always is), or from a horizon on that an open
 * transaction held back, shows again what is wrong with rows that were there before: what the lake's quarantine has of it already
 * is left out, so that a run with nothing new writes nothing.
 */
#include "job/harmonize/ask.h"
#include "job/harmonize/load.h"
#include "util/buffer.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#define FOUND LOAD_OWN ".found" /* all of this run */
#define KNOWN LOAD_OWN ".known" /* those of them that the lake has */

/* What tells one from the other. The snapshot of a table, and the number of a row in it, are others each time. */
static const char *const same[] = {
    "target", "reason", "kind", "detail", "source", "object", "raw", "of_version", "of_line"};

static void put_name(const struct harmonize *h, const char *name, struct buffer *sql)
{
    _cleanup_free_ char *text = db_quote_text(h->duck, name);
    buffer_printf(sql, ", %s", text);
}

static void put_sources_of_objects(const struct harmonize *h, struct buffer *sql)
{
    buffer_put_string(sql, "(''");
    for (size_t i = 0; i < h->job->n_sources; i++)
        if (h->job->sources[i].store.url)
            put_name(h, h->job->sources[i].name, sql);
    buffer_put_string(sql, ")");
}

static int make_views(struct harmonize *h, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    buffer_printf(&sql,
        "CREATE SCHEMA IF NOT EXISTS " LOAD_OWN ";"
        "CREATE OR REPLACE VIEW " FOUND " AS SELECT %" PRId64 "::BIGINT AS run,"
        " make_timestamptz(%" PRId64 ") AS at, target::VARCHAR AS target, reason::VARCHAR AS reason,"
        " kind::VARCHAR AS kind, detail::VARCHAR AS detail, source::VARCHAR AS source,"
        " object::VARCHAR AS object, version::VARCHAR AS version, line::BIGINT AS line, raw::VARCHAR AS raw"
        " FROM out.quarantine;"
        "CREATE OR REPLACE VIEW " LOAD_OWN ".quarantine AS FROM " FOUND ";"
        "CREATE OR REPLACE VIEW " LOAD_OWN ".delivery AS SELECT source::VARCHAR AS source,"
        " object::VARCHAR AS object, version::VARCHAR AS etag, size::BIGINT AS size,"
        " modified::TIMESTAMPTZ AS modified, rows::BIGINT AS rows, rejected::BIGINT AS rejected,"
        " refused::VARCHAR AS refused, %" PRId64 "::BIGINT AS run, make_timestamptz(%" PRId64 ") AS taken_at"
        " FROM staged.delivery WHERE source IN ",
        h->spec->run, h->at_us, h->spec->run, h->at_us);
    put_sources_of_objects(h, &sql);
    return db_script(h->duck, buffer_string(&sql), NULL, fault);
}

/* ---- what the lake has already ---- */

/* " WHERE source IN (…)", of those that may bring something again. */
static void put_again(const struct harmonize *h, struct buffer *sql)
{
    const cJSON *name;
    buffer_put_string(sql, " WHERE source IN (''");
    cJSON_ArrayForEach(name, h->again) put_name(h, cJSON_GetStringValue(name), sql);
    buffer_put_string(sql, ")");
}

/* Rows of that kind in `from`, with the columns that tell them apart. */
static void put_comparable(const struct harmonize *h, const char *from, struct buffer *sql)
{
    buffer_put_string(sql, "(SELECT *, CASE WHEN source IN ");
    put_sources_of_objects(h, sql);
    buffer_put_string(sql, " THEN version END AS of_version, CASE WHEN source IN ");
    put_sources_of_objects(h, sql);
    buffer_printf(sql, " THEN line END AS of_line FROM %s", from);
    put_again(h, sql);
    buffer_put_string(sql, ")");
}

static void put_same(struct buffer *sql)
{
    for (size_t i = 0; i < N_ELEMENTS(same); i++)
        buffer_printf(sql, "%s%s", i ? ", " : "", same[i]);
}

/* The quarantine may be larger than memory: of it only rows are kept whose hash one of this run has too. */
static int find_known(struct harmonize *h, const char *files, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *there = xasprintf("read_parquet(%s)", files);
    buffer_put_string(&sql, "CREATE OR REPLACE TABLE " KNOWN " AS SELECT ");
    put_same(&sql);
    buffer_put_string(&sql, " FROM ");
    put_comparable(h, there, &sql);
    buffer_put_string(&sql, " WHERE hash(");
    put_same(&sql);
    buffer_put_string(&sql, ") IN (SELECT hash(");
    put_same(&sql);
    buffer_put_string(&sql, ") FROM ");
    put_comparable(h, FOUND, &sql);
    buffer_put_string(&sql, ")");
    return db_query(h->duck, buffer_string(&sql), 0, NULL, NULL, fault);
}

static int leave_out_known(struct harmonize *h, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    buffer_put_string(&sql, "CREATE OR REPLACE VIEW " LOAD_OWN ".quarantine AS SELECT f.* FROM " FOUND
                            " f ANTI JOIN " KNOWN " k ON true");
    for (size_t i = 0; i < N_ELEMENTS(same); i++) {
        bool of_object = strncmp(same[i], "of_", 3) == 0;
        buffer_printf(&sql, " AND k.%s IS NOT DISTINCT FROM ", same[i]);
        if (of_object) {
            buffer_put_string(&sql, "CASE WHEN f.source IN ");
            put_sources_of_objects(h, &sql);
            buffer_printf(&sql, " THEN f.%s END", same[i] + 3);
        } else
            buffer_printf(&sql, "f.%s", same[i]);
    }
    return db_query(h->duck, buffer_string(&sql), 0, NULL, NULL, fault);
}

/* 1: some of this run are of a source that may bring something again. */
static int may_be_known(struct harmonize *h, struct db_fault *fault)
{
    int64_t n;
    _cleanup_buffer_ struct buffer sql = {0};
    buffer_put_string(&sql, "SELECT count(*) FROM " FOUND);
    put_again(h, &sql);
    return harmonize_numbers(h, buffer_string(&sql), 1, &n, fault) < 0 ? -1 : n > 0;
}

int load_make_own(struct harmonize *h, struct db_fault *fault)
{
    size_t n_files;
    _cleanup_free_ char *files = NULL;
    const struct lake_table *quarantine = h->tables[h->job->n_tables];
    if (make_views(h, fault) < 0)
        return -1;
    lake_table_files(quarantine, &n_files);
    int may_be = n_files > 0 ? may_be_known(h, fault) : 0;
    if (may_be <= 0)
        return may_be;
    if (lake_table_list(h->lake, quarantine, &files, fault) < 0)
        return error_prefix(&fault->error, "table quarantine");
    return find_known(h, files, fault) < 0 ? -1 : leave_out_known(h, fault);
}
