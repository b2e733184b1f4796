#include "job/harmonize/extract.h"

#include "db/load.h"
#include "history/dialect.h"
#include "job/job.h"

#include <inttypes.h>

/* A site's own limits are for its programs: this one reads a table to its end, within the job's time_limit. Values are to come out
 * as the same text whatever the role's settings are. */
#define BEGIN_SQL                                                                                            \
    "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; "                                         \
    "SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = 0; "                     \
    "SET LOCAL bytea_output = 'hex'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL extra_float_digits = 1"

/* Either may be forbidden, or unknown to a server that only speaks like Postgres. A primary's timeline is asked of its log: the
 * control file learns of it at the next checkpoint. Before the snapshot: who is promoted in between has the old one on record, and
 * is read in full next time. */
#define SYSTEM_SQL "SELECT system_identifier::text FROM pg_catalog.pg_control_system()"
#define TIMELINE_SQL                                                                                         \
    "SELECT CASE WHEN pg_catalog.pg_is_in_recovery()"                                                        \
    " THEN (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())::text"                               \
    " ELSE ltrim(substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8), '0') END"
#define DATABASE_SQL                                                                                         \
    "SELECT oid::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
#define SNAPSHOT_SQL "SELECT pg_catalog.txid_current_snapshot()::text"

/* What LOCK TABLE takes; a foreign table or a materialised view it refuses. One that is not there is for LOCK TABLE to say. */
#define LOCKABLE_SQL                                                                                         \
    "SELECT coalesce((SELECT relkind IN ('r', 'p', 'v') FROM pg_catalog.pg_class"                            \
    " WHERE oid = pg_catalog.to_regclass($1)), true)::text"

struct held {
    const struct job_database *database;
    struct snapshot snapshot;
    bool *locked; /* of each source of the job: it is a table of this database, that can be locked */
};

struct snapshots {
    const struct job_spec *spec;
    struct held *list; /* room for one a source */
    size_t n;
};

struct snapshots *snapshots_new(const struct job_spec *spec)
{
    struct snapshots *s = xnew(struct snapshots);
    s->spec = spec;
    s->list = xcalloc(spec->harmonize.n_sources + 1, sizeof(*s->list));
    return s;
}

static void end(struct held *h)
{
    db_close(TAKE(h->snapshot.db));
    free(TAKE(h->snapshot.text));
    free(TAKE(h->snapshot.cluster));
    free(TAKE(h->locked));
}

void snapshots_free(struct snapshots *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        end(&s->list[i]);
    free(s->list);
    free(s);
}

bool job_database_equal(const struct job_database *a, const struct job_database *b)
{
    const char *of_a = a->password_file ? a->password_file : "",
               *of_b = b->password_file ? b->password_file : "";
    return a->url && b->url && strcmp(a->url, b->url) == 0 && strcmp(of_a, of_b) == 0;
}

char *snapshot_table(const struct db *db, const char *name)
{
    const char *dot = strchr(name, '.');
    _cleanup_free_ char *schema = dot ? xstrndup(name, (size_t)(dot - name)) : NULL;
    return db_quote_name(db, schema, dot ? dot + 1 : name);
}

/* ---- a database ---- */

static int open_database(const struct job_spec *spec, const struct job_database *database, struct db **ret_db,
    struct db_fault *fault)
{
    _cleanup_(db_closep) struct db *db = NULL;
    _cleanup_free_ char *name = xasprintf("ingestd job %s", spec->job);
    const struct db_options options = {
        .password_file = database->password_file,
        .application_name = name,
        .statement_timeout_us = spec->time_limit_us,
    };
    if (db_open(database->url, &options, &db, fault) < 0)
        return -1;
    if (strcmp(db_driver(db), "postgres") != 0)
        return job_refuse(fault,
            "a harmonize reads tables of Postgres alone, and %.200s is none: see `database:`", db_label(db));
    for (const char *const *sql = dialect_for("postgres")->session; *sql; sql++)
        if (db_query(db, *sql, 0, NULL, NULL, fault) < 0)
            return -1;
    *ret_db = TAKE(db);
    return 0;
}

/* What the server tells, or "-"; -1 where the connection is gone. A new string. */
static int ask(struct db *db, const char *sql, char **ret_word, struct db_fault *fault)
{
    struct db_fault why = {0};
    char *word = NULL;
    if (db_value(db, sql, 0, NULL, &word, &why) < 0 && why.transient) {
        *fault = why;
        return -1;
    }
    *ret_word = word ? word : xstrdup("-");
    return 0;
}

/* Bytes come as they are: a database without an encoding has its text checked as UTF-8 otherwise, and one row that is none ends
 * the whole statement. */
static int take_bytes(struct db *db, struct db_fault *fault)
{
    _cleanup_free_ char *encoding = NULL;
    if (db_value(db, "SHOW server_encoding", 0, NULL, &encoding, fault) < 0)
        return -1;
    if (!encoding || strcmp(encoding, "SQL_ASCII") != 0)
        return 0;
    return db_query(db, "SET client_encoding = 'SQL_ASCII'", 0, NULL, NULL, fault);
}

static int name_cluster(struct snapshot *s, struct db_fault *fault)
{
    _cleanup_free_ char *system = NULL, *timeline = NULL, *database = NULL;
    if (ask(s->db, SYSTEM_SQL, &system, fault) < 0 || ask(s->db, TIMELINE_SQL, &timeline, fault) < 0 ||
        ask(s->db, DATABASE_SQL, &database, fault) < 0)
        return -1;
    s->cluster = xasprintf("%s:%s:%s", system, timeline, database);
    return 0;
}

/* Names the table: which of a database's it is, its first source does not say. */
static int of_table(const struct job_feed *source, struct db_fault *fault)
{
    const char *state = fault->sqlstate;
    const char *advice = strcmp(state, "42501") == 0
                             ? ": GRANT SELECT on it, and USAGE of its schema, to this user"
                         : strcmp(state, "42P01") == 0 ? ": check `table:` of the source"
                         : strcmp(state, "55P03") == 0 ? ": another session has it locked"
                                                       : "";
    return error_prefix(
        &fault->error, "the table %.100s of the source %.64s%s", source->table, source->name, advice);
}

/* In a transaction of its own: it would take the snapshot. */
static int look_at_tables(const struct snapshots *s, struct held *h, struct db_fault *fault)
{
    const struct job_harmonize *job = &s->spec->harmonize;
    h->locked = xcalloc(job->n_sources + 1, sizeof(*h->locked));
    for (size_t i = 0; i < job->n_sources; i++) {
        if (!job->sources[i].table || !job_database_equal(&job->sources[i].database, h->database))
            continue;
        _cleanup_free_ char *table = snapshot_table(h->snapshot.db, job->sources[i].table), *yes = NULL;
        if (db_value(h->snapshot.db, LOCKABLE_SQL, 1, (const char *const[]){table}, &yes, fault) < 0)
            return of_table(&job->sources[i], fault);
        h->locked[i] = yes && yes[0] == 't';
    }
    return 0;
}

static int lock_tables(const struct snapshots *s, const struct held *h, struct db_fault *fault)
{
    const struct job_harmonize *job = &s->spec->harmonize;
    for (size_t i = 0; i < job->n_sources; i++) {
        if (!h->locked[i])
            continue;
        _cleanup_free_ char *table = snapshot_table(h->snapshot.db, job->sources[i].table);
        _cleanup_free_ char *sql = xasprintf("LOCK TABLE %s IN ACCESS SHARE MODE", table);
        if (db_query(h->snapshot.db, sql, 0, NULL, NULL, fault) < 0)
            return of_table(&job->sources[i], fault);
    }
    return 0;
}

/* The first statement that needs a snapshot takes it: the one that asks for it. */
static int take_snapshot(struct snapshot *s, struct db_fault *fault)
{
    if (db_value(s->db, SNAPSHOT_SQL, 0, NULL, &s->text, fault) < 0)
        return -1;
    if (s->text && sscanf(s->text, "%" SCNu64 ":%" SCNu64 ":", &s->xmin, &s->xmax) == 2)
        return 0;
    return job_refuse(fault, "%.200s tells no snapshot that can be read: it is no Postgres", db_label(s->db));
}

static int begin(const struct snapshots *s, struct held *h, struct db_fault *fault)
{
    if (open_database(s->spec, h->database, &h->snapshot.db, fault) < 0 ||
        take_bytes(h->snapshot.db, fault) < 0 || name_cluster(&h->snapshot, fault) < 0 ||
        look_at_tables(s, h, fault) < 0 || db_script(h->snapshot.db, BEGIN_SQL, NULL, fault) < 0 ||
        lock_tables(s, h, fault) < 0 || take_snapshot(&h->snapshot, fault) < 0) {
        end(h);
        return -1;
    }
    return 0;
}

static struct held *find(struct snapshots *s, const struct job_database *database)
{
    for (size_t i = 0; i < s->n; i++)
        if (job_database_equal(s->list[i].database, database))
            return &s->list[i];
    return NULL;
}

int snapshots_of(struct snapshots *s, const struct job_database *database,
    const struct snapshot **ret_snapshot, struct db_fault *fault)
{
    struct held *h = find(s, database);
    if (!h) {
        h = &s->list[s->n++];
        h->database = database;
    }
    if (!h->snapshot.db && begin(s, h, fault) < 0)
        return -1;
    *ret_snapshot = &h->snapshot;
    return 0;
}

void snapshots_forget(struct snapshots *s, const struct job_database *database)
{
    struct held *h = find(s, database);
    if (h)
        end(h);
}
