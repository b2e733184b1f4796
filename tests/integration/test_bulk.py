"""db_load and db_cursor against real servers, by way of tests/unit/db/run_bulk."""
import contextlib
import json
import pathlib
import socket
import struct
import subprocess
import threading

import pytest

from programs import BUILD
from servers import HOST, StallProxy
from test_db import MARKER, MariaDB, begin, db, finish, my, pg, run, well  # noqa: F401: fixtures among them

RUN_BULK = BUILD / "tests/unit/db/run_bulk"


@pytest.fixture(params=["postgres", "mysql", "mysql by insert"])
def sink(request):
    """What is loaded into; MariaDB once as it is, and once when it takes no files."""
    if request.param == "postgres":
        yield request.getfixturevalue("pg")
        return
    server = request.getfixturevalue("maria")
    made = MariaDB(server)
    server.sql(f"SET GLOBAL local_infile = {int(request.param == 'mysql')}")
    try:
        yield made
    finally:
        made.close()
        server.sql("SET GLOBAL local_infile = 1")


def bulk(url, text, *options, timeout=60):
    return finish(begin(url, text, *map(str, options), program=RUN_BULK), timeout)


def fine(url, text, *options, timeout=60):
    said = bulk(url, text, *options, timeout=timeout)
    assert not said.faults, said.faults
    return said


def number(said, name):
    return said._of(name)[0][name]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def make(sink, columns="a int PRIMARY KEY, b text, c text", name="t"):
    if sink.name == "mysql":
        columns = columns.replace(" text", " longtext")
    well(sink.url(), f"CREATE TABLE {name} ({columns})")


class Paused:
    """run_bulk, while it waits in the middle of its rows."""

    def __init__(self, url, *options):
        self.process = subprocess.Popen([RUN_BULK, url, *map(str, options)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.before = b""
        while b"paused" not in self.before:
            line = self.process.stdout.readline()
            assert line, self.process.communicate()
            self.before += line

    def go_on(self):
        self.process.stdin.close()
        self.process.stdin = None
        return finish(self.process)


# ---- what goes in comes out ----

HARD = [["1", None, ""], ["2", "", None], ["3", "a\tb\nc\\d'e\"f`g\r\bh\x1a%s;", "\\N"], ["4", "N", "\\"],
        ["5", "\\\\N\\", "\\.\n\\."], ["6", " spaces ", "ü€😀𝄞"], ["7", "NULL", "null"], ["8", ",|\"", "\t\t\n\n"],
        ["9", "\\t\\n\\r\\b\\f\\v\\0\\x41\\101", "\x01\x02\x0b\x0c\x7f"]]


def test_hard_values(sink):
    make(sink)
    assert number(fine(sink.url(), lines(HARD), "--load", "t", "a", "b", "c"), "loaded") == len(HARD)
    said = fine(sink.url(), "SELECT a, b, c FROM t ORDER BY a; ", "--cursor", "3")
    assert said.rows == HARD and number(said, "read") == len(HARD)


def test_one_column_of_empty_strings_and_nulls(sink):
    make(sink, "b text")
    rows = [[""], [None], [""], [""]]
    assert number(fine(sink.url(), lines(rows), "--load", "t", "b"), "loaded") == 4
    assert fine(sink.url(), "SELECT b IS NULL, count(*) FROM t GROUP BY 1 ORDER BY 1", "--cursor", "2").rows \
        in ([["f", "3"], ["t", "1"]], [["0", "3"], ["1", "1"]])


def test_every_character(sink):
    make(sink, "a int PRIMARY KEY, b text")
    characters = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
    rows = [[str(i), "".join(characters[i:i + 4096])] for i in range(0, len(characters), 4096)]
    fine(sink.url(), lines(rows), "--load", "t", "a", "b")
    assert fine(sink.url(), "SELECT a, b FROM t ORDER BY a -- in order", "--cursor", "2").rows == rows


@pytest.mark.parametrize("mode", ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "ANSI,NO_BACKSLASH_ESCAPES,TRADITIONAL", ""])
def test_modes_of_maria(my, mode):
    make(my)
    for value in (0, 1):
        my.server.sql(f"SET GLOBAL local_infile = {value}")
        try:
            fine(my.url(), lines(HARD), "--first", f"SET sql_mode = '{mode}'; DELETE FROM t", "--load", "t", "a", "b",
                 "c")
        finally:
            my.server.sql("SET GLOBAL local_infile = 1")
        assert fine(my.url(), "SELECT * FROM t ORDER BY a", "--cursor", "3").rows == HARD


def test_other_types_than_text(sink):
    make(sink, "i int, b bigint, d date, n numeric(10, 2), v varchar(3)")
    rows = [["-1", "9223372036854775807", "2024-02-29", "1.50", "äöü"], [None] * 5]
    fine(sink.url(), lines(rows), "--load", "t", "i", "b", "d", "n", "v")
    assert sorted(fine(sink.url(), "SELECT i, b, d, n, v FROM t", "--cursor", "5").rows, key=str) == rows


def test_no_rows(sink):
    make(sink)
    assert number(fine(sink.url(), "", "--load", "t", "a", "b"), "loaded") == 0
    said = fine(sink.url(), "SELECT * FROM t", "--cursor", "3", "--then", "SELECT 3")
    assert number(said, "read") == 0 and said.rows == [["3"]]


def test_a_cell_of_ten_megabytes(sink):
    make(sink, "a text, b text")
    n = 10 * 1024 * 1024
    said = fine(sink.url(), "", "--cell", n, "--load", "t", "a", "b")
    assert number(said, "loaded") == 1
    said = fine(sink.url(), "SELECT a, b FROM t", "--cursor", "2", "--count")
    assert number(said, "bytes") == n + 1
    assert said.peak_kb < 60_000


def test_one_million_rows_in_bounded_memory(sink):
    make(sink, "a int PRIMARY KEY, b text, c text")
    said = fine(sink.url(), "", "--rows", 1_000_000, "--load", "t", "a", "b", "c", timeout=120)
    assert number(said, "loaded") == 1_000_000
    assert said.peak_kb < 30_000
    said = fine(sink.url(), "SELECT * FROM t", "--cursor", "3", "--count", timeout=120)
    assert number(said, "read") == 1_000_000
    assert said.peak_kb < 30_000


def test_names_with_quotes(sink):
    table, columns = "t \"'`ü\\ ;", ["a\"b`c'd", "select", "x.y", "b`"]
    quote = '"' if sink.name == "postgres" else "`"
    names = [quote + n.replace(quote, 2 * quote) + quote for n in (table, *columns)]
    well(sink.url(), f"CREATE TABLE {names[0]} ({', '.join(n + ' varchar(10)' for n in names[1:])})")
    schema = "public" if sink.name == "postgres" else "some_db"
    fine(sink.url(), lines([["1", "2", "3", "4"]]), "--schema", schema, "--load", table, *columns)
    fine(sink.url(), lines([["6", "5"]]), "--load", table, columns[2], columns[0])
    rows = fine(sink.url(), f"SELECT {', '.join(names[1:])} FROM {names[0]} ORDER BY 1", "--cursor", "4").rows
    assert rows == [["1", "2", "3", "4"], ["5", None, "6", None]]


TEXTS = ["it's", "a\\b", "\\", "'; DROP TABLE t; -- ", "\"`$1 ? %s", "ü€😀", "\\'", "a\nb\tc"]


@pytest.mark.parametrize("text", TEXTS)
def test_quoting(db, text):
    settings = ["SET standard_conforming_strings = off; SET backslash_quote = off",
                "SET standard_conforming_strings = on"]
    if db.name == "mysql":
        settings = ["SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "SET sql_mode = 'ANSI_QUOTES'", "SET sql_mode = ''"]
    for setting in settings:
        name = text.replace("😀", "")  # MariaDB's names are not of four bytes
        said = fine(db.url(), "", "--first", setting, "--quote", text, "--", name)
        assert said.rows == [[text, None]]
        assert said.columns[0][0] == name


# ---- from one server to another ----

@pytest.mark.parametrize("there", ["postgres", "mysql"])
def test_rows_walk_from_one_database_to_another(request, sink, there):
    """One thread, two connections, rows that fill every buffer between them."""
    other = request.getfixturevalue("pg" if there == "postgres" else "my") \
        if not (sink.name == there) else sink
    numbers = "generate_series(1, 400) AS g(n)" if other.name == "postgres" else "(SELECT seq AS n FROM seq_1_to_400) g"
    make(sink, "a int PRIMARY KEY, b text")
    said = fine(sink.url(), f"SELECT n, repeat('x', 100000) FROM {numbers}", "--from", other.url(), "--load", "t", "a",
                "b", timeout=120)
    assert number(said, "loaded") == 400
    assert said.peak_kb < 40_000
    assert fine(sink.url(), "SELECT count(*), sum(length(b)) FROM t", "--cursor", "2").rows == [["400", "40000000"]]


def test_maria_waits_for_a_stream_that_stands_still(my):
    make(my)
    ask = "SELECT @@net_read_timeout, @@net_write_timeout"
    assert fine(my.url(), lines(HARD), "--load", "t", "a", "b", "c", "--then", ask).rows == [["3600", "3600"]]
    assert fine(my.url(), "SELECT 1", "--cursor", "--count", "--then", ask).rows == [["3600", "3600"]]


# ---- rows that are not taken ----

REFUSED = [
    ("duplicate", "a int PRIMARY KEY, b varchar(100)", [["1", MARKER], ["1", MARKER]], "unique key"),
    ("duplicate text", "b varchar(100), a varchar(100) PRIMARY KEY", [["1", MARKER], ["1", MARKER]], "unique key"),
    ("too long", "a int, b varchar(5)", [["1", "x"], ["2", MARKER]], "too long for its column"),
    ("NULL", "a int, b text NOT NULL", [["1", MARKER], ["2", None]], "NULL where NOT NULL"),
    ("no number", "a int, b int", [["1", "2"], ["2", MARKER]], "type"),
    ("no date", "a int, b date", [["1", None], ["2", MARKER]], None),
    ("half a number", "a int, b int", [["1", "12abc"]], "type"),
    ("empty number", "a int, b int", [["1", ""]], "type"),
    ("a number too large", "a int, b smallint", [["1", "70000"]], "out of range"),
    ("no column", "a int, c int", [["1", "2"]], "b"),
    ("no table", "a int, b int", [["1", "2"]], "t"),
    ("a check", "a int, b text CHECK (b <> 'no')", [["1", "no"]], "check constraint"),
]


@pytest.mark.parametrize("name, columns, rows, words", REFUSED, ids=[r[0] for r in REFUSED])
def test_a_row_that_is_not_taken(sink, name, columns, rows, words):
    order = ("b", "a") if name == "duplicate text" else ("a", "b")
    table = "other" if name == "no table" else "t"
    make(sink, columns, name=table)
    settings = ["SET sql_mode = 'STRICT_ALL_TABLES';", "SET sql_mode = '';"] if sink.name == "mysql" else [""]
    for setting in settings:
        said = bulk(sink.url(), lines(rows), "--first", setting + "BEGIN", "--load", "t", *order, "--then",
                    "ROLLBACK", "--then", f"SELECT count(*) FROM {table}")
        fault = said.fault
        assert said.rows == [["0"]], "the connection is as it was"
        assert MARKER not in fault["fault"] and not fault["transient"] and "some_db@" in fault["fault"]
        assert words is None or words in fault["fault"]


def test_a_fault_names_the_column_and_the_row(my):
    make(my, "a int, b varchar(5)")
    said = bulk(my.url(), lines([["1", "x"], ["2", f"{MARKER}' for column 'a' at row 7"]]), "--load", "t", "a", "b")
    assert "column b, row 2" in said.fault["fault"] and "too long" in said.fault["fault"]


def test_a_column_name_in_a_value_is_no_column(my):
    """A value may look like the server's words; it cannot put its own into the fault."""
    make(my, "a int, b date")
    said = bulk(my.url(), lines([["1", f"{MARKER}` at row 9"]]), "--load", "t", "a", "b")
    assert MARKER not in said.fault["fault"] and "row 9" not in said.fault["fault"]


def test_warnings_that_the_server_does_not_keep(my):
    make(my, "a int, b varchar(5)")
    said = bulk(my.url(), lines([["1", MARKER]]), "--first", "SET max_error_count = 0", "--load", "t", "a", "b")
    assert "1 warnings" in said.fault["fault"] and MARKER not in said.fault["fault"]


def test_rows_that_a_trigger_drops(pg):
    make(pg)
    well(pg.url(), "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.a = 3 THEN RETURN NULL; "
                       "END IF; RETURN NEW; END $$; CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")
    said = bulk(pg.url(), lines(HARD), "--load", "t", "a", "b", "c")
    assert f"{len(HARD) - 1} of {len(HARD)} rows" in said.fault["fault"]


def test_notices_of_a_trigger_do_not_stop_the_stream(pg):
    make(pg)
    well(pg.url(), "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING '%', repeat('x', "
                       "1000); RETURN NEW; END $$; CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")
    assert number(fine(pg.url(), "", "--rows", 20000, "--load", "t", "a", "b"), "loaded") == 20000


def test_rows_that_end_in_a_fault(sink):
    make(sink)
    for n in (1, 50_000):
        said = bulk(sink.url(), "", "--first", "BEGIN", "--rows", 100_000, "--fail-after", n, "--load", "t", "a", "b",
                    "--then", "ROLLBACK", "--then", "SELECT count(*) FROM t")
        assert said.fault == {"fault": "the rows broke off", "sqlstate": "XX999", "transient": True}
        assert said.rows == [["0"]]


def test_a_cursor_that_fails_in_the_middle_of_a_load(sink, request):
    """The other side's fault is the load's."""
    make(sink, "a bigint")
    said = bulk(sink.url(), FAILING[sink.name], "--first", "BEGIN", "--from", sink.url(), "--load", "t", "a", "--then",
                "ROLLBACK", "--then", "SELECT count(*) FROM t")
    assert said.fault["sqlstate"] in ("22012", "22003") and said.rows == [["0"]]


def test_a_statement_timeout(sink):
    make(sink, "a int")
    if sink.name == "postgres":
        well(sink.url(), "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); "
                             "RETURN NEW; END $$; CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")
    else:
        sink.server.sql("CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW SET NEW.a = SLEEP(30)", "some_db")
    said = bulk(sink.url(), lines([["1"]]), "--first", "BEGIN", "--statement-timeout", 300, "--load", "t", "a",
                "--then", "ROLLBACK", "--then", "SELECT 3")
    assert said.fault["sqlstate"] in ("57014", "70100") and said.rows == [["3"]]


def test_a_row_larger_than_a_packet_of_maria(my):
    make(my, "a text, b text")
    before = my.server.sql("SELECT @@max_allowed_packet")[0][0]
    my.server.sql("SET GLOBAL max_allowed_packet = 65536; SET GLOBAL local_infile = 0")
    try:
        fine(my.url(), "", "--cell", 65000, "--load", "t", "a", "b")
        said = bulk(my.url(), "", "--cell", 70000, "--load", "t", "a", "b", "--then", "SELECT count(*) FROM t")
        assert "max_allowed_packet" in said.fault["fault"] and said.rows == [["1"]]
        assert number(fine(my.url(), "", "--rows", 20000, "--load", "t", "a", "b"), "loaded") == 20000
        rows = [[str(n % 7), "x" * (n * 7919 % 64000)] for n in range(200)]
        assert number(fine(my.url(), lines(rows), "--load", "t", "a", "b"), "loaded") == 200
        total = sum(len(r[1]) for r in rows) + sum(len(str(n)) for n in range(1, 20001)) + 65000
        assert fine(my.url(), "SELECT sum(length(b)) FROM t", "--cursor").rows == [[str(total)]]
        my.server.sql("SET GLOBAL local_infile = 1")
        fine(my.url(), "", "--cell", 10_000_000, "--load", "t", "a", "b")
    finally:
        my.server.sql(f"SET GLOBAL max_allowed_packet = {before}; SET GLOBAL local_infile = 1")


# ---- the server goes away ----

@pytest.mark.parametrize("how", ["killed", "cut"])
def test_a_load_whose_server_goes_away(sink, how):
    make(sink)
    proxy = StallProxy(sink.server.port)
    try:
        paused = Paused(sink.url(port=proxy.port), "--rows", 3_000_000, "--pause-after", 1_000_000, "--first", "BEGIN",
                        "--load", "t", "a", "b", "c", "--then", "SELECT 3")
        if how == "killed":
            sink.server.kill9()
        else:
            proxy.drop()
        said = paused.go_on()
    finally:
        proxy.close()
    assert len(said.faults) == 2 and all(f["transient"] for f in said.faults)
    if how == "cut":
        assert fine(sink.url(), "SELECT count(*) FROM t", "--cursor").rows == [["0"]]


@pytest.mark.parametrize("how", ["killed", "cut"])
def test_a_cursor_whose_server_goes_away(db, how):
    proxy = StallProxy(db.server.port)
    try:
        paused = Paused(db.url(port=proxy.port), "--select", db.rows.format(3_000_000), "--count", "--pause-after",
                        100_000, "--cursor", "2", "--then", "SELECT 3")
        if how == "killed":
            db.server.kill9()
        else:
            proxy.drop()
        said = paused.go_on()
    finally:
        proxy.close()
    assert len(said.faults) == 2 and all(f["transient"] for f in said.faults)


# ---- cursors ----

FAILING = {"postgres": "SELECT 1000 / (50000 - g) FROM generate_series(1, 100000) g",
           "mysql": "SELECT CAST(50000 AS unsigned) - seq FROM seq_1_to_100000"}


def test_a_cursor_that_fails_in_the_middle(db):
    said = bulk(db.url(), FAILING[db.name], "--cursor", "--count", "--then", "SELECT 3")
    assert said.fault["sqlstate"] in ("22012", "22003") and said.rows == [["3"]]
    assert 40_000 < number(said, "read") <= 50_000


@pytest.mark.parametrize("n", [1, 10, 100_000])
def test_a_cursor_that_is_freed_early(db, n):
    rows = db.rows.format(300_000_000 if db.name == "mysql" else 20_000_000)
    said = fine(db.url(), rows, "--cursor", "2", "--count", "--stop-after", n, "--then", "SELECT 3", timeout=12)
    assert number(said, "read") == n and said.rows == [["3"]]


def test_a_cursor_that_is_freed_at_its_last_row(db):
    """A stop that comes when the statement is over must not hit the next one."""
    for _ in range(5):
        said = fine(db.url(), "SELECT 1", "--cursor", "--stop-after", 1, "--then", "SELECT 3", "--then", "SELECT 4")
        assert said.rows == [["1"], ["3"], ["4"]]


@pytest.mark.parametrize("sql", ["SELECT * FROM nowhere", "SELECT 1 FROMM x y", "SELECT 1; SELECT 2", "", "-- only words"])
def test_what_is_no_cursor(db, sql):
    said = bulk(db.url(), sql, "--cursor", "--then", "SELECT 3")
    assert not said.fault["transient"] and said.rows == [["3"]]


def test_a_statement_without_rows_is_no_cursor(db):
    make(db, "a int")
    said = bulk(db.url(), "INSERT INTO t VALUES (1)", "--cursor", "--then", "SELECT 3")
    assert not said.fault["transient"] and said.rows == [["3"]]


def test_columns_of_a_cursor(sink):
    quote = "`" if sink.name == "mysql" else '"'
    name = "Wü\"s`t" if sink.name != "duckdb" else "Wü'st"
    sql = f"SELECT 1 AS a, 2 AS {quote}{name.replace(quote, 2 * quote)}{quote}, 3 AS a, NULL AS {quote}B c{quote} -- four"
    said = fine(sink.url(), sql, "--cursor", "4", "--columns", "--then", "SELECT 3")
    assert said.columns[0] == ["a", name, "a", "B c"] and said.rows == [["1", "2", "3", None], ["3"]]
    make(sink, "a int, b text")
    for sql in ("SELECT * FROM t;", "WITH x AS (SELECT a AS c, b AS d FROM t) SELECT d, c FROM x ; \n"):
        said = fine(sink.url(), sql, "--cursor", "2", "--columns")
        assert said.columns == [["a", "b"] if "WITH" not in sql else ["d", "c"]] and said.rows == []


def test_types_of_a_cursor(pg):
    said = fine(pg.url(), "SELECT true, '\\x00ff'::bytea, NULL, E'\\b\\f\\x0b\\r', '\\N'", "--cursor", "5")
    assert said.rows == [["t", "\\x00ff", None, "\b\f\v\r", "\\N"]]


# ---- a server that asks for files ----

def packet(number, body):
    return struct.pack("<I", len(body))[:3] + bytes([number % 256]) + body


OK = b"\0\0\0\2\0\0\0"
GREETING = (b"\x0a5.7.1\0" + struct.pack("<I", 1) + b"12345678\0" + struct.pack("<H", 0xFFFF & ~0x0800) + b"\x2d" +
            struct.pack("<H", 2) + struct.pack("<H", 0x0008) + b"\x15" + b"\0" * 10 + b"123456789012\0" +
            b"mysql_native_password\0")


# A statement with one parameter and no columns, the parameter, and the end of these.
PREPARED = (b"\0\1\0\0\0\0\0\1\0\0\0\0", b"\3def\0\0\0\1?\0\x0c" + b"\0" * 12, b"\xfe\0\0\2\0")


class Rogue:
    """Speaks as much of MySQL's protocol as it takes to be let in, and then asks for files."""

    def __init__(self, wants, when):
        self.wants, self.when = wants, when
        self.got, self.asked = [], 0
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.threads = []
        self.acceptor = threading.Thread(target=self._accept)
        self.acceptor.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                self.threads.append(threading.Thread(target=self._serve, args=(peer,)))
                self.threads[-1].start()

    def _serve(self, peer):
        peer.settimeout(5)  # a client that was led astray waits for us
        with peer, peer.makefile("rb") as stream, contextlib.suppress(OSError, EOFError):
            peer.sendall(packet(0, GREETING))
            self._read(stream)
            peer.sendall(packet(2, OK))
            number, command = self._read(stream)
            while True:
                number, command = self._answer(peer, stream, command)

    @staticmethod
    def _read(stream):
        head = stream.read(4)
        if len(head) < 4:
            raise EOFError
        return head[3], stream.read(int.from_bytes(head[:3], "little"))

    def _answer(self, peer, stream, command):
        """The next command. One that comes in place of a file begins again with the packet's number 0."""
        number = 0
        for name in self.wants if self.when(command) else ():
            self.asked += 1
            peer.sendall(packet(number + 1, b"\xfb" + name))
            number, some = self._read(stream)
            while some and number > 0:
                self.got.append(some)
                number, some = self._read(stream)
            if number == 0:
                return number, some
        for answer in PREPARED if command[:1] == b"\x16" else (OK,):
            number += 1
            peer.sendall(packet(number, answer))
        return self._read(stream)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.acceptor.join()
        for thread in self.threads:
            thread.join()


@contextlib.contextmanager
def rogue(wants, when):
    server = Rogue(wants, when)
    try:
        yield server, f"mysql://dataeng:best@{HOST}:{server.port}/some_db"
    finally:
        server.close()


def is_query(command):
    return command[:1] in (b"\x03", b"\x17")


SECRET = pathlib.Path("/etc/passwd")


@pytest.mark.parametrize("when", [is_query, lambda c: True, lambda c: b"KILL" not in c])
@pytest.mark.parametrize("options", [(), ("--query",), ("--param", "1")])
def test_a_server_that_asks_for_a_file_at_a_statement(when, options):
    with rogue([bytes(SECRET)], when) as (server, url):
        said = run(url, "SELECT 1", *options, "--then", "SELECT 2")
    assert server.asked > 0 and set(server.got) <= {b"\n"}
    assert said.faults


@pytest.mark.parametrize("names, taken", [([bytes(SECRET)], b""), ([b""], b""), ([b"rows-of-this-load/../passwd"], b""),
                                          ([b"rows-of-this-load"], b"1\t2\n")])
def test_a_server_that_asks_for_a_file_at_a_load(names, taken):
    with rogue(names, lambda c: b"LOAD DATA" in c) as (server, url):
        said = bulk(url, lines([["1", "2"]]), "--load", "t", "a", "b")
    assert server.asked > 0 and b"".join(server.got).strip(b"\n") == taken.strip(b"\n")
    assert said.faults


def test_a_server_that_asks_for_our_rows_and_then_for_a_file():
    """The name of a load is of no use when the load is over."""
    for when in (lambda c: b"SELECT" in c, lambda c: c[:1] == b"\x03"):
        with rogue([b"rows-of-this-load", bytes(SECRET)], when) as (server, url):
            said = bulk(url, "", "--first", "SELECT 1", "--rows", "5", "--load", "t", "a", "--then", "SELECT 2")
        assert server.asked > 0 and not any(b"root" in some or b"1" in some for some in server.got)
        assert said.faults


def test_a_server_that_never_asks():
    with rogue([], lambda c: False) as (server, url):
        said = bulk(url, lines([["1", "2"]]), "--load", "t", "a", "b")
    assert "did not ask" in said.fault["fault"]
