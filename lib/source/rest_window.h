#pragma once
/*
 * Which rows were handed out lately, in memory that does not grow: at least the last so many, at most twice as many. A
 * short key is kept itself, a longer one as a hash that nobody can make two keys have.
 */
#include "util/buffer.h"

#define REST_WINDOW ((size_t)131072) /* unless told otherwise */

struct rest_seen {
    uint64_t key[2], version; /* key 0,0: none */
};

struct rest_window {
    struct rest_seen *recent, *older; /* tables of twice as many */
    size_t size, n_recent;
    bool has_older;
    bool has_forgotten; /* some that was noted is not known any more */
    uint64_t seed;
};

/* size: a power of two. */
void rest_window_init(struct rest_window *w, size_t size);
void rest_window_done(struct rest_window *w);

/* The row's identity: its key, and its `updated` (p NULL: none). */
struct rest_seen rest_seen_of(struct slice key, struct slice updated);
bool rest_window_has(const struct rest_window *w, const struct rest_seen *s);
/* The same, and it was of this version. */
bool rest_window_has_version(const struct rest_window *w, const struct rest_seen *s);
/* In place of what is noted of it. */
void rest_window_note(struct rest_window *w, const struct rest_seen *s);
