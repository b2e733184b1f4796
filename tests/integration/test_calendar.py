"""
A fake clock through whole years: the schedules' firings against an oracle of its own. It walks a year minute by minute
with Python's zoneinfo, notes what the clocks show, and goes by the rule as lib/calendar/schedule.h tells it to people.
CALENDAR_SEED=n in the environment makes other lines.
"""
import bisect
import datetime
import functools
import os
import random
import subprocess
import zoneinfo

import pytest

import programs

FIRINGS = programs.BUILD / "tests/unit/calendar/firings"
SEED = os.environ.get("CALENDAR_SEED", "1")
LINES_A_YEAR = 12
EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()

YEARS = [
    ("UTC", 2026),
    ("Europe/Berlin", 2026), ("Europe/Dublin", 2027), ("America/New_York", 2026), ("America/New_York", 1974),
    ("America/Havana", 2026), ("Asia/Beirut", 2026), ("Asia/Gaza", 2012), ("Asia/Kolkata", 2028),
    ("Africa/Casablanca", 2026), ("Australia/Lord_Howe", 2026), ("Australia/Sydney", 2044),
    ("Pacific/Chatham", 2026), ("Pacific/Apia", 2011), ("Pacific/Kwajalein", 1969), ("America/Sao_Paulo", 2018),
    ("America/Santiago", 2096), ("America/Nuuk", 2030),
]


@functools.lru_cache(maxsize=1)
def walk_through(zone, year):
    return Walk(zone, year)


class Walk:
    """
    What the clocks of a zone show, minute by minute, a year long. Instants and clock times are counted in minutes since
    1970, clock times as if they were UTC.
    """

    def __init__(self, name, year):
        self.first = minutes_until(year, 1, 1)
        self.end = minutes_until(year + 1, 1, 1)
        instants = range(self.first - 2880, self.end + 2880)
        clocks = self.clocks(zoneinfo.ZoneInfo(name), instants)
        self.earlier = dict(zip(reversed(clocks), reversed(instants)))  # the first that shows a clock time
        self.later = dict(zip(clocks, instants))                        # the last; mostly the same
        self.skipped = {}                                               # a clock time that none shows -> the change
        self.changes = [i for i in range(1, len(clocks)) if clocks[i] != clocks[i - 1] + 1]
        for i in self.changes:
            self.skipped.update((clock, instants[i]) for clock in range(clocks[i - 1] + 1, clocks[i]))
        self.changes = [instants[i] for i in self.changes]

    @staticmethod
    def clocks(zone, instants, stride=10):
        """What is shown at each; minutes between two of one offset are not asked one by one."""
        def offset(instant):
            seconds = int(datetime.datetime.fromtimestamp(instant * 60, zone).utcoffset().total_seconds())
            assert seconds % 60 == 0, "a year of a zone that this oracle is not made for"
            return seconds // 60

        shown, ahead = [], offset(instants[0])
        for block in instants[::stride]:
            before, ahead = ahead, offset(block + stride)
            if before == ahead:
                shown.extend(range(block + ahead, block + stride + ahead))
            else:
                shown.extend(instant + offset(instant) for instant in range(block, block + stride))
        return shown

    def firings(self, line):
        """In the year, in seconds."""
        found = set()
        for clock in line.clock_times(self.first - 2880, self.end + 2880):
            if clock in self.earlier:
                found.add(self.earlier[clock])
                if line.follows_instants:
                    found.add(self.later[clock])
            elif clock in self.skipped and not line.follows_instants:
                found.add(self.skipped[clock])
        return sorted(t * 60 for t in found if self.first <= t < self.end)


def minutes_until(year, month, day):
    return (datetime.date(year, month, day).toordinal() - EPOCH_DAY) * 1440


class Line:
    """A cron line together with what it means, so that nothing has to read it."""

    def __init__(self, text, minutes, hours, days=range(1, 32), months=range(1, 13), weekdays=range(7)):
        self.text = text
        self.minutes, self.hours, self.days, self.months = minutes, hours, days, months
        self.weekdays = {w % 7 for w in weekdays}
        self.minute_text, self.hour_text, self.day_text, _, self.weekday_text = text.split()

    @classmethod
    def thrown(cls, dice):
        fields = [field(dice, 0, 59), field(dice, 0, 23, likely=[0, 1, 1, 2, 2, 3, 23]), field(dice, 1, 31, star=0.6),
                  field(dice, 1, 12, names=MONTHS, star=0.7), field(dice, 0, 7, names=WEEKDAYS, star=0.6)]
        return cls(" ".join(text for text, _ in fields), *(values for _, values in fields))

    @property
    def follows_instants(self):
        return self.minute_text[0] == "*" or self.hour_text[0] == "*"

    def fits_day(self, date):
        day, weekday = date.day in self.days, date.isoweekday() % 7 in self.weekdays
        both_restricted = self.day_text[0] != "*" and self.weekday_text[0] != "*"
        return date.month in self.months and (day or weekday if both_restricted else day and weekday)

    def clock_times(self, first, end):
        for number in range(first // 1440, end // 1440 + 1):
            if self.fits_day(datetime.date.fromordinal(number + EPOCH_DAY)):
                yield from (number * 1440 + h * 60 + m for h in self.hours for m in self.minutes)


def field(dice, least, most, names=(), likely=(), star=0.25):
    """One field's text, and the set of values it stands for."""
    if dice.random() < star:
        step = dice.choice([1, 1, 1, 2, 3, 7, 20])
        if step == 1 or step > most:
            return "*", set(range(least, most + 1))
        return f"*/{step}", set(range(least, most + 1, step))
    texts, values = [], set()
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        low = dice.choice(likely) if likely and dice.random() < 0.7 else dice.randint(least, most)
        if dice.random() < 0.5:
            texts.append(word(dice, low, least, names))
            values.add(low)
            continue
        high = min(most, low + dice.choice([0, 1, 2, 5, 100]))
        step = dice.randint(1, min(most, 12))
        with_step = dice.random() < 0.5
        texts.append(f"{word(dice, low, least, names)}-{word(dice, high, least, names)}" + (f"/{step}" * with_step))
        values.update(range(low, high + 1, step if with_step else 1))
    return ",".join(texts), values


def word(dice, value, least, names):
    if value - least >= len(names) or dice.random() < 0.5:
        return dice.choice([str(value), f"{value:02}"])
    return dice.choice([str.lower, str.upper, str.title])(names[value - least])


def ask(*arguments, stdin=""):
    return subprocess.run([FIRINGS, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=60)


def check_chains(zone, text, expected, first, end):
    told = ask(zone, text, first, end)
    if told.returncode == 1 and "never fires" in told.stderr:
        assert expected == []
        return False
    assert told.returncode == 0, f"{zone} {text}: {told.stderr}"
    lines = told.stdout.split("\n")[:-1]
    middle, expected_lines = lines.index(""), list(map(str, expected))
    assert_same(f"{zone} \"{text}\" forwards", lines[:middle], expected_lines)
    assert_same(f"{zone} \"{text}\" backwards", lines[:middle:-1], expected_lines)
    return True


def assert_same(what, got, expected):
    if got == expected:
        return
    odd = sorted(set(got) ^ set(expected), key=int)[:5]
    words = [f"{datetime.datetime.utcfromtimestamp(int(t))} is {'too many' if t in got else 'missing'}" for t in odd]
    pytest.fail(f"{what}: {len(got)} firings, {len(expected)} expected; {', '.join(words) or 'out of order'}")


def check_neighbours(zone, text, expected, probes):
    """From any instant, in microseconds: the last firing before it, the first after it."""
    probes = [p for p in probes if expected and expected[0] * 10**6 < p < expected[-1] * 10**6]
    told = ask(zone, text, stdin="\n".join(map(str, probes)))
    answers = [tuple(map(int, line.split())) for line in told.stdout.splitlines()]
    for probe, answer in zip(probes, answers, strict=True):
        before = expected[bisect.bisect_left(expected, probe / 10**6) - 1]
        after = expected[bisect.bisect_right(expected, probe / 10**6)]
        assert answer == (before, after), f"{zone} \"{text}\" around {probe}"


def probes_of(dice, walk, expected):
    """Some anywhere, some at firings and a microsecond beside them, most around changes of the clock."""
    probes = [dice.randrange(walk.first * 60, walk.end * 60) * 10**6 + dice.randrange(10**6) for _ in range(20)]
    for t in dice.sample(expected, min(5, len(expected))):
        probes += [t * 10**6 - 1, t * 10**6, t * 10**6 + 1]
    for change in walk.changes:
        probes += [change * 60 * 10**6 + dice.randint(-3 * 3600, 3 * 3600) * 10**6 for _ in range(10)]
        probes += [change * 60 * 10**6 + d for d in (-1, 0, 1)]
    return probes


@pytest.fixture(scope="module", autouse=True)
def firings_built():
    if not FIRINGS.exists():
        pytest.fail(f"not built: {FIRINGS}; set INGESTD_BUILD to the build directory, configured with -Dtests=true")


@pytest.mark.parametrize("zone,year", YEARS)
def test_a_year_of_cron(zone, year):
    dice = random.Random(f"{SEED} {zone} {year}")
    walk = walk_through(zone, year)
    n_fired = 0
    for _ in range(LINES_A_YEAR):
        line = Line.thrown(dice)
        expected = walk.firings(line)
        if check_chains(zone, line.text, expected, walk.first * 60, walk.end * 60):
            check_neighbours(zone, line.text, expected, probes_of(dice, walk, expected))
        n_fired += len(expected)
    assert n_fired > 0


@pytest.mark.parametrize("zone,year", [("Europe/Berlin", 2026), ("Australia/Lord_Howe", 2026), ("Pacific/Apia", 2011)])
def test_a_daily_line_at_every_hour_of_the_year(zone, year):
    """Once for each day, whatever the clocks do: also on the day that was skipped, at its end."""
    walk = walk_through(zone, year)
    days = (walk.end - walk.first) // 1440
    for hour in range(24):
        line = Line(text=f"15 {hour} * * *", minutes={15}, hours={hour})
        expected = walk.firings(line)
        assert len(expected) in ((days, days + 1) if zone == "Pacific/Apia" else (days,))
        check_chains(zone, line.text, expected, walk.first * 60, walk.end * 60)


@pytest.mark.parametrize("interval,seconds", [("90s", 90), ("7m", 420), ("10m", 600), ("6h", 21600), ("10d", 864000)])
def test_a_year_of_every(interval, seconds):
    first, end = minutes_until(2026, 1, 1) * 60, minutes_until(2027, 1, 1) * 60
    expected = list(range(-(-first // seconds) * seconds, end, seconds))
    check_chains("Europe/Berlin", f"every {interval}", expected, first, end)


def test_a_year_of_minutes():
    walk = walk_through("Europe/Berlin", 2026)
    told = ask("Europe/Berlin", "* * * * *", walk.first * 60, walk.end * 60)
    assert len(told.stdout.split()) == 2 * 365 * 1440


def test_a_machine_without_zones():
    """It knows UTC, and says what to install for the rest."""
    def ask_there(zone):
        script = 'mount -t tmpfs none /usr/share/zoneinfo && exec "$@"'
        return subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", FIRINGS, zone, "*/5 * * * *", "0", "301"],
                              capture_output=True, text=True, timeout=60)

    told = ask_there("UTC")
    if told.returncode != 0 and told.stderr.startswith(("unshare:", "mount:")):
        pytest.skip("namespaces are not to be had here")
    assert told.stdout.split() == ["0", "300", "300", "0"]
    told = ask_there("Europe/Berlin")
    assert told.returncode == 1 and "install tzdata" in told.stderr
