#pragma once
/* The interface texts in varlink's definition language: what introspection answers. */
#include <stddef.h>

struct interface {
    const char *name;
    const char *text;
};

/* The interfaces we serve; *ret_n of them. */
const struct interface *interface_list(size_t *ret_n);
/* NULL when we serve none of that name. */
const struct interface *interface_find(const char *name);
