"""
What must be in the database, worked out from what was published and from nothing that the daemon says.

The rules (SYSTEMS, section 1): within a stream the first delivery of an id stands; a later one is a duplicate,
whatever its values; an event whose patient does not exist is parked; an event that is no row is dead.
"""
import base64
import json
from collections import namedtuple

from servers import wait_until

# One event as it was published. `event` is the object it stands for, None where it is none or no row.
# `entry` is the Redis entry id as text, None where it is not known.
Published = namedtuple("Published", "stream event entry", defaults=(None,))

# A table as the practice made it: name, the columns that an event sets, and the event's fields for them.
Shape = namedtuple("Shape", "table columns")
SHAPES = {
    "claim": Shape("claim", ("id", "code", "price", "patient_id")),
    "diagnose": Shape("diagnose", ("id", "icd10_code", "patient_id")),
}

Expected = namedtuple("Expected", "rows candidates parked dead published")


def from_record(lines):
    """The publisher's own record (--record), in the order of publication."""
    for line in lines:
        payload = line.get("payload")
        if payload is None:
            payload = base64.b64decode(line["payload_base64"])
        row = line["good"] or line["kind"] in ("unknown_patient", "extra_field", "large")
        yield Published(line["stream"], json.loads(payload) if row else None)


def expected(published, stream, patients):
    """
    rows: {id: (row, entry)} as the first delivery in order of publication has it; candidates: {id: [row, …]} of
    every delivery that could have been first; parked: the least and most letters that wait for a parent.
    """
    columns = SHAPES[stream].columns
    rows, candidates, orphans, dead, n = {}, {}, [], 0, 0
    for p in published:
        if p.stream != stream:
            continue
        n += 1
        if p.event is None:
            dead += 1
        elif p.event["patient_id"] not in patients:
            orphans.append((p.event["id"], p.event["id"] in rows))
        else:
            row = tuple(p.event[c] for c in columns)
            candidates.setdefault(p.event["id"], []).append(row)
            rows.setdefault(p.event["id"], (row, p.entry))
    # An unknown patient's event whose id is stored already may be called a duplicate or parked: both are true.
    certain = sum(1 for _, known_before in orphans if not known_before)
    return Expected(rows, candidates, (certain, len(orphans)), dead, n)


def table_rows(sql, stream):
    """{id: (row, tsp as Unix milliseconds)} as it stands in the table."""
    shape = SHAPES[stream]
    found = sql(f"SELECT {', '.join(shape.columns)}, floor(extract(epoch FROM tsp) * 1000)::bigint FROM {shape.table}")
    return {row[0]: (tuple(plain(v) for v in row[:-1]), row[-1]) for row in found}


def plain(value):
    """A numeric as JSON has it."""
    return value if isinstance(value, (int, str)) or value is None else float(value)


def differences(sql, published, streams=("claim", "diagnose"), in_order=True, redelivered=False):
    """
    Everything that is not as it must be, in words; an empty list when all is well. in_order: the first delivery
    is the first published (several daemons on one group may take them in another order). redelivered: a fault may
    have kept us from learning that a batch was committed, or its source from learning that it was acknowledged; it
    is delivered again then, and counts as a delivery and a duplicate more.
    """
    patients = {row[0] for row in sql("SELECT id FROM patient")}
    wrong = []
    for stream in streams:
        want = expected(published, stream, patients)
        wrong += row_differences(want, table_rows(sql, stream), stream, in_order)
        wrong += account_differences(sql, want, stream, redelivered)
    return wrong


def row_differences(want, found, stream, in_order):
    wrong = []
    missing = want.rows.keys() - found.keys()
    surplus = found.keys() - want.rows.keys()
    if missing:
        wrong.append(f"{stream}: {len(missing)} ids are missing, such as {sorted(missing)[:5]}")
    if surplus:
        wrong.append(f"{stream}: {len(surplus)} ids nobody published, such as {sorted(surplus)[:5]}")
    for key in want.rows.keys() & found.keys():
        row, tsp = found[key]
        first, entry = want.rows[key]
        if row != first and (in_order or row not in want.candidates[key]):
            wrong.append(f"{stream}: id {key} holds {row}, but its first delivery was {first}")
        elif in_order and entry is not None and tsp != int(entry.split("-")[0]):
            wrong.append(f"{stream}: id {key} has tsp {tsp}, but its entry is {entry}")
        if len(wrong) > 20:
            break
    return wrong


def ledger(sql, stream, schema="ingest"):
    """(delivered, inserted, duplicate, dead) over all minutes."""
    return sql(f"SELECT coalesce(sum(delivered), 0)::bigint, coalesce(sum(inserted), 0)::bigint,"
               f" coalesce(sum(duplicate), 0)::bigint, coalesce(sum(dead), 0)::bigint"
               f" FROM {schema}.ledger WHERE stream = %s", stream)[0]


def letters(sql, stream, schema="ingest"):
    """{state: how many} in the dead letters."""
    return dict(sql(f"SELECT state, count(*) FROM {schema}.dead_letter WHERE stream = %s GROUP BY 1", stream))


def account_differences(sql, want, stream, redelivered):
    delivered, inserted, duplicate, dead = ledger(sql, stream)
    waiting = letters(sql, stream)
    parked = waiting.get("parked", 0)
    claims = [
        (delivered == inserted + duplicate + dead,
         f"the ledger says {delivered} delivered, but {inserted} + {duplicate} + {dead}"),
        (inserted == len(table_rows(sql, stream)), f"{inserted} inserted in the ledger, the table holds another number"),
        (delivered + parked == want.published or (redelivered and delivered + parked > want.published),
         f"{want.published} were published, but {delivered} are accounted for and {parked} parked"),
        (want.parked[0] <= parked <= want.parked[1], f"{parked} parked, {want.parked} expected"),
        (dead == want.dead, f"{dead} dead in the ledger, {want.dead} expected"),
        (waiting.get("dead", 0) == want.dead, f"{waiting.get('dead', 0)} dead letters, {want.dead} expected"),
    ]
    return [f"{stream}: {words}" for well, words in claims if not well]


def reconcile_ok(daemon):
    """Asks the daemon to check its own accounts, and insists that they are right."""
    def asked():
        code, answer = daemon.ctl("reconcile")
        bad = [(s["name"], c) for s in (answer or {}).get("streams", []) for c in s.get("checks", []) if not c["ok"]]
        too_early = any("not yet" in c["note"] for _, c in bad)  # a stream that only just starts has no table yet
        return None if too_early else (code, answer, bad)
    code, answer, bad = wait_until(asked, 30, "every stream to have looked at its table", every=0.1)
    assert code == 0 and answer["ok"] is True and not bad, f"reconcile: exit {code}, {bad or answer}"
    return answer
