"""What is wrong with a match is said before it harms anybody: columns that are not there, sources without rows, tables of others."""
import subprocess

import pytest

from clinic_api import Body, Status
from dumps_site import a_sink
from match_people import REPORT, People
from match_site import TABLE, Ours, assert_right, model_of, site_of
from office import MARKER
from programs import INGESTCTL
from vendor_api import VendorApi


@pytest.fixture
def people():
    """Everybody's name is a marker, which nobody but the table may show."""
    p = People(30)
    p.clean(60), p.ambiguous(), p.one_sided(), p.bad_rows()
    for row in [*p.ours, *p.theirs]:
        if isinstance(row, dict) and row.get("lastname"):
            row["lastname"] = f"{MARKER} {row['lastname']}"
    return p


@pytest.fixture
def world(request, tmp_path, programs_built, people):
    """(site, api); at the end nobody's name is in a log of ours or of the servers."""
    with a_sink(request, "mysql") as platform, a_sink(request, "postgres") as sink, VendorApi(people.theirs, 40) as api:
        logs = {s.server.log: s.server.log.stat().st_size for s in (platform, sink)}
        site = site_of(tmp_path, Ours(platform, people), api, sink)
        yield site, api
        for path, start in logs.items():
            with open(path, "rb") as log:
                log.seek(start)
                assert MARKER.encode() not in log.read(), f"{path} holds the name of a person"


def refused(site, *words):
    """It fails, says all of this and nobody's name, and nothing was written."""
    rows = site.sink.select(["1"], f"FROM {TABLE} WHERE report_date = '{REPORT}'") if site.exists() else []
    done = site.run()
    assert done.code != 0, done
    for w in words:
        assert w in done.words, (w, done)
    assert MARKER not in done.words
    assert not site.exists() or site.sink.select(["1"], f"FROM {TABLE} WHERE report_date = '{REPORT}'") == rows
    return done


def right(site, people, api):
    done = site.run()
    assert_right(site, done, model_of(people, api.served()))


# Columns.

@pytest.mark.parametrize("part, name, side, there", [
    ("keys", "surname", "left", "lastname"), ("keys", "surname", "right", ""), ("tie_breaks", "town", "left", "location"),
    ("tie_breaks", "town", "right", "")])
def test_a_rule_about_no_column(world, part, name, side, there):
    """Of a query it is known which there are instead."""
    site, _ = world
    rules = site.job[part]
    first = next(iter(rules))
    rules[first] = {**rules[first], "left": rules[first].get("left", first), "right": rules[first].get("right", first), side: name}
    refused(site, name, {"left": "ours", "right": "vendor"}[side], there)


@pytest.mark.parametrize("side, key", [("left", "id"), ("left", "active"), ("left", "columns"), ("right", "id")])
def test_a_side_without_the_column(world, side, key):
    site, _ = world
    site.job[side][key] = "nowhere_to_be_seen"
    refused(site, "nowhere_to_be_seen", {"left": "ours", "right": "vendor"}[side])


@pytest.mark.parametrize("key", ["active", "columns"])
def test_a_member_that_nobody_has_is_noted(world, key):
    """An API may leave members out of users who have nothing there; by this one nothing is decided."""
    site, _ = world
    site.job["right"][key] = "nowhere_to_be_seen"
    assert any("nowhere_to_be_seen" in note for note in site.run().said["notes"])


def test_a_member_that_no_user_has(world, people):
    """A member is a column when one of them has it; when nobody does, it is missing."""
    site, api = world
    api.change(lambda users: [u.pop("practice_location", None) for u in users if isinstance(u, dict)])
    refused(site, "practice_location")


# Sources.

@pytest.mark.parametrize("side", ["left", "right", "both"])
def test_an_empty_source(request, tmp_path, programs_built, side):
    """A report about nobody would replace a good one."""
    people = People(31)
    people.clean(30)
    if side != "right":
        people.ours = []
    if side != "left":
        people.theirs = []
    with a_sink(request, "mysql") as platform, a_sink(request, "postgres") as sink, VendorApi(people.theirs, 40) as api:
        site = site_of(tmp_path, Ours(platform, people), api, sink)
        done = site.run()
        assert done.code != 0 and ("ours" if side != "right" else "vendor") in done.words and "no rows" in done.words, done
        assert not site.exists() or site.rows() == []


@pytest.mark.slow  # it is tried again and again, each time later
def test_a_page_that_is_no_page(world, people):
    site, api = world
    html = Body(f"<html>{MARKER}</html>".encode(), "text/html")
    api.fault(1, [html], lasting=True)
    refused(site, "page 1")


@pytest.mark.parametrize("body", [b'{"users": {}}', b'{"people": []}', b"[]", b"null", b'{"users": null}'])
def test_a_document_without_users(world, body):
    site, api = world
    api.fault(1, [Body(body)], lasting=True)
    refused(site, "users")


def test_a_server_that_is_not_there(world):
    site, api = world
    api.fault(1, [Status(401)], lasting=True)
    refused(site, "401")
    site.job["right"]["source"] = "http://127.0.0.1:1/api/v1/users"
    site.job["right"]["rest"]["parallel"] = 1


@pytest.mark.parametrize("sql, words", [
    ("SELEKT 1", []), ("SELECT id FROM no_such_table", ["no_such_table"]), ("SELECT 1 AS id; SELECT 2 AS id", []), ("", []), ("-- nothing\n", []),
    ("DELETE FROM user", []), ("SELECT id, id FROM user", ["id"]), ("SELECT id, firstname FROM user", ["no column", "id, firstname"])])
def test_sql_that_is_wrong(world, sql, words):
    site, _ = world
    (site.home / "users.sql").write_text(sql)
    refused(site, *words)
    assert site.home.joinpath("users.sql").read_text() == sql


def test_sql_that_is_not_there(world):
    site, _ = world
    (site.home / "users.sql").unlink()
    refused(site, "users.sql")


def test_who_may_not_read(request, world, people):
    site, _ = world
    platform = site.databases["platform"]["url"]
    site.databases["platform"] = {"url": platform.replace("dataeng:best", "dataeng:wrong")}
    done = refused(site)
    assert "wrong" not in done.words.replace("what is wrong", "")


# Sinks.

def test_a_sink_without_rights(world):
    """In the words of the server, and before a page is asked for in vain, or after; but with nothing kept that harms."""
    site, _ = world
    site.sink.run("REVOKE CREATE ON SCHEMA public FROM dataeng; REVOKE CREATE ON SCHEMA public FROM public")
    refused(site, "permission denied")


def test_a_table_of_somebody_else(world):
    site, _ = world
    site.sink.run(f"CREATE TABLE {TABLE} (report_date date, something text); INSERT INTO {TABLE} VALUES ('2017-02-02', 'theirs')")
    refused(site, TABLE)
    assert site.sink.select(["something"], f"FROM {TABLE}") == [("theirs",)]


@pytest.mark.parametrize("change, word", [
    ("DROP COLUMN reason", "reason"), ("RENAME COLUMN vendor_id TO seller_id", "vendor_id"),
    ("ADD COLUMN of_theirs text NOT NULL DEFAULT 'x'", None), ("ADD COLUMN needed text", None)])
def test_a_table_of_other_shape(world, people, change, word):
    """What is missing is named; columns of somebody's own are left alone."""
    site, api = world
    right(site, people, api)
    before = site.rows()
    site.sink.run(f"ALTER TABLE {TABLE} {change}")
    site.job["report_date"] = "2017-03-03"
    done = site.run()
    if word:
        assert done.code != 0 and word in done.words and MARKER not in done.words, done
        assert len(site.rows()) == len(before) and site.rows("2017-03-03") == []
    else:
        assert done.code == 0, done
        assert site.rows("2017-03-03") != []


@pytest.mark.parametrize("type_", ["varchar(20)", "char(20)", "bytea"])
def test_a_column_that_is_too_narrow(world, people, type_):
    """Postgres would write the value that does not fit into its log: it is refused before."""
    site, api = world
    right(site, people, api)
    site.sink.run(f"ALTER TABLE {TABLE} ALTER COLUMN vendor_lastname TYPE {type_} USING left(vendor_lastname, 20)::{type_}")
    before = sorted(site.rows(), key=repr)
    done = site.run()
    assert done.code != 0 and "vendor_lastname" in done.words and MARKER not in done.words, done
    assert sorted(site.rows(), key=repr) == before


def test_a_column_that_is_narrow_in_mysql(request, tmp_path, programs_built, people):
    """MySQL has no such log; the load fails as a whole, and says where without saying what."""
    with a_sink(request, "mysql") as platform, a_sink(request, "mysql") as sink, VendorApi(people.theirs, 40) as api:
        site = site_of(tmp_path, Ours(platform, people), api, sink)
        right(site, people, api)
        sink.run(f"UPDATE {TABLE} SET vendor_lastname = 'x'; ALTER TABLE {TABLE} MODIFY vendor_lastname VARCHAR(20)")
        before = sorted(site.rows(), key=repr)
        done = site.run()
        assert done.code != 0 and "vendor_lastname" in done.words and MARKER not in done.words, done
        assert sorted(site.rows(), key=repr) == before


def test_a_warehouse_that_is_not_there(world):
    site, api = world
    site.databases["warehouse"] = {"url": "postgresql://dataeng:best@127.0.0.1:1/none"}
    done = site.run()
    assert done.code != 0 and "port 1 failed" in done.words and "best" not in done.words, done


# Configurations.

@pytest.mark.parametrize("change, words", [
    (lambda j: j.pop("keys"), ["keys"]),
    (lambda j: j.pop("left"), ["left"]),
    (lambda j: j.update(keys={}), ["keys"]),
    (lambda j: j["left"].update(name="vendor"), ["vendor"]),
    (lambda j: j.update(report_date="2017-02-30"), ["2017-02-30"]),
    (lambda j: j.update(batch_fraction=0.2), ["batch_fraction"]),
    (lambda j: j.update(batch_fraction=0), ["batch_fraction"]),
    (lambda j: j["keys"]["lastname"].update(normalise="trimm"), ["trimm", "trim"]),
    (lambda j: j.update(outcomes="matched, lost"), ["lost"]),
    (lambda j: j["left"].update(database="nowhere"), ["nowhere"]),
    (lambda j: j["right"].update(source="file:///etc/passwd"), ["source"]),
    (lambda j: j["right"].update(sql="users.sql"), ["sql"]),
    (lambda j: j["right"]["rest"].update(updated="last_active_date"), ["updated"]),
    (lambda j: j.update(tie_breaks={f"t{i}": {} for i in range(7)}), ["tie_breaks"]),
    (lambda j: j["left"].update(columns="lastname, lastname"), ["lastname"]),
    (lambda j: j.update(tabel="x"), ["tabel", "table"]),
], ids=["no keys", "no left", "empty keys", "one name", "no date", "too large a share", "no share", "no normalisation", "no outcome",
        "no database", "a file", "both", "a cursor", "too many", "twice", "a slip"])
def test_check_says_what_is_wrong(world, change, words):
    site, api = world
    change(site.job)
    done = subprocess.run([str(INGESTCTL), "check", str(site.file())], capture_output=True, text=True)
    assert done.returncode == 1 and all(w in done.stderr + done.stdout for w in words), done
    refused(site, *words)
    assert api.pages() == []


def test_a_job_of_another_name(world):
    site, _ = world
    argv = [str(INGESTCTL), "run", "--local", "--config", str(site.file()), "userz", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode != 0 and "userz" in done.stderr and "users" in done.stderr, done


def test_a_state_folder_that_is_not_ours(world):
    """Where it cannot write it says so, with the path."""
    site, _ = world
    site.state.rmdir()
    site.state.write_text("no folder")
    refused(site, str(site.state))


def test_what_is_staged_is_ours_alone(world):
    """Names of people lie there while a run is under way."""
    site, api = world
    modes = {}

    def look(page):
        if page == 2:
            modes.update({p: p.stat().st_mode & 0o777 for p in (site.state / "match").rglob("*")})
    api.before = look
    assert site.run().code == 0
    assert modes and all(mode in (0o600, 0o700) for mode in modes.values()), modes
