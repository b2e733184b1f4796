"""
Who reads the lake without anything of ours: what the newest pointer says belongs together, each table as of its version, by the
`deltalake` package where that can be imported, else by replaying the log and reading the files it names with DuckDB.
Every value comes as text or None.
"""
import collections
import json
import pathlib
import subprocess
import urllib.parse

from lake_site import READER
from programs import INGESTCTL



class View:
    """The tables of a lake as one pointer has them."""

    def __init__(self, lake, pointer):
        self.lake, self.pointer = lake, pointer
        self._tables = {}

    @property
    def number(self):
        return self.pointer["number"] if self.pointer else 0

    def version(self, name):
        return self.pointer["tables"][name]["version"]

    def rows(self, name):
        """Of a table that was never published none."""
        if not self.pointer or name not in self.pointer["tables"]:
            return []
        if name not in self._tables:
            self._tables[name] = table(self.lake / name, self.version(name))
        return self._tables[name]

    def content(self):
        """All that a reader sees but for the run's numbers and times: the same content is equal."""
        names = self.pointer["tables"] if self.pointer else []
        return {name: collections.Counter(tuple(sorted((c, v) for c, v in r.items() if c not in PASSING)) for r in self.rows(name))
                for name in names}


PASSING = {"run", "at", "taken_at", "modified", "_run"}


def pointers(lake):
    return sorted((pathlib.Path(lake) / "_published").glob("*.json"))


def view(lake, number=None):
    """lake: a folder. As of this pointer, or of the newest."""
    lake = pathlib.Path(lake)
    found = {int(p.stem): p for p in pointers(lake)}
    if not found:
        return View(lake, None)
    pointer = json.loads(found[number or max(found)].read_text(encoding="utf-8"))
    assert pointer["number"] == (number or max(found)), pointer
    return View(lake, pointer)


def versions(table_folder):
    """Of its log."""
    return sorted(int(p.stem) for p in (pathlib.Path(table_folder) / "_delta_log").glob("*.json") if p.stem.isdigit())


def table(folder, version):
    rows = by_deltalake(folder, version) if READER else by_log(folder, version)
    assert rows is not None
    return rows


def as_text(value):
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def by_deltalake(folder, version, storage=None):
    read = READER.QueryBuilder().register("t", READER.DeltaTable(str(folder), version=version, storage_options=storage)).execute("SELECT * FROM t").read_all()
    names = list(read.schema.names)
    columns = [read.column(i).to_pylist() for i in range(read.num_columns)]
    return [dict(zip(names, map(as_text, row))) for row in zip(*columns)]


def live_files(folder, version):
    """What the log's entries up to this version name; checkpoints are for those who are in a hurry."""
    files, schema = {}, None
    for at in range(version + 1):
        for line in (folder / "_delta_log" / f"{at:020}.json").read_text(encoding="utf-8").splitlines():
            action = json.loads(line)
            if "add" in action:
                files[action["add"]["path"]] = action["add"]
            elif "remove" in action:
                assert files.pop(action["remove"]["path"], None), f"{folder.name} {at} removes what is not there: {action}"
            elif "metaData" in action:
                schema = json.loads(action["metaData"]["schemaString"])
    return files, [f["name"] for f in schema["fields"]]


def by_log(folder, version):
    files, columns = live_files(folder, version)
    if not files:
        return []
    paths = ", ".join("'" + str(folder / urllib.parse.unquote(p)) + "'" for p in files)
    asked = ", ".join(f'CAST("{c}" AS VARCHAR) AS "{c}"' for c in columns)
    statement = f"SELECT {asked} FROM read_parquet([{paths}], union_by_name = true)"
    scratch = folder.parent / "_reader.duckdb"
    done = subprocess.run([str(INGESTCTL), "--json", "sql", f"duckdb://{scratch}", statement], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=120)
    scratch.unlink(missing_ok=True)
    assert done.returncode == 0, done
    rows = json.loads(done.stdout)
    assert len(rows) == sum(json.loads(f["stats"])["numRecords"] for f in files.values() if f.get("stats")), folder
    return rows


# What must hold of every state that a reader can see.

KEYS = {"care_site": ("care_site_id",), "provider": ("provider_id",), "care_site_key": ("kind", "value"), "provider_key": ("kind", "value"),
        "delivery": ("source", "object", "etag", "taken_at")}
REFERENCES = [("provider", "care_site_id", "care_site"), ("care_site_key", "care_site_id", "care_site"), ("provider_key", "provider_id", "provider")]


def assert_sound(v, before=None):
    """before: an earlier view, whose providers must all be there still, under the same ids."""
    for name, key in KEYS.items():
        values = [tuple(r[c] for c in key) for r in v.rows(name)]
        assert all(None not in one for one in values), f"{name}: a key is NULL"
        doubled = [one for one, n in collections.Counter(values).items() if n > 1]
        assert not doubled, f"{name}: {doubled[:3]} are there twice"
    for name, column, other in REFERENCES:
        there = {r[column] for r in v.rows(other)}
        lost = {r[column] for r in v.rows(name)} - there - {None}
        assert not lost, f"{name}.{column}: {sorted(lost)[:3]} are not in {other}"
    if before:
        assert_kept(v, before)


def assert_kept(v, before):
    for name in ("provider", "care_site"):
        lost = {r[f"{name}_id"] for r in before.rows(name)} - {r[f"{name}_id"] for r in v.rows(name)}
        assert not lost, f"{name}: {sorted(lost)[:3]} are gone"
        now = {(r["kind"], r["value"]): r[f"{name}_id"] for r in v.rows(f"{name}_key")}
        moved = [(key, one[f"{name}_id"]) for one in before.rows(f"{name}_key") for key in [(one["kind"], one["value"])]
                 if now.get(key) != one[f"{name}_id"]]
        assert not moved, f"{name}_key: {moved[:3]} mean another one now, or none"
