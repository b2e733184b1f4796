#pragma once
/*
 * What differs between the databases, as facts. Types and words are put into statements by their {marks} (statement.h);
 * a new database is one more struct.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dialect {
    const char *driver; /* as db_driver() says */
    bool ddl_in_transaction;
    bool key_after_load; /* a first dump is loaded faster into a table without its primary key */
    bool alter_one;      /* an ALTER TABLE does one thing */
    bool ranges;         /* it sorts in our own memory: a table is read in order by ranges of its key */
    bool keyless;        /* tables have none: an index of it would be in memory whole */
    bool numbered;       /* parameters are $1, $2; else ? */
    size_t columns_max;  /* of a table */

    /* Types, {collate} being the rule by which text is equal and in order as its bytes are; {text_plain} and {key_plain}
     * are used where the server has none. */
    const char *text, *key, *text_plain,
        *key_plain; /* of the dump: a cell; one of the key, {width} characters wide */
    const char *word, *name, *note, *time, *identity;
    const char *moment; /* a time in UTC, to the microsecond, that is not altered by any setting */
    const char *table_options;
    const char *counters; /* SQL before our own tables are made: what {id} counts with; NULL: not needed */
    const char *const *types; /* of an enum type; NULL: cells are kept as text */
    const char *collation;    /* SQL: the name of that rule, a row or none; NULL: it is always there */

    const char *now;    /* NULL: it knows the time of the transaction alone, and is told ours */
    const char *names;  /* SQL: the columns of table {2} in schema {1}, also where we have no right on it */
    const char *schema; /* SQL: where tables without a schema are */
    const char *lock;   /* SQL: waits for the lock {1} for {lock_ms}; first value "1" when it is ours */
    const char *lock_holder; /* SQL: who has it, for people; a row or none */
    const char *unlock;
    const char
        *lock_books; /* SQL, in a transaction: one maker of our own tables at a time; NULL: not needed */
    const char *returning;      /* behind an INSERT: its id as a row; NULL: */
    const char *last_id;        /* SQL: that id */
    const char *drop_temporary; /* DROP TABLE for such as only we see */
    const char *temporary;      /* schema of temporary tables; NULL: none */
    const char
        *stage_key; /* how a staged dump is kept in order: a clause of its table, "" when it is sorted */
    const char *const *keys_filled; /* SQL once the keys of a partial dump are in their table */
    const char *same;               /* between two columns of a key that is the same */
    const char *straight;           /* JOIN that reads the left side first */
    const char *delete_from;        /* the join of a deletion */
    const char *delta_key;          /* how the differences are kept in order: a clause of their table */
    int64_t
        chunk; /* differences applied at a time; 0: all. InnoDB has each page in hand once then, not once a statement */
    const char *const *apply; /* SQL before they are applied, in that transaction */
    /* What a cell of a row costs at most where it must stand, and how much room is there: n bytes of text cost
     * n + 1, or at most cell_most. */
    size_t cell_most, row_most;
    const char *analyze;         /* SQL after the differences are loaded; NULL: not needed */
    const char *const *matched;  /* SQL once the columns are known; may be refused */
    const char *const *compared; /* SQL once all is compared; may be refused */
    const char *snapshot;        /* begins a transaction whose statements all see the same */
    const char *const *session;  /* SQL that a session begins with; may be refused */
    const char *const *reader;   /* the same for one that reads all rows in order */
    const char *limit_waits;     /* SQL: no longer than {lock_ms} for others' locks; NULL */
};

/* NULL when there is none for the driver. */
const struct dialect *dialect_for(const char *driver);
