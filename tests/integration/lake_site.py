"""A lake under test: tests/unit/lake/run_lake does the work, and a reader of Delta tables that is none of ours looks at it."""
import json
import os
import pathlib
import subprocess
import sys

from programs import BUILD, REPO

RUN_LAKE = BUILD / "tests/unit/lake/run_lake"


def find_reader():
    """The package deltalake (setup/delta-reader), or None where it cannot be had."""
    try:
        import deltalake
        return deltalake
    except ImportError:
        pass
    where = subprocess.run([REPO / "setup/delta-reader", "--where"], capture_output=True, text=True, check=False)
    if where.returncode:
        return None
    sys.path.insert(0, where.stdout.strip())
    try:
        import deltalake
        return deltalake
    except ImportError:
        return None


READER = find_reader()


class Fault(Exception):
    """What run_lake answered with."""

    def __init__(self, answer):
        super().__init__(answer["fault"])
        self.answer = answer


class Worker:
    """One run_lake, with a database and folders of its own, working on a lake; its steps one by one."""

    def __init__(self, home, store, *options, env=None):
        self.home = pathlib.Path(home)
        (self.home / "run").mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen([RUN_LAKE, store, self.home, *map(str, options)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise EOFError(f"run_lake ended with {self.process.wait()}")
        answer = json.loads(line)
        if "fault" in answer:
            raise Fault(answer)
        return answer

    def ask(self, line):
        self.send(line)
        return self.answer()

    def sql(self, text):
        return self.ask(f"sql {text}")["rows"]

    def open(self, table, version=-1):
        return self.ask(f"open {table} {version}")

    def read(self, table, version=-1, columns="*"):
        return self.ask(f"read {table} {version} {columns}")["rows"]

    def merge(self, table, rows, key, version=-1):
        return self.ask(f"merge {table} {version} {rows} {key}")

    def append(self, table, rows, version=-1):
        return self.ask(f"append {table} {version} {rows}")

    def commit(self, operation="MERGE"):
        return self.ask(f"commit {operation}")

    def put(self, table, select, key="id", version=-1):
        """Merges (or without a key appends) what a SELECT returns, and commits it; the new version."""
        self.sql(f"CREATE OR REPLACE TABLE some_rows AS {select}")
        self.change = self.merge(table, "some_rows", key, version) if key else self.append(table, "some_rows", version)
        return self.commit()["version"]

    def close(self):
        """What it says at its end."""
        self.process.stdin.close()
        rest = self.process.stdout.read()
        assert self.process.wait(60) == 0, rest
        return json.loads(rest.splitlines()[-1])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class BucketLake:
    """A lake in a bucket of an S3 server (s3_server.py); each worker has a cache of its own."""

    def __init__(self, home, bucket):
        self.home, self.bucket = pathlib.Path(home), bucket
        self.workers = []

    def worker(self, name="w", endpoint=None):
        home = self.home / name
        w = Worker(home, f"{self.bucket.url}/lake", "--files", home, "--cache", home / "cache", "--endpoint",
                   endpoint or self.bucket.endpoint, "--credentials", self.bucket.credentials, "--path-style")
        self.workers.append(w)
        return w

    def elsewhere(self, table, sql, version=None):
        options = {"endpoint": self.bucket.endpoint, "access_key_id": self.bucket.access, "allow_http": "true",
                   "secret_access_key": self.bucket.secret, "region": "us-east-1", "conditional_put": "etag"}
        return read_elsewhere(f"{self.bucket.url}/lake/{table}", sql, version, options)

    def close(self):
        for w in self.workers:
            w.kill()


class Lake:
    """A lake in a folder."""

    def __init__(self, home):
        self.home = pathlib.Path(home)
        self.folder = self.home / "lake"
        self.folder.mkdir()
        self.workers = []

    def worker(self, name="w", *options, env=None):
        w = Worker(self.home / name, f"file://{self.folder}", "--files", self.home, *options, env=env)
        self.workers.append(w)
        return w

    def log(self, table):
        return self.folder / table / "_delta_log"

    def entry(self, table, version):
        """The actions of a version, by their names."""
        actions = {}
        for line in (self.log(table) / f"{version:020}.json").read_text().splitlines():
            for name, action in json.loads(line).items():
                actions.setdefault(name, []).append(action)
        return actions

    def write_entry(self, table, version, *actions):
        self.log(table).mkdir(parents=True, exist_ok=True)
        (self.log(table) / f"{version:020}.json").write_text("".join(json.dumps(a) + "\n" for a in actions))

    def close(self):
        for w in self.workers:
            w.kill()


def read_elsewhere(path, sql, version=None, options=None):
    """Rows of a SELECT from `t`, by the independent reader."""
    table = READER.DeltaTable(str(path), version=version, storage_options=options)
    result = READER.QueryBuilder().register("t", table).execute(sql).read_all()
    return [list(row) for row in zip(*(result[c].to_pylist() for c in result.column_names))]
