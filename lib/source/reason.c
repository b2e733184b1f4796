#include "source/reason.h"

static const struct {
    const char *code, *sentence;
} reasons[N_SOURCE_REASONS] = {
    [SOURCE_TAKEN] = {"none", "Nothing is wrong with it."},
    [SOURCE_TOO_FEW_CELLS] = {"too_few_cells", "The row has fewer cells than the header has columns."},
    [SOURCE_TOO_MANY_CELLS] = {"too_many_cells", "The row has more cells than the header has columns."},
    [SOURCE_BAD_QUOTE] = {"bad_quote",
        "Text stands between the quote that closes a cell and the cell's end."},
    [SOURCE_BAD_ENCODING] = {"bad_encoding", "A cell is not well-formed UTF-8."},
    [SOURCE_NUL_BYTE] = {"nul_byte", "A cell holds the byte 0, which databases cannot store in a text."},
    [SOURCE_TOO_LONG] = {"too_long", "The record is longer than `row_max`: only its beginning was kept."},
    [SOURCE_NOT_AN_OBJECT] = {"not_an_object", "The row is no JSON object."},
    [SOURCE_DOUBLED_MEMBER] = {"doubled_member", "A member that is kept stands in the row more than once."},
    [SOURCE_NOT_JSON] = {"not_json", "The line, or the element of an array, is no JSON."},
    [SOURCE_TOO_DEEP] = {"too_deep", "The row's objects and arrays are nested deeper than 64."},
    [SOURCE_NULL_KEY] = {"null_key", "A cell of the key is empty."},
    [SOURCE_KEY_TOO_LONG] = {"key_too_long", "A cell of the key is longer than a key may be."},
    [SOURCE_DUPLICATE_KEY] = {"duplicate_key", "The dump has other rows of the same key."},
    [SOURCE_ROW_TOO_WIDE] = {"row_too_wide",
        "The row has more filled cells than the database has room for in one row."},
    [SOURCE_WRONG_TYPE] = {"wrong_type",
        "A cell is not of its column's type, and that is given or is the key's."},
};

const char *source_reason_code(enum source_reason r)
{
    return (unsigned)r < N_SOURCE_REASONS ? reasons[r].code : "unknown";
}

const char *source_reason_sentence(enum source_reason r)
{
    return (unsigned)r < N_SOURCE_REASONS ? reasons[r].sentence : "Of a version later than this one.";
}
