"""A REST resource into a table with its history: passes that are full and by cursor, on every sink, by copy and by the daemon."""
import contextlib
import datetime
import http.server
import json
import os
import random
import re
import signal
import subprocess
import threading

import pytest

from clinic_api import Body, Churn, Clinic, ClinicApi, Half, Reset, Stall, Status, Truncate
from dataset import RUN_SQL
from programs import INGESTCTL
from seeds import some
from servers import wait_until
from test_copy import built, counts, ctl, one  # noqa: F401: a fixture
from test_db import MariaDB, Postgres
from test_duckdb import DUCKDB, SANITIZED, DuckDB
from test_rest import MARKER, cells, secret
from timer import runs, timer, wait_runs

LIST = "/v1/patients"
ORDER = ["--order", "sort_field=id&sort_dir=asc"]
BY_CURSOR = [*ORDER, "--updated", "updated_at"]
EVERY = ["--max-removed", "100"]
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)")


def cell(v):
    """As text; a time is the same with a blank for its T."""
    return None if v is None else MOMENT.sub(r"\1 \2", str(v))


class Site:
    """An API, and a table that is to be as it."""

    def __init__(self, api, db):
        self.api, self.db = api, db
        self.sink = f"{db.url()}/patients"

    def argv(self, *args, path=LIST, key="id"):
        return ["copy", "--source", self.api.url(path), "--sink", self.sink, "--json", *(["--key", key] if key else []), *args]

    def sync(self, *args, code=0, **where):
        said = ctl(*self.argv(*args, **where), code=code)
        assert MARKER not in said
        return one(json.loads(said)) if code == 0 else said

    def select(self, query):
        return json.loads(ctl("sql", self.db.url(), query, "--json"))

    def rows(self, table="patients"):
        return [{k: cell(v) for k, v in row.items()} for row in self.select(f"SELECT * FROM {table}")]

    def current(self):
        source = set(cells(self.api.clinic.text(1)))
        return {int(row["id"]): {k: v for k, v in row.items() if k in source} for row in self.rows()}

    def source(self):
        clinic = self.api.clinic
        return {key: {k: cell(v) for k, v in cells(clinic.text(key)).items()} for key in clinic.ids}

    def same(self):
        assert self.current() == self.source()

    def dumps(self):
        return [row["pass"] for row in self.select("SELECT pass FROM ingest_dump WHERE status = 'loaded' ORDER BY id")]

    def lives(self):
        """The versions of each key, in order of time; none overlaps another."""
        lives = {}
        for row in self.rows("patients_history"):
            lives.setdefault(int(row["id"]), []).append(row)
        for key, versions in lives.items():
            versions.sort(key=lambda v: v["valid_from"])
            for v, after in zip(versions, [*versions[1:], None]):
                assert v["valid_to"] is None or v["valid_from"] < v["valid_to"], (key, versions)
                assert after is None or (v["valid_to"] is not None and v["valid_to"] <= after["valid_from"]), (key, versions)
        return lives


@pytest.fixture
def api():
    with ClinicApi(Clinic(2500)) as a:
        yield a


@pytest.fixture(params=["postgres", "mysql", "duckdb"])
def db(request, tmp_path):
    if request.param == "duckdb" and not DUCKDB:
        pytest.skip("built without DuckDB")
    with contextlib.ExitStack() as ends:
        if request.param == "duckdb":
            yield DuckDB(tmp_path)
        else:
            made = Postgres(request.getfixturevalue("postgres")) if request.param == "postgres" else \
                MariaDB(request.getfixturevalue("maria"))
            ends.callback(made.close)
            yield made


@pytest.fixture
def site(api, db):
    return Site(api, db)


@pytest.fixture
def lake(api, tmp_path):
    """With a DuckDB of its own, for what is about types."""
    if not DUCKDB:
        pytest.skip("built without DuckDB")
    return Site(api, DuckDB(tmp_path))


# Passes.

def test_the_first_run_and_one_without_news(site):
    first = site.sync(*BY_CURSOR)
    assert (first["pass"], first["why"], first["status"]) == ("full", "nothing is loaded yet", "loaded")
    assert counts(first) == {"added": 2500} and first["rows"] == 2500 and first["key"] == ["id"]
    assert first["pages"] >= 3 and first["requests"] > first["pages"] and "since" not in first
    assert datetime.datetime.fromisoformat(first["next_full"]) - datetime.datetime.fromisoformat(first["as_of"]) == \
        datetime.timedelta(days=7)
    site.same()
    before, asked = site.rows("ingest_dump"), len(site.api.lists())
    second = site.sync(*BY_CURSOR)
    assert (second["pass"], second["status"]) == ("cursor", "unchanged") and "a full pass is due at" in second["why"]
    assert second["since"] == site.api.clinic.updated_at(2500) and second["requests"] <= 2
    assert len(site.api.lists()) - asked == second["requests"]
    assert site.rows("ingest_dump") == before, "nothing new, nothing written"


def test_what_changed_comes_by_cursor(site):
    site.sync(*BY_CURSOR)
    clinic = site.api.clinic
    for key in range(100, 2600, 100):
        clinic.update(key)
    new = [clinic.create() for _ in range(3)]
    second = site.sync(*BY_CURSOR)
    assert second["pass"] == "cursor" and counts(second)["changed"] == 25 and counts(second)["added"] == 3
    assert second["requests"] <= 2 and second["rows"] < 100
    site.same()
    assert len(site.lives()[100]) == 2 and len(site.lives()[new[0]]) == 1 and len(site.lives()[1]) == 1
    clinic.update(100)
    third = site.sync(*BY_CURSOR)
    assert third["since"] == clinic.updated_at(new[-1]) and counts(third)["changed"] == 1
    site.same()
    assert site.dumps() == ["full", "partial", "partial"]
    assert ctl("history", site.sink, 100).count("changed") >= 2


def test_what_is_gone_a_full_pass_sees(site):
    site.sync(*BY_CURSOR)
    for key in (7, 2500, 1234):
        site.api.clinic.delete(key)
    site.api.clinic.update(8)
    second = site.sync(*BY_CURSOR)
    assert second["pass"] == "cursor" and "removed" not in counts(second) and 7 in site.current()
    third = site.sync(*BY_CURSOR, "--full")
    assert (third["pass"], third["why"]) == ("full", "as was asked for")
    assert counts(third) == {"removed": 3, "unchanged": 2497}
    site.same()
    assert site.lives()[7][0]["closed_by"] == "removed"


def test_a_full_pass_is_due(site):
    site.sync(*BY_CURSOR)
    site.api.clinic.delete(9)
    second = site.sync(*BY_CURSOR, "--full-every", "1ms")
    assert second["pass"] == "full" and "one is due every" in second["why"] and counts(second)["removed"] == 1
    assert site.sync(*BY_CURSOR, "--full-every", "1h")["pass"] == "cursor"
    assert site.sync(*BY_CURSOR, "--full-every", "0s")["pass"] == "full"


@pytest.mark.parametrize("ago, words", [
    ("59 minutes 45 seconds", "one is due every 1h"), ("58 minutes", "a full pass is due at"), ("-3650 days", "the clock was set back")])
def test_a_full_pass_is_due_by_the_clock(lake, ago, words):
    """One of an hourly schedule that begins a little earlier than the last; and the clock was ten years ahead once."""
    lake.sync(*BY_CURSOR)
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    alter = f"UPDATE ingest_dump SET as_of = TIMESTAMP '{now}' - INTERVAL '{ago}'"
    subprocess.run([RUN_SQL, lake.db.url()], input=alter, text=True, check=True, capture_output=True)
    second = lake.sync(*BY_CURSOR, "--full-every", "1h")
    assert words in second["why"] and second["pass"] == ("cursor" if ago.startswith("58") else "full")
    lake.same()


def test_without_updated_each_pass_is_full(site):
    assert site.sync(*ORDER)["pass"] == "full"
    site.api.clinic.update(5)
    second = site.sync(*ORDER)
    assert second["pass"] == "full" and "`updated` is not given" in second["why"] and "next_full" not in second
    assert counts(second) == {"changed": 1, "unchanged": 2499}
    third = site.sync(*BY_CURSOR)
    assert third["pass"] == "full" and "left no cursor" in third["why"]
    assert site.sync(*BY_CURSOR)["pass"] == "cursor"


def test_another_source_is_read_whole(site):
    site.sync(*BY_CURSOR)
    again = site.sync(*BY_CURSOR, path=LIST + "?clinic=2")
    assert again["pass"] == "full" and "another one than before" in again["why"]


def test_a_dry_run_writes_nothing(site):
    first = site.sync(*BY_CURSOR, "--dry-run")
    assert first["status"] == "dry-run" and counts(first) == {"added": 2500}
    assert "patients" in ctl("sql", site.db.url(), "SELECT * FROM patients", code=1)
    site.sync(*BY_CURSOR)
    site.api.clinic.update(5)
    assert counts(site.sync(*BY_CURSOR, "--dry-run"))["changed"] == 1
    assert site.sync(*BY_CURSOR)["status"] == "loaded"


def test_chosen_fields(site):
    first = site.sync(*BY_CURSOR, "--fields", "id,email,updated_at")
    assert set(site.rows()[0]) >= {"id", "email", "updated_at"} and "first_name" not in site.rows()[0]
    assert site.sync(*BY_CURSOR, "--fields", "id,email,updated_at")["status"] == "unchanged"
    more = site.sync(*BY_CURSOR, "--fields", "id,email,updated_at,last_name")
    assert more["pass"] == "full" and "field last_name is a new one" in more["why"]
    assert counts(more) == {"changed": 2500} and first["rows"] == 2500


def test_a_field_that_comes_back(lake):
    """While it was away a row has changed in it."""
    fields = [*BY_CURSOR, "--fields"]
    lake.sync(*fields, "id,updated_at,total_visits")
    lake.api.clinic.update(7)
    assert lake.sync(*fields, "id,updated_at")["pass"] == "cursor"
    back = lake.sync(*fields, "id,updated_at,total_visits")
    assert back["pass"] == "full" and "field total_visits is a new one" in back["why"]
    every = lake.sync(*BY_CURSOR)
    assert every["pass"] == "full" and "all members are kept now" in every["why"]
    lake.same()
    assert lake.sync(*fields, "id,updated_at")["pass"] == "cursor", "with less there is nothing to read again"


def test_a_cursor_is_of_one_member(lake):
    """Ids and times have no order among each other: what changed would be behind the first row."""
    lake.sync(*ORDER, "--updated", "id")
    lake.api.clinic.update(7)
    second = lake.sync(*BY_CURSOR)
    assert second["pass"] == "full" and second["why"] == "the last one's cursor is of id"
    lake.same()
    cursor, = lake.select("SELECT cursor FROM ingest_dump WHERE status = 'loaded' ORDER BY id DESC LIMIT 1")
    assert json.loads(cursor["cursor"]) == {"updated": "updated_at", "since": lake.api.clinic.updated_at(7)}
    assert lake.sync(*BY_CURSOR)["status"] == "unchanged"


# What an API has beside rows that change.

def put_chain(api, *pages):
    for i, rows in enumerate(pages):
        more = {"next": f"/c?p={i + 1}"} if i < len(pages) - 1 else {}
        api.put("/c" if i == 0 else f"/c?p={i}", {"data": rows, **more})


def test_a_member_that_comes_later(site):
    put_chain(site.api, [{"id": 1, "a": "x"}], [{"id": 2, "a": "y"}], [{"id": 3, "b": {"c": [1, None, "ü"]}}])
    first = site.sync("--paging", "next", path="/c")
    assert counts(first) == {"added": 3} and first["pages"] == 3
    assert sorted((row["id"], row["a"], row["b"] and json.loads(row["b"])) for row in site.rows()) == [
        ("1", "x", None), ("2", "y", None), ("3", None, {"c": [1, None, "ü"]})]
    put_chain(site.api, [{"id": 1, "a": "x"}], [{"id": 2, "a": "z", "d": True}], [{"id": 3, "b": {"c": [1, None, "ü"]}}])
    second = site.sync("--paging", "next", path="/c")
    assert counts(second) == {"changed": 1, "unchanged": 2} and "column d is new" in second["notes"]
    assert {row["d"].lower() for row in site.rows() if row["d"]} == {"true"}


def test_rows_without_their_key_and_others_that_cannot_be_taken(site):
    rows = [{"id": n, "a": "x"} for n in range(1, 100)]
    put_chain(site.api, [*rows[:50], {"a": MARKER}, 17], [*rows[50:], {"id": 100, "a": "nul \0"}])
    first = site.sync("--paging", "next", path="/c")
    assert counts(first) == {"added": 99, "rejected": 3}
    assert sorted(row["reason"] for row in site.rows("ingest_reject")) == ["not_an_object", "nul_byte", "null_key"]


def test_a_row_that_cannot_be_taken_is_not_gone(site):
    """Neither by a NUL, nor by half of a character, nor by a member that is there twice; it stays as it was."""
    rows = [json.dumps({"id": n, "a": "x"}) for n in range(1, 100)]
    put = lambda: site.api.put("/c", ('{"data": [' + ", ".join(rows) + "]}").encode())  # noqa: E731
    put()
    site.sync("--paging", "next", path="/c")
    good = rows[:]
    rows[4], rows[5], rows[6] = r'{"id": 5, "a": "\u0000"}', r'{"a": "\ud800", "id": 6}', '{"id": 7, "a": "y", "a": "z"}'
    put()
    assert counts(site.sync("--paging", "next", path="/c")) == {"rejected": 3, "unchanged": 96}
    rows[:] = good
    put()
    assert counts(site.sync("--paging", "next", path="/c")) == {"unchanged": 99}
    assert all(len(life) == 1 for life in site.lives().values())


def test_every_kind_of_paging(site):
    for page in range(1, 4):
        site.api.put(f"/u?p={page}", {"result": {"users": [{"id": page * 10 + i} for i in range(10 if page < 3 else 0)]}})
    numbered = ["--paging", "page", "--page", "p", "--rows", "result.users"]
    assert counts(site.sync(*numbered, path="/u")) == {"added": 20}
    site.api.put("/w", [{"id": 10 + i} for i in range(10)], Link='</w?p=1>; rel="next"')
    site.api.put("/w?p=1", [{"id": 20 + i} for i in range(10)])
    assert counts(site.sync("--paging", "next", "--rows", ".", path="/w")) == {"unchanged": 20}
    site.api.put("/x", {"data": [{"id": 10 + i} for i in range(10)], "meta": {"after": "b"}})
    site.api.put("/x?from=b", {"data": [{"id": 20 + i} for i in range(10)], "meta": {"after": None}})
    assert counts(site.sync("--paging", "cursor", "--cursor", "from", "--next", "meta.after", path="/x")) == {"unchanged": 20}


def test_total_items_may_lie(site):
    for site.api.total in (0, 7, 10**12):
        site.sync(*ORDER)
        site.same()


def test_json_needs_no_option(site):
    first = site.sync()
    assert first["pass"] == "full" and any("read as a REST resource" in note for note in first["notes"])
    site.same()
    assert "read as a REST resource" in ctl("copy", "--source", site.api.url(LIST), "--sink", site.sink)
    site.api.put("/list.csv", b"id,name\n1,x\n", **{"Content-Type": "text/csv"})
    assert "pass" not in one(json.loads(ctl("copy", "--source", site.api.url("/list.csv"), "--sink", site.sink + "2", "--json")))


def test_json_of_a_server_that_has_one_connection_at_a_time(lake):
    class Page(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = json.dumps({"data": [{"id": n} for n in range(10)] if "offset=9" not in self.path else [{"id": 9}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said = ctl("copy", "--source", f"http://127.0.0.1:{server.server_port}/list", "--sink", lake.sink, "--key", "id", "--json")
        server.shutdown()
    assert counts(one(json.loads(said))) == {"added": 10}


def test_the_key_is_known_after_the_first_run(site):
    assert "the key is missing" in site.sync(*ORDER, key=None, code=1)
    site.sync(*ORDER)
    assert site.sync(*ORDER, key=None)["key"] == ["id"]
    assert "is not in the dump" in site.sync(*ORDER, "--fields", "email", code=1)


def test_what_a_person_reads(site):
    def read(*args):
        return ctl("copy", "--source", site.api.url(LIST), "--sink", site.sink, "--key", "id", *BY_CURSOR, *args)
    said = read()
    assert "patients, key id" in said and "a full pass (nothing is loaded yet)" in said and " pages, " in said, said
    said = read()
    assert "(nothing changed)" in said and "a pass by cursor since 2020-" in said and "a full pass is due at" in said and "1 page, 1 request" in said, said


# What goes wrong.

@pytest.fixture
def one_sink(api, postgres):
    made = Postgres(postgres)
    yield Site(api, made)
    made.close()


def test_pages_that_come_right(one_sink):
    site = one_sink
    site.api.fault(0, [Status(429, {"Retry-After": "0"}), Status(503, {"Retry-After": "0"})])
    site.api.fault(999, [Reset(), Truncate()])
    site.api.fault(1998, [Half(), Body(b"<html>planted-marker-4410</html>", "text/html")])
    site.sync(*BY_CURSOR)
    site.same()


def test_a_page_that_never_comes_right_leaves_all_as_it_was(site):
    site.sync(*BY_CURSOR)
    before = site.rows("patients_history")
    for key in range(1, 2000):
        site.api.clinic.update(key)
    site.api.fault(1998, [Status(503, {"Retry-After": "0"})], lasting=True)
    said = site.sync(*BY_CURSOR, "--full", code=1)
    assert "page 3 (" in said and "after 6 attempts" in said and "503" in said
    assert site.rows("patients_history") == before
    site.api.fault(999, [Status(503, {"Retry-After": "0"})], lasting=True)
    assert "page 2 (" in site.sync(*BY_CURSOR, code=1)
    assert site.rows("patients_history") == before
    site.api.faults.clear()
    assert site.sync(*BY_CURSOR)["pass"] == "cursor"
    site.same()


@pytest.mark.parametrize("body, words", [
    (b'{"items": []}', "no member `data`"), (b'{"data": 7}', "data"), (b'{"data": [{"name": "x"}]}', "`id`"),
    (b'{"data": [{"id": 1}], "next": "/c"}', "without an end"),
])
def test_answers_that_are_none(one_sink, body, words):
    one_sink.api.put("/c", body)
    assert words in one_sink.sync("--paging", "next", path="/c", code=1)


@pytest.mark.slow
def test_html_instead_of_json(one_sink):
    """By its Content-Type it is no REST resource; where it is said to be one it is tried again, and then told what came."""
    for path in ("/page", "/page?a=b"):
        one_sink.api.put(path, b"<!doctype html><html>planted-marker-4410</html>", **{"Content-Type": "text/html"})
    assert "HTML" in one_sink.sync(path="/page", code=1)
    said = one_sink.sync("--paging", "next", "--order", "a=b", path="/page", code=1)
    assert "page 1 (" in said and "HTML or XML" in said and "after 6 attempts" in said


def test_used_wrongly(one_sink):
    for args, words in [
        ([*ORDER, "--as-of", "2026-01-01"], "--as-of is for dumps, and with --order"),
        (["--full", "--null", "NA"], "--null is for dumps, and with --full"),
        (["--paging", "pages"], "--paging: "), (["--page-size", "0"], "--page-size: "), (["--order", "?a=b"], "--order: "),
        (["--headers", "nothing"], "--headers: "), (["--updated-order", "a=b"], "updated_order needs updated"),
        (["--token-file", "/a", "--credentials-file", "/b"], "leave out the other"),
        (["--types", "id"], "types: "), (["--full", "--key", "a,b"], "one key"),
    ]:
        assert words in one_sink.sync(*args, code=2), args
    assert "https://… or http://…" in ctl("copy", "--source", "file:///x", "--sink", one_sink.sink, "--full", code=2)


def test_types_are_for_databases_that_have_them(one_sink):
    assert "type" in one_sink.sync(*ORDER, "--types", "id=bigint", code=1)


def test_credentials_come_from_files(one_sink, tmp_path):
    import base64
    site = one_sink
    token, word = secret(tmp_path / "t", f"{MARKER}-t\n"), secret(tmp_path / "w", f"dr:{MARKER}-w\n")
    header = secret(tmp_path / "h", f"X-Api-Key: {MARKER}-h\n")
    site.sync(*ORDER, "--token-file", token, "--header-file", header, "--headers", "X-A: 1, 2", "--headers", "X-B: 3")
    sent = site.api.requests[-1][2]
    assert sent["Authorization"] == f"Bearer {MARKER}-t" and sent["X-Api-Key"] == f"{MARKER}-h"
    assert (sent["X-A"], sent["X-B"]) == ("1, 2", "3")
    site.sync(*ORDER, "--credentials-file", word)
    assert site.api.requests[-1][2]["Authorization"] == "Basic " + base64.b64encode(f"dr:{MARKER}-w".encode()).decode()
    site.api.fault(0, [Status(401)], lasting=True)
    assert "401" in site.sync(*ORDER, "--token-file", token, code=1)


def test_killed_in_the_middle(site):
    site.sync(*BY_CURSOR)
    before = site.rows("patients_history")
    for key in range(1, 2500, 2):
        site.api.clinic.update(key)
    site.api.fault(1998, [Stall()])
    asked = len(site.api.lists())
    copy = subprocess.Popen([INGESTCTL, *site.argv(*BY_CURSOR, "--full")], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: any(q.get("offset") == "1998" for q in site.api.lists()[asked:]), 20, "the page that stalls")
    (worker,) = (int(pid) for pid in open(f"/proc/{copy.pid}/task/{copy.pid}/children").read().split())
    os.kill(worker, signal.SIGKILL)
    copy.communicate(timeout=20)
    assert copy.returncode == 1
    assert site.rows("patients_history") == before
    assert counts(site.sync(*BY_CURSOR))["changed"] == 1250
    site.same()


# While it changes.

@pytest.mark.parametrize("seed", range(some(4)))
def test_under_churn_nothing_is_missed_and_nothing_invented(db, seed):
    r = random.Random(seed)
    with ClinicApi(Clinic(r.randint(50, 400), ticks_share=r.choice([1, 1, 7]))) as api:
        site = Site(api, db)
        api.churn = churn = Churn(api.clinic, seed, updates=4, creates=2, deletes=2, lists=0)
        how = [*BY_CURSOR, *EVERY, "--page-size", str(r.randint(5, 40)), "--parallel", str(r.randint(1, 5))]
        for _ in range(5):
            churn.left = 25
            site.sync(*how, *(["--full"] if r.random() < 0.3 else []))
        churn.left = 0
        site.sync(*how)
        current, source = site.current(), site.source()
        assert {k: v for k, v in current.items() if k in source} == source, "one pass by cursor more has all that changed"
        site.sync(*how, "--full")
        site.same()
        ever = {key: [{k: cell(v) for k, v in cells(text).items()} for text in texts] for key, texts in churn.versions.items()}
        for key, versions in site.lives().items():
            for v in versions:
                assert {k: v[k] for k in ever[key][0]} in ever[key], (key, v)


# Types.

def types(site, table="patients"):
    return {row["column_name"]: row["data_type"].lower() for row in site.select(
        f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{table}'")}


def test_types_are_found_out(lake):
    lake.sync(*BY_CURSOR)
    found = types(lake)
    assert {k: found[k] for k in ("id", "first_name", "date_of_birth", "created_at", "total_visits")} == {
        "id": "bigint", "first_name": "varchar", "date_of_birth": "date", "created_at": "timestamp", "total_visits": "bigint"}
    assert lake.select("SELECT count(*) AS n FROM patients WHERE date_of_birth < DATE '1950-01-01'")[0]["n"]


def test_a_field_that_changes_its_type(lake):
    put_chain(lake.api, [{"id": 1, "v": 1, "d": "1850-02-28", "b": True}], [{"id": 2, "v": 2, "d": "2024-01-01", "b": False}])
    lake.sync("--paging", "next", path="/c")
    put_chain(lake.api, [{"id": 1, "v": 1, "d": "1850-02-28", "b": True}],
              [{"id": 2, "v": 2.5, "d": "2024-02-30", "b": "no"}, {"id": 3, "v": 12345678901234567890123, "d": "\u202eü\U0001f600"}])
    second = lake.sync("--paging", "next", path="/c")
    assert counts(second) == {"added": 1, "changed": 1, "unchanged": 1}
    assert sum(" is " in note and "(it was " in note for note in second["notes"]) == 3
    rows = {row["id"]: row for row in lake.rows()}
    assert (rows["3"]["v"], rows["3"]["d"], rows["2"]["d"]) == ("12345678901234567890123", "\u202eü\U0001f600", "2024-02-30")
    assert len(lake.lives()[1]) == 1, "a type that changes opens no version"


def test_a_key_that_changes_its_type(lake):
    put_chain(lake.api, [{"id": n, "v": 1} for n in range(1, 100)])
    lake.sync("--paging", "next", path="/c")
    put_chain(lake.api, [{"id": n, "v": 1} for n in range(1, 100)] + [{"id": "x", "v": 1}])
    assert counts(lake.sync("--paging", "next", path="/c")) == {"unchanged": 99, "rejected": 1}
    assert [row["reason"] for row in lake.rows("ingest_reject")] == ["wrong_type"]


def test_types_that_are_given(lake):
    put_chain(lake.api, [{"id": n, "v": str(n)} for n in range(1, 100)] + [{"id": 100, "v": "x"}])
    given = lake.sync("--paging", "next", "--types", "id=text,v=double", path="/c")
    assert counts(given) == {"added": 99, "rejected": 1} and types(lake)["id"] == "varchar" and types(lake)["v"] == "double"


# By the daemon.

def test_a_job_with_a_schedule(office, api, tmp_path):
    token = secret(tmp_path / "token", f"{MARKER}\n")
    rest = {"order": "sort_field=id&sort_dir=asc", "updated": "updated_at", "page_size": 500, "token_file": str(token),
            "headers": f"X-Key: {MARKER}"}
    daemon = timer(office, {"patients": {"kind": "sync", "schedule": "every 1s", "source": api.url(LIST), "key": "id",
                                         "table": "patients", "rest": rest}})
    first = wait_runs(office, 1, "patients")[0]
    assert first["stats"]["added"] == 2500 and first["stats"]["dumps"][0]["pass"] == "full"
    api.clinic.update(77)
    changed = wait_until(lambda: [r for r in runs(office, "patients", "done") if r["stats"]["changed"]], 20, "the change")[0]
    assert changed["stats"]["dumps"][0]["pass"] == "cursor" and changed["stats"]["changed"] == 1
    assert api.requests[-1][2]["Authorization"] == f"Bearer {MARKER}" and api.requests[-1][2]["X-Key"] == MARKER
    code, text = daemon.ctl("runs", "--id", changed["id"], json_output=False)
    assert code == 0 and "a pass by cursor since" in text
    shown = daemon.ctl_raw("config").stdout
    assert MARKER not in shown and "X-Key" in shown and "token_file" in shown and MARKER not in json.dumps(runs(office), default=str)


def test_a_job_into_a_file(office, lake):
    """With the memory that a job has unless told otherwise; sanitizers need more."""
    timer(office, {"patients": {"kind": "sync", "schedule": "every 1s", "source": lake.api.url(LIST), "key": "id", "database": "clinic",
                                "table": "patients", "rest": {"order": "sort_field=id&sort_dir=asc", "updated": "updated_at"},
                                **({"memory_max": "1GB"} if SANITIZED else {})}},
          databases={"clinic": {"url": lake.db.url()}})
    first = wait_runs(office, 1, "patients")[0]
    assert first["stats"]["added"] == 2500 and first["stats"]["dumps"][0]["pass"] == "full"
    lake.api.clinic.update(77)
    changed = wait_until(lambda: [r for r in runs(office, "patients", "done") if r["stats"]["changed"]], 30, "the change")[0]
    assert changed["stats"]["dumps"][0]["pass"] == "cursor" and runs(office, "patients", "failed") == []


def test_a_file_that_is_no_database(lake):
    lake.db.path.write_bytes(b"planted-marker-4410" * 1000)
    assert str(lake.db.path) in lake.sync(*ORDER, code=1)
    assert lake.db.path.read_bytes() == b"planted-marker-4410" * 1000


@pytest.mark.parametrize("job, words", [
    ({"rest": {}, "key": "id", "delimiter": ";"}, "this key is for dumps"),
    ({"rest": {}}, "a REST resource has one key"),
    ({"rest": {"pages": 1}, "key": "id"}, "did you mean page?"),
    ({"rest": {"headers": "planted-marker-4410"}, "key": "id"}, "this is no header"),
    ({"rest": {}, "key": "id", "types": "id=bigint"}, "they are for a DuckDB database"),
    ({"rest": {}, "key": "id", "source": "file:///x"}, "a REST resource is https:// or http://"),
])
def test_check_finds_what_is_wrong(office, tmp_path, job, words):
    path = tmp_path / "ingestd.yaml"
    path.write_text(json.dumps({"postgres": {"url": "postgresql://dataeng@h/db"}, "jobs": {
        "a": {"kind": "sync", "source": "https://h/v1", "table": "a", **job}}}, indent=1))
    done = office.daemon(streams={}, start=False).ctl_raw("check", path)
    assert done.returncode == 1 and words in done.stderr and MARKER not in done.stderr, done.stderr
