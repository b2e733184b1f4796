#include "lake/inside.h"

#include "util/clock.h"
#include "util/text.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

int lake_fault(struct db_fault *fault, bool transient, const char *fmt, ...)
{
    *fault = (struct db_fault){.transient = transient};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fault->error.text, sizeof(fault->error.text), fmt, ap);
    va_end(ap);
    text_make_printable(fault->error.text);
    return -1;
}

int lake_store_fault(struct db_fault *fault, const struct store_fault *store)
{
    return lake_fault(fault, store->transient, "%s", store->error.text);
}

/* ---- opening ---- */

int lake_open(const struct lake_options *options, struct lake **ret_lake, struct db_fault *fault)
{
    *fault = (struct db_fault){0};
    _cleanup_free_ char *here = store_path(options->store, "_published/0");
    if (!here && !options->cache)
        return lake_fault(fault, false,
            "the lake %s is no folder of this machine that can be used, and there is no folder to keep "
            "copies of its "
            "files in",
            store_label(options->store));
    struct lake *l = xnew(struct lake);
    *l = (struct lake){.store = options->store,
        .duck = options->duck,
        .folder = xstrdup(options->folder),
        .cache = here ? NULL : xstrdup(options->cache),
        .writer = xstrdup(options->writer),
        .untold = options->untold};
    *ret_lake = l;
    return 0;
}

void lake_free(struct lake *l)
{
    if (!l)
        return;
    free(l->folder);
    free(l->cache);
    free(l->writer);
    free(l);
}

int64_t lake_now_ms(void)
{
    return clock_wall_us() / 1000;
}

/* ---- names ---- */

char *lake_log_key(const char *table, int64_t version, const char *suffix)
{
    return xasprintf("%s/" LOG_FOLDER "%020" PRId64 "%s", table, version, suffix);
}

int64_t lake_key_version(const char *name, const char **ret_rest)
{
    size_t n = strspn(name, "0123456789");
    errno = 0;
    long long version = strtoll(name, NULL, 10);
    if (n != 20 || errno)
        return -1;
    *ret_rest = name + n;
    return version;
}

int lake_path_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* ---- folders ---- */

char *lake_scratch(struct lake *l, const char *name, struct db_fault *fault)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", l->folder, name);
    lake_scratch_remove(path);
    if (mkdir(path, 0700) == 0)
        return TAKE(path);
    lake_fault(fault, false, "the folder %s cannot be made: %s", path, strerror(errno));
    return NULL;
}

void lake_scratch_remove(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (const struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    rmdir(path);
}

/* ---- a table's facts ---- */

const char *lake_table_name(const struct lake_table *t)
{
    return t->name;
}

int64_t lake_table_version(const struct lake_table *t)
{
    return t->version;
}

int64_t lake_table_rows(const struct lake_table *t)
{
    int64_t rows = 0;
    for (size_t i = 0; i < t->n_files; i++)
        if (t->files[i].rows < 0 || __builtin_add_overflow(rows, t->files[i].rows, &rows))
            return -1;
    return rows;
}

int64_t lake_table_bytes(const struct lake_table *t)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < t->n_files; i++)
        if (__builtin_add_overflow(bytes, t->files[i].size, &bytes))
            return INT64_MAX;
    return bytes;
}

const struct lake_file *lake_table_files(const struct lake_table *t, size_t *ret_n)
{
    *ret_n = t->n_files;
    return t->files;
}

const char *lake_table_column(const struct lake_table *t, size_t i, const char **ret_type)
{
    if (i >= t->columns.n)
        return NULL;
    if (ret_type)
        *ret_type = t->columns.list[i].type;
    return t->columns.list[i].name;
}

void lake_table_free(struct lake_table *t)
{
    if (!t)
        return;
    log_state_done(&t->state);
    lake_columns_done(&t->columns);
    free(t->files);
    free(t->name);
    free(t);
}

void lake_change_done(struct lake_change *c)
{
    for (size_t i = 0; i < c->n_files; i++)
        lake_file_done(&c->files[i]);
    free(c->files);
    free(c->schema);
    *c = (struct lake_change){0};
}
