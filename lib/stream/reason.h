#pragma once
/* Why an entry was not stored. The codes are stable: they stand in ingest.dead_letter and in
 * docs/bad-data.md. */

enum reason {
    REASON_NONE,
    REASON_NOT_JSON,      /* the payload is not a JSON text */
    REASON_NOT_OBJECT,    /* JSON, but not an object */
    REASON_NO_DATA,       /* an entry without the field `data` and without one field that is mapped */
    REASON_MISSING_FIELD, /* a mapped field is absent and its column takes no NULL */
    REASON_NULL_FIELD,    /* a mapped field is null and its column takes no NULL */
    REASON_DOUBLED_FIELD, /* a mapped field stands twice */
    REASON_WRONG_TYPE,    /* not the JSON type the column needs, or text that is none of its values */
    REASON_OUT_OF_RANGE,  /* a number or time that the column cannot hold */
    REASON_TOO_LONG,      /* text longer than the column */
    REASON_NUL_IN_TEXT,   /* U+0000, which Postgres cannot store */
    REASON_NOT_UTF8,      /* ill-formed UTF-8, or half of a surrogate pair */
    REASON_TOO_DEEP,      /* JSON nested deeper than JSON_MAX_DEPTH */
    REASON_TOO_LARGE,     /* longer than max_entry: only the beginning is kept */
    REASON_CUT_OFF,       /* a pipe frame that ended before its length */
    REASON_EMPTY,         /* a frame or payload of length 0 */
    REASON_BAD_FRAME,     /* a pipe frame whose length cannot be true */
    REASON_REMOVED,       /* deleted or trimmed from the Redis stream before it could be read */
    REASON_NO_PARENT,     /* a foreign key points to no row: parked, and dead when park_for is over */
    REASON_CHECK,         /* a CHECK constraint of the table says no */
    REASON_NOT_UNIQUE,    /* another unique constraint than the key says no */
    REASON_REFUSED,       /* the server refused the row for another reason: see its SQLSTATE */
    N_REASONS
};

/* Room for the words that go with a reason: "field price: …". They name fields of our own configuration and
 * the rule that was broken, never a value of the entry nor a name it came with. */
#define DETAIL_MAX 200

/* "not_json", …; the code for the database. */
const char *reason_code(enum reason r);
/* One sentence for a person. */
const char *reason_sentence(enum reason r);
