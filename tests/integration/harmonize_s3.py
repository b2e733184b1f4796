"""
Stores of a harmonize that are buckets, and a proxy before their server whose test says of each request what becomes of it: one of s3_server.py's
behaviours, or the worker's end.
"""
import contextlib
import itertools

from s3_server import PASS, Answer, Behaviour, Cut, Lose, Refuse, S3Proxy, S3Server

_numbers = itertools.count(1)


@contextlib.contextmanager
def a_server(home):
    server = S3Server(home).start()
    try:
        yield server
    finally:
        server.stop()


class Bucket:
    """A bucket of its own as a store of a job; proxy: what the job is to talk to instead of the server."""

    def __init__(self, server, name, proxy=None):
        self.bucket, self.proxy = server.bucket(f"{name}{next(_numbers)}"), proxy

    def config(self):
        return {"url": self.bucket.url, "endpoint": (self.proxy or self.bucket).endpoint, "credentials_file": str(self.bucket.credentials)}

    def put(self, key, octets):
        self.bucket.put(key, octets)

    def remove(self, key):
        self.bucket.remove(key)

    @property
    def folder(self):
        return self.bucket.folder


class Rewrite(Behaviour):
    """The server's answer, its body changed by fn."""

    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def answer(self, request):
        status, headers, body = request.forward()
        body = self.fn(body)
        request.give(status, {**headers, "Content-Length": str(len(body))}, body)


class Request:
    def __init__(self, method, target):
        self.method, self.target = method, target
        self.key = target.split("?", 1)[0]

    @property
    def listing(self):
        return self.method == "GET" and "list-type=2" in self.target

    @property
    def write(self):
        return self.method in ("PUT", "POST")

    def __repr__(self):
        return f"{self.method} {self.target}"


class Proxy(S3Proxy):
    """rule: of a Request the Behaviour, or None."""
    rule = None

    def next(self, method, path, headers):
        request = Request(method, path)
        with self._lock:
            self.requests.append(request)
            rule = self.rule
        return (rule(request) if rule else None) or PASS

    def forget(self):
        with self._lock:
            self.requests, self.rule = [], None


class End(Behaviour):
    """fn ends the client: before the server sees the request, or when it has obeyed."""

    def __init__(self, fn, after=False):
        super().__init__()
        self.fn, self.after = fn, after

    def answer(self, request):
        if self.after:
            request.forward()
        self.fn()
        request.end(True)


__all__ = ["Answer", "Cut", "Lose", "Refuse"]
