"""The stand-ins themselves: a test may only be trusted as far as what it is made of."""
import os
import select
import socket
import subprocess
import time

import oracle
import pytest
import servers
from office import claim
from oracle import Published
from programs import PipeWriter, ServiceManager, frame_header, to_yaml
from servers import wait_until


def insert(office, stream, row, tsp="2024-01-01"):
    columns = oracle.SHAPES[stream].columns
    marks = ", ".join(["%s"] * len(columns))
    office.sql(f"INSERT INTO {stream}({', '.join(columns)}, tsp) VALUES ({marks}, '{tsp}')", *row)


def test_practice_database(bare_office):
    assert bare_office.sql("SELECT count(*) FROM patient") == [(1000,)]
    assert bare_office.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'dataeng'") == [(False,)]


def test_postgres_killed_comes_back(bare_office):
    insert(bare_office, "claim", (1, "03003", 5, 7))
    bare_office.postgres.kill9()
    assert not bare_office.postgres.running
    bare_office.postgres.start()
    assert oracle.table_rows(bare_office.sql, "claim")[1][0] == (1, "03003", 5, 7)


def test_redis_with_aof_keeps_all_over_kill9(bare_office):
    bare_office.start_redis(appendonly=True)
    bare_office.publish("claim", (claim(i) for i in range(100)))
    bare_office.redis.kill9()
    bare_office.redis.start()
    assert bare_office.client.xlen("claim") == 100


@pytest.mark.parametrize("what", ["both", "replies"])
def test_stall_proxy_freezes_without_closing(bare_office, what):
    proxy = bare_office.proxy(bare_office.redis)
    direct = bare_office.client
    through = socket.create_connection((servers.HOST, proxy.port))
    through.sendall(b"PING\r\n")
    assert through.recv(64) == b"+PONG\r\n"
    proxy.freeze(what)
    through.sendall(b"SET a 1\r\n")
    if what == "replies":
        wait_until(lambda: direct.get("a"), what="the request to be carried out")
    assert not select.select([through], [], [], 0.2)[0], "something came through"
    proxy.thaw()
    assert through.recv(64) == b"+OK\r\n"
    proxy.drop()
    assert through.recv(64) == b""
    through.close()


def test_service_manager_keeps_and_hands_over_descriptors(bare_office):
    manager = ServiceManager(bare_office.home / "notify")
    read, write = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(manager.path)
        socket.send_fds(s, [b"FDSTORE=1\nFDNAME=pipe.claim\nFDPOLL=0"], [read])
        s.send(b"READY=1\nSTATUS=up")
    manager.wait(lambda m: m.get("READY") == "1")
    assert manager.said("STATUS") == ["up"]
    os.close(read)
    os.write(write, b"kept")
    kept, _ = manager.kept["pipe.claim"]
    assert os.read(kept, 16) == b"kept"
    argv = ["bash", "-c", f'LISTEN_PID=$$ exec "$@" 3<&{kept} {kept}<&-', "sh",
            "bash", "-c", 'test "$LISTEN_PID" = $$ && head -c 5 <&3']
    os.write(write, b"again")
    assert subprocess.run(argv, pass_fds=[kept], capture_output=True, check=True).stdout == b"again"
    os.close(write)
    manager.forget_hung_up()
    assert "pipe.claim" in manager.kept, "FDPOLL=0 keeps it"
    manager.close()


def test_pipe_writer_writes_the_practices_frames(bare_office):
    path = bare_office.home / "pipe"
    writer = PipeWriter(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer.open().frame(b"{}")
    assert os.read(reader, 100) == b"\0" * 31 + b"\x02" + b"{}"
    assert frame_header(300)[-2:] == b"\x01\x2c"
    writer.close()
    os.close(reader)
    assert not path.exists()


def test_yaml_of_a_configuration():
    text = to_yaml({"name": "a", "http": None, "streams": {"claim": {"source": "x: y", "columns": {"id": "id"}}}})
    assert text == 'name: "a"\nstreams:\n  claim:\n    source: "x: y"\n    columns:\n      id: "id"\n'


EVENTS = [Published("claim", claim(1, 5)), Published("claim", claim(1, 6)), Published("claim", claim(2, 0)),
          Published("claim", None), Published("claim", claim(3, 9))]
GOOD = [(1, "03003", 5, 5), (3, "03003", 5, 9)]


def oracle_office(office, rows=GOOD, ledger=(4, 2, 1, 1), parked=1, dead=1):
    office.sql("CREATE TABLE ingest.ledger(stream text, minute timestamptz, delivered bigint, inserted bigint,"
               " duplicate bigint, dead bigint)")
    office.sql("CREATE TABLE ingest.dead_letter(id bigserial, stream text, state text)")
    office.sql("INSERT INTO ingest.ledger VALUES ('claim', now(), %s, %s, %s, %s)", *ledger)
    office.sql("INSERT INTO ingest.dead_letter(stream, state) SELECT 'claim', 'parked' FROM generate_series(1, %s)"
               " UNION ALL SELECT 'claim', 'dead' FROM generate_series(1, %s)", parked, dead)
    for row in rows:
        insert(office, "claim", row)
    return oracle.differences(office.sql, EVENTS, ["claim"])


def test_oracle_is_content_with_what_is_right(bare_office):
    assert oracle_office(bare_office) == []


@pytest.mark.parametrize("fault", [
    {"rows": GOOD[:1], "ledger": (4, 1, 2, 1)},                          # a row is lost
    {"rows": [(1, "03003", 5, 6), GOOD[1]]},                             # the later delivery won
    {"rows": [*GOOD, (7, "03003", 5, 1)], "ledger": (4, 3, 0, 1)},       # a row nobody published
    {"ledger": (5, 2, 1, 1)},                                            # the ledger does not add up
    {"ledger": (3, 2, 0, 1)},                                            # a delivery is missing in it
    {"ledger": (4, 1, 2, 1)},                                            # inserted is not what the table holds
    {"parked": 0},                                                       # a parked letter is lost
    {"dead": 0},                                                         # a dead letter is lost
], ids=range(8))
def test_oracle_finds(bare_office, fault):
    assert oracle_office(bare_office, **fault)


def test_wait_until_fails_in_time():
    began = time.monotonic()
    with pytest.raises(AssertionError, match="for pigs to fly"):
        wait_until(lambda: False, 0.1, "pigs to fly")
    assert time.monotonic() - began < 2
