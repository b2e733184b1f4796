"""What a measurement happens in: servers with settings as they come, the practice's tables, and a stop watch."""
import pathlib
import re
import shutil
import statistics
import tempfile
import threading
import time

import office as practice
from office import Office
from servers import Postgres, wait_until


class Scene:
    """Private servers for one run of the bench. Postgres writes to disk as it does by default: fsync is on."""

    def __init__(self, quick):
        self.quick = quick
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="ingestd-bench-"))
        self.home.chmod(0o711)
        self.postgres = Postgres(self.home / "pg", fsync=True).start()
        practice.make_site(self.postgres)
        self.office = None
        self.memory = {}  # what -> the most seen so far, in KiB
        self.n_offices = 0

    def size(self, full, quick):
        return quick if self.quick else full

    def fresh_office(self):
        """An office with nothing in it; the one before is closed."""
        self.close_office()
        if not self.postgres.running:
            self.postgres.start()
        self.n_offices += 1
        home = self.home / f"o{self.n_offices}"
        home.mkdir()
        practice.create_database(self.postgres, f"bench_{self.n_offices}")
        self.office = Office(home, self.postgres, f"bench_{self.n_offices}")
        return self.office

    def close_office(self):
        if self.office is None:
            return
        self.office.close()
        complaints = self.office.complaints()
        if complaints:
            raise AssertionError("\n".join(complaints))
        practice.drop_database(self.postgres, self.office.database)
        shutil.rmtree(self.office.home, ignore_errors=True)
        self.office = None

    def close(self):
        self.close_office()
        self.postgres.stop("immediate")
        shutil.rmtree(self.home, ignore_errors=True)

    def checkpoint(self):
        """So that no measurement pays for what the one before has written."""
        self.office.sql("CHECKPOINT")

    def watch_memory(self, daemon):
        return MemoryWatch(self, daemon)


class MemoryWatch:
    """Samples a daemon's memory while a block runs; the peaks end up in the scene."""

    def __init__(self, scene, daemon):
        self.scene, self.daemon = scene, daemon
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def _run(self):
        while not self.stopping.wait(0.05):
            try:
                now = self.daemon.memory()
            except (OSError, ValueError):
                continue
            for name, value in (("rss", now.get("VmHWM", 0)), ("anon", now.get("RssAnon", 0))):
                self.scene.memory[name] = max(self.scene.memory.get(name, 0), value)


def publish_backlog(office, count, **options):
    """Fills Redis with the demo publisher and returns how many events each stream got."""
    p = office.publisher(name=f"publisher-{time.monotonic_ns()}", record=False, transport="redis", rate=0, count=count,
                         redis=f"redis://127.0.0.1:{office.redis.port}/0", **options).run(600)
    return published_counts(p)


def published_counts(publisher):
    return {name: int(n) for name, n in re.findall(r"(claim|diagnose)=(\d+)", publisher.log_text())}


def rewind(office, streams):
    """All of the streams is to be delivered again, into empty tables."""
    for stream in streams:
        office.client.execute_command("XGROUP", "DESTROY", stream, "ingestd")
        office.sql(f"TRUNCATE {stream}")
    office.sql("TRUNCATE ingest.ledger, ingest.dead_letter")


def all_acknowledged(office, stream, group=b"ingestd"):
    for fields in office.client.execute_command("XINFO", "GROUPS", stream):
        g = dict(zip(fields[::2], fields[1::2]))
        if g[b"name"] == group:
            return g[b"pending"] == 0 and g[b"last-delivered-id"] == last_id(office, stream)
    return False


def last_id(office, stream):
    info = office.client.execute_command("XINFO", "STREAM", stream)
    return dict(zip(info[::2], info[1::2]))[b"last-generated-id"]


def median(values):
    return statistics.median(values)


__all__ = ["Scene", "all_acknowledged", "median", "publish_backlog", "published_counts", "rewind", "wait_until"]
