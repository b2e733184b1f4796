"""
What a harmonize meets in bad weather: objects that are not what they say, stores that are gone, deny, break or hold too much, SQL that fails or
pries, a full disk, Postgres dying. Each end is told with its stage and what to do, nothing is lost, and no row is in any log.
"""
import contextlib
import gzip
import json
import os
import re
import shutil
import subprocess

import pytest

from harmonize_s3 import Answer, Bucket, Cut, Lose, Proxy, Refuse, Rewrite, a_server
from harmonize_site import JOB, MARKER, Folder, Partner, Site, as_csv, as_json, as_ndjson, over, packed, row
from servers import StallProxy, wait_until


@pytest.fixture(scope="module")
def s3(session_home):
    with a_server(session_home["home"] / "s3-bad") as server:
        yield server


@pytest.fixture
def site(tmp_path, programs_built):
    """Without a database, all in folders."""
    return Site(tmp_path, None, Folder(tmp_path / "drop"), Folder(tmp_path / "lake"))


@pytest.fixture
def s3_site(tmp_path, s3, programs_built):
    """The same in buckets, behind a proxy."""
    proxy = Proxy(s3)
    site = Site(tmp_path, None, Bucket(s3, "drop", proxy), Bucket(s3, "lake", proxy))
    site.proxy = proxy
    yield site
    proxy.close()


def marked(number, **more):
    return row(number, ProviderName=f"Ada {MARKER}", **more)


def fails(site, *words, **more):
    """A run that fails with these words, and publishes nothing."""
    number = site.view().number
    done = site.run(**more)
    assert done.code != 0, done
    missing = [w for w in words if w not in done.words]
    assert not missing, f"{missing} are not said: {done}"
    assert site.view().number == number and site.left() == [], site.left()
    return done


# Objects.

ROWS = [marked(i) for i in range(1, 4)]
REFUSED = {
    "empty.csv": (b"", "empty_object"),
    "empty.json": (b"", "empty_object"),
    "blank.ndjson": (b"\n \n", "empty_object"),
    "nothing.csv.gz": (packed(b""), "empty_object"),
    "picture.csv": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "wrong_format"),
    "json.csv": (as_json(ROWS), "wrong_format"),
    "csv.json": (as_csv(ROWS), "wrong_format"),
    "csv.ndjson": (as_csv(ROWS), "wrong_format"),
    "no-npi.csv": (as_csv(ROWS, ["ProviderName", "ProviderID", "Specialty", "SiteName", "SourceID"]), "missing_column"),
    "cut.csv.gz": (gzip.compress(as_csv([marked(i) for i in range(1, 400)]))[:-300], "truncated_object"),
    "cut.json": (as_json(ROWS)[:-40], "truncated_object"),
    "flipped.csv.gz": ((lambda o: o[:-8] + bytes(b ^ 255 for b in o[-8:-4]) + o[-4:])(gzip.compress(as_csv(ROWS))), "damaged_object"),
}


def test_objects_that_are_refused(site):
    """All at once, beside one that is sound: each is refused as a whole, on record, and asked for no more."""
    for name, (octets, _) in REFUSED.items():
        site.drop.put(f"provider/{name}", octets)
    site.deliver("sound.csv", [row(7)])
    said, v = site.harmonized()
    delivered = {r["object"]: r for r in v.rows("delivery")}
    assert {k.removeprefix("provider/"): r["refused"] for k, r in delivered.items()} == \
        {**{name: reason for name, (_, reason) in REFUSED.items()}, "sound.csv": None}
    assert len(v.rows("provider")) == 1
    again = site.run()
    assert again.code == 0 and site.view().number == v.number, "what was refused is asked for again"
    # What is sent anew under the same name is another delivery.
    site.deliver("cut.csv.gz", [row(8)])
    _, v = site.harmonized(v)
    assert len(v.rows("provider")) == 2
    assert sorted(r["refused"] or "" for r in v.rows("delivery") if r["object"] == "provider/cut.csv.gz") == ["", "truncated_object"]


def test_rows_that_are_rejected(site):
    """In an object that is taken all the same."""
    good = as_csv([row(1), row(2)])
    bad = f"{MARKER},1,2\n".encode() + f"{MARKER},\xff\xfe".encode("latin1") + b",1,2,3,4,5,6\n"
    site.drop.put("provider/a.csv", good + bad + as_csv([row(3)]).split(b"\n", 1)[1])
    site.drop.put("provider/b.ndjson", as_ndjson([row(4)]) + f"{{\"ProviderName\": \"{MARKER}\", \n".encode() + as_ndjson([row(5)]))
    _, v = site.harmonized()
    assert len(v.rows("provider")) == 5
    rejected = [r for r in v.rows("quarantine") if r["kind"] == "rejected"]
    assert {(r["object"], r["line"]) for r in rejected} == {("provider/a.csv", "4"), ("provider/a.csv", "5"), ("provider/b.ndjson", "2")}
    assert {r["object"]: r["rejected"] for r in v.rows("delivery")} == {"provider/a.csv": "2", "provider/b.ndjson": "1"}


def test_an_array_on_one_line(site):
    """All of its rows have that line: they are told apart all the same."""
    rows = [row(i, ProviderName=f"Ada Nr{chr(64 + i)}x", SiteName=f"Site {i}") for i in range(1, 6)] + [row(9, ProviderName=None)]
    site.drop.put("provider/a.json", json.dumps(rows).encode())
    _, v = site.harmonized()
    assert sorted((r["npi"], r["provider_name"]) for r in v.rows("provider")) == sorted((r["NPI"], r["ProviderName"]) for r in rows[:5])
    assert [r["reason"] for r in v.rows("quarantine") if r["kind"] == "rejected"] == ["name_missing"]


def test_npis_that_stand_for_none(site):
    """Whoever has one is nobody else who has it."""
    rows = [row(i, NPI=npi) for i, npi in enumerate(["0000000000", "0000000000", " 9999999999 ", "9999999999", "1111111112"], 1)]
    site.deliver("a.csv", rows + [row(6, NPI="1111111111", SourceID=None, ProviderID=None)])
    _, v = site.harmonized()
    assert sorted((r["provider_source_value"], r["npi"]) for r in v.rows("provider")) == \
        [(r["SourceID"], r["NPI"] if r["NPI"] == "1111111112" else None) for r in rows]
    assert sorted(r["reason"] for r in v.rows("quarantine") if r["target"] == "provider" and r["reason"] != "care_site_created") == \
        ["identity_missing"] + ["npi_malformed"] * 4


def test_too_many_rejected(site):
    site.job["max_rejected"] = 10
    site.deliver("a.csv", [row(i, NPI=None, ProviderName=None) for i in range(30)] + [row(i) for i in range(100, 150)])
    fails(site, "transform", "max_rejected")
    site.job["max_rejected"] = 50
    site.harmonized()


def test_names_that_are_hidden(site):
    """What is still on its way lies there under such a name; `*` is not meant to take it, and no pattern at all neither."""
    for pattern in ("*", None):
        site.job["sources"]["provider_file"].pop("pattern", None)
        if pattern:
            site.job["sources"]["provider_file"]["pattern"] = pattern
        site.deliver(".a.csv.Xy12", [row(1)], "csv")
        site.deliver("b.csv", [row(2)])
        _, v = site.harmonized()
        assert {r["object"] for r in v.rows("delivery")} == {"provider/b.csv"}
    site.job["sources"]["provider_file"]["pattern"] = ".*"
    _, v = site.harmonized()
    assert len(v.rows("provider")) == 2


def test_a_new_column(site):
    """It is kept with the row, and hurts nobody; so is one that may be missing, and capitals mean nothing."""
    site.deliver("a.csv", [{**row(1), "Fax": "1"}])
    site.drop.put("provider/b.csv", as_csv([row(2)], ["NPI", "SiteName", "Specialty", "ProviderName", "SourceID", "ProviderID"]).upper())
    _, v = site.harmonized()
    assert len(v.rows("provider")) == 2


def test_a_hundred_thousand_keys(site):
    """Those that are meant are found among them."""
    first = site.drop.root / "provider/first.txt"
    site.deliver("z.csv", [row(1)])
    source = first
    for i in range(100_000):
        if i % 30_000 == 0:
            source = site.drop.root / f"provider/{i:06}.txt"
            source.write_text("no")
        else:
            os.link(source, site.drop.root / f"provider/{i:06}.txt")
    site.job["sources"]["provider_file"]["pattern"] = "*.csv"
    said, v = site.harmonized()
    assert [r["object"] for r in v.rows("delivery")] == ["provider/z.csv"]


def listing(keys, token=None):
    """A page as S3 has it."""
    found = "".join(f"<Contents><Key>{k}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;{i:032x}&quot;</ETag><Size>9</Size>"
                    "</Contents>" for i, k in enumerate(keys))
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else "<IsTruncated>false</IsTruncated>"
    return (f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>drop</Name>'
            f"<KeyCount>{len(keys)}</KeyCount><MaxKeys>1000</MaxKeys>{more}{found}</ListBucketResult>").encode()


def test_a_list_without_end(s3_site):
    """A server that never comes to the last page is believed only so far."""
    pages = iter(range(1 << 30))

    def rule(r):
        if r.listing and "provider" in r.target and "_delta_log" not in r.target:
            n = next(pages)
            return Answer(status=200, headers={"Content-Type": "application/xml"},
                          body=listing([f"provider/{n:09}-{i:04}.txt" for i in range(1000)], f"t{n}" if n < 100 else None))
        return None
    s3_site.job["sources"]["provider_file"]["pattern"] = "*.csv"
    s3_site.proxy.rule = rule
    done = s3_site.run()
    assert done.code == 0, done
    assert next(pages) == 101, "101 pages make the whole"


# Stores.

def listed_with(fn):
    """A rule: ETags of lists as fn makes them of their text."""
    rewrite = Rewrite(lambda body: re.sub(b"<ETag>(.*?)</ETag>", lambda m: fn(m[1]), body))
    return lambda r: rewrite if r.listing and "provider" in r.target and "_delta_log" not in r.target else None


def test_a_list_without_etags(s3_site):
    """Size and time stand in for them."""
    s3_site.proxy.rule = listed_with(lambda etag: b"")
    s3_site.deliver("a.csv", [row(1)])
    _, v = s3_site.harmonized()
    said, again = s3_site.harmonized(v)
    assert said["nothing_new"] and len(v.rows("provider")) == 1
    s3_site.deliver("a.csv", [row(1), row(2)])
    _, v = s3_site.harmonized(v)
    assert len(v.rows("provider")) == 2 and len(v.rows("delivery")) == 2


@pytest.mark.parametrize("fn", [lambda e: b"<ETag>W/" + e + b"</ETag>", lambda e: b"<ETag>0123</ETag>"], ids=["weak", "other"])
def test_a_list_with_other_etags(s3_site, fn):
    """Nothing would ever be taken."""
    s3_site.deliver("a.csv", [row(1)])
    s3_site.deliver("b.csv", [row(2)])
    s3_site.proxy.rule = listed_with(fn)
    fails(s3_site, "none of the 2 new objects could be taken", "ETag", "endpoint")
    s3_site.proxy.rule = None
    _, v = s3_site.harmonized()
    assert len(v.rows("provider")) == 2


def test_a_bucket_that_is_gone(s3_site):
    s3_site.stores["drop"]["url"] = "s3://nowhere"
    fails(s3_site, "extract", "s3://nowhere", "there is no such bucket")
    s3_site.stores["drop"] = s3_site.drop.config()
    s3_site.stores["lake"]["url"] = "s3://nowhere-either"
    s3_site.deliver("a.csv", [row(1)])
    fails(s3_site, "s3://nowhere-either", "there is no such bucket")


def test_denied(s3_site, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("partner:not-the-secret\n")
    wrong.chmod(0o600)
    s3_site.stores["drop"]["credentials_file"] = str(wrong)
    done = fails(s3_site, "extract", "credentials_file")
    assert "not-the-secret" not in done.words


def test_clock_skew(s3_site):
    s3_site.proxy.rule = lambda r: Answer(status=403, code="RequestTimeTooSkewed", headers={"Date": "Sat, 21 Nov 2020 20:00:00 GMT"})
    fails(s3_site, "clock")


def test_503_is_survived(s3_site):
    """Each first request of its kind is answered so."""
    s3_site.deliver("a.csv", [row(1)])
    seen = set()

    def rule(r):
        if (r.method, r.key) in seen:
            return None
        seen.add((r.method, r.key))
        return Answer() if len(seen) % 2 else Refuse()
    s3_site.proxy.rule = rule
    _, v = s3_site.harmonized()
    assert len(v.rows("provider")) == 1


def test_a_lake_that_may_not_be_written(s3_site):
    """Nothing is lost: the next run takes what was delivered."""
    s3_site.deliver("a.csv", [row(1)])
    s3_site.proxy.rule = lambda r: Answer(status=403, code="AccessDenied") if r.write else None
    fails(s3_site, "load", s3_site.lake.bucket.url)
    s3_site.proxy.rule = None
    s3_site.harmonized()


def test_a_pointer_whose_answer_is_lost(s3_site):
    """And so is the look for what became of it: the next attempt puts the same again, and finds its own."""
    s3_site.deliver("a.csv", [row(1)])
    puts, gets = [], []

    def rule(r):
        if not r.key.endswith(f"_published/{1:020}.json") or not (r.write or puts):
            return None
        (puts if r.write else gets).append(r)
        if r.write:
            return Lose() if len(puts) == 1 else None
        return Answer(status=403, code="AccessDenied") if len(gets) == 1 else Answer() if len(gets) < 8 else None
    s3_site.proxy.rule = rule
    stats, v = s3_site.harmonized()
    assert v.number == 1 and len(puts) > 2 and len(v.rows("provider")) == 1
    assert [s["attempts"] for s in stats["stages"] if s["name"] == "publish"][-1] == 2


def test_a_lake_that_is_not_the_one_of_before(site):
    """A folder that is not mounted, an old copy: ids that are taken would be given again."""
    site.deliver("a.csv", [row(1)])
    site.harmonized()
    there, old = site.lake.folder, site.home / "old"
    shutil.copytree(there, old)
    site.deliver("b.csv", [row(2)])
    _, before = site.harmonized()
    away = there.rename(site.home / "away")
    there.mkdir()
    fails(site, "has no pointer, and this machine has seen number 2", "mounted", str(site.state / "harmonize" / JOB / "published"))
    there.rmdir()
    shutil.copytree(old, there)
    fails(site, "has no pointer behind number 1, and this machine has seen number 2")
    shutil.rmtree(there)
    away.rename(there)
    site.deliver("c.csv", [row(3)])
    site.harmonized(before)
    (site.state / "harmonize" / JOB / "published").unlink()  # what the words say, where it is meant
    shutil.rmtree(there)
    there.mkdir()
    said, _ = site.harmonized()
    assert said["published"] == 1


def test_an_object_that_changes_while_it_is_read(s3_site):
    """What was listed is no more: the new one is taken, now or at the next run, and no mixture of both."""
    s3_site.deliver("a.csv", [row(i) for i in range(1, 100)])
    changed = []

    def rule(r):
        if r.method == "GET" and r.key.endswith("a.csv") and not changed:
            changed.append(r)
            s3_site.deliver("a.csv", [row(i, SpecSource="Derma") for i in range(1, 100)])
    s3_site.proxy.rule = rule
    s3_site.run()
    _, v = s3_site.harmonized()
    assert {r["specialty_source_value"] for r in v.rows("provider")} == {"Derma"}
    assert len(v.rows("provider")) == 99


def test_an_answer_that_is_cut_short(s3_site):
    s3_site.deliver("a.csv", [row(i) for i in range(1, 100)])
    n = []

    def rule(r):
        if r.method == "GET" and r.key.endswith("a.csv") and not n:
            n.append(r)
            return Cut(at=2000)
        return None
    s3_site.proxy.rule = rule
    _, v = s3_site.harmonized()
    assert len(v.rows("provider")) == 99


# SQL.

def with_sql(site, text, name="own.sql"):
    (site.home / "sql").mkdir(exist_ok=True)
    path = site.home / "sql" / name
    path.write_text(text)
    site.job["transform"] = site.transform(path)


@pytest.mark.parametrize("text, words", [
    ("SELEC 1", ["own.sql", "SELEC"]),
    ("SELECT * FROM staged.nobody", ["own.sql", "nobody"]),
    ("SELECT CAST(ProviderName AS INTEGER) FROM staged.provider_file", ["own.sql"]),
    ("INSERT INTO out.provider SELECT * FROM out.provider", ["provider_id"]),
    ("UPDATE out.provider SET care_site_id = 4711", ["provider", "care_site_id", "care_site"]),
    ("DROP TABLE out.provider", ["provider"]),
    ("INSERT INTO out.quarantine SELECT * REPLACE ('no_such_reason' AS reason) FROM out.quarantine", ["no_such_reason"]),
], ids=lambda v: v.split()[0] if isinstance(v, str) else "")
def test_sql_that_fails(site, text, words):
    site.deliver("a.csv", [marked(1), row(2, ProviderName=f"Dr. {MARKER}"), row(3)])
    with_sql(site, text)
    fails(site, "transform", *words)


def test_sql_that_is_missing(site):
    site.deliver("a.csv", [row(1)])
    site.job["transform"] = site.transform(site.home / "nowhere.sql")
    fails(site, "nowhere.sql")


SECRET = "secret-of-another-4711"


@pytest.mark.parametrize("text", [
    "CREATE TABLE x AS SELECT * FROM read_csv('{home}/secret.csv')",
    "CREATE TABLE x AS SELECT * FROM read_text('{home}/sql/../secret.csv')",
    "CREATE TABLE x AS SELECT * FROM '{home}/secret.csv'",
    "CREATE TABLE x AS SELECT * FROM glob('{home}/*.csv'); SELECT CAST(file AS INTEGER) FROM x",
    "COPY (SELECT 1) TO '{home}/out.csv'",
    "ATTACH '{home}/other.duckdb' AS other",
    "SET enable_external_access = true; CREATE TABLE x AS SELECT * FROM read_text('{home}/secret.csv')",
    "SET allowed_directories = ['/']; CREATE TABLE x AS SELECT * FROM read_text('{home}/secret.csv')",
    "INSTALL httpfs; LOAD httpfs",
    "CREATE TABLE x AS SELECT * FROM read_text('{state}/harmonize/omop/lock')",
    "COPY (SELECT 1) TO '{lake}/provider/x.parquet'",
    "CREATE TABLE x AS SELECT * FROM read_blob('/proc/self/environ')",
], ids=lambda v: v.replace("CREATE TABLE x AS SELECT * FROM ", "").split("{")[0][:28])
def test_sql_that_pries(site, text):
    """It sees nothing but the folders of its own files, and writes nothing anywhere."""
    site.deliver("a.csv", [row(1)])
    (site.home / "secret.csv").write_text(f"a\n{SECRET}\n")
    (site.home / "sql").mkdir()
    with_sql(site, text.format(home=site.home, state=site.state, lake=site.lake.folder))
    done = fails(site, "transform", "own.sql")
    assert SECRET not in done.words
    assert not (site.home / "out.csv").exists() and not (site.home / "other.duckdb").exists()


def test_sql_reads_beside_itself(site):
    site.deliver("a.csv", [row(1)])
    with_sql(site, "CREATE TABLE x AS SELECT * FROM read_csv(getvariable('folder') || '/beside.csv');"
                   " INSERT INTO x SELECT 1 / (count(*) = 1)::INTEGER FROM x")
    (site.home / "sql/beside.csv").write_text("a\n1\n")
    site.harmonized()


# The disk.

def small_disk(path, size):
    path.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path], capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")


@pytest.mark.parametrize("what", ["state", "lake"])
def test_a_full_disk(tmp_path, programs_built, what):
    small_disk(tmp_path / "disk", "64k")
    try:
        lake = Folder(tmp_path / ("disk/lake" if what == "lake" else "lake"))
        site = Site(tmp_path, None, Folder(tmp_path / "drop"), lake, "disk/state" if what == "state" else "state")
        site.deliver("a.csv", [row(i) for i in range(20_000)])
        fails(site, "load", {"state": "the disk is full: make room", "lake": "space"}[what])
        subprocess.run(["mount", "-o", "remount,size=1g", tmp_path / "disk"], check=True)
        _, v = site.harmonized()
        assert len(v.rows("provider")) == 20_000
    finally:
        subprocess.run(["umount", "-l", tmp_path / "disk"], check=True)


# Postgres.

@pytest.fixture
def tables(tmp_path, postgres):
    partner = Partner(postgres)
    partner.run("INSERT INTO care_site(care_site_id, care_site_name) SELECT i, 'Site ' || i FROM generate_series(1, 10) i")
    partner.run("INSERT INTO provider(provider_id, provider_name, npi, site_name) SELECT i, 'Ada ' || i, 1000000000 + i, 'Site ' || i % 10 + 1"
                " FROM generate_series(1, 50000) i")
    yield Site(tmp_path, partner, Folder(tmp_path / "drop"), Folder(tmp_path / "lake"))
    partner.drop()


def test_postgres_breaks_off_once(tables):
    """Extract is tried again, alone."""
    proxy = StallProxy(tables.partner.server.port)
    try:
        tables.databases["partner"]["url"] = tables.partner.url(proxy.port)
        process = tables.start()
        with lock_of(tables.partner):
            wait_until(lambda: waiting(tables.partner), 30, "the run to ask for the locked table")
            proxy.drop()
        done = over(process)
        assert done.code == 0, done
        assert len(tables.sound().rows("provider")) == 50000
    finally:
        proxy.close()


@contextlib.contextmanager
def lock_of(partner):
    with contextlib.closing(partner.server.connect(partner.name)) as c:
        c.autocommit = False
        c.cursor().execute("LOCK TABLE provider IN ACCESS EXCLUSIVE MODE")
        yield
        c.rollback()


def waiting(partner):
    return partner.run("SELECT pid FROM pg_locks WHERE NOT granted")


def test_postgres_dies(tables):
    process = tables.start()
    with contextlib.suppress(Exception), lock_of(tables.partner):
        wait_until(lambda: waiting(tables.partner), 30, "the run to ask for the locked table")
        tables.partner.server.kill9()
    done = over(process)
    assert done.code != 0 and "extract" in done.words and "partner" in done.words, done
    assert tables.view().number == 0
    tables.partner.server.start()
    tables.harmonized()


def test_a_table_that_is_missing(tables):
    tables.partner.run("ALTER TABLE provider RENAME TO provider_of_old")
    fails(tables, "extract", "public.provider")


def test_a_table_that_may_not_be_read(tables):
    tables.partner.run("REVOKE SELECT ON provider FROM dataeng")
    fails(tables, "extract", "provider", "GRANT SELECT")
