"""The demo publisher: it must behave like the practice's own, or the tests with it prove nothing."""
import json
import os
import select

import pytest

import oracle
from programs import PUBLISHER
from servers import wait_until

DONE, FAILED, USAGE, PIPE_FULL, READER_GONE = 0, 1, 2, 3, 4


@pytest.fixture(autouse=True)
def built():
    if not PUBLISHER.exists():
        pytest.fail(f"not built: {PUBLISHER}")


def redis_options(office, **more):
    return {"transport": "redis", "redis": f"redis://127.0.0.1:{office.redis.port}/0", "rate": 0, **more}


def pipe_options(office, **more):
    return {"transport": "fifo", "streams": "claim", "claim_pipe": office.pipe("claim"), "rate": 0, **more}


def test_record_is_what_was_published(bare_office):
    p = bare_office.publisher(**redis_options(bare_office, count=500, poison=0.1)).run()
    record = [line for line in p.record() if line["stream"] == "claim" and "payload" in line]
    sent = [fields[b"data"] for _, fields in bare_office.client.xrange("claim") if b"data" in fields]
    assert {r["payload"] for r in record if r["kind"] != "no_data"} <= {s.decode("utf-8", "replace") for s in sent}
    assert bare_office.client.xlen("claim") == bare_office.client.xlen("diagnose") == 500


def test_shares(bare_office):
    p = bare_office.publisher(**redis_options(bare_office, count=20_000, unknown_patient=0.01, seed=5)).run()
    events = [e for e in oracle.from_record(p.record()) if e.stream == "claim"]
    ids = [e.event["id"] for e in events]
    assert 0.08 < 1 - len(set(ids)) / len(ids) < 0.12
    assert 100 < sum(e.event["patient_id"] == 0 for e in events) < 300
    assert min(ids) == 0 and max(ids) == len(set(ids)) - 1
    assert {(e.event["code"], e.event["price"]) for e in events} == {("03003", 5), ("29001", 10), ("45001", 20), ("03230", 3)}


def test_the_same_seed_makes_the_same_events(bare_office):
    runs = [bare_office.publisher(name, **redis_options(bare_office, count=200, seed=seed)).run().record()
            for name, seed in (("a", 3), ("b", 3), ("c", 4))]
    assert runs[0] == runs[1] != runs[2]


def test_fields_hold_the_same_values(bare_office):
    p = bare_office.publisher(**redis_options(bare_office, count=50, shape="fields", streams="claim")).run()
    sent = [{k.decode(): v.decode() for k, v in f.items()} for _, f in bare_office.client.xrange("claim")]
    assert sent == [{k: str(v) for k, v in e.event.items()} for e in oracle.from_record(p.record())]


def test_pipe_protocol(bare_office):
    p = bare_office.publisher(**pipe_options(bare_office, count=300)).start()
    octets = read_pipe(bare_office.pipe("claim"))
    assert p.wait() == DONE
    bodies = []
    while octets:
        n = int.from_bytes(octets[:32], "big")
        bodies.append(json.loads(octets[32:32 + n]))
        octets = octets[32 + n:]
    assert bodies == [e.event for e in oracle.from_record(p.record())]
    assert not bare_office.pipe("claim").exists(), "it removes its pipe"


def read_pipe(path):
    wait_until(path.exists, what="the pipe")
    fd, octets = os.open(path, os.O_RDONLY), b""
    while got := os.read(fd, 1 << 20):
        octets += got
    os.close(fd)
    return octets


def test_ends_when_the_pipe_is_full(bare_office):
    p = bare_office.publisher(**pipe_options(bare_office)).start()
    wait_until(bare_office.pipe("claim").exists, what="the pipe")
    fd = os.open(bare_office.pipe("claim"), os.O_RDONLY)
    assert p.wait() == PIPE_FULL
    os.close(fd)


def test_ends_when_the_reader_goes(bare_office):
    p = bare_office.publisher(**pipe_options(bare_office, rate=1000)).start()
    wait_until(bare_office.pipe("claim").exists, what="the pipe")
    fd = os.open(bare_office.pipe("claim"), os.O_RDONLY)
    select.select([fd], [], [], 10)
    os.close(fd)
    assert p.wait() == READER_GONE


def test_refuses_a_pipe_that_is_there(bare_office):
    os.mkfifo(bare_office.pipe("claim"))
    assert bare_office.publisher(**pipe_options(bare_office, count=1)).start().wait() == FAILED


def test_rate(bare_office):
    p = bare_office.publisher(**redis_options(bare_office, rate=200, seconds=2)).run()
    n = sum(1 for e in oracle.from_record(p.record()) if e.stream == "claim")
    assert 300 < n <= 420


def test_sigterm_ends_it_in_order(bare_office):
    p = bare_office.publisher(**pipe_options(bare_office, rate=100)).start()
    wait_until(bare_office.pipe("claim").exists, what="the pipe")
    fd = os.open(bare_office.pipe("claim"), os.O_RDONLY)
    select.select([fd], [], [], 10)
    assert p.terminate() == DONE
    os.close(fd)
    assert not bare_office.pipe("claim").exists()


def test_usage(bare_office):
    assert bare_office.publisher(record=False, nonsense=1).start().wait() == USAGE
