"""
A partner's tables and files harmonized into a lake, against what it takes at least with the tools that are there, one after the other:
psql's \\copy of the tables out, all objects fetched by curl over one kept-alive, signed connection, and DuckDB, with the shipped
SQL and as many threads as there are processors, writing the same tables as Parquet from those local files.
"""
import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

import office as practice
import lake_reader
from duck import duck
from dumps import PeakWatch
from harmonize_site import COLUMNS, JOB, OMOP, PARTNER, TABLES, TRANSFORM, sources
from partner_data import FILE_HEADER, N_SITES, PROVIDER_COLUMNS, SITE_COLUMNS, file_lines, provider_lines, site_lines
from programs import INGESTCTL, to_yaml
from s3_server import S3Server
from scene import median
from servers import Postgres

ROWS, NEW = 1000, 10  # of an object; objects of the next run
MEMORY = (512, 256)
RSS_BESIDE = 64  # MB
THREADS = os.cpu_count()


class Partner:
    """The tables in a database, the objects in a bucket."""

    def __init__(self, scene, n, n_objects):
        self.scene, self.n, self.n_objects = scene, n, n_objects
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="partner-", dir=scene.home))
        self.home.chmod(0o711)
        self.server = scene.postgres
        practice.create_database(self.server, "bench_omop", "template0")
        self.connection = self.server.connect("bench_omop")
        self.sql(PARTNER)
        self.load("care_site", SITE_COLUMNS, site_lines())
        self.load("provider", PROVIDER_COLUMNS, provider_lines(n))
        self.s3 = S3Server(self.home / "s3").start()
        self.drop, self.lake = self.s3.bucket("drop"), self.s3.bucket("lake")
        self.upload(range(n_objects))

    def sql(self, text):
        with self.connection.cursor() as q:
            q.execute(text)
            return q.fetchall() if q.description else []

    def load(self, table, columns, lines):
        path = self.home / "lines"
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(lines)
        with open(path, encoding="utf-8") as rows, self.connection.cursor() as q:
            q.copy_expert(f"COPY {table}({', '.join(columns)}) FROM STDIN", rows)
        path.unlink()

    def key(self, number):
        return f"provider/{number:05}.csv"

    def upload(self, numbers):
        folder = self.home / "up"
        folder.mkdir()
        wanted = ""
        for i in numbers:
            (folder / f"{i}.csv").write_text(FILE_HEADER + "".join(file_lines(range(i * ROWS, (i + 1) * ROWS), self.n)), encoding="utf-8")
            wanted += f'upload-file = "{folder}/{i}.csv"\nurl = "{self.s3.endpoint}/drop/{self.key(i)}"\n'
        self.curl(wanted)
        shutil.rmtree(folder)

    def curl(self, wanted):
        """Seconds for one curl, which does these one after the other over one connection."""
        config = self.home / "curl"
        config.write_text(f'user = "{self.drop.access}:{self.drop.secret}"\naws-sigv4 = "aws:amz:us-east-1:s3"\n'
                          f'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"\n{wanted}', encoding="utf-8")
        began = time.monotonic()
        subprocess.run(["curl", "--silent", "--show-error", "--fail", "--config", str(config)], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=3600)
        return time.monotonic() - began

    def settle(self):
        self.sql("VACUUM ANALYZE provider")
        self.sql("CHECKPOINT")
        os.sync()

    def change(self, share, seed):
        """This share of the rows, wherever they are, move to the next care site."""
        chosen = random.Random(seed).sample(range(1, self.n + 1), int(self.n * share))
        self.sql("CREATE TEMPORARY TABLE chosen(id bigint)")
        with self.connection.cursor() as q, open(self.home / "lines", "w+", encoding="utf-8") as lines:
            lines.writelines(f"{i}\n" for i in chosen)
            lines.seek(0)
            q.copy_expert("COPY chosen FROM STDIN", lines)
        self.sql("UPDATE provider SET site_name = care_site_name FROM chosen, care_site WHERE provider_id = id"
                 f" AND care_site_id = id % {N_SITES} + 1; DROP TABLE chosen")
        return len(chosen)

    def remove(self, numbers):
        for i in numbers:
            (self.drop.folder / self.key(i)).unlink()

    def close(self):
        self.s3.stop()
        self.connection.close()
        practice.drop_database(self.server, "bench_omop")
        shutil.rmtree(self.home)


# The rival.

class Rival:
    def __init__(self, partner):
        self.partner, self.folder = partner, partner.home / "rival"

    def once(self):
        """Seconds of each part."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("objects", "parquet"):
            (self.folder / name).mkdir(parents=True)
        return self.copy_out(), self.fetch(), self.transform()

    def copy_out(self):
        commands = [word for t in ("care_site", "provider") for word in ("-c", f"\\copy {t} TO '{self.folder}/{t}.csv' (FORMAT csv, HEADER)")]
        began = time.monotonic()
        subprocess.run([Postgres._program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *commands, self.partner.server.url("bench_omop")],
                       check=True, stdin=subprocess.DEVNULL, timeout=3600)
        return time.monotonic() - began

    def fetch(self):
        p = self.partner
        return p.curl("".join(f'url = "{p.s3.endpoint}/drop/{p.key(i)}"\noutput = "{self.folder}/objects/{i:05}.csv"\n'
                              for i in range(p.n_objects)))

    def transform(self):
        began = time.monotonic()
        with duck(":memory:") as d:
            d.sql(f"SET threads = {THREADS}")
            for statement in [*staging(self.folder), *shipped()]:
                d.sql(statement)
            for table in [*TABLES, "quarantine"]:
                d.sql(f"COPY out.{table} TO '{self.folder}/parquet/{table}.parquet' (FORMAT parquet, COMPRESSION zstd)")
        return time.monotonic() - began

    def sizes(self):
        return {p.stem: p.stat().st_size for p in (self.folder / "parquet").iterdir()}

    def expect(self, rows):
        """Both have made of it the same number of rows."""
        with duck(":memory:") as d:
            found = {t: d.sql(f"SELECT count(*) FROM '{self.folder}/parquet/{t}.parquet'") for t in TABLES}
        assert rows == found, f"the lake has {rows}, the rival {found}"


def staging(folder):
    """The local files as the SQL wants to find them, each as DuckDB reads it best."""
    text = ", ".join(f"'{c}': 'VARCHAR'" for c in COLUMNS)
    yield "CREATE SCHEMA staged; CREATE SCHEMA lake; CREATE SCHEMA out"
    for source, table in (("partner_site", "care_site"), ("partner_provider", "provider")):
        yield (f"CREATE TABLE staged.{source} AS SELECT *, '{source}' AS _source, 'public.{table}' AS _table, '0' AS _snapshot,"
               f" row_number() OVER () AS _line FROM read_csv('{folder}/{table}.csv', all_varchar = true, header = true, delim = ',', quote = '\"')")
    yield (f"CREATE TABLE staged.provider_file AS SELECT *, NULL::VARCHAR AS _more, 'provider_file' AS _source, filename AS _object,"
           " '0' AS _etag, row_number() OVER () AS _line, 1::BIGINT AS _delivery"
           f" FROM read_csv('{folder}/objects/*.csv', columns = {{{text}}}, header = true, delim = ',', quote = '\"',"
           " nullstr = 'NULL', filename = true)")
    yield "CREATE TABLE staged.delivery AS SELECT 1 AS number, 'provider_file' AS source, '' AS object, '' AS version"
    yield ("CREATE TABLE out.quarantine(target VARCHAR, reason VARCHAR, kind VARCHAR, detail VARCHAR, source VARCHAR, object VARCHAR,"
           " version VARCHAR, line BIGINT, raw VARCHAR)")
    for name, value in (("unknown_care_site", "create"), ("tenant", "bench"), ("run", "1"), ("folder", OMOP)):
        yield f"SET VARIABLE {name} = '{value}'"
    yield "SET VARIABLE run_at = now()"


def shipped():
    for i, name in enumerate(TRANSFORM):
        yield (OMOP / name).read_text(encoding="utf-8")
        if i == 0:
            yield "; ".join(f"CREATE TABLE lake.{t} AS SELECT * FROM out.{t} LIMIT 0" for t in TABLES)


# Ours.

def config(partner, folder, memory):
    """The shipped job, with a state folder of its own and a lake under a prefix of its own."""
    drop, lake = ({"url": b.url, "endpoint": b.endpoint, "credentials_file": str(b.credentials)} for b in (partner.drop, partner.lake))
    state = folder / "state"
    state.mkdir(mode=0o700)
    return {"postgres": {"url": "postgresql://nobody@127.0.0.1:1/none"}, "state_dir": str(state),
            "databases": {"partner": {"url": partner.server.url("bench_omop")}},
            "stores": {"drop": drop, "lake": {**lake, "url": f"{lake['url']}/{folder.name}"}},
            "jobs": {JOB: {"kind": "harmonize", "sources": sources(), "transform": ", ".join(str(OMOP / f) for f in TRANSFORM),
                           "variables": "unknown_care_site=create", "lake": "lake", "tables": TABLES, "memory_max": f"{memory}MB"}}}


class Job:
    def __init__(self, partner, number, memory=MEMORY[0]):
        self.folder = partner.home / f"lake-{number}"
        self.folder.mkdir()
        self.lake = partner.lake.folder / self.folder.name
        self.file = self.folder / "ingestd.yaml"
        self.file.write_text(to_yaml(config(partner, self.folder, memory)))

    def run(self):
        """(seconds of all of it, what it says, the worker's peak in MB)."""
        began = time.monotonic()
        process = subprocess.Popen([str(INGESTCTL), "run", "--local", "--config", str(self.file), JOB, "--json"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        watch = PeakWatch(process.pid)
        watch.start()
        out, err = process.communicate(timeout=3600)
        took = time.monotonic() - began
        watch.join()
        if process.returncode != 0:
            raise AssertionError(f"ingestctl run ended with {process.returncode}: {err.strip() or out.strip()}")
        return took, json.loads(out), watch.peak / 1024

    def sizes(self):
        """Of the Parquet files of each table."""
        return {t: sum(p.stat().st_size for p in (self.lake / t).glob("*.parquet")) for t in [*TABLES, "quarantine"]}

    def rows(self):
        v = lake_reader.view(self.lake)
        return {t: v.pointer["tables"][t]["rows"] for t in TABLES}

    def close(self):
        shutil.rmtree(self.folder)
        shutil.rmtree(self.lake, ignore_errors=True)


class Rounds:
    """What came of each round."""

    def __init__(self):
        self.parts, self.first, self.later, self.peaks, self.ours, self.theirs = [], [], [], [], None, None

    def one(self, partner, rival, number):
        partner.settle()
        self.parts.append(rival.once())
        job = Job(partner, number)
        partner.settle()
        took, said, peak = job.run()
        self.first.append(took)
        self.peaks.append(peak)
        self.ours, self.theirs = job.sizes(), rival.sizes()
        rival.expect(job.rows())
        fresh = range(partner.n_objects + number * NEW, partner.n_objects + (number + 1) * NEW)
        partner.upload(fresh)
        partner.change(0.01, number)
        os.sync()
        took, self.said, peak = job.run()
        self.later.append(took)
        self.peaks.append(peak)
        partner.remove(fresh)
        job.close()

    def told(self):
        out, fetched, made = (median(p) for p in zip(*self.parts))
        return (f"{self.ratio:.2f} × ({median(self.first):.1f} s against {median(map(sum, self.parts)):.1f} s: tables {out:.1f}, objects"
                f" {fetched:.1f}, DuckDB {made:.1f})")

    @property
    def ratio(self):
        return median(self.first) / median(map(sum, self.parts))


@contextlib.contextmanager
def world(scene):
    partner = Partner(scene, scene.size(1_000_000, 100_000), scene.size(1000, 100))
    try:
        yield partner
    finally:
        partner.close()


def harmonize(scene):
    rounds = Rounds()
    with world(scene) as partner:
        rival = Rival(partner)
        for i in range(scene.size(3, 1)):
            rounds.one(partner, rival, i)
        small = Job(partner, "small", MEMORY[1])
        took, _, peak = small.run()
        small.close()
    later, ours, theirs = median(rounds.later), sum(rounds.ours.values()), sum(rounds.theirs.values())
    return [
        (f"{partner.n:,} providers in Postgres and {partner.n_objects:,} objects of {ROWS:,} rows in S3 harmonized into a lake in S3, against"
         " `\\copy` of the tables, all objects by curl, and DuckDB writing the same Parquet from those files, one after the other", rounds.told(), "≤ 1.3 ×",
         rounds.ratio <= 1.3),
        (f"the next run, {NEW} new objects and 1 % of the rows changed, against that first one",
         f"{later / median(rounds.first):.2f} × ({later:.1f} s)", "≤ 0.25 ×", later <= 0.25 * median(rounds.first)),
        (f"worker RSS, peak, with memory_max {MEMORY[0]} MB and {MEMORY[1]} MB", f"{max(rounds.peaks):.0f} MB and {peak:.0f} MB ({took:.1f} s)",
         f"≤ {MEMORY[0] + RSS_BESIDE} MB and {MEMORY[1] + RSS_BESIDE} MB",
         max(rounds.peaks) <= MEMORY[0] + RSS_BESIDE and peak <= MEMORY[1] + RSS_BESIDE),
        ("the Parquet files of all tables, against DuckDB's own zstd of the same rows", f"{ours / theirs:.2f} × ({ours / 1e6:.1f} MB against"
         f" {theirs / 1e6:.1f} MB)", "≤ 1.1 ×", ours <= 1.1 * theirs)]
