/* What people are shown of the table: some rows, and what it is made by. */
#include "job/match_table_inside.h"
#include "util/text.h"

#include <cjson/cJSON.h>

#define SAMPLE_ROWS  10
#define SAMPLE_BYTES 60000 /* of all values: a run's record stays small */
#define VALUE_MAX    300   /* bytes */

int match_table_count(
    struct match_table *t, const char *report_date, int64_t *ret_rows, struct db_fault *fault)
{
    static const char sql[] = "SELECT count(*) FROM {table} WHERE report_date = CAST({1} AS date)";
    const char *const parameters[] = {report_date};
    _cleanup_free_ char *text = marks_expand(&t->marks, sql), *rows = NULL;
    if (!t->is_there) {
        *ret_rows = 0;
        return 0;
    }
    if (db_value(t->db, text, 1, parameters, &rows, fault) < 0)
        return -1;
    *ret_rows = rows ? strtoll(rows, NULL, 10) : 0;
    return 0;
}

/* ---- the sample ---- */

struct sample {
    const struct match_columns *columns;
    cJSON *rows;
    size_t value_max;
};

static cJSON *new_text(const struct sample *s, const struct db_value *v)
{
    size_t n = v->n;
    if (n > s->value_max)
        for (n = s->value_max; n > 0 && ((unsigned char)v->p[n] & 0xc0) == 0x80;)
            n--;
    _cleanup_free_ char *text = xasprintf("%.*s%s", (int)n, v->p, n < v->n ? "…" : "");
    return cJSON_CreateString(text);
}

static cJSON *new_value(const struct sample *s, enum match_type type, const struct db_value *v)
{
    if (!v->p)
        return cJSON_CreateNull();
    if (type == MATCH_TYPE_FLAG)
        return cJSON_CreateBool(v->n > 0 && (v->p[0] == 't' || v->p[0] == '1'));
    if (type != MATCH_TYPE_SCORE && type != MATCH_TYPE_COUNT)
        return new_text(s, v);
    _cleanup_free_ char *digits = xstrndup(v->p, v->n);
    return cJSON_CreateNumber(strtod(digits, NULL));
}

static bool take_row(void *arg, int n, const struct db_value *values)
{
    struct sample *s = arg;
    cJSON *row = cJSON_CreateObject();
    for (size_t i = 0; i < (size_t)n && i < s->columns->n; i++)
        cJSON_AddItemToObject(
            row, s->columns->list[i].name, new_value(s, s->columns->list[i].type, &values[i]));
    cJSON_AddItemToArray(s->rows, row);
    return true;
}

/* The columns of the ids stand behind the tie-breaks'; they tell matched rows apart. */
static char *sample_sql(const struct match_table *t)
{
    _cleanup_buffer_ struct buffer names = {0}, order = {0};
    size_t ids = match_at_ids(&t->spec->match);
    for (size_t i = 0; i < t->columns->n; i++) {
        _cleanup_free_ char *name = db_quote_name(t->db, NULL, t->columns->list[i].name);
        buffer_printf(&names, "%s%s", i ? ", " : "", name);
        if (i == ids || i == ids + 1)
            buffer_printf(
                &order, ", CASE WHEN %s IS NULL THEN 1 ELSE 0 END, %s%s", name, name, t->facts->order);
    }
    return xasprintf("SELECT %s FROM {table} WHERE report_date = CAST({1} AS date)"
                     " ORDER BY CASE WHEN outcome = 'matched' THEN 0 ELSE 1 END%s LIMIT %d",
        buffer_string(&names), buffer_string(&order), SAMPLE_ROWS);
}

int match_table_sample(
    struct match_table *t, const char *report_date, cJSON **ret_rows, struct db_fault *fault)
{
    size_t budget = SAMPLE_BYTES / SAMPLE_ROWS / t->columns->n;
    struct sample s = {t->columns, cJSON_CreateArray(), MIN(VALUE_MAX, budget)};
    const char *const parameters[] = {report_date};
    const struct db_sink sink = {.row = take_row, .arg = &s};
    _cleanup_free_ char *sql = t->is_there ? sample_sql(t) : NULL;
    if (sql && match_table_run(t, sql, 1, parameters, &sink, fault) < 0) {
        cJSON_Delete(s.rows);
        return -1;
    }
    *ret_rows = s.rows;
    return 0;
}

/* ---- the DDL ---- */

static bool take_statement(void *arg, int n, const struct db_value *values)
{
    struct buffer *ddl = arg;
    const struct db_value *v = &values[n - 1];
    if (!v->p)
        return true;
    buffer_put_string(ddl, ddl->n ? "\n" : "");
    buffer_put(ddl, v->p, v->n);
    if (v->n == 0 || v->p[v->n - 1] != ';')
        buffer_put_string(ddl, ";");
    return true;
}

int match_table_ddl(struct match_table *t, char **ret_sql, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer ddl = {0};
    const char *const parameters[] = {t->schema, t->name};
    const struct db_sink sink = {.row = take_statement, .arg = &ddl};
    bool by_name = strstr(t->facts->ddl, "{1}");
    if (t->is_there && match_table_run(t, t->facts->ddl, by_name ? 2 : 0, parameters, &sink, fault) < 0)
        return -1;
    *ret_sql = ddl.n ? xstrdup(buffer_string(&ddl)) : NULL;
    return 0;
}
