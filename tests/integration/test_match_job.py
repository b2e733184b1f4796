"""The worker of a match on small sides: its table in the three databases, what it refuses, and how it is gone on with."""
import contextlib
import json
import os
import pathlib
import stat

import pytest

from dataset import DuckDataset, MariaDataset, PostgresDataset
from office import MARKER
from servers import wait_until
from test_worker import Worker

OURS = [
    (1, "Ann", "Lee", "black", "2017-02-01"),
    (2, "bob ", "STRASSE", "red", "2017-01-03"),
    (3, "Cy", "Doe", None, None),
    (4, "Dan", "Roe", "green", "2017-01-02"),
    (5, None, "Nokey", "grey", "2017-02-02"),
    (6, "Twin", "One", "white", "2017-02-02"),
    (7, "Twin", "One", "white", "2017-02-02"),
]
VENDOR = [
    (101, "ANN", "lee", "Black", "2017-02-01"),
    (102, "Bob", "Straße", "blue", "2017-03-01"),
    (104, "Dan", "Roe", None, "never"),
    (106, "twin", "one", "white", "2017-02-02"),
    (108, "Eve", "Only", "yellow", "2017-02-02"),
    (108, "Eve", "Again", "yellow", "2017-02-02"),
    (None, "No", "Id", MARKER, "2017-02-02"),
]
COLUMNS = ["outcome", "reason", "score", "location_agrees", "ours_id", "vendor_id", "ours_active", "vendor_active",
           "ours_last", "vendor_last", "n_candidates", "candidates", "side", "raw"]
T, F, N = "1", "0", None
ROWS = [
    ("ambiguous", "location", N, N, "6", N, T, N, "One", N, "1", '["106"]', "ours", N),
    ("ambiguous", "location", N, N, "7", N, T, N, "One", N, "1", '["106"]', "ours", N),
    ("ambiguous", "location", N, N, N, "106", N, T, N, "one", "2", '["6","7"]', "vendor", N),
    ("left_only", "no_counterpart", N, N, "3", N, F, N, "Doe", N, N, N, "ours", N),
    ("left_only", "no_key", N, N, "5", N, T, N, "Nokey", N, N, N, "ours", N),
    ("matched", "keys", "0.000", F, "2", "102", T, F, "STRASSE", "Straße", N, N, N, N),
    ("matched", "keys", "0.000", N, "4", "104", F, F, "Roe", "Roe", N, N, N, N),
    ("matched", "keys", "1.000", T, "1", "101", T, T, "Lee", "lee", N, N, N, N),
    ("rejected", "null_key", N, N, N, N, N, N, N, N, N, N, "vendor", f",No,Id,{MARKER},2017-02-02"),
    ("right_only", "no_counterpart", N, N, N, "108", N, T, N, "Only", N, N, "vendor", N),
]


def order(row):
    return [(v is not None, v) for v in row]


class Site:
    """A database with both sides' tables, into which the match goes too."""

    def __init__(self, home, db):
        self.home, self.db, self.sql = home, db, db.sql
        self.url = db.url().rsplit("/", 1)[0]
        self.folder = home / "state/match/users"
        self.started = []
        self.put("ours", OURS)
        self.put("vendor", VENDOR)

    def put(self, table, rows):
        def text(v):
            return "NULL" if v is None else "'" + str(v).replace("'", "''") + "'"
        values = ", ".join("(" + ", ".join(map(text, row)) + ")" for row in rows)
        kind = "varchar(100)" + (" CHARACTER SET utf8mb4" if self.db.name == "mysql" else "")
        names = ", ".join(f"{c} {kind}" for c in ("first", "last", "location", "seen"))
        self.as_owner(f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (id int, {names})"
                      + (f"; INSERT INTO {table} VALUES {values}" if rows else ""))

    def as_owner(self, text):
        return self.sql(("SET ROLE dataeng; " if self.db.name == "postgres" else "") + text)

    def side(self, table, **more):
        path = self.home / f"{table}.sql"
        if not path.exists():
            path.write_text(f"SELECT id, first, last, location, seen FROM {table}\n")
        return {"name": table, "database": {"url": self.url}, "sql": str(path), "id": "id", "active": "seen",
                "columns": ["last"], **more}

    def spec(self, date="2017-02-02", url=None, left=(), right=(), job=(), **more):
        def rule(name, normalise="trim, blanks, case, nfc"):
            return {"name": name, "left": name, "right": name, "normalise": normalise}
        match = {"left": self.side("ours", **dict(left)), "right": self.side("vendor", **dict(right)),
                 "keys": [rule("first"), rule("last")], "tie_breaks": [rule("location")], "report_date": date,
                 "active_days": 30, "batch_fraction": 100000, "folder": str(self.folder),
                 "outcomes": ["matched", "ambiguous", "left_only", "right_only", "rejected"], **more}
        return {"job": "users", "kind": "match", "run": 1, "pass": 1, "scheduled_us": 1754000000000000, "windows": [],
                "sql": str(self.home), "table": "report", "time_zone": "UTC", "database": {"url": url or self.url},
                "books": {"url": self.url}, "schema": "ingest", "time_limit_us": 60_000_000, "memory_max": 128 << 20,
                "result_rows": 5, "transaction": True, "dry_run": False, "match": match, **dict(job)}

    def start(self, *args, **more):
        worker = Worker(self.spec(*args, **more))
        self.started.append(worker)
        return worker

    def run(self, *args, **more):
        return self.start(*args, **more).finish()

    def rows(self, date="2017-02-02", columns=tuple(COLUMNS)):
        """As text, flags as 0 and 1."""
        found = self.db.select(["report_date", *columns], "report")
        flags = {i for i, c in enumerate(columns) if c.endswith(("_agrees", "_active"))}
        def tidy(row):
            return tuple({"true": "1", "t": "1", "false": "0", "f": "0"}.get(v, v) if i in flags else v
                         for i, v in enumerate(row))
        return sorted((tidy(row[1:]) for row in found if row[0] == date), key=order)

    def count(self):
        return int(self.sql("SELECT count(*) FROM report")[0][0])

    def has_table(self):
        return int(self.sql("SELECT count(*) FROM information_schema.tables WHERE table_name = 'report'")[0][0])

    def staged(self):
        return sorted(p.name for p in self.folder.iterdir()) if self.folder.exists() else []

    def close(self):
        for worker in self.started:
            worker.close()
        for worker in self.started:
            assert "Sanitizer" not in worker.stderr and "runtime error" not in worker.stderr, worker.stderr
            said = [line for line in worker.lines if "done" not in line]
            assert MARKER not in json.dumps(said) + worker.stderr
        self.db.close()


def make(request, name, tmp_path):
    database = f"match_{os.getpid()}"
    if name == "postgres":
        return Site(tmp_path, PostgresDataset(tmp_path, request.getfixturevalue("postgres"), database))
    if name == "duckdb":
        return Site(tmp_path, DuckDataset(tmp_path, database))
    return Site(tmp_path, MariaDataset(tmp_path, request.getfixturevalue("maria"), database))


@pytest.fixture(params=["postgres", "mysql", "duckdb"])
def site(request, tmp_path):
    made = make(request, request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def pg(request, tmp_path):
    made = make(request, "postgres", tmp_path)
    yield made
    made.close()


# ---- what comes out ----

def test_everybody_is_in_it_once(site):
    stats = site.run().stats
    assert site.rows() == sorted(ROWS, key=order)
    assert (stats["report_date"], stats["matched"], stats["written"], stats["replaced"]) == ("2017-02-02", 3, 10, 0)
    assert stats["resumed"] is None and stats["elapsed_us"] > 0 and set(stats["seconds"]) == {"read", "join", "load"}
    left, right = stats["left"], stats["right"]
    assert {k: left[k] for k in list(left)[:14]} == {
        "name": "ours", "rows": 7, "users": 7, "duplicates": 0, "rejected": 0, "matched": 3, "ambiguous": 2, "only": 2,
        "no_key": 1, "active": 5, "inactive": 2, "no_date": 1, "future_dates": 0, "unreadable_dates": 0}
    assert {k: right[k] for k in list(right)[:14]} == {
        "name": "vendor", "rows": 7, "users": 5, "duplicates": 1, "rejected": 1, "matched": 3, "ambiguous": 1, "only": 1,
        "no_key": 0, "active": 3, "inactive": 2, "no_date": 0, "future_dates": 1, "unreadable_dates": 1}
    assert site.staged() == ["lock"] and stat.S_IMODE(site.folder.stat().st_mode) == 0o700


def test_the_sample_and_the_ddl(site):
    stats = site.run().stats
    assert [r["outcome"] for r in stats["sample"][:3]] == ["matched"] * 3 and len(stats["sample"]) == 9
    assert stats["sample"][0] == {
        "report_date": "2017-02-02", "outcome": "matched", "reason": "keys", "score": 1, "location_agrees": True,
        "ours_id": "1", "vendor_id": "101", "ours_active": True, "vendor_active": True, "ours_last": "Lee",
        "vendor_last": "lee", "n_candidates": None, "candidates": None, "side": None, "raw": None}
    assert "create table" in stats["ddl"].lower() and "vendor_last" in stats["ddl"]
    site.as_owner("DROP TABLE report")
    site.as_owner(stats["ddl"])  # it makes the table
    assert site.run().stats["ddl"] == stats["ddl"] and site.rows() == sorted(ROWS, key=order)


def test_a_date_is_replaced_and_another_comes_beside_it(site):
    site.run()
    first = site.rows()
    again = site.run().stats
    assert (again["written"], again["replaced"]) == (10, 10) and site.rows() == first and site.count() == 10
    later = site.run("2017-02-05").stats
    assert (later["written"], later["replaced"]) == (10, 0) and site.rows() == first and site.count() == 20
    assert later["left"]["active"] == 4  # 2017-01-03 is too long ago then


def test_only_the_outcomes_that_are_wanted(site):
    stats = site.run(outcomes=["matched", "rejected"]).stats
    assert {r[0] for r in site.rows()} == {"matched", "rejected"} and stats["written"] == 4
    assert stats["left"]["ambiguous"] == 2 and stats["right"]["only"] == 1


def test_today_is_the_day_it_is_scheduled_for(site):
    stats = site.run("today").stats
    assert stats["report_date"] == "2025-07-31" and len(site.rows("2025-07-31")) == 10


def test_today_is_what_the_clocks_of_the_job_show(pg):
    """Where its cron line fires just after midnight, that day is meant."""
    assert pg.run("today", job={"time_zone": "Pacific/Kiritimati"}).stats["report_date"] == "2025-08-01"


def test_no_tie_breaks_and_nothing_carried(site):
    site.run(tie_breaks=[], left={"columns": []}, right={"columns": []})
    scores = {(r[0], r[1]) for r in site.rows(columns=("outcome", "score"))}
    assert ("matched", "1.000") in scores and not any(s for o, s in scores if o != "matched")


def test_from_one_database_and_another_into_a_third(request, tmp_path):
    sites = [make(request, name, tmp_path / name) for name in ("postgres", "mysql", "duckdb")
             if (tmp_path / name).mkdir() is None]
    left, right, sink = sites
    try:
        sink.run(left=left.side("ours"), right=right.side("vendor"))
        assert sink.rows() == sorted(ROWS, key=order)
    finally:
        for one in sites:
            one.close()


# ---- the table ----

def test_a_table_gets_what_may_come(site):
    site.run(tie_breaks=[], left={"columns": []})
    stats = site.run().stats
    assert site.rows() == sorted(ROWS, key=order)
    assert sum("lacked the column" in note for note in stats["notes"]) == 2
    assert not site.run().stats["notes"]


def test_a_table_of_another_kind_is_left_alone(site):
    site.as_owner("CREATE TABLE report (report_date date NOT NULL, outcome text)")
    said = site.run().failure()
    assert "lacks the column reason" in said["error"] and not said["transient"]
    assert not site.folder.exists()


def test_a_date_that_is_text(pg):
    """Told before a row is read: the sides' own SQL would fail."""
    pg.run()
    pg.as_owner("ALTER TABLE report ALTER COLUMN report_date TYPE text")
    (pg.home / "ours.sql").write_text("SELECT nothing FROM nowhere")
    assert "cannot be written to" in pg.run().failure()["error"]


def test_columns_of_others(site):
    site.run()
    site.as_owner("ALTER TABLE report ADD COLUMN remark varchar(20)")
    site.as_owner("ALTER TABLE report ADD COLUMN kept varchar(20) DEFAULT 'x'")
    assert site.run().stats["replaced"] == 10 and site.rows() == sorted(ROWS, key=order)


def test_a_column_that_must_have_a_value(pg):
    pg.run()
    pg.as_owner("DELETE FROM report; ALTER TABLE report ADD COLUMN must int NOT NULL")
    assert "the column must" in pg.run().failure()["error"]


@pytest.mark.parametrize("site", ["postgres", "mysql"], indirect=True)
def test_rights_are_looked_at_before_a_row_is_read(site):
    """The sides' own SQL would fail: it is not come to."""
    site.run()
    (site.home / "ours.sql").write_text("SELECT nothing FROM nowhere")
    if site.db.name == "postgres":
        site.sql("REVOKE DELETE ON report FROM dataeng; ALTER TABLE report OWNER TO postgres;"
                 " GRANT SELECT, INSERT ON report TO dataeng")
        url = site.url
    else:
        site.sql("CREATE USER IF NOT EXISTS reader@'%' IDENTIFIED BY 'best';"
                 f" GRANT SELECT, INSERT, CREATE ON {site.db.database}.* TO reader@'%'")
        url = site.url.replace("dataeng", "reader")
    said = site.run(url=url).failure()
    assert "cannot be written to (SELECT, INSERT and DELETE on it are needed)" in said["error"] and said["sqlstate"]
    assert site.count() == 10


def test_a_dry_run_writes_nothing(site):
    stats = site.run(job={"dry_run": True}).stats
    assert not site.has_table() and stats["dry_run"] and stats["matched"] == 3
    assert stats["written"] == 0 and any("10 rows would be, in place of 0" in n for n in stats["notes"])
    site.run()
    before = site.rows()
    site.put("ours", OURS[:2])
    stats = site.run(job={"dry_run": True}).stats
    assert any("in place of 10 of 2017-02-02" in n for n in stats["notes"]) and stats["matched"] == 2
    assert site.rows() == before and site.staged() == ["lock"]


# ---- what is refused ----

def test_a_side_without_rows_wipes_no_report(site):
    site.run()
    site.put("vendor", [])
    said = site.run().failure()
    assert "the vendor side has no rows at all" in said["error"] and not said["transient"]
    assert site.count() == 10 and site.staged() == ["lock"]
    site.put("vendor", VENDOR)  # and is read anew
    assert site.run().stats["matched"] == 3


@pytest.mark.parametrize("more, words", [
    ({"left": {"columns": ["nickname"]}}, "nickname"),
    ({"left": {"id": "number"}}, "number"),
    ({"right": {"active": "last_seen"}}, "last_seen"),
    ({"keys": [{"name": "mail", "left": "mail", "right": "mail", "normalise": ""}]}, "mail"),
    ({"tie_breaks": [{"name": "town", "left": "location", "right": "town", "normalise": ""}]}, "town"),
    ({"keys": [{"name": "last", "left": "last", "right": "last", "normalise": "shout"}]}, "shout"),
    ({"left": {"columns": ["last", "LAST"]}}, "two columns named ours_LAST"),
    ({"left": {"columns": ["id"]}}, "two columns named ours_id"),
    ({"left": {"columns": ["x" * 60]}}, "a name of 65 bytes"),
    ({"report_date": "2017-02-30"}, "report date"),
    ({"batch_fraction": 100001}, "batch_fraction"),
    ({"outcomes": ["guessed"]}, "no outcome"),
])
def test_what_cannot_be_is_told(pg, more, words):
    said = pg.run(**more).failure()
    assert words in said["error"] and not said["transient"]
    assert not pg.has_table() or pg.count() == 0


def test_a_side_that_is_away(pg):
    said = pg.run(right={"database": {"url": "postgresql://dataeng@127.0.0.1:1/x"}}).failure()
    assert said["error"].startswith("the vendor side: ") and said["transient"]


def test_a_state_folder_that_cannot_be_made(pg):
    said = pg.run(folder="/proc/nowhere/match/users").failure()
    assert "/proc/nowhere" in said["error"]


# ---- killed, and gone on with ----

@contextlib.contextmanager
def transaction(pg, sql):
    """Something that is locked as long as this lasts."""
    connection = pg.db.server.connect(pg.db.database)
    try:
        connection.autocommit = False
        with connection.cursor() as q:
            q.execute(sql)
            yield
    finally:
        connection.rollback()
        connection.close()


def waits_for_a_lock(pg):
    return pg.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'ingestd job users'"
                  " AND wait_event_type = 'Lock'")


def kill(worker):
    worker.process.kill()
    worker.process.wait()


def test_killed_while_it_loads(pg):
    pg.run()
    pg.put("ours", OURS[:2])
    with transaction(pg, "SELECT 1 FROM report WHERE ours_id = '1' FOR UPDATE"):
        worker = pg.start()
        wait_until(lambda: waits_for_a_lock(pg), what="the deletion")
        kill(worker)
    assert pg.count() == 10
    pg.as_owner("DROP TABLE ours")  # it is not read again
    stats = pg.run().stats
    assert stats["resumed"] == "loading" and stats["matched"] == 2 and stats["left"]["rows"] == 2
    assert (stats["written"], stats["replaced"]) == (6, 10) and pg.count() == 6 and pg.staged() == ["lock"]


def manifest(pg):
    path = pathlib.Path(pg.folder / "state.json")
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        return json.loads(path.read_text())
    return {}


def test_killed_while_it_reads(pg):
    with transaction(pg, "LOCK TABLE ours"):
        worker = pg.start()
        wait_until(lambda: "right" in manifest(pg), what="the vendor side to be staged")
        wait_until(lambda: waits_for_a_lock(pg), what="our side to wait")
        kill(worker)
    pg.as_owner("DROP TABLE vendor")
    stats = pg.run().stats
    assert stats["resumed"] == "reading" and pg.rows() == sorted(ROWS, key=order)
    assert stats["right"]["rows"] == 7 and stats["right"]["duplicates"] == 1


def test_what_was_staged_for_another_date_is_not_taken(pg):
    with transaction(pg, "LOCK TABLE ours"):
        worker = pg.start()
        wait_until(lambda: "right" in manifest(pg), what="the vendor side to be staged")
        kill(worker)
    stats = pg.run("2017-02-03").stats
    assert stats["resumed"] is None and any("another configuration or report date" in n for n in stats["notes"])


def test_a_second_run_at_once_is_told_who_is_at_it(pg):
    with transaction(pg, "LOCK TABLE ours"):
        first = pg.start()
        wait_until(lambda: "right" in manifest(pg), what="the vendor side to be staged")
        said = pg.run().failure()
        assert f"process {first.pid} " in said["error"] and said["transient"]
    assert first.finish().stats["written"] == 10


def test_one_side_that_fails_stops_the_other(pg):
    """Ours has no end in reasonable time."""
    (pg.home / "ours.sql").write_text("SELECT g AS id, 'a' AS first, 'b' AS last, 'c' AS location, '' AS seen"
                                      " FROM (SELECT generate_series(1, 2000000000) AS g) AS endless")
    (pg.home / "vendor.sql").write_text("SELECT id, first, last, location, seen, 1 / (id - 108) FROM vendor")
    said = pg.run().failure()
    assert said["error"].startswith("the vendor side: ") and said["sqlstate"] == ""
    assert pg.staged() == ["lock"]  # what nobody goes on with is no burden to the disk


def test_a_damaged_file_is_read_again(pg):
    with transaction(pg, "LOCK TABLE ours"):
        worker = pg.start()
        wait_until(lambda: "right" in manifest(pg), what="the vendor side to be staged")
        kill(worker)
    for path in pg.folder.glob("vendor-*"):
        path.write_bytes(b"")
    stats = pg.run().stats
    assert stats["resumed"] is None and pg.rows() == sorted(ROWS, key=order)
    assert any("had staged of the vendor side is read again" in n for n in stats["notes"])


def test_a_damaged_file_is_forgotten(pg):
    """What comes in its place is not taken for it, when that run is killed too."""
    with transaction(pg, "LOCK TABLE ours"):
        worker = pg.start()
        wait_until(lambda: "right" in manifest(pg), what="the vendor side to be staged")
        kill(worker)
    (pg.folder / "vendor-ids").unlink()
    with transaction(pg, "LOCK TABLE ours, vendor"):
        worker = pg.start()
        wait_until(lambda: len(waits_for_a_lock(pg)) == 2, what="both sides to wait")
        kill(worker)
    assert "right" not in manifest(pg)
