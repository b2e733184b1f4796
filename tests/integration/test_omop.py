"""setup/omop in DuckDB, row by row against the model of its rules: over several runs, at random, and in little memory."""
import copy
import itertools
import json
import random
import re
import subprocess

import pytest

import omop_model
from dataset import RUN_SQL, need_duckdb
from harmonize_random import SITES, People
from harmonize_site import COLUMNS, OMOP, TABLES, TRANSFORM
from omop_model import SAMPLE, Run, empty_lake
from programs import INGESTCTL
from seeds import some

SITE_COLUMNS = ["care_site_id", "care_site_name", "place_of_service", "location_id"]
PROVIDER_COLUMNS = ["provider_id", "provider_name", "npi", "specialty", "site_name", "source_id", "spec_source", "id_source"]
QUARANTINE = ("target VARCHAR, reason VARCHAR NOT NULL, kind VARCHAR NOT NULL, detail VARCHAR, source VARCHAR, object VARCHAR, version VARCHAR,"
              " line BIGINT, raw VARCHAR")


@pytest.fixture(autouse=True)
def duckdb_is_there(programs_built):
    need_duckdb()


def literal(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def values(rows, columns):
    return ", ".join("(" + ", ".join(literal(r.get(c)) if c[0] != "_" else str(r[c]) for c in columns) + ")" for r in rows)


def table(name, columns, rows):
    typed = ", ".join(f'"{c}" {"BIGINT" if c[0] == "_" else "VARCHAR"}' for c in columns)
    yield f"CREATE TABLE {name}({typed})"
    if rows:
        yield f"INSERT INTO {name} VALUES {values(rows, columns)}"


def staged(sites, providers, objects):
    """As the staging makes them: a table of each source, lineage beside."""
    yield "CREATE SCHEMA IF NOT EXISTS staged; CREATE SCHEMA IF NOT EXISTS lake; CREATE SCHEMA out"
    for source, columns, rows in (("partner_site", SITE_COLUMNS, sites), ("partner_provider", PROVIDER_COLUMNS, providers)):
        lines = [{**r, "_line": i} for i, r in enumerate(rows, 1)]
        yield from table(f"staged.{source}_rows", [*columns, "_line"], lines)
        yield (f"CREATE VIEW staged.{source} AS SELECT *, '{source}' AS _source, 'public.{source}' AS _table, '5:5:' AS _snapshot"
               f" FROM staged.{source}_rows")
    lines = [{**r, "_delivery": d, "_line": i} for d, rows in enumerate(objects, 1) for i, r in enumerate(rows, 2)]
    yield from table("staged.provider_file_rows", [*COLUMNS, "_more", "_line", "_delivery"],
                     [{**r, "_more": "NULL"} for r in lines])
    yield ("CREATE VIEW staged.provider_file AS SELECT * EXCLUDE (_more), NULL::VARCHAR AS _more, 'provider_file' AS _source,"
           " 'provider/' || _delivery || '.csv' AS _object, 'e' || _delivery AS _etag FROM staged.provider_file_rows")
    yield f"CREATE TABLE out.quarantine({QUARANTINE})"


# Rows of `out` in place of those with the same key, and a clean table for the next run.
AFTERWARDS = [
    *(f"DELETE FROM lake.{t} l WHERE EXISTS (FROM out.{t} o WHERE {' AND '.join(f'o.{k} = l.{k}' for k in how['key'].split(', '))});"
      f" INSERT INTO lake.{t} FROM out.{t}" for t, how in TABLES.items()),
    "DROP SCHEMA out CASCADE; DROP SCHEMA staged CASCADE; DROP VIEW taken_row; DROP VIEW input_provider; DROP VIEW raw_provider;"
    " DROP VIEW input_care_site"]


class Duck:
    """A database that is the lake, and the shipped SQL run in it."""

    def __init__(self, folder, unknown="create", rows_a_part=700000):
        self.path, self.unknown, self.rows_a_part, self.first = folder / "omop.duckdb", unknown, rows_a_part, True
        self.crowd = None

    def run(self, text, *options):
        said = subprocess.run([RUN_SQL, f"duckdb://{self.path}", "--files-folder", OMOP, *options], input=text, capture_output=True, text=True,
                              timeout=300, check=False)
        lines = [json.loads(line) for line in said.stdout.splitlines()]
        faults = [line["fault"] for line in lines if "fault" in line]
        assert said.returncode == 0 and not faults, (faults, said.stderr)
        return [line["row"] for line in lines if "row" in line]

    def rows(self, select):
        return self.run(select, "--query")

    def deliver(self, sites, providers, objects, *options):
        text = [*staged(sites, providers, objects), *self.instead(), f"SET VARIABLE unknown_care_site = '{self.unknown}'; SET VARIABLE folder = '{OMOP}'; SET VARIABLE rows_a_part = {self.rows_a_part}"]
        for i, name in enumerate(TRANSFORM):
            text.append((OMOP / name).read_text(encoding="utf-8"))
            if i == 0 and self.first:
                text += [f"CREATE TABLE lake.{t} AS FROM out.{t} WHERE false" for t in TABLES]
        self.first = False
        self.run(";\n".join(text), *options)

    def instead(self):
        """Objects by the thousand."""
        return [f"CREATE OR REPLACE VIEW staged.provider_file AS {self.crowd}"] if self.crowd else []

    def finish(self):
        """What was found, and the lake afterwards."""
        found = self.rows("SELECT target, reason, object, line FROM out.quarantine ORDER BY ALL")
        self.run(";\n".join(AFTERWARDS) + ";" + ";".join(
            f"DROP {kind} {name}" for kind, name in self.rows(
                "SELECT 'TABLE', table_name FROM duckdb_tables() WHERE schema_name = 'main' UNION ALL SELECT DISTINCT CASE function_type WHEN"
                " 'macro' THEN 'MACRO' ELSE 'MACRO TABLE' END, function_name FROM duckdb_functions() WHERE NOT internal AND schema_name = 'main'"
                " AND database_name = current_database() UNION ALL SELECT 'TYPE', type_name FROM duckdb_types() WHERE NOT internal")))
        return found

    def lake(self):
        of = {t: self.rows(f"SELECT * FROM lake.{t}") for t in TABLES}
        return {
            "care_site": {int(i): {"name": n, "concept": int(c), "location_id": loc and int(loc), "source": s, "place": p}
                          for i, n, c, loc, s, p in of["care_site"]},
            "provider": {int(i): {"name": n, "npi": npi, "concept": int(c), "care_site_id": site and int(site), "source": s, "specialty": sp}
                         for i, n, npi, _, c, site, s, sp in of["provider"]},
            **{t: {(k, v): int(i) for k, v, i in of[t]} for t in ("care_site_key", "provider_key")}}


def input_rows(sites, providers, objects):
    """What the views of input.sql make of it."""
    given = [{"seq": i, "system": "partner", "id": r["care_site_id"], "name": r["care_site_name"], "place_of_service": r["place_of_service"],
              "location_id": r["location_id"]} for i, r in enumerate(sites, 1)]
    people = [{"seq": i, "system": "partner", "name": r["provider_name"], "number": r["provider_id"],
               **{c: r[c] for c in ("npi", "specialty", "spec_source", "site_name", "source_id")}} for i, r in enumerate(providers, 1)]
    people += [{"seq": (d << 32) + i, "system": "partner", "name": r["ProviderName"], "number": r["ProviderID"], "npi": r["NPI"],
                "specialty": r["Specialty"], "spec_source": r["SpecSource"], "site_name": r["SiteName"], "source_id": r["SourceID"]}
               for d, rows in enumerate(objects, 1) for i, r in enumerate(rows, 2)]
    return given, people


def where(target, seq):
    if seq >> 32:
        return f"provider/{seq >> 32}.csv", seq & 0xffffffff
    return "public.partner_site" if target == "care_site" else "public.partner_provider", seq


def compare(duck, lake, sites, providers, objects):
    model = Run(lake, *input_rows(sites, providers, objects), duck.unknown)
    duck.deliver(sites, providers, objects)
    found = [tuple(r[:3]) + (int(r[3]),) for r in duck.finish()]
    expected = [(t, code, *where(t, seq)) for t, all_of_it in model.found.items() for seq, code in all_of_it]
    assert sorted(set(found) - set(expected)) == [], "this should not be found"
    assert sorted(set(expected) - set(found)) == [], "this should be found"
    assert len(found) == len(expected)
    there = duck.lake()
    for t in TABLES:
        assert there[t] == lake[t], t


def sample_rows():
    head, *lines = (line.split(",") for line in SAMPLE.splitlines())
    return [{c: None if v == "NULL" else v for c, v in zip(head, line)} for line in lines]


def test_sample(tmp_path):
    duck, lake = Duck(tmp_path), empty_lake()
    compare(duck, lake, [], [], [sample_rows()])
    assert [(p["name"], p["npi"], p["source"], p["concept"]) for p in lake["provider"].values()] == [
        ("John Doe", "1234567890", "JD001", 38004451), ("Jane Smith", "2345678901", "JS002", 38004477),
        ("Johnathan Doe", "3456789012", "JD003", 38004458), ("Jane S.", None, "JS004", 38004477),
        ("Emily J", "6789012345", "EJ006", 38004507), ("Sarah Wilson", "8901234567", "SW008", 38004452),
        ("Chris Davis", "9012345678", "CD009", 38004446), ("Laura Taylor", "0123456789", "LT010", 38004456),
        ("Kevin Garcia", "1234567800", "KG011", 38004451), ("Patricia Martinez", "2345678909", "PM012", 38004477),
        ("Robert Lee", "3456789018", "RL013", 38004458), ("Linda R.", "4567890127", "LR014", 38004452)]
    assert [s["name"] for s in lake["care_site"].values()] == [
        "City Hospital", "Village Clinic", "Metro Med", "Suburban Health", "North Health Institute", "Eastside Clinic", "Downtown Health"]
    before = copy.deepcopy(lake)
    # Shorter again, and nothing else: nothing changes.
    compare(duck, lake, [], [], [sample_rows()[2:3], sample_rows()])
    assert lake == before


def some_sites(draw, n):
    return [{"care_site_id": draw.choice([str(draw.randrange(1, 9)), None, f"S{i}"]), "care_site_name": draw.choice(SITES),
             "place_of_service": draw.choice(["Office", "Moon", None, "w" * 51]), "location_id": draw.choice([None, "7", "x", "12"])}
            for i in range(n)]


@pytest.mark.parametrize("seed", range(some(20)))
def test_dirty_data_against_the_model(tmp_path, seed):
    draw = random.Random(seed)
    duck, lake = Duck(tmp_path, draw.choice(["create", "create", "quarantine"]), draw.choice([700000, 5])), empty_lake()
    people = People(draw, draw.choice([5, 40]))
    numbers = itertools.count(1)
    for _ in range(draw.randrange(2, 5)):
        compare(duck, lake, some_sites(draw, draw.choice([0, 3, 12])),
                [people.table_row(str(next(numbers))) for _ in range(draw.choice([0, 30, 150]))],
                [[people.row() for _ in range(draw.choice([1, 60]))] for _ in range(draw.randrange(4))])


def test_every_code_has_its_place_in_the_sql():
    listed = {r["code"]: r["kind"] for r in omop_model.read("reasons.csv")}
    used = set()
    for name in ("care_site.sql", "provider.sql"):
        used |= set(re.findall(r"\(\d+, (?:\d+, )?'([a-z_]+)', '", (OMOP / name).read_text(encoding="utf-8")))
    assert used == set(listed)
    assert {c for c, kind in listed.items() if kind == "rejected"} == {*omop_model.REJECTED}
    assert {c for c, kind in listed.items() if kind == "repaired"} == {*omop_model.REPAIRED, "place_unknown", "location_malformed"}


def crowd(n):
    """So many rows as a SELECT: some dirty, some twice, half of them of people that the other half tells of too."""
    return (f"""SELECT CASE i % 50 WHEN 0 THEN 'Dr. ' WHEN 1 THEN NULL ELSE '' END || 'Ada Nr' || i % {n // 2} AS "ProviderName", i::VARCHAR AS "ProviderID",
        CASE i % 40 WHEN 3 THEN NULL ELSE (1000000000 + i % {n // 2})::VARCHAR END AS "NPI", 'Peds' AS "Specialty",
        'Site ' || i % 97 AS "SiteName", 'S' || i % {n // 2} AS "SourceID", NULL AS "SpecSource", NULL AS "IDSource", NULL::VARCHAR AS _more,
        'provider_file' AS _source, 'a' AS _object, 'e' AS _etag, i + 1 AS _line, 1 AS _delivery FROM range({n}) r(i)""")


def test_the_same_rows_make_the_same_tables_in_any_memory(tmp_path):
    """In parts or at once, with little memory and with more: row for row, in the same order."""
    made = []
    for name, rows_a_part, memory in (("a", 700000, 400), ("b", 1000, 64)):
        (tmp_path / name).mkdir()
        duck = Duck(tmp_path / name, rows_a_part=rows_a_part)
        duck.crowd = crowd(20000)
        duck.deliver([], [], [], "--memory-max", str(memory))
        made.append([duck.rows(f"SELECT * FROM out.{t} ORDER BY rowid") for t in (*TABLES, "quarantine")])
    assert [len(rows) for rows in made[0]] == [97, 9800, 97, 9800, len(made[0][4])]
    assert made[0] == made[1]
    assert [int(r[0]) for r in made[0][1]] == list(range(1, 9801))


def test_the_template_is_sound(tmp_path):
    (tmp_path / "north.yaml").write_text(f"template: {OMOP / 'harmonize.yaml'}\n")
    said = subprocess.run([INGESTCTL, "check", tmp_path / "north.yaml"], capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0 and "1 job" in said.stdout, said
