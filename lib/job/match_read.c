/*
 * Its two threads share only what is atomic, the manifest, which has a lock, and the report of the progress. A side that is
 * staged to its end is not read again; one with a position is gone on with from there.
 */
#include "job/job.h"
#include "job/match_reader.h"

#define STACK_SIZE ((size_t)4 << 20)

void match_reading_done(struct match_reading *all)
{
    match_reader_free(TAKE(all->readers[MATCH_LEFT]));
    match_reader_free(TAKE(all->readers[MATCH_RIGHT]));
}

/* ---- both of them ---- */

static int start_thread(struct match_reader *r, pthread_t *ret_thread)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    int error = pthread_create(ret_thread, &attr, match_reader_run, r);
    pthread_attr_destroy(&attr);
    return error;
}

static int read_both(struct match_reading *all, struct match_shared *shared, struct db_fault *fault)
{
    pthread_t thread;
    bool started = false;
    struct match_reader *left = all->readers[MATCH_LEFT], *right = all->readers[MATCH_RIGHT];
    if (right->position >= 0) {
        int error = start_thread(right, &thread);
        if (error)
            return job_refuse(fault, "no thread can be started to read with: %s", strerror(error));
        started = true;
    }
    if (left->position >= 0)
        match_reader_run(left);
    if (started)
        pthread_join(thread, NULL);
    match_reader_note(left);
    match_reader_note(right);
    if (!shared->failed)
        return 0;
    const struct match_reader *r = all->readers[shared->first];
    *fault = (struct db_fault){.error = r->fault.error, .transient = r->fault.transient};
    return error_prefix(&fault->error, "the %s side", r->spec->name);
}

static void close_databases(struct match_reading *all)
{
    db_close(TAKE(all->readers[MATCH_LEFT]->db));
    db_close(TAKE(all->readers[MATCH_RIGHT]->db));
}

int match_read(struct match_reading *all, struct db_fault *fault)
{
    struct match_shared shared = {0};
    *fault = (struct db_fault){0};
    pthread_mutex_init(&shared.telling, NULL);
    int r = -1;
    if (match_reader_open(all, &shared, MATCH_LEFT, fault) == 0 &&
        match_reader_open(all, &shared, MATCH_RIGHT, fault) == 0) {
        all->had_all = all->readers[MATCH_LEFT]->position < 0 && all->readers[MATCH_RIGHT]->position < 0;
        r = read_both(all, &shared, fault);
    }
    pthread_mutex_destroy(&shared.telling);
    if (r < 0)
        return -1;
    close_databases(all);
    for (int i = 0; i < 2; i++)
        all->readers[i]->shared = NULL;
    return 0;
}

int match_check_read(const struct match_reading *all, struct db_fault *fault)
{
    for (int i = 0; i < 2; i++)
        if (match_reader_check_rows(all->readers[i], fault) < 0 ||
            match_reader_check_seams(all->readers[i], fault) < 0)
            return -1;
    for (int i = 0; i < 2; i++)
        if (match_reader_check_columns(all->readers[i], fault) < 0)
            return -1;
    return 0;
}
