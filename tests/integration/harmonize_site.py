"""
A partner of SYSTEMS, section 5, with real servers: care_site and provider tables in Postgres, files that are dropped into a store, the
shipped SQL, and a lake in a folder or a bucket. `ingestctl run --local` does the job; lake_reader.py says what came of it.
"""
import contextlib
import csv
import gzip
import io
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess

import yaml

import lake_reader
import office as practice
from match_site import Outcome, finish
from office import MARKER
from programs import INGESTCTL, to_yaml
from servers import alive, children, wait_until
from test_duckdb import SANITIZED

OMOP = pathlib.Path(__file__).resolve().parents[2] / "setup/omop"
JOB = "omop"
SHIPPED = yaml.safe_load((OMOP / "harmonize.yaml").read_text(encoding="utf-8"))["jobs"][JOB]
TRANSFORM = [pathlib.Path(f).name for f in re.split(r",\s*", SHIPPED["transform"])]
TABLES = SHIPPED["tables"]
COLUMNS = [c.rstrip("?") for c in re.split(r",\s*", SHIPPED["sources"]["provider_file"]["columns"])]
PARTNER = """
CREATE TABLE care_site(care_site_id bigint PRIMARY KEY, care_site_name text, place_of_service text, location_id bigint);
CREATE TABLE provider(provider_id bigint PRIMARY KEY, provider_name text, npi text, specialty text, site_name text, source_id text,
    spec_source text, id_source text);
GRANT SELECT ON care_site, provider TO dataeng"""
# What input.sql of the shipped ones looks for, where there is no database.
NO_TABLES = """
CREATE TABLE staged.partner_site(care_site_id VARCHAR, care_site_name VARCHAR, place_of_service VARCHAR, location_id VARCHAR,
    _source VARCHAR, _table VARCHAR, _snapshot VARCHAR, _line BIGINT);
CREATE TABLE staged.partner_provider(provider_id VARCHAR, provider_name VARCHAR, npi VARCHAR, specialty VARCHAR, site_name VARCHAR,
    source_id VARCHAR, spec_source VARCHAR, id_source VARCHAR, _source VARCHAR, _table VARCHAR, _snapshot VARCHAR, _line BIGINT);
"""
_numbers = itertools.count(1)


class Partner:
    """The tables, in a database of their own."""

    def __init__(self, server):
        self.server, self.name = server, f"partner_{os.getpid()}_{next(_numbers)}"
        practice.create_database(server, self.name, "template0")
        self.run(PARTNER)

    def url(self, port=None):
        return self.server.url(self.name, port)

    def run(self, text, *values):
        with contextlib.closing(self.server.connect(self.name)) as c, c.cursor() as q:
            q.execute(text, values or None)
            return q.fetchall() if q.description else []

    def care_site(self, key, name, **more):
        self.insert("care_site", {"care_site_id": key, "care_site_name": name, "place_of_service": "Office", "location_id": 70000 + key, **more})

    def provider(self, key, name, npi, **more):
        self.insert("provider", {"provider_id": key, "provider_name": name, "npi": npi, "specialty": "Cardiology",
                                 "source_id": f"AD{key:03}", **more})

    def insert(self, table, row):
        self.run(f"INSERT INTO {table}({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})", *row.values())

    def drop(self):
        if not self.server.running:
            self.server.start()
        practice.drop_database(self.server, self.name)


class Folder:
    """A store that is a folder of this machine. Objects are an hour old, each a second younger than the one before."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.root.mkdir(parents=True, exist_ok=True)
        self.last = None

    def config(self):
        return {"url": f"file://{self.root}"}

    def put(self, key, octets):
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(octets)
        self.last = (self.last or int(path.parent.stat().st_mtime) - 3600) + 1
        os.utime(fresh, (self.last, self.last))
        fresh.rename(path)

    def remove(self, key):
        (self.root / key).unlink()

    @property
    def folder(self):
        return self.root


# What is dropped.

def as_csv(rows, columns=None):
    columns = columns or list(rows[0])
    out = io.StringIO()
    w = csv.writer(out, lineterminator="\n")
    w.writerow(columns)
    w.writerows(["NULL" if r.get(c) is None else r[c] for c in columns] for r in rows)
    return out.getvalue().encode()


def as_json(rows):
    """Each element begins a line."""
    return ("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n]\n").encode()


def as_ndjson(rows):
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode()


def packed(octets):
    return gzip.compress(octets, mtime=0)


FORMATS = {"csv": as_csv, "json": as_json, "ndjson": as_ndjson, "csv.gz": lambda r: packed(as_csv(r)), "json.gz": lambda r: packed(as_json(r)),
           "ndjson.gz": lambda r: packed(as_ndjson(r))}


def row(number, **more):
    """A clean row about provider `number`."""
    return {"ProviderName": f"Ada Nr{number}", "ProviderID": f"{number:03}", "NPI": npi(number), "Specialty": "Cardiology",
            "SiteName": "City Hospital", "SourceID": f"AD{number:03}", "SpecSource": "Cardiology", "IDSource": f"AD{number:03}-NPI", **more}


def npi(number):
    """Ten digits, the last of which is the check digit that Luhn's rule wants behind 80840."""
    body = f"{100_000_000 + number:09}"
    total = 24 + sum(d if i % 2 else d * 2 - 9 * (d > 4) for i, d in enumerate(map(int, body)))
    return f"{body}{-total % 10}"


class Site:
    """A job as its file has it; `job` and `stores` may be changed before a run."""

    def __init__(self, home, partner, drop, lake, state="state"):
        self.home, self.partner, self.drop, self.lake = pathlib.Path(home), partner, drop, lake
        self.state = self.home / state
        self.state.mkdir(mode=0o700, exist_ok=True)
        self.stores = {"drop": drop.config(), "lake": lake.config()}
        self.databases = {"partner": {"url": partner.url()}} if partner else {}
        self.job = {**{k: v for k, v in SHIPPED.items() if k != "schedule"}, "sources": sources(partner is not None),
                    "transform": self.transform(), "max_rejected": 100, "memory_max": "2GB" if SANITIZED else "256MB"}
        self.more = {}

    def transform(self, *more):
        """The shipped files, and more of them."""
        files = [OMOP / f for f in TRANSFORM]
        if not self.partner:
            folder = self.home / "no-tables"  # of its own: the SQL may read in it
            folder.mkdir(exist_ok=True)
            (folder / "tables.sql").write_text(NO_TABLES)
            files.insert(1, folder / "tables.sql")
        return ", ".join(map(str, [*files, *more]))

    def config(self):
        return {"postgres": {"url": "postgresql://nobody@127.0.0.1:1/none"}, "state_dir": str(self.state), "databases": self.databases,
                "stores": self.stores, "jobs": {JOB: self.job}, **self.more}

    def file(self):
        path = self.home / f"{self.state.name}.yaml"
        path.write_text(to_yaml(self.config()))
        return path

    def start(self, *options, json_output=True, **more):
        argv = [str(INGESTCTL), "run", "--local", "--config", str(self.file()), JOB, *(["--json"] if json_output else []), *options]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def run(self, *options, **more):
        """Its end; whatever it said holds nothing of any row."""
        return over(self.start(*options, **more))

    def deliver(self, name, rows, form=None):
        """rows in the format that the name's end says."""
        self.drop.put(f"provider/{name}", FORMATS[form or name.split(".", 1)[1]](rows))

    def view(self, number=None):
        return lake_reader.view(self.lake.folder, number)

    def sound(self, before=None):
        """The newest state that is published; it is sound."""
        v = self.view()
        lake_reader.assert_sound(v, before)
        return v

    def harmonized(self, before=None):
        """A run that goes well, and what there is then."""
        done = self.run()
        assert done.code == 0, done
        return done.said, self.sound(before)

    def left(self):
        """What a run leaves in its state folder, but for the lock, the copies of the lake and how far it was seen."""
        folder = self.state / "harmonize" / JOB
        return sorted(p.name for p in folder.iterdir() if p.name not in ("lock", "lake", "published")) if folder.exists() else []


def sources(tables=True):
    """The shipped ones; of the files alone where there is no database."""
    return {name: dict(source) for name, source in SHIPPED["sources"].items() if tables or "store" in source}


def over(process, timeout=180):
    done = finish(process, timeout)
    assert MARKER not in done.words, f"a row is shown: {done}"
    return done


def worker_of(process):
    """The pid of the worker of an `ingestctl run --local`, or 0."""
    return next((pid for pid, name in children(process.pid).items() if name.startswith("ingest-worker")), 0)


def kill_worker(process):
    pid = wait_until(lambda: worker_of(process), 20, "a worker")
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), 20, "the worker to die")


__all__ = ["Outcome", "Partner", "Folder", "Site", "MARKER"]
