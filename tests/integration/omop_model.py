"""
The rules of setup/omop, once more and on their own, row by row, as a person would go by them with a pencil: what the SQL does with
millions of rows is compared with this. Rows are dicts of the views in input.sql; a lake is a dict of tables, each a dict by key.
"""
import csv
import pathlib
import re

OMOP = pathlib.Path(__file__).resolve().parents[2] / "setup/omop"
TITLE = r"(dr|prof|mr|mrs|ms)(\.\s*|\s+|$)"
LETTERS = r"(md|m\.d\.?|do|d\.o\.?|phd|ph\.d\.?|dds|rn|np|pa|mbbs)"
REJECTED = ["name_missing", "cell_too_long", "identity_missing", "care_site_unknown", "identity_conflict"]
REPAIRED = ["npi_missing", "npi_malformed", "title_stripped", "specialty_unknown", "abbreviation_expanded", "care_site_created"]
SITE_REJECTED = ["name_missing", "cell_too_long", "identity_conflict"]

SAMPLE = """\
ProviderName,ProviderID,NPI,Specialty,SiteName,SourceID,SpecSource,IDSource
John Doe,001,1234567890,Cardiology,City Hospital,JD001,Cardiology,JD-NPI
Jane Smith,002,2345678901,Peds,Village Clinic,JS002,Pediatrics,JS-NPI
Dr. J. Doe,001,1234567890,Cardiology,City Hospital,JD001,Cardiology,JD-NPI
Johnathan Doe,003,3456789012,Neuro,Metro Med,JD003,Neurology,JD-NPI-NEW
Jane S.,004,NULL,Peds,Suburban Health,JS004,Pediatrics,JS-NPI-SHORT
Dr. John Doe,001,1234567890,Cardiology,City Hospital,JD001,Cardiology,JD-NPI
Emily J,005,6789012345,Oncology,North Health Inst,EJ006,Oncology,EJ-NPI
NULL,006,7890123456,Ortho,Downtown Health,MB007,Orthopedics,MB-NPI
Sarah Wilson,007,8901234567,Dermatology,Metro Med,SW008,Dermatology,SW-NPI
Chris Davis,008,9012345678,General Practice,City Hospital,CD009,General Practice,CD-NPI
Laura Taylor,009,0123456789,Int Med,Village Clinic,LT010,Int Med,LT-NPI
Kevin Garcia,010,1234567800,Cardiology,City Hospital,KG011,Cardiology,KG-NPI
Patricia Martinez,011,2345678909,Peds,Suburban Health,PM012,Pediatrics,PM-NPI
Robert Lee,012,3456789018,Neuro,Eastside Clinic,RL013,Neurology,RL-NPI
Linda R.,013,4567890127,Derma,Downtown Health,LR014,Dermatology,LR-NPI
"""  # the client's own


def read(name):
    with open(OMOP / name, encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def trimmed(cell):
    cell = (cell or "").strip(" \t\n\r\f")
    return None if cell in ("", "NULL") else cell


def tidy(cell):
    cell = re.sub("[ \t\n\r\f\u00a0]+", " ", cell or "").strip(" ")
    return None if cell in ("", "NULL") else cell


def without_titles(name):
    name = re.sub(f"^({TITLE})+", "", name, flags=re.I)
    return re.sub(rf"(\s*,\s*{LETTERS})+$", "", name, flags=re.I) or None


def is_short(name):
    """An initial in front, or a single letter at the end."""
    first, last = name.split(" ")[0], name.split(" ")[-1]
    return len(first) == 1 or first[1:2] == "." or (" " in name and (len(last) == 1 or (len(last) == 2 and last[1] == ".")))


class Words:
    def __init__(self):
        self.short = {r["short"].lower(): r["long"] for r in read("abbreviations.csv")}
        self.specialties = {tidy(r["source_value"]).lower(): int(r["concept_id"]) for r in read("specialty_concepts.csv")}
        self.places = {tidy(r["source_value"]).lower(): int(r["concept_id"]) for r in read("place_concepts.csv")}

    def spelled(self, name):
        return " ".join(self.short.get(w.lower().rstrip("."), w) for w in name.split(" "))


def newest(rows, column):
    return next((r[column] for r in reversed(rows) if r[column] is not None), None)


def empty_lake():
    return {"care_site": {}, "provider": {}, "care_site_key": {}, "provider_key": {}}


class Run:
    """One run: what is in `lake` afterwards, and `found`, pairs (seq, code) of each table's rows."""

    def __init__(self, lake, sites, providers, unknown="create"):
        self.lake, self.words, self.unknown = lake, Words(), unknown
        self.found = {"care_site": [], "provider": []}
        self.list_sites(sorted(sites, key=lambda r: r["seq"]))
        self.take_providers(sorted(providers, key=lambda r: r["seq"]))

    def find(self, target, row, codes, rejecting):
        """Of a row that is rejected one code alone. True: it is."""
        why = [c for c in rejecting if c in codes]
        for code in why[:1] or codes:
            self.found[target].append((row["seq"], code))
        return bool(why)

    # ---- care sites ----

    def read_site(self, row):
        r, codes = {"seq": row["seq"], "kind": f"id:{row['system']}", "id": trimmed(row["id"])}, []
        given, place = tidy(row["name"]), tidy(row["place_of_service"])
        r["name"] = given and self.words.spelled(given)
        r["source"], r["place"] = r["id"] or given, place
        location = trimmed(row["location_id"])
        r["location"] = int(location) if location and re.fullmatch(r"-?\d+", location, re.A) else None
        if given is None:
            codes.append("name_missing")
        if len(r["source"] or "") > 50 or len(place or "") > 50:
            codes.append("cell_too_long")
        if given != r["name"]:
            codes.append("abbreviation_expanded")
        if place and place.lower() not in self.words.places:
            codes.append("place_unknown")
        if location and r["location"] is None:
            codes.append("location_malformed")
        return r, codes

    def list_sites(self, rows):
        read = [(*self.read_site(row), row) for row in rows]
        good = [r for r, codes, _ in read if not set(codes) & set(SITE_REJECTED)]
        keys = self.lake["care_site_key"]
        ids = self.site_ids(good, keys)
        names = {}
        for r in good:
            name = r["name"].lower()
            if name not in names:
                names[name] = keys.get(("name", name)) or ids.get((r["kind"], r["id"])) or ("new", r["seq"])
        taken = []
        for r, codes, row in read:
            if r in good:
                r["site"] = ids.get((r["kind"], r["id"])) if r["id"] else names[r["name"].lower()]
                if r["site"] != names[r["name"].lower()]:
                    codes = ["identity_conflict"]
            if not self.find("care_site", row, codes, SITE_REJECTED):
                taken.append(r)
        self.store_sites(taken, ids, names)

    def site_ids(self, good, keys):
        """(kind, id) -> a number of the lake, or ("new", seq)."""
        ids = {}
        with_id = {(kind, site) for (kind, _), site in keys.items()}
        for r in good:
            key = (r["kind"], r["id"])
            if r["id"] is None or key in ids:
                continue
            named = keys.get(("name", r["name"].lower()))
            if key in keys:
                ids[key] = keys[key]
            elif named and (r["kind"], named) not in with_id:
                ids[key] = named
                with_id.add((r["kind"], named))
            else:
                ids[key] = ("new", r["seq"])
        return ids

    def store_sites(self, taken, ids, names):
        table, number = self.lake["care_site"], {}
        following = max(table, default=0) + 1
        for site in sorted({r["site"] for r in taken if isinstance(r["site"], tuple)}, key=lambda s: min(
                r["seq"] for r in taken if r["site"] == s)):
            number[site], following = following, following + 1
        for site in dict.fromkeys(r["site"] for r in taken):
            rows = [r for r in taken if r["site"] == site]
            site = number.get(site, site)
            old = table.get(site, {"location_id": None, "place": None, "source": None})
            place = newest(rows, "place") or old["place"]
            location = newest(rows, "location")
            table[site] = {"name": rows[-1]["name"], "location_id": old["location_id"] if location is None else location,
                           "source": newest(rows, "id") or old["source"] or newest(rows, "source"), "place": place,
                           "concept": self.words.places.get((place or "").lower(), 0)}
        accepted = set(number) | {r["site"] for r in taken}
        for key, site in [*ids.items(), *((("name", n), s) for n, s in names.items())]:
            if site in accepted:
                self.lake["care_site_key"].setdefault(key, number.get(site, site))

    # ---- providers ----

    def read_provider(self, row, known):
        codes, w = [], self.words
        r = {"seq": row["seq"], "id": trimmed(row["source_id"]) or trimmed(row["number"])}
        r["key"] = (f"id:{row['system']}{'' if trimmed(row['source_id']) else ' number'}", r["id"]) if r["id"] else None
        given = tidy(row["name"])
        r["name"] = given and without_titles(given)
        npi = trimmed(row["npi"])
        r["npi"] = npi if npi and re.fullmatch("[0-9]{10}", npi) and len(set(npi)) > 1 else None
        specialty, spec = tidy(row["specialty"]), tidy(row["spec_source"])
        r["specialty"] = spec or specialty
        r["concept"] = next((w.specialties[s.lower()] for s in (specialty, spec) if s and s.lower() in w.specialties), 0)
        site = tidy(row["site_name"])
        r["site_source"], r["site_name"] = site, site and w.spelled(site)
        new = site and r["site_name"].lower() not in known
        say = codes.append
        if r["name"] is None:
            say("name_missing")
        if len(r["id"] or "") > 50 or len(r["specialty"] or "") > 50 or (new and self.unknown == "create" and len(site) > 50):
            say("cell_too_long")
        if not r["id"] and not r["npi"]:
            say("identity_missing")
        if new and self.unknown == "quarantine":
            say("care_site_unknown")
        if r["npi"] is None:
            say("npi_malformed" if npi else "npi_missing")
        if given and r["name"] != given:
            say("title_stripped")
        if r["specialty"] and not r["concept"]:
            say("specialty_unknown")
        if site and r["site_name"] != site:
            say("abbreviation_expanded")
        return r, codes

    def take_providers(self, rows):
        known = {name for kind, name in self.lake["care_site_key"] if kind == "name"}
        read = [(*self.read_provider(row, known), row) for row in rows]
        good = [r for r, codes, _ in read if not set(codes) & set(REJECTED)]
        npis, ids = self.whose(good)
        taken, created = [], set()
        for r, codes, row in read:
            if r in good:
                by_npi, by_id = npis.get(r["npi"]), ids.get(r["key"])
                r["who"] = by_npi or by_id
                if by_npi and by_id and by_npi != by_id:
                    codes = ["identity_conflict"]
                name = (r["site_name"] or "").lower()
                if name and name not in known | created and "identity_conflict" not in codes:
                    created.add(name)
                    codes = [*codes, "care_site_created"]
                    self.create_site(r)
            if not self.find("provider", row, codes, REJECTED):
                taken.append(r)
        self.store_providers(taken)

    def whose(self, good):
        """NPI -> who, (kind, id) -> who: a number of the lake, ("npi", …) or ("row", seq)."""
        table, keys = self.lake["provider"], self.lake["provider_key"]
        npis = {p["npi"]: number for number, p in table.items() if p["npi"]}
        first_of_provider, first_of_npi = {}, {}
        for r in good:
            provider = keys.get(r["key"])
            if provider and r["npi"] and not table[provider]["npi"] and r["npi"] not in npis:
                first_of_provider.setdefault(provider, r)
                first_of_npi.setdefault(r["npi"], r)
        for provider, r in first_of_provider.items():
            if first_of_npi[r["npi"]] is r:
                npis[r["npi"]] = provider
        ids = {}
        for r in good:
            if r["npi"]:
                npis.setdefault(r["npi"], ("npi", r["npi"]))
                if r["key"]:
                    ids.setdefault(r["key"], keys.get(r["key"]) or npis[r["npi"]])
        for r in good:
            if r["key"]:
                ids.setdefault(r["key"], keys.get(r["key"]) or ("row", r["seq"]))
        return npis, ids

    def create_site(self, r):
        table = self.lake["care_site"]
        number = max(table, default=0) + 1
        table[number] = {"name": r["site_name"], "location_id": None, "place": None, "concept": 0, "source": r["site_source"]}
        self.lake["care_site_key"][("name", r["site_name"].lower())] = number

    def store_providers(self, taken):
        table, number = self.lake["provider"], {}
        before = {n: p["source"] for n, p in table.items()}
        for r in taken:
            if isinstance(r["who"], tuple) and r["who"] not in number:
                number[r["who"]] = max(table, default=0) + 1
                table[number[r["who"]]] = {"name": None, "npi": None, "concept": 0, "care_site_id": None, "source": None, "specialty": None}
            p = table[number.get(r["who"], r["who"])]
            if p["name"] is None or not is_short(r["name"]) or is_short(p["name"]):
                p["name"], p["source"] = r["name"], r["id"] or before.get(r["who"])
            p["npi"] = p["npi"] or r["npi"]
            if r["specialty"]:
                p["specialty"], p["concept"] = r["specialty"], r["concept"]
            if r["site_name"]:
                p["care_site_id"] = self.lake["care_site_key"][("name", r["site_name"].lower())]
            if r["key"]:
                self.lake["provider_key"].setdefault(r["key"], number.get(r["who"], r["who"]))
