"""
A real S3 server (versitygw) with its own port and directory, whose tenants each have a bucket and keys of their own, and a
proxy in front of it that breaks what it is told to break.

    server = S3Server(home).start()
    drop = server.bucket("drop")              # its owner has keys of its own: drop.credentials is their file
    drop.url, drop.endpoint                   # for a configuration
    drop.put("a/b.csv", b"…"), drop.get(…), drop.keys(), drop.remove(…)      # by a client of ours, which signs by itself
    drop.address()                            # ["s3://drop", "endpoint=…", "credentials_file=…"]: what store_cat takes

    proxy = S3Proxy(server, [Answer(503), Cut(1000), PASS])     # the first request, the second, all others
    drop.address(proxy)
    proxy.requests                            # (method, path with query, headers) so far

Needs setup/s3-server; without a server need_s3() skips.
"""
import contextlib
import dataclasses
import datetime
import hashlib
import hmac
import http.client
import http.server
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import threading
import urllib.parse
import xml.etree.ElementTree

import pytest

from servers import HOST, Process, free_port, wait_until

REPO = pathlib.Path(__file__).resolve().parents[2]
REGION = "us-east-1"
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def program():
    """The server's, or None."""
    said = subprocess.run([REPO / "setup/s3-server", "--where"], capture_output=True, text=True)
    return said.stdout.strip() or None


def need_s3():
    if not program():
        pytest.skip("there is no S3 server: run setup/s3-server")


# ---- a client of our own ----

def encode(text, safe="-_.~"):
    return urllib.parse.quote(text, safe=safe)


def sign(method, host, path, query, headers, body, access, secret, region=REGION):
    """The headers of a request with its signature (SigV4), as AWS describes it."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    signed = {**{k.lower(): v for k, v in headers.items()}, "host": host, "x-amz-date": now, "x-amz-content-sha256": digest}
    names = ";".join(sorted(signed))
    canonical = "\n".join([method, path, query, *(f"{k}:{signed[k].strip()}" for k in sorted(signed)), "", names, digest])
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + secret.encode()
    for word in (now[:8], region, "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    return {**signed, "Authorization":
            f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"}


class S3Error(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body[:300]!r}")
        self.status = status


def ask(port, access, secret, method, path, query=None, body=b"", headers=None):
    """One request on a connection of its own: (headers, body), or S3Error."""
    host = f"{HOST}:{port}"
    text = "&".join(f"{encode(k)}={encode(v)}" for k, v in sorted((query or {}).items()))
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path + (f"?{text}" if text else ""), body or None,
                           sign(method, host, path, text, headers or {}, body, access, secret))
        answer = connection.getresponse()
        said = answer.read()
    if answer.status >= 300:
        raise S3Error(answer.status, said)
    return answer.headers, said


# ---- the server ----

def has_attributes(folder):
    """Can the server keep an object's metadata beside it?"""
    probe = pathlib.Path(folder) / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.probe", b"1")
    except OSError:
        return False
    finally:
        probe.unlink()
    return True


class S3Server(Process):
    """domain: buckets are addressed as hosts of it (bucket.domain) too. tls: (certificate file, key file)."""
    access, secret = "root-of-all", "its-own-secret"

    def __init__(self, home, domain=None, tls=None):
        need_s3()
        self.home = pathlib.Path(home)
        super().__init__(self.home.with_suffix(".log"))
        self.objects, self.people = self.home / "objects", self.home / "people"
        for folder in (self.objects, self.people):
            folder.mkdir(parents=True)
        self.port, self.domain, self.tls = free_port(), domain, tls
        self.buckets = {}

    @property
    def endpoint(self):
        return f"{'https' if self.tls else 'http'}://{HOST}:{self.port}"

    def start(self):
        argv = [program(), "--access", self.access, "--secret", self.secret, "--port", f"{HOST}:{self.port}",
                "--iam-dir", str(self.people), "--keep-alive", "--quiet", "--health", "/health"]
        argv += ["--virtual-domain", self.domain] if self.domain else []
        argv += ["--cert", str(self.tls[0]), "--key", str(self.tls[1])] if self.tls else []
        argv += ["posix"]
        if not has_attributes(self.home):
            (self.home / "attributes").mkdir(exist_ok=True)
            argv += ["--sidecar", str(self.home / "attributes")]
        self.spawn([*argv, str(self.objects)], start_new_session=True)
        wait_until(self._answers, 60, "the S3 server to accept connections")
        return self

    def _answers(self):
        if not self.running:
            raise AssertionError(f"the S3 server ended at start, see {self.log}: {self.log_text()[-800:]}")
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 5):
            return True
        return False

    def stop(self):
        if self.running:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self.kill9()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()

    def _admin(self, *words):
        argv = [program(), "admin", "--access", self.access, "--secret", self.secret, "--allow-insecure",
                "--endpoint-url", self.endpoint, *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"

    def bucket(self, name):
        """A new bucket, and somebody who owns it and nothing else."""
        owner, secret = f"{name}-owner", f"{name}-secret-{os.urandom(6).hex()}"
        self._admin("create-user", "--access", owner, "--secret", secret, "--role", "user")
        self._admin("create-bucket", "--bucket", name, "--owner", owner)
        self.buckets[name] = Bucket(self, name, owner, secret)
        return self.buckets[name]


class Bucket:
    def __init__(self, server, name, access, secret):
        self.server, self.name, self.access, self.secret = server, name, access, secret
        self.url = f"s3://{name}"
        self.folder = server.objects / name  # each object is a file there
        self.credentials = self.write_credentials(f"{name}.keys", access, secret)

    @property
    def endpoint(self):
        return self.server.endpoint

    def write_credentials(self, file, *words):
        path = self.server.home / file
        path.touch(0o600)
        path.write_text(":".join(words) + "\n")
        return path

    def address(self, proxy=None, prefix="", credentials=None):
        return [self.url + prefix, f"endpoint={(proxy or self).endpoint}", f"credentials_file={credentials or self.credentials}"]

    def _ask(self, method, key="", **more):
        path = f"/{self.name}" + (f"/{encode(key, '-_.~/')}" if key else "")
        return ask(self.server.port, self.access, self.secret, method, path, **more)

    def put(self, key, body, headers=None):
        self._ask("PUT", key, body=body if isinstance(body, bytes) else body.encode(), headers=headers)

    def get(self, key):
        return self._ask("GET", key)[1]

    def facts(self, key):
        return self._ask("HEAD", key)[0]

    def remove(self, key):
        self._ask("DELETE", key)

    def keys(self, prefix=""):
        """All of them, in the server's order."""
        found, token = [], None
        while True:
            query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
            page = xml.etree.ElementTree.fromstring(self._ask("GET", query=query)[1])
            found += [e.text for e in page.iterfind(f"{NAMESPACE}Contents/{NAMESPACE}Key")]
            token = page.findtext(f"{NAMESPACE}NextContinuationToken")
            if page.findtext(f"{NAMESPACE}IsTruncated") != "true":
                return found

    def uploads(self):
        """Keys of which parts lie about."""
        page = xml.etree.ElementTree.fromstring(self._ask("GET", query={"uploads": ""})[1])
        return [e.text for e in page.iterfind(f"{NAMESPACE}Upload/{NAMESPACE}Key")]

    def drop(self):
        """The bucket goes, with all that is in it."""
        shutil.rmtree(self.folder)


# ---- a proxy that breaks things ----

@dataclasses.dataclass
class Behaviour:
    """All of the request goes to the server, and all of its answer back. only: of requests of that method alone."""
    only: str = dataclasses.field(default="", kw_only=True)

    def answer(self, request):
        request.give(*request.forward())


PASS = Behaviour()


@dataclasses.dataclass
class Answer(Behaviour):
    """The server never sees it. code: of the XML in the body."""
    status: int = 503
    code: str = "SlowDown"
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes | None = None

    def answer(self, request):
        body = f'<?xml version="1.0"?><Error><Code>{self.code}</Code><Message>planted-marker-7731</Message></Error>'.encode()
        body = body if self.body is None else self.body
        request.give(self.status, {"Content-Length": str(len(body)), **self.headers}, body)


@dataclasses.dataclass
class Cut(Behaviour):
    """After so many bytes of the answer's body the connection ends: reset, or in order."""
    at: int = 0
    reset: bool = False

    def answer(self, request):
        status, headers, body = request.forward()
        request.give(status, headers, body[:self.at])
        request.end(self.reset)


@dataclasses.dataclass
class Lose(Behaviour):
    """The server obeys, and its answer is lost on the way. then: what is done first, when the server has obeyed."""
    then: object = None

    def answer(self, request):
        request.forward()
        if self.then:
            self.then()
        request.end(True)


@dataclasses.dataclass
class Refuse(Behaviour):
    """The connection is reset, and the server has seen nothing."""

    def answer(self, request):
        request.end(True)


@dataclasses.dataclass
class Stall(Behaviour):
    """Nothing comes any more after so many bytes of the body, until the client goes."""
    at: int = 0

    def answer(self, request):
        status, headers, body = request.forward()
        request.give(status, headers, body[:self.at])
        with contextlib.suppress(OSError):
            request.connection.recv(1)
        request.close_connection = True


@dataclasses.dataclass
class Strip(Behaviour):
    """A header of the request that the server does not get to see, as if it did not know it; signed anew by the bucket's owner."""
    name: str
    bucket: Bucket

    def answer(self, request):
        path, _, query = request.path.partition("?")
        kept = {k: v for k, v in request.headers.items() if k.lower() == "content-type" and self.name.lower() != "content-type"}
        try:
            headers, body = ask(self.bucket.server.port, self.bucket.access, self.bucket.secret, request.command,
                                path, dict(urllib.parse.parse_qsl(query)), request.body, kept)
        except S3Error as e:
            return request.give(e.status, {"Content-Length": "0"}, b"")
        request.give(200, {"ETag": headers["ETag"] or "", "Content-Length": str(len(body))}, body)


@dataclasses.dataclass
class Then(Behaviour):
    """Something happens before the server sees it."""
    fn: object = None

    def answer(self, request):
        self.fn()
        request.give(*request.forward())


class S3Proxy:
    """Behaviours: the first that is of the request's method is used up; PASS when there are none (left)."""

    def __init__(self, server, behaviours=()):
        self.server = server
        self.requests = []
        self._behaviours = list(behaviours)
        self._lock = threading.Lock()
        self._http = _Proxy((HOST, 0), _ProxyRequest)
        self._http.owner = self
        self.port = self._http.server_address[1]
        self.endpoint = f"http://{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="s3-proxy", daemon=True)
        self._thread.start()

    def plan(self, *behaviours):
        with self._lock:
            self._behaviours = list(behaviours)
            self.requests = []

    def next(self, method, path, headers):
        with self._lock:
            self.requests.append((method, path, headers))
            for i, b in enumerate(self._behaviours):
                if b.only in ("", method):
                    return self._behaviours.pop(i)
        return PASS

    def asked(self, method):
        with self._lock:
            return [path for m, path, _ in self.requests if m == method]

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class _Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # the client went


class _ProxyRequest(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def serve(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.owner.next(self.command, self.path, dict(self.headers)).answer(self)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = serve

    def forward(self):
        """What the server says: status, headers, body."""
        connection = http.client.HTTPConnection(HOST, self.server.owner.server.port, timeout=60)
        with contextlib.closing(connection):
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(self.body)
            answer = connection.getresponse()
            body = answer.read()
        headers = {k: v for k, v in answer.headers.items() if k.lower() not in ("connection", "transfer-encoding")}
        if self.command != "HEAD":
            headers.setdefault("Content-Length", str(len(body)))
        return answer.status, headers, body

    def give(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def end(self, reset):
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *words):
        pass
