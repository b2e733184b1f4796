#pragma once
/* A dataset's URL taken apart: the database's own URL, and the table behind it. */
#include "util/error.h"

#include <stdbool.h>

#define TABLE_NAME_MAX 55 /* with _history behind it a name of 63 bytes */

struct history_place {
    char *database; /* the URL without the table; may hold a password */
    char *schema;   /* as typed, or NULL */
    char *table;
    bool file; /* the database is a file, and who has it open is waited for */
};

/* mysql://…/database/table, postgresql://…/database/[schema.]table, duckdb:///path/to/file/table; what follows a ? stays
 * with the database. */
int history_place_parse(const char *url, struct history_place *ret_place, struct error *err);
void history_place_done(struct history_place *place);
