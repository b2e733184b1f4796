/*
 * Checkpoints are Parquet files whose rows are actions (PROTOCOL.md, "Checkpoints", V1). DuckDB reads and writes them: each row
 * as the JSON that a log entry would hold. A struct is cast to the one that we know, so that a member that is missing is
 * NULL, and one more is left out.
 */
#include "lake/inside.h"

#include "db/load.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#define TOMBSTONES_MS (INT64_C(7) * 24 * 3600 * 1000) /* Delta's usual deletedFileRetentionDuration */

static const struct {
    const char *name, *read, *written; /* DuckDB's types; written NULL: not by us */
} actions[] = {
    {"protocol", "STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER)",
        "STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER)"},
    {"metaData",
        "STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider VARCHAR), schemaString "
        "VARCHAR, "
        "partitionColumns VARCHAR[], createdTime BIGINT, configuration MAP(VARCHAR, VARCHAR))",
        "STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider VARCHAR, options "
        "MAP(VARCHAR, "
        "VARCHAR)), schemaString VARCHAR, partitionColumns VARCHAR[], createdTime BIGINT, configuration "
        "MAP(VARCHAR, "
        "VARCHAR))"},
    {"add",
        "STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, modificationTime BIGINT, "
        "stats "
        "VARCHAR, deletionVector STRUCT(storageType VARCHAR))",
        "STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, modificationTime BIGINT, "
        "dataChange BOOLEAN, stats VARCHAR)"},
    {"remove", "STRUCT(path VARCHAR, deletionTimestamp BIGINT, size BIGINT)",
        "STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, size BIGINT)"},
    {"txn", "STRUCT(appId VARCHAR)", NULL},
    {"domainMetadata", "STRUCT(domain VARCHAR)", NULL},
};

/* ---- reading ---- */

struct reading {
    struct log_state *state;
    bool there[N_ELEMENTS(actions)];
    struct error err;
};

static bool take_column(void *arg, int n, const struct db_value *values)
{
    struct reading *r = arg;
    for (size_t i = 0; i < N_ELEMENTS(actions); i++)
        r->there[i] |= slice_is((struct slice){values[0].p, values[0].n}, actions[i].name);
    return true;
}

static bool take_row(void *arg, int n, const struct db_value *values)
{
    struct reading *r = arg;
    return log_take(r->state, (struct slice){values[0].p, values[0].n}, &r->err) == 0;
}

static void put_query(const struct reading *r, const char *list, struct buffer *sql)
{
    const char *comma = "";
    buffer_put_string(sql, "SELECT json_object(");
    for (size_t i = 0; i < N_ELEMENTS(actions); i++) {
        if (!r->there[i])
            continue;
        buffer_printf(
            sql, "%s'%s', CAST(\"%s\" AS %s)", comma, actions[i].name, actions[i].name, actions[i].read);
        comma = ", ";
    }
    buffer_printf(sql, ") FROM read_parquet([%s], union_by_name = true)", list);
}

int checkpoint_read(struct lake *l, const char *list, struct log_state *state, struct db_fault *fault)
{
    struct reading r = {.state = state};
    struct db_sink columns = {.row = take_column, .arg = &r}, rows = {.row = take_row, .arg = &r};
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *describe =
        xasprintf("DESCRIBE SELECT * FROM read_parquet([%s], union_by_name = true)", list);
    if (db_query(l->duck, describe, 0, NULL, &columns, fault) < 0)
        return -1;
    put_query(&r, list, &sql);
    if (db_query(l->duck, buffer_string(&sql), 0, NULL, &rows, fault) == 0)
        return 0;
    return r.err.text[0] ? lake_fault(fault, false, "%s", r.err.text) : -1;
}

/* ---- writing ---- */

struct writing {
    FILE *out;
    int64_t now_ms;
    bool all_tombstones;
    size_t n, longest; /* lines, and bytes of the longest */
};

static void put_line(struct writing *w, const char *name, cJSON *action)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddItemToObject(line, name, action);
    char *text = cJSON_PrintUnformatted(line);
    if (!text)
        abort();
    fprintf(w->out, "%s\n", text);
    w->longest = MAX(w->longest, strlen(text));
    cJSON_free(text);
    cJSON_Delete(line);
    w->n++;
}

static bool put_add(void *arg, const struct log_file *f)
{
    put_line(arg, "add", lake_add_action(&f->file));
    return true;
}

static bool put_remove(void *arg, const struct log_file *f)
{
    struct writing *w = arg;
    if (w->all_tombstones || f->removed_ms > w->now_ms - TOMBSTONES_MS)
        put_line(arg, "remove", lake_remove_action(&f->file, f->removed_ms));
    return true;
}

static int put_lines(struct writing *w, const struct lake_table *t, const char *path, struct db_fault *fault)
{
    w->out = fopen(path, "we");
    if (!w->out)
        return lake_fault(fault, false, "%s cannot be made: %s", path, strerror(errno));
    put_line(w, "protocol", lake_protocol_action(&t->state));
    put_line(w, "metaData", lake_metadata_action(&t->state));
    log_each(&t->state, true, put_add, w);
    log_each(&t->state, false, put_remove, w);
    bool good = !ferror(w->out);
    if (fclose(w->out) == 0 && good)
        return 0;
    return lake_fault(fault, true, "%s cannot be written: %s", path, strerror(errno));
}

/* DuckDB makes a buffer of twice the size that a line may have. */
static int convert(
    struct lake *l, const struct writing *w, const char *from, const char *to, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer sql = {0};
    _cleanup_free_ char *source = db_quote_text(l->duck, from), *target = db_quote_text(l->duck, to);
    buffer_printf(&sql,
        "COPY (SELECT * FROM read_json(%s, format = 'newline_delimited', maximum_object_size = %zu, columns "
        "= {",
        source, w->longest + 4096);
    for (size_t i = 0; i < N_ELEMENTS(actions); i++)
        if (actions[i].written)
            buffer_printf(&sql, "%s\"%s\": '%s'", i ? ", " : "", actions[i].name, actions[i].written);
    buffer_printf(&sql, "})) TO %s (FORMAT parquet, COMPRESSION snappy)", target);
    return db_query(l->duck, buffer_string(&sql), 0, NULL, NULL, fault);
}

static int announce(struct lake *l, const struct lake_table *t, const struct writing *w, int64_t bytes,
    struct db_fault *fault)
{
    struct store_fault broken;
    char text[160];
    _cleanup_free_ char *key = xasprintf("%s/" LOG_FOLDER "_last_checkpoint", t->name);
    int n = snprintf(text, sizeof(text),
        "{\"version\":%" PRId64 ",\"size\":%zu,\"sizeInBytes\":%" PRId64 ",\"numOfAddFiles\":%zu}",
        t->version, w->n, bytes, t->n_files);
    if (store_put(l->store, key, text, (size_t)n, &broken) < 0)
        return lake_store_fault(fault, &broken);
    return 0;
}

static int write_in(struct lake *l, const struct lake_table *t, const char *folder, struct db_fault *fault)
{
    struct store_fault broken;
    struct stat st;
    struct writing w = {.now_ms = lake_now_ms(),
        .all_tombstones = strstr(t->state.configuration, "delta.deletedFileRetentionDuration") != NULL};
    _cleanup_free_ char *lines = xasprintf("%s/actions.json", folder);
    _cleanup_free_ char *path = xasprintf("%s/checkpoint.parquet", folder);
    _cleanup_free_ char *key = lake_log_key(t->name, t->version, ".checkpoint.parquet");
    if (put_lines(&w, t, lines, fault) < 0 || convert(l, &w, lines, path, fault) < 0)
        return -1;
    if (stat(path, &st) < 0 || chmod(path, 0440) < 0)
        return lake_fault(fault, false, "%s cannot be read: %s", path, strerror(errno));
    if (store_put_file(l->store, key, path, &broken) < 0)
        return lake_store_fault(fault, &broken);
    return announce(l, t, &w, st.st_size, fault);
}

int checkpoint_write(struct lake *l, const struct lake_table *t, struct db_fault *fault)
{
    if (t->state.others)
        return lake_fault(fault, false,
            "table %s has transaction numbers or domains of other programs, which we do not keep: let one of "
            "those "
            "write its checkpoints",
            t->name);
    _cleanup_free_ char *name = xasprintf("checkpoint-%s-%" PRId64, t->name, t->version);
    _cleanup_free_ char *folder = lake_scratch(l, name, fault);
    int r = folder ? write_in(l, t, folder, fault) : -1;
    if (folder)
        lake_scratch_remove(folder);
    return r;
}
