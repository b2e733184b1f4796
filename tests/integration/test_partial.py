"""lib/history: dumps that hold only what may have changed, dumps of moments, and loads that bring nothing."""
import copy
import json
import random
import subprocess

import pytest

from dataset import Bad, Model, known
from seeds import some
from test_history import (DAYS, FIRST, HEADER, all_of_them, counts, db, ends_within, growing_dumps, only,  # noqa: F401: fixtures
                          paused)
from programs import INGESTCTL


def written(db):  # noqa: F811
    """All that is there, with numbers as they are."""
    return db.dumps(), db.rejects(), db.versions(), sorted(db.current().items()), db.select(["column_name"], "ingest_column")


def part(db, rows, as_of, *options, header=HEADER):  # noqa: F811
    return db.good(header, rows, as_of, "--partial", *options)


# ---- partial dumps ----

def test_what_is_not_in_a_partial_dump_stays(db):  # noqa: F811
    db.good(HEADER, FIRST, "2020-01-01")
    said = part(db, [["4", "Dan", "Ulm"], ["2", "Bob", "Trier"], ["1", "Ada", "Bonn"]], "2020-01-02")
    assert counts(said) == only(rows=3, added=1, changed=1, unchanged=1, current=4)
    assert said["notes"] == ""
    assert {k: r["city"] for (k,), r in db.current().items()} == {"1": "Bonn", "2": "Trier", "3": "Köln", "4": "Ulm"}
    dump = db.dumps()[-1]
    assert (dump["pass"], dump["present"], dump["status"]) == ("partial", "4", "loaded")
    assert [d["pass"] for d in db.dumps()] == ["full", "partial"]
    assert counts(part(db, [["3", "Cyd", None]], "2020-01-03")) == only(rows=1, changed=1, current=4)
    assert counts(db.good(HEADER, [["1", "Ada", "Bonn"], ["3", "Cyd", None]], "2020-01-04", "--max-removed", "0.5")) == only(
        rows=2, removed=2, unchanged=2, current=2)
    assert counts(part(db, [["4", "Dan", "Ulm"], ["5", "Eve", ""]], "2020-01-05")) == only(
        rows=2, added=1, reactivated=1, current=4)
    assert [(v["opened_by"], v["closed_by"]) for v in db.say("life", "4")["versions"]] == [
        ("added", "removed"), ("reactivated", None)]


def test_a_partial_dump_cannot_be_the_first_nor_older(db):  # noqa: F811
    assert "cannot be its first" in db.refused(HEADER, FIRST, "2020-01-02", "--partial")
    assert not db.say("newest")["there"]
    db.good(HEADER, FIRST, "2020-01-02")
    before = db.canonical()
    for day in ("2020-01-01", "2020-01-02"):
        assert "order of their dates" in db.refused(HEADER, [["9", "x", "y"]], day, "--partial")
    assert db.canonical() == before


def test_the_newest_and_the_newest_that_was_whole(db):  # noqa: F811
    db.good(HEADER, FIRST, "2020-01-01", "--cursor", "2020-01-01T10:00:00|1")
    for day in ("2020-01-02", "2020-01-03"):
        part(db, [["1", day, None]], day, "--cursor", day)
    newest, full = db.say("newest"), db.say("newest-full")
    assert (newest["as_of"], newest["partial"], newest["cursor"]) == ("2020-01-03", True, "2020-01-03")
    assert (full["as_of"], full["partial"], full["cursor"]) == ("2020-01-01", False, "2020-01-01T10:00:00|1")
    db.good(HEADER, FIRST, "2020-01-04")
    assert db.say("newest")["as_of"] == db.say("newest-full")["as_of"] == "2020-01-04"
    assert "cursor" not in db.say("newest")


def test_what_brings_nothing_is_not_written(db):  # noqa: F811
    db.good(HEADER, FIRST, "2020-01-01", "--cursor", "a")
    before = written(db)
    for rows in ([], FIRST, FIRST[1:2]):
        said = db.nothing(HEADER, rows, "2020-01-02", "--partial", "--cursor", "a")
        assert counts(said) == only(rows=len(rows), unchanged=len(rows), current=3) and said["notes"] == ""
    assert written(db) == before
    db.nothing([*HEADER, "new"], [[*FIRST[0], None]], "2020-01-02", "--partial", "--cursor", "a")
    assert written(db) == before
    db.good(HEADER, [["1", "Ann", "Bonn"]], "2020-01-02", "--partial", "--cursor", "b", "--dry-run")
    assert written(db) == before
    assert counts(part(db, FIRST[:1], "2020-01-02", "--cursor", "b")) == only(rows=1, unchanged=1, current=3)
    dump = db.dumps()[-1]
    assert (dump["cursor"], dump["pass"], dump["present"], dump["unchanged"]) == ("b", "partial", "3", "1")
    assert db.nothing(HEADER, FIRST[:1], "2020-01-03", "--partial", "--cursor", "b")["unchanged"] == 1
    part(db, [], "2020-01-03")
    assert db.dumps()[-1]["cursor"] is None
    db.nothing(HEADER, [], "2020-01-04", "--partial")


def test_a_whole_dump_without_differences_is_on_record(db):  # noqa: F811
    db.good(HEADER, FIRST, "2020-01-01", "--cursor", "a")
    assert counts(db.good(HEADER, FIRST, "2020-01-02", "--cursor", "a")) == only(rows=3, unchanged=3, current=3)
    assert len(db.dumps()) == 2 and len(db.versions()) == 3


def test_what_cannot_be_taken_is_told_once(db):  # noqa: F811
    """A pass by cursor begins where the one before ended, and sees its last rows again."""
    db.good(HEADER, FIRST, "2020-01-01", "--cursor", "a")
    rows = [["1", "Ada", "Bonn"], Bad("wrong_type"), [None, "b", "c"]]
    said = part(db, rows, "2020-01-02", "--cursor", "a")
    assert counts(said) == only(rows=3, unchanged=1, rejected=2, current=3)
    assert [r[:3] for r in db.rejects()] == [["2", "3", "wrong_type"], ["2", "4", "null_key"]]
    before = written(db)
    assert db.nothing(HEADER, rows, "2020-01-03", "--partial", "--cursor", "a")["rejected"] == 2
    assert written(db) == before
    assert part(db, [*rows, Bad()], "2020-01-03", "--cursor", "a")["rejected"] == 3
    assert len(db.rejects()) == 5


def test_rows_of_one_key_leave_it_as_it_is(db):  # noqa: F811
    db.good(HEADER, FIRST, "2020-01-01")
    rows = [["2", "x", None], ["5", "a", "b"], ["2", "y", None], ["1", "Ann", "Bonn"], ["5", "a", "b"], Bad()]
    said = part(db, rows, "2020-01-02")
    assert counts(said) == only(rows=6, changed=1, rejected=5, current=3)
    assert sorted(k for k, in db.current()) == ["1", "2", "3"] and db.current()[("2",)]["name"] == "Bob"
    assert [(line, reason) for _, line, reason, *_ in db.rejects()] == [
        ("2", "duplicate_key"), ("3", "duplicate_key"), ("4", "duplicate_key"), ("6", "duplicate_key"),
        ("7", "bad_encoding")]


def test_too_many_rejects_of_a_partial_dump_are_refused(db):  # noqa: F811
    db.good(HEADER, FIRST, "2020-01-01")
    before = db.canonical()
    assert "21 of 24" in db.refused(HEADER, FIRST + [Bad()] * 21, "2020-01-02", "--partial")
    assert db.canonical() == before
    assert (db.dumps()[-1]["status"], db.dumps()[-1]["pass"]) == ("refused", "partial")


def test_columns_of_a_partial_dump_come_and_stay_away(db):  # noqa: F811
    db.good(HEADER, FIRST, "2020-01-01")
    said = part(db, [["1", "vip", "Ada"], ["4", None, "Dan"]], "2020-01-02", header=["id", "flag", "name"])
    assert said["notes"].splitlines() == ["column city is not in this dump: its values stay", "column flag is new"]
    assert counts(said) == only(rows=2, added=1, changed=1, current=4)
    assert [(r["id"], r["name"], r["city"], r["flag"]) for _, r in sorted(db.current().items())] == [
        ("1", "Ada", "Bonn", "vip"), ("2", "Bob", None, None), ("3", "Cyd", "Köln", None), ("4", "Dan", None, None)]
    assert dict(db.select(["column_name", "first_dump"], "ingest_column"))["flag"] == db.dumps()[-1]["id"]
    assert counts(part(db, [["1"], ["2"], ["9"]], "2020-01-03", header=["id"])) == only(rows=3, added=1, unchanged=2, current=5)
    assert "not in the dump" in db.refused(["name"], [["Ada"]], "2020-01-04", "--partial")


def test_a_key_of_several_columns_in_parts(db):  # noqa: F811
    db.key = ["b", "a"]
    header = ["a", "v", "b"]
    keys = ["", " ", "a", "a ", "A", "ä", "b", "ab", "x" * 255, "ü" * 255]
    rows = sorted(([a, "x", b] for a in keys for b in keys), key=lambda r: (r[2].encode(), r[0].encode()))
    db.good(header, rows, "2020-01-01", "--key", "b", "--key", "a", "--retry")
    draw = random.Random(5)
    some = draw.sample(rows, 40)
    said = part(db, [[a, "y", b] for a, _, b in some] + [["new", "z", "new"]], "2020-01-02", header=header)
    assert counts(said) == only(rows=41, added=1, changed=40, current=101)
    found = {k: r["v"] for k, r in db.current().items()}
    assert all(found[(b, a)] == "y" for a, _, b in some) and sorted(found.values()) == ["x"] * 60 + ["y"] * 40 + ["z"]


def test_a_small_part_of_a_large_table(db):  # noqa: F811
    rows = [[f"{i:06}", str(i)] for i in range(50000)]
    db.good(["id", "v"], rows, "2020-01-01")
    some = rows[::997] + [["x", "y"]]
    assert counts(part(db, [[k, v + "!"] for k, v in some], "2020-01-02", header=["id", "v"])) == only(
        rows=52, added=1, changed=51, current=50001)
    assert db.dumps()[-1]["present"] == "50001"
    whole = db.good(["id", "v"], [[k, v + "!" if i % 997 == 0 else v] for i, (k, v) in enumerate(rows)] + [["x", "y!"]],
                    "2020-01-03")
    assert counts(whole) == only(rows=50001, unchanged=50001, current=50001)


def test_a_partial_dump_that_breaks_off_leaves_nothing(db):  # noqa: F811
    db.good(HEADER, FIRST, "2020-01-01")
    before = db.canonical()
    said = db.load([*HEADER, "new"], [["1", "x", "y", "z"]] * 3, "2020-01-02", "--partial", "--fail-after", "2")
    assert said["outcome"] == "failed" and said["fault"].endswith("the source broke off") and said["transient"]
    assert db.canonical() == before
    assert (db.dumps()[-1]["status"], db.dumps()[-1]["pass"]) == ("failed", "partial")


# ---- moments ----

HOURS = ["2026-11-21 00:00:00", "2026-11-21 09:00:00.5", "2026-11-21 09:00:00.500001", "2026-11-21 10:00:00"]


def test_several_moments_of_a_day(db):  # noqa: F811
    for i, moment in enumerate(HOURS):
        db.good(HEADER, [["1", f"v{i}", None], ["2", "Bob", None]], moment, "--sha256", f"s{i}")
    life = db.say("life", "1")["versions"]
    assert [(v["valid_from"], v["valid_to"]) for v in life] == list(zip(HOURS, [*HOURS[1:], None]))
    assert [d["as_of"] for d in db.dumps()] == HOURS
    assert [v["valid_from"] for v in db.versions() if v["id"] == "1"] == HOURS
    for i, moment in enumerate(HOURS):
        found = db.say("find", moment, f"s{i}")
        assert found["as_of"] == moment and not db.say("find", moment, "other")["there"]
    assert db.say("newest")["as_of"] == HOURS[-1]


def test_a_moment_may_be_written_in_other_ways(db):  # noqa: F811
    db.good(HEADER, FIRST, "2026-11-21 09:00:00.500000", "--sha256", "aa")
    assert db.say("newest")["as_of"] == "2026-11-21 09:00:00.5"
    assert "already" in db.nothing(HEADER, FIRST, "2026-11-21 09:00:00.50", "--sha256", "aa")["notes"]
    assert "other bytes" in db.refused(HEADER, FIRST, "2026-11-21 09:00:00.5", "--sha256", "bb")
    assert "order of their dates" in db.refused(HEADER, FIRST, "2026-11-21 09:00:00.49", "--sha256", "aa")
    for words in ("2026-11-21T10:00:00", "2026-11-21 10:00", "2026-11-21 25:00:00", "2026-11-31 10:00:00", "soon", ""):
        assert "date is none" in db.refused(HEADER, FIRST, words)
    db.good(HEADER, FIRST[:2], "2026-11-21 09:00:00.51")
    assert db.say("life", "3")["versions"][0]["valid_to"] == "2026-11-21 09:00:00.51"


@pytest.mark.one_database
@pytest.mark.parametrize("first, then", [("2026-11-20", "2026-11-21 10:00:00"), ("2026-11-20 10:00:00", "2026-11-21"),
                                         ("2026-11-20 00:00:00", "2026-11-21"), ("2026-11-20", "2026-11-20 00:00:00")])
def test_days_and_moments_do_not_mix(db, first, then):  # noqa: F811
    db.good(HEADER, FIRST, first)
    before = db.canonical()
    assert db.say("newest")["as_of"] == first
    fault = db.refused(HEADER, FIRST[:2], then)
    assert "keeps moments" in fault if ":" in first else "keeps days" in fault
    assert db.canonical() == before
    assert db.refused(HEADER, FIRST[:2], then, "--partial")
    assert db.canonical() == before


def test_a_first_load_that_broke_off_says_nothing_of_the_kind(db):  # noqa: F811
    assert db.load(HEADER, FIRST, "2026-11-20", "--fail-after", "2")["outcome"] == "failed"
    db.good(HEADER, FIRST, "2026-11-20 10:00:00")
    assert db.current()[("1",)]["valid_from"] == "2026-11-20 10:00:00"


def stood(db, as_of):  # noqa: F811
    """The name of key 1 as `ingestctl history --as-of` tells it; None when there was nothing."""
    done = subprocess.run([str(INGESTCTL), "history", db.url(), "1", "--as-of", as_of, "--json"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 or "there was nothing" in done.stderr, done
    return json.loads(done.stdout)["version"]["values"]["name"] if done.returncode == 0 else None


def test_a_record_as_it_stood_at_a_moment(db):  # noqa: F811
    for i, moment in enumerate(HOURS):
        db.good(HEADER, [["1", f"v{i}", None]], moment)
    db.good(HEADER, [["1", "late", None]], "2026-11-22 10:00:00")
    for moment, name in [(HOURS[0], "v0"), ("2026-11-21 08:59:59.999999", "v0"), ("2026-11-21 09:00:00.50", "v1"),
                         (HOURS[2], "v2"), ("2026-11-21 09:59:59", "v2"), ("2026-11-21", "v3"), ("2026-11-22", "late"),
                         ("2026-11-22 09:00:00", "v3"), ("2026-11-20", None), ("2026-11-20 23:59:59", None)]:
        assert stood(db, moment) == name, moment
    db.table = "days"
    db.good(HEADER, FIRST, "2026-11-21")
    assert [stood(db, m) for m in ("2026-11-20 23:59:59", "2026-11-21", "2026-11-21 00:00:00")] == [None, "Ada", "Ada"]


# ---- the model ----

NAMES = ["a", "b", "c", "d"]


class Churn:
    """A source of few keys, few values, few columns, read whole and in parts."""

    def __init__(self, draw):
        self.draw, self.state, self.touched, self.cursor = draw, {}, set(), 0

    def go_on(self):
        for key in "abcdefghij":
            chance = self.draw.random()
            if chance < 0.1:
                self.state.pop(key, None)
            elif chance < 0.35:
                self.state[key] = {n: self.draw.choice([None, "", "x", "y", "ü"]) for n in NAMES}
                self.touched.add(key)
        self.cursor += self.draw.random() < 0.7

    def dump(self, whole):
        draw = self.draw
        header = ["id"] + draw.sample(NAMES, draw.randint(1, 4) if draw.random() < 0.3 else 4)
        keys = sorted(self.state)
        if not whole:
            keys = [k for k in keys if k in self.touched or draw.random() < 0.1]
            draw.shuffle(keys)
        self.touched.clear()
        rows = [[k] + [self.state[k][n] for n in header[1:]] for k in keys]
        for _ in range(draw.choice([0, 0, 0, 0, 1, 2])):
            rows.insert(draw.randint(0, len(rows)), draw.choice(
                [Bad(), [None] + ["x"] * (len(header) - 1), [draw.choice("abcdefghij")] + ["x"] * (len(header) - 1)]))
        return header, rows


def moments(draw):
    """One after the other, now hours apart and now a microsecond."""
    us = 0
    while True:
        us += draw.choice([1, 500_000, 3_600_000_000, 86_400_000_000])
        day, rest = divmod(us, 86_400_000_000)
        text = f"{DAYS[day]} {rest // 3_600_000_000:02}:{rest // 60_000_000 % 60:02}:{rest // 1_000_000 % 60:02}"
        yield text + f".{rest % 1_000_000:06}".rstrip("0").rstrip(".")


class Account:
    """The model, and what was on record last: what brings nothing is not to be counted."""

    def __init__(self):
        self.model, self.cursor, self.rejected = Model(), None, 0

    def load(self, header, rows, as_of, partial, cursor):
        after = copy.deepcopy(self.model)
        expected = after.load(header, rows, as_of, partial)
        same = not any(expected[k] for k in ("added", "changed", "reactivated")) and cursor == self.cursor
        if partial and same and expected["rejected"] in (0, self.rejected):
            return "nothing", expected
        self.model, self.cursor, self.rejected = after, cursor, expected["rejected"] if partial else 0
        return "loaded", expected


@pytest.mark.parametrize("seed", range(some(20)))
@pytest.mark.parametrize("times", ["days", "moments"])
def test_passes_in_any_order_are_as_the_model_has_them_in_both(all_of_them, seed, times):  # noqa: F811
    draw = random.Random(f"{seed} {times}")
    churn, account = Churn(draw), Account()
    when = iter(DAYS) if times == "days" else moments(draw)
    for n in range(10):
        churn.go_on()
        partial = n > 0 and draw.random() < 0.7
        header, rows = churn.dump(not partial)
        cursor, as_of = f"c{churn.cursor}", next(when)
        outcome, expected = account.load(header, rows, as_of, partial, cursor)
        for one in all_of_them:
            said = one.load(header, rows, as_of, "--retry", "--max-removed", "1", "--cursor", cursor,
                            *(["--partial"] if partial else []))
            assert (said["outcome"], counts(said)) == (outcome, expected), (one.name, n, said)
    for one in all_of_them:
        assert one.versions() == account.model.versions(), one.name
        assert {k[0] for k in one.current()} == {k[0] for k in account.model.current}
        assert one.dumps()[-1]["present"] == str(len(account.model.current))
    assert all_of_them[0].canonical() == all_of_them[1].canonical()


# ---- two at once ----

def test_two_first_loads_of_one_dump(db):  # noqa: F811
    first = db.begin_load(HEADER, FIRST, "2020-01-01", "--sha256", "aa", "--pause", "2")
    paused(first)
    second = db.begin_load(HEADER, FIRST, "2020-01-01", "--sha256", "aa")
    assert db.finish(first)["outcome"] == "loaded"
    said = db.finish(second)
    assert said["outcome"] == "nothing" and counts(said) == only(rows=3, unchanged=3, current=3), said
    assert len(db.dumps()) == 1


def test_an_older_dump_that_is_loaded_already_brings_nothing(db):  # noqa: F811
    """Of overlapping loads of many dumps the one that waited comes with what the other has loaded meanwhile."""
    for i in range(3):
        db.good(HEADER, FIRST[:i + 1], DAYS[2 * i], "--sha256", f"s{i}")
    before = written(db)
    for i in range(3):
        said = db.nothing(HEADER, FIRST[:i + 1], DAYS[2 * i], "--sha256", f"s{i}")
        assert f"number {db.dumps()[i]['id']}" in said["notes"] and said["unchanged"] == i + 1
    assert written(db) == before
    assert "order of their dates" in db.refused(HEADER, FIRST[:2], DAYS[0], "--sha256", "s1")
    assert "order of their dates" in db.refused(HEADER, FIRST[:2], DAYS[1], "--sha256", "s1")
    assert "other bytes" in db.refused(HEADER, FIRST[:2], DAYS[4], "--sha256", "s1")
    said = db.load(HEADER, FIRST, DAYS[1], "--sha256", "s1", "--fail-after", "1")
    assert "order of their dates" in said["fault"], "it was read for nothing"


def test_a_partial_dump_waits_for_a_whole_one(db):  # noqa: F811
    db.good(HEADER, FIRST, "2020-01-01")
    whole = db.begin_load(HEADER, FIRST[:2], "2020-01-02", "--pause", "1")
    paused(whole)
    rows = [["3", "Cyd", "Köln"]]
    later = db.begin_load(HEADER, rows, "2020-01-03", "--partial")
    assert db.finish(whole)["removed"] == 1
    assert counts(db.finish(later)) == only(rows=1, reactivated=1, current=3)


# ---- killed ----

@pytest.mark.slow
@pytest.mark.parametrize("victim", ["worker", "server"])
def test_a_partial_load_that_is_killed_leaves_the_last_good_state(db, victim):  # noqa: F811
    if victim == "server" and db.name == "duckdb":
        return  # the worker is the server
    draw, model = random.Random(), Model()
    dumps = list(growing_dumps(4, 4000))
    model.load(*dumps[0], DAYS[0])
    db.good(*dumps[0], DAYS[0])
    before = model.versions()
    for n, (header, rows) in enumerate(dumps[1:], 1):
        rows = draw.sample(rows, len(rows) // 2)
        expected = model.load(header, rows, DAYS[n], partial=True)
        after = model.versions()
        for patience in (0.05, 0.1, 0.2, 0.4, 0.8):
            process = db.begin_load(header, rows, DAYS[n], "--partial")
            if not ends_within(process, draw.uniform(0, patience)) and victim == "server":
                db.server.kill9()
                db.server.start()
            process.kill()
            process.communicate()
            assert db.versions_there() in (known(before), known(after))
            if db.versions_there() == known(after):
                break
        else:
            assert counts(db.good(header, rows, DAYS[n], "--partial")) == expected
        assert db.versions() == after
        assert db.dumps()[-1]["present"] == str(len(model.current))
        before = after
    assert [d["status"] for d in db.dumps()].count("loaded") == len(dumps)
