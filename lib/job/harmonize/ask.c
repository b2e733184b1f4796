#include "job/harmonize/ask.h"

#include "job/member.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

void harmonize_note_to(cJSON **notes, const char *fmt, va_list args)
{
    char *note = NULL;
    if (vasprintf(&note, fmt, args) < 0)
        abort();
    if (!*notes)
        *notes = cJSON_CreateArray();
    cJSON_AddItemToArray(*notes, cJSON_CreateString(note));
    free(note);
}

void harmonize_note(struct harmonize *h, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    harmonize_note_to(&h->notes, fmt, args);
    va_end(args);
}

/* ---- numbers ---- */

struct numbers {
    size_t n;
    int64_t *list;
};

static bool take_numbers(void *arg, int n, const struct db_value *values)
{
    const struct numbers *numbers = arg;
    for (size_t i = 0; i < numbers->n; i++)
        numbers->list[i] = i < (size_t)n && values[i].p ? strtoll(values[i].p, NULL, 10) : 0;
    return true;
}

int harmonize_numbers(struct harmonize *h, const char *sql, size_t n, int64_t *ret, struct db_fault *fault)
{
    struct numbers numbers = {n, ret};
    memset(ret, 0, n * sizeof(*ret));
    const struct db_sink sink = {.row = take_numbers, .arg = &numbers};
    return db_query(h->duck, sql, 0, NULL, &sink, fault);
}

int harmonize_count(struct harmonize *h, const char *rows, int64_t *ret, struct db_fault *fault)
{
    _cleanup_free_ char *sql = xasprintf("SELECT count(*) FROM %s", rows);
    return harmonize_numbers(h, sql, 1, ret, fault);
}

/* ---- rows ---- */

static bool is_number(const char *column, const char *const *numbers)
{
    for (size_t i = 0; numbers && numbers[i]; i++)
        if (strcmp(numbers[i], column) == 0)
            return true;
    return false;
}

static cJSON *new_value(const struct db_value *value, bool number)
{
    if (!value->p)
        return cJSON_CreateNull();
    _cleanup_free_ char *text = xstrndup(value->p, value->n);
    return number ? member_new_int(strtoll(text, NULL, 10)) : cJSON_CreateString(text);
}

int harmonize_rows(struct harmonize *h, const char *sql, const char *const *numbers, cJSON **ret_rows,
    struct db_fault *fault)
{
    _cleanup_(db_cursor_freep) struct db_cursor *cursor = NULL;
    const struct db_value *values;
    size_t n;
    int got;
    if (db_cursor_open(h->duck, sql, &cursor, fault) < 0)
        return -1;
    const char *const *names = db_cursor_columns(cursor, &n);
    cJSON *rows = cJSON_CreateArray();
    while ((got = db_cursor_next(cursor, &values, fault)) > 0) {
        cJSON *row = cJSON_CreateObject();
        for (size_t i = 0; i < n; i++)
            cJSON_AddItemToObject(row, names[i], new_value(&values[i], is_number(names[i], numbers)));
        cJSON_AddItemToArray(rows, row);
    }
    if (got < 0)
        cJSON_Delete(rows);
    else
        *ret_rows = rows;
    return got;
}

static bool take_name(void *arg, int n, const struct db_value *values)
{
    cJSON *to = arg;
    cJSON_AddItemToArray(to, new_value(&values[0], false));
    return true;
}

int harmonize_columns(
    struct harmonize *h, const char *schema, const char *table, cJSON **ret_columns, struct db_fault *fault)
{
    cJSON *columns = cJSON_CreateArray();
    const char *const parameters[] = {schema, table};
    const struct db_sink sink = {.row = take_name, .arg = columns};
    if (db_query(h->duck,
            "SELECT column_name FROM duckdb_columns() WHERE schema_name = $1 AND table_name = $2 AND "
            "database_name = current_database() ORDER BY column_index",
            2, parameters, &sink, fault) < 0) {
        cJSON_Delete(columns);
        return -1;
    }
    *ret_columns = columns;
    return 0;
}
