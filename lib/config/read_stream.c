/* Streams and their columns: the part of the file whose keys are names of the site's own. */
#include "config/problems.h"
#include "config/read.h"
#include "config/value.h"

#define STREAMS_MAX     256
#define COLUMNS_MAX     1600 /* Postgres' own limit */
#define STREAM_NAME_MAX 48

/* -- columns --------------------------------------------------------------------------------------------- */

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

void read_columns(struct reading *r, struct config_stream *stream, const yaml_node_t *node, const char *where)
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

/* -- streams --------------------------------------------------------------------------------------------- */

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

void read_streams(struct reading *r, const yaml_node_t *node, const char *where)
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
