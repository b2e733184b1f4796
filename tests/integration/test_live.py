"""The main job on good days: every event once, by both transports and in both shapes, and accounts that are true."""
import pytest

import oracle
from office import claim, diagnose
from programs import PipeWriter
from servers import wait_until


def test_one_event_arrives(office):
    office.daemon()
    office.publish("claim", [claim(0, 67, "03230", 3)])
    office.publish("diagnose", [diagnose(0, 744)])
    office.wait_settled()
    assert office.sql("SELECT id, patient_id, code, price FROM claim") == [(0, 67, "03230", 3)]
    office.check()


@pytest.mark.parametrize("shape", ["data", "fields"])
def test_redis_streams_row_by_row(office, shape):
    daemon = office.daemon()
    publisher = office.publisher(transport="redis", redis=f"redis://127.0.0.1:{office.redis.port}/0", rate=0,
                                 count=5000, shape=shape, unknown_patient=0.01, seed=7).run()
    office.remember(publisher)
    office.wait_settled()
    office.check()
    assert oracle.ledger(office.sql, "claim")[2] > 300, "a tenth of the events re-use an id"
    assert oracle.letters(office.sql, "claim")["parked"] > 20
    assert daemon.terminate() == 0


def test_pipes_row_by_row(office):
    office.daemon([office.fifo_stream("claim"), office.fifo_stream("diagnose")])
    publisher = office.publisher(transport="fifo", claim_pipe=office.pipe("claim"), seed=8, rate=0, count=5000,
                                 diagnose_pipe=office.pipe("diagnose"), unknown_patient=0.01).run()
    office.remember(publisher)
    office.wait_settled()
    office.check()


def test_one_stream_of_each_transport(office):
    office.daemon([office.redis_stream("claim"), office.fifo_stream("diagnose")])
    publisher = office.publisher(transport="claim=redis,diagnose=fifo", rate=0, count=3000,
                                 redis=f"redis://127.0.0.1:{office.redis.port}/0",
                                 diagnose_pipe=office.pipe("diagnose")).run()
    office.remember(publisher)
    office.wait_settled()
    office.check()


def test_backlog_from_before_the_daemon_is_taken_from_its_beginning(office):
    office.publish("claim", (claim(i, 1 + i % 1000) for i in range(20000)))
    office.daemon()
    office.wait_settled()
    office.check()


def test_what_was_acknowledged_is_not_delivered_again_after_a_restart(office):
    daemon = office.daemon()
    office.publish("claim", (claim(i) for i in range(100)))
    office.wait_settled()
    assert daemon.terminate() == 0
    office.publish("claim", (claim(i) for i in range(100, 200)))
    daemon.start()
    office.wait_settled()
    office.check()


@pytest.mark.parametrize("apart", [False, True], ids=["in one batch", "in two batches"])
def test_first_delivery_wins(office, apart):
    first, later = claim(1, 7, "03003", 5), claim(1, 8, "29001", 10)
    if apart:
        office.daemon()
        office.publish("claim", [first])
        office.wait_settled()
        office.publish("claim", [later, claim(2)])
    else:
        office.publish("claim", [first, later, claim(2), later])  # before the daemon starts: one batch
        office.daemon()
    office.wait_settled()
    assert office.sql("SELECT patient_id, code, price FROM claim WHERE id = 1") == [(7, "03003", 5)]
    office.check()


@pytest.mark.parametrize("shape", ["data", "fields"])
def test_the_same_id_in_both_streams_is_two_events(office, shape):
    office.daemon()
    office.publish("claim", [claim(5, 1)], shape)
    office.publish("diagnose", [diagnose(5, 2)], shape)
    office.wait_settled()
    office.check()


def test_unknown_patient_is_parked_and_harms_nobody(office):
    office.publish("claim", [claim(1), claim(2, 0), claim(3)])
    office.daemon()
    office.wait_settled()
    assert [r[0] for r in office.sql("SELECT id FROM claim ORDER BY id")] == [1, 3]
    letter, = office.letters("claim")
    assert (letter["state"], letter["reason"]) == ("parked", "no_parent")
    office.check()


def test_parked_row_is_released_when_its_parent_arrives(office):
    daemon = office.daemon()
    entry, = office.publish("claim", [claim(2, 5001)])
    office.wait_settled()
    office.sql("INSERT INTO patient(id) VALUES (5001)")
    wait_until(lambda: office.sql("SELECT 1 FROM claim WHERE id = 2"), 90, "the parked row to be stored")
    wait_until(lambda: not oracle.letters(office.sql, "claim").get("parked"), 10, "the letter to be gone")
    office.check()
    assert oracle.table_rows(office.sql, "claim")[2][1] == int(entry.split("-")[0]), "it keeps its own time"
    assert oracle.ledger(office.sql, "claim") == (1, 1, 0, 0)
    assert daemon.ctl("status")[0] == 0


def test_parked_row_that_comes_too_late_is_a_duplicate(office):
    office.daemon()
    office.publish("claim", [claim(2, 5001), claim(2, 7)])
    office.wait_settled()
    assert office.sql("SELECT patient_id FROM claim") == [(7,)]
    office.sql("INSERT INTO patient(id) VALUES (5001)")
    wait_until(lambda: oracle.ledger(office.sql, "claim") == (2, 1, 1, 0), 90, "the letter to be a duplicate")
    assert office.sql("SELECT patient_id FROM claim") == [(7,)]


def test_parked_too_long_is_dead(office):
    office.daemon([office.redis_stream("claim", park_for="1s")])
    office.publish("claim", [claim(2, 5001)])
    office.wait_settled()
    wait_until(lambda: oracle.ledger(office.sql, "claim") == (1, 0, 0, 1), 90, "the letter to be dead")
    letter, = office.letters("claim")
    assert (letter["state"], letter["reason"]) == ("dead", "no_parent")


def test_many_unknown_patients_do_not_slow_the_others(office):
    office.publish("claim", (claim(i, 0 if i % 2 else 1) for i in range(4000)))
    office.daemon()
    office.wait_settled()
    office.check()


def test_a_lone_entry_does_not_wait_for_company(office):
    daemon = office.daemon()
    daemon.wait_healthy()
    office.publish("claim", [claim(1)])
    wait_until(lambda: office.sql("SELECT 1 FROM claim"), 1.0, "a lone entry within a second", every=0.005)


def test_extra_fields_are_counted_and_passed_over(office):
    daemon = office.daemon()
    office.publish("claim", [claim(1, note="x", more={"a": [1, None]})])
    office.wait_settled()
    office.check()
    assert daemon.streams()["claim"]["ignored_fields"] == 2


def test_pipe_survives_its_publishers_restart(office):
    office.daemon([office.fifo_stream("claim")])
    for round_ in range(3):
        writer = PipeWriter(office.pipe("claim")).open()
        events = [claim(round_ * 100 + i) for i in range(100)]
        for event in events:
            writer.frame(bytes(oracle.json.dumps(event), "utf-8"))
        writer.close()
        office.published += [oracle.Published("claim", e) for e in events]
        office.wait_settled()
    office.check()


def test_spool_survives_our_restart_while_postgres_is_away(office):
    daemon = office.daemon([office.fifo_stream("claim")])
    writer = PipeWriter(office.pipe("claim")).open()
    office.postgres.stop("immediate")
    events = [claim(i) for i in range(1000)]
    for event in events:
        writer.frame(bytes(oracle.json.dumps(event), "utf-8"))
    writer.close()
    wait_until(lambda: spooled(daemon) >= 1000 * 50, what="the frames to be spooled")
    daemon.kill9()
    office.postgres.start()
    daemon.start()
    office.published += [oracle.Published("claim", e) for e in events]
    office.wait_settled()
    office.check()


def spooled(daemon):
    return sum(p.stat().st_size for p in daemon.state_dir.rglob("*") if p.is_file())


def test_nothing_of_the_pipes_is_left_in_the_spool_when_all_is_stored(office):
    daemon = office.daemon([office.fifo_stream("claim")])
    publisher = office.publisher(transport="fifo", streams="claim", claim_pipe=office.pipe("claim"), rate=0,
                                 count=20000).run()
    office.remember(publisher)
    office.wait_settled()
    stream = daemon.streams()["claim"]
    assert stream["spool_bytes"] == 0 and stream["lag"] == 0
    office.check()
