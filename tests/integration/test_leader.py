"""Two daemons on one database: one leads, the other takes over; every window is computed exactly once."""
import os
import random
import signal
import time

import pytest

from servers import wait_until
from test_jobs import SLOW_SQL, before_its_time, once_each, worker_pids
from timer import leads, query, rollup, runs, wait_runs


KILLS = int(os.environ.get("LEADER_KILLS", 8))  # more for an afternoon's test


def pair(office, jobs, **more):
    left = office.daemon([], name="left", config=office.config([], jobs=jobs, **{"name": "left", **more}))
    right = office.daemon([], name="right", config=office.config([], jobs=jobs, **{"name": "right", **more}))
    wait_until(lambda: leads(left) or leads(right), 20, "one to lead", every=0.02)
    return left, right


def leader_of(*daemons):
    return next((d for d in daemons if d.running and leads(d)), None)


def test_one_leads_and_both_answer(office):
    left, right = pair(office, {"tick": query(office, "SELECT 1", schedule="every 1s")})
    wait_runs(office, 2, "tick")
    first = leader_of(left, right)
    other = right if first is left else left
    assert not leads(other)
    wait_until(lambda: other.ctl("jobs")[1]["jobs"][0]["succeeded"] > 0, 10, "the other to know the job")
    assert other.ctl("jobs")[1]["leader"] == first.ctl("jobs")[1]["leader"]
    assert {r["daemon"] for r in runs(office, "tick", "done")} == {first.ctl("jobs")[1]["leader"]}
    # An order to the one that does not lead is carried out by the one that does.
    code, answer = other.ctl("run", "tick", "--wait")
    assert code == 0, answer


def test_takeover_within_seconds(office):
    left, right = pair(office, {"tick": query(office, "SELECT 1", schedule="every 1s")})
    wait_runs(office, 2, "tick")
    first = leader_of(left, right)
    other = right if first is left else left
    first.kill9()
    wait_until(lambda: leads(other), 5, "the other to lead", every=0.02)
    n = len(runs(office, "tick", "done"))
    wait_runs(office, n + 2, "tick")


def test_a_leader_that_loses_its_database_leads_no_more(office):
    """Its connection stands still, as when a cable is cut: the server lets the lock go, and nothing is fired twice."""
    proxy = office.proxy(office.postgres)
    jobs = {"tick": rollup(office, retry_after="200ms")}
    left = office.daemon([], name="left", config=office.config([], jobs=jobs, name="left", postgres={
        "url": office.url(proxy.port), "timeout": "2s"}))
    wait_until(lambda: leads(left), 20, "the first to lead", every=0.02)
    right = office.daemon([], name="right", config=office.config([], jobs=jobs, name="right"))
    wait_runs(office, 2, "tick")
    proxy.freeze()
    wait_until(lambda: leads(right), 10, "the other to lead", every=0.02)
    wait_until(lambda: not left.ctl("status")[1]["leads"], 10, "the first to know")
    n = len(runs(office, "tick", "done"))
    wait_runs(office, n + 3, "tick", timeout=40)


def test_a_namesake_runs_nothing_and_says_so(office):
    jobs = {"tick": query(office, "SELECT 1", schedule="every 1s")}
    first = office.daemon([], name="left", config=office.config([], jobs=jobs, name="same"))
    wait_until(lambda: leads(first), 20, "the first to lead", every=0.02)
    second = office.daemon([], name="right", config=office.config([], jobs=jobs, name="same"))
    condition = second.wait_for_condition(["schedule", "namesake"])
    assert "name" in condition["remedy"] and not leads(second)


def test_a_leader_that_dies_and_comes_back_gives_its_run_away(office):
    """Its lock is held again at once, so nobody finds it gone: it has to say itself that the run is not its own any more."""
    left, right = pair(office, {"tick": rollup(office, SLOW_SQL)})
    wait_until(lambda: runs(office, "tick", "running"), 20, "a run under way", every=0.01)
    first = leader_of(left, right)
    other = right if first is left else left
    first.kill9()
    left_over = runs(office, "tick", "running")
    wait_until(lambda: leads(other), 5, "the other to lead", every=0.02)
    first.start()
    assert left_over
    wait_until(lambda: [r for r in runs(office, "tick", "done") if r["id"] == left_over[0]["id"]], 8, "the run to be done")
    assert not leads(first)


@pytest.mark.slow
def test_the_leader_is_killed_again_and_again(office):
    """Every window exactly one successful run, and computed exactly once, whoever is killed in the middle of it."""
    jobs = {"tick": rollup(office, SLOW_SQL, retry_after="200ms")}
    left, right = pair(office, jobs)
    draw = random.Random(3)
    for _ in range(KILLS):
        wait_until(lambda: leader_of(left, right), 20, "a leader", every=0.02)
        time_of_death = time.monotonic() + draw.random() * 3
        wait_until(lambda t=time_of_death: time.monotonic() > t, 10, "a moment to die", every=0.01)
        victim = leader_of(left, right)
        if victim is None:
            continue
        victim.kill9()
        if draw.random() < 0.7:
            wait_until(lambda: leader_of(left, right), 5, "a takeover", every=0.02)
        victim.start()
    once_each(office)
    done = [r["scheduled_for"] for r in runs(office, "tick", "done")]
    assert len(set(done)) == len(done)
    assert all((b - a).total_seconds() == 1 for a, b in zip(done, done[1:])), "a firing was left out"


def test_a_leader_that_hangs_is_replaced_and_computes_nothing_twice(office):
    """It stands still, as on a host that froze: its connection lives, but it says nothing any more."""
    left, right = pair(office, {"tick": rollup(office, SLOW_SQL, retry_after="200ms")})
    wait_until(lambda: runs(office, "tick", "running"), 20, "a run under way", every=0.01)
    first = leader_of(left, right)
    other = right if first is left else left
    first.signal(signal.SIGSTOP)
    wait_until(lambda: leads(other), 8, "the other to lead", every=0.02)
    first.signal(signal.SIGCONT)
    wait_until(lambda: not leads(first), 8, "the first to know")
    n = len(runs(office, "tick", "done"))
    wait_runs(office, n + 3, "tick")
    once_each(office)


def test_a_leader_that_hangs_before_the_time_of_a_run_does_not_begin_it_afterwards(office):
    """The other has given it to itself by then; and a query, unlike a rollup, is not stopped by its own end."""
    office.sql("CREATE TABLE made (at timestamptz); GRANT ALL ON made TO dataeng")
    left, right = pair(office, {"tick": query(office, "INSERT INTO made VALUES (now())", schedule="every 5s")})
    number, _ = before_its_time(office)
    first = leader_of(left, right)
    first.signal(signal.SIGSTOP)
    run = wait_until(lambda: [r for r in runs(office, "tick", "done") if r["id"] == number], 40, "the other to run it")[0]
    first.signal(signal.SIGCONT)
    wait_until(lambda: not leads(first) and not worker_pids(first), 10, "the first to know")
    assert run["attempt"] == 2
    assert len(runs(office, "tick", "done")) == office.sql("SELECT count(*) FROM made")[0][0]
