"""lib/fetch against a hostile server, by way of tests/unit/fetch/fetch_cat."""
import email.utils
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import threading
import time
import zipfile

import pytest

from dump_server import (HOST, OK, Chunked, DumpServer, Lie, NoRanges, Raw, Redirect, Reset, Slow, Stall, Status, Then,
                         Truncate, Unmeasured, basic)
from programs import BUILD
from servers import free_port

FETCH_CAT = BUILD / "tests/unit/fetch/fetch_cat"
MARKER = "planted-marker-7731"
QUICK = {"retry_ms": 1}
NOISE = random.Random(7).randbytes(3_000_000)


def rows(n=40_000):
    return b"id,name\n" + b"".join(b"%d,somebody %d\n" % (i, i * 7919 % n) for i in range(n))


CSV = rows()


class Got:
    """What fetch_cat said and handed out."""

    def __init__(self, code, body, words):
        self.code, self.body, self.words = code, body, words
        assert code in (0, 1), f"fetch_cat ended with {code}: {words[-3000:]}"
        lines = [json.loads(line) for line in words.splitlines()]
        self.opened = next((line for line in lines if "answer" in line), None)
        self.last = lines[-1]
        self.fault = self.last.get("fault")
        self.facts = self.last.get("facts")
        self.links = self.last.get("links")
        assert MARKER not in words
        assert (code == 1) == (self.fault is not None)

    @property
    def peak_kb(self):
        """Its largest resident memory; what a sanitizer takes beside it is not counted."""
        return 0 if b"__asan_init" in FETCH_CAT.read_bytes() else self.last["peak_kb"]

    def good(self, body):
        """All of it came, and it is this."""
        assert self.fault is None, self.fault
        assert self.body == body, f"{len(self.body)} bytes of {len(body)}"
        return self

    def bad(self, *words, transient=False, changed=False, status=0):
        assert self.fault is not None, "it went well"
        for word in words:
            assert word in self.fault
        assert (self.last["transient"], self.last["changed"], self.last["status"]) == (transient, changed, status), self.last
        return self


def start(url, **wishes):
    argv = [FETCH_CAT, url]
    for name, value in {**QUICK, **wishes}.items():
        argv += [f"{name}={v}" for v in (value if isinstance(value, list) else [value])]
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                            bufsize=0)


def end(process, timeout=60):
    body, words = process.communicate(timeout=timeout)
    return Got(process.returncode, body, words.decode())


def fetch(url, **wishes):
    return end(start(url, **wishes))


@pytest.fixture
def server():
    with DumpServer() as s:
        yield s


def sha256(octets):
    return hashlib.sha256(octets).hexdigest()


# Whole and as it should be.

@pytest.mark.parametrize("read", [1000, 65536, 1 << 22])
def test_a_body_comes_whole_with_its_facts(server, read):
    got = fetch(server.put("/dumps/npi-2016-02-07.csv", CSV, etag='"one"', modified=1_454_800_000), read=read).good(CSV)
    assert got.opened["answer"] == "body"
    assert got.facts == {
        "url": server.url("/dumps/npi-2016-02-07.csv"), "name": "npi-2016-02-07.csv", "etag": '"one"',
        "last_modified": "Sat, 06 Feb 2016 23:06:40 GMT", "content_type": "text/csv", "sha256": sha256(CSV),
        "modified_us": 1_454_800_000_000_000, "total": len(CSV), "received": len(CSV), "unpacked": len(CSV), "resumed": 0}
    request, = server.requests()
    assert request["Accept-Encoding"] == "identity"
    assert request["User-Agent"].startswith("ingestd/")
    assert "Range" not in request and "Authorization" not in request


@pytest.mark.parametrize("body", [b"", b"a", b"ab", b"\x1f\x8b", b"PK\x03"])
def test_short_bodies(server, body):
    got = fetch(server.put("/x", body)).good(body)
    assert got.facts["sha256"] == sha256(body)


@pytest.mark.parametrize("behaviour", [Chunked(), Unmeasured()])
def test_a_length_that_is_not_said(server, behaviour):
    got = fetch(server.put("/x", CSV, [behaviour])).good(CSV)
    assert got.opened["total"] == -1
    assert got.facts["received"] == len(CSV)


@pytest.mark.parametrize("disposition,name", [
    ('attachment; filename="npi 2016.csv"', "npi 2016.csv"), ('attachment; filename="../../x"', "x"), ("inline", "download")])
def test_the_name_the_server_gives(server, disposition, name):
    assert fetch(server.put("/download", b"x", headers={"Content-Disposition": disposition})).facts["name"] == name


def test_memory_does_not_grow_with_the_body(server):
    small = fetch(server.put("/small", b"x")).peak_kb
    big = fetch(server.put("/big", NOISE * 20)).good(NOISE * 20).peak_kb
    assert big - small < 8 * 1024


def test_a_reader_that_takes_its_time_holds_a_megabyte_at_most(server):
    body = NOISE * 20
    process = start(server.put("/big", body), wait=1)
    server.wait_for_requests(1)
    process.stdin.write(b"\n")
    process.stdin.flush()
    first = process.stdout.read(1)  # it writes more than a pipe holds, and is stuck until we read on
    got = end(process)
    assert first + got.body == body
    assert got.peak_kb < fetch(server.put("/small", b"x")).peak_kb + 8 * 1024


# Unchanged.

def test_unchanged_by_etag(server):
    url = server.put("/x", CSV, etag='"one"')
    got = fetch(url, etag='"one"').good(b"")
    assert got.opened["answer"] == "unchanged"
    assert server.requests()[-1]["If-None-Match"] == '"one"'
    assert fetch(url, etag='"two"').good(CSV).opened["answer"] == "body"


def test_unchanged_by_date(server):
    url = server.put("/x", CSV, etag=None, modified=1_454_800_000)
    assert fetch(url, last_modified="Sat, 06 Feb 2016 23:06:40 GMT").good(b"").opened["answer"] == "unchanged"
    assert fetch(url, last_modified="Sat, 06 Feb 2016 23:06:41 GMT").good(CSV).opened["answer"] == "body"


def test_a_server_without_conditions_that_has_the_same_still(server):
    url = server.put("/x", CSV, [Lie({}, status=200)], etag='"one"')
    server.put("/x", CSV, [Lie({"ETag": '"one"'}, status=200)], etag=None)
    assert fetch(url, etag='"one"').good(b"").opened["answer"] == "unchanged"


def test_a_304_that_was_not_asked_for(server):
    fetch(server.put("/x", b"", [Status(304, body=b"", reason="Not Modified")])).bad("304", status=304)


# It breaks.

@pytest.mark.parametrize("behaviour", [Reset(1), Reset(100_000), Truncate(0), Truncate(1), Truncate(100_000),
                                       Stall(0), Stall(100_000), Chunked(end=False, at=100_000), Chunked(end=False)])
@pytest.mark.parametrize("how", ["etag", "date"])
def test_it_goes_on_where_it_broke(server, behaviour, how):
    thing = {"etag": '"one"'} if how == "etag" else {"etag": 'W/"one"'}
    got = fetch(server.put("/x", CSV, [behaviour, OK], **thing), stall_ms=300).good(CSV)
    assert got.facts["resumed"] == 1 and got.facts["sha256"] == sha256(CSV)
    first, second = server.requests()
    at = getattr(behaviour, "at", None)
    if at != 0:
        assert second["Range"] == f"bytes={len(CSV) if at is None else at}-"
        assert second["If-Range"] == ('"one"' if how == "etag" else "Sat, 06 Feb 2016 23:06:40 GMT")


def test_it_breaks_again_and_again(server):
    got = fetch(server.put("/x", CSV, [Reset(10_000)] * 40 + [OK]), retries=2).good(CSV)
    assert got.facts["resumed"] == 40


def test_it_breaks_without_a_byte_between(server):
    got = fetch(server.put("/x", CSV, [Reset(10_000), Status(503), Truncate(0)]), retries=3)
    got.bad("broke off", transient=True)
    assert len(server.requests()) == 4 and got.facts["received"] == 10_000
    assert got.body == CSV[:10_000] and got.facts["sha256"] is None


def test_a_stall_before_the_headers(server):
    url = server.put("/x", CSV, [Stall(), OK])
    fetch(url, stall_ms=200).good(CSV)
    server.put("/x", CSV, [Stall()])
    fetch(url, stall_ms=50, retries=1).bad("nothing came for 0.1 s", "2 attempts", transient=True)


def test_what_becomes_another_one_is_not_glued_on(server):
    def change():
        server.change("/x", CSV[::-1])
    for breaks in (Reset(100_000), Truncate(100_000)):
        got = fetch(server.put("/x", CSV, [Then(breaks, change), OK])).bad("became another one", transient=True, changed=True)
        assert got.body == CSV[:100_000]


@pytest.mark.parametrize("second", [
    NoRanges(), Lie({"ETag": '"two"'}), Lie({"Content-Range": "bytes 99999-1000000/1000001"}),
    Lie({"Content-Range": f"bytes 100000-{len(CSV)}/{len(CSV) + 1}"}), Lie({"Content-Range": None}),
    Lie({"Content-Range": f"bytes 0-{len(CSV) - 1}/{len(CSV)}"}), Status(416)])
def test_a_rest_that_does_not_fit(server, second):
    got = fetch(server.put("/x", CSV, [Reset(100_000), second], etag='"one"'))
    got.bad(transient=True, changed=True)
    assert got.body == CSV[:100_000] and got.facts["sha256"] is None


def test_a_rest_of_another_date(server):
    behaviours = [Reset(100_000), Lie({"Last-Modified": "Sat, 06 Feb 2016 23:06:41 GMT"})]
    fetch(server.put("/x", CSV, behaviours, etag=None)).bad("Last-Modified", transient=True, changed=True)


def test_without_a_validator_nothing_is_gone_on_with(server):
    got = fetch(server.put("/x", CSV, [Reset(100_000), OK], etag='W/"one"', modified=None))
    got.bad("ETag", "from the start", transient=True, changed=True)
    assert len(server.requests()) == 1
    fetch(server.put("/x", CSV, [Truncate(0), OK], etag=None, modified=None)).good(CSV)  # nothing had come yet


def test_it_changed_before_its_first_byte(server):
    def change():
        server.change("/x", CSV[::-1])
    fetch(server.put("/x", CSV, [Then(Truncate(0), change), OK])).bad("ETag changed", transient=True, changed=True)


def test_it_is_gone_when_it_should_go_on(server):
    behaviours = [Reset(100_000), Status(404, reason="Not Found")]
    fetch(server.put("/x", CSV, behaviours)).bad("404 Not Found", status=404)


def test_a_length_that_is_a_lie(server):
    longer = fetch(server.put("/x", CSV, [Lie({"Content-Length": 5000})])).bad("longer than the 5000", transient=True)
    assert longer.facts["sha256"] is None
    shorter = fetch(server.put("/x", CSV, [Lie({"Content-Length": len(CSV) + 1, "Content-Range": None})]), retries=1)
    shorter.bad(transient=True, changed=True)
    for length in ("-1", "5x", "99999999999999999999", ""):
        fetch(server.put("/x", CSV, [Lie({"Content-Length": length})])).bad("Content-Length")


# What servers answer.

@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_it_is_tried_again(server, status):
    fetch(server.put("/x", CSV, [Status(status), Status(status), OK])).good(CSV)
    assert len(server.requests()) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204, 202, 300, 501])
def test_it_is_refused(server, status):
    url = server.put("/x", CSV, [Status(status, reason="Because So", body=MARKER.encode() * 100)], etag=None)
    got = fetch(url, retries=2).bad(f"answered {status} Because So", url, status=status, transient=status == 501)
    assert len(server.requests()) == (3 if status == 501 else 1)
    assert got.opened is None


def test_given_up(server):
    fetch(server.put("/x", CSV, [Status(503, reason="Busy")]), retries=2).bad(
        "3 attempts", "503 Busy", status=503, transient=True)
    assert len(server.requests()) == 3


def test_nothing_at_the_path(server):
    fetch(server.url("/none")).bad("404 Not Found", "check the path", status=404)


def test_retry_after_is_kept_to(server):
    url = server.put("/x", CSV, [Status(429, {"Retry-After": "1"}), OK])
    fetch(url).good(CSV)
    first, second = server.arrivals("/x")
    assert second >= first + 1
    moment = int(time.time()) + 2
    url = server.put("/y", CSV, [Status(503, {"Retry-After": email.utils.formatdate(moment, usegmt=True)}), OK])
    fetch(url).good(CSV)
    assert server.arrivals("/y")[-1] >= moment


def test_nobody_is_there():
    fetch(f"http://{HOST}:{free_port()}/x", retries=1).bad("2 attempts", transient=True)
    fetch("http://no-such-host.invalid/x", retries=0).bad("no-such-host.invalid", transient=True)


def test_answers_that_are_none(server):
    for octets in (b"", b"HTTP/1.1", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
                   b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000):
        fetch(server.put("/x", b"", [Raw(octets)]), retries=1).bad("cannot fetch", transient=octets[:12] in (b"", b"HTTP/1.1", b"HTTP/1.1 200")
                                                                  and b"Length" not in octets and b"X: y" not in octets)


def test_an_encoding_that_was_not_asked_for(server):
    fetch(server.put("/x", CSV, headers={"Content-Encoding": "br"})).bad("Content-Encoding")
    fetch(server.put("/x", gzip.compress(CSV), headers={"Content-Encoding": "gzip"})).good(CSV)


# Where it leads.

def test_redirects_are_followed(server):
    server.put("/npi.csv", CSV)
    for status in (301, 302, 303, 307, 308):
        for to in (server.url("/npi.csv"), "/npi.csv", "npi.csv"):
            got = fetch(server.put("/x", b"", [Redirect(to, status)])).good(CSV)
            assert got.facts["url"] == server.url("/npi.csv") and got.facts["name"] == "npi.csv"


def test_redirects_end(server):
    for i in range(11):
        server.put(f"/{i}", b"", [Redirect(f"/{i + 1}")])
    server.put("/10", CSV)
    fetch(server.url("/0")).good(CSV)
    server.put("/10", b"", [Redirect("/11")])
    server.put("/11", CSV)
    fetch(server.url("/0")).bad("more than 10 redirects")
    fetch(server.put("/loop", b"", [Redirect("/loop")])).bad("more than 10 redirects")


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "javascript:1"])
def test_redirects_to_something_else(server, to):
    fetch(server.put("/x", b"", [Redirect(to)])).bad("redirects")


def test_a_redirect_is_followed_again_when_it_breaks(server):
    server.put("/npi.csv", CSV, [Reset(100_000), OK])
    fetch(server.put("/x", b"", [Redirect("/npi.csv")])).good(CSV)
    assert server.targets() == ["/x", "/npi.csv"] * 2


def test_credentials(server):
    url = server.put("/x", CSV, [Reset(100_000), OK], credentials=("us er", "p@ss/w:rd"))
    fetch(server.url("/x", "us er", "p@ss/w:rd")).good(CSV)
    assert [r["Authorization"] for r in server.requests()] == [basic("us er", "p@ss/w:rd")] * 2
    fetch(url).bad("401", "password", status=401)
    fetch(server.url("/x", "user", MARKER)).bad("401", status=401)
    assert MARKER not in json.dumps(fetch(server.put("/y", CSV) .replace("//", f"//u:{MARKER}@")).good(CSV).facts)


def test_secrets_stay_with_their_server(server):
    with DumpServer() as other:
        other.put("/npi.csv", CSV)
        server.put("/npi.csv", CSV)
        server.put("/away", b"", [Redirect(other.url("/npi.csv"))])
        server.put("/here", b"", [Redirect(server.url("/npi.csv"))])
        fetch(server.url("/away", "u", MARKER), header=[f"X-Api-Key: {MARKER}", "Accept: text/csv"]).good(CSV)
        seen, = other.requests()
        assert MARKER not in json.dumps(seen) and "Authorization" not in seen
        assert server.requests("/away")[0]["X-Api-Key"] == MARKER
        fetch(server.url("/here", "u", MARKER), header=f"X-Api-Key: {MARKER}").good(CSV)
        seen, = server.requests("/npi.csv")
        assert seen["Authorization"] == basic("u", MARKER) and seen["X-Api-Key"] == MARKER


def test_secrets_are_not_shown(server):
    url = server.url("/none", "u", MARKER) + f"?token={MARKER}&password={MARKER}&X-Amz-Signature={MARKER}"
    fetch(url, header=f"X-Api-Key: {MARKER}").bad("404", status=404)
    fetch(f"ftp://u:{MARKER}@h/x").bad("only http")
    fetch(f"http://u:{MARKER}@[::bad/x").bad("cannot fetch")
    fetch(server.put("/x", CSV), header=f"X-Api-Key: {MARKER}\r\nX: y").bad("header 1")
    fetch(server.put("/away", b"", [Redirect(f"http://u:{MARKER}@{HOST}:{free_port()}/?token={MARKER}")]), retries=0).bad(
        "cannot fetch", transient=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(certificate, key) of 127.0.0.1, of nobody's trust but ours."""
    home = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=dumps", "-addext", f"subjectAltName=IP:{HOST}",
                    "-keyout", home / "key.pem", "-out", home / "cert.pem"], check=True, capture_output=True)
    return home / "cert.pem", home / "key.pem"


def test_https(server, certificate):
    with DumpServer(tls=certificate) as secure:
        url = secure.put("/x", CSV, [Truncate(100_000), OK])
        fetch(url, ca_file=certificate[0]).good(CSV)
        fetch(url).bad("certificate")
        assert len(secure.requests()) == 2
        server.put("/x", CSV)
        fetch(secure.put("/down", b"", [Redirect(server.url("/x"))]), ca_file=certificate[0]).bad("from https to plain http")
        fetch(server.put("/up", b"", [Redirect(url)]), ca_file=certificate[0]).good(CSV)
        page = secure.put_index("/d/", ["npi-2016-02-07.csv"])
        secure.change("/d/", f'<a href="x.csv"><a href="{server.url("/y.csv")}">'.encode())
        assert fetch(page, ca_file=certificate[0], list="*.csv").links == [[secure.url("/d/x.csv"), ""]]


# Packed.

def zipped(members, **options):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **{"compression": zipfile.ZIP_DEFLATED, **options}) as z:
        for name, body in members:
            z.writestr(name, body)
    return out.getvalue()


class Unseekable(io.RawIOBase):
    """What a zip is written to by who streams it: sizes stand behind each member then."""

    def __init__(self):
        self.octets = bytearray()

    def writable(self):
        return True

    def write(self, b):
        self.octets += b
        return len(b)


def streamed_zip(members, compression=zipfile.ZIP_DEFLATED):
    out = Unseekable()
    with zipfile.ZipFile(out, "w", compression) as z:
        for name, body in members:
            with z.open(name, "w") as m:
                m.write(body)
    return bytes(out.octets)


def test_gzip_by_its_bytes(server):
    packed = gzip.compress(CSV)
    got = fetch(server.put("/npi.csv", packed, [Reset(50_000), OK])).good(CSV)
    assert (got.facts["received"], got.facts["unpacked"]) == (len(packed), len(CSV))
    assert got.facts["sha256"] == sha256(packed)
    fetch(server.put("/npi.csv.gz", CSV)).good(CSV)  # by name only
    fetch(server.put("/x.gz", gzip.compress(CSV[:1000]) + gzip.compress(CSV[1000:]) + bytes(512))).good(CSV)
    fetch(server.put("/x.gz", gzip.compress(b"")), read=1).good(b"")


def test_a_gzip_that_is_damaged(server):
    packed = gzip.compress(CSV)
    for cut in (5, 12, 1000, len(packed) - 9, len(packed) - 8, len(packed) - 1):
        got = fetch(server.put("/x.gz", packed[:cut])).bad("cut off")
        assert got.facts["sha256"] is None
    for at in (20, len(packed) // 2, len(packed) - 8, len(packed) - 4):
        fetch(server.put("/x.gz", packed[:at] + bytes([packed[at] ^ 0x10]) + packed[at + 1:])).bad("damaged gzip")
    fetch(server.put("/x.gz", packed + b"rubbish")).bad("damaged gzip", "behind its end")
    fetch(server.put("/x.gz", gzip.compress(packed))).bad("packed twice", "gzip")
    fetch(server.put("/x.gz", gzip.compress(zipped([("a", b"b")])))).bad("packed twice", "zip")


def zip64(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, body in members:
            with z.open(name, "w", force_zip64=True) as m:
                m.write(body)
    return out.getvalue()


@pytest.mark.parametrize("make", [zipped, streamed_zip, zip64, lambda m: b"PK\7\x08" + zipped(m), lambda m: zipped(m, compression=zipfile.ZIP_STORED),
                                  lambda m: zipped(m, compression=zipfile.ZIP_BZIP2)])
def test_zip(server, make):
    packed = make([("dumps/npi-2016-02-07.csv", CSV)])
    got = fetch(server.put("/npi.csv", packed, [Reset(5_000), OK])).good(CSV)
    assert got.facts["name"] == "npi-2016-02-07.csv" and got.facts["sha256"] == sha256(packed)
    assert (got.facts["received"], got.facts["unpacked"]) == (len(packed), len(CSV))


def test_a_stored_zip_that_was_streamed(server):
    fetch(server.put("/x.zip", streamed_zip([("a.csv", CSV)], zipfile.ZIP_STORED))).good(CSV)


def test_a_member_by_its_pattern(server):
    members = [("readme.txt", b"hello"), ("d/", b""), ("d/npi-2016-02-07.csv", CSV), ("d/other.csv", b"1,2"), ("z.pdf", NOISE)]
    url = server.put("/x.zip", zipped(members))
    assert fetch(url, member="npi*.csv").good(CSV).facts["name"] == "npi-2016-02-07.csv"
    fetch(url, member="npi-%Y-%m-%d.csv").good(CSV)
    fetch(url, member="d/npi*").good(CSV)
    fetch(url, member="readme.txt").good(b"hello")
    fetch(url, member="*.csv").bad("several members", "d/npi-2016-02-07.csv", "d/other.csv")
    fetch(url, member="e/npi*").bad("no member", "readme.txt")
    fetch(url, member="%x").bad("%x")
    fetch(server.put("/x.csv", CSV), member="*").bad("is no zip")


def test_several_members(server):
    url = server.put("/x.zip", zipped([(f"{i}.csv", CSV[:100]) for i in range(12)]))
    got = fetch(url).bad("several members", "0.csv", "9.csv", "…")
    assert "10.csv" not in got.fault and "11.csv" not in got.fault
    fetch(url, member="none").bad("no member", "0.csv", "9.csv", "…")
    fetch(server.put("/x.zip", zipped([("a.csv", CSV), ("__MACOSX/._a.csv", b"junk"), ("d/", b"")]))).good(CSV)


def test_zips_without_a_file(server):
    fetch(server.put("/x.zip", zipped([]))).bad("no file in the zip")
    fetch(server.put("/x.zip", zipped([("d/", b"")]))).bad("no file in the zip")


def test_names_of_members(server):
    for name in ("naïve-ж.csv", "a\nb.csv", "x" * 300):
        got = fetch(server.put("/x.zip", zipped([(name, CSV)]))).good(CSV)
        assert "\n" not in got.facts["name"]
    assert fetch(server.put("/x.zip", zipped([("naïve-ж.csv", CSV)]))).facts["name"] == "naïve-ж.csv"
    fetch(server.put("/x.zip", zipped([("a\nb", CSV), ("naïve-ж", b"")]))).bad("a b, naïve-ж")


def test_zips_that_are_damaged(server):
    packed = zipped([("a.csv", CSV), ("b.txt", b"b" * 1000)])
    directory = packed.index(b"PK\1\2")
    for cut in (10, 40, 1000, directory - 20, directory, directory + 10, len(packed) - 22, len(packed) - 1):
        got = fetch(server.put("/x.zip", packed[:cut]), member="a.csv").bad("zip")
        assert got.facts["sha256"] is None
    for at in (100, 10_000, directory - 30):
        broken = packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1:]
        fetch(server.put("/x.zip", broken), member="a.csv" if at < 20_000 else "b.txt").bad("zip")
    second = packed.index(b"PK\3\4", 10)
    hidden = packed[:second] + b"QQ" + packed[second + 2:]
    fetch(server.put("/x.zip", hidden), member="a.csv").bad("damaged zip")


def test_zips_that_are_refused(server, tmp_path):
    inner = zipped([("a.csv", CSV)])
    fetch(server.put("/x.zip", zipped([("a.zip", inner)]))).bad("packed twice", "a.zip")
    fetch(server.put("/x.zip", zipped([("a.csv.gz", gzip.compress(CSV))]))).bad("packed twice", "gzip")
    packed = bytearray(inner)
    packed[6] |= 1  # the flag of encryption, in both headers
    packed[packed.index(b"PK\1\2") + 8] |= 1
    fetch(server.put("/x.zip", bytes(packed))).bad("encrypted")


def test_a_bomb_is_only_bytes(server):
    body = bytes(300_000_000)
    packed = gzip.compress(body, 9)
    for path, octets in (("/x.gz", packed), ("/x.zip", zipped([("a", body)]))):
        process = start(server.put(path, octets))
        count = 0
        while block := process.stdout.read(1 << 20):
            count += len(block)
        got = end(process)
        assert count == len(body) == got.facts["unpacked"]
        assert got.peak_kb < 40 * 1024


# Files.

def test_files(tmp_path):
    path = tmp_path / "npi 2016-02-07.csv"
    path.write_bytes(CSV)
    os.utime(path, ns=(0, 1_454_800_000_123_456_789))
    url = f"file://{tmp_path}/npi%202016-02-07.csv"
    got = fetch(url, read=1000).good(CSV)
    assert got.facts["name"] == "npi 2016-02-07.csv" and got.facts["modified_us"] == 1_454_800_000_123_456
    assert got.facts["total"] == len(CSV) and got.facts["sha256"] == sha256(CSV)
    assert got.facts["last_modified"] == "Sat, 06 Feb 2016 23:06:40 GMT"
    assert fetch(url, etag=got.facts["etag"]).good(b"").opened["answer"] == "unchanged"
    path.write_bytes(CSV + b"1,2\n")
    fetch(url, etag=got.facts["etag"]).good(CSV + b"1,2\n")
    path.write_bytes(zipped([("a.csv", CSV)]))
    fetch(url).good(CSV)
    path.write_bytes(b"")
    fetch(url.replace("file://", "file://localhost")).good(b"")


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    fetch(f"file://{tmp_path}/pipe").bad("it is a pipe")
    fetch(f"file://{tmp_path}").bad("it is a directory")
    fetch("file:///dev/null").bad("device")
    fetch(f"file://{tmp_path}/none").bad("No such file")
    fetch("file://host/x").bad("three slashes")
    fetch("file:x").bad("whole path")
    fetch("file:///%00").bad("NUL")


@pytest.mark.parametrize("change", [lambda p: p.write_bytes(CSV[::-1]), lambda p: os.truncate(p, 1000),
                                    lambda p: p.write_bytes(CSV + CSV)])
def test_a_file_that_is_written_to(tmp_path, change):
    path = tmp_path / "x"
    path.write_bytes(CSV)
    os.utime(path, (0, 0))
    process = start(f"file://{path}", wait=1)
    assert process.stderr.readline()
    change(path)
    process.stdin.write(b"\n")
    end(process).bad("was written to", transient=True, changed=True)


@pytest.mark.parametrize("url", ["", "x", "/etc/passwd", "dict://h/x", "http://", "http://h:99999/", "scp://h/x"])
def test_what_is_no_url(url):
    fetch(url).bad("cannot fetch" if url else "not a URL")


# Lists.

def test_an_index_page(server):
    names = ["npi-2016-03-06.csv", "npi-2016-02-07.csv", "npi 2016.csv", "other-2016-02-07.csv", "npi-2016-02-07.csv", "npi-2016-13-01.csv"]
    url = server.put_index("/npi/", names)
    def listed(*found):
        return [[server.url(f"/npi/{name}"), date] for name, date in found]
    assert fetch(url, list="npi-%Y-%m-%d.csv").links == listed(
        ("npi-2016-02-07.csv", "2016-02-07"), ("npi-2016-03-06.csv", "2016-03-06"))
    assert fetch(url, list="npi ????.csv").links == listed(("npi%202016.csv", ""))
    assert fetch(url, list="npi/npi-%Y-*").links == listed(
        ("npi-2016-02-07.csv", "2016-01-01"), ("npi-2016-03-06.csv", "2016-01-01"), ("npi-2016-13-01.csv", "2016-01-01"))
    assert fetch(url, list="none").links == []
    assert len(fetch(url, list="*").links) == 5
    fetch(url, list="%d").bad("%Y")
    fetch(server.url("/none/"), list="*").bad("404", status=404)


def test_links_keep_to_their_page(server):
    page = server.put("/d/", b'<a href="x.csv"><a href="https://other.invalid/y.csv"><a href="mailto:a@b.csv"><a href="file:///z.csv">'
                             b'<a href="/r/w.csv?a=1&amp;b=2#there"><a href="#v.csv"><base href="/e/"><a href="u.csv">',
                      credentials=("u", "p"))
    login = server.url("", "u", "p")
    got = fetch(page.replace("//", "//u:p@"), list="*.csv").links
    assert sorted(url for url, _ in got) == sorted(
        [f"{login}/d/x.csv", "https://other.invalid/y.csv", f"{login}/r/w.csv?a=1&b=2", f"{login}/e/u.csv"])
    server.put("/moved", b"", [Redirect("/d/")])
    server.change("/d/", b'<a href="x.csv">', credentials=None)
    assert fetch(server.url("/moved"), list="*").links == [[server.url("/d/x.csv"), ""]]


def test_pages_too_large(server):
    many = b"".join(b'<a href="%d">' % i for i in range(100_001))
    fetch(server.put("/many", many), list="*").bad("more than 100000")
    assert len(fetch(server.put("/many", many[:-len('<a href="100000">')]), list="*").links) == 100_000
    fetch(server.put("/big", bytes(17 << 20)), list="*").bad("16 MB")
    fetch(server.put("/big", gzip.compress(bytes(100 << 20))), list="*").bad("16 MB")


def test_a_directory(tmp_path):
    for name in ("npi-2016-03-06.csv", "npi-2016-02-07.csv", "a b#?%.csv", "npi.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "npi-2017-01-01.csv").mkdir()
    url = f"file://{tmp_path}/"
    assert fetch(url, list="npi-%Y-%m-%d.csv").links == [
        [f"{url}npi-2016-02-07.csv", "2016-02-07"], [f"{url}npi-2016-03-06.csv", "2016-03-06"]]
    (odd, _), = fetch(url, list="a*").links
    fetch(odd).good(b"x")
    fetch(url[:-1], list="*").bad("slash")
    fetch(f"{url}none/", list="*").bad("No such file")


def test_only_the_worker_links_what_is_heavy():
    for program, heavy in (("ingestd/ingestd", False), ("ingestctl/ingestctl", False), ("../tests/unit/fetch/fetch_cat", True)):
        libraries = subprocess.run(["ldd", BUILD / "daemon" / program], check=True, capture_output=True, text=True).stdout
        for name in ("libcurl.so", "libarchive.so"):
            assert (name in libraries) == heavy, f"{program} and {name}"
        assert heavy or "libmariadb" not in libraries


def test_a_slow_server_is_no_stalled_one(server):
    gate = threading.Semaphore(0)
    process = start(server.put("/x", CSV[:5000], [Slow(gate.acquire)]))
    body = b""
    for _ in range(5):
        gate.release()
        body += process.stdout.read(1000)
    got = end(process)
    assert body + got.body == CSV[:5000] and got.facts["resumed"] == 0
