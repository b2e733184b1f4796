"""A server of dumps that misbehaves: what is loaded is one dump as it was at one moment, or nothing."""
import dataclasses
import gzip
import io
import threading
import zipfile

import pytest

import dumps_model
from dump_server import (OK, Chunked, DumpServer, Lie, NoRanges, Redirect, Reset, Slow, Stall, Status, Then, Truncate,
                         Unmeasured)
from dumps_random import plain_dumps
from dumps_site import Dataset, assert_equal, copy, finish, start_copy

pytestmark = pytest.mark.one_database  # which does not see the server

FIRST, SECOND, OTHER = [*plain_dumps(3000, 2, 77), plain_dumps(3000, 2, 78, name="Other")[1]]
SIZE = len(SECOND.octets)
PATH = f"/npi-{SECOND.as_of}.csv"


@pytest.fixture
def web():
    with DumpServer() as server:
        yield server


class Npi:
    """A dataset with the first dump in it; the second is to come."""

    def __init__(self, sink, web):
        self.web, self.dataset, self.model = web, Dataset(sink, "npi"), dumps_model.Dataset(key=("id",))
        self.take(web.put(f"/npi-{FIRST.as_of}.csv", FIRST.octets), FIRST)

    def load(self, url):
        return copy(url, self.dataset.url, "--key", "id")

    def take(self, url, dump):
        done = self.load(url)
        assert done.code == 0, done
        assert done.counts == self.model.load(dump).told()
        assert_equal(self.dataset, self.model)
        return done

    def refuse(self, url, *words):
        before = self.dataset.everything()
        done = self.load(url)
        assert done.code != 0, done
        assert self.dataset.everything() == before
        assert all(w in done.words for w in words), done
        return done


@pytest.fixture
def npi(sink, web):
    return Npi(sink, web)


OVERCOME = {
    "a reset": [Reset(SIZE // 2), OK],
    "a reset in the header": [Reset(3), OK],
    "reset after reset": [*[Reset(SIZE // 7)] * 5, OK],
    "a connection that ends early": [Truncate(SIZE // 2), OK],
    "one that ends before the last byte": [Truncate(SIZE - 1), OK],
    "one that ends at the end of a record": [Truncate(SECOND.octets.index(b"\n", SIZE // 2) + 1), OK],
    "chunks": [Chunked()],
    "chunks without an end": [Chunked(end=False), OK],
    "chunks that end early": [Chunked(end=False, at=SIZE // 2), OK],
    "no length": [Unmeasured()],
    "a part that is not a part": [Reset(SIZE // 2), NoRanges(), OK],
    "no parts at all, in pieces": [NoRanges(at=SIZE // 2), NoRanges()],
    "too many requests": [Status(429, {"Retry-After": "0"}), OK],
    "no service for a while": [Status(503), Status(502), Status(500), OK],
    "no service in the middle": [Reset(SIZE // 2), Status(503, {"Retry-After": "0"}), OK],
    "a compression that is none": [Lie({"Content-Encoding": "gzip"})],
    "a length that is too long": [Lie({"Content-Length": str(SIZE + 1000)}), OK],
}


@pytest.mark.parametrize("what", OVERCOME)
def test_overcome(npi, web, what):
    npi.take(web.put(PATH, SECOND.octets, OVERCOME[what]), SECOND)


REFUSED = {
    "it is not there": ([Status(404)], "404"),
    "it is forbidden": ([Status(403)], "403"),
    "it is gone": ([Status(410)], "410"),
    "it is for others": ([Status(401)], "401"),
    "a redirect to itself": ([Redirect(PATH)], ""),
    "a redirect to a file": ([Redirect("file:///etc/passwd")], ""),
    "a length that is too short": ([Lie({"Content-Length": str(SIZE // 2 + 5)})], ""),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(npi, web, what):
    behaviours, word = REFUSED[what]
    npi.refuse(web.put(PATH, SECOND.octets, behaviours), word)
    npi.take(web.put(PATH, SECOND.octets), SECOND)


def test_redirected(npi, web):
    web.put("/there", SECOND.octets)
    web.put("/here", b"", [Redirect("/there", 307)])
    npi.take(web.put(PATH, b"", [Redirect("/here")]), SECOND)


# It changes while it is read.

CHANGED = {
    "another ETag": ([Reset(SIZE // 2), OK], {}),
    "no ETag, another date": ([Reset(SIZE // 2), OK], {"etag": None, "modified": 1_500_000_000.0}),
    "neither": ([Reset(SIZE // 2), OK], {"etag": None, "modified": None}),
    "a weak ETag": ([Reset(SIZE // 2), OK], {"etag": 'W/"2"'}),
    "a server without parts": ([NoRanges(at=SIZE // 2), NoRanges()], {}),
}


@pytest.mark.parametrize("what", CHANGED)
def test_it_changes_while_it_is_read(npi, web, what):
    """The whole is the later one. Where the server gives no way to see that it changed, both may not be mixed either."""
    (first, *rest), after = CHANGED[what]
    before = {**after, **{k: 1_400_000_000.0 if k == "modified" else 'W/"1"' for k, v in after.items() if v is not None}}
    changed = Then(first, lambda: web.change(PATH, OTHER.octets, **after))
    npi.take(web.put(PATH, SECOND.octets, [changed, *rest], **before), OTHER)


# The same again.


def test_an_unchanged_one_costs_one_request(npi, web):
    url = web.put(PATH, SECOND.octets)
    npi.take(url, SECOND)
    before, n = npi.dataset.everything(), len(web.requests())
    done = npi.load(url)
    assert done.nothing_done, done
    assert len(web.requests()) == n + 1 and "If-None-Match" in web.requests()[-1]
    assert npi.dataset.everything() == before


@pytest.mark.parametrize("thing", [{"etag": None}, {"etag": None, "modified": None}, {"etag": '"new each time"'}])
def test_the_same_bytes_again(npi, web, thing):
    npi.take(web.put(PATH, SECOND.octets, **{**thing, "etag": None}), SECOND)
    before = npi.dataset.everything()
    done = npi.load(web.put(PATH, SECOND.octets, **thing))
    assert done.nothing_done, done
    assert npi.dataset.everything() == before


def test_another_one_of_the_same_date(npi, web):
    npi.take(web.put(PATH, SECOND.octets), SECOND)
    npi.refuse(web.put(PATH, OTHER.octets), SECOND.as_of)


# Packed.


def zipped(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, octets in members.items():
            z.writestr(name.replace("__", "."), octets)
    return out.getvalue()


@pytest.mark.parametrize("behaviours", [[OK], [Reset(5000), OK], [Chunked()]])
def test_gzip(npi, web, behaviours):
    npi.take(web.put(PATH + ".gz", gzip.compress(SECOND.octets), behaviours, content_type="application/gzip"), SECOND)


@pytest.mark.parametrize("behaviours", [[OK], [Reset(5000), OK], [Chunked()]])
def test_zip(npi, web, behaviours):
    npi.take(web.put("/npi-2020-02-01.zip", zipped(npidata__csv=SECOND.octets), behaviours), SECOND)


def test_a_member_of_a_zip(npi, web):
    url = web.put("/npi-2020-02-01.zip", zipped(readme__txt=b"Read me", npidata__csv=SECOND.octets, header__csv=b"a,b\n"))
    npi.refuse(url, "npidata.csv")
    done = copy(url, npi.dataset.url, "--key", "id", "--member", "npidata*.csv")
    assert done.code == 0, done
    npi.model.load(SECOND)
    assert_equal(npi.dataset, npi.model)


def test_a_zip_that_is_cut_off(npi, web):
    whole = zipped(npidata__csv=SECOND.octets)
    npi.refuse(web.put("/npi-2020-02-01.zip", whole[:len(whole) // 2]))


# Waiting.


def test_it_comes_slowly(npi, web):
    """Nothing is in the tables before the last byte is."""
    gate = Gate()
    process = start_copy(web.put(PATH, SECOND.octets, [Slow(gate, piece=SIZE // 4)]), npi.dataset.url, "--key", "id")
    web.wait_for_requests(1, PATH)
    for _ in range(3):
        gate.open_once()
        assert_equal(npi.dataset, npi.model)
    gate.open_once(100)
    done = finish(process)
    assert done.code == 0, done
    npi.model.load(SECOND)
    assert_equal(npi.dataset, npi.model)


def test_another_load_was_quicker(npi, web):
    """It has loaded this dump, and gone on to the next: that is no reason to refuse what is there already."""
    gate = Gate()
    process = start_copy(web.put(PATH, SECOND.octets, [Slow(gate, piece=SIZE)]), npi.dataset.url, "--key", "id")
    web.wait_for_requests(1, PATH)
    third = dataclasses.replace(OTHER, as_of="2020-03-01")
    npi.take(web.put(f"/other{PATH}", SECOND.octets), SECOND)
    npi.take(web.put("/npi-2020-03-01.csv", third.octets), third)
    before = npi.dataset.everything()
    gate.open_once(100)
    done = finish(process)
    assert done.code == 0 and done.nothing_done, done
    assert npi.dataset.everything() == before


class Gate:
    def __init__(self):
        self.passes = threading.Semaphore(0)

    def __call__(self):
        self.passes.acquire()

    def open_once(self, n=1):
        self.passes.release(n)


def test_two_of_one_second(npi, web):
    """Another URL is another dump, whatever its Last-Modified."""
    npi.take(web.put(PATH, SECOND.octets, etag=None), SECOND)
    third = dataclasses.replace(OTHER, as_of="2020-03-01")
    npi.take(web.put("/npi-2020-03-01.csv", third.octets, etag=None), third)


@pytest.mark.slow
def test_a_stall_is_overcome(npi, web):
    npi.take(web.put(PATH, SECOND.octets, [Stall(SIZE // 2), OK]), SECOND)
