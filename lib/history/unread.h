#pragma once
/*
 * The keys of rows that could not be taken, so far as they can be told: a row with one bad cell is a poor reason to say
 * that its key is gone. What is on record of them stays as it is.
 */
#include "db/load.h"

#include <stdbool.h>

#define UNREAD_MAX 100000 /* keys: there is no dump of which so many rows are bad and the rest is not */

struct unread {
    void *tree;
    size_t n;
};

void unread_done(struct unread *u);
/* The values of a key's columns. False when there are too many. */
bool unread_add(struct unread *u, size_t n_key, const struct db_value *key);
bool unread_has(const struct unread *u, size_t n_key, const struct db_value *key);
