"""The worker, started as the daemon starts it: a spec on its standard input, lines of JSON on its standard output."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

import office as office_module
from office import MARKER
from programs import BUILD
from servers import alive, wait_until

WORKER = BUILD / "daemon/ingest-worker/ingest-worker"
DONE, FAILED, NOT_UNDERSTOOD = 0, 1, 2
PASSWORD = "best"


class Site:
    """A database, and jobs of SQL that run against it."""

    def __init__(self, home, url, sql):
        self.home, self.url, self.sql = home, url, sql
        self.started = []

    def spec(self, text, **more):
        path = self.home / "job.sql"
        if isinstance(text, bytes):
            path.write_bytes(text)
        elif text is not None:
            path.write_text(text)
        return {"job": "tidy", "kind": "query", "run": 1, "pass": 1, "scheduled_us": 1754000000000000, "windows": [],
                "sql": str(path), "time_zone": "UTC", "database": {"url": self.url}, "books": {"url": self.url},
                "schema": "ingest", "time_limit_us": 60_000_000, "memory_max": 128 << 20, "result_rows": 5,
                "transaction": True, "dry_run": False, **more}

    def start(self, text, **more):
        worker = Worker(self.spec(text, **more))
        self.started.append(worker)
        return worker

    def run(self, text, **more):
        return self.start(text, **more).finish()

    def close(self):
        for worker in self.started:
            worker.close()
        for worker in self.started:
            assert "Sanitizer" not in worker.stderr, worker.stderr
            assert MARKER not in worker.stdout + worker.stderr


class Worker:
    def __init__(self, spec):
        text = spec if isinstance(spec, bytes) else json.dumps(spec).encode() + b"\n"
        self.process = subprocess.Popen([str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.pid = self.process.pid
        self.stdout = self.stderr = ""
        self._feeder = threading.Thread(target=self._feed, args=(text,))
        self._feeder.start()

    def _feed(self, text):
        try:
            self.process.stdin.write(text)
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def finish(self, timeout=60):
        self._feeder.join(timeout)
        self.process.stdin = None
        out, err = self.process.communicate(timeout=timeout)
        self.stdout += out.decode()
        self.stderr += err.decode()
        self.code = self.process.returncode
        self.lines = [json.loads(line) for line in self.stdout.splitlines()]
        return self

    def wait_for(self, stage):
        """Reads until it tells that stage."""
        line = ""
        while f'"{stage}"' not in line:
            line = self.process.stdout.readline().decode()
            assert line, "it ended"
            self.stdout += line

    @property
    def stats(self):
        assert self.code == DONE, (self.code, self.stdout, self.stderr)
        return self.lines[-1]["done"]

    def failure(self, code=FAILED):
        assert self.code == code, (self.code, self.stdout, self.stderr)
        assert list(self.lines[-1]) == ["failed"]
        assert not any("done" in line for line in self.lines)
        return self.lines[-1]["failed"]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stdout and not self.process.stdout.closed:
            self.finish()


@pytest.fixture(autouse=True)
def built():
    if not WORKER.exists():
        pytest.fail(f"not built: {WORKER}; set INGESTD_BUILD to the build directory")


@pytest.fixture
def site(tmp_path, postgres):
    """Postgres' own log is not looked at: what a site's file makes the server say is the site's affair."""
    name = f"worker_{os.getpid()}"
    office_module.create_database(postgres, name)
    connection = postgres.connect(name)

    def sql(statement):
        with connection.cursor() as q:
            q.execute(statement)
            return q.fetchall() if q.description else []
    sql("CREATE TABLE kept(k int PRIMARY KEY, v text); GRANT ALL ON kept TO dataeng")
    s = Site(tmp_path, postgres.url(name), sql)
    yield s
    s.close()
    connection.close()
    office_module.drop_database(postgres, name)


@pytest.fixture
def mysql(tmp_path, maria):
    maria.create_database("worker_db")
    s = Site(tmp_path, maria.url("worker_db"), lambda text: maria.sql(text, "worker_db"))
    s.sql("CREATE TABLE kept(k int PRIMARY KEY, v text) ENGINE=InnoDB")
    yield s
    s.close()


@pytest.fixture(params=["postgres", "mysql"])
def either(request):
    return request.getfixturevalue({"postgres": "site", "mysql": "mysql"}[request.param])


def kept(s):
    return [int(row[0]) for row in s.sql("SELECT k FROM kept ORDER BY k")]


def sessions(s):
    return s.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'ingestd job tidy'")


# What goes well.


def test_a_good_file(either):
    w = either.run("INSERT INTO kept VALUES (1, 'a'), (2, NULL);\n-- and now\nSELECT k, v FROM kept ORDER BY k; -- end")
    assert w.stats["columns"] == ["k", "v"]
    assert w.stats["result"] == [["1", "a"], ["2", None]]
    assert (w.stats["statements"], w.stats["rows"], w.stats["truncated"]) == (2, 4, False)
    assert [s["rows"] for s in w.stats["statement"]] == [2, 2]
    assert 0 <= w.stats["seconds"] < 60 and "warning" not in w.stats
    assert all("progress" in line for line in w.lines[:-1]) and w.stderr == ""
    assert kept(either) == [1, 2]


def test_returns_nothing(either):
    w = either.run("SELECT k FROM kept WHERE k < 0")
    assert w.stats["columns"] == ["k"] and w.stats["result"] == [] and w.stats["rows"] == 0


def test_only_the_first_rows_are_kept(site):
    w = site.run("SELECT i, repeat('x', i % 100) FROM generate_series(1, 300000) i", result_rows=3, memory_max=0)
    assert w.stats["result"] == [["1", "x"], ["2", "xx"], ["3", "xxx"]] and w.stats["truncated"]
    assert w.stats["rows"] == 300000


def test_a_result_is_small_whatever_it_was(site):
    w = site.run("SELECT repeat(chr(1), 100000) AS v, '\\xff00'::bytea FROM generate_series(1, 1000)", result_rows=1000)
    assert len(json.dumps(w.stats)) < 64 * 1024 and w.stats["truncated"]
    assert w.stats["result"][0][0].endswith("…")


def test_progress_comes_seldom(site):
    w = site.run("SELECT pg_sleep(0.01), repeat('x', 9000) FROM generate_series(1, 150)")
    rows = [line["progress"]["done"] for line in w.lines if "progress" in line and line["progress"]["unit"] == "rows"]
    assert 4 <= len(rows) <= 4 * w.stats["seconds"] + 3
    assert rows == sorted(rows)


def test_a_dry_run_leaves_nothing(either):
    w = either.run("INSERT INTO kept VALUES (1, 'a'); SELECT count(*) FROM kept", dry_run=True)
    assert w.stats["result"] == [["1"]] and w.stats["dry_run"]
    assert kept(either) == []


def test_settings_of_the_transaction_come_first(site):
    w = site.run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SHOW transaction_isolation")
    assert w.stats["result"] == [["serializable"]]


def test_statements_that_bear_no_transaction(site):
    w = site.run("VACUUM kept;\nVACUUM kept")
    assert w.failure()["sqlstate"] == "25001" and "`transaction: no`" in w.failure()["error"]
    w = site.run("VACUUM kept;\nVACUUM kept", transaction=False)
    assert [s["tag"] for s in w.stats["statement"]] == ["VACUUM", "VACUUM"]


def test_a_spec_without_its_newline(site):
    w = Worker(json.dumps(site.spec("SELECT 1")).encode())
    site.started.append(w)
    assert w.finish().stats["rows"] == 1


# Files that end their transaction.


def test_a_file_that_commits_is_noticed(either):
    w = either.run("INSERT INTO kept VALUES (1, 'a'); COMMIT; INSERT INTO kept VALUES (2, 'b')")
    assert "ended its transaction itself" in w.stats["warning"]
    assert kept(either) == [1, 2]


def test_a_file_that_commits_and_fails(either):
    w = either.run("INSERT INTO kept VALUES (1, 'a'); COMMIT;\nSELECT * FROM no_such_table")
    assert "stays" in w.failure()["error"] and not w.failure()["transient"]
    assert kept(either) == [1]


def test_a_savepoint_is_no_end(either):
    w = either.run("INSERT INTO kept VALUES (1, 'a'); SAVEPOINT s; INSERT INTO kept VALUES (2, 'b'); ROLLBACK TO s")
    assert "warning" not in w.stats
    assert kept(either) == [1]


def test_a_dry_run_of_a_file_that_commits_is_refused_before(either):
    w = either.run("INSERT INTO kept VALUES (1, 'a');\nCOMMIT", dry_run=True)
    assert "COMMIT on line 2" in w.failure()["error"]
    assert kept(either) == []


def test_mysql_commits_where_it_makes_tables(mysql):
    assert "CREATE TABLE" in mysql.run("CREATE TABLE more(a int)", dry_run=True).failure()["error"]
    w = mysql.run("INSERT INTO kept VALUES (1, 'a'); CREATE TABLE more(a int)")
    assert "ended its transaction itself" in w.stats["warning"]


def test_mysql_a_procedure_that_commits_in_a_dry_run(mysql):
    mysql.run("CREATE PROCEDURE p() BEGIN INSERT INTO kept VALUES (1, 'a'); COMMIT; END", transaction=False)
    assert "CHANGED" in mysql.run("CALL p()", dry_run=True).failure()["error"]
    assert kept(mysql) == [1]


def test_mysql_tables_without_transactions(mysql):
    mysql.sql("CREATE TABLE old(a int) ENGINE=MyISAM")
    assert "CHANGED" in mysql.run("INSERT INTO old VALUES (1)", dry_run=True).failure()["error"]
    assert "stay so" in mysql.run("INSERT INTO old VALUES (1); SELECT * FROM nope").failure()["error"]


# What fails.


def test_the_line_of_a_failure(either):
    w = either.run("INSERT INTO kept VALUES (1, 'a');\n\n\nSELECT * FROM no_such_table;\n")
    assert "job.sql" in w.failure()["error"] and "line 4" in w.failure()["error"]
    assert "no_such_table" in w.failure()["error"]
    assert w.failure()["sqlstate"] == {"postgresql": "42P01", "mysql": "42S02"}[either.url.split(":")[0]]
    assert not w.failure()["transient"]
    assert kept(either) == []


def test_the_line_of_a_failure_that_only_shows_at_work(site):
    w = site.run("INSERT INTO kept VALUES (1, 'a');\n\n\nSELECT 1 /\n 0")
    assert "from line 4 on" in w.failure()["error"] and w.failure()["sqlstate"] == "22012"


def test_without_a_transaction_what_was_done_stays(either):
    w = either.run("INSERT INTO kept VALUES (1, 'a');\nSELECT * FROM no_such_table", transaction=False)
    assert "stays" in w.failure()["error"]
    assert kept(either) == [1]


@pytest.mark.parametrize("text, words", [
    (None, "No such file"), ("", "is empty"), ("-- only\n/* comments */ ;", "no statement"),
    (b"SELECT 1;\nSELECT '\xfc'", "line 2"), ("SELECT 1".encode("utf-16"), "UTF-"), ("x" * (4 << 20) + "x", "4 MB")],
    ids=["missing", "empty", "comments", "latin1", "utf16", "large"])
def test_files_that_cannot_be_run(site, text, words):
    failure = site.run(text).failure()
    assert words in failure["error"] and str(site.home / "job.sql") in failure["error"]
    assert not failure["transient"]


def test_a_folder_is_no_file(site):
    assert "folder" in site.run("SELECT 1", sql=str(site.home)).failure()["error"]


def test_the_time_limit(either):
    text = {"postgresql": "SELECT pg_sleep(1000)", "mysql": "SELECT count(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"}
    w = either.run(text[either.url.split(":")[0]], time_limit_us=400_000)
    assert "time limit of 400 ms" in w.failure()["error"]


def test_nobody_answers(site):
    port = next(p for p in range(21290, 21299))
    failure = site.run("SELECT 1", database={"url": f"postgresql://dataeng:{PASSWORD}@127.0.0.1:{port}/x"}).failure()
    assert failure["transient"] and PASSWORD not in failure["error"]


def test_no_value_of_a_row_is_said(either):
    either.sql(f"INSERT INTO kept VALUES (1, '{MARKER}')")
    either.sql("CREATE TABLE strict_one(v int NOT NULL)")
    either.sql(f"CREATE TABLE unique_one(v varchar(100) PRIMARY KEY); INSERT INTO unique_one VALUES ('{MARKER}')")
    if either.url.startswith("postgresql"):
        either.sql("GRANT ALL ON strict_one, unique_one TO dataeng")
        either.run(f"DO $$ BEGIN RAISE NOTICE '%', (SELECT v FROM kept); RAISE EXCEPTION '{MARKER}'; END $$").failure()
    either.run("INSERT INTO unique_one SELECT v FROM kept").failure()
    convert = "SELECT v FROM kept" if either.url.startswith("mysql") else "SELECT v::int FROM kept"
    either.run(f"INSERT INTO strict_one {convert}").failure()  # and Site.close() looks for the marker


# The process.


def test_sigterm_ends_it_at_once(site):
    w = site.start("INSERT INTO kept VALUES (1, 'a'); SELECT pg_sleep(1000)")
    w.wait_for("run")
    wait_until(lambda: site.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), 20, "the statement")
    os.kill(w.pid, signal.SIGTERM)
    assert w.finish(5).code in (-signal.SIGTERM, 143)
    wait_until(lambda: not sessions(site), 30, "Postgres to end the session")
    assert kept(site) == []


def test_kill_9_in_a_transaction_leaves_nothing(site):
    w = site.start("INSERT INTO kept VALUES (1, 'a'); SELECT pg_sleep(1000)")
    wait_until(lambda: site.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), 20, "the statement")
    os.kill(w.pid, signal.SIGKILL)
    assert w.finish(5).code == -signal.SIGKILL
    wait_until(lambda: not sessions(site), 30, "Postgres to end the session")
    assert kept(site) == []


def test_the_parent_dies(site):
    """A parent between us and the worker is killed -9; it had told us the worker's pid."""
    spec = site.home / "spec.json"
    spec.write_text(json.dumps(site.spec("INSERT INTO kept VALUES (1, 'a'); SELECT pg_sleep(1000)")))
    out = open(site.home / "out", "w", encoding="utf-8")
    code = ("import subprocess, sys, time\n"
            "p = subprocess.Popen([sys.argv[1]], stdin=open(sys.argv[2]))\n"
            "open(sys.argv[3], 'w').write(str(p.pid))\n"
            "p.wait()")
    parent = subprocess.Popen([sys.executable, "-c", code, str(WORKER), str(spec), str(site.home / "pid")], stdout=out)
    wait_until(lambda: site.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), 20, "the statement")
    pid = int((site.home / "pid").read_text())
    assert alive(pid)
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(pid), 5, "the worker to die")
    os.waitpid(pid, 0)  # it came to us, see adopt_orphans()
    out.close()
    wait_until(lambda: not sessions(site), 30, "Postgres to end the session")
    assert kept(site) == []


def test_nobody_reads(site):
    """The daemon died before the worker could ask to die with it: the first report finds it out."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([str(WORKER)], input=json.dumps(site.spec("INSERT INTO kept VALUES (1, 'a')")).encode(),
                          stdout=write, stderr=subprocess.PIPE, timeout=30, check=False)
    os.close(write)
    assert done.returncode == FAILED and b"reader" in done.stderr
    assert kept(site) == []


def test_no_core_and_no_secret_to_be_seen(site):
    w = site.start("SELECT pg_sleep(1000)")
    wait_until(lambda: sessions(site), 20, "the session")
    proc = pathlib.Path(f"/proc/{w.pid}")
    for name in ("cmdline", "environ"):
        assert PASSWORD.encode() not in (proc / name).read_bytes()
    core = next(l for l in (proc / "limits").read_text().splitlines() if l.startswith("Max core"))
    assert core.split()[4] == "0"


def test_a_password_file(site):
    path = site.home / "secret"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o600)
    url = site.url.replace(f":{PASSWORD}@", "@")
    assert site.run("SELECT 1", database={"url": url, "password_file": str(path)}).stats["rows"] == 1
    path.write_text("wrong-" + MARKER)
    failure = site.run("SELECT 1", database={"url": url, "password_file": str(path)}).failure()
    assert failure["sqlstate"] == "28P01" and not failure["transient"]


# Specs that are none.


@pytest.mark.parametrize("text", [b"", b"\n", b"garbage\n", b"{}\n", b"\xff\xfe\n", b"[" * 100000, b"{" + b" " * (5 << 20)],
                         ids=["nothing", "newline", "words", "empty", "bytes", "deep", "long"])
def test_garbage_for_a_spec(site, text):
    w = Worker(text)
    site.started.append(w)
    failure = w.finish().failure(NOT_UNDERSTOOD)
    assert "spec" in failure["error"] and not failure["transient"]


def test_a_kind_nobody_knows(site):
    assert "hearsay" in site.run("SELECT 1", kind="hearsay").failure(NOT_UNDERSTOOD)["error"]


def test_a_member_is_named(site):
    assert '"dry_run"' in site.run("SELECT 1", dry_run="yes").failure(NOT_UNDERSTOOD)["error"]
    assert '"colour"' in site.run("SELECT 1", colour=1).failure(NOT_UNDERSTOOD)["error"]


# By hand.


def test_it_explains_itself(site):
    for option, words in (("--help", "ingestctl run"), ("--version", "ingest-worker ")):
        done = subprocess.run([str(WORKER), option], capture_output=True, text=True, timeout=30, check=True)
        assert words in done.stdout
    assert subprocess.run([str(WORKER), "--what"], capture_output=True, timeout=30, check=False).returncode == 2
    assert subprocess.run([str(WORKER), "job"], capture_output=True, timeout=30, check=False).returncode == 2


def test_on_a_terminal_it_does_not_wait():
    ours, terminal = os.openpty()
    done = subprocess.run([str(WORKER)], stdin=terminal, capture_output=True, text=True, timeout=30, check=False)
    os.close(ours)
    os.close(terminal)
    assert done.returncode == 2 and "The daemon starts it" in done.stderr
