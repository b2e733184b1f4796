"""
The figures, one function each. Each returns rows of the table: (what, reached, wanted, is it reached).

Every ratio is of two measurements of one run on one machine, taken in turn, and of the medians of each.
"""
import json
import os
import time

import psycopg2

import oracle
from dumps import dumps_memory, dumps_mysql, dumps_national, dumps_postgres
from harmonize import harmonize
from jobs import firing_lateness, spawn_latency, takeover, triggers
from live import delays, ingest_once, share
from match import match, match_latency, match_memory
from office import claim, diagnose
from rest import rest, rest_memory
from revenue import rollup
from scene import median, publish_backlog, published_counts, rewind, wait_until

ROUNDS = 3
TABLES = {"claim": "id, code, price, patient_id, tsp", "diagnose": "id, icd10_code, patient_id, tsp"}


def row(what, reached, wanted, well):
    return what, reached, wanted, well


# Backlog against COPY.

def dump_rows(office, stream):
    """The rows that ended in the table, as COPY wants them; and how many."""
    path = office.home / f"{stream}.copy"
    c = psycopg2.connect(office.url())
    with open(path, "wb") as out:
        c.cursor().copy_expert(f"COPY {stream} ({TABLES[stream]}) TO STDOUT", out)
    c.close()
    return path, office.sql(f"SELECT count(*) FROM {stream}")[0][0]


def copy_once(scene, path, stream):
    """Seconds for COPY of a file into the same table, keys and foreign keys on, until it is committed."""
    office = scene.office
    office.sql(f"TRUNCATE {stream}")
    scene.checkpoint()
    c = psycopg2.connect(office.url())
    with open(path, "rb") as rows:
        began = time.monotonic()
        c.cursor().copy_expert(f"COPY {stream} ({TABLES[stream]}) FROM STDIN", rows, size=1 << 16)
        c.commit()
        took = time.monotonic() - began
    c.close()
    return took


def against_copy(scene, streams, poison=0.0):
    """(ratio of the rates, events per second, events, seconds, seconds of COPY)."""
    office = scene.fresh_office()
    counts = publish_backlog(office, scene.size(500_000, 50_000), streams=",".join(streams), duplicates=0.10,
                             poison=poison)
    ingest, copy, rows = [], [], 0
    for round_ in range(ROUNDS):
        if round_:
            rewind(office, streams)
        ingest.append(ingest_once(scene, streams))
        path, rows_one = dump_rows(office, "claim")
        rows = sum(office.sql(f"SELECT count(*) FROM {s}")[0][0] for s in streams)
        copy.append(copy_once(scene, path, "claim"))
    ratio = (rows / median(ingest)) / (rows_one / median(copy))
    return ratio, sum(counts.values()), median(ingest), median(copy)


def told(result):
    ratio, events, seconds, copy = result
    return f"{ratio:.2f} ({events / seconds:,.0f} events/s; {seconds:.2f} s against {copy:.2f} s)"


def backlog(scene):
    n = scene.size(500_000, 50_000)
    result = against_copy(scene, ["claim"])
    what = f"{n:,} backlogged events, 10 % duplicates, Redis → committed and acked, against `COPY` of the same rows"
    return [row(what, told(result), "≥ 0.60", result[0] >= 0.60)]


def poison(scene):
    result = against_copy(scene, ["claim"], poison=0.01)
    return [row("the same with 1 % poison rows", told(result), "≥ 0.50", result[0] >= 0.50)]


def both_streams(scene):
    result = against_copy(scene, ["claim", "diagnose"])
    return [row("both streams at once, together, against the same `COPY` (rows per second)", told(result), "≥ 0.70",
                result[0] >= 0.70)]


# Against a consumer that takes one row at a time.

def consume_by_row(office, n):
    """What one would write in an afternoon: XREADGROUP, INSERT, COMMIT, XACK, for each. Rows per second."""
    office.client.xgroup_create("claim", "byrow", id="0")
    c = psycopg2.connect(office.url())
    q = c.cursor()
    began = time.monotonic()
    for _ in range(n):
        (_, ((entry, fields),)), = office.client.xreadgroup("byrow", "one", {"claim": ">"}, count=1)
        e = json.loads(fields[b"data"])
        q.execute("INSERT INTO claim(id, code, price, patient_id, tsp) VALUES (%s, %s, %s, %s, now())"
                  " ON CONFLICT DO NOTHING", (e["id"], e["code"], e["price"], e["patient_id"]))
        c.commit()
        office.client.xack("claim", "byrow", entry)
    rate = n / (time.monotonic() - began)
    c.close()
    return rate


def per_row(scene):
    office = scene.fresh_office()
    events = publish_backlog(office, scene.size(500_000, 50_000), streams="claim", duplicates=0.10,
                             unknown_patient=0)["claim"]
    scene.checkpoint()
    slow = consume_by_row(office, scene.size(5000, 1000))
    office.sql("TRUNCATE claim")
    fast = events / ingest_once(scene, ["claim"])
    return [row("against a per-row psycopg2 consumer", f"{fast / slow:,.0f} × ({fast:,.0f}/s against {slow:,.0f}/s)",
                "≥ 40 ×", fast / slow >= 40)]


# From XADD until a reader of the table can see the row.

def latency(scene):
    office = scene.fresh_office()
    daemon = office.daemon([office.redis_stream("claim")])
    daemon.wait_healthy()
    rate, seconds = 1000, scene.size(20, 5)
    late = [ms for _, ms in delays(office, rate, seconds)[rate:]]  # the first second warms up
    p50, p99 = share(late, 0.5), share(late, 0.99)
    return [row("XADD to visible in Postgres at 1,000 events/s, p50 / p99", f"{p50:.1f} ms / {p99:.1f} ms",
                "≤ 3 ms / ≤ 15 ms", p50 <= 3 and p99 <= 15)]


# The practice's own pipes, flat out.

MISSING = """
SELECT (SELECT max(id) + 1 - count(*) FROM {stream}) - (SELECT count(DISTINCT p.id)
    FROM (SELECT (convert_from(payload, 'UTF8')::json->>'id')::bigint AS id FROM ingest.dead_letter
        WHERE stream = '{stream}' AND state = 'parked') AS p
    WHERE p.id < (SELECT max(id) FROM {stream}) AND NOT EXISTS (SELECT FROM {stream} t WHERE t.id = p.id))
"""


def missing(office, stream, published):
    """
    Events that are nowhere. The publisher's ids have no gaps, so that an id which is neither a row nor parked is a
    loss; so is what the accounts lack (they may hold more: what a stop left in doubt is delivered twice).
    """
    return office.sql(MISSING.format(stream=stream))[0][0] + max(published - office.accounted(stream), 0)


def pipe(scene):
    office = scene.fresh_office()
    seconds, stopped_at, stopped_for = scene.size((60, 20, 20), (9, 3, 3))
    daemon = office.daemon([office.fifo_stream(s, spool_max="16GB") for s in ("claim", "diagnose")])
    daemon.wait_healthy()
    publisher = office.publisher(record=False, transport="fifo", rate=0, seconds=seconds,
                                 claim_pipe=office.pipe("claim"), diagnose_pipe=office.pipe("diagnose")).start()
    with scene.watch_memory(daemon):
        time.sleep(stopped_at)
        office.postgres.stop("immediate")
        time.sleep(stopped_for)
        office.postgres.start()
        code = publisher.wait(seconds + 60)
        counts = published_counts(publisher)
        for stream, n in counts.items():
            wait_until(lambda s=stream, n=n: office.accounted(s) >= n, 1800, f"{n} events of {stream}", every=0.5)
    lost = sum(missing(office, s, n) for s, n in counts.items())
    oracle.reconcile_ok(daemon)
    n = sum(counts.values())
    well = code == 0 and lost == 0 and n > 0
    said = f"{n:,} events ({n / seconds:,.0f}/s), {lost} lost, " + \
        ("never full" if code == 0 else f"publisher ended with {code}: {publisher.log_text().splitlines()[-1]}")
    return [row(f"the original pipe protocol, flat out for {seconds} s, Postgres stopped for {stopped_for} s of it", said,
                "nothing lost, never a full pipe", well)]


# At rest.

def idle(scene):
    office = scene.fresh_office()
    starts = []
    for i in range(5):
        daemon = office.daemon(start=False, name=f"start-{i}")
        starts.append(daemon.start() * 1000)
        if i < 4:
            assert daemon.terminate() == 0
    office.publish("claim", [claim(1)])
    office.publish("diagnose", [diagnose(1)])
    office.wait_settled()
    daemon.wait_healthy()
    time.sleep(1)
    seconds = scene.size(60, 5)  # a tick is 10 ms: shorter would be all rounding
    before = daemon.cpu_ticks()
    time.sleep(seconds)
    cpu = (daemon.cpu_ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds * 100
    now = daemon.memory()
    rss, anon = now["VmRSS"] / 1024, now["RssAnon"] / 1024
    return [
        row("daemon RSS, idle (anonymous)", f"{rss:.1f} MB ({anon:.1f} MB)", "≤ 12 MB (≤ 4 MB)",
            rss <= 12 and anon <= 4),
        row(f"idle CPU, over {seconds} s", f"{cpu:.2f} %", "0.0 %", cpu < 0.1),
        row("start to READY, median of 5", f"{median(starts):.0f} ms", "≤ 200 ms", median(starts) <= 200),
    ]


def memory(scene):
    """The peaks of all that was measured so far; on its own it makes a backlog first."""
    if not scene.memory:
        backlog(scene)
    rss, anon = scene.memory["rss"] / 1024, scene.memory["anon"] / 1024
    return [row("daemon RSS at any backlog, peak (anonymous)", f"{rss:.1f} MB ({anon:.1f} MB)", "≤ 24 MB (≤ 16 MB)",
                rss <= 24 and anon <= 16)]


MEASURES = {f.__name__.replace("_", "-"): f for f in
            (backlog, poison, both_streams, per_row, latency, pipe, rollup, firing_lateness, takeover, spawn_latency,
             triggers, idle, memory, dumps_mysql, dumps_postgres, dumps_memory, dumps_national, rest,
             rest_memory, match, match_latency, match_memory, harmonize)}
