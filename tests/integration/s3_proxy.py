"""
Between a client and the S3 server: it passes requests on as they are, so that their signatures hold, keeps account of them, and does by
order what goes wrong in between: another answer, a broken connection, or something of the test's own before or after a request.
"""
import contextlib
import http.client
import http.server
import socket
import threading

from servers import HOST

PASSED_ON_ITS_OWN = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Request:
    def __init__(self, number, method, target, headers):
        self.number, self.method, self.target, self.headers = number, method, target, headers
        self.key = target.split("?", 1)[0]
        self.status = None

    @property
    def listing(self):
        return self.method == "GET" and "list-type=2" in self.target

    def __repr__(self):
        return f"{self.number} {self.method} {self.target} {self.status}"


class Answer:
    """Instead of the server."""

    def __init__(self, status, code="", body=None, **headers):
        self.status, self.headers = status, headers
        self.body = body if body is not None else f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>by order</Message></Error>".encode()


class Cut:
    """The connection ends instead of an answer; after=True: the server has done what was asked."""

    def __init__(self, after=False, then=None):
        self.after, self.then = after, then


class Changed:
    """The server's answer, made another one: fn(status, headers, body) -> the same."""

    def __init__(self, fn):
        self.fn = fn


class Proxy:
    def __init__(self, port):
        self.target, self.requests = port, []
        self.rule = None  # of a Request: Answer, Cut, Changed or None
        self.lock = threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            upstream = None

            def serve(self):
                proxy.serve(self)
            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve

            def log_message(self, *_):
                pass

            def finish(self):
                if self.upstream:
                    self.upstream.close()
                with contextlib.suppress(OSError):
                    super().finish()

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """A client that is killed goes in the middle of things."""
        self.server = Server((HOST, 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, name="s3-proxy", daemon=True)
        self.thread.start()

    @property
    def endpoint(self):
        return f"http://{HOST}:{self.port}"

    def forget(self):
        with self.lock:
            self.requests.clear()
            self.rule = None

    def writes(self):
        return [r for r in self.requests if r.method in ("PUT", "POST")]

    def serve(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        with self.lock:
            request = Request(len(self.requests), handler.command, handler.path, handler.headers)
            self.requests.append(request)
            act = self.rule(request) if self.rule else None
        if isinstance(act, Answer):
            request.status = act.status
            self.reply(handler, act.status, act.headers.items(), act.body)
            return
        if isinstance(act, Cut) and not act.after:
            self.cut(handler, act)
            return
        status, headers, octets = self.ask(handler, request, body)
        request.status = status
        if isinstance(act, Cut):
            self.cut(handler, act)
            return
        if isinstance(act, Changed):
            status, headers, octets = act.fn(status, headers, octets)
        self.reply(handler, status, headers, octets)

    @staticmethod
    def cut(handler, act):
        if act.then:
            act.then()
        handler.close_connection = True
        with contextlib.suppress(OSError):
            handler.connection.shutdown(socket.SHUT_RDWR)

    def ask(self, handler, request, body):
        if handler.upstream is None:
            handler.upstream = http.client.HTTPConnection(HOST, self.target, timeout=30)
        u = handler.upstream
        u.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name.lower() not in ("connection", "expect"):
                u.putheader(name, value)
        u.endheaders(body)
        answer = u.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    @staticmethod
    def reply(handler, status, headers, octets):
        handler.send_response_only(status)
        length = None
        for name, value in headers:
            if name.lower() == "content-length":
                length = value
            if name.lower() not in PASSED_ON_ITS_OWN:
                handler.send_header(name, value)
        head = handler.command == "HEAD"
        handler.send_header("Content-Length", length if head and length is not None else str(len(octets)))
        handler.end_headers()
        if not head and status not in (204, 304):
            handler.wfile.write(octets)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
