"""lib/history in real databases: every kind of event, every rule, and all databases the same."""
import contextlib
import itertools
import json
import random
import subprocess
import time

import pytest

from dataset import Bad, DuckDataset, MariaDataset, Model, PostgresDataset, known
from seeds import some
from test_db import MARKER

_numbers = itertools.count(1)
DAYS = [f"2020-{m:02}-{d:02}" for m in range(1, 13) for d in range(1, 29)]


def make(request, name, home):
    number = next(_numbers)
    if name == "postgres":
        return PostgresDataset(home, request.getfixturevalue("postgres"), f"history_{number}")
    if name == "duckdb":
        return DuckDataset(home, f"history_{number}")
    return MariaDataset(home, request.getfixturevalue("maria"), f"history_{number}")


@pytest.fixture(params=["postgres", "mysql", "duckdb"])
def db(request, tmp_path):
    made = make(request, request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture(params=["postgres", "mysql"])
def served(request, tmp_path):
    """One that is a server: others may be at the same tables."""
    made = make(request, request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def all_of_them(request, tmp_path):
    made = [make(request, name, tmp_path) for name in ("postgres", "mysql", "duckdb")]
    yield made
    for one in made:
        one.close()


def counts(said):
    return {k: said[k] for k in ("rows", "added", "changed", "removed", "reactivated", "unchanged", "rejected",
                                 "current")}


def only(**some):
    return {**dict.fromkeys(("rows", "added", "changed", "removed", "reactivated", "unchanged", "rejected", "current"),
                            0), **some}


HEADER = ["id", "name", "city"]
FIRST = [["1", "Ada", "Bonn"], ["2", "Bob", None], ["3", "Cyd", "Köln"]]


# ---- events ----

def test_a_first_dump_is_all_added(db):
    said = db.good(HEADER, FIRST, "2020-01-01", "--sha256", "aa")
    assert counts(said) == only(rows=3, added=3, current=3)
    assert said["notes"] == ""
    row = db.current()[("2",)]
    assert row == {"id": "2", "name": "Bob", "city": None, "valid_from": "2020-01-01", "opened_by": "added",
                   "opened_dump": "1", "line": "3"}
    dump, = db.dumps()
    assert dump["status"] == "loaded" and dump["sha256"] == "aa" and dump["bytes"] == "4711"
    assert json.loads(dump["header"]) == HEADER and json.loads(dump["key_columns"]) == ["id"]
    newest = db.say("newest")
    assert newest["there"] and newest["as_of"] == "2020-01-01" and newest["etag"] == '"e"'


def test_every_kind_of_event(db):
    db.good(HEADER, FIRST, "2020-01-01")
    said = db.good(HEADER, [["1", "Ada", "Bonn"], ["2", "Bob", "Trier"], ["4", "Dan", "Ulm"]], "2020-02-01",
                   "--max-removed", "0.5", "--dry-run")
    assert counts(said) == only(rows=3, added=1, changed=1, removed=1, unchanged=1, current=3)
    assert len(db.versions()) == 3, "a dry run wrote"
    assert len(db.dumps()) == 1
    said = db.good(HEADER, [["1", "Ada", "Bonn"], ["2", "Bob", "Trier"], ["4", "Dan", "Ulm"]], "2020-02-01")
    assert counts(said) == only(rows=3, added=1, changed=1, removed=1, unchanged=1, current=3)
    said = db.good(HEADER, [["1", "Ada", "Bonn"], ["2", "Bob", "Trier"], ["3", "Cyd", "Köln"], ["4", "Dan", "Ulm"]],
                   "2020-03-01")
    assert counts(said) == only(rows=4, reactivated=1, unchanged=3, current=4)
    life = db.say("life", "3")["versions"]
    assert [(v["valid_from"], v["valid_to"], v["opened_by"], v["closed_by"], v["opened_dump"], v["closed_dump"])
            for v in life] == [("2020-01-01", "2020-02-01", "added", "removed", 1, 2),
                               ("2020-03-01", None, "reactivated", None, 3, 0)]
    assert life[0]["values"] == {"id": "3", "name": "Cyd", "city": "Köln"}
    life = db.say("life", "2")["versions"]
    assert [(v["valid_from"], v["valid_to"], v["closed_by"], v["values"]["city"]) for v in life] == [
        ("2020-01-01", "2020-02-01", "changed", None), ("2020-02-01", None, None, "Trier")]
    assert db.say("life", "99")["versions"] == []


def test_null_and_the_empty_cell_differ_and_are_compared_without_surprise(db):
    db.good(HEADER, [["1", None, ""], ["2", "", None], ["3", None, None]], "2020-01-01")
    said = db.good(HEADER, [["1", None, ""], ["2", None, None], ["3", None, ""]], "2020-01-02")
    assert counts(said) == only(rows=3, changed=2, unchanged=1, current=3)
    assert [r["city"] for _, r in sorted(db.current().items())] == ["", None, ""]


def test_text_stays_text(db):
    hard = ["007", " lead", "trail ", "NULL", "\\N", "a\tb\nc\\", "it's \"q\" `b`", "€𝄞ü", "NaN", "1e5", "\\.", "{x}"]
    rows = [[str(100 + i), cell] for i, cell in enumerate(hard)]
    db.good(["id", "cell"], rows, "2020-01-01")
    assert [r["cell"] for _, r in sorted(db.current().items())] == hard
    assert db.good(["id", "cell"], rows, "2020-01-02")["unchanged"] == len(hard)
    said = db.good(["id", "cell"], [[k, c + "!"] for k, c in rows], "2020-01-03")
    assert said["changed"] == len(hard)
    assert [v["cell"] for v in db.versions()][::2] == hard


def test_keys_are_in_the_order_of_their_bytes(db):
    keys = sorted(["a", "a ", "A", "aa", "a\t", "ä", "z", "€", "𝄞", "", "b", "B", "a0", "10", "9", "ß", "ss", "\x7f", "ﬀ"],
                  key=lambda k: k.encode())
    rows = [[k, "x"] for k in keys]
    db.good(["id", "v"], rows, "2020-01-01")
    said = db.good(["id", "v"], rows, "2020-01-02")
    assert counts(said) == only(rows=len(keys), unchanged=len(keys), current=len(keys))
    said = db.good(["id", "v"], [[k, "y"] for k in keys if k not in ("a ", "ß")], "2020-01-03")
    assert counts(said) == only(rows=len(keys) - 2, changed=len(keys) - 2, removed=2, current=len(keys) - 2)


def test_a_key_of_several_columns(db):
    db.key = ["a", "b"]
    header = ["x", "a", "b"]
    rows = [["1", "a", "bc"], ["2", "ab", "c"], ["3", "ab", "d"]]
    db.good(header, rows, "2020-01-01", "--key", "a", "--key", "b")
    said = db.good(header, [["1", "a", "bc"], ["9", "ab", "c"], ["4", "b", "c"]], "2020-01-02")
    assert counts(said) == only(rows=3, added=1, changed=1, removed=1, unchanged=1, current=3)
    assert len(db.say("life", "ab", "c")["versions"]) == 2
    assert "2 columns" in db.say("life", "ab")["fault"]
    assert "--key" in db.refused(header, rows, "2020-01-03", "--key", "a")


# ---- rejects ----

def test_a_key_twice_is_rejected_with_all_lines_and_stays_as_it_was(db):
    db.good(HEADER, FIRST, "2020-01-01")
    rows = [["1", "Ada", "Bonn"], ["2", "x,y", None], ["2", 'q"', "z"], ["2", "n", "z"], ["3", "Cyd", "Köln"],
            ["5", "a", "b"], ["5", "a", "b"]]
    said = db.good(HEADER, rows, "2020-01-02")
    assert counts(said) == only(rows=7, unchanged=2, rejected=5, current=3)
    assert db.rejects() == [
        ["2", "3", "duplicate_key", "the same key is on line 4, 5", '2,"x,y",'],
        ["2", "4", "duplicate_key", "the same key is on line 3, 5", '2,"q""",z'],
        ["2", "5", "duplicate_key", "the same key is on line 3, 4", '2,n,z'],
        ["2", "7", "duplicate_key", "the same key is on line 8", '5,a,b'],
        ["2", "8", "duplicate_key", "the same key is on line 7", '5,a,b']]
    assert db.current()[("2",)]["name"] == "Bob" and ("5",) not in db.current()


def test_very_many_rows_of_one_key(db):
    rows = [["1", str(i)] for i in range(3000)] + [["2", "x"]]
    said = db.good(["id", "v"], rows, "2020-01-01", "--max-rejected", "1")
    assert counts(said) == only(rows=3001, added=1, rejected=3000, current=1)
    rejects = db.rejects()
    assert len(rejects) == 3000 and [r[4] for r in rejects] == [f"1,{i}" for i in range(3000)]
    assert all("and others" in r[3] for r in rejects)


def test_rows_that_cannot_be_taken(db):
    rows = [["1", "a"], Bad(), [None, "b"], ["k" * 255, "c"], ["k" * 256, "d"], ["é" * 255, "e"], ["é" * 256, "f"]]
    said = db.good(["id", "v"], rows, "2020-01-01")
    assert counts(said) == only(rows=7, added=3, rejected=4, current=3)
    assert [r[1:4] for r in db.rejects()] == [
        ["3", "bad_encoding", "words"], ["4", "null_key", "the key has no value"],
        ["6", "key_too_long", "the key is longer than 255 characters"],
        ["8", "key_too_long", "the key is longer than 255 characters"]]
    assert db.rejects()[0][4] == "raw,text" and db.rejects()[1][4] == ",b"


def test_too_many_rejects_are_refused(db):
    rows = [[f"{i:04}", "a"] for i in range(79)] + [Bad() for _ in range(21)]
    fault = db.refused(["id", "v"], rows, "2020-01-01")
    assert "21 of 100" in fault and "10 %" in fault
    dump, = db.dumps()
    assert dump["status"] == "refused" and dump["rejected"] == "21" and dump["error"] == fault
    assert not db.say("newest")["there"]
    db.good(["id", "v"], rows, "2020-01-01", "--max-rejected", "0.5")
    assert len(db.current()) == 79


# ---- refusals ----

def test_an_older_dump_is_refused(db):
    db.good(HEADER, FIRST, "2020-02-01")
    before = db.canonical()
    assert "--as-of" in db.refused(HEADER, FIRST, "2020-01-01")
    assert "--as-of" in db.refused(HEADER, FIRST, "2020-1-1")
    assert db.canonical() == before


def test_the_same_dump_again_is_nothing_and_another_of_the_date_is_refused(db):
    db.good(HEADER, FIRST, "2020-02-01", "--sha256", "aa")
    before = db.canonical()
    said = db.nothing(HEADER, FIRST, "2020-02-01", "--sha256", "aa")
    assert "already" in said["notes"] and said["current"] == 3
    assert db.canonical() == before and len(db.dumps()) == 1
    assert "other bytes" in db.refused(HEADER, FIRST[:2], "2020-02-01", "--sha256", "bb")
    assert db.canonical() == before
    assert db.say("find", "2020-02-01", "aa")["id"] == 1
    assert not db.say("find", "2020-02-01", "bb")["there"]


def test_too_many_vanished_keys_are_refused(db):
    rows = [[f"{i:03}", "a"] for i in range(100)]
    db.good(["id", "v"], rows, "2020-01-01")
    before = db.canonical()
    fault = db.refused(["id", "v"], rows[:79], "2020-01-02")
    assert "21 of 100" in fault and "--max-removed" in fault
    assert "100 of 100" in db.refused(["id", "v"], [], "2020-01-02")
    assert db.canonical() == before
    assert [d["status"] for d in db.dumps()] == ["loaded", "refused", "refused"]
    assert db.good(["id", "v"], rows[:80], "2020-01-02")["removed"] == 20
    assert db.good(["id", "v"], [], "2020-01-03", "--max-removed", "1")["removed"] == 80
    assert db.good(["id", "v"], rows, "2020-01-04")["reactivated"] == 100


def test_few_keys_may_go_but_not_all(db):
    db.good(HEADER, FIRST, "2020-01-01")
    assert "3 of 3" in db.refused(HEADER, [], "2020-01-02")
    assert db.good(HEADER, FIRST[:1], "2020-01-02")["removed"] == 2


def test_a_key_that_is_no_column(db):
    fault = db.refused(HEADER, FIRST, "2020-01-01", "--key", "nane")
    assert "nane" in fault and "name" in fault and "--key" in fault
    db.good(HEADER, FIRST, "2020-01-01", "--key", "id")
    assert "not in the dump" in db.refused(["x", "name"], [["1", "2"]], "2020-01-02")


def test_a_source_that_fails_leaves_nothing(db):
    said = db.load(HEADER, FIRST, "2020-01-01", "--fail-after", "2")
    assert said["outcome"] == "failed" and said["fault"].endswith("the source broke off") and said["transient"]
    assert [d["status"] for d in db.dumps()] == ["failed"]
    db.good(["id", "other"], [["1", "x"]], "2020-01-01", "--key", "other")
    db.key = ["other"]
    before = db.canonical()
    said = db.load(["id", "other", "new"], [["1", "x", "y"]] * 3, "2020-01-02", "--fail-after", "2")
    assert said["outcome"] == "failed"
    assert db.canonical() == before


# ---- columns ----

def test_columns_come_go_and_change_places(db):
    db.good(["id", "a", "b"], [["1", "x", "y"], ["2", "x", "y"]], "2020-01-01")
    said = db.good(["b", "c", "id"], [["y", None, "1"], ["y", "new", "2"]], "2020-01-02")
    assert said["notes"].splitlines() == ["column a is not in this dump: its values stay", "column c is new"]
    assert counts(said) == only(rows=2, changed=1, unchanged=1, current=2)
    row = db.current()[("2",)]
    assert (row["a"], row["b"], row["c"]) == ("x", "y", "new")
    said = db.good(["id", "a", "b", "c"], [["1", "x", "y", None], ["2", "z", "y", "new"]], "2020-01-03")
    assert counts(said) == only(rows=2, changed=1, unchanged=1, current=2)
    assert said["notes"] == ""
    assert [(v["a"], v["c"]) for v in db.versions() if v["id"] == "2"] == [("x", None), ("x", "new"), ("z", "new")]
    assert [d["schema_changes"] for d in db.dumps()][1].splitlines()[1] == "column c is new"
    first = dict(db.select(["column_name", "first_dump"], "ingest_column"))
    assert first == {"id": "1", "a": "1", "b": "1", "c": "2"}


def test_columns_that_a_broken_load_left(db):
    """Where DDL commits they are on record, and of no dump: the next that has one says so."""
    db.good(["id", "v"], [["1", "a"]], "2020-01-01")
    db.sql("INSERT INTO ingest_column (dataset, column_name, header, nth, position, is_key)"
           " VALUES ('npi', 'w', 'w', 1, 3, 0), ('npi', 'gone', 'gone', 1, 4, 0)")
    assert db.good(["id", "v", "w"], [["1", "a", "b"]], "2020-01-02")["notes"] == "column w is new\n"
    assert [v["w"] for v in db.versions()] == [None, "b"]
    first = dict(db.select(["column_name", "first_dump"], "ingest_column"))
    assert first["gone"] is None and first["w"] == str(max(int(n) for n, in db.select(["id"], "ingest_dump")))


def test_any_header_becomes_a_column(db):
    header = ["ID", "", "", "Größe (m²)", "line", "valid_from", "2nd", "x" * 70, "x" * 70 + "y", "a b", "A-B", "select",
              "日本", "a b", "kind"]
    row = ["1"] + [f"v{i}" for i in range(len(header) - 1)]
    db.good(header, [row], "2020-01-01")
    names = db.columns()
    assert names == ["id", "col_2", "col_3", "gre_m", "line_2", "valid_from_2", "col_2nd", "x" * 63, "x" * 61 + "_2",
                     "a_b", "a_b_2", "select", "col_13", "a_b_3", "kind_2"]
    order = list(range(1, len(header)))
    random.Random(3).shuffle(order)
    kept = [i for i in order if header.index(header[i]) == i and header.count(header[i]) == 1]
    said = db.good(["ID"] + [header[i] for i in kept] + ["a_b"], [["1"] + [row[i] for i in kept] + [None]],
                   "2020-01-02")
    assert said["unchanged"] == 1
    assert db.columns() == names + ["a_b_4"]


def test_as_many_columns_as_the_national_file_has(db):
    header = [f"Healthcare Provider Taxonomy Code_{i}" for i in range(330)]
    rows = [[f"{k:03}"] + [f"v{i}" if i % 7 == 0 else None for i in range(329)] for k in range(200)]
    assert db.good(header, rows, "2020-01-01")["added"] == 200
    rows[5][300] = "other"
    db.key = db.columns()[:1]
    assert counts(db.good(header, rows, "2020-01-02")) == only(rows=200, changed=1, unchanged=199, current=200)
    assert len(db.versions()) == 201


def test_a_cell_of_ten_megabytes(db):
    rows = [["1", "x" * 10_000_000], ["2", "y"]]
    assert db.good(["id", "v"], rows, "2020-01-01")["added"] == 2
    assert db.good(["id", "v"], rows, "2020-01-02")["unchanged"] == 2
    rows[0][1] = "z" + "x" * 9_999_999
    assert db.good(["id", "v"], rows, "2020-01-03")["changed"] == 1
    assert db.sql("SELECT length(v) FROM npi_history WHERE id = '1' ORDER BY valid_from")[1][0] in (10_000_000, "10000000")


# ---- order ----

def test_a_dump_that_is_not_in_order(db):
    said = db.load(HEADER, FIRST[::-1], "2020-01-01")
    assert said["outcome"] == "unordered"
    assert not db.say("newest")["there"]
    assert [d["status"] for d in db.dumps()] == []
    assert counts(db.good(HEADER, FIRST[::-1], "2020-01-01", "--retry")) == only(rows=3, added=3, current=3)
    assert db.current()[("1",)]["line"] == "4"
    mixed = [["3", "Cyd", "Köln"], ["2", "Bo", None], ["1", "Ada", "Bonn"], ["3", "Cyd", "x"], ["4", "d", "e"]]
    before = db.canonical()
    assert db.load(HEADER, mixed, "2020-01-02")["outcome"] == "unordered"
    assert db.canonical() == before
    said = db.good(HEADER, mixed, "2020-01-02", "--retry")
    assert counts(said) == only(rows=5, added=1, changed=1, unchanged=1, rejected=2, current=4)
    assert [r[1:4] for r in db.rejects()] == [["2", "duplicate_key", "the same key is on line 5"],
                                              ["5", "duplicate_key", "the same key is on line 2"]]


# ---- the model ----

def random_dumps(rnd, n_dumps):
    """Small dumps of few keys, few values, few columns: all events come often."""
    names = ["id", "a", "b", "c", "d"]
    state = {}
    for _ in range(n_dumps):
        header = ["id"] + rnd.sample(names[1:], rnd.randint(1, 4))
        for key in "abcdefgh":
            if rnd.random() < 0.3:
                state.pop(key, None)
            elif rnd.random() < 0.5 or key not in state:
                state[key] = {n: rnd.choice([None, "", "x", "y", "ü"]) for n in names[1:]}
        rows = [[k] + [state[k][n] for n in header[1:]] for k in sorted(state)]
        for _ in range(rnd.choice([0, 0, 0, 1, 2])):
            rows.insert(rnd.randint(0, len(rows)), rnd.choice(
                [Bad(), [None] + ["x"] * (len(header) - 1), [rnd.choice("abcdefgh")] + ["x"] * (len(header) - 1)]))
        yield header, rows


@pytest.mark.parametrize("seed", range(some(20)))
def test_random_histories_are_as_the_model_has_them_in_all(all_of_them, seed):
    for part in range(2):
        for db in all_of_them:
            db.table = f"set_{part}"
        compare_with_model(all_of_them, random.Random(2 * seed + part))


def compare_with_model(all_of_them, rnd):
    model = Model()
    for day, (header, rows) in zip(DAYS, random_dumps(rnd, 8)):
        expected = model.load(header, rows, day)
        for db in all_of_them:
            said = db.good(header, rows, day, "--retry", "--max-removed", "1")
            assert counts(said) == expected, (db.name, day)
    for db in all_of_them:
        assert db.versions() == model.versions(), db.name
        assert {k[0] for k in db.current()} == {k[0] for k in model.current}
        assert db.canonical() == all_of_them[0].canonical(), db.name


# ---- two at once ----

def paused(process):
    assert process.stdout.readline() == "paused\n"


def test_a_second_load_waits_and_goes_on(served):
    served.good(HEADER, FIRST, "2020-01-01")
    first = served.begin_load(HEADER, [*FIRST, ["4", "d", "e"]], "2020-01-02", "--sha256", "aa", "--pause", "2")
    paused(first)
    late = served.load(HEADER, FIRST, "2020-01-03", "--lock-timeout", "1000")
    assert "another load" in late["fault"] and late["transient"], late
    same = served.begin_load(HEADER, [*FIRST, ["4", "d", "e"]], "2020-01-02", "--sha256", "aa")
    more = served.begin_load(HEADER, [*FIRST, ["5", "d", "e"]], "2020-01-04")
    assert served.finish(first)["added"] == 1
    said = served.finish(same)
    assert said["outcome"] == "nothing" and "already" in said["notes"], said
    assert served.finish(more)["added"] == 1
    assert sorted(k for k, in served.current()) == ["1", "2", "3", "5"]


def test_two_datasets_do_not_wait_for_each_other(served):
    first = served.begin_load(HEADER, FIRST, "2020-01-01", "--pause", "2")
    paused(first)
    other = served.say("load", first.args[3], "2020-01-01", "--lock-timeout", "1000", url=served.url() + "_two")
    assert other["outcome"] == "loaded", other
    assert served.finish(first)["added"] == 3
    assert len(served.current()) == 3


def test_a_table_that_somebody_changes_meanwhile(served):
    rows = [[f"{i:04}", "a"] for i in range(3000)]
    served.good(["id", "v"], rows, "2020-01-01")
    changed = [[k, "b" if k == "0001" else v] for k, v in rows]
    load = served.begin_load(["id", "v"], changed, "2020-01-02", "--pause", "2500")
    paused(load)
    served.sql("DELETE FROM npi WHERE id = '0001'")
    said = served.finish(load)
    assert said["outcome"] == "failed" and "somebody else" in said["fault"] and said["transient"], said
    assert not [v for v in served.versions() if v["valid_to"]]


# ---- what is in the way ----

def test_a_table_of_somebody_else_is_left_alone(db):
    db.sql("CREATE TABLE npi (id int, opened_dump int)")
    assert "another name" in db.refused(HEADER, FIRST, "2020-01-01")
    db.sql("DROP TABLE npi")
    db.sql("CREATE TABLE npi_past (id int)")
    assert "npi_past" in db.refused(HEADER, FIRST, "2020-01-01")
    db.sql("DROP TABLE npi_past")
    db.good(HEADER, FIRST, "2020-01-01")


def test_books_that_are_gone_do_not_cost_the_rows(db):
    db.good(HEADER, FIRST, "2020-01-01")
    db.sql("DELETE FROM ingest_dump")
    assert "ingest_dump" in db.refused(HEADER, FIRST, "2020-01-02")
    assert len(db.select(["id"], "npi")) == 3


@pytest.mark.parametrize("url, words", [
    ("{0}", "names no database and table"), ("{0}/a/b", "more than"), ("{0}/", "names no table"), ("{0}/" + "x" * 56, "at most 55"),
    ("{0}/ingest_dump", "our own"), ("{0}/Ingest_Delta", "our own"),
    ("{0}/a%00b", "UTF-8"), ("{0}/a%22b", "quote"), ("sqlite:///x/y", "sink")])
def test_urls_that_are_no_dataset(served, url, words):
    base = served.url().rsplit("/", 1)[0]
    fault = served.say("newest", url=url.format(base))["fault"]
    assert words in fault and "best" not in fault


def test_a_table_in_any_case_and_script(db):
    db.table = "Ärzte 2020"
    said = db.say("newest", url=db.url().replace(" ", "%20").replace("Ä", "%C3%84"))
    assert "Ärzte 2020" in said["label"]
    made = db.begin_load(HEADER, FIRST, "2020-01-01")
    assert db.finish(made)["outcome"] == "loaded"
    assert db.finish(db.begin_load(HEADER, FIRST[:2], "2020-01-02"))["removed"] == 1


def test_a_schema_of_postgres(request, tmp_path):
    db = make(request, "postgres", tmp_path)
    db.sql("CREATE SCHEMA sites AUTHORIZATION dataeng")
    url = db.server.url(db.database) + "/sites.npi"
    path = db.begin_load(HEADER, FIRST, "2020-01-01")
    file = path.args[3]
    db.finish(path)
    assert db.say("load", file, "2020-01-01", url=url)["added"] == 3
    assert db.sql("SELECT count(*) FROM sites.npi_history") == [(3,)]
    assert db.sql("SELECT count(*) FROM sites.ingest_dump") == [(1,)]
    db.close()


def test_rights_that_are_missing(served):
    served.good(HEADER, FIRST, "2020-01-01")
    before = served.canonical()
    if served.name == "postgres":
        served.sql("REVOKE ALL ON DATABASE {0} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC;"
               " ALTER DATABASE {0} OWNER TO postgres; ALTER TABLE npi_past OWNER TO postgres;"
               " GRANT SELECT ON npi_past TO dataeng; GRANT CONNECT, TEMP ON DATABASE {0} TO dataeng;"
               " GRANT USAGE ON SCHEMA public TO dataeng".format(served.database))
        url = served.url()
    else:
        served.sql(f"CREATE OR REPLACE USER reader@'%' IDENTIFIED BY 'best';"
               f"GRANT SELECT, CREATE TEMPORARY TABLES ON `{served.database}`.* TO reader@'%';"
               f"GRANT INSERT, DELETE, UPDATE ON `{served.database}`.npi TO reader@'%'")
        url = served.url().replace("dataeng", "reader")
    said = served.say("load", served.begin_load(HEADER, FIRST[:2], "2020-01-02", "--dry-run").args[3], "2020-01-03", url=url)
    assert said["outcome"] == "failed" and "denied" in said["fault"], said
    after = served.canonical()
    assert after[:3] == before[:3]


def test_a_server_that_only_reads(served):
    served.good(HEADER, FIRST, "2020-01-01")
    before = served.canonical()
    if served.name == "postgres":
        served.sql(f"ALTER DATABASE {served.database} SET default_transaction_read_only = on")
    else:
        served.sql("SET GLOBAL read_only = 1")
    try:
        said = served.load(HEADER, FIRST[:2], "2020-01-02")
    finally:
        if served.name == "postgres":
            served.sql(f"ALTER DATABASE {served.database} RESET ALL", "postgres")
        else:
            served.sql("SET GLOBAL read_only = 0")
    assert said["outcome"] == "failed" and "read" in said["fault"].lower(), said
    assert served.canonical() == before


def test_faults_name_no_row(served):
    served.good(HEADER, FIRST, "2020-01-01")
    served.sql("ALTER TABLE npi ADD CONSTRAINT c CHECK (city <> 'Ulm')")
    said = served.load(HEADER, [["1", MARKER, "Ulm"]], "2020-01-02")
    assert said["outcome"] == "failed" and "check" in said["fault"] and MARKER not in json.dumps(said), said


# ---- killed ----

def growing_dumps(n_dumps, n_rows):
    """Every dump changes a tenth, drops and adds some, and has one more column."""
    rnd = random.Random(7)
    state = {f"{i:05}": ["x"] * n_dumps for i in range(n_rows)}
    for d in range(n_dumps):
        for key in list(state):
            chance = rnd.random()
            if chance < 0.03:
                del state[key]
            elif chance < 0.13:
                state[key][rnd.randrange(d + 1)] = f"v{d}"
        for i in rnd.sample(range(n_rows * 2), n_rows // 20):
            state.setdefault(f"{i:05}", [f"n{d}"] * n_dumps)
        yield ["id"] + [f"c{i}" for i in range(d + 1)], [[k, *state[k][:d + 1]] for k in sorted(state)]


def ends_within(process, seconds):
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        return True
    return False


def kill_while_loading(db, load, longest, kill, rnd, versions):
    """Kills until a load is over; whatever moment it was, the versions are those of before or of after."""
    for _ in range(6):
        process = load()
        over = ends_within(process, rnd.uniform(0, longest))
        if not over:
            kill(process)
        process.kill()
        process.communicate()
        assert db.versions_there() in versions
        if over:
            return


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["worker", "server"])
def test_killed_at_any_moment_it_goes_on_from_the_last_good_state(db, victim):
    if victim == "server" and db.name == "duckdb":
        pytest.skip("it has none")
    rnd = random.Random()
    model, before = Model(), []

    def kill(process):
        if victim == "server":
            db.server.kill9()
            db.server.start()
        else:
            process.kill()

    longest = 0.3
    for number, (header, rows) in enumerate(growing_dumps(5, 4000)):
        expected = model.load(header, rows, DAYS[number])
        after = model.versions()
        started = time.monotonic()
        kill_while_loading(db, lambda: db.begin_load(header, rows, DAYS[number], "--sha256", f"s{number}"), longest, kill,
                           rnd, [known(before), known(after)])
        said = db.load(header, rows, DAYS[number], "--sha256", f"s{number}")
        assert said["outcome"] == "nothing" or counts(said) == expected, said
        longest = max(longest, min(2.0, time.monotonic() - started) / 2)
        assert db.versions() == after
        before = after
    assert [d["status"] for d in db.dumps()].count("loaded") == 5
