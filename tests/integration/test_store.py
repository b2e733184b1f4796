"""lib/store against a real S3 server, alone and behind a proxy that breaks things, and on a folder; by way of store_cat."""
import email.utils
import hashlib
import json
import os
import random
import re
import subprocess
import time

import pytest

from programs import BUILD
from s3_server import PASS, Answer, Cut, Lose, Refuse, S3Proxy, S3Server, Stall, Strip, Then, need_s3
from servers import free_port

STORE_CAT = BUILD / "tests/unit/store/store_cat"
SANITIZED = b"__asan_init" in STORE_CAT.read_bytes() if STORE_CAT.exists() else False
MARKER = "planted-marker-7731"
NOISE = random.Random(7).randbytes(3_000_000)
MB = 1 << 20
PART = 16 * MB
ODD = ["a b.csv", "a+b.csv", "100%.csv", "a%41.csv", "a%2Fb.csv", "é.csv", "日本/語.csv", "~tilde", "q?x=1&y#z", "quo\"te's.csv",
       "<tag>&amp;.csv", "a/b/c/d/e.csv", "semi;colon,comma=equals@at$.csv", "(brackets)[x]{y}|z^`\\.csv", "!*.csv", "😀.csv",
       "k" * 200 + "/" + "l" * 200, "trailing.", ".hidden", "a..b", "..a", "e\u0301.csv", "new\nline"]


class Store:
    """A store_cat that goes on until it is closed: one store, one connection."""

    def __init__(self, address, retries=5, retry_ms=1, **options):
        words = [f"{k}={v}" for k, v in {"retries": retries, "retry_ms": retry_ms, **options}.items()]
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.process = subprocess.Popen([STORE_CAT, *map(str, address), *words], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)

    def send(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        assert line, f"store_cat ended with {self.process.wait()}: {self.process.stderr.read()[-3000:]}"
        assert MARKER not in line
        return json.loads(line)

    def ask(self, *command):
        """The answer, which may be a fault."""
        self.send(*command)
        return self.receive()

    def good(self, *command):
        said = self.ask(*command)
        assert "fault" not in said, said
        return said

    def bad(self, *command, words=(), status=None, **flags):
        """Its fault holds the words, and these flags alone are true."""
        return check_fault(self.ask(*command), words, status, **flags)

    def keys(self, prefix="", after="", most=10 ** 6):
        return [k for k, *_ in self.good("list", prefix, after, most)["keys"]]

    def close(self):
        _, words = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, words[-3000:]
        assert MARKER not in words
        return words

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
            self.process.communicate()
        else:
            self.close()


def check_fault(said, words=(), status=None, **flags):
    assert "fault" in said, f"it went well: {said}"
    for word in [words] if isinstance(words, str) else words:
        assert word in said["fault"], said
    assert {f for f in ("transient", "absent", "exists", "changed") if said[f]} == {f for f, on in flags.items() if on}, said
    assert status is None or said["status"] == status, said
    return said


def refused(address, words, **options):
    """It cannot even be opened."""
    store = Store(address, **options)
    check_fault(store.receive(), words)
    assert store.process.wait(10) == 1
    store.process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with S3Server(tmp_path_factory.mktemp("s3") / "server") as s:
        yield s


@pytest.fixture
def bucket(server, request):
    bucket = server.bucket(f"b{abs(hash(request.node.nodeid)) % 10 ** 12:x}")
    yield bucket
    if bucket.folder.exists():
        bucket.drop()


@pytest.fixture
def proxy(server):
    with S3Proxy(server) as p:
        yield p


@pytest.fixture(params=["s3", "folder"])
def place(request, tmp_path):
    """An empty store of each kind: its address."""
    if request.param == "folder":
        (tmp_path / "lake").mkdir()
        return [f"file://{tmp_path}/lake"]
    need_s3()
    return request.getfixturevalue("bucket").address()


# Both kinds.

def test_what_is_put_is_got(place, tmp_path):
    (tmp_path / "in").write_bytes(NOISE)
    with Store(place) as s:
        s.good("put", "a/one", "first")
        assert s.good("get", "a/one", 100) == {"text": "first", "n": 5}
        s.good("put", "a/one", "")
        assert s.good("get", "a/one", 0)["n"] == 0
        s.good("put_file", "b", str(tmp_path / "in"))
        s.good("get_file", "b", "", str(tmp_path / "out"))
        assert (tmp_path / "out").read_bytes() == NOISE
        assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600
        facts = s.good("head", "b")
        assert facts["size"] == len(NOISE) and abs(facts["modified_us"] / 1e6 - time.time()) < 100
        (listed,) = s.good("list", "b", "", 10)["keys"]
        assert listed[:3] == ["b", len(NOISE), facts["etag"]]
        s.good("get_file", "b", facts["etag"], str(tmp_path / "out"))
        s.good("put", "b", "other")
        s.bad("get_file", "b", facts["etag"], str(tmp_path / "out"), changed=True)
        assert not (tmp_path / "out").exists()
        s.good("remove", "b")
        s.good("remove", "b")
        s.bad("get", "b", 10, words="has no object b", absent=True)
        s.bad("head", "b", words="has no object b", absent=True)
        s.bad("get_file", "b", "", str(tmp_path / "out"), words="has no object b", absent=True)
        s.bad("get", "a/one/two", 10, **{} if place[0].startswith("file") else {"absent": True})
        assert s.keys() == ["a/one"]


def test_an_object_too_large_for_memory(place):
    with Store(place) as s:
        s.good("put", "k", "x" * 1001)
        s.bad("get", "k", 1000, words="larger than")
        assert s.good("get", "k", 1001)["n"] == 1001
        assert s.keys() == ["k"]


def test_odd_keys(place):
    keys = [k for k in ODD if "\n" not in k or place[0].startswith("file")]
    with Store(place) as s:
        for key in keys:
            s.good("put", key, f"of {key}")
        assert s.keys() == sorted(keys, key=str.encode)
        for key in keys:
            assert s.good("get", key, 2000)["text"] == f"of {key}"
            assert s.good("head", key)["size"] == len(f"of {key}".encode())
            assert s.keys(prefix=key) == sorted((k for k in keys if k.startswith(key)), key=str.encode)
        for after in keys:
            assert s.keys(after=after) == sorted((k for k in keys if k.encode() > after.encode()), key=str.encode)
        for key in keys:
            s.good("remove", key)
        assert s.keys() == []


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", ".", "a/..", "../x", "a/./b", "k" * 1025])
def test_what_is_no_key(place, key):
    with Store(place) as s:
        for command in (["get", key, 1], ["head", key], ["put", key, "x"], ["put_new", key, "x"], ["remove", key]):
            s.bad(*command, words="is no key of an object")
        assert s.good("path", key)["path"] is None
        assert s.keys() == []


def test_a_list_is_ended_and_gone_on_with(place):
    names = sorted((f"{a}{b}" for a in ("x/", "x-", "x.", "x", "x0/") for b in ("1", "10", "2", "b/1")), key=str.encode)
    with Store(place) as s:
        for name in names:
            s.good("put", name, "")
        assert s.keys(most=3) == names[:3]
        for i in range(len(names)):
            assert s.keys(after=names[i]) == names[i + 1:]
        assert s.keys("x/") == [n for n in names if n.startswith("x/")]
        assert s.keys("x/", after="x/1") == [n for n in names if n.startswith("x/") and n > "x/1"]
        assert s.keys("x", after="x0") == [n for n in names if n > "x0"]
        assert s.keys("y") == []


def test_a_prefix_is_all_there_is(place, tmp_path):
    if place[0].startswith("file"):
        (tmp_path / "lake/north").mkdir()
    with Store([place[0] + "/north", *place[1:]]) as north, Store(place) as all_of_it:
        all_of_it.good("put", "south/secret", "x")
        all_of_it.good("put", "north-east", "x")
        north.good("put_new", "a", "x")
        assert north.keys() == ["a"]
        assert north.keys("south") == []
        assert all_of_it.keys("north/") == [k for k in all_of_it.keys() if k.startswith("north/")]
        north.bad("get", "../south/secret", 9, words="is no key")
        north.bad("get", "south/secret", 9, absent=True)


@pytest.mark.parametrize("n", [2, 6])
def test_of_several_who_make_it_one_does(place, n):
    stores = [Store(place) for _ in range(n)]
    for s in stores:
        s.good("put_new", "warm-up/" + str(id(s)), "x")
    for round in range(30):
        for i, s in enumerate(stores):
            s.send("put_new", f"log/{round:020}.json", f"by {i}")
        said = [s.receive() for s in stores]
        winners = [i for i, a in enumerate(said) if "fault" not in a]
        assert len(winners) == 1, said
        for i, a in enumerate(said):
            if i != winners[0]:
                check_fault(a, "already", exists=True)
        assert stores[0].good("get", f"log/{round:020}.json", 100)["text"] == f"by {winners[0]}"
    for s in stores:
        s.close()


def test_fetching_ahead_in_order(place, tmp_path):
    folder = tmp_path / "ahead"
    folder.mkdir()
    with Store(place) as s:
        etags = []
        for i in range(60):
            s.good("put", f"{i}.csv", "x" * i)
            etags.append(s.good("head", f"{i}.csv")["etag"])
        wanted = [[f"{i}.csv", etags[i]] for i in range(60)]
        wanted[7][0], wanted[11][1] = "gone.csv", etags[12] + "0"
        got = s.good("fetch", str(folder), 4, wanted, 1000)["bytes"]
        check_fault(got[7], "gone.csv", absent=True)
        check_fault(got[11], "11.csv", changed=True)
        assert [g for i, g in enumerate(got) if i not in (7, 11)] == [i for i in range(60) if i not in (7, 11)]
        assert list(folder.iterdir()) == []
        got = s.good("fetch", str(folder), 3, wanted[:5] + [["(fault)", ""]] + wanted, 1000)["bytes"]
        assert got[:5] == [0, 1, 2, 3, 4] and "for a reason" in got[5]["fault"] and len(got) == 6
        assert s.good("fetch", str(folder), 4, wanted, 2)["bytes"] == [0, 1]  # the rest is given up
        assert list(folder.iterdir()) == []
        assert s.good("fetch", str(folder), 4, [], 2)["bytes"] == []


def test_a_full_disk_while_fetching(place, tmp_path):
    disk = tmp_path / "small"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True).returncode != 0:
        pytest.skip("cannot mount a small disk")
    try:
        (tmp_path / "in").write_bytes(NOISE)
        with Store(place) as s:
            s.good("put_file", "k", str(tmp_path / "in"))
            s.bad("get_file", "k", "", str(disk / "out"), words=["No space left", "make room"])
            assert list(disk.iterdir()) == []
            s.good("put", "k", "small")
            s.good("get_file", "k", "", str(disk / "out"))
    finally:
        subprocess.run(["umount", disk], check=True)


# A folder.

def test_a_put_that_is_killed_is_never_seen(tmp_path):
    """Wherever it is killed, the key is there with all its bytes, or not at all."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "in").write_bytes(NOISE * 8)
    for delay in range(12):
        s = Store([f"file://{tmp_path}/lake"])
        s.send("put_file", "k/v", str(tmp_path / "in"))
        deadline = time.monotonic() + delay / 500
        while time.monotonic() < deadline:
            pass
        s.process.kill()
        s.process.communicate()
        with Store([f"file://{tmp_path}/lake"]) as after:
            keys = after.good("list", "", "", 10)["keys"]
            assert [k[:2] for k in keys] in ([], [["k/v", len(NOISE) * 8]])
            after.good("remove", "k/v")


def test_a_folder_that_may_not_be_written(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may")
    (tmp_path / "lake").mkdir(mode=0o500)
    with Store([f"file://{tmp_path}/lake"]) as s:
        s.bad("put", "k", "x", words="must be allowed to")


def test_a_path_is_told_of_a_folder_alone(place, tmp_path):
    with Store(place) as s:
        s.good("put", "a/b", "x")
        path = s.good("path", "a/b")["path"]
        assert path == (f"{tmp_path}/lake/a/b" if place[0].startswith("file") else None)


# S3 alone: lists.

@pytest.mark.slow
def test_a_hundred_thousand_keys(server, bucket):
    for d in range(100):
        folder = bucket.folder / f"day-{d:02}"
        folder.mkdir()
        for i in range(1000):
            (folder / f"{i:03}.csv").touch()
    with Store(bucket.address()) as s:
        said = s.good("count", "")
        assert said["n"] == 100_000 and said["sorted"]
        assert SANITIZED or said["peak_kb"] < 40_000, "a list is not in memory as a whole"
        assert s.keys(after="day-98/997.csv")[:3] == ["day-98/998.csv", "day-98/999.csv", "day-99/000.csv"]


def test_marks_of_folders_are_left_out(bucket):
    bucket.put("a/", b"")
    bucket.put("a/x", b"1")
    with Store(bucket.address()) as s:
        assert s.keys() == ["a/x"]


@pytest.mark.parametrize("body,words", [
    (b"", "not the XML of a list"), (b"<html></html>", "not the XML of a list"), (b"<ListBucketResult>", "not the XML of a list"),
    (b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult>&a;</ListBucketResult>', "not the XML of a list"),
    (b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "does not give it"),
    (b"<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>", "not the XML of a list"),
    (b"<ListBucketResult><Contents><Key>b</Key><Size>1</Size></Contents><Contents><Key>a</Key><Size>1</Size></Contents>"
     b"</ListBucketResult>", "not in the order"),
    (b"<ListBucketResult><Contents><Key>b</Key><Size>-1</Size></Contents></ListBucketResult>", "not the XML of a list"),
    (b"<a>" * 100_000, "not the XML of a list"),
    (b"<ListBucketResult>" + b"x" * 9_000_000, "larger than")], ids=range(10))
def test_answers_that_are_no_lists(bucket, proxy, body, words):
    proxy.plan(Answer(200, body=body))
    with Store(bucket.address(proxy)) as s:
        s.bad("list", "", "", 10, words=words)
        assert s.keys() == []


def test_keys_that_nobody_can_name_are_left_out(bucket, proxy):
    entry = "<Contents><Key>{}</Key><Size>1</Size><ETag>&quot;e&quot;</ETag></Contents>"
    body = "<ListBucketResult>" + "".join(map(entry.format, ["../up", "/root", "a//b", "b"])) + "</ListBucketResult>"
    proxy.plan(Answer(200, body=body.encode()))
    store = Store(bucket.address(proxy))
    assert [k[:3] for k in store.good("list", "", "", 10)["keys"]] == [["b", 1, "e"]]
    assert "3 of what is in" in store.close()


def test_a_list_of_another_prefix(bucket, proxy):
    body = b"<ListBucketResult><Contents><Key>south/x</Key><Size>1</Size></Contents></ListBucketResult>"
    proxy.plan(Answer(200, body=body))
    with Store(bucket.address(proxy, "/north")) as s:
        s.bad("list", "", "", 10, words="another prefix")


# Who may not, and what is not there.

def test_denied(server, bucket):
    other = server.bucket(bucket.name + "x")
    with Store(other.address(credentials=bucket.credentials)) as s:
        for command in (["list", "", "", 1], ["get", "k", 1], ["head", "k"], ["put", "k", "x"], ["put_new", "k", "x"],
                        ["remove", "k"], ["get_file", "k", "", "/tmp/none"]):
            s.bad(*command, words=["access is denied", "needs the right"], status=403)


def test_not_signed(bucket):
    with Store(bucket.address()[:2]) as s:
        s.bad("list", "", "", 1, words="not signed, as there is no credentials_file", status=403)


def test_wrong_keys(server, bucket):
    wrong = server.home / "wrong"
    for words, said in [((bucket.access, "not-it"), "the secret key is not the one"), (("nobody", "x"), "does not know the access key")]:
        wrong.touch(0o600)
        wrong.write_text(":".join(words))
        with Store(bucket.address(credentials=wrong)) as s:
            fault = s.bad("list", "", "", 1, words=said, status=403)
            assert "not-it" not in str(fault)
            s.bad("head", "k", words=said, status=403)
            s.bad("put", "k", "v", words=said, status=403)


def test_a_bucket_that_is_gone(bucket, tmp_path):
    with Store(bucket.address()) as s:
        s.good("put", "k", "v")
        bucket.drop()
        for command in (["list", "", "", 1], ["get", "k", 1], ["head", "k"], ["put", "k", "x"], ["put_new", "k", "x"], ["remove", "k"]):
            s.bad(*command, words="there is no such bucket", status=404, absent=True)


@pytest.mark.parametrize("seconds,words", [(-1230, "20m [123][0-9]s ahead of the server's"), (7290, "2h 1m behind the server's")])
def test_clocks_that_differ(bucket, proxy, seconds, words):
    for command in (["list", "", "", 1], ["head", "k"], ["put", "k", "v"]):
        date = email.utils.formatdate(time.time() + seconds, usegmt=True)
        proxy.plan(*[Answer(403, "RequestTimeTooSkewed", {"Date": date})] * 2)
        with Store(bucket.address(proxy)) as s:
            fault = s.ask(*command)
            check_fault(fault, ["have it set by NTP"], 403)
            assert re.search(words, fault["fault"]), fault


@pytest.mark.parametrize("status,code,headers,words,flags", [
    (301, "PermanentRedirect", {"x-amz-bucket-region": "eu-north-1"}, "another region than us-east-1, of eu-north-1", {}),
    (400, "AuthorizationHeaderMalformed", {}, "another region than us-east-1:", {}),
    (301, "PermanentRedirect", {"x-amz-bucket-region": "<b>" + MARKER}, "another region than us-east-1:", {}),
    (400, "ExpiredToken", {}, "the session token has expired", {}),
    (403, "InvalidObjectState", {}, "restore it first", {}),
    (507, "XMinioStorageFull", {}, "the disk of the server is full", {}),
    (418, "SomethingElse", {}, "answered 418 SomethingElse", {}),
    (403, "<nothing>", {}, "access is denied", {}),
    (302, "", {"Location": "http://169.254.169.254/" + MARKER}, "it redirects", {})])
def test_what_a_server_refuses(bucket, proxy, status, code, headers, words, flags):
    proxy.plan(Answer(status, code, headers))
    with Store(bucket.address(proxy)) as s:
        s.bad("get", "k", 1, words=words, status=status, **flags)
        assert len(proxy.requests) == 1


def test_a_server_that_tells_what_was_not_there_to_be_removed(bucket, proxy):
    proxy.plan(Answer(404, "NoSuchKey"))
    with Store(bucket.address(proxy, "/a-bucket")) as s:
        s.good("remove", "k")
        assert proxy.asked("DELETE") == [f"/{bucket.name}/a-bucket/k"]


# What breaks.

BROKEN = [Answer(503, "SlowDown"), Answer(500, "InternalError"), Answer(429, "TooManyRequests"), Answer(502, body=b""),
          Answer(503, body=b"<html>" + MARKER.encode()), Refuse(), Answer(400, "RequestTimeout"), Answer(409, "OperationAborted")]


@pytest.mark.parametrize("behaviour", BROKEN, ids=[f"{b.__class__.__name__}-{getattr(b, 'code', '')}" for b in BROKEN])
def test_it_is_tried_again(bucket, proxy, behaviour, tmp_path):
    (tmp_path / "in").write_bytes(b"file")
    with Store(bucket.address(proxy)) as s:
        for command in (["put", "k", "v"], ["list", "", "", 9], ["head", "k"], ["get", "k", 9], ["put_new", "new", "v"],
                        ["get_file", "k", "", str(tmp_path / "out")], ["put_file", "f", str(tmp_path / "in")], ["remove", "k"]):
            proxy.plan(behaviour, behaviour)
            s.good(*command)
            assert len(proxy.requests) >= 3
        assert s.keys() == ["f", "new"]


def test_it_is_given_up(bucket, proxy):
    with Store(bucket.address(proxy), retries=2) as s:
        proxy.plan(*[Answer(503)] * 9)
        s.bad("list", "", "", 9, words=["given up after 3 attempts", "asked too often"], status=503, transient=True)
        assert len(proxy.requests) == 3
    with Store(["s3://b", f"endpoint=http://127.0.0.1:{free_port()}"], retries=1) as s:
        s.bad("list", "", "", 9, words=["given up after 2 attempts", "connect"], transient=True)


def test_as_long_as_the_server_says(bucket, proxy):
    proxy.plan(Answer(503, headers={"Retry-After": "1"}))
    with Store(bucket.address(proxy)) as s:
        began = time.monotonic()
        s.keys()
        assert time.monotonic() - began >= 1


@pytest.mark.parametrize("cuts", [[Cut(1000)], [Cut(1000, True)], [Cut(0), Cut(1), Cut(MB, True), Cut(700_000)], [Stall(5000)]])
def test_a_download_goes_on_where_it_broke(bucket, proxy, tmp_path, cuts):
    bucket.put("k", NOISE)
    proxy.plan(*cuts)
    with Store(bucket.address(proxy), stall_ms=300) as s:
        s.good("get_file", "k", "", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == NOISE
    for _, _, headers in proxy.requests[2:]:
        assert headers["Range"].startswith("bytes=") and headers["If-Match"] == f'"{hashlib.md5(NOISE).hexdigest()}"'


def test_a_download_of_what_becomes_another(bucket, proxy, tmp_path):
    bucket.put("k", NOISE)
    proxy.plan(Cut(1000), Then(lambda: bucket.put("k", NOISE[::-1])))
    with Store(bucket.address(proxy)) as s:
        s.bad("get_file", "k", "", str(tmp_path / "out"), changed=True)
        assert not (tmp_path / "out").exists()


def test_a_server_that_knows_no_ranges(bucket, proxy, tmp_path):
    bucket.put("k", NOISE)
    proxy.plan(Cut(1000), Answer(200, headers={"ETag": f'"{hashlib.md5(NOISE).hexdigest()}"'}, body=NOISE))
    with Store(bucket.address(proxy)) as s:
        s.good("get_file", "k", "", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == NOISE


def test_a_truncated_body_in_memory(bucket, proxy):
    bucket.put("k", b"0123456789")
    proxy.plan(Cut(3), Cut(9, True))
    with Store(bucket.address(proxy)) as s:
        assert s.good("get", "k", 10)["text"] == "0123456789"
        proxy.plan(Cut(20), Cut(200, True))
        assert s.keys() == ["k"]


def test_one_connection_serves_many_requests(bucket, proxy, tmp_path):
    for i in range(50):
        bucket.put(f"{i}", b"x")
    ports = set()
    answer = PASS.__class__.answer
    class Watch(PASS.__class__):
        def answer(self, request):
            ports.add(request.client_address)
            answer(self, request)
    proxy.plan(*[Watch() for _ in range(500)])
    with Store(bucket.address(proxy)) as s:
        for i in range(50):
            s.good("get_file", f"{i}", "", str(tmp_path / "out"))
            s.good("get", f"{i}", 10)
            s.good("head", f"{i}")
            s.good("put", f"{i}", "y")
            s.bad("get", f"{i}-none", 10, absent=True)
    assert len(ports) == 1


# Only where there is none.

def test_a_put_new_whose_answer_is_lost(bucket, proxy):
    with Store(bucket.address(proxy)) as s:
        s.good("put_new", "warm-up", "x")
        proxy.plan(Lose())
        s.good("put_new", "k", "mine")
        proxy.plan(Lose(), Answer(503))
        s.good("put_new", "k2", "mine")
        proxy.plan(Refuse(), Then(lambda: bucket.put("k3", b"theirs")))
        s.bad("put_new", "k3", "mine", exists=True)
        proxy.plan(Refuse(), Then(lambda: bucket.put("k4", b"theirs, and longer than mine")))
        s.bad("put_new", "k4", "mine", exists=True)
    assert bucket.get("k2") == b"mine" and bucket.get("k3") == b"theirs"


def test_a_put_new_whose_answers_are_all_lost(bucket, proxy):
    with Store(bucket.address(proxy), retries=0) as s:
        s.good("put_new", "warm-up", "x")
        proxy.plan(Lose())
        s.good("put_new", "k", "mine")
        proxy.plan(Refuse())
        s.bad("put_new", "k2", "mine", transient=True)
        proxy.plan(Refuse(), Then(lambda: bucket.put("k3", b"theirs"), only="GET"))
        s.bad("put_new", "k3", "mine", exists=True)


def test_a_server_that_heeds_no_condition_is_refused(bucket, proxy):
    proxy.plan(*[Strip("If-None-Match", bucket) for _ in range(9)])
    with Store(bucket.address(proxy)) as s:
        s.bad("put_new", "k", "mine", words="does not heed")
        assert s.keys() == []
    proxy.plan(Answer(501, "NotImplemented"))
    with Store(bucket.address(proxy)) as s:
        s.bad("put_new", "k", "mine", words="does not heed", status=0)
        s.good("put_new", "k", "mine")


def test_that_it_heeds_conditions_is_asked_once(bucket, proxy):
    with Store(bucket.address(proxy)) as s:
        for i in range(3):
            s.good("put_new", f"{i}", "x")
        assert len(proxy.asked("PUT")) == 5
        assert s.keys() == ["0", "1", "2"]
    proxy.plan()
    with Store(bucket.address(proxy)) as s:
        s.good("put_new", "3", "x")
        assert len(proxy.asked("PUT")) == 2


# Large files.

@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "file"
    path.write_bytes(NOISE * 12)  # 36 MB: two parts and a bit
    return path


@pytest.mark.parametrize("behaviours", [[], [PASS, Answer(503)], [PASS, Lose(), PASS, Refuse()], [PASS, PASS, PASS, PASS, Answer(500)],
                                        [PASS, PASS, PASS, PASS, Answer(200, "InternalError")], [PASS, PASS, PASS, PASS, Lose()]])
def test_a_large_file_in_parts(bucket, proxy, large, behaviours, tmp_path):
    proxy.plan(*behaviours)
    with Store(bucket.address(proxy)) as s:
        s.good("put_file", "k", str(large))
        assert len({p for p in proxy.asked("PUT")}) == 3
        s.good("get_file", "k", "", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == large.read_bytes()
    assert bucket.uploads() == []


def test_parts_that_cannot_be_sent_are_thrown_away(bucket, proxy, large):
    bucket.put("k", b"as before")
    proxy.plan(PASS, PASS, *[Answer(503, only="PUT")] * 3)
    with Store(bucket.address(proxy), retries=2) as s:
        s.bad("put_file", "k", str(large), words="given up after 3 attempts", status=503, transient=True)
    assert bucket.uploads() == [] and bucket.get("k") == b"as before"


def test_the_end_of_parts_is_denied(bucket, proxy, large):
    proxy.plan(PASS, *[PASS] * 3, Answer(403, "AccessDenied"))
    with Store(bucket.address(proxy)) as s:
        s.bad("put_file", "k", str(large), words="access is denied", status=403)
    assert bucket.uploads() == [] and bucket.keys() == []


def test_a_file_of_exactly_a_part(bucket, proxy, tmp_path):
    for n, requests in ((0, 1), (PART, 1), (PART + 1, 4)):
        with open(tmp_path / "in", "wb") as f:
            f.truncate(n)
        proxy.plan()
        with Store(bucket.address(proxy)) as s:
            s.good("put_file", "k", str(tmp_path / "in"))
            assert len(proxy.requests) == requests
            assert s.good("head", "k")["size"] == n


# Where it is.

def test_addressed_as_a_host(tmp_path):
    need_s3()
    with S3Server(tmp_path / "s3", domain="localhost") as server:
        bucket = server.bucket("drop")
        bucket.put("a b", b"x")
        address = [bucket.url, f"endpoint=http://localhost:{server.port}", f"credentials_file={bucket.credentials}", "virtual=1"]
        with Store(address) as s:
            assert s.keys() == ["a b"]
            assert s.good("get", "a b", 9)["text"] == "x"
            s.good("put_new", "c+d", "x")


def test_by_tls(tmp_path):
    need_s3()
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=s3", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    with S3Server(tmp_path / "s3", tls=(certificate, key)) as server:
        bucket = server.bucket("drop")
        with Store([*bucket.address(), f"ca_file={certificate}"]) as s:
            s.good("put_new", "k", "v")
            (tmp_path / "in").write_bytes(NOISE)
            s.good("put_file", "f", str(tmp_path / "in"))
            s.good("get_file", "f", "", str(tmp_path / "out"))
            assert (tmp_path / "out").read_bytes() == NOISE
            assert s.keys() == ["f", "k"]
        with Store(bucket.address()) as s:
            s.bad("list", "", "", 1, words="certificate")


@pytest.mark.parametrize("text,mode,words", [
    ("a:b", 0o604, "everybody on this machine can read"), ("ab", 0o600, "is not ACCESS_KEY:SECRET_KEY"), ("", 0o600, "is not ACCESS"),
    ("a:", 0o600, "is not ACCESS"), (":b", 0o600, "is not ACCESS"), ("a b:c", 0o600, "is not ACCESS"), ("a:b:", 0o600, "is not ACCESS")])
def test_credentials_that_are_none(tmp_path, text, mode, words):
    file = tmp_path / "keys"
    file.write_text(text)
    file.chmod(mode)
    refused(["s3://b", f"credentials_file={file}"], words)
    refused(["s3://b", f"credentials_file={tmp_path}/none"], "No such file")
    refused(["s3://b", f"credentials_file={tmp_path}"], "is no file")


@pytest.mark.parametrize("url,options,words", [
    ("s3://", {}, "no name of a bucket"), ("s3:///k", {}, "no name of a bucket"), ("s3://a@b", {}, "no name of a bucket"),
    ("s3://b/../x", {}, "cannot begin a key"), ("s3://b//x", {}, "cannot begin a key"), ("s3://..", {}, "no name of a bucket"),
    ("s3://b", {"endpoint": "ftp://h"}, "is no URL"), ("s3://b", {"endpoint": "http://u:secret@h"}, "keys belong into the credentials_file"),
    ("s3://b", {"endpoint": "http://h/path"}, "alone"), ("s3://b", {"region": "eu/../x"}, "the region")])
def test_places_that_are_none(url, options, words):
    refused([url, *(f"{k}={v}" for k, v in options.items())], words)


def test_a_session_token(server, bucket, proxy):
    keys = bucket.write_credentials("token", bucket.access, bucket.secret, "a+token/of=many=")
    with Store(bucket.address(proxy, credentials=keys)) as s:
        s.ask("list", "", "", 1)  # this server gives no tokens: that it is sent, and signed, is what matters
    _, _, headers = proxy.requests[0]
    assert headers["x-amz-security-token"] == "a+token/of=many="
    assert "x-amz-security-token" in headers["Authorization"]


def test_keys_that_xml_cannot_hold(bucket, proxy):
    """They come encoded, and do no harm to the others: one that no request can name is left out, and that is said."""
    keys = ["a%00b", "a%01b", "a+b", "a%2Bb", "a%zz", "%C3%A9", "%FF"]
    found = "".join(f"<Contents><Key>{k}</Key><LastModified>2026-01-01T00:00:00Z</LastModified><ETag>&quot;e&quot;</ETag><Size>1</Size></Contents>"
                    for k in keys)
    proxy.plan(Answer(status=200, body=f"<ListBucketResult><EncodingType>url</EncodingType>{found}</ListBucketResult>".encode()), PASS)
    store = Store(bucket.address(proxy))
    assert store.keys() == ["a b", "a+b", "é"]
    assert "encoding-type=url" in proxy.asked("GET")[0]
    assert "4 of what is in" in store.close()
