#include "stream/reason.h"

static const struct {
    const char *code, *sentence;
} reasons[N_REASONS] = {
    [REASON_NONE] = {"none", "Nothing is wrong with it."},
    [REASON_NOT_JSON] = {"not_json", "The payload is not a JSON text."},
    [REASON_NOT_OBJECT] = {"not_object", "The payload is JSON, but not an object."},
    [REASON_NO_DATA] = {"no_data", "The entry has neither the field `data` nor one that a column takes."},
    [REASON_MISSING_FIELD] = {"missing_field", "A field is absent, and its column takes no NULL."},
    [REASON_NULL_FIELD] = {"null_field", "A field is null, and its column takes no NULL."},
    [REASON_DOUBLED_FIELD] = {"doubled_field", "A field that a column takes stands more than once."},
    [REASON_WRONG_TYPE] = {"wrong_type", "A field is not of the type that its column needs."},
    [REASON_OUT_OF_RANGE] = {"out_of_range", "A number or time is outside of what its column can hold."},
    [REASON_TOO_LONG] = {"too_long", "A text is longer than its column."},
    [REASON_NUL_IN_TEXT] = {"nul_in_text", "A text holds the character U+0000, which Postgres cannot store."},
    [REASON_NOT_UTF8] = {"not_utf8", "A text is not well-formed UTF-8, or holds half of a surrogate pair."},
    [REASON_TOO_DEEP] = {"too_deep", "The payload's objects and arrays are nested deeper than 64."},
    [REASON_TOO_LARGE] = {"too_large", "The entry is longer than `max_entry`: only its beginning was kept."},
    [REASON_CUT_OFF] = {"cut_off", "The pipe ended before the frame did."},
    [REASON_EMPTY] = {"empty", "The payload has no bytes."},
    [REASON_BAD_FRAME] = {"bad_frame", "The pipe's frame gives a length that cannot be true."},
    [REASON_REMOVED] = {"removed",
        "It was deleted or trimmed from the Redis stream before it could be read."},
    [REASON_NO_PARENT] = {"no_parent", "It refers to a row that does not exist in another table."},
    [REASON_CHECK] = {"check", "A CHECK constraint of the table does not allow it."},
    [REASON_NOT_UNIQUE] = {"not_unique", "A unique constraint other than the key's does not allow it."},
    [REASON_REFUSED] = {"refused", "The server refused the row: see its SQLSTATE."},
};

const char *reason_code(enum reason r)
{
    return (unsigned)r < N_REASONS ? reasons[r].code : "unknown";
}

const char *reason_sentence(enum reason r)
{
    return (unsigned)r < N_REASONS ? reasons[r].sentence : "Of a version later than this one.";
}
