"""`check` and `doctor` of jobs and databases: what is wrong with them is said before a daemon runs."""
import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import threading

import pytest

import programs
from servers import HOST, free_port, wait_until
from timer import query, rollup, sql_file

WORKER = programs.BUILD / "daemon/ingest-worker/ingest-worker"
INTERRUPTED = 130


def unstarted(office, jobs=(), databases=(), **more):
    return office.daemon([], start=False, jobs=dict(jobs), databases=dict(databases), **more)


def line_of(daemon, words):
    lines = daemon.config_path.read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if words in line)


# -- check ----------------------------------------------------------------------------------------------------

def test_check_counts_jobs(office):
    daemon = unstarted(office, {"one": query(office, "SELECT 1"), "two": rollup(office)})
    done = daemon.ctl_raw("check", daemon.config_path)
    assert done.returncode == 0 and done.stdout.endswith(": ok, 0 streams, 2 jobs\n"), done.stdout + done.stderr
    assert daemon.ctl("check", daemon.config_path) == (0, {"ok": True, "streams": 0, "jobs": 2})


def test_check_names_every_job_whose_file_is_wrong(office):
    empty = sql_file(office, "empty.sql", "-- nothing yet\n;")
    section = sql_file(office, "section.sql", "-- name: prepare\nSELECT 1;\n-- name: compote\nSELECT 2\n")
    commits = sql_file(office, "commits.sql", "-- name: compute\nSELECT $1, $2, $3;\nCOMMIT\n")
    daemon = unstarted(office, {
        "missing": {"kind": "query", "sql": str(office.home / "nowhere.sql")},
        "blank": {"kind": "query", "sql": empty},
        "typo": {**rollup(office), "sql": section},
        "ends": {**rollup(office), "sql": commits},
        "plain": {**rollup(office), "sql": sql_file(office, "plain.sql", "SELECT 1")},
        "good": rollup(office),
    })
    said = daemon.ctl_raw("check", daemon.config_path)
    assert said.returncode == 1 and not said.stdout
    lines = said.stderr.splitlines()
    for job, words in [("missing", "nowhere.sql cannot be read: No such file"), ("blank", "holds no statement"),
                       ("typo", f'{section}:3: unknown section "compote"'), ("ends", f"{commits}:3: COMMIT"),
                       ("plain", "SQL before the first section")]:
        where = f"{daemon.config_path}:{line_of(daemon, f'  {job}:')}:1: job {job}: "
        assert any(line.startswith(where) and words in line for line in lines), (job, lines)
    assert len(lines) == 5, lines
    assert daemon.ctl("check", daemon.config_path) == (1, {"ok": False, "streams": 0, "jobs": 6})


# -- doctor ---------------------------------------------------------------------------------------------------

def doctor(daemon, **how):
    """(exit code, {what: (ok, words)}), from the JSON; the text says the same."""
    code, found = daemon.ctl("doctor", **how)
    return code, {f["what"]: (f["ok"], f["words"]) for f in found}


def test_doctor_lists_each_store(office):
    (office.home / "drop").mkdir()
    secret = office.home / "key"
    secret.write_text("AKEY:s3cret-word")
    secret.chmod(0o600)
    down = f"http://{HOST}:{free_port()}"
    stores = {"folder": {"url": f"file://{office.home}/drop"}, "gone": {"url": f"file://{office.home}/nowhere"},
              "down": {"url": "s3://bucket/north", "endpoint": down, "credentials_file": str(secret)},
              "keyless": {"url": "s3://bucket", "endpoint": down, "credentials_file": str(office.home / "nokey")}}
    code, found = doctor(unstarted(office, stores=stores))
    assert code == 3, found
    assert found["worker"][0] and found["store folder"][0] and found["store folder"][1].startswith("answers, ")
    for name, words in [("gone", "nowhere"), ("down", "s3://bucket/north"), ("keyless", "nokey")]:
        ok, said = found[f"store {name}"]
        assert not ok and words in said and "s3cret" not in said, said


def test_doctor_tries_each_database(office, maria):
    maria.create_database("doctor_db")
    daemon = unstarted(office, {}, {"warehouse": {"url": maria.url("doctor_db")}, "second": {"url": office.url()}})
    code, found = doctor(daemon)
    assert code == 0, found
    assert found["worker"][0] and str(WORKER.resolve()) == os.path.realpath(found["worker"][1].split(",")[0])
    version = maria.sql("SELECT version()")[0][0].split("-")[0]
    assert found["database warehouse"][1].startswith(f"MariaDB {version}, ")
    version = office.sql("SHOW server_version")[0][0].split()[0]
    assert found["database second"][1].startswith(f"PostgreSQL {version}, ")
    text = daemon.ctl_raw("doctor")
    assert text.returncode == 0 and "ok      database warehouse: MariaDB" in text.stdout


def test_doctor_looks_at_the_worker_only_where_it_is_needed(office):
    assert "worker" not in doctor(unstarted(office))[1]
    assert "worker" in doctor(unstarted(office, {"one": query(office, "SELECT 1")}, name="two"))[1]


def test_doctor_says_why_a_database_cannot_be_had(office, maria):
    maria.create_database("doctor_db")
    closed = free_port()
    daemon = unstarted(office, {}, {
        "maria": {"url": maria.url("doctor_db", password="wrong-sesame")},
        "pg": {"url": office.url().replace("best", "wrong-sesame")},
        "nobody": {"url": maria.url("doctor_db", port=closed, password="sesame")},
        "nothing": {"url": maria.url("nowhere_db")},
        "good": {"url": maria.url("doctor_db")},
    })
    code, found = doctor(daemon)
    said = daemon.ctl_raw("doctor")
    assert code == said.returncode == 4, found
    assert not found["database maria"][0] and "denied" in found["database maria"][1]
    assert not found["database pg"][0] and "password" in found["database pg"][1]
    assert not found["database nobody"][0] and str(closed) in found["database nobody"][1]
    assert not found["database nothing"][0] and "nowhere_db" in found["database nothing"][1]
    assert found["database good"][0]
    assert "FAILED  database maria: " in said.stdout
    assert "sesame" not in str(found) + said.stdout + said.stderr


def test_doctor_reads_the_password_file(office, maria):
    maria.create_database("doctor_db")
    password = office.home / "password"
    password.write_text("best\n")
    password.chmod(0o600)
    url = maria.url("doctor_db").replace(":best", "")
    daemon = unstarted(office, {}, {"warehouse": {"url": url, "password_file": str(password)}})
    assert doctor(daemon)[0] == 0
    password.chmod(stat.S_IRUSR | stat.S_IROTH)
    code, found = doctor(daemon)
    assert code == 1 and str(password) in found["database warehouse"][1]


@contextlib.contextmanager
def silent_server():
    """Takes connections and never says a word; yields its port, and an event set by the first connection."""
    connected = threading.Event()
    with socket.create_server((HOST, 0)) as s:
        kept = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    kept.append(s.accept()[0])
                    connected.set()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield s.getsockname()[1], connected
        finally:
            s.shutdown(socket.SHUT_RDWR)
            for c in kept:
                c.close()
            thread.join()


@pytest.mark.slow
def test_doctor_does_not_wait_for_ever(office):
    with silent_server() as (port, _):
        daemon = unstarted(office, {}, {"mute": {"url": f"mysql://u:sesame@{HOST}:{port}/x"}})
        code, found = doctor(daemon, timeout=30)
    assert code == 1 and not found["database mute"][0] and "sesame" not in str(found), found


def test_interrupted_it_ends_the_worker(office):
    with silent_server() as (port, connected):
        daemon = unstarted(office, {}, {"mute": {"url": f"mysql://u@{HOST}:{port}/x"}})
        p = subprocess.Popen([programs.INGESTCTL, "--config", daemon.config_path, "doctor"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with p:
            assert connected.wait(20)
            workers = subprocess.run(["pgrep", "-P", str(p.pid)], capture_output=True, text=True).stdout.split()
            assert len(workers) == 1
            p.send_signal(signal.SIGINT)
            assert p.wait(10) == INTERRUPTED
            wait_until(lambda: not os.path.exists(f"/proc/{workers[0]}"), 10, "the worker to end")


# The worker is found beside ingestctl: a copy of ingestctl finds what the test puts there.

def with_worker(office, script):
    folder = office.home / "programs"
    for name in ("ingestctl", "ingest-worker"):
        (folder / name).mkdir(parents=True)
    ctl, worker = folder / "ingestctl/ingestctl", folder / "ingest-worker/ingest-worker"
    shutil.copy(programs.INGESTCTL, ctl)
    worker.write_text(script)
    worker.chmod(0o755)
    daemon = unstarted(office, {}, {"other": {"url": office.url()}})
    done = subprocess.run([ctl, "--config", daemon.config_path, "doctor"], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


@pytest.mark.parametrize("script, words", [
    ("#!/bin/sh\n[ $# = 0 ] && exec %s\necho ingest-worker 9.9\n" % WORKER, ["is of version 9.9"]),
    ("#!/bin/sh\necho error while loading shared libraries: libx.so >&2\nexit 127\n",
     ["libx.so", "exit code 127", "last words: error while loading"]),
    ("#!/bin/sh\nexit 0\n", ["does not answer --version", "without saying that it was done"]),
    ("#!/nowhere/sh\n", ["cannot be started", "interpreter"]),
    ("#!/bin/sh\necho \033[31m\n", ["answers --version with: ?[31m", "no report"]),
], ids=["another version", "a library is missing", "silent", "no interpreter", "noise"])
def test_a_worker_that_is_wrong(office, script, words):
    code, text = with_worker(office, script)
    assert code == (1 if "9.9" in script else 2), text
    assert "FAILED  worker: " in text
    for w in words:
        assert w in text, text
