/* A stream's configuration as a thing of its own. */
#include "config/config.h"
#include "config/value.h"

struct config_stream *config_stream_copy(const struct config_stream *from)
{
    struct config_stream *s = xnew(struct config_stream);
    s->name = xstrdup(from->name);
    s->line = from->line;
    for (size_t i = 0; i < section_stream.n_keys; i++)
        value_copy(&section_stream.keys[i], s, from);
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
    free(s->name);
    for (size_t i = 0; i < section_stream.n_keys; i++)
        value_done(&section_stream.keys[i], s);
}

void config_stream_free(struct config_stream *s)
{
    if (s)
        config_stream_done(s);
    free(s);
}
