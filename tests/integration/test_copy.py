"""ingestctl copy, history and sql: from a URL to a table with its history, and what a person reads of it, on both databases."""
import contextlib
import csv
import datetime
import gzip
import io
import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import threading
import zipfile

import pytest

from dump_server import OK, DumpServer, Redirect, Slow, Status
from programs import INGESTCTL, REPO
from servers import wait_until
from test_db import db, free_port  # noqa: F401: a fixture

SAMPLES = sorted((REPO / "../shared/data/npi").glob("npi-sample-*.csv"))
HEAD = "NPI,Last Name,City,Postal Code\n"
FEBRUARY = HEAD + "1,NULL,DAYTON,01234\n2,WOLF,RENO,89501\n3,ANDERSON,,70037\n4,NA,ELKO,89801\n"
MARCH = HEAD + "1,NULL,DAYTON,01234\n2,WOLFE,LAS VEGAS,89501\n4,NA,ELKO,89801\n5,NEW,ELKO,89801\n"
APRIL = HEAD + "1,NULL,DAYTON,01234\n2,WOLFE,LAS VEGAS,89501\n3,ANDERSON,,70037\n4,NA,ELKO,89801\n5,NEW,ELKO,89801\n"
EVERY = ["--max-removed", "100"]
ZERO = {name: 0 for name in ("added", "changed", "removed", "reactivated", "unchanged", "rejected")}


@pytest.fixture
def server():
    with DumpServer() as s:
        yield s


@pytest.fixture(autouse=True)
def built(programs_built):
    pass


@pytest.fixture
def sink(db):  # noqa: F811
    return f"{db.url()}/npi"


def ctl(*args, code=0, timeout=60, env=None):
    done = subprocess.run([INGESTCTL, *map(str, args)], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})
    assert done.returncode == code, f"{done.returncode}: {done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert "best@" not in done.stdout + done.stderr, "a password is shown"
    return done.stdout if code == 0 else done.stderr


def copy(source, sink, *args, code=0):
    said = ctl("copy", "--source", source, "--sink", sink, "--json", *args, code=code)
    return json.loads(said) if code == 0 else said


def one(answer):
    (dump,) = answer["dumps"]
    return dump


def counts(dump):
    return {name: dump[name] for name in ZERO if dump[name]}


def rows(db, query):  # noqa: F811
    return [list(row.values()) for row in json.loads(ctl("sql", db.url(), query, "--json"))]


# ---- one dump ----

def test_a_dump_and_the_next(db, server, sink):
    first = one(copy(server.put("/npi-2016-02-07.csv", FEBRUARY.encode()), sink))
    assert first["key"] == ["NPI"] and first["rows"] == 4 and counts(first) == {"added": 4}
    assert (first["as_of"], first["as_of_from"], first["status"]) == ("2016-02-07", "name", "loaded")
    assert first["source"] == server.url("/npi-2016-02-07.csv") and first["notes"] == [] and first["seconds"] >= 0
    second = one(copy(server.put("/npi-2016-03-13.csv", MARCH.encode()), sink))
    assert counts(second) == {"added": 1, "changed": 1, "removed": 1, "unchanged": 2}
    assert rows(db, "SELECT npi, last_name, city, postal_code FROM npi ORDER BY npi") == [
        ["1", None, "DAYTON", "01234"], ["2", "WOLFE", "LAS VEGAS", "89501"], ["4", "NA", "ELKO", "89801"],
        ["5", "NEW", "ELKO", "89801"]]
    third = one(copy(server.put("/npi-2016-04-10.csv", APRIL.encode()), sink))
    assert counts(third) == {"reactivated": 1, "unchanged": 4}


def test_a_dry_run_writes_nothing(db, server, sink):
    url = server.put("/npi-2016-02-07.csv", FEBRUARY.encode())
    dump = one(copy(url, sink, "--dry-run"))
    assert dump["status"] == "dry-run" and counts(dump) == {"added": 4} and dump["key"] == ["NPI"]
    assert "npi" in ctl("sql", db.url(), "SELECT * FROM npi", code=1)
    copy(url, sink)
    dump = one(copy(server.put("/npi-2016-03-13.csv", MARCH.encode()), sink, "--dry-run"))
    assert counts(dump) == {"added": 1, "changed": 1, "removed": 1, "unchanged": 2}
    assert len(rows(db, "SELECT * FROM npi_history")) == 4
    said = ctl("copy", "--source", server.url("/npi-2016-03-13.csv"), "--sink", sink, "--dry-run")
    assert said.startswith("a dry run: nothing was changed")


def test_the_same_again(server, sink):
    url = server.put("/npi-2016-02-07.csv", FEBRUARY.encode())
    copy(url, sink)
    before = len(server.requests())
    dump = one(copy(url, sink))
    assert (dump["status"], dump["as_of"], dump["as_of_from"]) == ("unchanged", "2016-02-07", "record")
    assert len(server.requests()) == before + 1, "a server that knows its versions is asked once"
    assert server.requests()[-1]["If-None-Match"]
    server.put("/npi-2016-02-07.csv", FEBRUARY.encode(), etag=None, modified=None)
    dump = one(copy(url, sink))
    assert (dump["status"], dump["as_of_from"]) == ("unchanged", "name")
    assert len(server.requests()) == before + 2


def packed(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in members.items():
            z.writestr(name, text)
    return out.getvalue()


def test_another_member_of_the_same_zip(db, server, sink):
    url = server.put("/npi.zip", packed({"npi-2016-02-07.csv": FEBRUARY, "npi-2016-03-13.csv": MARCH}))
    assert one(copy(url, sink, "--member", "*-02-07.csv"))["status"] == "loaded"
    assert one(copy(url, sink, "--member", "*-03-13.csv"))["status"] == "loaded"
    before = len(server.requests())
    assert one(copy(url, sink, "--member", "*-03-13.csv"))["status"] == "unchanged"
    assert len(server.requests()) == before + 1 and server.requests()[-1]["If-None-Match"]
    url = server.put("/npi-2016-04-10.zip", packed({"main.csv": APRIL, "other.csv": FEBRUARY}))
    assert one(copy(url, sink, "--member", "main.*"))["status"] == "loaded"
    said = copy(url, sink, "--member", "other.*", code=1)
    assert "main.csv, is loaded for 2016-04-10 already" in said and "if other.csv is" in said
    assert one(copy(url, sink, "--member", "main.csv"))["status"] == "unchanged"
    assert len(rows(db, "SELECT * FROM npi")) == 5


def test_another_of_the_same_date_is_refused(db, server, sink):
    copy(server.put("/npi-2016-02-07.csv", FEBRUARY.encode()), sink)
    said = copy(server.put("/again/npi-2016-02-07.csv", FEBRUARY.replace("RENO", "OMAHA").encode()), sink, code=1)
    assert "2016-02-07 is loaded already" in said
    said = copy(server.put("/npi-2016-01-03.csv", MARCH.encode()), sink, code=1)
    assert "2016-01-03" in said and "2016-02-07" in said
    assert rows(db, "SELECT city FROM npi WHERE npi = '2'") == [["RENO"]]


def test_an_old_one_that_is_loaded(server, sink):
    old = server.put("/npi-2016-02-07.csv", FEBRUARY.encode())
    copy(old, sink)
    copy(server.put("/npi-2016-03-13.csv", MARCH.encode()), sink)
    assert one(copy(old, sink))["status"] == "unchanged"


@pytest.mark.parametrize("name, options, thing, as_of, origin", [
    ("/npi.csv", ["--as-of", "2016-05-08"], {}, "2016-05-08", "given"),
    ("/npi-2016-02-07.csv", ["--as-of", "2016-05-08"], {}, "2016-05-08", "given"),
    ("/npi_20160207.csv", [], {}, "2016-02-07", "name"),
    ("/npi-2016-02.csv", [], {}, "2016-02-01", "name"),
    ("/npi.csv", [], {"modified": 1454800000}, "2016-02-06", "last-modified"),
    ("/20050523-20160207.csv", [], {"modified": 1454800000}, "2016-02-06", "last-modified"),
])
def test_the_date_of_a_dump(server, sink, name, options, thing, as_of, origin):
    dump = one(copy(server.put(name, FEBRUARY.encode(), **thing), sink, *options))
    assert (dump["as_of"], dump["as_of_from"]) == (as_of, origin)


def test_a_dump_without_any_date_is_of_today(server, sink):
    dump = one(copy(server.put("/npi.csv", FEBRUARY.encode(), modified=None, etag=None), sink))
    assert dump["as_of_from"] == "today" and dump["as_of"] in todays()


def todays():
    now = datetime.datetime.now(datetime.timezone.utc)
    return [(now - datetime.timedelta(minutes=m)).date().isoformat() for m in (0, 5)]


def test_what_is_null_and_the_key(db, server, sink):
    url = server.put("/d-2016-02-07.csv", b"site;number;name\na;1;NULL\na;2;NA\nb;1;\nb;2;N/A\n")
    dump = one(copy(url, sink, "--key", "site,number", "--null", "NA", "--null", "N/A", "--delimiter", ";"))
    assert dump["key"] == ["site", "number"]
    assert rows(db, "SELECT site, number, name FROM npi ORDER BY site, number") == [
        ["a", "1", "NULL"], ["a", "2", None], ["b", "1", None], ["b", "2", None]]
    said = json.loads(ctl("history", sink, "a", "2", "--json"))
    assert said["key"] == {"site": "a", "number": "2"} and len(said["versions"]) == 1


def test_several_null_tokens_behind_one_option(db, server, sink):
    url = server.put("/d-2016-02-07.csv", b"id,name\n1,NULL\n2,NA\n3,x\n")
    copy(url, sink, "--null", "NULL", "NA", "--key", "id")
    assert rows(db, "SELECT id, name FROM npi ORDER BY id") == [["1", None], ["2", None], ["3", "x"]]


def test_headers_and_tokens_with_a_comma(db, server, sink):
    body = b'id,"City, State","a ""b"", c",v\n1,"Reno, NV",x,"none, yet"\n1,"Elko, NV",x,"no"\n'
    url = server.put("/d-2016-02-07.csv", body)
    assert "is not in the dump" in copy(url, sink, "--key", "id,City, State", code=1)
    keys = ["--key", 'id,"City, State"', "--key", '"a ""b"", c"']
    dump = one(copy(url, sink, *keys, "--null", '"none, yet"'))
    assert dump["key"] == ["id", "City, State", 'a "b", c'] and counts(dump) == {"added": 2}
    assert rows(db, "SELECT city_state, v FROM npi ORDER BY 1") == [["Elko, NV", "no"], ["Reno, NV", None]]
    assert one(copy(url, sink, *keys))["status"] == "unchanged"


def test_the_empty_cell_alone_is_null(db, server, sink):
    url = server.put("/d-2016-02-07.csv", b"id,name\n1,NULL\n2,\nNULL,x\n")
    copy(url, sink, "--null", "")
    assert rows(db, "SELECT id, name FROM npi ORDER BY id") == [["1", "NULL"], ["2", None], ["NULL", "x"]]


def test_one_that_is_in_no_order_is_read_again(db, server, sink):
    lines = FEBRUARY.splitlines(keepends=True)
    dump = one(copy(server.put("/npi-2016-02-07.csv", "".join([lines[0], *lines[:0:-1]]).encode()), sink))
    assert counts(dump) == {"added": 4}
    dump = one(copy(server.put("/npi-2016-03-13.csv", (HEAD + "5,NEW,ELKO,89801\n4,NA,ELKO,89801\n2,WOLFE,LAS VEGAS,89501\n"
                                                              "1,NULL,DAYTON,01234\n").encode()), sink))
    assert counts(dump) == {"added": 1, "changed": 1, "removed": 1, "unchanged": 2}


def test_files(db, sink, tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "npi-2016-02-07.csv"
    path.write_text(FEBRUARY)
    assert counts(one(copy(f"file://{path}", sink))) == {"added": 4}
    path.write_text(FEBRUARY)  # a new file of the same bytes
    assert one(copy(f"file://{path}", sink))["status"] == "unchanged"


def test_many_keys_gone_is_refused(server, sink):
    body = "id,x\n" + "".join(f"{i:04d},a\n" for i in range(100))
    copy(server.put("/d-2016-02-07.csv", body.encode()), sink)
    half = "id,x\n" + "".join(f"{i:04d},a\n" for i in range(50))
    url = server.put("/d-2016-03-07.csv", half.encode())
    copy(url, sink, code=1)
    assert counts(one(copy(url, sink, "--max-removed", "50"))) == {"removed": 50, "unchanged": 50}


def test_many_rows_rejected_is_refused(server, sink):
    body = "id,x\n" + "".join(f"{'' if i % 3 == 0 else i},a\n" for i in range(1, 100))
    url = server.put("/d-2016-02-07.csv", body.encode())
    said = copy(url, sink, code=1)
    assert "33 of 99 rows cannot be taken" in said and "10 %" in said and "--max-rejected" in said and "max_rejected" in said
    copy(url, sink, "--max-rejected", "33", code=1)
    assert counts(one(copy(url, sink, "--max-rejected", "34"))) == {"added": 66, "rejected": 33}


def test_one_that_changes_while_it_is_read(server, sink):
    """The first half of one and the second half of another must not become a dump."""
    old = "id,x\n" + "".join(f"{i:06d},old\n" for i in range(60000))
    new = old.replace("old", "new")
    gate = threading.Semaphore(300)
    url = server.put("/d-2016-02-07.csv", old.encode(), [Slow(gate.acquire), OK])
    process = subprocess.Popen([INGESTCTL, "copy", "--source", url, "--sink", sink, "--json"], stdout=subprocess.PIPE)
    server.wait_for_requests(1)
    wait_until(lambda: gate._value == 0, what="the first part to be sent")
    with contextlib.suppress(OSError):
        for connection in list(server._connections):
            connection.shutdown(2)
    server.change("/d-2016-02-07.csv", new.encode())
    gate.release(100000)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert counts(one(json.loads(said))) == {"added": 60000}


# ---- many dumps ----

def test_again_and_again(sink, tmp_path):
    """With a source that is not there yet: it is tried again soon, then waits for the next time, until it is told to end."""
    source = tmp_path / "npi-2026-02-01.csv"
    command = subprocess.Popen([INGESTCTL, "copy", "--source", f"file://{source}", "--sink", sink, "--every", "1s"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "No such file" in command.stderr.readline()
        assert command.stderr.readline().startswith("tried again at 20")
        source.with_suffix(".part").write_text(FEBRUARY, encoding="utf-8")
        source.with_suffix(".part").rename(source)
        while not (line := command.stderr.readline()).startswith("next at 20"):
            assert line, "it ended"
        while "loaded already" not in (line := command.stdout.readline()):
            assert line, "it ended"
        command.send_signal(signal.SIGTERM)
        assert command.wait(30) in (0, 130)
    finally:
        command.kill()
        command.communicate()
    assert "--every" in ctl("copy", "--source", "file:///x", "--sink", sink, "--every", "often", code=2)


def test_an_index_page(db, server, sink):
    names = ["npi-2016-04-10.csv", "npi-2016-02-07.csv", "other-2016-01-01.csv", "npi-2016-03-13.csv", "README"]
    for name, body in zip(["npi-2016-02-07.csv", "npi-2016-03-13.csv", "npi-2016-04-10.csv"], [FEBRUARY, MARCH, APRIL]):
        server.put(f"/dumps/{name}", body.encode())
    index = server.put_index("/dumps/", names[1:])
    pattern = ["--pattern", "npi-%Y-%m-%d.csv"]
    answer = copy(index, sink, *pattern)
    assert [d["as_of"] for d in answer["dumps"]] == ["2016-02-07", "2016-03-13"]
    assert answer["rows"] == 8 and answer["seconds"] >= 0
    server.put_index("/dumps/", names)
    answer = copy(index, sink, *pattern)
    assert [d["as_of"] for d in answer["dumps"]] == ["2016-04-10"] and counts(one(answer)) == {"reactivated": 1, "unchanged": 4}
    assert copy(index, sink, *pattern)["dumps"] == []
    assert "no dump is newer" in ctl("copy", "--source", index, "--sink", sink, *pattern)
    assert "nothing at" in copy(index, sink, "--pattern", "nppes-%Y-%m.csv", code=1)


def test_one_dump_packed_and_plain(server, sink):
    for name, body in {"npi-2016-02-07.csv": HEAD.encode(), "npi-2016-02-07.csv.gz": gzip.compress(FEBRUARY.encode()),
                       "npi-2016-03-13.csv.gz": gzip.compress(MARCH.encode())}.items():
        server.put(f"/dumps/{name}", body)
    index = server.put_index("/dumps/", ["npi-2016-02-07.csv", "npi-2016-02-07.csv.gz", "npi-2016-03-13.csv.gz"])
    dry = one(copy(index, sink, "--pattern", "npi-%Y-%m-%d.*", "--dry-run"))
    assert "npi-2016-02-07.csv is there too" in dry["notes"][0]
    dumps = copy(index, sink, "--pattern", "npi-%Y-%m-%d.*")["dumps"]
    assert [(d["source"].rsplit("/")[-1], d["rows"]) for d in dumps] == [
        ("npi-2016-02-07.csv.gz", 4), ("npi-2016-03-13.csv.gz", 4)]
    assert "npi-2016-02-07.csv is there too" in dumps[0]["notes"][-1] and dumps[1]["notes"] == []
    assert copy(index, sink, "--pattern", "npi-%Y-%m-%d.*")["dumps"] == []


def test_two_dumps_of_one_date(db, server, sink):
    for name in ("npi-2016-02-07.csv", "npi-2016-03-13.csv", "npi-2016-03-13-new.csv.gz"):
        server.put(f"/dumps/{name}", FEBRUARY.encode())
    index = server.put_index("/dumps/", ["npi-2016-02-07.csv", "npi-2016-03-13.csv", "npi-2016-03-13-new.csv.gz"])
    said = copy(index, sink, "--pattern", "npi-%Y-%m-%d*", code=1)
    assert all(word in said for word in ("2016-03-13", "npi-2016-03-13.csv", "npi-2016-03-13-new.csv.gz", "narrower"))
    assert "npi" in ctl("sql", db.url(), "SELECT * FROM npi", code=1), "nothing is loaded where it is not clear what"


def test_a_folder_and_since(sink, tmp_path):
    tmp_path.chmod(0o755)
    for name, body in zip(["2016-02-07", "2016-03-13", "2016-04-10"], [FEBRUARY, MARCH, APRIL]):
        (tmp_path / f"npi-{name}.csv").write_text(body)
    answer = copy(f"file://{tmp_path}/", sink, "--pattern", "npi-%Y-%m-%d.csv", "--since", "2016-03-01")
    assert [(d["as_of"], counts(d)) for d in answer["dumps"]] == [
        ("2016-03-13", {"added": 4}), ("2016-04-10", {"added": 1, "unchanged": 4})]


def test_dates_in_the_source(server, sink):
    for name, body in zip(["2026/02", "2026/03", "2026/04"], [FEBRUARY, MARCH, APRIL]):
        server.put(f"/{name}/npi.csv", body.encode())
    dated = server.url("/%Y/%m/npi.csv")
    assert "since" in copy(dated, sink, code=1)
    answer = copy(dated, sink, "--since", "2025-12-05")
    assert [d["as_of"] for d in answer["dumps"]] == ["2026-02-01", "2026-03-01", "2026-04-01"]
    assert server.targets()[0] == "/2026/01/npi.csv", "the first month that begins from then on"
    before = len(server.targets())
    assert copy(dated, sink)["dumps"] == []
    assert server.targets()[before] == "/2026/05/npi.csv"


def test_escapes_are_no_dates(server, sink):
    plain = server.put("/%d0%b4%d1%8f/npi-2016-02-07.csv", FEBRUARY.encode())
    assert one(copy(plain, sink, "--as-of", "2016-02-07"))["source"] == plain
    server.put("/%d0%b4%d1%8f/2026/09.csv", MARCH.encode())
    answer = copy(server.url("/%d0%b4%d1%8f/%Y/%m.csv"), sink, "--since", "2026-08-01")
    assert [d["as_of"] for d in answer["dumps"]] == ["2026-09-01"]


def test_dates_of_files(sink, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "npi-20260907.csv").write_text(FEBRUARY)
    (tmp_path / "npi-20260909.csv").write_text(MARCH)
    answer = copy(f"file://{tmp_path}/npi-%Y%m%d.csv", sink, "--since", "2026-09-01")
    assert [d["as_of"] for d in answer["dumps"]] == ["2026-09-07", "2026-09-09"]


def test_what_was_loaded_before_a_broken_one_stays(db, server, sink):
    server.put("/dumps/npi-2016-02-07.csv", FEBRUARY.encode())
    server.put("/dumps/npi-2016-03-13.csv", b"<html>moved</html>")
    index = server.put_index("/dumps/", ["npi-2016-02-07.csv", "npi-2016-03-13.csv"])
    said = copy(index, sink, "--pattern", "npi-%Y-%m-%d.csv", code=1)
    assert "2016-03-13" in said and "the 1 before it are loaded" in said
    assert len(rows(db, "SELECT * FROM npi")) == 4


def test_a_dry_run_of_many_looks_at_the_first(server, sink):
    names = ["npi-2016-02-07.csv", "npi-2016-03-13.csv", "npi-2016-04-10.csv"]
    for name, body in zip(names, [FEBRUARY, MARCH, APRIL]):
        server.put(f"/dumps/{name}", body.encode())
    index = server.put_index("/dumps/", names)
    dump = one(copy(index, sink, "--pattern", "npi-%Y-%m-%d.csv", "--dry-run"))
    assert dump["as_of"] == "2016-02-07" and "others to load: 2" in dump["notes"][-1]
    dump = one(copy(server.url("/dumps/npi-%Y-%m-%d.csv"), sink, "--since", "2016-04-01", "--dry-run"))
    assert dump["as_of"] == "2016-04-10" and "later dates that may have one: " in dump["notes"][-1]
    dump = one(copy(index, sink, "--pattern", "npi-%Y-%m-%d.csv", "--since", "2016-04-01", "--dry-run"))
    assert dump["notes"] == [], "it is the only one"


# ---- what a person sees ----

def test_the_table_of_a_copy(server, sink):
    said = ctl("copy", "--source", server.put("/npi-2016-02-07.csv", FEBRUARY.encode()), "--sink", sink)
    lines = said.splitlines()
    assert lines[0].split()[:4] == ["as", "of", "by", "rows"]
    assert lines[1].split()[:5] == ["2016-02-07", "its", "name", "4", "4"]
    assert lines[1].endswith("npi-2016-02-07.csv, key NPI") and "the key is the first column of the first dump" in lines[2]
    said = ctl("copy", "--source", server.url("/npi-2016-02-07.csv"), "--sink", sink, "--key", "NPI")
    assert "is loaded already" in said and "first column" not in said


def test_the_bar(server, sink):
    """Bytes, rows and speed on a terminal; a read that waits for us shows it half-way."""
    body = "id,x\n" + "".join(f"{i:08d},{i}\n" for i in range(400000))
    gate = threading.Semaphore(1000)
    url = server.put("/d-2016-02-07.csv", body.encode(), [Slow(gate.acquire)])
    main, side = pty.openpty()
    process = subprocess.Popen([INGESTCTL, "copy", "--source", url, "--sink", sink], stdout=side, stderr=side)
    os.close(side)
    seen = b""
    while b" rows" not in seen or b"MB/" not in seen:
        assert process.poll() is None, seen[-1000:]
        if select.select([main], [], [], 0.1)[0]:
            seen += os.read(main, 4096)
        gate.release(50)
    gate.release(100000)
    with contextlib.suppress(OSError):  # the end of it
        while True:
            seen += os.read(main, 4096)
    os.close(main)
    assert process.wait(60) == 0, seen[-500:]
    assert "d-2016-02-07.csv  ".encode() in seen and "█".encode() in seen and b"/s" in seen


def test_history(db, server, sink):
    for name, body in zip(["npi-2016-02-07.csv", "npi-2016-03-13.csv", "npi-2016-04-10.csv"], [FEBRUARY, MARCH, APRIL]):
        copy(server.put(f"/{name}", body.encode()), sink)
    lines = ctl("history", sink, "2").splitlines()
    assert lines[0].startswith("NPI 2  of ")
    assert lines[1] == "2016-02-07  added  npi-2016-02-07.csv, line 3"
    assert "2016-03-13  changed  npi-2016-03-13.csv, line 3" in lines
    assert any(line.split() == ["Last", "Name", "WOLF", "→", "WOLFE"] for line in lines)
    assert any(line.split() == ["City", "RENO", "→", "LAS", "VEGAS"] for line in lines)
    answer = json.loads(ctl("history", sink, "3", "--json"))
    assert [(c["as_of"], c["what"], c["dump"]["source"].rsplit("/")[-1]) for c in answer["changes"]] == [
        ("2016-02-07", "added", "npi-2016-02-07.csv"), ("2016-03-13", "removed", "npi-2016-03-13.csv"),
        ("2016-04-10", "reactivated", "npi-2016-04-10.csv")]
    assert answer["changes"][2]["columns"] == {} and answer["key"] == {"NPI": "3"}
    assert [v["valid_to"] for v in answer["versions"]] == ["2016-03-13", None]
    city = json.loads(ctl("history", sink, "2", "--column", "city", "--json"))
    assert [c["columns"] for c in city["changes"]] == [{"City": {"from": None, "to": "RENO"}},
                                                       {"City": {"from": "RENO", "to": "LAS VEGAS"}}]
    then = json.loads(ctl("history", sink, "2", "--as-of", "2016-03-12", "--json"))
    assert then["version"]["values"]["City"] == "RENO" and then["version"]["valid_to"] == "2016-03-13"
    assert "Postal Code  89501" in ctl("history", sink, "2", "--as-of", "2016-12-31")


def test_history_of_headers_that_are_alike(server, sink):
    head = "id,x,x,x_2,,Name,name,xmin,seq,FTS_DOC_ID\n"
    copy(server.put("/d-2016-02-07.csv", f"{head}1,a,b,c,d,E,e,f,g,h\n".encode()), sink)
    copy(server.put("/d-2016-03-07.csv", f"{head}1,a,b,c,D,E,e2,f,g,h\n".encode()), sink)
    answer = json.loads(ctl("history", sink, "1", "--json"), object_pairs_hook=dict_of_one_each)
    assert answer["versions"][0]["values"] == {"id": "1", "x": "a", "x_2": "b", "x_2_2": "c", "col_5": "d", "Name": "E",
                                               "name": "e", "xmin": "f", "seq": "g", "FTS_DOC_ID": "h"}
    name = json.loads(ctl("history", sink, "1", "--column", "name", "--json"))
    assert [c["columns"] for c in name["changes"]] == [{"name": {"from": None, "to": "e"}},
                                                       {"name": {"from": "e", "to": "e2"}}]


def dict_of_one_each(pairs):
    assert len({k for k, _ in pairs}) == len(pairs), pairs
    return dict(pairs)


def test_sessions_that_begin_oddly(server, db):  # noqa: F811
    """An administrator's init_connect, for those without special rights: none of it changes what is read or written."""
    if db.name != "mysql":
        pytest.skip("Postgres has none")
    dumps = [server.put("/d-2016-02-07.csv", "id,größe\né,1\na,2\nb,3\n".encode()),
             server.put("/d-2016-03-07.csv", "id,größe\né,1\na,4\nc,5\n".encode())]
    db.server.sql("SET GLOBAL init_connect = 'SET NAMES latin1, autocommit = 0, sql_select_limit = 2, sql_safe_updates = 1'")
    try:
        for url, said in zip(dumps, [{"added": 3}, {"added": 1, "changed": 1, "removed": 1, "unchanged": 1}]):
            assert counts(one(copy(url, f"{db.url()}/npi", *EVERY))) == said
        answer = json.loads(ctl("history", f"{db.url()}/npi", "é", "--json"))
    finally:
        db.server.sql("SET GLOBAL init_connect = ''")
    assert answer["versions"][0]["values"] == {"id": "é", "größe": "1"}


def test_history_that_there_is_not(server, sink):
    assert "no dump was loaded" in ctl("history", sink, "2", code=1)
    copy(server.put("/npi-2016-02-07.csv", FEBRUARY.encode()), sink)
    assert "no dump that is loaded" in ctl("history", sink, "99", code=1)
    assert "there was nothing" in ctl("history", sink, "2", "--as-of", "2016-02-06", code=1)
    assert 'did you mean "City"' in ctl("history", sink, "2", "--column", "Citi", code=1)
    assert "a date" in ctl("history", sink, "2", "--as-of", "then", code=2)
    assert "expected" in ctl("history", sink, code=2)


def test_sql(db, sink):
    many = db.rows.format(3000)
    lines = ctl("sql", db.url(), many).splitlines()
    assert len(lines) == 3001 and lines[0].split() == ["n", "t"] and lines[1].split()[0] == "1"
    assert len(lines[1]) == len(lines[1000]), "aligned"
    assert "…" in lines[1], "a long value is cut"
    read = list(csv.reader(io.StringIO(ctl("sql", sink, many, "--csv"))))
    assert read[0] == ["n", "t"] and len(read) == 3001 and read[3000] == ["3000", "x" * 100]
    assert json.loads(ctl("sql", db.url(), "SELECT NULL AS a, '' AS b, 'x,\"y\"' AS c", "--json")) == [
        {"a": None, "b": "", "c": 'x,"y"'}]
    assert ctl("sql", db.url(), "SELECT NULL AS a, '' AS b, 'x,\"y\"' AS c", "--csv") == 'a,b,c\n,"","x,""y"""\n'
    assert ctl("sql", db.url(), "CREATE TABLE t (a int)").startswith("done")
    assert json.loads(ctl("sql", db.url(), "SELECT * FROM t", "--json")) == []
    assert ctl("sql", db.url(), "SELECT * FROM t") == "a\n"


def test_columns_of_one_name(db):
    """psql and CSV show a name twice; an object would have lost one of the two."""
    query = "SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a, 5 AS b, 6 AS a_3, 7 AS a_3"
    pairs = json.loads(ctl("sql", db.url(), query, "--json"), object_pairs_hook=list)
    assert pairs == [[("a", "1"), ("a_4", "2"), ("a_2", "3"), ("a_5", "4"), ("b", "5"), ("a_3", "6"), ("a_3_2", "7")]]
    assert json.loads(ctl("sql", db.url(), "SELECT 1 AS a, 2 AS a", "--json")) == [{"a": "1", "a_2": "2"}]
    assert ctl("sql", db.url(), query, "--csv").splitlines()[0] == "a,a,a_2,a,b,a_3,a_3"


def test_a_cell_of_any_length(db):
    repeat = "repeat('ä', 1000000)"
    (row,) = json.loads(ctl("sql", db.url(), f"SELECT {repeat} AS a, 'b' AS b", "--json"))
    assert row == {"a": "ä" * 1000000, "b": "b"}


# ---- used wrongly, and what fails ----

@pytest.mark.parametrize("body, behaviour, words", [
    (gzip.compress(FEBRUARY.encode())[:-8] + b"12345678", OK, "damaged gzip"),
    (gzip.compress(FEBRUARY.encode())[:-20], OK, "cut off"),
    (packed({"a.csv": FEBRUARY, "b.csv": MARCH}), OK, "several members"),
    (packed({"a.csv": FEBRUARY}), Status(404), "404"),
    (b"<html>moved</html>", OK, "no CSV"),
    (FEBRUARY.encode(), Redirect("ftp://h/x"), "redirects"),
], ids=("damaged", "cut", "zip", "missing", "html", "redirect"))  # gzip has the time in it
def test_a_url_is_said_once(server, sink, body, behaviour, words):
    url = server.put("/npi-2016-02-07.csv", body, [behaviour])
    for source in (url, url.replace("http://", "http://me:s3cret@")):
        said = copy(source, sink, code=1)
        assert words in said and said.count("/npi-2016-02-07.csv") == 1, said


@pytest.mark.parametrize("args, words", [
    ([], "--source is missing"),
    (["--source", "https://h/a.csv"], "--sink is missing"),
    (["--source", "npi.csv", "--sink", "mysql://h/d/t"], "not a URL"),
    (["--source", "ftp://h/a.csv", "--sink", "mysql://h/d/t"], "ftp"),
    (["--source", "https://h/a.csv", "--sink", "oracle://h/d/t"], "mysql://…, postgresql://… or duckdb"),
    (["--source", "https://h/a.csv", "--sink", "mysql://h/d"], "a database and a table"),
    (["--source", "https://h/a.csv", "--sink", "mysql://h/d/t/u"], "a database and a table"),
    (["--source", "https://h/a.csv", "--sink", "mysql://h/d/t", "--as-of", "yesterday"], "a date"),
    (["--source", "https://h/%Y%m%d", "--sink", "mysql://h/d/t", "--as-of", "2016-01-01"], "for one dump"),
    (["--source", "https://h/a.csv", "--sink", "mysql://h/d/t", "--max-removed", "101"], "too much"),
    (["--source", "https://h/a.csv", "--sink", "mysql://h/d/t", "--max-rejected", "101"], "too much"),
    (["--source", "https://h/a.csv", "--sink", "mysql://h/d/t", "--delimiter", "xy"], "one character"),
    (["--source", "https://h/a.csv", "--sink", "mysql://h/d/t", "--key", ""], "a word is expected"),
    (["--source", "https://h/a.csv", "--sink", "mysql://h/d/t", "--key", '"a,b'], "a word in quotes"),
    (["--source", "https://h/a.csv", "--sink", "mysql://h/d/t", "--snik", "x"], "unknown option"),
    (["mysql://root:s3cret@h/d/t"], "mysql://root:xxxxxx@h"),
])
def test_used_wrongly(args, words):
    said = ctl("copy", *args, code=2)
    assert words in said and "usage: ingestctl copy" in said and "s3cret" not in said


def test_wrong_passwords_and_servers(db, server, sink):
    url = server.put("/npi-2016-02-07.csv", FEBRUARY.encode())
    said = copy(url, sink.replace(":best@", ":s3cret@"), code=1)
    assert "s3cret" not in said and ("denied" in said or "password" in said)
    assert "s3cret" not in ctl("sql", db.url().replace(":best@", ":s3cret@"), "SELECT 1", code=1)
    nowhere = f"mysql://u:s3cret@127.0.0.1:{free_port()}/d/t"
    assert "s3cret" not in copy(url, nowhere, code=1)
    assert "404" in copy(server.url("/missing.csv"), sink, code=1)
    secret = server.put("/secret-2016-02-07.csv", FEBRUARY.encode(), credentials=("me", "s3cret"))
    assert "s3cret" not in copy(secret.replace("http://", "http://me:s3crets@"), sink, code=1)
    dump = one(copy(secret.replace("http://", "http://me:s3cret@"), sink))
    assert dump["status"] == "loaded" and "s3cret" not in json.dumps(dump)
    assert "s3cret" not in json.dumps(rows(db, "SELECT * FROM ingest_dump"))


def test_a_key_in_the_query(db, server, sink):
    for day, name in enumerate(("key", "api_key", "access_token", "X-Amz-Signature"), 1):
        url = server.put(f"/npi-2016-02-0{day}.csv", FEBRUARY.encode()) + f"?year=2016&{name}="
        dump = one(copy(url + "s3cret", sink))
        assert dump["source"] == f"{url}…"
        assert "s3cret" not in copy(f"{server.url('/none.csv')}?{name}=s3cret", sink, code=1)
        before = len(server.requests())
        assert one(copy(url + "s3cret2", sink))["status"] == "unchanged"
        assert len(server.requests()) == before + 1
        assert server.requests()[-1].get("If-None-Match"), "another key, and the same dump"
    assert "s3cret" not in json.dumps(rows(db, "SELECT * FROM ingest_dump"))


def test_keys_in_the_query_that_are_none(server, sink):
    """What is hidden may also tell two things apart: without an ETag a date is not enough to call them the same."""
    server.put("/export-2016-02-07.csv", FEBRUARY.encode(), etag="")
    url = server.url("/export-2016-02-07.csv?key=")
    copy(url + "a", sink)
    server.put("/export-2016-02-07.csv", MARCH.encode(), etag="")
    assert "with other bytes" in copy(url + "b", sink, code=1)


def test_arguments_show_no_password(server, sink):
    gate = threading.Semaphore(0)
    url = server.put("/npi-2016-02-07.csv", FEBRUARY.encode(), [Slow(gate.acquire)], credentials=("me", "s3cret"))
    url = url.replace("http://", "http://me:s3cret@")
    process = subprocess.Popen([INGESTCTL, "copy", "--source", url, f"--sink={sink}", "--json"], stdout=subprocess.PIPE)
    server.wait_for_requests(1)
    worker = next(iter(children_of(process.pid)))
    for pid in (process.pid, worker):
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        assert "s3cret" not in words and ":best@" not in words
    assert "http://me:xxxxxx@" in pathlib.Path(f"/proc/{process.pid}/cmdline").read_text()
    gate.release(1000)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and one(json.loads(said))["status"] == "loaded"


def children_of(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_interrupted(db, server, sink):
    gate = threading.Semaphore(1)
    body = "id,x\n" + "".join(f"{i:08d},{i}\n" for i in range(200000))
    url = server.put("/d-2016-02-07.csv", body.encode(), [Slow(gate.acquire)])
    process = subprocess.Popen([INGESTCTL, "copy", "--source", url, "--sink", sink], stderr=subprocess.PIPE)
    server.wait_for_requests(1)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=30)
    gate.release(100000)
    assert process.returncode == 130 and b"interrupted" in words
    assert "npi" in ctl("sql", db.url(), "SELECT * FROM npi WHERE id IS NOT NULL", code=1)


# ---- the samples ----

@pytest.mark.slow
@pytest.mark.skipif(not SAMPLES, reason="the samples are not beside the repository")
def test_the_samples(db, sink):
    answer = copy(f"file://{SAMPLES[0].parent.resolve()}/", sink, "--pattern", "npi-sample-%Y-%m-%d.csv")
    assert [d["as_of"] for d in answer["dumps"]] == [p.stem.removeprefix("npi-sample-") for p in SAMPLES]
    before = {}
    seen = set()
    for path, dump in zip(SAMPLES, answer["dumps"]):
        now = read_sample(path)
        keys = set(before) | set(now)
        wanted = {
            "added": sum(k not in seen for k in now),
            "reactivated": sum(k in seen and k not in before for k in now),
            "removed": sum(k not in now for k in before),
            "changed": sum(k in now and k in before and differs(before[k], now[k]) for k in keys),
        }
        assert {name: dump[name] for name in wanted} == wanted, dump
        assert dump["rows"] == len(now) and dump["rejected"] == 0
        seen |= set(now)
        before = now
    n = len(before)
    assert rows(db, "SELECT count(*) AS n FROM npi") == [[str(n)]]


def readme_queries():
    """The statements of README's "Dumps with history", as one would paste them."""
    section = (REPO / "README.md").read_text().split("## Dumps with history")[1].split("\n## ")[0]
    blocks, lines = [], iter(section.splitlines())
    for line in lines:
        if line.startswith("    SELECT"):
            while not line.rstrip().endswith(";"):
                line += " " + next(lines).strip()
            blocks.append(line.strip().rstrip(";"))
    return blocks


@pytest.mark.skipif(not SAMPLES, reason="the samples are not beside the repository")
def test_the_queries_of_the_readme(db, sink):
    copy(f"file://{SAMPLES[0].parent.resolve()}/", sink, "--pattern", "npi-sample-%Y-%m-%d.csv")
    queries = readme_queries()
    assert len(queries) == 5
    ((moved, _),) = rows(db, "SELECT old.npi, 1 AS x FROM npi_past old JOIN npi new ON new.npi = old.npi AND new.valid_from ="
                             " old.valid_to WHERE old.provider_last_name_legal_name <> new.provider_last_name_legal_name AND "
                             "old.provider_business_mailing_address_city_name <> "
                             "new.provider_business_mailing_address_city_name ORDER BY old.npi LIMIT 1")
    found = [rows(db, q.replace("1003000167", moved)) for q in queries]
    assert all(found[i] for i in (0, 1, 3, 4)), found
    ((gone, _),) = rows(db, "SELECT npi, 1 AS x FROM npi_history WHERE opened_by = 'reactivated' ORDER BY npi LIMIT 1")
    events = rows(db, queries[2].replace("1003000167", gone))
    assert any(e[3] == "removed" for e in events) and any(e[1] == "reactivated" for e in events)


def read_sample(path):
    with open(path, newline="", encoding="utf-8") as f:
        return {row["NPI"]: {k: v if v not in ("", "NULL") else None for k, v in row.items()} for row in csv.DictReader(f)}


def differs(a, b):
    return any(a.get(k) != b.get(k) for k in set(a) | set(b))
