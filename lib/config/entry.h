#pragma once
/*
 * The entries of the mappings of names (databases, streams, jobs), whichever they are: how to get at them is in
 * the table (struct named), so that what holds for all of them is written once. Only sections that stand under
 * names go in here.
 */
#include "config/keys.h"

/* Room for n entries, none of them there yet. */
void entries_new(const struct section *section, struct config *c, size_t n);
/* The next entry of that room; takes the name. */
void *entry_add(const struct section *section, struct config *c, char *name, int line);
size_t n_entries(const struct section *section, const struct config *c);
void *entry_at(const struct section *section, const struct config *c, size_t i);
/* NULL when there is none of that name. */
void *entry_find(const struct section *section, const struct config *c, const char *name);

const char *entry_name(const struct section *section, const void *entry);
int entry_line(const struct section *section, const void *entry);
/* "redis", "rollup"; NULL where it is not known, or there are no kinds. Takes any section. */
const char *entry_kind(const struct section *section, const void *entry);
/* False for a key that means nothing to an entry of this kind. Takes any section. */
bool entry_has(const struct section *section, const struct key *key, const void *entry);

/* Names and values; not what a mapping in it (columns) holds. */
bool entry_equal(const struct section *section, const void *a, const void *b);
void entry_copy(const struct section *section, void *to, const void *from);
void entry_done(const struct section *section, void *entry);
