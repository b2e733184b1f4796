/*
 * The rows of a load are pulled by a thread of their own, some batches ahead of DuckDB: so what makes them (fetching, parsing,
 * comparing) and what DuckDB does with them (casting, compressing, writing) go on at the same time. Both do so by fits and
 * starts, a page here, a group of rows there; the batches between them even that out.
 */
#include "db/duckdb_inside.h"

#include "util/buffer.h"
#include "util/text.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/* Bytes, with those that cells cost; a row that is larger is a batch of its own. */
#define BATCH_MAX ((size_t)512 * 1024)
#define N_BATCHES 16
#define IS_NULL   SIZE_MAX /* for a length */

struct batch {
    struct buffer bytes, lengths; /* of all cells, row by row; lengths are size_t */
    idx_t n_rows;
    int more;   /* as of db_next_row, of the row behind the last */
    bool ready; /* it is DuckDB's; else the thread's */
};

struct duck_feed {
    const struct duck_library *library;
    const struct db_load *load;
    const char *label;
    idx_t rows_max;
    pthread_t thread;
    pthread_mutex_t mutex; /* of `ready` */
    pthread_cond_t changed;
    struct batch batches[N_BATCHES];
    size_t taken;
    int64_t n_rows; /* taken */
    atomic_bool stopped;
    struct db_fault fault;
};

/* ---- the thread ---- */

static int put_row(struct duck_feed *f, struct batch *b, const struct db_value *values)
{
    size_t n = f->load->n_columns, n_bytes = 0;
    for (size_t i = 0; i < n; i++)
        n_bytes += values[i].p ? values[i].n : 0;
    if (!buffer_reserve(&b->bytes, n_bytes) || !buffer_reserve(&b->lengths, n * sizeof(size_t)))
        return db_fault_set(
            &f->fault, "53200", true, "%s: no memory for a row of %zu bytes", f->label, n_bytes);
    size_t *lengths = (size_t *)(void *)(b->lengths.p + b->lengths.n);
    for (size_t i = 0; i < n; i++) {
        lengths[i] = values[i].p ? values[i].n : IS_NULL;
        if (!values[i].p || !values[i].n) /* before the first byte the buffer has no memory */
            continue;
        memcpy(b->bytes.p + b->bytes.n, values[i].p, values[i].n);
        b->bytes.n += values[i].n;
    }
    b->lengths.n += n * sizeof(*lengths);
    b->n_rows++;
    return 1;
}

static void fill(struct duck_feed *f, struct batch *b)
{
    const struct db_value *values;
    buffer_reset(&b->bytes, BATCH_MAX);
    buffer_reset(&b->lengths, BATCH_MAX);
    b->n_rows = 0;
    b->more = 1;
    while (b->more > 0 && b->n_rows < f->rows_max && b->bytes.n + b->lengths.n < BATCH_MAX && !f->stopped) {
        b->more = f->load->next(f->load->arg, &values, &f->fault);
        if (b->more > 0)
            b->more = put_row(f, b, values);
    }
}

/* Waits until the batch is ready, or is not; or until nobody wants it any more. */
static void wait_for(struct duck_feed *f, const struct batch *b, bool ready)
{
    pthread_mutex_lock(&f->mutex);
    while (b->ready != ready && !f->stopped)
        pthread_cond_wait(&f->changed, &f->mutex);
    pthread_mutex_unlock(&f->mutex);
}

static void hand_over(struct duck_feed *f, struct batch *b, bool ready)
{
    pthread_mutex_lock(&f->mutex);
    b->ready = ready;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->mutex);
}

static void *pull(void *arg)
{
    struct duck_feed *f = arg;
    int more = 1;
    for (size_t i = 0; more > 0 && !f->stopped; i++) {
        struct batch *b = &f->batches[i % N_BATCHES];
        wait_for(f, b, false);
        if (f->stopped)
            break;
        fill(f, b);
        more = b->more;
        hand_over(f, b, true);
    }
    return NULL;
}

/* Signals are for the threads that were there before. */
static int start_thread(struct duck_feed *f)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&f->thread, NULL, pull, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

struct duck_feed *duck_feed_new(struct duck *duck, const struct db_load *load, struct db_fault *fault)
{
    struct duck_feed *f = xnew(struct duck_feed);
    f->library = duck->library;
    f->load = load;
    f->label = duck->base.label;
    f->rows_max = duck->library->vector_size();
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->changed, NULL);
    if (start_thread(f) == 0)
        return f;
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->mutex);
    free(f);
    db_fault_set(fault, "53000", true, "%s: no thread for the rows of a load", duck->base.label);
    return NULL;
}

void duck_feed_free(struct duck_feed *f)
{
    pthread_mutex_lock(&f->mutex);
    f->stopped = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->mutex);
    pthread_join(f->thread, NULL);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->mutex);
    for (size_t i = 0; i < N_BATCHES; i++) {
        buffer_done(&f->batches[i].bytes);
        buffer_done(&f->batches[i].lengths);
    }
    free(f);
}

/* ---- DuckDB's side ---- */

static int put_cell(const struct duck_feed *f, duckdb_vector vector, idx_t row, const char *p, size_t n)
{
    const struct duck_library *l = f->library;
    if (n == IS_NULL) {
        l->vector_ensure_validity_writable(vector);
        l->validity_set_row_invalid(l->vector_get_validity(vector), row);
        return 0;
    }
    l->vector_assign_string_element_len(vector, row, p, n);
    return text_is_utf8(p, n) ? 0 : -1;
}

/* -1 with the column and row that are not UTF-8. */
static int put_rows(
    struct duck_feed *f, const struct batch *b, duckdb_data_chunk chunk, struct db_fault *fault)
{
    const size_t *lengths = (const size_t *)(const void *)b->lengths.p;
    const char *at = b->bytes.p ? b->bytes.p : "";
    for (idx_t row = 0; row < b->n_rows; row++, f->n_rows++)
        for (size_t i = 0; i < f->load->n_columns; i++, lengths++) {
            if (put_cell(f, f->library->data_chunk_get_vector(chunk, i), row, at, *lengths) < 0)
                return db_fault_set(fault, "22021", false,
                    "%s: loading into the table %.100s, column %.100s, row %" PRId64
                    ": text that is not UTF-8",
                    f->label, f->load->table, f->load->columns[i], f->n_rows + 1);
            at += *lengths == IS_NULL ? 0 : *lengths;
        }
    return 0;
}

int duck_feed_take(struct duck_feed *f, duckdb_data_chunk chunk, idx_t *ret_rows, struct db_fault *fault)
{
    struct batch *b = &f->batches[f->taken % N_BATCHES];
    wait_for(f, b, true);
    *ret_rows = 0;
    if (put_rows(f, b, chunk, fault) < 0)
        return -1;
    *ret_rows = b->n_rows;
    b->n_rows = 0;
    if (b->more < 0)
        *fault = f->fault;
    if (b->more <= 0)
        return b->more; /* it stays at hand, with no rows */
    f->taken++;
    hand_over(f, b, false);
    return 1;
}
