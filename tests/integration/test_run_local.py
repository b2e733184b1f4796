"""ingestctl run --local: a job of the file done here and now, as the daemon would have it done, without a daemon or its database."""
import json
import os
import pathlib
import signal
import subprocess

import pytest

from programs import INGESTCTL
from servers import wait_until

NOWHERE = "postgresql://dataeng:best@nowhere.invalid/office"


@pytest.fixture(autouse=True)
def built(programs_built):
    pass


class Site:
    """A configuration whose own Postgres cannot be reached, and a DuckDB file for the jobs."""

    def __init__(self, home):
        self.home = home
        self.file = home / "ingestd.yaml"
        self.jobs({})

    def jobs(self, jobs, **more):
        """JSON is YAML."""
        self.file.write_text(json.dumps({
            "postgres": {"url": NOWHERE}, "state_dir": str(self.home / "state"),
            "databases": {"lake": {"url": f"duckdb://{self.home}/lake.duckdb"}}, "jobs": jobs, **more}))

    def sql(self, name, text):
        (self.home / name).write_text(text)
        return name

    def run(self, *args, code=0):
        done = subprocess.run([INGESTCTL, "run", "--local", "--config", self.file, *args], capture_output=True, text=True, timeout=60)
        assert done.returncode == code, f"{done.returncode}: {done.stdout[-1500:]}\n{done.stderr[-1500:]}"
        assert "best" not in done.stdout + done.stderr, "a password is shown"
        return done.stdout if code == 0 else done.stderr


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def query(site, text, **more):
    return {"kind": "query", "database": "lake", "sql": site.sql("query.sql", text), **more}


def test_a_query(site):
    site.jobs({"q": query(site, "CREATE TABLE t AS SELECT 7 AS seven; SELECT seven, 'x' AS x FROM t;")})
    said = site.run("q")
    assert "seven  x" in said and "    7  x" in said and "memory at most" in said
    assert "already" in site.run("q", code=1)


def test_a_query_as_json(site):
    site.jobs({"q": query(site, "SELECT 7 AS seven")})
    stats = json.loads(site.run("q", "--json"))
    assert stats["columns"] == ["seven"] and stats["result"] == [["7"]] and stats["peak_bytes"] > 0


def test_a_dry_run_changes_nothing(site):
    site.jobs({"q": query(site, "CREATE TABLE t AS SELECT 7 AS seven"), "see": {**query(site, ""), "sql": site.sql("see.sql", "SELECT * FROM t")}})
    site.sql("query.sql", "CREATE TABLE t AS SELECT 7 AS seven")
    assert "a dry run: nothing was changed" in site.run("q", "--dry-run")
    site.run("see", code=1)
    site.run("q")
    assert "seven" in site.run("see")


def test_a_sync(site):
    (site.home / "a-2016-02-07.csv").write_text("id,city\n1,ELKO\n2,RENO\n")
    site.jobs({"s": {"kind": "sync", "database": "lake", "table": "t", "source": f"file://{site.home}/a-2016-02-07.csv", "key": "id"}})
    assert json.loads(site.run("s", "--json"))["added"] == 2
    assert "is loaded already" in site.run("s")


def test_its_time_limit_holds(site):
    site.jobs({"q": query(site, "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 1", time_limit="1s")})
    assert "1.0s" in site.run("q", code=1)


def test_ctrl_c_ends_it(site):
    site.jobs({"q": query(site, "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 1")})
    process = subprocess.Popen([INGESTCTL, "run", "--local", "--config", site.file, "q"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def worker():
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [int(c) for c in children if b"ingest-worker" in pathlib.Path(f"/proc/{c}/cmdline").read_bytes()]
    pid = wait_until(worker, 20, "a worker")[0]
    wait_until(lambda: (site.home / "lake.duckdb").exists(), 20, "the database it opens")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130 and "interrupted" in said
    assert not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize("args, code, said", [
    (["q", "--wait"], 2, "--wait is for a run of the daemon's"),
    (["q", "--at", "now"], 2, "--at is for a run of the daemon's"),
    ([], 2, "which job?"),
    (["r"], 2, "is a rollup, whose windows the daemon keeps on record"),
    (["querry"], 1, "no job is called querry in"),
    (["query-s"], 1, "did you mean query-1?"),
], ids=lambda v: str(v))
def test_what_cannot_be(site, args, code, said):
    q = query(site, "SELECT 1")
    site.jobs({"q": q, "query-1": q, "r": {"kind": "rollup", "schedule": "every 1h", "sql": "query.sql", "table": "t"}})
    assert said in site.run(*args, code=code)


def match(site, **more):
    side = {"database": "lake", "sql": site.sql("users.sql", "SELECT 1 AS id, 'Ada' AS lastname")}
    return {"kind": "match", "database": "lake", "table": "t", "left": {"name": "ours", **side}, "right": {"name": "theirs", **side},
            "keys": {"lastname": {}}, **more}


def test_a_mistake_in_the_file(site):
    site.jobs({"m": match(site, batch_fraction="0.2")})
    assert "0.2 is too much: at most 0.1" in site.run("m", code=1)


def test_a_state_folder_that_cannot_be_made(site):
    (site.home / "file").write_text("")
    for folder in (site.home / "file", site.home / "file/deep"):
        site.jobs({"m": match(site)}, state_dir=str(folder))
        said = site.run("m", code=1)
        assert f"the folder {folder}/match" in said and "set state_dir in" in said and "Not a directory" in said


def test_check_looks_for_the_sql_of_the_sides(site):
    job = match(site)
    job["right"] = {**job["right"], "sql": "nowhere.sql"}
    site.jobs({"m": job})
    done = subprocess.run([INGESTCTL, "check", site.file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "job m: the SQL file" in done.stderr and "nowhere.sql" in done.stderr
