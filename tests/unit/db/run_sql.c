/*
 * run_sql URL [OPTION…] < SQL: runs the text and prints what comes of it as JSON lines. For the integration tests,
 * which have the servers.
 *   --param VALUE | --null   the text is one statement with parameters; may be repeated
 *   --query                  the text is one statement without any
 *   --value                  only its first value
 *   --statement-timeout MS   --connect-timeout MS   --password-file FILE
 *   --memory-max MB          --read-only          --files-folder FOLDER
 *   --stop-after N           the sink wants no more after N rows
 *   --stop-at-end            nor after the first statement's end
 *   --count                  no rows, only how many
 *   --then SQL               one more statement on the same connection, whatever came of the first
 */
#include "db/db.h"
#include "util/clock.h"

#include "print.h"

#include <getopt.h>

#define PARAMS_MAX  32
#define FOLDERS_MAX 4

struct how {
    struct db_options options;
    const char *params[PARAMS_MAX], *folders[FOLDERS_MAX];
    int n_params;
    bool query, value, count, stop_at_end;
    int64_t stop_after;
    const char *then;
};

struct taken {
    const struct how *how;
    int64_t n_rows;
};

static bool print_columns(void *arg, int n, const char *const *names)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddItemToObject(line, "columns", cJSON_CreateStringArray(names, n));
    return print(line);
}

static bool print_row(void *arg, int n, const struct db_value *values)
{
    struct taken *t = arg;
    bool more = ++t->n_rows != t->how->stop_after;
    if (t->how->count)
        return more;
    cJSON *line = cJSON_CreateObject(), *row = cJSON_AddArrayToObject(line, "row");
    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(row, value_json(&values[i]));
    print(line);
    return more;
}

static bool print_end(void *arg, const char *tag, int64_t rows)
{
    const struct taken *t = arg;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "end", tag);
    cJSON_AddNumberToObject(line, "rows", (double)rows);
    return print(line) && !t->how->stop_at_end;
}

static int print_value(struct db *db, const char *sql, const struct how *how, struct db_fault *fault)
{
    char *value = NULL;
    if (db_value(db, sql, how->n_params, how->params, &value, fault) < 0)
        return -1;
    cJSON *line = cJSON_CreateObject();
    if (value)
        cJSON_AddStringToObject(line, "value", value);
    else
        cJSON_AddNullToObject(line, "value");
    free(value);
    print(line);
    return 0;
}

static int run(struct db *db, const char *sql, const struct how *how, struct db_fault *fault)
{
    struct taken taken = {.how = how};
    struct db_sink sink = {print_columns, print_row, print_end, &taken};
    if (how->value)
        return print_value(db, sql, how, fault);
    if (how->query || how->n_params > 0)
        return db_query(db, sql, how->n_params, how->params, &sink, fault);
    return db_script(db, sql, &sink, fault);
}

static struct how read_options(int argc, char **argv)
{
    static const struct option options[] = {{"param", 1, 0, 'p'}, {"null", 0, 0, 'n'}, {"query", 0, 0, 'q'},
        {"value", 0, 0, 'v'}, {"statement-timeout", 1, 0, 's'}, {"connect-timeout", 1, 0, 'c'},
        {"password-file", 1, 0, 'f'}, {"stop-after", 1, 0, 'x'}, {"count", 0, 0, 'k'},
        {"stop-at-end", 0, 0, 'e'}, {"then", 1, 0, 't'}, {"memory-max", 1, 0, 'm'}, {"read-only", 0, 0, 'r'},
        {"files-folder", 1, 0, 'F'}, {0}};
    struct how how = {.options.application_name = "run_sql"};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        how.query |= o == 'q';
        how.value |= o == 'v';
        how.count |= o == 'k';
        how.options.read_only |= o == 'r';
        how.stop_at_end |= o == 'e';
        if ((o == 'p' || o == 'n') && how.n_params < PARAMS_MAX)
            how.params[how.n_params++] = o == 'p' ? optarg : NULL;
        else if (o == 's')
            how.options.statement_timeout_us = atoll(optarg) * US_PER_MS;
        else if (o == 'c')
            how.options.connect_timeout_us = atoll(optarg) * US_PER_MS;
        else if (o == 'f')
            how.options.password_file = optarg;
        else if (o == 'm')
            how.options.memory_max = atoll(optarg) << 20;
        else if (o == 'F' && how.options.n_files_folders < FOLDERS_MAX)
            how.folders[how.options.n_files_folders++] = optarg;
        else if (o == 'x')
            how.stop_after = atoll(optarg);
        else if (o == 't')
            how.then = optarg;
        else if (o == '?')
            exit(2);
    }
    return how;
}

int main(int argc, char **argv)
{
    struct how how = read_options(argc, argv);
    how.options.files_folders = how.folders;
    if (optind != argc - 1)
        return fprintf(stderr, "usage: run_sql URL [OPTION…] < SQL\n"), 2;
    _cleanup_buffer_ struct buffer sql = {0};
    read_input(&sql);
    struct db_fault fault;
    _cleanup_(db_closep) struct db *db = NULL;
    int result = db_open(argv[optind], &how.options, &db, &fault);
    if (result == 0) {
        print_about(db);
        result = run(db, buffer_string(&sql), &how, &fault);
    }
    if (result < 0)
        print_fault(&fault);
    if (db && how.then) {
        struct how then = {0};
        result = run(db, how.then, &then, &fault);
        if (result < 0)
            print_fault(&fault);
    }
    print_peak();
    return result < 0;
}
