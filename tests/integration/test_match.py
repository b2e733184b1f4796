"""A match, from two real sources into each of three sinks, compared row by row with a model that knows docs/match.md alone."""
import contextlib
import json
import os
import random
import resource
import subprocess

import pytest

from dumps_site import a_sink
from match_people import KEYS, REPORT, TIE_BREAKS, People, vendor_row
from match_model import Rule, match
from match_site import TABLE, Ours, Site, api_side, assert_counts, assert_right, assert_same, finish, model_of, query_side, rule, site_of
from programs import INGESTCTL, REPO
from seeds import some
from test_duckdb import DUCKDB, SANITIZED
from timer import runs, timer, wait_runs
from vendor_api import USERS, VendorApi

EVERYBODY = 400  # so many clean pairs beside the cases: a tenth of a side is some rows then


@pytest.fixture
def platform(request, programs_built):
    """A MySQL for our users."""
    with a_sink(request, "mysql") as db:
        yield db


@pytest.fixture
def warehouse(request, programs_built):
    """A Postgres for what does not depend on the sink."""
    with a_sink(request, "postgres") as db:
        yield db


class NoApi:
    @staticmethod
    def url(path):
        return f"http://127.0.0.1:1{path}"


def everybody(seed=1):
    people = People(seed).every_case().crowd(20)
    people.clean(EVERYBODY)
    return people


@contextlib.contextmanager
def a_match(tmp_path, people, platform, sink, page_size=100, shuffle=None, **more):
    """(the site, the API)."""
    with VendorApi(people.theirs, page_size, shuffle) as api:
        yield site_of(tmp_path, Ours(platform, people), api, sink, **more), api


def told(rows):
    """{(side, id): (outcome, reason, id of the other)} of a table."""
    found = {}
    for r in rows:
        ours, theirs = r["ours_id"], r["vendor_id"]
        for side, key, other in (("ours", ours, theirs), ("vendor", theirs, ours)):
            if key is not None and r["outcome"] != "rejected":
                assert (side, int(key)) not in found, r
                found[side, int(key)] = (r["outcome"], r["reason"], other and int(other))
    return found


# The truth.

def test_every_case(tmp_path, platform, any_sink):
    people = everybody()
    with a_match(tmp_path, people, platform, any_sink) as (site, api):
        done = site.run()
        assert_right(site, done, model_of(people, api.served()))
        assert told(site.rows()) == people.truth
        said = done.said
    assert said["report_date"] == REPORT and said["resumed"] is None and said["replaced"] == 0 and said["elapsed_us"] > 0
    assert (said["left"]["name"], said["right"]["name"]) == ("ours", "vendor")
    assert said["right"]["pages"] >= len(people.theirs) // 100 and said["right"]["requests"] >= said["right"]["pages"]
    assert set(said["seconds"]) == {"read", "join", "load"}
    assert 1 <= len(said["sample"]) <= 10 and said["sample"][0]["outcome"] == "matched" and "CREATE TABLE" in said["ddl"]
    rejects = [r for r in site.rows() if r["outcome"] == "rejected"]
    assert {r["reason"] for r in rejects} == {"null_key", "nul_byte", "bad_encoding", "not_an_object"}
    assert json.loads(next(r["raw"] for r in rejects if r["reason"] == "not_an_object")) == ["no", "object"]


@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_our_users_elsewhere(request, tmp_path, kind, warehouse):
    people = everybody(2)
    with a_sink(request, kind) as elsewhere, a_match(tmp_path, people, elsewhere, warehouse) as (site, api):
        assert_right(site, site.run(), model_of(people, api.served()))


def test_two_queries(request, tmp_path, platform, warehouse):
    """The vendor's users in a Postgres, on the left; ours on the right."""
    people = everybody(3)
    people.theirs = [r for r in people.theirs if isinstance(r, dict) and r.get("id") is not None and isinstance(vendor_row(r, r.keys()), dict)]
    columns = ["id", "firstname", "lastname", "practice_location", "specialty", "user_type_classification", "last_active_date"]
    with a_sink(request, "postgres") as db:
        db.run(f"CREATE TABLE vendor ({', '.join(c + ' text' for c in columns)}); GRANT SELECT ON vendor TO dataeng")
        values = ", ".join("(" + ", ".join("NULL" if r.get(c) is None else "'" + str(r[c]).replace("'", "''") + "'" for c in columns) + ")"
                           for r in people.theirs)
        db.run(f"INSERT INTO vendor VALUES {values}")
        site = site_of(tmp_path, Ours(platform, people), NoApi, warehouse)
        site.databases["theirs"] = {"url": db.url()}
        site.job["left"], site.job["right"] = query_side(
            tmp_path / "theirs.sql", "SELECT * FROM vendor -- all of them\n;\n", columns[1:], "vendor", "theirs"), site.job["left"]
        keys, ties = ([Rule(r.name, r.right or r.name, r.left or r.name, r.normalise) for r in rules] for rules in (KEYS, TIE_BREAKS))
        site.job["keys"], site.job["tie_breaks"] = ({r.name: rule(r) for r in rules} for rules in (keys, ties))
        model = match(people.their_side(), people.our_side(), keys, ties, REPORT)
        assert_right(site, site.run(), model)


@pytest.mark.parametrize("seed", range(some(3)))
def test_tangles(tmp_path, platform, warehouse, seed):
    """Every level of agreement contested in every way; and nobody's order makes a difference, not even for who is named."""
    people = People(seed).tangle(500, names=(4, 12, 40)[seed])
    tables = []
    for shuffle in (None, random.Random(seed)):
        with a_match(tmp_path, people, platform, warehouse, 37, shuffle) as (site, api):
            if tables:
                people.draw.shuffle(people.ours)
            assert_right(site, site.run(), model_of(people, api.served()))
            tables.append(sorted(site.rows(), key=repr))
            for table in ("user_practice", platform.name("user")):
                platform.run(f"DROP TABLE {table}")
    assert tables[0] == tables[1]


def test_without_tie_breaks(tmp_path, platform, warehouse):
    people = everybody(4)
    with a_match(tmp_path, people, platform, warehouse) as (site, api):
        del site.job["tie_breaks"]
        model = match(people.our_side(), people.their_side(api.served()), KEYS, (), REPORT)
        assert_right(site, site.run(), model)
        assert {r["score"] for r in site.rows() if r["outcome"] == "matched"} == {1.0}


@pytest.mark.parametrize("words", ["", "trim", "case", "nfc", "blanks", "trim, blanks", "case, nfc", "underscore, trim", "blanks, underscore"])
def test_only_what_is_asked_for(tmp_path, platform, warehouse, words):
    """Each way to normalise alone, and nothing beside it."""
    people = People(5)
    people.cases(), people.blanks(), people.composed(), people.no_names(), people.clean(30)
    for ours, theirs in (("A_B", "a b"), ("_C", "C"), ("D E", "D_E"), ("__", "f")):
        people.our(ours, "Underscore"), people.their(theirs, "Underscore")
    rules = [Rule(r.name, normalise=words) for r in KEYS]
    with a_match(tmp_path, people, platform, warehouse) as (site, api):
        site.job["keys"] = {r.name: {"normalise": words} for r in rules}
        assert_right(site, site.run(), match(people.our_side(), people.their_side(api.served()), rules, TIE_BREAKS, REPORT))


def test_some_outcomes(tmp_path, platform, warehouse):
    """Who is left out of the table is counted all the same."""
    people = everybody(6)
    with a_match(tmp_path, people, platform, warehouse, outcomes="matched, ambiguous") as (site, api):
        done = site.run()
        assert_right(site, done, model_of(people, api.served(), outcomes=("matched", "ambiguous")))
        assert done.said["left"]["only"] > 0


@pytest.mark.parametrize("days", [0, 29, 400])
def test_active_days(tmp_path, platform, warehouse, days):
    people = People(7)
    people.dates(), people.clean(40)
    with a_match(tmp_path, people, platform, warehouse, active_days=days) as (site, api):
        assert_right(site, site.run(), model_of(people, api.served(), active_days=days))


# Dates.

def test_report_dates(tmp_path, platform, any_sink):
    """A new date adds its rows beside the old; the same again replaces its own, and no other."""
    people = everybody(8)
    with a_match(tmp_path, people, platform, any_sink) as (site, api):
        first = model_of(people, api.served())
        assert_right(site, site.run(), first)
        site.job["report_date"] = "2017-02-09"
        second = model_of(people, api.served(), report_date="2017-02-09")
        assert_right(site, site.run(), second, "2017-02-09")
        assert_same(site, first)
        api.change(lambda users: users.pop())
        again = model_of(people, api.served(), report_date="2017-02-09")
        done = site.run()
        assert_right(site, done, again, "2017-02-09")
        assert done.said["replaced"] == len(second.rows) and done.said["written"] == len(again.rows)
        assert_same(site, first)


# Memory.

def test_a_source_of_one_page(tmp_path, platform, warehouse):
    people = People(9).many(4000)
    with a_match(tmp_path, people, platform, warehouse, page_size=None) as (site, api):
        assert_right(site, site.run(), model_of(people, api.served()))


def test_ten_thousand_of_one_name(tmp_path, platform, warehouse):
    people = People(10).crowd(10_000).many(10_000)
    while len(people.theirs) < 20_000:
        people.their("Only", f"Theirs {len(people.theirs)}")
    with a_match(tmp_path, people, platform, warehouse, 1000) as (site, api):
        done = site.run()
        assert_right(site, done, model_of(people, api.served()))
        assert done.said["contested"] >= 20_000


def test_a_small_share(tmp_path, platform, warehouse):
    people = People(11).many(6000).crowd(500)
    with a_match(tmp_path, people, platform, warehouse, 1000, batch_fraction=0.02) as (site, api):
        done = site.run()
        assert_right(site, done, model_of(people, api.served()))
        assert all(done.said[side]["held_share"] <= 0.02 for side in ("left", "right"))


@pytest.mark.slow
@pytest.mark.skipif(SANITIZED, reason="a sanitizer's own memory is more than that")
def test_a_hard_limit(tmp_path, platform, warehouse):
    """The kernel gives no more than 32 MB, which is less than the one page has that all of the vendor's users are on."""
    people = People(12).many(100_000)
    for user in people.theirs:
        user["user_type_classification"] += f" {'x' * 700}"
    most = 32 << 20
    with a_match(tmp_path, people, platform, warehouse, None, memory_max="32MB") as (site, api):
        assert len(api.render(1)) > most
        done = site.run(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (most, most)))
        assert_right(site, done, model_of(people, api.served()))


# A list that changes while it is read.

def test_users_who_move(tmp_path, platform, warehouse):
    """Who gets another name, and so another page, is there twice or not at all; but never counted twice."""
    people = everybody(13)
    handed, moved = {}, {u["id"] for u in people.theirs if isinstance(u, dict) and u.get("id") is not None}
    with a_match(tmp_path, people, platform, warehouse, 50) as (site, api):
        site.job["right"]["rest"]["parallel"] = 1
        draw = random.Random(13)

        def before(page):
            if page > 2 and page not in handed:
                api.change(lambda users: churn(users, draw, page))
            handed[page] = json.loads(api.render(page))["users"]
        api.before = before
        done = site.run()
        served = [u for page in sorted(handed) for u in handed[page]]
        assert_right(site, done, model_of(people, served))
        assert done.said["right"]["again"] + done.said["right"]["duplicates"] > 3
        there = [int(r["vendor_id"]) for r in site.rows() if r["vendor_id"] is not None]
        assert len(there) == len(set(there)) and len(moved & set(there)) > 100


def churn(users, draw, page):
    """Some from the front go to the end, one comes, one changes its name on the way, one goes."""
    named = [u for u in users if isinstance(u, dict) and isinstance(u.get("lastname"), str) and u.get("id") is not None]
    for u in draw.sample(named[:80], 3):
        u.update(lastname=f"Zz moved {u['lastname']}")
    users.append({"id": 950_000 + page, "firstname": "New", "lastname": "Aaa came", "last_active_date": "2017-02-01"})
    users.remove(draw.choice(named[-40:]))


# By a daemon, and for nothing.

def test_a_job_of_the_daemon(tmp_path, platform, warehouse, office):
    people = everybody(16)
    with a_match(tmp_path, people, platform, warehouse) as (site, api):
        daemon = timer(office, {"users": {**site.job, "schedule": "every 1h"}}, databases=site.databases)
        code, _ = daemon.ctl("run", "users", "--wait")
        assert code == 0, runs(office)
        model = model_of(people, api.served())
        assert_same(site, model)
        run = wait_runs(office, 1, "users")[0]
        assert_counts(run["stats"], model)
        code, text = daemon.ctl("runs", "--id", run["id"], json_output=False)
        assert code == 0 and f"{model.counts['matched']:,}" in text, text
        assert not list((daemon.state_dir / "match").rglob("*-rows"))


def test_a_dry_run(tmp_path, platform, any_sink):
    """It says what there would be, and makes nothing, not even the table."""
    people = everybody(17)
    with a_match(tmp_path, people, platform, any_sink) as (site, api):
        model = model_of(people, api.served())
        done = site.run("--dry-run")
        assert_counts(done.said, model)
        assert done.said["written"] == 0 and any(str(len(model.rows)) in note for note in done.said["notes"]), done.said["notes"]
        assert any_sink.kind == "duckdb" and not any_sink.path.exists() or not site.exists()
        assert site.run().code == 0
        site.job["report_date"] = "2017-02-09"
        assert site.run("--dry-run").code == 0
        assert_same(site, model)
        assert site.rows("2017-02-09") == [] and site.staged() == []


# What people see.

def test_what_people_see(tmp_path, platform, any_sink):
    people = everybody(14)
    with a_match(tmp_path, people, platform, any_sink) as (site, api):
        done = site.run(json_output=False)
        model = model_of(people, api.served())
        assert done.code == 0, done
        assert_same(site, model)
    text = done.out
    assert "Elapsed Time" in text and f"{model.counts['matched']:,}" in next(l for l in text.splitlines() if "Total Matches" in l)
    assert "CREATE TABLE" in text and TABLE in text
    sample = sample_rows(text)
    assert 1 <= len(sample) <= 10 and {r["outcome"] for r in sample} == {"matched"}
    in_table = {r["ours_id"]: r for r in site.rows() if r["outcome"] == "matched"}
    for row in sample:
        there = in_table[str(row["ours_id"])]
        assert row["ours_active"] is there["ours_active"] and str(row["vendor_id"]) == there["vendor_id"]
        assert row["ours_lastname"] == there["ours_lastname"] and round(row["score"], 3) == there["score"]


def sample_rows(text):
    """The JSON objects in it, wherever they stand."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := text.find("{", at)) >= 0:
        try:
            row, end = decoder.raw_decode(text[at:])
            found.append(row)
            at += end
        except json.JSONDecodeError:
            at += 1
    return found


# The example.

@pytest.mark.parametrize("kind", ["postgres", "mysql", "duckdb"])
def test_the_example(request, tmp_path, platform, kind):
    """setup/examples/vendor-match.yaml as it is shipped, with servers from the environment."""
    if kind == "duckdb" and (SANITIZED or not DUCKDB):
        pytest.skip("built without DuckDB, or with a sanitizer, which needs more memory than a job usually has")
    people = everybody(15)
    path = REPO / "setup/examples/vendor-match.yaml"
    with a_sink(request, kind) as sink, a_match(tmp_path, people, platform, sink) as (site, api):
        env = {**os.environ, "VENDOR_URL": api.url(USERS), "USERS_URL": platform.url(), "WAREHOUSE_URL": sink.url(),
               "STATE_DIR": str(site.state)}
        checked = subprocess.run([str(INGESTCTL), "check", str(path)], env=env, capture_output=True, text=True)
        assert checked.returncode == 0, checked
        argv = [str(INGESTCTL), "run", "--local", "--config", str(path), "users", "--json"]
        done = finish(subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        model = model_of(people, api.served())
        assert_counts(done.said, model)
        assert_same(site, model)


def test_who_has_no_id_is_kept_as_it_came(tmp_path, platform, warehouse):
    """Nothing else tells who it was."""
    people = everybody(16)
    with a_match(tmp_path, people, platform, warehouse) as (site, _):
        assert site.run().code == 0
        raws = [json.loads(r["raw"]) for r in site.rows() if r["reason"] == "null_key" and '"firstname"' in r["raw"]]
        assert {r["lastname"] for r in raws} == {"Theirs", "At all", "Empty"}


def test_a_server_that_does_not_heed_the_page(tmp_path, platform, warehouse):
    """It gives all its users again and again, more than are remembered: that is no longer list."""
    people = People(17).many(20_000)
    with a_match(tmp_path, people, platform, warehouse, None) as (site, api):
        whole = api.render
        api.render = lambda _: whole(1)
        done = site.run()
        assert done.code != 0 and "page 2 of" in done.words and "the same as" in done.words, done
        assert len(api.pages()) < 20


def test_two_resources(tmp_path, warehouse, programs_built):
    """Both sides are pages of an API, each with connections of its own."""
    people = People(18)
    people.clean(400)
    with VendorApi(people.theirs, 20) as one, VendorApi(people.theirs, 30) as other:
        site = Site(tmp_path, api_side(one, name="mine"), api_side(other), warehouse,
                    tie_breaks={"specialty": {"normalise": "case"}})
        done = site.run()
        assert done.said["matched"] == len(people.theirs) and done.said["left"]["pages"] == 21


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is no measure")
def test_rows_that_are_large(tmp_path, platform, warehouse):
    """Few of them wait for the load at once, and so the usual memory is enough."""
    people = People(19)
    people.clean(40)
    for user in people.theirs:
        user["specialty"] = "x" * 8_000_000
    with a_match(tmp_path, people, platform, warehouse, 4) as (site, _):
        done = site.run()
        assert done.said["matched"] == 40
