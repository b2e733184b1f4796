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
