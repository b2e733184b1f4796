#include "history/unread.h"

#include "util/buffer.h"

#include <search.h>

struct unread_key {
    size_t n;
    char bytes[];
};

static int compare(const void *a, const void *b)
{
    const struct unread_key *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, MIN(x->n, y->n));
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* Each column: its length, its bytes. */
static struct unread_key *make_key(size_t n_key, const struct db_value *key)
{
    _cleanup_buffer_ struct buffer all = {0};
    for (size_t i = 0; i < n_key; i++) {
        buffer_put_u64(&all, key[i].n);
        buffer_put(&all, key[i].p, key[i].n);
    }
    struct unread_key *k = xcalloc(1, sizeof(*k) + all.n);
    k->n = all.n;
    memcpy(k->bytes, buffer_string(&all), all.n);
    return k;
}

void unread_done(struct unread *u)
{
    tdestroy(u->tree, free);
    *u = (struct unread){0};
}

bool unread_add(struct unread *u, size_t n_key, const struct db_value *key)
{
    _cleanup_free_ struct unread_key *k = make_key(n_key, key);
    struct unread_key **there = tsearch(k, &u->tree, compare);
    if (!there)
        return false;
    if (*there == k) {
        k = NULL;
        u->n++;
    }
    return u->n <= UNREAD_MAX;
}

bool unread_has(const struct unread *u, size_t n_key, const struct db_value *key)
{
    if (u->n == 0)
        return false;
    _cleanup_free_ struct unread_key *k = make_key(n_key, key);
    return tfind(k, &u->tree, compare) != NULL;
}
