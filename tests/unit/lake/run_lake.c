/*
 * run_lake STORE-URL FOLDER [OPTION…]: works on a lake by the lines of its standard input, and answers each with a line of
 * JSON, a fault too. For the integration tests. The database is FOLDER/run.duckdb; what is written lies in FOLDER/run.
 *   --cache FOLDER   --files FOLDER (what DuckDB may touch)   --memory-max MB   --threads N
 *   --untold TABLE.COLUMN
 *   --scratch                     rows have no order, as in a harmonize
 *   --endpoint URL   --credentials FILE   --path-style
 * Lines:
 *   sql TEXT                      rows go to the answer
 *   open TABLE VERSION            what the version is (-1: the newest)
 *   read TABLE VERSION COLUMNS    its rows, by DuckDB, in the order of all columns
 *   append TABLE VERSION ROWS     a change, made from that version
 *   merge TABLE VERSION ROWS KEY[,KEY]
 *   commit OPERATION              the change; then it is gone
 *   published | publish NUMBER JSON
 *   vacuum KEEP_US TABLE[,TABLE]
 */
#include "../db/print.h"
#include "lake/lake.h"
#include "util/clock.h"
#include "util/text.h"

#include <getopt.h>
#include <sys/resource.h>

struct run {
    struct store *store;
    struct db *duck;
    struct lake *lake;
    struct lake_table *table; /* what the change was made from */
    struct lake_change change;
    int64_t began_us, cpu_us;
};

static int64_t cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * US_PER_SEC + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static int answer(struct run *r, cJSON *line)
{
    cJSON_AddNumberToObject(line, "us", (double)(clock_mono_us() - r->began_us));
    cJSON_AddNumberToObject(line, "cpu_us", (double)(cpu_us() - r->cpu_us));
    print(line);
    fflush(stdout);
    return 0;
}

/* ---- rows ---- */

static bool put_row(void *arg, int n, const struct db_value *values)
{
    cJSON *row = cJSON_CreateArray();
    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(row, value_json(&values[i]));
    cJSON_AddItemToArray(arg, row);
    return true;
}

static int run_sql(struct run *r, char *sql, struct db_fault *fault)
{
    cJSON *line = cJSON_CreateObject();
    struct db_sink sink = {.row = put_row, .arg = cJSON_AddArrayToObject(line, "rows")};
    if (db_script(r->duck, sql, &sink, fault) == 0)
        return answer(r, line);
    cJSON_Delete(line);
    return -1;
}

/* ---- tables ---- */

static int open_table(struct run *r, char **at, struct lake_table **ret, struct db_fault *fault)
{
    const char *name = strsep(at, " "), *version = strsep(at, " ");
    return lake_table_open(r->lake, name, atoll(version ? version : "-1"), ret, fault);
}

static void put_files(cJSON *line, const struct lake_table *t)
{
    size_t n;
    const struct lake_file *files = lake_table_files(t, &n);
    cJSON *list = cJSON_AddArrayToObject(line, "files");
    for (size_t i = 0; i < n; i++) {
        cJSON *f = cJSON_CreateObject();
        cJSON_AddStringToObject(f, "path", files[i].path);
        cJSON_AddNumberToObject(f, "size", (double)files[i].size);
        cJSON_AddNumberToObject(f, "rows", (double)files[i].rows);
        cJSON_AddStringToObject(f, "stats", files[i].stats ? files[i].stats : "");
        cJSON_AddItemToArray(list, f);
    }
}

static int run_open(struct run *r, char *at, struct db_fault *fault)
{
    _cleanup_(lake_table_freep) struct lake_table *t = NULL;
    if (open_table(r, &at, &t, fault) < 0)
        return -1;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "version", (double)lake_table_version(t));
    cJSON_AddNumberToObject(line, "rows", (double)lake_table_rows(t));
    cJSON_AddNumberToObject(line, "bytes", (double)lake_table_bytes(t));
    cJSON *columns = cJSON_AddArrayToObject(line, "columns");
    const char *name, *type;
    for (size_t i = 0; (name = lake_table_column(t, i, &type)); i++)
        cJSON_AddItemToArray(columns, cJSON_CreateStringArray((const char *[]){name, type}, 2));
    put_files(line, t);
    return answer(r, line);
}

static int run_read(struct run *r, char *at, struct db_fault *fault)
{
    _cleanup_(lake_table_freep) struct lake_table *t = NULL;
    _cleanup_free_ char *list = NULL;
    if (open_table(r, &at, &t, fault) < 0 || lake_table_list(r->lake, t, &list, fault) < 0)
        return -1;
    if (strcmp(list, "[]") == 0)
        return run_sql(r, (char[]){"SELECT 1 WHERE false"}, fault);
    _cleanup_free_ char *sql =
        xasprintf("SELECT %s FROM read_parquet(%s, union_by_name = true) ORDER BY ALL", at ? at : "*", list);
    return run_sql(r, sql, fault);
}

/* ---- changes ---- */

static void drop_change(struct run *r)
{
    lake_change_done(&r->change);
    lake_table_free(TAKE(r->table));
}

static int answer_change(struct run *r)
{
    const struct lake_change *c = &r->change;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "inserted", (double)c->inserted);
    cJSON_AddNumberToObject(line, "updated", (double)c->updated);
    cJSON_AddNumberToObject(line, "unchanged", (double)c->unchanged);
    cJSON_AddNumberToObject(line, "bytes", (double)c->bytes);
    cJSON_AddNumberToObject(line, "files", (double)c->n_files);
    cJSON_AddNumberToObject(line, "new", (double)c->n_new);
    return answer(r, line);
}

static int run_append(struct run *r, char *at, struct db_fault *fault)
{
    drop_change(r);
    if (open_table(r, &at, &r->table, fault) < 0 ||
        lake_append(r->lake, r->table, strsep(&at, " "), &r->change, fault) < 0)
        return -1;
    return answer_change(r);
}

static int run_merge(struct run *r, char *at, struct db_fault *fault)
{
    const char *key[8];
    size_t n = 0;
    drop_change(r);
    if (open_table(r, &at, &r->table, fault) < 0)
        return -1;
    const char *rows = strsep(&at, " ");
    for (char *k; n < N_ELEMENTS(key) && (k = strsep(&at, ","));)
        key[n++] = k;
    if (lake_merge(r->lake, r->table, rows, key, n, &r->change, fault) < 0)
        return -1;
    return answer_change(r);
}

static int run_commit(struct run *r, char *at, struct db_fault *fault)
{
    bool lost = false;
    int64_t version;
    _cleanup_free_ char *note = NULL;
    if (!r->table)
        return run_open(r, (char[]){"-"}, fault);
    cJSON *line = cJSON_CreateObject();
    int rc = lake_commit(r->lake, r->table, &r->change, at ? at : "WRITE", &version, &note, &lost, fault);
    drop_change(r);
    if (rc == 0)
        cJSON_AddNumberToObject(line, "version", (double)version);
    else
        cJSON_AddStringToObject(line, "fault", fault->error.text);
    cJSON_AddBoolToObject(line, "lost", lost);
    if (note)
        cJSON_AddStringToObject(line, "note", note);
    return answer(r, line);
}

/* ---- the lake ---- */

static int run_published(struct run *r, char *at, struct db_fault *fault)
{
    int64_t number;
    cJSON *pointer;
    if (lake_published(r->lake, &number, &pointer, fault) < 0)
        return -1;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "number", (double)number);
    cJSON_AddItemToObject(line, "pointer", pointer ? pointer : cJSON_CreateNull());
    return answer(r, line);
}

static int run_publish(struct run *r, char *at, struct db_fault *fault)
{
    bool lost = false;
    const char *number = strsep(&at, " ");
    cJSON *pointer = cJSON_Parse(at), *line = cJSON_CreateObject();
    if (lake_publish(r->lake, atoll(number), pointer, &lost, fault) < 0)
        cJSON_AddStringToObject(line, "fault", fault->error.text);
    cJSON_AddBoolToObject(line, "lost", lost);
    cJSON_Delete(pointer);
    return answer(r, line);
}

static int run_vacuum(struct run *r, char *at, struct db_fault *fault)
{
    const char *names[8], *keep = strsep(&at, " ");
    size_t n = 0;
    int64_t removed, bytes;
    for (char *name; n < N_ELEMENTS(names) && (name = strsep(&at, ","));)
        names[n++] = name;
    if (lake_vacuum(r->lake, names, n, atoll(keep), &removed, &bytes, fault) < 0)
        return -1;
    cJSON *line = cJSON_CreateObject();
    cJSON_AddNumberToObject(line, "removed", (double)removed);
    cJSON_AddNumberToObject(line, "bytes", (double)bytes);
    return answer(r, line);
}

static const struct {
    const char *word;
    int (*run)(struct run *r, char *at, struct db_fault *fault);
} words[] = {{"sql", run_sql}, {"open", run_open}, {"read", run_read}, {"append", run_append},
    {"merge", run_merge}, {"commit", run_commit}, {"published", run_published}, {"publish", run_publish},
    {"vacuum", run_vacuum}};

static void run_line(struct run *r, char *line)
{
    struct db_fault fault = {0};
    const char *word = strsep(&line, " ");
    r->began_us = clock_mono_us();
    r->cpu_us = cpu_us();
    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        if (strcmp(words[i].word, word) == 0 && words[i].run(r, line ? line : (char[]){""}, &fault) < 0) {
            print_fault(&fault);
            fflush(stdout);
        }
}

/* ---- opening ---- */

struct how {
    struct store_options store;
    struct db_options db;
    struct lake_options lake;
    const char *untold[2];
    const char *files_folder;
};

static bool read_options(int argc, char **argv, struct how *how)
{
    static const struct option options[] = {{"cache", 1, 0, 'c'}, {"files", 1, 0, 'f'},
        {"memory-max", 1, 0, 'm'}, {"threads", 1, 0, 't'}, {"endpoint", 1, 0, 'e'},
        {"credentials", 1, 0, 'k'}, {"path-style", 0, 0, 'p'}, {"scratch", 0, 0, 's'}, {"untold", 1, 0, 'u'},
        {0}};
    *how = (struct how){.store = {.retries = -1}, .lake = {.writer = "ingestd/test run_lake"}};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        how->store.path_style |= o == 'p';
        how->db.scratch |= o == 's';
        if (o == 'c')
            how->lake.cache = optarg;
        else if (o == 'f')
            how->files_folder = optarg;
        else if (o == 'm')
            how->db.memory_max = atoll(optarg) << 20;
        else if (o == 't')
            how->db.threads = atoi(optarg);
        else if (o == 'e')
            how->store.endpoint = optarg;
        else if (o == 'k')
            how->store.credentials_file = optarg;
        else if (o == 'u')
            how->untold[0] = optarg;
        else if (o == '?')
            return false;
    }
    how->lake.untold = how->untold;
    how->db.files_folders = &how->files_folder;
    how->db.n_files_folders = how->files_folder ? 1 : 0;
    return optind == argc - 2;
}

static int open_all(
    struct run *r, struct how *how, const char *url, const char *folder, struct db_fault *fault)
{
    struct store_fault broken;
    _cleanup_free_ char *database = xasprintf("duckdb://%s/run.duckdb", folder),
                        *run = xasprintf("%s/run", folder);
    how->store.url = url;
    if (store_open(&how->store, &r->store, &broken) < 0) {
        fault->error = broken.error;
        return -1;
    }
    if (db_open(database, &how->db, &r->duck, fault) < 0)
        return -1;
    how->lake.store = r->store;
    how->lake.duck = r->duck;
    how->lake.folder = run;
    return lake_open(&how->lake, &r->lake, fault);
}

int main(int argc, char **argv)
{
    struct how how;
    struct run r = {0};
    struct db_fault fault = {0};
    if (!read_options(argc, argv, &how))
        return fprintf(stderr, "usage: run_lake STORE-URL FOLDER [OPTION…]\n"), 2;
    int rc = open_all(&r, &how, argv[optind], argv[optind + 1], &fault);
    if (rc < 0)
        print_fault(&fault);
    char *line = NULL;
    size_t size = 0;
    for (ssize_t n; rc == 0 && (n = getline(&line, &size, stdin)) > 0;) {
        line[n - (line[n - 1] == '\n')] = '\0';
        run_line(&r, line);
    }
    free(line);
    drop_change(&r);
    lake_free(r.lake);
    db_close(r.duck);
    store_free(r.store);
    print_peak();
    return rc < 0;
}
