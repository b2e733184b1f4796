#pragma once
/*
 * The ids that are under way: handed to the stream, or acknowledged and not yet known upstream to be. An open
 * hash table of 24 bytes a slot, since a flood has many of them.
 */
#include "stream/entry.h"

struct outstanding_slot {
    struct entry_id id;
    uint32_t in_hand; /* deliveries the stream still has; 0: stored, its acknowledgement is under way */
    uint32_t epoch;   /* which incarnation of the group delivered it last; 0: the slot is empty */
};

struct outstanding {
    struct outstanding_slot *slots;
    size_t n, cap; /* cap is 0 or a power of two */
};

void outstanding_done(struct outstanding *o);
/* The id's slot, valid until the next add or remove; NULL when it is not under way. */
struct outstanding_slot *outstanding_find(const struct outstanding *o, struct entry_id id);
/* Adds an id that is not there yet, in_hand 0. */
struct outstanding_slot *outstanding_add(struct outstanding *o, struct entry_id id, uint32_t epoch);
void outstanding_remove(struct outstanding *o, struct entry_id id);
