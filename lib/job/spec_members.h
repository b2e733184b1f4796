#pragma once
/* What a spec's JSON consists of: one table, from which it is written, read and released. */
#include "job/spec.h"

#include <stddef.h>

enum type {
    STRING,
    MAYBE_STRING,
    TEXT, /* may be empty */
    INT,
    UINT,
    BOOL,
    DATABASE,
    MAYBE_DATABASE,
    WINDOWS,
    WORDS,
    OBJECT,
    MAYBE_OBJECT,
    OBJECTS, /* an array of them */
};

struct member {
    const char *name;
    enum type type;
    size_t at;                 /* in its struct; unused for WINDOWS, which are two fields */
    const struct shape *shape; /* of an object, and of each of OBJECTS */
    size_t count;              /* of OBJECTS: where in the struct */
};

struct shape {
    const struct member *list;
    size_t n;
    size_t there; /* the string that is NULL where there is no such object */
    size_t size;  /* of the struct, where there are OBJECTS of it */
};

/* The place of a member in its struct. */
#define FIELD(base, m, T) ((T *)(void *)((char *)(base) + (m)->at))
#define COUNT(base, m)    ((size_t *)(void *)((char *)(base) + (m)->count))
/* The struct of one of OBJECTS. */
#define OBJECT_AT(base, m, i) ((void *)(*FIELD(base, m, char *) + (i) * (m)->shape->size))

#define MEMBERS_MAX 24 /* of one object */

extern const struct shape spec_shape;

/* Releases what the struct at base holds. */
void members_done(const struct shape *shape, void *base);
