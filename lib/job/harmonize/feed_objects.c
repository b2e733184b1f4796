/*
 * Objects of a store. Which ones are new is found out first (objects_new.c). Those of a bucket are then fetched several ahead, while
 * another source may still be read; those of a folder of this machine are read where they lie, by a descriptor: whoever may
 * write there cannot have us read another file. Each is opened as what it is,
 * its rows are handed out, and its end is a delivery: taken, or refused as a whole.
 */
#include "job/harmonize/feed.h"
#include "job/harmonize/objects_new.h"
#include "job/harmonize/store_of.h"

#include "job/job.h"
#include "source/object.h"
#include "store/fetcher.h"
#include "util/text.h"

#include <pthread.h>

#define ROW_MAX   ((size_t)4 << 20)
#define NAMES_MAX 64 /* of columns that nobody declared, and were told */

/* It was asked for and has not come yet. */
struct asked {
    struct new_object object;
    struct asked *next;
};

/* How many objects were passed over, and the first of them. */
struct passed {
    int64_t n;
    char *first, *etag;
};

struct objects_feed {
    struct feed feed;
    char **columns; /* declared, and "_more" */
    bool *optional;
    size_t n_declared;

    struct store *store;
    struct new_objects *fresh; /* while a fetcher runs, its threads' */
    struct fetcher *fetcher;   /* NULL: a folder of this machine */
    pthread_mutex_t mutex;     /* of what was asked for */
    struct asked *first, **last;

    struct new_object now; /* what is read, or was read last */
    char *path;
    int fd;                /* of a folder's: path is that of it; else -1 */
    struct source *source; /* NULL: none is under way */
    int64_t line;          /* of its last row */
    struct source_fault why;
    char *told[NAMES_MAX];
    size_t n_told;
    struct passed gone, changed;
};

static struct objects_feed *objects_of(struct feed *f)
{
    return (struct objects_feed *)f; /* its first field */
}

/* ---- the store ---- */

static int from_store(const struct store_fault *why, struct db_fault *fault)
{
    *fault = (struct db_fault){.error = why->error, .transient = why->transient};
    return -1;
}

/* ---- what is fetched ahead ---- */

/* Called under the fetcher's lock. */
static int ask_next(void *arg, const char **ret_key, const char **ret_etag, struct store_fault *fault)
{
    struct objects_feed *o = arg;
    struct asked *a = xnew(struct asked);
    int got = new_objects_next(o->fresh, &a->object, &fault->error);
    if (got <= 0) {
        free(a);
        return got;
    }
    *ret_key = a->object.key; /* it is read no earlier than it was fetched */
    *ret_etag = new_object_version(&a->object);
    pthread_mutex_lock(&o->mutex);
    *o->last = a;
    o->last = &a->next;
    pthread_mutex_unlock(&o->mutex);
    return 1;
}

/* What was asked for first becomes what is read now. False: nothing was. */
static bool take_asked(struct objects_feed *o)
{
    pthread_mutex_lock(&o->mutex);
    struct asked *a = o->first;
    if (a)
        o->first = a->next;
    if (!o->first)
        o->last = &o->first;
    pthread_mutex_unlock(&o->mutex);
    if (!a)
        return false;
    o->now = a->object;
    free(a);
    return true;
}

static int start_fetcher(struct objects_feed *o, struct db_fault *fault)
{
    const struct feed *f = &o->feed;
    struct store_fault why = {0};
    const struct fetcher_options options = {.store = store_of(&f->spec->store), .folder = f->h->run_folder};
    return fetcher_start(&options, ask_next, o, &o->fetcher, &why) < 0 ? from_store(&why, fault) : 0;
}

static void passed_done(struct passed *p)
{
    free(p->first);
    free(p->etag);
    *p = (struct passed){0};
}

static void forget(struct objects_feed *o)
{
    fetcher_free(TAKE(o->fetcher));
    source_free(TAKE(o->source));
    new_object_done(&o->now);
    while (take_asked(o))
        new_object_done(&o->now);
    new_objects_free(TAKE(o->fresh));
    store_free(TAKE(o->store));
    free(TAKE(o->path));
    closep(&o->fd);
    while (o->n_told > 0)
        free(o->told[--o->n_told]);
    passed_done(&o->gone);
    passed_done(&o->changed);
}

static void close_feed(struct feed *f)
{
    forget(objects_of(f));
}

static bool is_folder(const struct feed *f)
{
    return strncmp(f->spec->store.url, "file:", 5) == 0;
}

static int prepare(struct feed *f, struct db_fault *fault)
{
    struct objects_feed *o = objects_of(f);
    struct store_fault why = {0};
    const struct store_options options = store_of(&f->spec->store);
    forget(o);
    if (store_open(&options, &o->store, &why) < 0)
        return from_store(&why, fault);
    if (new_objects_find(f->h, f->spec, o->store, &o->fresh, fault) < 0)
        return -1;
    f->deliveries = new_objects_count(o->fresh);
    f->full = f->h->anew;
    return is_folder(f) || f->deliveries == 0 ? 0 : start_fetcher(o, fault);
}

static int open_feed(struct feed *f, struct db_fault *fault)
{
    struct objects_feed *o = objects_of(f);
    f->columns = (const char *const *)o->columns;
    f->n_columns = o->n_declared + 1;
    return 0;
}

/* ---- the next object ---- */

/* It is not taken; what is there now, if anything, is the next run's. */
static void pass(struct objects_feed *o, struct passed *p)
{
    if (p->n++ > 0)
        return;
    p->first = xstrdup(o->now.key);
    p->etag = xstrdup(o->now.etag);
}

/* It could not be had. 1: it is passed over. */
static int lose(struct objects_feed *o, const struct store_fault *why, struct db_fault *fault)
{
    if (!why->absent && !why->changed)
        return from_store(why, fault);
    pass(o, why->absent ? &o->gone : &o->changed);
    return 1;
}

/* 1, with no path for one that is passed over; 0: no more. */
static int find_file(struct objects_feed *o, struct db_fault *fault)
{
    struct store_fault why = {0};
    *fault = (struct db_fault){0};
    int got = new_objects_next(o->fresh, &o->now, &fault->error);
    if (got <= 0)
        return got;
    o->fd = store_descriptor(o->store, o->now.key, o->now.etag, &why);
    if (o->fd < 0)
        return lose(o, &why, fault);
    o->path = xasprintf("/proc/self/fd/%d", o->fd);
    return 1;
}

static int wait_for_file(struct objects_feed *o, struct db_fault *fault)
{
    const char *path;
    struct store_fault why = {0};
    int got = fetcher_next(o->fetcher, &path, &why);
    if (got == 0)
        return 0;
    if (!take_asked(o))
        return from_store(&why, fault);
    if (got < 0)
        return lose(o, &why, fault);
    o->path = xstrdup(path);
    return 1;
}

static char delimiter_of(const struct job_feed *spec)
{
    if (!spec->delimiter)
        return 0;
    return strcmp(spec->delimiter, "tab") == 0 ? '\t' : spec->delimiter[0];
}

/* 1; 0: it is refused, o->why tells; -1. */
static int open_object(struct objects_feed *o, struct db_fault *fault)
{
    const struct job_feed *spec = o->feed.spec;
    const struct object_options options = {
        .label = o->now.key,
        .format = spec->format,
        .columns = (const char *const *)o->columns,
        .optional = o->optional,
        .n_columns = o->n_declared,
        .delimiter = delimiter_of(spec),
        .null_tokens = (const char *const *)spec->null_tokens.list,
        .n_null_tokens = spec->null_tokens.n,
        .row_max = ROW_MAX,
    };
    o->line = 0;
    if (object_open(o->path, &options, &o->source, &o->why) == 0)
        return 1;
    o->source = NULL;
    if (o->why.reason)
        return 0;
    *fault = (struct db_fault){.error = o->why.error, .transient = o->why.transient || o->why.restart};
    return -1;
}

/* As open_object(), and 2 behind the last one. */
static int begin_next(struct objects_feed *o, struct db_fault *fault)
{
    do {
        new_object_done(&o->now);
        free(TAKE(o->path));
        closep(&o->fd);
        if (!o->fresh || (!o->fetcher && !is_folder(&o->feed)))
            return 2;
        int got = o->fetcher ? wait_for_file(o, fault) : find_file(o, fault);
        if (got <= 0)
            return got < 0 ? -1 : 2;
    } while (!o->path);
    o->feed.bytes += o->now.size;
    return open_object(o, fault);
}

/* ---- what is told of them ---- */

/* Of names that were told already, and behind so many others, nothing is. */
static bool is_news(struct objects_feed *o, const char *name)
{
    for (size_t i = 0; i < o->n_told; i++)
        if (strcmp(o->told[i], name) == 0)
            return false;
    if (o->n_told == NAMES_MAX)
        return false;
    o->told[o->n_told++] = xstrdup(name);
    return true;
}

static void tell_others(struct objects_feed *o)
{
    _cleanup_buffer_ struct buffer names = {0};
    size_t n;
    const char *const *others = object_others(o->source, &n);
    for (size_t i = 0; i < n; i++)
        if (is_news(o, others[i]))
            buffer_printf(
                &names, "%s%.60s", names.n ? ", " : "", *others[i] ? others[i] : "(without a name)");
    if (names.n == 0)
        return;
    _cleanup_free_ char *shown = xstrdup(buffer_string(&names)), *key = xstrdup(o->now.key);
    text_make_printable(shown);
    text_make_printable(key);
    feed_note(&o->feed, "%s: %s has columns that nobody declared: %s: what is in them is in `_more`",
        o->feed.spec->name, key, shown);
}

static void tell_passed(struct objects_feed *o, const struct passed *p, const char *what)
{
    if (p->n == 0)
        return;
    _cleanup_free_ char *first = xstrdup(p->first);
    text_make_printable(first);
    feed_note(
        &o->feed, "%s: %lld objects %s: the first is %s", o->feed.spec->name, (long long)p->n, what, first);
}

struct look {
    const struct passed *at;
    bool is_listed;
};

/* Its own name is the first of those that begin with it. */
static bool look_at(void *arg, const struct store_object *object)
{
    struct look *l = arg;
    l->is_listed = strcmp(object->key, l->at->first) == 0 && strcmp(object->etag, l->at->etag) == 0;
    return false;
}

/* Where each became another one, and is listed as before all the same, no later run would take it either. */
static int check_changed(struct objects_feed *o, struct db_fault *fault)
{
    struct store_fault why = {0};
    struct look look = {.at = &o->changed};
    if (o->changed.n == 0 || o->changed.n < o->feed.deliveries)
        return 0;
    if (store_list(o->store, o->changed.first, NULL, look_at, &look, &why) < 0)
        return from_store(&why, fault);
    if (!look.is_listed)
        return 0;
    _cleanup_free_ char *first = xstrdup(o->changed.first);
    text_make_printable(first);
    return job_refuse(fault,
        "none of the %lld new objects could be taken: the store lists them with other ETags than it gives "
        "them "
        "with (the first is %.200s): have whatever stands between leave ETags as they are, or name the "
        "server "
        "itself as `endpoint`",
        (long long)o->changed.n, first);
}

static int end(struct objects_feed *o, struct db_fault *fault)
{
    tell_passed(o, &o->gone, "were gone when they were to be read");
    tell_passed(o, &o->changed, "became others before they were read, and are taken by the next run");
    return check_changed(o, fault);
}

/* ---- rows ---- */

/* The words without the key before them, or its beginning: it stands in a column of its own. */
static const char *detail_of(const struct objects_feed *o)
{
    const char *text = o->why.error.text, *key = o->now.key, *p = text;
    for (; *p && *p == *key; p++)
        key++;
    return p > text && strncmp(p, ": ", 2) == 0 ? p + 2 : text;
}

static void deliver(struct objects_feed *o, struct feed_item *ret_item, enum feed_kind *ret_kind)
{
    *ret_kind = FEED_DELIVERY;
    *ret_item = (struct feed_item){.reason = o->why.reason,
        .detail = o->why.reason ? detail_of(o) : NULL,
        .object = o->now.key,
        .version = o->now.etag,
        .size = o->now.size,
        .modified_us = o->now.modified_us};
    source_free(TAKE(o->source));
}

/* No two rows of an object have one line, by which the SQL tells them apart: of several that stand on one, as all of an array may,
 * each gets a line more than the one before it. */
static void hand_out(struct objects_feed *o, const struct source_row *row, struct feed_item *ret_item,
    enum feed_kind *ret_kind)
{
    o->line = MAX(row->line, o->line + 1);
    *ret_kind = row->reason ? FEED_REJECTED : FEED_ROW;
    *ret_item = (struct feed_item){.line = o->line,
        .cells = row->cells,
        .reason = row->reason,
        .detail = row->detail,
        .raw = row->raw,
        .n_raw = row->n_raw};
}

static int next(struct feed *f, struct feed_item *ret_item, enum feed_kind *ret_kind, struct db_fault *fault)
{
    struct objects_feed *o = objects_of(f);
    struct source_row row;
    int opened = o->source ? 1 : begin_next(o, fault);
    if (opened < 0)
        return -1;
    if (opened == 2) {
        *ret_kind = FEED_END;
        return end(o, fault);
    }
    int got = opened ? source_next(o->source, &row, &o->why) : -1;
    if (got > 0) {
        hand_out(o, &row, ret_item, ret_kind);
        return 0;
    }
    if (got < 0 && !o->why.reason) {
        *fault = (struct db_fault){.error = o->why.error, .transient = o->why.transient || o->why.restart};
        return -1;
    }
    if (got == 0) {
        o->why = (struct source_fault){0};
        tell_others(o);
    }
    deliver(o, ret_item, ret_kind);
    return 0;
}

/* ---- life ---- */

static void free_feed(struct feed *f)
{
    struct objects_feed *o = objects_of(f);
    for (size_t i = 0; i <= o->n_declared; i++)
        free(o->columns[i]);
    free(o->columns);
    free(o->optional);
    pthread_mutex_destroy(&o->mutex);
    free(o);
}

static void take_columns(struct objects_feed *o, const struct job_words *words)
{
    o->n_declared = words->n;
    o->columns = xcalloc(words->n + 1, sizeof(*o->columns));
    o->optional = xcalloc(words->n + 1, sizeof(*o->optional));
    for (size_t i = 0; i < words->n; i++) {
        size_t n = strlen(words->list[i]);
        o->optional[i] = n > 0 && words->list[i][n - 1] == '?';
        o->columns[i] = xstrndup(words->list[i], n - o->optional[i]);
    }
    o->columns[words->n] = xstrdup("_more");
}

struct feed *feed_of_objects(struct harmonize *h, const struct job_feed *spec)
{
    static const struct feed_driver driver = {false, prepare, open_feed, next, close_feed, free_feed};
    struct objects_feed *o = xnew(struct objects_feed);
    o->feed = (struct feed){.driver = &driver, .h = h, .spec = spec};
    o->fd = -1;
    o->last = &o->first;
    pthread_mutex_init(&o->mutex, NULL);
    take_columns(o, &spec->columns);
    return &o->feed;
}
