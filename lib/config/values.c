/* Many values at once: all of a section, and of the sections within it. */
#include "config/value.h"

bool values_equal(const struct section *section, const void *a, const void *b)
{
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct key *key = &section->keys[i];
        if (key->type == KEY_SECTION ? !values_equal(key->section, section_base(key, a), section_base(key, b))
                                     : !value_equal(key, a, b))
            return false;
    }
    return true;
}

void values_copy(const struct section *section, void *to, const void *from)
{
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct key *key = &section->keys[i];
        if (key->type == KEY_SECTION)
            values_copy(key->section, section_base(key, to), section_base(key, from));
        else
            value_copy(key, to, from);
    }
}

void values_done(const struct section *section, void *base)
{
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct key *key = &section->keys[i];
        if (key->type == KEY_SECTION)
            values_done(key->section, section_base(key, base));
        else
            value_done(key, base);
    }
}

void values_default(const struct section *section, void *base)
{
    struct error err;
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct key *key = &section->keys[i];
        if (key->fallback && value_take(key, key->fallback, base, &err) < 0)
            abort(); /* a default of ours */
    }
}
