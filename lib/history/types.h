#pragma once
/*
 * The types of a database that keeps them, and what the cells of a dump say of the type of their column. Pure. A type
 * takes a cell only where the database's own cast takes it too and nothing of what it means is lost: "007" and
 * "12345678901234567890" are text. Cells are not ended by NUL.
 */
#include "db/db.h"

enum type {
    TYPE_NONE, /* of a column that has held nothing but NULL */
    TYPE_BIGINT,
    TYPE_DOUBLE,
    TYPE_DATE,
    TYPE_TIMESTAMP,
    TYPE_TIMESTAMPTZ,
    TYPE_BOOLEAN,
    TYPE_TEXT,
    N_TYPES
};

#define TYPES_LISTED "bigint, double, date, timestamp, timestamptz, boolean or text"

/* "bigint"; of TYPE_NONE "". */
const char *type_word(enum type t);
/* N_TYPES where it is none. */
enum type type_of_word(const char *p, size_t n);

/* The narrowest type that takes a cell. */
enum type type_of_cell(const struct db_value *v);
bool type_takes(enum type t, const struct db_value *v);

/* An integer that a double may not hold exactly. */
bool type_is_big(const struct db_value *v);

/* The narrowest type of a column that has cells of both; big: an integer among them is. */
enum type type_join(enum type a, enum type b, bool big);

/* Cells of a column of this type may have been written in other ways than it holds them ("1.0" for 1): when it becomes
 * text, what is compared is still what they mean. */
bool type_rewrites(enum type t);

/* Do two cells mean the same? The first is on record in a column that is, or was before it was text, of type t. */
bool type_same(enum type t, const struct db_value *on_record, const struct db_value *v);

/* The order of keys, both taken by t: of bigint that of the numbers, else that of the bytes. */
int type_order(enum type t, const struct db_value *a, const struct db_value *b);
