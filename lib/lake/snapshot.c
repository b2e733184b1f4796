/*
 * A table as of a version: its newest checkpoint that is not newer than that, and the log entries behind it. The names in the
 * log's folder sort by their versions, so the list is begun at the checkpoint that _last_checkpoint names; where that turns
 * out not to be there, all is listed.
 */
#include "lake/inside.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#define HINT_MAX    65536
#define ENTRIES_MAX 100000 /* versions behind a checkpoint */
#define PARTS_MAX   1000

/* What is in the log's folder, as far as the wanted version. */
struct listing {
    int64_t wanted; /* LAKE_NEWEST: all */
    int64_t *commits;
    size_t n_commits;
    int64_t first, last; /* of all versions that have an entry; -1: none */
    int64_t checkpoint;  /* the newest that is complete; -1: none */
    int n_parts;         /* of it; 0: it is one file */
    int64_t partial;     /* whose parts are being counted */
    int partial_parts, partial_seen;
    bool too_many;
};

static void listing_done(struct listing *list)
{
    free(list->commits);
}

static void see_commit(struct listing *list, int64_t version)
{
    if (list->first < 0)
        list->first = version;
    list->last = version;
    if (list->wanted >= 0 && version > list->wanted)
        return;
    list->too_many = list->n_commits >= ENTRIES_MAX;
    if (list->too_many)
        return;
    if ((list->n_commits & (list->n_commits - 1)) == 0)
        list->commits = xrealloc(list->commits, MAX(list->n_commits * 2, 16), sizeof(*list->commits));
    list->commits[list->n_commits++] = version;
}

static void see_checkpoint(struct listing *list, int64_t version, int n_parts)
{
    list->checkpoint = version;
    list->n_parts = n_parts;
    list->n_commits = 0; /* what is before it is not needed */
}

/* ".checkpoint.0000000001.0000000003.parquet": parts come one after the other. */
static void see_part(struct listing *list, int64_t version, const char *rest)
{
    int part, parts, end = 0;
    if (sscanf(rest, ".checkpoint.%10d.%10d.parquet%n", &part, &parts, &end) != 2 || rest[end] || !end)
        return;
    if (parts < 1 || parts > PARTS_MAX || part < 1 || part > parts)
        return;
    if (list->partial != version || list->partial_parts != parts)
        list->partial_seen = 0;
    list->partial = version;
    list->partial_parts = parts;
    if (++list->partial_seen == parts && list->checkpoint != version)
        see_checkpoint(list, version, parts);
}

static bool see(void *arg, const struct store_object *object)
{
    struct listing *list = arg;
    const char *rest, *name = strstr(object->key, LOG_FOLDER) + strlen(LOG_FOLDER);
    int64_t version = strchr(name, '/') ? -1 : lake_key_version(name, &rest);
    if (version < 0)
        return true;
    bool late = list->wanted >= 0 && version > list->wanted;
    if (strcmp(rest, ".json") == 0)
        see_commit(list, version);
    else if (strcmp(rest, ".checkpoint.parquet") == 0 && !late)
        see_checkpoint(list, version, 0);
    else if (!late)
        see_part(list, version, rest);
    return !list->too_many;
}

static int list_from(
    struct lake *l, const struct lake_table *t, int64_t from, struct listing *list, struct db_fault *fault)
{
    struct store_fault broken;
    int64_t wanted = list->wanted;
    listing_done(list);
    *list = (struct listing){.wanted = wanted, .first = -1, .last = -1, .checkpoint = -1, .partial = -1};
    _cleanup_free_ char *prefix = xasprintf("%s/" LOG_FOLDER, t->name);
    _cleanup_free_ char *after = from > 0 ? lake_log_key(t->name, from, "") : NULL;
    if (store_list(l->store, prefix, after, see, list, &broken) < 0 && !broken.absent)
        return lake_store_fault(fault, &broken);
    if (list->too_many)
        return lake_fault(fault, false,
            "the log of table %s has more than %d versions behind its last checkpoint: write one with a "
            "program that "
            "can",
            t->name, ENTRIES_MAX);
    return 0;
}

/* The version that _last_checkpoint names; 0: it says nothing that helps. */
static int64_t read_hint(struct lake *l, const struct lake_table *t)
{
    struct store_fault ignored;
    size_t n;
    _cleanup_free_ char *key = xasprintf("%s/" LOG_FOLDER "_last_checkpoint", t->name), *text = NULL;
    if (store_get(l->store, key, HINT_MAX, &text, &n, &ignored) < 0)
        return 0;
    cJSON *json = cJSON_ParseWithLength(text, n);
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(json, "version");
    bool good = cJSON_IsNumber(version) && version->valuedouble > 0 && version->valuedouble < 1e15;
    int64_t hint = good ? (int64_t)version->valuedouble : 0;
    cJSON_Delete(json);
    return hint;
}

static int list_log(struct lake *l, const struct lake_table *t, struct listing *list, struct db_fault *fault)
{
    int64_t hint = read_hint(l, t);
    if (list->wanted >= 0 && hint > list->wanted)
        hint = 0;
    if (list_from(l, t, hint, list, fault) < 0)
        return -1;
    return hint > 0 && list->checkpoint < 0 ? list_from(l, t, 0, list, fault) : 0;
}

/* ---- replay ---- */

static int damaged(const struct lake *l, const struct lake_table *t, const char *what, struct db_fault *fault)
{
    return lake_fault(
        fault, false, "table %s of %s cannot be used: %s", t->name, store_label(l->store), what);
}

/* A name of its own for each: whoever reads files may keep something of one under its name. */
static char *part_name(const struct lake_table *t, const struct listing *list, int part)
{
    return xasprintf("checkpoint-%s-%" PRId64 "-%d.parquet", t->name, list->checkpoint, part);
}

static int fetch_checkpoint(struct lake *l, const struct lake_table *t, const struct listing *list,
    struct buffer *paths, struct db_fault *fault)
{
    for (int part = 1; part <= MAX(list->n_parts, 1); part++) {
        char suffix[64] = ".checkpoint.parquet";
        if (list->n_parts)
            snprintf(suffix, sizeof(suffix), ".checkpoint.%010d.%010d.parquet", part, list->n_parts);
        _cleanup_free_ char *key = lake_log_key(t->name, list->checkpoint, suffix);
        _cleanup_free_ char *name = part_name(t, list, part);
        _cleanup_free_ char *path = lake_local(l, key, name, -1, fault);
        if (!path || lake_list_add(l, paths, path, fault) < 0)
            return -1;
    }
    return 0;
}

/* Those that were fetched into the run's folder. */
static void forget_checkpoint(struct lake *l, const struct lake_table *t, const struct listing *list)
{
    for (int part = 1; part <= MAX(list->n_parts, 1); part++) {
        _cleanup_free_ char *name = part_name(t, list, part), *path = xasprintf("%s/%s", l->folder, name);
        unlink(path);
    }
}

static int take_checkpoint(
    struct lake *l, struct lake_table *t, const struct listing *list, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer paths = {0};
    if (list->checkpoint < 0)
        return 0;
    t->checkpoint = list->checkpoint;
    int r = fetch_checkpoint(l, t, list, &paths, fault);
    bool fetched = r == 0;
    if (fetched)
        r = checkpoint_read(l, buffer_string(&paths), &t->state, fault);
    forget_checkpoint(l, t, list);
    if (r == 0 || !fetched)
        return r;
    char words[400];
    snprintf(words, sizeof(words), "its checkpoint of version %" PRId64 ": %.300s", list->checkpoint,
        fault->error.text);
    bool transient = fault->transient;
    damaged(l, t, words, fault);
    fault->transient = transient;
    return -1;
}

static int take_commit(struct lake *l, struct lake_table *t, int64_t version, struct db_fault *fault)
{
    struct store_fault broken;
    struct error err;
    size_t n;
    _cleanup_free_ char *key = lake_log_key(t->name, version, ".json"), *text = NULL;
    if (store_get(l->store, key, LOG_ENTRY_MAX, &text, &n, &broken) < 0)
        return lake_store_fault(fault, &broken);
    if (log_take(&t->state, (struct slice){text, n}, &err) == 0)
        return 0;
    error_prefix(&err, "its log entry of version %" PRId64, version);
    return damaged(l, t, err.text, fault);
}

static int no_version(
    const struct lake *l, const struct lake_table *t, const struct listing *list, struct db_fault *fault)
{
    if (list->last < 0)
        return lake_fault(fault, false, "table %s of %s has no version %" PRId64 ": there is no such table",
            t->name, store_label(l->store), list->wanted);
    return lake_fault(fault, false,
        "table %s of %s has no version %" PRId64 ": its log has %" PRId64 " to %" PRId64, t->name,
        store_label(l->store), list->wanted, list->first, list->last);
}

static int replay(struct lake *l, struct lake_table *t, const struct listing *list, struct db_fault *fault)
{
    char words[160];
    t->version = list->checkpoint;
    if (take_checkpoint(l, t, list, fault) < 0)
        return -1;
    for (size_t i = 0; i < list->n_commits; i++) {
        if (list->commits[i] <= t->version)
            continue;
        if (list->commits[i] != t->version + 1) {
            snprintf(words, sizeof(words),
                "its log has no entry of version %" PRId64 ", but one of %" PRId64
                ": restore it, or make the table anew",
                t->version + 1, list->commits[i]);
            return damaged(l, t, words, fault);
        }
        if (take_commit(l, t, list->commits[i], fault) < 0)
            return -1;
        t->version = list->commits[i];
    }
    return list->wanted >= 0 && t->version != list->wanted ? no_version(l, t, list, fault) : 0;
}

static bool take_file(void *arg, const struct log_file *f)
{
    struct lake_table *t = arg;
    t->files[t->n_files++] = f->file;
    return true;
}

static int finish(struct lake *l, struct lake_table *t, struct db_fault *fault)
{
    struct error err;
    if (t->version < 0)
        return 0;
    if (!t->state.reader || !t->state.schema)
        return damaged(l, t, "its log has no protocol, or no metaData", fault);
    lake_columns_done(&t->columns);
    if (lake_schema_read(t->state.schema, &t->columns, &err) < 0)
        return damaged(l, t, err.text, fault);
    free(t->files);
    t->files = xcalloc(t->state.n_there + 1, sizeof(*t->files));
    t->n_files = 0;
    log_each(&t->state, true, take_file, t);
    return 0;
}

static bool see_newer(void *arg, const struct store_object *object)
{
    const char *rest, *name = strstr(object->key, LOG_FOLDER) + strlen(LOG_FOLDER);
    bool *newer = arg;
    *newer |= !strchr(name, '/') && lake_key_version(name, &rest) >= 0;
    return !*newer;
}

int lake_table_is_newest(struct lake *l, const struct lake_table *t, bool *ret_newest, struct db_fault *fault)
{
    struct store_fault broken;
    bool newer = false, none = t->version < 0;
    _cleanup_free_ char *prefix = xasprintf("%s/" LOG_FOLDER, t->name);
    _cleanup_free_ char *after = none ? NULL : lake_log_key(t->name, t->version, ".json");
    *fault = (struct db_fault){0};
    if (store_list(l->store, prefix, after, see_newer, &newer, &broken) < 0 && !(none && broken.absent))
        return lake_store_fault(fault, &broken);
    *ret_newest = !newer;
    return 0;
}

int lake_table_next(struct lake *l, struct lake_table *t, struct db_fault *fault)
{
    if (take_commit(l, t, t->version + 1, fault) < 0)
        return -1;
    t->version++;
    return finish(l, t, fault);
}

int lake_table_open(
    struct lake *l, const char *name, int64_t version, struct lake_table **ret_table, struct db_fault *fault)
{
    *fault = (struct db_fault){0};
    _cleanup_(lake_table_freep) struct lake_table *t = xnew(struct lake_table);
    _cleanup_(listing_done) struct listing list = {.wanted = version, .checkpoint = -1};
    t->name = xstrdup(name);
    t->version = t->checkpoint = -1;
    if (strchr(name, '/') || name[0] == '_' || name[0] == '.' || !*name)
        return lake_fault(fault, false,
            "%.100s is no name of a table: it has no '/', and does not begin with '_' or '.'", name);
    if (version != LAKE_NOTHING) {
        if (list_log(l, t, &list, fault) < 0 || replay(l, t, &list, fault) < 0 || finish(l, t, fault) < 0)
            return -1;
    }
    *ret_table = TAKE(t);
    return 0;
}
