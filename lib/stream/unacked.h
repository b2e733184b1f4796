#pragma once
/*
 * The entries that were delivered and are not acknowledged yet, by their positions, which only grow. They are
 * acknowledged in any order; what counts is up to where all are.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unacked_frame {
    uint64_t position;
    bool is_done;
};

/* All zero is a valid, empty one. The slots are a ring, its size a power of two. */
struct unacked {
    struct unacked_frame *slots;
    size_t size, head, n;
};

void unacked_done(struct unacked *o);
void unacked_add(struct unacked *o, uint64_t position);
/* Marks the entry as acknowledged; false when there is none of that position, or it was marked before. */
bool unacked_mark(struct unacked *o, uint64_t position);
/* Takes the leading marked ones out; returns how many, and the last one's position in ret_position if any. */
size_t unacked_settle(struct unacked *o, uint64_t *ret_position);
