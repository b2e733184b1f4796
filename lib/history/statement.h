#pragma once
/*
 * SQL as templates. {name} stands for a text that was set under that name: quoted names of tables, lists of columns,
 * types of the dialect; {1} for a parameter. A template that names what was not set is a fault of ours.
 */
#include "db/load.h"
#include "util/buffer.h"

struct marks {
    struct mark *list;
    size_t n;
    bool numbered; /* parameters are $1; else ? */
};

void marks_done(struct marks *m);
/* Sets or replaces it; the value is copied, and put in as it is. */
void marks_set(struct marks *m, const char *name, const char *value);
void marks_set_int(struct marks *m, const char *name, int64_t value);
/* The template with everything put in. A new string. */
char *marks_expand(const struct marks *m, const char *sql);
