"""
The doctor's office of one test: a database like the practice's, a Redis, daemons, and a record of all that was
published, so that in the end everything can be compared row by row.
"""
import json
import pathlib
import re

import psycopg2

import oracle
from oracle import Published
from programs import Daemon, Publisher
from servers import Redis, StallProxy, wait_until

# Planted in payloads; it must never be found in a log, ours or Postgres' own.
MARKER = "PLANTED-4c1b7d"
SANITIZERS = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:|Assertion .* failed")
PATIENTS = 1000

SITE_SQL = """
CREATE TABLE patient(id serial PRIMARY KEY, phone_number varchar(10), first_name varchar(50), last_name varchar(50));
CREATE TABLE diagnose(id bigint PRIMARY KEY, icd10_code varchar(10) NOT NULL,
    patient_id int NOT NULL REFERENCES patient, tsp timestamp NOT NULL);
CREATE TABLE claim(id bigint PRIMARY KEY, code varchar(10) NOT NULL, price numeric NOT NULL,
    patient_id int NOT NULL REFERENCES patient, tsp timestamp NOT NULL);
INSERT INTO patient(phone_number, first_name, last_name)
    SELECT lpad(i::text, 10, '0'), 'First ' || i, 'Last ' || i FROM generate_series(1, %s) i;
GRANT ALL ON patient, diagnose, claim TO dataeng;
GRANT ALL ON SEQUENCE patient_id_seq TO dataeng;
GRANT CREATE ON SCHEMA public TO dataeng;
CREATE SCHEMA ingest AUTHORIZATION dataeng;
ANALYZE;
"""
TEMPLATE = "doctor_office"

COLUMNS = {
    "claim": {"id": "id", "code": "code", "price": "price", "patient_id": "patient_id", "tsp": "@received"},
    "diagnose": {"id": "id", "icd10_code": "icd10_code", "patient_id": "patient_id", "tsp": "@received"},
}


def make_site(postgres):
    """The practice's user and database, as the practice made them (SYSTEMS, section 1)."""
    with postgres.connect("postgres") as c, c.cursor() as q:
        q.execute("CREATE ROLE dataeng LOGIN PASSWORD 'best'")
    c.close()
    create_database(postgres, TEMPLATE, "template0")
    c = postgres.connect(TEMPLATE)
    c.cursor().execute(SITE_SQL, (PATIENTS,))
    c.close()


def create_database(postgres, name, template=TEMPLATE):
    c = postgres.connect("postgres")
    c.cursor().execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    c.cursor().execute(f'GRANT CONNECT, CREATE, TEMPORARY ON DATABASE "{name}" TO dataeng')
    c.close()


def drop_database(postgres, name):
    c = postgres.connect("postgres")
    c.cursor().execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    c.close()


def claim(key, patient=1, code="03003", price=5, **more):
    return {"id": key, "patient_id": patient, "code": code, "price": price, **more}


def diagnose(key, patient=1, icd10_code="R41.3", **more):
    return {"id": key, "patient_id": patient, "icd10_code": icd10_code, **more}


class Office:
    def __init__(self, home, postgres, database):
        self.home = pathlib.Path(home)
        self.postgres = postgres
        self.database = database
        self.published = []
        self.daemons = []
        self._ends = []  # what has to be ended, last first
        self._connection = None
        self._redis = None
        self._client = None

    # The parts of the office.

    def sql(self, statement, *values):
        """Runs a statement as the site's superuser; the rows, if it has any."""
        if self._connection is not None:
            try:
                return self._execute(statement, values)
            except psycopg2.Error as e:
                if e.pgcode is not None:
                    raise
                self._connection.close()  # Postgres was restarted since the last statement
        self._connection = self.postgres.connect(self.database)
        return self._execute(statement, values)

    def _execute(self, statement, values):
        with self._connection.cursor() as q:
            q.execute(statement, values or None)
            return q.fetchall() if q.description else []

    @property
    def redis(self):
        return self._redis or self.start_redis()

    def start_redis(self, **options):
        self._redis = Redis(self.home / "redis", **options).start()
        self._ends.append(self._redis.kill9)
        return self._redis

    @property
    def client(self):
        if self._client is None:
            self._client = self.redis.client()
        return self._client

    def proxy(self, server):
        p = StallProxy(server.port)
        self._ends.append(p.close)
        return p

    def url(self, port=None):
        return self.postgres.url(self.database, port)

    # Configuration.

    def redis_stream(self, name, port=None, columns=None, **more):
        return {"name": name, "source": self.redis.url(name, port), "table": name,
                "columns": columns or COLUMNS.get(name), **more}

    def pipe(self, name):
        return self.home / f"{name}-pipe"

    def fifo_stream(self, name, columns=None, **more):
        return {"name": name, "source": f"fifo://{self.pipe(name)}", "table": name,
                "columns": columns or COLUMNS.get(name), **more}

    def config(self, streams=None, postgres=(), **more):
        if streams is None:
            streams = [self.redis_stream("claim"), self.redis_stream("diagnose")]
        return {"name": "doctor-office", **more, "postgres": {"url": self.url(), **dict(postgres)},
                "streams": streams_config(streams)}

    def daemon(self, streams=None, start=True, name="daemon", config=None, watchdog_us=0, env=(), **more):
        d = Daemon(self.home / name, config or self.config(streams, **more), watchdog_us=watchdog_us, env=env)
        self.daemons.append(d)
        self._ends.append(d.close)
        if start:
            d.start()
        return d

    # Publishing, on record.

    def publish(self, stream, events, shape="data"):
        """Objects that are rows, or could be: XADD in one pipeline, and remembered with their entry ids."""
        events = list(events)
        payloads = [{"data": json.dumps(e, ensure_ascii=False)} if shape == "data" else
                    {k: str(v) for k, v in e.items()} for e in events]
        ids = self.add(stream, payloads)
        self.published += [Published(stream, e, i) for e, i in zip(events, ids)]
        return ids

    def publish_poison(self, stream, fields):
        """One entry that is no row; fields as XADD takes them."""
        entry = self.add(stream, [fields])[0]
        self.published.append(Published(stream, None, entry))
        return entry

    def add(self, stream, entries):
        ids = []
        for start in range(0, len(entries), 5000):
            with self.client.pipeline(transaction=False) as p:
                for fields in entries[start:start + 5000]:
                    p.xadd(stream, fields)
                ids += [i.decode() for i in p.execute()]
        return ids

    def publisher(self, name="publisher", **options):
        """The demo publisher, not yet started. Its record counts once remember() was called."""
        p = Publisher(self.home / name, **options)
        self._ends.append(p.kill9)
        return p

    def remember(self, publisher):
        self.published += oracle.from_record(publisher.record())

    # Waiting and judging.

    def accounted(self, stream):
        """How many deliveries have found their end: ledger and parked letters."""
        if not self.books_made():
            return 0
        delivered = oracle.ledger(self.sql, stream)[0]
        return delivered + oracle.letters(self.sql, stream).get("parked", 0)

    def books_made(self):
        """The daemon makes its tables at its first connection."""
        return self.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'ingest'"
                        " AND tablename IN ('ledger', 'dead_letter')") == [(2,)]

    def n_published(self, stream):
        return sum(1 for p in self.published if p.stream == stream)

    def wait_settled(self, streams=None, timeout=30):
        """Until every published event has found its end and, on Redis, is acknowledged."""
        for stream in streams or {p.stream for p in self.published}:
            want = self.n_published(stream)
            wait_until(lambda: self.accounted(stream) >= want, timeout, f"{want} deliveries of {stream}", every=0.05)
            if self._redis and self._redis.running:
                wait_until(lambda: self.unacknowledged(stream) == 0, timeout, f"the acknowledgements of {stream}")

    def unacknowledged(self, stream, group="ingestd"):
        if not self.client.exists(stream):
            return 0
        groups = {g["name"].decode(): g for g in self.client.xinfo_groups(stream)}
        return groups[group]["pending"] if group in groups else 0

    def check(self, reconcile=True, **how):
        """Row by row against what was published, and every running daemon's own reconcile."""
        streams = how.pop("streams", None) or sorted({p.stream for p in self.published})
        wrong = oracle.differences(self.sql, self.published, streams, **how)
        assert not wrong, "\n".join(wrong)
        for d in self.daemons:
            if reconcile and d.running:
                oracle.reconcile_ok(d)

    def letters(self, stream=None):
        """The dead letters as dicts, oldest first, payload as bytes."""
        if not self.books_made():
            return []
        names = ("id", "stream", "entry_id", "state", "reason", "detail", "sqlstate", "shape", "payload")
        rows = self.sql(f"SELECT {', '.join(names)} FROM ingest.dead_letter WHERE %s IS NULL OR stream = %s ORDER BY id",
                        stream, stream)
        letters = [dict(zip(names, row)) for row in rows]
        for letter in letters:
            letter["payload"] = None if letter["payload"] is None else bytes(letter["payload"])
        return letters

    def wait_letters(self, n=1, stream=None, timeout=20):
        return wait_until(lambda: (lambda found: found if len(found) >= n else None)(self.letters(stream)),
                          timeout, f"{n} dead letters", every=0.05)

    # The end.

    def close(self):
        """Ends everything, then says what is wrong with how it went: leaks, sanitizers, the marker."""
        for end in reversed(self._ends):
            end()
        if self._client is not None:
            self._client.close()
        if self._connection is not None:
            self._connection.close()

    def complaints(self):
        found = [crash for d in self.daemons for crash in d.crashes]
        logs = [d.log for d in self.daemons] + [*self.home.glob("*.log"), *self.home.glob("*/*.log")]
        for log in logs:
            text = log.read_text(errors="replace") if log.exists() else ""
            found += [f"{log}: {line}" for line in text.splitlines() if SANITIZERS.search(line)][:5]
            if MARKER in text and "publisher" not in log.name:
                found.append(f"{log}: holds a payload's marker")
        return found


def streams_config(streams):
    """As the configuration has them: by name."""
    return {s["name"]: {key: value for key, value in s.items() if key != "name"} for s in streams}


__all__ = ["MARKER", "PATIENTS", "Office", "claim", "diagnose", "make_site", "create_database", "drop_database"]
