/*
 * DuckDB computes in our own thread, and has no time limit for a statement: a thread of ours waits for the statement's
 * end, and interrupts it when that does not come in time.
 */
#include "db/duckdb_inside.h"

#include "util/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

struct duck_limit {
    const struct duck_library *library;
    duckdb_connection connection;
    int64_t us;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    int64_t deadline_us; /* of the statement; 0: none runs */
    bool over, ended;
};

static void wait_until(struct duck_limit *limit, int64_t deadline_us)
{
    struct timespec at = {deadline_us / US_PER_SEC, deadline_us % US_PER_SEC * 1000};
    if (pthread_cond_timedwait(&limit->changed, &limit->mutex, &at) != ETIMEDOUT)
        return;
    if (limit->deadline_us != deadline_us)
        return;
    limit->over = true;
    limit->deadline_us = 0;
    limit->library->interrupt(limit->connection);
}

static void *watch(void *arg)
{
    struct duck_limit *limit = arg;
    pthread_mutex_lock(&limit->mutex);
    while (!limit->ended) {
        if (limit->deadline_us)
            wait_until(limit, limit->deadline_us);
        else
            pthread_cond_wait(&limit->changed, &limit->mutex);
    }
    pthread_mutex_unlock(&limit->mutex);
    return NULL;
}

/* Signals are for the threads that were there before. */
static int start_thread(struct duck_limit *limit)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&limit->thread, NULL, watch, limit);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

struct duck_limit *duck_limit_new(
    const struct duck_library *library, duckdb_connection connection, int64_t us)
{
    struct duck_limit *limit = xnew(struct duck_limit);
    *limit = (struct duck_limit){.library = library, .connection = connection, .us = us};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&limit->mutex, NULL);
    pthread_cond_init(&limit->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (start_thread(limit) == 0)
        return limit;
    free(limit);
    return NULL;
}

void duck_limit_free(struct duck_limit *limit)
{
    if (!limit)
        return;
    pthread_mutex_lock(&limit->mutex);
    limit->ended = true;
    pthread_cond_signal(&limit->changed);
    pthread_mutex_unlock(&limit->mutex);
    pthread_join(limit->thread, NULL);
    pthread_cond_destroy(&limit->changed);
    pthread_mutex_destroy(&limit->mutex);
    free(limit);
}

void duck_limit_start(struct duck_limit *limit)
{
    if (!limit)
        return;
    pthread_mutex_lock(&limit->mutex);
    limit->over = false;
    limit->deadline_us = clock_mono_us() + limit->us;
    pthread_cond_signal(&limit->changed);
    pthread_mutex_unlock(&limit->mutex);
}

bool duck_limit_stop(struct duck_limit *limit)
{
    if (!limit)
        return false;
    pthread_mutex_lock(&limit->mutex);
    limit->deadline_us = 0;
    bool over = limit->over;
    pthread_mutex_unlock(&limit->mutex);
    return over;
}

int64_t duck_limit_us(const struct duck_limit *limit)
{
    return limit->us;
}
