"""Datasets that live: dumps drawn at random, with everything that ever happens to one, as files and as rows."""
import datetime
import random
import re

from dumps_model import Dump

WORDS = ["Ada", "NA", "NAN", "NONE", "null", "Null", "NULL ", " NULL", "0", "00", "007", "0123456789", "1e5", "-0.0",
         "true", "2016-02-07", " lead", "trail ", "  ", "\t", "a\tb", 'a"b', '"', '""', "a,b", "a;b|c", "line\nbreak",
         "cr\r\nlf", "lone\rcr", "\n", "\\", "\\N", "\\.", "\\n", "a\\", "it's", "''", "`x`", "$1", "%s", "?", "@x",
         "é", "e\u0301", "ß", "SS", "ı", "I", "i", "Ω", "\u2126", "日本語", "🩺", "👩\u200d⚕️", "\u200b", "\u202eabc",
         "\ufeffx", "\x01", "\x1f", "\x7f", "\u0085", "\u2028", "x" * 300, "ü" * 256, "--", "/*", "#", "{}", "[1]"]
KEY_WORDS = ["1", "01", "001", "1 ", " 1", "a", "A", "a ", "ab", "b", "é", "e\u0301", "É", "ß", "ss", "ı", "i", "I", "🩺",
             "日本", "\\N", "\\", "it's", 'q"q', "a,b", "x\ny", "null", "NA", "-1", "1.0", "z" * 255, "ü" * 255, "\t", "~"]
HEADERS = ["Last Name", "Last  Name", "last name", "LAST_NAME", "last_name", "Provider Last Name (Legal Name)", "valid_from",
           "valid_to", "opened_by", "opened_dump", "line", "closed_by", "closed_dump", "select", "order", "1st",
           "straße", "日本語", "a" * 64, "a" * 65 + "1", "a" * 65 + "2", "ü" * 40 + "1", "ü" * 40 + "2", "%", "a.b", "it's", "`",
           'q"q', "user", "Key", "id", "ID", "_", "__", "-", "é", "e\u0301", "line\nbreak", "rowid", "\\"]


LINE_END = re.compile(r"\r\n|\r|\n")  # a CR alone too, as in files of old


class Histories:
    """Dump after dump of one dataset. What is drawn depends on the seed alone."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        d = self.draw
        self.n_key = d.choice([1, 1, 1, 2, 3])
        self.delimiter = d.choice(",,,,,;\t|")
        names = [h for h in HEADERS if self.delimiter == "," or not set(h) & set(",;\t|")]
        d.shuffle(names)
        self.key = tuple(names[:self.n_key])
        self.columns = names[self.n_key:self.n_key + d.randint(1, 6)]
        self.spare = names[self.n_key + len(self.columns):][:4]
        self.keys = self._keys(d.choice([3, 8, 30, 30, 60]))
        self.shown = {}  # key -> {header: text}, as the site holds it
        self.left = {}   # the same of keys that went
        self.date = datetime.date(2016, 2, 7)
        self.in_order = d.random() < 0.5
        self.before = []  # the dumps so far

    def _keys(self, n):
        d, keys = self.draw, set()
        while len(keys) < n:
            keys.add(tuple(d.choice(KEY_WORDS) if d.random() < 0.6 else str(d.randrange(40)) for _ in self.key))
        return sorted(keys)

    def _value(self):
        d = self.draw
        return None if d.random() < 0.3 else d.choice(WORDS) if d.random() < 0.5 else str(d.randrange(4))

    def next(self):
        d = self.draw
        if self.before and d.random() < 0.12:
            return self._again()
        self.date += datetime.timedelta(days=d.choice([1, 7, 28, 31]))
        if self.before and d.random() < 0.3:
            self._change_columns()
        self._churn()
        dump = self._write(self.date.isoformat(), self._rows())
        self.before.append(dump)
        return dump

    def _again(self):
        """One that was there, or one that must be refused."""
        d, old = self.draw, self.draw.choice(self.before)
        if d.random() < 0.5:
            return old
        return self._write(old.as_of, self._rows()[:-1])

    def _change_columns(self):
        d = self.draw
        what = d.choice(["new", "drop", "reorder", "back"])
        if what in ("new", "back") and self.spare:
            self.columns.insert(d.randrange(len(self.columns) + 1), self.spare.pop(d.randrange(len(self.spare))))
        elif what == "drop" and len(self.columns) > 1:
            self.spare.append(self.columns.pop(d.randrange(len(self.columns))))
        d.shuffle(self.columns)

    def _churn(self):
        """Keys come, change, go and return; a new column may hold something or nothing."""
        d = self.draw
        first, calm = not self.before, d.choice([0.02, 0.1, 0.3])
        for key in self.keys:
            if key not in self.shown:
                if d.random() < (0.7 if first else 0.3):
                    old = self.left.get(key)
                    self.shown[key] = dict(old) if old and d.random() < 0.5 else {}
            elif d.random() < calm:
                self.left[key] = self.shown.pop(key)
            elif d.random() < calm:
                row = self.shown[key]
                if d.random() < 0.2:
                    row.update({c: None for c in self.columns})
                else:
                    row[d.choice(self.columns)] = self._value()
        for row in self.shown.values():
            for c in self.columns:
                if c not in row:
                    row[c] = None if d.random() < 0.5 and not first else self._value()

    def _rows(self):
        """(key and values) of a dump's rows, bad ones among them."""
        d = self.draw
        rows = [[*key, *(row[c] for c in self.columns)] for key, row in sorted(self.shown.items())]
        rate = d.choice([0, 0, 0.03, 0.1])
        for row in list(rows):
            if d.random() < rate:
                rows.insert(d.randrange(len(rows) + 1), self._bad(list(row)))
        if not self.in_order or d.random() < 0.1:
            d.shuffle(rows)
        return rows

    def _bad(self, row):
        d = self.draw
        what = d.choice(["twice", "twice", "differs", "no key", "short", "long", "key too long"])
        if what == "differs":
            row[-1] = self._value()
        elif what == "no key":
            row[d.randrange(self.n_key)] = None
        elif what == "short":
            row.pop()
        elif what == "long":
            row.append("more")
        elif what == "key too long":
            row[0] = "k" * 256
        return row

    def _write(self, as_of, rows):
        """The same rows in one of the many ways to write CSV, its columns in some order."""
        d = self.draw
        header = [*self.key, *self.columns]
        order = list(range(len(header)))
        if d.random() < 0.3:
            d.shuffle(order)
        out = Csv(d, self.delimiter)
        out.record([header[i] for i in order], header=True)
        written = []
        for row in rows:
            cells = row if len(row) != len(header) else [row[i] for i in order]
            line = out.line
            written.append((line, out.record(cells)))
        whole = not written or len(written[-1][1]) == len(header)  # else it would look cut off
        return Dump(as_of, tuple(header[i] for i in order), written, out.octets(whole and d.random() < 0.2))


class Csv:
    """One file being written. Blanks around a cell are part of it, as RFC 4180 says."""

    def __init__(self, draw, delimiter=","):
        self.draw, self.delimiter = draw, delimiter
        self.end = draw.choice(["\n", "\n", "\r\n"])
        self.quoting = draw.choice([0.0, 0.1, 1.0])
        self.text = "\ufeff" if draw.random() < 0.15 else ""
        self.line = 1

    def record(self, cells, header=False):
        """Writes it and returns the cells as a reader gets them."""
        texts, read = [], []
        for cell in cells:
            text = cell if cell is not None else self.draw.choice(["NULL", "", "NULL", ""])
            quote = header and self.delimiter != "," or self.draw.random() < self.quoting or \
                any(c in text for c in f'"\r\n{self.delimiter}') or len(cells) == 1
            texts.append('"' + text.replace('"', '""') + '"' if quote else text)
            read.append(text)
        record = self.delimiter.join(texts) + self.end
        self.text += record
        self.line += len(LINE_END.findall(record))
        return tuple(read)

    def octets(self, without_end):
        return (self.text[:-len(self.end)] if without_end else self.text).encode()


def plain_dumps(n_rows, n_dumps, seed, name="Name"):
    """Larger ones of a quiet dataset, one in three not in order: some of its keys change, go, return, are there twice."""
    draw, dumps = random.Random(seed), []
    rows = {f"{i:09}": [f"{name} {i}", None, "x" * draw.randrange(60)] for i in range(n_rows)}
    header = ["id", "name", "note", "padding"]
    for month in range(1, n_dumps + 1):
        if month == 3:
            header.append("later")
        for key in draw.sample(sorted(rows), n_rows // 10):
            rows[key][draw.randrange(2)] = f"{name} of {month}"
        out, written = Csv(random.Random(5)), []
        out.record(header)
        shown = [k for k in sorted(rows) if draw.random() > 0.03]
        if month % 3 == 0:
            draw.shuffle(shown)
        for key in [*shown, shown[0]]:
            later = ["yes" if key.endswith("7") else None] if month >= 3 else []
            line = out.line
            written.append((line, out.record([key, *rows[key], *later])))
        dumps.append(Dump(f"2020-{month:02}-01", tuple(header), written, out.octets(False)))
    return dumps
