"""Dumps of providers, in the shape of the national file and of its samples: made up, by the million, as fast as they are read."""
import contextlib
import http.server
import random
import threading

FIRST_KEY, STEP = 1_000_000_000, 3  # keys are ten digits; between two there is room for new ones
POOL = 20_000      # rows but for their keys, shared by all
STRIDE = 7919      # coprime to POOL: each comes equally often
CHUNK = 20_000     # rows made at once

LAST = "Abbott Bergström Castellano Dimitrov Eze Fitzgerald Grünwald Hashimoto Ivanova Jeong Kowalczyk Lindqvist".split()
FIRST = "Ada Boris Chidi Daphne Emeka Farida Goran Hiroko Ines Jamal Katarzyna Leopold Mireille Nikhil".split()
STREET = "Maple Harbour Old Mill Station Church Chapel Orchard Riverside Summit Lakeview Industrial".split()
CITY = "Springfield Riverton Fairview Kingsport Oak Hill Brookhaven Newbridge Clearwater".split()
STATE = "AZ CO FL GA IL MA MN NC NJ OH PA TX WA".split()
NAMES = ["Last Name (Legal Name)", "First Name", "Middle Name", "Name Prefix Text", "Name Suffix Text", "Credential Text",
         "Other Last Name", "Other First Name", "Other Middle Name", "Other Name Prefix Text", "Other Name Suffix Text",
         "Other Credential Text", "Other Last Name Type Code", "First Line Business Mailing Address",
         "Second Line Business Mailing Address", "Business Mailing Address City Name",
         "Business Mailing Address State Name", "Business Mailing Address Postal Code",
         "Business Mailing Address Country Code (If outside the country)", "Business Mailing Address Telephone Number",
         "Business Mailing Address Fax Number", "Gender Code", "Taxonomy Code_1", "Taxonomy Code_2", "Taxonomy Code_3"]


def sample_header():
    return ["NPI", *(f"Provider {n}" for n in NAMES)]


def sample_tail(draw):
    """What follows the key: 25 cells, about 190 bytes, half of them NULL as the samples write it."""
    pick, digits = draw.choice, lambda n: str(draw.randrange(10 ** (n - 1), 10 ** n))
    cells = [pick(LAST).upper(), pick(FIRST).upper(), pick(FIRST).upper(), "DR.", "NULL", '"M.D., PH.D."', *["NULL"] * 7,
             f"{draw.randrange(1, 9999)} {pick(STREET)} {pick(STREET)} ROAD".upper(), f"SUITE {draw.randrange(1, 900)}",
             pick(CITY).upper(), pick(STATE), "0" + digits(8), "US", digits(10), digits(10), pick("MF"),
             f"{digits(3)}{pick('ABDX')}{digits(5)}X", f"{digits(3)}{pick('ABDX')}{digits(5)}X", "NULL"]
    return ",".join(cells)


def national_header():
    return ["NPI", *(f"Provider Attribute Group {1 + i // 7} Part {1 + i % 7}" for i in range(329))]


def national_tail(draw):
    """329 cells, each in quotes, six of seven empty: about 1.3 kB."""
    cells = [""] * 329
    for i in range(0, 329, 7):
        cells[i] = draw.choice([draw.choice(LAST), draw.choice(STREET) + " ROAD", str(draw.randrange(10 ** 9)), "X"])
    return ",".join(f'"{c}"' for c in cells)


class Shape:
    def __init__(self, header, tail, quoted=False):
        draw = random.Random(4)
        self.header, self.quoted = header, quoted
        self.tails = [tail(draw) for _ in range(POOL)]

    def first_line(self):
        names = (f'"{h}"' if self.quoted or "," in h else h for h in self.header)
        return ",".join(names) + "\n"

    def row(self, i, salt=0):
        key = FIRST_KEY + i * STEP
        return f'"{key}",{self.tail(i, salt)}\n' if self.quoted else f"{key},{self.tail(i, salt)}\n"

    def tail(self, i, salt=0):
        return self.tails[(i * STRIDE + salt) % POOL]

    def chunks(self, n):
        """A first dump, in pieces."""
        yield self.first_line().encode()
        for begin in range(0, n, CHUNK):
            yield "".join(map(self.row, range(begin, min(begin + CHUNK, n)))).encode()

    def length(self, n):
        """Bytes of all chunks; n is a multiple of the pool."""
        assert n % POOL == 0
        around = len(self.row(0).encode()) - len(self.tail(0).encode())
        return len(self.first_line().encode()) + n * around + n // POOL * sum(len(t.encode()) for t in self.tails)

    def next_chunks(self, n):
        """The dump after it: of each hundred rows one is changed, one gone, and one new beside them."""
        yield self.first_line().encode()
        for begin in range(0, n, CHUNK):
            yield "".join(self._later(i) for i in range(begin, min(begin + CHUNK, n))).encode()

    def _later(self, i):
        place = i % 100
        if place == 7:
            return self.row(i, salt=1)
        if place == 13:
            return ""
        if place == 21:
            return f"{self.row(i)}{FIRST_KEY + i * STEP + 1},{self.tail(i, 2)}\n"
        return self.row(i)


SHAPES = {"sample": lambda: Shape(sample_header(), sample_tail),
          "national": lambda: Shape(national_header(), national_tail, quoted=True)}


def write(path, chunks):
    """Bytes written."""
    with open(path, "wb") as out:
        for chunk in chunks:
            out.write(chunk)
        return out.tell()


class DumpServer:
    """Serves files, and dumps that exist only on the wire, with neither ETag nor Last-Modified."""

    def __init__(self):
        self.bodies = {}  # path -> (length, a function that gives the chunks)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def _handler(self):
        bodies = self.bodies

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path not in bodies:
                    self.send_error(404)
                    return
                length, chunks = bodies[self.path]
                self.send_response(200)
                self.send_header("Content-Type", "text/csv")
                self.send_header("Content-Length", str(length))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    for chunk in chunks():
                        self.wfile.write(chunk)

            def log_message(self, *_):
                pass
        return Handler

    def offer(self, name, length, chunks):
        self.bodies[f"/{name}"] = length, chunks
        return f"http://127.0.0.1:{self.server.server_address[1]}/{name}"

    def offer_file(self, path, name=None):
        return self.offer(name or path.name, path.stat().st_size, lambda: read_blocks(path))

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def read_blocks(path):
    with open(path, "rb") as f:
        while block := f.read(1 << 18):
            yield block
