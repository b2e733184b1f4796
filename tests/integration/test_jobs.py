"""Jobs as their owners see them: fired, run by hand, failed, mended, cancelled, paused, filled in, and on record."""
import datetime
import os
import signal
import time

import pytest

from office import MARKER
from servers import wait_until
from timer import (backends, job, leads, missed, query, rollup, runs, sql_file, timer, wait_runs)


# -- firing ---------------------------------------------------------------------------------------------------

def test_a_schedule_fires_on_the_clock_and_each_run_is_on_record(office):
    daemon = timer(office, {"tick": query(office, "SELECT 42 AS answer", schedule="every 1s")})
    done = wait_runs(office, 3, "tick")
    for run in done:
        assert run["scheduled_for"].microsecond == 0
        assert run["cause"] == "schedule" and run["attempt"] == 1 and run["exit_code"] == 0
        assert run["lateness_us"] >= 0 and run["duration_us"] > 0 and run["pid"] > 0
        assert run["stats"]["statements"] == 1 and run["stats"]["rows"] == 1
        assert run["result"]["columns"] == ["answer"] and run["result"]["rows"] == [["42"]]
    assert len({r["scheduled_for"] for r in done}) == len(done)
    seen = wait_until(lambda: (lambda j: j if j["succeeded"] >= 3 else None)(job(daemon, "tick")), 10, "the job's count")
    assert seen["failed"] == 0 and len(seen["next"]) == 3


CLOCK_SQL = "SELECT extract(epoch FROM clock_timestamp())"


def before_its_time(office):
    """A run that is taken, and waits for its time with its worker up: number and time."""
    wait_runs(office, 1)
    return wait_until(lambda: office.sql("SELECT id, scheduled_for FROM ingest.run WHERE status = 'running'"
                                         " AND scheduled_for > clock_timestamp() + interval '50 ms'"), 30,
                      "a run that waits for its time", every=0.005)[0]


def ran_at_its_time(run):
    return float(run["result"]["rows"][0][0]) >= run["scheduled_for"].timestamp()


def test_a_run_is_taken_before_its_time_and_begins_on_the_stroke(office):
    timer(office, {"tick": query(office, CLOCK_SQL, schedule="every 2s")})
    number, _ = before_its_time(office)
    wait_until(lambda: [r for r in runs(office, "tick", "done") if r["id"] == number], 10, "its end")
    for run in runs(office, "tick", "done"):
        assert ran_at_its_time(run)
        assert run["started"] >= run["scheduled_for"] and run["finished"] > run["started"]


def test_a_worker_that_dies_before_its_time_is_not_followed_by_one_that_begins_before_it(office):
    daemon = timer(office, {"tick": query(office, CLOCK_SQL, schedule="every 2s", retry_after="100ms")})
    number, at = before_its_time(office)
    os.kill(wait_until(lambda: worker_pids(daemon), 1, "its worker", every=0.001)[0], signal.SIGKILL)
    run = wait_until(lambda: [r for r in runs(office, "tick", "done") if r["id"] == number], 10, "another attempt")[0]
    assert run["attempt"] == 2 and run["scheduled_for"] == at and ran_at_its_time(run)


def test_what_a_daemon_left_before_its_time_is_not_begun_before_it(office):
    """As one leaves it that was killed in that quarter of a second and is back at once."""
    daemon = timer(office, {"hand": query(office, CLOCK_SQL)})
    name = daemon.ctl("jobs")[1]["leader"]
    daemon.kill9()
    office.sql("INSERT INTO ingest.run (job, scheduled_for, cause, status, attempt, pass, daemon, created, not_before, started)"
               " SELECT 'hand', at, 'schedule', 'running', 1, nextval('ingest.pass'), %s, at, at, at"
               " FROM (SELECT clock_timestamp() + interval '1900 ms') t(at)", name)
    daemon.start()
    run = wait_runs(office, 1, "hand")[0]
    assert run["attempt"] == 2 and ran_at_its_time(run)


def test_an_orderly_end_before_its_time_gives_the_run_back(office):
    daemon = timer(office, {"tick": query(office, CLOCK_SQL, schedule="every 2s")})
    number, _ = before_its_time(office)
    assert daemon.terminate() == 0
    left = next(r for r in runs(office, "tick") if r["id"] == number)
    assert left["status"] == "waiting" and left["attempt"] == 0 and left["result"] is None
    daemon.start()
    run = wait_until(lambda: [r for r in runs(office, "tick", "done") if r["id"] == number], 10, "the run")[0]
    assert run["attempt"] == 1 and ran_at_its_time(run)


def test_a_run_that_is_cancelled_before_its_time_does_not_begin(office):
    office.sql("CREATE TABLE made (at timestamptz); GRANT ALL ON made TO dataeng")
    daemon = timer(office, {"tick": query(office, "INSERT INTO made VALUES (now()); SELECT pg_sleep(1)", schedule="every 3s")})
    number, _ = before_its_time(office)
    assert daemon.ctl("cancel", number)[0] == 0
    run = wait_until(lambda: [r for r in runs(office, "tick", "cancelled") if r["id"] == number], 10, "its end")[0]
    assert run["attempt"] == 1 and run["result"] is None
    n = len(runs(office, "tick", "done"))
    wait_runs(office, n + 1, "tick")  # the next one comes all the same
    assert len(runs(office, "tick", "done")) == office.sql("SELECT count(*) FROM made")[0][0]


def test_a_run_ordered_for_the_time_of_a_firing_is_no_earlier_than_that(office):
    daemon = timer(office, {"tick": query(office, CLOCK_SQL, schedule="every 2s")})
    at = int(time.time()) // 2 * 2 + 4
    code, answer = daemon.ctl("run", "tick", "--at", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)))
    assert code == 0
    run = wait_until(lambda: [r for r in runs(office, "tick", "done") if r["id"] == answer["id"]], 10, "the run")[0]
    assert run["cause"] == "manual" and run["scheduled_for"].timestamp() == at and ran_at_its_time(run)


def test_a_run_that_is_over_by_the_time_of_a_firing_is_no_overlap(office):
    """It waits a quarter of a second before the firing. On a slow machine it may not be over then, and is tried again."""
    timer(office, {"tick": query(office, "SELECT 1", schedule="every 2s")})
    wait_runs(office, 1)
    for _ in range(10):
        number = office.sql("INSERT INTO ingest.run (job, scheduled_for, cause, status, created, not_before)"
                            " SELECT 'tick', at - interval '200 ms', 'manual', 'waiting', now(), at - interval '200 ms' FROM"
                            " (SELECT to_timestamp(floor(extract(epoch FROM now()) / 2) * 2 + 4)) t(at) RETURNING id")[0][0]
        own = wait_until(lambda: [r for r in runs(office, "tick", "done") if r["id"] == number], 10, "the run")[0]
        firing = own["scheduled_for"] + datetime.timedelta(milliseconds=200)
        next_one = wait_until(lambda: [r for r in runs(office) if r["scheduled_for"] == firing and r["finished"]], 10, "the firing")[0]
        if own["finished"] < firing - datetime.timedelta(milliseconds=60):
            break
    else:
        pytest.skip("no run of SELECT 1 was over within 200 ms on this machine")
    assert next_one["status"] == "done"


def test_a_cron_line_in_its_zone_shows_its_next_firings(office):
    daemon = timer(office, {"early": query(office, "SELECT 1", schedule="30 3 * * mon-fri", time_zone="America/New_York")})
    shown = job(daemon, "early")
    assert shown["schedule"] == "30 3 * * mon-fri" and shown["time_zone"] == "America/New_York"
    for at in shown["next"]:
        assert at.endswith(("07:30:00.000Z", "08:30:00.000Z"))
    assert daemon.ctl("jobs", json_output=False)[0] == 0


def test_an_overlap_is_skipped_and_counted(office):
    daemon = timer(office, {"slow": query(office, "SELECT pg_sleep(2.5)", schedule="every 1s")})
    wait_runs(office, 2, "slow")
    skipped = runs(office, "slow", "skipped")
    assert skipped and all("still under way" in r["error"] and r["attempt"] == 0 for r in skipped)
    running = [(r["started"], r["finished"]) for r in runs(office, "slow", "done")]
    assert all(b[0] >= a[1] for a, b in zip(running, running[1:]))
    assert wait_until(lambda: job(daemon, "slow")["skipped"], 5, "skipped runs to be counted") > 0


def test_a_bad_job_delays_no_other(office):
    daemon = timer(office, {
        "endless": query(office, "SELECT pg_sleep(1000)", "endless.sql", schedule="every 1s", time_limit="2s", retries=0),
        "missing": {"kind": "query", "sql": str(office.home / "nowhere.sql"), "schedule": "every 1s", "retries": 0},
        "good": query(office, "SELECT 1", "good.sql", schedule="every 1s"),
    }, workers=2)
    good = wait_runs(office, 4, "good")
    assert max(r["lateness_us"] for r in good) < 5_000_000
    wait_runs(office, 1, "endless", "failed")
    assert daemon.ctl("status")[1]["state"] == "FAILED"


# -- by hand --------------------------------------------------------------------------------------------------

def test_run_and_wait(office):
    daemon = timer(office, {"hand": query(office, "CREATE TABLE made AS SELECT 7 AS x; SELECT x FROM made")})
    code, answer = daemon.ctl("run", "hand", "--wait")
    assert code == 0, answer
    assert office.sql("SELECT x FROM made") == [(7,)]
    run = runs(office, "hand")[0]
    assert run["cause"] == "manual" and run["status"] == "done"
    seen = wait_until(lambda: (lambda j: j if j["succeeded"] else None)(job(daemon, "hand")), 10, "the job's count")
    assert seen["last_duration_us"] > 0 and seen["last_lateness_us"] is None
    code, text = daemon.ctl("runs", "--id", run["id"], json_output=False)
    assert code == 0 and "hand" in text and "done" in text
    # By hand again: another run, which fails because the table is there.
    code, _ = daemon.ctl("cancel", run["id"])
    assert code == 1


def test_a_dry_run_leaves_nothing(office):
    daemon = timer(office, {"hand": query(office, "CREATE TABLE made AS SELECT 7 AS x")})
    code, _ = daemon.ctl("run", "hand", "--dry-run")
    assert code == 0
    assert office.sql("SELECT to_regclass('made')") == [(None,)]
    run = runs(office, "hand")[0]
    assert run["dry_run"] and run["status"] == "done"
    assert job(daemon, "hand")["succeeded"] == 0


def test_unknown_names_are_refused(office):
    daemon = timer(office, {"hand": query(office, "SELECT 1"), "tick": rollup(office, schedule="every 1h")})
    for args in (["run", "hant"], ["backfill", "hant", "--from", "2026-01-01", "--to", "2026-01-02"], ["pause", "hant"],
                 ["cancel", "999999"], ["backfill", "hand", "--from", "2026-01-01", "--to", "2026-01-02"]):
        done = daemon.ctl_raw(*args)
        assert done.returncode == 1 and done.stderr, args
    done = daemon.ctl_raw("run", "tick", "--at", "9999-01-01T00:00:00Z")
    assert done.returncode == 1 and "no window" in done.stderr


def test_pause_and_resume(office):
    daemon = timer(office, {"tick": rollup(office)})
    wait_runs(office, 2, "tick")
    assert daemon.ctl("pause", "tick")[0] == 0
    wait_until(lambda: job(daemon, "tick")["state"] == "paused", 10, "the job to be paused")
    before = len(runs(office, "tick"))
    assert daemon.ctl("status")[0] == 0
    time_of_two = time.monotonic() + 2.2
    wait_until(lambda: time.monotonic() > time_of_two, 5, "two firings' time")
    assert len(runs(office, "tick")) == before
    assert daemon.ctl("resume", "tick")[0] == 0
    wait_runs(office, before + 3, "tick")
    windows = office.sql("SELECT window_start, window_end, n FROM windows ORDER BY 1")
    assert all(a[1] == b[0] for a, b in zip(windows, windows[1:]))  # what was missed has been caught up with
    assert all(n == 1 for _, _, n in windows)


# -- rollups: windows -----------------------------------------------------------------------------------------

def test_missed_windows_are_one_pass(office):
    daemon = timer(office, {"tick": rollup(office, schedule="every 10m")})
    assert daemon.terminate() == 0
    missed(office, "tick", 1000 * 600)
    daemon.start()
    done = wait_runs(office, 1000, "tick", timeout=60)
    assert len(done) == 1000 and len({r["pass"] for r in done}) == 1
    assert {r["cause"] for r in done[:-1]} == {"catch-up"}  # the newest may have been due this very minute
    assert office.sql("SELECT count(*), max(n), max(window_end) - min(window_start) = interval '10 min' * 1000 FROM windows") == \
        [(1000, 1, True)]


def test_each_window_of_a_pass_is_late_by_its_own_time(office):
    daemon = timer(office, {"tick": rollup(office)})
    assert daemon.terminate() == 0
    missed(office, "tick", 30)
    daemon.start()
    first = wait_runs(office, 30, "tick")[0]["pass"]
    together = wait_until(lambda: [r for r in runs(office, "tick", "done") if r["pass"] == first and r["finished"]], 10,
                          "the pass to be on record")  # its worker says "done" before that
    assert len(together) >= 29
    assert len({r["scheduled_for"] + datetime.timedelta(microseconds=r["lateness_us"]) for r in together}) == 1


def test_backfill_fills_each_window_once(office):
    daemon = timer(office, {"tick": rollup(office, schedule="every 10m")})
    code, answer = daemon.ctl("backfill", "tick", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-08T00:00:00Z")
    assert code == 0, answer
    assert office.sql("SELECT count(*), min(window_start) = '2026-01-01Z', max(window_end) = '2026-01-08Z', max(n) FROM windows") \
        == [(7 * 144, True, True, 1)]
    assert daemon.ctl("backfill", "tick", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T01:00:00Z")[0] == 0
    assert office.sql("SELECT count(*) FROM windows WHERE n = 2") == [(6,)]
    for span in (("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), ("2099-01-01", "2099-01-02")):
        done = daemon.ctl_raw("backfill", "tick", "--from", span[0], "--to", span[1])
        assert done.returncode in (1, 2) and done.stderr


def test_windows_that_failed_are_made_good_when_it_is_mended(office):
    broken = "-- name: compute\nINSERT INTO nowhere SELECT $1, $2, $3"
    daemon = timer(office, {"tick": rollup(office, broken, retries=0)})
    wait_runs(office, 3, "tick", "failed")
    condition = daemon.wait_for_condition(["job tick", "failing"])
    assert condition["severity"] == "failed" and "nowhere" in condition["what"]
    from timer import COUNTING_SQL
    sql_file(office, "rollup.sql", COUNTING_SQL)
    wait_until(lambda: not runs(office, "tick", "failed") and len(runs(office, "tick", "done")) > 4, 30,
               "the failed windows to be computed")
    daemon.wait_healthy()
    windows = office.sql("SELECT window_start, window_end, n FROM windows ORDER BY 1")
    assert all(a[1] == b[0] for a, b in zip(windows, windows[1:])) and all(n == 1 for _, _, n in windows)


def test_a_window_that_cannot_be_computed_takes_no_other_with_it(office):
    """Every window whose second is a multiple of four divides by zero."""
    poison = """-- name: prepare
CREATE TABLE IF NOT EXISTS {table} (window_start timestamptz PRIMARY KEY, n int);
-- name: compute
INSERT INTO {table} SELECT s, 4 / (extract(second FROM e)::int % 4) FROM unnest($1::timestamptz[], $2::timestamptz[]) AS u(s, e) WHERE $3 <> ''
ON CONFLICT DO NOTHING"""
    timer(office, {"tick": rollup(office, poison, retries=1, retry_after="200ms")})
    done = wait_runs(office, 8, "tick", "done", timeout=60)
    assert not [r for r in done if r["scheduled_for"].second % 4 == 0]
    wait_runs(office, 1, "tick", "failed")
    newest = max(r["scheduled_for"] for r in done)
    wait_until(lambda: not [r for r in runs(office, "tick") if r["scheduled_for"] < newest and r["scheduled_for"].second % 4
                            and r["status"] != "done"], 30, "all other windows to be done")


# -- bad SQL --------------------------------------------------------------------------------------------------

def test_a_missing_file_is_tried_again_and_then_said(office):
    path = str(office.home / "late.sql")
    daemon = timer(office, {"late": {"kind": "query", "sql": path, "retries": 2, "retry_after": "200ms"}})
    done = daemon.ctl_raw("run", "late", "--wait")
    assert done.returncode == 1
    run = runs(office, "late")[0]
    assert run["status"] == "failed" and run["attempt"] == 3 and path in run["error"]
    condition = daemon.wait_for_condition(["job late", "late.sql"])
    assert condition["remedy"]
    sql_file(office, "late.sql", "SELECT 1")
    assert daemon.ctl("run", "late", "--wait")[0] == 0
    daemon.wait_healthy()


def test_sql_that_fails_says_where_and_shows_no_row(office):
    office.sql("CREATE TABLE unique_text (x text PRIMARY KEY); GRANT ALL ON unique_text TO dataeng")
    daemon = timer(office, {
        "syntax": query(office, "SELECT 1;\nSELECT 2;\nSELEKT 3", "syntax.sql", retries=0),
        "row": query(office, f"INSERT INTO unique_text VALUES ('{MARKER}'), ('{MARKER}')", "row.sql", retries=0),
        "empty": query(office, "-- nothing\n", "empty.sql", retries=0),
        "nothing": query(office, "SELECT 1 WHERE false", "nothing.sql", retries=0),
    }, log_level="debug")
    # Postgres logs the text of a statement that fails, and here the marker is in the text, which is the site's own.
    for name in ("syntax", "empty"):
        assert daemon.ctl_raw("run", name, "--wait").returncode == 1
    assert daemon.ctl_raw("run", "nothing", "--wait").returncode == 0
    by_name = {r["job"]: r for r in runs(office)}
    assert by_name["syntax"]["sqlstate"] == "42601" and "line 3" in by_name["syntax"]["error"]
    assert "statement" in by_name["empty"]["error"]
    assert by_name["nothing"]["stats"]["rows"] == 0


def test_an_endless_run_is_ended_by_its_limit(office):
    daemon = timer(office, {"endless": query(office, "SELECT pg_sleep(1000)", time_limit="1s", retries=0)})
    assert daemon.ctl_raw("run", "endless", "--wait").returncode == 1
    run = runs(office, "endless")[0]
    assert run["status"] == "failed" and run["error"]
    wait_until(lambda: backends(office, "endless") == 0, 10, "its session to be gone")


def test_cancel_ends_the_worker_and_its_session(office):
    daemon = timer(office, {"endless": query(office, "SELECT pg_sleep(1000)")})
    code, answer = daemon.ctl("run", "endless")
    assert code == 0
    wait_until(lambda: backends(office, "endless") == 1, 10, "the worker's session")
    assert daemon.ctl("cancel", answer["id"])[0] == 0
    run = wait_runs(office, 1, "endless", "cancelled")[0]
    assert "uid" in run["cancel_by"] and run["attempt"] == 1
    wait_until(lambda: backends(office, "endless") == 0, 10, "its session to be gone")
    daemon.wait_healthy()


# -- everything dies ------------------------------------------------------------------------------------------

SLOW_SQL = """-- name: prepare
CREATE TABLE IF NOT EXISTS {table} (window_start timestamptz PRIMARY KEY, window_end timestamptz NOT NULL, n int NOT NULL);
-- name: compute
INSERT INTO {table} AS t SELECT s, e, 1 FROM unnest($1::timestamptz[], $2::timestamptz[]) AS u(s, e), pg_sleep(0.8) WHERE $3 <> ''
ON CONFLICT (window_start) DO UPDATE SET n = t.n + 1
"""


def once_each(office):
    """Every window up to now comes to be done, once; no firing was left out."""
    newest = runs(office, "tick")[-1]["scheduled_for"]
    wait_until(lambda: not [r for r in runs(office, "tick") if r["scheduled_for"] <= newest and r["status"] != "done"], 60,
               "every window to be done")
    windows = office.sql("SELECT window_start, window_end, n FROM windows WHERE window_end <= %s ORDER BY 1", newest)
    assert windows
    assert all(a[1] == b[0] for a, b in zip(windows, windows[1:])), "a window is missing"
    assert all(n == 1 for _, _, n in windows), "a window was computed twice"


def test_kill_9_of_the_daemon_in_the_middle_of_a_run(office):
    daemon = timer(office, {"tick": rollup(office, SLOW_SQL)})
    for _ in range(3):
        wait_until(lambda: backends(office, "tick") > 0, 20, "a run under way", every=0.01)
        n = len(runs(office, "tick", "done"))
        daemon.kill9()
        wait_until(lambda: backends(office, "tick") == 0, 20, "the worker to die with its daemon")
        daemon.start()
        wait_runs(office, n + 2, "tick")
    once_each(office)


def test_kill_9_of_the_daemon_in_the_moment_before_a_firing(office):
    daemon = timer(office, {"tick": rollup(office, schedule="every 2s")})
    for _ in range(3):
        number, at = before_its_time(office)
        daemon.kill9()
        daemon.start()
        run = wait_until(lambda n=number: [r for r in runs(office, "tick", "done") if r["id"] == n], 10, "the run")[0]
        assert run["scheduled_for"] == at
    once_each(office)
    assert all(r["finished"] >= r["scheduled_for"] for r in runs(office, "tick", "done") if r["finished"])


def test_kill_9_of_the_worker_in_the_middle_of_a_run(office):
    daemon = timer(office, {"slow": query(office, "CREATE TABLE made AS SELECT 1 AS x FROM pg_sleep(1)", retry_after="200ms")})
    assert daemon.ctl("run", "slow")[0] == 0
    wait_until(lambda: backends(office, "slow") == 1, 10, "the run", every=0.01)
    os.kill(worker_pids(daemon)[0], signal.SIGKILL)
    run = wait_runs(office, 1, "slow", "done")[0]
    assert run["attempt"] == 2
    assert office.sql("SELECT x FROM made") == [(1,)]


def worker_pids(daemon):
    with open(f"/proc/{daemon.pid}/task/{daemon.pid}/children", encoding="ascii") as f:
        return [int(pid) for pid in f.read().split()]


def test_postgres_dies_in_the_middle_of_a_run(office):
    daemon = timer(office, {"tick": rollup(office, SLOW_SQL, retry_after="200ms")})
    wait_until(lambda: backends(office, "tick") > 0, 20, "a run under way", every=0.01)
    office.postgres.kill9()
    office.postgres.start()
    n = len(runs(office, "tick", "done"))
    wait_runs(office, n + 3, "tick")
    daemon.wait_healthy()
    once_each(office)


def test_an_orderly_end_gives_the_run_back(office):
    daemon = timer(office, {"slow": query(office, "SELECT pg_sleep(30)", time_limit="60s")})
    assert daemon.ctl("run", "slow")[0] == 0
    wait_until(lambda: backends(office, "slow") == 1, 10, "the run", every=0.01)
    assert daemon.terminate() == 0
    run = runs(office, "slow")[0]
    assert run["status"] == "waiting" and run["attempt"] == 0 and "ending" in run["error"]
    sql_file(office, "job.sql", "SELECT 1")
    daemon.start()
    assert wait_runs(office, 1, "slow", "done")[0]["attempt"] == 1


def test_no_secret_is_seen_in_a_list_of_processes(office):
    daemon = timer(office, {"slow": query(office, "SELECT pg_sleep(3)")})
    daemon.ctl("run", "slow")
    pid = wait_until(lambda: worker_pids(daemon), 10, "the worker", every=0.01)[0]
    for name in ("cmdline", "environ"):
        with open(f"/proc/{pid}/{name}", "rb") as f:
            text = f.read()
        assert b"postgres" not in text and b"best" not in text
    assert sorted(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))[:3] == [0, 1, 2]


# -- the configuration ----------------------------------------------------------------------------------------

def test_reload_adds_changes_and_removes_jobs(office):
    daemon = timer(office, {"one": query(office, "SELECT 1", "one.sql", schedule="every 1s")})
    wait_runs(office, 1, "one")
    daemon.write_config(office.config([], jobs={"two": query(office, "SELECT 2", "two.sql", schedule="every 1s")}))
    assert daemon.ctl("reload")[0] == 0
    wait_runs(office, 2, "two")
    assert [j["name"] for j in daemon.ctl("jobs")[1]["jobs"]] == ["two"]
    daemon.write_config(office.config([]))
    assert daemon.ctl("reload")[0] == 0
    assert daemon.ctl("jobs")[1]["jobs"] == []
    daemon.wait_healthy()


def test_metrics_of_a_job(office):
    import socket
    import urllib.request
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    daemon = timer(office, {"tick": query(office, "SELECT 1", schedule="every 1s")}, http=f"127.0.0.1:{port}")
    wait_runs(office, 1, "tick")
    wait_until(lambda: job(daemon, "tick")["succeeded"] > 0, 10, "the count")
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    for name in ("ingestd_job_last_success_timestamp_seconds", "ingestd_job_last_duration_seconds",
                 "ingestd_job_last_lateness_seconds", "ingestd_job_runs_total"):
        assert f'{name}{{job="tick"' in text, text


# -- what must not stand in a job's way -----------------------------------------------------------------------

def test_a_run_that_was_ordered_for_later_does_not_hold_up_the_schedule(office):
    daemon = timer(office, {"tick": query(office, "SELECT 1", schedule="every 1s")})
    wait_runs(office, 1, "tick")
    code, _ = daemon.ctl("run", "tick", "--at", "2099-01-01T00:00:00Z")
    assert code == 0
    n = len(runs(office, "tick", "done"))
    wait_runs(office, n + 3, "tick", timeout=8)
    assert [r["cause"] for r in runs(office, "tick", "waiting")][-1] == "manual"


def test_a_backfill_leaves_other_jobs_their_turn(office):
    """One worker for all: what is fired now does not wait behind all that is filled in."""
    daemon = timer(office, {"slow": query(office, "SELECT pg_sleep(0.4)", "slow.sql", schedule="every 1h"),
                            "tick": query(office, "SELECT 1", "tick.sql", schedule="every 1s")}, workers=1)
    office.sql("INSERT INTO ingest.run (job, scheduled_for, cause, status, created, not_before)"
               " SELECT 'slow', now() - i * interval '1 hour', 'backfill', 'waiting', now(), now() - interval '10 min'"
               " FROM generate_series(1, 100) i")
    wait_runs(office, 2, "slow")
    n = len(runs(office, "tick", "done"))
    wait_runs(office, n + 3, "tick", timeout=8)
    assert runs(office, "slow", "waiting") and daemon.running


def test_a_job_may_be_called_null(office):
    timer(office, {"null": query(office, "SELECT 1", schedule="every 1s")})
    wait_runs(office, 1, "null", timeout=8)


def test_a_clock_that_ran_ahead_and_is_set_right(office):
    """Windows that were computed before their time are computed again in it; what waited for a false time is taken."""
    daemon = timer(office, {"tick": rollup(office, schedule="every 1s"), "hand": query(office, "SELECT 1")})
    wait_runs(office, 1, "tick")
    assert daemon.terminate() == 0
    office.sql("INSERT INTO ingest.run (job, scheduled_for, window_start, window_end, cause, status, attempt, created,"
               " not_before, finished) SELECT 'tick', at, at - interval '1s', at, 'schedule', 'done', 1, at, at, at + interval '1s'"
               " FROM generate_series(date_trunc('second', now()), now() + interval '1 hour', interval '1s') at"
               " ON CONFLICT DO NOTHING")
    office.sql("UPDATE ingest.job SET handled_until = now() + interval '1 hour' WHERE name = 'tick'")
    daemon.start()
    wait_until(lambda: office.sql("SELECT count(*) FROM windows WHERE window_end > now() - interval '5s'")[0][0] >= 3, 10,
               "windows to be computed in their time")


@pytest.mark.parametrize("scheduled", ["date_trunc('hour', now())", "now() + interval '1 day' - interval '10 s'"])
def test_what_waits_until_a_false_time_is_taken_when_the_clock_is_right_again(office, scheduled):
    daemon = timer(office, {"tick": query(office, "SELECT 1", schedule="every 1s")})
    assert daemon.terminate() == 0
    office.sql("INSERT INTO ingest.run (job, scheduled_for, cause, status, attempt, created, not_before) VALUES"
               f" ('tick', {scheduled}, 'schedule', 'waiting', 1, now(), now() + interval '1 day')")
    office.sql("UPDATE ingest.job SET handled_until = now() + interval '1 day' WHERE name = 'tick'")
    daemon.start()
    wait_until(lambda: [r for r in runs(office, "tick", "done") if r["attempt"] == 2], 8, "the run that waited")


def test_more_missed_windows_than_are_made_up_for_is_said(office):
    daemon = timer(office, {"tick": rollup(office)})
    wait_runs(office, 1, "tick")
    assert daemon.terminate() == 0
    missed(office, "tick", 10500)
    daemon.start()
    wait_until(lambda: "were missed" in daemon.log_text(), 8, "the log to say that windows are left out")


# -- the timer's own tables -----------------------------------------------------------------------------------

def test_a_leader_without_rights_says_so(office):
    daemon = timer(office, {"tick": query(office, "SELECT 1", schedule="every 1s")})
    assert daemon.terminate() == 0
    office.sql("REVOKE ALL ON ingest.scheduler FROM dataeng; GRANT SELECT ON ingest.scheduler TO dataeng")
    daemon.start()
    condition = daemon.wait_for_condition(["schedule", "42501"])
    assert condition["severity"] == "failed" and condition["remedy"]
    office.sql("GRANT ALL ON ingest.scheduler TO dataeng")
    daemon.wait_healthy()


def test_tables_of_another_shape_are_said_and_a_firing_that_cannot_be_written_too(office):
    daemon = timer(office, {"tick": query(office, "SELECT 1", schedule="every 1s")})
    office.sql("ALTER TABLE ingest.run RENAME COLUMN cancel_by TO cancelled_by")
    daemon.wait_for_condition(["schedule", "42703"])
    office.sql("ALTER TABLE ingest.run RENAME COLUMN cancelled_by TO cancel_by; REVOKE INSERT ON ingest.run FROM dataeng")
    daemon.wait_for_condition(["schedule", "42501"])
    office.sql("GRANT INSERT ON ingest.run TO dataeng")
    daemon.wait_healthy()
    n = len(runs(office, "tick", "done"))
    wait_runs(office, n + 1, "tick")


def test_an_end_that_the_table_refuses_is_recorded_without_its_result(office):
    """As a database does that has no such character: else the run is under way for ever, and its worker's place lost."""
    daemon = timer(office, {"hand": query(office, "SELECT 1")})
    office.sql("ALTER TABLE ingest.run ADD CHECK (result IS NULL)")
    assert daemon.ctl("run", "hand", "--wait", timeout=8)[0] == 0
    run = runs(office, "hand", "done")[0]
    assert run["result"] is None and "23514" in run["error"]


def test_a_row_of_a_job_that_was_deleted_is_made_again(office):
    timer(office, {"tick": query(office, "SELECT 1", schedule="every 1s")})
    wait_runs(office, 1, "tick")
    office.sql("DELETE FROM ingest.job")
    n = len(runs(office, "tick", "done"))
    wait_runs(office, n + 2, "tick", timeout=8)


def test_a_window_that_was_given_up_is_said_until_it_is_computed(office):
    daemon = timer(office, {"tick": rollup(office)})
    run = wait_runs(office, 2, "tick")[0]
    office.sql("UPDATE ingest.run SET status = 'failed', attempt = 20 WHERE id = %s", run["id"])
    condition = daemon.wait_for_condition(["job tick", "window"])
    assert condition["severity"] == "failed" and "backfill" in condition["remedy"]
    at = run["scheduled_for"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert daemon.ctl("run", "tick", "--at", at, "--wait")[0] == 0
    daemon.wait_healthy()


def test_a_run_that_nobody_starts_is_said(office):
    daemon = timer(office, {"endless": query(office, "SELECT pg_sleep(1000)", "endless.sql"),
                            "hand": query(office, "SELECT 1", "hand.sql")}, workers=1)
    assert daemon.ctl("run", "endless")[0] == 0
    wait_until(lambda: backends(office, "endless") == 1, 10, "the run")
    assert daemon.ctl("run", "hand")[0] == 0
    office.sql("UPDATE ingest.run SET not_before = now() - interval '5 min' WHERE job = 'hand'")
    condition = daemon.wait_for_condition(["job hand", "wait"])
    assert "workers" in condition["what"] + condition["remedy"]


# -- a configuration that changes under way -------------------------------------------------------------------

def reload_without_reply(office, jobs, then):
    """The job's runs are taken, and before the answer is there the configuration is another."""
    proxy = office.proxy(office.postgres)
    postgres = {"url": office.url(proxy.port)}
    daemon = office.daemon([], config=office.config([], jobs=jobs, postgres=postgres))
    wait_until(lambda: leads(daemon), 20, "the daemon to lead", every=0.05)
    wait_runs(office, 1, "tick")
    # The daemon must know that the last run ended, or it would not take the next.
    wait_until(lambda: job(daemon, "tick")["state"] == "idle", 10, "a moment between two runs", every=0.01)
    proxy.freeze("replies")
    wait_until(lambda: runs(office, "tick", "running"), 10, "runs to be taken", every=0.01)
    then(daemon, postgres)
    proxy.thaw()
    return daemon


def test_a_job_that_goes_while_its_runs_are_taken_leaves_none_under_way(office):
    jobs = {"tick": rollup(office, schedule="every 2s"), "hand": query(office, "SELECT 1")}

    def remove(daemon, postgres):
        daemon.write_config(office.config([], jobs={"hand": jobs["hand"]}, postgres=postgres))
        assert daemon.ctl("reload")[0] == 0
    daemon = reload_without_reply(office, jobs, remove)
    wait_until(lambda: not runs(office, "tick", "running"), 5, "the run to be given back")
    assert {r["status"] for r in runs(office, "tick")} == {"done", "waiting"}
    assert daemon.ctl("run", "hand", "--wait")[0] == 0


def test_a_schedule_that_comes_later_does_not_make_up_for_the_time_before(office):
    daemon = timer(office, {"hand": query(office, "SELECT 1", "hand.sql")})
    missed(office, "hand", 86400)
    daemon.write_config(office.config([], jobs={"hand": query(office, "SELECT 1", "hand.sql", schedule="every 1h"),
                                                "tick": query(office, "SELECT 1", "tick.sql", schedule="every 1s")}))
    assert daemon.ctl("reload")[0] == 0
    wait_runs(office, 3, "tick")
    assert [r for r in runs(office, "hand") if r["cause"] == "catch-up"] == []
