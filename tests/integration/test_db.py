"""lib/db against real servers, by way of tests/unit/db/run_sql: what a worker sees of a database."""
import contextlib
import json
import os
import socket
import subprocess
import threading
import time

import pytest

import office
from programs import BUILD
from servers import HOST, StallProxy, free_port, wait_until

RUN_SQL = BUILD / "tests/unit/db/run_sql"
MARKER = "planted-marker-7731"


class Postgres:
    """What the tests need to know of a server beside its URL."""
    name = "postgres"
    sleep = "SELECT pg_sleep(30)"
    rows = "SELECT g AS n, repeat('x', 100) AS t FROM (SELECT generate_series(1, {0}) AS g) s"
    placeholders = ("$1", "$2", "$3")
    unique, not_null, no_table, syntax = "23505", "23502", "42P01", "42601"

    def __init__(self, server):
        self.server = server
        office.create_database(server, "some_db", template="template0")
        c = server.connect("some_db")
        c.cursor().execute("GRANT ALL ON SCHEMA public TO dataeng")
        c.close()

    def url(self, **options):
        return self.server.url("some_db", **options)

    def sessions(self):
        with contextlib.closing(self.server.connect("postgres")) as c:
            cur = c.cursor()
            cur.execute("SELECT pid, query FROM pg_stat_activity WHERE usename = 'dataeng' AND state = 'active'")
            return cur.fetchall()

    def close(self):
        if not self.server.running:
            self.server.start()
        office.drop_database(self.server, "some_db")


class MariaDB:
    name = "mysql"
    sleep = "SELECT SLEEP(30)"
    rows = "SELECT seq AS n, repeat('x', 100) AS t FROM seq_1_to_{0}"
    placeholders = ("?", "?", "?")
    unique, not_null, no_table, syntax = "23000", "23000", "42S02", "42000"

    def __init__(self, server):
        self.server = server
        server.create_database("some_db")

    def url(self, **options):
        return self.server.url("some_db", **options)

    def sessions(self):
        return self.server.sql("SELECT id, info FROM information_schema.processlist "
                               "WHERE user = 'dataeng' AND info IS NOT NULL")

    def close(self):
        if not self.server.running:
            self.server.start()
        for (session,) in self.server.sql("SELECT id FROM information_schema.processlist WHERE user = 'dataeng'"):
            with contextlib.suppress(subprocess.CalledProcessError):  # it has just ended
                self.server.sql(f"KILL {session}")
        self.server.sql("DROP DATABASE some_db")


@pytest.fixture(params=["postgres", "mysql"])
def db(request):
    if request.param == "postgres":
        made = Postgres(request.getfixturevalue("postgres"))
    else:
        made = MariaDB(request.getfixturevalue("maria"))
    yield made
    made.close()


@pytest.fixture
def pg(postgres):
    made = Postgres(postgres)
    yield made
    made.close()


@pytest.fixture
def my(maria):
    made = MariaDB(maria)
    yield made
    made.close()


class Said:
    """What run_sql printed."""

    def __init__(self, process, out):
        self.status = process.returncode
        self.lines = [json.loads(line) for line in out.split("\n") if line]

    def _of(self, key):
        return [line for line in self.lines if key in line]

    @property
    def rows(self):
        return [line["row"] for line in self._of("row")]

    @property
    def columns(self):
        return [line["columns"] for line in self._of("columns")]

    @property
    def ends(self):
        return [(line["end"], line["rows"]) for line in self._of("end")]

    @property
    def faults(self):
        return self._of("fault")

    @property
    def fault(self):
        assert len(self.faults) == 1, self.lines
        return self.faults[0]

    @property
    def value(self):
        assert not self.faults, self.faults
        return self._of("value")[0]["value"]

    @property
    def peak_kb(self):
        return self._of("peak_kb")[0]["peak_kb"]


def begin(url, sql, *options, program=RUN_SQL):
    # A sanitizer keeps what is freed for a while: that is not the memory we measure.
    environment = {**os.environ, "ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb=1"}
    process = subprocess.Popen([program, url, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment)
    process.stdin.write(sql.encode())
    process.stdin.close()
    process.stdin = None
    return process


def finish(process, timeout=25):
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert not err, err.decode(errors="replace")[:2000]
    assert MARKER.encode() not in err
    return Said(process, out.decode())


def run(url, sql, *options):
    return finish(begin(url, sql, *options))


def well(url, sql, *options):
    said = run(url, sql, *options)
    assert not said.faults, said.faults
    return said


# ---- results ----

def test_rows_nulls_and_empty_strings(db):
    said = well(db.url(), "SELECT 1 AS a, NULL AS b, '' AS c, 'ü€😀' AS d")
    assert said.columns == [["a", "b", "c", "d"]]
    assert said.rows == [["1", None, "", "ü€😀"]]
    assert said.ends == [("SELECT" if db.name == "postgres" else "", 1)]
    assert said.lines[0]["driver"] == db.name
    assert said.lines[0]["label"].startswith("some_db@") and "best" not in said.lines[0]["label"]


def test_no_rows_still_have_columns(db):
    said = well(db.url(), "SELECT 1 AS a WHERE 1 = 0")
    assert (said.columns, said.rows, [e[1] for e in said.ends]) == ([["a"]], [], [0])


def test_postgres_types(pg):
    said = well(pg.url(), "SELECT true, 1.50::numeric, '\\x00ff'::bytea, DATE '2024-02-29', 'NaN'::float8, "
                          "'{\"a\": 1}'::jsonb, ARRAY[1, NULL]")
    assert said.rows == [["t", "1.50", "\\x00ff", "2024-02-29", "NaN", '{"a": 1}', "{1,NULL}"]]


MARIA_TYPES = """CREATE TABLE kinds (i bigint unsigned, d decimal(10, 2), f double, s varchar(20), b blob, t datetime(6),
    y date, m time, bits bit(8), j json, e enum('a', 'b'), z int(5) zerofill, big longtext);
    INSERT INTO kinds VALUES (18446744073709551615, 1.50, 0.1, 'é', x'00ff00', '2024-02-29 01:02:03.000004',
    '2024-02-29', '-01:02:03', b'00000001', '{"a": 1}', 'b', 42, repeat('y', 100000)), (NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, ''), (0, 0, 1e300, '', '', '2000-01-01', '2000-01-01', 0, 0, '1', 'a', 0,
    'short')"""


@pytest.mark.parametrize("options", [(), ("--query",), ("--param", "1")])
def test_maria_types_are_the_same_by_either_protocol(my, options):
    well(my.url(), MARIA_TYPES)
    where = "WHERE 1 = ?" if "--param" in options else ""
    rows = well(my.url(), f"SELECT * FROM kinds {where}", *options).rows
    assert rows[0] == ["18446744073709551615", "1.50", "0.1", "é", {"hex": "00ff00"}, "2024-02-29 01:02:03.000004",
                       "2024-02-29", "-01:02:03", "\x01", '{"a": 1}', "b", "00042", "y" * 100000]
    assert rows[1] == [None] * 12 + [""]
    assert rows[2][3:5] == ["", ""] and rows[2][12] == "short" and float(rows[2][2]) == 1e300


def test_several_statements(db):
    said = well(db.url(), "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1), (2);\nSELECT a FROM t ORDER BY a;\n"
                          "SELECT a FROM t WHERE a > 5;\nDELETE FROM t;\n")
    assert [e[1] for e in said.ends] == [0, 2, 2, 0, 2]
    assert said.rows == [["1"], ["2"]]
    if db.name == "postgres":
        assert [e[0] for e in said.ends] == ["CREATE TABLE", "INSERT", "SELECT", "SELECT", "DELETE"]


@pytest.mark.parametrize("text", ["", "  \n", "-- only words\n", ";"])
def test_a_text_without_statement_does_not_hang(db, text):
    said = run(db.url(), text, "--then", "SELECT 7")
    assert said.rows == [["7"]] and not said.faults


def test_value(db):
    assert well(db.url(), "SELECT 'a' UNION ALL SELECT 'b'", "--value").value == "a"
    assert well(db.url(), "SELECT NULL", "--value").value is None
    assert well(db.url(), "SELECT 1 WHERE 1 = 0", "--value").value is None


def test_one_million_rows_in_bounded_memory(db):
    said = well(db.url(), db.rows.format(1_000_000), "--count")
    assert [e[1] for e in said.ends] == [1_000_000]
    assert said.peak_kb < 25_000


def test_a_large_result_of_a_statement_with_parameters(db):
    sql = f"SELECT * FROM ({db.rows.format(200_000)}) q WHERE t <> {db.placeholders[0]}"
    said = well(db.url(), sql, "--count", "--param", "none")
    assert [e[1] for e in said.ends] == [200_000]
    assert said.peak_kb < 25_000


# ---- parameters ----

NASTY = "it's; DROP TABLE t; -- \" \\ ü€😀 \n\t%s $1 ?"


def test_parameters_are_never_sql(db):
    a, b, c = db.placeholders
    well(db.url(), "CREATE TABLE t (a varchar(200), b varchar(200), c int)")
    said = well(db.url(), f"INSERT INTO t VALUES ({a}, {b}, {c})", "--param", NASTY, "--null", "--param", "42")
    assert [e[1] for e in said.ends] == [1]
    assert well(db.url(), f"SELECT a, b, c FROM t WHERE a = {a}", "--param", NASTY).rows == [[NASTY, None, "42"]]


def test_empty_parameter_is_not_null(db):
    cast = "::text" if db.name == "postgres" else ""
    said = well(db.url(), f"SELECT {db.placeholders[0]}{cast} IS NULL", "--param", "")
    assert said.rows in ([["f"]], [["0"]])


@pytest.mark.parametrize("options", [("--query",), ("--param", "1")])
def test_a_query_is_one_statement(db, options):
    where = f" WHERE 1 = {db.placeholders[0]}" if len(options) > 1 else ""
    said = run(db.url(), f"SELECT 1{where}; SELECT 2", *options, "--then", "SELECT 3; SELECT 4")
    assert said.fault["sqlstate"] == db.syntax
    assert said.rows == [["3"], ["4"]]


def test_wrong_number_of_parameters(db):
    said = run(db.url(), f"SELECT {db.placeholders[0]}", "--param", "1", "--param", "2", "--then", "SELECT 3")
    assert said.fault["transient"] is False
    assert said.rows == [["3"]]


# ---- faults of statements ----

def test_an_error_in_the_second_statement(db):
    said = run(db.url(), "SELECT 1;\n\nSELECT *\nFROM nowhere;\nSELECT 2", "--then", "SELECT 3")
    assert said.rows == [["1"], ["3"]]
    assert said.fault["sqlstate"] == db.no_table and not said.fault["transient"]
    assert "nowhere" in said.fault["fault"] and "some_db@" in said.fault["fault"]
    assert ("line 4" if db.name == "postgres" else "statement 2") in said.fault["fault"]


def test_a_syntax_error_says_where(db):
    said = run(db.url(), "SELECT 1\n  ,2\n  FROMM x y z")
    assert said.fault["sqlstate"] == db.syntax
    assert "line 3" in said.fault["fault"]


def test_a_duplicate_key_shows_no_value(db):
    well(db.url(), "CREATE TABLE t (a varchar(50), CONSTRAINT t_key PRIMARY KEY (a))")
    sql = f"INSERT INTO t VALUES ({db.placeholders[0]})"
    well(db.url(), sql, "--param", MARKER)
    said = run(db.url(), sql, "--param", MARKER)
    assert said.fault["sqlstate"] == db.unique and not said.fault["transient"]
    assert MARKER not in said.fault["fault"]
    assert "unique key" in said.fault["fault"]
    if db.name == "postgres":
        assert "constraint t_key" in said.fault["fault"]


VALUES_IN_MESSAGES = {
    "postgres": ["SELECT ('{0}' || now())::int", "SELECT ('{0}' || now())::date", "SELECT '{0}'::jsonb",
                 "DO $$ BEGIN RAISE EXCEPTION '%', '{0}'; END $$",
                 "DO $$ BEGIN EXECUTE 'SELECT 1 FROMM {0} x y'; END $$",
                 "DO $$ BEGIN RAISE NOTICE '%', '{0}'; RAISE WARNING '{0}'; END $$; SELECT 1/0",
                 "CREATE TABLE c (a text CHECK (length(a) < 3)); INSERT INTO c VALUES ('{0}')",
                 "CREATE TABLE n (a text, b int NOT NULL); INSERT INTO n VALUES ('{0}', NULL)"],
    "mysql": ["CREATE TABLE c (a int); INSERT INTO c VALUES (concat('{0}', now()))",
              "CREATE TABLE c (a int); INSERT INTO c VALUES (1); UPDATE c SET a = '{0}'",
              "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{0}'",
              "SET @s = concat('SELECT 1 FROMM ', reverse(reverse('{0}')), ' x y'); PREPARE p FROM @s",
              "CREATE TABLE c (a date); INSERT INTO c VALUES ('{0}')",
              "CREATE TABLE c (a varchar(5), CHECK (length(a) < 3)); INSERT INTO c VALUES ('{0}')"],
}


@pytest.mark.parametrize("name, sql", [(n, s) for n in VALUES_IN_MESSAGES for s in VALUES_IN_MESSAGES[n]])
def test_values_stay_out_of_messages(request, name, sql):
    db = Postgres(request.getfixturevalue("postgres")) if name == "postgres" else \
        MariaDB(request.getfixturevalue("maria"))
    try:
        said = run(db.url(), sql.format(MARKER))
        assert MARKER not in said.fault["fault"] and not said.fault["transient"]
        assert said.fault["sqlstate"] in said.fault["fault"]
    finally:
        db.close()


def test_a_statement_timeout(db):
    begun = time.monotonic()
    said = run(db.url(), db.sleep + ", count(*) FROM information_schema.tables" if db.name == "mysql" else db.sleep,
               "--statement-timeout", "300", "--then", "SELECT 3")
    assert time.monotonic() - begun < 10
    if db.name == "postgres":
        assert said.fault["sqlstate"] == "57014"
        assert "timeout" in said.fault["fault"]
    else:
        assert said.fault["sqlstate"] == "70100"
        assert "max_statement_time" in said.fault["fault"]
    assert not said.fault["transient"]
    assert said.rows[-1] == ["3"]


def test_a_lock_wait_timeout_is_transient(pg):
    well(pg.url(), "CREATE TABLE t (a int)")
    with contextlib.closing(pg.server.connect("some_db")) as c:
        c.autocommit = False
        c.cursor().execute("LOCK t")
        said = run(pg.url(), "SET lock_timeout = '200ms'; SELECT * FROM t")
    assert said.fault["sqlstate"] == "55P03" and said.fault["transient"]


def test_a_lock_wait_timeout_is_transient_in_maria(my):
    well(my.url(), "CREATE TABLE t (a int PRIMARY KEY) ENGINE=InnoDB; INSERT INTO t VALUES (1)")
    holder = begin(my.url(), "BEGIN; SELECT * FROM t FOR UPDATE; SELECT SLEEP(20)")
    wait_until(lambda: any("SLEEP" in (s[1] or "") for s in my.sessions()), what="the lock to be held")
    said = run(my.url(), "SET innodb_lock_wait_timeout = 1; UPDATE t SET a = 2")
    holder.kill()
    holder.communicate()
    assert said.fault["transient"] and "1205" in said.fault["fault"]


# ---- the server goes away ----

def wait_for_work(db, words):
    wait_until(lambda: any(words in (s[1] or "") for s in db.sessions()), what="the statement to run")


@pytest.mark.parametrize("options", [(), ("--param", "1")])
def test_a_server_killed_in_the_middle(db, options):
    sql = f"{db.sleep} WHERE 1 = {db.placeholders[0]}" if options else db.sleep
    process = begin(db.url(), sql, *options, "--then", "SELECT 3")
    wait_for_work(db, "30")
    db.server.kill9()
    said = finish(process)
    assert len(said.faults) == 2, "the second statement has no connection any more, and says so"
    assert all(f["transient"] for f in said.faults)
    assert "some_db@" in said.faults[1]["fault"]


def test_a_session_that_is_terminated(db):
    process = begin(db.url(), db.sleep)
    wait_for_work(db, "leep(30)" if db.name == "postgres" else "SLEEP(30)")
    session = db.sessions()[0][0]
    if db.name == "postgres":
        with contextlib.closing(db.server.connect("postgres")) as c:
            c.cursor().execute("SELECT pg_terminate_backend(%s)", (session,))
    else:
        db.server.sql(f"KILL {session}")
    said = finish(process)
    assert said.fault["transient"]


def test_a_killed_worker_does_not_leave_its_statement_in_postgres(pg):
    process = begin(pg.url(), pg.sleep)
    wait_for_work(pg, "pg_sleep(30)")
    process.kill()
    process.communicate()
    wait_until(lambda: not pg.sessions(), 8, "Postgres to notice that the worker is gone")


def test_a_server_that_stops_in_an_orderly_way(pg):
    process = begin(pg.url(), pg.sleep)
    wait_for_work(pg, "pg_sleep(30)")
    pg.server.stop("fast")
    said = finish(process)
    assert said.fault["sqlstate"] == "57P01" and said.fault["transient"]


# ---- connecting ----

def test_a_wrong_password(db):
    url = db.url().replace(":best@", f":{MARKER}@")
    said = run(url, "SELECT 1")
    assert MARKER not in said.fault["fault"]
    assert not said.fault["transient"] and said.fault["sqlstate"] in ("28P01", "28000")
    assert "check user and password" in said.fault["fault"] and "some_db@" in said.fault["fault"]


def test_an_unknown_database(db):
    said = run(db.url().replace("some_db", "absent_db"), "SELECT 1")
    assert not said.fault["transient"] and said.fault["sqlstate"] in ("3D000", "42000")
    assert "absent_db" in said.fault["fault"]


def test_an_unknown_host(db):
    said = run(db.url().replace(HOST, "no-such-host.invalid"), "SELECT 1")
    assert said.fault["transient"] and "no-such-host.invalid" in said.fault["fault"]


def test_a_closed_port(db):
    said = run(db.url(port=free_port()), "SELECT 1")
    assert said.fault["transient"] and "is it up" in said.fault["fault"]


def test_a_server_that_never_answers(db):
    with socket.create_server((HOST, 0)) as silent:
        begun = time.monotonic()
        said = run(db.url(port=silent.getsockname()[1]), "SELECT 1", "--connect-timeout", "1000")
    assert time.monotonic() - begun < 6
    assert said.fault["transient"]


def test_a_peer_that_speaks_another_protocol(db):
    """Bytes of any kind in place of a greeting end in a fault, not in a crash."""
    for greeting in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 300, b"E\x00\x00\x00\x05\x00", b"\x00" * 64):
        with socket.create_server((HOST, 0)) as server:
            thread = threading.Thread(target=greet, args=(server, greeting))
            thread.start()
            said = run(db.url(port=server.getsockname()[1]), "SELECT 1", "--connect-timeout", "2000")
            thread.join()
        assert said.fault["fault"]


def greet(server, greeting):
    peer, _ = server.accept()
    with peer:
        with contextlib.suppress(OSError):
            peer.sendall(greeting)


def test_a_password_file(db, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("best\n")
    secret.chmod(0o600)
    url = db.url().replace(":best@", "@")
    assert well(url, "SELECT 1", "--password-file", str(secret)).rows == [["1"]]
    secret.write_text("worse\n")
    assert "check user and password" in run(url, "SELECT 1", "--password-file", str(secret)).fault["fault"]
    said = run(url, "SELECT 1", "--password-file", str(tmp_path / "absent"))
    assert "absent" in said.fault["fault"] and not said.fault["transient"]


def test_a_missing_password(pg):
    said = run(pg.url().replace(":best@", "@"), "SELECT 1")
    assert "password_file" in said.fault["fault"] and not said.fault["transient"]


def test_key_value_words(pg):
    said = well(f"host={HOST} port={pg.server.port} dbname=some_db user=dataeng password=best", "SHOW application_name")
    assert said.rows == [["run_sql"]]


def test_maria_by_unix_socket_and_localhost(my):
    client = "SELECT substring_index(host, ':', 1) FROM information_schema.processlist WHERE id = connection_id()"
    assert well(my.url() + f"?socket={my.server.socket}", client).rows == [["localhost"]]
    assert well(my.url().replace(HOST, "localhost"), client).rows == [[HOST]]
    said = run(my.url() + "?socket=/nowhere/sock", "SELECT 1")
    assert said.fault["transient"] and "/nowhere/sock" in said.fault["fault"]


def test_maria_session_is_utf8_and_takes_no_local_files(my, tmp_path):
    assert well(my.url(), "SELECT @@character_set_client, @@character_set_results").rows == [["utf8mb4"] * 2]
    file = tmp_path / "f"
    file.write_text("1\n")
    said = run(my.url(), f"CREATE TABLE t (a int); LOAD DATA LOCAL INFILE '{file}' INTO TABLE t; "
                       "INSERT INTO t VALUES (7)", "--then", "SELECT count(*) FROM t")
    assert "asked for a file" in said.fault["fault"] and not said.fault["transient"]
    assert said.rows == [["0"]], "what stands behind is not run"


# ---- TLS ----

def make_certificate(folder, name):
    folder.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key", "-out", folder / "cert"],
                   check=True, capture_output=True)
    for file in folder.iterdir():
        file.chmod(0o644)
    folder.chmod(0o755)


def test_maria_without_tls(my):
    assert well(my.url(), "SHOW STATUS LIKE 'Ssl_cipher'").rows == [["Ssl_cipher", ""]]
    for demand in ("required", "verify"):
        said = run(my.url() + f"?ssl={demand}", "SELECT 1")
        assert "TLS" in said.fault["fault"] or "SSL" in said.fault["fault"]
        assert not said.fault["transient"]


def test_maria_with_tls(my, session_home):
    folder = session_home["home"] / "tls"
    make_certificate(folder, "localhost")
    server = my.server
    before = dict(server.settings)
    server.settings.update({"ssl-cert": folder / "cert", "ssl-key": folder / "key"})
    try:
        server.restart()
        cipher = "SHOW STATUS LIKE 'Ssl_cipher'"
        local = my.url().replace(HOST, "localhost")
        assert well(my.url(), cipher).rows[0][1] != ""
        assert well(my.url() + "?ssl=required", cipher).rows[0][1] != ""
        assert well(my.url() + "?ssl=no", cipher).rows[0][1] == ""
        assert well(f"{local}?ssl=verify&ssl_ca={folder}/cert", cipher).rows[0][1] != ""
        assert "certificate" in run(f"{local}?ssl=verify", cipher).fault["fault"]
        named = my.url() + f"?ssl=verify&ssl_ca={folder}/cert"  # 127.0.0.1 is not in the certificate
        assert not run(named, cipher).fault["transient"]
    finally:
        server.settings = before
        server.restart()


# ---- stopping, and COPY ----

@pytest.mark.parametrize("options", [(), ("--query",), ("--param", "none")])
def test_a_sink_that_wants_no_more(db, options):
    """The work on the server is stopped, not read to its end, and the connection serves the next statement."""
    sql = db.rows.format(300_000_000 if db.name == "mysql" else 20_000_000)
    if "--param" in options:
        sql = f"SELECT * FROM ({sql}) q WHERE t <> {db.placeholders[0]}"
    if not options:
        sql += f";\n{db.sleep}"
    begun = time.monotonic()
    said = run(db.url(), sql, "--count", "--stop-after", "10", *options, "--then", "SELECT 3")
    assert time.monotonic() - begun < 12
    assert "given up" in said.fault["fault"] and not said.fault["transient"]
    assert said.rows == [["3"]]


@pytest.mark.parametrize("last", [True, False])
def test_a_sink_that_wants_no_more_statements(db, last):
    """A stop that comes when the statement is over must not hit the next one."""
    # Postgres sends a first small result along with what follows.
    rest = "" if last else f"; {db.rows.format(20_000_000)}; {db.sleep}; SELECT 4"
    begun = time.monotonic()
    for _ in range(5):
        said = run(db.url(), "SELECT 1" + rest, "--stop-at-end", "--then", "SELECT 3")
        assert "given up" in said.fault["fault"] and said.rows == [["1"], ["3"]]
    assert time.monotonic() - begun < 12


@pytest.mark.parametrize("sql", ["SELECT 1;\nCOPY t FROM STDIN;\nSELECT 2", "SELECT 1; COPY t TO STDOUT; SELECT 2",
                                 "SELECT 1; COPY (SELECT generate_series(1, 30000000)) TO STDOUT"])
def test_copy_in_a_script(pg, sql):
    well(pg.url(), "CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 100)")
    said = run(pg.url(), sql, "--then", "SELECT count(*) FROM t")
    assert "COPY" in said.fault["fault"] and "statement 2" in said.fault["fault"] and not said.fault["transient"]
    assert said.rows == [["1"], ["100"]]


def test_copy_with_parameters(pg):
    said = run(pg.url(), "COPY (SELECT 1) TO STDOUT", "--query", "--then", "SELECT 3")
    assert "COPY" in said.fault["fault"] and said.rows == [["3"]]


def test_a_procedure_with_several_results(my):
    well(my.url(), "CREATE PROCEDURE p(IN x int) BEGIN SELECT x; SELECT x + 1, 'z'; END", "--query")
    assert well(my.url(), "CALL p(1); SELECT 9").rows == [["1"], ["2", "z"], ["9"]]
    assert well(my.url(), "CALL p(?)", "--param", "5").rows == [["5"], ["6", "z"]]


def test_a_connection_that_is_cut(db):
    proxy = StallProxy(db.server.port)
    try:
        process = begin(db.url(port=proxy.port), db.sleep)
        wait_for_work(db, "30")
        proxy.drop()
        said = finish(process)
        assert said.fault["transient"]
    finally:
        proxy.close()
