#pragma once
/* The tables of one dataset and their view: made, and widened when a dump has new columns. */
#include "history/inside.h"

struct tables {
    bool made; /* current is new, and still without its primary key where the dialect wants it so */
};

/* Says which columns are stored: after a crash some may be on record, but not in the tables yet. */
int tables_look(struct history *h, struct db_fault *fault);
/* Is something in the way: a table that is not ours, one that lacks what we put there? */
int tables_check(struct history *h, struct db_fault *fault);
/* Takes away what a first load left that did not come to its end: empty tables, and columns on record. */
int tables_clear(struct history *h, struct db_fault *fault);
/*
 * Brings them to what the columns say; what is there already is left alone, so that what a crash left half done is
 * completed. Where the database commits on DDL the columns must be on record before.
 */
int tables_make(struct history *h, struct tables *t, struct db_fault *fault);
/* The primary key that tables_make() left out. */
int tables_key(struct history *h, const struct tables *t, struct db_fault *fault);
/* What has become too narrow for its cells, in the transaction that is open. */
int tables_widen(struct history *h, struct db_fault *fault);
/* The columns as CREATE TABLE has them where rows are on their way: name, type, for the key NOT NULL; where the database
 * keeps types all but the key as text. A new string. */
char *tables_columns(const struct history *h, bool dumped_only);
