"""lib/source/rest against the clinic's API and against worse ones, by way of tests/unit/source/rest_cat."""
import json
import os
import random
import subprocess

import pytest

from clinic_api import Body, Churn, Clinic, ClinicApi, Half, Reset, Stall, Status, Truncate
from programs import BUILD
from seeds import some

REST_CAT = BUILD / "tests/unit/source/rest_cat"
SANITIZED = b"__asan_init" in REST_CAT.read_bytes()
MARKER = "planted-marker-4410"
FULL = "/v1/patients?sort_field=id&sort_dir=asc"
RECENT = "/v1/patients?sort_field=updated_at&sort_dir=desc"
PLAIN = {"key": "id", "updated": "updated_at"}
KEPT = {}  # where pages are kept: in memory, or spool_folder


@pytest.fixture(params=["memory", "files"], autouse=True)
def kept(request, tmp_path):
    """Every test twice: pages may be in memory or in files, and nobody sees a difference."""
    if request.param == "memory":
        yield request.param
        return
    folder = tmp_path / "spool"
    folder.mkdir()
    KEPT["spool_folder"] = folder
    yield request.param
    KEPT.clear()
    assert list(folder.iterdir()) == []


class Got:
    def __init__(self, code, out, err):
        assert code in (0, 1), f"rest_cat ended with {code}: {err[-3000:]}"
        assert MARKER not in out + err
        lines = [json.loads(line) for line in out.splitlines()]
        self.last = lines.pop()
        self.fault = self.last.get("fault")
        self.columns = [line["columns"] for line in lines if isinstance(line, dict) and "columns" in line]
        self.raw = [line for line in lines if isinstance(line, list)]
        self.rejected = [(line[0], line[1]["reason"], line[1]["raw"]) for line in self.raw if isinstance(line[-1], dict)]
        self.rows = [dict(zip(self.columns[0], line[1:])) for line in self.raw if not isinstance(line[-1], dict)]
        assert (code == 1) == (self.fault is not None)
        assert [line[0] for line in self.raw] == list(range(1, len(self.raw) + 1))

    def good(self):
        assert self.fault is None, self.fault
        return self

    def bad(self, *words, transient=False, restart=False):
        assert self.fault is not None, "it went well"
        for word in words:
            assert word in self.fault, self.fault
        assert (self.last["transient"], self.last["restart"]) == (transient, restart), self.last
        return self

    def ids(self):
        return [int(row["id"]) for row in self.rows]


def read(url, file_max=None, **wishes):
    argv = [REST_CAT, url]
    for name, value in {"retry_ms": 1, "key": "id", **KEPT, **wishes}.items():
        argv += [f"{name}={v}" for v in (value if isinstance(value, list) else [value])]
    if file_max:  # of any file that it writes; the signal that comes with it is ignored, as Python does
        argv = ["prlimit", f"--fsize={file_max}", *argv]
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=env, timeout=60,
                          restore_signals=False)
    return Got(done.returncode, done.stdout.decode(), done.stderr.decode())


def cells(text):
    """A row of the API as cells: text, numbers as they are written."""
    return {k: v if isinstance(v, str) else str(v) for k, v in json.loads(text).items()}


def open_api(n=2500, **kw):
    return ClinicApi(Clinic(n, **kw))


@pytest.fixture
def api():
    with open_api() as a:
        yield a


def document(api, rows, path="/x", **wishes):
    """Reads a document whose list of rows is this text."""
    api.put(path, b'{"data": [' + (rows if isinstance(rows, bytes) else rows.encode()) + b"]}")
    return read(api.url(path), paging="next", **wishes)


def secret(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


# The stand-in is as SYSTEMS section 3 says.

def test_the_stand_in_is_what_it_stands_for(api):
    import urllib.error
    import urllib.request

    def get(path):
        with urllib.request.urlopen(api.url(path)) as answer:
            return json.load(answer)
    assert get("/health") == "OK"
    first = get("/v1/patients")
    assert len(first["data"]) == 10 and first["meta"] == {"offset": 0, "total_items": 2500, "total_pages": 250, "page_number": 1}
    assert get("/v1/patients/7") == {"data": first["data"][6]}
    last = get("/v1/patients?offset=2495&limit=10&sort_field=updated_at&sort_dir=desc")["data"]
    assert [row["id"] for row in last] == [5, 4, 3, 2, 1]
    names = [row["last_name"] for row in get("/v1/patients?limit=1000&sort_field=last_name")["data"]]
    assert names == sorted(names)
    for path, status in (("/v1/patients/2501", 404), ("/v1/patients/x", 404), ("/v2", 404), ("/v1/patients?limit=1001", 422)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(path)
        assert refused.value.code == status
        refused.value.close()


# All there is, once.

@pytest.mark.parametrize("n", [0, 1, 2, 3, 999, 1000, 1001, 1999, 2000, 3997])
@pytest.mark.parametrize("parallel", [1, 4])
def test_a_full_pass_has_every_row_once(n, parallel):
    with open_api(n) as api:
        got = read(api.url(FULL), parallel=parallel, **PLAIN).good()
        assert got.ids() == list(range(1, n + 1))
        assert all(row == cells(api.clinic.text(int(row["id"]))) for row in got.rows)


def test_connections_are_kept(api):
    read(api.url(FULL), page_size=50, parallel=3).good()
    assert len(api.connections) <= 3 and len(api.requests) > 50


def test_so_many_pages_are_under_way(api):
    """The first page alone, then the others at once: the server answers none of them before it has them all."""
    import threading
    gate = threading.Barrier(3)

    class Together(Body):
        def answer(self, request, body):
            gate.wait(30)
            request.reply(200, body)
    for offset in (999, 1998, 2997):
        api.fault(offset, [Together(b"")])
    assert len(read(api.url(FULL), parallel=4).good().rows) == 2500


def test_pages_that_are_smaller_than_asked_for(api):
    api.limit_max, api.caps = 100, True
    got = read(api.url(FULL), parallel=4).good()
    assert got.ids() == list(range(1, 2501))
    assert got.last["requests"] < 40


def test_total_items_may_lie(api):
    for api.total in (0, 7, 10**12):
        assert read(api.url(FULL), page_size=700).good().ids() == list(range(1, 2501))


def test_chosen_fields_come_in_their_order(api):
    got = read(api.url(FULL), field=["total_visits", "nothing", "email"]).good()
    assert got.columns == [["total_visits", "nothing", "email"]]
    assert got.rows[0] == {"total_visits": "1", "nothing": None, "email": "p1@example.org"} and len(got.rows) == 2500


# By cursor.

def test_nothing_changed_is_one_request(api):
    newest = read(api.url(FULL), newest_url=api.url(RECENT), **PLAIN).good().last["newest"]
    assert newest == api.clinic.updated_at(2500)
    got = read(api.url(RECENT), since=newest, **PLAIN).good()
    assert got.ids() == [2500] and got.last["requests"] == 1 and got.last["newest"] == newest


def test_newest_is_that_of_the_beginning(api):
    def update_late(clinic):
        if len(api.lists()) == 3:
            clinic.update(5)
    api.churn = update_late
    first = read(api.url(FULL), newest_url=api.url(RECENT), **PLAIN).good()
    assert first.last["newest"] == (LAST := api.clinic.updated_at(2500)), LAST
    assert 5 in read(api.url(RECENT), since=first.last["newest"], **PLAIN).good().ids()


def test_without_its_url_newest_is_never_too_late(api):
    got = read(api.url(FULL), **PLAIN).good()
    assert got.last["newest"] == api.clinic.updated_at(1000)


@pytest.mark.parametrize("parallel", [1, 4])
def test_many_rows_with_one_updated_at(parallel):
    with open_api(50, ticks_share=5000) as api:
        for key in range(1, 51):
            api.clinic.update(key)
        for _ in range(3000):
            api.clinic.create()
        same = api.clinic.updated_at(1)
        got = read(api.url(RECENT), since=same, parallel=parallel, page_size=100, **PLAIN).good()
        assert sorted(got.ids()) == list(range(1, 3051))


def test_a_list_in_another_order_is_refused(api):
    read(api.url(FULL), since="2020-01-01T00:00:30", **PLAIN).bad("descending order of `updated_at`")


# Pages that shift, against a model.

@pytest.mark.parametrize("seed", range(some(60)))
def test_random_shifts_in_a_full_pass(seed):
    r = random.Random(seed)
    n, size, parallel = r.randint(0, 400), r.randint(2, 25), r.randint(1, 6)
    with open_api(n, ticks_share=r.choice([1, 1, 7])) as api:
        api.churn = churn = Churn(api.clinic, seed, updates=r.randint(0, 4), creates=r.randint(0, 2), deletes=r.randint(0, 3))
        before = max((api.clinic.updated_at(key) for key in api.clinic.ids), default=None)
        got = read(api.url(FULL), newest_url=api.url(RECENT), page_size=size, parallel=parallel, field=list(cells(api.clinic.text(1))),
                   **PLAIN).good()
        ids = got.ids()
        assert len(ids) == len(set(ids)), "doubled"
        assert churn.kept <= set(ids), f"missed {sorted(churn.kept - set(ids))}"
        known = {key: [cells(text) for text in texts] for key, texts in churn.versions.items()}
        assert all(row in known[int(row["id"])] for row in got.rows), "invented"
        if n:
            assert got.last["newest"] >= before or r


@pytest.mark.parametrize("seed", range(some(60)))
def test_random_shifts_in_a_pass_by_cursor(seed):
    r = random.Random(1000 + seed)
    size, parallel = r.randint(3, 25), r.randint(1, 6)
    with open_api(60, ticks_share=r.choice([1, 5, 40])) as api:
        for _ in range(r.randint(0, 300)):
            r.choice([api.clinic.create, lambda: api.clinic.update(r.choice(api.clinic.ids))])()
        since = api.clinic.updated_at(r.choice(api.clinic.ids))
        api.churn = churn = Churn(api.clinic, seed, updates=r.randint(0, 2), creates=r.randint(0, 1), deletes=r.randint(0, 2))
        got = read(api.url(RECENT), page_size=size, parallel=parallel, since=since, **PLAIN).good()
        ids = got.ids()
        wanted = {key for key in churn.untouched if api.clinic.updated_at(key) >= since}
        assert len(ids) == len(set(ids)), "doubled"
        assert wanted <= set(ids), f"missed {sorted(wanted - set(ids))}"
        assert got.last["newest"] >= since


@pytest.mark.parametrize("seed", range(some(20)))
def test_passes_come_to_equal_the_source(seed):
    """A full pass and passes by cursor, all of them while rows come and change, and one more when it is quiet."""
    r = random.Random(2000 + seed)
    with open_api(r.randint(1, 300), ticks_share=r.choice([1, 6])) as api:
        churn = Churn(api.clinic, seed, updates=4, creates=1, deletes=0)
        copy = {}
        api.churn = churn
        got = read(api.url(FULL), newest_url=api.url(RECENT), page_size=r.randint(2, 30), **PLAIN).good()
        for i in range(4):
            for row in got.rows:
                copy[int(row["id"])] = row
            if i == 3:
                break
            api.churn = churn if i < 2 else None
            got = read(api.url(RECENT), since=got.last["newest"], page_size=r.randint(5, 30), **PLAIN).good()
        assert copy == {key: cells(api.clinic.text(key)) for key in api.clinic.ids}


def test_a_row_that_goes_hides_no_other(api):
    def delete(clinic):
        if len(api.lists()) == 2:
            clinic.delete(500)
    api.churn = delete
    assert read(api.url(FULL), parallel=1).good().ids() == list(range(1, 2501))


def test_many_rows_that_go_hide_no_other(api):
    def delete(clinic):
        if len(api.lists()) == 3:
            for key in range(1, 1950):
                clinic.delete(key)
    api.churn = delete
    assert read(api.url(FULL), parallel=2).good().ids() == list(range(1, 2501))


def test_an_order_that_changes_is_no_endless_pass(api):
    """Every answer is in another order: nothing ever continues."""
    shuffled = random.Random(5)

    def page(offset, limit, field, descending):
        ids = list(range(offset * 10000 + 1, offset * 10000 + 1 + limit))
        shuffled.shuffle(ids)
        return ids
    api.clinic.page = page
    read(api.url(FULL), page_size=10, parallel=2).bad("order")


# Other ways from page to page.

def test_numbered_pages():
    with open_api(0) as api:
        for page in range(1, 5):
            rows = [{"id": page * 10 + i} for i in range(10 if page < 4 else 0)]
            api.put(f"/u?page={page}", {"current_page": page, "total_pages": 99, "users": rows})
        for page in range(5, 9):
            api.put(f"/u?page={page}", {"users": []})
        got = read(api.url("/u"), paging="page", rows="users", parallel=2).good()
        assert got.ids() == list(range(10, 40))


def chain(api, n):
    for page in range(n):
        link = {"next": api.url(f"/c?p={page + 1}")} if page < n - 1 else {"next": None}
        api.put("/c" if page == 0 else f"/c?p={page}", {"data": [{"id": page * 2}, {"id": page * 2 + 1}], "meta": link})


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_chain_of_links(api, parallel):
    chain(api, 7)
    assert read(api.url("/c"), paging="next", next="meta.next", parallel=parallel).good().ids() == list(range(14))


def test_a_chain_of_link_headers(api):
    for page in range(3):
        more = {"Link": f'</l?p=0>; rel="prev", </l?p={page + 1}>; title="a, b"; rel="next last"'} if page < 2 else {}
        api.put("/l" if page == 0 else f"/l?p={page}", [{"id": page}], **more)
    assert read(api.url("/l"), paging="next", rows="").good().ids() == [0, 1, 2]


def test_a_chain_of_words(api):
    api.put("/w", {"data": [{"id": 1}], "next": "a b&c=é"})
    api.put("/w?after=a%20b%26c%3D%C3%A9", {"data": [{"id": 2}], "next": 17})
    api.put("/w?after=17", {"data": [], "next": "z"})
    api.put("/w?after=z", {"data": [{"id": 3}], "next": ""})
    assert read(api.url("/w"), paging="cursor", cursor="after").good().ids() == [1, 2, 3]


@pytest.mark.parametrize("round_length", [1, 2, 3, 10])
def test_a_chain_without_an_end(api, round_length):
    for page in range(round_length + 2):
        then = page + 1 if page < round_length + 1 else 2
        api.put("/c" if page == 0 else f"/c?p={page}", {"data": [{"id": page}], "next": f"/c?p={then}"})
    read(api.url("/c"), paging="next").bad("without an end")


def test_a_chain_that_only_gets_longer(api):
    for page in range(1200):
        api.put("/c" if page == 0 else f"/c?p={page}", {"data": [], "next": f"/c?p={page + 1}"})
    read(api.url("/c"), paging="next", known="id").bad("brought nothing new")


def test_a_server_that_does_not_heed_the_offset(api):
    page = api.clinic.page
    api.clinic.page = lambda offset, limit, field, descending: page(0, limit, field, descending)
    read(api.url(FULL), page_size=10, parallel=2).bad("brought nothing new")


@pytest.mark.parametrize("link", ["http://127.0.0.1:1/x", "https://example.org/c", "ftp://127.0.0.1/", "http://"])
def test_a_link_to_another_server_is_not_followed(api, link):
    api.put("/c", {"data": [{"id": 1}], "next": link})
    got = read(api.url("/c"), paging="next", header=f"X-Key: {MARKER}").bad("page 1 of")
    assert not any(MARKER in word for word in (got.fault,))


# What goes wrong and comes right.

@pytest.mark.parametrize("behaviour", [Status(500), Status(503, {"Retry-After": "0"}), Status(429, {"Retry-After": "0"}),
                                       Reset(), Truncate(), Half(), Body(b"<html>planted-marker-4410</html>", "text/html"),
                                       Body(b""), Body(b'{"detail": "planted-marker-4410"}'), Body(b'{"data": 7}'),
                                       Body(b'{"data": [{"id": 1}]} x')], ids=lambda b: repr(b)[:40])
@pytest.mark.parametrize("offset", [999, 1998])
def test_a_page_is_tried_again(api, behaviour, offset):
    api.fault(offset, [behaviour, behaviour])
    assert read(api.url(FULL)).good().ids() == list(range(1, 2501))


def test_a_page_that_stalls_is_tried_again(api):
    api.fault(999, [Stall()])
    assert read(api.url(FULL), stall_ms=300).good().ids() == list(range(1, 2501))


def test_retry_after_is_kept_by_all(api):
    """While the server wants to be left alone, no other page is asked for either."""
    import time
    api.fault(999, [Status(429, {"Retry-After": "1"})])
    begin = time.monotonic()
    assert read(api.url(FULL), parallel=1).good().ids() == list(range(1, 2501))
    assert time.monotonic() - begin >= 1


@pytest.mark.parametrize("behaviour,words", [(Status(500), "answered 500"), (Truncate(), ""), (Half(), "no JSON, or cut off"),
                                             (Body(b"<!doctype html>planted-marker-4410"), "HTML or XML"),
                                             (Body(b'{"rows": ["planted-marker-4410"]}'), "no member `data`")],
                         ids=["500", "truncated", "half", "html", "no data"])
def test_a_page_that_never_comes_right_fails_the_pass(api, behaviour, words):
    api.fault(1998, [behaviour], lasting=True)
    read(api.url(FULL), retries=2).bad("page 3 (", "after 3 attempts", words, transient=True)


def test_what_will_not_change_is_not_tried_again(api):
    read(api.url("/v2/patients")).bad("page 1 (", "answered 404", "check the path")
    api.put("/x", b'{"items": []}')
    read(api.url("/x"), paging="next").bad("page 1 (", "no member `data`")
    api.put("/y", b'{"data": {"id": 1}}')
    read(api.url("/y"), paging="next").bad("page 1 (", "no list of rows")
    assert len(api.requests) == 3


def test_a_redirect_is_named(api):
    api.fault("/r", [Status(302, {"Location": "http://a:secret@127.0.0.1/login"})])
    api.put("/r", {})
    assert "secret" not in read(api.url("/r"), paging="next").bad("redirects to", "/login").fault


def test_credentials_are_sent_and_not_shown(api, tmp_path):
    import base64
    api.put("/x", {"data": [{"id": 1}]})
    read(api.url("/x", user="dr:s3cret"), paging="next", header="X-Key: k").good()
    sent = api.requests[-1][2]
    assert sent["Authorization"] == "Basic " + base64.b64encode(b"dr:s3cret").decode() and sent["X-Key"] == "k"
    secret(tmp_path / "token", f"{MARKER}\n")
    read(api.url("/x", user="dr:s3cret"), paging="next", token_file=tmp_path / "token").good()
    assert api.requests[-1][2]["Authorization"] == f"Bearer {MARKER}"
    assert "s3cret" not in read(api.url("/404", user="dr:s3cret"), token_file=tmp_path / "token").bad("404").fault
    read(api.url("/x"), paging="next", token_file=tmp_path / "none").bad("none cannot be read")


def test_credentials_and_headers_from_files(api, tmp_path):
    import base64
    api.put("/x", {"data": [{"id": 1}]})
    word, header = secret(tmp_path / "word", f"dr:a:{MARKER}\nmore\n"), secret(tmp_path / "header", f"X-Key: {MARKER}\n")
    read(api.url("/x", user="another:one"), paging="next", credentials_file=word, header_file=header).good()
    sent = api.requests[-1][2]
    assert sent["Authorization"] == "Basic " + base64.b64encode(f"dr:a:{MARKER}".encode()).decode() and sent["X-Key"] == MARKER
    for wish in ("token_file", "credentials_file", "header_file"):
        read(api.url("/x"), paging="next", **{wish: secret(tmp_path / "bad", "")}).bad("is empty")
        word.chmod(0o644)
        read(api.url("/x"), paging="next", **{wish: word}).bad("open to every user of this machine")
        word.chmod(0o600)
    read(api.url("/x"), paging="next", credentials_file=secret(tmp_path / "bad", MARKER)).bad("no user:password")
    read(api.url("/x"), paging="next", header_file=secret(tmp_path / "bad", MARKER)).bad("a header to send is none")


def test_requests_are_limited(api):
    import time
    begin = time.monotonic()
    got = read(api.url(FULL), page_size=500, parallel=4, per_second=20).good()
    assert time.monotonic() - begin >= (got.last["requests"] - 1) / 20


def test_memory_is_that_of_the_pages(api):
    if SANITIZED:
        pytest.skip("a sanitizer takes memory of its own")
    with open_api(20_000) as small, open_api(200_000) as large:
        a = read(small.url(FULL), quiet=1).good().last["peak_kb"]
        b = read(large.url(FULL), quiet=1).good().last["peak_kb"]
        assert b < a + 24_000 and b < 64_000


def test_a_page_too_large_is_refused(api, kept):
    api.put("/x", b'{"data": [{"id": 1}' + b" " * (64 << 20) + b', {"id": 2}]}')
    got = read(api.url("/x"), paging="next")
    if kept == "memory":
        got.bad("larger than 64.0 MB", "page_size")
    else:
        assert got.good().ids() == [1, 2] and (SANITIZED or got.last["peak_kb"] < 40_000)


# Pages in files.

@pytest.mark.parametrize("kept", ["files"], indirect=True)
def test_one_page_that_is_all_there_is(api):
    """A hundred megabytes in one list, of which a window is in memory; rows of all sizes lie across its borders."""
    n = 800 if SANITIZED else 3000

    def rows():
        for i in range(1, n + 1):
            pad = "x" * (i * 7919 % 70_000)
            yield f'{{"id": {i}, "name": "Ü\\n{pad}", "none": [{i}, {{"a": "{pad[:40]}"}}]}}'
    body = "[" + ",\n ".join(rows()) + "]"
    assert SANITIZED or len(body) > 96 << 20
    api.put("/x", body.encode())
    got = read(api.url("/x"), paging="next", rows="", field=["id", "name"], quiet=1).good()
    assert got.last["rows"] == n and got.last["received"] == len(body.encode())
    assert SANITIZED or got.last["peak_kb"] < 40_000


@pytest.mark.parametrize("kept", ["files"], indirect=True)
def test_a_row_too_large_is_refused(api):
    big = b'{"id": 1, "a": "' + b"y" * (65 << 20) + b'"}'
    for body in (b'{"data": [{"id": 0}, ' + big + b"]}", b'{"data": [], "other": [' + big + b"]}"):
        api.put("/x", body)
        read(api.url("/x"), paging="next").bad("page 1 (", "one row", "larger than 64.0 MB")
    api.put("/x", b'{"data": [{"id": 0}, ' + big.replace(b"y" * (2 << 20), b"") + b"]}")
    assert read(api.url("/x"), paging="next", quiet=1).good().last["rows"] == 2


@pytest.mark.parametrize("kept", ["files"], indirect=True)
def test_a_file_that_cannot_be_written(api, tmp_path):
    got = read(api.url(FULL), file_max=65536)
    got.bad("page 1 (", "cannot be kept in the file", "File too large", transient=True)
    assert got.rows == [] and len(api.requests) == 1
    read(api.url(FULL), spool_folder=tmp_path / "nowhere").bad("cannot make a file for pages in", "nowhere: No such file")


# A pass that goes on where another was broken off.

RESUMED = [("offset", FULL, {"page_size": 100}), ("page", "/v2/numbered", {"paging": "page", "first_page": 1}),
           ("page from 0", "/v2/numbered", {"paging": "page", "first_page": 0})]


def asked(api):
    """The pages that were asked for, as numbers."""
    with api.lock:
        queries = [query for _, query, _ in api.requests]
        api.requests.clear()
    return [int(query.get("offset", query.get("page", 0))) for query in queries]


@pytest.mark.parametrize("path,wishes", [r[1:] for r in RESUMED], ids=[r[0] for r in RESUMED])
@pytest.mark.parametrize("broken", [1, 2, 7, 24])
@pytest.mark.parametrize("parallel", [1, 4])
def test_a_pass_goes_on_where_it_was_broken_off(path, wishes, broken, parallel):
    with open_api(2400) as api:
        first_page = wishes.get("first_page", 0)
        for page in range(26):
            ids = range(page * 100 + 1, page * 100 + 101) if page < 24 else []
            api.put(f"/v2/numbered?page={page + first_page}", {"data": [{"id": i} for i in ids]})
        url = api.url(path)
        whole = read(url, parallel=parallel, **wishes).good()
        assert whole.ids() == list(range(1, 2401)) and whole.last["position"] == -1
        asked(api)
        got = read(url, break_at=broken, parallel=parallel, **wishes).good()
        position = got.last["position"]
        assert position == (broken + first_page if "paging" in wishes else got.ids()[-1])
        asked(api)
        more = read(url, begin_at=position, parallel=parallel, **wishes).good()
        assert more.last["position"] == -1
        # the page before comes again, then all that is left
        assert more.ids() == list(range(max(got.ids()[-1] - 99, 1), 2401))
        assert min(asked(api)) == (position - 1 if "paging" in wishes else max(position - 100, 0))


def test_there_is_a_position_at_the_end_of_each_page_alone(api):
    with subprocess.Popen([REST_CAT, api.url(FULL), "key=id", "page_size=100", "break_at=3"], stdout=subprocess.PIPE) as p:
        lines = [json.loads(line) for line in p.stdout]
    assert len(lines) == 1 + 100 + 99 + 99 + 1 and lines[-1]["position"] == 298
    for paging in ("next", "cursor"):
        assert read(api.url(FULL), paging=paging, break_at=1).good().last["position"] == -1
        read(api.url(FULL), paging=paging, begin_at=1).bad("no numbers")
    read(api.url(FULL), begin_at=-1).bad("no numbers")


@pytest.mark.parametrize("seed", range(some(6)))
def test_random_shifts_in_a_pass_that_goes_on(seed):
    """Also from there on no row is missed that was there all the time, and none comes twice."""
    rng = random.Random(seed)
    with open_api(900) as api:
        api.churn = Churn(api.clinic, seed, deletes=3)
        got = read(api.url(FULL), page_size=50, break_at=rng.randint(2, 9), **PLAIN).good()
        more = read(api.url(FULL), page_size=50, begin_at=got.last["position"], **PLAIN).good()
        assert len(set(more.ids())) == len(more.ids())
        if set(more.ids()) & set(got.ids()):
            assert api.churn.kept <= set(got.ids()) | set(more.ids())


def test_a_list_that_got_shorter_is_read_from_the_start(api):
    read(api.url(FULL), begin_at=5000).bad("from the start", transient=True, restart=True)
    api.put("/n?page=6", {"data": []})
    read(api.url("/n"), paging="page", begin_at=7).bad("from the start", transient=True, restart=True)
    for key in range(1, 300):
        api.clinic.delete(key)

    def churn(clinic, left=iter(range(2))):
        for _ in range(0 if next(left, None) != 1 else 600):
            clinic.delete(clinic.ids[0])
    api.churn = churn
    read(api.url(FULL), begin_at=1000, page_size=100, parallel=1).bad("from the start", transient=True, restart=True)


# Rows of every kind.

def test_values_come_as_they_are_written(api):
    got = document(api, '{"id": 9007199254740993, "a": 1.10, "b": 1e400, "c": -0, "d": true, "e": null, "f": "", '
                        '"g": {"x" : [1, "a  \\" b", {"y":null}]}, "h": [ ], "i": "1899-12-31", "j": "not-a-date", '
                        '"k": "\\u00e9\\ud83d\\ude00\\n\\t\\"\\\\\\/", "l": 12345678901234567890123456789012345678901234567890}').good()
    assert got.rows == [{"id": "9007199254740993", "a": "1.10", "b": "1e400", "c": "-0", "d": "true", "e": None, "f": "",
                         "g": '{"x":[1,"a  \\" b",{"y":null}]}', "h": "[]", "i": "1899-12-31", "j": "not-a-date",
                         "k": "é😀\n\t\"\\/", "l": "12345678901234567890123456789012345678901234567890"}]


def test_rows_that_cannot_be_taken(api):
    good = '{"id": 1, "a": "x", "b": 2}'
    bad = [('7', "not_an_object"), ('["id"]', "not_an_object"), ('null', "not_an_object"), ('"é"', "not_an_object"),
           ('{"id": 2, "a": "\\u0000"}', "nul_byte"), ('{"id": 3, "a": {"n": "\\u0000"}}', "nul_byte"),
           ('{"id": 4, "a": "\\ud800"}', "bad_encoding"), ('{"id": 5, "a": ["\\udc00x"]}', "bad_encoding"),
           ('{"id": 6, "a": 1, "a": 1}', "doubled_member"), ('{"id": 7, "\\u0061": 1, "a": 1}', "doubled_member"),
           ('{"id": 8, "\\ud800": 1}', "bad_encoding"), ('{"id": 9, "\\u0000": 1}', "nul_byte")]
    got = document(api, ", ".join([good] + [text for text, _ in bad])).good()
    assert [(reason, raw) for _, reason, raw in got.rejected] == [(reason, text) for text, reason in bad]
    assert got.rows == [{"id": "1", "a": "x", "b": "2"}] and got.columns == [["id", "a", "b"]]


def test_bytes_that_are_no_utf8_reject_their_row(api):
    got = document(api, b'{"id": 1, "a": "M\xfcller"}, {"id": 2, "a": "M\xc3\xbcller"}').good()
    assert got.rejected == [(1, "bad_encoding", '{"id": 1, "a": "M\ufffdller"}')]
    assert got.rows == [{"id": "2", "a": "Müller"}]


def test_members_that_are_not_kept_may_be_anything(api):
    got = document(api, '{"id": 1, "x": "\\ud800", "y": "\\u0000", "z": 1, "z": 2}', field="id").good()
    assert got.rows == [{"id": "1"}]


def test_a_row_without_its_key(api):
    got = document(api, '{"a": 1}, {"id": null, "a": 2}, {"id": 3}').good()
    assert got.rows == [{"a": "1", "id": None}, {"a": "2", "id": None}, {"a": None, "id": "3"}]
    document(api, '{"a": 1}').bad("no row of its first page has the member `id`")


def test_rows_without_a_key_still_join_pages(api):
    text = api.clinic.text
    api.clinic.text = lambda key: text(key) if key % 5 else f'{{"nr": {key}}}'
    got = read(api.url(FULL), page_size=11, parallel=3).good()
    assert len(got.rows) == 2500


def test_an_empty_list_has_its_key(api):
    assert document(api, "", **PLAIN).good().columns == [["id", "updated_at"]]


def test_a_member_that_comes_late_is_not_lost(api):
    text = api.clinic.text
    api.clinic.text = lambda key: text(key)[:-1] + (f', "late {key // 400}": 1}}' if key >= 1900 else "}")
    got = read(api.url(FULL), page_size=500).bad("later pages have 3 members", transient=True, restart=True)
    assert len(got.rows) < 2500
    first, more = got.columns
    assert more == first + ["late 4", "late 5", "late 6"]
    again = read(api.url(FULL), page_size=500, known=more).good()
    assert again.columns == [more] and len(again.rows) == 2500 and again.rows[-1]["late 6"] == "1"


def test_more_members_than_a_table_has_columns(api):
    rows = ", ".join(f'{{"id": {i}, "m{i}": 1}}' for i in range(1700))
    document(api, rows).bad("choose some with fields")
    assert len(document(api, rows, field=["id", "m7"]).good().rows) == 1700


def test_a_page_nested_too_deep(api):
    document(api, '{"id": ' + "[" * 70 + "]" * 70 + "}", retries=0).bad("nested too deep", transient=True)


@pytest.mark.parametrize("wishes,words", [({"key": ""}, "no key"), ({"since": "1"}, "needs the member"), ({"parallel": 65}, "at most 64"),
                                          ({"page_size": -1}, "between 1 and"), ({"header": "no colon"}, "a header to send"),
                                          ({"header": "a: b\r\nc: d"}, "a header to send")])
def test_wishes_that_cannot_be(api, wishes, words):
    read(api.url(FULL), **wishes).bad(words)


def test_urls_that_cannot_be(api):
    read("nothing").bad("cannot fetch")
    read("ftp://x/").bad("only http, https")
    read(api.url(FULL), newest_url="http://127.0.0.2:1/", **PLAIN).bad("another server")
