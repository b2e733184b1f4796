"""What only the server can say no to, and column types beyond the practice's own: isolated, never contagious."""
import json
import uuid

import pytest

import oracle
from office import MARKER
from servers import wait_until

TABLE = "CREATE TABLE visit(id bigint PRIMARY KEY, v {type}, tsp timestamptz NOT NULL)"
COLUMNS = {"id": "id", "v": "v", "tsp": "@received"}


def visit_office(office, type_, before="", **stream):
    office.sql(TABLE.format(type=type_) if "CREATE" not in type_ else type_)
    office.sql("GRANT ALL ON visit TO dataeng")
    if before:
        office.sql(before)
    return {**office.redis_stream("claim", columns=stream.pop("columns", COLUMNS)), "name": "visit",
            "source": office.redis.url("visit"), "table": "visit", **stream}


def run(office, stream, values, as_json=True):
    """Publishes {"id": i, "v": value} for each and waits until all have found their end."""
    office.add("visit", [{"data": json.dumps({"id": i, "v": v})} if as_json else {"id": str(i), "v": v}
                         for i, v in enumerate(values)])
    daemon = office.daemon([stream])
    wait_until(lambda: office.accounted("visit") == len(values), what="all to be accounted for")
    delivered, inserted, duplicate, dead = oracle.ledger(office.sql, "visit")
    assert delivered == inserted + duplicate + dead == len(values)
    assert office.sql("SELECT count(*) FROM visit") == [(inserted,)]
    oracle.reconcile_ok(daemon)
    return daemon


def stored(office, cast="v"):
    return dict(office.sql(f"SELECT id, {cast} FROM visit"))


def assert_one_dead(office, id_, reasons, sqlstate=None):
    letter, = office.letters("visit")
    assert letter["state"] == "dead" and letter["reason"] in reasons, letter
    assert letter["payload"] and json.loads(letter["payload"])["id"] == id_
    assert MARKER not in (letter["detail"] or "")
    if sqlstate and letter["sqlstate"]:
        assert letter["sqlstate"] == sqlstate
    assert letter["reason"] != "refused" or letter["sqlstate"], "a refusal without its SQLSTATE"
    return letter


def many(bad, at=57, n=200):
    """Two hundred good values with a bad one among them."""
    return [bad if i == at else f"good {i}" for i in range(n)]


# Constraints.

def test_check_constraint(office):
    stream = visit_office(office, f"text CHECK (v NOT LIKE '{MARKER[:3]}%')")
    run(office, stream, many(MARKER))
    assert_one_dead(office, 57, {"check"}, "23514")
    assert len(stored(office)) == 199


def test_check_over_a_column_that_is_not_mapped(office):
    stream = visit_office(office, "CREATE TABLE visit(id bigint PRIMARY KEY, v text, tsp timestamptz NOT NULL,"
                                  " other text DEFAULT 'x', CHECK (v <> 'bad' OR other <> 'x'))")
    run(office, stream, many("bad"))
    assert_one_dead(office, 57, {"check", "refused"}, "23514")


def test_check_with_a_function_of_the_practices_own(office):
    office.sql("CREATE FUNCTION is_fine(text) RETURNS bool LANGUAGE sql IMMUTABLE AS $$ SELECT $1 <> 'bad' $$")
    run(office, visit_office(office, "text CHECK (is_fine(v))"), many("bad"))
    assert_one_dead(office, 57, {"check"}, "23514")


def test_check_that_fails_to_compute(office):
    """The expression itself raises for one row: 22P02 out of the practice's own cast."""
    run(office, visit_office(office, "text CHECK (length(v) > 8 OR v::int > 0)"),
        ["no" if i == 57 else str(i + 1) for i in range(200)])
    assert_one_dead(office, 57, {"refused", "check"}, "22P02")


@pytest.mark.parametrize("where", ["in one batch", "in the table"])
def test_other_unique_constraint(office, where):
    stream = visit_office(office, "text UNIQUE")
    values = [f"good {i}" for i in range(100)]
    if where == "in the table":
        office.sql("INSERT INTO visit VALUES (-1, 'taken', now())")
        values[57] = "taken"
    else:
        values[20] = values[57] = "taken"
    office.add("visit", [{"data": json.dumps({"id": i, "v": v})} for i, v in enumerate(values)])
    office.daemon([stream])
    wait_until(lambda: office.accounted("visit") == 100, what="all to be accounted for")
    assert_one_dead(office, 57, {"not_unique"}, "23505")
    assert 20 in stored(office) and len([i for i in stored(office) if i >= 0]) == 99
    assert oracle.ledger(office.sql, "visit")[3] == 1


# How to make the server refuse a row that holds the marker, with a table of (id, v, tsp).
LOUD = {
    "another unique constraint": "ALTER TABLE visit ADD UNIQUE (v)",
    "a unique index over an expression": "CREATE UNIQUE INDEX ON visit (lower(v))",
    "an exclusion constraint": "ALTER TABLE visit ADD EXCLUDE USING btree (v WITH =)",
    "a check over a column that is not mapped":
        "ALTER TABLE visit ADD other text DEFAULT 'x', ADD CHECK (v NOT LIKE 'PLANTED%%' OR other <> 'x')",
    "a check that fails to compute": "ALTER TABLE visit ADD CHECK (v NOT LIKE 'PLANTED%%' OR v::int > 0)",
    "a trigger that nulls a column":
        "ALTER TABLE visit ADD other text NOT NULL DEFAULT 'x'; CREATE FUNCTION harm() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN IF NEW.v LIKE 'PLANTED%%' THEN NEW.other := NULL; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER harm BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION harm()",
    "a trigger that raises":
        "CREATE FUNCTION harm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v LIKE 'PLANTED%%' THEN"
        " RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER harm BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION harm()",
}


@pytest.mark.parametrize("how", LOUD)
def test_row_refused_by_the_server_is_not_in_its_log(office, how):
    """The server's own words for a refusal quote the row (DETAIL); teardown looks for the marker in its log."""
    stream = visit_office(office, "text", before=LOUD[how].replace("%%", "%"))
    values = many(MARKER)
    values[20] = MARKER
    office.add("visit", [{"data": json.dumps({"id": i, "v": v})} for i, v in enumerate(values)])
    office.daemon([stream])
    wait_until(lambda: office.accounted("visit") == 200, what="all to be accounted for")
    assert len([i for i in stored(office) if i not in (20, 57)]) == 198


def test_trigger_that_raises(office):
    stream = visit_office(office, "text")
    office.sql("CREATE FUNCTION grumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
               " IF NEW.v = 'bad' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$")
    office.sql("CREATE TRIGGER grumble BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION grumble()")
    run(office, stream, many("bad"))
    assert_one_dead(office, 57, {"refused"}, "P0001")
    assert len(stored(office)) == 199


def test_trigger_that_raises_for_many(office):
    """A third of a large batch: isolated without a statement for each row being the only way."""
    stream = visit_office(office, "text")
    office.sql("CREATE FUNCTION grumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
               " IF NEW.id % 3 = 0 THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$")
    office.sql("CREATE TRIGGER grumble BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION grumble()")
    run(office, stream, [f"v{i}" for i in range(900)])
    assert len(stored(office)) == 600 and len(office.letters("visit")) == 300


def test_trigger_that_swallows_a_row(office):
    """RETURN NULL: the row is nowhere, and the accounts must not say that it is stored."""
    stream = visit_office(office, "text")
    office.sql("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
               " IF NEW.v = 'bad' THEN RETURN NULL; END IF; RETURN NEW; END $$")
    office.sql("CREATE TRIGGER swallow BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION swallow()")
    office.add("visit", [{"data": json.dumps({"id": i, "v": v})} for i, v in enumerate(many("bad"))])
    office.daemon([stream])
    wait_until(lambda: office.accounted("visit") == 200, what="all to be accounted for")
    delivered, inserted, duplicate, dead = oracle.ledger(office.sql, "visit")
    assert (delivered, inserted) == (200, 199) and duplicate + dead == 1


def test_deferred_foreign_key_is_no_trap(office):
    stream = visit_office(office, "CREATE TABLE visit(id bigint PRIMARY KEY, v int REFERENCES patient DEFERRABLE"
                                  " INITIALLY DEFERRED, tsp timestamptz NOT NULL)")
    office.add("visit", [{"data": json.dumps({"id": i, "v": 0 if i == 5 else 1})} for i in range(20)])
    office.daemon([stream])
    wait_until(lambda: office.accounted("visit") == 20, what="all to be accounted for")
    assert len(stored(office)) == 19 and office.letters("visit")[0]["reason"] == "no_parent"


def test_foreign_key_of_two_columns(office):
    office.sql("CREATE TABLE place(a int, b text, PRIMARY KEY (a, b))")
    office.sql("GRANT ALL ON place TO dataeng")
    office.sql("INSERT INTO place VALUES (1, 'x')")
    stream = visit_office(office, "CREATE TABLE visit(id bigint PRIMARY KEY, a int, v text, tsp timestamptz NOT NULL,"
                                  " FOREIGN KEY (a, v) REFERENCES place)", columns={**COLUMNS, "a": "a"})
    rows = [{"id": 1, "a": 1, "v": "x"}, {"id": 2, "a": 1, "v": "y"}, {"id": 3, "v": "y"}]
    office.add("visit", [{"data": json.dumps(r)} for r in rows])
    office.daemon([stream])
    wait_until(lambda: office.accounted("visit") == 3, what="all to be accounted for")
    assert sorted(stored(office)) == [1, 3], "a NULL in a foreign key points nowhere and is no fault (MATCH SIMPLE)"
    assert office.letters("visit")[0]["state"] == "parked"


def test_nullable_columns_take_absence_and_null(office):
    stream = visit_office(office, "text")
    office.add("visit", [{"data": '{"id": 1}'}, {"data": '{"id": 2, "v": null}'}, {"data": '{"id": 3, "v": ""}'}])
    office.daemon([stream])
    wait_until(lambda: office.accounted("visit") == 3, what="all to be accounted for")
    assert stored(office) == {1: None, 2: None, 3: ""}


def test_key_of_two_columns(office):
    stream = visit_office(office, "CREATE TABLE visit(id bigint, v text, tsp timestamptz NOT NULL,"
                                  " PRIMARY KEY (v, id))")
    office.add("visit", [{"data": json.dumps({"id": i, "v": v})} for i, v in
                         [(1, "a"), (1, "b"), (1, "a"), (2, "a"), (1, "b")]])
    office.daemon([stream])
    wait_until(lambda: office.accounted("visit") == 5, what="all to be accounted for")
    assert oracle.ledger(office.sql, "visit") == (5, 3, 2, 0)


# Types: what is sent, and what must be in the table (as text), or the reasons that are true.

TYPES = {
    "smallint": ("smallint", [(32767, "32767"), (32768, {"out_of_range"}), ("1", {"wrong_type"}), (-32768, "-32768")]),
    "numeric(10,2)": ("numeric(10,2)", [(1.005, "1.01"), (0.005, "0.01"), (-0.005, "-0.01"), (1e-30, "0.00"),
                                        (99999999.99, "99999999.99"), (99999999.995, {"out_of_range"}),
                                        (100000000, {"out_of_range"})]),
    "numeric": ("numeric", [(12345678901234567890, "12345678901234567890"), (0.1, "0.1"), (-7, "-7")]),
    "real": ("real", [(1.5, "1.5"), (1e39, {"out_of_range"}), (0.1, "0.1")]),
    "double precision": ("double precision", [(1e308, "1e+308"), (0.1, "0.1"), (-0.0, "-0")]),
    "boolean": ("boolean", [(True, "true"), (False, "false"), (1, {"wrong_type"}), ("true", {"wrong_type", "true"})]),
    "text": ("text", [("x" * 100000, "x" * 100000), ("é\U0001f600", "é\U0001f600"), (5, {"wrong_type", "5"})]),
    "char(3)": ("char(3)", [("ab", "ab "), ("abcd", {"too_long"})]),
    "date": ("date", [("2024-02-29", "2024-02-29"), ("2023-02-29", {"wrong_type", "out_of_range"}),
                      ("today", {"wrong_type"}), ("0001-01-01", "0001-01-01"), ("29.02.2024", {"wrong_type"})]),
    "timestamp": ("timestamp", [("2024-05-01T08:00:00.123456", "2024-05-01 08:00:00.123456"),
                                ("2024-05-01 08:00:00", "2024-05-01 08:00:00"),
                                ("2024-13-01T00:00:00", {"wrong_type", "out_of_range"}), ("now", {"wrong_type"})]),
    "timestamptz": ("timestamptz", [("2024-05-01T08:00:00Z", "2024-05-01 08:00:00+00"),
                                    ("2024-05-01T08:00:00+02:00", "2024-05-01 06:00:00+00"),
                                    ("2024-05-01T25:00:00Z", {"wrong_type", "out_of_range"})]),
    "uuid": ("uuid", [(str(uuid.UUID(int=5)), str(uuid.UUID(int=5))), ("nope", {"wrong_type"}), (5, {"wrong_type"})]),
    "jsonb": ("jsonb", [({"a": [1, None]}, '{"a": [1, null]}'), ([1], "[1]"), ("text", '"text"'), (True, "true"),
                        ({"a": "b\0c"}, {"nul_in_text"})]),
    "json": ("json", [({"a": 1}, '{"a": 1}'), (5, "5")]),
    "enum": ("mood", [("sad", "sad"), ("angry", {"wrong_type"}), (1, {"wrong_type"})]),
}


@pytest.mark.parametrize("name", TYPES)
def test_type(office, name):
    type_, cases = TYPES[name]
    if type_ == "mood":
        office.sql("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    stream = visit_office(office, type_)
    run(office, stream, [value for value, _ in cases])
    office.sql("SET TIME ZONE 'UTC'")
    rows = stored(office, "v::text" if name != "char(3)" else "rpad(v::text, 3)")
    reasons = {json.loads(letter["payload"])["id"]: letter["reason"] for letter in office.letters("visit")}
    for i, (value, want) in enumerate(cases):
        if isinstance(want, set):
            assert reasons.get(i, rows.get(i)) in want, f"{value!r} became {rows.get(i)!r} or {reasons.get(i)!r}"
        else:
            assert rows.get(i) == want, f"{value!r} became {rows.get(i)!r}, {reasons.get(i)!r}"


FIELDS = {
    "bigint": [("5", "5"), ("-0", "0"), ("5.0", {"5", "wrong_type"}), (" 5", {"wrong_type"}), ("five", {"wrong_type"})],
    "boolean": [("true", "true"), ("f", "false"), ("yes", {"wrong_type"})],
    "numeric": [("3.50", "3.50"), ("1e2", "100"), ("", {"wrong_type"})],
    "text": [("", ""), ("null", "null")],
    "jsonb": [('{"a": 1}', '{"a": 1}'), ("{", {"wrong_type", "not_json"})],
}


@pytest.mark.parametrize("type_", FIELDS)
def test_type_in_the_shape_of_fields(office, type_):
    cases = FIELDS[type_]
    run(office, visit_office(office, type_), [value for value, _ in cases], as_json=False)
    rows = stored(office, "v::text")
    reasons = sorted(letter["reason"] for letter in office.letters("visit"))
    for i, (value, want) in enumerate(cases):
        if isinstance(want, set):
            well = rows.get(i) in want or (i not in rows and set(reasons) & want)
            assert well, f"{value!r} became {rows.get(i)!r}, {reasons}"
        else:
            assert rows.get(i) == want, f"{value!r} became {rows.get(i)!r}, {reasons}"


@pytest.mark.parametrize("type_, expression", [
    ("timestamp", "to_char(tsp, 'YYYY-MM-DD HH24:MI')"), ("date", "to_char(tsp, 'YYYY-MM-DD')"),
    ("timestamptz", "to_char(tsp AT TIME ZONE 'Pacific/Auckland', 'YYYY-MM-DD HH24:MI')"),
])
def test_received_in_the_streams_time_zone(office, type_, expression):
    """An entry of 2024-07-01 20:00 UTC is of 2024-07-02 08:00 in Auckland, whatever zone the server lives in."""
    office.sql(f"ALTER DATABASE {office.database} SET timezone = 'America/Lima'")
    stream = visit_office(office, f"CREATE TABLE visit(id bigint PRIMARY KEY, v text, tsp {type_} NOT NULL)",
                          time_zone="Pacific/Auckland")
    office.client.xadd("visit", {"data": '{"id": 1, "v": "x"}'}, id="1719864000000-0")
    office.daemon([stream])
    wait_until(lambda: office.accounted("visit") == 1, what="the entry")
    want = "2024-07-02" if type_ == "date" else "2024-07-02 08:00"
    assert office.sql(f"SELECT {expression} FROM visit") == [(want,)]


def test_generated_and_default_columns_are_the_servers(office):
    stream = visit_office(office, "CREATE TABLE visit(id bigint PRIMARY KEY, v text, tsp timestamptz NOT NULL,"
                                  " n int NOT NULL DEFAULT 7, w text GENERATED ALWAYS AS (upper(v)) STORED)")
    run(office, stream, ["a", "b"])
    assert office.sql("SELECT n, w FROM visit ORDER BY id") == [(7, "A"), (7, "B")]


def test_partitioned_table(office):
    """A row without a partition is the server's to refuse (23514)."""
    stream = visit_office(office, "CREATE TABLE visit(id bigint PRIMARY KEY, v text, tsp timestamptz NOT NULL)"
                                  " PARTITION BY RANGE (id)",
                          before="CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM (0) TO (150)")
    office.add("visit", [{"data": json.dumps({"id": i, "v": "x"})} for i in (1, 2, 500, 3)])
    office.daemon([stream])
    wait_until(lambda: office.accounted("visit") == 4, what="all to be accounted for")
    assert sorted(stored(office)) == [1, 2, 3]
    assert office.letters("visit")[0]["reason"] in ("refused", "check")
