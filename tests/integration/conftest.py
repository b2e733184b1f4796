"""Fixtures: one Postgres for the session with a database per test, everything else per test."""
import contextlib
import itertools
import os
import pathlib
import shutil
import signal
import tempfile
import zlib

import pytest

import dumps_site
import mariadb
import office as office_module
import programs
import seeds
import servers
from office import Office

_numbers = itertools.count(1)


def pytest_configure(config):
    servers.adopt_orphans()
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    config.addinivalue_line("markers", "one_database: of the databases that it could run on one is tried, another for each test"
                                       " (INGESTD_ALL_SEEDS=1: all)")


DATABASES = {"postgres", "mysql", "duckdb", "memory", "files"}  # also where pages are


def pytest_addoption(parser):
    parser.addoption("--part", choices=("sample", "rest"),
                     help="sample: without the slow tests, and of those that run on several databases, or with several"
                          " seeds, one each; of all these a fourth")


def name_of_twins(item):
    """A test's name without the database that it runs on, and without the seed of what is random in it."""
    spec = getattr(item, "callspec", None)
    words = spec.id.split("-") if spec else []
    left_out = DATABASES | {str(v) for k, v in (spec.params if spec else {}).items() if k == "seed"}
    return " ".join([item.path.name, item.originalname, *(w for w in words if w not in left_out)])


def lots_of_twins(items):
    """Of all twins of a name one: {name: (it, a number that is random, and always the same)}"""
    twins = {}
    for item in items:
        twins.setdefault(name_of_twins(item), []).append(item)
    lots = {name: zlib.crc32(name.encode()) for name in twins}
    return {name: (group[lots[name] % len(group)], lots[name]) for name, group in twins.items()}


def pytest_collection_modifyitems(config, items):
    part = config.getoption("--part")
    lots = lots_of_twins(items)
    if not seeds.ALL:
        keep(config, items, lambda i: not i.get_closest_marker("one_database") or i is lots[name_of_twins(i)][0])
    sample = {id(item) for item, lot in lots.values() if lot // 8 % 4 == 0 and not item.get_closest_marker("slow")}
    if part:
        keep(config, items, lambda i: (id(i) in sample) == (part == "sample"))


def keep(config, items, wanted):
    config.hook.pytest_deselected(items=[i for i in items if not wanted(i)])
    items[:] = [i for i in items if wanted(i)]


def pytest_report_header(config):
    return f"ingestd: programs of {programs.BUILD}"


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


@pytest.fixture(scope="session")
def session_home():
    """
    A short path of our own: pytest's own directories are too long for a Unix socket and closed to the user
    postgres. It stays when something failed, for its logs.
    """
    home = pathlib.Path(tempfile.mkdtemp(prefix="ingestd-"))
    home.chmod(0o711)
    session = {"home": home, "failed": False}
    yield session
    if session["failed"]:
        print(f"\nlogs are kept in {home}")
    else:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(session_home):
    """Shared by the tests; whoever stops it need not start it again."""
    server = servers.Postgres(session_home["home"] / "pg").start()
    office_module.make_site(server)
    yield server
    server.stop("immediate")


@pytest.fixture
def postgres(postgres_server):
    if not postgres_server.running:
        postgres_server.start()
    return postgres_server


@pytest.fixture(scope="session")
def mariadb_server(session_home):
    """Shared by the tests that ask for it; whoever stops it need not start it again."""
    server = mariadb.MariaDB(session_home["home"] / "mariadb").start()
    yield server
    server.stop()


@pytest.fixture
def maria(mariadb_server):
    if not mariadb_server.running:
        mariadb_server.start()
    return mariadb_server


@pytest.fixture(params=sorted(dumps_site.SINKS))
def sink(request, programs_built):
    """A database of the test's own to copy dumps to; in each of the two servers."""
    with dumps_site.a_sink(request, request.param) as s:
        yield s


@pytest.fixture(params=[*sorted(dumps_site.SINKS), "duckdb"])
def any_sink(request, programs_built):
    """The same, and a DuckDB file."""
    with dumps_site.a_sink(request, request.param) as s:
        yield s


@pytest.fixture
def files(tmp_path):
    """Dumps over HTTP."""
    f = dumps_site.Files(tmp_path)
    yield f
    f.close()


@pytest.fixture
def programs_built():
    missing = [str(p) for p in (programs.INGESTD, programs.INGESTCTL) if not p.exists()]
    if missing:
        pytest.fail(f"not built: {', '.join(missing)}; set INGESTD_BUILD to the build directory")


@pytest.fixture
def bare_office(request, session_home, postgres):
    """A doctor's office of the test's own; its end is where leaks, sanitizers and the marker are looked for."""
    number = next(_numbers)
    home = session_home["home"] / f"t{number}"
    home.mkdir()
    database = f"office_{number}"
    office_module.create_database(postgres, database)
    before = set(servers.children())
    log_start = postgres.log.stat().st_size
    o = Office(home, postgres, database)
    yield o
    o.close()
    if not postgres.running:
        postgres.start()
        before.add(postgres.pid)
    office_module.drop_database(postgres, database)
    complaints = o.complaints() + postgres_complaints(postgres, log_start) + leaked(before | {postgres.pid})
    failed = any(getattr(r, "failed", False) for r in
                 (getattr(request.node, f"report_{w}", None) for w in ("setup", "call")))
    if failed or complaints:
        session_home["failed"] = True
        print(f"\nlogs of this test: {home}")
        for d in o.daemons:
            print(f"--- {d.log} (the end)\n{d.log_text()[-3000:]}")
    else:
        shutil.rmtree(home, ignore_errors=True)
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def office(programs_built, bare_office):
    return bare_office


def postgres_complaints(postgres, start):
    with open(postgres.log, "rb") as log:
        log.seek(start)
        text = log.read().decode(errors="replace")
    if office_module.MARKER in text:
        line = next(l for l in text.splitlines() if office_module.MARKER in l)
        return [f"Postgres' log holds a payload's marker: {line[:300]}"]
    return []


def leaked(before):
    """
    Kills what is left over, so that the next test is not blamed, and names it. A worker whose daemon was killed while it
    was still loading finds that out by itself, a moment later.
    """
    def strangers():
        return {pid: name for pid, name in servers.children().items() if pid not in before}
    with contextlib.suppress(AssertionError):
        servers.wait_until(lambda: not strangers(), 3, "what is left over to end")
    left = strangers()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return [f"left running: {name} ({pid})" for pid, name in left.items()]
