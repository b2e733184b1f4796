#include "stream/refusal.h"

void refusals_clear(struct refusals *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->list[i].constraint);
        free(r->list[i].parent_key);
    }
    r->n = 0;
}

void refusals_done(struct refusals *r)
{
    refusals_clear(r);
    free(r->list);
    *r = (struct refusals){0};
}

struct refusal *refusals_add(struct refusals *r, size_t item)
{
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 16;
        r->list = xrealloc(r->list, r->cap, sizeof(*r->list));
    }
    r->list[r->n] = (struct refusal){.item = item};
    return &r->list[r->n++];
}

static int by_item(const void *a, const void *b)
{
    const struct refusal *x = a, *y = b;
    return x->item < y->item ? -1 : x->item > y->item;
}

void refusals_sort(struct refusals *r)
{
    if (r->n)
        qsort(r->list, r->n, sizeof(*r->list), by_item);
}

const struct refusal *refusals_find(const struct refusals *r, size_t item)
{
    const struct refusal wanted = {.item = item};
    return r->n ? bsearch(&wanted, r->list, r->n, sizeof(wanted), by_item) : NULL;
}
