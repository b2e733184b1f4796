#include "source/object_reason.h"

static const struct {
    const char *code, *sentence;
} reasons[N_OBJECT_REASONS] = {
    [OBJECT_SOUND] = {"none", "Nothing is wrong with it."},
    [OBJECT_EMPTY] = {"empty_object", "There is nothing in it, or nothing but blanks."},
    [OBJECT_WRONG_FORMAT] = {"wrong_format",
        "It is not what its name, or its source's `format`, says it is, or nothing that can be read at all."},
    [OBJECT_MISSING_COLUMN] = {"missing_column", "A column that each object must have is not in it."},
    [OBJECT_DOUBLED_COLUMN] = {"doubled_column",
        "A column that is declared stands in the header more than once."},
    [OBJECT_TOO_MANY_COLUMNS] = {"too_many_columns", "The header has more than 1600 columns."},
    [OBJECT_TRUNCATED] = {"truncated_object", "It ends before it should."},
    [OBJECT_DAMAGED] = {"damaged_object", "Something in it is broken, so that nobody can tell what follows."},
};

const char *object_reason_code(enum object_reason r)
{
    return (unsigned)r < N_OBJECT_REASONS ? reasons[r].code : "unknown";
}

const char *object_reason_sentence(enum object_reason r)
{
    return (unsigned)r < N_OBJECT_REASONS ? reasons[r].sentence : "Of a version later than this one.";
}
