"""
Faults of every kind, with the real servers, under load. After each: nothing lost, nothing doubled, row by row.
"""
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

import oracle
from office import MARKER, claim, diagnose
from oracle import Published
from programs import PipeWriter, frame_header
from servers import wait_until


def claims(start, n, seed=1):
    """n claims, a tenth of which re-use an earlier id with other values, and a few of unknown patients."""
    draw = random.Random(f"{seed} {start}")
    for i in range(start, start + n):
        key = draw.randrange(start, i + 1) if draw.random() < 0.1 else i
        code, price = draw.choice([("03003", 5), ("29001", 10), ("45001", 20), ("03230", 3)])
        yield claim(key, draw.randrange(0, 1001), code, price)


def taken(office, stream="claim"):
    """How many entries have left the stream for good, by Redis' own books."""
    if not office.client.exists(stream):
        return 0
    for group in office.client.execute_command("XINFO", "GROUPS", stream):
        fields = dict(zip(group[::2], group[1::2]))
        lag = fields[b"lag"]  # Redis itself may not know it, as after a restart
        if lag is None:
            lag = len(office.client.xrange(stream, "(" + fields[b"last-delivered-id"].decode(), "+"))
        return office.client.xlen(stream) - lag - fields[b"pending"]
    return 0


class Load:
    """A publisher in a thread: batches of claims until it is told to stop."""

    def __init__(self, office, per_batch=500, backlog=20_000):
        self.office = office
        self.client = office.redis.client()
        self.published = []
        self.stopping = threading.Event()
        self.per_batch, self.backlog = per_batch, backlog
        self.thread = threading.Thread(target=self._run, name="load", daemon=True)
        self.thread.start()

    def _run(self):
        start = 0
        while not self.stopping.is_set():
            events = list(claims(start, self.per_batch))
            with self.client.pipeline(transaction=False) as p:
                for e in events:
                    p.xadd("claim", {"data": json.dumps(e)})
                ids = [i.decode() for i in p.execute()]
            self.published += [Published("claim", e, i) for e, i in zip(events, ids)]
            start += self.per_batch
            if len(self.published) > self.backlog:
                self.stopping.wait(0.01)  # never so much that the test has to wait for the rest

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.client.close()
        self.office.published += self.published


# The daemon dies.

def test_daemon_killed_ten_times_under_load(office):
    office.publish("claim", claims(0, 60_000))
    streams = [office.redis_stream("claim"), office.fifo_stream("diagnose")]
    daemon = office.daemon(streams)
    writer = PipeWriter(office.pipe("diagnose")).open()
    draw, n_written = random.Random(11), 0
    for _ in range(10):
        target = min(taken(office) + draw.randrange(1, 5000), 60_000)
        wait_until(lambda: taken(office) >= target, 30, "progress", every=0.001)
        daemon.kill9()
        for key in range(n_written, n_written + 50):  # into the pipe that the service manager holds
            writer.frame(json.dumps(diagnose(key)).encode())
        n_written += 50
        daemon.start()
    writer.close()
    office.published += [Published("diagnose", diagnose(key)) for key in range(n_written)]
    office.wait_settled(timeout=60)
    office.check(redelivered=True)


def test_daemon_killed_at_random_moments_after_its_start(office):
    office.publish("claim", claims(0, 10_000))
    daemon = office.daemon()
    draw = random.Random(12)
    for _ in range(5):
        daemon.kill9()
        daemon.start(wait=False)
        began, when = time.monotonic(), draw.uniform(0, 0.3)
        wait_until(lambda: time.monotonic() - began > when, every=0.001)
    daemon.kill9()
    daemon.start()
    office.wait_settled(timeout=60)
    office.check(redelivered=True)


def test_sigterm_under_load_ends_within_five_seconds_and_acknowledges_all_that_is_committed(office):
    load = Load(office)
    daemon = office.daemon([office.redis_stream("claim")])
    wait_until(lambda: taken(office) > 2000, what="progress")
    began = time.monotonic()
    assert daemon.terminate(timeout=10) == 0
    assert time.monotonic() - began < 5
    load.stop()
    assert office.accounted("claim") == taken(office), "what is committed is acknowledged, and nothing else is"
    daemon.start()
    office.wait_settled(timeout=60)
    office.check()


def test_sigterm_while_postgres_is_frozen_ends_in_time(office):
    daemon = office.daemon()
    office.publish("claim", claims(0, 100))
    office.wait_settled()
    office.postgres.freeze()
    try:
        office.publish("claim", claims(100, 1000))
        began = time.monotonic()
        assert daemon.terminate(timeout=10) == 0
        assert time.monotonic() - began < 6
    finally:
        office.postgres.thaw()
    daemon.start()
    office.wait_settled()
    office.check(redelivered=True)


# Postgres dies.

@pytest.mark.parametrize("how", ["kill9", "immediate", "fast"])
def test_postgres_stopped_hard_and_restarted(office, how):
    load = Load(office)
    daemon = office.daemon([office.redis_stream("claim")])
    for _ in range(2):
        target = taken(office) + 2000
        wait_until(lambda: taken(office) > target, 30, "progress")
        office.postgres.kill9() if how == "kill9" else office.postgres.stop(how)
        wait_until(lambda: daemon.ctl("status")[0] == 1, what="a degraded status")
        office.postgres.start()
    target = taken(office) + 100
    wait_until(lambda: taken(office) > target, 30, "progress again")
    load.stop()
    office.wait_settled(timeout=60)
    daemon.wait_healthy()
    office.check(redelivered=True)


def test_our_backend_terminated_under_load(office):
    load = Load(office)
    daemon = office.daemon([office.redis_stream("claim")])
    for _ in range(5):
        target = taken(office) + 500
        wait_until(lambda: taken(office) > target, 30, "progress")
        office.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dataeng' AND datname = %s",
                   office.database)
    load.stop()
    office.wait_settled(timeout=60)
    daemon.wait_healthy()
    office.check(redelivered=True)


def test_postgres_away_reads_nothing_from_redis(office):
    daemon = office.daemon([office.redis_stream("claim")])
    daemon.wait_running()
    office.postgres.stop("immediate")
    wait_until(lambda: daemon.ctl("status")[0] == 1, what="a degraded status")
    office.publish("claim", claims(0, 50_000))
    assert daemon.streams()["claim"]["state"] == "waiting"
    assert taken(office) == 0
    daemon.assert_small()
    office.postgres.start()
    office.wait_settled(timeout=60)
    office.check()


def test_table_locked_for_a_while(office):
    """ACCESS EXCLUSIVE, as a migration takes it: we wait, and nothing is lost."""
    daemon = office.daemon([office.redis_stream("claim")], postgres={"timeout": "2s"})
    office.publish("claim", claims(0, 100))
    office.wait_settled()
    locker = office.postgres.connect(office.database)
    locker.autocommit = False
    locker.cursor().execute("LOCK TABLE claim IN ACCESS EXCLUSIVE MODE")
    office.publish("claim", claims(100, 1000))
    condition = daemon.wait_for_condition(["postgres"])
    assert condition["what"]
    locker.rollback()
    locker.close()
    office.wait_settled(timeout=60)
    daemon.wait_healthy()
    office.check(redelivered=True)


def test_serialization_failures_are_tried_again(office):
    office.sql(f"ALTER DATABASE {office.database} SET default_transaction_isolation = 'serializable'")
    office.daemon([office.redis_stream("claim")])
    office.publish("claim", claims(0, 5000))
    office.wait_settled(timeout=60)
    office.check()


def test_read_only_for_a_while(office):
    """As after a failover to a standby: 25006 is the server's state, not the row's fault."""
    daemon = office.daemon([office.redis_stream("claim")])
    office.publish("claim", claims(0, 100))
    office.wait_settled()
    office.sql(f"ALTER DATABASE {office.database} SET default_transaction_read_only = on")
    office.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dataeng' AND datname = %s",
               office.database)
    office.publish("claim", claims(100, 1000))
    wait_until(lambda: daemon.ctl("status")[0] == 1, what="a degraded status")
    office.postgres.connect("postgres").cursor().execute(
        f"ALTER DATABASE {office.database} RESET default_transaction_read_only")
    office.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dataeng' AND datname = %s",
               office.database)
    office.wait_settled(timeout=60)
    office.check(redelivered=True)


# Redis dies, or forgets.

@pytest.mark.parametrize("how", ["kill9", "stop"])
def test_redis_restarted_with_aof(office, how):
    office.start_redis(appendonly=True)
    office.publish("claim", claims(0, 30_000))
    daemon = office.daemon()
    for round_ in range(3):
        target = min(taken(office) + 1000, 30_000)
        wait_until(lambda: taken(office) >= target, 30, "progress")
        getattr(office.redis, how)()
        wait_until(lambda: daemon.ctl("status")[0] == 1, what="a degraded status")
        office.redis.start()
        office.publish("diagnose", [diagnose(round_)])
    office.wait_settled(timeout=60)
    daemon.wait_healthy()
    office.check(redelivered=True)


def test_acknowledgements_lost_by_redis_without_aof_make_duplicates_and_nothing_worse(office):
    """Redis falls back to an older snapshot: everything since is delivered again, and recognised."""
    office.publish("claim", claims(0, 2000))
    office.client.save()
    daemon = office.daemon([office.redis_stream("claim")])
    office.wait_settled()
    office.redis.kill9()
    office.redis.start()
    wait_until(lambda: taken(office) == 2000, what="all to be delivered again")
    wait_until(lambda: oracle.ledger(office.sql, "claim")[0] >= 2000, what="the accounts")
    daemon.wait_healthy()
    office.check(redelivered=True, reconcile=True)


@pytest.mark.parametrize("harm", ["XGROUP DESTROY", "DEL", "FLUSHALL"])
def test_what_redis_forgets_is_made_anew(office, harm):
    daemon = office.daemon([office.redis_stream("claim")])
    office.publish("claim", claims(0, 500))
    office.wait_settled()
    words = {"XGROUP DESTROY": ["claim", "ingestd"], "DEL": ["claim"], "FLUSHALL": []}[harm]
    office.client.execute_command(*harm.split(), *words)
    office.publish("claim", claims(500, 500))
    want = {e.event["id"] for e in office.published if e.event["patient_id"]}
    wait_until(lambda: oracle.table_rows(office.sql, "claim").keys() >= want, 30, "the later events")
    wait_until(lambda: office.unacknowledged("claim") == 0, what="the acknowledgements")
    daemon.wait_healthy()
    office.check(redelivered=True, reconcile=True)


def test_key_that_is_no_stream_is_refused_until_it_goes(office):
    office.client.set("claim", "a string")
    daemon = office.daemon([office.redis_stream("claim")])
    daemon.wait_for_condition(["claim"])
    office.client.delete("claim")
    office.publish("claim", claims(0, 10))
    office.wait_settled(timeout=60)
    daemon.wait_healthy()
    office.check()


def test_failover_to_a_replica_and_back(office):
    """READONLY answers, as from a master that was demoted: nothing is lost when it is a master again."""
    office.publish("claim", claims(0, 20_000))
    daemon = office.daemon([office.redis_stream("claim")])
    wait_until(lambda: taken(office) > 100, what="progress")
    office.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    wait_until(lambda: daemon.ctl("status")[0] == 1, 30, "a degraded status")
    office.client.execute_command("REPLICAOF", "NO", "ONE")
    office.wait_settled(timeout=60)
    daemon.wait_healthy()
    office.check(redelivered=True)


def test_redis_out_of_memory(office):
    """OOM refuses writes, XREADGROUP's own included: seen, said, healed."""
    office.publish("claim", claims(0, 100))
    daemon = office.daemon([office.redis_stream("claim")])
    office.wait_settled()
    office.publish("claim", claims(100, 100))
    office.client.config_set("maxmemory", "1")
    office.client.config_set("maxmemory", "0")
    office.wait_settled(timeout=60)
    daemon.wait_healthy()
    office.check()


def test_messages_deleted_while_pending(office):
    """XDEL of entries that were delivered and not acknowledged: gone upstream, but on record."""
    office.client.xgroup_create("claim", "ingestd", id="0", mkstream=True)
    ids = office.publish("claim", [claim(i) for i in range(100)])
    office.client.xreadgroup("ingestd", "ghost", {"claim": ">"}, count=100)
    office.client.xdel("claim", *ids[:50])
    office.published = [Published("claim", None, entry) for entry in ids[:50]] + office.published[50:]
    daemon = office.daemon([office.redis_stream("claim", claim_after="200ms")])
    office.publish("claim", [claim(i) for i in range(100, 150)])
    wait_until(lambda: len(oracle.table_rows(office.sql, "claim")) == 100, 30, "what was not deleted")
    wait_until(lambda: office.unacknowledged("claim") == 0, 30, "the pending list to be empty")
    daemon.wait_healthy()
    assert {letter["reason"] for letter in office.wait_letters(50)} == {"removed"}
    office.check(in_order=False, reconcile=True)


@pytest.mark.parametrize("n", [10, 30_000])
def test_long_pending_list_of_a_dead_consumer_is_claimed(office, n):
    office.client.xgroup_create("claim", "ingestd", id="0", mkstream=True)
    office.publish("claim", claims(0, n))
    office.client.xreadgroup("ingestd", "ghost", {"claim": ">"}, count=n)
    daemon = office.daemon([office.redis_stream("claim", claim_after="200ms")])
    office.publish("claim", claims(n, 500))  # what is new does not wait for what is old
    office.wait_settled(timeout=60)
    assert daemon.streams()["claim"]["claimed"] == n
    office.check(in_order=False)


def test_pending_entries_of_a_living_consumer_are_left_alone(office):
    office.client.xgroup_create("claim", "ingestd", id="0", mkstream=True)
    office.publish("claim", claims(0, 10))
    office.client.xreadgroup("ingestd", "living", {"claim": ">"}, count=10)
    daemon = office.daemon([office.redis_stream("claim", claim_after="1h")])
    office.publish("claim", [claim(i) for i in range(100, 110)])
    wait_until(lambda: office.accounted("claim") == 10, what="the new entries")
    assert daemon.streams()["claim"]["claimed"] == 0
    assert office.client.xpending("claim", "ingestd")["pending"] == 10


# Connections stall.

@pytest.mark.parametrize("what", ["both", "replies"])
def test_postgres_connection_stalled_not_closed(office, what):
    proxy = office.proxy(office.postgres)
    daemon = office.daemon([office.redis_stream("claim")], postgres={"url": office.url(proxy.port), "timeout": "2s"})
    load = Load(office)
    for _ in range(2):
        target = taken(office) + 500
        wait_until(lambda: taken(office) > target, 30, "progress")
        proxy.freeze(what)
        daemon.wait_for_condition(["postgres"], timeout=30)
        proxy.thaw()
    target = taken(office) + 500
    wait_until(lambda: taken(office) > target, 60, "progress again")
    load.stop()
    office.wait_settled(timeout=60)
    daemon.wait_healthy()
    office.check(redelivered=True)


@pytest.mark.parametrize("what", ["both", "replies"])
def test_redis_connection_stalled_not_closed(office, what):
    proxy = office.proxy(office.redis)
    daemon = office.daemon([office.redis_stream("claim", port=proxy.port)])
    office.publish("claim", claims(0, 20_000))
    wait_until(lambda: taken(office) > 500, 30, "progress")
    proxy.freeze(what)
    office.publish("claim", claims(20_000, 100))
    daemon.wait_for_condition(["claim"], timeout=60)
    proxy.thaw()
    office.wait_settled(timeout=90)
    daemon.wait_healthy()
    office.check(redelivered=True)


def test_redis_frozen_and_thawed(office):
    daemon = office.daemon()
    office.publish("claim", claims(0, 20_000))
    wait_until(lambda: taken(office) > 500, 30, "progress")
    office.redis.freeze()
    daemon.wait_for_condition(["claim"], timeout=60)
    office.redis.thaw()
    office.wait_settled(timeout=90)
    daemon.wait_healthy()
    office.check(redelivered=True)


def test_control_socket_answers_while_everything_is_frozen(office):
    daemon = office.daemon()
    daemon.wait_healthy()
    office.redis.freeze()
    office.postgres.freeze()
    try:
        began = time.monotonic()
        assert daemon.streams()
        assert time.monotonic() - began < 2
    finally:
        office.redis.thaw()
        office.postgres.thaw()


def test_connection_dropped_again_and_again(office):
    postgres, redis = office.proxy(office.postgres), office.proxy(office.redis)
    daemon = office.daemon([office.redis_stream("claim", port=redis.port)], postgres={"url": office.url(postgres.port)})
    load = Load(office)
    for round_ in range(6):
        target = taken(office) + 300
        wait_until(lambda: taken(office) > target, 30, "progress")
        (postgres if round_ % 2 else redis).drop()
    load.stop()
    office.wait_settled(timeout=60)
    daemon.wait_healthy()
    office.check(redelivered=True)


# Several daemons.

def test_two_daemons_on_one_group_one_killed(office):
    streams = [office.redis_stream("claim", claim_after="1s", consumer=name) for name in ("left", "right")]
    left = office.daemon(streams[:1], name="left")
    right = office.daemon(streams[1:], name="right")
    load = Load(office)
    wait_until(lambda: all(taken_by(d) > 1000 for d in (left, right)), 60, "both to have a share")
    left.kill9()
    target = taken(office) + 2000
    wait_until(lambda: taken(office) > target, 30, "the other to go on")
    load.stop()
    office.wait_settled(timeout=60)
    right.wait_healthy()
    office.check(in_order=False, redelivered=True)


def taken_by(daemon):
    """Batches count since a daemon's own start; the ledger's sums are everybody's."""
    return daemon.streams()["claim"]["batches"] * 1001


def test_two_daemons_with_the_same_new_ids_at_once(office):
    """Both transports carry the same events: whichever is first stores it, and the other counts a duplicate."""
    left = office.daemon([office.redis_stream("claim", consumer="left")], name="left")
    right = office.daemon([office.redis_stream("claim", consumer="right", group="second")], name="right")
    office.publish("claim", claims(0, 20_000))
    for group in ("ingestd", "second"):
        wait_until(lambda g=group: group_done(office, g), 60, f"the group {group}")
    want = oracle.expected(office.published, "claim", range(1, 1001))
    assert not oracle.row_differences(want, oracle.table_rows(office.sql, "claim"), "claim", in_order=False)
    for d in (left, right):
        d.wait_healthy()


def group_done(office, name):
    last = office.client.xinfo_stream("claim")["last-generated-id"]
    return any(g["name"].decode() == name and g["pending"] == 0 and g["last-delivered-id"] == last
               for g in office.client.xinfo_groups("claim"))


# The disk is full.

@pytest.fixture
def small_disk(office):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    state = office.home / "daemon" / "state"
    state.mkdir(parents=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "tmpfs", state],
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a small file system: {done.stderr.strip()}")
    yield state
    for d in office.daemons:
        d.kill9()
    subprocess.run(["umount", state], check=True)


@pytest.mark.parametrize("what", ["the disk", "spool_max"])
def test_no_room_in_the_spool(office, what, request):
    """Loud, counted, never silent: the pipe backs up, and everything written to it arrives in the end."""
    more = {}
    if what == "the disk":
        request.getfixturevalue("small_disk")
    else:
        more = {"spool_max": "16MB"}
    daemon = office.daemon([office.fifo_stream("claim", **more)])
    writer = PipeWriter(office.pipe("claim")).open()
    daemon.wait_running()
    office.postgres.stop("immediate")
    events = [claim(i, note="x" * 1000) for i in range(40_000)]  # some 42 MB, more than disk and pipe hold
    thread = threading.Thread(target=lambda: [writer.raw(framed(e)) for e in events], daemon=True)
    thread.start()
    condition = daemon.wait_for_condition(['"code": "spool"'])
    assert condition["severity"] == "failed" and condition["remedy"]
    assert thread.is_alive(), "the pipe backs up"
    assert daemon.ctl("status")[0] == 1
    office.postgres.start()
    thread.join(60)
    assert not thread.is_alive()
    office.published += [Published("claim", e) for e in events]
    office.wait_settled(timeout=60)
    daemon.wait_healthy(60)
    writer.close()
    office.check()


def framed(event):
    body = json.dumps(event).encode()
    return frame_header(len(body)) + body


def test_disk_full_and_killed(office, small_disk):
    daemon = office.daemon([office.fifo_stream("claim")])
    writer = PipeWriter(office.pipe("claim")).open()
    daemon.wait_running()
    office.postgres.stop("immediate")
    events = [claim(i, note="x" * 1000) for i in range(20_000)]
    thread = threading.Thread(target=lambda: [writer.raw(framed(e)) for e in events], daemon=True)
    thread.start()
    daemon.wait_for_condition(['"code": "spool"'])
    daemon.kill9()
    daemon.start()
    office.postgres.start()
    thread.join(60)
    office.published += [Published("claim", e) for e in events]
    office.wait_settled(timeout=60)
    writer.close()
    office.check(redelivered=True)


# Reload.

def test_sighup_with_a_broken_config_keeps_the_old_one_and_says_so(office):
    daemon = office.daemon()
    daemon.write_config(daemon.config_path.read_text() + "no_such_key: 1\n")
    daemon.reload()
    wait_until(lambda: "no_such_key" in daemon.log_text(), what="the log to say so")
    condition = daemon.wait_for_condition(["config"])
    assert condition["what"]
    office.publish("claim", claims(0, 100))
    office.wait_settled()
    daemon.write_config(office.config())
    daemon.reload()
    wait_until(lambda: not daemon.conditions(), what="the condition to go")
    office.check()


def test_sighup_under_load(office):
    load = Load(office)
    daemon = office.daemon([office.redis_stream("claim")])
    for round_ in range(5):
        target = taken(office) + 300
        wait_until(lambda: taken(office) > target, 30, "progress")
        daemon.write_config(office.config([office.redis_stream("claim", park_for=f"{round_ + 1}h")]))
        daemon.reload()
        daemon.manager.wait(lambda m: m.get("READY") == "1", what="READY=1 after the reload")
    load.stop()
    office.wait_settled(timeout=60)
    office.check()


def test_table_that_changes_under_load(office):
    """A column grows and the table is looked up anew again and again, while batches are on their way into it."""
    daemon = office.daemon([office.redis_stream("claim")])
    load = Load(office)
    for width in range(11, 31):
        target = taken(office) + 100
        wait_until(lambda: taken(office) > target, 30, "progress")
        office.sql(f"ALTER TABLE claim ALTER code TYPE varchar({width})")
        assert daemon.ctl("reload")[0] == 0
    load.stop()
    office.wait_settled(timeout=60)
    daemon.wait_healthy()
    office.check()


def test_reload_that_drops_and_brings_back_a_stream(office):
    daemon = office.daemon()
    load = Load(office)
    for _ in range(10):  # often enough to meet every state of a stream that begins
        daemon.write_config(office.config([office.redis_stream("diagnose")]))
        assert daemon.ctl("reload")[0] == 0
        daemon.write_config(office.config())
        assert daemon.ctl("reload")[0] == 0
    load.stop()
    office.wait_settled(timeout=60)
    office.check()


# Row data in logs.

def test_planted_marker_is_in_no_log(office):
    """In good rows, bad rows and rows only the server refuses; the teardown of every test looks into the logs."""
    office.sql("ALTER TABLE claim ADD CONSTRAINT no_marker CHECK (price <> 13)")
    office.sql("CREATE FUNCTION grumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
               " IF NEW.price = 17 THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$")
    office.sql("CREATE TRIGGER grumble BEFORE INSERT ON claim FOR EACH ROW EXECUTE FUNCTION grumble()")
    office.sql("ALTER TABLE claim ALTER code TYPE varchar(40)")
    daemon = office.daemon(log_level="debug")
    good = [claim(i, 1 + i, MARKER, i + 100, note=MARKER) for i in range(50)]
    bad = [claim(100, 1, MARKER, 13), claim(101, 1, MARKER, 100), claim(102, 1, MARKER, 17), claim(103, 0, MARKER),
           claim(104, 1, MARKER * 9), claim(105, MARKER, MARKER), claim(MARKER, 1, MARKER), {MARKER: MARKER}]
    office.add("claim", [{"data": json.dumps(e)} for e in good + bad])
    office.add("claim", [{"data": f"{MARKER} {{"}, {MARKER: MARKER}, {"id": MARKER, "code": MARKER}])
    wait_until(lambda: office.accounted("claim") == len(good + bad) + 3, what="all to be accounted for")
    daemon.ctl("dead", "list")
    for letter in office.letters():
        daemon.ctl("dead", "show", letter["id"])
    daemon.ctl("dead", "replay", "--stream", "claim")
    office.postgres.restart("immediate")
    office.publish("claim", [claim(200, 1, MARKER, 999)])
    wait_until(lambda: office.sql("SELECT 1 FROM claim WHERE id = 200"), 30, "an event after the restart")
    assert MARKER in office.sql("SELECT code FROM claim WHERE id = 1")[0][0]
    assert daemon.terminate() == 0


def test_signals_that_mean_nothing_to_us_do_nothing(office):
    daemon = office.daemon()
    daemon.signal(signal.SIGPIPE)
    office.publish("claim", claims(0, 10))
    office.wait_settled()
    assert daemon.running
