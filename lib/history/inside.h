#pragma once
/* Shared by the files of this room alone. */
#include "history/columns.h"
#include "history/dialect.h"
#include "history/history.h"
#include "history/statement.h"
#include "history/target.h"

#define KEY_COLUMNS_MAX 8

/* A dump on record, with strings of its own. */
struct dump_record {
    struct history_dump dump;
    char *text[7];
    int64_t present, rejected; /* keys after it; rows of it that could not be taken */
    bool there;
};
void dump_record_done(struct dump_record *r);

struct history {
    struct db *db; /* all that is written goes this way */
    const struct dialect *dialect;
    struct history_place place;
    char *password_file, *application_name, *label, *schema;
    int64_t lock_timeout_us;
    bool read_only;
    struct marks marks;
    char *key_type;         /* with {width} */
    size_t key_bytes;       /* of its width to a character: 4 where it is of bytes */
    struct columns columns; /* on record */
    struct history_column *shown;
    bool books;   /* our own tables are there */
    bool moments; /* dumps speak for moments, not for days */
    struct dump_record newest, newest_full, found, by_id;
};

/* Writes the fault and returns -1. */
int history_fault(struct db_fault *fault, bool transient, const char *fmt, ...) _printf_(3, 4);

/* Another connection to the same database, and how a session of this room begins. */
int history_connect(const struct history *h, struct db **ret_db, struct db_fault *fault);

/* Runs a template on our connection. sink may be NULL; ret_rows, which may be NULL, counts what was changed. */
int history_run(struct history *h, const char *sql, int n, const char *const *parameters,
    const struct db_sink *sink, struct db_fault *fault);
/* Runs some that may be refused, up to a NULL. */
void history_try(struct history *h, const char *const *templates);
int history_change(struct history *h, const char *sql, int64_t *ret_rows, struct db_fault *fault);
int history_value(struct history *h, const char *sql, int n, const char *const *parameters, char **ret_value,
    struct db_fault *fault);

/* What {now} is, where the database does not know it: before a statement that has it, if history_run() does not run it. */
void history_mark_now(struct history *h);

/* How many characters a key's cell may have when the key has n columns: MySQL's index has room for 765 of them all. */
size_t history_key_max(size_t n_key);

/* Sets the marks that are made of the columns: {cols}, {n.cols}, {d.cols}, {cols.key}, {n=d}, {p=d}. */
void history_mark_columns(struct history *h);
/* The columns' names behind a prefix, comma between. A new string. keys: of the key alone. */
char *history_name_list(const struct history *h, const char *prefix, bool keys_only);
/* What to select for each column, so that it is text: its name; NULL where the table does not have it yet. A new string. */
char *history_value_list(const struct history *h);
