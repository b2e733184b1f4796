"""Where dumps come from and where they go: files over HTTP, `ingestctl copy`, and what is in the tables afterwards."""
import functools
import http.server
import itertools
import json
import os
import subprocess
import threading

import office as practice
from programs import INGESTCTL

VERSION = ["valid_from", "opened_by", "opened_dump", "line", "valid_to", "closed_by", "closed_dump"]


class Postgres:
    kind, schema = "postgres", "'public'"

    def __init__(self, server, database):
        self.server, self.database = server, database
        practice.create_database(server, database)

    def url(self, table=None, **more):
        return self.server.url(self.database, **more) + (f"/{table}" if table else "")

    def name(self, word):
        return '"' + word.replace('"', '""') + '"'

    def run(self, text):
        c = self.server.connect(self.database)
        try:
            c.cursor().execute(text)
        finally:
            c.close()

    def select(self, expressions, rest):
        """Rows of text and None."""
        c = self.server.connect(self.database)
        try:
            with c.cursor() as q:
                q.execute(f"SELECT {', '.join(f'({e})::text' for e in expressions)} {rest}")
                return q.fetchall()
        finally:
            c.close()

    def tables(self):
        return sorted(r[0] for r in self.select(["tablename"], "FROM pg_tables WHERE schemaname = 'public'"
                                                " AND tablename NOT IN ('patient', 'claim', 'diagnose')"))

    def drop(self):
        if not self.server.running:
            self.server.start()
        practice.drop_database(self.server, self.database)


class Maria:
    kind = "mysql"

    def __init__(self, server, database):
        self.server, self.database = server, f"{database}_db"
        self.schema = f"'{self.database}'"
        server.create_database(self.database)

    def url(self, table=None, **more):
        return self.server.url(self.database, **more) + (f"/{table}" if table else "")

    def name(self, word):
        return "`" + word.replace("`", "``") + "`"

    def run(self, text):
        self.server.sql(text, self.database)

    def select(self, expressions, rest):
        """Rows of text and None. In hexadecimal on their way, so that nothing in them is taken for anything."""
        asked = ", ".join(f"IFNULL(HEX(CONVERT(CAST({e} AS CHAR) USING utf8mb4)), '-')" for e in expressions)
        return [tuple(None if v == "-" else bytes.fromhex(v).decode() for v in row)
                for row in self.server.sql(f"SELECT {asked} {rest}", self.database)]

    def tables(self):
        return sorted(r[0] for r in self.select(["table_name"], f"FROM information_schema.tables WHERE table_schema ="
                                                f" '{self.database}' AND table_type = 'BASE TABLE'"))

    def drop(self):
        if not self.server.running:
            self.server.start()
        self.server.sql(f"DROP DATABASE IF EXISTS `{self.database}`")


SINKS = {"postgres": Postgres, "mysql": Maria}


class Dataset:
    """One dataset in a sink, as its tables tell it."""

    def __init__(self, sink, table):
        self.sink, self.table, self.url = sink, table, sink.url(table)

    def exists(self):
        return self.table in self.sink.tables()

    def columns(self, suffix="_history"):
        """{column: header} of those that are in the table: what is on record is made there next, at the latest."""
        there = {r[0] for r in self.sink.select(["column_name"], "FROM information_schema.columns WHERE table_name ="
                                                f" '{self.table}{suffix}' AND table_schema = {self.sink.schema}")}
        recorded = self.sink.select(["column_name", "header"], f"FROM ingest_column WHERE dataset = '{self.table}'")
        return {column: header for column, header in recorded if column in there}

    def dumps(self):
        """{number: as-of} of what was loaded."""
        return dict(self.sink.select(["id", "CAST(as_of AS date)"], f"FROM ingest_dump WHERE dataset = '{self.table}' AND status = 'loaded'"))

    def rejects(self):
        """(as-of, line, reason, detail), in order."""
        found = self.sink.select(["CAST(d.as_of AS date)", "r.line", "r.reason", "r.detail"], "FROM ingest_reject r JOIN ingest_dump d"
                                 f" ON d.id = r.dump WHERE d.dataset = '{self.table}'")
        return sorted((as_of, int(line), reason, detail) for as_of, line, reason, detail in found)

    def versions(self, key, suffix="_history"):
        """As dumps_model.Version.told(); suffix "" for those that hold, "_past" for those that are closed."""
        columns, dumps = self.columns(suffix), self.dumps()
        asked = [self.sink.name(c) for c in columns]
        asked += [v if suffix == "_history" or v in OF[suffix] else "NULL" for v in VERSION]
        rows = self.sink.select(asked, f"FROM {self.sink.name(self.table + suffix)}")
        return [told(list(columns.values()), key, dumps, row) for row in rows]

    def everything(self):
        """All that is there, to be compared with later; but for times of the clock."""
        if not self.exists():
            return None
        key = ()
        return (self.columns(), self.dumps(), self.rejects(), set(self.versions(key)), set(self.versions(key, "")),
                set(self.versions(key, "_past")))


COUNTS = ["rows", "added", "changed", "removed", "reactivated", "unchanged", "rejected"]
UNTOUCHED = ["rows", "unchanged"]
OF = {"": VERSION[:4], "_past": VERSION}


def told(headers, key, dumps, row):
    values = {h: v for h, v in zip(headers, row) if v is not None}
    valid_from, opened_by, opened, line, valid_to, closed_by, closed = row[len(headers):]
    return (tuple(values[k] for k in key), tuple(sorted(values.items())), valid_from, opened_by, dumps[opened],
            int(line), valid_to, closed_by, dumps[closed] if closed else None)


def differences(found, wanted):
    """The first few, in words; "" when there are none."""
    extra, missing = set(found) - set(wanted), set(wanted) - set(found)
    if not extra and not missing and len(found) == len(wanted):
        return ""
    return f"{len(found)} found, {len(wanted)} wanted; not wanted: {some(extra)}; missing: {some(missing)}"


def some(versions):
    return repr(sorted(versions, key=repr)[:3])


def assert_equal(dataset, model):
    """The tables hold exactly what the model does."""
    assert set(model.columns) == set(dataset.columns().values())
    wrong = unlike(dataset, model, ("", "_past", "_history"))
    assert not wrong, wrong


def unlike(dataset, model, tables=("", "_past")):
    """In what the tables differ from the model, in words; "" when they do not. The view may be missing after a crash."""
    if not {dataset.table, f"{dataset.table}_past", "ingest_column", "ingest_dump"} <= set(dataset.sink.tables()):
        return "there are no tables" if model.dumps else ""
    if sorted(dataset.dumps().values()) != list(model.dumps):
        return f"loaded are the dumps {dataset.dumps()}, not {list(model.dumps)}"
    wanted = {"": list(model.current.values()), "_past": model.past}
    wanted["_history"] = wanted[""] + wanted["_past"]
    for suffix in tables:
        wrong = differences(dataset.versions(model.key, suffix), [v.told() for v in wanted[suffix]])
        if wrong:
            return f"{dataset.table}{suffix}: {wrong}"
    if [r[:3] for r in dataset.rejects()] != sorted(model.rejects):
        return f"rejected are {dataset.rejects()[:5]}, not {sorted(model.rejects)[:5]}"
    return ""


class Outcome:
    """How a copy ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def said(self):
        """Of the one dump that it was about."""
        assert self.code == 0, self
        (dump,) = json.loads(self.out)["dumps"]
        return dump

    @property
    def counts(self):
        assert self.said["status"] in ("loaded", "dry-run"), self
        return {name: self.said[name] for name in COUNTS}

    @property
    def nothing_done(self):
        """It says that just this dump is there already."""
        return self.said["status"] == "unchanged" and not any(self.said.get(c) for c in COUNTS if c not in UNTOUCHED)

    @property
    def words(self):
        """What a person is told of a failure."""
        return f"{self.out} {self.err}"

    def __repr__(self):
        return f"ended with {self.code}: {self.out[-1500:]} {self.err[-1500:]}"


def start_copy(source, sink_url, *options):
    argv = [str(INGESTCTL), "--json", "copy", "--source", str(source), "--sink", sink_url, *map(str, options)]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, timeout=120):
    out, err = process.communicate(timeout=timeout)
    assert "Sanitizer" not in err, err
    return Outcome(process.returncode, out, err)


def copy(source, sink_url, *options, timeout=120):
    return finish(start_copy(source, sink_url, *options), timeout)


def life(sink_url, key):
    """What `ingestctl history` tells of a key, as dumps_model.Dataset.life() does."""
    argv = [str(INGESTCTL), "--json", "history", sink_url, "--", *key]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (argv, done)
    return [(v["valid_from"], v["valid_to"], v["opened_by"], v.get("closed_by"),
             {h: cell for h, cell in v["values"].items() if cell is not None}) for v in json.loads(done.stdout)["versions"]]


def keys(key):
    return [] if not key else ["--key", ",".join(key)]


class Files:
    """A directory over HTTP, as any web server has it."""

    def __init__(self, home):
        self.home, self.times = home, itertools.count(1_400_000_000)
        handler = functools.partial(Quiet, directory=str(home))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def put(self, name, octets):
        """Each a second younger than the one before: Last-Modified knows no fractions."""
        (self.home / name).write_bytes(octets)
        when = next(self.times)
        os.utime(self.home / name, (when, when))
        return f"http://127.0.0.1:{self.server.server_address[1]}/{name}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
