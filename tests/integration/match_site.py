"""
The case of SYSTEMS, section 4, with real servers: our users in a database, the vendor's API, a warehouse, and `ingestctl run --local`.
What is in the table afterwards is compared with match_model.py, row by row.
"""
import collections
import contextlib
import io
import json
import pathlib
import subprocess

from match_model import match
from match_people import KEYS, OURS_COLUMNS, REPORT, THEIR_COLUMNS, TIE_BREAKS
from programs import INGESTCTL, to_yaml
from test_duckdb import SANITIZED
from vendor_api import USERS

JOB, TABLE = "users", "user_match"
USER = {"id": "bigint", "firstname": "varchar(100)", "lastname": "varchar(100)", "classification": "varchar(40)", "specialty": "varchar(60)",
        "platform_registered_on": "varchar(20)", "practice_id": "bigint", "last_active_date": "varchar(40)"}
PRACTICE = {"id": "bigint", "name": "varchar(80)", "location": "varchar(80)"}
SELECT = """SELECT u.id, u.firstname, u.lastname, u.classification, u.specialty, p.location, u.last_active_date
FROM {user} u LEFT JOIN user_practice p ON p.id = u.practice_id"""
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Ours:
    """Our users in a database, which is a Postgres, Maria or Duck of dumps_site.py."""

    def __init__(self, db, people):
        self.db, self.people = db, people
        self.user = db.name("user")
        for name, columns, rows in ((self.user, USER, people.ours), ("user_practice", PRACTICE, people.practices)):
            self._run(f"CREATE TABLE {name} ({', '.join(f'{c} {t}' for c, t in columns.items())})")
            self._load(name, columns, rows)
        self._run("CREATE INDEX practice_id ON user_practice (id)")
        if db.kind == "postgres":
            self._run(f"GRANT SELECT ON {self.user}, user_practice TO dataeng")

    def select(self):
        return SELECT.format(user=self.user)

    def _run(self, text):
        if self.db.kind == "duckdb":
            done = subprocess.run([str(INGESTCTL), "sql", self.db.url(), text], stdin=subprocess.DEVNULL, capture_output=True, text=True)
            assert done.returncode == 0, done
        else:
            self.db.run(text)

    def _load(self, table, columns, rows):
        if self.db.kind == "duckdb":
            for at in range(0, len(rows), 200):
                values = ", ".join(f"({', '.join(literal(r[c]) for c in columns)})" for r in rows[at:at + 200])
                self._run(f"INSERT INTO {table} VALUES {values}")
            return
        text = "".join("\t".join("\\N" if r[c] is None else str(r[c]).translate(ESCAPES) for c in columns) + "\n" for r in rows)
        if self.db.kind == "postgres":
            with contextlib.closing(self.db.server.connect(self.db.database)) as c:
                c.cursor().copy_expert(f"COPY {table} FROM STDIN", io.StringIO(text))
        else:
            path = pathlib.Path(self.db.server.home) / "load.tsv"
            path.write_text(text, encoding="utf-8")
            path.chmod(0o644)
            self.db.server.sql(f"LOAD DATA INFILE '{path}' INTO TABLE {table} CHARACTER SET utf8mb4", self.db.database)
            path.unlink()


def literal(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


class Outcome:
    """How a run ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        assert "Sanitizer" not in err and "runtime error" not in err, err

    @property
    def said(self):
        assert self.code == 0, self
        return json.loads(self.out)

    @property
    def words(self):
        return f"{self.out} {self.err}"

    def __repr__(self):
        return f"ended with {self.code}: {self.out[-1500:]} {self.err[-3000:]}"


def rule(r):
    return {k: v for k, v in (("left", r.left), ("right", r.right), ("normalise", r.normalise)) if v}


class Site:
    """A job between two sides, as its file has it; `job` may be changed before a run."""

    def __init__(self, home, left, right, sink, **more):
        self.home, self.sink = pathlib.Path(home), sink
        self.left, self.right = left, right
        self.state = self.home / "state"
        self.state.mkdir(exist_ok=True)
        self.state.chmod(0o700)
        self.databases = {"warehouse": {"url": sink.url()}}
        self.job = {"kind": "match", "database": "warehouse", "table": TABLE,
                    "keys": {r.name: rule(r) for r in KEYS}, "tie_breaks": {r.name: rule(r) for r in TIE_BREAKS},
                    "report_date": REPORT, "left": left, "right": right, **({"memory_max": "1GB"} if SANITIZED else {}), **more}

    def file(self):
        path = self.home / "ingestd.yaml"
        path.write_text(to_yaml({"postgres": {"url": "postgresql://nobody@127.0.0.1:1/none"}, "state_dir": str(self.state),
                                 "databases": self.databases, "jobs": {JOB: self.job}}))
        return path

    def start(self, *options, json_output=True, **more):
        argv = [str(INGESTCTL), "run", "--local", "--config", str(self.file()), JOB, *(["--json"] if json_output else []), *options]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def run(self, *options, **more):
        return finish(self.start(*options, **more))

    def staged(self):
        """What is kept for a run that goes on."""
        folder = self.state / "match" / JOB
        return sorted(p.name for p in folder.iterdir() if p.name != "lock") if folder.exists() else []

    # What is in the table.

    def columns(self):
        return [r[0] for r in self.sink.select(["column_name"], f"FROM information_schema.columns WHERE table_name = '{TABLE}'"
                                               f" AND table_schema = {self.sink.schema} ORDER BY ordinal_position")]

    def rows(self, report_date=REPORT):
        columns = self.columns()
        found = self.sink.select([self.sink.name(c) for c in columns], f"FROM {TABLE} WHERE report_date = '{report_date}'")
        return [{c: value(c, v) for c, v in zip(columns, row)} for row in found]

    def exists(self):
        return TABLE in self.sink.tables()


def finish(process, timeout=180):
    out, err = process.communicate(timeout=timeout)
    return Outcome(process.returncode, out, err)


def value(column, text):
    """What the text of a database means, which differ in how they write it."""
    if text is None:
        return None
    if column.endswith(("_active", "_agrees")):
        assert text in ("true", "false", "1", "0"), (column, text)
        return text in ("true", "1")
    if column == "score":
        return round(float(text), 3)
    if column == "n_candidates":
        return int(text)
    if column == "candidates":
        return json.loads(text)
    return text


def api_side(api, columns=THEIR_COLUMNS, name="vendor", **rest):
    return {"name": name, "source": api.url(USERS), "id": "id", "active": "last_active_date", "columns": ",".join(columns),
            "rest": {"rows": "users", "paging": "page", **rest}}


def query_side(path, select, columns=OURS_COLUMNS, name="ours", database="platform"):
    path.write_text(select)
    return {"name": name, "database": database, "sql": str(path), "id": "id", "active": "last_active_date", "columns": ",".join(columns)}


def site_of(home, ours, api, sink, **more):
    """Ours on the left, the vendor's on the right."""
    s = Site(home, query_side(home / "users.sql", ours.select()), api_side(api), sink, **more)
    s.databases["platform"] = {"url": ours.db.url()}
    return s


# The comparison.

def model_of(people, served=None, **more):
    return match(people.our_side(), people.their_side(served), KEYS, TIE_BREAKS, **{"report_date": REPORT, **more})


def face(row, columns):
    """A row without what the model leaves open: a rejected row's own words."""
    return tuple(str(row[c]) if c == "candidates" and row.get(c) else row.get(c) for c in columns if c != "raw")


def unlike(found, wanted, columns):
    """In what the rows of the table differ from the model's, in words; "" when they do not."""
    for w in wanted:
        w["score"] = None if w.get("score") is None else round(w["score"], 3)
    by_face = collections.defaultdict(list)
    for f in found:
        by_face[face(f, columns)].append(f)
    missing = [w for w in wanted if not take(by_face[face(w, columns)], w)]
    extra = [f for same in by_face.values() for f in same]
    if not missing and not extra:
        return ""
    return f"{len(found)} rows found, {len(wanted)} wanted; missing: {missing[:3]}; not wanted: {extra[:3]}"


def take(rows, wanted):
    """Takes one out that may be it."""
    fits = next((i for i, f in enumerate(rows) if raw_fits(f, wanted)), None)
    return fits is not None and rows.pop(fits)


def raw_fits(found, wanted):
    if wanted.get("raw") is None:
        return found["raw"] is None
    if wanted["raw"] is True or found["raw"] is None:
        return found["raw"] is not None
    return True


def assert_same(site, model, report_date=REPORT):
    wrong = unlike(site.rows(report_date), model.rows, site.columns())
    assert not wrong, wrong


SIDE_COUNTS = ["rows", "users", "duplicates", "rejected", "matched", "ambiguous", "only", "no_key", "active", "inactive", "no_date",
               "future_dates", "unreadable_dates"]


def assert_counts(said, model):
    assert said["matched"] == model.counts["matched"], said
    for side in ("left", "right"):
        found = {c: said[side][c] for c in SIDE_COUNTS}
        for c in ("rows", "duplicates"):  # those that come again soon are known to the source already
            found[c] += said[side].get("again", 0)
        assert found == {c: model.counts[side][c] for c in SIDE_COUNTS}, (side, found)
        assert 0 < said[side]["held_share"] <= 0.1 or said[side]["rows"] < 200, said[side]  # of a few, one is more than a tenth


def assert_right(site, done, model, report_date=REPORT):
    assert_counts(done.said, model)
    assert done.said["written"] == len(model.rows)
    assert_same(site, model, report_date)
    assert site.staged() == [], f"{site.staged()}: a run that went well leaves nothing"
