"""Dirty tables and files at random, over several runs and all the way into the lake: row by row as the model of the rules has it."""
import itertools
import random

import pytest

from harmonize_random import SITES, People
from harmonize_site import FORMATS, Folder, Partner, Site
from omop_model import Run, empty_lake
from seeds import some

RUNS, FILES, ROWS = 3, 3, 40  # of a life; of a run and of a file, at most
FIRST_LINE = {"csv": 2, "json": 2, "ndjson": 1}
OF_FILES = {"ProviderName": "name", "ProviderID": "number", "NPI": "npi", "Specialty": "specialty", "SpecSource": "spec_source",
            "SiteName": "site_name", "SourceID": "source_id"}
OF_TABLE = {"provider_name": "name", "provider_id": "number", "npi": "npi", "specialty": "specialty", "spec_source": "spec_source",
            "site_name": "site_name", "source_id": "source_id"}
OF_SITES = {"care_site_id": "id", "care_site_name": "name", "place_of_service": "place_of_service", "location_id": "location_id"}


class World:
    """A site, what is put into it, and the model's lake."""

    def __init__(self, seed, site):
        self.draw, self.site, self.lake = random.Random(seed), site, empty_lake()
        self.people, self.keys, self.names = People(self.draw, 30), itertools.count(1), itertools.count(1)
        self.unknown = self.draw.choice(["create", "create", "quarantine"])
        site.job["variables"] = f"unknown_care_site={self.unknown}"

    def write(self, table, key, n, make):
        """n rows of the table are made or changed. They all, in the order of the table."""
        p, written = self.site.partner, set()
        for _ in range(n):
            there = [k for k, in p.run(f"SELECT {key} FROM {table}")]
            row = make(next(self.keys))
            if there and self.draw.random() < 0.4:
                row[key] = self.draw.choice(there)
                p.run(f"DELETE FROM {table} WHERE {key} = %s", row[key])
            p.insert(table, row)
            written.add(row[key])
        with_names = p.run(f"SELECT row_to_json(t)::jsonb FROM {table} t ORDER BY ctid")
        return [{c: None if v is None else str(v) for c, v in r.items()} for r, in with_names if r[key] in written]

    def make_site(self, key):
        d = self.draw
        return {"care_site_id": key, "care_site_name": d.choice(SITES), "place_of_service": d.choice(["Office", "Moon", None, "w" * 51]),
                "location_id": d.choice([None, 7, 12])}

    def deliver(self):
        """Some files: of each its key, the line of its first row, and its rows."""
        found = []
        for _ in range(self.draw.randrange(FILES + 1)):
            form = self.draw.choice(list(FORMATS))
            name, rows = f"{next(self.names):03}.{form}", [self.people.row() for _ in range(self.draw.randrange(1, ROWS))]
            self.site.deliver(name, rows)
            found.append((f"provider/{name}", FIRST_LINE[form.split(".")[0]], rows))
        return found

    def run(self, before):
        """One more, and whether the lake is as the model has it."""
        sites = self.write("care_site", "care_site_id", self.draw.randrange(6), self.make_site)
        providers = self.write("provider", "provider_id", self.draw.randrange(40), self.people.table_row)
        files = self.deliver()
        given = [{"seq": i, "system": "partner", **named(r, OF_SITES)} for i, r in enumerate(sites, 1)]
        people = [{"seq": i, "system": "partner", **named(r, OF_TABLE)} for i, r in enumerate(providers, 1)]
        people += [{"seq": (d << 32) + i, "system": "partner", **named(r, OF_FILES)}
                   for d, (_, first, rows) in enumerate(files, 1) for i, r in enumerate(rows, first)]
        model = Run(self.lake, given, people, self.unknown)
        said, v = self.site.harmonized(before)
        assert said["staged"] == len(given) + len(people)
        assert lake_of(v) == self.lake
        self.compare_found(model, v, before, files)
        return v

    def compare_found(self, model, v, before, files):
        """Every row that was rejected or repaired, and no other."""
        def where(target, seq):
            return (files[(seq >> 32) - 1][0], seq & 0xffffffff) if seq >> 32 else (TABLE_OF[target], seq)
        n_before = len(before.rows("quarantine")) if before else 0
        expected = sorted((t, code, *where(t, seq)) for t, all_of_it in model.found.items() for seq, code in all_of_it)
        newest = max((r["at"] for r in v.rows("quarantine")), default=None)
        found = sorted((r["target"], r["reason"], r["object"], int(r["line"])) for r in v.rows("quarantine") if r["at"] == newest)
        assert len(v.rows("quarantine")) == n_before + len(expected)
        assert not expected or found == expected


TABLE_OF = {"care_site": "public.care_site", "provider": "public.provider"}


def named(row, names):
    return {ours: row[theirs] for theirs, ours in names.items()}


def whole(text):
    return None if text is None else int(text)


def lake_of(v):
    """As the model has it."""
    return {
        "care_site": {int(r["care_site_id"]): {"name": r["care_site_name"], "concept": int(r["place_of_service_concept_id"]),
                                               "location_id": whole(r["location_id"]), "source": r["care_site_source_value"],
                                               "place": r["place_of_service_source_value"]} for r in v.rows("care_site")},
        "provider": {int(r["provider_id"]): {"name": r["provider_name"], "npi": r["npi"], "concept": int(r["specialty_concept_id"]),
                                             "care_site_id": whole(r["care_site_id"]), "source": r["provider_source_value"],
                                             "specialty": r["specialty_source_value"]} for r in v.rows("provider")},
        **{f"{t}_key": {(r["kind"], r["value"]): int(r[f"{t}_id"]) for r in v.rows(f"{t}_key")} for t in ("care_site", "provider")}}


@pytest.mark.parametrize("seed", range(some(20)))
def test_dirty_data(tmp_path, postgres, programs_built, seed):
    partner = Partner(postgres)
    try:
        world, v = World(seed, Site(tmp_path, partner, Folder(tmp_path / "drop"), Folder(tmp_path / "lake"))), None
        for _ in range(RUNS):
            v = world.run(v)
    finally:
        partner.drop()
