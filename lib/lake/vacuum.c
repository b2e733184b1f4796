/*
 * What nobody needs: Parquet files of a table that are in no version which somebody may be reading. A version is read until
 * keep_us after the next one came, and so is a pointer with the versions that it names: who began by the one before the newest
 * may be at it still, however old that is. Versions of a table only grow from pointer to pointer, so all files are needed
 * that the oldest of these names, or that came later. Of the log goes what is behind the checkpoint that this one is read from.
 */
#include "lake/inside.h"

#include "util/clock.h"

#include <cjson/cJSON.h>
#include <search.h>

struct vacuum {
    struct lake *l;
    const char *table;
    int64_t before_us; /* what is younger stays */
    int64_t published; /* the version that the newest pointer names; -1: none */
    int64_t held;      /* the same of the oldest pointer that is kept */
    int64_t first;     /* the oldest version that is needed; -1: none found yet */
    int64_t behind;    /* what the log has from before this version is not needed to read those; -1: all is */
    int64_t newest;
    void *needed;  /* tsearch(3) of paths */
    char **doomed; /* keys */
    size_t n_doomed;
    int64_t bytes;
};

static void vacuum_done(struct vacuum *v)
{
    for (size_t i = 0; i < v->n_doomed; i++)
        free(v->doomed[i]);
    free(v->doomed);
    tdestroy(v->needed, free);
}

static void doom(struct vacuum *v, const struct store_object *object)
{
    v->doomed = xrealloc(v->doomed, v->n_doomed + 1, sizeof(*v->doomed));
    v->doomed[v->n_doomed++] = xstrdup(object->key);
    v->bytes += object->size;
}

/* The last first: of a log whose beginning is gone, what is left of it behind that could not be read. */
static int remove_doomed(struct vacuum *v, int64_t *removed, int64_t *bytes, struct db_fault *fault)
{
    struct store_fault broken;
    for (size_t i = v->n_doomed; i-- > 0;) {
        if (store_remove(v->l->store, v->doomed[i], &broken) < 0)
            return lake_store_fault(fault, &broken);
        ++*removed;
    }
    *bytes += v->bytes;
    return 0;
}

/* ---- which versions ---- */

/* The last one that came before that time was the newest then. */
static bool see_entry(void *arg, const struct store_object *object)
{
    struct vacuum *v = arg;
    const char *rest, *name = strstr(object->key, LOG_FOLDER) + strlen(LOG_FOLDER);
    int64_t version = strchr(name, '/') ? -1 : lake_key_version(name, &rest);
    if (version < 0 || strcmp(rest, ".json") != 0)
        return true;
    if (v->first < 0 || object->modified_us < v->before_us)
        v->first = version;
    v->newest = version;
    return true;
}

static void need(struct vacuum *v, const struct lake_table *t)
{
    for (size_t i = 0; i < t->n_files; i++) {
        char *path = xstrdup(t->files[i].path);
        char **at = tsearch(path, &v->needed, lake_path_order);
        if (*at != path)
            free(path);
    }
}

static int need_since(struct vacuum *v, struct db_fault *fault)
{
    _cleanup_(lake_table_freep) struct lake_table *t = NULL;
    if (v->first < 0)
        return 0;
    if (lake_table_open(v->l, v->table, v->first, &t, fault) < 0)
        return -1;
    need(v, t);
    v->behind = t->checkpoint;
    while (t->version < v->newest) {
        if (lake_table_next(v->l, t, fault) < 0)
            return -1;
        need(v, t);
    }
    return 0;
}

static void need_version(struct vacuum *v, int64_t version)
{
    if (version >= 0 && (v->first < 0 || version < v->first))
        v->first = version;
}

static int find_needed(struct vacuum *v, struct db_fault *fault)
{
    struct store_fault broken;
    _cleanup_free_ char *prefix = xasprintf("%s/" LOG_FOLDER, v->table);
    if (store_list(v->l->store, prefix, NULL, see_entry, v, &broken) < 0 && !broken.absent)
        return lake_store_fault(fault, &broken);
    need_version(v, v->held);
    need_version(v, v->published);
    return need_since(v, fault);
}

/* ---- files ---- */

static bool see_file(void *arg, const struct store_object *object)
{
    struct vacuum *v = arg;
    const char *path = object->key + strlen(v->table) + 1;
    size_t n = strlen(path);
    bool hidden = path[0] == '_' || path[0] == '.' || strstr(path, "/_") || strstr(path, "/.");
    if (!hidden && n > 8 && strcmp(path + n - 8, ".parquet") == 0 && object->modified_us < v->before_us &&
        !tfind(path, &v->needed, lake_path_order))
        doom(v, object);
    return true;
}

/* ---- the log ---- */

/* What an entry says of files that are gone is to be gone too: it holds values of rows. */
static bool see_old_entry(void *arg, const struct store_object *object)
{
    struct vacuum *v = arg;
    const char *rest, *name = strstr(object->key, LOG_FOLDER) + strlen(LOG_FOLDER);
    int64_t version = strchr(name, '/') ? -1 : lake_key_version(name, &rest);
    bool ours = version >= 0 && (strcmp(rest, ".json") == 0 || strncmp(rest, ".checkpoint.", 12) == 0);
    if (ours && version < v->behind && object->modified_us < v->before_us)
        doom(v, object);
    return version < v->behind;
}

static int find_old_entries(struct vacuum *v, struct db_fault *fault)
{
    struct store_fault broken;
    _cleanup_free_ char *prefix = xasprintf("%s/" LOG_FOLDER, v->table);
    if (v->behind > 0 && store_list(v->l->store, prefix, NULL, see_old_entry, v, &broken) < 0 &&
        !broken.absent)
        return lake_store_fault(fault, &broken);
    return 0;
}

static int clean_table(struct vacuum *v, int64_t *removed, int64_t *bytes, struct db_fault *fault)
{
    struct store_fault broken;
    _cleanup_free_ char *prefix = xasprintf("%s/", v->table);
    if (find_needed(v, fault) < 0)
        return -1;
    if (store_list(v->l->store, prefix, NULL, see_file, v, &broken) < 0 && !broken.absent)
        return lake_store_fault(fault, &broken);
    if (find_old_entries(v, fault) < 0)
        return -1;
    return remove_doomed(v, removed, bytes, fault);
}

/* ---- pointers ---- */

/* Those that are kept: the younger ones, the one that was the newest when they came, and always the two newest. */
struct pointers {
    struct lake *l;
    int64_t before_us;
    int64_t first, last; /* numbers: the oldest of them, the newest of all; 0: none */
    int64_t before_last;
    cJSON *oldest, *newest; /* NULL: none */
};

static void pointers_done(struct pointers *p)
{
    cJSON_Delete(p->oldest);
    cJSON_Delete(p->newest);
}

static int64_t pointer_number(const struct store_object *object)
{
    const char *rest;
    int64_t number = lake_key_version(object->key + strlen(POINTER_FOLDER), &rest);
    return number > 0 && strcmp(rest, ".json") == 0 ? number : 0;
}

static bool see_pointer(void *arg, const struct store_object *object)
{
    struct pointers *p = arg;
    int64_t number = pointer_number(object);
    if (number == 0)
        return true;
    if (!p->first || object->modified_us < p->before_us)
        p->first = number;
    p->before_last = p->last;
    p->last = number;
    return true;
}

static int find_pointers(struct pointers *p, struct db_fault *fault)
{
    struct store_fault broken;
    int64_t newest;
    if (lake_published(p->l, &newest, &p->newest, fault) < 0)
        return -1;
    if (store_list(p->l->store, POINTER_FOLDER, NULL, see_pointer, p, &broken) < 0 && !broken.absent)
        return lake_store_fault(fault, &broken);
    if (p->before_last && p->first > p->before_last)
        p->first = p->before_last;
    return p->first ? lake_pointer_read(p->l, p->first, &p->oldest, fault) : 0;
}

struct old_pointers {
    struct vacuum v;
    int64_t first;
};

static bool see_old_pointer(void *arg, const struct store_object *object)
{
    struct old_pointers *old = arg;
    int64_t number = pointer_number(object);
    if (number > 0 && number < old->first)
        doom(&old->v, object);
    return number < old->first;
}

static int clean_pointers(const struct pointers *p, int64_t *removed, int64_t *bytes, struct db_fault *fault)
{
    struct store_fault broken;
    struct old_pointers old = {.v = {.l = p->l}, .first = p->first};
    int r = store_list(p->l->store, POINTER_FOLDER, NULL, see_old_pointer, &old, &broken);
    r = r < 0 && !broken.absent ? lake_store_fault(fault, &broken)
                                : remove_doomed(&old.v, removed, bytes, fault);
    vacuum_done(&old.v);
    return r;
}

/* ---- all tables ---- */

static int64_t version_in(const cJSON *pointer, const char *table)
{
    const cJSON *tables = cJSON_GetObjectItemCaseSensitive(pointer, "tables");
    const cJSON *version =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(tables, table), "version");
    return version ? (int64_t)version->valuedouble : -1;
}

static int clean_tables(const struct pointers *p, const char *const *names, size_t n_names, int64_t *removed,
    int64_t *bytes, struct db_fault *fault)
{
    for (size_t i = 0; i < n_names; i++) {
        _cleanup_(vacuum_done) struct vacuum v = {.l = p->l,
            .table = names[i],
            .before_us = p->before_us,
            .published = version_in(p->newest, names[i]),
            .held = version_in(p->oldest, names[i]),
            .first = -1,
            .behind = -1,
            .newest = -1};
        if (clean_table(&v, removed, bytes, fault) < 0)
            return -1;
    }
    return 0;
}

int lake_vacuum(struct lake *l, const char *const *names, size_t n_names, int64_t keep_us,
    int64_t *ret_removed, int64_t *ret_bytes, struct db_fault *fault)
{
    int64_t removed = 0, bytes = 0;
    _cleanup_(pointers_done) struct pointers p = {.l = l, .before_us = clock_wall_us() - keep_us};
    if (find_pointers(&p, fault) < 0 || clean_tables(&p, names, n_names, &removed, &bytes, fault) < 0 ||
        clean_pointers(&p, &removed, &bytes, fault) < 0)
        return -1;
    *ret_removed = removed;
    *ret_bytes = bytes;
    return 0;
}
