"""lib/history in DuckDB, which keeps types: how they are found out, how they widen, and that history stays right."""
import collections
import itertools
import json
import os
import random
import resource
import subprocess

import pytest

from dataset import RUN_HISTORY, Bad, DuckDataset, Model, known, need_duckdb, write_dump
from seeds import some
from test_copy import SAMPLES, ctl, test_the_queries_of_the_readme as queries_of_the_readme
from test_db import MARKER

_numbers = itertools.count(1)
DAYS = [f"2020-{m:02}-{d:02}" for m in range(1, 13) for d in range(1, 29)]


@pytest.fixture
def db(tmp_path):
    made = DuckDataset(tmp_path, f"types_{next(_numbers)}")
    yield made
    made.close()


def in_tables(db):
    """Of each column of the data, in both tables and the view."""
    found = {}
    for table in ("npi", "npi_past", "npi_history"):
        rows = db.sql(f"SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{table}'")
        found[table] = {c: t for c, t in rows if c in db.columns()}
    assert found["npi"] == found["npi_past"] == found["npi_history"]
    return found["npi"]


def column(db, name):
    return [r[0] for r in db.sql(f"SELECT CAST(\"{name}\" AS VARCHAR) FROM npi ORDER BY id")]


# ---- found out ----

CELLS = {"n": ["1", "-9223372036854775808", None], "x": ["1.50", "3", "1e5"], "day": ["1899-12-31", "0001-01-01", "9999-12-31"],
         "at": ["2024-05-01T08:00:00.123456", "2024-05-01", "1583-01-01 00:00:00"],
         "zoned": ["2024-05-01T08:00:00Z", "2024-05-01 08:00:00.5+05:30", None], "yes": ["true", "false", None],
         "zip": ["01234", "12345", "54321"], "huge": ["12345678901234567890", "1", "2"], "nothing": [None, None, None],
         "odd": ["2024-02-30", "2024-01-01", None], "json": ['{"a": [1]}', "[]", None], "uni": ["日本語", "e\u0301", "🩺"]}
TYPES = {"id": "bigint", "n": "bigint", "x": "double", "day": "date", "at": "timestamp", "zoned": "timestamptz", "yes": "boolean",
         "zip": "text", "huge": "text", "nothing": "", "odd": "text", "json": "text", "uni": "text"}
SQL = {"bigint": "BIGINT", "double": "DOUBLE", "date": "DATE", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMP WITH TIME ZONE",
       "boolean": "BOOLEAN", "text": "VARCHAR", "": "VARCHAR"}


def test_types_are_found_out(db):
    header = ["id", *CELLS]
    rows = [[str(i), *(cells[i] for cells in CELLS.values())] for i in range(3)]
    said = db.good(header, rows, "2020-01-01")
    assert said["notes"] == ""
    found = db.types()
    assert {c: t or "" for c, t in found.items()} == TYPES
    assert in_tables(db) == {c: SQL[t] for c, t in TYPES.items()}
    assert column(db, "x") == ["1.5", "3.0", "100000.0"]
    assert column(db, "day") == CELLS["day"] and column(db, "zip") == CELLS["zip"] and column(db, "uni") == CELLS["uni"]
    assert column(db, "at") == ["2024-05-01 08:00:00.123456", "2024-05-01 00:00:00", "1583-01-01 00:00:00"]
    assert column(db, "zoned") == ["2024-05-01 08:00:00+00", "2024-05-01 02:30:00.5+00", None]
    again = db.good(header, rows, "2020-01-02")
    assert again["unchanged"] == 3 and again["notes"] == ""


@pytest.mark.slow
def test_more_than_the_first_thousand_rows(db):
    """What comes after the sample widens the tables while they are filled."""
    rows = [[str(i), "1", "2024-01-01", None, "x"] for i in range(5000)]
    rows[3000][1], rows[3001][1], rows[4000][2], rows[2500][3], rows[4999][1] = "1.5", "x1", "2024-01-01T10:00:00", "7", "9"
    header = ["id", "a", "b", "c", "d"]
    said = db.good(header, rows, "2020-01-01")
    assert said["added"] == 5000 and said["notes"] == ""
    assert db.types() == {"id": "bigint", "a": "text/double", "b": "timestamp", "c": "bigint", "d": "text"}
    assert in_tables(db)["b"] == "TIMESTAMP"
    assert db.sql("SELECT count(*), count(DISTINCT id), min(line), max(line) FROM npi_history") == [("5000", "5000", "2", "5001")]
    assert db.good(header, rows, "2020-01-02")["unchanged"] == 5000
    assert db.good(header, rows[::-1], "2020-01-03", "--retry")["unchanged"] == 5000


def test_the_same_in_any_order(db):
    rows = [[str(i), "1", "2024-01-01"] for i in range(3000)]
    rows[2900][1], rows[2950][2] = "1.5", "n/a"
    random.Random(1).shuffle(rows)
    assert db.good(["id", "a", "b"], rows, "2020-01-01", "--retry")["added"] == 3000
    assert db.good(["id", "a", "b"], rows, "2020-01-02", "--retry")["unchanged"] == 3000
    assert db.types() == {"id": "bigint", "a": "double", "b": "text/date"}


# ---- widening ----

WIDER = [  # on record, then; the type afterwards; is the new cell another one?
    ("1", "2.5", "double", True), ("1", "1.0", "bigint", False), ("9007199254740993", "2.5", "text/bigint", True),
    ("1", "x", "text/bigint", True), ("1.50", "x", "text/double", True), ("1.50", "9007199254740993", "text/double", True),
    ("1.50", "1.5", "double", False), ("2024-01-01", "2024-01-02T10:00:00", "timestamp", True),
    ("2024-01-01", "2024-01-01T00:00:00", "date", False), ("2024-01-01T10:00:00", "2024-01-01 10:00:00.000", "timestamp", False),
    ("2024-01-01", "soon", "text/date", True), ("2024-01-01T10:00:00", "soon", "text/timestamp", True),
    ("2024-01-01T10:00:00Z", "2024-01-01T12:00:00+02:00", "timestamptz", False),
    ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00", "text/timestamptz", True), ("true", "1", "text", True),
    ("false", "2024-01-01", "text", True), (None, "1.5", "double", True), (None, "x", "text", True),
    ("1", "12345678901234567890", "text/bigint", True), ("2024-01-01", "2024-02-30", "text/date", True)]


def test_widening(db):
    """
    Each column has three rows of its own: the one that widens it, one with the value that was there before, and one that
    never changes.
    """
    def lines(*cells):
        return [[str(3 * i + k + 1), *(cell(case) if c == i else None for c in range(len(WIDER)))]
                for i, case in enumerate(WIDER) for k, cell in enumerate(cells)]

    def before(case):
        return case[0]

    def after(case):
        return case[1]

    def nothing(_):
        return None
    header = ["id", *(f"v{i}" for i in range(len(WIDER)))]
    db.good(header, lines(before, before, nothing), "2020-01-01")
    was, became = db.types(), {f"v{i}": case[2] for i, case in enumerate(WIDER)}
    n_changes = sum(case[3] for case in WIDER)
    said = db.good(header, lines(after, before, nothing), "2020-01-02")
    assert (said["changed"], said["unchanged"]) == (n_changes, 3 * len(WIDER) - n_changes), said
    assert {c: t for c, t in db.types().items() if c != "id"} == became
    assert {c: t for c, t in in_tables(db).items() if c != "id"} == {c: SQL[t.split("/")[0]] for c, t in became.items()}
    notes = {f"column {c} is {t.split('/')[0]} now (it was {was[c]}): line {3 * i + 2}"
             for i, (c, t) in enumerate(became.items()) if was[c] and was[c] != t}
    assert set(said["notes"].splitlines()) == notes
    assert [d["schema_changes"] for d in db.dumps()][1] == said["notes"]
    for day in ("2020-01-03", "2020-01-04"):
        said = db.good(header, lines(after, before, nothing), day)
        assert said["unchanged"] == 3 * len(WIDER) and said["notes"] == "", said
    said = db.good(header, lines(after, after, nothing), "2020-01-05")
    assert said["changed"] == n_changes
    n_versions = collections.Counter(int(v["id"]) for v in db.versions())
    assert [n_versions[i + 1] for i in range(3 * len(WIDER))] == [n for c in WIDER for n in (1 + c[3], 1 + c[3], 1)]


def test_what_a_text_was_of_is_not_forgotten(db):
    """A column of times becomes text: what is written in another way is no change, now and when it comes back."""
    db.good(["id", "at"], [["1", "2024-01-01T10:00:00"], ["2", "2024-01-01T11:00:00.50"]], "2020-01-01")
    db.good(["id", "at"], [["1", "2024-01-01T10:00:00"], ["2", "never"]], "2020-01-02")
    assert db.types()["at"] == "text/timestamp"
    said = db.good(["id", "at"], [["1", "2024-01-01 10:00:00.0"], ["2", "2024-01-01T11:00:00.5"]], "2020-01-03")
    assert (said["unchanged"], said["changed"]) == (1, 1)
    said = db.good(["id", "at"], [["1", "2024-01-01T10:00:01"], ["2", "2024-01-01 11:00:00.5"]], "2020-01-04")
    assert (said["unchanged"], said["changed"]) == (1, 1)


@pytest.mark.parametrize("was, otherwise, wider", [
    ("5", "5.0", "x"), ("5", "5.0", "9223372036854775808"), ("2024-01-01", "2024-01-01T00:00:00", "x")])
def test_what_was_no_change_is_none_when_the_column_has_become_text(db, was, otherwise, wider):
    """A cell is written in another way, which opens no version, and is not on record as it is now; then another row widens."""
    db.good(["id", "v"], [["1", was], ["2", was]], "2020-01-01")
    for day, other, n_changed in (("2020-01-02", otherwise, 0), ("2020-01-03", wider, 1), ("2020-01-04", wider, 0)):
        said = db.good(["id", "v"], [["1", otherwise], ["2", other]], day)
        assert (said["changed"], said["unchanged"]) == (n_changed, 2 - n_changed), (day, said)
    assert len(db.versions()) == 3


def test_a_column_that_is_not_in_the_dump_keeps_its_values(db):
    db.good(["id", "x", "at", "z"], [["1", "0.1", "2024-01-01T10:00:00", "2024-01-01T10:00:00.25+02:00"]], "2020-01-01")
    before = db.current()[("1",)]
    assert db.good(["id", "new"], [["1", "5"]], "2020-01-02")["changed"] == 1
    after = db.current()[("1",)]
    assert {c: after[c] for c in ("x", "at", "z")} == {c: before[c] for c in ("x", "at", "z")}
    assert db.types()["new"] == "bigint"


def test_a_dry_run_says_what_would_widen(db):
    db.good(["id", "v"], [["1", "1"]], "2020-01-01")
    said = db.good(["id", "v"], [["1", "x"]], "2020-01-02", "--dry-run")
    assert said["notes"] == "column v is text now (it was bigint): line 2\n"
    assert in_tables(db)["v"] == "BIGINT" and db.types()["v"] == "bigint" and len(db.dumps()) == 1


def test_a_load_that_fails_widens_nothing(db):
    db.good(["id", "v"], [[str(i), "1"] for i in range(10)], "2020-01-01")
    before = db.canonical()
    assert "10 of 10" in db.refused(["id", "v"], [["99", "x"]], "2020-01-02")
    said = db.load(["id", "v", "w"], [["1", "x", "y"], ["2", "x", "y"]], "2020-01-02", "--fail-after", "1")
    assert said["outcome"] == "failed"
    assert db.canonical() == before and in_tables(db)["v"] == "BIGINT"


# ---- given ----

def test_types_that_are_given_are_not_widened(db):
    header = ["id", "Zip Code", "dob", "x"]
    types = ["--type", "Zip Code=text", "--type", "dob=date", "--type", "x=double"]
    rows = [["1", "12345", "1980-01-01", "1"], ["2", "23456", "soon", "2"], ["3", "34567", None, "x,y"]]
    said = db.good(header, rows, "2020-01-01", *types)
    assert (said["added"], said["rejected"]) == (1, 2)
    assert in_tables(db) == {"id": "BIGINT", "zip_code": "VARCHAR", "dob": "DATE", "x": "DOUBLE"}
    assert db.rejects() == [["1", "3", "wrong_type", "column dob is date, and the cell is none", "2,23456,soon,2"],
                            ["1", "4", "wrong_type", "column x is double, and the cell is none", '3,34567,,"x,y"']]
    rows[1][2] = "1981-01-01"
    rows[2][3] = "4.5"
    assert db.good(header, rows, "2020-01-02", *types)["added"] == 2
    rows[1][2], rows[2][3] = "later", "9"
    said = db.good(header, rows, "2020-01-03", *types)
    assert (said["changed"], said["removed"], said["rejected"], said["current"]) == (1, 0, 1, 3), "what is on record stays"
    said = db.good(header, rows, "2020-01-04")
    assert "dob is text now" in said["notes"] and said["changed"] == 1, "without the type it widens"


@pytest.mark.parametrize("given, words", [
    ("v=number", "bigint, double"), ("v", "bigint, double"), ("w=text", "not in the dump"), ("id=date", "of the key"), ("v=date", "cannot become"),
    ("id=text", "on record it is bigint"), ("x=bigint", "cannot become"), ("b=double", "cannot become")])
def test_types_that_cannot_be_given(db, given, words):
    header, rows = ["id", "v", "x", "b"], [["1", "2", "2.5", "9007199254740993"]]
    db.good(header, rows, "2020-01-01")
    assert words in db.refused(header, rows, "2020-01-02", "--type", given)
    assert db.types() == {"id": "bigint", "v": "bigint", "x": "double", "b": "bigint"}


def test_a_type_that_is_given_later(db):
    db.good(["id", "v", "day"], [["1", "2", "2024-01-01"]], "2020-01-01")
    said = db.good(["id", "v", "day"], [["1", "2", "2024-01-01"]], "2020-01-02", "--type", "v=double", "--type", "day=text")
    assert said["unchanged"] == 1
    assert said["notes"].splitlines() == ["column v is double now (it was bigint), as its type is given",
                                          "column day is text now (it was date), as its type is given"]
    assert in_tables(db) == {"id": "BIGINT", "v": "DOUBLE", "day": "VARCHAR"}


# ---- keys ----

def test_numbers_as_keys_are_in_the_order_of_numbers(db):
    keys = ["-20", "-3", "0", "2", "10", "100", "9223372036854775807"]
    rows = [[k, "x"] for k in keys]
    assert db.good(["id", "v"], rows, "2020-01-01")["added"] == 7
    assert db.good(["id", "v"], rows, "2020-01-02")["unchanged"] == 7
    said = db.good(["id", "v"], [r for r in rows if r[0] != "2"] , "2020-01-03")
    assert said["removed"] == 1
    assert db.load(["id", "v"], sorted(rows), "2020-01-04")["outcome"] == "unordered"
    assert db.good(["id", "v"], sorted(rows), "2020-01-04", "--retry")["reactivated"] == 1
    for key, n in (("2", 2), ("10", 1), ("11", 0), ("abc", 0)):
        assert len(db.say("life", key)["versions"]) == n, key


def test_a_key_that_is_no_number_is_rejected(db):
    db.good(["id", "v"], [["1", "a"], ["2", "b"]], "2020-01-01")
    said = db.good(["id", "v"], [["1", "a"], ["A7", "b"], ["02", "x"], ["2", "b"], ["2.0", "c"]], "2020-01-02")
    assert (said["unchanged"], said["rejected"], said["current"]) == (2, 3, 2)
    assert [r[1:4] for r in db.rejects()] == [
        [line, "wrong_type", "column id is bigint, and the cell is none"] for line in ("3", "4", "6")]


@pytest.mark.parametrize("keys, kind", [(["9", "10", "11"], "bigint"), (["10", "9", "a"], "text")])
@pytest.mark.parametrize("partial", [(), ("--partial", "--cursor", "x")])
def test_a_key_has_no_type_before_the_first_row(db, keys, kind, partial):
    day = "2020-01-01 00:00:0{}".format
    for i, rows in enumerate(([], [[None, "1"]], [])):
        db.good(["id", "v"], rows, day(i), "--key", "id")
        assert not db.types()["id"]
    rows = [[k, "1"] for k in keys]
    assert db.good(["id", "v"], rows, day(4), *partial)["added"] == 3
    assert db.types() == {"id": kind, "v": "bigint"} and in_tables(db)["id"] == SQL[kind]
    assert db.good(["id", "v"], [*rows, ["b", "1"]], day(5))["rejected"] == (kind == "bigint")
    assert db.good(["id", "v"], [], day(6), "--max-removed", "1")["removed"] == 3 + (kind == "text")
    db.good(["id", "v"], [], day(7))
    assert db.types()["id"] == kind, "there are rows on record of it"
    assert db.good(["id", "v"], rows, day(8))["reactivated"] == 3


def test_a_key_of_numbers_and_text(db):
    db.key = ["a", "b"]
    rows = [["2", "x", "1"], ["2", "y", "2"], ["10", "", "3"], ["10", "x", "4"]]
    db.good(["a", "b", "v"], rows, "2020-01-01", "--key", "a", "--key", "b")
    assert db.types() == {"a": "bigint", "b": "text", "v": "bigint"}
    assert db.good(["a", "b", "v"], rows, "2020-01-02")["unchanged"] == 4
    assert len(db.say("life", "10", "x")["versions"]) == 1


@pytest.mark.parametrize("n_key", [1, 2, 3])
def test_many_rows_are_read_by_ranges(db, n_key):
    """More than a range has; keys that differ in their last column alone, too."""
    names = ["a", "b", "c"][:n_key]
    db.key = names
    rows = [[str(i)] if n_key == 1 else ["7", f"{i:06}"] if n_key == 2 else [str(i // 100000), "x", str(i % 100000)]
            for i in range(450_000)]
    options = [word for name in names for word in ("--key", name)]
    path = write_dump(db.home, [*names, "v"], ([*r, "1"] for r in rows))
    assert db.say("load", path, "2020-01-01", *options)["added"] == 450_000
    kept = [r for i, r in enumerate(rows) if i % 1000 != 5]
    path = write_dump(db.home, [*names, "v"], ([*r, "2" if i % 1000 == 7 else "1"] for i, r in enumerate(kept)))
    said = db.say("load", path, "2020-01-02", *options)
    assert (said["removed"], said["changed"], said["current"]) == (450, 450, 449_550), said
    said = db.say("load", path, "2020-01-03", *options, "--any-order")
    assert said["unchanged"] == 449_550, said


# ---- the model ----

def cell_of(rnd):
    return rnd.choice([None, "", "1", "2", "1.5", "2.5", "2024-01-01", "2024-01-02", "2024-01-01T10:00:00", "2024-01-01T10:00:00Z",
                       "true", "false", "x", "9007199254740993", "12345678901234567890", "01", "ü"])


def random_dumps(rnd, n_dumps):
    """A column keeps to a kind of cells for a while, and then takes more."""
    state, names = {}, ["a", "b", "c", "d"]
    kinds = {n: [cell_of(rnd) for _ in range(3)] + [None] for n in names}
    for _ in range(n_dumps):
        if rnd.random() < 0.4:
            kinds[rnd.choice(names)].append(cell_of(rnd))
        for key in map(str, range(1, 12)):
            if rnd.random() < 0.2:
                state.pop(key, None)
            elif rnd.random() < 0.4 or key not in state:
                state[key] = {n: rnd.choice(kinds[n]) for n in names}
        header = ["id"] + rnd.sample(names, rnd.randint(2, 4))
        rows = [[k] + [state[k][n] for n in header[1:]] for k in sorted(state, key=int)]
        if rnd.random() < 0.3:
            rows.insert(rnd.randint(0, len(rows)), rnd.choice([Bad(), [None] + ["x"] * (len(header) - 1)]))
        yield header, rows


SPELLED = {"2024-01-01 10:00:00": "2024-01-01T10:00:00", "2024-01-01 10:00:00+00": "2024-01-01T10:00:00Z",
           "2024-01-01 00:00:00": "2024-01-01", "2024-01-02 00:00:00": "2024-01-02", "1.0": "1", "2.0": "2"}


@pytest.mark.parametrize("seed", [*range(some(20)), pytest.param(None, id="now")])
def test_random_histories_of_types(db, seed):
    seed = seed if seed is not None else int.from_bytes(os.urandom(4), "big")
    model, rnd = Model(), random.Random(seed)
    for day, (header, rows) in zip(DAYS, random_dumps(rnd, 8)):
        wanted = model.load(header, rows, day)
        said = db.good(header, rows, day, "--retry", "--max-removed", "1")
        assert {k: said[k] for k in wanted} == wanted, (seed, day, said)
    found = [{k: v if k == "id" else SPELLED.get(v, v) for k, v in row.items()} for row in db.versions()]
    wanted = sorted(model.versions(), key=lambda r: (r["id"], r["valid_from"]))
    assert sorted(known(found), key=lambda r: (r["id"], r["valid_from"])) == known(wanted), seed


# ---- the classifier and the cast ----

def random_cell(rnd):
    shapes = [lambda: str(rnd.randint(-2**rnd.randint(1, 66), 2**rnd.randint(1, 66))), lambda: repr(rnd.uniform(-10, 10) * 10.0**rnd.randint(-300, 300)),
              lambda: f"{rnd.randint(0, 10**rnd.randint(1, 17))}.{rnd.randint(0, 10**rnd.randint(1, 12))}",
              lambda: f"{rnd.randint(0, 10**6)}e{rnd.randint(-330, 330)}",
              lambda: f"{rnd.randint(0, 10000):04}-{rnd.randint(0, 13):02}-{rnd.randint(0, 32):02}",
              lambda: "".join(rnd.choice("0123456789.-+eETZ: tfruanls\u0665") for _ in range(rnd.randint(1, 24)))]
    cell = rnd.choice(shapes)()
    if rnd.random() < 0.4:
        cell = f"{rnd.randint(1, 9999):04}-{rnd.randint(1, 12):02}-{rnd.randint(1, 29):02}{rnd.choice('T ')}" \
               f"{rnd.randint(0, 24):02}:{rnd.randint(0, 60):02}:{rnd.randint(0, 60):02}"
        cell += rnd.choice(["", f".{rnd.randint(0, 10**7)}"]) + rnd.choice(["", "Z", "+01", "-14:59", "+15", "+05:3"])
    return cell


def test_what_the_classifier_takes_duckdb_takes_and_means_the_same(db):
    """Each cell in a column of its own type: what was stored is compared with the cell by DuckDB itself, and by a second load."""
    seed = int.from_bytes(os.urandom(4), "big")
    rnd = random.Random(seed)
    header = ["id"] + [f"c{i}" for i in range(300)]
    seen = {}
    for part in range(4):
        db.table = f"cells_{part}"
        row = ["1"] + [random_cell(rnd) for _ in header[1:]]
        assert db.good(header, [row], "2020-01-01")["added"] == 1, seed
        assert db.good(header, [row], "2020-01-02")["unchanged"] == 1, seed
        types = db.types()
        cells = db.sql(f"SELECT {', '.join(f'CAST({c} AS VARCHAR)' for c in header)} FROM {db.table}")[0]
        for name, written, stored in zip(header[1:], row[1:], cells[1:]):
            means_the_same(types[name], written, stored)
            seen[types[name]] = seen.get(types[name], 0) + 1
    assert set(seen) == {"bigint", "double", "date", "timestamp", "timestamptz", "text"}, seen


def means_the_same(kind, written, stored):
    if kind == "double":
        assert float(written) == float(stored), (written, stored)
    elif kind in ("bigint", "date", "text"):
        assert written == stored
    elif kind == "timestamp":
        assert written.replace("T", " ").rstrip("0").rstrip(".") == stored.rstrip("0").rstrip("."), (written, stored)
    else:
        assert kind == "timestamptz" and stored.endswith("+00"), (kind, written, stored)


# ---- the file ----

def test_a_second_load_waits_for_the_file_and_names_who_has_it(db):
    db.good(["id", "v"], [["1", "a"]], "2020-01-01")
    first = db.begin_load(["id", "v"], [["1", "a"], ["2", "b"]], "2020-01-02", "--pause", "1")
    assert first.stdout.readline() == "paused\n"
    late = db.load(["id", "v"], [["1", "a"]], "2020-01-03", "--lock-timeout", "500")
    assert "in use by" in late["fault"] and str(first.pid) in late["fault"] and late["transient"], late
    waits = db.begin_load(["id", "v"], [["1", "a"], ["3", "c"]], "2020-01-04")
    assert db.finish(first)["added"] == 1
    assert db.finish(waits)["added"] == 1
    assert sorted(k for k, in db.current()) == ["1", "3"]


def test_a_file_that_is_none(db):
    db.path.write_bytes(b"PK\x03\x04" + b"x" * 5000)
    said = db.load(["id"], [["1"]], "2020-01-01")
    assert "no DuckDB database" in said["fault"], said
    assert db.path.read_bytes()[:4] == b"PK\x03\x04"


def test_a_database_of_somebody_else_keeps_its_tables(db):
    db.sql("CREATE TABLE npi (id INT); CREATE TABLE other AS SELECT 42 AS n; CREATE VIEW npi_two_past AS SELECT 1 AS id")
    assert "another name" in db.refused(["id"], [["1"]], "2020-01-01")
    db.table = "NPI"
    assert "already" in db.refused(["id"], [["1"]], "2020-01-01")
    db.table = "npi_two"
    assert "npi_two_past" in db.refused(["id"], [["1"]], "2020-01-01")
    assert db.sql("SELECT n FROM other") == [("42",)]


@pytest.mark.parametrize("url, words", [
    ("duckdb:///", "no file and table"), ("duckdb:///npi", "no file and table"), ("duckdb:///x/y.duckdb", "no table"),
    ("duckdb:///x/", "empty name"), ("{0}/ingest_dump", "our own"), ("{0}/" + "x" * 56, "at most 55"), ("duckdb:///nowhere/x.duckdb/npi", "/nowhere")])
def test_urls_that_are_no_dataset(db, url, words):
    assert words in db.say("newest", url=url.format(f"duckdb://{db.path}"))["fault"]


def test_a_disk_that_is_full_loses_nothing(db):
    """A limit of the file's size is one for DuckDB: what it could not write is not there."""
    db.good(["id", "v"], [[str(i), "a"] for i in range(100)], "2020-01-01")
    before = db.canonical()
    rnd = random.Random(3)
    rows = [[str(i), "".join(rnd.choices("abcdefghijklmnop", k=200))] for i in range(50_000)]
    path = write_dump(db.home, ["id", "v"], rows)
    done = subprocess.run([RUN_HISTORY, db.url(), "load", path, "2020-01-02"], capture_output=True, text=True, timeout=120,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20)))
    said = json.loads(done.stdout or '{"outcome": "killed"}')
    assert said["outcome"] != "loaded", said
    assert db.canonical()[:3] == before[:3]
    assert db.good(["id", "v"], rows, "2020-01-02")["added"] == 50_000 - 100


def test_faults_and_notes_name_no_cell(db):
    db.good(["id", "v"], [["1", "1"]], "2020-01-01")
    said = db.good(["id", "v"], [["1", MARKER], [MARKER, "2"]], "2020-01-02", "--max-rejected", "1")
    assert said["rejected"] == 1 and MARKER not in json.dumps(said)
    assert MARKER not in json.dumps([r[3] for r in db.rejects()])
    refused = db.refused(["id", "v"], [["1", MARKER]], "2020-01-03", "--type", "v=bigint")
    assert "cannot become bigint" in refused and MARKER not in refused


# ---- as a person uses it ----

class File:
    """What test_copy.py needs to know of a database."""

    def __init__(self, path):
        self.path = path

    def url(self):
        return f"duckdb://{self.path}"


@pytest.mark.skipif(not SAMPLES, reason="the samples are not beside the repository")
def test_the_queries_of_the_readme_in_a_file(tmp_path, programs_built):
    need_duckdb()
    file = File(tmp_path / "clinic")
    queries_of_the_readme(file, f"{file.url()}/npi")
    says = ctl("history", f"{file.url()}/npi", "1003000167")
    assert f"1003000167  of {file.path}/npi\n" in says and "added" in says
    assert ctl("sql", "--csv", f"{file.url()}/npi", "SELECT count(*) > 18000 AS many FROM npi") .split() == ["many", "true"]
    assert "no dump that is loaded" in ctl("history", f"{file.url()}/npi", "NPI", code=1)


def test_what_only_reads_makes_no_file(tmp_path, programs_built):
    need_duckdb()
    assert "no dump was loaded yet" in ctl("history", f"duckdb://{tmp_path}/none.duckdb/npi", "1", code=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sink, words", [
    ("duckdb:///patients", "a file and a table"), ("duckdb://", "a file and a table"), ("duckdb:///x/", "a file and a table")])
def test_sinks_that_are_none(programs_built, sink, words):
    assert words in ctl("copy", "--source", "file:///nothing.csv", "--sink", sink, code=2)
