/* A table's columns: Delta's names of types (PROTOCOL.md, "Schema Serialization Format") and DuckDB's. */
#include "lake/inside.h"

#include <cjson/cJSON.h>
#include <strings.h>

#define COLUMNS_MAX 2000

/* The types that are the same in both; DECIMAL(p,s) is so beside them. */
static const struct {
    const char *delta, *duck;
} types[] = {
    {"long", "BIGINT"},
    {"integer", "INTEGER"},
    {"short", "SMALLINT"},
    {"byte", "TINYINT"},
    {"double", "DOUBLE"},
    {"float", "FLOAT"},
    {"boolean", "BOOLEAN"},
    {"string", "VARCHAR"},
    {"date", "DATE"},
    {"timestamp", "TIMESTAMP WITH TIME ZONE"},
    {"binary", "BLOB"},
};

/* What DuckDB has beside them, and what to make of it. */
static const struct {
    const char *duck, *advice;
} foreign[] = {
    {"TIMESTAMP", "a time without a zone needs a newer protocol of Delta: cast it to TIMESTAMPTZ"},
    {"HUGEINT", "cast it to BIGINT or DECIMAL(38,0)"},
    {"UBIGINT", "cast it to BIGINT or DECIMAL(20,0)"},
    {"UINTEGER", "cast it to BIGINT"},
    {"USMALLINT", "cast it to INTEGER"},
    {"UTINYINT", "cast it to SMALLINT"},
    {"\"NULL\"", "give it a type: CAST(NULL AS VARCHAR)"},
};

void lake_columns_done(struct lake_columns *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->list[i].name);
        free(c->list[i].type);
    }
    free(c->list);
    *c = (struct lake_columns){0};
}

/* Delta's names differ in more than their case, as DuckDB's do. */
const struct lake_column *lake_columns_find(const struct lake_columns *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcasecmp(c->list[i].name, name) == 0)
            return &c->list[i];
    return NULL;
}

void lake_columns_add(struct lake_columns *c, const char *name, const char *type, bool required)
{
    c->list = xrealloc(c->list, c->n + 1, sizeof(*c->list));
    c->list[c->n++] = (struct lake_column){xstrdup(name), xstrdup(type), required};
}

/* ---- Delta's ---- */

/* "decimal(18,2)"; the same in capitals is DuckDB's. */
static bool read_decimal(const char *type, int *ret_width, int *ret_scale)
{
    int end = 0;
    return sscanf(type, "decimal(%2d,%2d)%n", ret_width, ret_scale, &end) == 2 && !type[end] &&
           *ret_width >= 1 && *ret_width <= 38 && *ret_scale >= 0 && *ret_scale <= *ret_width;
}

static char *duck_type(const char *delta)
{
    int width, scale;
    for (size_t i = 0; i < N_ELEMENTS(types); i++)
        if (strcmp(types[i].delta, delta) == 0)
            return xstrdup(types[i].duck);
    return read_decimal(delta, &width, &scale) ? xasprintf("DECIMAL(%d,%d)", width, scale) : NULL;
}

static int read_field(const cJSON *field, struct lake_columns *c, struct error *err)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(field, "name"));
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(field, "type");
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(field, "metadata");
    if (!name || !*name)
        return error_set(err, "a column has no name");
    if (cJSON_GetObjectItemCaseSensitive(metadata, "delta.invariants") ||
        cJSON_GetObjectItemCaseSensitive(metadata, "delta.generationExpression"))
        return error_set(err,
            "column %.100s has an invariant or an expression, which this program cannot heed: drop that, or "
            "write to "
            "another table",
            name);
    if (lake_columns_find(c, name))
        return error_set(err, "column %.100s is there twice", name);
    _cleanup_free_ char *duck = cJSON_IsString(type) ? duck_type(type->valuestring) : NULL;
    if (!duck)
        return error_set(err, "column %.100s is of the type %.40s, which this program does not know", name,
            cJSON_IsString(type) ? type->valuestring : "of a struct, list or map");
    lake_columns_add(c, name, duck, cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(field, "nullable")));
    return 0;
}

static int read_fields(const cJSON *fields, struct lake_columns *c, struct error *err)
{
    const cJSON *field;
    int n = cJSON_GetArraySize(fields);
    if (!cJSON_IsArray(fields) || n > COLUMNS_MAX)
        return error_set(err, "its schema has no list of at most %d fields", COLUMNS_MAX);
    cJSON_ArrayForEach(field, fields) if (read_field(field, c, err) < 0) return -1;
    return 0;
}

int lake_schema_read(const char *schema, struct lake_columns *ret_columns, struct error *err)
{
    struct lake_columns c = {0};
    cJSON *json = cJSON_Parse(schema);
    int r = cJSON_IsObject(json) ? read_fields(cJSON_GetObjectItemCaseSensitive(json, "fields"), &c, err)
                                 : error_set(err, "its schema is no JSON object");
    cJSON_Delete(json);
    if (r < 0) {
        lake_columns_done(&c);
        return -1;
    }
    *ret_columns = c;
    return 0;
}

static void put_delta_type(cJSON *field, const char *duck)
{
    for (size_t i = 0; i < N_ELEMENTS(types); i++)
        if (strcmp(types[i].duck, duck) == 0) {
            cJSON_AddStringToObject(field, "type", types[i].delta);
            return;
        }
    _cleanup_free_ char *decimal = xasprintf("decimal%s", duck + strlen("DECIMAL"));
    cJSON_AddStringToObject(field, "type", decimal);
}

char *lake_schema_add(const char *schema, const struct lake_columns *more)
{
    cJSON *json = cJSON_Parse(schema ? schema : "{\"type\":\"struct\",\"fields\":[]}");
    cJSON *fields = cJSON_GetObjectItemCaseSensitive(json, "fields");
    for (size_t i = 0; i < more->n; i++) {
        cJSON *field = cJSON_CreateObject();
        cJSON_AddStringToObject(field, "name", more->list[i].name);
        put_delta_type(field, more->list[i].type);
        cJSON_AddTrueToObject(field, "nullable");
        cJSON_AddObjectToObject(field, "metadata");
        cJSON_AddItemToArray(fields, field);
    }
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (!text)
        abort();
    return text;
}

/* ---- DuckDB's ---- */

struct described {
    struct lake_columns columns;
    struct db_fault fault;
    bool failed;
};

/* The type as it is written: one that is text by another name becomes VARCHAR. NULL: it cannot be. */
static const char *written_type(const char *duck)
{
    for (size_t i = 0; i < N_ELEMENTS(types); i++)
        if (strcmp(types[i].duck, duck) == 0)
            return duck;
    if (strcmp(duck, "JSON") == 0 || strcmp(duck, "UUID") == 0 || strncmp(duck, "ENUM(", 5) == 0)
        return "VARCHAR";
    return strncmp(duck, "DECIMAL(", 8) == 0 && !strchr(duck, '[') ? duck : NULL;
}

static void refuse(struct described *d, const char *name, const char *type)
{
    const char *advice =
        "cast it to one that Delta has: BIGINT, INTEGER, DOUBLE, DECIMAL, BOOLEAN, VARCHAR, DATE, "
        "TIMESTAMPTZ, BLOB";
    for (size_t i = 0; i < N_ELEMENTS(foreign); i++)
        if (strcmp(foreign[i].duck, type) == 0)
            advice = foreign[i].advice;
    d->failed = true;
    lake_fault(&d->fault, false, "column %.100s is of the type %.60s: %s", name, type, advice);
}

static bool describe(void *arg, int n, const struct db_value *values)
{
    struct described *d = arg;
    _cleanup_free_ char *name = xstrndup(values[0].p, values[0].n),
                        *type = xstrndup(values[1].p, values[1].n);
    const char *written = written_type(type);
    if (written)
        lake_columns_add(&d->columns, name, written, false);
    else
        refuse(d, name, type);
    return !d->failed;
}

int lake_columns_of(struct lake *l, const char *sql, struct lake_columns *ret_columns, struct db_fault *fault)
{
    struct described d = {0};
    struct db_sink sink = {.row = describe, .arg = &d};
    _cleanup_free_ char *query = xasprintf("DESCRIBE SELECT * FROM %s", sql);
    if (db_query(l->duck, query, 0, NULL, &sink, fault) == 0) {
        *ret_columns = d.columns;
        return 0;
    }
    lake_columns_done(&d.columns);
    if (d.failed)
        *fault = d.fault;
    return -1;
}
