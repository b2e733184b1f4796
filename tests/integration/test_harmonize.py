"""A harmonize end to end: the client's sample with every row's fate, and what becomes of all that is delivered later."""
import json

import pytest

import lake_reader
from harmonize_s3 import Bucket, a_server
from harmonize_site import JOB, MARKER, Folder, Partner, Site, over, row
from omop_model import SAMPLE
from timer import timer

# What is there afterwards: name, NPI, specialty's concept and text, care site, the id it came with.
PROVIDERS = [
    ("John Doe", "1234567890", "38004451", "Cardiology", "City Hospital", "JD001"),  # lines 2, 4 and 7
    ("Jane Smith", "2345678901", "38004477", "Pediatrics", "Village Clinic", "JS002"),
    ("Johnathan Doe", "3456789012", "38004458", "Neurology", "Metro Med", "JD003"),
    ("Jane S.", None, "38004477", "Pediatrics", "Suburban Health", "JS004"),
    ("Emily J", "6789012345", "38004507", "Oncology", "North Health Institute", "EJ006"),
    ("Sarah Wilson", "8901234567", "38004452", "Dermatology", "Metro Med", "SW008"),
    ("Chris Davis", "9012345678", "38004446", "General Practice", "City Hospital", "CD009"),
    ("Laura Taylor", "0123456789", "38004456", "Int Med", "Village Clinic", "LT010"),
    ("Kevin Garcia", "1234567800", "38004451", "Cardiology", "City Hospital", "KG011"),
    ("Patricia Martinez", "2345678909", "38004477", "Pediatrics", "Suburban Health", "PM012"),
    ("Robert Lee", "3456789018", "38004458", "Neurology", "Eastside Clinic", "RL013"),
    ("Linda R.", "4567890127", "38004452", "Dermatology", "Downtown Health", "LR014"),
]
# By line: what was found in it. A care site is created by the first row that names it and is taken.
FOUND = {2: ["care_site_created"], 3: ["care_site_created"], 4: ["title_stripped"], 5: ["care_site_created"], 6: ["care_site_created", "npi_missing"],
         7: ["title_stripped"], 8: ["abbreviation_expanded", "care_site_created"], 9: ["name_missing"], 15: ["care_site_created"],
         16: ["care_site_created"]}


@pytest.fixture(scope="module")
def s3(session_home):
    with a_server(session_home["home"] / "s3-harmonize") as server:
        yield server


@pytest.fixture
def site(tmp_path, programs_built):
    """Files alone, in folders."""
    return Site(tmp_path, None, Folder(tmp_path / "drop"), Folder(tmp_path / "lake"))


@pytest.fixture(params=["folder", "s3"])
def whole(request, tmp_path, postgres, programs_built):
    """Tables and files, in folders and in buckets."""
    partner = Partner(postgres)
    stores = [Bucket(request.getfixturevalue("s3"), n) if request.param == "s3" else Folder(tmp_path / n) for n in ("drop", "lake")]
    for i in range(1, 11):
        partner.care_site(i, f"Site {i}")
    partner.run("INSERT INTO provider SELECT i, 'Ada Nr' || i, lpad((3000000000 + i)::text, 10, '0'), 'Cardiology', 'Site ' || i % 10 + 1,"
                " 'P' || i, NULL, NULL FROM generate_series(1, 1000) i")
    yield Site(tmp_path, partner, *stores)
    partner.drop()


def providers(v):
    sites = {r["care_site_id"]: r["care_site_name"] for r in v.rows("care_site")}
    return [(r["provider_name"], r["npi"], r["specialty_concept_id"], r["specialty_source_value"], sites.get(r["care_site_id"]),
             r["provider_source_value"]) for r in sorted(v.rows("provider"), key=lambda r: int(r["provider_id"]))]


def found(v):
    by_line = {}
    for r in v.rows("quarantine"):
        by_line.setdefault(int(r["line"]), []).append(r["reason"])
    return {line: sorted(reasons) for line, reasons in by_line.items()}


def changes(said):
    return {t["name"]: (t["inserted"], t["updated"]) for t in said["tables"] if t["inserted"] + t["updated"]}


def test_the_sample(site):
    """Every row's fate."""
    site.drop.put("provider/sample.csv", SAMPLE.encode())
    said, v = site.harmonized()
    assert providers(v) == PROVIDERS and found(v) == FOUND
    rejected = [r for r in v.rows("quarantine") if r["kind"] == "rejected"]
    assert [(r["target"], r["source"], r["object"]) for r in rejected] == [("provider", "provider_file", "provider/sample.csv")]
    assert json.loads(rejected[0]["raw"])["NPI"] == "7890123456"
    (delivery,) = v.rows("delivery")
    assert (delivery["object"], delivery["rows"], delivery["rejected"], delivery["refused"]) == ("provider/sample.csv", "15", "0", None)
    assert [s["name"] for s in said["stages"]] == ["extract", "stage", "transform", "load", "publish"]
    assert said["staged"] == 15 and said["quarantined"] == 1 and said["repaired"] == sum(map(len, FOUND.values())) - 1
    # Nothing new: nothing is written.
    said, again = site.harmonized(v)
    assert said["nothing_new"] and again.number == v.number and len(lake_reader.pointers(site.lake.folder)) == 1
    # The three spellings came to stay: the same file under another name changes nothing of it, and another spelling neither its id.
    site.drop.put("provider/sample-2.csv", SAMPLE.encode())
    said, again = site.harmonized(v)
    assert sorted(changes(said)) == ["delivery", "quarantine"] and providers(again) == PROVIDERS
    site.deliver("one.csv", [row(1, ProviderName="J. Doe", NPI="1234567890", SourceID="JD001", Specialty="Onc", SpecSource="Oncology")])
    said, last = site.harmonized(again)
    assert changes(said)["provider"] == (0, 1)
    assert providers(last)[0] == ("John Doe", "1234567890", "38004507", "Oncology", "City Hospital", "JD001")
    # What was read at an earlier pointer is read there still.
    assert providers(site.view(v.number)) == PROVIDERS and last.number == v.number + 2


def test_unknown_care_sites_in_quarantine(site):
    site.job["variables"] = "unknown_care_site=quarantine"
    site.deliver("a.csv", [row(1), row(2, SiteName=None)])
    _, v = site.harmonized()
    assert found(v) == {2: ["care_site_unknown"]} and [p[4] for p in providers(v)] == [None]


def test_the_stages_as_they_go(site):
    """For people."""
    site.drop.put("provider/sample.csv", SAMPLE.encode())
    done = over(site.start(json_output=False))
    assert done.code == 0, done
    lines = [l.split(":")[0] for l in done.out.splitlines()]
    stages = [l for l in lines if l in ("extract", "stage", "transform", "load", "publish")]
    assert stages == ["extract", "stage", "transform", "load", "publish"] and "15 rows" in done.out


def test_a_dry_run(site):
    site.drop.put("provider/sample.csv", SAMPLE.encode())
    done = site.run("--dry-run")
    assert done.code == 0 and site.view().number == 0 and not any(site.lake.folder.iterdir()), done
    assert changes(done.said)["provider"] == (12, 0) and done.said["dry_run"]
    assert {q["reason"] for q in done.said["quarantine"]} == {r for reasons in FOUND.values() for r in reasons}
    assert done.said["sample"] and "7890123456" not in done.words, "the sample shows a row"
    _, v = site.harmonized()
    assert providers(v) == PROVIDERS


@pytest.mark.parametrize("form", ["csv.gz", "json", "json.gz", "ndjson", "ndjson.gz"])
def test_forms(site, form):
    """What CSV cannot say is no trouble."""
    site.deliver(f"a.{form}", [row(1), row(2, ProviderName="Ada \"Ü\"\tLee, II", Fax=7), row(3, NPI=None, SourceID=None, ProviderID=None)])
    site.deliver("b.csv", [row(4)])
    _, v = site.harmonized()
    assert [p[0] for p in providers(v)] == ["Ada Nr1", "Ada \"Ü\" Lee, II", "Ada Nr4"]
    rejected = [r for r in v.rows("quarantine") if r["kind"] == "rejected"]
    assert [(r["object"], r["reason"]) for r in rejected] == [(f"provider/a.{form}", "identity_missing")]
    assert sorted(r["rows"] for r in v.rows("delivery")) == ["1", "3"]


def test_objects_are_taken_once(site):
    """By key and ETag: the same bytes again are a new delivery only where the store says so, other bytes always."""
    site.deliver("a.csv", [row(1)])
    _, one = site.harmonized()
    site.deliver("a.csv", [row(1), row(2)])
    _, two = site.harmonized(one)
    assert len(two.rows("provider")) == 2 and len(two.rows("delivery")) == 2
    site.drop.remove("provider/a.csv")
    said, three = site.harmonized(two)
    assert said["nothing_new"] and three.number == two.number and len(three.rows("provider")) == 2
    # In their order in time, not of their names.
    site.deliver("z.csv", [row(3, Specialty="Neuro")])
    site.deliver("b.csv", [row(3, Specialty="Derma")])
    _, four = site.harmonized(three)
    assert providers(four)[2][2] == "38004452"


def test_tables_and_files(whole):
    """One percent changes, some are new, some go, objects come again; in every state all holds."""
    p = whole.partner
    rows = [row(i, NPI=f"{3000000000 + i}", SourceID=f"P{i}", SpecSource="Neuro", SiteName=f"Site {i % 12}") for i in range(1, 200, 2)]
    whole.deliver("a.csv", rows)
    said, one = whole.harmonized()
    assert len(one.rows("provider")) == 1000 and len(one.rows("care_site")) == 11
    assert {s["name"]: s["rows"] for s in said["sources"]} == {"partner_site": 10, "partner_provider": 1000, "provider_file": 100}
    # Nothing new.
    said, same = whole.harmonized(one)
    assert same.number == one.number and said["staged"] == 0, said
    # The same bytes again; in a bucket they have the same ETag.
    whole.deliver("a.csv", rows)
    _, same = whole.harmonized(one)
    assert same.content()["provider"] == one.content()["provider"]
    # One percent.
    p.run("UPDATE provider SET specialty = 'Derma' WHERE provider_id % 100 = 0")
    p.provider(2000, "Eve New", "4000000001", site_name="Site 3", source_id="P2000")
    p.run("DELETE FROM provider WHERE provider_id = 7")
    said, two = whole.harmonized(one)
    assert {s["name"]: s["rows"] for s in said["sources"]}["partner_provider"] == 11 and changes(said)["provider"] == (1, 10)
    assert len(two.rows("provider")) == 1001, "what is deleted in a table stays in the lake"
    # Of the one who was left out nothing is lost, and ids are the same.
    old = {r["npi"]: r["provider_id"] for r in one.rows("provider")}
    assert all(r["provider_id"] == old.get(r["npi"], r["provider_id"]) for r in two.rows("provider"))
    # Another revision: everything anew, with the ids that there are.
    whole.job["revision"] = "2"
    said, three = whole.harmonized(two)
    assert {s["name"]: s["rows"] for s in said["sources"]} == {"partner_site": 10, "partner_provider": 1000, "provider_file": 100}
    assert three.number == two.number + 1 and three.pointer["revision"] == "2"
    assert {r["npi"]: r["provider_id"] for r in three.rows("provider")} == {r["npi"]: r["provider_id"] for r in two.rows("provider")}


def test_selects_of_several_databases(tmp_path, postgres, programs_built):
    """Each sees its own snapshot; a SELECT is read in full each time, and what did not change changes nothing."""
    partners = [Partner(postgres), Partner(postgres)]
    try:
        site = Site(tmp_path, partners[0], Folder(tmp_path / "drop"), Folder(tmp_path / "lake"))
        for i, p in enumerate(partners):
            p.care_site(1 + i, f"Site {i}")
            p.provider(1 + i, f"Ada Nr{i}", f"300000000{i}", site_name=f"Site {i}")
        (tmp_path / "select.sql").write_text("SELECT provider_id, provider_name, npi, specialty, site_name, source_id, spec_source, id_source"
                                             " FROM provider;\n")
        site.databases["other"] = {"url": partners[1].url()}
        site.job["sources"]["partner_provider"] = {"database": "other", "sql": str(tmp_path / "select.sql")}
        _, v = site.harmonized()
        assert [(p[0], p[4]) for p in providers(v)] == [("Ada Nr1", "Site 1")] and len(v.rows("care_site")) == 2
        said, again = site.harmonized(v)
        assert again.number == v.number and {s["name"]: s["rows"] for s in said["sources"]}["partner_provider"] == 1
    finally:
        for p in partners:
            p.drop()


@pytest.mark.parametrize("by", ["select", "revision", "full_every", "horizon"])
def test_what_is_in_quarantine_already(tmp_path, postgres, programs_built, by):
    """What is read again is not written again; what is wrong in another way, or with another row, is."""
    p = Partner(postgres)
    open_since_before = postgres.connect(p.name)
    try:
        if by == "horizon":
            open_since_before.cursor().execute("BEGIN; SELECT txid_current()")
        site = Site(tmp_path, p, Folder(tmp_path / "drop"), Folder(tmp_path / "lake"))
        for i in range(1, 4):
            p.provider(i, f"Dr. Ada Nr{i}", None, site_name=None)
        site.deliver("a.csv", [row(11, ProviderName="Dr. Eve"), row(12, ProviderName=None), row(12, ProviderName=None)])
        if by == "select":
            (tmp_path / "select.sql").write_text("SELECT * FROM provider;\n")
            site.job["sources"]["partner_provider"] = {"database": "partner", "sql": str(tmp_path / "select.sql")}
        if by == "full_every":
            site.job["full_every"] = "1ms"
        _, v = site.harmonized()
        first = v.rows("quarantine")
        assert len([r for r in first if r["source"] == "partner_provider"]) == 6
        assert len([r for r in first if r["reason"] == "name_missing"]) == 2, "rows that are the same, one behind the other, are two"
        for revision in ("2", "3"):
            if by == "revision":
                site.job["revision"] = revision
            said, v = site.harmonized(v)
            assert said["nothing_new"] == (by == "select"), said
            rows = {s["name"]: s["rows"] for s in said["sources"]}["partner_provider"]
            assert rows == 3, said
            assert v.rows("quarantine") == first and said["quarantined"] + said["repaired"] >= 6
        dry = site.run("--dry-run")
        assert "quarantine" not in changes(dry.said), dry
        p.run("UPDATE provider SET specialty = 'Phrenology' WHERE provider_id = 2")
        site.deliver("b.csv", [row(12, ProviderName=None)])
        _, v = site.harmonized(v)
        new = [(r["source"], r["reason"]) for r in v.rows("quarantine") if r not in first]
        assert sorted(new) == [("partner_provider", r) for r in ("npi_missing", "specialty_unknown", "title_stripped")] + [("provider_file", "name_missing")]
    finally:
        open_since_before.close()
        p.drop()


def test_the_daemon_does_it(office, s3):
    """By hand and on record, with its stages; no row is in a log."""
    partner = Partner(office.postgres)
    try:
        site = Site(office.home, partner, Bucket(s3, "drop"), Bucket(s3, "lake"))
        partner.care_site(1, "Site 1")
        partner.provider(1, f"Ada {MARKER}", "3000000001", site_name="Site 1")
        site.deliver("a.csv", [row(2, ProviderName=f"Dr. {MARKER}"), row(3, ProviderName=None, SourceID=MARKER)])
        daemon = timer(office, {JOB: site.job}, databases=site.databases, stores=site.stores)
        code, answer = daemon.ctl("run", JOB, "--wait")
        assert code == 0, (answer, daemon.log_text()[-2000:])
        lake_reader.assert_sound(site.view())
        assert len(site.view().rows("provider")) == 2 and site.view().pointer["run"] > 0
        log = daemon.log_text()
        assert all(f"stage {s}" in log or f"{s}:" in log for s in ("extract", "stage", "transform", "load", "publish")), log[-3000:]
    finally:
        partner.drop()
