"""
A hostile HTTP server for dumps: a thing at a path, and how it behaves when it is asked for, one answer after another.

    server = DumpServer()
    server.put("/npi.csv", b"…")                           # ETag, Last-Modified, ranges, conditions: as a good server has them
    server.put("/npi.csv", data, [Reset(at=1000), OK])     # the first answer breaks off, all that follow are good
    server.url("/npi.csv"), server.requests("/npi.csv")
    server.close()

A behaviour is a small object: what is wrong with one answer. The last of the list stays. Nothing here sleeps: what stalls
waits until its client is gone or the server is closed.
"""
import base64
import contextlib
import dataclasses
import email.utils
import fcntl
import hashlib
import html
import http.server
import re
import socket
import ssl
import struct
import threading
import time
import urllib.parse

HOST = "127.0.0.1"
SIOCOUTQ = 0x5411  # tcp(7): how much is not acknowledged yet


@dataclasses.dataclass
class Thing:
    """What is at a path. etag: quoted as it is sent; None: none."""
    body: bytes
    etag: str | None = None
    modified: float | None = 1_454_800_000.0  # None: no Last-Modified
    content_type: str = "text/csv"
    ranges: bool = True
    headers: dict = dataclasses.field(default_factory=dict)
    credentials: tuple | None = None  # (user, password), else 401


@dataclasses.dataclass
class Behaviour:
    """A good answer. Others say what they change of it."""

    def answer(self, request, thing):
        request.send_thing(thing)


OK = Behaviour()


@dataclasses.dataclass
class Status(Behaviour):
    """An answer without the thing: 429, 500, 503, 403, … with a body of its own."""
    status: int
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b"an error page"
    reason: str | None = None

    def answer(self, request, thing):
        request.send_head(self.status, {"Content-Length": len(self.body), **self.headers}, self.reason)
        request.send(self.body)


@dataclasses.dataclass
class Redirect(Behaviour):
    to: str
    status: int = 302

    def answer(self, request, thing):
        request.send_head(self.status, {"Location": self.to, "Content-Length": 5})
        request.send(b"moved")


@dataclasses.dataclass
class Reset(Behaviour):
    """The connection is reset after so many bytes of this answer's body."""
    at: int

    def answer(self, request, thing):
        request.send_thing(thing, limit=self.at)
        request.reset()


@dataclasses.dataclass
class Truncate(Behaviour):
    """The connection is closed, in order, after so many bytes of this answer's body."""
    at: int

    def answer(self, request, thing):
        request.send_thing(thing, limit=self.at)
        request.close_connection = True


@dataclasses.dataclass
class Stall(Behaviour):
    """Nothing comes any more after so many bytes of this answer's body; None: not even headers."""
    at: int | None = None

    def answer(self, request, thing):
        if self.at is not None:
            request.send_thing(thing, limit=self.at)
        request.wait_for_its_end()


@dataclasses.dataclass
class Chunked(Behaviour):
    """No length is said. end: whether the last chunk comes; at: so many bytes only."""
    end: bool = True
    at: int | None = None
    size: int = 1000

    def answer(self, request, thing):
        part, headers, status = request.part_of(thing)
        del headers["Content-Length"]
        request.send_head(status, {**headers, "Transfer-Encoding": "chunked"})
        part = part[:self.at]
        for i in range(0, len(part), self.size):
            chunk = part[i:i + self.size]
            request.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        request.send(b"0\r\n\r\n" if self.end else b"")
        request.close_connection = not self.end


@dataclasses.dataclass
class Unmeasured(Behaviour):
    """HTTP/1.0: no length, and the end of the connection is the end."""
    at: int | None = None

    def answer(self, request, thing):
        part, headers, status = request.part_of(thing)
        del headers["Content-Length"]
        request.send_head(status, {**headers, "Connection": "close"})
        request.send(part[:self.at])
        request.close_connection = True


@dataclasses.dataclass
class Lie(Behaviour):
    """Headers of our choosing over the good ones (None: without it), and the body as it is."""
    headers: dict
    status: int | None = None

    def answer(self, request, thing):
        part, headers, status = request.part_of(thing)
        request.send_head(self.status or status, {k: v for k, v in {**headers, **self.headers}.items() if v is not None})
        request.send(part)
        request.close_connection = True


@dataclasses.dataclass
class NoRanges(Behaviour):
    """All of it, whatever part was asked for. at: so many bytes, then the connection is closed."""
    at: int | None = None

    def answer(self, request, thing):
        request.send_thing(dataclasses.replace(thing, ranges=False), limit=self.at)
        request.close_connection = True


@dataclasses.dataclass
class Slow(Behaviour):
    """Piece by piece, each as soon as gate() returns: give it an Event's wait, a Barrier's, a Semaphore's acquire."""
    gate: object
    piece: int = 1000

    def answer(self, request, thing):
        part, headers, status = request.part_of(thing)
        request.send_head(status, headers)
        for i in range(0, len(part), self.piece):
            self.gate()
            request.send(part[i:i + self.piece])


@dataclasses.dataclass
class Raw(Behaviour):
    """These bytes and no others; then the connection is closed."""
    octets: bytes

    def answer(self, request, thing):
        request.send(self.octets)
        request.close_connection = True


@dataclasses.dataclass
class Then(Behaviour):
    """A behaviour, and a call after it: to change the thing while it is read."""
    first: Behaviour
    call: object

    def answer(self, request, thing):
        self.first.answer(request, thing)
        self.call()


class _Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "dump-server"

    def setup(self):
        super().setup()
        self.server.owner.connection_opened(self.connection)

    def finish(self):
        with contextlib.suppress(OSError):
            super().finish()
        self.server.owner.connection_closed(self.connection)

    def do_GET(self):
        path = self.path.split("?")[0]
        thing, behaviour = self.server.owner.take(path, self.path, dict(self.headers.items()))
        try:
            if behaviour is None:
                Status(404, reason="Not Found").answer(self, None)
            elif thing.credentials and self.headers.get("Authorization") != basic(*thing.credentials):
                Status(401, {"WWW-Authenticate": 'Basic realm="dumps"'}).answer(self, thing)
            else:
                behaviour.answer(self, thing)
        except OSError:  # the client is gone
            self.close_connection = True

    def log_message(self, *_):
        pass

    # What behaviours are made of.

    def part_of(self, thing):
        """(bytes, headers, status) of a good answer to this request."""
        headers = {"Content-Type": thing.content_type, "Content-Length": len(thing.body), **thing.headers}
        modified = email.utils.formatdate(thing.modified, usegmt=True) if thing.modified is not None else None
        if thing.etag:
            headers["ETag"] = thing.etag
        if modified:
            headers["Last-Modified"] = modified
        if self._is_unchanged(thing, modified):
            return b"", {**headers, "Content-Length": 0}, 304
        start = self._range_start(thing, modified)
        if not thing.ranges or start is None:
            return thing.body, headers, 200
        headers["Accept-Ranges"] = "bytes"
        if start >= len(thing.body):
            return b"", {**headers, "Content-Range": f"bytes */{len(thing.body)}", "Content-Length": 0}, 416
        part = thing.body[start:]
        return part, {**headers, "Content-Length": len(part),
                      "Content-Range": f"bytes {start}-{len(thing.body) - 1}/{len(thing.body)}"}, 206

    def _is_unchanged(self, thing, modified):
        tags = self.headers.get("If-None-Match")
        if tags is not None:
            weak = [t.strip().removeprefix("W/") for t in tags.split(",")]
            return bool(thing.etag) and thing.etag.removeprefix("W/") in weak
        return modified is not None and self.headers.get("If-Modified-Since") == modified

    def _range_start(self, thing, modified):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        strong = thing.etag and not thing.etag.startswith("W/")
        if not asked or (condition and not (strong and condition == thing.etag) and condition != modified):
            return None
        return int(asked[1])

    def send_head(self, status, headers, reason=None):
        self.send_response(status, reason)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def send(self, octets):
        if octets:
            self.wfile.write(octets)
            self.wfile.flush()

    def send_thing(self, thing, limit=None):
        part, headers, status = self.part_of(thing)
        self.send_head(status, headers)
        self.send(part[:limit])

    def reset(self):
        """RST instead of FIN, after the client has got what was sent."""
        self.server.owner.wait_until_taken(self.connection)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.server.owner.forget(self.connection)
        self.connection.close()

    def wait_for_its_end(self):
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.recv(1)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a client that is gone, a connection that we reset


class DumpServer:
    """Runs in threads of its own from the start to close(). tls: (certificate file, key file)."""

    def __init__(self, tls=None):
        self._lock = threading.Condition()
        self._things = {}     # path -> [Thing, behaviours]
        self._requests = []   # (path, path with query, headers, when it came)
        self._connections = set()
        self._server = _Server((HOST, 0), _Request)
        self._server.owner = self
        self._scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="dump-server", daemon=True)
        self._thread.start()

    def put(self, path, body, behaviours=(OK,), **thing):
        """A thing at a path, in place of what was there. Its ETag is made of its bytes unless one is given (None: none)."""
        thing.setdefault("etag", f'"{hashlib.sha256(body).hexdigest()[:16]}"')
        with self._lock:
            self._things[path] = [Thing(body, **thing), list(behaviours)]
        return self.url(path)

    def change(self, path, body, **thing):
        """Another body there; how it behaves goes on."""
        with self._lock:
            before, behaviours = self._things[path]
            thing.setdefault("etag", f'"{hashlib.sha256(body).hexdigest()[:16]}"')
            self._things[path] = [dataclasses.replace(before, body=body, **thing), behaviours]

    def put_index(self, path, names, **thing):
        """A page as Apache makes it of a folder."""
        rows = "".join(f'<tr><td><a href="{urllib.parse.quote(n)}">{html.escape(n)}</a></td></tr>\n' for n in names)
        page = f'<html><head><title>Index of {path}</title></head><body><table>\n' \
               f'<tr><th><a href="?C=N;O=D">Name</a></th></tr>\n<tr><td><a href="/">Parent Directory</a></td></tr>\n' \
               f'{rows}</table></body></html>'
        return self.put(path, page.encode(), **{"content_type": "text/html", **thing})

    def url(self, path, user=None, password=None, host=HOST):
        login = ""
        if user is not None:
            login = urllib.parse.quote(user, safe="")
            login += f":{urllib.parse.quote(password, safe='')}@" if password is not None else "@"
        return f"{self._scheme}://{login}{host}:{self.port}{path}"

    def requests(self, path=None):
        """The headers of the requests so far, of one path or of all."""
        with self._lock:
            return [headers for p, _, headers, _ in self._requests if path in (None, p)]

    def targets(self):
        """What was asked for, with its query, in order."""
        with self._lock:
            return [target for _, target, _, _ in self._requests]

    def arrivals(self, path):
        """When the requests of a path came, in seconds since 1970."""
        with self._lock:
            return [when for p, _, _, when in self._requests if p == path]

    def wait_for_requests(self, n, path=None, timeout=20):
        with self._lock:
            seen = lambda: sum(path in (None, p) for p, *_ in self._requests)
            assert self._lock.wait_for(lambda: seen() >= n, timeout), f"{seen()} requests of {n}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            connections = list(self._connections)
        for c in connections:
            with contextlib.suppress(OSError):
                c.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # For the requests' threads.

    def take(self, path, target, headers):
        with self._lock:
            self._requests.append((path, target, headers, time.time()))
            self._lock.notify_all()
            thing, behaviours = self._things.get(path, (None, None))
            if thing is None:
                return None, None
            return thing, behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]

    def connection_opened(self, connection):
        with self._lock:
            self._connections.add(connection)

    def connection_closed(self, connection):
        with self._lock:
            self._connections.discard(connection)

    forget = connection_closed

    @staticmethod
    def wait_until_taken(connection):
        """Until the client's kernel has acknowledged all of it; a reset throws away what is still on its way."""
        pause = threading.Event()
        with contextlib.suppress(OSError):
            while struct.unpack("i", fcntl.ioctl(connection.fileno(), SIOCOUTQ, b"\0\0\0\0"))[0] > 0:
                pause.wait(0.005)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
