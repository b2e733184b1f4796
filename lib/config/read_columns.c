/* A stream's columns: a mapping whose keys are names of the table's own. */
#include "config/problems.h"
#include "config/read.h"

#define COLUMNS_MAX 1600 /* Postgres' own limit */

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
    _cleanup_free_ char *field = node_value(value, &r->variables, false, &err);
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
