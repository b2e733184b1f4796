#include "job/harmonize/objects_new.h"

#include "db/load.h"
#include "match/spill.h"

#include <fnmatch.h>
#include <inttypes.h>

#define BUFFER   ((size_t)256 * 1024)
#define N_VALUES 4

/* The name begins with two dots: no source's rows are in such a table. */
#define LISTED "staged.\"..listed\""
#define MAKE_SQL                                                                                             \
    "CREATE OR REPLACE TABLE " LISTED " (object VARCHAR, version VARCHAR, size BIGINT, modified_us BIGINT)"

static const char *const columns[N_VALUES] = {"object", "version", "size", "modified_us"};

/* A record is the four as text, each with a NUL behind it: no key and no ETag holds one. */
struct new_objects {
    struct spill *spill;
    int64_t n;
};

/* What is listed, on its way to a file, and from there into DuckDB. */
struct listing {
    const char *pattern; /* NULL: all */
    struct spill *spill;
    struct buffer record;
    struct db_value values[N_VALUES];
    int64_t n; /* records of it */
    struct error error;
    bool failed;
};

void new_object_done(struct new_object *o)
{
    free(o->key);
    free(o->etag);
    *o = (struct new_object){0};
}

static void make_etag(int64_t size, int64_t modified_us, char out[48])
{
    snprintf(out, 48, "%" PRId64 "@%" PRId64, size, modified_us);
}

const char *new_object_version(const struct new_object *o)
{
    char made[48];
    make_etag(o->size, o->modified_us, made);
    return strcmp(o->etag, made) == 0 ? "" : o->etag;
}

void new_objects_free(struct new_objects *n)
{
    if (!n)
        return;
    spill_free(n->spill);
    free(n);
}

int64_t new_objects_count(const struct new_objects *n)
{
    return n->n;
}

static void listing_done(struct listing *l)
{
    spill_free(l->spill);
    buffer_done(&l->record);
}

static int open_spill(const struct harmonize *h, const struct job_feed *spec, const char *what,
    struct spill **ret, struct error *err)
{
    _cleanup_free_ char *path = xasprintf("%s/%s-%s", h->run_folder, what, spec->name);
    const struct spill_options options = {.path = path, .memory = BUFFER};
    return spill_open(&options, ret, err);
}

/* The texts of a record. False: it is none. */
static bool read_record(struct slice record, struct db_value *ret_values)
{
    for (size_t i = 0; i < N_VALUES; i++) {
        const char *end = record.n ? memchr(record.p, 0, record.n) : NULL;
        if (!end)
            return false;
        ret_values[i] = (struct db_value){record.p, (size_t)(end - record.p)};
        record.n -= ret_values[i].n + 1;
        record.p = end + 1;
    }
    return true;
}

static int next_record(struct spill *spill, struct db_value *ret_values, struct error *err)
{
    struct slice record;
    int more = spill_next(spill, &record, err);
    if (more <= 0 || read_record(record, ret_values))
        return more;
    error_set(err, "the list of objects in the run's folder is damaged");
    return -1;
}

/* ---- the listing ---- */

/* A name that begins with a dot is of something that is still written, as by rsync: only a pattern with that dot means it. */
static bool is_meant(const struct listing *l, const char *key)
{
    const char *slash = strrchr(key, '/');
    return !l->pattern || fnmatch(l->pattern, slash ? slash + 1 : key, FNM_PERIOD) == 0;
}

static bool take_listed(void *arg, const struct store_object *o)
{
    struct listing *l = arg;
    char made[48];
    const char *etag = *o->etag ? o->etag : made;
    if (!is_meant(l, o->key))
        return true;
    make_etag(o->size, o->modified_us, made);
    l->record.n = 0;
    buffer_put(&l->record, o->key, strlen(o->key) + 1);
    buffer_put(&l->record, etag, strlen(etag) + 1);
    buffer_printf(&l->record, "%" PRId64 "%c%" PRId64 "%c", o->size, 0, o->modified_us, 0);
    l->failed = spill_put(l->spill, (struct slice){l->record.p, l->record.n}, &l->error) < 0;
    return !l->failed;
}

static int list(struct listing *l, const struct job_feed *spec, struct store *store, struct db_fault *fault)
{
    struct store_fault why = {0};
    int r = store_list(store, spec->prefix ? spec->prefix : "", NULL, take_listed, l, &why);
    if (l->failed)
        *fault = (struct db_fault){.error = l->error};
    else if (r < 0)
        *fault = (struct db_fault){.error = why.error, .transient = why.transient};
    return r < 0 || l->failed ? -1 : 0;
}

static int next_listed(void *arg, const struct db_value **ret_values, struct db_fault *fault)
{
    struct listing *l = arg;
    *fault = (struct db_fault){0};
    *ret_values = l->values;
    return next_record(l->spill, l->values, &fault->error);
}

static int load_listing(struct harmonize *h, struct listing *l, struct db_fault *fault)
{
    int64_t n;
    const struct db_load load = {"staged", "..listed", N_VALUES, columns, next_listed, l};
    *fault = (struct db_fault){0};
    if (spill_rewind(l->spill, &fault->error) < 0)
        return -1;
    return db_query(h->duck, MAKE_SQL, 0, NULL, NULL, fault) < 0 ? -1 : db_load(h->duck, &load, &n, fault);
}

/* ---- what of it is new ---- */

/* The lake's files of `delivery`, as DuckDB's list; NULL: there is nothing in it that counts. */
static int delivered(struct harmonize *h, char **ret_list, struct db_fault *fault)
{
    _cleanup_free_ char *list = NULL;
    *ret_list = NULL;
    if (h->anew || h->n_tables == 0)
        return 0;
    if (lake_table_list(h->lake, h->tables[h->n_tables - 1], &list, fault) < 0)
        return -1;
    if (strcmp(list, "[]") != 0)
        *ret_list = TAKE(list);
    return 0;
}

static bool keep_row(void *arg, int n, const struct db_value *values)
{
    struct listing *l = arg;
    l->record.n = 0;
    l->n++;
    for (int i = 0; i < n; i++) {
        buffer_put(&l->record, values[i].p ? values[i].p : "", values[i].p ? values[i].n : 0);
        buffer_put(&l->record, "", 1);
    }
    l->failed = spill_put(l->spill, (struct slice){l->record.p, l->record.n}, &l->error) < 0;
    return !l->failed;
}

static int select_new(
    struct harmonize *h, const struct job_feed *spec, struct listing *to, struct db_fault *fault)
{
    _cleanup_free_ char *files = NULL, *sql = NULL;
    const char *const parameters[] = {spec->name};
    const struct db_sink sink = {.row = keep_row, .arg = to};
    if (delivered(h, &files, fault) < 0)
        return -1;
    sql = files ? xasprintf("SELECT object, version, size, modified_us FROM " LISTED
                            " l ANTI JOIN (SELECT object AS o, etag FROM read_parquet(%s) WHERE source = ?) d"
                            " ON d.o = l.object AND d.etag = l.version ORDER BY modified_us, object",
                      files)
                : xstrdup("SELECT object, version, size, modified_us FROM " LISTED
                          " ORDER BY modified_us, object");
    int r = db_query(h->duck, sql, files ? 1 : 0, parameters, &sink, fault);
    if (to->failed)
        *fault = (struct db_fault){.error = to->error};
    return r;
}

static int find(struct harmonize *h, const struct job_feed *spec, struct store *store, struct listing *listed,
    struct listing *fresh, struct db_fault *fault)
{
    *fault = (struct db_fault){0};
    if (open_spill(h, spec, "listed", &listed->spill, &fault->error) < 0 ||
        open_spill(h, spec, "new", &fresh->spill, &fault->error) < 0)
        return -1;
    if (list(listed, spec, store, fault) < 0 || load_listing(h, listed, fault) < 0)
        return -1;
    if (select_new(h, spec, fresh, fault) < 0 ||
        db_query(h->duck, "DROP TABLE " LISTED, 0, NULL, NULL, fault) < 0)
        return -1;
    return spill_rewind(fresh->spill, &fault->error);
}

int new_objects_find(struct harmonize *h, const struct job_feed *spec, struct store *store,
    struct new_objects **ret_objects, struct db_fault *fault)
{
    _cleanup_(listing_done) struct listing listed = {.pattern = spec->pattern}, fresh = {0};
    if (find(h, spec, store, &listed, &fresh, fault) < 0)
        return -1;
    struct new_objects *n = xnew(struct new_objects);
    n->spill = TAKE(fresh.spill);
    n->n = fresh.n;
    *ret_objects = n;
    return 0;
}

int new_objects_next(struct new_objects *n, struct new_object *ret, struct error *err)
{
    struct db_value values[N_VALUES];
    int more = next_record(n->spill, values, err);
    if (more > 0) /* each has its NUL behind it */
        *ret = (struct new_object){xstrdup(values[0].p), xstrdup(values[1].p), strtoll(values[2].p, NULL, 10),
            strtoll(values[3].p, NULL, 10)};
    return more;
}
