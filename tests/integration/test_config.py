"""The configuration: every mistake is named with its line, and what does not fit is refused, not guessed."""
import json

import pytest

import oracle
from office import COLUMNS, claim, diagnose
from servers import wait_until

CHECK_OK, CHECK_FAILED = 0, 1


@pytest.fixture
def unstarted(office):
    return office.daemon(start=False)


def replace(daemon, old, new):
    text = daemon.config_path.read_text()
    assert old in text
    daemon.config_path.write_text(text.replace(old, new, 1))


def line_of(daemon, words):
    lines = daemon.config_path.read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if words in line)


def assert_refused(daemon, line_words, *said):
    """`check`, and the daemon itself, name the file, the line and the mistake."""
    where = f"{daemon.config_path}:{line_of(daemon, line_words)}:"
    done = daemon.ctl_raw("check", daemon.config_path)
    words = done.stdout + done.stderr
    assert done.returncode == CHECK_FAILED and where in words, words
    for s in said:
        assert s in words, words
    daemon.start(wait=False)
    assert daemon.wait(20) != 0
    assert where in daemon.log_text()


def test_a_good_one(unstarted):
    assert unstarted.ctl_raw("check", unstarted.config_path).returncode == CHECK_OK


def test_unknown_key_with_a_suggestion(unstarted):
    replace(unstarted, "state_dir:", "state_dri:")
    assert_refused(unstarted, "state_dri", "state_dri", "state_dir")


def test_unknown_key_of_a_stream(unstarted):
    replace(unstarted, "table:", "tabel:")
    assert_refused(unstarted, "tabel", "tabel", "table")


@pytest.mark.parametrize("old, new", [
    ('name: "doctor-office"', "name: [1, 2]"),
    ('name: "doctor-office"', 'name: "doctor-office"\nmemory_max: lots'),
    ('name: "doctor-office"', 'name: "doctor-office"\nmax_entry: -5'),
    ("postgres:", "postgres: 5\nstreams_:"),
    ('table: "claim"', 'table: {a: 1}'),
    ('table: "claim"', 'table: "claim"\n    park_for: soon'),
], ids=["a list for text", "a word for a size", "a negative size", "a scalar for a mapping", "a mapping for text",
        "a word for a duration"])
def test_wrong_type(unstarted, old, new):
    replace(unstarted, old, new)
    assert_refused(unstarted, new.splitlines()[-1] if "streams_" not in new else "postgres: 5")


def test_doubled_stream(unstarted):
    text = unstarted.config_path.read_text()
    again = text[text.index("  claim:"):text.index("  diagnose:")]
    unstarted.config_path.write_text(text + again.replace("  claim:", "  claim: # again"))
    assert_refused(unstarted, "# again", "claim")


def test_doubled_key(unstarted):
    replace(unstarted, 'name: "doctor-office"', 'name: "doctor-office"\nname: "other"')
    assert_refused(unstarted, '"other"', "name")


@pytest.mark.parametrize("url", ["http://127.0.0.1/claim", "redis://", "nonsense", "redis://127.0.0.1:99999/0/claim",
                                 "redis://127.0.0.1/x/claim", "redis://127.0.0.1:6379/0/", "fifo://relative/pipe",
                                 "fifo://"])
def test_bad_source_url(office, unstarted, url):
    replace(unstarted, office.redis.url("claim"), url)
    assert_refused(unstarted, f'"{url}"')


def test_bad_url_shows_no_password(office, unstarted):
    replace(unstarted, office.redis.url("claim"), "rediss3://user:sesame@127.0.0.1/0/claim")
    done = unstarted.ctl_raw("check", unstarted.config_path)
    assert done.returncode == CHECK_FAILED and "sesame" not in done.stdout + done.stderr


def test_bad_postgres_url(office, unstarted):
    replace(unstarted, office.url(), "mysql://root@localhost/x")
    assert_refused(unstarted, "mysql://")


ROLLUP = {"kind": "rollup", "schedule": "every 10m", "sql": "r.sql", "table": "public.revenue"}
QUERY = {"kind": "query", "sql": "q.sql"}
SIDE = {"database": "postgres", "sql": "q.sql"}
MATCH = {"kind": "match", "table": "public.both", "left": SIDE, "right": {"source": "https://host/users"}, "keys": {"lastname": {}}}


@pytest.mark.parametrize("job, line, said", [
    ({**ROLLUP, "schedule": "0 0 31 2 *"}, "31 2", "never fires"),
    ({**ROLLUP, "schedule": "every 0m"}, "every 0m", "every"),
    ({**ROLLUP, "kind": "rolup"}, "rolup", "rollup"),
    ({**QUERY, "kind": "probe"}, '"probe"', "query"),
    ({**ROLLUP, "table": "Revenue; DROP"}, "DROP", "a-z"),
    ({k: v for k, v in ROLLUP.items() if k != "schedule"}, '"rollup"', "schedule"),
    ({**QUERY, "table": "revenue"}, '"revenue"', "for rollup, sync and match jobs"),
    ({**QUERY, "database": "postgrse"}, "postgrse", "postgres"),
    ({**QUERY, "time_zone": "Europe/Atlantis"}, "Atlantis", "time zone"),
    ({**MATCH, "batch_fraction": "0.11"}, "batch_fraction", "at most 0.1"),
    ({**MATCH, "keys": {"lastname": {"normalise": "lower"}}}, "lower", "trim, blanks, case, nfc or underscore"),
    ({**MATCH, "left": {**SIDE, "source": "https://host/users"}}, "left", "remove one of the two"),
    ({**MATCH, "left": {**SIDE, "database": "postgrse"}}, "left", "did you mean \"postgres\"?"),
    ({**MATCH, "left": {**SIDE, "columns": "city, city"}}, "left", "two columns \"left_city\""),
    ({k: v for k, v in MATCH.items() if k != "keys"}, "match", "keys: this key is missing"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_bad_job(office, job, line, said):
    assert_refused(office.daemon(start=False, jobs={"it": job}), line, said)


def test_job_and_stream_of_one_name(office):
    daemon = office.daemon(start=False, jobs={"claim": QUERY})
    done = daemon.ctl_raw("check", daemon.config_path)
    lines = [i for i, line in enumerate(daemon.config_path.read_text().splitlines(), 1) if line == "  claim:"]
    assert done.returncode == CHECK_FAILED and len(lines) == 2
    for n in lines:
        assert f":{n}:" in done.stderr + done.stdout or f"line {n} " in done.stderr + done.stdout


def test_a_database_of_jobs_shows_no_password(office):
    url = "mysql://root:sesame@127.0.0.1:3306/external"
    daemon = office.daemon(start=False, databases={"mysql": {"url": url}}, jobs={"it": {**QUERY, "database": "mysql"}})
    code, shown = daemon.ctl("config")
    assert code == CHECK_OK and shown["databases"]["mysql"]["url"] == url.replace("sesame", "…")
    assert shown["jobs"]["it"]["sql"] == str(daemon.home.resolve() / "q.sql"), "beside the configuration"
    assert shown["jobs"]["it"]["catch_up"] == "last" and shown["workers"] == "4" and shown["keep_runs"] == "400d"
    replace(daemon, "mysql://", "mariadb://")
    done = daemon.ctl_raw("check", daemon.config_path)
    assert done.returncode == CHECK_FAILED and "sesame" not in done.stdout + done.stderr


def test_every_mistake_is_found_at_once(unstarted):
    replace(unstarted, "state_dir:", "state_dri:")
    replace(unstarted, "table:", "tabel:")
    done = unstarted.ctl_raw("check", unstarted.config_path)
    words = done.stdout + done.stderr
    assert "state_dri" in words and "tabel" in words


@pytest.mark.parametrize("text", ["", "[]", "5", "a: b: c", "\t- x", "%YAML 9.9\n---\n", "name: \"unclosed",
                                  "&a [*a]", "a: &a [x, x]\nb: [*a, *a]", "\x00\x01", "streams: {}"],
                         ids=lambda t: repr(t))
def test_what_is_no_configuration(unstarted, text):
    unstarted.config_path.write_text(text)
    assert unstarted.ctl_raw("check", unstarted.config_path).returncode == CHECK_FAILED
    unstarted.start(wait=False)
    assert unstarted.wait(20) != 0


def test_no_file(unstarted):
    unstarted.config_path.unlink()
    assert unstarted.ctl_raw("check", unstarted.config_path).returncode != CHECK_OK
    unstarted.start(wait=False)
    assert unstarted.wait(20) != 0 and str(unstarted.config_path) in unstarted.log_text()


def test_value_from_the_environment(office):
    daemon = office.daemon(start=False, env={"OFFICE_TABLE": "claim"})
    replace(daemon, 'table: "claim"', 'table: "${OFFICE_TABLE}"')
    daemon.start()
    office.publish("claim", [claim(1)])
    office.wait_settled()


def test_impossible_memory_max_is_refused(unstarted):
    replace(unstarted, 'name: "doctor-office"', 'name: "doctor-office"\nmemory_max: 1KB')
    assert_refused(unstarted, "memory_max")


# Tables and columns that do not fit: that stream alone is not read, and the daemon says why.

def refuse_and_heal(office, streams, words, heal, wrong="claim"):
    daemon = office.daemon(streams)
    office.publish("claim", [claim(1), claim(2)])
    office.publish("diagnose", [diagnose(1), diagnose(2)])
    other = "diagnose" if wrong == "claim" else "claim"
    office.wait_settled([other])
    condition = daemon.wait_for_condition([wrong, *words])
    assert condition["remedy"]
    assert daemon.ctl("status")[0] == 1
    assert daemon.streams()[wrong]["state"] == "refused"
    assert office.unacknowledged(wrong) == 0 and office.accounted(wrong) == 0, "nothing was read"
    heal(daemon)
    office.wait_settled(timeout=90)
    daemon.wait_healthy()
    office.check()


def test_table_that_does_not_exist(office):
    office.sql("ALTER TABLE claim RENAME TO later")
    refuse_and_heal(office, None, ["table"], lambda d: office.sql("ALTER TABLE later RENAME TO claim"))


def test_column_that_does_not_exist(office):
    office.sql("ALTER TABLE claim RENAME code TO later")
    refuse_and_heal(office, None, ["code"], lambda d: office.sql("ALTER TABLE claim RENAME later TO code"))


def test_column_that_does_not_exist_heals_by_reload(office):
    wrong = office.redis_stream("claim", columns={**COLUMNS["claim"], "colour": "colour"})

    def heal(daemon):
        daemon.write_config(office.config())
        daemon.reload()
    refuse_and_heal(office, [wrong, office.redis_stream("diagnose")], ["colour"], heal)


def test_not_null_column_that_is_not_mapped(office):
    without = {k: v for k, v in COLUMNS["claim"].items() if k != "code"}

    def heal(daemon):
        daemon.write_config(office.config())
        assert daemon.ctl("reload")[0] == 0
    refuse_and_heal(office, [office.redis_stream("claim", columns=without), office.redis_stream("diagnose")],
                    ["code"], heal)


def test_table_without_a_primary_key(office):
    office.sql("ALTER TABLE claim DROP CONSTRAINT claim_pkey")
    refuse_and_heal(office, None, ["key"], lambda d: office.sql("ALTER TABLE claim ADD PRIMARY KEY (id)"))


def test_column_of_a_type_we_do_not_write(office):
    office.sql("ALTER TABLE claim ALTER code TYPE int4range USING NULL, ALTER code DROP NOT NULL")
    refuse_and_heal(office, None, ["code"], lambda d: office.sql(
        "ALTER TABLE claim ALTER code TYPE varchar(10) USING NULL, ALTER code SET NOT NULL"))


def test_no_right_to_insert(office):
    office.sql("REVOKE INSERT ON claim FROM dataeng")
    refuse_and_heal(office, None, ["claim"], lambda d: office.sql("GRANT INSERT ON claim TO dataeng"))


def test_table_that_goes_while_we_run(office):
    """What was read is not acknowledged, and is stored when the table is back."""
    daemon = office.daemon()
    office.publish("claim", [claim(1)])
    office.wait_settled()
    office.sql("ALTER TABLE claim RENAME TO later")
    office.publish("claim", (claim(i) for i in range(2, 100)))
    office.publish("diagnose", [diagnose(1)])
    daemon.wait_for_condition(["claim"])
    office.wait_settled(["diagnose"])
    office.sql("ALTER TABLE later RENAME TO claim")
    office.wait_settled(timeout=90)
    daemon.wait_healthy()
    office.check()


def test_column_that_grows_while_we_run(office):
    """What the catalog said at start is not believed for ever: a reload looks again."""
    daemon = office.daemon()
    office.publish("claim", [claim(1)])
    office.wait_settled()
    office.sql("ALTER TABLE claim ALTER code TYPE varchar(20)")
    assert daemon.ctl("reload")[0] == 0
    office.publish("claim", [claim(2, code="0123456789abcdef")])
    office.wait_settled()
    office.check()


def test_own_schema_that_cannot_be_made(office):
    office.sql("DROP SCHEMA ingest CASCADE")
    office.sql(f'REVOKE CREATE ON DATABASE "{office.database}" FROM dataeng')
    daemon = office.daemon()
    office.publish("claim", [claim(1)])
    condition = daemon.wait_for_condition(["ingest"])
    assert condition["severity"] in ("degraded", "failed")
    office.sql("CREATE SCHEMA ingest AUTHORIZATION dataeng")
    office.wait_settled(timeout=90)
    office.check()


def test_wrong_password_is_a_condition_and_shown_nowhere(office):
    daemon = office.daemon(postgres={"url": office.url().replace("best", "wrong-sesame")})
    office.publish("claim", [claim(1)])
    daemon.wait_for_condition(["postgres"])
    assert "sesame" not in daemon.log_text() + json.dumps(daemon.ctl("status")[1])


def test_password_file(office):
    password = office.home / "password"
    password.write_text("best\n")
    password.chmod(0o600)
    office.daemon(postgres={"url": office.url().replace(":best", ""), "password_file": str(password)})
    office.publish("claim", [claim(1)])
    office.wait_settled()
    office.check()


def test_password_is_in_no_process_list(office):
    daemon = office.daemon()
    with open(f"/proc/{daemon.pid}/cmdline", "rb") as f:
        assert b"best" not in f.read()


def test_columns_are_told_by_position_in_no_way(office):
    """A table whose columns stand in another order, with names that must be quoted."""
    office.sql('CREATE TABLE "Odd claim"("when" timestamp NOT NULL, "Patient" int REFERENCES patient,'
               ' "select" varchar(10), "Id" bigint PRIMARY KEY)')
    office.sql('GRANT ALL ON "Odd claim" TO dataeng')
    columns = {"Id": "id", "select": "code", "Patient": "patient_id", "when": "@received"}
    office.daemon([{**office.redis_stream("claim", columns=columns), "table": "public.Odd claim"}])
    office.add("claim", [{"data": json.dumps(claim(4, 9, "x"))}])
    wait_until(lambda: office.sql('SELECT "Id", "select", "Patient" FROM "Odd claim"') == [(4, "x", 9)], what="the row")
    assert oracle.ledger(office.sql, "claim") == (1, 1, 0, 0)


def test_no_right_to_make_the_function(office):
    office.sql(f"REVOKE TEMPORARY ON DATABASE {office.database} FROM PUBLIC, dataeng")
    office.publish("claim", [claim(1)])
    daemon = office.daemon()
    condition = daemon.wait_for_condition(["claim", "GRANT TEMPORARY"])
    office.sql(condition["what"].split("lacks a right: ")[1])
    office.wait_settled(timeout=90)
    daemon.wait_healthy()
    office.check()


def test_server_that_would_log_our_rows(office):
    """The daemon cannot forbid it, but says so, and says what to do; that works."""
    office.sql(f"ALTER DATABASE {office.database} SET log_min_duration_statement = '1h'")
    try:
        daemon = office.daemon()
        condition = daemon.wait_for_condition(["log_min_duration_statement", "log_parameter_max_length"])
        assert condition["severity"] == "note"
        assert daemon.ctl_raw("doctor").returncode == 1
        office.sql(condition["remedy"].split(": ", 1)[1])
        assert daemon.ctl_raw("doctor").returncode == 0
    finally:
        office.sql("ALTER ROLE dataeng RESET log_parameter_max_length")
