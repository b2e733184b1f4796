"""The two servers that dumps go to, with settings as they come, and each one's own bulk load through its own client."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import office as practice
from mariadb import MariaDB
from scene import wait_until
from servers import Postgres

# What tests/integration/mariadb.py makes small and quick, as the server has it by itself.
MARIADB_DEFAULTS = {"innodb-flush-log-at-trx-commit": "1", "innodb-buffer-pool-size": "128M", "innodb-log-file-size": "96M"}
LOAD_DATA = """LOAD DATA LOCAL INFILE '{path}' INTO TABLE bare CHARACTER SET utf8mb4
FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '' LINES TERMINATED BY '\\n' IGNORE 1 LINES"""
COPY = "\\copy bare FROM '{path}' (FORMAT csv, HEADER true, NULL 'NULL')"
DIRTY = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Innodb_buffer_pool_pages_dirty'"
OTHERS = ("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
          " AND backend_type = 'client backend'")
WRITTEN = ("SELECT sum(variable_value) FROM information_schema.global_status WHERE variable_name IN"
           " ('Handler_write', 'Handler_update', 'Handler_delete')")


class Maria:
    name, rival = "MySQL", "`LOAD DATA LOCAL INFILE`"

    def __init__(self, scene):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="maria-", dir=scene.home))
        self.home.chmod(0o711)
        self.server = MariaDB(self.home / "server", MARIADB_DEFAULTS).start()
        self.server.sql("CREATE DATABASE bench_db CHARACTER SET utf8mb4")

    def url(self, table):
        return f"{self.server.url('bench_db')}/{table}"

    def sql(self, text):
        return self.server.sql(text, "bench_db")

    def bulk_load(self, path, n_columns):
        columns = ", ".join(f"c{i} TEXT" for i in range(1, n_columns))
        self.sql(f"DROP TABLE IF EXISTS bare; CREATE TABLE bare (npi VARCHAR(10) PRIMARY KEY, {columns})")
        self.settle()
        argv = ["mariadb", "--no-defaults", "--host=127.0.0.1", f"--port={self.server.port}", "--user=dataeng", "--password=best",
                "--local-infile=1", "-e", LOAD_DATA.format(path=path), "bench_db"]
        return timed(argv), int(self.sql("SELECT count(*) FROM bare")[0][0])

    def settle(self):
        """So that no measurement pays for what the one before has written."""
        self.server.sql("SET GLOBAL innodb_max_dirty_pages_pct = 0")
        wait_until(lambda: int(self.server.sql(DIRTY)[0][0]) == 0, 120, "all pages to be written", every=0.2)
        self.server.sql("SET GLOBAL innodb_max_dirty_pages_pct = 90")
        os.sync()

    def written(self):
        """Rows that were ever written in any table there."""
        return int(self.server.sql(WRITTEN)[0][0])

    def drop(self, table):
        for name in (table, f"{table}_past", "bare"):
            self.sql(f"DROP TABLE IF EXISTS {name}")
        self.sql(f"DROP VIEW IF EXISTS {table}_history")

    def close(self):
        self.server.stop()
        shutil.rmtree(self.home)


class Pg:
    name, rival = "Postgres", "`\\copy`"

    def __init__(self, scene):
        self.server = scene.postgres
        if not self.server.running:
            self.server.start()
        practice.drop_database(self.server, "bench_dumps")
        practice.create_database(self.server, "bench_dumps")
        self.connection = self.server.connect("bench_dumps")

    def url(self, table):
        return f"{self.server.url('bench_dumps')}/{table}"

    def sql(self, text):
        with self.connection.cursor() as q:
            q.execute(text)
            return q.fetchall() if q.description else []

    def bulk_load(self, path, n_columns):
        columns = ", ".join(f"c{i} text" for i in range(1, n_columns))
        self.sql(f"DROP TABLE IF EXISTS bare; CREATE TABLE bare (npi text PRIMARY KEY, {columns});"
                 " ALTER TABLE bare OWNER TO dataeng")
        self.settle()
        argv = [Postgres._program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", COPY.format(path=path),
                self.server.url("bench_dumps")]
        return timed(argv), self.sql("SELECT count(*) FROM bare")[0][0]

    def settle(self):
        self.sql("CHECKPOINT")
        os.sync()

    def written(self):
        """A session tells what it did when it ends; in the tables of users only, for the server has its own errands."""
        wait_until(lambda: not self.sql(OTHERS), 30, "the other sessions to end")
        return int(self.sql("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables")[0][0])

    def drop(self, table):
        self.sql(f"DROP VIEW IF EXISTS {table}_history")
        for name in (table, f"{table}_past", "bare"):
            self.sql(f"DROP TABLE IF EXISTS {name}")

    def close(self):
        self.connection.close()
        practice.drop_database(self.server, "bench_dumps")


def timed(argv):
    began = time.monotonic()
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=3600)
    return time.monotonic() - began


@contextlib.contextmanager
def sink(kind, scene):
    s = kind(scene)
    try:
        yield s
    finally:
        s.close()
