/*
 * query_cat URL SQL [N]: what a SELECT returns as a source, and what came of it as JSON lines, for
 * tests/integration/test_query_source.py. N: so many rows, then it says so and waits until its input is at its end. After the
 * source another statement runs, to see that the connection is as it was.
 */
#include "source/query.h"

#include "../db/print.h"

static cJSON *text_json(const char *p, size_t n)
{
    struct db_value v = {p, n};
    return value_json(&v);
}

static void print_row(const struct source_row *row)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "line", (double)row->line);
    cJSON *cells = cJSON_AddArrayToObject(line, "row");
    for (size_t i = 0; i < row->n_cells; i++)
        cJSON_AddItemToArray(cells, text_json(row->cells[i].p, row->cells[i].n));
    if (row->reason) {
        cJSON_AddStringToObject(line, "reason", row->reason);
        cJSON_AddStringToObject(line, "detail", row->detail);
        cJSON_AddItemToObject(line, "raw", text_json(row->raw, row->n_raw));
    }
    print(line);
}

static void print_last(struct source *s)
{
    struct source_facts f;
    size_t n;
    s->driver->facts(s, &f);
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "rows", (double)f.rows);
    cJSON_AddNumberToObject(line, "received", (double)f.received);
    cJSON_AddBoolToObject(line, "raw_at_end", s->driver->raw(s, &n) != NULL);
    print(line);
}

static void pause_here(void)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddTrueToObject(line, "paused");
    print(line);
    while (getchar() != EOF)
        ;
}

static int cat(struct db *db, const char *sql, int64_t pause_after, struct source_fault *fault)
{
    _cleanup_(source_freep) struct source *s = NULL;
    struct source_row row;
    int got = query_open(db, sql, &s, fault);
    if (got < 0)
        return -1;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddItemToObject(line, "columns", cJSON_CreateStringArray(s->columns, (int)s->n_columns));
    print(line);
    while ((got = source_next(s, &row, fault)) > 0) {
        if (!pause_after || row.reason)
            print_row(&row);
        size_t n;
        const char *raw = s->driver->raw(s, &n);
        if (!raw || (row.reason && (n != row.n_raw || memcmp(raw, row.raw, n) != 0)))
            abort();
        if (row.line == pause_after)
            pause_here();
    }
    print_last(s);
    return got;
}

int main(int argc, char **argv)
{
    struct db_options options = {.application_name = "query_cat"};
    struct source_fault fault = {0};
    struct db_fault why;
    _cleanup_(db_closep) struct db *db = NULL;
    if (argc < 3)
        return fprintf(stderr, "usage: query_cat URL SQL [N]\n"), 2;
    if (db_open(argv[1], &options, &db, &why) < 0) {
        print_fault(&why);
        return 2;
    }
    int result = cat(db, argv[2], argc > 3 ? atoll(argv[3]) : 0, &fault);
    if (result < 0) {
        cJSON *line = cJSON_CreateObject();
        cJSON_AddStringToObject(line, "fault", fault.error.text);
        cJSON_AddBoolToObject(line, "transient", fault.transient);
        print(line);
    }
    _cleanup_free_ char *three = NULL;
    if (!fault.transient && (db_value(db, "SELECT 3", 0, NULL, &three, &why) < 0 || strcmp(three, "3") != 0))
        return 2;
    print_peak();
    return result < 0;
}
