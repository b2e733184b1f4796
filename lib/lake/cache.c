/*
 * Where a table's files can be read here: in the store's own folder, or as copies in the cache. A file never changes under its
 * name, so a copy of the right size is the file.
 */
#include "lake/inside.h"

#include "db/load.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <search.h>
#include <sys/stat.h>

static bool has_size(const char *path, int64_t size)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == size;
}

int lake_list_add(struct lake *l, struct buffer *list, const char *path, struct db_fault *fault)
{
    if (strpbrk(path, "*?["))
        return lake_fault(fault, false,
            "%s: DuckDB takes a path with one of *?[ for a pattern: give it another name", path);
    _cleanup_free_ char *quoted = db_quote_text(l->duck, path);
    buffer_printf(list, "%s%s", list->n ? ", " : "", quoted);
    return 0;
}

char *lake_local(struct lake *l, const char *key, const char *fetched, int64_t size, struct db_fault *fault)
{
    struct store_fault broken;
    char *path = store_path(l->store, key);
    if (path)
        return path;
    path = fetched[0] == '/' ? xstrdup(fetched) : xasprintf("%s/%s", l->folder, fetched);
    if (size >= 0 && has_size(path, size))
        return path;
    _cleanup_free_ char *part = xasprintf("%s.part", path);
    if (store_get_file(l->store, key, NULL, part, &broken) < 0)
        lake_store_fault(fault, &broken);
    else if (size >= 0 && !has_size(part, size))
        lake_fault(fault, false, "%s of %s has another size than the table's log says: it was replaced", key,
            store_label(l->store));
    else if (rename(part, path) < 0)
        lake_fault(fault, false, "%s cannot be made: %s", path, strerror(errno));
    else
        return path;
    unlink(part);
    free(path);
    return NULL;
}

/* ---- the cache's folder: a folder a table, and in it files without folders ---- */

static char *flat(const char *path)
{
    char *name = log_encode_path(path);
    for (char *p = name; *p; p++)
        if (*p == '/')
            *p = '+';
    return name;
}

static char *cache_path(const struct lake *l, const char *table, const char *path)
{
    _cleanup_free_ char *name = flat(path);
    return xasprintf("%s/%s/%s", l->cache, table, name);
}

static int make_folder(const struct lake *l, const char *table, struct db_fault *fault)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", l->cache, table);
    for (int i = 0; i < 2; i++) {
        const char *folder = i == 0 ? l->cache : path;
        if (mkdir(folder, 0700) < 0 && errno != EEXIST)
            return lake_fault(fault, false, "the folder %s cannot be made: %s", folder, strerror(errno));
    }
    return 0;
}

/* What no file of the table is named like. */
static void clean(const struct lake *l, const struct lake_table *t, void *names)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", l->cache, t->name);
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (const struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.' && !tfind(e->d_name, &names, lake_path_order))
            unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
}

static void clean_cache(const struct lake *l, const struct lake_table *t)
{
    void *names = NULL;
    for (size_t i = 0; i < t->n_files; i++)
        tsearch(flat(t->files[i].path), &names, lake_path_order);
    clean(l, t, names);
    tdestroy(names, free);
}

static int list_file(struct lake *l, const struct lake_table *t, const struct lake_file *f,
    struct buffer *list, struct db_fault *fault)
{
    _cleanup_free_ char *key = xasprintf("%s/%s", t->name, f->path);
    _cleanup_free_ char *copy = l->cache ? cache_path(l, t->name, f->path) : xstrdup("none.parquet");
    _cleanup_free_ char *path = lake_local(l, key, copy, f->size, fault);
    return path ? lake_list_add(l, list, path, fault) : -1;
}

int lake_list_files(
    struct lake *l, const struct lake_table *t, const bool *picked, char **ret_list, struct db_fault *fault)
{
    _cleanup_buffer_ struct buffer list = {0};
    size_t n = 0;
    for (size_t i = 0; i < t->n_files; i++) {
        if (picked && !picked[i])
            continue;
        n++;
        if (list_file(l, t, &t->files[i], &list, fault) < 0)
            return -1;
    }
    if (n > 0 || !picked)
        *ret_list = xasprintf("[%s]", buffer_string(&list));
    return 0;
}

int lake_table_list(struct lake *l, const struct lake_table *t, char **ret_list, struct db_fault *fault)
{
    *fault = (struct db_fault){0};
    if (l->cache) {
        clean_cache(l, t);
        if (make_folder(l, t->name, fault) < 0)
            return -1;
    }
    return lake_list_files(l, t, NULL, ret_list, fault);
}

int lake_upload(struct lake *l, const char *table, const char *path, const char *name, struct db_fault *fault)
{
    struct store_fault broken;
    _cleanup_free_ char *key = xasprintf("%s/%s", table, name);
    if (store_put_file(l->store, key, path, &broken) < 0)
        return lake_store_fault(fault, &broken);
    _cleanup_free_ char *there = store_path(l->store, key);
    if (chmod(there ? there : path, 0440) < 0)
        return lake_fault(fault, false, "%s cannot be made unchangeable: %s", key, strerror(errno));
    if (!l->cache)
        return 0;
    _cleanup_free_ char *copy = cache_path(l, table, name);
    if (make_folder(l, table, fault) < 0)
        return -1;
    if (rename(path, copy) < 0 && errno != EXDEV)
        return lake_fault(fault, false, "%s cannot be made: %s", copy, strerror(errno));
    return 0;
}
