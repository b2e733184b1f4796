"""db_load and db_cursor against real servers, by way of tests/unit/db/run_bulk."""
import contextlib
import json

import pytest

from programs import BUILD
from servers import StallProxy, wait_until
from test_db import MARKER, Said, begin, db, finish, my, pg, well as sql_well  # noqa: F401: fixtures

RUN_BULK = BUILD / "tests/unit/db/run_bulk"


def bulk(url, text, *options, timeout=60):
    return finish(begin(url, text, *map(str, options), program=RUN_BULK), timeout)


def fine(url, text, *options, timeout=60):
    said = bulk(url, text, *options, timeout=timeout)
    assert not said.faults, said.faults
    return said


def number(said, name):
    return said._of(name)[0][name]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


EVERY_CHARACTER = "".join(chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000)
HARD = [["1", None, ""], ["2", "", None], ["3", "a\tb\nc\\d'e\"f`g\r\bh\x1a%s;", "\\N"], ["4", "N", "\\"],
        ["5", "\\\\N\\", "\\.\n\\."], ["6", " spaces ", "ü€😀𝄞"], ["7", "NULL", "null"], ["8", ",|\"", "\t\t\n\n"]]


def make(db, columns="a int PRIMARY KEY, b text, c text"):
    sql_well(db.url(), f"CREATE TABLE t ({columns})")


def test_what_goes_in_comes_out(db):
    make(db)
    said = fine(db.url(), lines(HARD), "--load", "t", "a", "b", "c")
    assert number(said, "loaded") == len(HARD)
    said = fine(db.url(), "SELECT a, b, c FROM t ORDER BY a", "--cursor", "3")
    assert said.rows == HARD and number(said, "read") == len(HARD)
