#include "config/config.h"
#include "config/value.h"
#include "util/buffer.h"

static void list_changed(
    const struct section *section, const struct config *now, const struct config *wanted, struct buffer *out)
{
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct key *key = &section->keys[i];
        if (key->needs_restart && !value_equal(key, now, wanted))
            buffer_printf(
                out, "%s%s%s%s", out->n ? ", " : "", section->path, *section->path ? "." : "", key->name);
    }
}

char *config_needs_restart(const struct config *now, const struct config *wanted)
{
    _cleanup_buffer_ struct buffer out = {0};
    list_changed(&section_top, now, wanted, &out);
    list_changed(&section_postgres, now, wanted, &out);
    return out.n ? xstrdup(buffer_string(&out)) : NULL;
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
    for (size_t i = 0; i < section_stream.n_keys; i++)
        if (!value_equal(&section_stream.keys[i], a, b))
            return false;
    return strcmp(a->name, b->name) == 0 && columns_equal(a, b);
}
