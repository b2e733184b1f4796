"""The transform of a harmonize: what its SQL may do and may not, how a fault in it is told, and what is checked of what it made."""
import os

import pytest

from harmonize_site import Folder, Site, row
from test_db import MARKER

TABLES = {"thing": {"key": "id"}, "part": {"key": "id, name", "references": "thing_id=thing"}}
MAKE = """-- the tables
CREATE TABLE out.thing (id BIGINT NOT NULL, name VARCHAR);
CREATE TABLE out.part (id BIGINT, name VARCHAR, thing_id BIGINT);
CREATE TABLE reason AS FROM (VALUES ('odd', 'rejected', 'It is odd.')) r (code, kind, sentence);
"""
FILL = "INSERT INTO out.thing SELECT _line, ProviderName FROM staged.provider_file;\n"


@pytest.fixture
def site(tmp_path, programs_built):
    made = Site(tmp_path, None, Folder(tmp_path / "drop"), Folder(tmp_path / "lake"))
    (tmp_path / "sql").mkdir()
    made.job["tables"] = TABLES
    made.deliver("a.csv", [row(i) for i in range(1, 31)])
    return made


def use(site, **files):
    paths = []
    for name, text in files.items():
        path = site.home / "sql" / f"{name}.sql"
        path.write_text(text)
        paths.append(str(path))
    site.job["transform"] = ", ".join(paths)


def failed(site, *words):
    done = site.run()
    assert done.code != 0, done
    for word in words:
        assert word in done.words, (word, done.words)
    assert not (site.lake.folder / "_published").exists()
    return done


def test_files_run_in_order_with_what_they_are_given(site):
    site.job["variables"] = "colour=blue, size=7"
    (site.home / "sql/words.csv").write_text("a,b\n1,2\n")
    use(site, first=MAKE, second=FILL + """
        INSERT INTO out.part SELECT 1, 'lake', 2 WHERE (SELECT count(*) FROM lake.thing) = 0 AND (SELECT count(*) FROM lake.part) = 0;
        INSERT INTO out.part SELECT 2, getvariable('colour') || getvariable('size') || getvariable('tenant'), 2;
        INSERT INTO out.part SELECT 3, typeof(getvariable('run_at')) || typeof(getvariable('run')), 3;
        INSERT INTO out.part SELECT a, b, 4 FROM read_csv(getvariable('folder') || '/words.csv')""")
    _, view = site.harmonized()
    assert sorted(list(r.values()) for r in view.rows("part")) == [
        ["1", "2", "4"], ["1", "lake", "2"], ["2", "blue7", "2"], ["3", "TIMESTAMPBIGINT", "3"]]
    # The next run sees the first one's lake, and a column that it did not have.
    site.deliver("b.csv", [row(99)])
    use(site, first=MAKE.replace("name VARCHAR)", "name VARCHAR, more VARCHAR)", 1),
        second="INSERT INTO out.thing SELECT 1000, count(*)::VARCHAR, coalesce(max(more), 'none') FROM lake.thing")
    _, view = site.harmonized(view)
    assert [r["name"] for r in view.rows("thing") if r["id"] == "1000"] == ["30"]
    assert [r["more"] for r in view.rows("thing") if r["id"] == "1000"] == ["none"]


@pytest.mark.parametrize("statement", [
    "COPY (SELECT 1) TO '{sql}/x.csv'", "COPY out.thing FROM '{sql}/x.csv'", "ATTACH '{sql}/x.db' AS x", "DETACH memory", "INSTALL httpfs",
    "LOAD httpfs", "SET memory_limit = '10GB'", "SET GLOBAL threads = 9", "RESET memory_limit", "PRAGMA threads=9", "SET allowed_directories = ['/']",
    "EXPORT DATABASE '{sql}/x'", "IMPORT DATABASE '{sql}/x'", "CREATE SECRET s (TYPE s3)", "CREATE OR REPLACE SECRET s (TYPE s3)",
    "CREATE OR REPLACE PERSISTENT SECRET s (TYPE s3)", "CREATE TEMP SECRET s (TYPE s3)", "CALL pragma_version()", "USE staged", "CHECKPOINT", "BEGIN",
    "VACUUM", "EXPLAIN ANALYZE COPY (SELECT 1) TO '{sql}/x.csv'", "PREPARE p AS SELECT 1", "EXECUTE p", "/* a */ COPY (SELECT 1) TO '{sql}/x.csv'"])
def test_what_reaches_beyond_is_refused(site, statement):
    folder = site.home / "sql"
    use(site, first=MAKE, second=FILL + "\n" + statement.format(sql=folder))
    failed(site, "transform", "second.sql, line 3", "is not for a transform")
    assert sorted(os.listdir(folder)) == ["first.sql", "second.sql"]


def test_nothing_hides_a_statement(site):
    folder = site.home / "sql"
    use(site, first=MAKE, second=f"CREATE FUNCTION f() AS (SELECT 1 AS begin);\nCOPY (SELECT 1) TO '{folder}/x.csv'")
    failed(site, "second.sql")
    assert sorted(os.listdir(folder)) == ["first.sql", "second.sql"]


@pytest.mark.parametrize("reads", ["read_text('/etc/passwd')", "read_csv('{home}/other/x.csv')", "read_csv('{home}/sql/../other/x.csv')", "'{home}/other/x.csv'",
                                   "read_blob('{home}/other/x.csv')", "glob('{home}/other/*')"])
def test_files_elsewhere_cannot_be_read(site, reads):
    (site.home / "other").mkdir()
    (site.home / "other/x.csv").write_text(f"a\n{MARKER}\n")
    use(site, first=MAKE, second=f"\nCREATE TABLE stolen AS FROM {reads.format(home=site.home)}")
    failed(site, "transform", "second.sql", "outside of the folders of the job's SQL files", "line 2")


@pytest.mark.parametrize("text,words", [
    ("SELECT nothing FROM staged.provider_file", ["second.sql", "line 3", "nothing"]),
    ("SELEC 1", ["second.sql, line 3", "SELEC"]),
    ("SELECT 1,\n\n  nothing", ["second.sql", "line 5"]),
    ("INSERT INTO out.thing SELECT NULL, 'x'", ["second.sql, the statement from line 3 on", "NOT NULL", "thing.id"]),
    ("SELECT ProviderName::INTEGER FROM staged.provider_file", ["second.sql, the statement from line 3 on", "not of the type"]),
    ("SELECT error(ProviderName) FROM staged.provider_file", ["second.sql, the statement from line 3 on"]),
    ("SELECT * FROM read_csv('not-there.csv')", ["second.sql"])])
def test_a_fault_names_file_and_line(site, text, words):
    use(site, first=MAKE, second="\n\n" + text)
    assert "Ada" not in failed(site, "transform", *words).words


def test_files_that_cannot_be_read(site):
    use(site, first=MAKE, second="")
    failed(site, "second.sql", "is empty", "`transform:`")
    (site.home / "sql/second.sql").unlink()
    failed(site, "second.sql", "No such file")


CHECKS = {
    "no table": ("DROP TABLE out.part", ["out.part"], True),
    "no key": ("INSERT INTO out.part VALUES (1, NULL, NULL), (2, 'x', NULL)", ["1 rows of out.part have no key", "name"], False),
    "doubled": ("INSERT INTO out.part SELECT 1, 'x', NULL FROM range(3); INSERT INTO out.part SELECT 2, 'x', NULL FROM range(2)",
                ["2 keys", "5 rows of out.part"], False),
    "orphans": ("INSERT INTO out.part VALUES (1, 'x', 2), (1, 'y', 99), (2, 'x', 77), (3, 'x', NULL)", ["2 rows of out.part", "thing_id", "thing"],
                False),
    "unknown reason": ("INSERT INTO out.quarantine (reason, kind) VALUES ('strange', 'rejected')", ["strange (rejected)", "`reason`"], False),
    "other kind": ("INSERT INTO out.quarantine (reason, kind) VALUES ('odd', 'repaired')", ["odd (repaired)"], False),
}


@pytest.mark.parametrize("what", CHECKS)
def test_what_was_made_is_checked(site, what):
    text, words, in_first = CHECKS[what]
    use(site, first=MAKE + (text if in_first else ""), second=FILL + ("" if in_first else text))
    failed(site, "transform", *words)


def test_too_many_rejected(site):
    reject = "INSERT INTO out.quarantine (reason, kind, line) SELECT 'odd', 'rejected', _line FROM staged.provider_file WHERE _line <= {}"
    site.job["max_rejected"] = 50
    use(site, first=MAKE, second=FILL + reject.format(22))
    failed(site, "21 of 30 rows were rejected", "50 %", "max_rejected")
    site.job["max_rejected"] = 70
    said, _ = site.harmonized()
    assert said["quarantined"] == 21
