"""What several measurements of the live path share: a backlog that is taken in, and how late events are seen."""
import json
import multiprocessing
import time

import oracle
from office import claim
from scene import all_acknowledged, wait_until
from servers import HOST


def share(values, part):
    """The value that this part of them does not exceed: 0.5 is the median."""
    values = sorted(values)
    return values[min(int(len(values) * part), len(values) - 1)]


def ingest_once(scene, streams):
    """Seconds from the daemon's start until everything is committed and acknowledged."""
    office = scene.office
    scene.checkpoint()
    daemon = office.daemon([office.redis_stream(s) for s in streams], start=False, name=f"daemon-{time.monotonic_ns()}")
    began = time.monotonic()
    daemon.start(wait=False)
    with scene.watch_memory(daemon):
        wait_until(lambda: all(all_acknowledged(office, s) for s in streams), 600, "the whole backlog", every=0.02)  # asking costs a core, too
        took = time.monotonic() - began
    for s in streams:
        accounts = office.accounted(s)
        assert accounts == office.client.xlen(s), f"{s}: {accounts} of {office.client.xlen(s)}"
    oracle.reconcile_ok(daemon)
    assert daemon.terminate() == 0
    return took


def publish_steadily(port, rate, seconds, sent):
    """A process of its own: one XADD each 1/rate seconds, with the time just before it was sent."""
    import redis
    c = redis.Redis(host=HOST, port=port)
    began, times = time.monotonic(), []
    for i in range(int(rate * seconds)):
        due = began + i / rate
        while (left := due - time.monotonic()) > 0:
            time.sleep(left if left > 0.0003 else 0)
        times.append(time.monotonic())
        c.xadd("claim", {"data": json.dumps(claim(i, 1 + i % 1000))})
    sent.send(times)


def delays(office, rate, seconds):
    """
    [(when it was sent, ms until it was seen)], in the order of sending. A second connection polls for new ids as fast
    as it can (some 0.2 ms a turn, which counts against us). It asks for what is above the first id not seen yet,
    because batches side by side may commit in another order.
    """
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    publisher = multiprocessing.get_context("fork").Process(target=publish_steadily,
                                                            args=(office.redis.port, rate, seconds, theirs))
    c = office.postgres.connect(office.database)
    q = c.cursor()
    q.execute("PREPARE news AS SELECT id FROM claim WHERE id > $1 ORDER BY id")
    publisher.start()
    seen, low, deadline = {}, 0, time.monotonic() + seconds + 20
    while low < rate * seconds and time.monotonic() < deadline:
        q.execute("EXECUTE news(%s)", (low - 1,))
        now = time.monotonic()
        for (key,) in q.fetchall():
            seen.setdefault(key, now)
        while low in seen:
            low += 1
    times = ours.recv()
    publisher.join()
    c.close()
    assert len(seen) == len(times), f"{len(seen)} of {len(times)} were seen in time"
    return [(sent, (seen[i] - sent) * 1000) for i, sent in enumerate(times)]
