/* A stream's configuration as a thing of its own. */
#include "config/config.h"
#include "config/entry.h"

struct config_stream *config_stream_copy(const struct config_stream *from)
{
    struct config_stream *s = xnew(struct config_stream);
    entry_copy(&section_stream, s, from);
    s->n_columns = from->n_columns;
    s->columns = xcalloc(s->n_columns, sizeof(*s->columns));
    for (size_t i = 0; i < s->n_columns; i++)
        s->columns[i] = (struct config_column){
            xstrdup(from->columns[i].column), xstrdup(from->columns[i].field), from->columns[i].line};
    return s;
}

void config_stream_done(struct config_stream *s)
{
    for (size_t i = 0; i < s->n_columns; i++) {
        free(s->columns[i].column);
        free(s->columns[i].field);
    }
    free(s->columns);
    entry_done(&section_stream, s);
}

void config_stream_free(struct config_stream *s)
{
    if (s)
        config_stream_done(s);
    free(s);
}

static bool columns_equal(const struct config_stream *a, const struct config_stream *b)
{
    if (a->n_columns != b->n_columns)
        return false;
    for (size_t i = 0; i < a->n_columns; i++)
        if (strcmp(a->columns[i].column, b->columns[i].column) != 0 ||
            strcmp(a->columns[i].field, b->columns[i].field) != 0)
            return false;
    return true;
}

bool config_stream_equal(const struct config_stream *a, const struct config_stream *b)
{
    return entry_equal(&section_stream, a, b) && columns_equal(a, b);
}
