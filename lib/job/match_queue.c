#include "job/match_queue.h"

#include <pthread.h>

#define N_BLOCKS  8
#define BLOCK_MAX ((size_t)128 * 1024)   /* bytes; a record that is larger is a block of its own … */
#define BYTES_MAX (N_BLOCKS * BLOCK_MAX) /* … of which few wait */

struct block {
    struct buffer bytes; /* of each record its length, a size_t, and itself */
    int64_t n;
};

struct match_queue {
    struct match_share *share;
    int64_t most;          /* records of a block */
    pthread_mutex_t mutex; /* of what follows, and of the share */
    pthread_cond_t changed;
    struct block blocks[N_BLOCKS];
    size_t n_put, n_taken; /* blocks so far */
    size_t n_bytes;        /* of those put and not taken */
    bool ended, abandoned;
    /* The reader's. */
    bool has_block;
    size_t at;
};

struct match_queue *queue_new(struct match_share *share, double part)
{
    struct match_queue *q = xnew(struct match_queue);
    q->share = share;
    q->most = MAX(share_part(share, part) / N_BLOCKS, 1);
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->changed, NULL);
    return q;
}

void queue_free(struct match_queue *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < N_BLOCKS; i++)
        buffer_done(&q->blocks[i].bytes);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->mutex);
    free(q);
}

/* ---- the one thread ---- */

static struct block *block_to_fill(struct match_queue *q)
{
    return &q->blocks[q->n_put % N_BLOCKS];
}

/* It is the other's then. Waits until there is another to fill. */
static bool hand_over(struct match_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->n_bytes += block_to_fill(q)->bytes.n;
    q->n_put++;
    pthread_cond_broadcast(&q->changed);
    while ((q->n_put - q->n_taken == N_BLOCKS || q->n_bytes > BYTES_MAX) && !q->abandoned)
        pthread_cond_wait(&q->changed, &q->mutex);
    bool goes_on = !q->abandoned;
    pthread_mutex_unlock(&q->mutex);
    return goes_on;
}

static void count(struct match_queue *q, int64_t n)
{
    pthread_mutex_lock(&q->mutex);
    share_hold(q->share, n);
    pthread_mutex_unlock(&q->mutex);
}

bool queue_put(struct match_queue *q, struct slice record)
{
    struct block *b = block_to_fill(q);
    if (b->n > 0 && (b->n == q->most || b->bytes.n + record.n > BLOCK_MAX)) {
        if (!hand_over(q))
            return false;
        b = block_to_fill(q);
    }
    if (b->n == 0)
        count(q, q->most);
    b->n++;
    buffer_put(&b->bytes, &record.n, sizeof(record.n));
    buffer_put(&b->bytes, record.p, record.n);
    return true;
}

void queue_end(struct match_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->n_bytes += block_to_fill(q)->bytes.n;
    q->n_put += block_to_fill(q)->n > 0;
    q->ended = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mutex);
}

/* ---- the other ---- */

static void give_back(struct match_queue *q, struct block *b)
{
    size_t n_bytes = b->bytes.n;
    b->n = 0;
    buffer_reset(&b->bytes, 2 * BLOCK_MAX);
    q->has_block = false;
    pthread_mutex_lock(&q->mutex);
    q->n_bytes -= n_bytes;
    q->n_taken++;
    share_hold(q->share, -q->most);
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mutex);
}

/* False: there is none any more. */
static bool wait_for_block(struct match_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    while (q->n_taken == q->n_put && !q->ended)
        pthread_cond_wait(&q->changed, &q->mutex);
    q->has_block = q->n_taken < q->n_put;
    pthread_mutex_unlock(&q->mutex);
    q->at = 0;
    return q->has_block;
}

bool queue_next(struct match_queue *q, struct slice *ret_record)
{
    struct block *b = &q->blocks[q->n_taken % N_BLOCKS];
    if (q->has_block && q->at == b->bytes.n) {
        give_back(q, b);
        b = &q->blocks[q->n_taken % N_BLOCKS];
    }
    if (!q->has_block && !wait_for_block(q))
        return false;
    memcpy(&ret_record->n, b->bytes.p + q->at, sizeof(ret_record->n));
    ret_record->p = b->bytes.p + q->at + sizeof(ret_record->n);
    q->at += sizeof(ret_record->n) + ret_record->n;
    return true;
}

void queue_abandon(struct match_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->abandoned = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mutex);
}
