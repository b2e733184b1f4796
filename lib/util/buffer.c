#include "util/buffer.h"

#include <endian.h>
#include <stdarg.h>

void buffer_done(struct buffer *b)
{
    free(b->p);
    *b = (struct buffer){0};
}

bool buffer_reserve(struct buffer *b, size_t more)
{
    if (more <= b->cap - b->n)
        return true;
    size_t need;
    if (__builtin_add_overflow(b->n, more, &need))
        return false;
    size_t cap = MAX(need, b->cap + b->cap / 2);
    cap = MAX(cap, (size_t)64);
    char *p = realloc(b->p, cap);
    if (!p)
        return false;
    b->p = p;
    b->cap = cap;
    return true;
}

void buffer_reset(struct buffer *b, size_t keep)
{
    b->n = 0;
    if (b->cap > keep)
        buffer_done(b);
}

void buffer_drop(struct buffer *b, size_t n)
{
    if (n == 0) /* the empty buffer has no memory to move */
        return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

static void must_reserve(struct buffer *b, size_t more)
{
    if (!buffer_reserve(b, more))
        abort();
}

void buffer_put(struct buffer *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    must_reserve(b, n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void buffer_put_string(struct buffer *b, const char *s)
{
    buffer_put(b, s, strlen(s));
}

void buffer_put_u16(struct buffer *b, uint16_t v)
{
    v = htobe16(v);
    buffer_put(b, &v, sizeof(v));
}

void buffer_put_u32(struct buffer *b, uint32_t v)
{
    v = htobe32(v);
    buffer_put(b, &v, sizeof(v));
}

void buffer_put_u64(struct buffer *b, uint64_t v)
{
    v = htobe64(v);
    buffer_put(b, &v, sizeof(v));
}

void buffer_put_hex(struct buffer *b, const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    buffer_put_string(b, "\\x");
    for (const unsigned char *at = p, *end = at + n; at < end; at++)
        buffer_put(b, (char[]){digits[*at >> 4], digits[*at & 15]}, 2);
}

void buffer_printf(struct buffer *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    must_reserve(b, (size_t)n + 1);
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
    va_end(again);
    b->n += (size_t)n;
}

const char *buffer_string(struct buffer *b)
{
    must_reserve(b, 1);
    b->p[b->n] = '\0';
    return b->p;
}
