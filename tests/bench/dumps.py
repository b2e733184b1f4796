"""
Dumps over HTTP into both servers, against each server's own bulk load of the same file into one keyed table, the two
taken in turn. What came of ours is counted.
"""
import functools
import json
import pathlib
import subprocess
import threading
import time

from dumps_file import POOL, SHAPES, DumpServer, write
from dumps_sinks import Maria, Pg, sink
from programs import INGESTCTL
from scene import median
from servers import alive, children

BASE = "providers"
PEAK_WANTED = 48  # MB


class Bench:
    """The files of one run, made once, and a server for them."""

    def __init__(self, scene):
        self.scene, self.server = scene, DumpServer()
        self.shape = functools.cache(lambda name: SHAPES[name]())

    def file(self, name, chunks):
        path = self.scene.home / name
        if not path.exists():
            write(path, chunks)
        return path

    def close(self):
        self.server.close()
        for path in self.scene.home.glob("*.csv"):
            path.unlink()


class PeakWatch(threading.Thread):
    """The most memory that a worker of this process took, in KiB, as the kernel counts it."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak = pid, 0

    def run(self):
        pause = threading.Event()
        while alive(self.pid):
            for pid in [self.pid, *children(self.pid)]:
                self._look(pid)
            pause.wait(0.05)

    def _look(self, pid):
        try:
            lines = dict(l.split(":", 1) for l in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        except OSError:
            return
        if lines["Name"].strip().startswith("ingest-worker") and "VmHWM" in lines:
            self.peak = max(self.peak, int(lines["VmHWM"].split()[0]))


def copy(source, sink_url, *options):
    """(seconds of all of it, what it says, the worker's peak in MB)."""
    began = time.monotonic()
    process = subprocess.Popen([str(INGESTCTL), "--json", "copy", "--source", source, "--sink", sink_url, *options],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watch = PeakWatch(process.pid)
    watch.start()
    out, err = process.communicate(timeout=3600)
    took = time.monotonic() - began
    watch.join()
    if process.returncode != 0:
        raise AssertionError(f"ingestctl copy ended with {process.returncode}: {err.strip() or out.strip()}")
    (dump,) = json.loads(out)["dumps"]
    return took, dump, watch.peak / 1024


def expect(said, **wanted):
    found = {name: said.get(name) for name in wanted}
    assert found == wanted, f"it says {found}, but there are {wanted}"


# First, next and same dump again.

class Rounds:
    """What came of each round, in seconds; and the most memory of all."""

    def __init__(self):
        self.bare, self.first, self.later, self.again, self.peak, self.written = [], [], [], [], 0.0, 0

    def one(self, bench, s, n, table):
        shape, server = bench.shape("sample"), bench.server
        first = bench.file(f"{BASE}-2024-01-07.csv", shape.chunks(n))
        later = bench.file(f"{BASE}-2024-02-04.csv", shape.next_chunks(n))
        took, rows = s.bulk_load(first, len(shape.header))
        assert rows == n
        self.bare.append(took)
        s.sql("DROP TABLE bare")
        self._step(s, self.first, server.offer_file(first), table, rows=n, added=n)
        self._step(s, self.later, server.offer_file(later), table, rows=n, added=n // 100, changed=n // 100,
                   removed=n // 100, unchanged=n - n // 50)
        before = s.written()
        self._step(s, self.again, server.offer_file(later), table)
        self.written += s.written() - before
        assert s.sql(f"SELECT count(*) FROM {table}_past")[0][0] in (n // 50, str(n // 50))
        s.drop(table)

    def _step(self, s, times, url, table, **counts):
        s.settle()
        took, said, peak = copy(url, s.url(table))
        times.append(took)
        self.peak = max(self.peak, peak)
        expect(said, **counts)


def three_dumps(kind, scene):
    n = scene.size(2_000_000, 100_000)
    bench, rounds = Bench(scene), Rounds()
    try:
        with sink(kind, scene) as s:
            for i in range(scene.size(3, 1)):
                rounds.one(bench, s, n, f"npi_{i}")
        size = (scene.home / f"{BASE}-2024-01-07.csv").stat().st_size / 1e6
    finally:
        bench.close()
    bare, first, later, again = map(median, (rounds.bare, rounds.first, rounds.later, rounds.again))
    what = f"{n:,} rows × 26 columns ({size:.0f} MB) by HTTP into {kind.name}"
    return [
        (f"{what}, first load with history and audit, against {kind.rival} of the file into one keyed table",
         f"{first / bare:.2f} × ({first:.1f} s against {bare:.1f} s, {size / first:.0f} MB/s; the worker took"
         f" {rounds.peak:.0f} MB at most)", "≤ 2.0 ×", first / bare <= 2),
        (f"the next dump into {kind.name}, 1 % changed, 1 % gone, 1 % new, against that first load",
         f"{later / first:.2f} × ({later:.1f} s)", "≤ 0.6 ×", later / first <= 0.6),
        (f"the same dump again into {kind.name}, no ETag, against that first load",
         f"{again / first:.3f} × ({again:.2f} s), {rounds.written or 'no'} rows written", "≤ 0.1 ×, nothing written",
         again / first <= 0.1 and rounds.written == 0),
    ]


def dumps_mysql(scene):
    return three_dumps(Maria, scene)


def dumps_postgres(scene):
    return three_dumps(Pg, scene)


# Memory.

def one_peak(bench, s, size, n):
    shape = bench.shape("sample")
    url = bench.server.offer(f"{BASE}-{size}-2024-01-07.csv", shape.length(n), lambda: shape.chunks(n))
    _, said, peak = copy(url, s.url(f"npi_{size}"))
    expect(said, rows=n, added=n)
    s.drop(f"npi_{size}")
    return peak


def dumps_memory(scene):
    """The large one is on no disk but the database's."""
    small, large = scene.size((2_000_000, 20_000_000), (2 * POOL, 20 * POOL))
    bench, rows = Bench(scene), []
    try:
        for kind in (Maria, Pg):
            with sink(kind, scene) as s:
                few, many = one_peak(bench, s, "small", small), one_peak(bench, s, "large", large)
            sizes = " and ".join(f"{bench.shape('sample').length(n) / 1e6:,.0f} MB" for n in (small, large))
            rows.append((f"the worker's RSS at its peak, {sizes} into {kind.name}", f"{few:.1f} MB and {many:.1f} MB",
                         f"≤ {PEAK_WANTED} MB, the same", max(few, many) <= PEAK_WANTED and many <= few * 1.1 + 1))
    finally:
        bench.close()
    return rows


# 330 columns, most of them empty.

def dumps_national(scene):
    n = scene.size(200_000, POOL)
    bench, rows = Bench(scene), []
    try:
        path = bench.file("national-2024-01-07.csv", bench.shape("national").chunks(n))
        size = path.stat().st_size / 1e6
        for kind in (Maria, Pg):
            bare, ours = [], []
            with sink(kind, scene) as s:
                for i in range(scene.size(3, 1)):
                    took, found = s.bulk_load(path, 330)
                    assert found == n
                    bare.append(took)
                    s.sql("DROP TABLE bare")
                    s.settle()
                    took, said, _ = copy(bench.server.offer_file(path), s.url(f"national_{i}"))
                    expect(said, rows=n, added=n)
                    ours.append(took)
                    s.drop(f"national_{i}")
            ratio = median(ours) / median(bare)
            rows.append((f"330 columns, mostly empty ({size:.0f} MB), into {kind.name}, against {kind.rival}",
                         f"{ratio:.2f} × ({size / median(ours):.0f} MB/s against {size / median(bare):.0f} MB/s)", "≤ 1.5 ×",
                         ratio <= 1.5))
    finally:
        bench.close()
    return rows
