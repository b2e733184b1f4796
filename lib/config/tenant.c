/*
 * A tenant's file: which template it is of, and the values that are its own. What is said of one tenant alone is
 * said in one place then, and what all share in another. Where something is wrong is told with the file it is in.
 */
#include "config/problems.h"
#include "config/read.h"
#include "config/value.h"
#include "util/buffer.h"
#include "util/text.h"

#define VALUES_MAX 1000

static yaml_node_t *root_of(struct reading *r)
{
    return yaml_document_get_root_node(&r->document);
}

static bool is_key(const yaml_node_t *node, const char *name)
{
    return node->type == YAML_SCALAR_NODE && strcmp((const char *)node->data.scalar.value, name) == 0;
}

bool is_tenant(struct reading *r)
{
    const yaml_node_t *root = root_of(r);
    if (root->type != YAML_MAPPING_NODE)
        return false;
    const yaml_node_pair_t *end = root->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < end; pair++)
        if (is_key(node_at(r, pair->key), "template"))
            return true;
    return false;
}

/* -- its name -------------------------------------------------------------------------------------------- */

bool is_tenant_name(const char *name, size_t n)
{
    return n > 0 && n <= TENANT_NAME_MAX && name[0] != '-' && name[0] != '_' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") >= n;
}

/* "/etc/ingestd/tenants/north.yaml": north */
static void take_name(struct reading *r)
{
    const char *slash = strrchr(r->path, '/'), *file = slash ? slash + 1 : r->path;
    size_t n = strlen(file), end = n > 5 && strcmp(file + n - 5, ".yaml") == 0 ? 5 : 0;
    r->variables.path = r->path;
    r->variables.tenant = xstrndup(file, n - end);
    if (!is_tenant_name(r->variables.tenant, n - end) || end == 0)
        problem_add(r->problems, 0, 0,
            "a tenant's file is called NAME.yaml, the name of a-z, 0-9, '_' and '-', beginning with a letter "
            "or "
            "digit, of at most %d characters",
            TENANT_NAME_MAX);
}

/* -- its values ------------------------------------------------------------------------------------------ */

static bool name_is_good(struct reading *r, const yaml_node_t *node, const char *name)
{
    char quoted[QUOTE_MAX];
    const struct variables *v = &r->variables;
    if (variable_name_length(name) != strlen(name) || !*name) {
        complain(r, node, "values",
            "%s is no variable's name: letters, digits and '_', not beginning with a digit",
            quote_text(name, quoted));
        return false;
    }
    if (strcmp(name, "tenant") == 0) {
        complain(r, node, "values", "tenant is there without: it is the name of this file");
        return false;
    }
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->list[i].name, name) == 0) {
            complain(r, node, "values", "%s is given twice, first on line %d", name, v->list[i].line);
            return false;
        }
    return true;
}

/* Variables of the environment may stand in this file, and ${tenant}; none of its own values. */
static struct variables without_values(const struct variables *v)
{
    return (struct variables){.path = v->path, .tenant = v->tenant};
}

static void read_one(struct reading *r, const yaml_node_pair_t *pair)
{
    struct error err;
    struct variables *v = &r->variables, outer = without_values(v);
    const yaml_node_t *node = node_at(r, pair->key), *inner = node_at(r, pair->value);
    _cleanup_free_ char *name = node_key(node, &err);
    if (!name)
        return complain(r, node, "values", "%s", err.text);
    if (!name_is_good(r, node, name))
        return;
    char *value = node_value(inner, &outer, true, &err);
    if (!value)
        return complain(r, inner, name, "%s", err.text);
    v->list[v->n++] = (struct variable){TAKE(name), value, node_line(node), node_column(node), false};
}

static void read_values(struct reading *r, const yaml_node_t *node)
{
    if (!is_mapping(r, node, "values", "names to values (NAME: value)", VALUES_MAX))
        return;
    const yaml_node_pair_t *first = node->data.mapping.pairs.start, *end = node->data.mapping.pairs.top;
    r->variables.list = xcalloc((size_t)(end - first) + 1, sizeof(*r->variables.list));
    for (const yaml_node_pair_t *pair = first; pair < end; pair++)
        read_one(r, pair);
}

void check_values_used(struct reading *r)
{
    const struct variables *v = &r->variables;
    if (!v->path || r->problems->n > 0)
        return; /* one that is not used may be a consequence */
    r->problems->of_template = false;
    for (size_t i = 0; i < v->n; i++)
        if (!v->list[i].used)
            problem_add(r->problems, v->list[i].line, v->list[i].column,
                "values: nothing in %s asks for ${%s}; is it written otherwise there? Else remove it",
                r->problems->template, v->list[i].name);
    r->problems->of_template = true;
}

/* -- its template ---------------------------------------------------------------------------------------- */

static void take_template(struct reading *r, const yaml_node_t *node)
{
    struct error err;
    struct variables outer = without_values(&r->variables);
    _cleanup_free_ char *name = node_value(node, &outer, false, &err);
    if (!name || file_beside(r->path, name, &r->problems->template, &err) < 0)
        complain(r, node, "template", "%s", err.text);
}

/* What else stands there was meant for the template. */
static void unknown_key(struct reading *r, const yaml_node_t *node, const char *name)
{
    static const char *const known[] = {"template", "values"};
    char quoted[QUOTE_MAX];
    const char *near = text_suggest(name, known, N_ELEMENTS(known));
    complain(r, node, "", "the key %s is not known: a tenant's file has template and values alone; %s%s%s",
        quote_text(name, quoted), near ? "did you mean " : "what else there is to say goes into the template",
        near ? near : "", near ? "?" : "");
}

static void read_pair(struct reading *r, const yaml_node_pair_t *pair)
{
    struct error err;
    const yaml_node_t *node = node_at(r, pair->key), *inner = node_at(r, pair->value);
    _cleanup_free_ char *name = node_key(node, &err);
    if (!name)
        return complain(r, node, "", "%s", err.text);
    bool template = strcmp(name, "template") == 0;
    if (!template && strcmp(name, "values") != 0)
        return unknown_key(r, node, name);
    if (template ? r->problems->template != NULL : r->variables.list != NULL)
        return complain(r, node, name, "the key is given twice");
    if (template)
        take_template(r, inner);
    else
        read_values(r, inner);
}

static int load_template(struct reading *r)
{
    struct error err;
    _cleanup_buffer_ struct buffer text = {0};
    if (config_file_read(r->problems->template, &text, &err) < 0) {
        problem_add(r->problems, 0, 0, "template: %s: %s", r->problems->template, err.text);
        return -1;
    }
    r->problems->of_template = true;
    if (document_load(buffer_string(&text), text.n, &r->document, r->problems) < 0)
        return -1;
    if (!is_tenant(r))
        return 0;
    yaml_document_delete(&r->document);
    problem_add(r->problems, 0, 0, "this is a tenant's file, and no template: it has a template itself");
    return -1;
}

int read_tenant(struct reading *r)
{
    size_t before = r->problems->n;
    const yaml_node_t *root = root_of(r);
    const yaml_node_pair_t *end = root->data.mapping.pairs.top;
    take_name(r);
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < end; pair++)
        read_pair(r, pair);
    yaml_document_delete(&r->document);
    if (r->problems->n > before || load_template(r) < 0)
        return -1;
    r->path = r->problems->template;
    r->config->tenant = xstrdup(r->variables.tenant);
    r->config->template = xstrdup(r->path);
    return 0;
}

/* -- what is its own ------------------------------------------------------------------------------------- */

static void fill_key(const struct marks *top, const char *key, char **to, char *value)
{
    bool said = top->at[section_find(&section_top, key) - section_top.keys].line > 0;
    if (!said) {
        free(*to);
        *to = value;
    } else {
        free(value);
    }
}

void fill_tenant(struct reading *r, const struct marks *top)
{
    const char *tenant = r->variables.tenant;
    struct config *c = r->config;
    if (!tenant)
        return;
    fill_key(top, "name", &c->name, xstrdup(tenant));
    fill_key(top, "control", &c->control, xasprintf("/run/ingestd-tenants/%s/control", tenant));
    fill_key(top, "state_dir", &c->state_dir, xasprintf("/var/lib/ingestd-tenants/%s", tenant));
}

void tenant_done(struct reading *r)
{
    struct variables *v = &r->variables;
    for (size_t i = 0; i < v->n; i++) {
        free(v->list[i].name);
        free(v->list[i].value);
    }
    free(v->list);
    free(v->tenant);
    *v = (struct variables){0};
}
