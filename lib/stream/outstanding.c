#include "stream/outstanding.h"

#define CAP_MIN 64

static inline size_t home_of(struct entry_id id, size_t cap)
{
    uint64_t x = (id.hi ^ (id.lo * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(x ^ (x >> 32)) & (cap - 1);
}

static inline bool same(struct entry_id a, struct entry_id b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

void outstanding_done(struct outstanding *o)
{
    free(o->slots);
    *o = (struct outstanding){0};
}

struct outstanding_slot *outstanding_find(const struct outstanding *o, struct entry_id id)
{
    if (o->n == 0)
        return NULL;
    size_t i = home_of(id, o->cap);
    for (; o->slots[i].epoch; i = (i + 1) & (o->cap - 1))
        if (same(o->slots[i].id, id))
            return &o->slots[i];
    return NULL;
}

static struct outstanding_slot *place(struct outstanding *o, struct entry_id id)
{
    size_t i = home_of(id, o->cap);
    while (o->slots[i].epoch)
        i = (i + 1) & (o->cap - 1);
    return &o->slots[i];
}

static void resize(struct outstanding *o, size_t cap)
{
    struct outstanding old = *o;
    o->slots = xcalloc(cap, sizeof(*o->slots));
    o->cap = cap;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].epoch)
            *place(o, old.slots[i].id) = old.slots[i];
    free(old.slots);
}

struct outstanding_slot *outstanding_add(struct outstanding *o, struct entry_id id, uint32_t epoch)
{
    if (o->n + 1 > o->cap / 4 * 3)
        resize(o, MAX(o->cap * 2, (size_t)CAP_MIN));
    struct outstanding_slot *slot = place(o, id);
    *slot = (struct outstanding_slot){.id = id, .epoch = epoch};
    o->n++;
    return slot;
}

/* Moves later ones of the same run up into the hole, so that no tombstones are needed. */
static void close_hole(struct outstanding *o, size_t hole)
{
    size_t mask = o->cap - 1;
    for (size_t i = (hole + 1) & mask; o->slots[i].epoch; i = (i + 1) & mask) {
        size_t home = home_of(o->slots[i].id, o->cap);
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* its home lies behind the hole */
        o->slots[hole] = o->slots[i];
        hole = i;
    }
    o->slots[hole].epoch = 0;
}

void outstanding_remove(struct outstanding *o, struct entry_id id)
{
    struct outstanding_slot *slot = outstanding_find(o, id);
    if (!slot)
        return;
    close_hole(o, (size_t)(slot - o->slots));
    o->n--;
    if (o->n == 0 && o->cap > 4096)
        outstanding_done(o);
    else if (o->cap > 4096 && o->n < o->cap / 16)
        resize(o, o->cap / 4);
}
