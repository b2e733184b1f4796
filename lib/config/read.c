/*
 * The reader walks the YAML tree against the table of keys and never stops at the first mistake: each is
 * noted with its place and the walk goes on, so that one run shows all there is to mend. What one value alone
 * cannot tell (two streams on one source, an entry larger than the memory) is checked once its neighbours are
 * known.
 */
#include "config/read.h"

#include "config/problems.h"
#include "config/value.h"
#include "util/text.h"

#include <inttypes.h>
#include <stdarg.h>

#define DAEMON_BYTES     (UINT64_C(16) << 20)
#define CONNECTION_BYTES (UINT64_C(1) << 20)

void complain(struct reading *r, const yaml_node_t *node, const char *where, const char *fmt, ...)
{
    struct error why;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why.text, sizeof(why.text), fmt, ap);
    va_end(ap);
    problem_add(
        r->problems, node_line(node), node_column(node), "%s%s%s", where, *where ? ": " : "", why.text);
}

yaml_node_t *node_at(struct reading *r, int index)
{
    return yaml_document_get_node(&r->document, index);
}

char *join(const char *where, const char *name)
{
    return xasprintf("%s%s%s", where, *where ? "." : "", name);
}

bool is_mapping(struct reading *r, const yaml_node_t *node, const char *where, const char *of, size_t most)
{
    if (node->type != YAML_MAPPING_NODE) {
        complain(r, node, where, "a mapping of %s is expected here", of);
        return false;
    }
    size_t n = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    if (n <= most)
        return true;
    complain(r, node, where, "there are %zu %s, at most %zu are possible", n, of, most);
    return false;
}

/* -- unknown keys ---------------------------------------------------------------------------------------- */

static void unknown_key(
    struct reading *r, const yaml_node_t *node, const struct section *section, const char *where, char *name)
{
    const char *names[SECTION_MAX];
    char quoted[QUOTE_MAX];
    for (size_t i = 0; i < section->n_keys; i++)
        names[i] = section->keys[i].name;
    const char *near = text_suggest(name, names, section->n_keys);
    const struct section *home = NULL;
    for (size_t i = 0; i < N_ELEMENTS(all_sections); i++)
        if (section_find(all_sections[i], name))
            home = all_sections[i];
    quote_text(name, quoted);
    if (home)
        complain(r, node, where, "the key %s does not belong here, but %s%s", quoted,
            *home->path ? "under " : "at the top level", home->path);
    else if (near)
        complain(r, node, where, "the key %s is not known; did you mean %s?", quoted, near);
    else
        complain(r, node, where, "the key %s is not known", quoted);
}

/* -- sections -------------------------------------------------------------------------------------------- */

static void read_value(
    struct reading *r, const yaml_node_t *node, const struct key *key, void *base, const char *where)
{
    struct error err;
    struct marks marks;
    if (key->type == KEY_SECTION)
        return read_section(r, node, key->section, base, where, &marks);
    if (key->type == KEY_STREAMS)
        return read_streams(r, node, where);
    if (key->type == KEY_COLUMNS)
        return read_columns(r, base, node, where);
    _cleanup_free_ char *text = node_value(node, &err);
    if (!text || value_take(key, text, base, &err) < 0)
        complain(r, node, where, "%s", err.text);
}

static void read_pair(struct reading *r, const yaml_node_pair_t *pair, const struct section *section,
    void *base, const char *where, struct marks *marks)
{
    struct error err;
    const yaml_node_t *node = node_at(r, pair->key);
    _cleanup_free_ char *name = node_key(node, &err);
    if (!name)
        return complain(r, node, where, "%s", err.text);
    const struct key *key = section_find(section, name);
    if (!key)
        return unknown_key(r, node, section, where, name);
    _cleanup_free_ char *path = join(where, name);
    size_t i = (size_t)(key - section->keys);
    if (marks->at[i].line) {
        return complain(r, node, path, "the key is given twice, first on line %d", marks->at[i].line);
    }
    marks->at[i].line = node_line(node);
    marks->at[i].column = node_column(node);
    read_value(r, node_at(r, pair->value), key, base, path);
}

/* What was not given takes its default; what has none is missed. */
static void fill_section(struct reading *r, const yaml_node_t *node, const struct section *section,
    void *base, const char *where, const struct marks *marks)
{
    struct error err;
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct key *key = &section->keys[i];
        if (marks->at[i].line)
            continue;
        _cleanup_free_ char *path = join(where, key->name);
        if (key->required)
            complain(r, node, path, "this key is required and missing");
        else if (key->fallback && value_take(key, key->fallback, base, &err) < 0)
            complain(r, node, path, "%s", err.text);
    }
}

void read_section(struct reading *r, const yaml_node_t *node, const struct section *section, void *base,
    const char *where, struct marks *ret_marks)
{
    *ret_marks = (struct marks){0};
    if (!is_mapping(r, node, where, "keys (key: value)", SIZE_MAX))
        return;
    const yaml_node_pair_t *end = node->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < end; pair++)
        read_pair(r, pair, section, base, where, ret_marks);
    fill_section(r, node, section, base, where, ret_marks);
}

/* -- the whole ------------------------------------------------------------------------------------------- */

static void check_memory(struct reading *r, const struct marks *marks)
{
    struct config *c = r->config;
    size_t at = (size_t)(section_find(&section_top, "max_entry") - section_top.keys);
    uint64_t most = c->memory_max / 4;
    if (!marks->at[at].line)
        c->max_entry = MIN(c->max_entry, most);
    if (c->max_entry <= most || c->memory_max == 0)
        return;
    _cleanup_free_ char *got = value_size_text(c->max_entry), *limit = value_size_text(most);
    _cleanup_free_ char *memory = value_size_text(c->memory_max);
    problem_add(r->problems, marks->at[at].line, marks->at[at].column,
        "max_entry: %s is too much: at most a quarter of memory_max (%s), that is %s", got, memory, limit);
}

/* Beside the daemon itself, a connection needs about a megabyte for its batches. */
static void check_connections(struct reading *r, const struct marks *marks)
{
    const struct config *c = r->config;
    size_t at = (size_t)(section_find(&section_top, "memory_max") - section_top.keys);
    uint64_t n = 0;
    for (size_t i = 0; i < c->n_streams; i++)
        n += c->streams[i].connections;
    uint64_t least = DAEMON_BYTES + n * CONNECTION_BYTES;
    if (c->memory_max >= least || c->memory_max == 0)
        return;
    _cleanup_free_ char *got = value_size_text(c->memory_max), *limit = value_size_text(least);
    problem_add(r->problems, marks->at[at].line, marks->at[at].column,
        "memory_max: %s is too little for %zu streams with %" PRIu64 " connections: at least %s", got,
        c->n_streams, n, limit);
}

static void fill_consumers(struct config *c)
{
    char host[256] = "localhost";
    if (gethostname(host, sizeof(host) - 1) < 0)
        snprintf(host, sizeof(host), "localhost");
    for (size_t i = 0; i < c->n_streams; i++)
        if (!c->streams[i].consumer)
            c->streams[i].consumer = xasprintf("%s-%s", host, c->name);
}

static void read_root(struct reading *r)
{
    struct marks marks;
    read_section(r, yaml_document_get_root_node(&r->document), &section_top, r->config, "", &marks);
    check_memory(r, &marks);
    check_connections(r, &marks);
}

int config_parse(const char *path, const char *text, size_t n, struct config **ret_config,
    struct config_problems *problems)
{
    _cleanup_(config_freep) struct config *c = xnew(struct config);
    struct reading r = {.config = c, .problems = problems};
    size_t before = problems->n;
    c->path = xstrdup(path);
    if (document_load(text, n, &r.document, problems) < 0)
        return -1;
    read_root(&r);
    yaml_document_delete(&r.document);
    problems_sort(problems);
    if (problems->n > before)
        return -1;
    fill_consumers(c);
    *ret_config = TAKE(c);
    return 0;
}

static void section_done(const struct section *section, void *base)
{
    for (size_t i = 0; i < section->n_keys; i++)
        value_done(&section->keys[i], base);
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_streams; i++)
        config_stream_done(&c->streams[i]);
    free(c->streams);
    free(c->path);
    section_done(&section_top, c);
    section_done(&section_postgres, c);
    free(c);
}
