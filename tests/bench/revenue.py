"""
The revenue rollup over many claims, against the SQL that a person would type into psql for the same windows. What
both have written is compared row by row.
"""
import datetime
import re
import subprocess

from scene import median, wait_until
from servers import Postgres
from timer import REVENUE_SQL, job, leads

WINDOW = datetime.timedelta(minutes=10)
N_BEFORE, N_SINGLE, N_MISSED = 494, 6, 1000  # windows; the first of the single ones is not timed: it prepares
N_WINDOWS = N_BEFORE + N_SINGLE + N_MISSED
ROUNDS = 3  # of the catch-up

# The site's tables as they are. Foreign keys are not checked again, so that it takes seconds and not minutes.
FILL = """
SET session_replication_role = replica;
TRUNCATE patient, claim, diagnose;
INSERT INTO patient (id, phone_number, first_name, last_name)
    SELECT i, lpad((i % 10000000)::text, 10, '0'), 'First ' || i, 'Last ' || i FROM generate_series(1, {patients}) AS i;
INSERT INTO claim SELECT i, (ARRAY['03003', '29001', '45001', '03230'])[1 + i % 4], (ARRAY[5, 10, 20, 3])[1 + i % 4],
    1 + (hashint8(i)::bigint & 2147483647) % {patients}, '{first}'::timestamp + i * ('{span}'::interval / {claims})
    FROM generate_series(0::bigint, {claims} - 1) AS i;
INSERT INTO diagnose SELECT i, (ARRAY['A77.9', 'R41.3', 'J45.998', 'J44.9'])[1 + i % 4],
    1 + (hashint8(-i)::bigint & 2147483647) % {patients}, '{first}'::timestamp + i * ('{span}'::interval / {diagnoses})
    FROM generate_series(0::bigint, {diagnoses} - 1) AS i;
"""

BARE_TABLE = """
CREATE TABLE bare (window_start timestamptz, window_end timestamptz NOT NULL, condition text, icd10_code text NOT NULL,
    revenue numeric NOT NULL, claims bigint NOT NULL, patients bigint NOT NULL, revenue_to_date numeric NOT NULL,
    computed_at timestamptz NOT NULL, PRIMARY KEY (window_start, condition));
ALTER TABLE bare OWNER TO dataeng;
"""

# One window, with the total of the row before it.
BARE_WINDOW = """
WITH member AS (
    SELECT DISTINCT icd10_code, patient_id FROM diagnose WHERE icd10_code IN ('R41.3', 'J44.9')
), figure AS (
    SELECT icd10_code, sum(price) AS revenue, count(*) AS claims, count(DISTINCT patient_id) AS patients
    FROM claim JOIN member USING (patient_id)
    WHERE tsp >= '{start}' AND tsp < '{end}'
    GROUP BY icd10_code
)
INSERT INTO bare
SELECT '{start}+00', '{end}+00', c.condition, c.icd10_code, coalesce(f.revenue, 0), coalesce(f.claims, 0),
    coalesce(f.patients, 0), coalesce(f.revenue, 0)
        + (SELECT revenue_to_date FROM bare AS b WHERE b.condition = c.condition AND b.window_end = '{start}+00'), now()
FROM (VALUES ('Amnesia', 'R41.3'), ('Asthma', 'J44.9')) AS c (condition, icd10_code) LEFT JOIN figure AS f USING (icd10_code);
"""

# All windows of a span at once.
BARE_PASS = """
WITH member AS (
    SELECT DISTINCT icd10_code, patient_id FROM diagnose WHERE icd10_code IN ('R41.3', 'J44.9')
), figure AS (
    SELECT date_bin('10 min', tsp, '{start}') AS window_start, icd10_code, sum(price) AS revenue, count(*) AS claims,
        count(DISTINCT patient_id) AS patients
    FROM claim JOIN member USING (patient_id)
    WHERE tsp >= '{start}' AND tsp < '{end}'
    GROUP BY 1, 2
)
INSERT INTO bare
SELECT w AT TIME ZONE 'UTC', (w + interval '10 min') AT TIME ZONE 'UTC', c.condition, c.icd10_code,
    coalesce(f.revenue, 0), coalesce(f.claims, 0), coalesce(f.patients, 0),
    sum(coalesce(f.revenue, 0)) OVER (PARTITION BY c.condition ORDER BY w)
        + (SELECT revenue_to_date FROM bare AS b WHERE b.condition = c.condition AND b.window_end = '{start}+00'), now()
FROM generate_series('{start}'::timestamp, '{end}'::timestamp - interval '10 min', '10 min') AS w
CROSS JOIN (VALUES ('Amnesia', 'R41.3'), ('Asthma', 'J44.9')) AS c (condition, icd10_code)
LEFT JOIN figure AS f ON f.window_start = w AND f.icd10_code = c.icd10_code;
"""

DIFFERENT = """
SELECT count(*) FROM revenue_by_condition AS r FULL JOIN bare AS b USING (window_start, condition)
WHERE coalesce(r.window_end, b.window_end) <= %s
  AND (r.window_end, r.icd10_code, r.revenue, r.claims, r.patients, r.revenue_to_date)
      IS DISTINCT FROM (b.window_end, b.icd10_code, b.revenue, b.claims, b.patients, b.revenue_to_date)
"""


class Claims:
    """An office with many claims, up to now; a daemon with the rollup that does not fire by itself; and psql."""

    def __init__(self, scene):
        self.scene, self.office = scene, scene.fresh_office()
        self.n_claims, self.n_diagnoses = scene.size((10_000_000, 2_000_000), (1_000_000, 200_000))
        now = datetime.datetime.now(datetime.timezone.utc)
        self.end = now - (now - datetime.datetime.min.replace(tzinfo=now.tzinfo)) % WINDOW
        self.begin = self.end - N_WINDOWS * WINDOW
        self.office.sql(FILL.format(patients=self.n_diagnoses // 4, claims=self.n_claims, diagnoses=self.n_diagnoses,
                                    first=self.begin.replace(tzinfo=None), span=f"{N_WINDOWS * 10} min"))
        self.office.sql("RESET session_replication_role")
        self.office.sql("VACUUM ANALYZE")
        self.office.sql(BARE_TABLE)
        self.daemon = self.office.daemon([], jobs={"revenue": {
            "kind": "rollup", "sql": str(REVENUE_SQL), "table": "revenue_by_condition", "schedule": "every 10m",
            "time_limit": "10m", "retries": 0}})
        self.lead()
        assert self.daemon.ctl("pause", "revenue")[0] == 0

    def lead(self):
        wait_until(lambda: leads(self.daemon), 30, "the daemon to lead", every=0.05)

    def at(self, n):
        """The beginning of window n."""
        return self.begin + n * WINDOW

    def ours(self, n):
        """Seconds of a run of window n, from its start to its end on record: the worker's process and all."""
        code, run = self.daemon.ctl("run", "revenue", "--at", self.at(n + 1).isoformat(), "--wait", timeout=600)
        assert code == 0 and run["status"] == "done", run
        return run["duration_us"] / 1e6

    def bare(self, text, first, last):
        """Seconds of the statement as psql times it, from the beginning of window `first` to that of `last`."""
        path = self.office.home / "bare.sql"
        start, end = (self.at(n).strftime("%Y-%m-%d %H:%M") for n in (first, last))
        path.write_text("\\timing on\n" + text.format(start=start, end=end))
        argv = [Postgres._program("psql"), "-X", "-v", "ON_ERROR_STOP=1", "-f", path, self.office.url()]
        said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=900).stdout
        return float(re.search(r"^Time: ([\d.]+) ms", said, re.MULTILINE)[1]) / 1000

    def same(self, n):
        """Up to the beginning of window n both have written the same."""
        different = self.office.sql(DIFFERENT, self.at(n))[0][0]
        assert different == 0, f"{different} rows differ from what the bare SQL has written"

    def take_back(self, n, table):
        """As if nothing from window n on had been computed yet."""
        self.office.sql(f"DELETE FROM {table} WHERE window_start >= %s", self.at(n))
        self.office.sql(f"VACUUM {table}")
        self.scene.checkpoint()

    def scans(self):
        return self.office.sql("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'claim'")[0][0]

    def catch_up(self, n):
        """The daemon was down since the beginning of window n. (Seconds of the pass, passes, scans of claim.)"""
        assert self.daemon.terminate() == 0
        self.take_back(n, "revenue_by_condition")
        self.office.sql("DELETE FROM ingest.run")
        self.office.sql("UPDATE ingest.job SET handled_until = %s, paused = false", self.at(n))
        scans = self.scans()
        self.daemon.start()
        wait_until(self.caught_up, 600, "all missed windows", every=0.1)
        found = self.office.sql("SELECT DISTINCT pass, duration_us FROM ingest.run WHERE window_end <= %s", self.end)
        return sum(us for _, us in found) / 1e6, len(found), self.scans() - scans

    def caught_up(self):
        failed, done = self.office.sql("SELECT count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE"
                                       " status = 'done' AND finished IS NOT NULL AND window_end <= %s) FROM ingest.run",
                                       self.end)[0]
        assert failed == 0, job(self.daemon, "revenue")
        return done >= N_MISSED


def one_window(claims):
    """(seconds of ours, seconds of the bare SQL), in turn. Each comes to a window whose predecessor is there."""
    ours, bare = [], []
    for n in range(N_BEFORE, N_BEFORE + N_SINGLE):
        ours.append(claims.ours(n))
        if n == N_BEFORE:  # the total so far is in neither's time
            claims.office.sql("INSERT INTO bare SELECT * FROM revenue_by_condition")
            claims.office.sql("VACUUM ANALYZE")  # as autovacuum does within a minute
            continue
        bare.append(claims.bare(BARE_WINDOW, n, n + 1))
    claims.same(N_BEFORE + N_SINGLE)
    return median(ours[1:]), median(bare)


def missed_windows(claims):
    """(seconds of ours, of the bare SQL for all at once, passes at most, scans of claim at most)."""
    first, ours, bare, passes, scans = N_BEFORE + N_SINGLE, [], [], [], []
    for _ in range(ROUNDS):
        took, n_passes, n_scans = claims.catch_up(first)
        ours.append(took)
        passes.append(n_passes)
        scans.append(n_scans)
        claims.take_back(first, "bare")
        bare.append(claims.bare(BARE_PASS, first, N_WINDOWS))
        claims.same(N_WINDOWS)
    return median(ours), median(bare), max(passes), max(scans)


def rollup(scene):
    claims = Claims(scene)
    window, bare_window = one_window(claims)
    caught_up, bare_pass, passes, scans = missed_windows(claims)
    ratio, of_single, of_pass = window / bare_window, caught_up / (N_MISSED * bare_window), caught_up / bare_pass
    assert claims.daemon.terminate() == 0
    return [
        (f"rollup of one window over {claims.n_claims:,} claims and {claims.n_diagnoses:,} diagnoses, worker and all,"
         " against the bare SQL in psql", f"{ratio:.2f} × ({window:.2f} s against {bare_window:.2f} s)", "≤ 1.2 ×",
         ratio <= 1.2),
        (f"catch-up of {N_MISSED:,} missed windows of them",
         f"{passes} pass{'es' * (passes > 1)}, {scans} scan{'s' * (scans > 1)} of the table, {caught_up:.1f} s: {of_single:.4f} × "
         f"{N_MISSED:,} times the bare SQL, {of_pass:.2f} × one bare statement over the whole span",
         "one pass, not 1,000 scans", passes == 1 and scans < 10),
    ]
