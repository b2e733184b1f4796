/*
 * The reader walks the YAML tree against the table of keys and never stops at the first mistake: each is
 * noted with its place and the walk goes on, so that one run shows all there is to mend.
 */
#include "config/read.h"

#include "config/entry.h"
#include "config/problems.h"
#include "config/value.h"
#include "util/text.h"

#include <stdarg.h>

#define TIME_LIMIT_US (10 * 60 * INT64_C(1000000))
#define SYNC_LIMIT_US (6 * 60 * 60 * INT64_C(1000000))

#define MEMORY_BYTES    (UINT64_C(128) << 20)
#define HARMONIZE_BYTES (UINT64_C(512) << 20)

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

/* Where the key is known: "streams.NAME or jobs.NAME"; "" if nowhere. */
static void put_homes(struct buffer *out, const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(all_sections); i++) {
        const char *path = all_sections[i]->path;
        if (section_find(all_sections[i], name))
            buffer_printf(out, "%s%s%s", out->n ? " or " : "", *path ? "under " : "at the top level", path);
    }
}

static void unknown_key(struct reading *r, const yaml_node_t *node, const struct section *section,
    const char *where, const char *name)
{
    const char *names[SECTION_MAX];
    char quoted[QUOTE_MAX];
    _cleanup_buffer_ struct buffer homes = {0};
    for (size_t i = 0; i < section->n_keys; i++)
        names[i] = section->keys[i].name;
    const char *near = text_suggest(name, names, section->n_keys);
    put_homes(&homes, name);
    complain(r, node, where, "the key %s %s%s%s%s%s%s%s", quote_text(name, quoted),
        homes.n ? "does not belong here, but " : "is not known", homes.n ? buffer_string(&homes) : "",
        homes.n && section->lacks ? ": " : "", homes.n && section->lacks ? section->lacks : "",
        near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* -- sections -------------------------------------------------------------------------------------------- */

/* The value as text, the names of files made absolute; NULL and why not. */
static char *take_text(struct reading *r, const yaml_node_t *node, const struct key *key, struct error *err)
{
    _cleanup_free_ char *text = node_value(node, &r->variables, key->may_be_empty, err);
    char *paths = NULL;
    if (text && key->type == KEY_FILE)
        return file_beside(r->path, text, &paths, err) < 0 ? NULL : paths;
    if (text && key->type == KEY_FILES)
        return files_beside(r->path, text, &paths, err) < 0 ? NULL : paths;
    return TAKE(text);
}

static void read_value(
    struct reading *r, const yaml_node_t *node, const struct key *key, void *base, const char *where)
{
    struct error err;
    struct marks marks;
    if (key->type == KEY_SECTION)
        return read_section(r, node, key->section, section_base(key, base), where, &marks);
    if (key->type == KEY_NAMED)
        return read_named(r, node, key->section, where);
    if (key->type == KEY_COLUMNS)
        return read_columns(r, base, node, where);
    if (key->type == KEY_ORDERED)
        return read_ordered(r, node, key, section_base(key, base), where);
    _cleanup_free_ char *text = take_text(r, node, key, &err);
    if (!text || value_take(key, text, base, &err) < 0)
        return complain(r, node, where, "%s", err.text);
    if (key->type == KEY_STORE)
        ((struct config_store *)base)->of_tenant = node_is_of_tenant(node, &r->variables);
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
    size_t before = r->problems->n;
    read_value(r, node_at(r, pair->value), key, base, path);
    marks->at[i].wrong = r->problems->n > before;
}

static void miss_key(struct reading *r, const yaml_node_t *node, const struct section *section,
    const struct key *key, const char *kind, const char *where)
{
    if (key->required)
        complain(r, node, where, "this key is required and missing");
    else
        complain(r, node, where, "this key is missing; a %s %s cannot do without", kind, section->kind_noun);
}

/* What was not given takes its default; what has none is missed. */
static void fill_section(struct reading *r, const yaml_node_t *node, const struct section *section,
    void *base, const char *where, const struct marks *marks)
{
    struct error err;
    const char *kind = entry_kind(section, base);
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct key *key = &section->keys[i];
        if (marks->at[i].line)
            continue;
        _cleanup_free_ char *path = join(where, key->name);
        if (key->required || (key->required_by && kind && kinds_have(key->required_by, kind)))
            miss_key(r, node, section, key, kind, path);
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

static void fill_consumers(struct config *c)
{
    char host[256] = "localhost";
    if (gethostname(host, sizeof(host) - 1) < 0)
        snprintf(host, sizeof(host), "localhost");
    for (size_t i = 0; i < c->n_streams; i++)
        if (!c->streams[i].consumer)
            c->streams[i].consumer = xasprintf("%s-%s", host, c->name);
}

static void fill_stores(struct config *c)
{
    for (size_t i = 0; i < c->n_stores; i++) {
        struct config_store *store = &c->stores[i];
        if (store->addressing || strncmp(store->url, "s3://", 5) != 0)
            continue;
        const char *bucket = store->url + 5;
        bool dotted = memchr(bucket, '.', strcspn(bucket, "/")) != NULL;
        store->addressing = xstrdup(store->endpoint || dotted ? "path" : "virtual");
    }
}

static void fill_side(struct config_side *side)
{
    if (side->source && !side->rest.rows)
        values_default(&section_side_rest, &side->rest);
}

static void fill_jobs(struct config *c)
{
    for (size_t i = 0; i < c->n_jobs; i++) {
        struct config_job *job = &c->jobs[i];
        if (!job->catch_up)
            job->catch_up = xstrdup(strcmp(job->kind, "rollup") == 0 ? "all" : "last");
        if (job->rest.rows) { /* JSON says what is nothing */
            free(job->null_tokens);
            job->null_tokens = NULL;
        }
        if (job->time_limit_us == 0)
            job->time_limit_us =
                kinds_have("sync, match and harmonize", job->kind) ? SYNC_LIMIT_US : TIME_LIMIT_US;
        if (job->memory_max == 0)
            job->memory_max = strcmp(job->kind, "harmonize") == 0 ? HARMONIZE_BYTES : MEMORY_BYTES;
        fill_side(&job->left);
        fill_side(&job->right);
    }
}

/* Of a match; its id tells that a side was given at all. */
static void name_sides(struct config *c)
{
    for (size_t i = 0; i < c->n_jobs; i++) {
        struct config_job *job = &c->jobs[i];
        if (job->left.id && !job->left.name)
            job->left.name = xstrdup("left");
        if (job->right.id && !job->right.name)
            job->right.name = xstrdup("right");
    }
}

static void read_root(struct reading *r)
{
    struct marks marks;
    read_section(r, yaml_document_get_root_node(&r->document), &section_top, r->config, "", &marks);
    fill_tenant(r, &marks);
    check_values_used(r);
    name_sides(r->config);
    check_neighbours(r, &marks);
    for (size_t i = 0; i < N_NAMED; i++)
        free(r->marks[i]);
    for (size_t i = 0; i < r->n_parts; i++)
        free(r->parts[i].where);
    free(r->parts);
}

int config_parse(const char *path, const char *text, size_t n, struct config **ret_config,
    struct config_problems *problems)
{
    _cleanup_(config_freep) struct config *c = xnew(struct config);
    struct reading r = {.config = c, .path = path, .problems = problems};
    size_t before = problems->n;
    c->path = xstrdup(path);
    if (document_load(text, n, &r.document, problems) < 0)
        return -1;
    if (!is_tenant(&r) || read_tenant(&r) == 0) {
        read_root(&r);
        yaml_document_delete(&r.document);
    }
    tenant_done(&r);
    problems_sort(problems);
    if (problems->n > before)
        return -1;
    fill_consumers(c);
    fill_stores(c);
    fill_jobs(c);
    *ret_config = TAKE(c);
    return 0;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_databases; i++)
        entry_done(&section_database, &c->databases[i]);
    for (size_t i = 0; i < c->n_stores; i++)
        entry_done(&section_store, &c->stores[i]);
    for (size_t i = 0; i < c->n_streams; i++)
        config_stream_done(&c->streams[i]);
    for (size_t i = 0; i < c->n_jobs; i++)
        entry_done(&section_job, &c->jobs[i]);
    free(c->databases);
    free(c->stores);
    free(c->streams);
    free(c->jobs);
    free(c->path);
    free(c->tenant);
    free(c->template);
    values_done(&section_top, c);
    free(c);
}
