/*
 * The kind "sql": one statement, its rows told as they come. `ingestctl sql` asks for it, because the drivers are the
 * worker's alone. Nothing is kept, so there may be any number of rows.
 */
#include "db/db.h"
#include "history/target.h"
#include "job/job.h"
#include "job/report.h"
#include "util/buffer.h"
#include "util/url.h"

#include <cjson/cJSON.h>
#include <sys/stat.h>

struct told {
    struct slice *cells;
    int64_t rows;
};

static bool tell_columns(void *arg, int n, const char *const *names)
{
    struct told *told = arg;
    told->cells = xrealloc(told->cells, (size_t)n, sizeof(*told->cells));
    for (int i = 0; i < n; i++)
        told->cells[i] = SLICE(names[i]);
    report_row(true, (size_t)n, told->cells);
    return true;
}

static bool tell_row(void *arg, int n, const struct db_value *values)
{
    struct told *told = arg;
    for (int i = 0; i < n; i++)
        told->cells[i] = (struct slice){values[i].p, values[i].n};
    report_row(false, (size_t)n, told->cells);
    return true;
}

static bool take_end(void *arg, const char *tag, int64_t rows)
{
    struct told *told = arg;
    told->rows += rows > 0 ? rows : 0;
    return true;
}

static int ask(const struct job_spec *spec, const char *url, struct told *told, struct db_fault *fault)
{
    _cleanup_(db_closep) struct db *db = NULL;
    struct db_options options = {
        .password_file = spec->database.password_file,
        .application_name = "ingestctl sql",
        .statement_timeout_us = spec->time_limit_us,
    };
    struct db_sink sink = {tell_columns, tell_row, take_end, told};
    if (db_open(url, &options, &db, fault) < 0)
        return -1;
    return db_query(db, spec->words.list[0], 0, NULL, &sink, fault);
}

/* The URL of a sink has a table behind the database; where the database is a file, there is one before the table. */
static bool is_sink(const char *url, struct history_place *ret_place)
{
    struct error ignored;
    struct stat st;
    _cleanup_url_ struct url u = {0};
    if (history_place_parse(url, ret_place, &ignored) < 0)
        return false;
    return !ret_place->file || (url_parse(ret_place->database, &u, &ignored) == 0 && stat(u.path, &st) == 0 &&
                                   S_ISREG(st.st_mode));
}

static int sql_run(const struct job_spec *spec, cJSON **ret_stats, struct db_fault *fault)
{
    struct told told = {0};
    *fault = (struct db_fault){0};
    if (spec->words.n != 1)
        return error_set(&fault->error, "one statement is expected, and there are %zu", spec->words.n);
    struct history_place place = {0};
    int r =
        ask(spec, is_sink(spec->database.url, &place) ? place.database : spec->database.url, &told, fault);
    history_place_done(&place);
    free(told.cells);
    if (r < 0)
        return -1;
    *ret_stats = cJSON_CreateObject();
    cJSON_AddNumberToObject(*ret_stats, "rows", (double)told.rows);
    return 0;
}

const struct job_kind job_sql = {"sql", sql_run};
