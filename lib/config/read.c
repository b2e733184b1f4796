/*
 * The reader walks the YAML tree against the table of keys and never stops at the first mistake: each is
 * noted with its place and the walk goes on, so that one run shows all there is to mend. What one value alone
 * cannot tell (two streams on one source, an entry larger than the memory) is checked once its neighbours are
 * known.
 */
#include "config/config.h"
#include "config/document.h"
#include "config/problems.h"
#include "config/value.h"
#include "util/text.h"

#include <stdarg.h>

#define STREAMS_MAX     256
#define COLUMNS_MAX     1600 /* Postgres' own limit */
#define STREAM_NAME_MAX 48

struct reading {
    yaml_document_t document;
    struct config *config;
    struct config_problems *problems;
    char **identities; /* one a stream, see source_identity(); NULL where there is none */
};

/* Where a section's keys were given; line 0: not given. */
struct marks {
    struct {
        int line, column;
    } at[SECTION_MAX];
};

static void complain(struct reading *r, const yaml_node_t *node, const char *where, const char *fmt, ...)
    _printf_(4, 5);

static void complain(struct reading *r, const yaml_node_t *node, const char *where, const char *fmt, ...)
{
    struct error why;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why.text, sizeof(why.text), fmt, ap);
    va_end(ap);
    problem_add(
        r->problems, node_line(node), node_column(node), "%s%s%s", where, *where ? ": " : "", why.text);
}

static yaml_node_t *node_at(struct reading *r, int index)
{
    return yaml_document_get_node(&r->document, index);
}

/* "postgres" and "url" -> "postgres.url", a new string */
static char *join(const char *where, const char *name)
{
    return xasprintf("%s%s%s", where, *where ? "." : "", name);
}

/* A mapping with at most so many pairs, else the complaint is made. */
static bool is_mapping(
    struct reading *r, const yaml_node_t *node, const char *where, const char *of, size_t most)
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

/* ---- unknown keys ---- */

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

/* ---- columns ---- */

static bool column_is_good(struct reading *r, const struct config_stream *stream, const yaml_node_t *node,
    const char *where, const char *column)
{
    char quoted[QUOTE_MAX];
    quote_text(column, quoted);
    for (size_t i = 0; i < stream->n_columns; i++)
        if (strcmp(stream->columns[i].column, column) == 0) {
            complain(r, node, where, "the column %s is mapped twice, first on line %d", quoted,
                stream->columns[i].line);
            return false;
        }
    if (strlen(column) <= 63)
        return true;
    complain(r, node, where, "the column %s is too long: Postgres' names have at most 63 bytes", quoted);
    return false;
}

static void read_column(
    struct reading *r, struct config_stream *stream, const yaml_node_pair_t *pair, const char *where)
{
    struct error err;
    char quoted[QUOTE_MAX];
    const yaml_node_t *key = node_at(r, pair->key), *value = node_at(r, pair->value);
    _cleanup_free_ char *column = node_key(key, &err);
    if (!column)
        return complain(r, key, where, "%s", err.text);
    if (!column_is_good(r, stream, key, where, column))
        return;
    _cleanup_free_ char *field = node_value(value, &err);
    if (!field) {
        error_prefix(&err, "the field of column %s", quote_text(column, quoted));
        return complain(r, value, where, "%s", err.text);
    }
    if (field[0] == '@' && strcmp(field, "@received") != 0)
        return complain(r, value, where,
            "%s is not known; the one name with an @ is @received, the entry's own time",
            quote_text(field, quoted));
    stream->columns[stream->n_columns++] =
        (struct config_column){.column = TAKE(column), .field = TAKE(field), .line = node_line(key)};
}

static void read_columns(
    struct reading *r, struct config_stream *stream, const yaml_node_t *node, const char *where)
{
    if (!is_mapping(r, node, where, "columns to fields (column: field)", COLUMNS_MAX))
        return;
    const yaml_node_pair_t *first = node->data.mapping.pairs.start, *end = node->data.mapping.pairs.top;
    if (first == end)
        return complain(r, node, where, "no column is mapped; give at least one, as id: id");
    stream->columns = xcalloc((size_t)(end - first), sizeof(*stream->columns));
    for (const yaml_node_pair_t *pair = first; pair < end; pair++)
        read_column(r, stream, pair, where);
}

/* ---- sections ---- */

static void read_section(struct reading *r, const yaml_node_t *node, const struct section *section,
    void *base, const char *where, struct marks *ret_marks);
static void read_streams(struct reading *r, const yaml_node_t *node, const char *where);

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

static void read_section(struct reading *r, const yaml_node_t *node, const struct section *section,
    void *base, const char *where, struct marks *ret_marks)
{
    *ret_marks = (struct marks){0};
    if (!is_mapping(r, node, where, "keys (key: value)", SIZE_MAX))
        return;
    const yaml_node_pair_t *end = node->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < end; pair++)
        read_pair(r, pair, section, base, where, ret_marks);
    fill_section(r, node, section, base, where, ret_marks);
}

/* ---- streams ---- */

static bool is_stream_name(const char *s)
{
    return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(s) && s[0] != '-' && s[0] != '_' &&
           strlen(s) <= STREAM_NAME_MAX;
}

/* A key that means nothing to this kind of source is a misunderstanding, and would be one in silence. */
static void check_fitting_keys(
    struct reading *r, const struct config_stream *stream, const char *where, const struct marks *marks)
{
    const char *scheme = stream->source ? source_scheme(stream->source) : NULL;
    for (size_t i = 0; scheme && i < section_stream.n_keys; i++) {
        const struct key *key = &section_stream.keys[i];
        if (marks->at[i].line && key->only && strcmp(key->only, scheme) != 0)
            problem_add(r->problems, marks->at[i].line, marks->at[i].column,
                "%s.%s: this key is for %s sources, and this stream's source is a %s; remove it", where,
                key->name, key->only, scheme);
    }
}

static void check_same_source(
    struct reading *r, const struct config_stream *stream, const char *where, const struct marks *marks)
{
    size_t at = (size_t)(section_find(&section_stream, "source") - section_stream.keys);
    size_t me = r->config->n_streams;
    if (!stream->source || !stream->group)
        return;
    r->identities[me] = source_identity(stream->source, stream->group);
    for (size_t i = 0; r->identities[me] && i < me; i++) {
        const struct config_stream *other = &r->config->streams[i];
        if (!r->identities[i] || strcmp(r->identities[i], r->identities[me]) != 0 ||
            strcmp(other->name, stream->name) == 0)
            continue;
        problem_add(r->problems, marks->at[at].line, marks->at[at].column,
            "%s.source: the stream %s (line %d) reads the same source; each would get a part of the "
            "entries%s",
            where, other->name, other->line,
            strncmp(stream->source, "redis:", 6) == 0 ? ". Give one of them a group of its own" : "");
        return;
    }
}

static bool check_stream_name(struct reading *r, const yaml_node_t *node, const char *where, const char *name)
{
    char quoted[QUOTE_MAX];
    quote_text(name, quoted);
    if (!is_stream_name(name)) {
        complain(r, node, where,
            "%s is not a stream's name: a-z, 0-9, '_' and '-', beginning with a letter or digit, at most %d "
            "characters",
            quoted, STREAM_NAME_MAX);
        return false;
    }
    for (size_t i = 0; i < r->config->n_streams; i++)
        if (strcmp(r->config->streams[i].name, name) == 0) {
            complain(r, node, where, "the stream %s is given twice, first on line %d", name,
                r->config->streams[i].line);
            return false;
        }
    return true;
}

/* A stream with a bad name is read all the same, for the mistakes inside it. */
static void read_stream(struct reading *r, const yaml_node_pair_t *pair, const char *where)
{
    struct error err;
    char quoted[QUOTE_MAX];
    const yaml_node_t *node = node_at(r, pair->key);
    _cleanup_free_ char *name = node_key(node, &err);
    if (!name)
        return complain(r, node, where, "%s", err.text);
    bool good = check_stream_name(r, node, where, name);
    _cleanup_free_ char *path = join(where, is_stream_name(name) ? name : quote_text(name, quoted));
    struct config_stream *stream = &r->config->streams[r->config->n_streams];
    struct marks marks;
    stream->name = TAKE(name);
    stream->line = node_line(node);
    read_section(r, node_at(r, pair->value), &section_stream, stream, path, &marks);
    check_fitting_keys(r, stream, path, &marks);
    if (good)
        check_same_source(r, stream, path, &marks);
    r->config->n_streams++;
}

static void read_streams(struct reading *r, const yaml_node_t *node, const char *where)
{
    if (!is_mapping(r, node, where, "streams (name: keys)", STREAMS_MAX))
        return;
    size_t n = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    r->config->streams = xcalloc(n, sizeof(*r->config->streams));
    r->identities = xcalloc(n, sizeof(*r->identities));
    for (size_t i = 0; i < n; i++)
        read_stream(r, &node->data.mapping.pairs.start[i], where);
    for (size_t i = 0; i < n; i++)
        free(r->identities[i]);
    free(r->identities);
    r->identities = NULL;
}

/* ---- the whole ---- */

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
    for (size_t i = 0; i < c->n_streams; i++) {
        struct config_stream *s = &c->streams[i];
        for (size_t k = 0; k < s->n_columns; k++) {
            free(s->columns[k].column);
            free(s->columns[k].field);
        }
        free(s->columns);
        free(s->name);
        section_done(&section_stream, s);
    }
    free(c->streams);
    free(c->path);
    section_done(&section_top, c);
    section_done(&section_postgres, c);
    free(c);
}
