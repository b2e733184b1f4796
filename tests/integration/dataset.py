"""A dataset in one of the databases, by way of tests/unit/history/run_history; and a model of what must be in it."""
import contextlib
import itertools
import json
import subprocess

from programs import BUILD

RUN_HISTORY = BUILD / "tests/unit/history/run_history"
OURS = ["valid_from", "valid_to", "opened_by", "closed_by", "opened_dump", "closed_dump", "line"]
TIMES = ["as_of", "valid_from", "valid_to"]
_files = itertools.count(1)


class Bad:
    """A row that the source cannot take."""

    def __init__(self, reason="bad_encoding", detail="words", raw="raw,text"):
        self.cells = [b"\x01" + reason.encode(), detail.encode(), raw.encode()]


def write_dump(home, header, rows):
    path = home / f"dump-{next(_files)}"
    with open(path, "wb") as f:
        for row in itertools.chain([header], rows):
            cells = row.cells if isinstance(row, Bad) else [b"\0" if c is None else c.encode() for c in row]
            f.write(b"".join(c + b"\x1f" for c in cells) + b"\x1e")
    return path


def tidy(time):
    """A timestamp as Postgres writes it: MySQL writes all six digits of a fraction."""
    return time.rstrip("0").rstrip(".") if "." in time else time


def known(versions):
    return [{k: v for k, v in row.items() if v is not None} for row in versions]


class Dataset:
    """What tests need of a database with a dataset in it, whichever database it is."""
    table = "npi"

    def __init__(self, home):
        self.home = home
        self.key = ["id"]

    def begin(self, *words, url=None):
        return subprocess.Popen([str(RUN_HISTORY), url or self.url(), *map(str, words)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @staticmethod
    def finish(process, timeout=120):
        out, err = process.communicate(timeout=timeout)
        assert not err and process.returncode in (0, 1), (process.returncode, err, out)
        return json.loads(out.splitlines()[-1])

    def say(self, *words, url=None):
        return self.finish(self.begin(*words, url=url))

    def begin_load(self, header, rows, as_of, *options):
        path = write_dump(self.home, header, rows)
        return self.begin("load", path, as_of, *options)

    def load(self, header, rows, as_of, *options):
        return self.finish(self.begin_load(header, rows, as_of, *options))

    def good(self, header, rows, as_of, *options):
        said = self.load(header, rows, as_of, *options)
        assert said.get("outcome") == "loaded", said
        return said

    def nothing(self, header, rows, as_of, *options):
        said = self.load(header, rows, as_of, *options)
        assert said.get("outcome") == "nothing", said
        return said

    def refused(self, header, rows, as_of, *options):
        said = self.load(header, rows, as_of, *options)
        assert said.get("outcome") == "failed", said
        return said["fault"]

    # what is in the tables

    def places(self):
        """A dump's number is in tests its place among those that were loaded: attempts use numbers up, too."""
        loaded = sorted(int(n) for n, status, of in self.select(["id", "status", "dataset"], "ingest_dump")
                        if status == "loaded" and of == self.table)
        return {str(n): str(i + 1) for i, n in enumerate(loaded)}

    def rows(self, table, columns):
        """As dictionaries of text."""
        place = self.places()
        found = [dict(zip(columns, row)) for row in self.select(columns, table)]
        for row in found:
            row.update({c: place[row[c]] for c in ("opened_dump", "closed_dump") if row.get(c)})
            row.update({c: tidy(row[c]) for c in TIMES if row.get(c)})
        return found

    def columns(self):
        return [c["name"] for c in self.say("columns")["columns"]]

    def current(self):
        columns = self.columns() + ["valid_from", "opened_by", "opened_dump", "line"]
        return {tuple(r[k] for k in self.key): r for r in self.rows(self.table, columns)}

    def versions_there(self):
        """The same at any moment, without what is NULL: after a crash a column may be on its way into the tables."""
        columns = self.view_columns()
        found = self.rows(f"{self.table}_history", columns) if columns else []
        return known(sorted(found, key=lambda r: ([r[k] for k in self.key], r["valid_from"])))

    def versions(self):
        found = self.rows(f"{self.table}_history", self.columns() + OURS)
        return sorted(found, key=lambda r: ([r[k] for k in self.key], r["valid_from"]))

    def rejects(self):
        place = self.places()
        rows = self.select(["dump", "line", "reason", "detail", "raw"], "ingest_reject")
        own = [[place[dump], *rest] for dump, *rest in rows if dump in place]
        return sorted(own, key=lambda r: (int(r[0]), int(r[1])))

    def dumps(self):
        names = ["id", "as_of", "status", "pass", "cursor", "records", "added", "changed", "removed", "reactivated",
                 "unchanged", "rejected", "present", "error", "schema_changes", "sha256", "header", "key_columns", "url",
                 "bytes"]
        own = [d for d in self.rows("ingest_dump", ["dataset", *names]) if d["dataset"] == self.table]
        return sorted(own, key=lambda d: int(d["id"]))

    def canonical(self):
        """Everything as one value, to compare databases and moments."""
        return (sorted(self.current().items()), self.versions(), self.rejects(),
                [{k: d[k] for k in d if k != "id"} for d in self.dumps() if d["status"] == "loaded"])


class PostgresDataset(Dataset):
    name = "postgres"

    def __init__(self, home, server, database):
        super().__init__(home)
        self.server, self.database = server, database
        self.sql(f"DROP DATABASE IF EXISTS {database}", "postgres")
        self.sql(f"CREATE DATABASE {database} OWNER dataeng TEMPLATE template0", "postgres")

    def sql(self, text, database=None):
        with contextlib.closing(self.server.connect(database or self.database)) as c:
            cur = c.cursor()
            cur.execute(text)
            return cur.fetchall() if cur.description else []

    def url(self):
        return self.server.url(self.database) + "/" + self.table

    def select(self, columns, table):
        names = ", ".join(f'"{c}"::text' for c in columns)
        return [list(r) for r in self.sql(f"SELECT {names} FROM public.{table}")]

    def view_columns(self):
        return [c for (c,) in self.sql("SELECT column_name::text FROM information_schema.columns"
                                       f" WHERE table_name = '{self.table}_history'")]

    def close(self):
        if not self.server.running:
            self.server.start()
        self.sql(f"DROP DATABASE {self.database} WITH (FORCE)", "postgres")


class MariaDataset(Dataset):
    name = "mysql"

    def __init__(self, home, server, database):
        super().__init__(home)
        self.server, self.database = server, database + "_db"
        server.create_database(self.database)

    def sql(self, text):
        return self.server.sql(text, self.database)

    def url(self):
        return self.server.url(self.database) + "/" + self.table

    def select(self, columns, table):
        names = ", ".join(f"IFNULL(HEX(CAST(`{c}` AS CHAR CHARACTER SET utf8mb4)), 'null')" for c in columns)
        rows = self.sql(f"SELECT 'x', {names} FROM {table}")
        return [[None if v == "null" else bytes.fromhex(v).decode() for v in row[1:]] for row in rows]

    def view_columns(self):
        return [c for (c,) in self.sql("SELECT column_name FROM information_schema.columns WHERE table_schema ="
                                       f" '{self.database}' AND table_name = '{self.table}_history'")]

    def close(self):
        if not self.server.running:
            self.server.start()
        self.sql(f"DROP DATABASE {self.database}")


class Model:
    """What the tables must hold, by rules written down once more and for all rows in memory."""

    def __init__(self, n_key=1):
        self.n_key = n_key
        self.columns, self.current, self.past, self.number = [], {}, [], 0

    def load(self, header, rows, as_of, partial=False):
        """rows as of the file, header the columns' names; returns the counts. Numbers of dumps count from 1. What is not
        in a partial dump is not gone."""
        self.number += 1
        for name in header:
            if name not in self.columns:
                self.columns.append(name)
        taken, counts = self._take(header, rows)
        first = not self.current and not self.past and self.number == 1
        counts.update(added=0, changed=0, removed=0, reactivated=0, unchanged=0)
        held = {k for k, found in taken.items() if len(found) > 1}
        for key in [k for k in self.current if k not in taken and not partial]:
            self._close(key, as_of, "removed")
            counts["removed"] += 1
        for key, found in taken.items():
            if key not in held:
                counts[self._put(key, *found[0], as_of)] += 1
        assert not first or counts["removed"] == 0
        counts["current"] = len(self.current)
        return counts

    def _take(self, header, rows):
        taken, rejected = {}, 0
        for i, row in enumerate(rows):
            if isinstance(row, Bad) or None in row[:self.n_key] or any(len(c) > 255 for c in row[:self.n_key]):
                rejected += 1
                continue
            taken.setdefault(tuple(row[:self.n_key]), []).append((dict(zip(header, row)), i + 2))
        rejected += sum(len(found) for found in taken.values() if len(found) > 1)
        return taken, {"rows": len(rows), "rejected": rejected}

    def _put(self, key, row, line, as_of):
        there = self.current.get(key)
        if there and all(there["row"].get(c) == v for c, v in row.items()):
            return "unchanged"
        how = "added"
        if there:
            how = "changed"
            row = {**there["row"], **row}
            self._close(key, as_of, how)
        elif any(p["key"] == key for p in self.past):
            how = "reactivated"
        self.current[key] = {"key": key, "row": row, "valid_from": as_of, "opened_by": how, "line": str(line),
                             "opened_dump": str(self.number)}
        return how

    def _close(self, key, as_of, how):
        self.past.append({**self.current.pop(key), "valid_to": as_of, "closed_by": how,
                          "closed_dump": str(self.number)})

    def _flat(self, v):
        return {**{c: v["row"].get(c) for c in self.columns}, **{n: v.get(n) for n in OURS}}

    def versions(self):
        every = [self._flat(v) for v in [*self.past, *self.current.values()]]
        return sorted(every, key=lambda r: ([r[c] for c in self.columns[:self.n_key]], r["valid_from"]))
