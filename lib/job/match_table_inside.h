#pragma once
/* Shared by the files of a match's table alone. */
#include "history/dialect.h"
#include "history/statement.h"
#include "job/match_table.h"

/* What differs between the databases here, beside the dialect. Parameters are the schema and the table. */
struct match_table_facts {
    const char *driver;
    /* SQL: name, and "1" where a row must have a value of it; perhaps, of a type that does not take every text, that type. */
    const char *columns;
    const char *index; /* in CREATE TABLE; "" */
    const char *then;  /* SQL behind it; NULL */
    bool any_case;     /* names of columns are the same whatever their case */
    bool is_file;      /* a dry run cannot even try to write to it */
    const char *ddl;   /* SQL: what would make the table, as the last value of each row */
};

#define MATCH_SAMPLE_ROWS 10

/* Which rows are shown: the first that were loaded, which come in the order of their keys. Each by an id, of the left side
 * where it has one: nobody is in the table twice. */
struct match_chosen {
    char *id[MATCH_SAMPLE_ROWS];
    bool right[MATCH_SAMPLE_ROWS];
    size_t n;
};

struct match_table {
    const struct job_spec *spec;
    const struct match_columns *columns;
    struct db *db;
    const struct dialect *dialect;
    const struct match_table_facts *facts;
    struct marks marks;  /* {table}, {text} and the like */
    char *schema, *name; /* as they are */
    char *label;         /* for people */
    bool is_there;
    struct match_chosen matched, others; /* of the last load */
};

int match_table_run(struct match_table *t, const char *sql, int n, const char *const *parameters,
    const struct db_sink *sink, struct db_fault *fault);

/* Waits for the others that fill it. It ends with the connection. */
int match_table_lock(struct match_table *t, struct db_fault *fault);
void match_table_unlock(struct match_table *t);

/* Notes a row that is loaded, for the sample. */
void match_table_choose(struct match_table *t, const struct db_value *values);
void match_table_forget(struct match_table *t);
