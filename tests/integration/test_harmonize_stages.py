"""
The recipe of a harmonize, with SQL of a few lines: its stages as they are told by a run that is waited for, by the log, and on record; one run
at a time; what its SQL may set; when a pointer is written, and when what is old is removed.
"""
import datetime
import fcntl
import json
import os
import re
import subprocess

import pytest

from programs import INGESTCTL, to_yaml
from servers import wait_until
from test_duckdb import SANITIZED
from timer import runs, timer

JOB = "sites"
STAGES = ["extract", "stage", "transform", "load", "publish"]
TABLES_SQL = """
CREATE TABLE out.site (site_id BIGINT NOT NULL, name VARCHAR, beds BIGINT);
CREATE TABLE reason AS SELECT 'no_name' AS code, 'rejected' AS kind, 'It has no name.' AS sentence;
"""
FILL_SQL = """
CREATE TABLE main.code AS SELECT * FROM read_csv(getvariable('folder') || '/codes.csv');
INSERT INTO out.quarantine SELECT 'site', 'no_name', 'rejected', 'x', _source, _table, _snapshot, _line, NULL FROM staged.partner WHERE name IS NULL;
INSERT INTO out.site SELECT id::BIGINT, name, beds::BIGINT FROM staged.partner WHERE name IS NOT NULL;
INSERT INTO out.site SELECT id::BIGINT, name, NULL FROM staged.file;
"""


class Site:
    """A table of three sites in the office's database, a folder with a file of one, and a lake in a folder."""

    def __init__(self, office):
        self.office, self.home = office, office.home
        self.lake, self.drop, self.sql = self.home / "lake", self.home / "drop", self.home / "sql"
        for folder in (self.lake, self.drop, self.sql):
            folder.mkdir()
        office.sql("CREATE TABLE site (id int PRIMARY KEY, name text, beds int);"
                   "INSERT INTO site VALUES (1, 'North', 10), (2, 'South', 20), (3, 'East', 30); GRANT SELECT ON site TO dataeng")
        (self.drop / "a.csv").write_text("id,name\n7,Field\n")
        (self.sql / "codes.csv").write_text("code\n1\n")
        self.write("tables.sql", TABLES_SQL)
        self.write("fill.sql", FILL_SQL)
        self.job = {"kind": "harmonize", "lake": "lake", "transform": f"{self.sql}/tables.sql, {self.sql}/fill.sql",
                    "sources": {"partner": {"database": "site", "table": "public.site"},
                                "file": {"store": "drop", "pattern": "*.csv", "columns": "id, name"}},
                    "tables": {"site": {"key": "site_id"}}, "retries": 0, "memory_max": "2GB" if SANITIZED else "256MB"}

    def write(self, name, text):
        (self.sql / name).write_text(text)

    def rest(self):
        return {"databases": {"site": {"url": self.office.url()}},
                "stores": {"lake": {"url": f"file://{self.lake}"}, "drop": {"url": f"file://{self.drop}"}}}

    def daemon(self):
        return timer(self.office, {JOB: self.job}, **self.rest())

    def start(self, *options):
        file = self.home / "local.yaml"
        file.write_text(to_yaml({"postgres": {"url": "postgresql://nobody@127.0.0.1:1/none"}, "state_dir": str(self.home / "state"),
                                 "jobs": {JOB: self.job}, **self.rest()}))
        return subprocess.Popen([str(INGESTCTL), "run", "--local", "--config", str(file), JOB, *options], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *options, code=0):
        with self.start(*options) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{process.returncode}: {out[-2000:]}\n{err[-2000:]}"
        return err if code else out

    def stats(self, *options):
        return json.loads(self.run("--json", *options))

    @property
    def folder(self):
        return self.home / "state/harmonize" / JOB

    def pointer_paths(self):
        return sorted(self.lake.glob("_published/*.json"))

    def pointers(self):
        return [json.loads(p.read_text()) for p in self.pointer_paths()]

    def newest_files(self, version=None, table="site"):
        """Those of a version; None: of the newest."""
        there = set()
        for path in sorted(self.lake.glob(f"{table}/_delta_log/*.json")):
            if version is not None and int(path.stem) > version:
                break
            actions = [json.loads(line) for line in path.read_text().splitlines()]
            there |= {a["add"]["path"] for a in actions if "add" in a}
            there -= {a["remove"]["path"] for a in actions if "remove" in a}
        return there

    def versions(self, table="site"):
        return sorted(int(p.stem) for p in self.lake.glob(f"{table}/_delta_log/*.json"))

    def files(self):
        return {str(p.relative_to(self.lake)) for p in self.lake.rglob("*") if p.is_file()}


@pytest.fixture
def site(office):
    return Site(office)


def told(text):
    """The names of the stages that have lines, in their order."""
    return [m[1] for line in text.splitlines() if (m := re.fullmatch(r"(\w+): .* (?:in|after) [\d.]+ ?m?s\b.*", line))]


# ---- what is told ----

def test_each_stage_has_a_line_when_it_is_over(site):
    said = site.run()
    assert told(said) == STAGES
    assert "transform: 4 rows in" in said and "load: 5 rows, " in said  # and the delivery
    assert "published as number 1" in said and "Elapsed Time: " in said


def test_the_statistics(site):
    site.office.sql("INSERT INTO site VALUES (4, NULL, 1)")
    s = site.stats()
    assert [t["name"] for t in s["stages"]] == STAGES and all(t["outcome"] == "done" and t["attempts"] == 1 and t["us"] > 0 for t in s["stages"])
    assert [(x["name"], x["rows"], x["full"]) for x in s["sources"]] == [("partner", 4, True), ("file", 1, True)]
    tables = {t["name"]: (t["version"], t["inserted"], t["updated"], t["unchanged"], t["rows"]) for t in s["tables"]}
    assert tables == {"site": (0, 4, 0, 0, 4), "quarantine": (0, 1, 0, 0, 1), "delivery": (0, 1, 0, 0, 1)}
    assert (s["staged"], s["quarantined"], s["repaired"], s["published"], s["nothing_new"]) == (5, 1, 0, 1, False)
    assert s["quarantine"] == [{"table": "site", "reason": "no_name", "kind": "rejected", "rows": 1}]
    entry = (site.lake / "quarantine/_delta_log" / f"{0:020}.json").read_text().splitlines()
    (stats,) = [json.loads(a["add"]["stats"]) for a in map(json.loads, entry) if "add" in a]
    assert "reason" in stats["minValues"] and not {"raw", "detail"} & (set(stats["minValues"]) | set(stats["maxValues"]))


def test_the_daemon_tells_of_each_stage(site):
    daemon = site.daemon()
    code, text = daemon.ctl("run", JOB, "--wait", json_output=False)
    assert code == 0 and "published as number 1" in text, text
    run = runs(site.office, JOB)[0]
    assert [s["name"] for s in run["stats"]["stages"]] == STAGES
    lines = [line for line in daemon.log_text().splitlines() if f"job {JOB}: run {run['id']}: " in line]
    assert [line.rpartition(f"run {run['id']}: ")[2].split(":")[0] for line in lines] == STAGES
    assert "load: 5 rows" in lines[3]


def test_a_run_under_way_shows_the_stages_that_are_over(site):
    site.write("fill.sql", FILL_SQL + "CREATE TABLE main.endless AS SELECT sum(a.range * b.range) AS s FROM range(10000000) a, range(10000000) b;")
    daemon = site.daemon()
    with subprocess.Popen([str(INGESTCTL), "--socket", str(daemon.control), "run", JOB, "--wait"], stdout=subprocess.PIPE, text=True) as waiting:
        run = wait_until(lambda: next((r for r in daemon.ctl("runs")[1] if r["status"] == "running" and r["stages"]
                                       and len(r["stages"]) == 2), None), 60, "two stages to be over")
        assert [(s["name"], s["outcome"], s["attempts"], s["error"]) for s in run["stages"]] == [("extract", "done", 1, ""), ("stage", "done", 1, "")]
        assert run["progress"]["stage"]
        lines = [waiting.stdout.readline() for _ in range(3)]  # the first says which run it is
        assert told("".join(lines)) == ["extract", "stage"]
        daemon.ctl("cancel", run["id"])
        waiting.communicate(timeout=60)
    assert not site.pointers() and site.versions() == []


def test_a_stage_that_fails_is_named(site):
    site.write("fill.sql", "SELECT no_such FROM staged.partner")
    with site.start() as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and told(out) == ["extract", "stage", "transform"]
    assert "transform: failed, after" in out and err.startswith("ingestctl: transform: ") and "fill.sql" in err
    assert site.files() == set()


# ---- what a run leaves, and who may run ----

def test_nothing_new_writes_nothing(site):
    site.run()
    before = site.files()
    said = site.run()
    assert "nothing is new" in said and told(said) == STAGES[:-1]
    assert site.files() == before and site.stats()["nothing_new"]


def test_rows_that_change_nothing_are_not_read_again(site):
    site.run()
    site.office.sql("UPDATE site SET beds = beds")
    assert site.stats()["sources"][0]["rows"] == 3
    assert len(site.pointers()) == 2 and site.versions() == [0]
    assert site.pointers()[1]["tables"] == site.pointers()[0]["tables"]
    assert site.stats()["nothing_new"] and len(site.pointers()) == 2


def test_a_dry_run_writes_nothing(site):
    site.office.sql("INSERT INTO site VALUES (4, NULL, 1)")
    s = site.stats("--dry-run")
    assert site.files() == set() and s["dry_run"] and s["tables"][0]["inserted"] == 4
    assert s["sample"] == [{"table": "site", "reason": "no_name", "kind": "rejected", "detail": "x", "source": "partner",
                            "object": s["sample"][0]["object"], "line": s["sample"][0]["line"]}]
    site.run()
    before = site.files()
    site.office.sql("UPDATE site SET beds = 21 WHERE id = 2; UPDATE site SET name = name WHERE id = 1; INSERT INTO site VALUES (5, 'West', 50)")
    there = site.stats("--dry-run")["tables"][0]
    assert (there["inserted"], there["updated"], there["unchanged"], there["rows"]) == (1, 1, 1, 5) and site.files() == before
    assert {k: v for k, v in site.stats()["tables"][0].items() if k != "version"} == {k: v for k, v in there.items() if k != "version"}


def test_one_run_at_a_time(site):
    site.run()
    with open(site.folder / "lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another run of this harmonize is under way" in site.run(code=1)
    site.run()


def test_what_a_killed_run_left_is_removed(site):
    site.run()
    (site.folder / "run/staged").mkdir(parents=True)
    (site.folder / "run/staged/rows").write_text("x")
    (site.folder / "run/stage.duckdb").write_text("damaged")
    site.run()
    assert sorted(p.name for p in site.folder.iterdir()) == ["lake", "lock", "published"]
    assert site.folder.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_run_left_in_a_log_is_removed_though_nothing_is_new(site):
    """One that was killed before it published: its pointer is taken away, and the row that it was about."""
    site.run()
    site.office.sql("INSERT INTO site VALUES (4, 'West', 40)")
    site.run()
    site.pointer_paths()[-1].unlink()
    (site.folder / "published").unlink()
    site.office.sql("DELETE FROM site WHERE id = 4")
    s = site.stats()
    assert s["sources"][0]["rows"] == 0 and not s["nothing_new"]
    assert site.versions() == [0, 1, 2] and site.pointers()[-1]["tables"]["site"]["version"] == 2
    assert site.newest_files() == site.newest_files(0)
    assert not (site.lake / "quarantine").exists()
    assert site.stats()["nothing_new"]


def test_a_table_that_the_job_leaves_out_for_a_while_stays(site):
    site.write("tables.sql", TABLES_SQL + "CREATE TABLE out.other (other_id BIGINT NOT NULL);")
    site.write("fill.sql", FILL_SQL + "INSERT INTO out.other SELECT 9 WHERE NOT EXISTS (FROM lake.site);")
    both = {**site.job["tables"], "other": {"key": "other_id"}}
    site.job["tables"] = both
    site.run()
    site.job["tables"] = {"site": both["site"]}
    site.office.sql("UPDATE site SET beds = 11 WHERE id = 1")
    site.run()
    site.job["tables"] = both
    site.office.sql("UPDATE site SET beds = 12 WHERE id = 1")
    assert [t["rows"] for t in site.stats()["tables"][:2]] == [4, 1]
    assert [p["tables"]["other"] for p in site.pointers()] == [{"version": 0, "rows": 1}] * 3


def test_another_revision_takes_everything_anew(site):
    site.run()
    site.job["revision"] = "2"
    s = site.stats()
    assert [x["rows"] for x in s["sources"]] == [3, 1] and s["tables"][0]["unchanged"] == 4 and s["published"] == 2
    assert site.pointers()[1]["revision"] == "2" and site.stats()["nothing_new"]


# ---- what the SQL may do ----

@pytest.mark.parametrize("sql", ["SET memory_limit = '64GB'", "SET threads = 64", "COPY (SELECT 1) TO '{outside}/x.csv'", "INSTALL httpfs",
                                 "CREATE TABLE main.x AS FROM read_text('{outside}/secret')", "ATTACH '{outside}/x.duckdb'",
                                 "CREATE TABLE main.x AS FROM read_text('{sql}/../outside/secret')"])
def test_the_sql_reaches_nothing_else(site, tmp_path, sql):
    outside = site.home / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    site.write("fill.sql", sql.format(outside=outside, sql=site.sql))
    said = site.run(code=1)
    assert said.startswith("ingestctl: transform: ") and [p.name for p in outside.iterdir()] == ["secret"] and site.files() == set()


# ---- what is old ----

def let_grow_old(site):
    """All that is in the lake was written two hours ago."""
    for path in site.lake.rglob("*"):
        if path.is_file():
            os.utime(path, (path.stat().st_mtime - 7200,) * 2)


def test_once_a_day_what_is_old_is_removed(site):
    site.job["keep_versions"] = "1h"
    site.run()
    first = site.pointers()[0]
    site.office.sql("UPDATE site SET beds = 11 WHERE id = 1")
    site.run()
    parquet = {f for f in site.files() if f.startswith("site/") and f.endswith(".parquet")}
    assert len(parquet) == 2 and site.pointers()[1]["vacuum_at"] == first["vacuum_at"]
    path = site.pointer_paths()[-1]
    two_days_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)
    path.chmod(0o600)
    path.write_text(json.dumps({**site.pointers()[1], "vacuum_at": two_days_ago.strftime("%Y-%m-%dT%H:%M:%S.000Z")}))
    let_grow_old(site)
    site.office.sql("UPDATE site SET beds = 12 WHERE id = 1")
    s = site.stats()
    assert any("were removed" in note for note in s["notes"]), s["notes"]
    assert [p["number"] for p in site.pointers()] == [2, 3] and site.pointers()[1]["vacuum_at"] > first["vacuum_at"]
    there = {f for f in site.files() if f.startswith("site/") and f.endswith(".parquet")}
    assert len(there) == 2 and len(there & parquet) == 1, "of the pointer before, and of the newest"
    assert site.stats()["nothing_new"]
