"""The control socket: every command, its exit code, and callers that mean harm or cannot spell."""
import fcntl
import json
import os
import re
import socket
import stat
import struct
import subprocess
import termios
import time

import pytest

import oracle
from office import claim
from programs import INGESTCTL, Varlink
from servers import wait_until

DONE, DEGRADED, USAGE, UNREACHABLE = 0, 1, 2, 3


@pytest.fixture
def daemon(office):
    d = office.daemon()
    office.publish("claim", [claim(1), claim(1), claim(2, 0)])
    office.publish_poison("claim", {"data": "not JSON"})
    office.wait_settled()
    d.wait_healthy()
    return d


# Commands.

def test_status(daemon):
    # What the ledger says is asked of Postgres now and then, and may be unknown (-1) just after the start.
    wait_until(lambda: daemon.streams()["claim"]["delivered"] >= 0 and daemon.streams()["claim"]["lag"] >= 0,
               what="the totals")
    code, status = daemon.ctl("status")
    assert code == DONE
    assert status["state"] == "HEALTHY" and status["name"] == "doctor-office" and status["pid"] == daemon.pid
    assert status["postgres"]["up"] is True and status["conditions"] == []
    stream = next(s for s in status["streams"] if s["name"] == "claim")
    assert [stream[k] for k in ("delivered", "inserted", "duplicate", "dead", "parked", "dead_letters", "lag",
                                "pending")] == [3, 1, 1, 1, 1, 1, 0, 0]
    assert stream["state"] == "running" and stream["connected"] is True


def test_status_for_people(daemon):
    code, text = daemon.ctl("status", json_output=False)
    assert code == DONE
    first, header, *rest = text.splitlines()
    assert first.startswith("ingestd ") and "doctor-office" in first and "HEALTHY" in first
    assert header.split() == ["streams", "source", "rate", "lag", "inserted", "duplicate", "dead", "parked"]
    assert any("redis claim/ingestd" in line for line in rest)


def test_status_when_postgres_is_away(office, daemon):
    office.postgres.stop("immediate")
    wait_until(lambda: daemon.ctl("status")[0] == DEGRADED, what="a degraded status")
    _, status = daemon.ctl("status")
    assert status["postgres"]["up"] is False and status["state"] != "HEALTHY"
    condition = next(c for c in status["conditions"] if "postgres" in c["subject"])
    assert condition["what"] and condition["remedy"] and condition["since"]
    _, text = daemon.ctl("status", json_output=False)
    assert condition["what"][:20] in text
    office.postgres.start()
    daemon.wait_healthy()


def test_streams(daemon):
    assert sorted(daemon.streams()) == ["claim", "diagnose"]


def test_reconcile(daemon):
    answer = oracle.reconcile_ok(daemon)
    assert {s["name"] for s in answer["streams"]} == {"claim", "diagnose"}
    assert all(s["checks"] for s in answer["streams"])


@pytest.mark.parametrize("lie", [
    "DELETE FROM claim", "UPDATE ingest.ledger SET inserted = inserted + 1, delivered = delivered + 1",
])
def test_reconcile_finds_what_is_wrong(office, daemon, lie):
    office.sql(lie)
    code, answer = daemon.ctl("reconcile")
    assert code == DEGRADED and answer["ok"] is False
    stream = next(s for s in answer["streams"] if s["name"] == "claim")
    assert stream["ok"] is False and any(not c["ok"] for c in stream["checks"])


def test_pause_and_resume(office, daemon):
    assert daemon.ctl("pause", "claim")[0] == DONE
    wait_until(lambda: daemon.streams()["claim"]["state"] == "paused", what="the stream to pause")
    before = office.accounted("claim")
    office.publish("claim", [claim(50)])
    office.publish("diagnose", [{"id": 50, "patient_id": 1, "icd10_code": "R41.3"}])
    office.wait_settled(["diagnose"])  # the other stream goes on
    assert office.accounted("claim") == before
    assert daemon.ctl("resume", "claim")[0] == DONE
    office.wait_settled()
    office.check()


def test_reload_takes_a_new_stream(office, daemon):
    daemon.write_config(office.config([office.redis_stream("claim")]))
    assert daemon.ctl("reload")[0] == DONE
    wait_until(lambda: list(daemon.streams()) == ["claim"], what="one stream")
    daemon.write_config(office.config())
    assert daemon.ctl("reload")[0] == DONE
    wait_until(lambda: len(daemon.streams()) == 2, what="both streams")
    office.publish("diagnose", [{"id": 51, "patient_id": 1, "icd10_code": "R41.3"}])
    office.wait_settled()
    office.check()


def test_reload_of_a_broken_config_says_where(daemon):
    daemon.config_path.write_text(daemon.config_path.read_text() + "no_such_key: 1\n")
    done = daemon.ctl_raw("reload")
    assert done.returncode == DEGRADED
    assert "no_such_key" in done.stdout + done.stderr
    assert daemon.ctl("streams")[0] == DONE


def test_check_of_a_configuration(daemon):
    assert daemon.ctl_raw("check", daemon.config_path).returncode == DONE
    daemon.config_path.write_text(daemon.config_path.read_text() + "no_such_key: 1\n")
    done = daemon.ctl_raw("check", daemon.config_path)
    assert done.returncode == DEGRADED and "no_such_key" in done.stdout + done.stderr


def test_check_needs_no_daemon(daemon):
    daemon.terminate()
    assert daemon.ctl_raw("check", daemon.config_path).returncode == DONE


def test_doctor_counts_failed_probes(office, daemon):
    assert daemon.ctl_raw("doctor").returncode == 0
    office.postgres.stop("immediate")
    done = daemon.ctl_raw("doctor")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "best" not in done.stdout + done.stderr, "a password is shown"


def test_config_masks_passwords(daemon):
    code, answer = daemon.ctl("config")
    assert code == DONE
    assert "best" not in json.dumps(answer) and "dataeng" in json.dumps(answer)


def test_config_schema_is_json_schema(daemon):
    code, schema = daemon.ctl("config", "--schema")
    assert code == DONE and "2020-12" in schema["$schema"] and "streams" in schema["properties"]


def test_top_ends_with_its_input(daemon):
    """Without a terminal it must not hang for ever: one picture, or a clear refusal."""
    done = daemon.ctl_raw("--json", "top", timeout=20)
    assert done.returncode in (DONE, USAGE)


def on_a_terminal(daemon, command, rows, columns, until):
    """What it writes to a terminal of that size until a text is there; then q is pressed."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    argv = [str(INGESTCTL), "--socket", str(daemon.control), command]
    seen = b""
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs) as program:
        os.close(theirs)
        while until not in seen:
            got = os.read(ours, 65536)
            assert got, seen
            seen += got
        os.write(ours, b"q")
        assert program.wait(20) == DONE
    os.close(ours)
    return seen.decode()


def test_top_shows_the_end_of_a_line_that_is_too_long(daemon):
    page = on_a_terminal(daemon, "top", 40, 30, b"q ends").split("\033[H", 1)[1]
    lines = [re.sub("\033\\[[0-9;?]*[a-zA-Z]", "", line) for line in page.split("\r\n")]
    assert max(len(line) for line in lines) < 30
    assert re.search(r"office_[0-9]+@127\.0\.0\.1 +up [0-9]+s, ", "".join(lines)), lines


@pytest.mark.parametrize("command", [["status"], ["streams"], ["reconcile"], ["dead", "list"], ["config"]])
def test_json_is_one_document(daemon, command):
    done = daemon.ctl_raw("--json", *command)
    assert done.returncode == DONE and json.loads(done.stdout) is not None and done.stderr == ""


@pytest.mark.parametrize("words", [
    [], ["nonsense"], ["stats"], ["dead"], ["dead", "nonsense"], ["dead", "show"], ["dead", "show", "x"], ["pause"],
    ["status", "surplus"], ["--nonsense", "status"],
], ids=" ".join)
def test_usage(daemon, words):
    done = daemon.ctl_raw(*words)
    assert done.returncode == USAGE and done.stderr and not done.stdout


def test_usage_suggests(daemon):
    assert "status" in daemon.ctl_raw("stauts").stderr


def test_help_and_version(daemon):
    done = daemon.ctl_raw("--help")
    assert done.returncode == DONE
    for word in "status streams dead reconcile pause resume reload check doctor config top".split():
        assert word in done.stdout
    assert daemon.ctl_raw("--version").returncode == DONE


@pytest.mark.parametrize("words, said", [("pause nosuch", "nosuch"), ("dead show 999999", "no letter")])
def test_what_does_not_exist(daemon, words, said):
    done = daemon.ctl_raw(*words.split())
    assert done.returncode == DEGRADED and said in done.stderr


@pytest.mark.parametrize("command", [["status"], ["streams"], ["dead", "list"], ["reconcile"], ["pause", "claim"],
                                     ["reload"]], ids=" ".join)
def test_daemon_not_reachable(daemon, command):
    daemon.terminate()
    done = daemon.ctl_raw(*command)
    assert done.returncode == UNREACHABLE and str(daemon.control) in done.stderr


def test_commands_that_need_postgres_say_so_when_it_is_away(office, daemon):
    office.postgres.stop("immediate")
    wait_until(lambda: daemon.ctl("status")[0] == DEGRADED, what="a degraded status")
    for command in (["reconcile"], ["dead", "list"]):
        done = daemon.ctl_raw(*command, timeout=20)
        assert done.returncode == DEGRADED and "postgres" in (done.stdout + done.stderr).lower()
    office.postgres.start()


# The socket itself.

def test_socket_is_closed_to_others(daemon):
    assert stat.S_IMODE(daemon.control.stat().st_mode) == 0o660


def test_socket_goes_with_the_daemon_and_a_stale_one_is_replaced(daemon):
    daemon.terminate()
    assert not daemon.control.exists()
    daemon.start()
    daemon.kill9()
    assert daemon.control.exists()
    daemon.start()
    assert daemon.ctl("status")[0] == DONE


def test_second_daemon_on_the_same_socket_refuses(office, daemon):
    second = office.daemon(name="second", start=False)
    second.config_path.write_text(daemon.config_path.read_text())
    second.start(wait=False)
    assert second.wait(20) != 0
    assert daemon.ctl("status")[0] == DONE


def test_introspection(daemon):
    with Varlink(daemon.control) as v:
        info = v.call("org.varlink.service.GetInfo")["parameters"]
        assert set(info["interfaces"]) >= {"org.varlink.service", "io.ingestd"} and info["product"] and info["version"]
        for interface in info["interfaces"]:
            answer = v.call("org.varlink.service.GetInterfaceDescription", interface=interface)
            text = answer["parameters"]["description"]
            assert f"interface {interface}" in text and "method " in text


@pytest.mark.parametrize("call, error", [
    ({"method": "io.ingestd.NoSuch"}, "org.varlink.service.MethodNotFound"),
    ({"method": "no.such.Method"}, "org.varlink.service.InterfaceNotFound"),
    ({"method": "nodots"}, "org.varlink.service."),
    ({"method": "io.ingestd.Pause"}, "org.varlink.service.InvalidParameter"),
    ({"method": "io.ingestd.Pause", "parameters": {"stream": 5}}, "org.varlink.service.InvalidParameter"),
    ({"method": "io.ingestd.Status", "parameters": {"surplus": 1}}, "org.varlink.service.InvalidParameter"),
    ({"method": "io.ingestd.Pause", "parameters": {"stream": "nosuch"}}, "io.ingestd.NoSuchStream"),
    ({"method": "io.ingestd.DeadShow", "parameters": {"id": -1}}, ""),
    ({"method": "io.ingestd.DeadList", "parameters": {"limit": 10**12}}, "org.varlink.service.InvalidParameter"),
    ({"method": "io.ingestd.DeadList", "parameters": {"state": "'; DROP TABLE claim; --"}},
     "org.varlink.service.InvalidParameter"),
], ids=str)
def test_call_that_is_wrong_gets_an_error_and_the_connection_stays(daemon, call, error):
    with Varlink(daemon.control) as v:
        v.send(call)
        assert v.receive()["error"].startswith(error)
        assert "error" not in v.call("io.ingestd.Ping")


@pytest.mark.parametrize("garbage", [
    b"\0", b"\0" * 1000, b"garbage\0", b"{}\0", b"[]\0", b"null\0", b'{"method": 5}\0', b'{"method": null}\0',
    b'{"method": "io.ingestd.Ping", "parameters": []}\0', b'{"method": "io.ingestd.Ping", "parameters": "x"}\0',
    b"\xff\xfe\xfd\0", b"[" * 100000 + b"\0", b'{"method":' * 10000 + b"\0", b"GET / HTTP/1.1\r\n\r\n\0",
    b'{"method": "io.ingestd.P\xffing"}\0', b'{"method": "io.ingestd.Ping\\u0000"}\0',
], ids=lambda g: repr(g[:24]))
def test_garbage_ends_at_most_its_own_connection(daemon, garbage):
    with Varlink(daemon.control) as v:
        send_anyway(v, garbage)
        v.socket.shutdown(socket.SHUT_WR)
        while v.receive() is not None:  # an error or nothing, and then the end
            pass
    assert daemon.ctl("status")[0] == DONE


def send_anyway(v, octets):
    """Sends as much as the server takes, and says whether it took all."""
    try:
        v.raw(octets)
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        return False
    return True


def test_message_without_an_end_is_cut_off(daemon):
    with Varlink(daemon.control) as v:
        assert not all(send_anyway(v, b"x" * (1 << 20)) for _ in range(64))
    daemon.assert_small()
    assert daemon.ctl("status")[0] == DONE


def test_half_messages(daemon):
    whole = json.dumps({"method": "io.ingestd.Ping", "parameters": {}}).encode() + b"\0"
    waiting = [Varlink(daemon.control) for _ in range(10)]
    for v in waiting:
        v.raw(whole[:10])
    with Varlink(daemon.control) as v:
        for octet in whole:
            v.raw(bytes([octet]))
        assert "error" not in v.receive()
    for v in waiting[:5]:
        v.raw(whole[10:])
        assert "error" not in v.receive()
    for v in waiting:
        v.close()
    assert daemon.ctl("status")[0] == DONE


def test_many_calls_in_one_write_are_answered_in_order(daemon):
    with Varlink(daemon.control) as v:
        v.raw(b"".join(json.dumps({"method": "io.ingestd.Pause", "parameters": {"stream": f"s{i}"}}).encode() + b"\0"
                       for i in range(200)))
        for i in range(200):
            assert v.receive()["parameters"]["stream"] == f"s{i}"


def test_flood_of_calls_that_nobody_reads(office, daemon):
    """Answers pile up in a caller that does not read: the daemon stops, drops it, and stays small."""
    call = json.dumps({"method": "io.ingestd.Status"}).encode() + b"\0"
    with Varlink(daemon.control, timeout=0.5) as v:
        assert not all(send_anyway(v, call * 100) for _ in range(300))
        assert daemon.ctl("status")[0] == DONE
        daemon.assert_small()
    office.publish("claim", [claim(60)])
    office.wait_settled()


def test_flood_of_connections(office, daemon):
    held = []
    try:
        for _ in range(300):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(0.2)
            held.append(s)
            try:
                s.connect(str(daemon.control))
            except (BlockingIOError, ConnectionRefusedError, TimeoutError):
                break
        office.publish("claim", [claim(61)])
        office.wait_settled()
    finally:
        for s in held:
            s.close()
    wait_until(lambda: daemon.ctl_raw("status").returncode == DONE, what="the socket to answer again")


def test_oneway_call_gets_no_answer(daemon):
    with Varlink(daemon.control) as v:
        v.send({"method": "io.ingestd.Pause", "parameters": {"stream": "claim"}, "oneway": True})
        v.send({"method": "io.ingestd.Ping"})
        assert v.receive().get("parameters") == {}
        wait_until(lambda: daemon.streams()["claim"]["state"] == "paused", what="the stream to pause")


def test_status_with_more_is_sent_again_and_again(daemon):
    with Varlink(daemon.control) as v:
        v.send({"method": "io.ingestd.Status", "more": True})
        began = time.monotonic()
        first, second = v.receive(), v.receive()
        assert first["continues"] is True and second["continues"] is True
        assert time.monotonic() - began < 5
    assert daemon.ctl("status")[0] == DONE
