#pragma once
/* Why entries of a batch were refused by the server, or by the test inside the rows statement. */
#include "util/cleanup.h"

struct refusal {
    size_t item;      /* of the batch */
    char sqlstate[6]; /* or "" */
    char *constraint; /* or NULL */
    char *parent_key; /* the missing parent's key as a Postgres text array, or NULL */
};

/* All zero is a valid, empty list. */
struct refusals {
    struct refusal *list;
    size_t n, cap;
};

void refusals_done(struct refusals *r);
void refusals_clear(struct refusals *r);
/* A new one for the item, to be filled in; valid until the next. */
struct refusal *refusals_add(struct refusals *r, size_t item);
/* By item, so that they can be found; after the last one was added. */
void refusals_sort(struct refusals *r);
/* NULL when there is none for the item. */
const struct refusal *refusals_find(const struct refusals *r, size_t item);
