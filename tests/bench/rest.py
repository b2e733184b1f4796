"""
A REST resource into DuckDB with history, against the same pages fetched into files by curl and DuckDB's own read_json of them.
Both begin with nothing, and end with a file that is closed.
"""
import pathlib
import shutil
import statistics
import subprocess
import time

from clinic_server import BY_ID, BY_UPDATED, ClinicServer, Patients
from duck import duck
from dumps import copy

PAGE, PARALLEL = 1000, 4
OPTIONS = ["--key", "id", "--order", BY_ID, "--updated", "updated_at", "--updated-order", BY_UPDATED,
           "--page-size", str(PAGE), "--parallel", str(PARALLEL)]
RSS_WANTED = 256  # MB


def sync(server, path, *more):
    """(seconds, what it says, the worker's peak in MB, requests)."""
    before = server.requests
    took, said, peak = copy(server.url, f"duckdb://{path}/patients", *OPTIONS, *more)
    return took, said, peak, server.requests - before


def page_urls(server, n):
    return [f"{server.url}?{BY_ID}&offset={at}&limit={PAGE}" for at in range(0, n, PAGE)]


def fetch(urls, folder, parallel):
    """Seconds for curl to bring all pages into files, over kept connections."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    wanted = folder / "urls"
    wanted.write_text("".join(f'url = "{u}"\noutput = "{folder}/{i:05}.json"\n' for i, u in enumerate(urls)), encoding="utf-8")
    argv = ["curl", "--silent", "--show-error", "--fail", "--config", str(wanted)]
    if parallel > 1:
        argv += ["--parallel", "--parallel-max", str(parallel)]
    began = time.monotonic()
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=3600)  # its meter, in parallel
    return time.monotonic() - began


def read_json(folder, path):
    """Seconds for DuckDB to put the rows of all files into one table."""
    began = time.monotonic()
    with duck(path) as d:
        d.sql(f"CREATE TABLE patients AS SELECT unnest(data, recursive := true)"
              f" FROM read_json('{folder}/*.json', maximum_object_size = 67108864)")
        n = d.sql("SELECT count(*) FROM patients")
    return time.monotonic() - began, n


def expect(said, **wanted):
    found = {name: said.get(name) for name in wanted}
    assert found == wanted, f"it says {found}, but there are {wanted}"


def fresh(path):
    for leftover in (path, pathlib.Path(f"{path}.wal")):
        leftover.unlink(missing_ok=True)
    return path


def full_and_later(scene, server, n):
    bare, full, later, nothing, peaks, asked = [], [], [], [], [], []
    folder, ours = scene.home / "pages", scene.home / "ours.duckdb"
    for i in range(scene.size(3, 1)):
        fetched = fetch(page_urls(server, n), folder, PARALLEL)
        loaded, found = read_json(folder, fresh(scene.home / "bare.duckdb"))
        assert found == n
        bare.append(fetched + loaded)
        shutil.rmtree(folder)
        took, said, peak, _ = sync(server, fresh(ours))
        expect(said, rows=n, added=n)
        full.append(took)
        peaks.append(peak)
        changed = server.patients.change(0.01, i)
        took, said, peak, _ = sync(server, ours)
        expect(said, changed=changed, added=0, removed=0)
        later.append(took)
        peaks.append(peak)
        took, said, _, requests = sync(server, ours)
        expect(said, changed=0, added=0, removed=0)
        nothing.append(took)
        asked.append(requests)
    m = {k: statistics.median(v) for k, v in {"bare": bare, "full": full, "later": later, "nothing": nothing}.items()}
    return m, max(peaks), max(asked)


def with_latency(scene, server, n):
    server.latency = 0.05
    folder = scene.home / "pages"
    serial = fetch(page_urls(server, n), folder, 1)
    shutil.rmtree(folder)
    took, said, _, _ = sync(server, fresh(scene.home / "ours.duckdb"))
    expect(said, rows=n)
    server.latency = 0.0
    return took, serial


def file_size(scene, server, n):
    """Ten runs, one row in a hundred changed before each."""
    path, plain = fresh(scene.home / "ours.duckdb"), fresh(scene.home / "plain.duckdb")
    sync(server, path)
    for i in range(10):
        changed = server.patients.change(0.01, 20 + i)
        expect(sync(server, path)[1], changed=changed)
    with duck(plain) as d:
        d.sql("SET TimeZone = 'UTC'")
        d.sql(f"ATTACH '{path}' AS ours (READ_ONLY)")
        d.sql("CREATE TABLE patients AS SELECT * FROM ours.patients_history")
        rows = d.sql("SELECT count(*) FROM patients")
    return path.stat().st_size, plain.stat().st_size, rows


def rest(scene):
    n = scene.size(1_000_000, 50_000)
    server = ClinicServer(Patients(n))
    try:
        m, peak, asked = full_and_later(scene, server, n)
        slow, serial = with_latency(scene, server, n)
        ours, plain, versions = file_size(scene, server, n)
    finally:
        server.close()
    what = f"{n:,} patients from a REST API into DuckDB"
    full, later, apart = m["full"] / m["bare"], m["later"] / m["full"], slow / serial
    return [
        (f"{what}, full sync with history, against `curl --parallel` of the pages into files and DuckDB's `read_json` of them",
         f"{full:.2f} × ({m['full']:.1f} s against {m['bare']:.1f} s)", "≤ 1.5 ×", full <= 1.5),
        ("the same with 50 ms of latency on every page, against fetching them one after the other",
         f"{apart:.2f} × ({slow:.1f} s against {serial:.1f} s)", "≤ 0.4 ×", apart <= 0.4),
        ("cursor sync after 1 % changed, against that full sync", f"{later:.3f} × ({m['later']:.2f} s)", "≤ 0.05 ×", later <= 0.05),
        ("sync with nothing changed", f"{asked} requests, {m['nothing'] * 1000:.0f} ms", "one or two requests, ≤ 200 ms",
         asked <= 2 and m["nothing"] <= 0.2),
        (f"worker RSS, peak, {n:,} patients", f"{peak:.0f} MB", f"≤ {RSS_WANTED} MB", peak <= RSS_WANTED),
        (f"history of 10 runs with 1 % changed each ({versions:,} versions), file size, against the same rows in one DuckDB table",
         f"{ours / plain:.2f} × ({ours / 1e6:.0f} MB against {plain / 1e6:.0f} MB)", "≤ 1.3 ×", ours / plain <= 1.3),
    ]


def rest_memory(scene):
    """Three times as many must not take more."""
    peaks = []
    for n in (scene.size(1_000_000, 20_000), scene.size(3_000_000, 60_000)):
        server = ClinicServer(Patients(n))
        try:
            path = fresh(scene.home / "ours.duckdb")
            first = sync(server, path)
            expect(first[1], rows=n)
            server.patients.change(0.01, 0)
            second = sync(server, path, "--full")
            peaks.append(max(first[2], second[2]))
        finally:
            server.close()
    return [("worker RSS, peak, first and second full sync, with three times as many patients",
             f"{peaks[1]:.0f} MB against {peaks[0]:.0f} MB", f"≤ {RSS_WANTED} MB, no more (10 %)",
             peaks[1] <= RSS_WANTED and peaks[1] <= 1.1 * peaks[0])]
