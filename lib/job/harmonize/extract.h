#pragma once
/*
 * The snapshots of a run: one connection for each database of the job, and on it one transaction (REPEATABLE READ, READ ONLY) that
 * all of its tables and SELECTs are read in. The tables are locked (ACCESS SHARE) before the snapshot is taken: what a TRUNCATE or
 * a rewriting ALTER does to a table beside us, no snapshot hides.
 */
#include "db/db.h"
#include "job/spec.h"

struct snapshots;

struct snapshot {
    struct db *db;
    char *text;          /* as Postgres writes it, "xmin:xmax:xip,…" */
    uint64_t xmin, xmax; /* with their epoch */
    char *cluster;       /* "identifier:timeline:database", each "-" where the server does not tell */
};

/* The spec stays the caller's. */
struct snapshots *snapshots_new(const struct job_spec *spec);
void snapshots_free(struct snapshots *s);
DEFINE_CLEANUP(struct snapshots *, snapshots_freep, snapshots_free)

/* That of the database, begun where it is not yet; valid until it is forgotten. */
int snapshots_of(struct snapshots *s, const struct job_database *database,
    const struct snapshot **ret_snapshot, struct db_fault *fault);
/* Ends it; the next one is another. */
void snapshots_forget(struct snapshots *s, const struct job_database *database);

bool job_database_equal(const struct job_database *a, const struct job_database *b);

/* "[schema.]table" as SQL, each part quoted. A new string. */
char *snapshot_table(const struct db *db, const char *name);
