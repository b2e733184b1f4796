#include "schedule/record.h"

#include <stddef.h>

#define AT(us)     "(timestamptz 'epoch' + " us " * interval '1 microsecond')"
#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)
#define US(t)      "(extract(epoch FROM " t ") * 1000000)::bigint"
/* A run that was taken ahead of its time, and came to nothing before it, is not taken again ahead of it. What is
 * further off than that was scheduled by a clock that was wrong. */
#define NOT_EARLY(us)                                                                                        \
    "greatest(" AT(us "::bigint") ", CASE WHEN scheduled_for < " AT(                                         \
        us "::bigint") " + interval '2 seconds' THEN scheduled_for END)"

/* So many chances more has a window that failed for good; then it is given up. */
#define AGAIN_MOST 10

/* Two-key advisory locks: the first key is ours ("ingd"), the second says what of. */
#define LOCK_CLASS      "1768843108"
#define LEAD_KEY        "pg_catalog.hashtext('lead ' || {q})"
#define DAEMON_KEY(who) "pg_catalog.hashtext('daemon ' || {q} || ' ' || " who ")"

const char *const record_tables[] = {"job", "run", "scheduler", NULL};

const char *const record_make_sql[] = {
    "CREATE TABLE IF NOT EXISTS {s}.job ("
    " name text PRIMARY KEY,"
    " handled_until timestamptz NOT NULL,"
    " paused boolean NOT NULL DEFAULT false,"
    " paused_by text,"
    " paused_at timestamptz,"
    " succeeded bigint NOT NULL DEFAULT 0,"
    " failed bigint NOT NULL DEFAULT 0,"
    " skipped bigint NOT NULL DEFAULT 0,"
    " failed_in_a_row bigint NOT NULL DEFAULT 0,"
    " last_success timestamptz,"
    " last_window_end timestamptz,"
    " last_duration_us bigint,"
    " last_lateness_us bigint,"
    " last_failure timestamptz,"
    " last_error text)",

    "CREATE TABLE IF NOT EXISTS {s}.run ("
    " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " job text NOT NULL,"
    " scheduled_for timestamptz NOT NULL,"
    " window_start timestamptz,"
    " window_end timestamptz,"
    " cause text NOT NULL CHECK (cause IN ('schedule', 'catch-up', 'manual', 'backfill')),"
    " status text NOT NULL CHECK (status IN ('waiting', 'running', 'done', 'failed', 'cancelled', "
    "'skipped')),"
    " attempt int NOT NULL DEFAULT 0,"
    " pass bigint,"
    " dry_run boolean NOT NULL DEFAULT false,"
    " asked_by text,"
    " cancel_by text,"
    " daemon text,"
    " pid int,"
    " created timestamptz NOT NULL,"
    " not_before timestamptz NOT NULL,"
    " started timestamptz,"
    " finished timestamptz,"
    " lateness_us bigint,"
    " duration_us bigint,"
    " stats jsonb,"
    " result jsonb,"
    " error text,"
    " sqlstate text,"
    " exit_code int,"
    " signal int,"
    " last_words text,"
    " UNIQUE (job, scheduled_for, dry_run))",

    "CREATE INDEX IF NOT EXISTS run_open ON {s}.run (job, not_before, scheduled_for)"
    " WHERE status IN ('waiting', 'running')",
    /* What a pass holds: under way, or done by its worker and not yet written down by its daemon. */
    "CREATE INDEX IF NOT EXISTS run_held ON {s}.run (pass)"
    " WHERE status = 'running' OR status = 'done' AND finished IS NULL",
    "CREATE INDEX IF NOT EXISTS run_windows_failed ON {s}.run (attempt, job)"
    " WHERE status = 'failed' AND window_end IS NOT NULL AND NOT dry_run",
    "CREATE INDEX IF NOT EXISTS run_by_job ON {s}.run (job, id)",
    "CREATE INDEX IF NOT EXISTS run_by_status ON {s}.run (status, id) WHERE status <> 'done'",
    "CREATE INDEX IF NOT EXISTS run_ended ON {s}.run (finished)",
    "CREATE SEQUENCE IF NOT EXISTS {s}.pass",
    "CREATE TABLE IF NOT EXISTS {s}.scheduler ("
    " one boolean PRIMARY KEY DEFAULT true CHECK (one),"
    " leader text NOT NULL,"
    " since timestamptz NOT NULL)",
    NULL,
};

/* A statement is laid out as it reads. */
/* clang-format off */

/* -- who leads ------------------------------------------------------------------------------------------- */

const char record_be_sql[] =
    "SELECT pg_catalog.pg_try_advisory_lock(" LOCK_CLASS ", " DAEMON_KEY("$1::text") ")";

const char record_lead_sql[] =
    "WITH l AS MATERIALIZED (SELECT pg_catalog.pg_try_advisory_lock(" LOCK_CLASS ", " LEAD_KEY ") AS got),"
    " w AS (INSERT INTO {s}.scheduler AS o (leader, since) SELECT $1::text, now() FROM l WHERE got"
    "   ON CONFLICT (one) DO UPDATE SET leader = excluded.leader, since = excluded.since)"
    " SELECT got FROM l";

const char record_absent_sql[] =
    "SELECT DISTINCT r.daemon FROM {s}.run r"
    " WHERE (r.status = 'running' OR r.status = 'done' AND r.finished IS NULL) AND r.daemon IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks k WHERE k.locktype = 'advisory' AND k.granted"
    "   AND k.database = (SELECT oid FROM pg_catalog.pg_database"
    "     WHERE datname = pg_catalog.current_database())"
    "   AND k.classid::bigint = " LOCK_CLASS " AND k.objsubid = 2"
    "   AND k.objid::bigint = (" DAEMON_KEY("r.daemon") "::bigint & 4294967295))";

const char record_requeue_sql[] =
    "UPDATE {s}.run SET status = CASE WHEN cancel_by IS NULL THEN 'waiting' ELSE 'cancelled' END,"
    " finished = CASE WHEN cancel_by IS NULL THEN NULL ELSE " AT("$3::bigint") " END,"
    " not_before = " NOT_EARLY("$3") ", error = $4::text"
    " WHERE status = 'running' AND daemon = $1::text AND NOT pass = ANY ($2::bigint[])";

const char record_settle_sql[] =
    "WITH e AS (UPDATE {s}.run SET finished = " AT("$3::bigint") ", error = NULL"
    "   WHERE status = 'done' AND finished IS NULL"
    "   AND daemon = $1::text AND NOT pass = ANY ($2::bigint[]) AND $4::text <> ''"
    "   RETURNING job, window_end),"
    " c AS (SELECT job, count(*) AS done, max(window_end) AS window_end FROM e GROUP BY job)"
    " UPDATE {s}.job j SET succeeded = j.succeeded + c.done, failed_in_a_row = 0,"
    "   last_success = " AT("$3::bigint") ","
    "   last_window_end = greatest(j.last_window_end, c.window_end)"
    " FROM c WHERE j.name = c.job";

/* -- looking --------------------------------------------------------------------------------------------- */

const char record_jobs_sql[] =
    "INSERT INTO {s}.job (name, handled_until)"
    " SELECT n, " AT("$2::bigint") " FROM unnest($1::text[]) n ON CONFLICT DO NOTHING";

const char record_look_sql[] =
    "SELECT j.name, j.paused, " US("j.handled_until") ", j.succeeded, j.failed, j.skipped,"
    " j.failed_in_a_row, " US("j.last_success") ", " US("j.last_window_end") ","
    " j.last_duration_us, j.last_lateness_us, " US("j.last_failure") ", j.last_error,"
    " coalesce(o.waiting, 0), " US("o.due") ", o.running, " US("o.running_since") ","
    " coalesce(o.retrying, false), o.cancels, o.cancel_by,"
    " (SELECT leader FROM {s}.scheduler), coalesce(g.n, 0)"
    " FROM {s}.job j LEFT JOIN (SELECT r.job,"
    "   count(*) FILTER (WHERE r.status = 'waiting') AS waiting,"
    "   min(r.not_before) FILTER (WHERE r.status = 'waiting') AS due,"
    "   min(r.id) FILTER (WHERE r.status = 'running') AS running,"
    "   min(r.started) FILTER (WHERE r.status = 'running') AS running_since,"
    "   bool_or(r.status = 'waiting' AND r.attempt > 0) AS retrying,"
    "   string_agg(DISTINCT r.pass::text, ',')"
    "     FILTER (WHERE r.status = 'running' AND r.cancel_by IS NOT NULL) AS cancels,"
    "   min(r.cancel_by) FILTER (WHERE r.status = 'running') AS cancel_by"
    "   FROM {s}.run r WHERE r.status IN ('waiting', 'running') GROUP BY r.job) o"
    " ON o.job = j.name"
    " LEFT JOIN (SELECT job, count(*) AS n FROM {s}.run WHERE status = 'failed'"
    "   AND window_end IS NOT NULL AND NOT dry_run AND attempt >= " TEXT(AGAIN_MOST) " GROUP BY job) g"
    " ON g.job = j.name";

/* -- firing and taking ----------------------------------------------------------------------------------- */

/*
 * A run on record that ended before its own time, or will have ended only in the future, is one of a clock that
 * was wrong, or was ordered for later and cancelled: its time comes now.
 */
const char record_fire_sql[] =
    "WITH f AS (SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[])"
    "   AS f(at, start, cause, status)),"
    " n AS (INSERT INTO {s}.run AS r (job, scheduled_for, window_start, window_end,"
    "     cause, status, created, not_before, finished, error)"
    "   SELECT $1::text, " AT("at") ", " AT("start") ","
    "     CASE WHEN start IS NULL THEN NULL ELSE " AT("at") " END,"
    "     cause, status, " AT("$6::bigint") ", " AT("$6::bigint") ","
    "     CASE status WHEN 'skipped' THEN " AT("$6::bigint") " END,"
    "     CASE status WHEN 'skipped' THEN $9::text END"
    "   FROM f ORDER BY at"
    "   ON CONFLICT (job, scheduled_for, dry_run) DO UPDATE SET"
    "     status = excluded.status, cause = excluded.cause, attempt = 0,"
    "     not_before = excluded.not_before, finished = excluded.finished,"
    "     error = excluded.error, cancel_by = NULL"
    "   WHERE r.status NOT IN ('waiting', 'running')"
    "     AND (r.finished < r.scheduled_for OR r.finished > " AT("$6::bigint") ")"
    "   RETURNING r.status)"
    " UPDATE {s}.job SET handled_until = " AT("$7::bigint") ","
    "   skipped = skipped + $8::bigint + (SELECT count(*) FROM n WHERE n.status = 'skipped')"
    " WHERE name = $1::text";

/*
 * A dry run goes alone, and so does a run without a window, which the job of a rollup has from when it was a
 * query. Of a rollup all windows that are due make one pass; but those that failed before do
 * not go with fresh ones, and what failed again and again goes one by one: a window that cannot be computed
 * must not take others with it.
 */
#define TAKE(together)                                                                                        \
    "WITH p AS (SELECT nextval({q} || '.pass') AS pass),"                                                     \
    " d AS MATERIALIZED (SELECT r.id, r.dry_run, r.attempt, r.window_end FROM {s}.run r"                      \
    "   WHERE r.job = $1::text AND r.status = 'waiting' AND r.not_before <= " AT("$2::bigint")                \
    "   ORDER BY r.not_before, r.scheduled_for LIMIT 1),"                                                     \
    " c AS (SELECT r.id FROM {s}.run r, d"                                                                    \
    "   WHERE r.status = 'waiting' AND r.not_before <= " AT("$2::bigint") " AND " together                    \
    "   ORDER BY r.scheduled_for LIMIT 10000 FOR UPDATE OF r)"                                                \
    " UPDATE {s}.run r SET status = 'running', attempt = r.attempt + 1, pass = p.pass,"                       \
    "   daemon = $3::text, started = " AT("$2::bigint") ", finished = NULL, duration_us = NULL,"              \
    "   lateness_us = NULL, stats = NULL, result = NULL, error = NULL, sqlstate = NULL,"                      \
    "   exit_code = NULL, signal = NULL, last_words = NULL"                                                   \
    " FROM c, p WHERE r.id = c.id"                                                                            \
    " RETURNING r.id, r.pass, r.attempt, " US("r.scheduled_for") ", " US("r.window_start") ","                \
    "   " US("r.window_end") ", r.dry_run, r.cause"

const char record_take_sql[] = TAKE("r.id = d.id");
const char record_take_windows_sql[] =
    TAKE("r.job = $1::text AND (r.id = d.id OR NOT d.dry_run AND NOT r.dry_run"
         "     AND r.attempt = d.attempt AND d.attempt <= $4::int + 1"
         "     AND r.window_end IS NOT NULL AND d.window_end IS NOT NULL)");

/* -- ending ---------------------------------------------------------------------------------------------- */

/*
 * A rollup's worker has marked its runs done itself, with the rows it wrote; so done stays done whatever
 * became of the worker afterwards. Runs that another pass has taken since are not ours to write to.
 */
const char record_end_sql[] =
    "WITH e AS (UPDATE {s}.run r SET"
    "   status = CASE WHEN r.status = 'done' THEN 'done'"
    "     WHEN $2::text IN ('interrupted', 'failed') AND r.cancel_by IS NOT NULL THEN 'cancelled'"
    "     WHEN $2::text = 'interrupted' THEN 'waiting'"
    "     WHEN $2::text = 'failed' AND r.attempt <= $14::int AND NOT r.dry_run THEN 'waiting'"
    "     ELSE $2::text END,"
    "   attempt = r.attempt"
    "     - CASE WHEN $2::text = 'interrupted' AND r.status <> 'done' THEN 1 ELSE 0 END,"
    "   not_before = CASE WHEN $2::text = 'failed' THEN " NOT_EARLY("$15") " ELSE r.not_before END,"
    "   finished = " AT("$3::bigint") ", duration_us = $4::bigint,"
    "   lateness_us = CASE WHEN r.cause IN ('schedule', 'catch-up')"
    "     THEN $5::bigint + " US("(SELECT max(scheduled_for) FROM {s}.run WHERE pass = $1::bigint"
    "       AND (status = 'running' OR status = 'done' AND finished IS NULL)) - r.scheduled_for") " END,"
    "   stats = $6::jsonb, result = $7::jsonb,"
    "   error = CASE WHEN r.status = 'done' THEN NULL ELSE $8::text END,"
    "   sqlstate = $9::text, exit_code = $10::int, signal = $11::int,"
    "   last_words = $12::text, pid = $13::int"
    "   WHERE r.pass = $1::bigint"
    "     AND (r.status = 'running' OR r.status = 'done' AND r.finished IS NULL)"
    "   RETURNING r.job, r.status, r.dry_run, r.window_end),"
    " c AS (SELECT min(job) AS job,"
    "   count(*) FILTER (WHERE status = 'done') AS done,"
    "   count(*) FILTER (WHERE status = 'failed') AS failed,"
    "   count(*) FILTER (WHERE status = 'waiting') AS waiting,"
    "   max(window_end) FILTER (WHERE status = 'done') AS window_end,"
    "   coalesce(bool_or(dry_run), false) AS dry FROM e),"
    " j AS (UPDATE {s}.job j SET"
    "   succeeded = j.succeeded + c.done, failed = j.failed + c.failed,"
    "   failed_in_a_row = CASE WHEN c.done > 0 THEN 0"
    "     WHEN $2::text = 'failed' THEN j.failed_in_a_row + 1 ELSE j.failed_in_a_row END,"
    "   last_success = CASE WHEN c.done > 0 THEN " AT("$3::bigint") " ELSE j.last_success END,"
    "   last_window_end = greatest(j.last_window_end, c.window_end),"
    "   last_duration_us = CASE WHEN c.done > 0 THEN $4::bigint ELSE j.last_duration_us END,"
    "   last_lateness_us = CASE WHEN c.done > 0 AND $5::bigint IS NOT NULL THEN $5::bigint"
    "     ELSE j.last_lateness_us END,"
    "   last_failure = CASE WHEN c.done = 0 AND $2::text = 'failed' THEN " AT("$3::bigint")
    "     ELSE j.last_failure END,"
    "   last_error = CASE WHEN c.done = 0 AND $2::text = 'failed' THEN $8::text"
    "     ELSE j.last_error END"
    "   FROM c WHERE j.name = c.job AND NOT c.dry)"
    " SELECT done, failed, waiting FROM c";

const char record_again_sql[] =
    "UPDATE {s}.run SET status = 'waiting', cause = 'catch-up', not_before = " AT("$2::bigint")
    " WHERE job = $1::text AND status = 'failed' AND window_end IS NOT NULL AND NOT dry_run"
    "   AND attempt < $3::int + " TEXT(AGAIN_MOST);

const char record_handled_sql[] =
    "UPDATE {s}.job SET handled_until = " AT("$2::bigint") " WHERE name = $1::text";

/* A further attempt is due now: to wait with it for a false time would hold up the job's schedule until then. */
#define IN_TIME(us)                                                                                           \
    "greatest(" AT(us "::bigint") ", CASE WHEN attempt = 0 THEN scheduled_for END)"

const char record_turn_back_sql[] =
    "UPDATE {s}.run SET not_before = " IN_TIME("$1") " WHERE status = 'waiting' AND not_before > " IN_TIME("$1");

const char record_forget_sql[] =
    "DELETE FROM {s}.run WHERE id IN (SELECT id FROM {s}.run"
    "   WHERE finished < " AT("$1::bigint") " AND status NOT IN ('waiting', 'running') LIMIT " TEXT(RECORD_FORGET_MOST) ")";

/* -- orders and questions -------------------------------------------------------------------------------- */

const char record_order_sql[] =
    "INSERT INTO {s}.run AS r (job, scheduled_for, window_start, window_end, cause, status,"
    "   dry_run, asked_by, created, not_before)"
    " SELECT $1::text, " AT("at") ", " AT("start") ","
    "   CASE WHEN start IS NULL THEN NULL ELSE " AT("at") " END, $4::text, 'waiting',"
    "   $6::boolean, $7::text, " AT("$5::bigint") ", " AT("greatest(at, $5::bigint)")
    " FROM unnest($2::bigint[], $3::bigint[]) AS u(at, start) ORDER BY at"
    " ON CONFLICT (job, scheduled_for, dry_run) DO UPDATE SET"
    "   status = 'waiting', cause = excluded.cause, attempt = 0,"
    "   asked_by = excluded.asked_by, cancel_by = NULL, not_before = excluded.not_before"
    " WHERE r.status NOT IN ('waiting', 'running')"
    " RETURNING r.id";

/* A pass is cancelled as a whole: its runs are one piece of work. */
const char record_cancel_sql[] =
    "WITH t AS (SELECT id, pass, status FROM {s}.run WHERE id = $1::bigint),"
    " u AS (UPDATE {s}.run r SET cancel_by = $2::text,"
    "   status = CASE WHEN r.status = 'waiting' THEN 'cancelled' ELSE r.status END,"
    "   finished = CASE WHEN r.status = 'waiting' THEN " AT("$3::bigint") " END,"
    "   error = CASE WHEN r.status = 'waiting' THEN 'cancelled by ' || $2::text"
    "     ELSE r.error END"
    "   FROM t WHERE (r.id = t.id"
    "     OR t.status = 'running' AND r.status = 'running' AND r.pass = t.pass)"
    "   AND r.status IN ('waiting', 'running') RETURNING r.id, r.status)"
    " SELECT coalesce((SELECT u.status FROM u WHERE u.id = t.id), t.status), t.status FROM t";

const char record_pause_sql[] =
    "UPDATE {s}.job SET paused = $2::boolean, paused_by = $3::text,"
    "   paused_at = " AT("$4::bigint")
    " WHERE name = $1::text RETURNING name";

const char record_progress_sql[] =
    "SELECT count(*) FILTER (WHERE status = 'waiting'),"
    "   count(*) FILTER (WHERE status = 'running'),"
    "   count(*) FILTER (WHERE status = 'done'),"
    "   count(*) FILTER (WHERE status = 'failed'),"
    "   count(*) FILTER (WHERE status = 'cancelled'),"
    "   count(*) FILTER (WHERE status = 'skipped')"
    " FROM {s}.run WHERE job = $1::text AND NOT dry_run"
    "   AND scheduled_for > " AT("$2::bigint") " AND scheduled_for <= " AT("$3::bigint");

#define ISO(t) "to_char(" t " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

const char record_runs_sql[] =
    "SELECT (jsonb_build_object('id', r.id, 'job', r.job,"
    "   'scheduled_for', " ISO("r.scheduled_for") ","
    "   'window_start', " ISO("r.window_start") ", 'window_end', " ISO("r.window_end") ","
    "   'cause', r.cause, 'status', r.status, 'attempt', r.attempt, 'pass', r.pass,"
    "   'dry_run', r.dry_run, 'daemon', r.daemon, 'asked_by', r.asked_by,"
    "   'created', " ISO("r.created") ", 'not_before', " ISO("r.not_before") ","
    "   'started', " ISO("r.started") ", 'finished', " ISO("r.finished") ","
    "   'duration_us', r.duration_us, 'lateness_us', r.lateness_us, 'stats', r.stats,"
    "   'error', r.error, 'sqlstate', r.sqlstate, 'exit_code', r.exit_code, 'signal', r.signal)"
    " || CASE WHEN $4::boolean"
    "   THEN jsonb_build_object('last_words', r.last_words, 'result', r.result)"
    "   ELSE '{}'::jsonb END)::text"
    " FROM {s}.run r";
