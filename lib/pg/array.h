#pragma once
/*
 * One-dimensional arrays as binary parameters (array_recv in src/backend/utils/adt/arrayfuncs.c): a header,
 * then each element as a 4-byte length and its own binary form; length -1 is NULL.
 */
#include "util/buffer.h"

#define PG_ARRAY_HEADER 20

/* Writes the header for n elements of that type; `at` has PG_ARRAY_HEADER bytes. */
void pg_array_header(char *at, uint32_t element_oid, size_t n);

/* An array as it grows. Zeroed and with its type set it is empty. */
struct pg_array {
    struct buffer bytes;
    uint32_t element_oid;
    size_t n;
};

#define PG_TEXT_OID        25
#define PG_INT8_OID        20
#define PG_BYTEA_OID       17
#define PG_TIMESTAMPTZ_OID 1184

void pg_array_done(struct pg_array *a);
/* NULL becomes an SQL NULL. */
void pg_array_put_text(struct pg_array *a, const char *text);
void pg_array_put_bytes(struct pg_array *a, struct slice bytes);
/* Also for timestamps, as microseconds since 2000-01-01. */
void pg_array_put_int8(struct pg_array *a, int64_t v);
/* The finished parameter, valid until the array changes. */
struct slice pg_array_value(struct pg_array *a);

/* Unix microseconds to the server's timestamp (src/include/datatype/timestamp.h: its epoch is 2000-01-01). */
static inline int64_t pg_timestamp(int64_t unix_us)
{
    return unix_us - INT64_C(946684800000000);
}
