#pragma once
/* What the files of this room share and nobody else needs. */
#include <stdint.h>
#include <stdio.h>

#define MINUTE INT64_C(60)
#define DAY    INT64_C(86400)

/* Rounded down, also below zero: 1969 has minutes too. */
static inline int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

#define TYPED_MAX 48

/* What a person typed, fit for a message: quoted, clipped, nothing in it that a terminal would obey. */
static inline const char *typed(const char *s, char out[TYPED_MAX])
{
    size_t n = 0;
    out[n++] = '"';
    for (; *s && n < TYPED_MAX - 6; s++)
        out[n++] = *s >= ' ' && *s <= '~' ? *s : '?';
    snprintf(out + n, TYPED_MAX - n, "%s\"", *s ? "..." : "");
    return out;
}
