#include "stream/entry.h"

#include <inttypes.h>

const char *entry_id_to_string(struct entry_id id, char out[ENTRY_ID_MAX])
{
    snprintf(out, ENTRY_ID_MAX, "%" PRIu64 "-%" PRIu64, id.hi, id.lo);
    return out;
}
