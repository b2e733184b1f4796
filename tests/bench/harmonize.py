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
from duck import duck
from dumps import PeakWatch
from harmonize_site import JOB, OMOP, PARTNER, TABLES, TRANSFORM, sources
from partner_data import FILE_HEADER, PROVIDER_COLUMNS, SITE_COLUMNS, file_lines, provider_lines, site_lines
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
        self.s3 = S3Server(self.home / "s3", keep_alive=True).start()
        self.s3.make_bucket("drop")
        self.s3.make_bucket("lake")
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
        config.write_text(f'user = "{self.s3.access}:{self.s3.secret}"\naws-sigv4 = "aws:amz:us-east-1:s3"\n'
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
        """This share of the rows get another care site, wherever they are."""
        chosen = random.Random(seed).sample(range(1, self.n + 1), int(self.n * share))
        self.sql("CREATE TEMPORARY TABLE chosen(id bigint)")
        with self.connection.cursor() as q, open(self.home / "lines", "w+", encoding="utf-8") as lines:
            lines.writelines(f"{i}\n" for i in chosen)
            lines.seek(0)
            q.copy_expert("COPY chosen FROM STDIN", lines)
        self.sql("UPDATE provider SET care_site_id = care_site_id % 5000 + 1 FROM chosen WHERE provider_id = id; DROP TABLE chosen")
        return len(chosen)

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
