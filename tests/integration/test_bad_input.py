"""Bad input of every kind: each is dead with its reason and its whole payload, and never harms a neighbour."""
import json
import os

import pytest

import oracle
from office import MARKER, claim
from oracle import Published
from programs import PipeWriter, frame_header
from servers import wait_until

GOOD = json.dumps(claim(1)).encode()


def text(**fields):
    """A claim as JSON with some fields replaced by JSON text; None leaves one out."""
    parts = {"id": "5", "patient_id": "1", "code": '"03003"', "price": "5", **fields}
    return ("{" + ", ".join(f'"{k}": {v}' for k, v in parts.items() if v is not None) + "}").encode()


DEEP = '{"a":' * 100 + "1" + "}" * 100

# name -> (payload, the reason or the reasons that are both true)
DEAD = {
    "not JSON": (f"{MARKER} claim".encode(), "not_json"),
    "half of an object": (b'{"id": 5, "patient_id": 1', "not_json"),
    "two objects": (GOOD + b" " + GOOD, "not_json"),
    "trailing comma": (b'{"id": 5,}', "not_json"),
    "an array": (f'[1, "{MARKER}"]'.encode(), "not_object"),
    "a number": (b"5", "not_object"),
    "a string": (f'"{MARKER}"'.encode(), "not_object"),
    "null": (b"null", "not_object"),
    "empty": (b"", "empty"),
    "a missing field": (text(code=None), "missing_field"),
    "a missing key": (text(id=None), "missing_field"),
    "an empty object": (b"{}", "missing_field"),
    "a null field": (text(code="null"), "null_field"),
    "a null key": (text(id="null"), "null_field"),
    "a doubled field": (b'{"id": 5, "id": 6, "patient_id": 1, "code": "03003", "price": 5}', "doubled_field"),
    "a field doubled by escapes": (b'{"id": 5, "\\u0069d": 6, "patient_id": 1, "code": "x", "price": 5}',
                                   "doubled_field"),
    "text for an integer": (text(id=f'"{MARKER}"'), "wrong_type"),
    "true for an integer": (text(id="true"), "wrong_type"),
    "an object for an integer": (text(patient_id='{"a": 1}'), "wrong_type"),
    "an array for text": (text(code="[1]"), "wrong_type"),
    "text for a numeric": (text(price=f'"{MARKER}"'), "wrong_type"),
    "a fraction for an integer": (text(patient_id="1.5"), "wrong_type"),
    "a bigint too large": (text(id="9223372036854775808"), "out_of_range"),
    "a bigint too small": (text(id="-9223372036854775809"), "out_of_range"),
    "an int too large": (text(patient_id="2147483648"), "out_of_range"),
    "an integer with 400 digits": (text(patient_id="9" * 400), "out_of_range"),
    "1e400 for an integer": (text(patient_id="1e400"), "wrong_type"),
    "1e3 for an integer": (text(id="1e3"), "wrong_type"),
    "1000.0 for an integer": (text(id="1000.0"), "wrong_type"),
    "a numeric beyond any": (text(price="1e999999999"), "out_of_range"),
    "NaN": (text(price="NaN"), "not_json"),
    "Infinity": (text(price="-Infinity"), "not_json"),
    "NaN as text for an integer": (text(patient_id='"NaN"'), "wrong_type"),
    "hexadecimal": (text(patient_id="0x10"), "not_json"),
    "a leading zero": (text(patient_id="01"), "not_json"),
    "text too long": (text(code=f'"{MARKER}-x"'), "too_long"),
    "text too long in characters": (text(code='"ééééééééééé"'), "too_long"),
    "NUL in text": (text(code='"a\\u0000b"'), "nul_in_text"),
    "invalid UTF-8": (text(code='"x"').replace(b'"x"', b'"\xff\xfe"'), "not_utf8"),
    "overlong UTF-8": (text(code='"x"').replace(b'"x"', b'"\xc0\xaf"'), "not_utf8"),
    "a surrogate in UTF-8": (text(code='"x"').replace(b'"x"', b'"\xed\xa0\x80"'), "not_utf8"),
    "half a surrogate pair": (text(code='"\\ud800"'), "not_utf8"),
    "invalid UTF-8 in a field's name": (text(code='"x"').replace(b'"id"', b'"i\xff"'), {"not_utf8", "missing_field"}),
    "nested deep": (text(code=DEEP), {"too_deep", "wrong_type"}),
    "nested deep where nobody looks": (text(note=DEEP), "too_deep"),
    "a hundred thousand brackets": (b"[" * 100000, {"too_deep", "not_json", "not_object"}),
    "10 MB in a field": (text(code='"' + "x" * 10_000_000 + '"'), "too_long"),
    "10 MB of nothing": (b" " * 10_000_000, {"not_json", "empty"}),
}

# name -> (payload, the row it must become)
STORED = {
    "extra fields": (text(note=f'"{MARKER}"', more='{"a": [1, {}]}'), (5, "03003", 5, 1)),
    "an extra field of 10 MB": (text(note='"' + "x" * 10_000_000 + '"'), (5, "03003", 5, 1)),
    "escapes": (text(code='"\\u0030\\n\\"\\\\"'), (5, '0\n"\\', 5, 1)),
    "a pair of surrogates": (text(code='"\\ud83d\\ude00"'), (5, "\U0001f600", 5, 1)),
    "ten characters of two bytes": (text(code='"éééééééééé"'), (5, "é" * 10, 5, 1)),
    "white space": (b" \r\n\t" + text() + b"\n", (5, "03003", 5, 1)),
    "the largest bigint": (text(id="9223372036854775807"), (9223372036854775807, "03003", 5, 1)),
    "the smallest bigint": (text(id="-9223372036854775808"), (-9223372036854775808, "03003", 5, 1)),
    "a negative zero": (text(id="-0"), (0, "03003", 5, 1)),
    "a fraction for a numeric": (text(price="3.25"), (5, "03003", 3.25, 1)),
    "an exponent for a numeric": (text(price="1e3"), (5, "03003", 1000, 1)),
    "another order of fields": (b'{"price": 5, "code": "03003", "patient_id": 1, "id": 5}', (5, "03003", 5, 1)),
    "empty text": (text(code='""'), (5, "", 5, 1)),
    "text that looks like SQL": (text(code="\"'); -- \""), (5, "'); -- ", 5, 1)),
    "text that looks like an array": (text(code='"{NULL,a}"'), (5, "{NULL,a}", 5, 1)),
    "text that says NULL": (text(code='"NULL"'), (5, "NULL", 5, 1)),
}

NEIGHBOURS = [claim(101), claim(102)]


def publish_between_neighbours(office, fields):
    office.publish("claim", NEIGHBOURS[:1])
    entry = office.add("claim", [fields])[0]
    office.publish("claim", NEIGHBOURS[1:])
    return entry


def assert_neighbours_stored(office):
    found = oracle.table_rows(office.sql, "claim")
    assert 101 in found and 102 in found
    return found


def assert_reason(letter, reasons):
    allowed = reasons if isinstance(reasons, set) else {reasons}
    assert letter["state"] == "dead"
    assert letter["reason"] in allowed, f"{letter['reason']}: {letter['detail']}"
    assert MARKER not in (letter["detail"] or "")


@pytest.mark.parametrize("name", DEAD)
def test_dead_with_reason_and_payload(office, name):
    payload, reasons = DEAD[name]
    entry = publish_between_neighbours(office, {"data": payload})
    office.published.append(Published("claim", None, entry))
    office.daemon([office.redis_stream("claim")])
    office.wait_settled()
    letter, = office.letters()
    assert_reason(letter, reasons)
    assert letter["payload"] == payload and letter["entry_id"] == entry
    assert len(assert_neighbours_stored(office)) == 2
    office.check()


@pytest.mark.parametrize("name", STORED)
def test_odd_but_a_row(office, name):
    payload, row = STORED[name]
    entry = publish_between_neighbours(office, {"data": payload})
    office.published.append(Published("claim", dict(zip(("id", "code", "price", "patient_id"), row)), entry))
    office.daemon([office.redis_stream("claim")])
    office.wait_settled()
    assert assert_neighbours_stored(office)[row[0]][0] == row
    office.check()


# The shape with one field a column: everything is text there.
BAD_FIELDS = {
    "no data, no fields of ours": ({"foo": MARKER}, "no_data"),
    "a missing field": ({"id": "5", "patient_id": "1", "code": "03003"}, "missing_field"),
    "text for an integer": ({"id": MARKER, "patient_id": "1", "code": "x", "price": "5"}, "wrong_type"),
    "empty for an integer": ({"id": "", "patient_id": "1", "code": "x", "price": "5"}, "wrong_type"),
    "white space in an integer": ({"id": "5 5", "patient_id": "1", "code": "x", "price": "5"}, "wrong_type"),
    "too large": ({"id": "9223372036854775808", "patient_id": "1", "code": "x", "price": "5"}, "out_of_range"),
    "NaN": ({"id": "5", "patient_id": "1", "code": "x", "price": "NaN"}, {"wrong_type", "out_of_range"}),
    "too long": ({"id": "5", "patient_id": "1", "code": MARKER, "price": "5"}, "too_long"),
    "NUL": ({"id": "5", "patient_id": "1", "code": "a\0b", "price": "5"}, "nul_in_text"),
    "invalid UTF-8": ({"id": "5", "patient_id": "1", "code": b"\xff\xfe", "price": "5"}, "not_utf8"),
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_dead_in_the_shape_of_fields(office, name):
    fields, reasons = BAD_FIELDS[name]
    entry = publish_between_neighbours(office, fields)
    office.published.append(Published("claim", None, entry))
    daemon = office.daemon([office.redis_stream("claim")])
    office.wait_settled()
    letter, = office.letters()
    assert_reason(letter, reasons)
    for value in fields.values():
        assert (value if isinstance(value, bytes) else value.encode()) in letter["payload"]
    assert_neighbours_stored(office)
    _, shown = daemon.ctl("dead", "show", letter["id"])
    if all(isinstance(v, str) for v in fields.values()):
        assert json.dumps(fields)[1:-1].split(",")[0].split(":")[0] in json.dumps(shown)
    office.check()


def test_doubled_field_in_the_shape_of_fields(office):
    office.publish("claim", NEIGHBOURS[:1])
    entry = office.client.execute_command("XADD", "claim", "*", "id", "5", "id", "6", "patient_id", "1", "code", "x",
                                          "price", "5").decode()
    office.publish("claim", NEIGHBOURS[1:])
    office.published.append(Published("claim", None, entry))
    office.daemon([office.redis_stream("claim")])
    office.wait_settled()
    assert office.letters()[0]["reason"] == "doubled_field"
    office.check()


def test_longer_than_max_entry_keeps_the_beginning(office):
    payload = text(note='"' + "x" * 3_000_000 + '"')
    entry = publish_between_neighbours(office, {"data": payload})
    office.published.append(Published("claim", None, entry))
    office.daemon([office.redis_stream("claim")], max_entry="1MB")
    office.wait_settled()
    letter, = office.letters()
    assert letter["reason"] == "too_large"
    assert letter["payload"] == payload[:len(letter["payload"])] and len(letter["payload"]) >= 60_000
    assert_neighbours_stored(office)
    office.check()


def test_id_reused_with_other_values(office):
    office.publish("claim", [claim(1, 5, "03003", 5), claim(1, 6, "29001", 10)])
    office.daemon()
    office.wait_settled()
    assert oracle.ledger(office.sql, "claim") == (2, 1, 1, 0)
    assert not office.letters()
    office.check()


def test_all_kinds_of_the_publishers_poison(office):
    office.daemon()
    publisher = office.publisher(transport="redis", redis=f"redis://127.0.0.1:{office.redis.port}/0", rate=0,
                                 count=2000, poison=0.3, seed=3).run()
    office.remember(publisher)
    office.wait_settled()
    office.check()
    reasons = {r for r, in office.sql("SELECT DISTINCT reason FROM ingest.dead_letter")}
    assert len(reasons) >= 10, reasons


# Frames of a pipe.

def pipe_office(office):
    office.daemon([office.fifo_stream("claim")])
    return PipeWriter(office.pipe("claim")).open()


def write_good(office, writer, key):
    writer.frame(json.dumps(claim(key)).encode())
    office.published.append(Published("claim", claim(key)))


@pytest.mark.parametrize("name", ["not JSON", "an array", "a missing field", "a bigint too large", "text too long",
                                  "NUL in text", "invalid UTF-8", "10 MB in a field"])
def test_bad_body_in_a_pipe(office, name):
    payload, reasons = DEAD[name]
    writer = pipe_office(office)
    write_good(office, writer, 101)
    writer.frame(payload)
    write_good(office, writer, 102)
    office.published.append(Published("claim", None))
    office.wait_settled()
    letter, = office.letters()
    assert_reason(letter, reasons)
    assert letter["payload"] == payload
    writer.close()
    office.check()


def test_frame_of_length_0(office):
    writer = pipe_office(office)
    write_good(office, writer, 101)
    writer.frame(b"")
    write_good(office, writer, 102)
    office.published.append(Published("claim", None))
    office.wait_settled()
    assert office.letters()[0]["reason"] == "empty"
    writer.close()
    office.check()


def test_frame_longer_than_max_entry_is_passed_over_whole(office):
    """The length is believable, so that what follows the long frame is read as it should be."""
    office.daemon([office.fifo_stream("claim")], max_entry="1MB")
    writer = PipeWriter(office.pipe("claim")).open()
    write_good(office, writer, 101)
    writer.frame(b"x" * 3_000_000)
    write_good(office, writer, 102)
    office.published.append(Published("claim", None))
    office.wait_settled()
    letter, = office.letters()
    assert letter["reason"] == "too_large" and letter["payload"] == b"x" * len(letter["payload"])
    writer.close()
    office.check()


@pytest.mark.parametrize("length", [1 << 255, 1 << 64, (1 << 63) + 5, 1 << 48], ids=["2^255", "2^64", "2^63", "2^48"])
def test_frame_of_huge_length(office, length):
    """Nothing behind it can be trusted; what was before stands, and a publisher started anew is read again."""
    writer = pipe_office(office)
    write_good(office, writer, 101)
    try:
        writer.raw(frame_header(length) + MARKER.encode())
    except BrokenPipeError:
        pass  # the daemon may hang up at once
    office.published.append(Published("claim", None))
    letter, = office.wait_letters()
    assert letter["reason"] == "bad_frame"
    writer.close()
    writer = PipeWriter(office.pipe("claim")).open()
    write_good(office, writer, 102)
    office.wait_settled()
    assert_neighbours_stored(office)
    writer.close()


@pytest.mark.parametrize("cut", ["in the length", "behind the length", "in the body"])
def test_frame_cut_off(office, cut):
    writer = pipe_office(office)
    write_good(office, writer, 101)
    body = json.dumps(claim(5)).encode()
    whole = frame_header(len(body)) + body
    kept = {"in the length": 20, "behind the length": 32, "in the body": 40}[cut]
    writer.raw(whole[:kept])
    writer.close()
    letter, = office.wait_letters()
    assert letter["reason"] == "cut_off"
    if cut == "in the body":
        assert body[:8] in letter["payload"]
    office.published.append(Published("claim", None))
    writer = PipeWriter(office.pipe("claim")).open()
    write_good(office, writer, 102)
    office.wait_settled()
    assert_neighbours_stored(office)
    writer.close()
    office.check()


def test_frame_in_single_bytes(office):
    writer = pipe_office(office)
    body = json.dumps(claim(5)).encode()
    for octet in frame_header(len(body)) + body:
        writer.raw(bytes([octet]))
    office.published.append(Published("claim", claim(5)))
    office.wait_settled()
    writer.close()
    office.check()


def test_path_that_is_no_pipe_is_not_read(office):
    """A regular file or a directory at the pipe's path must not be taken for one."""
    path = office.pipe("claim")
    path.write_bytes(frame_header(len(GOOD)) + GOOD)
    daemon = office.daemon([office.fifo_stream("claim")])
    daemon.wait_for_condition(["claim"])
    os.unlink(path)
    writer = PipeWriter(path).open()
    write_good(office, writer, 101)
    office.wait_settled()
    assert not office.sql("SELECT 1 FROM claim WHERE id = 1")
    writer.close()
