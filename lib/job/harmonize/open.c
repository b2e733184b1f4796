/*
 * What a harmonize works with: its folder and the lock in it; an empty folder for this run, where a killed one's is gone; the
 * ephemeral DuckDB in that, closed but for the folders it needs; and the lake as it is published.
 */
#include "job/harmonize/harmonize.h"
#include "job/harmonize/seen.h"
#include "job/harmonize/store_of.h"
#include "job/job.h"

#include <cjson/cJSON.h>
#include <libgen.h>

/* ---- stores ---- */

int harmonize_store_fault(struct db_fault *fault, const struct store_fault *from)
{
    *fault = (struct db_fault){.error = from->error, .transient = from->transient};
    return -1;
}

int harmonize_store_open(const struct job_store *from, struct store **ret_store, struct db_fault *fault)
{
    struct store_fault why = {0};
    const struct store_options options = store_of(from);
    return store_open(&options, ret_store, &why) < 0 ? harmonize_store_fault(fault, &why) : 0;
}

/* ---- folders ---- */

static int open_folder(struct harmonize *h, char **ret_cache, struct db_fault *fault)
{
    bool busy;
    int r = job_folder_open(h->job->folder, "harmonize", &h->folder, &busy, &fault->error);
    fault->transient = r < 0 && busy;
    if (r < 0)
        return -1;
    if (job_folder_make(&h->folder, "run", false, &h->run_folder, &fault->error) < 0)
        return -1;
    return job_folder_make(&h->folder, "lake", true, ret_cache, &fault->error);
}

/* ---- DuckDB ---- */

struct folders {
    char **list;
    size_t n;
};

/* Takes the path. One that is there already is not added. */
static void add_folder(struct folders *f, char *path)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->list[i], path) == 0) {
            free(path);
            return;
        }
    f->list = xrealloc(f->list, f->n + 1, sizeof(*f->list));
    f->list[f->n++] = path;
}

static void folders_done(struct folders *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->list[i]);
    free(f->list);
}

static char *folder_of(const char *path)
{
    _cleanup_free_ char *copy = xstrdup(path);
    return xstrdup(dirname(copy));
}

/* Where the files of the lake can be read here: it is a folder of this machine, or there are copies. A new string. */
static char *lake_folder(const struct harmonize *h, const char *cache)
{
    static const char key[] = "_published/any";
    char *path = store_path(h->lake_store, key);
    if (!path)
        return xstrdup(cache);
    path[strlen(path) - sizeof(key)] = '\0'; /* and the slash before it */
    return path;
}

/* What its SQL may reach: what this run writes, the lake or the copies of it, and the folders of the files that it runs. */
static void choose_folders(const struct harmonize *h, const char *cache, struct folders *to)
{
    add_folder(to, xstrdup(h->run_folder));
    add_folder(to, lake_folder(h, cache));
    for (size_t i = 0; i < h->job->transform.n; i++)
        add_folder(to, folder_of(h->job->transform.list[i]));
}

/* Tables lie in a database in memory, which spills what is beyond the limit to the temporary folder: in the file each row would be
 * packed and written twice, for one run that reads it once. */
#define MAKE_SQL                                                                                             \
    "ATTACH ':memory:' AS ingestd; USE ingestd; CREATE SCHEMA staged; CREATE SCHEMA lake; CREATE SCHEMA out"

static int open_duck(struct harmonize *h, const char *cache, struct db_fault *fault)
{
    _cleanup_(folders_done) struct folders folders = {0};
    _cleanup_free_ char *url = xasprintf("duckdb://%s/stage.duckdb", h->run_folder);
    choose_folders(h, cache, &folders);
    const struct db_options options = {
        .application_name = "ingestd harmonize",
        .files_folders = (const char *const *)folders.list,
        .n_files_folders = folders.n,
        .scratch = true,
        .memory_max = (int64_t)(h->spec->memory_max / 2), /* what it does not count is nearly as much again */
    };
    if (db_open(url, &options, &h->duck, fault) < 0)
        return -1;
    return db_script(h->duck, MAKE_SQL, NULL, fault);
}

/* ---- the lake ---- */

/* A table that the pointer does not name is empty, whatever a run that was killed left of it. */
static int64_t published_version(const struct harmonize *h, const char *table)
{
    const cJSON *tables = cJSON_GetObjectItemCaseSensitive(h->pointer, "tables");
    const cJSON *version =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(tables, table), "version");
    return cJSON_IsNumber(version) && version->valuedouble >= 0 ? (int64_t)version->valuedouble
                                                                : LAKE_NOTHING;
}

static const char *table_name(const struct harmonize *h, size_t i)
{
    static const char *const own[] = {"quarantine", "delivery"};
    return i < h->job->n_tables ? h->job->tables[i].name : own[i - h->job->n_tables];
}

static int open_tables(struct harmonize *h, struct db_fault *fault)
{
    h->n_tables = h->job->n_tables + 2;
    h->tables = xcalloc(h->n_tables, sizeof(*h->tables));
    for (size_t i = 0; i < h->n_tables; i++) {
        const char *name = table_name(h, i);
        if (lake_table_open(h->lake, name, published_version(h, name), &h->tables[i], fault) < 0)
            return -1;
    }
    return 0;
}

static bool is_another_revision(const struct harmonize *h)
{
    const char *of = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(h->pointer, "revision"));
    return strcmp(of ? of : "", h->job->revision ? h->job->revision : "") != 0;
}

/* Of rows that were rejected: what is in them is to be gone when their files are. */
static const char *const untold[] = {"quarantine.raw", "quarantine.detail", NULL};

static int open_lake(struct harmonize *h, const char *cache, struct db_fault *fault)
{
    const char *tenant = h->job->tenant;
    _cleanup_free_ char *writer = xasprintf(
        "ingestd/" INGESTD_VERSION " %s%s%s", tenant ? tenant : "", tenant ? " " : "", h->spec->job);
    const struct lake_options options = {
        .store = h->lake_store,
        .duck = h->duck,
        .folder = h->run_folder,
        .cache = cache,
        .writer = writer,
        .untold = untold,
    };
    if (lake_open(&options, &h->lake, fault) < 0 ||
        lake_published(h->lake, &h->published, &h->pointer, fault) < 0 || seen_check(h, fault) < 0)
        return -1;
    if (h->published > 0)
        seen_keep(h);
    h->anew = !h->pointer || is_another_revision(h);
    return open_tables(h, fault);
}

/* ---- all of it ---- */

int harmonize_open(struct harmonize *h, struct db_fault *fault)
{
    _cleanup_free_ char *cache = NULL;
    if (open_folder(h, &cache, fault) < 0 || harmonize_store_open(&h->job->lake, &h->lake_store, fault) < 0)
        return -1;
    if (open_duck(h, cache, fault) < 0)
        return -1;
    return open_lake(h, cache, fault);
}

void harmonize_close(struct harmonize *h)
{
    for (size_t i = 0; i < h->n_tables && h->tables; i++)
        lake_table_free(h->tables[i]);
    for (size_t i = 0; i < h->n_tables && h->changes; i++)
        lake_change_done(&h->changes[i]);
    free(h->tables);
    free(h->changes);
    free(h->versions);
    free(h->loaded);
    lake_free(h->lake);
    store_free(h->lake_store);
    db_close(h->duck);
    cJSON_Delete(h->pointer);
    cJSON_Delete(h->next);
    cJSON_Delete(h->sources);
    cJSON_Delete(h->told);
    cJSON_Delete(h->again);
    cJSON_Delete(h->notes);
    if (h->run_folder)
        job_folder_remove(h->run_folder);
    free(h->run_folder);
    job_folder_done(&h->folder);
}
