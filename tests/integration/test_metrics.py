"""/metrics and /healthz on the loopback listener."""
import http.client
import os
import re
import socket

import pytest

from office import claim
from servers import HOST, free_port, wait_until

# The text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
NAME, VALUE = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r'"((?:[^"\\\n]|\\.)*)"'
SAMPLE = re.compile(rf"^({NAME})(\{{(?:{NAME}={VALUE},?)*\}})? (?P<number>\S+)( \d+)?$")
LABEL = re.compile(f"({NAME})={VALUE}")


def get(daemon, path, method="GET"):
    c = http.client.HTTPConnection(HOST, daemon.http_port, timeout=10)
    try:
        c.request(method, path)
        answer = c.getresponse()
        return answer.status, answer.getheader("Content-Type") or "", answer.read().decode()
    finally:
        c.close()


def parse(text):
    """{(name, ((label, value), …)): number}; fails on a line that is none, and on a series without its type."""
    samples, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram", "summary", "untyped"), line
            types[name] = kind
        elif line and not line.startswith("#"):
            m = SAMPLE.match(line)
            assert m, f"not a sample: {line!r}"
            assert re.sub("_(bucket|sum|count)$", "", m[1]) in types or m[1] in types, f"no type before {line!r}"
            key = (m[1], tuple(sorted(LABEL.findall(m[2] or ""))))
            assert key not in samples, f"twice: {line!r}"
            samples[key] = float(m["number"])
    return samples, types


@pytest.fixture
def daemon(office):
    port = free_port()
    d = office.daemon(http=f"{HOST}:{port}")
    d.http_port = port
    d.wait_healthy()
    return d


def stream_samples(samples, stream):
    """Those of one stream, without its label."""
    return {(name, tuple(l for l in labels if l[0] != "stream")): value
            for (name, labels), value in samples.items() if ("stream", stream) in labels}


def test_metrics_agree_with_the_ledger(office, daemon):
    office.publish("claim", [claim(1), claim(1), claim(2), claim(3, 0)])
    office.publish_poison("claim", {"data": "x"})
    office.wait_settled()

    def claims():
        samples = stream_samples(parse(get(daemon, "/metrics")[2])[0], "claim")
        return samples if samples.get(("ingestd_delivered_total", ())) == 4 else None
    found = wait_until(claims, what="the totals")
    want = {("ingestd_entries", (("outcome", "inserted"),)): 2,
            ("ingestd_entries", (("outcome", "duplicate"),)): 1,
            ("ingestd_entries", (("outcome", "dead"),)): 1,
            ("ingestd_parked", ()): 1, ("ingestd_dead_letters", ()): 1, ("ingestd_source_connected", ()): 1,
            ("ingestd_stream_state", (("state", "running"),)): 1, ("ingestd_stream_state", (("state", "paused"),)): 0}
    assert {key: found.get(key) for key in want} == want


def test_form_of_the_metrics(daemon):
    status, kind, text = get(daemon, "/metrics")
    assert status == 200 and kind.startswith("text/plain") and "0.0.4" in kind and text.endswith("\n")
    samples, types = parse(text)
    assert all(name.startswith("ingestd_") for name, _ in samples)
    assert all(name.endswith("_total") for name, type_ in types.items() if type_ == "counter")


def test_metrics_for_every_stream(daemon):
    wait_until(lambda: all(s["delivered"] == 0 and s["lag"] == 0 for s in daemon.streams().values()),
               what="the totals")
    samples, _ = parse(get(daemon, "/metrics")[2])
    assert stream_samples(samples, "claim").keys() == stream_samples(samples, "diagnose").keys()


def test_healthz(office, daemon):
    assert get(daemon, "/healthz")[0] == 200
    office.postgres.stop("immediate")
    wait_until(lambda: get(daemon, "/healthz")[0] == 503, what="503")
    assert "postgres" in get(daemon, "/healthz")[2].lower()
    parse(get(daemon, "/metrics")[2])
    office.postgres.start()
    wait_until(lambda: get(daemon, "/healthz")[0] == 200, what="200 again")


@pytest.mark.parametrize("path, method, status", [
    ("/", "GET", {404}), ("/nosuch", "GET", {404}), ("/metrics/../../etc/passwd", "GET", {400, 404}),
    ("/metrics", "POST", {405, 404, 501}), ("/metrics", "DELETE", {405, 404, 501}), ("/metrics?x=1", "GET", {200}),
    ("/metrics", "HEAD", {200, 405}),
])
def test_other_requests(daemon, path, method, status):
    assert get(daemon, path, method)[0] in status


@pytest.mark.parametrize("octets", [b"\0" * 4096, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 1_000_000,
                                    b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100_000, b"POST /metrics HTTP/1.1\r\n"
                                    b"Content-Length: 9999999999\r\n\r\n"], ids=lambda o: repr(o[:16]))
def test_garbage(daemon, octets):
    with socket.create_connection((HOST, daemon.http_port), 5) as s:
        try:
            s.sendall(octets)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except OSError:
            pass  # it has hung up already
    assert get(daemon, "/healthz")[0] == 200


def test_slow_callers_do_not_keep_others_out(daemon):
    slow = [socket.create_connection((HOST, daemon.http_port), 5) for _ in range(50)]
    for s in slow:
        s.sendall(b"GET /metr")
    assert get(daemon, "/healthz")[0] == 200
    for s in slow:
        s.close()


def test_only_loopback_is_accepted(office):
    daemon = office.daemon(http=f"0.0.0.0:{free_port()}", start=False)
    daemon.start(wait=False)
    assert daemon.wait(20) != 0 and "0.0.0.0" in daemon.log_text()


def test_no_listener_unless_asked_for(office):
    daemon = office.daemon()
    inodes = set()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/{daemon.pid}/net/{name}", encoding="ascii") as table:
            inodes |= {line.split()[9] for line in list(table)[1:] if line.split()[3] == "0A"}
    assert not inodes & own_sockets(daemon.pid)


def own_sockets(pid):
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{fd}")
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found
