"""Stores of a harmonize that are buckets of a real S3 server, which keeps its objects as plain files."""
import contextlib
import datetime
import hashlib
import hmac
import http.client
import os
import pathlib
import urllib.parse

from servers import HOST, Process, free_port, wait_until

ACCESS, SECRET = "partner", "partner-secret-4711"


class Server(Process):
    def __init__(self, home, keep_alive=True):
        self.home = pathlib.Path(home)
        super().__init__(self.home.with_suffix(".log"))
        self.port, self.root = free_port(), self.home / "buckets"
        self.root.mkdir(parents=True)
        self.credentials = self.home / "credentials"
        self.credentials.write_text(f"{ACCESS}:{SECRET}\n")
        self.credentials.chmod(0o600)

    def start(self):
        self.spawn([os.environ["VERSITYGW"], "--keep-alive", "--quiet", "--access", ACCESS, "--secret", SECRET, "--port", f"{HOST}:{self.port}", "posix", str(self.root)])
        wait_until(self._answers, 20, "the S3 server to answer")
        return self

    def _answers(self):
        with contextlib.suppress(OSError):
            return signed(self.port, "GET", "/").status == 200
        return False

    @property
    def endpoint(self):
        return f"http://{HOST}:{self.port}"


@contextlib.contextmanager
def a_server(home):
    server = Server(home).start()
    try:
        yield server
    finally:
        server.kill9()


def signed(port, method, path, body=b""):
    """One request, AWS Signature Version 4."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    headers = {"host": f"{HOST}:{port}", "x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-date": now}
    names = ";".join(sorted(headers))
    canonical = "\n".join([method, urllib.parse.quote(path), "", *(f"{n}:{headers[n]}" for n in sorted(headers)), "", names, headers["x-amz-content-sha256"]])
    key = f"AWS4{SECRET}".encode()
    for word in (now[:8], "us-east-1", "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={names},"
                                f" Signature={hmac.new(key, text.encode(), 'sha256').hexdigest()}")
    c = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        c.request(method, urllib.parse.quote(path), body or None, headers)
        answer = c.getresponse()
        answer.read()
        return answer
    finally:
        c.close()


class Bucket:
    """proxy: what the job is to talk to instead of the server."""

    def __init__(self, server, name, proxy=None):
        self.server, self.name, self.proxy = server, name, proxy
        assert signed(server.port, "PUT", f"/{name}").status == 200

    def config(self):
        return {"url": f"s3://{self.name}", "endpoint": (self.proxy or self.server).endpoint, "credentials_file": str(self.server.credentials)}

    def put(self, key, octets):
        assert signed(self.server.port, "PUT", f"/{self.name}/{key}", octets).status == 200

    def remove(self, key):
        assert signed(self.server.port, "DELETE", f"/{self.name}/{key}").status == 204

    @property
    def folder(self):
        return self.server.root / self.name
