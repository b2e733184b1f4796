"""A match whose pages fail, whose databases go away, and which is killed: what is in the table is what was there before, or all of it."""
import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from clinic_api import Body, Half, Reset, Status, Truncate
from dumps_site import a_sink
from match_people import People
from match_site import JOB, TABLE, Ours, assert_right, assert_same, finish, model_of, site_of
from servers import StallProxy, alive, wait_until
from test_dumps_kill import LOCKS, command, workers
from vendor_api import VendorApi

PAGE = 50
AGAIN = {"Retry-After": "0"}
SEED = int(os.environ.get("MATCH_SEED", 0)) or random.SystemRandom().randrange(1 << 30)
N_KILLS = int(os.environ.get("MATCH_KILLS", 8))


class World:
    """Two sides, a table of an earlier date, and what a run that nobody disturbs would find."""

    def __init__(self, request, tmp_path, ends, sink_kind="postgres", seed=20, n_more=0):
        self.ends = ends
        self.people = People(seed).every_case().crowd(40).tangle(300)
        self.people.clean(600)
        self.people.many(n_more)
        self.platform = ends.enter_context(a_sink(request, "mysql"))
        self.sink = ends.enter_context(a_sink(request, sink_kind))
        self.api = ends.enter_context(VendorApi(self.people.theirs, PAGE))
        self.site = site_of(tmp_path, Ours(self.platform, self.people), self.api, self.sink)
        self.n_pages = -(-len(self.people.theirs) // PAGE)
        self.model = model_of(self.people, self.api.served())
        self.before = self.earlier()

    def earlier(self):
        """Rows of another date, and older ones of this."""
        self.site.job["report_date"] = "2017-01-01"
        assert self.site.run().code == 0
        earlier = model_of(self.people, self.api.served(), report_date="2017-01-01")
        self.site.job["report_date"] = "2017-02-02"
        old = {"outcomes": "left_only"}
        self.site.job.update(old)
        assert self.site.run().code == 0
        del self.site.job["outcomes"]
        self.api.forget()
        return earlier, model_of(self.people, self.api.served(), outcomes=("left_only",))

    def as_before(self):
        for model, date in zip(self.before, ("2017-01-01", "2017-02-02")):
            assert_same(self.site, model, date)

    def finish(self, resumed=None):
        """A run that nobody disturbs, and all is right. One that goes on begins with the page before, whose rows come again."""
        self.api.forget()
        done = self.site.run()
        served, first = self.api.served(), min(self.api.pages(), default=1)
        assert resumed is None or done.said["resumed"] in resumed, done.said["resumed"]
        assert (first > 1) <= (done.said["resumed"] == "reading"), done.said["resumed"]
        again = len(served[(first - 1) * PAGE:first * PAGE]) if first > 1 else 0
        model = model_of(self.people, served) if again else self.model
        for count in ("rows", "duplicates"):
            model.counts["right"][count] += again
        assert_right(self.site, done, model)
        assert_same(self.site, self.before[0], "2017-01-01")
        return done

    def finish_somehow(self):
        """The same after many that were disturbed; how many rows came again is not known."""
        done = self.site.run()
        assert_same(self.site, self.model)
        assert all(done.said[side][c] == self.model.counts[side][c] for side in ("left", "right") for c in ("users", "rejected"))
        assert_same(self.site, self.before[0], "2017-01-01")

    def proxy(self, which):
        """A proxy before one of the servers, which the job uses from now on."""
        db = self.sink if which == "warehouse" else self.platform
        p = StallProxy(db.server.port)
        self.ends.callback(p.close)
        self.site.databases[which] = {"url": db.url(port=p.port)}
        return p

    @contextlib.contextmanager
    def users_locked(self):
        """Whoever selects our users waits meanwhile."""
        lock = LOCKS["mysql"](self.platform, "user")
        try:
            yield
        finally:
            lock.release()

    def selects(self):
        """Sessions that wait for our users."""
        return self.platform.server.sql("SELECT id FROM information_schema.processlist WHERE state LIKE 'Waiting for table%'"
                                        f" AND db = '{self.platform.database}'")

    def hang_up(self):
        for (session,) in wait_until(self.selects, 30, "the SELECT to begin"):
            self.platform.server.sql(f"KILL {session}")

    def is_staged(self, side):
        """To its end."""
        with contextlib.suppress(OSError):
            part = json.loads((self.site.state / "match" / JOB / "state.json").read_text()).get(side)
            return part is not None and "position" not in part["staged"]
        return False

    def at_page(self, page, act):
        """Starts a run; when it asks for the page for the first time, act(process) before there is an answer."""
        started, asked = threading.Event(), itertools.count()
        self.api.before = lambda p: p == page and next(asked) == 0 and started.wait(30) and act(process)
        process = self.site.start()
        started.set()
        done = finish(process)
        self.api.before = None
        assert next(asked) > 0, "the page was never asked for"
        return done


@pytest.fixture
def world(request, tmp_path, programs_built):
    with contextlib.ExitStack() as ends:
        yield World(request, tmp_path, ends)


def kill(process):
    for pid in workers(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


# Pages.

def test_every_page_fails_at_some_point(world):
    for page, wrong in zip(range(1, world.n_pages + 2), itertools.cycle(([Status(500, AGAIN)], [Status(503, AGAIN), Status(429, AGAIN)],
                                                                        [Status(502, AGAIN), Reset()]))):
        world.api.fault(page, wrong)
    done = world.finish()
    assert done.said["right"]["requests"] > world.n_pages * 2


@pytest.mark.parametrize("wrong", [Truncate(), Reset(), Half(), Body(b"<html>planted</html>", "text/html"), Body(b'{"users": 5}'),
                                   Body(b""), Body(b'{"users": [{"id": 1}')], ids=lambda w: type(w).__name__)
def test_a_page_that_comes_right(world, wrong):
    world.api.fault(7, [wrong])
    world.finish()


@pytest.mark.parametrize("wrong", [Status(404), Status(500, AGAIN)], ids=["refused", "broken"])
def test_a_page_that_never_comes_right(world, wrong):
    page = world.n_pages - 3
    world.api.fault(page, [wrong], lasting=True)
    done = world.site.run()
    assert done.code != 0 and f"page {page}" in done.words and str(wrong.status) in done.words, done
    assert "planted-marker" not in done.words
    world.as_before()
    world.api.faults.clear()
    world.api.lasting.clear()
    world.finish(resumed=["reading"])
    assert sorted(set(world.api.pages())) == list(range(page - 1, max(world.api.pages()) + 1)), world.api.pages()


@pytest.mark.parametrize("n_pages", [0.5, 2])
def test_many_go_before_it_goes_on(world, n_pages):
    """By more than a page: some would be missed, and it is read anew, now or by the next run."""
    world.api.fault(world.n_pages - 4, [Status(404)], lasting=True)
    assert world.site.run().code != 0
    world.api.faults.clear()
    world.api.lasting.clear()
    world.api.change(lambda users: users.__delitem__(slice(300, 300 + int(n_pages * PAGE))))
    done = world.site.run()
    if n_pages > 1 and done.code != 0:
        world.as_before()
        assert "vendor" in done.words and world.site.staged() == [], done
        done = world.site.run()
    assert done.code == 0
    there = {r["vendor_id"] for r in world.site.rows()}
    missed = [u for u in world.api.served() if isinstance(u, dict) and str(u.get("id")) not in there and u.get("id") and u["id"] < 900_000]
    assert not missed, (len(missed), missed[:2])


# Databases that go away.

def test_our_users_go_away(world):
    """In the middle of the SELECT, which waits for somebody's lock, while the pages come."""
    with world.users_locked():
        done = world.at_page(6, lambda _: world.hang_up())
    assert done.code != 0 and "ours" in done.words, done
    world.as_before()
    world.finish()


def test_our_server_is_killed(world):
    def stop(_process):
        wait_until(world.selects, 30, "the SELECT to begin")
        world.platform.server.kill9()
    with world.users_locked():
        done = world.at_page(9, stop)
    assert done.code != 0 and "ours" in done.words, done
    world.platform.server.start()
    world.as_before()
    world.finish()


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_the_warehouse_goes_away(request, tmp_path, programs_built, kind):
    """In the middle of the load: all has been read, and nothing is read again."""
    with contextlib.ExitStack() as ends:
        world = World(request, tmp_path, ends, kind)
        proxy = world.proxy("warehouse")
        with held_up(world) as process:
            proxy.drop()
            done = finish(process)
        assert done.code != 0, done
        world.as_before()
        world.site.databases["warehouse"] = {"url": world.sink.url()}
        world.finish(resumed=["loading"])
        assert world.api.pages() == []


@contextlib.contextmanager
def held_up(world):
    """A run that has come to its load and waits there for somebody's lock."""
    locks = []
    world.api.before = lambda page: page == 1 and locks.append(LOCKS[world.sink.kind](world.sink, TABLE))
    process = world.site.start()
    try:
        wait_until(lambda: (locks and locks[0].reached()) or process.poll() is not None, 60, "the run to come to its load")
        assert process.poll() is None, finish(process)
        world.api.before = None
        yield process
    finally:
        for lock in locks:
            lock.release()


# Killed.

@pytest.mark.parametrize("place", ["first page", "in the middle", "last page", "past the end"])
def test_killed_while_it_reads(world, place):
    page = {"first page": 1, "in the middle": world.n_pages // 2, "last page": world.n_pages, "past the end": world.n_pages + 1}[place]
    done = world.at_page(page, kill)
    assert done.code != 0, done
    world.as_before()
    world.finish()


def test_killed_among_many_pages(request, tmp_path, programs_built):
    """It goes on where it was saved last, which is not long ago: pages before that are not asked for again, but for one."""
    with contextlib.ExitStack() as ends:
        world = World(request, tmp_path, ends, n_more=5000)
        place = world.n_pages - 3
        assert world.at_page(place, kill).code != 0
        world.as_before()
        world.finish(resumed=["reading"])
        assert min(world.api.pages()) > place // 2, (world.api.pages(), place)


def test_killed_while_our_users_come(world):
    """All pages are staged and the SELECT is under way; the next run asks for no page again."""
    with world.users_locked():
        process = world.site.start()
        wait_until(lambda: world.is_staged("right") or process.poll() is not None, 60, "all pages to be staged")
        assert process.poll() is None, finish(process)
        kill(process)
        assert finish(process).code != 0
    world.as_before()
    world.finish(resumed=["reading"])
    assert world.api.pages() == []


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_killed_while_it_loads(request, tmp_path, programs_built, kind):
    with contextlib.ExitStack() as ends:
        world = World(request, tmp_path, ends, kind)
        with held_up(world) as process:
            kill(process)
            assert finish(process).code != 0
        world.as_before()
        world.finish(resumed=["loading"])
        assert world.api.pages() == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgres", "mysql", "duckdb"])
def test_killed_at_any_moment(request, tmp_path, programs_built, kind):
    """Again and again, until one comes to its end; each goes on where the one before was."""
    print(f"MATCH_SEED={SEED}")
    draw, n_killed, last = random.Random(SEED), 0, 0.5
    with contextlib.ExitStack() as ends:
        world = World(request, tmp_path, ends, kind)
        for _ in range(N_KILLS):
            process = world.site.start()
            try:
                process.wait(draw.random() * last)
            except subprocess.TimeoutExpired:
                kill(process)
            done = finish(process)
            n_killed += done.code != 0
            if draw.random() < 0.3 or done.code == 0:
                began = time.monotonic()
                world.finish_somehow()
                last = time.monotonic() - began
        world.finish_somehow()
        assert n_killed > 0


def test_the_command_is_killed(world):
    """Its worker does not outlive it for long."""
    left = []

    def end(process):
        left.extend(workers(process.pid))
        process.kill()
    done = world.at_page(5, end)
    assert done.code != 0
    wait_until(lambda: not any(alive(pid) and command(pid).startswith("ingest-worker") for pid in left), 30, "the worker to end")
    world.as_before()
    world.finish()


# Two of one job, and what is kept of another one.

def test_two_at_once(world):
    """The second says so, and harms nobody."""
    said = []

    def start_another(_process):
        said.append(world.site.run())
    done = world.at_page(4, start_another)
    assert said[0].code != 0 and str(world.site.state) in said[0].words, said
    assert_right(world.site, done, world.model)


@pytest.mark.parametrize("what", ["report_date", "keys", "normalise", "columns", "sql"])
def test_another_configuration_begins_anew(world, what):
    """What was staged for one question is no part of the answer to another."""
    assert world.at_page(world.n_pages - 2, kill).code != 0
    if what == "report_date":
        world.site.job["report_date"] = "2017-02-03"
    elif what == "keys":
        del world.site.job["keys"]["firstname"]
    elif what == "normalise":
        world.site.job["keys"]["lastname"]["normalise"] = "trim"
    elif what == "columns":
        world.site.job["left"]["columns"] = world.site.job["left"]["columns"].replace("classification,", "")
    else:
        path = world.site.home / "users.sql"
        path.write_text(path.read_text() + " WHERE u.id % 2 = 0")
    world.api.forget()
    done = world.site.run()
    if what == "columns":  # the table has one more
        assert done.code in (0, 1)
    else:
        assert done.code == 0 and done.said["resumed"] is None, done
    assert 1 in world.api.pages(), "it has been read again"


def broken_off(world, phase):
    """What is staged after a run that broke off there."""
    if phase == "loading":
        with held_up(world) as process:
            kill(process)
            assert finish(process).code != 0
    else:
        world.api.fault(world.n_pages - 2, [Status(404)], lasting=True)
        assert world.site.run().code != 0
        world.api.faults.clear()
        world.api.lasting.clear()
    return world.site.state / "match" / JOB


@pytest.mark.parametrize("how", ["cut off", "other bytes", "gone"])
@pytest.mark.parametrize("phase, name", [("loading", "ours-rows"), ("loading", "state.json"), ("reading", "vendor-rows"),
                                         ("reading", "ours-ids"), ("reading", "vendor-ids"), ("reading", "state.json")])
def test_what_is_kept_is_damaged(world, phase, name, how):
    """It is told, or it does not matter; but the table is never wrong."""
    path = broken_off(world, phase) / name
    if how == "gone":
        path.unlink()
    elif how == "cut off":
        os.truncate(path, path.stat().st_size // 2)
    else:
        spoil(path)
    done = world.site.run()
    if done.code != 0:
        world.as_before()
        assert str(path.parent) in done.words or "damaged" in done.words, done
    world.finish_somehow()


def spoil(path):
    octets = bytearray(path.read_bytes())
    for at in range(len(octets) // 2, min(len(octets) // 2 + 64, len(octets))):
        octets[at] ^= 0x5a
    path.write_bytes(octets)
