"""What the tests of the timer share: SQL files, configurations of jobs, and looking at runs."""
import datetime
import pathlib

from servers import wait_until

REPO = pathlib.Path(__file__).resolve().parents[2]
REVENUE_SQL = REPO / "setup/rollup/revenue-by-condition.sql"

# A rollup that counts how often each window was computed and committed: more than once is once too often.
COUNTING_SQL = """
-- name: prepare
CREATE TABLE IF NOT EXISTS {table} (window_start timestamptz PRIMARY KEY, window_end timestamptz NOT NULL, n int NOT NULL);
-- name: compute
INSERT INTO {table} AS t SELECT s, e, 1 FROM unnest($1::timestamptz[], $2::timestamptz[]) AS u(s, e) WHERE $3 <> ''
ON CONFLICT (window_start) DO UPDATE SET n = t.n + 1
"""


def sql_file(office, name, text):
    path = office.home / name
    path.write_text(text)
    return str(path)


def query(office, text, name="job.sql", **more):
    return {"kind": "query", "sql": sql_file(office, name, text), **more}


def rollup(office, text=COUNTING_SQL, name="rollup.sql", table="public.windows", schedule="every 1s", **more):
    return {"kind": "rollup", "sql": sql_file(office, name, text), "table": table, "schedule": schedule, **more}


def timer(office, jobs, streams=(), **more):
    """A daemon with these jobs, once it leads."""
    daemon = office.daemon(list(streams), jobs=jobs, **more)
    wait_until(lambda: leads(daemon), 20, "the daemon to lead", every=0.05)
    return daemon


def leads(daemon):
    code, status = daemon.ctl("status")
    return code != 3 and status and status["leads"] and all(j["state"] != "unknown" for j in status["jobs"])


def job(daemon, name):
    return next(j for j in daemon.ctl("jobs")[1]["jobs"] if j["name"] == name)


RUN_COLUMNS = ("id", "job", "scheduled_for", "window_start", "window_end", "cause", "status", "attempt", "pass",
               "dry_run", "daemon", "pid", "started", "finished", "lateness_us", "duration_us", "stats", "result",
               "error", "sqlstate", "exit_code", "signal", "last_words", "cancel_by")


def runs(office, name=None, status=None):
    """Straight from the table, oldest first, as dicts."""
    if office.sql("SELECT to_regclass('ingest.run') IS NULL")[0][0]:
        return []
    rows = office.sql(f"SELECT {', '.join(RUN_COLUMNS)} FROM ingest.run WHERE (%s IS NULL OR job = %s)"
                      " AND (%s IS NULL OR status = %s) ORDER BY scheduled_for", name, name, status, status)
    return [dict(zip(RUN_COLUMNS, row)) for row in rows]


def wait_runs(office, n, name=None, status="done", timeout=30):
    return wait_until(lambda: (lambda found: found if len(found) >= n else None)(runs(office, name, status)), timeout,
                      f"{n} runs of {name} that are {status}; there are {[(r['status'], r['error']) for r in runs(office, name)][-8:]}",
                      every=0.05)


def backends(office, job_name):
    """Sessions of the job's workers."""
    return office.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", f"ingestd job {job_name}")[0][0]


def missed(office, daemon_is_down_name, seconds):
    """As if the daemon had been down for so long."""
    office.sql("UPDATE ingest.job SET handled_until = handled_until - %s WHERE name = %s",
               datetime.timedelta(seconds=seconds), daemon_is_down_name)
