"""The same lake in a bucket of a real S3 server, with copies of its files in a cache."""
import json

import pytest

import lake_site
from lake_site import BucketLake, Fault
from s3_server import Cut, Lose, S3Proxy, S3Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with S3Server(tmp_path_factory.mktemp("s3") / "server") as s:
        yield s


@pytest.fixture
def lake(server, tmp_path, request):
    bucket = server.bucket(f"b{abs(hash(request.node.nodeid)) % 10 ** 12:x}")
    site = BucketLake(tmp_path, bucket)
    yield site
    site.close()
    bucket.drop()


@pytest.fixture
def proxy(server):
    with S3Proxy(server) as p:
        yield p


def cached(worker):
    return sorted(p.name for p in (worker.home / "cache" / "p").iterdir())


def test_versions_of_a_bucket(lake):
    w = lake.worker()
    for n in range(12):
        assert w.put("p", f"SELECT i::BIGINT id, 'run {n}' AS s FROM range({n}, {n + 5}) r(i)") == n
    assert f"lake/p/_delta_log/{10:020}.checkpoint.parquet" in lake.bucket.keys()
    other = lake.worker("other")
    for version in (-1, 3, 10):
        rows = w.read("p", version, "id, s")
        assert other.read("p", version, "id, s") == rows
        if lake_site.READER:
            there = lake.elsewhere("p", "SELECT id, s FROM t ORDER BY id", None if version < 0 else version)
            assert [[str(i), s] for i, s in there] == rows
    with pytest.raises(Fault, match="no version 77"):
        w.open("p", 77)


def test_what_was_written_is_not_fetched_again(lake, proxy):
    w = lake.worker("w", proxy.endpoint)
    w.put("p", "SELECT i::BIGINT id, 'a' AS s FROM range(100) r(i)")
    w.put("p", "SELECT 1::BIGINT id, 'b' AS s")
    assert w.read("p", -1, "count(*)") == [["100"]]
    assert not [p for p in proxy.asked("GET") if "part-" in p]
    assert len(cached(w)) == 1  # that of version 0 went
    other = lake.worker("other", proxy.endpoint)
    for _ in range(3):
        assert other.read("p", -1, "count(*)") == [["100"]]
    assert len([p for p in proxy.asked("GET") if "part-" in p]) == 1
    assert cached(other) == cached(w)


def test_a_copy_of_another_size_is_fetched_again(lake):
    w = lake.worker()
    w.put("p", "SELECT i::BIGINT id FROM range(100) r(i)")
    copy = next((w.home / "cache" / "p").iterdir())
    copy.chmod(0o600)
    copy.write_bytes(b"cut")
    assert w.read("p", -1, "count(*)") == [["100"]]
    key = f"lake/p/{copy.name}"
    copy.unlink()
    lake.bucket.put(key, b"another object")
    with pytest.raises(Fault, match="another size than the table's log says"):
        w.read("p", -1, "count(*)")


def test_of_two_writers_one_wins(lake):
    a, b = lake.worker("a"), lake.worker("b")
    a.put("p", "SELECT 0::BIGINT id, 'first' AS s")
    for turn in range(8):
        for w in (a, b):
            w.sql(f"CREATE OR REPLACE TABLE some_rows AS SELECT 0::BIGINT id, '{w.home.name}{turn}' AS s")
            w.merge("p", "some_rows", "id")
        for w in (a, b):
            w.send("commit MERGE")
        ends = []
        for w in (a, b):
            try:
                ends.append(w.answer()["version"])
            except Fault as f:
                assert f.answer["lost"], f
        assert ends and len(set(ends)) == len(ends)
        assert a.read("p", max(ends), "s") == b.read("p", -1, "s")


def test_an_answer_that_is_lost(lake, proxy):
    """The server has made the version, or the pointer, and nobody heard of it: it is ours all the same."""
    w = lake.worker("w", proxy.endpoint)
    w.sql("CREATE TABLE some_rows AS SELECT 5::BIGINT id")
    w.append("p", "some_rows")
    proxy.plan(Lose(only="PUT"))
    assert w.commit()["version"] == 0
    pointer = {"tables": {"p": {"version": 0}}}
    proxy.plan(Lose(only="PUT"))
    assert not w.ask(f"publish 0 {json.dumps(pointer)}")["lost"]
    assert w.ask("published")["pointer"] == pointer
    other = lake.worker("other", proxy.endpoint)
    proxy.plan(Cut(30, only="GET"), Cut(10, only="GET"))
    assert other.read("p") == [["5"]]


def test_vacuum_of_a_bucket(lake):
    w = lake.worker()
    for n in range(4):
        w.put("p", f"SELECT 1::BIGINT id, {n} AS n")
    w.ask('publish 0 {"tables": {"p": {"version": 2}}}')
    lake.bucket.put("lake/p/part-orphan.parquet", b"x")
    lake.bucket.put("other/p/part-orphan.parquet", b"not ours")
    assert w.ask("vacuum 3600000000 p")["removed"] == 0
    # The clock of the store counts in seconds: what was made in this one is not older than now.
    assert w.ask("vacuum -2000000 p")["removed"] >= 3
    assert w.read("p", 2, "n") == [["2"]] and w.read("p", 3, "n") == [["3"]]
    assert "other/p/part-orphan.parquet" in lake.bucket.keys()
