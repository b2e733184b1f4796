#pragma once
/*
 * A stream's table as Postgres has it: the mapped columns with their real types, the key, the foreign keys
 * and the checks. Made by stream/catalog.c; read by decode, batch and writer. Immutable once made, but for the number of its users.
 */
#include "util/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

/* The column types we write. Any other type is refused when the stream starts. */
enum value_kind {
    VALUE_INT2,
    VALUE_INT4,
    VALUE_INT8,
    VALUE_NUMERIC,
    VALUE_FLOAT4,
    VALUE_FLOAT8,
    VALUE_BOOL,
    VALUE_TEXT, /* text, varchar(n), char(n) */
    VALUE_DATE,
    VALUE_TIMESTAMP,
    VALUE_TIMESTAMPTZ,
    VALUE_UUID,
    VALUE_JSON, /* json and jsonb */
    VALUE_ENUM,
    N_VALUE_KINDS
};

struct column {
    char *name;    /* in the table */
    char *field;   /* in the entry; NULL for @received */
    bool received; /* takes the entry's own time; kind is DATE, TIMESTAMP or TIMESTAMPTZ */
    bool not_null;
    enum value_kind kind;
    uint32_t type_oid;    /* of the column (for VALUE_ENUM the enum's own) */
    uint32_t element_oid; /* of the array element we send: type_oid, or timestamptz for @received */
    uint32_t array_oid;   /* of an array of these */
    char *array_sql;      /* the array type as SQL writes it: "bigint[]" */
    char *type_sql;       /* as SQL writes it, quoted: "bigint", "numeric(10,2)", "public.mood" */
    int max_chars;        /* TEXT: varchar(n)/char(n), 0 for no limit */
    bool loose_text;      /* TEXT: its collation calls different bytes equal */
    int precision;        /* NUMERIC(p,s): p, 0 for none */
    int scale;            /* NUMERIC(p,s): s */
    char **labels;        /* ENUM */
    size_t n_labels;
};

/* A foreign key whose columns are all mapped. */
struct foreign_key {
    char *constraint;
    char *parent; /* quoted, schema-qualified */
    size_t n_columns;
    size_t *columns;   /* indexes into table->columns */
    char **references; /* the parent's columns, quoted */
};

/* A check constraint whose columns are all mapped; the expression is the catalog's, over bare column names.
 */
struct check {
    char *constraint;
    char *expression;
};

struct table {
    unsigned n_users; /* besides the first */
    char *schema, *name;
    char *sql_name; /* quoted, schema-qualified */
    struct column *columns;
    size_t n_columns;
    size_t *key; /* the primary key's columns, indexes into columns */
    size_t n_key;
    bool key_is_exact; /* equal keys have equal bytes: so rows can be parted by their key's hash */
    struct foreign_key *foreign_keys;
    size_t n_foreign_keys;
    struct check *checks;
    size_t n_checks;
    char *time_zone; /* for @received into columns without one */
};

/* Another user of the table, who calls table_free in the end. */
struct table *table_share(const struct table *t);
/* The last user's call frees it. */
void table_free(struct table *t);
DEFINE_CLEANUP(struct table *, table_freep, table_free)
/* True when a writer prepared for one can go on with the other. */
bool table_equal(const struct table *a, const struct table *b);
