#include "pg/array.h"

#include <endian.h>

void pg_array_header(char *at, uint32_t element_oid, size_t n)
{
    /* dimensions, flags (the server finds the NULLs itself), element type, then length and lower bound */
    const uint32_t words[] = {htobe32(1), 0, htobe32(element_oid), htobe32((uint32_t)n), htobe32(1)};
    memcpy(at, words, PG_ARRAY_HEADER);
}

void pg_array_done(struct pg_array *a)
{
    buffer_done(&a->bytes);
}

static void next_element(struct pg_array *a, uint32_t length)
{
    static const char zeros[PG_ARRAY_HEADER];
    if (a->bytes.n == 0)
        buffer_put(&a->bytes, zeros, sizeof(zeros));
    buffer_put_u32(&a->bytes, length);
    a->n++;
}

void pg_array_put_text(struct pg_array *a, const char *text)
{
    if (text)
        pg_array_put_bytes(a, SLICE(text));
    else
        next_element(a, UINT32_MAX);
}

void pg_array_put_bytes(struct pg_array *a, struct slice bytes)
{
    next_element(a, (uint32_t)bytes.n);
    buffer_put(&a->bytes, bytes.p, bytes.n);
}

void pg_array_put_int8(struct pg_array *a, int64_t v)
{
    next_element(a, 8);
    buffer_put_u64(&a->bytes, (uint64_t)v);
}

struct slice pg_array_value(struct pg_array *a)
{
    static const char zeros[PG_ARRAY_HEADER];
    if (a->bytes.n == 0)
        buffer_put(&a->bytes, zeros, sizeof(zeros));
    pg_array_header(a->bytes.p, a->element_oid, a->n);
    return (struct slice){a->bytes.p, a->bytes.n};
}
