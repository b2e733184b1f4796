/* What other rooms' files define, as long as they are not there. Weak: the real ones win. */
#include "config/config.h"
#include "stream/source.h"

__attribute__((weak)) const struct source_ops source_fifo = {.scheme = "fifo"};

__attribute__((weak)) const char *entry_id_to_string(struct entry_id id, char out[ENTRY_ID_MAX])
{
    snprintf(out, ENTRY_ID_MAX, "%lu-%lu", id.hi, id.lo);
    return out;
}

__attribute__((weak)) int config_read_secret(const char *path, char **ret, struct error *err)
{
    return error_set(err, "%s cannot be read", path);
}
