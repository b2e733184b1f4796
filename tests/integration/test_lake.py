"""lib/lake: Delta tables in a folder, by way of run_lake, read back by a program that is none of ours."""
import datetime
import decimal
import json
import os
import random

import pytest

import lake_site
from programs import BUILD
from lake_site import Fault, Lake, read_elsewhere

elsewhere = pytest.mark.skipif(lake_site.READER is None, reason="there is no other reader: setup/delta-reader")
PROTOCOL = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}


def metadata(*fields, **more):
    schema = {"type": "struct", "fields": [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in fields]}
    return {"metaData": {"id": "2f1c1d4e-0000-4000-8000-000000000000", "format": {"provider": "parquet", "options": {}},
                         "schemaString": json.dumps(schema), "partitionColumns": [], "configuration": {}, **more}}


@pytest.fixture
def lake(tmp_path):
    site = Lake(tmp_path)
    yield site
    site.close()


@pytest.fixture
def worker(lake):
    return lake.worker()


# ---- what is written, read back ----

TYPES = """SELECT i::BIGINT id, 'näme "' || i AS name, (i / 3)::DECIMAL(18,2) price, (i / 3)::DECIMAL(38,10) wide,
    i / 8 AS d, (i / 8)::FLOAT f, DATE '2020-02-28' + i::INTEGER AS day,
    TIMESTAMPTZ '2020-01-01 00:00:00.123456+00' + i * INTERVAL 1 SECOND AS moment, i % 2 = 0 AS even,
    ('x' || i)::BLOB AS raw, i::SMALLINT small, i::INTEGER medium, i::TINYINT tiny, {"'a'": i}::JSON AS j
    FROM range(3) r(i) UNION ALL SELECT 77, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"""


@elsewhere
def test_every_type_is_read_elsewhere(lake, worker):
    assert worker.put("p", TYPES.replace("\n", " ").replace("{\"'a'\": i}", "('{\"a\": ' || i || '}')")) == 0
    rows = read_elsewhere(lake.folder / "p", "SELECT * FROM t ORDER BY id")
    assert rows[1] == [1, 'näme "1', decimal.Decimal("0.33"), decimal.Decimal("0.3333333333"), 0.125, 0.125,
                       datetime.date(2020, 2, 29), rows[1][7], False, b"x1", 1, 1, 1, '{"a": 1}']
    assert rows[1][7].isoformat() == "2020-01-01T00:00:01.123456+00:00"
    assert rows[3] == [77] + [None] * 13


def test_statistics_are_bounds(lake, worker):
    long = "x" * 100
    worker.put("p", f"SELECT * FROM (VALUES (1::BIGINT, 'a', 1.5::DOUBLE, TIMESTAMPTZ '2020-01-01 00:00:00.0001+00'), "
                    f"(2, '{long}', 'nan'::DOUBLE, NULL)) v(id, s, d, m)")
    stats = json.loads(lake.entry("p", 0)["add"][0]["stats"])
    assert stats["numRecords"] == 2 and stats["nullCount"] == {"id": 0, "s": 0, "d": 0, "m": 1}
    assert stats["minValues"]["id"] == 1 and stats["maxValues"]["id"] == 2
    assert stats["minValues"]["s"] == "a" and long < stats["maxValues"]["s"] < "y"
    assert "d" not in stats["maxValues"]
    assert stats["minValues"]["m"] == "2020-01-01T00:00:00.000Z" and stats["maxValues"]["m"] == "2020-01-01T00:00:00.001Z"


def test_columns_that_the_log_does_not_tell_of(lake):
    worker = lake.worker("w", "--untold", "quarantine.raw")
    for table, told in (("quarantine", {"id"}), ("p", {"id", "raw"})):
        worker.put(table, "SELECT * FROM (VALUES (1::BIGINT, 'Dr. Who'), (2, NULL)) v(id, raw)")
        stats = json.loads(lake.entry(table, 0)["add"][0]["stats"])
        assert set(stats["minValues"]) == set(stats["maxValues"]) == told
        assert stats["numRecords"] == 2 and stats["nullCount"] == {"id": 0, "raw": 1}
        assert ("Dr. Who" in (lake.log(table) / f"{0:020}.json").read_text()) == ("raw" in told)


@pytest.mark.parametrize("sql, words", [
    ("SELECT 1::BIGINT id, now()::TIMESTAMP t", ["column t", "TIMESTAMPTZ"]),
    ("SELECT 1::BIGINT id, [1] AS l", ["column l", "cast"]),
    ("SELECT 1::BIGINT id, 1::HUGEINT h", ["column h", "DECIMAL(38,0)"]),
    ("SELECT 1::BIGINT id, 2 AS \"a b\"", ["'a b'", "another name"]),
    ("SELECT 1::INTEGER id", ["column id", "BIGINT in the lake", "INTEGER in the rows"]),
    ("SELECT 'a' AS other", ["column id", "key", "not in the rows"]),
])
def test_what_cannot_be_written_is_refused(lake, worker, sql, words):
    worker.put("p", "SELECT 1::BIGINT id")
    with pytest.raises(Fault) as fault:
        worker.put("p", sql)
    assert all(w in str(fault.value) for w in words), fault.value
    assert len(list(lake.log("p").iterdir())) == 1 and len(list((lake.folder / "p").glob("*.parquet"))) == 1


# ---- merges ----

def test_only_files_with_a_replaced_key_are_written_anew(lake, worker):
    for n in range(4):
        worker.put("p", f"SELECT i::BIGINT id, 'first' AS s FROM range({n * 10}, {n * 10 + 10}) r(i)")
    before = {f["path"] for f in worker.open("p")["files"]}
    worker.put("p", "SELECT * FROM (VALUES (12::BIGINT, 'second'), (15, 'first'), (31, 'second'), (99, 'new')) v(id, s)")
    assert {k: worker.change[k] for k in ("inserted", "updated", "unchanged")} == \
        {"inserted": 1, "updated": 2, "unchanged": 1}
    after = {f["path"] for f in worker.open("p")["files"]}
    assert len(before) == 4 and len(before & after) == 2
    assert worker.read("p", -1, "count(*), count(DISTINCT id)") == [["41", "41"]]
    assert worker.read("p", 3, "DISTINCT s") == [["first"]]


def test_rows_that_are_there_change_nothing(lake, worker):
    sql = "SELECT i::BIGINT id, CASE WHEN i % 2 = 0 THEN 'x' END AS s, 'nan'::DOUBLE AS d FROM range(10) r(i)"
    assert worker.put("p", sql) == 0
    assert worker.put("p", sql) == 0
    assert worker.change["unchanged"] == 10 and worker.change["new"] == 0
    assert worker.put("p", "SELECT 1::BIGINT id, '' AS s, 'nan'::DOUBLE AS d") == 1  # NULL is not ''
    assert worker.put("p", "SELECT 1::BIGINT id WHERE false") == 1


def test_columns_come(lake, worker):
    worker.put("p", "SELECT i::BIGINT id, 'a' AS s FROM range(3) r(i)")
    worker.put("p", "SELECT 5::BIGINT AS new_one, 1::BIGINT ID")
    assert worker.open("p")["columns"] == [["id", "BIGINT"], ["s", "VARCHAR"], ["new_one", "BIGINT"]]
    assert worker.read("p", -1, "id, s, new_one") == [["0", "a", None], ["1", None, "5"], ["2", "a", None]]
    assert worker.put("p", "SELECT 2::BIGINT id, 'a' AS s, NULL::BIGINT AS later") == 2
    assert worker.change["unchanged"] == 1 and "add" not in lake.entry("p", 2)
    assert worker.put("p", "SELECT 2::BIGINT id, 'a' AS s, 6::BIGINT AS later") == 3
    if lake_site.READER:
        assert read_elsewhere(lake.folder / "p", "SELECT * FROM t ORDER BY id") == \
            [[0, "a", None, None], [1, None, 5, None], [2, "a", None, 6]]


def test_keys_of_several_columns(worker):
    worker.put("p", "SELECT i % 3 AS a, i // 3 AS b, 'x' AS v FROM range(9) r(i)", "a,b")
    worker.put("p", "SELECT 1::BIGINT a, 2::BIGINT b, 'y' AS v UNION ALL SELECT 7, 7, 'z'", "a,b")
    assert worker.read("p", -1, "count(*), count(DISTINCT (a, b)), max(v)") == [["10", "10", "z"]]


def test_few_rows_do_not_make_many_files(worker):
    for n in range(40):
        worker.put("p", f"SELECT {n}::BIGINT id", key=None)
    state = worker.open("p")
    assert state["rows"] == 40 and len(state["files"]) < 14
    assert worker.read("p", 30, "count(*)") == [["31"]]


def test_wide_rows_fit_into_little_memory(lake):
    """A hundred megabytes of rows, of which a row group of the usual number would be too large: written, and merged."""
    little = lake.worker("little", "--memory-max", 96)
    wide = "SELECT i::BIGINT id, repeat(md5(i::VARCHAR), 30) || '{}' AS raw FROM range(100000) r(i)"
    assert little.put("p", wide.format("")) == 0
    assert little.put("p", wide.format("x") + " WHERE i % 10 = 0 UNION ALL SELECT 999999, 'new'") == 1
    assert {k: little.change[k] for k in ("inserted", "updated", "unchanged")} == \
        {"inserted": 1, "updated": 10000, "unchanged": 0}
    assert little.read("p", -1, "count(*), count(DISTINCT id)") == [["100001", "100001"]]


PEOPLE = """SELECT i::BIGINT id, array_to_string([p[1 + (hash(i + n) % 10)::BIGINT] FOR n IN [0, 700000, 1400000, 2100000, 2800000]], '') AS name,
    (1000000000 + i * 10 + hash(i) % 10)::VARCHAR npi, 'P' || i AS source, 'N' || i AS second, 'Hospital ' || i % 5000 AS site
    FROM range(300000) r(i), (SELECT ['ka', 'lo', 'mir', 'ben', 'tus', 'vel', 'dor', 'shi', 'an', 'que'] AS p)""".replace("\n", " ")


def test_files_are_as_small_as_those_of_duckdb(lake):
    """Its own zstd of the same rows, at its usual level and with its usual row groups."""
    worker = lake.worker("w", "--scratch")
    worker.sql(f"CREATE TABLE people AS {PEOPLE}")
    path = lake.home / "own.parquet"
    worker.sql(f"COPY people TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    assert worker.append("p", "people")["bytes"] <= 1.1 * path.stat().st_size


@pytest.mark.parametrize("seed", range(3))
def test_versions_against_a_model(lake, worker, seed):
    """Each version, at once and in the end, here and elsewhere, is what a dictionary says."""
    rng, model, versions = random.Random(seed), {}, []
    for _ in range(rng.randint(11, 14)):
        some = {rng.randrange(60): (rng.choice(["NULL", "'a'", "'b'"]), rng.choice(["NULL", "1", "2"]))
                for _ in range(rng.randint(0, 12))}
        values = ", ".join(f"({k}::BIGINT, {s}, {n}::BIGINT)" for k, (s, n) in some.items()) or "(0::BIGINT, '', 0)"
        was = dict(model)
        model.update(some)
        version = worker.put("p", f"SELECT id, s::VARCHAR AS s, n::BIGINT AS n FROM (VALUES {values}) v(id, s, n)" + ("" if some else " WHERE false"))
        assert version == (max(len(versions) - 1, 0) if was == model and versions else len(versions))
        versions[version:] = [[list(map(str, (k, *v))) for k, v in sorted(model.items())]]
    for version, rows in enumerate(versions):
        got = worker.read("p", version, "id, CASE WHEN s IS NULL THEN 'NULL' ELSE '''' || s || '''' END, "
                                        "coalesce(n::VARCHAR, 'NULL')")
        assert sorted(got, key=lambda r: int(r[0])) == rows
        if lake_site.READER:
            there = read_elsewhere(lake.folder / "p", "SELECT id, s, n FROM t ORDER BY id", version)
            assert [[str(i), "NULL" if s is None else f"'{s}'", "NULL" if n is None else str(n)]
                    for i, s, n in there] == rows


# ---- checkpoints ----

def fill(worker, n=23):
    for i in range(n):
        worker.put("p", f"SELECT {i}::BIGINT id, 'row {i}' AS s")


def forget(lake, before):
    for version in range(before):
        (lake.log("p") / f"{version:020}.json").unlink()


def test_our_checkpoints_are_read(lake, worker):
    fill(worker)
    assert sorted(p.name for p in lake.log("p").glob("*.parquet")) == \
        [f"{v:020}.checkpoint.parquet" for v in (10, 20)]
    hint = json.loads((lake.log("p") / "_last_checkpoint").read_text())
    assert hint["version"] == 20 and hint["sizeInBytes"] > 0
    before = {v: worker.open("p", v)["files"] for v in (12, 22)}
    forget(lake, 11)
    for v, files in before.items():
        assert worker.open("p", v)["files"] == files
        assert worker.read("p", v, "count(*)") == [[str(v + 1)]]
    with pytest.raises(Fault, match="no version 7|no entry"):
        worker.open("p", 7)
    forget_more = [lake.log("p") / f"{v:020}.json" for v in range(11, 21)]
    for entry in forget_more:
        entry.unlink()
    assert worker.read("p", -1, "count(*)") == [["23"]]
    (lake.log("p") / "_last_checkpoint").write_text('{"version": 900}')
    assert worker.read("p", -1, "count(*)") == [["23"]]
    (lake.log("p") / "_last_checkpoint").write_text("no json")
    assert worker.read("p", -1, "count(*)") == [["23"]]


@elsewhere
def test_our_checkpoints_are_read_elsewhere(lake, worker):
    fill(worker)
    forget(lake, 20)
    (lake.log("p") / f"{20:020}.json").unlink()
    assert read_elsewhere(lake.folder / "p", "SELECT count(*), max(s) FROM t") == [[23, "row 9"]]
    assert read_elsewhere(lake.folder / "p", "SELECT count(*) FROM t", 21) == [[22]]
    table = lake_site.READER.DeltaTable(str(lake.folder / "p"))
    assert table.protocol().min_writer_version == 2
    assert len(table.file_uris()) == len(worker.open("p")["files"])


def test_a_checkpoint_in_parts(lake, worker):
    """As Spark writes them for large tables; one with a part missing is none."""
    fill(worker)
    whole = lake.log("p") / f"{20:020}.checkpoint.parquet"
    parts = [lake.log("p") / f"{20:020}.checkpoint.{n:010}.{3:010}.parquet" for n in (1, 2, 3)]
    for n, part in enumerate(parts):
        worker.sql(f"COPY (SELECT * FROM read_parquet('{whole}', file_row_number = true) WHERE file_row_number % 3 = {n})"
                   f" TO '{part}' (FORMAT parquet)")
    files = worker.open("p")["files"]
    whole.unlink()
    first = [lake.log("p") / f"{v:020}.json" for v in range(0, 11)]
    for entry in first:
        entry.unlink()
    (lake.log("p") / f"{10:020}.checkpoint.parquet").unlink()
    assert worker.open("p")["files"] == files
    parts[1].unlink()
    with pytest.raises(Fault, match="has no entry of version 0"):
        worker.open("p")


def test_transaction_numbers_of_others_are_not_lost(lake, worker):
    worker.put("p", "SELECT 0::BIGINT id")
    with open(lake.log("p") / f"{0:020}.json", "a", encoding="utf-8") as log:
        log.write('{"txn": {"appId": "a stream", "version": 7}}\n')
    for i in range(1, 10):
        worker.put("p", f"SELECT {i}::BIGINT id")
    worker.sql("CREATE OR REPLACE TABLE some_rows AS SELECT 10::BIGINT id")
    worker.merge("p", "some_rows", "id")
    done = worker.commit()
    assert done["version"] == 10 and "transaction numbers" in done["note"]
    assert not list(lake.log("p").glob("*.parquet"))


# ---- what others write ----

def arrow_table(**columns):
    from arro3.core import Array, DataType, Table
    types = {int: DataType.int64(), str: DataType.utf8()}
    return Table.from_pydict({n: Array(v, types[type(v[0])]) for n, v in columns.items()})


@elsewhere
def test_tables_of_others_are_read_and_written(lake, worker):
    path = str(lake.folder / "p")
    for n in range(12):
        lake_site.READER.write_deltalake(path, arrow_table(id=[n * 2, n * 2 + 1], s=[f"{n} a", f"{n} b"]), mode="append")
    assert worker.read("p", -1, "count(*), max(id)") == [["24", "23"]]
    lake_site.READER.DeltaTable(path).create_checkpoint()
    forget(lake, 11)
    assert worker.open("p")["rows"] == 24
    assert worker.read("p", -1, "count(*), max(id)") == [["24", "23"]]
    assert worker.put("p", "SELECT * FROM (VALUES (3::BIGINT, 'ours'), (100, 'new')) v(id, s)") == 12
    assert read_elsewhere(path, "SELECT count(*), count(DISTINCT id), sum(CASE WHEN s = 'ours' THEN 1 ELSE 0 END) FROM t") \
        == [[25, 25, 1]]
    lake_site.READER.write_deltalake(path, arrow_table(id=[500], s=["theirs"]), mode="append")
    assert worker.read("p", -1, "count(*)") == [["26"]]


@elsewhere
def test_a_table_that_is_partitioned_is_refused(lake, worker):
    lake_site.READER.write_deltalake(str(lake.folder / "p"), arrow_table(id=[1, 2], s=["a", "b"]), partition_by=["s"])
    with pytest.raises(Fault, match="partitioned"):
        worker.open("p")


FIELDS = [("id", "long")]
FILE = {"add": {"path": "a.parquet", "partitionValues": {}, "size": 5, "modificationTime": 1, "dataChange": True}}


def add(**more):
    return {"add": {**FILE["add"], **more}}


@pytest.mark.parametrize("actions, words", [
    ([{"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"]}}],
     ["protocol 3 (reader) and 7", "new table"]),
    ([PROTOCOL, metadata(*FIELDS, configuration={"delta.columnMapping.mode": "name"})], ["column mapping"]),
    ([PROTOCOL, metadata(*FIELDS, configuration={"delta.constraints.positive": "id > 0"})], ["CHECK"]),
    ([PROTOCOL, metadata(*FIELDS, partitionColumns=["id"])], ["partitioned"]),
    ([PROTOCOL, metadata(*FIELDS, format={"provider": "orc"})], ["no Parquet"]),
    ([PROTOCOL, metadata(("id", {"type": "array", "elementType": "long"}))], ["column id", "list"]),
    ([PROTOCOL, metadata(("id", "timestamp_ntz"))], ["column id", "timestamp_ntz"]),
    ([PROTOCOL, metadata(("id", "long"), ("ID", "long"))], ["twice"]),
    ([PROTOCOL], ["no protocol, or no metaData"]),
    ([metadata(*FIELDS)], ["no protocol, or no metaData"]),
    ([PROTOCOL, metadata(*FIELDS), add(deletionVector={"storageType": "u"})], ["deletion vectors"]),
    ([PROTOCOL, metadata(*FIELDS), add(partitionValues={"day": "1"})], ["partitioned"]),
    ([PROTOCOL, metadata(*FIELDS), add(path="s3://elsewhere/a.parquet")], ["own folder"]),
    ([PROTOCOL, metadata(*FIELDS), add(path="/etc/passwd")], ["own folder"]),
    ([PROTOCOL, metadata(*FIELDS), add(path="x/%2e%2e/%2e%2e/a.parquet")], ["own folder"]),
    ([PROTOCOL, metadata(*FIELDS), add(path="a%00.parquet")], ["own folder"]),
    ([PROTOCOL, metadata(*FIELDS), add(path="_delta_log/a.parquet")], ["own folder"]),
    ([PROTOCOL, metadata(*FIELDS), add(size=None)], ["no size"]),
    ([PROTOCOL, metadata(*FIELDS), add(size="5")], ["whole number"]),
    ([PROTOCOL, metadata(*FIELDS), add(size=-5)], ["whole number"]),
    ([PROTOCOL, metadata(*FIELDS), {"add": 5}], ["no object"]),
    ([PROTOCOL, 5], ["line 2", "damaged"]),
])
def test_what_we_must_not_touch(lake, worker, actions, words):
    lake.write_entry("p", 0, *actions)
    with pytest.raises(Fault) as fault:
        worker.open("p")
    assert all(w in str(fault.value) for w in ["table p", *words]), fault.value
    worker.sql("CREATE TABLE r AS SELECT 1::BIGINT id")
    with pytest.raises(Fault):
        worker.ask("append p -1 r")


def test_what_is_not_known_is_passed_over(lake, worker):
    lake.write_entry("p", 0, {"commitInfo": {"x": 1}}, {"later": {"a": []}}, PROTOCOL, {"cdc": {"path": "b"}},
                     metadata(*FIELDS, later=[1]), add(path="a%20b/c=d.parquet", tags=None, stats="no json", later=5))
    state = worker.open("p")
    assert state["columns"] == [["id", "BIGINT"]] and state["rows"] == -1
    assert [f["path"] for f in state["files"]] == ["a b/c=d.parquet"]


def test_a_hole_in_the_log(lake, worker):
    fill(worker, 5)
    (lake.log("p") / f"{2:020}.json").unlink()
    with pytest.raises(Fault, match="no entry of version 2, but one of 3"):
        worker.open("p")
    assert worker.open("p", 1)["rows"] == 2
    with pytest.raises(Fault, match="no version 9: its log has 0 to 4|no entry of version 2"):
        worker.open("p", 9)


def test_a_table_that_is_append_only(lake, worker):
    worker.put("p", "SELECT 1::BIGINT id, 'a' AS s")
    actions = lake.entry("p", 0)
    actions["metaData"][0]["configuration"] = {"delta.appendOnly": "true"}
    lake.write_entry("p", 0, *({k: v[0]} for k, v in actions.items()))
    assert worker.put("p", "SELECT 2::BIGINT id, 'a' AS s") == 1
    with pytest.raises(Fault, match="append-only"):
        worker.put("p", "SELECT 1::BIGINT id, 'b' AS s")
    with pytest.raises(Fault, match="1 files of a run that was killed"):
        worker.put("p", "SELECT 3::BIGINT id, 'c' AS s", version=0)
    assert worker.open("p")["rows"] == 2
    worker.put("p", "SELECT 3::BIGINT id, 'a' AS s")
    with pytest.raises(Fault, match="1 files of a run that was killed, or of another program, are to be removed .*until a run has ended well"):
        worker.put("p", "SELECT 4::BIGINT id, 'a' AS s", version=1)


def test_names_that_are_no_tables(worker):
    for name in ("_published", ".hidden", "a/b"):
        with pytest.raises(Fault, match="no name of a table"):
            worker.open(name)


# ---- pointers, vacuum ----

def test_the_pointer(lake, worker):
    assert worker.ask("published")["number"] == 0
    for number in range(3):
        pointer = {"tables": {"p": {"version": number}}, "at": "now"}
        assert not worker.ask(f"publish {number} {json.dumps(pointer)}")["lost"]
        got = worker.ask("published")
        assert (got["number"], got["pointer"]) == (number + 1, pointer)
        assert not worker.ask(f"publish {number} {json.dumps(pointer)}")["lost"], "our own, put by an attempt whose answer was lost"
    worker.send('publish 1 {"tables": {}}')
    with pytest.raises(Fault) as fault:
        worker.answer()
    assert fault.value.answer["lost"]
    with pytest.raises(Fault, match="does not say the version"):
        worker.ask('publish 3 {"tables": {"p": {"version": 1.5}}}')
    (lake.folder / "_published" / f"{4:020}.json").write_text('{"tables": {"p": {"ver')
    with pytest.raises(Fault, match="damaged"):
        worker.ask("published")


def let_grow_old(folder, *names):
    """What is in it was written two hours ago, or these alone."""
    for path in folder.rglob("*"):
        if path.is_file() and (not names or path.name in names):
            os.utime(path, (path.stat().st_mtime - 7200,) * 2)


def publish(worker, number, version):
    worker.ask(f'publish {number} {{"tables": {{"p": {{"version": {version}}}}}}}')


HOUR = 3600 * 1000000


def test_vacuum_keeps_what_somebody_reads(lake, worker):
    for n in range(5):
        worker.put("p", f"SELECT 1::BIGINT id, {n} AS n")
    publish(worker, 0, 2)
    orphan = lake.folder / "p" / "part-of-a-run-that-was-killed.parquet"
    orphan.write_bytes(b"x" * 10)
    (lake.folder / "p" / "_notes.parquet").write_text("not a file of the table")
    assert worker.ask(f"vacuum {HOUR} p")["removed"] == 0
    done = worker.ask("vacuum 0 p")
    assert done["removed"] == 3 and not orphan.exists()  # versions 0 and 1, and the orphan
    for version in (2, 4):
        assert worker.read("p", version, "n") == [[str(version)]]
    with pytest.raises(Fault):
        worker.read("p", 1, "n")
    assert (lake.folder / "p" / "_notes.parquet").exists()
    assert worker.ask("vacuum 0 p,nosuch")["removed"] == 0


def test_vacuum_keeps_what_the_pointer_before_names(lake, worker):
    """A run was killed long ago, between that and the newest; who reads by the one before may have begun just now."""
    worker.put("p", "SELECT 1::BIGINT id, 'before' AS s")
    publish(worker, 0, 0)
    worker.put("p", "SELECT 1::BIGINT id, 'left' AS s")
    let_grow_old(lake.folder)
    assert worker.put("p", "SELECT 1::BIGINT id, 'newest' AS s", version=0) == 2
    publish(worker, 1, 2)
    worker.ask(f"vacuum {HOUR} p")
    assert worker.read("p", 0, "s") == [["before"]] and worker.read("p", 2, "s") == [["newest"]]
    let_grow_old(lake.folder)
    publish(worker, 2, 2)
    worker.ask(f"vacuum {HOUR} p")
    assert worker.read("p", 2, "s") == [["newest"]] and len(list(lake.folder.glob("p/*.parquet"))) == 1


def entries(lake):
    return sorted(int(f.stem) for f in lake.log("p").glob("*.json"))


def test_the_log_behind_a_checkpoint_goes_when_it_is_old(lake, worker):
    for n in range(25):
        worker.put("p", f"SELECT 1::BIGINT id, 'row {n}' AS s")
    for number, version in enumerate((12, 23, 24)):
        publish(worker, number, version)
    worker.ask(f"vacuum {HOUR} p")
    assert entries(lake) == list(range(25)), "all of it is young"
    let_grow_old(lake.log("p"))
    worker.ask(f"vacuum {HOUR} p")
    assert entries(lake) == list(range(10, 25)) and worker.read("p", 12, "s") == [["row 12"]], "the oldest pointer needs those"
    let_grow_old(lake.folder)
    worker.ask(f"vacuum {HOUR} p")
    assert entries(lake) == list(range(20, 25)), "the pointer before the newest needs those"
    assert [p.name for p in lake.log("p").glob("*.parquet")] == [f"{20:020}.checkpoint.parquet"]
    assert worker.read("p", 23, "s") == [["row 23"]] and worker.read("p", -1, "s") == [["row 24"]]
    assert not any("row 7" in p.read_text() for p in lake.log("p").glob("*.json"))
    if lake_site.READER:
        assert read_elsewhere(lake.folder / "p", "SELECT s FROM t") == [["row 24"]]
    assert worker.put("p", "SELECT 1::BIGINT id, 'row 25' AS s", version=24) == 25
    with pytest.raises(Fault, match="no version 7"):
        worker.open("p", 7)
    worker.ask("vacuum 0 p")
    assert worker.read("p", -1, "s") == [["row 25"]]


def test_pointers_go_by_their_age(lake, worker):
    worker.put("p", "SELECT 1::BIGINT id")
    for number in range(130):
        publish(worker, number, 0)
    assert worker.ask(f"vacuum {HOUR} p")["removed"] == 0
    let_grow_old(lake.folder, *(f"{n:020}.json" for n in range(1, 101)))
    assert worker.ask(f"vacuum {HOUR} p")["removed"] == 99
    left = sorted(int(f.stem) for f in lake.folder.glob("_published/*.json"))
    assert left == list(range(100, 131)), "with the one that was the newest an hour ago"
    assert worker.ask("vacuum 0 p")["removed"] == 29
    assert worker.ask("published")["number"] == 130 and not worker.ask('publish 130 {"tables": {}}')["lost"]


# ---- others at the same time, and the end of a process ----

def test_of_two_writers_one_wins(lake):
    """Both make their changes from version 0; whoever commits second writes the difference to its own, or has lost."""
    a, b = lake.worker("a"), lake.worker("b")
    a.put("p", "SELECT 0::BIGINT id, 'first' AS s")
    for w, name in ((a, "a"), (b, "b")):
        w.sql(f"CREATE OR REPLACE TABLE some_rows AS SELECT i::BIGINT id, '{name}' AS s FROM range(10) r(i)")
    for turn in range(15):
        for w in (a, b):
            w.sql("UPDATE some_rows SET s = s || '.'")
            w.merge("p", "some_rows", "id")
        for w in (a, b):
            w.send("commit MERGE")
        ends = []
        for w in (a, b):
            try:
                ends.append(w.answer()["version"])
            except Fault as f:
                assert f.answer["lost"], f
                ends.append(None)
        won = [v for v in ends if v is not None]
        assert won and len(set(won)) == len(won)
        owners = a.read("p", -1, "DISTINCT s")
        assert len(owners) == 1 and owners[0][0].rstrip(".") == "ab"[ends.index(max(won))], turn
    for number in range(30):
        for w, name in ((a, "a"), (b, "b")):
            w.send(f'publish {number} {{"tables": {{"p": {{"version": 0}}}}, "by": "{name}"}}')
        ends = []
        for w in (a, b):
            try:
                ends.append(w.answer()["lost"])
            except Fault as f:
                ends.append(f.answer["lost"])
        assert sorted(ends) == [False, True]


def test_what_a_killed_run_left_is_mended(lake, worker):
    worker.put("p", "SELECT i::BIGINT id, 'published' AS s FROM range(5) r(i)")
    worker.put("p", "SELECT i::BIGINT id, 'left' AS s, 1 AS extra FROM range(3, 8) r(i)")
    published = worker.open("p", 0)["files"][0]["path"]
    assert published not in [f["path"] for f in worker.open("p", 1)["files"]]
    assert worker.put("p", "SELECT 9::BIGINT id, 'next' AS s", version=0) == 2
    assert worker.read("p", -1, "id, s") == [[str(i), "published"] for i in range(5)] + [["9", "next"]]
    assert worker.open("p")["columns"] == [["id", "BIGINT"], ["s", "VARCHAR"]]
    assert published in [a["path"] for a in lake.entry("p", 2)["add"]]
    if lake_site.READER:
        assert read_elsewhere(lake.folder / "p", "SELECT count(*) FROM t WHERE s = 'published'") == [[5]]


def test_what_was_left_before_anything_was_published(lake, worker):
    worker.put("p", "SELECT 1::BIGINT id, 'left' AS s")
    assert worker.open("p", -2)["version"] == -1
    assert worker.put("p", "SELECT 2::BIGINT id, 3::INTEGER AS n", version=-2) == 1
    assert worker.read("p", -1) == [["2", "3"]]


def test_an_empty_table_is_a_table(lake, worker):
    assert worker.put("p", "SELECT 1::BIGINT id, 'a' AS s WHERE false") == 0
    assert worker.open("p")["columns"] == [["id", "BIGINT"], ["s", "VARCHAR"]] and worker.read("p") == []
    if lake_site.READER:
        assert read_elsewhere(lake.folder / "p", "SELECT count(*) FROM t") == [[0]]
    assert worker.put("p", "SELECT 1::BIGINT id, 'a' AS s") == 1


@pytest.mark.skipif(b"__asan_init" in lake_site.RUN_LAKE.read_bytes() if lake_site.RUN_LAKE.exists() else False,
                    reason="a sanitizer wants to be loaded first")
def test_killed_before_every_step(lake):
    """A run that changes two tables and publishes: whenever it is killed, what is published is whole, and a next run ends well."""
    first = lake.worker("first")
    for table in ("p", "q"):
        for n in range(9):
            first.put(table, f"SELECT i::BIGINT id, 'old' AS s FROM range({n}, 12) r(i)")
        first.put(table, "SELECT 1::BIGINT id, 'older' AS s")
    first.ask('publish 0 {"tables": {"p": {"version": 1}, "q": {"version": 1}}}')
    number, step, ends = 1, 1, 0
    while ends < 1:
        w = lake.worker(f"killed-{step}", env={"LD_PRELOAD": str(KILL_AT), "KILL_AT": str(step)})
        try:
            run_once(w, f"run {step}")
            ends += 1
        except (EOFError, BrokenPipeError):
            w.kill()
        check_published(first)
        after = first.ask("published")
        assert after["number"] in (number, number + 1)
        number = after["number"]
        step += 1
        assert step < 300
    assert number >= 2 and step > 12
    run_once(first, "the last")
    assert first.ask("published")["number"] == number + 1
    check_published(first)
    for table in ("p", "q"):
        assert first.read(table, -1, "DISTINCT s") == [["the last"]]
    assert first.ask("vacuum 0 p,q")["removed"] > 0
    check_published(first)


KILL_AT = BUILD / "tests/unit/lake/libkill_at.so"


def run_once(w, word):
    """What a job does: from what is published to what is published next."""
    number, pointer = (w.ask("published")[k] for k in ("number", "pointer"))
    versions = {}
    for table in ("p", "q"):
        versions[table] = {"version": w.put(table, f"SELECT i::BIGINT id, '{word}' AS s FROM range(12) r(i)",
                                            version=pointer["tables"][table]["version"])}
    w.ask(f"publish {number} {json.dumps({'tables': versions})}")


def check_published(w):
    """Both tables are of one run, all rows of it."""
    tables = w.ask("published")["pointer"]["tables"]
    rows = [w.read(t, v["version"], "count(*), count(DISTINCT id), max(s), min(s)") for t, v in tables.items()]
    assert rows[0] == rows[1] and rows[0][0][:2] == ["12", "12"]
    if lake_site.READER:
        for table in tables:
            assert read_elsewhere(w.home.parent / "lake" / table, "SELECT count(*), count(DISTINCT id) FROM t") == [[12, 12]]
