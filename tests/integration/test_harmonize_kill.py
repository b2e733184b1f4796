"""
A harmonize that is killed at every stage and between every two writes, and two of them at once: who reads by the pointer sees the old
state or the new one, and the next run ends in the content of one that was never disturbed.
"""
import contextlib
import os
import random
import shutil
import subprocess
import threading

import pytest

import seeds
from harmonize_s3 import Bucket, End, Proxy, a_server
from harmonize_site import Folder, Partner, Site, kill_worker, over, row
from servers import wait_until

SEED = int(os.environ.get("HARMONIZE_SEED", 0)) or random.SystemRandom().randrange(1 << 30)
N = 40  # rows of a file


@pytest.fixture(scope="module")
def s3(session_home):
    with a_server(session_home["home"] / "s3-kill") as server:
        yield server


def first(site):
    for i in range(1, 11):
        site.partner.care_site(i, f"Site {i}")
    for i in range(1, N + 1):
        site.partner.provider(i, f"Ada Nr{i}", row(i)["NPI"], site_name=f"Site {i % 10 + 1}")
    site.deliver("a.csv", [row(i, SiteName=f"Site {i % 12}") for i in range(20, 20 + N)])
    site.deliver("b.ndjson", [row(i, NPI=None) if i % 7 == 0 else row(i, ProviderName=f"Dr. Ada Nr{i}") for i in range(50, 50 + N)])


def second(site):
    site.partner.run("UPDATE provider SET specialty = 'Neuro' WHERE provider_id % 5 = 0")
    site.partner.provider(1000, "Eve New", row(1000)["NPI"], site_name="Site 3")
    site.deliver("c.csv", [row(i, SiteName=f"Other {i % 4}", Specialty="Derma") for i in range(70, 70 + N)])
    site.deliver("d.csv", [row(1, Specialty="Phrenology"), row(2000, ProviderName=None)])


class World:
    """A site whose lake has the first state, kept to begin from again; and what the second state is, from an undisturbed run."""

    def __init__(self, home, postgres, s3):
        self.partner, self.s3 = Partner(postgres), s3
        self.proxy = Proxy(s3)
        self.drop, self.lake = Bucket(s3, "drop", self.proxy), Bucket(s3, "lake", self.proxy)
        self.site = Site(home, self.partner, self.drop, self.lake)
        first(self.site)
        self.site.harmonized()
        self.old = self.site.sound()
        self.old_content = self.old.content()
        self.saved = home / "saved"
        subprocess.run(["cp", "-a", self.lake.folder, self.saved], check=True)
        second(self.site)
        self.proxy.forget()
        self.site.harmonized(self.old)
        self.new_content = self.site.view().content()
        assert self.new_content != self.old_content
        self.requests = list(self.proxy.requests)

    def begin_again(self):
        shutil.rmtree(self.lake.folder)
        subprocess.run(["cp", "-a", self.saved, self.lake.folder], check=True)
        for seen in self.site.home.glob("*/harmonize/*/published"):  # an older lake would be refused
            seen.unlink()
        self.proxy.forget()

    def seen(self):
        """Which of the two states a reader sees: it is one of them."""
        v = self.site.sound(self.old)
        content = v.content()
        assert content in (self.old_content, self.new_content), f"pointer {v.number} shows neither the old state nor the new one"
        return "new" if content == self.new_content else "old"

    def kill_at(self, wanted, after=False):
        """Kills the worker at the request that is wanted, before the server is asked or when it has done it. Whether it came to that."""
        killed = threading.Event()

        def kill():
            if not killed.is_set():
                killed.set()
                kill_worker(process)
        self.proxy.rule = lambda r: End(kill, after) if wanted(r) else None
        process = self.site.start()
        done = over(process)
        self.proxy.rule = None
        assert killed.is_set() == (done.code != 0), done
        return killed.is_set()

    def finish(self):
        """The next run goes on."""
        self.site.harmonized(self.old)
        assert self.seen() == "new"

    def close(self):
        self.proxy.close()
        self.partner.drop()


@pytest.fixture(scope="module")
def world(session_home, postgres_server, s3):
    home = session_home["home"] / "world"
    home.mkdir()
    w = World(home, postgres_server, s3)
    yield w
    w.close()


def nth_write(n):
    """The request that is the nth write of a run, whichever it is."""
    seen = []

    def wanted(r):
        if r.write:
            seen.append(r)
            return len(seen) == n + 1
        return False
    return wanted


def test_killed_between_every_two_writes(world):
    """Each write done and not told of is where the one before the next begins."""
    writes = [r for r in world.requests if r.write]
    assert any("_published" in r.key for r in writes) and sum("_delta_log" in r.key for r in writes) >= 4
    log = [n for n, r in enumerate(writes) if "_delta_log" in r.key or "_published" in r.key]
    for n in log:
        world.begin_again()
        assert world.kill_at(nth_write(n), after=True)
        assert world.seen() == ("new" if n == log[-1] else "old"), writes[n]
        world.finish()


@pytest.mark.parametrize("what", ["list", "object", "parquet", "log", "pointer"])
def test_killed_before(world, what):
    wanted = {"list": lambda r: r.listing and "provider" in r.target, "object": lambda r: r.method == "GET" and r.key.endswith("c.csv"),
              "parquet": lambda r: r.method == "PUT" and ".parquet" in r.key, "log": lambda r: r.method == "PUT" and "_delta_log" in r.key,
              "pointer": lambda r: r.method == "PUT" and "_published" in r.key}[what]
    world.begin_again()
    assert world.kill_at(wanted)
    assert world.seen() == "old"
    world.finish()


def test_killed_again_and_again(world):
    """One after the other, ever later, with what each has left."""
    world.begin_again()
    for n in range(1, 100, 3):
        if not world.kill_at(nth_write(n), after=True) or world.seen() == "new":
            break
    world.finish()


def test_killed_in_the_transformation(world):
    """Its SQL waits for somebody who writes into a pipe."""
    world.begin_again()
    folder = world.site.home / "held"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "wait.sql").write_text("CREATE TABLE waited AS SELECT * FROM read_csv(getvariable('folder') || '/pipe')")
    job = dict(world.site.job)
    world.site.job["transform"] = world.site.transform(folder / "wait.sql")
    try:
        process = world.site.start()
        with writer_of(folder / "pipe", process):
            kill_worker(process)
        assert over(process).code != 0
    finally:
        world.site.job = job
    assert world.seen() == "old"
    world.finish()


@contextlib.contextmanager
def writer_of(pipe, process):
    """Once somebody reads it."""
    def opened():
        assert process.poll() is None, over(process)
        with contextlib.suppress(OSError):
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        return None
    fd = wait_until(opened, 60, "the transformation to read the pipe")
    yield
    os.close(fd)


# A lake in a folder, at any moment.

@pytest.mark.slow
def test_killed_at_any_moment_with_a_folder(tmp_path, postgres):
    print(f"HARMONIZE_SEED={SEED}")
    draw, partner = random.Random(SEED), Partner(postgres)
    try:
        calm = Site(tmp_path, partner, Folder(tmp_path / "drop"), Folder(tmp_path / "calm"), "calm-state")
        wild = Site(tmp_path, partner, calm.drop, Folder(tmp_path / "wild"), "wild-state")
        first(calm)
        for site in (calm, wild):
            site.harmonized()
        second(calm)
        old, took = wild.view(), calm.harmonized()[0]["elapsed_us"] / 1e6
        wanted, n_killed = calm.view().content(), 0
        for _ in range(seeds.some(30)):
            process = wild.start()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(draw.random() * took)
            if process.poll() is None:
                kill_worker(process)
            n_killed += over(process).code != 0
            v = wild.sound(old)
            assert v.content() in (old.content(), wanted)
        wild.harmonized(old)
        assert wild.view().content() == wanted and n_killed > 0
    finally:
        partner.drop()


# Two at once.

class Held:
    """A run that is held up before a request that is wanted, until it is let go."""

    def __init__(self, wanted):
        self.reached, self.go, self.wanted = threading.Event(), threading.Event(), wanted

    def __call__(self, r):
        if not self.reached.is_set() and self.wanted(r):
            self.reached.set()
            self.go.wait(60)


def test_two_at_once_on_one_machine(world):
    world.begin_again()
    world.proxy.rule = held = Held(lambda r: r.method == "PUT" and "_delta_log" in r.key)
    one = world.site.start()
    try:
        assert held.reached.wait(60), over(one)
        two = world.site.run()
        assert two.code != 0 and "another run" in two.words, two
    finally:
        held.go.set()
    assert over(one).code == 0
    assert world.seen() == "new"


@pytest.mark.parametrize("where", [".parquet", "_delta_log", "_published"])
def test_two_at_once_on_two_machines(world, where):
    """The one that comes later loses, and its next attempt finds all of it done."""
    world.begin_again()
    other = Site(world.site.home, world.partner, world.drop, world.lake, "other-state")
    world.proxy.rule = held = Held(lambda r: r.method == "PUT" and where in r.key)
    one = world.site.start()
    try:
        assert held.reached.wait(60), over(one)
        other.harmonized(world.old)
        assert world.seen() == "new"
        number = world.site.view().number
    finally:
        held.go.set()
    lost = over(one)
    assert lost.code != 0 and "another" in lost.words, lost
    assert world.seen() == "new" and world.site.view().number == number
    if where == ".parquet":
        v = world.site.view()
        newest = {name: max(int(p.stem) for p in (world.lake.folder / name / "_delta_log").glob("*.json")) for name in v.pointer["tables"]}
        assert newest == {name: v.version(name) for name in newest}, "what the winner published was reverted"
    world.finish()
    assert world.site.view().number == number, "nothing was new, and yet a pointer was written"
