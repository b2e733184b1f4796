/*
 * run_bulk URL [OPTION…] [COLUMN…] < INPUT: a load or a cursor, and what came of it as JSON lines. For the integration
 * tests, which have the servers.
 *   --load TABLE    loads the columns; the input is rows, each a JSON array of strings and null in a line of its own
 *   --schema NAME   of the table
 *   --rows N        the rows are made here: their number from 1, and text
 *   --cell N        the rows are one, whose last cell has N bytes
 *   --from URL      the rows are those of a cursor on another database; the input is its SELECT
 *   --fail-after N  the rows end with a fault
 *   --pause-after N says so after N rows, and waits until its standard input is at its end
 *   --cursor        reads; the input, or --select SQL, is a SELECT; the first COLUMN is how many it returns
 *   --columns       says what they are called
 *   --stop-after N  frees it early
 *   --count         no rows, only how many
 *   --quote TEXT    selects the text by a literal, under the name COLUMN
 *   --first SQL     before, on the same connection    --then SQL   after it, whatever came of it; may be repeated
 *   --statement-timeout MS  --memory-max MB
 */
#include "db/load.h"
#include "util/clock.h"

#include "print.h"

#include <getopt.h>

#define THEN_MAX 8

struct how {
    struct db_options options;
    const char *table, *schema, *from, *quote, *first, *select, *then[THEN_MAX];
    int n_then;
    int64_t n_rows, cell, fail_after, stop_after, pause_after;
    bool cursor, columns, count;
};

/* ---- rows ---- */

static void pause_at(const struct how *how, int64_t n)
{
    if (how->pause_after == 0 || n != how->pause_after)
        return;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "paused", (double)n);
    print(line);
    struct buffer ignored = {0};
    read_input(&ignored);
    buffer_done(&ignored);
}

struct rows {
    const struct how *how;
    size_t n_columns;
    struct db_value *values;
    int64_t n;
    char *line;
    size_t line_size;
    cJSON *json;
    char number[32];
    struct buffer cell;
    struct db_cursor *cursor;
};

static int next_of_input(struct rows *r, const struct db_value **ret_values)
{
    cJSON_Delete(TAKE(r->json));
    if (getline(&r->line, &r->line_size, stdin) < 0)
        return 0;
    r->json = cJSON_Parse(r->line);
    for (size_t i = 0; i < r->n_columns; i++) {
        const char *s = cJSON_GetStringValue(cJSON_GetArrayItem(r->json, (int)i));
        r->values[i] = (struct db_value){s, s ? strlen(s) : 0};
    }
    *ret_values = r->values;
    return 1;
}

static int next_made(struct rows *r, const struct db_value **ret_values)
{
    if (r->n >= (r->how->cell > 0 ? 1 : r->how->n_rows))
        return 0;
    int n = snprintf(r->number, sizeof(r->number), "%lld", (long long)r->n + 1);
    for (size_t i = 0; i < r->n_columns; i++)
        r->values[i] = (struct db_value){r->number, (size_t)n};
    if (r->how->cell > 0) {
        buffer_reserve(&r->cell, (size_t)r->how->cell);
        memset(r->cell.p, 'y', (size_t)r->how->cell);
        r->values[r->n_columns - 1] = (struct db_value){r->cell.p, (size_t)r->how->cell};
    }
    *ret_values = r->values;
    return 1;
}

static int next_row(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct rows *r = arg;
    int got;
    pause_at(r->how, r->n);
    if (r->how->fail_after > 0 && r->n == r->how->fail_after) {
        *fault =
            (struct db_fault){.sqlstate = "XX999", .error.text = "the rows broke off", .transient = true};
        return -1;
    }
    if (r->cursor)
        got = db_cursor_next(r->cursor, ret_values, fault);
    else
        got =
            r->how->n_rows > 0 || r->how->cell > 0 ? next_made(r, ret_values) : next_of_input(r, ret_values);
    r->n += got > 0;
    return got;
}

static void rows_done(struct rows *r)
{
    db_cursor_free(r->cursor);
    cJSON_Delete(r->json);
    buffer_done(&r->cell);
    free(r->line);
    free(r->values);
}

/* ---- what is asked for ---- */

static void print_number(const char *name, int64_t n)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, name, (double)n);
    print(line);
}

static void print_row(const struct db_value *values, size_t n)
{
    cJSON *line = cJSON_CreateObject(), *row = cJSON_AddArrayToObject(line, "row");
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(row, value_json(&values[i]));
    print(line);
}

static int load(struct db *db, const struct how *how, size_t n_columns, const char *const *columns,
    struct db_fault *fault)
{
    _cleanup_(db_closep) struct db *from = NULL;
    _cleanup_(rows_done) struct rows rows = {.how = how, .n_columns = n_columns};
    rows.values = xcalloc(n_columns + 1, sizeof(*rows.values));
    if (how->from) {
        _cleanup_buffer_ struct buffer sql = {0};
        read_input(&sql);
        if (db_open(how->from, &how->options, &from, fault) < 0 ||
            db_cursor_open(from, buffer_string(&sql), &rows.cursor, fault) < 0)
            return -1;
    }
    struct db_load l = {how->schema, how->table, n_columns, columns, next_row, &rows};
    int64_t n_loaded = -1;
    int result = db_load(db, &l, &n_loaded, fault);
    if (result == 0)
        print_number("loaded", n_loaded);
    db_cursor_free(TAKE(rows.cursor)); /* before its database */
    return result;
}

static bool take_columns(void *arg, int n, const char *const *names)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddItemToObject(line, "columns", cJSON_CreateStringArray(names, n));
    return print(line);
}

static void print_columns(const struct db_cursor *c)
{
    size_t n;
    const char *const *names = db_cursor_columns(c, &n);
    take_columns(NULL, (int)n, names);
}

/* n_columns: of a row, 1 unless told. */
static int read_rows(struct db *db, const struct how *how, size_t n_columns, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_(db_cursor_freep) struct db_cursor *c = NULL;
    if (how->select)
        buffer_put_string(&sql, how->select);
    else
        read_input(&sql);
    if (db_cursor_open(db, buffer_string(&sql), &c, fault) < 0)
        return -1;
    if (how->columns)
        print_columns(c);
    int64_t n = 0;
    size_t n_bytes = 0;
    const struct db_value *values;
    int got = 1;
    while ((how->stop_after == 0 || n < how->stop_after) && (got = db_cursor_next(c, &values, fault)) > 0) {
        pause_at(how, ++n);
        for (size_t i = 0; i < n_columns; i++)
            n_bytes += values[i].n;
        if (!how->count)
            print_row(values, n_columns);
    }
    print_number("read", n);
    print_number("bytes", (int64_t)n_bytes);
    if (got == 0 && db_cursor_next(c, &values, fault) != 0)
        abort(); /* the end stays the end */
    return got < 0 ? -1 : 0;
}

static bool take_row(void *arg, int n, const struct db_value *values)
{
    print_row(values, (size_t)n);
    return true;
}

static int script(struct db *db, const char *sql, struct db_fault *fault)
{
    struct db_sink sink = {.columns = take_columns, .row = take_row};
    return db_script(db, sql, &sink, fault);
}

static int quote(struct db *db, const char *text, const char *column, struct db_fault *fault)
{
    _cleanup_free_ char *literal = db_quote_text(db, text), *null = db_quote_text(db, NULL);
    _cleanup_free_ char *name = db_quote_name(db, NULL, column), *q = db_quote_name(db, "q", column);
    _cleanup_free_ char *sql =
        xasprintf("SELECT %s AS %s, %s FROM (SELECT %s AS %s) q", q, name, null, literal, name);
    return script(db, sql, fault);
}

static int run(struct db *db, const struct how *how, int n, char **columns, struct db_fault *fault)
{
    if (how->first && script(db, how->first, fault) < 0)
        return -1;
    if (how->quote && n > 0)
        return quote(db, how->quote, columns[0], fault);
    if (how->cursor)
        return read_rows(db, how, n > 0 ? (size_t)atoi(columns[0]) : 1, fault);
    return load(db, how, (size_t)n, (const char *const *)columns, fault);
}

static struct how read_options(int argc, char **argv)
{
    static const struct option options[] = {{"load", 1, 0, 'l'}, {"schema", 1, 0, 's'}, {"rows", 1, 0, 'r'},
        {"cell", 1, 0, 'b'}, {"from", 1, 0, 'f'}, {"fail-after", 1, 0, 'x'}, {"pause-after", 1, 0, 'p'},
        {"cursor", 0, 0, 'c'}, {"columns", 0, 0, 'n'}, {"stop-after", 1, 0, 'y'}, {"count", 0, 0, 'k'},
        {"quote", 1, 0, 'q'}, {"first", 1, 0, '1'}, {"select", 1, 0, 'S'}, {"then", 1, 0, 't'},
        {"statement-timeout", 1, 0, 'o'}, {"memory-max", 1, 0, 'm'}, {0}};
    struct how how = {.options.application_name = "run_bulk"};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const char **texts[128] = {['l'] = &how.table,
            ['s'] = &how.schema,
            ['f'] = &how.from,
            ['q'] = &how.quote,
            ['S'] = &how.select,
            ['1'] = &how.first};
        int64_t *numbers[128] = {['r'] = &how.n_rows,
            ['b'] = &how.cell,
            ['x'] = &how.fail_after,
            ['y'] = &how.stop_after,
            ['p'] = &how.pause_after,
            ['o'] = &how.options.statement_timeout_us,
            ['m'] = &how.options.memory_max};
        how.cursor |= o == 'c';
        how.columns |= o == 'n';
        how.count |= o == 'k';
        if (texts[o])
            *texts[o] = optarg;
        else if (numbers[o])
            *numbers[o] = atoll(optarg);
        else if (o == 't' && how.n_then < THEN_MAX)
            how.then[how.n_then++] = optarg;
        else if (o == '?')
            exit(2);
    }
    how.options.statement_timeout_us *= US_PER_MS;
    how.options.memory_max <<= 20;
    return how;
}

int main(int argc, char **argv)
{
    struct how how = read_options(argc, argv);
    if (optind >= argc)
        return fprintf(stderr, "usage: run_bulk URL [OPTION…] [COLUMN…] < INPUT\n"), 2;
    struct db_fault fault;
    _cleanup_(db_closep) struct db *db = NULL;
    int result = db_open(argv[optind], &how.options, &db, &fault);
    if (result == 0) {
        print_about(db);
        result = run(db, &how, argc - optind - 1, argv + optind + 1, &fault);
    }
    if (result < 0)
        print_fault(&fault);
    for (int i = 0; db && i < how.n_then; i++) {
        result = script(db, how.then[i], &fault);
        if (result < 0)
            print_fault(&fault);
    }
    print_peak();
    return result < 0;
}
