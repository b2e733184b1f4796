/* Mappings of names to sections within an entry, whose order means something: keys, tie-breaks, sources, tables. */
#include "config/problems.h"
#include "config/read.h"
#include "config/value.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"

static bool is_part_name(const struct ordered *ordered, const char *name)
{
    return name[strspn(name, LETTERS "0123456789_")] == '\0' && strlen(name) <= PART_NAME_MAX &&
           strspn(name, ordered->plain ? LETTERS : LETTERS "0123456789_") > 0;
}

static bool is_reserved(const struct ordered *ordered, const char *name)
{
    for (size_t i = 0; ordered->reserved && ordered->reserved[i]; i++)
        if (strcmp(ordered->reserved[i], name) == 0)
            return true;
    return false;
}

static bool name_is_good(struct reading *r, const struct section *section, const void *list,
    const yaml_node_t *node, const char *where, const char *name)
{
    const struct ordered *ordered = section->ordered;
    char quoted[QUOTE_MAX];
    if (!is_part_name(ordered, name)) {
        complain(r, node, where,
            "the name %s may hold only a-z, 0-9 and '_', %sand has at most %d characters",
            quote_text(name, quoted), ordered->plain ? "begins with a letter " : "", PART_NAME_MAX);
        return false;
    }
    if (is_reserved(ordered, name)) {
        complain(
            r, node, where, "the name %s is taken: ingestd makes a table of that name; choose another", name);
        return false;
    }
    for (size_t i = 0; i < ordered_n(list); i++) {
        const void *other = ordered_at(section, list, i);
        if (strcmp(ordered_name(section, other), name) == 0) {
            complain(
                r, node, where, "%s is given twice, first on line %d", name, ordered_line(section, other));
            return false;
        }
    }
    return true;
}

/* For what can be told only once all is read. */
static void note_part(struct reading *r, const struct part *part)
{
    r->parts = xrealloc(r->parts, r->n_parts + 1, sizeof(*r->parts));
    r->parts[r->n_parts++] = *part;
}

static void read_one(struct reading *r, const yaml_node_pair_t *pair, const struct section *section,
    void *list, const char *where)
{
    struct error err;
    struct part part = {.section = section, .job = r->config->n_jobs - 1};
    const yaml_node_t *node = node_at(r, pair->key);
    _cleanup_free_ char *name = node_key(node, &err);
    if (!name)
        return complain(r, node, where, "%s", err.text);
    if (!name_is_good(r, section, list, node, where, name))
        return;
    size_t before = r->problems->n;
    part.where = join(where, name);
    part.one = ordered_add(section, list, TAKE(name), node_line(node));
    read_section(r, node_at(r, pair->value), section, part.one, part.where, &part.marks);
    part.marks.self = (struct place){node_line(node), node_column(node), r->problems->n > before};
    check_fitting_keys(r, section, part.one, part.where, &part.marks);
    if (section->ordered->fill)
        section->ordered->fill(part.one);
    note_part(r, &part);
}

void read_ordered(
    struct reading *r, const yaml_node_t *node, const struct key *key, void *list, const char *where)
{
    const char *example = key->section->ordered->example;
    _cleanup_free_ char *of = xasprintf("names to keys (%s)", example);
    if (!is_mapping(r, node, where, of, (size_t)key->most))
        return;
    const yaml_node_pair_t *first = node->data.mapping.pairs.start, *end = node->data.mapping.pairs.top;
    if (first == end)
        return complain(r, node, where, "there is none; give at least one, as %s", example);
    ordered_new(key->section, list, (size_t)(end - first));
    for (const yaml_node_pair_t *pair = first; pair < end; pair++)
        read_one(r, pair, key->section, list, where);
}
