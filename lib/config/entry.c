#include "config/entry.h"

#include "config/value.h"

static char **name_of(const struct section *section, const void *entry)
{
    return (char **)((char *)entry + section->named->name);
}

static char **list_of(const struct section *section, const struct config *c)
{
    return (char **)((char *)c + section->named->list);
}

static size_t *count_of(const struct section *section, const struct config *c)
{
    return (size_t *)((char *)c + section->named->count);
}

void entries_new(const struct section *section, struct config *c, size_t n)
{
    *list_of(section, c) = xcalloc(n, section->named->size);
    *count_of(section, c) = 0;
}

void *entry_add(const struct section *section, struct config *c, char *name, int line)
{
    void *entry = entry_at(section, c, (*count_of(section, c))++);
    *name_of(section, entry) = name;
    *(int *)((char *)entry + section->named->line) = line;
    return entry;
}

size_t n_entries(const struct section *section, const struct config *c)
{
    return *count_of(section, c);
}

void *entry_at(const struct section *section, const struct config *c, size_t i)
{
    return *list_of(section, c) + i * section->named->size;
}

void *entry_find(const struct section *section, const struct config *c, const char *name)
{
    for (size_t i = 0; i < n_entries(section, c); i++) {
        void *entry = entry_at(section, c, i);
        if (strcmp(entry_name(section, entry), name) == 0)
            return entry;
    }
    return NULL;
}

const char *entry_name(const struct section *section, const void *entry)
{
    return *name_of(section, entry);
}

int entry_line(const struct section *section, const void *entry)
{
    return *(const int *)((const char *)entry + section->named->line);
}

const char *entry_kind(const struct section *section, const void *entry)
{
    return section->kind ? section->kind(entry) : NULL;
}

bool entry_has(const struct section *section, const struct key *key, const void *entry)
{
    const char *kind = key->only ? entry_kind(section, entry) : NULL;
    return !kind || kinds_have(key->only, kind);
}

bool entry_equal(const struct section *section, const void *a, const void *b)
{
    return values_equal(section, a, b) && strcmp(entry_name(section, a), entry_name(section, b)) == 0;
}

void entry_copy(const struct section *section, void *to, const void *from)
{
    *name_of(section, to) = xstrdup(entry_name(section, from));
    *(int *)((char *)to + section->named->line) = entry_line(section, from);
    values_copy(section, to, from);
}

void entry_done(const struct section *section, void *entry)
{
    free(*name_of(section, entry));
    values_done(section, entry);
}
