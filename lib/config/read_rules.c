/* A match's keys and tie-breaks: a mapping of names to sections, whose order means something. */
#include "config/problems.h"
#include "config/read.h"

static bool rule_name_is_good(struct reading *r, const struct config_rules *rules, const yaml_node_t *node,
    const char *where, const char *name)
{
    char quoted[QUOTE_MAX];
    if (!*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] ||
        strlen(name) > RULE_NAME_MAX) {
        complain(r, node, where, "the name %s may hold only a-z, 0-9 and '_', and has at most %d characters",
            quote_text(name, quoted), RULE_NAME_MAX);
        return false;
    }
    for (size_t i = 0; i < rules->n; i++)
        if (strcmp(rules->list[i].name, name) == 0) {
            complain(r, node, where, "%s is given twice, first on line %d", name, rules->list[i].line);
            return false;
        }
    return true;
}

static void read_rule(struct reading *r, const yaml_node_pair_t *pair, const struct section *section,
    struct config_rules *rules, const char *where)
{
    struct error err;
    struct marks marks;
    const yaml_node_t *node = node_at(r, pair->key);
    _cleanup_free_ char *name = node_key(node, &err);
    if (!name)
        return complain(r, node, where, "%s", err.text);
    if (!rule_name_is_good(r, rules, node, where, name))
        return;
    _cleanup_free_ char *path = join(where, name);
    struct config_rule *rule = &rules->list[rules->n++];
    read_section(r, node_at(r, pair->value), section, rule, path, &marks);
    if (!rule->left)
        rule->left = xstrdup(name);
    if (!rule->right)
        rule->right = xstrdup(name);
    rule->line = node_line(node);
    rule->name = TAKE(name);
}

void read_rules(struct reading *r, const yaml_node_t *node, const struct key *key, struct config_rules *rules,
    const char *where)
{
    if (!is_mapping(r, node, where, "names to keys (lastname: {})", (size_t)key->most))
        return;
    const yaml_node_pair_t *first = node->data.mapping.pairs.start, *end = node->data.mapping.pairs.top;
    if (first == end)
        return complain(r, node, where, "there is none; give at least one, as lastname: {}");
    rules->list = xcalloc((size_t)(end - first), sizeof(*rules->list));
    for (const yaml_node_pair_t *pair = first; pair < end; pair++)
        read_rule(r, pair, key->section, rules, where);
}
