#pragma once
/* Why a delivered object cannot be taken as a whole. The codes are stable: they stand in the lake and in docs/bad-data.md. */

enum object_reason {
    OBJECT_SOUND,
    OBJECT_EMPTY,
    OBJECT_WRONG_FORMAT,
    OBJECT_MISSING_COLUMN,
    OBJECT_DOUBLED_COLUMN,
    OBJECT_TOO_MANY_COLUMNS,
    OBJECT_TRUNCATED,
    OBJECT_DAMAGED,
    N_OBJECT_REASONS
};

/* "empty_object", …; the code for the lake. */
const char *object_reason_code(enum object_reason r);
/* One sentence for a person. */
const char *object_reason_sentence(enum object_reason r);
