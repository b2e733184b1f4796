/*
 * run_sql URL [OPTION…] < SQL: runs the text and prints what comes of it as JSON lines. For the integration tests,
 * which have the servers.
 *   --param VALUE | --null   the text is one statement with parameters; may be repeated
 *   --query                  the text is one statement without any
 *   --value                  only its first value
 *   --statement-timeout MS   --connect-timeout MS   --password-file FILE
 *   --stop-after N           the sink wants no more after N rows
 *   --count                  no rows, only how many
 *   --then SQL               one more statement on the same connection, whatever came of the first
 */
#include "db/db.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/text.h"

#include <cjson/cJSON.h>
#include <getopt.h>

#define PARAMS_MAX 32

struct how {
    struct db_options options;
    const char *params[PARAMS_MAX];
    int n_params;
    bool query, value, count;
    int64_t stop_after;
    const char *then;
};

struct taken {
    const struct how *how;
    int64_t n_rows;
};

static bool print(cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    puts(text);
    fflush(stdout);
    free(text);
    cJSON_Delete(json);
    return true;
}

/* Text as it is, bytes as {"hex": "…"}. */
static cJSON *value_json(const struct db_value *v)
{
    if (!v->p)
        return cJSON_CreateNull();
    _cleanup_buffer_ struct buffer text = {0};
    if (text_is_utf8(v->p, v->n) && !memchr(v->p, 0, v->n)) {
        buffer_put(&text, v->p, v->n);
        return cJSON_CreateString(buffer_string(&text));
    }
    for (size_t i = 0; i < v->n; i++)
        buffer_printf(&text, "%02x", (unsigned char)v->p[i]);
    cJSON *hex = cJSON_CreateObject();
    cJSON_AddStringToObject(hex, "hex", buffer_string(&text));
    return hex;
}

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
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "end", tag);
    cJSON_AddNumberToObject(line, "rows", (double)rows);
    return print(line);
}

static void print_fault(const struct db_fault *fault)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "fault", fault->error.text);
    cJSON_AddStringToObject(line, "sqlstate", fault->sqlstate);
    cJSON_AddBoolToObject(line, "transient", fault->transient);
    print(line);
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

static void print_about(const struct db *db)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "driver", db_driver(db));
    cJSON_AddStringToObject(line, "label", db_label(db));
    print(line);
}

static void print_peak(void)
{
    char text[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "re"); /* getrusage would tell of the parent that forked us, too */
    while (f && kb == 0 && fgets(text, sizeof(text), f))
        sscanf(text, "VmHWM: %ld", &kb);
    if (f)
        fclose(f);
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "peak_kb", (double)kb);
    print(line);
}

static struct how read_options(int argc, char **argv)
{
    static const struct option options[] = {{"param", 1, 0, 'p'}, {"null", 0, 0, 'n'}, {"query", 0, 0, 'q'},
        {"value", 0, 0, 'v'}, {"statement-timeout", 1, 0, 's'}, {"connect-timeout", 1, 0, 'c'},
        {"password-file", 1, 0, 'f'}, {"stop-after", 1, 0, 'x'}, {"count", 0, 0, 'k'}, {"then", 1, 0, 't'},
        {0}};
    struct how how = {.options.application_name = "run_sql"};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        how.query |= o == 'q';
        how.value |= o == 'v';
        how.count |= o == 'k';
        if ((o == 'p' || o == 'n') && how.n_params < PARAMS_MAX)
            how.params[how.n_params++] = o == 'p' ? optarg : NULL;
        else if (o == 's')
            how.options.statement_timeout_us = atoll(optarg) * US_PER_MS;
        else if (o == 'c')
            how.options.connect_timeout_us = atoll(optarg) * US_PER_MS;
        else if (o == 'f')
            how.options.password_file = optarg;
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
    if (optind != argc - 1)
        return fprintf(stderr, "usage: run_sql URL [OPTION…] < SQL\n"), 2;
    _cleanup_buffer_ struct buffer sql = {0};
    char some[4096];
    for (size_t n; (n = fread(some, 1, sizeof(some), stdin)) > 0;)
        buffer_put(&sql, some, n);
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
