/*
 * A version is one put-if-absent. What it says is the difference between the newest version in the log and what is wished:
 * so it does not matter what runs that were killed left behind the version that is published.
 */
#include "lake/inside.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <search.h>

#define CHECKPOINT_EVERY 10

/* ---- actions ---- */

cJSON *lake_add_action(const struct lake_file *f)
{
    cJSON *add = cJSON_CreateObject();
    cJSON_AddStringToObject(add, "path", f->entry);
    cJSON_AddObjectToObject(add, "partitionValues");
    cJSON_AddNumberToObject(add, "size", (double)f->size);
    cJSON_AddNumberToObject(add, "modificationTime", (double)f->modified_ms);
    cJSON_AddTrueToObject(add, "dataChange");
    if (f->stats)
        cJSON_AddStringToObject(add, "stats", f->stats);
    return add;
}

cJSON *lake_remove_action(const struct lake_file *f, int64_t removed_ms)
{
    cJSON *gone = cJSON_CreateObject();
    cJSON_AddStringToObject(gone, "path", f->entry);
    cJSON_AddNumberToObject(gone, "deletionTimestamp", (double)removed_ms);
    cJSON_AddTrueToObject(gone, "dataChange");
    if (f->size >= 0)
        cJSON_AddNumberToObject(gone, "size", (double)f->size);
    return gone;
}

cJSON *lake_protocol_action(const struct log_state *s)
{
    cJSON *protocol = cJSON_CreateObject();
    cJSON_AddNumberToObject(protocol, "minReaderVersion", (double)s->reader);
    cJSON_AddNumberToObject(protocol, "minWriterVersion", (double)s->writer);
    return protocol;
}

cJSON *lake_metadata_action(const struct log_state *s)
{
    cJSON *meta = cJSON_CreateObject();
    cJSON_AddStringToObject(meta, "id", s->id);
    if (s->name)
        cJSON_AddStringToObject(meta, "name", s->name);
    if (s->description)
        cJSON_AddStringToObject(meta, "description", s->description);
    cJSON *format = cJSON_AddObjectToObject(meta, "format");
    cJSON_AddStringToObject(format, "provider", "parquet");
    cJSON_AddObjectToObject(format, "options");
    cJSON_AddStringToObject(meta, "schemaString", s->schema);
    cJSON_AddArrayToObject(meta, "partitionColumns");
    if (s->created_ms > 0)
        cJSON_AddNumberToObject(meta, "createdTime", (double)s->created_ms);
    cJSON_AddRawToObject(meta, "configuration", s->configuration);
    return meta;
}

/* ---- the entry ---- */

struct log_entry {
    struct buffer text;
    const struct lake_change *change;
    const struct lake_table *newest;
    int64_t now_ms;
    void *wished; /* tsearch(3) of paths */
    size_t n_added, n_removed;
};

static void entry_done(struct log_entry *e)
{
    buffer_done(&e->text);
    while (e->wished) {
        const char *path = *(const char **)e->wished;
        tdelete(path, &e->wished, lake_path_order);
    }
}

static void put(struct log_entry *e, const char *name, cJSON *action)
{
    cJSON *line = cJSON_CreateObject();
    cJSON_AddItemToObject(line, name, action);
    char *text = cJSON_PrintUnformatted(line);
    if (!text)
        abort();
    buffer_printf(&e->text, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(line);
}

static void put_adds(struct log_entry *e)
{
    for (size_t i = 0; i < e->change->n_files; i++) {
        const struct lake_file *f = &e->change->files[i];
        const struct log_file *there = log_find(&e->newest->state, f->path);
        tsearch(f->path, &e->wished, lake_path_order);
        if (there && there->there)
            continue;
        put(e, "add", lake_add_action(f));
        e->n_added++;
    }
}

static void put_removes(struct log_entry *e)
{
    for (size_t i = 0; i < e->newest->n_files; i++) {
        const struct lake_file *f = &e->newest->files[i];
        if (tfind(f->path, &e->wished, lake_path_order))
            continue;
        put(e, "remove", lake_remove_action(f, e->now_ms));
        e->n_removed++;
    }
}

static void put_info(struct log_entry *e, const struct lake *l, const char *operation)
{
    const struct lake_change *c = e->change;
    cJSON *info = cJSON_CreateObject();
    cJSON_AddNumberToObject(info, "timestamp", (double)e->now_ms);
    cJSON_AddStringToObject(info, "operation", operation);
    cJSON_AddObjectToObject(info, "operationParameters");
    if (e->newest->version >= 0)
        cJSON_AddNumberToObject(info, "readVersion", (double)e->newest->version);
    cJSON_AddBoolToObject(info, "isBlindAppend", e->n_removed == 0 && c->updated == 0);
    cJSON *metrics = cJSON_AddObjectToObject(info, "operationMetrics");
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {{"numFiles", (int64_t)e->n_added}, {"numRemovedFiles", (int64_t)e->n_removed},
        {"numInsertedRows", c->inserted}, {"numUpdatedRows", c->updated}, {"numOutputBytes", c->bytes}};
    for (size_t i = 0; i < N_ELEMENTS(counts); i++) {
        char text[24];
        snprintf(text, sizeof(text), "%" PRId64, counts[i].n);
        cJSON_AddStringToObject(metrics, counts[i].name, text);
    }
    cJSON_AddStringToObject(info, "engineInfo", l->writer);
    put(e, "commitInfo", info);
}

/* A table's metaData, where it has none or another schema. */
static int put_metadata(struct log_entry *e, struct lake *l, struct db_fault *fault)
{
    const struct log_state *s = &e->newest->state;
    struct log_state next = {.reader = 1,
        .writer = 2,
        .id = s->id,
        .schema = e->change->schema,
        .name = s->name,
        .description = s->description,
        .configuration = s->configuration ? s->configuration : (char[]){"{}"},
        .created_ms = s->id ? s->created_ms : e->now_ms};
    _cleanup_free_ char *id = NULL;
    if (s->schema && strcmp(s->schema, e->change->schema) == 0)
        return 0;
    if (!next.id && db_value(l->duck, "SELECT uuid()", 0, NULL, &id, fault) < 0)
        return -1;
    next.id = next.id ? next.id : id;
    if (!s->reader)
        put(e, "protocol", lake_protocol_action(&next));
    put(e, "metaData", lake_metadata_action(&next));
    return 0;
}

static int put_entry(struct lake *l, const struct log_entry *e, bool *ret_lost, struct db_fault *fault)
{
    struct store_fault broken;
    int64_t version = e->newest->version + 1;
    _cleanup_free_ char *key = lake_log_key(e->newest->name, version, ".json");
    if (e->text.n > LOG_ENTRY_MAX)
        return lake_fault(fault, false,
            "the log entry of version %" PRId64 " of table %s is larger than %zu MB", version,
            e->newest->name, LOG_ENTRY_MAX >> 20);
    if (store_put_new(l->store, key, e->text.p, e->text.n, &broken) == 0)
        return 0;
    if (!broken.exists)
        return lake_store_fault(fault, &broken);
    *ret_lost = true;
    return lake_fault(fault, true,
        "another program has written version %" PRId64
        " of table %s of %s at the same time: this run begins anew from "
        "that",
        version, e->newest->name, store_label(l->store));
}

/* ---- a commit ---- */

static char *make_checkpoint(struct lake *l, const char *name, int64_t version)
{
    struct db_fault fault;
    _cleanup_(lake_table_freep) struct lake_table *t = NULL;
    if (version == 0 || version % CHECKPOINT_EVERY != 0)
        return NULL;
    if (lake_table_open(l, name, version, &t, &fault) == 0 && checkpoint_write(l, t, &fault) == 0)
        return NULL;
    return xasprintf(
        "version %" PRId64 " of table %s has no checkpoint: %s", version, name, fault.error.text);
}

/* The words of what there is to say are put behind a line that needs their numbers. */
static int compose(
    struct log_entry *e, struct lake *l, const char *operation, bool *ret_new, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer files = {0}, meta = {0};
    put_adds(e);
    put_removes(e);
    files = e->text;
    e->text = (struct buffer){0};
    if (put_metadata(e, l, fault) < 0)
        return -1;
    meta = e->text;
    e->text = (struct buffer){0};
    *ret_new = files.n > 0 || meta.n > 0;
    put_info(e, l, operation);
    buffer_put(&e->text, meta.p, meta.n);
    buffer_put(&e->text, files.p, files.n);
    return 0;
}

static int check_append_only(const struct log_entry *e, const struct lake *l, struct db_fault *fault)
{
    if (!e->newest->state.append_only || e->n_removed == 0)
        return 0;
    return lake_fault(fault, false,
        "table %s of %s is append-only (delta.appendOnly), and %zu files of a run that was killed, or of "
        "another "
        "program, are to be removed from it: set that to false until a run has ended well",
        e->newest->name, store_label(l->store), e->n_removed);
}

int lake_commit(struct lake *l, const struct lake_table *t, const struct lake_change *change,
    const char *operation, int64_t *ret_version, char **ret_note, bool *ret_lost, struct db_fault *fault)
{
    bool is_new = false, is_newest;
    _cleanup_(lake_table_freep) struct lake_table *newer = NULL;
    *fault = (struct db_fault){0};
    *ret_lost = false;
    *ret_note = NULL;
    if (!change->schema)
        return lake_fault(fault, false, "there is no change of table %s to commit", t->name);
    if (lake_table_is_newest(l, t, &is_newest, fault) < 0 ||
        (!is_newest && lake_table_open(l, t->name, LAKE_NEWEST, &newer, fault) < 0))
        return -1;
    const struct lake_table *newest = is_newest ? t : newer;
    _cleanup_(entry_done) struct log_entry e = {.change = change, .newest = newest, .now_ms = lake_now_ms()};
    if (compose(&e, l, operation, &is_new, fault) < 0 || check_append_only(&e, l, fault) < 0)
        return -1;
    if (is_new && put_entry(l, &e, ret_lost, fault) < 0)
        return -1;
    *ret_version = newest->version + is_new;
    if (is_new)
        *ret_note = make_checkpoint(l, t->name, *ret_version);
    return 0;
}
