/*
 * Mappings of names within an entry whose order is kept: a match's keys and tie-breaks, a harmonize's sources and
 * tables. Whichever they are, each is {list, n} with a name and a line in every one (struct ordered).
 */
#include "config/value.h"

struct list {
    char *list; /* of structs of the section's own */
    size_t n;
};

_Static_assert(offsetof(struct config_rules, n) == offsetof(struct list, n), "they are kept alike");

static struct list *list_of(const void *base)
{
    return (struct list *)(uintptr_t)base;
}

static char **name_of(const struct section *section, const void *one)
{
    return (char **)((char *)(uintptr_t)one + section->ordered->name);
}

void ordered_new(const struct section *section, void *base, size_t n)
{
    *list_of(base) = (struct list){xcalloc(n, section->ordered->size), 0};
}

void *ordered_add(const struct section *section, void *base, char *name, int line)
{
    void *one = ordered_at(section, base, list_of(base)->n++);
    *name_of(section, one) = name;
    *(int *)((char *)one + section->ordered->line) = line;
    return one;
}

size_t ordered_n(const void *base)
{
    return list_of(base)->n;
}

void *ordered_at(const struct section *section, const void *base, size_t i)
{
    return list_of(base)->list + i * section->ordered->size;
}

const char *ordered_name(const struct section *section, const void *one)
{
    return *name_of(section, one);
}

int ordered_line(const struct section *section, const void *one)
{
    return *(const int *)((const char *)one + section->ordered->line);
}

bool ordered_equal(const struct section *section, const void *a, const void *b)
{
    if (ordered_n(a) != ordered_n(b))
        return false;
    for (size_t i = 0; i < ordered_n(a); i++) {
        const void *x = ordered_at(section, a, i), *y = ordered_at(section, b, i);
        if (strcmp(ordered_name(section, x), ordered_name(section, y)) != 0 || !values_equal(section, x, y))
            return false;
    }
    return true;
}

void ordered_copy(const struct section *section, void *to, const void *from)
{
    ordered_new(section, to, ordered_n(from));
    for (size_t i = 0; i < ordered_n(from); i++) {
        const void *one = ordered_at(section, from, i);
        char *name = xstrdup(ordered_name(section, one));
        values_copy(section, ordered_add(section, to, name, ordered_line(section, one)), one);
    }
}

void ordered_done(const struct section *section, void *base)
{
    for (size_t i = 0; i < ordered_n(base); i++) {
        void *one = ordered_at(section, base, i);
        free(*name_of(section, one));
        values_done(section, one);
    }
    free(list_of(base)->list);
    *list_of(base) = (struct list){0};
}
