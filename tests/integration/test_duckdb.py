"""lib/db on DuckDB, which has no server: a file, other processes that have it open, and our own memory."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

import test_bulk
import test_db
from programs import BUILD
from servers import wait_until
# The tests that hold for every database; `db` and `sink` are the fixtures of this file.
from test_bulk import (fine, lines, make, number, test_a_cursor_that_is_freed_at_its_last_row,  # noqa: F401
                       test_a_cursor_that_is_freed_early, test_a_statement_without_rows_is_no_cursor,
                       test_columns_of_a_cursor,
                       test_every_character, test_hard_values, test_no_rows, test_other_types_than_text,
                       test_rows_that_end_in_a_fault, test_what_is_no_cursor)
from test_db import (MARKER, NASTY, RUN_SQL, begin, run,  # noqa: F401
                     test_a_query_is_one_statement, test_a_sink_that_wants_no_more,
                     test_a_sink_that_wants_no_more_statements, test_a_syntax_error_says_where,
                     test_a_text_without_statement_does_not_hang,
                     test_no_rows_still_have_columns, test_parameters_are_never_sql, test_several_statements,
                     test_value, test_wrong_number_of_parameters, well)
from test_worker import WORKER, Site

OPTIONS = {o["name"]: o["value"] for o in json.loads((BUILD / "meson-info/intro-buildoptions.json").read_text())}
SANITIZED = "address" in OPTIONS["b_sanitize"]
DUCKDB = OPTIONS["duckdb"]

pytestmark = pytest.mark.skipif(not DUCKDB, reason="built without DuckDB: run setup/duckdb")


class DuckDB:
    name = "duckdb"
    sleep = "SELECT count(*) FROM range(1000000000000) AS t(i) WHERE i % 7 = 3"
    rows = "SELECT i AS n, repeat('x', 100) AS t FROM range({0}) AS r(i)"
    placeholders = ("$1", "$2", "$3")
    unique, not_null, no_table, syntax = "23505", "23502", "42000", "42601"

    def __init__(self, folder):
        self.path = folder / "some.duckdb"

    def url(self):
        return f"duckdb://{self.path}"


@pytest.fixture
def db(tmp_path):
    return DuckDB(tmp_path)


@pytest.fixture
def sink(db):
    return db


def peak(said, most_kb):
    """A sanitizer's shadow and quarantine are not what is measured."""
    assert SANITIZED or said.peak_kb < most_kb, said.peak_kb


@contextlib.contextmanager
def at_work(db, sql=None):
    """Another process that has the file open, in the middle of a statement."""
    process = subprocess.Popen([RUN_SQL, db.url()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write((f"SELECT 'here'; {sql or db.sleep}").encode())
    process.stdin.close()
    try:
        while b"here" not in process.stdout.readline():
            assert process.poll() is None
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


# ---- values ----

TYPES = [
    ("true", "true"), ("1.50::decimal(10, 2)", "1.50"), ("'\\x00\\xff'::blob", "\\x00\\xFF"),
    ("date '2024-02-29'", "2024-02-29"), ("'nan'::double", "nan"), ("""'{"a": 1}'::json""", '{"a": 1}'),
    ("[1, NULL, 3]", "[1, NULL, 3]"), ("{'a': 1, 'b': [{'c': 'x y'}]}", "{'a': 1, 'b': [{'c': x y}]}"),
    ("map {'k': 1, 'l': NULL}", "{k=1, l=NULL}"), ("timestamp '2024-05-01 08:00:00.1'", "2024-05-01 08:00:00.1"),
    ("timestamptz '2024-05-01 08:00:00.123456+02'", "2024-05-01 06:00:00.123456+00"),
    ("uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("uuid '0aeebc99-9c0b-4ef8-8b6d-6bb9bd380a11'", "0aeebc99-9c0b-4ef8-8b6d-6bb9bd380a11"),
    ("interval '1 month 2 days 3 hours'", "1 month 2 days 03:00:00"),
    ("170141183460469231731687303715884105727::hugeint", "170141183460469231731687303715884105727"),
    ("340282366920938463463374607431768211455::uhugeint", "340282366920938463463374607431768211455"),
    ("'b'::enum('a', 'b')", "b"), ("[1, 2]::int[2]", "[1, 2]"), ("union_value(num := 2)", "2"), ("'101'::bit", "101"),
    ("time '01:02:03.5'", "01:02:03.5"), ("-1.05::decimal(4, 2)", "-1.05"), ("0.1::float", "0.1"), ("1e300", "1e+300"),
    ("-12345678901234567890123456789.12::decimal(38, 2)", "-12345678901234567890123456789.12"),
    ("date '0044-03-15 (BC)'", "0044-03-15 (BC)"), ("'infinity'::timestamp", "infinity"),
    ("'2024-05-01 08:00:00.123456789'::timestamp_ns", "2024-05-01 08:00:00.123456789"),
    ("'2024-05-01 08:00:00'::timestamp_s", "2024-05-01 08:00:00"),
    ("'2024-05-01 08:00:00.123'::timestamp_ms", "2024-05-01 08:00:00.123"),
    ("'12:00:00+02'::timetz", "12:00:00+02"), ("18446744073709551615::ubigint", "18446744073709551615"),
    ("(-128)::tinyint", "-128"), ("(-32768)::smallint", "-32768"), ("(-2147483648)::int", "-2147483648"),
    ("255::utinyint", "255"), ("65535::usmallint", "65535"), ("4294967295::uinteger", "4294967295"),
    ("(-9223372036854775808)::bigint", "-9223372036854775808"), ("12.5::decimal(3, 1)", "12.5"),
    ("123456789.5::decimal(10, 1)", "123456789.5"), ("repeat('é', 7)", "é" * 7), ("[[], [NULL]]", "[[], [NULL]]"),
]


def test_types(db):
    """Each as DuckDB itself casts it to text, beside a row in which it is NULL."""
    for i in range(0, len(TYPES), 10):
        some = TYPES[i:i + 10]
        wanted = [text for _, text in some]
        made = ", ".join(f"{sql} AS c{n}" for n, (sql, _) in enumerate(some))
        nulls = ", ".join("NULL" for _ in some)
        rows = well(db.url(), f"CREATE OR REPLACE TABLE k AS SELECT {made}; INSERT INTO k VALUES ({nulls});"
                              "SELECT * FROM k; SELECT COLUMNS(*)::VARCHAR FROM k").rows
        assert rows == [wanted, [None] * len(some)] * 2


def test_text_may_hold_nul_and_every_length(db):
    rows = well(db.url(), "SELECT chr(0) || 'a'; SELECT repeat('y', i::int) FROM range(11, 15) AS r(i)").rows
    assert rows == [[{"hex": "0061"}]] + [["y" * n] for n in range(11, 15)]


def test_a_type_that_is_not_known_is_refused(db):
    said = run(db.url(), "SELECT 1, 123::bignum", "--then", "SELECT 3")
    assert "column 2" in said.fault["fault"] and "cast it to VARCHAR" in said.fault["fault"] and said.rows == [["3"]]


def test_a_value_of_ten_megabytes(db):
    value = "x" * 100_000
    well(db.url(), "CREATE TABLE t AS SELECT $1 AS a", "--param", value)
    said = well(db.url(), "SELECT repeat(a, 100), length(a) FROM t", "--count")
    assert said.ends[0][1] == 1
    assert well(db.url(), "SELECT length(repeat(a, 100)), a FROM t").rows == [["10000000", value]]


def test_an_empty_parameter_is_not_null(db):
    assert well(db.url(), "SELECT $1 IS NULL", "--param", "").rows == [["false"]]
    assert well(db.url(), "SELECT $1 IS NULL", "--null").rows == [["true"]]


def test_parameters_take_the_type_that_is_asked_for(db):
    well(db.url(), "CREATE TABLE t (i bigint, d date, s varchar); INSERT INTO t VALUES (5, '2024-01-02', 'a')")
    assert well(db.url(), "SELECT s FROM t WHERE i = ? AND d < ? AND s = ?", "--param", "5", "--param", "2024-02-01",
                "--param", "a").rows == [["a"]]
    said = run(db.url(), "SELECT s FROM t WHERE i = $1", "--param", MARKER)
    assert said.fault["sqlstate"] == "22018" and MARKER not in said.fault["fault"]


# ---- faults ----

VALUES_IN_MESSAGES = ["SELECT ('{0}' || now()::text)::int", "SELECT ('{0}' || now()::text)::date", "SELECT error('{0}')",
                      "SELECT '{0}'::json", "SELECT strptime('{0}' || random()::text, '%Y')",
                      "CREATE TABLE c (a text CHECK (length(a) < 3)); INSERT INTO c VALUES ('{0}')",
                      "CREATE TABLE u (a text PRIMARY KEY); INSERT INTO u VALUES ('{0}'), ('{0}')",
                      "CREATE TABLE p (a text PRIMARY KEY); CREATE TABLE r (a text REFERENCES p); INSERT INTO r VALUES "
                      "('{0}')", "SELECT regexp_matches('a', '{0}(' || now()::text)", "SELECT '{0}'::enum('a')"]


@pytest.mark.parametrize("sql", VALUES_IN_MESSAGES)
def test_values_stay_out_of_messages(db, sql):
    said = run(db.url(), sql.format(MARKER), "--then", "SELECT 3")
    assert MARKER not in said.fault["fault"] and not said.fault["transient"] and said.fault["sqlstate"]
    assert str(db.path) in said.fault["fault"]


FAULTS = [
    ("SELECT 1; SELECT * FROM nowhere", "42000", ["statement 2", "nowhere"]),
    ("CREATE TABLE t (a int NOT NULL); INSERT INTO t VALUES (NULL)", "23502", ["t.a"]),
    ("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (1)", "23505", ["unique key"]),
    ("CREATE TABLE t (a int CHECK (a > 0)); INSERT INTO t VALUES (0)", "23514", ["check constraint"]),
    ("SELECT 300::tinyint", "22018", ["type"]), ("BEGIN; BEGIN", "25001", ["within a transaction"]),
    ("COMMIT", "25P01", ["no transaction"]), ("SELECT 9223372036854775807 + 1", "22003", ["out of range"]),
]


@pytest.mark.parametrize("sql, sqlstate, words", FAULTS)
def test_faults_have_the_standards_state(db, sql, sqlstate, words):
    fault = run(db.url(), sql).fault
    assert fault["sqlstate"] == sqlstate and not fault["transient"]
    assert all(word in fault["fault"] for word in words), fault


def test_a_fault_in_a_transaction_and_the_next_one(db):
    said = run(db.url(), "CREATE TABLE t (a int PRIMARY KEY); BEGIN; INSERT INTO t VALUES (1), (1)", "--then",
               "ROLLBACK; INSERT INTO t VALUES (2); SELECT * FROM t")
    assert said.fault["sqlstate"] == "23505" and said.rows == [["2"]]


def test_a_statement_timeout(db):
    said = run(db.url(), db.sleep, "--statement-timeout", "300", "--then", "SELECT 3")
    assert said.fault["sqlstate"] == "57014" and "time limit of 300 ms" in said.fault["fault"]
    assert not said.fault["transient"] and said.rows == [["3"]]


def test_a_time_limit_that_is_not_reached_hits_no_statement(db):
    said = well(db.url(), ";".join(["SELECT 1"] * 300), "--statement-timeout", "5000", "--count")
    assert len(said.ends) == 300


OUTSIDE = ["FROM read_csv('/etc/passwd')", "FROM '/etc/passwd'", "ATTACH '{0}/other.duckdb'", "COPY t TO '{0}/t.csv'",
           "COPY t FROM '/etc/passwd'", "LOAD httpfs", "INSTALL httpfs", "SET enable_external_access = true",
           "FROM 'https://localhost/x.parquet'", "EXPORT DATABASE '{0}/all'", "FROM glob('/etc/*')",
           "SELECT content FROM read_text('/etc/passwd')", "SET allowed_directories = ['/']",
           "IMPORT DATABASE '/etc'", "SELECT * FROM ingestd_rows()"]


@pytest.mark.parametrize("sql", OUTSIDE)
def test_nothing_outside_of_the_file_is_reached(db, sql):
    well(db.url(), "CREATE TABLE t (a text)")
    said = run(db.url(), sql.format(db.path.parent), "--then", "SELECT count(*) FROM t")
    assert not said.fault["transient"] and said.rows == [["0"]]
    assert [p.name for p in db.path.parent.iterdir()] == [db.path.name]


def test_some_folders_can_be_let_in(db, tmp_path):
    inside, other, outside = tmp_path / "it's in", tmp_path / "in too", tmp_path / "outside"
    let_in = ["--files-folder", str(inside), "--files-folder", str(other)]
    for folder in (inside, other, outside):
        folder.mkdir()
        (folder / "a.csv").write_text("x,y\n1,2\n")
    for folder in (inside, other):
        assert well(db.url(), f"SELECT x + y FROM read_csv('{str(folder).replace(chr(39), chr(39) * 2)}/a.csv')",
                    *let_in).rows == [["3"]]
    for path in (f"{outside}/a.csv", f"{other}/../outside/a.csv"):
        assert run(db.url(), f"FROM read_csv('{path}')", *let_in).fault["sqlstate"] == "42501"


@pytest.mark.parametrize("sql", ["SET memory_limit = '64GB'", "PRAGMA threads = 64", "SET temp_directory = '/tmp'",
                                 "SET enable_external_access = true", "SET allowed_directories = ['/']",
                                 "SET lock_configuration = false", "RESET memory_limit"])
def test_who_is_let_in_changes_no_setting(db, tmp_path, sql):
    said = run(db.url(), sql, "--files-folder", str(tmp_path), "--then", "SELECT current_setting('TimeZone')")
    assert said.fault and said.rows == [["UTC"]]
    assert well(db.url(), "SET VARIABLE x = 7; SELECT getvariable('x')", "--files-folder", str(tmp_path)).rows == [["7"]]


# ---- files ----

def test_what_cannot_be_opened(db, tmp_path):
    (tmp_path / "text").write_text("a,b\n")
    (tmp_path / "noise").write_bytes(os.urandom(100_000))
    (tmp_path / "empty").write_text("")
    os.mkfifo(tmp_path / "pipe")
    for url, words in [(f"duckdb://{tmp_path}", "a folder"), (f"duckdb://{tmp_path}/no/x", "no is not there"),
                       (f"duckdb://{tmp_path}/text", "no DuckDB database"), ("duckdb://x.duckdb", "three slashes"),
                       (f"duckdb://{tmp_path}/noise", "no DuckDB database"), ("duckdb:///", "file is missing"),
                       (f"duckdb://{tmp_path}/empty", "empty file"), (f"duckdb://{tmp_path}/pipe", "pipe"),
                       ("duckdb:///dev/null", "device"), (f"duckdb://{tmp_path}/x?a=b", "a '?'"),
                       (f"duckdb://{tmp_path}/x%3Fa", "a '?'")]:
        said = run(url, "SELECT 1")
        assert words in said.fault["fault"] and not said.fault["transient"], (url, said.fault)


def test_a_name_with_everything_in_it(tmp_path):
    name = "ü '\" %20;*[a]{b}\\#$~:,.duckdb"
    path = tmp_path / name
    url = f"duckdb://{tmp_path}/" + "".join(c if c.isalnum() and c < "z" else "".join(f"%{b:02X}" for b in c.encode())
                                            for c in name)
    assert well(url, "CREATE TABLE t AS SELECT 1 AS a; SELECT a FROM t").rows == [["1"]]
    assert path.stat().st_size > 0


def test_a_file_of_a_newer_duckdb(db):
    well(db.url(), "CREATE TABLE t (a int)")
    content = bytearray(db.path.read_bytes())
    assert content[8:12] == b"DUCK"
    content[12:20] = (9999).to_bytes(8, "little")
    db.path.write_bytes(content)
    assert "damaged" in run(db.url(), "SELECT 1").fault["fault"]  # its header has a checksum


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9, "cut"])
def test_a_damaged_file(db, at):
    """Where the damage is not met, the right rows; where it is, a fault that says so; never others."""
    well(db.url(), f"CREATE TABLE t AS SELECT i AS a, '{MARKER}' || md5(i::text) AS b FROM range(200000) AS r(i)")
    sql = "SELECT sum(a), count(DISTINCT b) FROM t"
    right = well(db.url(), sql).rows
    content = bytearray(db.path.read_bytes())
    if at == "cut":
        del content[len(content) // 2:]
    else:
        content[int(len(content) * at)] ^= 0xFF
    db.path.write_bytes(content)
    said = run(db.url(), sql)
    if said.faults:
        assert "damaged" in said.fault["fault"] and not said.fault["transient"]
        assert MARKER not in said.fault["fault"]
    else:
        assert said.rows == right and at != "cut"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_rights():
    as_nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
    if subprocess.run([*as_nobody, RUN_SQL], capture_output=True).returncode != 2:
        pytest.skip("another user cannot reach the build folder")
    with tempfile.TemporaryDirectory() as home:  # pytest's own are closed to others
        os.chmod(home, 0o755)
        shutil.copy(pathlib.Path(DUCKDB) / "libduckdb.so", home)
        db = DuckDB(pathlib.Path(home))
        well(db.url(), "CREATE TABLE t (a int)")

        def said(*options):
            done = subprocess.run([*as_nobody, RUN_SQL, db.url(), *options], input=b"SELECT 1", capture_output=True,
                                  env={**os.environ, "LD_LIBRARY_PATH": home})
            return test_db.Said(done, done.stdout.decode())
        assert "user 65534 read and write it" in said().fault["fault"]
        os.chmod(db.path, 0o666)
        assert "write into its folder" in said().fault["fault"]
        assert said("--read-only").rows == [["1"]]


def test_reading_alone_makes_nothing(db):
    assert well(db.url(), "SELECT 1", "--read-only").rows == [["1"]]
    assert not db.path.exists()
    well(db.url(), "CREATE TABLE t AS SELECT 7 AS a")
    before = db.path.read_bytes()
    assert well(db.url(), "SELECT a FROM t", "--read-only").rows == [["7"]]
    assert run(db.url(), "INSERT INTO t VALUES (8)", "--read-only").fault["fault"]
    assert db.path.read_bytes() == before


# ---- other processes ----

def test_a_locked_file_names_who_has_it(db):
    well(db.url(), "CREATE TABLE t (a int)")
    with at_work(db) as other:
        said = run(db.url(), "SELECT 1", "--connect-timeout", "200")
        assert f"PID {other.pid}" in said.fault["fault"] and "run_sql" in said.fault["fault"]
        assert said.fault["transient"]
        assert f"PID {other.pid}" in run(db.url(), "SELECT 1", "--connect-timeout", "200", "--read-only").fault["fault"]


def test_a_locked_file_is_waited_for(db):
    well(db.url(), "CREATE TABLE t (a int)")
    with at_work(db) as other:
        waiting = begin(db.url(), "SELECT 5", "--connect-timeout", "20000")
        # It has looked at least once when it holds the file open no more: /proc tells of the library that it loaded.
        wait_until(lambda: "libduckdb" in pathlib.Path(f"/proc/{waiting.pid}/maps").read_text())
        assert waiting.poll() is None
        other.kill()
        assert test_db.finish(waiting).rows == [["5"]]


def test_readers_beside_each_other(db):
    well(db.url(), "CREATE TABLE t AS SELECT 7 AS a")
    reader = subprocess.Popen([RUN_SQL, db.url(), "--read-only"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    reader.stdin.write(f"SELECT 'here'; {db.sleep}".encode())
    reader.stdin.close()
    try:
        while b"here" not in reader.stdout.readline():
            assert reader.poll() is None
        assert well(db.url(), "SELECT a FROM t", "--read-only").rows == [["7"]]
        assert f"PID {reader.pid}" in run(db.url(), "SELECT 1", "--connect-timeout", "200").fault["fault"]
    finally:
        reader.kill()
        reader.stdout.close()
        reader.wait()


@pytest.mark.parametrize("moment", ["in the transaction", "after its commit"])
def test_killed_in_the_middle(db, moment):
    """What was committed is there, in the file or its log; what was not is gone."""
    well(db.url(), "CREATE TABLE t AS SELECT i AS a FROM range(1000) AS r(i)")
    change = "BEGIN; DELETE FROM t WHERE a < 500; INSERT INTO t SELECT i FROM range(5000, 1000000) AS r(i);"
    with at_work(db, f"{change} {'COMMIT;' if 'after' in moment else ''} SELECT 'now'; {db.sleep}") as other:
        while b"now" not in other.stdout.readline():
            assert other.poll() is None
        other.send_signal(signal.SIGKILL)
        other.wait()
    wanted = ["1000", "499500"] if "in" in moment.split() else ["995500", None]
    rows = well(db.url(), "SELECT count(*), sum(a) FROM t").rows
    assert rows[0][0] == wanted[0] and wanted[1] in (rows[0][1], None)


def test_killed_in_the_middle_of_a_load(db):
    make(db)
    for n in (10_000, 1_000_000):
        paused = test_bulk.Paused(db.url(), "--first", "BEGIN", "--rows", 2_000_000, "--pause-after", n, "--load", "t",
                                  "a", "b", "c")
        paused.process.kill()
        paused.process.stdin.close()
        paused.process.stdout.close()
        paused.process.stderr.close()
        paused.process.wait()
        assert well(db.url(), "SELECT count(*) FROM t").rows == [["0"]]
    assert number(fine(db.url(), "", "--first", "BEGIN", "--rows", 1000, "--load", "t", "a", "b", "c", "--then", "COMMIT"),
                  "loaded") == 1000
    assert well(db.url(), "SELECT count(*), max(a) FROM t").rows == [["1000", "1000"]]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk], capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        url = f"duckdb://{disk}/f.duckdb"
        well(url, "CREATE TABLE t AS SELECT i AS a FROM range(1000) AS r(i)")
        said = run(url, "BEGIN; INSERT INTO t SELECT hash(i) % 1000000007 FROM range(5000000) AS r(i); COMMIT")
        assert "disk is full" in said.fault["fault"] and said.fault["transient"], said.fault
        assert well(url, "SELECT count(*) FROM t").rows == [["1000"]]
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


# ---- memory ----

def test_one_million_rows_out_in_bounded_memory(db):
    said = well(db.url(), db.rows.format(3_000_000), "--count", "--memory-max", "32")
    assert said.ends[0][1] == 3_000_000
    peak(said, 80_000)


def test_millions_of_rows_in_and_out_in_bounded_memory(db):
    make(db, "a int, b text, c text")
    peaks = []
    for n in (1_000_000, 3_000_000):
        said = fine(db.url(), "", "--first", "BEGIN", "--rows", n, "--load", "t", "a", "b", "c", "--then", "COMMIT",
                    "--memory-max", 32, timeout=120)
        assert number(said, "loaded") == n
        peak(said, 110_000)
    said = fine(db.url(), "SELECT * FROM t", "--cursor", "3", "--count", "--memory-max", 32, timeout=120)
    assert number(said, "read") == 4_000_000
    peak(said, 100_000)


def test_hundreds_of_columns_in_little_memory(db):
    columns = [f"c{i}" for i in range(330)]
    well(db.url(), f"CREATE TABLE w ({', '.join(c + ' text' for c in columns)})")
    said = fine(db.url(), "", "--first", "BEGIN", "--rows", 5_000, "--load", "w", *columns, "--then", "COMMIT",
                "--memory-max", 64, timeout=120)
    peak(said, 140_000)


def test_what_does_not_fit_goes_to_the_disk_and_is_gone_after(db):
    sql = "SELECT count(*) FROM (SELECT i FROM range(8000000) AS r(i) ORDER BY hash(i)) q"
    said = well(db.url(), sql, "--memory-max", "32")
    assert said.rows == [["8000000"]]
    peak(said, 130_000)
    assert [p.name for p in db.path.parent.iterdir()] == [db.path.name]


def test_what_a_killed_one_left_beside_the_file_is_removed(db):
    well(db.url(), "SELECT 1")
    left = pathlib.Path(f"{db.path}.tmp")
    left.mkdir()
    (left / "duckdb_temp_storage_DEFAULT-0.tmp").write_text(MARKER)
    well(db.url(), "SELECT 1", "--read-only")
    assert left.exists()
    well(db.url(), "SELECT 1")
    assert not left.exists()


def test_memory_that_does_not_suffice_is_a_fault(db):
    said = run(db.url(), "SELECT list(i) FROM range(100000000) AS r(i)", "--memory-max", "32", "--then", "SELECT 3")
    assert said.fault["sqlstate"] == "53200" and not said.fault["transient"] and said.rows == [["3"]]
    peak(said, 130_000)


# ---- loads ----

def test_a_cell_of_ten_megabytes(db):
    make(db, "a text, b text")
    n = 10 * 1024 * 1024
    said = fine(db.url(), "", "--cell", n, "--load", "t", "a", "b")
    assert number(said, "loaded") == 1
    peak(said, 130_000)
    said = fine(db.url(), "SELECT a, b FROM t", "--cursor", "2", "--count")
    assert number(said, "bytes") == n + 1
    peak(said, 130_000)


REFUSED = [(name, columns, rows, words) for name, columns, rows, words in test_bulk.REFUSED if name != "too long"]


@pytest.mark.parametrize("name, columns, rows, words", REFUSED, ids=[r[0] for r in REFUSED])
def test_a_row_that_is_not_taken(db, name, columns, rows, words):
    order = ("b", "a") if name == "duplicate text" else ("a", "b")
    table = "other" if name == "no table" else "t"
    make(db, columns, name=table)
    said = test_bulk.bulk(db.url(), lines(rows), "--first", "BEGIN", "--load", "t", *order, "--then", "ROLLBACK", "--then",
                          f"SELECT count(*) FROM {table}")
    assert said.rows == [["0"]] and MARKER not in said.fault["fault"] and not said.fault["transient"]
    assert "loading into the table t" in said.fault["fault"] and str(db.path) in said.fault["fault"]


def test_a_fault_names_the_rows_it_is_among(db):
    make(db, "a int, b int")
    rows = [[str(i), "1"] for i in range(3000)] + [["1", MARKER]]
    fault = test_bulk.bulk(db.url(), lines(rows), "--load", "t", "a", "b").fault
    assert "rows 2049 to 3001" in fault["fault"] and MARKER not in fault["fault"]


def test_columns_that_are_not_loaded_get_their_default(db):
    well(db.url(), "CREATE SCHEMA s; CREATE TABLE s.\"t \"\"x\" (a int DEFAULT 7, \"b c\" text)")
    fine(db.url(), lines([["x"], [None]]), "--schema", "s", "--load", "t \"x", "b c")
    assert well(db.url(), "SELECT * FROM s.\"t \"\"x\" ORDER BY 2").rows == [["7", "x"], ["7", None]]


def test_rows_walk_within_one_file(db):
    """Two connections of one process to one file: it is opened once."""
    make(db, "a int PRIMARY KEY, b text")
    said = fine(db.url(), "SELECT i, repeat('x', 100000) FROM range(1500) AS r(i)", "--from", db.url(), "--load", "t", "a",
                "b", timeout=120)
    assert number(said, "loaded") == 1500
    assert well(db.url(), "SELECT count(*), sum(length(b)) FROM t").rows == [["1500", "150000000"]]


@pytest.mark.parametrize("text", test_bulk.TEXTS)
def test_quoting(db, text):
    said = fine(db.url(), "", "--quote", text, "--", text)
    assert said.rows == [[text, None]] and said.columns[0][0] == text


def test_a_time_limit_of_a_load(db):
    make(db, "a int")
    said = test_bulk.bulk(db.url(), "", "--first", "BEGIN", "--statement-timeout", 300, "--rows", 1 << 40, "--load", "t",
                          "a", "--then", "ROLLBACK", "--then", "SELECT 3")
    assert said.fault["sqlstate"] == "57014" and said.rows == [["3"]]


FAILING = "SELECT CASE WHEN i < 45000 THEN i ELSE (i || 'x')::bigint END FROM range(50000) AS r(i)"


def test_a_cursor_that_fails_in_the_middle(db):
    said = test_bulk.bulk(db.url(), FAILING, "--cursor", "--count", "--then", "SELECT 3")
    assert said.fault["sqlstate"] == "22018" and said.rows == [["3"]]


# ---- jobs ----

@pytest.fixture
def site(db, tmp_path):
    made = Site(tmp_path, db.url(), None)
    yield made
    made.close()


def rows_of(db, sql="SELECT * FROM t ORDER BY 1"):
    return [row[0] for row in well(db.url(), sql).rows]


def test_a_query_job(db, site):
    done = site.run("CREATE TABLE t (a int);\nINSERT INTO t VALUES (1), (2);\nSELECT a FROM t ORDER BY a")
    assert done.stats["result"] == [["1"], ["2"]]
    assert rows_of(db) == ["1", "2"]


def test_a_query_job_that_fails_changes_nothing(db, site):
    well(db.url(), "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)")
    failed = site.run("INSERT INTO t VALUES (2);\n\nINSERT INTO t VALUES (1)")
    assert "line 3" in failed.failure()["error"]
    assert rows_of(db) == ["1"]


def test_a_dry_run_changes_nothing(db, site):
    well(db.url(), "CREATE TABLE t (a int)")
    done = site.run("INSERT INTO t VALUES (2)", dry_run=True)
    assert done.stats["dry_run"] and rows_of(db) == []
    refused = site.run("INSERT INTO t VALUES (2); COMMIT; SELECT 1", dry_run=True)
    assert refused.failure() and rows_of(db) == []


def test_a_file_that_commits_is_noticed(db, site):
    well(db.url(), "CREATE TABLE t (a int)")
    done = site.run("INSERT INTO t VALUES (2); COMMIT; BEGIN; INSERT INTO t VALUES (3)")
    assert "ended its transaction itself" in done.stats["warning"]
    for broken in ("nowhere", "(SELECT 'x'::int)"):
        failed = site.run(f"INSERT INTO t VALUES (4); COMMIT; BEGIN; INSERT INTO t SELECT * FROM {broken}")
        assert "had committed itself stays" in failed.failure()["error"]
    failed = site.run("INSERT INTO t VALUES (5); SELECT 'x'::int")
    assert "stays" not in failed.failure()["error"]
    assert rows_of(db) == ["2", "3", "4", "4"]


def test_a_query_job_without_transaction(db, site):
    well(db.url(), "CREATE TABLE t (a int)")
    failed = site.run("INSERT INTO t VALUES (2); SELECT 'x'::int", transaction=False)
    assert "1 of the file's statements) stays" in failed.failure()["error"]
    done = site.run("BEGIN; INSERT INTO t VALUES (3)", transaction=False)
    assert "did not end it" in done.stats["warning"]
    assert rows_of(db) == ["2"]


def test_a_rollup_is_refused(db, site):
    refused = site.run("-- name: compute\nSELECT $1, $2, $3", kind="rollup", table="t", windows=[[0, 600_000_000]])
    assert "Postgres alone" in refused.failure()["error"]


def test_the_probe_makes_nothing(db, site):
    done = site.run("SELECT 1", kind="probe")
    assert done.stats["server"] == "DuckDB 1.4.4" and not db.path.exists()


@pytest.mark.skipif(SANITIZED, reason="a sanitizer takes more than that for itself")
def test_a_worker_within_its_memory(db, site):
    """128 MB of private memory, as the daemon limits a worker by default, of which DuckDB takes half."""
    sql = "CREATE TABLE t AS SELECT i, md5(i::text) AS m FROM range(3000000) AS r(i) ORDER BY m; SELECT count(*) FROM t"
    done = subprocess.run(["prlimit", f"--data={128 << 20}", WORKER], input=json.dumps(site.spec(sql)).encode(),
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout[-1000:]
    assert json.loads(done.stdout.splitlines()[-1])["done"]["result"] == [["3000000"]]
