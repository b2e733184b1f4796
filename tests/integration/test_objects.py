"""Objects of a store as a source of a harmonize: lib/job/harmonize/feed_objects, by way of tests/unit/job/objects_cat."""
import datetime
import gzip
import json
import os
import shutil
import signal
import subprocess

import pytest

from programs import BUILD
from s3_server import Answer, Behaviour, Cut, Refuse, S3Proxy, S3Server, Then
from test_duckdb import DUCKDB

OBJECTS_CAT = BUILD / "tests/unit/job/objects_cat"
MARKER = "PATIENT-4711"
COLUMNS = ["name", "npi", "site?"]

pytestmark = pytest.mark.skipif(not DUCKDB, reason="built without DuckDB: run setup/duckdb")


class Folder:
    def __init__(self, tmp_path):
        self.path = tmp_path / "drop"
        self.path.mkdir(parents=True)
        self.second = 1_700_000_000

    def config(self):
        return {"url": f"file://{self.path}"}

    def put(self, key, octets):
        """Each a second later than the one before it."""
        path = self.path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
        self.second += 1
        os.utime(path, (self.second, self.second))

    def remove(self, key):
        (self.path / key).unlink()


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with S3Server(tmp_path_factory.mktemp("s3") / "server") as server:
        yield server


class AsConfigured:
    """A bucket, by way of a proxy or not."""

    def __init__(self, bucket, proxy=None):
        self.bucket, self.proxy = bucket, proxy
        self.put, self.remove = bucket.put, bucket.remove

    def config(self):
        return {"url": self.bucket.url, "endpoint": (self.proxy or self.bucket).endpoint,
                "credentials_file": str(self.bucket.credentials)}


@pytest.fixture
def bucket(server):
    return AsConfigured(server.bucket(f"drop-{len(server.buckets)}"))


@pytest.fixture
def proxy(server, bucket):
    with S3Proxy(server) as proxy:
        bucket.proxy = proxy
        yield proxy


@pytest.fixture(params=["folder", "bucket"])
def drop(request):
    return request.getfixturevalue(request.param)


class Got:
    def __init__(self, done):
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode in (0, 1), f"objects_cat ended with {done.returncode}: {out[-2000:]} {err[-3000:]}"
        assert "Sanitizer" not in err, err
        self.lines = [json.loads(line) for line in out.splitlines()]
        self.shown = [line["shown"] for line in self.lines if "shown" in line]
        self.fault = self.of("fault")
        assert (done.returncode == 1) == (self.fault is not None), out[-2000:]
        told = self.of("told")
        self.notes, self.told = told["notes"], told["told"]
        said = err + json.dumps(self.fault) + json.dumps(self.notes)
        assert MARKER not in said

    def of(self, name):
        return next((line for line in self.lines if name in line), None)

    def good(self):
        assert self.fault is None, self.fault
        return self


class Run:
    def __init__(self, tmp_path):
        self.path, self.delivered, self.n = tmp_path / "run", None, 0

    def __call__(self, drop, *show, columns=COLUMNS, anew=False, prefix="provider/", sources=None, **more):
        self.path.mkdir()
        one = {"name": "files", "store": drop.config(), "prefix": prefix, "columns": columns, **more}
        given = {"folder": str(self.path), "sources": sources or [one], "anew": anew, "show": show}
        if self.delivered:
            given["delivered"] = f"['{self.delivered}']"
        given["lake"] = str(self.path.parent)
        done = self.talk(json.dumps(given).encode())
        left = {p.name for p in self.path.iterdir()} - {"stage.duckdb", "stage.duckdb.wal", "stage.duckdb.tmp"}
        assert not left
        shutil.rmtree(self.path)
        return Got(done)


    def talk(self, given):
        return subprocess.run([OBJECTS_CAT], input=given, capture_output=True, timeout=120)


class StoppedRun(Run):
    """Does something else while the rows of the first source are read, and the others are listed."""

    def talk(self, given):
        with subprocess.Popen([OBJECTS_CAT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            p.stdin.write(given)
            p.stdin.close()
            said = b""
            while b'"stage":"stage"' not in said:
                line = p.stdout.readline()
                assert line, said
                said += line
            p.send_signal(signal.SIGSTOP)
            self.meanwhile()
            p.send_signal(signal.SIGCONT)
            said, err = said + p.stdout.read(), p.stderr.read()
            return subprocess.CompletedProcess(p.args, p.wait(), said, err)


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


ROWS = "SELECT name, npi, site, _more, _source, _object, _line, _delivery FROM staged.files ORDER BY _delivery, _line"
DELIVERIES = "SELECT number, source, object, size, rows, rejected, refused FROM staged.delivery ORDER BY number"
QUARANTINE = ("SELECT reason, kind, source, object, line, raw FROM out.quarantine"
              " ORDER BY object, line NULLS FIRST")


def csv(*rows):
    return ("name,npi\n" + "".join(row + "\n" for row in rows)).encode()


def test_rows_with_their_lineage_in_the_order_of_the_deliveries(drop, run):
    drop.put("provider/b.csv", csv("Ann,1", "Bob,2"))
    drop.put("provider/a.json", b'[{"npi": 3, "name": "Cid", "site": "S", "x": [1]}]')
    drop.put("provider/deep/er.ndjson.gz", gzip.compress(b'{"name":"Dan","npi":"04"}\n'))
    drop.put("other/c.csv", csv("Eve,5"))
    got = run(drop, "SELECT name, npi, site, _more, _source, _object, _line FROM staged.files ORDER BY name",
              DELIVERIES, QUARANTINE, "SELECT DISTINCT _etag = d.version FROM staged.files f JOIN staged.delivery d ON"
              " d.number = f._delivery", "SELECT number FROM staged.delivery ORDER BY modified, object").good()
    assert got.shown[0] == [["Ann", "1", None, None, "files", "provider/b.csv", "2"],
                            ["Bob", "2", None, None, "files", "provider/b.csv", "3"],
                            ["Cid", "3", "S", '{"x":[1]}', "files", "provider/a.json", "1"],
                            ["Dan", "04", None, None, "files", "provider/deep/er.ndjson.gz", "1"]]
    assert sorted(row[2] for row in got.shown[1]) == ["provider/a.json", "provider/b.csv", "provider/deep/er.ndjson.gz"]
    assert got.shown[2] == [] and got.shown[3] == [["true"]]
    assert got.shown[4] == [["1"], ["2"], ["3"]]
    assert got.told == [{"name": "files", "rows": 4, "bytes": got.told[0]["bytes"], "rejected": 0, "full": False,
                         "objects": 3, "refused": 0}]


def test_of_a_folder_the_times_come_before_the_keys(folder, run):
    for key in ("c", "a", "b"):
        folder.put(f"provider/{key}.csv", csv(f"{key},1"))
    same = folder.second
    for key in ("z", "y"):
        folder.put(f"provider/{key}.csv", csv(f"{key},1"))
        os.utime(folder.path / f"provider/{key}.csv", (same + 9, same + 9))
    assert [row[0] for row in run(folder, ROWS).good().shown[0]] == ["c", "a", "b", "y", "z"]


def test_a_pattern_is_of_the_last_part_of_the_key(drop, run):
    for key in ("a.csv", "b.txt", "x/c.csv", "y.csv/d.txt"):
        drop.put("provider/" + key, csv(key + ",1"))
    got = run(drop, "SELECT name FROM staged.files ORDER BY 1", pattern="*.csv").good()
    assert got.shown[0] == [["a.csv"], ["x/c.csv"]]


def deliver(run, drop, tmp_path):
    """The lake's table `delivery`, as the run before left it."""
    run.n += 1
    path = tmp_path / f"delivery-{run.n}.parquet"
    also = f" UNION ALL SELECT * FROM read_parquet('{run.delivered}')" if run.delivered else ""
    got = run(drop, ROWS, DELIVERIES,
              f"COPY (SELECT source, object, version AS etag FROM staged.delivery{also}) TO '{path}' (FORMAT parquet)").good()
    run.delivered = path
    return got


def test_each_is_taken_once_and_again_when_it_is_sent_with_other_bytes(drop, run, tmp_path):
    drop.put("provider/a.csv", csv("Ann,1"))
    drop.put("provider/b.csv", csv("Bob,2"))
    drop.put("provider/bad.csv", b"")
    assert len(deliver(run, drop, tmp_path).shown[1]) == 3
    again = deliver(run, drop, tmp_path)
    assert again.shown[0] == [] and again.shown[1] == []
    drop.put("provider/b.csv", csv("Bob,22"))
    drop.put("provider/c.csv", csv("Ann,1"))  # the bytes of another
    third = deliver(run, drop, tmp_path)
    assert sorted(row[:2] for row in third.shown[0]) == [["Ann", "1"], ["Bob", "22"]]
    drop.put("provider/bad.csv", csv("Cid,3"))
    assert [row[0] for row in deliver(run, drop, tmp_path).shown[0]] == ["Cid"]
    anew = run(drop, ROWS, anew=True).good()
    assert len(anew.shown[0]) == 4 and anew.told[0]["full"]


def test_what_another_source_took_is_new_here(folder, run, tmp_path):
    folder.put("provider/a.csv", csv("Ann,1"))
    deliver(run, folder, tmp_path)
    other = {"name": "other", "store": folder.config(), "prefix": "provider/", "columns": COLUMNS}
    got = run(folder, "SELECT count(*) FROM staged.other", sources=[other]).good()
    assert got.shown[0] == [["1"]]


BAD = {
    "a-empty.csv": (b"", "empty_object"),
    "b-html.csv": b"<html><body>Sign in</body></html>\n",
    "c-json.csv": b'[{"name": 1, "npi": 2}]',
    "d-csv.json": csv("Ann,1"),
    "e-zip.csv": b"PK\3\4\24\0\0\0",
    "f-columns.csv": (f"name,{MARKER}\nAnn,1\n".encode(), "missing_column"),
    "g-doubled.csv": (b"name,npi,npi\nAnn,1,2\n", "doubled_column"),
    "h-cut.csv": (csv("Ann,1") + MARKER.encode(), "truncated_object"),
    "i-cut.csv.gz": (gzip.compress(csv(*(f"{i * 7919},{i}" for i in range(50000))))[:-9], "truncated_object"),
    "j-quote.csv": (csv("Ann,1", 'Bob,"2', f"{MARKER},3"), "damaged_object"),
    "k-array.json": (b'[{"name": 1, "npi": 2}, {"name": 3 ', "truncated_object"),
    "l-utf16.csv": "name,npi\n".encode("utf-16"),
    "m-wide.csv": (",".join(f"c{i}" for i in range(1601)).encode() + b"\n", "too_many_columns"),
}


def test_objects_that_are_refused_whole_harm_no_other(drop, run):
    wanted = {}
    drop.put("provider/0.csv", csv("Ann,1"))
    for key, bad in BAD.items():
        octets, wanted["provider/" + key] = bad if isinstance(bad, tuple) else (bad, "wrong_format")
        drop.put("provider/" + key, octets)
    drop.put("provider/z.csv", csv("Zoe,9"))
    got = run(drop, "SELECT name FROM staged.files ORDER BY 1", "SELECT object, refused, rows, rejected FROM staged.delivery",
              QUARANTINE, "SELECT count(*) FROM out.quarantine WHERE detail IS NULL OR contains(detail, object)"
              f" OR contains(detail, '{MARKER}')").good()
    assert got.shown[0] == [["Ann"], ["Zoe"]]
    of = {row[0]: row[1:] for row in got.shown[1]}
    assert of.pop("provider/0.csv") == [None, "1", "0"] and of.pop("provider/z.csv") == [None, "1", "0"]
    assert of == {key: [reason, "0", "0"] for key, reason in wanted.items()}
    assert got.shown[2] == [[reason, "rejected", "files", key, None, None] for key, reason in sorted(wanted.items())]
    assert got.shown[3] == [["0"]]
    assert got.told[0]["refused"] == len(BAD) and got.told[0]["objects"] == len(BAD) + 2


def test_rows_that_cannot_be_taken_are_in_quarantine(drop, run):
    drop.put("provider/a.csv", csv("Ann,1", MARKER, "Cid,3", "D\xff,4").replace(b"\xc3\xbf", b"\xff"))
    drop.put("provider/b.ndjson", b'{"name": 1, "npi": 2}\n{"name": NaN}\n[7]\n')
    got = run(drop, "SELECT name FROM staged.files ORDER BY 1", QUARANTINE, DELIVERIES).good()
    assert got.shown[0] == [["1"], ["Ann"], ["Cid"]]
    assert [row[:5] for row in got.shown[1]] == [
        ["too_few_cells", "rejected", "files", "provider/a.csv", "3"],
        ["bad_encoding", "rejected", "files", "provider/a.csv", "5"],
        ["not_json", "rejected", "files", "provider/b.ndjson", "2"],
        ["not_an_object", "rejected", "files", "provider/b.ndjson", "3"]]
    assert [json.loads(row[5]) for row in got.shown[1]] == [MARKER, "D�,4", '{"name": NaN}', "[7]"]
    assert sorted(row[4:] for row in got.shown[2]) == [["1", "2", None], ["2", "2", None]]


def test_columns_that_nobody_declared_are_told_once(drop, run):
    for i in range(3):
        drop.put(f"provider/{i}.csv", b"name,npi,fax,\nAnn,1,2,3\n")
    drop.put("provider/9.json", b'[{"name": 1, "npi": 2, "fax": 3, "mail": 4}]')
    got = run(drop, "SELECT _more FROM staged.files ORDER BY 1").good()
    assert got.shown[0] == [['{"fax":"2","":"3"}']] * 3 + [['{"fax":3,"mail":4}']]
    told = [note for note in got.notes if "nobody declared" in note]
    assert len(told) == 2 and sum("fax" in note for note in told) == 1 and sum("mail" in note for note in told) == 1
    assert any("9.json" in note and "mail" in note for note in told)


def test_tokens_delimiters_and_formats_are_the_sources_own(folder, run):
    folder.put("provider/a", b"name\tnpi\nn/a\t1\n")
    got = run(folder, ROWS, null=["n/a"], delimiter="tab", format="csv").good()
    assert got.shown[0][0][:2] == [None, "1"]


def test_nothing_new_is_no_fault(drop, run):
    drop.put("elsewhere/a.csv", csv("Ann,1"))
    got = run(drop, ROWS, DELIVERIES, QUARANTINE).good()
    assert got.shown == [[], [], []]


def test_a_store_that_is_not_there(folder, bucket, run):
    bad = folder.config()
    bad["url"] += "/nothing"
    one = {"name": "files", "store": bad, "prefix": "", "columns": COLUMNS}
    got = run(folder, sources=[one])
    assert got.fault and not got.fault["transient"] and "files" in got.fault["fault"]
    one["store"] = {**bucket.config(), "url": "s3://no-such-bucket"}
    got = run(bucket, sources=[one])
    assert got.fault and not got.fault["transient"] and "no-such-bucket" in got.fault["fault"]
    denied = bucket.bucket.write_credentials("denied.keys", bucket.bucket.access, "another-secret")
    one["store"] = {**bucket.config(), "credentials_file": str(denied)}
    got = run(bucket, sources=[one])
    assert got.fault and not got.fault["transient"] and "another-secret" not in json.dumps(got.fault)


def test_many_keys_and_few_that_match(folder, run):
    for i in range(20000):
        folder.put(f"provider/{i % 100}/{i}.txt", b"x")
    folder.put("provider/the.csv", csv("Ann,1"))
    got = run(folder, ROWS, pattern="*.csv").good()
    assert [row[0] for row in got.shown[0]] == ["Ann"]


def test_more_objects_than_are_fetched_ahead(drop, run):
    for i in range(300):
        drop.put(f"provider/{i:04}.csv", csv(f"N{i},1", f"N{i},2"))
    got = run(drop, "SELECT count(*), count(DISTINCT _delivery), count(DISTINCT _object) FROM staged.files",
              "SELECT count(*) FROM staged.files WHERE _object <> 'provider/' || lpad(substr(name, 2), 4, '0') || '.csv'").good()
    assert got.shown == [[["600", "300", "300"]], [["0"]]]


def test_two_sources_of_one_store(drop, run):
    drop.put("a/1.csv", csv("Ann,1"))
    drop.put("b/1.csv", b"x\n7\n")
    sources = [{"name": "one", "store": drop.config(), "prefix": "a/", "columns": COLUMNS},
               {"name": "two", "store": drop.config(), "prefix": "b/", "columns": ["x"]}]
    got = run(drop, "SELECT name, _delivery FROM staged.one", "SELECT x, _delivery FROM staged.two", sources=sources).good()
    assert got.shown == [[["Ann", "1"]], [["7", "2"]]]


def test_a_date_of_the_future_is_no_matter(folder, run):
    folder.put("provider/a.csv", csv("Ann,1"))
    later = datetime.datetime(2099, 1, 1).timestamp()
    os.utime(folder.path / "provider/a.csv", (later, later))
    assert len(run(folder, ROWS).good().shown[0]) == 1


def test_files_that_go_or_change_before_they_are_read_are_noted(folder, tmp_path):
    long = Folder(tmp_path / "another")
    long.put("a.csv", b"name,npi\n" + b"A,1\n" * 800_000)
    for i in range(100):
        folder.put(f"provider/{i:03}.csv", csv(f"N{i},1"))

    def meanwhile():
        for i in range(90, 100):
            folder.remove(f"provider/{i:03}.csv")
        for i in range(80, 85):
            folder.put(f"provider/{i:03}.csv", csv(f"N{i},22"))

    run = StoppedRun(tmp_path)
    run.meanwhile = meanwhile
    sources = [{"name": "long", "store": long.config(), "prefix": "", "columns": COLUMNS},
               {"name": "files", "store": folder.config(), "prefix": "provider/", "columns": COLUMNS}]
    got = run(folder, "SELECT count(*), count(*) FILTER (npi = '22') FROM staged.files",
              "SELECT count(*), count(refused) FROM staged.delivery", "SELECT count(*) FROM staged.long", sources=sources).good()
    assert got.shown == [[["85", "0"]], [["86", "0"]], [["800000"]]]
    assert len(got.notes) == 2, got.notes
    assert "10 objects were gone" in got.notes[0] and "provider/090.csv" in got.notes[0]
    assert "5 objects became others" in got.notes[1] and "provider/080.csv" in got.notes[1]


@pytest.mark.parametrize("goes", [True, False])
def test_an_object_that_goes_or_changes_before_it_is_fetched_is_noted(bucket, proxy, run, goes):
    bucket.put("provider/a.csv", csv("Ann,1"))
    proxy.plan(Behaviour(), Then(lambda: bucket.remove("provider/a.csv") if goes else bucket.put("provider/a.csv", csv("Bob,22"))))
    got = run(bucket, ROWS, DELIVERIES).good()
    assert got.shown == [[], []] and len(got.notes) == 1
    assert "provider/a.csv" in got.notes[0] and ("were gone" if goes else "became others") in got.notes[0]
    assert len(run(bucket, ROWS).good().shown[0]) == (0 if goes else 1)


def test_a_store_that_breaks_now_and_then(bucket, proxy, run):
    for i in range(20):
        bucket.put(f"provider/{i:02}.csv", csv(*(f"N{k},{k}" for k in range(100))))
    proxy.plan(Answer(503), Behaviour(), Refuse(), Cut(at=20), Answer(500), Behaviour(), Cut(at=100, reset=True), Answer(429))
    got = run(bucket, "SELECT count(*), count(DISTINCT _object) FROM staged.files").good()
    assert got.shown == [[["2000", "20"]]] and got.notes == []


def test_what_breaks_for_long_is_a_transient_fault(bucket, proxy, run):
    bucket.put("provider/a.csv", csv("Ann,1"))
    proxy.plan(*[Answer(503)] * 1000)
    got = run(bucket)
    assert got.fault["transient"] and got.fault["fault"].startswith("extract: the source files, attempt 3")
