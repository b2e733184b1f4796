"""
A vendor's users in an API and ours in MySQL, matched into a warehouse, against reading all pages once with curl, selecting all users
once with the client of MySQL, and loading the result in bulk with the warehouse's own client, one after the other.
The configuration is the shipped example.
"""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from dumps import PeakWatch
from dumps_sinks import MARIADB_DEFAULTS, Maria, Pg, sink, timed
from mariadb import MariaDB
from programs import INGESTCTL
from rest import fetch
from scene import median
from servers import HOST, Postgres
from vendor_people import N_PRACTICES, location, our_lines
from vendor_server import VendorServer

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "setup/examples"
TABLE = "user_match"
RSS_WANTED = 64  # MB
USERS = """CREATE TABLE user (id BIGINT PRIMARY KEY, firstname VARCHAR(100), lastname VARCHAR(100), classification VARCHAR(40),
specialty VARCHAR(60), platform_registered_on VARCHAR(20), practice_id INT, last_active_date DATE) CHARACTER SET utf8mb4;
CREATE TABLE user_practice (id INT PRIMARY KEY, name VARCHAR(80), location VARCHAR(80)) CHARACTER SET utf8mb4"""


class Platform:
    """Our users, in a MariaDB of their own."""

    def __init__(self, scene, n):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="platform-", dir=scene.home))
        self.home.chmod(0o711)
        self.server = MariaDB(self.home / "server", MARIADB_DEFAULTS).start()
        self.server.sql(f"CREATE DATABASE data_engineer; USE data_engineer; {USERS}")
        self.load("user_practice", (f"{i}\tPractice {i}\t{location(i)}\n" for i in range(1, N_PRACTICES + 1)))
        self.load("user", our_lines(n))

    def load(self, table, lines):
        path = self.home / "server/lines"
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(lines)
        path.chmod(0o644)
        self.server.sql(f"LOAD DATA INFILE '{path}' INTO TABLE {table} CHARACTER SET utf8mb4", "data_engineer")
        path.unlink()

    @property
    def url(self):
        return f"mysql://root@{HOST}:{self.server.port}/data_engineer"

    def select_all(self):
        """Seconds for the stock client to write all of them into a file."""
        path = self.home / "users.tsv"
        argv = ["mariadb", "--no-defaults", f"--host={HOST}", f"--port={self.server.port}", "--user=root", "--batch", "--quick",
                "--default-character-set=utf8mb4", "-e", (EXAMPLES / "vendor-users.sql").read_text(), "data_engineer"]
        began = time.monotonic()
        with open(path, "wb") as out:
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=out, timeout=3600)
        took = time.monotonic() - began
        path.unlink()
        return took

    def close(self):
        self.server.stop()
        shutil.rmtree(self.home)


# The warehouses: how a result is taken out of one, once, and loaded into it again by its own client.

class PgWarehouse(Pg):
    @property
    def place(self):
        return self.server.url("bench_dumps")

    def export(self, path):
        with open(path, "wb") as out, self.connection.cursor() as q:
            q.copy_expert(f"COPY {TABLE} TO STDOUT (FORMAT csv)", out)

    def load_result(self, path):
        self.sql(f"DROP TABLE IF EXISTS bare; CREATE TABLE bare (LIKE {TABLE} INCLUDING ALL); ALTER TABLE bare OWNER TO dataeng")
        self.settle()
        return timed([Postgres._program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", f"\\copy bare FROM '{path}' (FORMAT csv)",
                      self.place])


class MariaWarehouse(Maria):
    @property
    def place(self):
        return self.server.url("bench_db")

    def export(self, path):
        inside = self.home / "server/result"
        self.server.sql(f"SELECT * FROM {TABLE} INTO OUTFILE '{inside}' CHARACTER SET utf8mb4", "bench_db")
        shutil.move(inside, path)

    def load_result(self, path):
        self.sql(f"DROP TABLE IF EXISTS bare; CREATE TABLE bare LIKE {TABLE}")
        self.settle()
        return timed(["mariadb", "--no-defaults", f"--host={HOST}", f"--port={self.server.port}", "--user=dataeng", "--password=best",
                      "--local-infile=1", "-e", f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE bare CHARACTER SET utf8mb4", "bench_db"])


def run(scene, platform, vendor, s):
    """(seconds of all of it, what it says, the worker's peak in MB)."""
    state = scene.home / "match-state"
    state.mkdir(mode=0o700, exist_ok=True)
    s.sql(f"DROP TABLE IF EXISTS {TABLE}")
    s.sql("DROP TABLE IF EXISTS bare")
    s.settle()
    env = {**os.environ, "VENDOR_URL": vendor.url, "USERS_URL": platform.url, "WAREHOUSE_URL": s.place, "STATE_DIR": str(state)}
    argv = [str(INGESTCTL), "run", "--local", "--config", str(EXAMPLES / "vendor-match.yaml"), "users", "--json"]
    began = time.monotonic()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    watch = PeakWatch(process.pid)
    watch.start()
    out, err = process.communicate(timeout=7200)
    took = time.monotonic() - began
    watch.join()
    if process.returncode != 0:
        raise AssertionError(f"ingestctl run ended with {process.returncode}: {err.strip() or out.strip()}")
    return took, json.loads(out), watch.peak / 1024


def expect(said, n, m):
    found = (said["left"]["rows"], said["right"]["rows"])
    assert found == (n, m), f"it says that there were {found}, but there are {n} and {m}"
    assert said["matched"] >= 0.9 * m, f"{said['matched']} matched of {m}"


class Rounds:
    """What came of each round."""

    def __init__(self):
        self.parts, self.bare, self.ours, self.peak, self.share, self.said = [], [], [], 0.0, 0.0, None

    def one(self, scene, platform, vendor, s, n, m):
        took, self.said, peak = run(scene, platform, vendor, s)
        expect(self.said, n, m)
        self.ours.append(took)
        self.peak = max(self.peak, peak)
        self.share = max(self.share, *(self.said[side]["held_share"] for side in ("left", "right")))
        folder, result = scene.home / "pages", scene.home / "result"
        if not result.exists():
            s.export(result)
        s.settle()
        self.parts.append((fetch(vendor.page_urls(), folder, 1), platform.select_all(), s.load_result(result)))
        self.bare.append(sum(self.parts[-1]))
        shutil.rmtree(folder)

    def told(self):
        pages, users, load = (median(p) for p in zip(*self.parts))
        return (f"{median(self.ours) / median(self.bare):.2f} × ({median(self.ours):.1f} s against {median(self.bare):.1f} s: pages {pages:.1f},"
                f" users {users:.1f}, load {load:.1f})")

    @property
    def ratio(self):
        return median(self.ours) / median(self.bare)


@contextlib.contextmanager
def world(scene, kind, n, m, shuffled=False):
    with contextlib.ExitStack() as ends:
        platform = Platform(scene, n)
        ends.callback(platform.close)
        vendor = VendorServer(m, n, shuffled)
        ends.callback(vendor.close)
        ends.callback((scene.home / "result").unlink, missing_ok=True)
        yield platform, vendor, ends.enter_context(sink(kind, scene))


def sizes(scene):
    n = scene.size(1_000_000, 100_000)
    return n, n * 152 // 1000


def match(scene):
    n, m = sizes(scene)
    rows = []
    for kind in (PgWarehouse, MariaWarehouse):
        rounds = Rounds()
        with world(scene, kind, n, m) as (platform, vendor, s):
            for _ in range(scene.size(3, 1)):
                rounds.one(scene, platform, vendor, s, n, m)
        rows.append((f"{n:,} users in MySQL × {m:,} of a vendor's API matched into {kind.name}, against all pages by curl, all users by"
                     f" `mariadb`, and {kind.rival} of the result, one after the other", rounds.told(), "≤ 2.0 ×", rounds.ratio <= 2))
        rows.append((f"the same: worker RSS, peak; the most rows of a side held at once ({rounds.said['matched']:,} matches)",
                     f"{rounds.peak:.0f} MB; {rounds.share:.1%} of it", f"≤ {RSS_WANTED} MB; ≤ 10 %",
                     rounds.peak <= RSS_WANTED and rounds.share <= 0.1))
    return [*rows, out_of_order(scene, n, m)]


def out_of_order(scene, n, m):
    """One platform, two vendors, taken in turn."""
    took, cpu = {False: [], True: []}, {False: [], True: []}
    with world(scene, PgWarehouse, n, m) as (platform, sorted_one, s):
        shuffled_one = VendorServer(m, n, shuffled=True)
        try:
            for _ in range(scene.size(3, 1)):
                for vendor in (sorted_one, shuffled_one):
                    seconds, said, _ = run(scene, platform, vendor, s)
                    expect(said, n, m)
                    took[vendor is shuffled_one].append(seconds)
                    cpu[vendor is shuffled_one].append(said["cpu_us"] / 1e6)
        finally:
            shuffled_one.close()
    a, b = median(took[True]), median(took[False])
    return ("a vendor's API without any order, against one by last name", f"{a / b:.2f} × ({a:.1f} s against {b:.1f} s); of the worker's processor time"
            f" {median(cpu[True]) / median(cpu[False]):.2f} × ({median(cpu[True]):.2f} s against {median(cpu[False]):.2f} s)",
            "any order will do, faster with one", median(cpu[True]) > median(cpu[False]))


def match_latency(scene):
    n, m = sizes(scene)
    rounds = Rounds()
    with world(scene, PgWarehouse, n, m) as (platform, vendor, s):
        vendor.latency(0.05)
        for _ in range(scene.size(3, 1)):
            rounds.one(scene, platform, vendor, s, n, m)
    return [(f"{n:,} users × {m:,} of a vendor's API with 50 ms of latency on every page, into Postgres, against the same", rounds.told(),
             "≤ 0.5 ×", rounds.ratio <= 0.5)]


def match_memory(scene):
    """Ten times as many must not take more."""
    peaks, shares, n, m = [], [], *sizes(scene)
    for times in (1, 10):
        with world(scene, PgWarehouse, n * times, m * times) as (platform, vendor, s):
            _, said, peak = run(scene, platform, vendor, s)
            expect(said, n * times, m * times)
            peaks.append(peak)
            shares.append(max(said[side]["held_share"] for side in ("left", "right")))
    return [(f"worker RSS, peak, {n:,} × {m:,} users and ten times as many; the most rows of a side held at once",
             f"{peaks[0]:.0f} MB and {peaks[1]:.0f} MB; {shares[0]:.1%} and {shares[1]:.1%} of it", f"≤ {RSS_WANTED} MB, the same (10 %); ≤ 10 %",
             max(peaks) <= RSS_WANTED and peaks[1] <= 1.1 * peaks[0] + 1 and max(shares) <= 0.1)]
