#pragma once
/*
 * A file of SQL as a list of statements: where each begins and by which words. The server does the splitting
 * for the execution; this is for telling a person a line, and for seeing beforehand what cannot be taken
 * back. It knows strings, names, comments and bodies as far as it takes to find the semicolons.
 */
#include <stdbool.h>
#include <stddef.h>

enum sql_dialect { SQL_POSTGRES, SQL_MYSQL };

struct sql_statement {
    const char *start; /* its first word */
    size_t n;          /* without the semicolon */
    int line;          /* from 1 */
    char head[64];     /* its first words, at most four: "CREATE OR REPLACE FUNCTION"; upper case */
    bool hidden;       /* MySQL: it has a comment that the server executes */
};

struct sql_reader {
    enum sql_dialect dialect;
    const char *p;
    int line;
};

struct sql_reader sql_reader(enum sql_dialect dialect, const char *text);
/* The next statement that is not empty; false at the end. */
bool sql_next(struct sql_reader *r, struct sql_statement *ret);

/* Its first words are these: "DROP" is how "DROP TABLE x" begins. */
bool sql_begins(const struct sql_statement *s, const char *words);
