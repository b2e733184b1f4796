/*
 * Acknowledging. An id goes through: in the stream's hands (outstanding, in_hand > 0) -> to be acknowledged
 * (in_hand 0, in acks) -> XACK sent (the front of acks) -> answered, and forgotten. Answers come in the order
 * of the commands, so the front of the list is always what the next answer is about.
 */
#include "stream/redis_inside.h"
#include "stream/redis_reply.h"

static void ids_put(struct redis_ids *ids, struct entry_id id)
{
    if (ids->n == ids->cap) {
        ids->cap = MAX(ids->cap * 2, (size_t)256);
        ids->list = xrealloc(ids->list, ids->cap, sizeof(*ids->list));
    }
    ids->list[ids->n++] = id;
}

static void ids_drop_front(struct redis_ids *ids, size_t n)
{
    ids->n -= n;
    memmove(ids->list, ids->list + n, ids->n * sizeof(*ids->list));
    if (ids->n == 0 && ids->cap > 4096)
        redis_ids_done(ids);
}

void redis_ids_done(struct redis_ids *ids)
{
    free(ids->list);
    *ids = (struct redis_ids){0};
}

void redis_ack(struct source *source, const struct entry_id *ids, size_t n)
{
    struct redis_source *s = (struct redis_source *)source;
    for (size_t i = 0; i < n; i++) {
        struct outstanding_slot *slot = outstanding_find(&s->outstanding, ids[i]);
        if (slot && slot->in_hand > 0 && --slot->in_hand == 0)
            ids_put(&s->acks, ids[i]);
    }
    redis_acks_send(s);
}

static void forget(struct redis_source *s, struct entry_id id)
{
    struct outstanding_slot *slot = outstanding_find(&s->outstanding, id);
    if (slot && slot->in_hand == 0)
        outstanding_remove(&s->outstanding, id);
}

/* While a page of our own pending entries is under way, it may have been made before the acknowledgement got
 * there: what it repeats must still be known when it comes. */
static void on_acked(void *owner, redisReply *reply, size_t n)
{
    struct redis_source *s = owner;
    if (redis_is_refused(s->clerk, "XACK", reply))
        return;
    redis_works(s, s->clerk);
    for (size_t i = 0; i < n; i++)
        if (redis_may_repeat(s))
            ids_put(&s->settled, s->acks.list[i]);
        else
            forget(s, s->acks.list[i]);
    ids_drop_front(&s->acks, n);
    s->n_acks_sent -= n;
    redis_acks_send(s);
}

void redis_acks_settle(struct redis_source *s)
{
    if (s->settled.n == 0 || redis_may_repeat(s))
        return;
    for (size_t i = 0; i < s->settled.n; i++)
        forget(s, s->settled.list[i]);
    redis_ids_done(&s->settled);
}

static bool send_chunk(struct redis_source *s, size_t n)
{
    static char words[ACKS_AT_ONCE][ENTRY_ID_MAX];
    static const char *argv[3 + ACKS_AT_ONCE];
    argv[0] = "XACK";
    argv[1] = s->target.key;
    argv[2] = s->group;
    for (size_t i = 0; i < n; i++)
        argv[3 + i] = entry_id_to_string(s->acks.list[s->n_acks_sent + i], words[i]);
    return redis_link_send(s->clerk, on_acked, n, (int)(3 + n), argv, NULL);
}

void redis_acks_send(struct redis_source *s)
{
    while (s->n_acks_sent < s->acks.n && s->n_acks_sent < ACKS_UNDER_WAY) {
        size_t n = MIN(s->acks.n - s->n_acks_sent, (size_t)ACKS_AT_ONCE);
        if (!send_chunk(s, n))
            return;
        s->n_acks_sent += n;
    }
}

void redis_acks_lost(struct redis_source *s)
{
    s->n_acks_sent = 0;
}

/* What is sent already stays in the list, since its answer will come. */
void redis_acks_forget(struct redis_source *s)
{
    for (size_t i = s->n_acks_sent; i < s->acks.n; i++)
        forget(s, s->acks.list[i]);
    s->acks.n = s->n_acks_sent;
}
