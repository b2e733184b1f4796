"""
The clinic's patients API: a fake EMR with create, update, read and list, as large as is wished for, and as unkind.

    with ClinicApi(Clinic(20_000)) as api:
        api.url("/v1/patients?sort_field=id&sort_dir=asc")
        api.fault(offset=3000, behaviours=[Status(503), Truncate()])   # what the next requests of that page get
        api.churn = lambda clinic: clinic.update(7)                    # before each list is read
        api.put("/other?page=2", b"…")                                 # a page of another API
    api.requests                                                       # [(path, query, headers), …]

Rows are made when they are asked for. Those that were never touched have an updated_at that rises with their id, long ago;
each update and creation is later than all before. Nothing here sleeps: what waits ends when the server is closed.
"""
import array
import bisect
import contextlib
import dataclasses
import datetime
import http.server
import json
import random
import socket
import struct
import threading
import urllib.parse

HOST = "127.0.0.1"
LONG_AGO = datetime.datetime(2020, 1, 1)
NAMES = ("Ann", "Béla", "Chloë", "Dmitrij", "Eira", "Fú", "Gül", "Hana")
SORTABLE = ("id", "first_name", "last_name", "email", "created_at", "updated_at")


class Clinic:
    """The patients. Locked by the server while it reads them."""

    def __init__(self, n, ticks_share=1):
        self.n = n
        self.ids = range(1, n + 1)    # an array as soon as one comes or goes
        self.quiet = range(1, n + 1)  # those that were never touched
        self.touched = {}             # id: (tick, visits)
        self.by_tick = []             # (tick, id) of them
        self.next_id = n + 1
        self.tick = 0
        self.ticks_share = ticks_share  # so many changes have one updated_at
        self.lock = threading.RLock()

    def _own(self):
        if isinstance(self.ids, range):
            self.ids, self.quiet = array.array("q", self.ids), array.array("q", self.quiet)

    @staticmethod
    def _drop(ids, key):
        at = bisect.bisect_left(ids, key)
        if at < len(ids) and ids[at] == key:
            del ids[at]

    def _touch(self, key, visits):
        old = self.touched.get(key)
        if old:
            self._drop(self.by_tick, (old[0], key))
        else:
            self._drop(self.quiet, key)
        self.tick += 1
        self.touched[key] = (self.tick // self.ticks_share, visits)
        bisect.insort(self.by_tick, (self.tick // self.ticks_share, key))

    def create(self):
        with self.lock:
            self._own()
            key, self.next_id = self.next_id, self.next_id + 1
            self.ids.append(key)
            self._touch(key, 0)
            return key

    def update(self, key):
        with self.lock:
            self._own()
            self._touch(key, self.visits(key) + 1)

    def delete(self, key):
        with self.lock:
            self._own()
            old = self.touched.pop(key, None)
            if old:
                self._drop(self.by_tick, (old[0], key))
            self._drop(self.ids, key)
            self._drop(self.quiet, key)

    def has(self, key):
        at = bisect.bisect_left(self.ids, key)
        return at < len(self.ids) and self.ids[at] == key

    def visits(self, key):
        return self.touched[key][1] if key in self.touched else key % 11

    def updated_at(self, key):
        if key in self.touched:
            return (LONG_AGO + datetime.timedelta(days=2000, seconds=self.touched[key][0])).isoformat()
        return (LONG_AGO + datetime.timedelta(seconds=key * 13)).isoformat()

    def row(self, key):
        return json.loads(self.text(key))

    def text(self, key):
        name = NAMES[key % len(NAMES)]
        day = f"19{key % 90 + 10}-{key % 12 + 1:02}-{key % 28 + 1:02}"
        return (f'{{"id": {key}, "first_name": "{name}", "last_name": "L{key * 7919 % 100003}", '
                f'"email": "p{key}@example.org", "date_of_birth": "{day}", '
                f'"created_at": "2019-05-01T08:00:00.123456", "updated_at": "{self.updated_at(key)}", '
                f'"total_visits": {self.visits(key)}}}')

    def page(self, offset, limit, field, descending):
        """The ids of one page."""
        n = len(self.ids)
        if descending:
            first, last = max(n - offset - limit, 0), max(n - offset, 0)
        else:
            first, last = min(offset, n), min(offset + limit, n)
        if field == "id":
            got = list(self.ids[first:last])
        elif field == "updated_at":
            q = len(self.quiet)
            got = list(self.quiet[first:min(last, q)]) + [k for _, k in self.by_tick[max(first - q, 0):max(last - q, 0)]]
        else:
            got = sorted(self.ids, key=lambda key: (self.row(key)[field], key))[first:last]
        return got[::-1] if descending else got


class Behaviour:
    """What is wrong with one answer: given the good one, sends another."""


@dataclasses.dataclass
class Status(Behaviour):
    status: int
    headers: dict = dataclasses.field(default_factory=dict)

    def answer(self, request, body):
        request.reply(self.status, b"planted-marker-4410", self.headers)


@dataclasses.dataclass
class Body(Behaviour):
    """Another body, in good order."""
    body: bytes
    content_type: str = "application/json"

    def answer(self, request, body):
        request.reply(200, self.body, {"Content-Type": self.content_type})


@dataclasses.dataclass
class Half(Behaviour):
    """Half of the body, with a length that says it is all."""

    def answer(self, request, body):
        request.reply(200, body[:len(body) // 2])


@dataclasses.dataclass
class Truncate(Behaviour):
    """Half of the body, then the connection ends."""

    def answer(self, request, body):
        request.head(200, {"Content-Length": len(body)})
        request.wfile.write(body[:len(body) // 2])
        request.close_connection = True


@dataclasses.dataclass
class Reset(Behaviour):
    """The connection is reset in the middle."""

    def answer(self, request, body):
        request.head(200, {"Content-Length": len(body)})
        request.wfile.write(body[:len(body) // 2])
        request.wfile.flush()
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.connection.close()
        request.close_connection = True


@dataclasses.dataclass
class Stall(Behaviour):
    """Nothing comes until the server is closed."""

    def answer(self, request, body):
        request.server.closing.wait()
        request.close_connection = True


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 18

    def log_message(self, *_):
        pass

    def head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def reply(self, status, body, headers=None):
        self.head(status, {"Content-Type": "application/json", "Content-Length": len(body), **(headers or {})})
        self.wfile.write(body)

    def do_GET(self):
        api = self.server.api
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        with api.lock:
            api.requests.append((url.path, query, dict(self.headers)))
            api.connections.add(self.client_address)
        if self.path in api.things:
            body, headers = api.things[self.path]
            self.act(self.path, body, headers)
        elif not self.route(api, url.path, query):
            self.reply(404, b'{"detail": "Not Found"}')

    def act(self, place, body, headers=None):
        api = self.server.api
        if api.latency:
            self.server.closing.wait(api.latency)
        with api.lock:
            behaviours = api.faults.get(place, [])
            behaviour = behaviours.pop(0) if len(behaviours) > 1 or (behaviours and place not in api.lasting) else \
                behaviours[0] if behaviours else None
        if behaviour:
            behaviour.answer(self, body)
        else:
            self.reply(200, body, headers)

    def route(self, api, path, query):
        """Answers what is this API's own; false: there is no such thing."""
        raise NotImplementedError


class ClinicRequest(Request):
    def route(self, api, path, query):
        if path == "/health":
            self.reply(200, b'"OK"')
        elif path == "/v1/patients":
            self.list(api, query)
        elif path.startswith("/v1/patients/"):
            self.one(api, path.rsplit("/", 1)[1])
        else:
            return False
        return True

    def one(self, api, key):
        with api.clinic.lock:
            known = key.isdigit() and api.clinic.has(int(key))
            text = api.clinic.text(int(key)) if known else None
        if text:
            self.reply(200, f'{{"data": {text}}}'.encode())
        else:
            self.reply(404, b'{"detail": "Patient not found"}')

    def list(self, api, query):
        try:
            offset, limit = int(query.get("offset", 0)), int(query.get("limit", 10))
        except ValueError:
            return self.reply(422, b'{"detail": "offset and limit are numbers"}')
        field, direction = query.get("sort_field", "id"), query.get("sort_dir", "asc")
        if offset < 0 or not 1 <= limit <= api.limit_max or field not in SORTABLE or direction not in ("asc", "desc"):
            if not api.caps or limit <= api.limit_max:
                return self.reply(422, b'{"detail": "unprocessable"}')
            limit = api.limit_max
        self.act(offset, api.render(offset, limit, field, direction == "desc"))


class Api:
    """A server that logs what it is asked, and whose answers can be made wrong, place by place."""
    request = None  # the class of its requests

    def __init__(self):
        self.lock = threading.Lock()
        self.requests, self.connections = [], set()
        self.faults, self.lasting, self.things = {}, set(), {}
        self.latency = 0
        self.server = http.server.ThreadingHTTPServer((HOST, 0), self.request)
        self.server.daemon_threads = True
        self.server.api, self.server.closing = self, threading.Event()
        self.server.handle_error = lambda *_: None
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.server.closing.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def url(self, path, user=None):
        return f"http://{user + '@' if user else ''}{HOST}:{self.server.server_port}{path}"

    def fault(self, place, behaviours, lasting=False):
        """place: an offset or the number of a page, or a path with its query. lasting: the last one stays."""
        self.faults[place] = list(behaviours)
        if lasting:
            self.lasting.add(place)

    def put(self, path, body, **headers):
        self.things[path] = (body if isinstance(body, bytes) else json.dumps(body).encode(), headers)


class ClinicApi(Api):
    request = ClinicRequest

    def __init__(self, clinic):
        self.clinic = clinic
        self.limit_max, self.caps = 1000, False
        self.churn = None
        self.total = None   # what total_items says; None: the truth
        self.rendered = None  # a dict: pages are kept, of a clinic that does not change
        super().__init__()

    def render(self, offset, limit, field, descending):
        place = (offset, limit, field, descending)
        if self.rendered is not None and place in self.rendered:
            return self.rendered[place]
        with self.clinic.lock:
            if self.churn:
                self.churn(self.clinic)
            rows = ", ".join([self.clinic.text(key) for key in self.clinic.page(offset, limit, field, descending)])
            total = len(self.clinic.ids) if self.total is None else self.total
        body = (f'{{"data": [{rows}], "meta": {{"offset": {offset}, "total_items": {total}, '
                f'"total_pages": {-(-total // limit)}, "page_number": {offset // limit + 1}}}}}').encode()
        if self.rendered is not None:
            self.rendered[place] = body
        return body

    def lists(self):
        """The queries of the list, in the order they came."""
        with self.lock:
            return [query for path, query, _ in self.requests if path == "/v1/patients"]


class Churn:
    """Random changes before each of so many lists is read, and what was true in between. It ends: pages of a few rows could go
    on for ever after rows that come as fast."""

    def __init__(self, clinic, seed, updates=2, creates=1, deletes=1, lists=60):
        self.left = lists
        self.random = random.Random(seed)
        self.rates = (updates, creates, deletes)
        self.start = set(clinic.ids)
        self.kept = set(clinic.ids)      # never deleted
        self.untouched = set(clinic.ids)  # nor updated
        self.versions = {key: {clinic.text(key)} for key in clinic.ids}

    def __call__(self, clinic):
        self.left -= 1
        if self.left < 0:
            return
        updates, creates, deletes = (self.random.randint(0, rate) for rate in self.rates)
        for _ in range(creates):
            key = clinic.create()
            self.versions[key] = {clinic.text(key)}
        for _ in range(min(updates, len(clinic.ids))):
            key = self.random.choice(clinic.ids)
            clinic.update(key)
            self.untouched.discard(key)
            self.versions[key].add(clinic.text(key))
        for _ in range(min(deletes, len(clinic.ids))):
            key = self.random.choice(clinic.ids)
            clinic.delete(key)
            self.kept.discard(key)
            self.untouched.discard(key)


def main():
    """Serves until its input ends: clinic_api.py N [latency in seconds]."""
    import sys
    with ClinicApi(Clinic(int(sys.argv[1]))) as api, contextlib.suppress(KeyboardInterrupt):
        api.latency = float(sys.argv[2]) if len(sys.argv) > 2 else 0
        api.rendered = {}
        print(api.url("/v1/patients"), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
