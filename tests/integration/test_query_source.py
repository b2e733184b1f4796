"""lib/source/query on all three databases, by way of tests/unit/source/query_cat."""
import json
import subprocess

import pytest

from programs import BUILD
from servers import StallProxy
from test_db import MARKER, my, pg, well  # noqa: F401: fixtures among them
from test_duckdb import DUCKDB, DuckDB

QUERY_CAT = BUILD / "tests/unit/source/query_cat"


@pytest.fixture(params=["postgres", "mysql", "duckdb"])
def db(request, tmp_path):
    if request.param == "duckdb" and not DUCKDB:
        pytest.skip("built without DuckDB: run setup/duckdb")
    return DuckDB(tmp_path) if request.param == "duckdb" else request.getfixturevalue(
        "pg" if request.param == "postgres" else "my")


class Got:
    def __init__(self, code, out, err):
        assert code in (0, 1), f"query_cat ended with {code}: {out[-2000:]} {err[-3000:]}"
        assert MARKER not in err
        self.lines = [json.loads(line) for line in out.splitlines()]
        rows = [line for line in self.lines if "row" in line]
        assert [line["line"] for line in rows] == list(range(1, len(rows) + 1)) or "paused" in out
        self.rows = [line["row"] for line in rows if "reason" not in line]
        self.rejected = [(line["line"], line["reason"], line["raw"]) for line in rows if "reason" in line]
        self.fault = self.of("fault")
        assert (code == 1) == (self.fault is not None)

    def of(self, name):
        return next((line for line in self.lines if name in line), None)

    def good(self):
        assert self.fault is None, self.fault
        assert self.of("rows")["raw_at_end"] is False
        return self

    @property
    def columns(self):
        return self.of("columns")["columns"]


def read(url, sql, *more, stdin=subprocess.DEVNULL):
    done = subprocess.run([QUERY_CAT, url, sql, *map(str, more)], stdin=stdin, capture_output=True, timeout=60)
    return Got(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("end", ["", ";", " ; \n", "\n-- the end", " /* the end */"])
def test_rows_are_cells_of_text(db, end):
    got = read(db.url(), "WITH x AS (SELECT 1 AS a, 'ü,\"😀' AS b, NULL AS c) SELECT a, b, c, '' AS d, 1.50 AS e FROM x" +
               end).good()
    assert got.columns == ["a", "b", "c", "d", "e"] and got.rows == [["1", 'ü,"😀', None, "", "1.50"]]
    assert got.of("rows")["rows"] == 1 and got.of("rows")["received"] == 13


def test_no_rows_still_have_columns(db):
    well(db.url(), "CREATE TABLE t (a int, b varchar(10))")
    got = read(db.url(), "SELECT b, a FROM t").good()
    assert got.columns == ["b", "a"] and got.rows == [] and got.of("rows")["rows"] == 0


def test_many_rows_in_bounded_memory(db):
    """The text of all rows is a hundred times what may be held."""
    got = read(db.url(), db.rows.format(1_000_000), 1_000_001).good()
    assert got.of("rows")["rows"] == 1_000_000
    assert got.of("peak_kb")["peak_kb"] < (250_000 if db.name == "duckdb" else 40_000)


@pytest.mark.parametrize("sql, words", [("SELECT 1 AS a, 2 AS b, 3 AS a", "two columns of the name `a`"),
                                        ("SELECT * FROM nowhere", "nowhere"), ("SELECT 1; SELECT 2", ""), ("", ""),
                                        ("SELEKT 1", "")])
def test_statements_that_are_refused(db, sql, words):
    fault = read(db.url(), sql).fault
    assert fault and words in fault["fault"] and not fault["transient"]


def test_a_statement_without_columns_is_refused(db):
    well(db.url(), "CREATE TABLE t (a int)")
    fault = read(db.url(), "INSERT INTO t VALUES (1)").fault
    assert fault and not fault["transient"]


def test_a_select_of_nothing_is_refused(pg):
    assert "returns no columns" in read(pg.url(), "SELECT FROM generate_series(1, 3)").fault["fault"]


def test_rows_that_cannot_be_taken(my):
    """Binary strings are whatever they are; Postgres has no such text, and DuckDB only the second."""
    got = read(my.url(), "SELECT 1 AS a, 'good' AS b UNION ALL SELECT 2, CAST('b,d' AS binary) UNION ALL "
                         "SELECT 3, concat(unhex('61ff62'), ',\"') UNION ALL SELECT 4, unhex('6100') UNION ALL "
                         "SELECT NULL, unhex('c3')").good()
    assert got.rows == [["1", "good"], ["2", "b,d"]]
    assert got.rejected == [(3, "bad_encoding", '3,"a�b,"""'), (4, "nul_byte", "4,a�"), (5, "bad_encoding", ",�")]


def test_the_raw_text_has_a_limit(my):
    got = read(my.url(), "SELECT repeat('é', 50000) AS a, unhex('ff') AS b, '' AS c").good()
    assert got.rejected == [(1, "bad_encoding", "é" * 32768)]
    got = read(my.url(), "SELECT repeat('ab', 15000) AS a, repeat(unhex('ff'), 60000) AS b").good()
    (_, _, raw), = got.rejected
    assert raw == "ab" * 15000 + "," + "�" * ((65536 - 30001) // 3)


@pytest.mark.skipif(not DUCKDB, reason="built without DuckDB: run setup/duckdb")
def test_u0000_of_duckdb(tmp_path):
    got = read(DuckDB(tmp_path).url(), "SELECT 1 AS a, 'x' || chr(0) AS b UNION ALL SELECT 2, ''").good()
    assert got.rejected == [(1, "nul_byte", "1,x�")] and got.rows == [["2", ""]]


FAILING = {"postgres": "SELECT 1000 / (50000 - g) AS a FROM generate_series(1, 100000) g",
           "mysql": "SELECT CAST(50000 AS unsigned) - seq AS a FROM seq_1_to_100000",
           "duckdb": "SELECT CASE WHEN i = 50000 THEN error('no') ELSE '' END AS a FROM range(100000) AS r(i)"}


def test_a_statement_that_fails_in_the_middle(db):
    fault = read(db.url(), FAILING[db.name]).fault
    assert fault and not fault["transient"] and fault["fault"]


@pytest.mark.parametrize("how", ["killed", "cut"])
@pytest.mark.parametrize("which", ["pg", "my"])
def test_a_server_that_goes_away_is_worth_another_try(request, which, how):
    db = request.getfixturevalue(which)
    proxy = StallProxy(db.server.port)
    try:
        with subprocess.Popen([QUERY_CAT, db.url(port=proxy.port), db.rows.format(3_000_000), "100000"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            before = b""
            while b"paused" not in before:
                line = process.stdout.readline()
                assert line, process.communicate()
                before += line
            if how == "killed":
                db.server.kill9()
            else:
                proxy.drop()
            out, err = process.communicate(timeout=60)
    finally:
        proxy.close()
    got = Got(process.returncode, (before + out).decode(), err.decode())
    assert got.fault["transient"] and 100_000 <= got.of("rows")["rows"] < 3_000_000
