/*
 * Threads that fetch, and a ring of what they are at: what was begun first is handed out first. A thread begins the next
 * object under the lock, so that the order of the questions is the order of the answers, and fetches it without. Whoever
 * waits for the next one in order waits for something that was begun: the limits hold back later ones alone.
 */
#include "store/fetcher.h"

#include "store/driver.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

enum slot_state { SLOT_FREE, SLOT_UNDER_WAY, SLOT_FETCHED, SLOT_FAILED };

struct slot {
    enum slot_state state;
    char *key, *etag, *path;
    int64_t size;
    struct store_fault fault;
};

struct member {
    struct fetcher *fetcher;
    struct store *store;
    pthread_t thread;
    bool started;
};

struct fetcher {
    pthread_mutex_t mutex; /* of all that follows, but for what the threads are given at the start */
    pthread_cond_t changed;
    atomic_bool stop;
    fetcher_wanted *wanted;
    void *arg;
    char *folder;
    unsigned number; /* several may have one folder */
    struct member *members;
    int n_members;
    struct slot *ring;
    uint64_t n_slots, begun, taken; /* objects so far; ring[n % n_slots] */
    int64_t bytes, bytes_max;       /* fetched, and not yet taken */
    bool all_begun;
    struct store_fault end; /* what was said when there were no more: no text where it was no fault */
    char *handed_out;       /* goes at the next call */
};

/* ---- a thread ---- */

static bool may_begin(const struct fetcher *f)
{
    return f->begun - f->taken < f->n_slots && f->bytes < f->bytes_max;
}

/* With the lock. NULL: there are no more. */
static struct slot *begin_next(struct fetcher *f)
{
    const char *key = NULL, *etag = NULL;
    while (!f->stop && !f->all_begun && !may_begin(f))
        pthread_cond_wait(&f->changed, &f->mutex);
    if (f->stop || f->all_begun)
        return NULL;
    if (f->wanted(f->arg, &key, &etag, &f->end) != 1) {
        f->all_begun = true;
        pthread_cond_broadcast(&f->changed);
        return NULL;
    }
    struct slot *slot = &f->ring[f->begun % f->n_slots];
    slot->state = SLOT_UNDER_WAY;
    slot->key = xstrdup(key);
    slot->etag = xstrdup(etag);
    slot->path = xasprintf("%s/fetched-%u-%llu", f->folder, f->number, (unsigned long long)f->begun++);
    return slot;
}

static void fetch(struct store *store, struct slot *slot, enum slot_state *ret_state)
{
    struct stat st;
    const char *etag = *slot->etag ? slot->etag : NULL;
    int rc = store_get_file(store, slot->key, etag, slot->path, &slot->fault);
    slot->size = rc == 0 && stat(slot->path, &st) == 0 ? st.st_size : 0;
    *ret_state = rc == 0 ? SLOT_FETCHED : SLOT_FAILED;
}

static void *work(void *arg)
{
    struct member *m = arg;
    struct fetcher *f = m->fetcher;
    pthread_mutex_lock(&f->mutex);
    for (struct slot *slot; (slot = begin_next(f));) {
        enum slot_state state;
        pthread_mutex_unlock(&f->mutex);
        fetch(m->store, slot, &state);
        pthread_mutex_lock(&f->mutex);
        slot->state = state;
        f->bytes += slot->size;
        pthread_cond_broadcast(&f->changed);
    }
    pthread_mutex_unlock(&f->mutex);
    return NULL;
}

/* ---- whoever reads ---- */

static void drop_handed_out(struct fetcher *f)
{
    if (f->handed_out)
        unlink(f->handed_out);
    free(TAKE(f->handed_out));
}

static void slot_done(struct slot *slot)
{
    free(slot->key);
    free(slot->etag);
    free(slot->path);
    *slot = (struct slot){0};
}

/* With the lock. */
static int take(struct fetcher *f, struct slot *slot, const char **ret_path, struct store_fault *fault)
{
    bool fetched = slot->state == SLOT_FETCHED;
    if (fetched)
        *ret_path = f->handed_out = TAKE(slot->path);
    else
        *fault = slot->fault;
    f->bytes -= slot->size;
    f->taken++;
    slot_done(slot);
    pthread_cond_broadcast(&f->changed);
    return fetched ? 1 : -1;
}

/* With the lock. What ended the questions is told once. */
static int tell_end(struct fetcher *f, struct store_fault *fault)
{
    if (!f->end.error.text[0])
        return 0;
    *fault = f->end;
    f->end = (struct store_fault){0};
    return -1;
}

int fetcher_next(struct fetcher *f, const char **ret_path, struct store_fault *fault)
{
    drop_handed_out(f);
    pthread_mutex_lock(&f->mutex);
    struct slot *slot = &f->ring[f->taken % f->n_slots];
    while (slot->state == SLOT_UNDER_WAY || (f->taken == f->begun && !f->all_begun))
        pthread_cond_wait(&f->changed, &f->mutex);
    int rc = f->taken == f->begun ? tell_end(f, fault) : take(f, slot, ret_path, fault);
    pthread_mutex_unlock(&f->mutex);
    return rc;
}

/* ---- life ---- */

void fetcher_free(struct fetcher *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->mutex);
    f->stop = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->mutex);
    for (int i = 0; i < f->n_members; i++) {
        if (f->members[i].started)
            pthread_join(f->members[i].thread, NULL);
        store_free(f->members[i].store);
    }
    drop_handed_out(f);
    for (uint64_t i = 0; i < f->n_slots; i++) {
        if (f->ring[i].path)
            unlink(f->ring[i].path);
        slot_done(&f->ring[i]);
    }
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->mutex);
    free(f->ring);
    free(f->members);
    free(f->folder);
    free(f);
}

/* Signals are for whoever started us: the process ends by them, or heeds them, in its first thread. */
static int start(struct fetcher *f, struct store_fault *fault)
{
    sigset_t all, before;
    int code = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < f->n_members && code == 0; i++) {
        code = pthread_create(&f->members[i].thread, NULL, work, &f->members[i]);
        f->members[i].started = code == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0 ? 0
                     : store_fault_set(fault, true, "cannot start a thread that fetches: %s", strerror(code));
}

int fetcher_start(const struct fetcher_options *o, fetcher_wanted *wanted, void *arg,
    struct fetcher **ret_fetcher, struct store_fault *fault)
{
    static atomic_uint numbers;
    _cleanup_(fetcher_freep) struct fetcher *f = xnew(struct fetcher);
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->changed, NULL);
    f->number = atomic_fetch_add(&numbers, 1);
    f->wanted = wanted;
    f->arg = arg;
    f->folder = xstrdup(o->folder);
    f->n_slots = o->ahead > 0 ? (uint64_t)o->ahead : 64;
    f->ring = xcalloc(f->n_slots, sizeof(f->ring[0]));
    f->bytes_max = o->bytes_ahead > 0 ? o->bytes_ahead : INT64_C(256) << 20;
    int n = o->threads > 0 ? o->threads : 4;
    f->members = xcalloc((size_t)n, sizeof(f->members[0]));
    curl_global_init(CURL_GLOBAL_DEFAULT); /* in one thread, before there are others */
    for (; f->n_members < n; f->n_members++) {
        struct member *m = &f->members[f->n_members];
        m->fetcher = f;
        if (store_open(&o->store, &m->store, fault) < 0)
            return -1;
        store_stop_when(m->store, &f->stop);
    }
    if (start(f, fault) < 0)
        return -1;
    *ret_fetcher = TAKE(f);
    return 0;
}
