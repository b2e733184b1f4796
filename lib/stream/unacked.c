#include "stream/unacked.h"

#include "util/cleanup.h"

void unacked_done(struct unacked *o)
{
    free(o->slots);
    *o = (struct unacked){0};
}

static struct unacked_frame *slot(const struct unacked *o, size_t i)
{
    return &o->slots[(o->head + i) & (o->size - 1)];
}

static void grow(struct unacked *o)
{
    size_t size = MAX(o->size * 2, (size_t)1024);
    struct unacked_frame *slots = xcalloc(size, sizeof(*slots));
    for (size_t i = 0; i < o->n; i++)
        slots[i] = *slot(o, i);
    free(o->slots);
    o->slots = slots;
    o->size = size;
    o->head = 0;
}

void unacked_add(struct unacked *o, uint64_t position)
{
    if (o->n == o->size)
        grow(o);
    *slot(o, o->n++) = (struct unacked_frame){.position = position};
}

bool unacked_mark(struct unacked *o, uint64_t position)
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

size_t unacked_settle(struct unacked *o, uint64_t *ret_position)
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
