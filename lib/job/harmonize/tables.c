/* What a run did, or would do, to each table of the lake; and whether that is anything. */
#include "job/harmonize/ask.h"
#include "job/harmonize/harmonize.h"
#include "job/harmonize/load.h"
#include "job/member.h"
#include "util/buffer.h"

#include <cjson/cJSON.h>

static const char *name_of(const struct harmonize *h, size_t i)
{
    return lake_table_name(h->tables[i]);
}

/* ---- what came of it ---- */

static cJSON *new_table(const struct harmonize *h, size_t i, const struct lake_change *c, int64_t version)
{
    cJSON *o = cJSON_CreateObject();
    int64_t rows = MAX(lake_table_rows(h->tables[i]), 0);
    cJSON_AddStringToObject(o, "name", name_of(h, i));
    member_add_int(o, "version", version);
    member_add_int(o, "inserted", c->inserted);
    member_add_int(o, "updated", c->updated);
    member_add_int(o, "unchanged", c->unchanged);
    member_add_int(o, "rows", rows + c->inserted);
    return o;
}

cJSON *harmonize_loaded(const struct harmonize *h)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < h->n_tables && h->changes; i++)
        cJSON_AddItemToArray(list, new_table(h, i, &h->changes[i], h->versions[i]));
    return list;
}

static bool has_changed(const struct harmonize *h)
{
    for (size_t i = 0; i < h->n_tables && h->changes; i++)
        if (h->changes[i].inserted + h->changes[i].updated > 0 ||
            h->versions[i] != lake_table_version(h->tables[i]))
            return true;
    return false;
}

/* Rows of a table that are the newest there are: the next run is to begin behind them, also where they changed nothing. Of a
 * SELECT all rows come at every run. */
static bool has_read(const struct harmonize *h)
{
    const cJSON *told;
    cJSON_ArrayForEach(told, h->told)
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(told, "name"));
        int64_t rows = 0;
        member_int(cJSON_GetObjectItemCaseSensitive(told, "rows"), &rows);
        for (size_t i = 0; name && i < h->job->n_sources; i++)
            if (rows > 0 && h->job->sources[i].table && strcmp(h->job->sources[i].name, name) == 0)
                return true;
    }
    return false;
}

bool harmonize_has_news(const struct harmonize *h)
{
    return has_changed(h) || has_read(h) || (h->anew && h->pointer);
}

/* ---- what would come of it ---- */

/* In how far a row of `out` (o) and the one of the lake with its key (l) differ: a column that one of them lacks is NULL in it. */
static void put_difference(
    const struct lake_table *t, const cJSON *columns, const struct db *duck, struct buffer *sql)
{
    const cJSON *column;
    const char *type, *name;
    buffer_put_string(sql, "false");
    cJSON_ArrayForEach(column, columns)
    {
        _cleanup_free_ char *quoted = db_quote_name(duck, NULL, column->valuestring);
        bool there = false;
        for (size_t i = 0; !there && (name = lake_table_column(t, i, &type)); i++)
            there = strcmp(name, column->valuestring) == 0;
        if (there)
            buffer_printf(sql, " OR o.%s IS DISTINCT FROM l.%s", quoted, quoted);
        else
            buffer_printf(sql, " OR o.%s IS NOT NULL", quoted);
    }
}

static void put_join(const struct harmonize *h, size_t i, struct buffer *sql)
{
    const struct job_words *key = &h->job->tables[i].key;
    _cleanup_free_ char *rows = load_rows_of(h, i), *there = db_quote_name(h->duck, "lake", name_of(h, i));
    buffer_printf(
        sql, " FROM %s o LEFT JOIN (SELECT *, true AS ingestd_there FROM %s) l USING (", rows, there);
    for (size_t k = 0; k < key->n; k++) {
        _cleanup_free_ char *column = db_quote_name(h->duck, NULL, key->list[k]);
        buffer_printf(sql, "%s%s", k > 0 ? ", " : "", column);
    }
    buffer_put_string(sql, ")");
}

/* A column of the lake that the rows lack is NULL in them: a difference that their own columns do not tell. */
static void put_lacking(
    const struct lake_table *t, const cJSON *columns, const struct db *duck, struct buffer *sql)
{
    const char *type, *name;
    for (size_t i = 0; (name = lake_table_column(t, i, &type)); i++) {
        const cJSON *column;
        bool there = false;
        _cleanup_free_ char *quoted = db_quote_name(duck, NULL, name);
        cJSON_ArrayForEach(column, columns)
        {
            there |= strcmp(column->valuestring, name) == 0;
        }
        if (!there)
            buffer_printf(sql, " OR l.%s IS NOT NULL", quoted);
    }
}

static int would_merge(struct harmonize *h, size_t i, struct lake_change *ret, struct db_fault *fault)
{
    int64_t counts[3];
    _cleanup_buffer_ struct buffer sql = {0};
    cJSON *columns = NULL;
    if (harmonize_columns(h, "out", name_of(h, i), &columns, fault) < 0)
        return -1;
    buffer_put_string(
        &sql, "SELECT count(*), count(*) FILTER (ingestd_there), count(*) FILTER (ingestd_there AND (");
    put_difference(h->tables[i], columns, h->duck, &sql);
    put_lacking(h->tables[i], columns, h->duck, &sql);
    buffer_put_string(&sql, "))");
    put_join(h, i, &sql);
    cJSON_Delete(columns);
    if (harmonize_numbers(h, buffer_string(&sql), N_ELEMENTS(counts), counts, fault) < 0)
        return -1;
    *ret = (struct lake_change){
        .inserted = counts[0] - counts[1], .updated = counts[2], .unchanged = counts[1] - counts[2]};
    return 0;
}

static int would_append(struct harmonize *h, size_t i, struct lake_change *ret, struct db_fault *fault)
{
    _cleanup_free_ char *rows = load_rows_of(h, i);
    *ret = (struct lake_change){0};
    return harmonize_count(h, rows, &ret->inserted, fault);
}

int harmonize_would_load(struct harmonize *h, cJSON **ret_tables, struct db_fault *fault)
{
    cJSON *list = cJSON_CreateArray();
    int r = load_make_own(h, fault);
    for (size_t i = 0; r == 0 && i < h->n_tables; i++) {
        struct lake_change change = {0};
        r = load_is_own(h, i) ? would_append(h, i, &change, fault) : would_merge(h, i, &change, fault);
        if (r == 0)
            cJSON_AddItemToArray(list, new_table(h, i, &change, lake_table_version(h->tables[i])));
    }
    if (r < 0)
        cJSON_Delete(list);
    else
        *ret_tables = list;
    return r;
}
