"""Dumps that are none, rows that cannot be taken, and servers that will not have them: what was there stays, and it is said why."""
import csv
import gzip
import random
import resource

import pytest

import dumps_model
import office as practice
from dumps_model import read_dump
from dumps_site import SINKS, Dataset, assert_equal, copy
from mariadb import MariaDB
from servers import Postgres

csv.field_size_limit(1 << 30)
HTML = b"<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>Sorry, come back later</h1></body></html>\n"
MARKER = "PATIENT-7f3a"  # of a cell: it is in no message
GOOD = f"NPI,Name,City\n001,Ada,{MARKER}\n002,Bo,NULL\n003,Ci,Y\n".encode()


class Npi:
    """A dataset with one good dump in it."""

    def __init__(self, sink, files):
        self.sink, self.files = sink, files
        self.dataset, self.model = Dataset(sink, "npi"), dumps_model.Dataset()
        self.take(GOOD, "2020-01-01")

    def take(self, octets, as_of="2020-02-01", *options):
        """It is loaded, and as the model says, where the csv module can read it."""
        done = self.load(octets, as_of, *options)
        assert done.code == 0, done
        self.model.load(read_dump(octets, as_of))
        assert_equal(self.dataset, self.model)
        return done

    def load(self, octets, as_of="2020-02-01", *options, name="npi"):
        return copy(self.files.put(f"{name}-{as_of}.csv", octets), self.dataset.url, *options)

    def refuse(self, octets, *words, options=(), as_of="2020-02-01"):
        """Nothing is changed, and what is said has all these words, and none of a row's."""
        before = self.dataset.everything()
        done = self.load(octets, as_of, *options)
        assert done.code != 0, done
        assert self.dataset.everything() == before
        missing = [w for w in words if w.lower() not in done.words.lower()]
        assert not missing, f"{missing} not in: {done.words}"
        assert MARKER not in done.words and "best" not in done.words
        return done


@pytest.fixture
def npi(sink, files):
    return Npi(sink, files)


# What is no dump.

NO_DUMPS = {
    "an empty file": (b"", "nothing in it"),
    "blank lines alone": (b"\n\n\r\n\n", "nothing in it"),
    "a BOM alone": (b"\xef\xbb\xbf", "nothing in it"),
    "an HTML page with status 200": (HTML, "html"),
    "an HTML page behind blanks": (b"\n\n  " + HTML.lower(), "html"),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<</Type/Catalog>>\nendobj\n", "pdf"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 8, ""),
    "JSON": (b'{"error": "quota", "rows": [1, 2, 3]}\n', "json"),
    "XML": (b'<?xml version="1.0"?>\n<Error><Code>NoSuchKey</Code></Error>\n', "xml"),
    "noise": (random.Random(1).randbytes(50_000), ""),
    "UTF-16": (GOOD.decode().encode("utf-16"), "utf-16"),
    "a header that is not UTF-8": (b"NPI,Na\xefve\n001,x\n", "utf-8"),
    "a header with a NUL byte": (b"NPI,Na\x00me\n001,x\n", "byte 0"),
    "an unclosed quote": (GOOD + b'004,"Di,Z\n005,Ed,Z\n', "quote"),
    "an unclosed quote in the header": (b'NPI,"Name\n001,x\n', "quote"),
    "a last record that is cut off": (GOOD + b"004,D", ""),
    "a gzip that is cut off": (gzip.compress(GOOD * 1000)[:-20], ""),
    "a gzip with a wrong checksum": (gzip.compress(GOOD)[:-8] + b"12345678", ""),
    "a zip that is none": (b"PK\x03\x04" + b"x" * 200, "zip"),
    "too many columns": (",".join(f"c{i}" for i in range(1700)).encode() + b"\n", "column"),
    "other keys altogether": (b"NPI,Name,City\n801,Ada,X\n802,Bo,Y\n", "3"),
    "no rows at all": (b"NPI,Name,City\n", "3"),
}


@pytest.mark.one_database
@pytest.mark.parametrize("what", NO_DUMPS)
def test_refused(npi, what):
    octets, word = NO_DUMPS[what]
    npi.refuse(octets, word)
    npi.take(GOOD.replace(b"Bo", b"Bob"))


def test_a_key_that_is_no_column(npi):
    npi.refuse(GOOD.replace(b"NPI", b"Npi number"), "npi", options=("--key", "NPI"))
    npi.refuse(GOOD.replace(b"NPI", b"Npi number"), "npi")
    done = copy(npi.files.put("other-2020-02-01.csv", GOOD), npi.sink.url("other"), "--key", "NPI,npi_number")
    assert done.code != 0 and "npi_number" in done.words and not Dataset(npi.sink, "other").exists(), done


def test_another_key_than_before(npi):
    npi.refuse(GOOD, "key", options=("--key", "Name"))


def test_a_first_dump_without_rows(sink, files):
    dataset, model = Dataset(sink, "npi"), dumps_model.Dataset()
    for as_of, octets in (("2020-01-01", b"NPI,Name,City\n"), ("2020-02-01", GOOD)):
        done = copy(files.put(f"npi-{as_of}.csv", octets), dataset.url)
        assert done.code == 0, done
        assert done.counts == model.load(read_dump(octets, as_of)).told()
    assert_equal(dataset, model)


def test_too_many_keys_gone(npi):
    many = [f"{i:03},Name {i},X" for i in range(1, 201)]
    text = lambda rows: ("NPI,Name,City\n" + "\n".join(rows) + "\n").encode()  # noqa: E731
    npi.take(text(many))
    npi.refuse(text(many[41:]), "41", "200", as_of="2020-03-01")
    done = npi.load(text(many[41:]), "2020-03-01", "--max-removed", "100")
    assert done.code == 0 and done.counts["removed"] == 41, done


def test_too_many_rows_rejected(npi):
    rows = [f"{i:03},Name {i},X" for i in range(1, 201)]
    bad = [f"{i:03},short" for i in range(201, 224)]
    npi.refuse(("NPI,Name,City\n" + "\n".join(rows + bad) + "\n").encode(), "23", "223")


def test_a_date_that_nobody_knows(npi):
    npi.files.times = iter([1_600_000_000] * 3)
    done = npi.load(GOOD, "not-a-date")
    assert done.code == 0 and done.said["as_of"] == "2020-09-13", done  # from Last-Modified
    assert npi.load(GOOD, "2020-13-45", "--as-of", "2020-13-45").code != 0
    assert npi.load(GOOD, "2020-02-30", "--as-of", "yesterday").code != 0


# Rows that cannot be taken.


def test_bad_rows_among_good_ones(npi):
    octets = (b"NPI,Name,City\n001,Ada,X\n002,Bo\n003,Ci,Y,Z\nNULL,Di,X\n,Ed,X\n" + b"k" * 256 + b",Fi,X\n"
              b"007,G\xff\xfe,X\n008,H\x00i,X\n009,Jo,X\n009,Jo,X\n010,\"Ki\nKa\",X\n009,Lu,X\n011,Mo,X\n")
    done = npi.load(octets)
    assert done.code == 0, done
    assert done.counts == {"rows": 13, "added": 2, "changed": 1, "removed": 0, "reactivated": 0, "unchanged": 0,
                           "rejected": 10}
    rejects = {line: (reason, detail) for _, line, reason, detail in npi.dataset.rejects()}
    assert {line: reason for line, (reason, _) in rejects.items()} == {
        3: "too_few_cells", 4: "too_many_cells", 5: "null_key", 6: "null_key", 7: "key_too_long", 8: "bad_encoding",
        9: "nul_byte", 10: "duplicate_key", 11: "duplicate_key", 14: "duplicate_key"}
    for mine, others in ((10, ("11", "14")), (11, ("10", "14")), (14, ("10", "11"))):
        assert all(line in rejects[mine][1] for line in others), rejects[mine]
    raw = dict(npi.sink.select(["line", "raw"], "FROM ingest_reject"))
    assert raw["3"].rstrip("\r\n") == "002,Bo" and raw["8"].startswith("007,G") and raw["10"]
    assert sorted(v[0] for v in npi.dataset.versions(("NPI",), "")) == [("001",), ("002",), ("003",), ("010",), ("011",)]


@pytest.mark.parametrize("order", ["in order", "in any order"])
def test_the_text_of_a_rejected_row_is_as_it_stood(npi, order):
    """Its quotes and its delimiter, and what stands for NULL; of a doubled key the cells are what is left."""
    long = b"k" * 256
    rows = [b'NULL;"Di";NULL', b'"";"E\nd";"X;Y"', long + b';"Fi";', b"001;Ada;X", b'002;"Bo";NULL', b'002;"Bo";X']
    rows = rows if order == "in order" else rows[::-1]
    assert npi.load(b"\n".join([b"NPI;Name;City", *rows, b""])).code == 0
    raw = sorted(text for text, in npi.sink.select(["raw"], "FROM ingest_reject"))
    assert raw == sorted(['NULL;"Di";NULL', '"";"E\nd";"X;Y"', long.decode() + ';"Fi";', "002,Bo,", "002,Bo,X"])


@pytest.mark.parametrize("order", ["in order", "in any order"])
def test_a_key_whose_row_cannot_be_taken_is_not_gone(npi, order):
    """It is neither changed nor removed, and comes again unchanged; one that is not there is; a good row beside it counts."""
    good = GOOD.splitlines()
    rows = [b"002", b"003,C\xff,Y", b"004,New,X", good[1], good[1] + b",Y", b"005,New\x00,X"]
    rows = sorted(rows) if order == "in order" else rows
    done = npi.load(b"\n".join([good[0], *rows, b""]), "2020-03-01")
    assert done.code == 0, done
    assert done.counts == {"rows": 6, "added": 1, "changed": 0, "removed": 0, "reactivated": 0, "unchanged": 1,
                           "rejected": 4}
    done = npi.load(b"\n".join([good[0], good[1], b"002,Bo", b""]), "2020-04-01")
    assert (done.counts["removed"], done.counts["unchanged"], done.counts["rejected"]) == (2, 1, 1), done
    done = npi.load(GOOD, "2020-05-01")
    assert (done.counts["reactivated"], done.counts["unchanged"]) == (1, 2), done


def test_a_key_twice_stays_as_it_was(npi):
    npi.take(b"NPI,Name,City\n001,Ada,X\n002,Bob,Q\n002,Bo,NULL\n003,Ci,Y\n004,A,B\n004,A,B\n")
    npi.take(b"NPI,Name,City\n001,Ada,X\n003,Ci,Y\n", "2020-03-01")
    npi.take(b"NPI,Name,City\n001,Ada,X\n002,Bob,Q\n002,Bo,NULL\n003,Ci,Y\n", "2020-04-01")
    npi.take(b"NPI,Name,City\n001,Ada,X\n002,Bo,NULL\n003,Ci,Y\n", "2020-05-01")
    assert [v for v in npi.dataset.versions(("NPI",), "") if v[0] == ("002",)][0][3] == "reactivated"


def test_keys_that_differ_in_little(npi):
    cells = ["a", "A", "a ", " a", "\u00e1", "a\u0301", "\u00e5", "ss", "\u00df", "\u0131", "i", "I", "1", "01", "1.0", "'", "\\",
             "\u200b", "\U0001fa7a", "\U0001fa7b", "-1", "+1", "z" * 255, "z" * 254, "a\tb", "a,b", "a\"b", "null", "Null"]
    quoted = ['"' + c.replace('"', '""') + '"' for c in cells]
    extra = "".join(f"{q},n {i},c\n" for i, q in enumerate(quoted))
    npi.take(GOOD + extra.encode())
    npi.take(GOOD + extra.replace("n 1", "m 1").encode(), "2020-03-01")


@pytest.mark.parametrize("column", [0, 2])
def test_wide_composite_keys(sink, files, column):
    """Three columns of 200 characters that no index can make shorter."""
    draw, header = random.Random(3), ["a", "b", "c", "v"]
    cell = lambda: "".join(chr(draw.randrange(0x20000, 0x2A000)) for _ in range(200))  # noqa: E731
    keys = [cell() for _ in range(5)]
    rows = [[*(k if i == column else keys[0] for i in range(3)), "x"] for k in keys]
    octets = "\n".join(",".join(r) for r in [header, *rows]).encode() + b"\n"
    dataset, model = Dataset(sink, "wide"), dumps_model.Dataset(key=("a", "b", "c"))
    for as_of, text in (("2020-01-01", octets), ("2020-02-01", octets.replace(b",x\n", b",y\n"))):
        done = copy(files.put(f"wide-{as_of}.csv", text), dataset.url, "--key", "a,b,c")
        assert done.code == 0, done
        model.load(read_dump(text, as_of))
        assert_equal(dataset, model)


def test_a_composite_key_that_no_index_takes(sink, files):
    """It is rejected by both alike, and the others are taken."""
    draw = random.Random(1)
    cell = lambda: "".join(chr(draw.randrange(0x20000, 0x2A000)) for _ in range(255))  # noqa: E731
    octets = f"a,b,c,v\n{cell()},{cell()},{cell()},x\n{cell()},{cell()},c,y\n".encode()
    done = copy(files.put("long-2020-01-01.csv", octets), sink.url("long"), "--key", "a,b,c")
    assert done.code == 0 and done.counts["added"] == 1 and done.counts["rejected"] == 1, done
    assert [r[1:] for r in Dataset(sink, "long").rejects()] == [(2, "key_too_long", "the key is longer than 2600 bytes")]


def test_a_row_that_no_table_takes(sink, files):
    header = ",".join(["id", *(f"c{i}" for i in range(900))])
    octets = f"{header}\n1,{','.join([MARKER + 'x' * 60] * 900)}\n".encode()
    done = copy(files.put("wide-2020-01-01.csv", octets), sink.url("wide"))
    assert done.code == 0 and done.counts["rejected"] == 1 and done.counts["added"] == 0, done
    assert [r[1:3] for r in Dataset(sink, "wide").rejects()] == [(2, "row_too_wide")]
    assert MARKER not in done.words


# Cells and headers beyond the usual.


def test_a_cell_of_10_mb(npi):
    cell = "é\"\"\n,x" * (10_000_000 // 8)
    npi.take(f'NPI,Name,City\n001,"{cell}",X\n002,Bo,NULL\n003,Ci,Y\n'.encode())
    npi.take(f'NPI,Name,City\n001,"{cell[:-6]}",X\n002,Bo,NULL\n003,Ci,Y\n'.encode(), "2020-03-01")


def test_a_record_of_20_mb(npi):
    done = npi.load(f'NPI,Name,City\n001,Ada,{MARKER}\n002,"{"x" * 20_000_000}",X\n003,Ci,Y\n'.encode())
    assert done.code == 0 and done.counts["rejected"] == 1, done
    assert [r[1:3] for r in npi.dataset.rejects()] == [(3, "too_long")]


def test_text_stays_text(npi):
    cells = ["\\N", "\\", "\\.", "\\\\", "a\\", "\\n", "'", "''", "`", " x ", "\t", "0123", "1e9", "-0", "\x01", "\x7f", "\x1a",
             "\u0085", "\u2028", "\U0001fa7a", "e\u0301", "\u00e9", "%s", "$1", "?", "@a", "--", "\ufeff", "TRUE", "nan", "NA", "null"]
    rows = "".join(f'k{i},"{c}",{c}\n' for i, c in enumerate(cells))
    npi.take(GOOD + rows.encode())


def test_headers_of_every_kind(npi):
    long = "x" * 70
    names = ["", " ", "Name", "name", "NAME ", "na-me", f"{long}1", f"{long}2", "select", "1", "valid_from", "line", "opened_dump",
             "kind", "seq", "xmin", "ctid", "tableoid", "oid", "DB_ROW_ID", "db_trx_id", "FTS_DOC_ID", "é", "日本", "a\"b", "a`b", "a;b", "'", "\\", "%", "id", "_", "a" * 64]
    header = ",".join('"' + n.replace('"', '""') + '"' for n in ["NPI", *names])
    row = ",".join(f"v{i}" for i in range(len(names)))
    octets = f"{header}\n001,{row}\n002,{row}\n003,{row}\n".encode()
    done = npi.load(octets)
    assert done.code == 0, done
    columns = npi.dataset.columns()
    assert len(columns) == len(names) + 3 - 1  # "Name" was there; "City" is no more in it
    assert all(len(c.encode()) <= 63 for c in columns) and len({c.lower() for c in columns}) == len(columns)
    by_header = {h: c for c, h in columns.items()}
    for i, name in enumerate(names):
        assert npi.sink.select([npi.sink.name(by_header[name])], "FROM npi WHERE npi = '001'") == [(f"v{i}",)], name
    assert npi.load(octets.replace(b"v1,", b"w1,"), "2020-03-01").counts["changed"] == 3


def test_headers_that_are_written_alike(npi):
    octets = b"NPI,Name,Code,Code,Code\n001,Ada,a,b,c\n002,Bo,a,NULL,c\n003,Ci,a,b,c\n"
    done = npi.load(octets)
    assert done.code == 0, done
    codes = [c for c, h in npi.dataset.columns().items() if h == "Code"]
    assert len(codes) == 3
    assert sorted(npi.sink.select([npi.sink.name(c) for c in codes], "FROM npi WHERE npi = '002'")[0],
                  key=str) == [None, "a", "c"]


@pytest.mark.parametrize("n", [330, 900])
def test_many_columns(sink, files, n):
    """Most of them empty, as in the national layout."""
    header = ["NPI", *(f"Column {i}" for i in range(1, n))]
    rows = [[f"{r:03}", *("" if i % 9 else f"v{r}" for i in range(1, n))] for r in range(30)]
    octets = "\n".join(",".join(r) for r in [header, *rows]).encode() + b"\n"
    dataset, model = Dataset(sink, "national"), dumps_model.Dataset()
    for as_of, text in (("2020-01-01", octets), ("2020-02-01", octets.replace(b"v7", b"w7"))):
        done = copy(files.put(f"national-{as_of}.csv", text), dataset.url)
        assert done.code == 0, done
        model.load(read_dump(text, as_of))
        assert_equal(dataset, model)


def test_a_row_that_no_page_of_the_database_holds(sink, files):
    """It is rejected alone, and its key is not gone for that."""
    n, most = (330, 32) if isinstance(sink, SINKS["mysql"]) else (700, 18)
    header = ["NPI", *(f"Column {i}" for i in range(1, n))]
    rows = lambda cell: [[f"{r:03}", *((cell if r == 7 else "v") for _ in range(1, n))] for r in range(10)]  # noqa: E731
    dataset = Dataset(sink, "wide")
    for as_of, cell, counts in (("2020-01-01", "x", {"added": 10}), ("2020-02-01", "y" * most, {"unchanged": 9, "rejected": 1}),
                                ("2020-03-01", "x", {"unchanged": 10}), ("2020-04-01", "z" * 5, {"unchanged": 9, "changed": 1})):
        octets = "\n".join(",".join(r) for r in [header, *rows(cell)]).encode() + b"\n"
        done = copy(files.put(f"wide-{as_of}.csv", octets), dataset.url)
        assert done.code == 0, done
        assert {k: v for k, v in done.counts.items() if v and k != "rows"} == counts
    assert [(line, reason) for _, line, reason, _ in dataset.rejects()] == [(9, "row_too_wide")]


def test_a_dry_run_leaves_nothing(npi, sink, files):
    before = npi.dataset.everything(), sink.tables()
    octets = b"NPI,Name,City,More\n001,Ada,Z,1\n003,Ci,Y,NULL\n004,Di,Z,2\n005,Ed\n"
    done = npi.load(octets, "2020-02-01", "--dry-run")
    assert done.counts == dumps_model.Counts(rows=4, added=1, changed=1, removed=1, unchanged=1, rejected=1).told(), done
    assert (npi.dataset.everything(), sink.tables()) == before
    new = Dataset(sink, "other")
    done = copy(files.put("other-2020-02-01.csv", octets), new.url, "--dry-run")
    assert done.counts["added"] == 3 and not new.exists(), done
    assert sink.tables() == before[1]


# Sinks that will not have it.


def test_a_login_that_is_refused(npi):
    for url in (npi.sink.url("npi").replace("best", "s3cret-wrong"), npi.sink.url("npi").replace("dataeng:", "nobody_such:")):
        done = copy(npi.files.put("x-2020-02-01.csv", GOOD), url)
        assert done.code != 0 and "s3cret-wrong" not in done.words and "best" not in done.words, done
        assert "dataeng" in done.words or "nobody_such" in done.words, done


def test_a_server_that_is_not_there(npi):
    done = copy(npi.files.put("x-2020-02-01.csv", GOOD), npi.sink.url("npi", port=1))
    assert done.code != 0 and "best" not in done.words, done


def test_a_database_that_is_not_there(npi):
    done = copy(npi.files.put("x-2020-02-01.csv", GOOD), npi.sink.url("npi").replace(npi.sink.database, "no_such_db"))
    assert done.code != 0 and "no_such_db" in done.words, done


def reader_url(sink):
    """A user who may look and no more."""
    if sink.kind == "postgres":
        sink.run("DROP ROLE IF EXISTS looker; CREATE ROLE looker LOGIN PASSWORD 'best';"
                 " GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    else:
        sink.run(f"CREATE OR REPLACE USER looker@'%' IDENTIFIED BY 'best'; GRANT SELECT ON `{sink.database}`.* TO looker@'%'")
    return lambda table: sink.url(table).replace("dataeng:", "looker:")


def test_rights_that_are_missing(npi):
    url = reader_url(npi.sink)
    before = npi.dataset.everything(), npi.sink.tables()
    try:
        for table in ("npi", "another"):
            done = copy(npi.files.put("x-2020-02-01.csv", GOOD.replace(b"Bo", b"Bob")), url(table))
            assert done.code != 0, done
            assert any(w in done.words.lower() for w in ("denied", "privilege", "may not", "not allowed", "grant")), done
            assert MARKER not in done.words
        assert (npi.dataset.everything(), npi.sink.tables()) == before
    finally:
        npi.sink.run("DROP OWNED BY looker; DROP ROLE looker" if npi.sink.kind == "postgres" else "DROP USER looker")


def test_a_table_of_somebody_elses(sink, files):
    sink.run("CREATE TABLE npi (npi varchar(10), note varchar(10)); INSERT INTO npi VALUES ('1', 'mine')")
    if sink.kind == "postgres":
        sink.run("ALTER TABLE npi OWNER TO dataeng")
    done = copy(files.put("npi-2020-01-01.csv", GOOD), sink.url("npi"))
    assert done.code != 0 and "npi" in done.words, done
    assert sink.select(["npi", "note"], "FROM npi") == [("1", "mine")]


@pytest.mark.parametrize("table", ["", "x" * 64, "a/b", "ingest_dump", "ingest_delta", "npi%00", "npi_past", "npi_history"])
def test_names_that_are_no_tables(npi, table):
    before = npi.dataset.everything(), npi.sink.tables()
    done = copy(npi.files.put("x-2020-02-01.csv", GOOD), npi.sink.url() + f"/{table}")
    assert done.code != 0, done
    assert (npi.dataset.everything(), npi.sink.tables()) == before


@pytest.mark.parametrize("table", ["a b", "npi;drop table npi", "Npi", "npi'", "npi%20x", "1", "select", "x" * 50])
def test_tables_with_strange_names(npi, table):
    """It is made, just so named, or refused."""
    before, tables = npi.dataset.everything(), npi.sink.tables()
    done = copy(npi.files.put("x-2020-02-01.csv", GOOD), npi.sink.url() + f"/{table}")
    new = sorted(set(npi.sink.tables()) - set(tables))
    name = table.replace("%20", " ")
    assert new == (sorted([name, f"{name}_past"]) if done.code == 0 else []), done
    assert npi.dataset.everything() == before


# A full disk.


def large(n_rows, seed):
    draw = random.Random(seed)
    rows = (f"{i:09},{draw.randbytes(300).hex()}" for i in range(n_rows))
    return ("NPI,Padding\n" + "\n".join(rows) + "\n").encode()


class SmallFiles(Postgres):
    """None of its files may grow beyond 20 MB, as long as it has a limit."""
    limit = 20 << 20

    def spawn(self, argv, **options):
        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, resource.RLIM_INFINITY))
        return super().spawn(argv, **({"preexec_fn": limited} if self.limit else {}), **options)


@pytest.mark.slow
def test_a_full_postgres(session_home, files, programs_built):
    server = SmallFiles(session_home["home"] / "full-pg").start()

    def make_room():
        server.limit = 0
        server.restart()
    try:
        practice.make_site(server)
        fill(SINKS["postgres"](server, "full"), files, make_room)
    finally:
        server.stop()


@pytest.mark.slow
def test_a_full_mariadb(session_home, files, programs_built):
    room = {"innodb-file-per-table": "0", "innodb-data-file-path": "ibdata1:12M:autoextend:max:40M"}
    server = MariaDB(session_home["home"] / "full-mariadb", room).start()

    def make_room():
        server.settings["innodb-data-file-path"] = "ibdata1:12M:autoextend"
        server.restart()
    try:
        fill(SINKS["mysql"](server, "full"), files, make_room)
    finally:
        server.stop()


def fill(sink, files, make_room):
    """A small dump fits, a large one does not; with room it does."""
    dataset, model = Dataset(sink, "npi"), dumps_model.Dataset()
    small, big = large(100, 1), large(60_000, 1)
    assert copy(files.put("npi-2020-01-01.csv", small), dataset.url).code == 0
    model.load(read_dump(small, "2020-01-01"))
    url = files.put("npi-2020-02-01.csv", big)
    done = copy(url, dataset.url)
    assert done.code != 0 and any(w in done.words.lower() for w in ("full", "space", "extend", "large")), done
    assert_equal(dataset, model)
    make_room()
    done = copy(url, dataset.url)
    assert done.code == 0, done
    model.load(read_dump(big, "2020-02-01"))
    assert_equal(dataset, model)
