#pragma once
/* Why a row of a dump cannot be taken. The codes are stable: they stand in ingest_reject and in docs/bad-data.md. */

enum source_reason {
    SOURCE_TAKEN,
    SOURCE_TOO_FEW_CELLS,
    SOURCE_TOO_MANY_CELLS,
    SOURCE_BAD_QUOTE,    /* text behind the quote that closes a cell */
    SOURCE_BAD_ENCODING, /* a cell is not UTF-8 */
    SOURCE_NUL_BYTE,
    SOURCE_TOO_LONG,      /* the record is longer than row_max */
    SOURCE_NOT_AN_OBJECT, /* of a page of JSON: a row that is a number, a list, … */
    SOURCE_DOUBLED_MEMBER,
    SOURCE_NOT_JSON, /* of an object with a row a line, or of an array */
    SOURCE_TOO_DEEP,
    /* What a dataset cannot have on record (history/). */
    SOURCE_NULL_KEY,
    SOURCE_KEY_TOO_LONG,
    SOURCE_DUPLICATE_KEY,
    SOURCE_ROW_TOO_WIDE,
    SOURCE_WRONG_TYPE,
    N_SOURCE_REASONS
};

/* "too_few_cells", …; the code for the database. */
const char *source_reason_code(enum source_reason r);
/* One sentence for a person. */
const char *source_reason_sentence(enum source_reason r);
