"""A load that is killed, and one whose server is: what is there is the state before the dump or the one after it."""
import contextlib
import copy as copying
import itertools
import os
import random
import signal
import subprocess
import time

import pytest

import dumps_model
import office as practice
from dumps_random import plain_dumps
from dumps_site import SINKS, Dataset, assert_equal, finish, start_copy, unlike
from mariadb import MariaDB
from servers import Postgres, alive, children, wait_until

N_ROWS = 4000
N_KILLS = int(os.environ.get("DUMPS_KILLS", 6))  # of each kind, for each server
SEED = int(os.environ.get("DUMPS_SEED", 0)) or random.SystemRandom().randrange(1 << 30)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def killable(session_home):
    """Servers that are ours alone, and have on disk what they said they have."""
    started = {}

    def get(kind):
        if kind not in started:
            home = session_home["home"] / f"kill-{kind}"
            started[kind] = Postgres(home) if kind == "postgres" else \
                MariaDB(home, {"innodb-flush-log-at-trx-commit": "2"})
            started[kind].start()
            if kind == "postgres":
                practice.make_site(started[kind])
        elif not started[kind].running:
            started[kind].start()
        return started[kind]
    yield get
    for server in started.values():
        server.stop()


@pytest.fixture(params=sorted(SINKS))
def sink(request, killable, programs_built):
    s = SINKS[request.param](killable(request.param), f"kill_{next(_numbers)}")
    yield s
    s.drop()


def workers(pid):
    """The processes of a copy that write: itself where it became the worker."""
    return [p for p in [pid, *children(pid)] if command(p).startswith("ingest-worker")]


def command(pid):
    with contextlib.suppress(OSError):
        return open(f"/proc/{pid}/comm", encoding="utf-8").read().strip()
    return ""


def kill_worker(process, _sink):
    for pid in workers(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_command(process, _sink):
    """Its worker does not outlive it for long."""
    left = workers(process.pid)
    process.kill()
    wait_until(lambda: not any(alive(pid) for pid in left), 60, "the worker to end without its master")


def kill_server(_process, sink):
    sink.server.kill9()
    sink.server.start()


KILLS = {"worker": kill_worker, "command": kill_command, "server": kill_server}


class Life:
    """A dataset that is loaded in spite of it all."""

    def __init__(self, sink, files, seed):
        self.sink, self.files, self.draw = sink, files, random.Random(seed)
        self.dataset, self.model = Dataset(sink, f"d{seed}"), dumps_model.Dataset(key=("id",))
        self.dumps = plain_dumps(N_ROWS, 4, seed)
        self.last = 0.5  # seconds that a load takes

    def url(self, dump):
        return self.files.put(f"{self.dataset.table}-{dump.as_of}.csv", dump.octets)

    def attempt(self, dump, kill):
        """One load that is killed at some moment; was it?"""
        process = start_copy(self.url(dump), self.dataset.url, "--key", "id")
        try:
            process.wait(self.draw.random() * self.last)
        except subprocess.TimeoutExpired:
            kill(process, self.sink)
        return finish(process)

    def settle(self, dump):
        """After an end of any kind: all of the dump is there, or nothing."""
        after = copying.deepcopy(self.model)
        after.load(dump)
        wrong = unlike(self.dataset, self.model)
        if wrong and unlike(self.dataset, after):
            raise AssertionError(f"neither as before nor as after: {wrong}; {unlike(self.dataset, after)}")
        return bool(wrong)

    def finally_load(self, dump):
        began = time.monotonic()
        done = finish(start_copy(self.url(dump), self.dataset.url, "--key", "id"))
        self.last = time.monotonic() - began
        assert done.code == 0, done
        self.model.load(dump)
        assert_equal(self.dataset, self.model)


@pytest.mark.slow
@pytest.mark.parametrize("what", sorted(KILLS))
def test_killed_at_any_moment(sink, files, what):
    print(f"DUMPS_SEED={SEED}")
    life, n_killed = Life(sink, files, SEED % 10000), 0
    for dump in life.dumps:
        for _ in range(max(N_KILLS // len(life.dumps), 1)):
            done = life.attempt(dump, KILLS[what])
            n_killed += done.code != 0
            if life.settle(dump):
                break
        life.finally_load(dump)
    assert n_killed > 0


# At a certain step, which is held up by a lock of somebody else's.


class PostgresLock:
    def __init__(self, sink, table):
        self.connection = sink.server.connect(sink.database)
        self.connection.autocommit = False
        self.connection.cursor().execute(f"LOCK TABLE {table} IN {'SHARE' if '_' in table else 'ACCESS EXCLUSIVE'} MODE")
        self.sink = sink

    def reached(self):
        return self.sink.select(["pid"], "FROM pg_locks WHERE NOT granted")

    def release(self):
        with contextlib.suppress(Exception):  # its server may be gone
            self.connection.close()


class MariaLock:
    def __init__(self, sink, table):
        self.sink = sink
        self.client = subprocess.Popen(["mariadb", "--no-defaults", f"--socket={sink.server.socket}", "--user=root",
                                        "--unbuffered", "--batch", "--skip-column-names", sink.database],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.client.stdin.write(f"LOCK TABLES {table} {'READ' if '_' in table else 'WRITE'}; SELECT 'locked';\n")
        self.client.stdin.flush()
        assert self.client.stdout.readline().strip() == "locked"

    def reached(self):
        return self.sink.select(["id"], "FROM information_schema.processlist WHERE state LIKE 'Waiting for table%'")

    def release(self):
        with contextlib.suppress(OSError):
            self.client.stdin.close()
        self.client.wait(20)
        self.client.stdout.close()


LOCKS = {"postgres": PostgresLock, "mysql": MariaLock}


@pytest.mark.one_database
@pytest.mark.parametrize("what", ["server", "worker"])
@pytest.mark.parametrize("table", ["d1", "d1_past", "ingest_dump", "ingest_reject"])
def test_killed_at_a_step(sink, files, table, what):
    life = Life(sink, files, 1)
    life.finally_load(life.dumps[0])
    lock = LOCKS[sink.kind](sink, table)
    try:
        process = start_copy(life.url(life.dumps[1]), life.dataset.url, "--key", "id")
        wait_until(lambda: lock.reached() or process.poll() is not None, 30, f"the load to come to {table}")
        assert process.poll() is None, finish(process)
        KILLS[what](process, sink)
        done = finish(process)
    finally:
        lock.release()
    assert done.code != 0, done
    wait_until(lambda: not sessions(sink), 30, "the killed one's session to end")
    assert not life.settle(life.dumps[1])
    for dump in life.dumps[1:]:
        life.finally_load(dump)


def sessions(sink):
    """Of loads that are still at work in the server."""
    if sink.kind == "postgres":
        return sink.select(["pid"], f"FROM pg_stat_activity WHERE datname = '{sink.database}' AND usename = 'dataeng'")
    return sink.select(["id"], f"FROM information_schema.processlist WHERE db = '{sink.database}' AND user = 'dataeng'")


def test_two_at_once(sink, files):
    """Two loads of one dataset wait for each other; one of them finds the dump there already."""
    life = Life(sink, files, 2)
    for dump in life.dumps:
        both = [start_copy(life.url(dump), life.dataset.url, "--key", "id") for _ in range(2)]
        done = [finish(p) for p in both]
        assert [d.code for d in done] == [0, 0], done
        life.model.load(dump)
        assert_equal(life.dataset, life.model)
        changes = sorted(sum(d.said[c] for c in ("added", "changed", "removed", "reactivated")) for d in done)
        assert changes[0] == 0 < changes[1], done
        assert sorted(d.said["status"] for d in done) == ["loaded", "unchanged"], done


def test_many_first_loads_at_once(sink, files):
    """The tables that datasets share are made by several at the same moment."""
    dump = plain_dumps(50, 1, 9)[0]
    url = files.put(f"first-{dump.as_of}.csv", dump.octets)
    started = [start_copy(url, sink.url(f"first{i}"), "--key", "id") for i in range(8)]
    for i, process in enumerate(started):
        done = finish(process)
        assert done.code == 0, done
        model = dumps_model.Dataset(key=("id",))
        model.load(dump)
        assert_equal(Dataset(sink, f"first{i}"), model)
