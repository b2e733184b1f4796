#pragma once
/*
 * What is to be read of a table: all of it, or what was written since the snapshot of the run before. That is decided by what
 * was remembered then.
 */
#include "job/harmonize/extract.h"

struct cJSON;

struct table_column {
    char *name, *type, *expression; /* of a generated one; or NULL */
};

/* A table as the catalog has it. */
struct table_facts {
    char *oid;
    char kind; /* pg_class.relkind; 0: there is none of that name */
    bool
        guarded; /* by row security, which may show a row today that it hid yesterday, and nothing was written */
    bool plain; /* all of its parts are tables whose rows tell their transaction */
    struct table_column *columns;
    size_t n_columns;
    char *parts; /* oids of what holds its rows, with commas between; its own where it has no parts */
};
void table_facts_done(struct table_facts *t);
int table_facts_read(
    const struct snapshot *snapshot, const char *name, struct table_facts *ret, struct db_fault *fault);

/* Whether it is the table it was: "identifier:timeline:database:table:columns". A new string. */
char *table_fingerprint(const struct snapshot *snapshot, const struct table_facts *t);

struct table_plan {
    bool full;
    const char *why;   /* it is full though it was read before, for a reason a person should know; or NULL */
    const char *xmin;  /* else: rows of this transaction (with epoch) and later ones … */
    const char *parts; /* … and all rows of parts that are not among these; of what is remembered */
    bool again;        /* the run before may have had some of these: transactions were open then */
};
/* remembered: NULL where nothing is. now_us: wall clock. */
void table_plan_make(const struct snapshot *snapshot, const struct table_facts *t,
    const struct cJSON *remembered, int64_t full_every_us, int64_t now_us, struct table_plan *ret_plan);

/* The SELECT. A new string. */
char *table_plan_sql(
    const struct db *db, const char *name, const struct table_facts *t, const struct table_plan *plan);
/* What the next pointer says of it, a new object. before: as remembered in table_plan_make(). */
struct cJSON *table_plan_remember(const struct snapshot *snapshot, const struct table_facts *t,
    const struct table_plan *plan, const struct cJSON *before, int64_t now_us);
