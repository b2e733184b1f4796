"""
Two sets of users whose pairs are known before anybody looks for them: ours, as `user` and `user_practice` of SYSTEMS hold them, and
the vendor's, as its API has them. Each case has names of its own, so that none meets another.

    people = People(seed)
    people.every_case(); people.crowd(10_000); people.clean(500)
    people.ours, people.practices, people.theirs, people.truth
"""
import collections
import json
import random
import unicodedata

from match_model import Reject, Rule, Side

FIRST = ["Melanie", "Zoë", "José", "Anna Lena", "Jürgen", "Đorđe", "Σωκράτης", "Nuñez", "Ólöf", "Weiß", "李", "Mary-Jane", "O'Neil", "Å", "이정"]
LOCATIONS = ["black", "white", "red", "green", "Blue Hill"]
SPECIALTIES = ["cardiology", "family_medicine", "psychology", "internal_medicine", "general_surgery"]
CLASSES = ["Leader", "Contributor", "Popular"]
REPORT = "2017-02-02"
BLANK = ["\u00a0", "\u2003", "\t", "  ", "\u3000", "\u2028", " \u202f "]
OURS_COLUMNS = ["firstname", "lastname", "classification", "specialty", "location", "last_active_date"]
THEIR_COLUMNS = ["firstname", "lastname", "user_type_classification", "specialty", "practice_location", "last_active_date"]
NOBODY = object()

KEYS = [Rule("lastname"), Rule("firstname")]
TIE_BREAKS = [Rule("location", "location", "practice_location", "trim, blanks, case, nfc"),
              Rule("specialty", normalise="trim, blanks, case, nfc, underscore"),
              Rule("classification", "classification", "user_type_classification")]


class People:
    def __init__(self, seed=1):
        self.draw = random.Random(seed)
        self.ours, self.theirs, self.practices = [], [], []
        self.truth = {}  # ("ours" or "vendor", id): (outcome, reason, id of the other or None)
        self.bad_pages = []
        self.n = 0
        for i, location in enumerate(LOCATIONS, 1):
            self.practices.append({"id": i, "name": f"Practice {i}", "location": location})
        # There twice: whoever belongs to it comes twice out of the SELECT.
        self.practices += [{"id": 77, "name": name, "location": "twice"} for name in ("One", "The other")]

    # One of each side. ids are given once.

    def our(self, first, last, location="black", specialty="cardiology", klass="Leader", active="2017-02-01", **more):
        practice = next((p["id"] for p in self.practices if p["location"] == location), None)
        row = {"id": len(self.ours) + 1, "firstname": first, "lastname": last, "classification": klass, "specialty": specialty,
               "platform_registered_on": "mobile", "practice_id": practice, "last_active_date": active, **more}
        self.ours.append(row)
        return row["id"]

    def their(self, first, last, location="black", specialty="Cardiology", klass="Leader", active="2017-02-01", **more):
        row = {"id": 500_000 + len(self.theirs), "firstname": first, "lastname": last, "practice_location": location,
               "specialty": specialty, "user_type_classification": klass, "last_active_date": active, **more}
        self.theirs.append(row)
        return row["id"]

    def name(self, plain=False):
        self.n += 1
        first = "Ann" if plain else FIRST[self.n % len(FIRST)]
        return first, f"Case{self.n:06} {'van' if self.n % 3 else 'ten'} Dam"

    def know(self, outcome, reason, ours=None, theirs=None):
        if ours is not None:
            self.truth["ours", ours] = (outcome, reason, theirs)
        if theirs is not None:
            self.truth["vendor", theirs] = (outcome, reason, ours)

    def pair(self, first, last, first_there, last_there, reason="keys", **more):
        """One of each side who match."""
        mine = {k[5:]: v for k, v in more.items() if k.startswith("ours_")}
        other = {k[7:]: v for k, v in more.items() if k.startswith("theirs_")}
        self.know("matched", reason, self.our(first, last, **mine), self.their(first_there, last_there, **other))

    # Cases.

    def every_case(self):
        for case in (self.clean, self.cases, self.blanks, self.composed, self.underscores, self.tie_breaks, self.ambiguous, self.one_sided,
                     self.odd_names, self.no_names, self.dates, self.no_practice, self.twice, self.bad_rows):
            case()
        return self

    def clean(self, n=20):
        for _ in range(n):
            first, last = self.name()
            d = self.draw
            self.pair(first, last, first, last, ours_location=d.choice(LOCATIONS), ours_specialty=d.choice(SPECIALTIES),
                      ours_klass=d.choice(CLASSES), ours_active=self.date(), theirs_location=d.choice(LOCATIONS),
                      theirs_specialty=d.choice(SPECIALTIES).replace("_", " ").title(), theirs_klass=d.choice(CLASSES),
                      theirs_active=self.date())

    def date(self):
        return f"201{self.draw.choice('66667')}-{self.draw.randint(1, 2) if self.draw.random() < 0.5 else 12:02}-{self.draw.randint(1, 28):02}"

    def cases(self):
        """Full folding, and letters with more than one lower case."""
        for ours, theirs in (("Straße", "STRASSE"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("ﬁnn", "FINN"), ("İpek", "i\u0307pek"), ("ǅon", "ǆon"),
                             ("McDONALD", "mcdonald"), ("ΐris", "ΐRIS"), ("Ꭰwa", "ꭰwa")):
            _, last = self.name()
            self.pair(ours, last, theirs, last.upper())
        _, last = self.name()
        for outcome, side in (("left_only", self.our), ("right_only", self.their)):  # no two spellings of one name
            self.know(outcome, "no_counterpart", **{"ours" if side == self.our else "theirs": side("Iıık" if side == self.our else "Iiik", last)})

    def blanks(self):
        for blank in BLANK:
            first, last = self.name()
            self.pair(f"{blank}{first}", last.replace(" ", blank), f"{first}{blank}{blank}", f" {last} ")

    def composed(self):
        for ours, theirs in (("José", "Jose\u0301"), ("Nguyễn", "Nguye\u0302\u0303n"), ("Åse", "A\u030ase"), ("Ωmega", "\u2126mega"),
                             ("이정", unicodedata.normalize("NFD", "이정")), ("Đặng", unicodedata.normalize("NFD", "Đặng")),
                             ("ÉTÉ", "e\u0301te\u0301")):
            _, last = self.name()
            self.pair(ours, last, theirs, last)

    def underscores(self):
        """Same name twice, told apart by what is family_medicine here and Family Medicine there."""
        first, last = self.name()
        for ours, theirs in (("family_medicine", "Family Medicine"), ("internal_medicine", "Internal  medicine ")):
            self.know("matched", "specialty+classification", self.our(first, last, location=None, specialty=ours),
                      self.their(first, last, specialty=theirs))

    def tie_breaks(self):
        """Two of one name, one right answer."""
        first, last = self.name()
        for location in ("black", "white"):
            self.know("matched", "location+specialty+classification", self.our(first, last, location), self.their(first, last, location.upper()))
        # The first tie-break weighs more than the two behind it together.
        first, last = self.name()
        a = self.our(first, last, "red", "psychology", "Leader")
        b = self.our(first, last, "green", "cardiology", "Popular")
        self.know("matched", "location", a, self.their(first, last, "red", "Cardiology", "Popular"))
        self.know("matched", "elimination", b, self.their(first, last, "white", "Psychology", "Contributor"))
        # One more of us than of them: the one who is not taken.
        first, last = self.name()
        self.know("matched", "location+specialty+classification", self.our(first, last), self.their(first, last))
        self.know("left_only", "taken", self.our(first, last, "white"))
        # NULL agrees with nothing, and neither with NULL.
        first, last = self.name()
        c = self.our(first, last, None, None, "Leader")
        d = self.our(first, last, None, None, None)
        self.know("matched", "classification", c, self.their(first, last, None, None, "LEADER"))
        self.know("matched", "elimination", d, self.their(first, last, None, None, None))

    def ambiguous(self):
        # Two and two that agree in all.
        first, last = self.name()
        for _ in range(2):
            self.know("ambiguous", "location+specialty+classification", self.our(first, last))
            self.know("ambiguous", "location+specialty+classification", theirs=self.their(first, last))
        self.know("ambiguous", "keys", self.our(first, last, "white", "psychology", "Popular"))
        # One of them, two of us, nothing to tell by.
        first, last = self.name()
        self.know("ambiguous", "keys", theirs=self.their(first, last, None, None, None))
        for location in ("red", "green"):
            self.know("ambiguous", "keys", self.our(first, last, location))
        # In one location three to one; the others match all the same.
        first, last = self.name()
        for _ in range(3):
            self.know("ambiguous", "location", self.our(first, last, "black", "psychology", None))
        self.know("ambiguous", "location", theirs=self.their(first, last, "black", "Cardiology", None))
        self.know("matched", "location+specialty", self.our(first, last, "white", "psychology", None),
                  self.their(first, last, "white", "Psychology", "Leader"))
        self.know("ambiguous", "keys", theirs=self.their(first, last, "red", "Dermatology", "Popular"))

    def one_sided(self):
        for _ in range(5):
            self.know("left_only", "no_counterpart", self.our(*self.name()))
            self.know("right_only", "no_counterpart", theirs=self.their(*self.name()))

    def odd_names(self):
        """Two keys are not one text, and a name may be anything."""
        _, last = self.name()
        self.know("left_only", "no_counterpart", self.our("Ab", "c" + last))
        self.know("right_only", "no_counterpart", theirs=self.their("Abc", last))
        self.know("right_only", "no_counterpart", theirs=self.their("Long", "x" * 200_000))
        for first in ("🩺", "\\N", "NULL", "a\tb", "'; DROP TABLE user; --", "\x01\x7f", "{}", '"', "%s", "-", "\ufeff", "e\u0301\u0327", "\u200b"):
            _, last = self.name()
            self.pair(first, last, first, last)

    def no_names(self):
        for first, last in ((None, "Nofirst"), ("Nolast", None), (None, None), ("", "Empty"), (" \u00a0\u2003", "Blank"), ("Blank", "\t\n")):
            self.know("left_only", "no_key", self.our(first, last))
            self.know("right_only", "no_key", theirs=self.their(first, last))
        first, last = self.name()
        them = self.their(first, last)
        del self.theirs[-1]["firstname"]  # a member that is missing
        self.know("right_only", "no_key", theirs=them)

    def dates(self):
        """The report speaks for 2017-02-02: 30 days before is 2017-01-03."""
        for date in ("2017-02-02", "2017-01-03", "2017-01-02", "2017-02-03", "2999-12-31", "soon", "", None, "2017-02-02T23:59:59",
                     "2017-01-03 00:00:00+09", "2017-02-30", "2016-02-29", "2017-1-5", "17-01-05", "02/01/2017", "0001-01-01", "20170201",
                     "2017-01-20x", " 2017-01-20"):
            first, last = self.name()
            self.pair(first, last, first, last, ours_active=date, theirs_active=date)

    def no_practice(self):
        first, last = self.name()
        self.pair(first, last, first, last, ours_practice_id=None)
        first, last = self.name()
        self.pair(first, last, first, last, ours_practice_id=404)  # a practice that is not there

    def twice(self):
        """Ids that come again: the first stands, in whatever the others differ."""
        first, last = self.name()
        self.pair(first, last, first, last, ours_location="twice")  # its practice is there twice
        first, last = self.name(plain=True)
        them = self.their(first, last)
        self.know("matched", "keys", self.our(first, last), them)
        self.theirs += [{**self.theirs[-1]} for _ in range(3)]
        self.theirs.append({**self.theirs[-1], "id": str(them)})  # as text it is the same

    def bad_rows(self):
        """What cannot be taken harms nobody else."""
        self.our("Noid", "Ours", id=None)
        self.theirs.append({"id": None, "firstname": "Noid", "lastname": "Theirs", "last_active_date": "2017-02-01"})
        self.theirs.append({"firstname": "Noid", "lastname": "At all"})
        self.theirs.append({"id": "", "firstname": "Noid", "lastname": "Empty"})
        self.theirs.append({"id": 900_001, "firstname": "Nul\0byte", "lastname": "Theirs"})
        self.theirs.append({"id": 900_002, "firstname": "Half \ud83d", "lastname": "Pair"})
        self.theirs.append(["no", "object"])

    def crowd(self, n, first="Maria", last="García"):
        """So many of one name on each side. Half of them have a location of their own; the rest cannot be told apart."""
        for i in range(n):
            own = i % 2 == 0
            ours = self.our(first, last, specialty=None, klass=None)
            theirs = self.their(first.upper(), f" {last}", f"Crowd {i}" if own else None, None, None)
            if own:
                self.practices.append({"id": 1000 + i, "name": "of one", "location": f"crowd_{i}".replace("_", " ")})
                self.ours[-1]["practice_id"] = 1000 + i
                self.know("matched", "location", ours, theirs)
            else:
                self.ours[-1]["practice_id"] = None
                self.know("ambiguous", "keys", ours)
                self.know("ambiguous", "keys", theirs=theirs)
        return self

    def tangle(self, n, names=12):
        """Few names and few values to tell them apart by, at random: every level of agreement, in every way to be contested."""
        d = self.draw

        def some(values):
            return d.choice([None, None, "", " \u00a0"]) if d.random() < 0.25 else d.choice(values)
        for _ in range(n):
            for side in (self.our, self.their):
                if d.random() < 0.8:
                    side(d.choice(["Ann", "ann ", None, "Bob"]), f"Tangle{d.randrange(names)}", some(LOCATIONS[:3]), some(SPECIALTIES[:2]),
                         some(CLASSES[:2]), some([REPORT, "2016-01-01"]))
        return self

    def many(self, n, shared=0.05):
        """Ordinary ones, quickly made: most of ours the vendor does not know, some share a name with others."""
        d = self.draw
        for i in range(n):
            last = f"L{d.randrange(int(n * (1 - shared)) + 1):07}"
            row = (d.choice(LOCATIONS), d.choice(SPECIALTIES), d.choice(CLASSES), self.date())
            self.our("Ann", last, *row)
            if d.random() < 0.5:
                self.their("ANN ", last.lower(), row[0], row[1].replace("_", " ").title(), row[2], self.date())
        return self

    # What a match reads.

    def our_side(self, columns=OURS_COLUMNS):
        """The SELECT with its LEFT JOIN, as text."""
        locations = collections.defaultdict(list)
        for p in self.practices:
            locations[p["id"]].append(p["location"])
        rows = [{**{k: cell(v) for k, v in row.items()}, "location": location}
                for row in self.ours for location in (locations.get(row["practice_id"]) or [None])]
        return Side("ours", rows, list(columns))

    def their_side(self, served=None, columns=THEIR_COLUMNS):
        """As the API hands them out."""
        rows = self.theirs if served is None else served
        return Side("vendor", [vendor_row(r, columns) for r in rows], list(columns))


def vendor_row(row, columns):
    raw = json.dumps(row)
    if not isinstance(row, dict):
        return Reject("not_an_object", raw)
    kept = [row.get(c) for c in ("id", *columns)]
    if any(isinstance(v, str) and "\0" in v for v in kept):
        return Reject("nul_byte", raw)
    if any(isinstance(v, str) and any("\ud800" <= c <= "\udfff" for c in v) for v in kept):
        return Reject("bad_encoding", raw)
    return {k: cell(row.get(k)) for k in ("id", *columns)}


def cell(value):
    return None if value is None else str(value)
