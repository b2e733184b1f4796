#pragma once
/* Bytes: a slice borrows them, a buffer owns and grows them. Numbers are put in network byte order. */
#include "util/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(s) ((struct slice){(s), strlen(s)})

static inline bool slice_is(struct slice a, const char *word)
{
    return a.n == strlen(word) && memcmp(a.p, word, a.n) == 0;
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* By their bytes, a shorter one before a longer one that begins with it: less than 0, 0, or greater. */
static inline int slice_order(struct slice a, struct slice b)
{
    size_t n = MIN(a.n, b.n);
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* All zero is a valid, empty buffer. */
struct buffer {
    char *p;
    size_t n;   /* bytes in use */
    size_t cap; /* bytes allocated */
};

void buffer_done(struct buffer *b);
#define _cleanup_buffer_ _cleanup_(buffer_done)

/* Room for `more` bytes after the n in use. False when there is no memory; the buffer is as it was. */
bool buffer_reserve(struct buffer *b, size_t more);
/* Empties it; memory above `keep` bytes is given back, so that one large row does not stay with us. */
void buffer_reset(struct buffer *b, size_t keep);
/* Removes the first n bytes. */
void buffer_drop(struct buffer *b, size_t n);

/* These end the process when there is no memory: sizes of our own choosing, or checked by buffer_reserve
 * before. */
void buffer_put(struct buffer *b, const void *p, size_t n);
void buffer_put_string(struct buffer *b, const char *s);
void buffer_put_u16(struct buffer *b, uint16_t v);
void buffer_put_u32(struct buffer *b, uint32_t v);
void buffer_put_u64(struct buffer *b, uint64_t v);
/* "\\x0badcafe", as Postgres shows bytes. */
void buffer_put_hex(struct buffer *b, const void *p, size_t n);
void buffer_printf(struct buffer *b, const char *fmt, ...) _printf_(2, 3);
/* The bytes as a C string: a NUL is kept behind them but not counted. Never NULL. */
const char *buffer_string(struct buffer *b);
