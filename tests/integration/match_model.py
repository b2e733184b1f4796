"""
What a match must find, after docs/match.md and nothing else: all rows in memory, plain dictionaries, Python's own Unicode.

    left = Side("ours", rows, ["firstname", "lastname"], …)
    found = match(left, right, tie_breaks=["location", "specialty"], report_date="2017-02-02")
    found.rows       # as the table has them: {column: text, None, bool, float, list}
    found.counts     # {"left": {"users": …}, "right": …, "matched": …}

A row of a side is {column: text or None}, or a Reject. Rows come in the order in which they are read.
"""
import collections
import dataclasses
import datetime
import functools
import itertools
import re
import unicodedata

# Unicode's White_Space.
BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
SEVERAL = re.compile(f"[{BLANKS}]+")
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ].+)?", re.DOTALL)
USUAL = "trim, blanks, case, nfc"
NAMED = 10


@functools.lru_cache(1 << 16)
def normal(value, words=USUAL):
    """What is compared; None: there is nothing to compare."""
    if value is None:
        return None
    words = set(words.replace(",", " ").split())
    if "underscore" in words:
        value = value.replace("_", " ")
    if "case" in words and "nfc" in words:
        value = unicodedata.normalize("NFD", value)
    if "case" in words:
        value = value.casefold()
    if "nfc" in words:
        value = unicodedata.normalize("NFC", value)
    if "trim" in words:
        value = value.strip(BLANKS)
    if "blanks" in words:
        value = SEVERAL.sub(" ", value)
    return value if value.strip(BLANKS) else None


@functools.lru_cache(1 << 12)
def day(value):
    """The date of a text, None when it is none."""
    found = DATE.fullmatch(value)
    try:
        return datetime.date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def activity(value, report, days):
    """A word for what a date tells; active is "within" alone."""
    if value in (None, ""):
        return "never"
    last = day(value)
    if last is None:
        return "unreadable"
    if last > report:
        return "future"
    return "within" if (report - last).days <= days else "before"


@dataclasses.dataclass
class Reject:
    reason: str
    raw: str = None


@dataclasses.dataclass
class Rule:
    """A key or a tie-break."""
    name: str
    left: str = None
    right: str = None
    normalise: str = USUAL

    def of(self, side, row):
        return normal(row[(self.left if side == 0 else self.right) or self.name], self.normalise)


@dataclasses.dataclass
class Side:
    name: str
    rows: list
    columns: list = dataclasses.field(default_factory=list)
    id: str = "id"
    active: str = "last_active_date"


class User:
    """One of a side, with what is compared of it."""

    def __init__(self, number, side, row, keys, ties, activity_word):
        self.side, self.row, self.id = number, row, row[side.id]
        self.activity = activity_word
        self.key = tuple(k.of(number, row) for k in keys)
        self.ties = tuple(t.of(number, row) for t in ties)


def candidates(users):
    """How many, and the ids of the first ones, in the order of their bytes."""
    return len(users), sorted((u.id for u in users), key=str.encode)[:NAMED]


class Found:
    def __init__(self, rows, counts):
        self.rows, self.counts = rows, counts


def match(left, right, keys, tie_breaks=(), report_date="2017-02-02", active_days=30, outcomes=None):
    return Match((left, right), keys, tie_breaks, report_date, active_days).run(outcomes)


class Match:
    def __init__(self, sides, keys, ties, report_date, active_days):
        self.sides, self.keys, self.ties, self.report_date = sides, keys, ties, report_date
        self.report, self.active_days = datetime.date.fromisoformat(report_date), active_days
        self.rows, self.counts = [], {"matched": 0}
        # The levels of agreement, the strongest first: of two the one that has the first tie-break in which they differ.
        n = len(ties)
        self.levels = sorted(itertools.chain.from_iterable(itertools.combinations(range(n), k) for k in range(n + 1)),
                             key=lambda level: [i not in level for i in range(n)])

    def run(self, outcomes):
        groups = collections.defaultdict(lambda: ([], []))
        for number in (0, 1):
            for user in self._users(number):
                if None in user.key:
                    self._alone(user, "no_key")
                else:
                    groups[user.key][number].append(user)
        for left, right in groups.values():
            self._group(left, right)
        for number in (0, 1):
            self._count(number)
        rows = [r for r in self.rows if outcomes is None or r["outcome"] in outcomes]
        return Found(rows, self.counts)

    # A side.

    def _users(self, number):
        side, seen, found = self.sides[number], set(), []
        counts = self.counts[("left", "right")[number]] = collections.Counter(rows=len(side.rows))
        for row in side.rows:
            reject = row if isinstance(row, Reject) else None if row[side.id] else Reject("null_key")
            if reject:
                counts["rejected"] += 1
                self._put("rejected", reject.reason, raw=reject.raw or True, side=side.name)
            elif row[side.id] in seen:
                counts["duplicates"] += 1
            else:
                seen.add(row[side.id])
                found.append(self._user(number, row, counts))
        counts["users"] = len(found)
        return found

    def _user(self, number, row, counts):
        side = self.sides[number]
        word = activity(row[side.active], self.report, self.active_days) if side.active else "never"
        counts["active" if word == "within" else "inactive"] += 1
        counts[{"future": "future_dates", "unreadable": "unreadable_dates", "never": "no_date"}.get(word, "dated")] += 1
        return User(number, side, row, self.keys, self.ties, word)

    def _count(self, number):
        side = ("left", "right")[number]
        counts, name = self.counts[side], self.sides[number].name
        for row in self.rows:
            if row.get(f"{name}_id") is None:
                continue
            word = "only" if row["outcome"].endswith("_only") else row["outcome"]
            counts[word] += 1
            counts["no_key"] += row["reason"] == "no_key"
        assert counts["rows"] == counts["users"] + counts["duplicates"] + counts["rejected"]
        assert counts["users"] == counts["matched"] + counts["ambiguous"] + counts["only"]

    # A group: all with one key.

    def _group(self, left, right):
        if not left or not right:
            for user in left + right:
                self._alone(user, "no_counterpart")
            return
        if len(left) == len(right) == 1:
            self._pair(left[0], right[0], "keys")
            return
        self.settled = set()  # ids of ambiguous ones, by side; they stay in the way
        for level in self.levels:
            left, right = self._level(level, left + right)
        for user in left + right:
            if (user.side, user.id) not in self.settled:
                self._alone(user, "taken")

    def _level(self, level, users):
        """Who is not matched after it."""
        alike, others = collections.defaultdict(lambda: ([], [])), ([], [])
        for user in users:
            values = tuple(user.ties[i] for i in level)
            (others if None in values else alike[values])[user.side].append(user)
        for left, right in alike.values():
            known = [(user.side, user.id) in self.settled for user in left + right]
            if len(left) == len(right) == 1 and not any(known):
                self._pair(left[0], right[0], self._words(level) or "elimination")
                continue
            others[0].extend(left)
            others[1].extend(right)
            if left and right:
                ids = tuple(candidates(side) for side in (left, right))
                for user in (u for u, is_known in zip(left + right, known) if not is_known):
                    self._ambiguous(user, self._words(level) or "keys", ids[1 - user.side])
                    self.settled.add((user.side, user.id))
        return others

    def _words(self, level):
        return "+".join(self.ties[i].name for i in level)

    # Rows of the table.

    def _pair(self, left, right, reason):
        agrees = [None if None in (a, b) else a == b for a, b in zip(left.ties, right.ties)]
        score = sum(a is True for a in agrees) / len(agrees) if agrees else 1.0
        self.counts["matched"] += 1
        self._put("matched", reason, left, right, score=score, **{f"{t.name}_agrees": a for t, a in zip(self.ties, agrees)})

    def _alone(self, user, reason):
        self._put(("left_only", "right_only")[user.side], reason, user)

    def _ambiguous(self, user, reason, ids):
        self._put("ambiguous", reason, user, n_candidates=ids[0], candidates=ids[1])

    def _put(self, outcome, reason, *users, **more):
        row = {"report_date": self.report_date, "outcome": outcome, "reason": reason, **more}
        if len(users) == 1:
            row["side"] = self.sides[users[0].side].name
        for user in users:
            side = self.sides[user.side]
            row[f"{side.name}_id"] = user.id
            row[f"{side.name}_active"] = user.activity == "within"
            row.update({f"{side.name}_{c}": user.row[c] for c in side.columns})
        self.rows.append(row)
