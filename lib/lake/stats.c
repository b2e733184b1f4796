/*
 * What a log says of a file's values (PROTOCOL.md, "Per-file Statistics"), from the statistics that DuckDB wrote into its
 * footer: no row is read again. A bound that is not certain is left out.
 */
#include "lake/inside.h"

#include "db/load.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#define TEXT_MAX 32 /* characters of a bound */
/* Behind a bound that was cut off: greater than whatever was there. */
#define TEXT_GREATEST "\xf4\x8f\xbf\xbf"

/* How the bounds of a type are written. */
enum bound { BOUND_NONE, BOUND_NUMBER, BOUND_TEXT, BOUND_DAY, BOUND_TIME };

static enum bound bound_of(const char *type)
{
    static const struct {
        const char *type;
        enum bound bound;
    } bounds[] = {{"BIGINT", BOUND_NUMBER}, {"INTEGER", BOUND_NUMBER}, {"SMALLINT", BOUND_NUMBER},
        {"TINYINT", BOUND_NUMBER}, {"DOUBLE", BOUND_NUMBER}, {"FLOAT", BOUND_NUMBER}, {"VARCHAR", BOUND_TEXT},
        {"DATE", BOUND_DAY}, {"TIMESTAMP WITH TIME ZONE", BOUND_TIME}};
    for (size_t i = 0; i < N_ELEMENTS(bounds); i++)
        if (strcmp(bounds[i].type, type) == 0)
            return bounds[i].bound;
    return strncmp(type, "DECIMAL", 7) == 0 ? BOUND_NUMBER : BOUND_NONE;
}

/* The smallest or greatest of all row groups, where each of them that has values has one. */
static void put_bound(struct buffer *sql, const struct lake_column *c, size_t i, const char *which)
{
    enum bound bound = bound_of(c->type);
    bool max = strcmp(which, "max") == 0;
    const char *type = bound == BOUND_TIME ? "TIMESTAMP" : c->type;
    if (bound == BOUND_NONE) {
        buffer_put_string(sql, ", NULL");
        return;
    }
    _cleanup_free_ char *value = xasprintf("%s(TRY_CAST(stats_%s_value AS %s))", which, which, type);
    buffer_printf(sql,
        ", CASE WHEN bool_and(TRY_CAST(stats_%s_value AS %s) IS NOT NULL OR stats_null_count = num_values) "
        "FILTER "
        "(column_id = %zu) THEN ",
        which, type, i);
    if (bound == BOUND_TIME) /* milliseconds, the greater bound rounded up */
        buffer_printf(sql, "strftime(%s FILTER (column_id = %zu)%s, '%%Y-%%m-%%dT%%H:%%M:%%S.%%gZ')", value,
            i, max ? " + INTERVAL 999 MICROSECONDS" : "");
    else
        buffer_printf(sql, "CAST(%s FILTER (column_id = %zu) AS VARCHAR)", value, i);
    buffer_put_string(sql, " END");
}

struct reading {
    const struct lake *lake;
    const char *table;
    const struct lake_columns *columns;
    int64_t rows;
    cJSON *stats;
};

/* A log lives longer than the files it speaks of: some values are not to stand in it. */
static bool is_told(const struct reading *r, const char *column)
{
    size_t n = strlen(r->table);
    for (const char *const *u = r->lake->untold; u && *u; u++)
        if (strncmp(*u, r->table, n) == 0 && (*u)[n] == '.' && strcasecmp(*u + n + 1, column) == 0)
            return false;
    return true;
}

/* JSON has no NaN and no infinity. */
static bool is_number(const char *text)
{
    return text[strspn(text, "+-.0123456789eE")] == '\0';
}

static size_t cut(const char *text)
{
    size_t n = 0;
    for (int i = 0; text[n] && i < TEXT_MAX; i++)
        do
            n++;
        while (((unsigned char)text[n] & 0xC0) == 0x80);
    return n;
}

static void put_text_bound(cJSON *into, const char *name, const char *text, bool max)
{
    size_t n = cut(text);
    _cleanup_free_ char *bound = xasprintf("%.*s%s", (int)n, text, text[n] && max ? TEXT_GREATEST : "");
    cJSON_AddStringToObject(into, name, bound);
}

static void take_bound(cJSON *into, const struct lake_column *c, const struct db_value *v, bool max)
{
    enum bound bound = bound_of(c->type);
    if (!v->p)
        return;
    _cleanup_free_ char *text = xstrndup(v->p, v->n);
    size_t usual = bound == BOUND_DAY ? strlen("2026-01-02") : strlen("2026-01-02T03:04:05.678Z");
    if (strlen(text) != v->n)
        return;
    if (bound == BOUND_TEXT)
        put_text_bound(into, c->name, text, max);
    else if (bound == BOUND_NUMBER && is_number(text))
        cJSON_AddRawToObject(into, c->name, text);
    else if (bound != BOUND_NUMBER && strlen(text) == usual) /* years 1 to 9999 */
        cJSON_AddStringToObject(into, c->name, text);
}

static bool take_stats(void *arg, int n, const struct db_value *values)
{
    struct reading *r = arg;
    r->rows = strtoll(values[0].p ? values[0].p : "0", NULL, 10);
    r->stats = cJSON_CreateObject();
    cJSON_AddNumberToObject(r->stats, "numRecords", (double)r->rows);
    cJSON *min = cJSON_AddObjectToObject(r->stats, "minValues");
    cJSON *max = cJSON_AddObjectToObject(r->stats, "maxValues");
    cJSON *nulls = cJSON_AddObjectToObject(r->stats, "nullCount");
    for (size_t i = 0; i < r->columns->n; i++) {
        const struct lake_column *c = &r->columns->list[i];
        const struct db_value *v = &values[1 + 3 * i];
        if (is_told(r, c->name)) {
            take_bound(min, c, &v[0], false);
            take_bound(max, c, &v[1], true);
        }
        if (v[2].p)
            cJSON_AddNumberToObject(nulls, c->name, strtod(v[2].p, NULL));
    }
    return true;
}

int stats_read(struct lake *l, const char *table, const char *path, const struct lake_columns *columns,
    struct lake_file *ret_file, struct db_fault *fault)
{
    struct reading r = {.lake = l, .table = table, .columns = columns};
    struct db_sink sink = {.row = take_stats, .arg = &r};
    struct stat st;
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *quoted = db_quote_text(l->duck, path);
    if (stat(path, &st) < 0)
        return lake_fault(fault, false, "%s cannot be read: %s", path, strerror(errno));
    buffer_put_string(&sql, "SELECT sum(num_values) FILTER (column_id = 0)");
    for (size_t i = 0; i < columns->n; i++) {
        put_bound(&sql, &columns->list[i], i, "min");
        put_bound(&sql, &columns->list[i], i, "max");
        buffer_printf(&sql, ", sum(stats_null_count) FILTER (column_id = %zu)", i);
    }
    buffer_printf(&sql, " FROM parquet_metadata(%s)", quoted);
    if (db_query(l->duck, buffer_string(&sql), 0, NULL, &sink, fault) < 0)
        return -1;
    ret_file->size = st.st_size;
    ret_file->rows = r.rows;
    ret_file->stats = cJSON_PrintUnformatted(r.stats);
    cJSON_Delete(r.stats);
    return 0;
}
