#pragma once
/* Cuts what comes from a pipe, in pieces of any size, into lines. All zero is a valid, empty one. */
#include "util/buffer.h"

struct lines {
    struct buffer bytes;
    size_t begin;      /* of the first line that was not taken */
    size_t n_searched; /* bytes in which there is no end of a line but those taken */
};

void lines_done(struct lines *l);
/* Room for a piece of n bytes, which lines_add() then takes; NULL when there is no memory. */
char *lines_room(struct lines *l, size_t n);
void lines_add(struct lines *l, size_t n);
/* The next line without its end; it stays valid until lines_room(). */
bool lines_next(struct lines *l, struct slice *ret_line);
/* How much there is of a line that has not ended yet; after the last of lines_next(). */
size_t lines_n_open(const struct lines *l);
