"""The shipped rollup against brute force over all rows, by the real worker on a real Postgres."""
import datetime
import decimal
import itertools
import os
import pathlib
import random
import re
import threading
import zoneinfo

import psycopg2
import pytest

import office as office_module
from programs import REPO
from servers import wait_until
from test_worker import WORKER, Worker

SQL = REPO / "setup/rollup/revenue-by-condition.sql"
CONDITIONS = {"Amnesia": "R41.3", "Asthma": "J44.9"}
CODES = ["A77.9", "R41.3", "J45.998", "J44.9"]
UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)
MICROSECOND = datetime.timedelta(microseconds=1)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
RUN_TABLE = """CREATE TABLE IF NOT EXISTS ingest.run (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text, pass bigint, status text)"""
ROWS = ("SELECT window_start, window_end, condition, icd10_code, revenue, claims, patients, revenue_to_date"
        " FROM {} ORDER BY window_start, condition")
_numbers = itertools.count(1)


def us(instant):
    return (instant - EPOCH) // MICROSECOND


class Site:
    """A practice's database, and rollups of it."""

    def __init__(self, home, postgres, database):
        self.home, self.postgres, self.database = home, postgres, database
        self.url = postgres.url(database)
        self.connections, self.workers = [], []
        self.office = self.connect()          # the site's superuser
        self.ours = self.connect("dataeng")   # who the daemon is
        self.sql(RUN_TABLE, by=self.ours)

    def connect(self, user="postgres"):
        c = self.postgres.connect(self.database, user)
        c.cursor().execute("SET TimeZone = 'UTC'")
        self.connections.append(c)
        return c

    def sql(self, statement, *values, by=None):
        with (by or self.office).cursor() as q:
            q.execute(statement, values or None)
            return q.fetchall() if q.description else []

    def close(self):
        for w in self.workers:
            w.close()
            assert "Sanitizer" not in w.stderr, w.stderr
        for c in self.connections:
            c.close()


class Rollup:
    """A job; remembers which windows it was asked for."""

    def __init__(self, site, zone="UTC", table="revenue_by_condition", sql=SQL):
        self.site, self.zone, self.table, self.path = site, zone, table, sql
        self.windows = {}  # start -> end

    def start(self, windows, dry_run=False, n_runs=None, **more):
        number = next(_numbers)
        for _ in range(len(windows) if n_runs is None else n_runs):
            self.site.sql("INSERT INTO ingest.run (job, pass, status) VALUES ('revenue', %s, 'running')", number)
        worker = Worker({
            "job": "revenue", "kind": "rollup", "run": number, "pass": number, "scheduled_us": 0,
            "windows": [[us(a), us(b)] for a, b in windows], "sql": str(self.path), "table": self.table,
            "time_zone": self.zone, "database": {"url": self.site.url}, "books": {"url": self.site.url},
            "schema": "ingest", "time_limit_us": 60_000_000, "memory_max": 128 << 20, "result_rows": 0,
            "transaction": True, "dry_run": dry_run, **more})
        worker.number = number
        self.site.workers.append(worker)
        return worker

    def run(self, windows, **how):
        """The statistics of a run that went well."""
        stats = self.start(windows, **how).finish().stats
        if not how.get("dry_run"):
            self.windows.update(windows)
        return stats

    def fails(self, windows, **how):
        return self.start(windows, **how).finish().failure()

    def rows(self):
        return self.site.sql(ROWS.format(self.table))

    def versions(self):
        """Of every row which version it is: the same after a run that changed nothing, or was taken back."""
        return self.site.sql(f"SELECT ctid::text, xmin::text, computed_at FROM {self.table} ORDER BY ctid")

    def check(self):
        want, got = brute_force(self.site, self.zone, self.windows), self.rows()
        for w, g in itertools.zip_longest(want, got):
            assert same(w, g), f"wanted {w}\n   got {g}"


def same(a, b):
    return a and b and all(x == y or str(x) == str(y) == "NaN" for x, y in zip(a, b))


def instant(local, zone):
    """What a clock without zone means, as Postgres has it: of the doubled hour the second, of the skipped one what the
    clock before the change would have shown."""
    if local in ("infinity", "-infinity"):
        return float(local.replace("infinity", "inf"))
    t = datetime.datetime.fromisoformat(local)
    first, second = (us(t.replace(tzinfo=zone, fold=f).astimezone(UTC)) for f in (0, 1))
    return max(first, second)


def brute_force(site, zone, windows, conditions=None):
    zone = zoneinfo.ZoneInfo(zone)
    claims = [(instant(t, zone), p, price) for t, p, price in
              site.sql("SELECT tsp::text, patient_id, price FROM claim")]
    diagnoses = site.sql("SELECT patient_id, icd10_code FROM diagnose")
    rows = []
    for start, end in sorted(windows.items()):
        for condition, code in sorted((conditions or CONDITIONS).items()):
            who = {p for p, c in diagnoses if c == code}
            within = [(p, price) for t, p, price in claims if us(start) <= t < us(end) and p in who]
            before = sum((price for t, p, price in claims if t < us(end) and p in who), decimal.Decimal())
            rows.append((start, end, condition, code, sum((x for _, x in within), decimal.Decimal()), len(within),
                         len({p for p, _ in within}), before))
    return rows


@pytest.fixture(autouse=True)
def built():
    if not WORKER.exists():
        pytest.fail(f"not built: {WORKER}; set INGESTD_BUILD to the build directory")


@pytest.fixture
def site(tmp_path, postgres):
    name = f"rollup_{os.getpid()}_{next(_numbers)}"
    office_module.create_database(postgres, name)
    s = Site(tmp_path, postgres, name)
    yield s
    s.close()
    office_module.drop_database(postgres, name)


DAY = datetime.datetime(2026, 3, 10, tzinfo=UTC)


def span(i, n=1, minutes=10, origin=DAY):
    return [(origin + (i + k) * minutes * MINUTE, origin + (i + k + 1) * minutes * MINUTE) for k in range(n)]


def claim(site, key, patient, at, price=5, by=None):
    site.sql("INSERT INTO claim VALUES (%s, '03003', %s, %s, %s) ON CONFLICT DO NOTHING", key, price, patient, at, by=by)


def diagnose(site, key, patient, code="R41.3", by=None):
    site.sql("INSERT INTO diagnose VALUES (%s, %s, %s, '2026-03-10') ON CONFLICT DO NOTHING", key, code, patient, by=by)


# Random lives.

class Life:
    """What happens in a practice around a time: rows come, come again, come late, change and go."""

    def __init__(self, site, rng, middle):
        self.site, self.rng, self.middle = site, rng, middle
        self.key = itertools.count(1)
        self.open = None  # a connection with a transaction that is not over

    def at(self):
        hours = self.rng.choice([0.5, 2, 6, 40])
        t = self.middle + datetime.timedelta(hours=self.rng.uniform(-hours, hours))
        if self.rng.random() < 0.3:
            t = t.replace(minute=t.minute // 10 * 10, second=0, microsecond=0)  # right on a bound
        return "-infinity" if self.rng.random() < 0.003 else t.isoformat()

    def price(self):
        return self.rng.choice(["3", "5", "20.00", "0", "-7.5", "NaN"]) if self.rng.random() < 0.02 else \
            self.rng.choice(["3", "5", "10.25"])

    def some_key(self):
        return self.rng.randrange(1, 400)

    def insert(self, by):
        rows = [(self.some_key(), self.price(), self.rng.randint(1, 25), self.at()) for _ in range(self.rng.randint(0, 12))]
        for row in rows[:3]:
            self.site.sql("INSERT INTO claim VALUES (%s, '1', %s, %s, %s) ON CONFLICT DO NOTHING", *row, by=by)
        if rows[3:]:
            ids, prices, patients, times = zip(*rows[3:])
            self.site.sql("INSERT INTO claim SELECT u.a, '1', u.b, u.c, u.d FROM unnest(%s, %s::numeric[], %s,"
                          " %s::timestamp[]) AS u(a, b, c, d) ON CONFLICT DO NOTHING", list(ids), list(prices),
                          list(patients), list(times), by=by)

    def insert_diagnoses(self, by):
        for _ in range(self.rng.randint(0, 3)):
            diagnose(self.site, self.some_key(), self.rng.randint(1, 25), self.rng.choice(CODES), by=by)

    def change(self, by):
        what = self.rng.choice(["tsp = %s", "price = %s", "patient_id = %s"])
        value = {"t": self.at, "p": self.price}.get(what[0]) if what[1] in "sr" else lambda: self.rng.randint(1, 25)
        self.site.sql(f"UPDATE claim SET {what} WHERE id %% 31 = %s", value(), self.rng.randrange(31), by=by)

    def change_diagnoses(self, by):
        self.site.sql("UPDATE diagnose SET icd10_code = %s, patient_id = %s WHERE id = %s", self.rng.choice(CODES),
                      self.rng.randint(1, 25), self.some_key(), by=by)

    def remove(self, by):
        table = self.rng.choice(["claim", "diagnose"])
        self.site.sql(f"DELETE FROM {table} WHERE id %% 53 = %s", self.rng.randrange(53), by=by)

    def truncate(self, by):
        if self.open is None:
            self.site.sql(f"TRUNCATE {self.rng.choice(['claim', 'diagnose'])}")

    def happen(self, by=None):
        things = [self.insert] * 6 + [self.insert_diagnoses] * 3 + [self.change] * 2 + [self.change_diagnoses, self.remove]
        for _ in range(self.rng.randint(0, 4)):
            self.rng.choice(things)(by)

    def go_on(self):
        """Rows come and go; another transaction is begun, or one ends that was begun runs ago."""
        if self.open is None and self.rng.random() < 0.4:
            self.open = self.site.connect("dataeng")
            self.open.autocommit = False
            # Keys of its own: it would make the others wait.
            for _ in range(4):
                claim(self.site, 1000 + next(self.key), self.rng.randint(1, 25), self.at(), by=self.open)
                diagnose(self.site, 1000 + next(self.key), self.rng.randint(1, 25), self.rng.choice(CODES), by=self.open)
        elif self.open is not None and self.rng.random() < 0.5:
            self.open.commit() if self.rng.random() < 0.8 else self.open.rollback()
            self.open.close()
            self.open = None
        self.happen()
        if self.rng.random() < 0.03:
            self.truncate(None)


PLACES = [("UTC", "2026-03-10T12:00"), ("Europe/Berlin", "2026-03-29T02:30"), ("Europe/Berlin", "2026-10-25T02:30"),
          ("Australia/Lord_Howe", "2026-04-05T01:45"), ("Australia/Lord_Howe", "2026-10-04T02:15"),
          ("America/St_Johns", "2026-11-01T01:30"), ("Asia/Kathmandu", "2026-01-01T00:00")]


@pytest.mark.parametrize("zone, middle", PLACES, ids=[f"{z}-{m[:7]}" for z, m in PLACES])
def test_every_row_is_right_after_every_run(site, zone, middle):
    seed = int(os.environ.get("ROLLUP_SEED", 3))
    rng = random.Random(f"{seed} {zone} {middle}")
    local = datetime.datetime.fromisoformat(middle)
    origin = local.replace(tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(UTC) - 240 * MINUTE
    life, job = Life(site, rng, local), Rollup(site, zone)
    job.run(span(0, origin=origin))  # where a transaction is open, the triggers cannot be made
    for _ in range(int(os.environ.get("ROLLUP_STEPS", 16))):
        life.go_on()
        i = rng.randint(0, 40)
        windows = rng.choice([lambda: span(i, 1, origin=origin), lambda: span(i, rng.randint(1, 8), origin=origin),
                              lambda: span(i // 5, 1, 50, origin=origin), lambda: span(i, 9, origin=origin)[::3]])()
        job.run(windows)
        job.check()
        if rng.random() < 0.2:
            before = job.versions()
            assert job.run(windows)["changed"] == 0
            assert job.versions() == before


def test_the_oracle_and_postgres_agree_on_what_a_clock_means(site):
    for zone, middle in PLACES:
        for minutes in range(-150, 150, 5):
            local = (datetime.datetime.fromisoformat(middle) + minutes * MINUTE).isoformat()
            said = site.sql("SELECT (extract(epoch FROM %s::timestamp AT TIME ZONE %s) * 1000000)::bigint", local, zone)
            assert said == [(instant(local, zoneinfo.ZoneInfo(zone)),)], (zone, local)


# Single promises.

def test_what_a_window_holds(site):
    """Bounds, several diagnoses of one patient, a patient with both, another's claims, nothing at all."""
    for key, (patient, code) in enumerate([(1, "R41.3"), (1, "R41.3"), (1, "J44.9"), (2, "R41.3"), (3, "A77.9")]):
        diagnose(site, key, patient, code)
    for key, (patient, at) in enumerate([(1, "00:00"), (1, "00:09:59.999999"), (2, "00:10"), (3, "00:05")]):
        claim(site, key, patient, f"2026-03-10 {at}")
    job = Rollup(site)
    stats = job.run(span(0, 3))
    assert {k: stats[k] for k in ("windows", "recomputed", "rows", "changed")} == \
        {"windows": 3, "recomputed": 0, "rows": 6, "changed": 6}
    assert [tuple(map(int, r[4:])) for r in job.rows()] == [
        (10, 2, 1, 10), (10, 2, 1, 10), (5, 1, 1, 15), (0, 0, 0, 10), (0, 0, 0, 15), (0, 0, 0, 10)]
    job.check()


def test_fresh_rows_cause_no_work(site):
    job = Rollup(site)
    diagnose(site, 1, 1)
    job.run(span(0))
    for i in range(1, 4):
        claim(site, i, 1, f"2026-03-10 00:{i}5:00")
        assert job.run(span(i))["recomputed"] == 0
    job.check()
    claim(site, 9, 1, "2026-03-10 00:15:30")
    assert job.run(span(4))["recomputed"] == 1
    job.check()


def test_a_year_old_claim_touches_one_window_and_all_totals(site):
    job = Rollup(site)
    diagnose(site, 1, 1)
    job.run(span(0, 300))
    claim(site, 1, 1, "2026-03-10 00:05:00")
    stats = job.run(span(300))
    assert (stats["recomputed"], stats["changed"]) == (1, 301 + 1)  # Amnesia's rows, and a new row of Asthma
    job.check()


def test_a_claim_that_moves_leaves_one_window_and_comes_to_another(site):
    job = Rollup(site)
    diagnose(site, 1, 1)
    claim(site, 1, 1, "2026-03-10 00:05")
    job.run(span(0, 3))
    site.sql("UPDATE claim SET tsp = '2026-03-10 00:25'")
    assert job.run(span(3))["recomputed"] == 2
    job.check()


def test_a_price_that_is_no_number_spoils_totals_only_while_it_is_there(site):
    job = Rollup(site)
    diagnose(site, 1, 1)
    claim(site, 1, 1, "2026-03-10 00:05", "NaN")
    claim(site, 2, 1, "2026-03-10 00:15")
    job.run(span(0, 4))
    job.check()
    site.sql("DELETE FROM claim WHERE id = 1")
    job.run(span(4))
    job.check()


def test_a_window_of_another_length_takes_the_place_of_one_that_was_touched(site):
    job = Rollup(site)
    diagnose(site, 1, 1)
    job.run(span(0, 4))
    claim(site, 1, 1, "2026-03-10 00:05")
    job.run(span(0, 1, 60))
    job.check()


def test_a_time_that_the_clock_skipped(site):
    """Half past two was never shown; it means half past three, in a window whose clock begins at 03:20."""
    job = Rollup(site, "Europe/Berlin")
    diagnose(site, 1, 1)
    claim(site, 1, 1, "2026-03-29 02:30")
    job.run(span(8, origin=datetime.datetime(2026, 3, 29, 0, 10, tzinfo=UTC)))
    assert [int(r[4]) for r in job.rows()] == [5, 0]
    job.check()


def test_two_tables_do_not_disturb_each_other(site):
    """The ten-minute one, and a demo's ten seconds."""
    jobs = [Rollup(site), Rollup(site, table="revenue_demo")]
    site.sql("CREATE SCHEMA demo AUTHORIZATION dataeng")
    for i in range(4):
        diagnose(site, i, i + 1, CODES[i % 4])
        claim(site, i, i + 1, f"2026-03-10 00:0{i}:07")
        claim(site, 10 + i, 2, "2026-03-10 00:01:03")
        jobs[0].run(span(i))
        jobs[1].run(span(6 * i, 6, 1 / 6))
        for job in jobs:
            job.check()
    said = Rollup(site, table="demo.revenue_demo").fails(span(0))
    assert "the rollup of public.revenue_demo has its notes under this name already" in said["error"]
    jobs[1].run(span(0))


def test_a_condition_more_is_computed_everywhere(site):
    job = Rollup(site, sql=site.home / "mine.sql")
    job.path.write_text(SQL.read_text())
    claim(site, 1, 1, "2026-03-10 00:05")
    diagnose(site, 1, 1, "A77.9")
    job.run(span(0, 3))
    job.path.write_text(SQL.read_text().replace("'J44.9');", "'J44.9'),\n    ('Fever', 'A77.9');"))
    assert job.run(span(3))["recomputed"] == 3
    assert job.rows() == brute_force(site, "UTC", job.windows, {**CONDITIONS, "Fever": "A77.9"})
    job.path.write_text(SQL.read_text())
    job.run(span(4))
    job.check()


def test_another_time_zone_computes_everything_again(site):
    claim(site, 1, 1, "2026-03-10 00:05")
    diagnose(site, 1, 1)
    job = Rollup(site)
    job.run(span(-6, 12))
    job.zone = "Europe/Berlin"
    assert job.run(span(6))["recomputed"] == 12
    job.check()


def test_others_may_still_write(site):
    site.sql("DROP ROLE IF EXISTS clerk")
    site.sql("CREATE ROLE clerk LOGIN; GRANT INSERT, SELECT ON claim TO clerk; GRANT SELECT ON patient TO clerk")
    job, clerk = Rollup(site), site.connect("clerk")
    diagnose(site, 1, 1)
    job.run(span(0))
    claim(site, 1, 1, "2026-03-10 00:05", by=clerk)
    assert job.run(span(1))["recomputed"] == 1
    job.check()
    clerk.close()
    site.sql("DROP OWNED BY clerk; DROP ROLE clerk")


def test_a_dry_run_leaves_nothing(site):
    job = Rollup(site)
    claim(site, 1, 1, "2026-03-10 00:05")
    diagnose(site, 1, 1)
    stats = job.run(span(0), dry_run=True, n_runs=0)
    assert stats["changed"] == 2 and stats["dry_run"]
    assert site.sql("SELECT to_regclass('revenue_by_condition'), count(*) FROM pg_trigger"
                    " WHERE NOT tgisinternal") == [(None, 0)]
    job.run(span(0))
    claim(site, 2, 1, "2026-03-10 00:06")
    before = job.versions()
    assert job.run(span(1), dry_run=True, n_runs=0)["recomputed"] == 1
    assert job.versions() == before
    assert job.run(span(1))["recomputed"] == 1
    job.check()


# Others at the same time.

def test_a_reader_never_sees_a_part(site):
    """Every run changes all windows: whoever reads finds all rows of one run."""
    job = Rollup(site)
    diagnose(site, 1, 1)
    for i in range(60):
        claim(site, i, 1, f"2026-03-10 {i // 6:02}:{i % 6}5", price=1)
    job.run(span(0, 60))
    seen, over = set(), threading.Event()
    reader = site.connect()

    def read():
        while not over.is_set():
            seen.update(site.sql("SELECT array_agg(DISTINCT revenue)::text, count(*), max(revenue_to_date)"
                                 " FROM revenue_by_condition WHERE condition = 'Amnesia'", by=reader))
    thread = threading.Thread(target=read)
    thread.start()
    try:
        for price in range(2, 8):
            site.sql("UPDATE claim SET price = %s", price)
            job.run(span(0))
    finally:
        over.set()
        thread.join()
    assert seen <= {(f"{{{p}}}", 60, 60 * p) for p in range(1, 8)}
    assert len(seen) > 1


def blocked(site, job, window):
    """A worker that has come to its last statement and waits there, and who holds it up."""
    blocker = site.connect()
    blocker.autocommit = False
    site.sql("INSERT INTO revenue_by_condition VALUES (%s, %s, 'Amnesia', '', 0, 0, 0, 0, now())", *window[0], by=blocker)
    worker = job.start(window)
    worker.wait_for("compute")
    wait_until(lambda: site.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ingestd job revenue'"
                                " AND wait_event_type = 'Lock'") == [(1,)], 10, "the worker to wait")
    return worker, blocker


def test_a_killed_worker_leaves_nothing(site):
    job = Rollup(site)
    diagnose(site, 1, 1)
    job.run(span(0, 3))
    claim(site, 1, 1, "2026-03-10 00:15")
    before = job.versions()
    worker, blocker = blocked(site, job, span(3))
    worker.process.kill()
    worker.finish()
    blocker.rollback()
    wait_until(lambda: site.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ingestd job revenue'")
               == [(0,)], 15, "Postgres to notice")
    assert job.versions() == before
    assert site.sql("SELECT count(*) FROM ingest.run WHERE pass = %s AND status = 'running'", worker.number) == [(1,)]
    assert job.run(span(3))["recomputed"] == 1
    job.check()


def test_an_overtaken_worker_cannot_commit(site):
    job = Rollup(site)
    diagnose(site, 1, 1)
    job.run(span(0, 3))
    claim(site, 1, 1, "2026-03-10 00:15")
    before = job.versions()
    worker, blocker = blocked(site, job, span(3))
    site.sql("UPDATE ingest.run SET pass = 0 WHERE pass = %s", worker.number)
    blocker.rollback()
    said = worker.finish().failure()
    assert "overtaken" in said["error"] and not said["transient"]
    assert job.versions() == before
    assert job.run(span(3))["recomputed"] == 1
    job.check()


def test_two_workers_take_turns(site):
    job = Rollup(site)
    diagnose(site, 1, 1)
    job.run(span(0))
    worker, blocker = blocked(site, job, span(1))
    second = job.start(span(2))
    second.wait_for("connect")
    blocker.rollback()
    assert worker.finish().stats and second.finish().stats
    job.windows.update(span(1, 2))
    job.check()


def test_prepare_does_not_queue_before_the_live_path(site):
    job, writer = Rollup(site), site.connect("dataeng")
    writer.autocommit = False
    claim(site, 1, 1, "2026-03-10 00:05", by=writer)
    diagnose(site, 1, 1)
    said = job.fails(span(0))
    assert said["sqlstate"] == "55P03" and said["transient"]
    writer.commit()
    job.run(span(0))
    job.check()


# A table that changed under the job.

CHANGES = {
    "column renamed": ("ALTER TABLE claim RENAME tsp TO at", "ALTER TABLE claim RENAME at TO tsp", "tsp"),
    "column of another type": ("ALTER TABLE claim ALTER tsp TYPE timestamptz USING tsp AT TIME ZONE 'UTC'",
                               "ALTER TABLE claim ALTER tsp TYPE timestamp USING tsp AT TIME ZONE 'UTC'", "tsp"),
    "price renamed": ("ALTER TABLE claim RENAME price TO cost", "ALTER TABLE claim RENAME cost TO price", "price"),
    "price as text": ("ALTER TABLE claim ALTER price TYPE text", "ALTER TABLE claim ALTER price TYPE numeric"
                      " USING price::numeric", "sum"),
    "code renamed": ("ALTER TABLE diagnose RENAME icd10_code TO icd", "ALTER TABLE diagnose RENAME icd TO icd10_code",
                     "icd10_code"),
    "table renamed": ("ALTER TABLE claim RENAME TO claims", "ALTER TABLE claims RENAME TO claim", "public.claim"),
    "right revoked": ("REVOKE SELECT ON claim FROM dataeng", "GRANT SELECT ON claim TO dataeng", "permission denied"),
    "result's column dropped": ("ALTER TABLE revenue_by_condition DROP COLUMN patients", "DROP TABLE revenue_by_condition",
                                "patients"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_table_is_told_and_after_its_repair_all_is_right(site, change):
    how, repair, word = CHANGES[change]
    job = Rollup(site)
    diagnose(site, 1, 1)
    claim(site, 1, 1, "2026-03-10 00:05")
    job.run(span(0, 2))
    site.sql(how)
    claims = "claims" if change == "table renamed" else "claim"
    site.sql(f"INSERT INTO {claims} VALUES (2, '1', '7', 1, '2026-03-10 00:15')")  # the site is not kept from writing
    site.sql("INSERT INTO diagnose VALUES (2, 'J44.9', 1, '2026-03-10')")
    before = job.rows() if "dropped" not in change else None
    said = job.fails(span(2))
    assert re.match(r"revenue-by-condition\.sql:\d+: section \w+ failed, nothing was changed: ", said["error"])
    assert word in said["error"] and said["sqlstate"].startswith("42") and not said["transient"]
    assert before is None or job.rows() == before
    site.sql(repair)
    if "dropped" in change:
        job.windows = {}
    job.run(span(2))
    job.check()


def test_a_dropped_or_disabled_trigger_is_noticed(site):
    job = Rollup(site)
    diagnose(site, 1, 1)
    job.run(span(0, 2))
    for i, (how, again) in enumerate([
            ("DROP TRIGGER revenue_by_condition_insert ON claim", ""),
            ("ALTER TABLE diagnose DISABLE TRIGGER ALL", "ALTER TABLE diagnose ENABLE TRIGGER ALL"),
            ("DROP FUNCTION ingest.revenue_by_condition_note_claims CASCADE", ""),
            ("DROP TABLE ingest.revenue_by_condition_claimed", ""),
            ("DROP TABLE ingest.revenue_by_condition_patient, ingest.revenue_by_condition_condition", "")]):
        site.sql(how)
        claim(site, 2 * i, 1, "2026-03-10 00:05")
        diagnose(site, 10 + i, i + 1)
        claim(site, 2 * i + 1, i + 1, "2026-03-10 00:15")
        assert job.run(span(2 + i))["recomputed"] == 2 + i, how
        job.check()
        claim(site, 100 + i, 1, "2026-03-10 00:05")
        assert job.run(span(2 + i))["recomputed"] == 1, how  # and now it stands again
        job.check()


def test_a_dropped_table_is_made_again(site):
    job = Rollup(site)
    diagnose(site, 1, 1)
    job.run(span(0, 2))
    site.sql("DROP TABLE revenue_by_condition")
    job.windows = {}
    job.run(span(5))
    job.check()


# Files of one's own.

def test_the_shortest_file_of_the_page(site):
    site.sql("CREATE TABLE counts (window_start timestamptz PRIMARY KEY, claims bigint)", by=site.ours)
    path = site.home / "counts.sql"
    path.write_text(re.search(r"```sql\n(.*?)```", (REPO / "docs/rollup.md").read_text(), re.S)[1])
    claim(site, 1, 1, "2026-03-10 00:15")
    job = Rollup(site, table="counts", sql=path)
    stats = job.run(span(0, 3))
    assert (stats["rows"], stats["changed"], stats["recomputed"]) == (3, 3, 0)
    assert site.sql("SELECT claims FROM counts ORDER BY window_start") == [(0,), (1,), (0,)]


@pytest.mark.parametrize("text, words", [
    ("SELECT 1", ["mine.sql:1:", "before the first section"]),
    ("-- name: ready\nSELECT true", ["no section compute"]),
    ("-- name: compute\nSELECT {nothing}", ["mine.sql:2:", "unknown {nothing}"]),
    ("-- name: compute\nSELECT 1; SELECT 2", ["mine.sql:2:", "a second statement"]),
    ("-- name: compute\nSELECT 1 AS one", ["mine.sql:1:", "rows and changed"]),
    ("-- name: compute\nSELECT 1, 2\n-- name: touched\nSELECT 1, 2", ["mine.sql:3:", "window_start and window_end"]),
    ("-- name: compute\nSELECT 1, 2\n-- name: touched\nSELECT now() AS window_start, NULL AS window_end",
     ["mine.sql:3:", "without a NULL"]),
    ("-- name: compute\nSELECT 1\n-- name: ready\nSELECT 7", ["mine.sql:3:", "one boolean"]),
    ("\n-- name: compute\nSELECT 1\nFROM nowhere", ["mine.sql:2:", "section compute failed", "nowhere", "line 4"]),
    ("-- name: compute\nSELECT 1\n-- name: prepare\nCOMMIT", ["mine.sql:4:", "COMMIT"]),
])
def test_a_file_that_is_wrong(site, text, words):
    path = site.home / "mine.sql"
    path.write_text(text)
    said = Rollup(site, sql=path).fails(span(0))
    assert all(w in said["error"] for w in words), said
    assert not said["transient"]
