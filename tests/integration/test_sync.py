"""Syncs as jobs of the daemon: new dumps are found and loaded in order, each run is on record, and a person can read it."""
import json

import pytest

from dump_server import DumpServer
from servers import wait_until
from test_copy import APRIL, FEBRUARY, MARCH
from timer import job, runs, timer, wait_runs

PATTERN = "npi-%Y-%m-%d.csv"


@pytest.fixture
def server():
    with DumpServer() as s:
        s.put("/dumps/npi-2016-02-07.csv", FEBRUARY.encode())
        s.put("/dumps/npi-2016-03-13.csv", MARCH.encode())
        s.put("/dumps/npi-2016-04-10.csv", APRIL.encode())
        s.put_index("/dumps/", ["npi-2016-02-07.csv", "npi-2016-03-13.csv"])
        yield s


def sync(server, **more):
    return {"kind": "sync", "source": server.url("/dumps/"), "pattern": PATTERN, "table": "npi", **more}


def cities(office):
    return office.sql("SELECT npi, city FROM npi ORDER BY npi")


def test_new_dumps_are_loaded_as_they_appear(office, server):
    daemon = timer(office, {"npi": sync(server, schedule="every 1s")})
    (first, *_) = wait_runs(office, 1, "npi")
    assert [d["as_of"] for d in first["stats"]["dumps"]] == ["2016-02-07", "2016-03-13"]
    assert first["stats"]["rows"] == 8 and first["stats"]["added"] == 5 and first["stats"]["peak_bytes"] > 0
    before = office.sql("SELECT count(*) FROM npi_history")
    wait_runs(office, 2, "npi")
    assert office.sql("SELECT count(*) FROM npi_history") == before, "nothing new, nothing written"
    server.put_index("/dumps/", ["npi-2016-02-07.csv", "npi-2016-03-13.csv", "npi-2016-04-10.csv"])
    wait_until(lambda: office.sql("SELECT count(*) FROM npi WHERE npi = '3'") == [(1,)], 20, "the new dump")
    assert cities(office)[2] == ("3", None)
    newest = wait_until(lambda: [r for r in runs(office, "npi", "done") if r["stats"]["reactivated"]], 20, "its run")[0]
    code, text = daemon.ctl("runs", "--id", newest["id"], json_output=False)
    assert code == 0 and "npi-2016-04-10.csv, key NPI" in text and '"as_of"' not in text
    assert "reactivated  1" in " ".join(text.split("\n")) or "reactivated" in text


def test_by_hand_and_dry(office, server):
    daemon = timer(office, {"npi": sync(server)})
    assert job(daemon, "npi")["kind"] == "sync"
    done = daemon.ctl_raw("run", "npi", "--dry-run")
    assert done.returncode == 0 and "2016-02-07" in done.stdout and "others to load: " in done.stdout
    assert office.sql("SELECT to_regclass('npi')") == [(None,)]
    code, run = daemon.ctl("run", "npi", "--wait")
    assert code == 0 and len(run["stats"]["dumps"]) == 2
    done = daemon.ctl_raw("run", "npi", "--wait")
    assert done.returncode == 0 and "no dump is newer" in done.stdout


def test_one_source_and_all_its_keys(office, server):
    body = b"site|number|name\na|1|NULL\na|2|NA\n"
    server.put("/one.csv", body, modified=1454800000)
    daemon = timer(office, {"one": {"kind": "sync", "source": server.url("/one.csv"), "table": "public.one", "key": "site,number",
                                    "null": "NA,NULL", "delimiter": "|", "max_removed": 0}})
    code, run = daemon.ctl("run", "one", "--wait")
    (dump,) = run["stats"]["dumps"]
    assert code == 0 and dump["key"] == ["site", "number"] and dump["as_of_from"] == "last-modified"
    assert office.sql("SELECT site, number, name FROM one ORDER BY number") == [("a", "1", None), ("a", "2", None)]
    code, run = daemon.ctl("run", "one", "--wait")
    assert run["stats"]["dumps"][0]["status"] == "unchanged"


def test_into_another_database(office, server, maria):
    maria.create_database("external_db")
    password = office.home / "external-password"
    password.write_text("best\n")
    password.chmod(0o600)
    url = maria.url("external_db").replace(":best@", "@")
    daemon = timer(office, {"npi": sync(server, database="external")},
                   databases={"external": {"url": url, "password_file": str(password)}})
    code, run = daemon.ctl("run", "npi", "--wait")
    assert code == 0, run
    assert maria.sql("SELECT npi, city FROM npi ORDER BY npi", "external_db")[1] == ["2", "LAS VEGAS"]
    maria.sql("DROP DATABASE external_db")


def test_a_failure_says_what_to_do(office, server):
    server.put("/dumps/npi-2016-03-13.csv", b"<!DOCTYPE html><html>moved</html>", content_type="text/html")
    daemon = timer(office, {"npi": sync(server, retries=0)})
    code, run = daemon.ctl("run", "npi", "--wait")
    assert code == 1 and "2016-03-13" in run["error"] and "the 1 before it are loaded" in run["error"]
    assert len(cities(office)) == 4
    server.put("/dumps/npi-2016-03-13.csv", MARCH.encode())
    code, run = daemon.ctl("run", "npi", "--wait")
    assert code == 0 and [d["as_of"] for d in run["stats"]["dumps"]] == ["2016-03-13"]


def test_check_finds_what_is_wrong(office, tmp_path):
    path = tmp_path / "ingestd.yaml"
    path.write_text(json.dumps({"postgres": {"url": "postgresql://dataeng@h/db"}, "jobs": {
        "npi": {"kind": "sync", "source": "ftp://me:s3cret@h/", "table": "npi", "sql": "x.sql", "max_removed": 200}}}, indent=1))
    daemon = office.daemon(streams={}, start=False)
    done = daemon.ctl_raw("check", path)
    assert done.returncode == 1 and "s3cret" not in done.stderr
    lines = done.stderr.splitlines()
    assert any(":8:" in l and "ftp" in l for l in lines) and any("this key is for rollup and query jobs" in l for l in lines)
    assert any("max_removed" in l for l in lines) and all(l.startswith(f"{path}:") for l in lines[:3])
