"""
A clinic's patients by the million, as JSON pages that cost the server next to nothing, so that what is measured is the reader:
rows are text already, a page is a join of some of them.
"""
import http.server
import threading
import time
import urllib.parse

NAMES = "Ann Béla Chloë Dmitrij Eira Fú Gül Hana".split()
QUIET, CHANGED = "2020-{:02}-{:02}T{:02}:00:00", "2026-01-02T{:02}:{:02}:{:02}.{:06}"
BY_UPDATED = "sort_field=updated_at&sort_dir=desc"
BY_ID = "sort_field=id&sort_dir=asc"


class Patients:
    """Those of ids 1 … n. A change gives a later updated_at than all before."""

    def __init__(self, n):
        self.rows = [self._text(i, QUIET.format(i % 12 + 1, i % 28 + 1, i % 24), i % 11) for i in range(1, n + 1)]
        self.latest = []  # positions of the changed, the newest first; of the others any order will do
        self.ticks = 0

    @staticmethod
    def _text(i, updated, visits):
        return (f'{{"id":{i},"first_name":"{NAMES[i % len(NAMES)]}","last_name":"L{i * 7919 % 100003}",'
                f'"email":"p{i}@example.org","date_of_birth":"19{i % 90 + 10}-{i % 12 + 1:02}-{i % 28 + 1:02}",'
                f'"created_at":"2019-05-01T08:00:00.123456","updated_at":"{updated}","total_visits":{visits}}}').encode()

    def change(self, share, step):
        """One in so many, each time others; a row changes once at most."""
        n = len(self.rows)
        picked = range(step, n, round(1 / share))
        for at in picked:
            self.ticks += 1
            s, us = divmod(self.ticks, 1000)
            stamp = CHANGED.format(s // 3600, s // 60 % 60, s % 60, us * 1000)
            self.rows[at] = self._text(at + 1, stamp, 100 + step)
        self.latest = [*reversed(picked), *self.latest]
        return len(picked)

    def page(self, offset, limit, newest_first):
        if not newest_first:
            return self.rows[offset:offset + limit]
        got = [self.rows[at] for at in self.latest[offset:offset + limit]]
        if len(got) < limit:  # those that were never touched, whose order is by month and so on: one is enough to end a pass
            rest = max(offset - len(self.latest), 0)
            changed = set(self.latest)
            quiet = sorted((at for at in range(min(len(self.rows), 4 * limit)) if at not in changed),
                           key=lambda at: self.rows[at][self.rows[at].index(b"updated_at"):][13:32], reverse=True)
            got += [self.rows[at] for at in quiet[rest:rest + limit - len(got)]]
        return got


class ClinicServer:
    """GET /v1/patients as SYSTEMS describes it; latency: seconds that each answer is held back."""

    def __init__(self, patients):
        self.patients, self.latency, self.requests = patients, 0.0, 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a page that was asked for in vain: its reader has hung up
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/patients"

    def _handler(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = 1 << 18

            def do_GET(self):
                outer.requests += 1
                q = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                offset, limit = int(q.get("offset", 0)), int(q.get("limit", 10))
                rows = outer.patients.page(offset, limit, q.get("sort_field") == "updated_at")
                meta = b'],"meta":{"offset":%d,"total_items":%d}}' % (offset, len(outer.patients.rows))
                body = b'{"data":[' + b",".join(rows) + meta
                if outer.latency:
                    time.sleep(outer.latency)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        return Handler

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
