"""Dead letters: found, read, replayed after the cause is healed, dropped; the accounts stay true throughout."""
import json

import pytest

import oracle
from office import claim
from programs import Varlink
from servers import wait_until

LONG = "0123456789abc"


@pytest.fixture
def daemon(office):
    """Three dead letters of two reasons, one parked, one row."""
    d = office.daemon()
    office.publish("claim", [claim(1), claim(2, 5001)])
    for key in (11, 12):
        office.publish_poison("claim", {"data": json.dumps(claim(key, code=LONG))})
    office.publish_poison("claim", {"data": "not JSON"})
    office.wait_settled()
    office.check()
    return d


def listed(daemon, *words):
    code, answer = daemon.ctl("dead", "list", *words)
    assert code == 0
    return answer["letters"] if isinstance(answer, dict) else answer


def assert_identity(office):
    delivered, inserted, duplicate, dead = oracle.ledger(office.sql, "claim")
    assert delivered == inserted + duplicate + dead
    assert office.sql("SELECT count(*) FROM claim") == [(inserted,)]
    return delivered, inserted, duplicate, dead


def test_list(office, daemon):
    letters = listed(daemon)
    assert sorted(l["reason"] for l in letters) == ["no_parent", "not_json", "too_long", "too_long"]
    assert [l["id"] for l in letters] == sorted(l["id"] for l in letters)
    assert "payload" not in letters[0] or letters[0]["payload"] is None
    assert LONG not in json.dumps(letters)


@pytest.mark.parametrize("words, n", [
    (["--state", "parked"], 1), (["--state", "dead"], 3), (["--reason", "too_long"], 2), (["--stream", "claim"], 4),
    (["--stream", "diagnose"], 0), (["--limit", "2"], 2), (["--stream", "claim", "--reason", "not_json"], 1),
], ids=lambda w: " ".join(w) if isinstance(w, list) else "")
def test_list_filtered(daemon, words, n):
    assert len(listed(daemon, *words)) == n


def test_show(office, daemon):
    for letter in office.letters():
        code, shown = daemon.ctl("dead", "show", letter["id"])
        shown = shown.get("letter", shown)
        assert code == 0 and shown["reason"] == letter["reason"] and shown["entry"] == letter["entry_id"]
        assert shown["payload"].encode() == letter["payload"]


def test_show_of_what_is_not_text(office, daemon):
    office.publish_poison("claim", {"data": b"\xff\x00\xfe"})
    office.wait_settled()
    _, shown = daemon.ctl("dead", "show", office.letters()[-1]["id"])
    assert shown.get("letter", shown)["payload_base64"] == "/wD+"


def test_replay_after_the_table_was_mended(office, daemon):
    office.sql("ALTER TABLE claim ALTER code TYPE varchar(20)")
    assert daemon.ctl("reload")[0] == 0
    code, answer = daemon.ctl("dead", "replay", "--reason", "too_long", "--stream", "claim")
    assert code == 0 and answer["replayed"] == 2
    wait_until(lambda: office.sql("SELECT id FROM claim WHERE id IN (11, 12)") and
               len(office.sql("SELECT id FROM claim")) == 3, what="the replayed rows")
    assert assert_identity(office)[0] == 4
    assert sorted(l["reason"] for l in listed(daemon)) == ["no_parent", "not_json"]
    oracle.reconcile_ok(daemon)


def test_replay_of_what_is_still_bad_changes_nothing(office, daemon):
    before = oracle.ledger(office.sql, "claim")
    bad = next(l["id"] for l in listed(daemon) if l["reason"] == "not_json")
    assert daemon.ctl("dead", "replay", bad)[0] in (0, 1)
    letters = wait_until(lambda: [l for l in listed(daemon) if l["reason"] == "not_json"], what="the letter")
    assert len(letters) == 1
    assert oracle.ledger(office.sql, "claim") == before == assert_identity(office)
    oracle.reconcile_ok(daemon)


def test_replay_of_what_has_come_meanwhile_is_a_duplicate(office, daemon):
    office.publish("claim", [claim(11, 9)])
    office.wait_settled()
    office.sql("ALTER TABLE claim ALTER code TYPE varchar(20)")
    daemon.ctl("reload")
    assert daemon.ctl("dead", "replay", "--reason", "too_long", "--stream", "claim")[0] == 0
    wait_until(lambda: oracle.ledger(office.sql, "claim") == (5, 3, 1, 1), what="the accounts of the replay")
    assert office.sql("SELECT patient_id FROM claim WHERE id = 11") == [(9,)], "the first that could be stored stands"
    oracle.reconcile_ok(daemon)


def test_drop(office, daemon):
    bad = next(l["id"] for l in listed(daemon) if l["reason"] == "not_json")
    before = assert_identity(office)
    code, answer = daemon.ctl("dead", "drop", bad)
    assert code == 0 and answer["dropped"] == 1
    assert bad not in [l["id"] for l in listed(daemon)]
    (state, payload), = office.sql("SELECT state, payload FROM ingest.dead_letter WHERE id = %s", bad)
    assert state == "dropped" and not payload, "that there was one stays on record, its payload does not"
    assert assert_identity(office) == before
    oracle.reconcile_ok(daemon)
    assert [l["id"] for l in listed(daemon, "--state", "dropped")] == [bad]


def test_drop_of_a_parked_one_ends_it(office, daemon):
    parked = next(l["id"] for l in listed(daemon) if l["state"] == "parked")
    assert daemon.ctl("dead", "drop", parked)[0] == 0
    office.sql("INSERT INTO patient(id) VALUES (5001)")
    office.publish("claim", [claim(20)])
    wait_until(lambda: office.sql("SELECT 1 FROM claim WHERE id = 20"), what="a later event")
    assert not office.sql("SELECT 1 FROM claim WHERE id = 2")
    assert_identity(office)
    oracle.reconcile_ok(daemon)


def test_dropped_ones_are_not_replayed(office, daemon):
    bad = next(l["id"] for l in listed(daemon) if l["reason"] == "too_long")
    daemon.ctl("dead", "drop", bad)
    office.sql("ALTER TABLE claim ALTER code TYPE varchar(20)")
    daemon.ctl("reload")
    _, answer = daemon.ctl("dead", "replay", "--stream", "claim", "--reason", "too_long")
    assert answer["replayed"] == 1
    assert_identity(office)


def test_replay_survives_kill9(office, daemon):
    """Killed anywhere in it: each letter is either still a letter or a row, and never both."""
    for key in range(100, 400):
        office.publish_poison("claim", {"data": json.dumps(claim(key, code=LONG))})
    office.wait_settled()
    office.sql("ALTER TABLE claim ALTER code TYPE varchar(20)")
    daemon.ctl("reload")
    daemon.ctl_raw("dead", "replay", "--stream", "claim", "--reason", "too_long")
    daemon.kill9()
    daemon.start()
    daemon.wait_running()
    daemon.ctl_raw("dead", "replay", "--stream", "claim", "--reason", "too_long")
    wait_until(lambda: not listed(daemon, "--reason", "too_long"), what="all letters to be replayed")
    assert office.sql("SELECT count(*) FROM claim") == [(303,)]
    assert_identity(office)
    oracle.reconcile_ok(daemon)


def test_reload_while_letters_are_replayed(office, daemon):
    """The table is looked up anew, with another width each time, while letters are on their way into it."""
    for key in range(100, 400):
        office.publish_poison("claim", {"data": json.dumps(claim(key, code="x" * 40))})
    office.wait_settled()
    before = assert_identity(office)
    with Varlink(daemon.control) as v:
        for width in range(14, 34):
            office.sql(f"ALTER TABLE claim ALTER code TYPE varchar({width})")
            v.send({"method": "io.ingestd.Reload"})
            for _ in range(2):
                v.send({"method": "io.ingestd.DeadReplay", "parameters": {"stream": "claim", "reason": "too_long"}})
            for _ in range(3):
                assert v.receive() is not None, "the daemon hung up"
    daemon.wait_running()
    assert assert_identity(office)[0] == before[0]
    oracle.reconcile_ok(daemon)


def test_replay_right_after_the_start(office, daemon):
    """Before the table was looked up: an error or a replay, and never half of it."""
    daemon.kill9()
    daemon.start()
    daemon.ctl_raw("dead", "replay", "--stream", "claim")
    daemon.wait_running()
    assert_identity(office)
    assert len([l for l in office.letters() if l["state"] == "dead"]) == 3


def test_text_for_people_names_the_reasons(daemon):
    code, text = daemon.ctl("dead", "list", json_output=False)
    assert code == 0 and "too_long" in text and "not_json" in text
