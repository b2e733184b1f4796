#include "stream/outstanding.h"

#include "util/cleanup.h"

void outstanding_done(struct outstanding *o)
{
    free(o->slots);
    *o = (struct outstanding){0};
}

static struct outstanding_slot *slot(const struct outstanding *o, size_t i)
{
    return &o->slots[(o->head + i) & (o->size - 1)];
}

static void grow(struct outstanding *o)
{
    size_t size = MAX(o->size * 2, (size_t)1024);
    struct outstanding_slot *slots = xcalloc(size, sizeof(*slots));
    for (size_t i = 0; i < o->n; i++)
        slots[i] = *slot(o, i);
    free(o->slots);
    o->slots = slots;
    o->size = size;
    o->head = 0;
}

void outstanding_add(struct outstanding *o, uint64_t position)
{
    if (o->n == o->size)
        grow(o);
    *slot(o, o->n++) = (struct outstanding_slot){.position = position};
}

bool outstanding_mark(struct outstanding *o, uint64_t position)
{
    size_t low = 0, high = o->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (slot(o, mid)->position < position)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == o->n || slot(o, low)->position != position || slot(o, low)->is_done)
        return false;
    slot(o, low)->is_done = true;
    return true;
}

size_t outstanding_settle(struct outstanding *o, uint64_t *ret_position)
{
    size_t n = 0;
    while (o->n > 0 && slot(o, 0)->is_done) {
        *ret_position = slot(o, 0)->position;
        o->head = (o->head + 1) & (o->size - 1);
        o->n--;
        n++;
    }
    return n;
}
