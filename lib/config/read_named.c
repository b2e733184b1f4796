/* Databases, streams and jobs: mappings whose keys are names of the site's own, each with a section under it. */
#include "config/entry.h"
#include "config/problems.h"
#include "config/read.h"

static bool is_entry_name(const char *s)
{
    return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(s) && s[0] != '-' && s[0] != '_' &&
           strlen(s) <= ENTRY_NAME_MAX;
}

char *entry_path(const struct section *section, const char *name)
{
    char quoted[QUOTE_MAX];
    return xasprintf("%ss.%s", section->named->noun, is_entry_name(name) ? name : quote_text(name, quoted));
}

static void check_name(struct reading *r, const yaml_node_t *node, const struct section *section,
    const char *where, const char *name)
{
    const struct named *named = section->named;
    char quoted[QUOTE_MAX];
    if (!is_entry_name(name))
        return complain(r, node, where,
            "%s is not a %s's name: a-z, 0-9, '_' and '-', beginning with a letter or digit, at most %d "
            "characters",
            quote_text(name, quoted), named->noun, ENTRY_NAME_MAX);
    if (named->reserved && strcmp(named->reserved, name) == 0)
        return complain(r, node, where, "the name %s is taken: it means the %s under `%s:`; choose another",
            name, named->noun, name);
    const void *other = entry_find(section, r->config, name);
    if (other)
        complain(r, node, where, "the %s %s is given twice, first on line %d", named->noun, name,
            entry_line(section, other));
}

/* A key that means nothing to this kind of entry is a misunderstanding, and would be one in silence. */
void check_fitting_keys(struct reading *r, const struct section *section, const void *entry,
    const char *where, const struct marks *marks)
{
    const char *what = section->kind_noun;
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct key *key = &section->keys[i];
        if (!marks->at[i].line || entry_has(section, key, entry))
            continue;
        problem_add(r->problems, marks->at[i].line, marks->at[i].column,
            "%s.%s: this key is for %s %ss, and this is a %s %s; remove it", where, key->name, key->only,
            what, entry_kind(section, entry), what);
    }
}

/* An entry with a bad name is read all the same, for the mistakes inside it. */
static void read_entry(
    struct reading *r, const yaml_node_pair_t *pair, const struct section *section, const char *where)
{
    struct error err;
    const yaml_node_t *node = node_at(r, pair->key);
    _cleanup_free_ char *name = node_key(node, &err);
    if (!name)
        return complain(r, node, where, "%s", err.text);
    check_name(r, node, section, where, name);
    _cleanup_free_ char *path = entry_path(section, name);
    struct marks *marks = &r->marks[section->named->index][n_entries(section, r->config)];
    void *entry = entry_add(section, r->config, TAKE(name), node_line(node));
    read_section(r, node_at(r, pair->value), section, entry, path, marks);
    marks->self = (struct place){node_line(node), node_column(node)};
    check_fitting_keys(r, section, entry, path, marks);
}

void read_named(struct reading *r, const yaml_node_t *node, const struct section *section, const char *where)
{
    _cleanup_free_ char *of = xasprintf("%ss (name: keys)", section->named->noun);
    if (!is_mapping(r, node, where, of, section->named->most))
        return;
    size_t n = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    entries_new(section, r->config, n);
    r->marks[section->named->index] = xcalloc(n, sizeof(struct marks));
    for (size_t i = 0; i < n; i++)
        read_entry(r, &node->data.mapping.pairs.start[i], section, where);
}
