"""Extract and stage of a harmonize, by way of tests/unit/job/stage_cat: tables and SELECTs of a real Postgres."""
import contextlib
import json
import os
import random
import subprocess

import psycopg2
import pytest

import office
from programs import BUILD
from seeds import some
from servers import wait_until
from test_db import MARKER, Postgres
from test_duckdb import DUCKDB, SANITIZED

STAGE_CAT = BUILD / "tests/unit/job/stage_cat"
pytestmark = pytest.mark.skipif(not DUCKDB, reason="built without DuckDB: run setup/duckdb")


class Staged:
    """What stage_cat said."""

    def __init__(self, code, out, err):
        assert code in (0, 1), f"stage_cat ended with {code}: {out[-2000:]} {err[-3000:]}"
        assert not err and MARKER not in err, err[-3000:]
        self.lines = [json.loads(line) for line in out.splitlines()]
        self.fault = next((line for line in self.lines if "fault" in line), None)
        assert (code == 1) == (self.fault is not None), self.lines
        said = self.of("sources")
        self.sources, self.told, self.notes = said["sources"], {t["name"]: t for t in said["told"]}, said["notes"]
        self.staged, self.rejected = said["staged"], said["rejected"]
        self.extract, self.stage = self.of("extract")["extract"], next(
            line["stage"] for line in self.lines if "rows" in line.get("stage", {}) and "name" not in line["stage"])
        self.again = [line["stage"] for line in self.lines if "outcome" in line.get("stage", {})]
        self.shown = [line["shown"] for line in self.lines if "shown" in line]

    def of(self, name):
        return next(line for line in self.lines if name in line)

    def good(self):
        assert self.fault is None, self.fault
        return self


class Stage:
    """Runs one after the other, each with the pointer that the one before has left."""

    def __init__(self, folder, url):
        self.folder, self.url, self.pointer, self.n = folder, url, None, 0

    def table(self, table, name=None, url=None):
        return {"name": name or table.split(".")[-1], "table": table, "url": url or self.url}

    def select(self, name, sql, url=None):
        path = self.folder / f"{name}.sql"
        path.write_text(sql)
        return {"name": name, "sql": str(path), "url": url or self.url}

    def script(self, name, *lines):
        path = self.folder / f"{name}.script"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return {"name": name, "script": str(path)}

    def begin(self, sources, show=(), **more):
        self.n += 1
        folder = self.folder / f"run-{self.n}"
        folder.mkdir()
        spec = {"folder": str(folder), "sources": sources, "show": list(show),
                "pointer": {"sources": self.pointer} if self.pointer else None, **more}
        process = subprocess.Popen([STAGE_CAT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(json.dumps(spec).encode())
        process.stdin.close()
        process.stdin = None
        return process

    def finish(self, process):
        out, err = process.communicate(timeout=100)
        return Staged(process.returncode, out.decode(), err.decode())

    def run(self, *sources, show=(), **more):
        return self.finish(self.begin(sources, show, **more))

    def next(self, *sources, show=(), **more):
        """A run that is published."""
        staged = self.run(*sources, show=show, **more).good()
        self.pointer = staged.sources
        return staged

    def ids(self, source, **more):
        """The ids that the next run stages of one table, and whether it was read in full."""
        staged = self.next(source, show=[f"SELECT id FROM staged.{source['name']} ORDER BY _line"], **more)
        return sorted(int(row[0]) for row in staged.shown[0]), staged.told[source["name"]]["full"], staged.notes


@pytest.fixture
def pg(postgres):
    made = Postgres(postgres)
    yield made
    made.close()


@pytest.fixture
def sql(pg):
    """Statements of a superuser, each its own transaction; what is made is for dataeng to read."""
    c = pg.server.connect("some_db")
    c.cursor().execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO dataeng")

    def run(text, *values):
        with c.cursor() as cur:
            cur.execute(text, values or None)
            return cur.fetchall() if cur.description else None
    yield run
    c.close()


@pytest.fixture
def session(pg):
    """Other sessions, whose transactions stay open."""
    with contextlib.ExitStack() as stack:
        def open_one():
            c = stack.enter_context(contextlib.closing(pg.server.connect("some_db")))
            c.autocommit = False
            return c
        yield open_one


@pytest.fixture
def stage(pg, tmp_path):
    return Stage(tmp_path, pg.url())


def numbers(sql, table="t", first=1, last=10):
    sql(f"CREATE TABLE IF NOT EXISTS {table} (id int PRIMARY KEY, v text)")
    sql(f"INSERT INTO {table} SELECT g, 'v' || g FROM generate_series(%s, %s) g", first, last)


# ---- values and lineage ----

def test_values_are_the_servers_text(stage, sql):
    sql("""CREATE TABLE odd ("Some Name" int, gone int, b bytea, a int[], e text, n text, t text, f float8, ts timestamptz,
           g int GENERATED ALWAYS AS (1 + 1) STORED, "Quo""te" numeric(10,2))""")
    sql("ALTER TABLE odd DROP COLUMN gone")
    sql("INSERT INTO odd VALUES (1, '\\x00ff', '{1,NULL,3}', '', NULL, %s, 0.1, '2026-01-02 03:04:05.6+00', DEFAULT, 1.50)",
        "tab\t nl\n back\\ ü😀 quote\" \\N")
    got = stage.next(stage.table("public.odd"), show=["SELECT * FROM staged.odd", "DESCRIBE staged.odd"])
    snapshot = got.sources["odd"]["snapshot"]
    assert got.shown[0] == [["1", "\\x00ff", "{1,NULL,3}", "", None, "tab\t nl\n back\\ ü😀 quote\" \\N", "0.1",
                             "2026-01-02 03:04:05.6+00", "2", "1.50", "odd", "public.odd", snapshot, "1", "1"]]
    assert [row[0] for row in got.shown[1]] == ["Some Name", "b", "a", "e", "n", "t", "f", "ts", "g", 'Quo"te', "_source",
                                                "_table", "_snapshot", "_line", "_delivery"]
    assert {row[1] for row in got.shown[1]} == {"VARCHAR", "BIGINT", "INTEGER"}


def test_an_empty_table_has_all_columns(stage, sql):
    sql("CREATE TABLE none (id int, v text)")
    got = stage.next(stage.table("none"), stage.select("some", "SELECT 1 AS a WHERE false;"),
                     show=["SELECT id, v, _source, _table, _snapshot, _line, _delivery FROM staged.none",
                           "SELECT a, _table FROM staged.some", "SELECT * EXCLUDE version FROM staged.delivery ORDER BY number",
                           "SELECT * FROM out.quarantine"])
    assert got.shown == [[], [], [["1", "none", "none", None, None, "0", "0", None],
                                  ["2", "some", "some.sql", None, None, "0", "0", None]], []]
    assert got.staged == 0 and got.told["none"]["rows"] == 0


def test_what_is_told(stage, sql):
    numbers(sql, last=1000)
    got = stage.next(stage.table("t"), stage.select("s", "SELECT id FROM t"))
    assert got.told["t"] == {"name": "t", "rows": 1000, "bytes": got.told["t"]["bytes"], "rejected": 0, "full": True, "objects": 0,
                             "refused": 0}
    assert got.staged == 2000 and got.extract["rows"] == got.stage["rows"] == 2000
    assert got.extract["bytes"] == got.told["t"]["bytes"] + got.told["s"]["bytes"] > 0
    assert got.extract["attempts"] == got.stage["attempts"] == 1 and got.extract["us"] > 0
    assert set(got.sources["t"]) == {"snapshot", "xmin", "full_at", "fingerprint", "parts"}
    assert set(got.sources["s"]) == {"snapshot"}


def test_text_that_is_not_utf8_is_a_rejected_row(stage, pg, sql):
    with contextlib.closing(pg.server.connect("postgres")) as c:
        c.cursor().execute("CREATE DATABASE ascii_db ENCODING 'SQL_ASCII' TEMPLATE template0")
    try:
        with contextlib.closing(pg.server.connect("ascii_db")) as c:
            c.cursor().execute("CREATE TABLE t (id int, v text); GRANT SELECT ON t TO dataeng")
            c.cursor().execute("INSERT INTO t VALUES (1, 'well'), (2, convert_from('\\xff41', 'SQL_ASCII')),"
                               " (3, convert_from('\\xc3bc', 'SQL_ASCII'))")
        got = stage.next(stage.table("t", url=pg.server.url("ascii_db")),
                         show=["SELECT id, _line FROM staged.t", "SELECT * FROM out.quarantine",
                               "SELECT rows, rejected FROM staged.delivery"])
        assert got.shown[0] == [["1", "1"], ["3", "3"]] and got.shown[2] == [["2", "1"]]
        [row] = got.shown[1]
        assert row[:3] == [None, "bad_encoding", "rejected"] and row[4:6] == ["t", "t"] and row[7] == "2"
        assert json.loads(row[8]) == "2,\ufffdA"
        assert (got.rejected, got.told["t"]["rejected"], got.staged) == (1, 1, 2)
    finally:
        office.drop_database(pg.server, "ascii_db")


@pytest.mark.parametrize("columns, words", [('"a" int, "A" int', "capitals"), ("_line int", "one of ours")])
def test_columns_that_cannot_be_told_apart(stage, sql, columns, words):
    sql(f"CREATE TABLE t ({columns})")
    fault = stage.run(stage.table("t")).fault
    assert words in fault["fault"] and "`sql:`" in fault["fault"] and fault["fault"].startswith("extract: the source t")
    assert not fault["transient"]


def test_many_rows_in_bounded_memory(stage, sql):
    got = stage.next(stage.select("many", "SELECT g AS id, repeat('x', 200) || g AS v FROM generate_series(1, 600000) g"),
                     show=["SELECT count(*), count(DISTINCT id), min(length(v)) FROM staged.many"], memory=64 << 20)
    assert got.shown == [[["600000", "600000", "201"]]]
    assert SANITIZED or got.of("peak_kb")["peak_kb"] < (64 + 64 + 24) * 1024


# ---- one snapshot ----

def wait_for_lock(pg, n=1, but=()):
    def waiting():
        with contextlib.closing(pg.server.connect("some_db")) as c:
            cur = c.cursor()
            cur.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'dataeng' AND wait_event_type = 'Lock'")
            return [pid for pid, in cur.fetchall() if pid not in but]
    return wait_until(waiting, what="a session that waits for a lock")


SLOW = "SELECT g AS id, CASE WHEN g = 50000 THEN pg_advisory_lock_shared(7)::text END AS w FROM generate_series(1, 60000) g"


def test_all_tables_of_a_database_see_one_snapshot(stage, sql, pg, session):
    numbers(sql)
    holder = session()
    holder.cursor().execute("SELECT pg_advisory_lock(7)")
    sources = [stage.select("slow", SLOW), stage.table("t"), stage.select("again", "SELECT count(*) AS n FROM t")]
    process = stage.begin(sources, ["SELECT count(*), count(DISTINCT _snapshot) FROM staged.t", "SELECT n FROM staged.again"])
    wait_for_lock(pg)
    sql("INSERT INTO t VALUES (11, 'late')")
    sql("DELETE FROM t WHERE id = 1")
    # What no snapshot hides has to wait for us.
    with pytest.raises(psycopg2.errors.LockNotAvailable):
        sql("SET lock_timeout = '100ms'; TRUNCATE t")
    holder.cursor().execute("SELECT pg_advisory_unlock(7)")
    got = stage.finish(process).good()
    assert got.shown == [[["10", "1"]], [["10"]]] and got.told["slow"]["rows"] == 60000
    assert len({s["snapshot"] for s in got.sources.values()}) == 1
    stage.pointer = got.sources
    assert stage.ids(stage.table("t"))[0] == [11]


# ---- what is new ----

def test_only_what_was_written_since(stage, sql):
    numbers(sql)
    t = stage.table("public.t")
    assert stage.ids(t) == (list(range(1, 11)), True, [])
    assert stage.ids(t) == ([], False, [])
    sql("UPDATE t SET v = 'new' WHERE id IN (3, 4)")
    sql("INSERT INTO t VALUES (11, 'x')")
    sql("DELETE FROM t WHERE id = 5")
    assert stage.ids(t) == ([3, 4, 11], False, [])
    assert stage.ids(t) == ([], False, [])


def test_transactions_that_were_open(stage, sql, session):
    """Both began before the snapshot and commit behind it; one began to write before it, one after."""
    numbers(sql)
    early, late = session(), session()
    early.cursor().execute("INSERT INTO t VALUES (20, 'early')")
    late.cursor().execute("SELECT count(*) FROM t")
    sql("INSERT INTO t VALUES (30, 'between')")
    t = stage.table("t")
    assert stage.ids(t)[0] == [*range(1, 11), 30]
    late.cursor().execute("INSERT INTO t VALUES (21, 'late')")
    late.commit()
    assert stage.ids(t)[0] == [21, 30]  # 30 is behind the horizon that 20 keeps, and is read again
    early.commit()
    assert stage.ids(t)[0] == [20, 21, 30]
    assert stage.ids(t)[0] == []


def test_subtransactions(stage, sql, session):
    numbers(sql)
    c = session()
    cur = c.cursor()
    cur.execute("INSERT INTO t VALUES (20, 'top')")
    cur.execute("SAVEPOINT a; INSERT INTO t VALUES (21, 'sub'); SAVEPOINT b; INSERT INTO t VALUES (22, 'subsub')")
    cur.execute("DO $$ BEGIN FOR i IN 23..25 LOOP BEGIN INSERT INTO t VALUES (i, 'caught'); "
                "EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$")
    t = stage.table("t")
    assert stage.ids(t)[0] == list(range(1, 11))
    cur.execute("SAVEPOINT c; INSERT INTO t VALUES (26, 'behind'); ROLLBACK TO c; INSERT INTO t VALUES (27, 'x')")
    c.commit()
    assert stage.ids(t)[0] == [20, 21, 22, 23, 24, 25, 27]
    assert stage.ids(t)[0] == []


def test_rows_that_are_frozen_before_they_were_read(stage, sql):
    numbers(sql)
    t = stage.table("t")
    stage.ids(t)
    sql("INSERT INTO t VALUES (11, 'x')")
    sql("UPDATE t SET v = 'y' WHERE id = 2")
    sql("VACUUM (FREEZE, FULL) t")
    sql("VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) t")
    assert stage.ids(t)[:2] == ([2, 11], False)


def test_truncated_and_filled_again(stage, sql):
    numbers(sql)
    t = stage.table("t")
    stage.ids(t)
    sql("TRUNCATE t")
    numbers(sql, first=5, last=7)
    assert stage.ids(t) == ([5, 6, 7], False, [])


def test_changed_columns_are_read_in_full(stage, sql):
    numbers(sql)
    t = stage.table("t")
    stage.ids(t)
    sql("ALTER TABLE t ADD COLUMN w int DEFAULT 7")
    ids, full, [note] = stage.ids(t)
    assert ids == list(range(1, 11)) and full and "its columns changed" in note and note.startswith("t: the table t")
    assert stage.ids(t) == ([], False, [])


def test_another_table_of_that_name(stage, sql):
    numbers(sql)
    t = stage.table("t")
    stage.ids(t)
    sql("ALTER TABLE t RENAME TO before")
    sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    sql("ALTER TABLE before RENAME TO gone")
    numbers(sql, first=1, last=3)
    ids, full, [note] = stage.ids(t)
    assert (ids, full) == ([1, 2, 3], True) and "another table" in note


@pytest.mark.parametrize("change, words", [
    (lambda s: s.update(fingerprint="1" + s["fingerprint"]), "the server is another one"),
    (lambda s: s.update(fingerprint=s["fingerprint"].replace(":", ":9", 1)), "restored or promoted"),
    (lambda s: s.update(xmin=str(int(s["xmin"]) + 1000000)), "do not go on"),
    (lambda s: s.update(xmin="0'; DROP TABLE t"), "cannot be read")])
def test_a_server_that_does_not_go_on(stage, sql, change, words):
    numbers(sql)
    t = stage.table("t")
    stage.ids(t)
    change(stage.pointer["t"])
    ids, full, [note] = stage.ids(t)
    assert ids == list(range(1, 11)) and full and words in note


def test_a_promoted_standby_is_another_line_of_time(stage, sql, pg, tmp_path):
    """What the timeline is asked of: pg_control_system() may be forbidden, and then it counts for nothing."""
    numbers(sql)
    t = stage.table("t")
    stage.ids(t)
    system, timeline = stage.pointer["t"]["fingerprint"].split(":")[:2]
    assert timeline == "1"
    assert system == str(sql("SELECT system_identifier FROM pg_control_system()")[0][0])
    sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    try:
        ids, full, [note] = stage.ids(t)
        assert full and stage.pointer["t"]["fingerprint"].split(":")[0] == "-"
        assert stage.ids(t) == ([], False, [])
    finally:
        sql("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")


def test_when_all_is_read_again(stage, sql):
    numbers(sql)
    t = stage.table("t")
    stage.ids(t)
    at = stage.pointer["t"]["full_at"]
    assert stage.ids(t)[1] is False and stage.pointer["t"]["full_at"] == at
    assert stage.ids(t, full_every_us=1) == (list(range(1, 11)), True, [])
    assert stage.pointer["t"]["full_at"] > at
    assert stage.ids(t, anew=True) == (list(range(1, 11)), True, [])
    stage.pointer["t"]["full_at"] = "2999-01-01T00:00:00Z"  # a clock that was wrong
    assert stage.ids(t)[1] is True


def test_a_view_is_read_in_full(stage, sql):
    numbers(sql)
    sql("CREATE VIEW v AS SELECT * FROM t WHERE id > 5")
    sql("CREATE MATERIALIZED VIEW m AS SELECT * FROM t WHERE id > 8")
    for view, ids in ("v", [6, 7, 8, 9, 10]), ("m", [9, 10]):
        for _ in range(2):
            got, full, [note] = stage.ids(stage.table(view))
            assert (got, full) == (ids, True) and view in note


def test_row_security_is_read_in_full(stage, sql):
    numbers(sql)
    sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    sql("CREATE POLICY few ON t USING (id < 5)")
    t = stage.table("t")
    assert stage.ids(t)[:2] == ([1, 2, 3, 4], True)
    sql("ALTER POLICY few ON t USING (id < 6)")
    ids, full, [note] = stage.ids(t)
    assert (ids, full) == ([1, 2, 3, 4, 5], True) and "row security" in note


def test_a_partitioned_table(stage, sql):
    sql("CREATE TABLE p (id int, v text) PARTITION BY RANGE (id)")
    sql("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)")
    sql("CREATE TABLE apart (id int, v text)")
    sql("INSERT INTO p VALUES (1, 'a'), (2, 'b')")
    sql("INSERT INTO apart VALUES (11, 'old'), (12, 'old')")
    p = stage.table("p")
    assert stage.ids(p) == ([1, 2], True, [])
    sql("ALTER TABLE p ATTACH PARTITION apart FOR VALUES FROM (10) TO (20)")
    sql("UPDATE p SET v = 'c' WHERE id = 2")
    assert stage.ids(p) == ([2, 11, 12], False, [])
    assert stage.ids(p) == ([], False, [])
    sql("UPDATE p SET id = 13 WHERE id = 1")
    assert stage.ids(p) == ([13], False, [])


def test_a_table_with_children(stage, sql):
    numbers(sql, last=3)
    sql("CREATE TABLE child (extra int) INHERITS (t)")
    sql("INSERT INTO child VALUES (4, 'x', 1)")
    t = stage.table("t")
    assert stage.ids(t)[0] == [1, 2, 3, 4]
    sql("UPDATE child SET v = 'y'")
    assert stage.ids(t) == ([4], False, [])


@pytest.mark.parametrize("seed", range(some(10)))
def test_nothing_is_missed(stage, sql, session, seed):
    """Transactions that overlap with snapshots in every way: what was staged, by its key, is what is in the table."""
    chance = random.Random(seed)
    sql("CREATE TABLE t (id int PRIMARY KEY, v text)")
    t, lake, open_ones, n = stage.table("t"), {}, [], 0

    def write(cur):
        nonlocal n
        n += 1
        with contextlib.suppress(psycopg2.errors.LockNotAvailable):
            cur.execute("SAVEPOINT x; INSERT INTO t VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET v = excluded.v; RELEASE x" if
                        chance.random() < 0.5 else
                        "INSERT INTO t VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET v = excluded.v",
                        (chance.randrange(40), f"v{n}"))
            return True
        return False

    for _ in range(7):
        for _ in range(chance.randrange(12)):
            what = chance.random()
            if what < 0.3 or not open_ones:
                c = session()
                c.cursor().execute("SET lock_timeout = '10ms'")
                c.commit()
                open_ones.append(c)
            c = chance.choice(open_ones)
            if what < 0.75:
                if not write(c.cursor()):
                    c.rollback()
            else:
                (c.commit if what < 0.95 else c.rollback)()
        if chance.random() < 0.2:
            sql("VACUUM (FREEZE) t")
        got = stage.next(t, show=["SELECT id, v FROM staged.t"])
        lake.update(dict(got.shown[0]))
        assert lake == dict((str(i), v) for i, v in sql("SELECT id, v FROM t"))


# ---- faults ----

def test_a_table_that_is_not_there(stage, sql):
    numbers(sql)
    fault = stage.run(stage.table("t"), stage.table("public.nope")).fault
    assert fault["fault"].startswith("extract: the source ") and "public.nope" in fault["fault"] and "`table:`" in fault["fault"]
    assert not fault["transient"]


def test_no_right_to_read(stage, sql):
    numbers(sql)
    sql("REVOKE ALL ON t FROM dataeng")
    for source in stage.table("t"), stage.select("t", "SELECT id FROM t"):
        fault = stage.run(source).fault
        assert "the source t" in fault["fault"] and "GRANT SELECT" in fault["fault"] and not fault["transient"]


def test_a_statement_that_is_wrong(stage, sql):
    numbers(sql)
    fault = stage.run(stage.select("bad", "SELECT nothing FROM t")).fault
    assert fault["fault"].startswith("extract: the source bad") and "nothing" in fault["fault"] and not fault["transient"]
    fault = stage.run({"name": "gone", "sql": "/nowhere/x.sql", "url": stage.url}).fault
    assert "/nowhere/x.sql" in fault["fault"] and "the source gone" in fault["fault"]


def test_a_value_that_cannot_be_computed_shows_no_value(stage, sql):
    fault = stage.run(stage.select("bad", f"SELECT ('{MARKER}' || g)::int AS n FROM generate_series(1, 3) g")).fault
    assert MARKER not in fault["fault"] and "22P02" in fault["fault"]


def test_no_such_server(stage):
    got = stage.run({"name": "t", "table": "t", "url": "postgresql://dataeng@127.0.0.1:1/x"})
    assert got.fault["transient"] and "attempt 3" in got.fault["fault"] and got.extract["attempts"] == 3
    assert [s["name"] for s in got.again] == ["extract", "extract"]


def test_a_connection_that_breaks_begins_its_database_again(stage, sql, pg, session):
    """Also the table that was staged already: it was of another snapshot."""
    numbers(sql)
    holder = session()
    holder.cursor().execute("SELECT pg_advisory_lock(7)")
    lines = [{"columns": ["a"]}, {"row": ["1"]}, {"delivery": "k"}]
    process = stage.begin([stage.table("t"), stage.script("o", *lines), stage.select("slow", SLOW)],
                          ["SELECT count(*) FROM staged.t", "SELECT count(*), count(DISTINCT id) FROM staged.slow",
                           "SELECT number, source FROM staged.delivery ORDER BY number", "SELECT count(*) FROM staged.o"])
    [pid] = wait_for_lock(pg)
    sql("INSERT INTO t VALUES (11, 'late')")
    sql("SELECT pg_terminate_backend(%s)", pid)
    wait_for_lock(pg, but=[pid])
    holder.cursor().execute("SELECT pg_advisory_unlock(7)")
    got = stage.finish(process).good()
    assert got.shown == [[["11"]], [["60000", "60000"]], [["1", "t"], ["2", "slow"], ["3", "o"]], [["1"]]]
    assert (got.extract["attempts"], got.told["t"]["rows"], got.told["slow"]["rows"]) == (2, 11, 60000)
    assert any(n.startswith("begun again after: extract: the source slow") for n in got.notes)
    assert got.again[0]["outcome"] == "again" and any(w in got.again[0]["error"] for w in ("57P01", "connection"))
    assert "prepared 1 times" in got.notes  # the objects were not begun again


def test_a_table_that_is_locked_is_waited_for(stage, sql, pg, session):
    numbers(sql)
    holder = session()
    holder.cursor().execute("LOCK TABLE t")
    process = stage.begin([stage.table("t")], ["SELECT count(*) FROM staged.t"])
    [first] = wait_for_lock(pg)
    wait_for_lock(pg, but=[first])
    holder.rollback()
    got = stage.finish(process).good()
    assert got.shown == [[["10"]]] and got.extract["attempts"] == 2 and "another session has it locked" in got.notes[0]


def test_a_sites_timeouts_are_not_ours(stage, sql):
    numbers(sql)
    sql("ALTER ROLE dataeng SET idle_in_transaction_session_timeout = '20ms'")
    sql("ALTER ROLE dataeng SET bytea_output = 'escape'")
    sql("ALTER ROLE dataeng SET extra_float_digits = -10")
    try:
        got = stage.next(stage.table("t"), stage.select("slow", "SELECT pg_sleep(0.1), '\\x00'::bytea AS b, 0.1::float8 + 0.2 AS f"),
                         show=["SELECT b, f FROM staged.slow"])
        assert got.shown == [[["\\x00", "0.30000000000000004"]]]
    finally:
        sql("ALTER ROLE dataeng RESET ALL")


# ---- deliveries, rejected rows, attempts: what comes of feeds in general ----

def quarantine(stage, *sources):
    return stage.run(*sources, show=[
        "SELECT source, object, version, line, reason, kind, detail, raw FROM out.quarantine ORDER BY source, object, line",
        "SELECT number, source, object, version, size, modified, rows, rejected, refused FROM staged.delivery ORDER BY number",
        *(f"SELECT a, _object, _etag, _line, _delivery FROM staged.{s['name']} ORDER BY _delivery, _line" for s in sources)])


def test_rejected_rows_and_refused_objects(stage):
    got = quarantine(stage, stage.script(
        "o", {"columns": ["a", "b"]}, {"row": ["1", None]}, {"reject": "bad_quote", "raw": 'x"y\n'}, {"row": ["", "z"]}, {"delivery": "k1"},
        {"row": ["5", "5"]}, {"reject": "bad_quote", "raw": "gone"}, {"delivery": "k2", "refused": "truncated_object"},
        {"delivery": "k3"}, {"reject": "nul_byte"}, {"delivery": "k4"})).good()
    assert got.shown[0] == [["o", "k1", "e1", "2", "bad_quote", "rejected", "said the script", '"x\\"y\\n"'],
                            ["o", "k2", "e1", None, "truncated_object", "rejected", "said the script", None],
                            ["o", "k4", "e1", "1", "nul_byte", "rejected", "said the script", None]]
    at = "1970-01-01 00:00:00.000001"
    assert got.shown[1] == [["1", "o", "k1", "e1", "7", at, "2", "1", None],
                            ["2", "o", "k2", "e1", "7", at, "0", "0", "truncated_object"],
                            ["3", "o", "k3", "e1", "7", at, "0", "0", None], ["4", "o", "k4", "e1", "7", at, "0", "1", None]]
    assert got.shown[2] == [["1", "k1", "e1", "1", "1"], ["", "k1", "e1", "3", "1"]]
    assert (got.staged, got.rejected) == (2, 2)
    assert got.told["o"] == {**got.told["o"], "rows": 2, "rejected": 2, "objects": 4, "refused": 1}
    assert got.sources == {}


def test_a_source_is_begun_again_alone(stage):
    well = stage.script("well", {"columns": ["a"]}, {"row": ["1"]}, {"reject": "nul_byte"}, {"delivery": "w"})
    bad = stage.script("bad", {"columns": ["a"], "fail_prepare": 1}, {"row": ["1"]}, {"reject": "nul_byte"}, {"delivery": "k1"},
                       {"fault": "the store went away", "transient": True, "times": 2}, {"row": ["2"]}, {"delivery": "k2"})
    got = quarantine(stage, bad, well).good()
    assert [row[:2] for row in got.shown[0]] == [["bad", "k1"], ["well", "w"]]
    assert [row[:3] for row in got.shown[1]] == [["1", "bad", "k1"], ["2", "bad", "k2"], ["3", "well", "w"]]
    assert got.shown[2] == [["1", "k1", "e1", "1", "1"], ["2", "k2", "e1", "1", "2"]] and len(got.shown[3]) == 1
    assert "prepared 3 times" in got.notes and "prepared 2 times" not in got.notes and "prepared 1 times" in got.notes
    assert (got.extract["attempts"], got.told["bad"]["rows"], got.told["bad"]["rejected"], got.staged) == (3, 2, 1, 3)
    assert [s["outcome"] for s in got.again] == ["again", "again"] and "the store went away" in got.again[1]["error"]


def test_a_fault_that_stays(stage):
    lines = [{"columns": ["a"]}, {"row": ["1"]}, {"fault": "denied", "transient": False}]
    got = stage.run(stage.script("bad", *lines))
    assert got.fault["fault"] == "extract: the source bad: denied" and got.extract["attempts"] == 1 and not got.again


def test_names_that_are_ours(stage):
    got = stage.run(stage.script("delivery", {"columns": ["a"]}))
    assert got.fault["fault"].startswith("stage: ") and "delivery" in got.fault["fault"]
