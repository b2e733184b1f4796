/* Many values at once: all of a section, the sections within it, and rules, which are a list of sections. */
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

bool rules_equal(const struct section *section, const struct config_rules *a, const struct config_rules *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->list[i].name, b->list[i].name) != 0 || !values_equal(section, &a->list[i], &b->list[i]))
            return false;
    return true;
}

void rules_copy(const struct section *section, struct config_rules *to, const struct config_rules *from)
{
    *to = (struct config_rules){xcalloc(from->n, sizeof(*to->list)), from->n};
    for (size_t i = 0; i < from->n; i++) {
        to->list[i] = (struct config_rule){.name = xstrdup(from->list[i].name), .line = from->list[i].line};
        values_copy(section, &to->list[i], &from->list[i]);
    }
}

void rules_done(const struct section *section, struct config_rules *rules)
{
    for (size_t i = 0; i < rules->n; i++) {
        free(rules->list[i].name);
        values_done(section, &rules->list[i]);
    }
    free(rules->list);
    *rules = (struct config_rules){0};
}
