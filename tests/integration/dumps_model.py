"""
What a dataset's tables must hold after some dumps, computed in memory from the rules of docs alone (DESIGN section 7):
it shares no code with the product and knows nothing of SQL. Versions point at dumps by their as-of dates.
"""
import collections
import csv
import dataclasses
import hashlib
import io
import re

KEY_MAX = 255  # characters of a key's cell
FEW = 20       # so many keys may always vanish, and so many rows always be rejected
NULLS = ("NULL",)
INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")  # in the one way to write it


class Refused(Exception):
    """The dump is not loaded and nothing is changed: older, same_date, no_key, vanished, rejected."""


@dataclasses.dataclass
class Dump:
    as_of: str
    header: tuple
    rows: list  # (line, cells); cells are text as it stands in the file, "" of an empty one
    octets: bytes

    @property
    def sha256(self):
        return hashlib.sha256(self.octets).hexdigest()


@dataclasses.dataclass
class Counts:
    rows: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    reactivated: int = 0
    unchanged: int = 0
    rejected: int = 0

    def told(self):
        return dataclasses.asdict(self)


@dataclasses.dataclass
class Version:
    key: tuple
    values: dict  # header -> text, of those that are not NULL; the key's too
    valid_from: str
    opened_by: str
    line: int
    valid_to: str = None
    closed_by: str = None

    def told(self):
        """As a sink tells it (dumps_sinks.Sink.versions)."""
        return (self.key, tuple(sorted(self.values.items())), self.valid_from, self.opened_by, self.valid_from,
                self.line, self.valid_to, self.closed_by, self.valid_to)


class Dataset:
    def __init__(self, key=None, nulls=NULLS, max_removed=0.2, max_rejected=0.1, typed=False):
        self.key, self.nulls, self.typed = key, nulls, typed
        self.numbers = set()  # columns of the key that are numbers, where the database keeps types
        self.max_removed, self.max_rejected = max_removed, max_rejected
        self.columns = []  # headers, in the order of their coming
        self.current, self.past = {}, []
        self.gone = set()  # keys that were there once
        self.rejects = []  # (as_of, line, reason)
        self.dumps = {}    # as_of -> (sha256, Counts)

    def load(self, dump, max_removed=None):
        """The counts; None when just this dump is there already. Refused leaves everything as it was."""
        if self.dumps.get(dump.as_of, (None,))[0] == dump.sha256:
            return None
        self._check_date(dump)
        key = self.key or (dump.header[0],)
        if any(k not in dump.header for k in key):
            raise Refused("no_key")
        numbers = self._numbers(dump, key) if self.typed and not self.dumps else self.numbers
        taken, rejects = self._take(dump, key, numbers)
        blocked = {k for _, _, k in rejects if k}
        removed = [k for k in self.current if k not in taken and k not in blocked]
        self._check_shares(dump, removed, rejects, self.max_removed if max_removed is None else max_removed)
        self.key, self.numbers = key, numbers
        self.columns += [h for h in dump.header if h not in self.columns]
        self.rejects += [(dump.as_of, line, reason) for line, reason, _ in rejects]
        counts = Counts(rows=len(dump.rows), rejected=len(rejects), removed=len(removed))
        for k in removed:
            self._close(k, dump.as_of, "removed")
        for k, (line, values) in taken.items():
            self._show(k, line, values, dump, counts)
        self.dumps[dump.as_of] = (dump.sha256, counts)
        return counts

    def _check_date(self, dump):
        newest = max(self.dumps, default="")
        if dump.as_of < newest:
            raise Refused("older")
        if dump.as_of == newest:
            raise Refused("same_date")

    def _numbers(self, dump, key):
        """The first dump's first thousand rows say it."""
        found = set()
        for k in key:
            place = dump.header.index(k)
            cells = [cells[place] for _, cells in dump.rows[:1000] if len(cells) == len(dump.header)]
            cells = [c for c in cells if c != "" and c not in self.nulls]
            if cells and all(INTEGER.fullmatch(c) for c in cells):
                found.add(k)
        return found

    def _take(self, dump, key, numbers):
        """({key: (line, values)}, [(line, reason, the key that is not gone for all that)])."""
        found, rejects = collections.defaultdict(list), []
        places = [dump.header.index(k) for k in key]
        for line, cells in dump.rows:
            if len(cells) != len(dump.header):
                rejects.append((line, "too_few_cells" if len(cells) < len(dump.header) else "too_many_cells",
                                tuple(cells[p] for p in places) if max(places) < len(cells) else None))
                continue
            k = tuple(cells[p] for p in places)
            if any(cell == "" or cell in self.nulls for cell in k):
                rejects.append((line, "null_key", None))
            elif any(len(cell) > KEY_MAX for cell in k):
                rejects.append((line, "key_too_long", None))
            elif any(h in numbers and not INTEGER.fullmatch(cell) for h, cell in zip(key, k)):
                rejects.append((line, "wrong_type", None))
            else:
                found[k].append((line, cells))
        taken = {}
        for k, rows in found.items():
            if len(rows) > 1:
                rejects += [(line, "duplicate_key", k) for line, _ in rows]
            else:
                line, cells = rows[0]
                taken[k] = (line, {h: c for h, c in zip(dump.header, cells) if c != "" and c not in self.nulls})
        return taken, sorted(rejects, key=lambda r: r[0])

    def _check_shares(self, dump, removed, rejects, max_removed):
        n, gone = len(self.current), len(removed)
        if max_removed < 1 and n and (gone == n or gone > FEW and gone > max_removed * n):
            raise Refused("vanished")
        if len(rejects) > FEW and len(rejects) > self.max_rejected * len(dump.rows):
            raise Refused("rejected")

    def _close(self, k, as_of, closed_by):
        version = self.current.pop(k)
        version.valid_to, version.closed_by = as_of, closed_by
        self.past.append(version)
        self.gone.add(k)
        return version

    def _show(self, k, line, values, dump, counts):
        if k not in self.current:
            came = "reactivated" if k in self.gone else "added"
            self.current[k] = Version(k, values, dump.as_of, came, line)
            setattr(counts, came, getattr(counts, came) + 1)
            return
        before = self.current[k].values
        if all(before.get(h) == values.get(h) for h in dump.header):
            counts.unchanged += 1
            return
        kept = {h: v for h, v in before.items() if h not in dump.header}
        self._close(k, dump.as_of, "changed")
        self.current[k] = Version(k, {**kept, **values}, dump.as_of, "changed", line)
        counts.changed += 1

    def versions(self):
        """Every version as a sink tells it."""
        return [v.told() for v in [*self.past, *self.current.values()]]

    def life(self, key):
        """Of one key, oldest first: (valid_from, valid_to, opened_by, closed_by, values)."""
        found = [v for v in [*self.past, *self.current.values()] if v.key == key]
        return [(v.valid_from, v.valid_to, v.opened_by, v.closed_by, v.values)
                for v in sorted(found, key=lambda v: v.valid_from)]


def read_dump(octets, as_of):
    """A dump out of a CSV file as the csv module reads it; lines are counted in the bytes."""
    text = octets.decode("utf-8-sig")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = tuple(next(reader))
    rows, line = [], reader.line_num + 1
    for cells in reader:
        if cells:
            rows.append((line, tuple(cells)))
        line = reader.line_num + 1
    return Dump(as_of, header, rows, octets)
