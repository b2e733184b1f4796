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
#define INLINED   12       /* a text up to so many bytes lies in its cell itself */

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
    bool lent;      /* DuckDB's cells point into the next one to be taken */
    int64_t n_rows; /* taken */
    atomic_bool stopped;
    struct db_fault fault;
};

/* ---- the thread ---- */

static int put_row(struct duck_feed *f, struct batch *b, const struct db_value *values)
{
    size_t n = f->load->n_columns, n_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        n_bytes += values[i].p ? values[i].n : 0;
        if (values[i].p && values[i].n > UINT32_MAX)
            return db_fault_set(&f->fault, "54000", false,
                "%s: a value of %zu bytes is more than DuckDB takes", f->label, values[i].n);
    }
    if (!buffer_reserve(&b->bytes, n_bytes + INLINED) || !buffer_reserve(&b->lengths, n * sizeof(size_t)))
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

/* At p are INLINED bytes at least, whatever n is; behind the text a cell has zeros. */
static void put_short(duckdb_string_t *cell, const char *p, size_t n)
{
    uint64_t head;
    uint32_t tail;
    memcpy(&head, p, sizeof(head));
    memcpy(&tail, p + sizeof(head), sizeof(tail));
    head &= n >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * n) - 1;
    tail &= n <= 8 ? 0 : n >= INLINED ? UINT32_MAX : (UINT32_C(1) << 8 * (n - 8)) - 1;
    cell->value.inlined.length = (uint32_t)n;
    memcpy(cell->value.inlined.inlined, &head, sizeof(head));
    memcpy(cell->value.inlined.inlined + sizeof(head), &tail, sizeof(tail));
}

static void put_cell(duckdb_string_t *cell, char *p, size_t n)
{
    if (n <= INLINED) {
        put_short(cell, p, n);
        return;
    }
    cell->value.pointer.length = (uint32_t)n;
    memcpy(cell->value.pointer.prefix, p, sizeof(cell->value.pointer.prefix));
    cell->value.pointer.ptr = p;
}

/* A column of a chunk. */
struct lane {
    duckdb_vector vector;
    duckdb_string_t *cells;
    uint64_t *validity; /* a bit a row; NULL: none is NULL yet */
};

static struct lane *list_lanes(const struct duck_feed *f, duckdb_data_chunk chunk)
{
    struct lane *lanes = xcalloc(f->load->n_columns + 1, sizeof(*lanes));
    for (size_t i = 0; i < f->load->n_columns; i++) {
        lanes[i].vector = f->library->data_chunk_get_vector(chunk, i);
        lanes[i].cells = f->library->vector_get_data(lanes[i].vector);
    }
    return lanes;
}

static void put_null(const struct duck_library *l, struct lane *lane, idx_t row)
{
    if (!lane->validity) {
        l->vector_ensure_validity_writable(lane->vector);
        lane->validity = l->vector_get_validity(lane->vector);
    }
    lane->validity[row / 64] &= ~(UINT64_C(1) << row % 64);
}

/* The row, from 1, and column of the first text that is not UTF-8. As a rule all of a batch is, and no look at its cells
 * is needed: but two halves of a character in two cells are none. */
static int refuse_text(const struct duck_feed *f, const struct batch *b, struct db_fault *fault)
{
    const size_t *lengths = (const size_t *)(const void *)b->lengths.p;
    const char *at = b->bytes.p;
    for (idx_t row = 0; row < b->n_rows; row++)
        for (size_t i = 0; i < f->load->n_columns; i++, lengths++) {
            size_t n = *lengths == IS_NULL ? 0 : *lengths;
            if (!text_is_utf8(at, n))
                return db_fault_set(fault, "22021", false,
                    "%s: loading into the table %.100s, column %.100s, row %" PRId64
                    ": text that is not UTF-8",
                    f->label, f->load->table, f->load->columns[i], f->n_rows + (int64_t)row + 1);
            at += n;
        }
    return 0;
}

static bool is_ascii(const struct buffer *bytes)
{
    unsigned char all = 0;
    for (size_t i = 0; i < bytes->n; i++)
        all |= (unsigned char)bytes->p[i];
    return all < 0x80;
}

/* The cells point into the batch. */
static void put_rows(const struct duck_feed *f, const struct batch *b, duckdb_data_chunk chunk)
{
    const size_t *lengths = (const size_t *)(const void *)b->lengths.p;
    struct lane *lanes = list_lanes(f, chunk);
    char *at = b->bytes.p;
    for (idx_t row = 0; row < b->n_rows; row++)
        for (size_t i = 0; i < f->load->n_columns; i++, lengths++) {
            if (*lengths == IS_NULL) {
                put_null(f->library, &lanes[i], row);
                continue;
            }
            put_cell(&lanes[i].cells[row], at, *lengths);
            at += *lengths;
        }
    free(lanes);
}

/* DuckDB asks for more when it has stored what it got, so the batch before is then the thread's again. */
int duck_feed_take(struct duck_feed *f, duckdb_data_chunk chunk, idx_t *ret_rows, struct db_fault *fault)
{
    if (f->lent)
        hand_over(f, &f->batches[f->taken++ % N_BATCHES], false);
    f->lent = false;
    struct batch *b = &f->batches[f->taken % N_BATCHES];
    wait_for(f, b, true);
    *ret_rows = 0;
    if (!is_ascii(&b->bytes) && refuse_text(f, b, fault) < 0)
        return -1;
    put_rows(f, b, chunk);
    *ret_rows = b->n_rows;
    f->n_rows += (int64_t)b->n_rows;
    b->n_rows = 0;
    if (b->more < 0)
        *fault = f->fault;
    if (b->more <= 0)
        return b->more; /* it stays at hand, with no rows */
    f->lent = true;
    return 1;
}
