#pragma once
/*
 * Which header of a dump is which column of the tables. A header keeps its column for ever, wherever it stands in later
 * dumps; of headers that are written alike the first keeps the first's column, and so on. Column names are lower case,
 * of [a-z0-9_], at most 63 bytes, unique, and the same in every database.
 */
#include "history/types.h"

#define COLUMN_NAME_MAX 63
#define COLUMN_TYPE_MAX 32

struct column {
    char *name, *header;
    int64_t nth; /* among headers that are written alike, from 1 */
    bool is_key;
    bool recorded; /* in ingest_column */
    bool
        in_dumps; /* one that was loaded had it: else it is on record by a load that did not come to its end */
    bool stored;  /* the table of current rows has it */
    bool dumped;  /* the dump at hand has it */

    /* Where the database keeps types: what it is in the tables; what the cells on record are compared as, which of text
     * that was of another type is that type; and what it has to become with the cells at hand. */
    enum type type, form, wide;
    bool given;                          /* the type that it becomes is all that it may be */
    bool big;                            /* a cell at hand is an integer that a double may not hold */
    int64_t wide_line;                   /* of the first cell that did not fit */
    char type_recorded[COLUMN_TYPE_MAX]; /* in ingest_column */
};

struct columns {
    struct column *list; /* in the order in which they first came */
    size_t n;
};

void columns_done(struct columns *c);
/* A column on record; takes over nothing. */
void columns_add(
    struct columns *c, const char *name, const char *header, int64_t nth, bool is_key, bool recorded);

/*
 * The column of each header; those that are new are added, with names of their own. ret_map has room for n.
 */
void columns_match(struct columns *c, const char *const *headers, size_t n, size_t *ret_map);

/* A cell that is on its way into the column: it becomes wide enough for it. */
void column_see(struct column *column, const struct db_value *v, int64_t line);
/* The tables have it as it has to be. */
void column_widened(struct column *column);
/* Its type as it is on record: "bigint", "text/timestamp"; and back. out has COLUMN_TYPE_MAX. */
void column_write_type(const struct column *column, char *out);
void column_read_type(struct column *column, const char *text);

/* The column that a person means: by a header as the dump writes it, or by name. NULL when there is none. */
struct column *columns_find(const struct columns *c, const char *word);

/* A valid name made of a header; position, from 1, serves where nothing of it is left. out has COLUMN_NAME_MAX + 1. */
void column_name_make(const char *header, size_t position, char *out);
