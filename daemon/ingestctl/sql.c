#include "ctl.h"
#include "rows.h"
#include "sheet.h"
#include "work.h"

#include "job/worker_path.h"

#include <cjson/cJSON.h>

/* How the rows are written: one of three. */
struct output {
    const struct ctl *ctl;
    bool csv;
    struct sheet *sheet;
    cJSON *names; /* of the columns, for JSON */
    int64_t n_rows;
};

/* -- CSV (RFC 4180) -------------------------------------------------------------------------------------- */

/* Nothing at all is no value; an empty text is "". */
static void put_csv_cell(const char *cell)
{
    if (!cell)
        return;
    if (*cell && cell[strcspn(cell, ",\"\r\n")] == '\0') {
        fputs(cell, stdout);
        return;
    }
    putchar('"');
    for (; *cell; cell++) {
        if (*cell == '"')
            putchar('"');
        putchar(*cell);
    }
    putchar('"');
}

static void put_csv(size_t n, const char *const *cells)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            putchar(',');
        put_csv_cell(cells[i]);
    }
    /* One empty cell alone would be no line at all to most readers. */
    fputs(n == 1 && !cells[0] ? "\"\"\n" : "\n", stdout);
}

/* -- JSON ------------------------------------------------------------------------------------------------ */

static void put_json(struct output *o, size_t n, const char *const *cells)
{
    cJSON *row = cJSON_CreateObject();
    const cJSON *name = o->names->child;
    for (size_t i = 0; i < n && name; i++, name = name->next)
        cJSON_AddItemToObject(
            row, name->valuestring, cells[i] ? cJSON_CreateString(cells[i]) : cJSON_CreateNull());
    _cleanup_free_ char *text = cJSON_PrintUnformatted(row);
    cJSON_Delete(row);
    if (!text)
        abort();
    printf("%s%s", o->n_rows ? ",\n" : "", text);
}

static size_t count_equal(size_t n, const char *const *names, const char *name)
{
    size_t equal = 0;
    for (size_t i = 0; i < n; i++)
        equal += names[i] && strcmp(names[i], name) == 0;
    return equal;
}

static bool is_given(const cJSON *given, const char *name)
{
    const cJSON *one;
    cJSON_ArrayForEach(one, given)
    {
        if (strcmp(one->valuestring, name) == 0)
            return true;
    }
    return false;
}

/* A second one of a name would be lost to whoever reads the object: it becomes name_2, or what is free behind that. */
static char *own_name(const cJSON *given, size_t n, const char *const *names, size_t at)
{
    const char *name = names[at] ? names[at] : "";
    size_t number = count_equal(at, names, name) + 1;
    char *own = number == 1 ? xstrdup(name) : xasprintf("%s_%zu", name, number);
    while (number > 1 && (count_equal(n, names, own) > 0 || is_given(given, own))) {
        free(own);
        own = xasprintf("%s_%zu", name, ++number);
    }
    return own;
}

static void take_names(struct output *o, size_t n, const char *const *cells)
{
    o->names = cJSON_CreateArray();
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *name = own_name(o->names, n, cells, i);
        cJSON_AddItemToArray(o->names, cJSON_CreateString(name));
    }
    putchar('[');
}

/* -- rows ------------------------------------------------------------------------------------------------ */

static void on_head(struct output *o, size_t n, const char *const *cells)
{
    if (o->names || o->sheet) /* a second result, of a procedure: its rows follow */
        return;
    if (o->ctl->json)
        take_names(o, n, cells);
    else if (o->csv)
        put_csv(n, cells);
    else
        o->sheet = sheet_new(stdout, o->ctl->color, n, cells);
}

static void on_row(void *arg, bool head, size_t n, const char *const *cells)
{
    struct output *o = arg;
    if (head) {
        on_head(o, n, cells);
        return;
    }
    if (o->ctl->json)
        put_json(o, n, cells);
    else if (o->csv)
        put_csv(n, cells);
    else
        sheet_row(o->sheet, cells);
    o->n_rows++;
}

static void on_piece(void *arg, const struct report *piece)
{
    rows_add(arg, piece);
}

static void end_output(struct output *o, const struct work_end *end)
{
    if (o->sheet)
        sheet_end(o->sheet);
    if (o->names)
        fputs("]\n", stdout);
    if (end->outcome != PROCESS_DONE || o->sheet || o->names || o->csv)
        return;
    if (o->ctl->json)
        fputs("[]\n", stdout);
    else
        printf("done, %.0f rows\n", ctl_number(end->stats, "rows"));
}

static int ask(struct output *o, const char *url, const char *query)
{
    const struct process_limits limits = {0};
    struct rows rows = {.taken = on_row, .arg = o};
    const struct work_events events = {.row = on_piece, .arg = &rows};
    _cleanup_free_ char *worker = worker_path();
    _cleanup_job_spec_ struct job_spec spec = {0};
    _cleanup_work_end_ struct work_end end = {0};
    const struct job_database database = {(char *)(uintptr_t)url, NULL};
    work_spec("sql", "sql", &database, &spec);
    job_words_add(&spec.words, query);
    work_run(worker, &spec, &limits, &events, &end);
    rows_done(&rows);
    end_output(o, &end);
    sheet_free(o->sheet);
    cJSON_Delete(o->names);
    fflush(stdout);
    return work_say_end(&end);
}

static int run(struct ctl *ctl, const struct command *self, int argc, char **argv)
{
    struct output o = {.ctl = ctl};
    const struct ctl_option options[] = {{"csv", &o.csv, NULL}};
    int code, first = ctl_options(ctl, self, options, N_ELEMENTS(options), argc, argv, &code);
    if (first < 0)
        return code;
    if (argc - first != 2)
        return argc - first < 2 ? ctl_misused(self, "a database's URL and a query are expected")
                                : ctl_misused(self, "one argument too many: put the query in quotes");
    if (o.csv && ctl->json)
        return ctl_misused(self, "--csv or --json, not both");
    if (!strstr(argv[first], "://") || !argv[first + 1][0])
        return ctl_misused(self, "first the URL of a database, then a query");
    return ask(&o, argv[first], argv[first + 1]);
}

const struct command command_sql = {"sql", "URL QUERY [OPTION…]", "one statement of SQL on any database",
    "URL is mysql://[user[:password]@]host[:port]/database or postgresql://…; that of a sink, with the "
    "table\n"
    "behind the database, will do. Needs no daemon. The table's columns are as wide as its first 1,000 rows\n"
    "want, and a long value is cut; \"-\" is NULL.\n"
    "\n"
    "  --csv           RFC 4180: NULL is the empty cell, an empty text is \"\"\n"
    "  --json          a list of objects, every value a string or null; of columns with one name the second\n"
    "                  is called name_2\n",
    run};
