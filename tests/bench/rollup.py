"""
The revenue rollup against the SQL that a person would type, and what its triggers cost whoever writes.

Each function returns {"ratio": …, and the medians in seconds it is made of}. The tables are as the practice has them: no
index but the keys. Both sides are processes of their own, psql and the worker, taken in turn.
"""
import datetime
import itertools
import json
import random
import subprocess
import time

import psycopg2

from programs import BUILD, REPO
from scene import median

WORKER = BUILD / "daemon/ingest-worker/ingest-worker"
SQL = REPO / "setup/rollup/revenue-by-condition.sql"
EPOCH = datetime.datetime(1970, 1, 1)
FIRST = datetime.datetime(2026, 1, 1)  # of the claims
MINUTE = datetime.timedelta(minutes=1)
WINDOW = 10 * MINUTE
_passes = itertools.count(1)

BUILD_SQL = """
INSERT INTO claim SELECT i, (ARRAY['03003', '29001', '45001', '03230'])[1 + i %% 4], (ARRAY[5, 10, 20, 3])[1 + i %% 4],
    1 + (i * 7919::bigint) %% 1000, %(first)s::timestamp + i * (%(length)s::interval / %(claims)s)
    FROM generate_series(1, %(claims)s) AS i;
INSERT INTO diagnose SELECT i, (ARRAY['A77.9', 'R41.3', 'J45.998', 'J44.9', 'R10.2', 'I50.9'])[1 + (i * 31::bigint) %% 6],
    1 + (i * 104729::bigint) %% 1000, %(first)s::timestamp + i * (%(length)s::interval / %(diagnoses)s)
    FROM generate_series(1, %(diagnoses)s) AS i;
CREATE TABLE IF NOT EXISTS ingest.run (pass bigint, status text);
ALTER TABLE ingest.run OWNER TO dataeng;
CREATE TABLE bare (window_start timestamp, window_end timestamp, condition text, icd10_code text, revenue numeric,
    claims bigint, patients bigint, revenue_to_date numeric, computed_at timestamptz, PRIMARY KEY (window_start, condition));
"""

# Windows of ten minutes in [from, to), each with the total of the row before the first.
BARE_SQL = """
INSERT INTO bare
WITH patients AS (
    SELECT DISTINCT k.condition, k.icd10_code, d.patient_id
    FROM diagnose d JOIN (VALUES ('Amnesia', 'R41.3'), ('Asthma', 'J44.9')) AS k (condition, icd10_code) USING (icd10_code)
), sums AS (
    SELECT date_bin('10 min', c.tsp, '2026-01-01') AS start, p.condition, p.icd10_code, sum(c.price) AS revenue,
           count(*) AS claims, count(DISTINCT c.patient_id) AS patients
    FROM claim c JOIN patients p USING (patient_id)
    WHERE c.tsp >= '{from_}' AND c.tsp < '{to}'
    GROUP BY 1, 2, 3
)
SELECT start, start + interval '10 min', condition, icd10_code, revenue, claims, patients,
       coalesce((SELECT b.revenue_to_date FROM bare b WHERE b.condition = s.condition AND b.window_end = '{from_}'), 0)
           + sum(revenue) OVER (PARTITION BY condition ORDER BY start), now()
FROM sums AS s;
"""


def build(office, claims=10_000_000, diagnoses=2_000_000):
    """Fills the practice's tables: ten weeks, at 10 million claims a thousand in each window."""
    with office.postgres.connect(office.database) as c, c.cursor() as q:
        q.execute(BUILD_SQL, {"claims": claims, "diagnoses": diagnoses, "first": FIRST,
                              "length": f"{windows(claims) * 10} min"})
    c.close()
    for table in ("claim", "diagnose"):
        office.sql(f"VACUUM ANALYZE {table}")
    office.sql("GRANT ALL ON bare TO dataeng")
    office.sql("CHECKPOINT")


def windows(claims):
    """How many windows the claims span."""
    return max(claims // 1000, 2000)


def window(i):
    return FIRST + i * WINDOW, FIRST + (i + 1) * WINDOW


def run_worker(office, first, n):
    """Seconds for the windows from the first on, as the daemon has it done, committed; and the statistics."""
    number = next(_passes)
    for _ in range(n):
        office.sql("INSERT INTO ingest.run VALUES (%s, 'running')", number)
    us = [[(t - EPOCH) // datetime.timedelta(microseconds=1) for t in window(first + i)] for i in range(n)]
    spec = {"job": "revenue", "kind": "rollup", "run": number, "pass": number, "scheduled_us": 0, "windows": us,
            "sql": str(SQL), "table": "revenue_by_condition", "time_zone": "UTC", "database": {"url": office.url()},
            "books": {"url": office.url()}, "schema": "ingest", "time_limit_us": 3_600_000_000,
            "memory_max": 128 << 20, "result_rows": 0, "transaction": True, "dry_run": False}
    began = time.monotonic()
    done = subprocess.run([str(WORKER)], input=json.dumps(spec) + "\n", capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    last = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, last
    return took, last["done"]


def run_psql(office, first, n):
    """Seconds for the same windows by hand."""
    text = BARE_SQL.format(from_=window(first)[0], to=window(first + n)[0])
    began = time.monotonic()
    subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", office.url()], input=text, text=True, check=True)
    return time.monotonic() - began


def compare(office, first, n, rounds):
    """Both for n windows a round, in turn, each round after the one before; then their results are the same."""
    ours, theirs = [], []
    for i in range(rounds):
        theirs.append(run_psql(office, first + i * n, n))
        ours.append(run_worker(office, first + i * n, n)[0])
    same = office.sql("SELECT count(*) FROM bare AS b JOIN revenue_by_condition AS r ON r.window_start = b.window_start AT"
                      " TIME ZONE 'UTC' AND (r.condition, r.revenue, r.claims, r.patients) = (b.condition, b.revenue,"
                      " b.claims, b.patients) WHERE b.window_start >= %s", window(first)[0])[0][0]
    assert same == 2 * n * rounds, f"{same} of {2 * n * rounds} rows are the same"
    return {"ratio": median(ours) / median(theirs), "rollup_s": median(ours), "bare_s": median(theirs), "windows": n}


def one_window(office, claims=10_000_000, rounds=7):
    """After build(): one window, day after day. The first run, which looks at everything, is told apart."""
    first = windows(claims) // 2
    took, _ = run_worker(office, first - 1, 1)
    run_psql(office, first - 1, 1)
    return {**compare(office, first, 1, rounds), "first_run_s": took}


def many_windows(office, claims=10_000_000, n=1000, rounds=3):
    """After one_window(): n missed windows in one pass."""
    first = windows(claims) // 2 + 100
    n = min(n, (windows(claims) - first) // rounds)
    run_worker(office, first - 1, 1)
    return compare(office, first, n, rounds)


# The live path.

INSERTS = {
    "claim": "INSERT INTO claim (id, code, price, patient_id, tsp) SELECT a, '03003', 5, b, c"
             " FROM unnest(%s, %s, %s::timestamp[]) AS u (a, b, c) ON CONFLICT (id) DO NOTHING",
    "diagnose": "INSERT INTO diagnose (id, icd10_code, patient_id, tsp) SELECT a, d, b, c"
                " FROM unnest(%s, %s, %s::timestamp[], %s) AS u (a, b, c, d) ON CONFLICT (id) DO NOTHING",
}


def batches(table, rows, size):
    """As they arrive: a batch is of half a second."""
    rng = random.Random(1)
    for start in range(0, rows, size):
        at = FIRST + start // size * datetime.timedelta(seconds=0.5)
        values = [list(range(start, start + size)), [rng.randint(1, 1000) for _ in range(size)],
                  [(at + i * datetime.timedelta(seconds=0.5) / size).isoformat() for i in range(size)]]
        if table == "diagnose":
            values.append([rng.choice(["A77.9", "R41.3", "J45.998", "J44.9", "R10.2", "I50.9"]) for _ in range(size)])
        yield values


def insert(office, table, rows, size):
    """Seconds of the statements alone."""
    office.sql(f"TRUNCATE {table}")
    office.sql("CHECKPOINT")
    c = psycopg2.connect(office.url())
    took = 0.0
    with c.cursor() as q:
        for values in batches(table, rows, size):
            bound = q.mogrify(INSERTS[table], values)
            began = time.monotonic()
            q.execute(bound)
            c.commit()
            took += time.monotonic() - began
    c.close()
    return took


def drop_triggers(office):
    office.sql("DROP FUNCTION IF EXISTS ingest.revenue_by_condition_note_claims CASCADE")
    office.sql("DROP FUNCTION IF EXISTS ingest.revenue_by_condition_note_diagnoses CASCADE")


def live_path(office, table="claim", rows=500_000, size=5000, rounds=5):
    """In an office of its own: the same inserts with and without the triggers, in turn. Empties the table."""
    office.sql("CREATE TABLE IF NOT EXISTS ingest.run (pass bigint, status text)")
    office.sql("ALTER TABLE ingest.run OWNER TO dataeng")
    without, with_ = [], []
    for _ in range(rounds):
        drop_triggers(office)
        without.append(insert(office, table, rows, size))
        office.sql(f"TRUNCATE {table}")
        run_worker(office, 0, 1)
        with_.append(insert(office, table, rows, size))
    assert office.sql("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'revenue_by_condition%%' AND tgrelid = %s::regclass",
                      table) == [(4,)]
    return {"ratio": median(with_) / median(without), "with_s": median(with_), "without_s": median(without), "rows": rows}
