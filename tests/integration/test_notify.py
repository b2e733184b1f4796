"""What the service manager is told, and what it keeps for us."""
import array
import fcntl
import json
import os
import signal
import termios

from office import claim
from oracle import Published
from programs import PipeWriter, frame_header
from servers import wait_until


def frame_of(key):
    body = json.dumps(claim(key)).encode()
    return frame_header(len(body)) + body


def test_ready_and_status(office):
    daemon = office.daemon()
    daemon.manager.wait(lambda m: m.get("STATUS"), what="a status line")
    daemon.wait_healthy()
    office.publish("claim", [claim(1)])
    office.wait_settled()
    assert daemon.manager.said("READY") == ["1"]
    assert all("\n" not in s and len(s) < 200 for s in daemon.manager.said("STATUS"))


def test_ready_while_the_servers_are_away(office):
    """A daemon that waits for its servers is up: systemd must not kill it for their sake."""
    streams = [office.redis_stream("claim")]
    office.redis.stop()
    office.postgres.stop("immediate")
    daemon = office.daemon(streams)
    daemon.wait_for_condition(["postgres"])
    office.postgres.start()
    office.redis.start()
    office.publish("claim", [claim(1)])
    office.wait_settled()
    daemon.wait_healthy()


def test_reload_is_announced_and_ended(office):
    daemon = office.daemon()
    daemon.reload()
    reloading = daemon.manager.wait(lambda m: m.get("RELOADING") == "1", what="RELOADING=1")
    ready = daemon.manager.wait(lambda m: m.get("READY") == "1", what="READY=1 after the reload")
    assert ready >= reloading
    stamp = daemon.manager.said("MONOTONIC_USEC")  # what notify-reload wants, sd_notify(3)
    assert stamp and int(stamp[0]) > 0


def test_reload_of_a_broken_config_is_ended_too(office):
    daemon = office.daemon()
    daemon.config_path.write_text("nonsense: 1\n")
    daemon.reload()
    daemon.manager.wait(lambda m: m.get("RELOADING") == "1", what="RELOADING=1")
    daemon.manager.wait(lambda m: m.get("READY") == "1", what="READY=1: the old configuration stands")
    office.publish("claim", [claim(1)])
    office.wait_settled()


def test_stopping(office):
    daemon = office.daemon()
    assert daemon.terminate() == 0
    daemon.manager.wait(lambda m: m.get("STOPPING") == "1", 5, "STOPPING=1")


def test_sigint_ends_in_order_too(office):
    daemon = office.daemon()
    daemon.signal(signal.SIGINT)
    assert daemon.wait(10) == 0


def test_watchdog_is_fed_when_idle_and_under_load(office):
    daemon = office.daemon(watchdog_us=1_000_000)
    for _ in range(2):
        daemon.manager.wait(lambda m: m.get("WATCHDOG") == "1", 5, "WATCHDOG=1")
        daemon.manager.clear()
        office.publish("claim", (claim(i) for i in range(2000)))
    office.wait_settled()


def test_watchdog_is_fed_while_postgres_is_away(office):
    """Waiting for a server is no fault of ours that a restart could heal."""
    daemon = office.daemon(watchdog_us=1_000_000)
    office.postgres.stop("immediate")
    daemon.wait_for_condition(["postgres"])
    for _ in range(3):
        daemon.manager.clear()
        daemon.manager.wait(lambda m: m.get("WATCHDOG") == "1", 5, "WATCHDOG=1")
    office.postgres.start()


def test_no_watchdog_unless_wanted(office):
    daemon = office.daemon()
    office.publish("claim", (claim(i) for i in range(100)))
    office.wait_settled()
    assert "WATCHDOG" not in {k for _, m in daemon.manager.messages for k in m}


def test_pipe_is_kept_over_kill9_in_mid_frame(office):
    """Bytes already read are in the spool, bytes not yet read in the pipe, which the manager holds open."""
    daemon = office.daemon([office.fifo_stream("claim")])
    writer = PipeWriter(office.pipe("claim")).open()
    wait_until(lambda: daemon.manager.kept, what="the pipe to be kept")
    writer.raw(frame_of(1))
    office.published.append(Published("claim", claim(1)))
    office.wait_settled()
    cut = frame_of(2)
    writer.raw(cut[:45])
    wait_until(lambda: unread(writer) == 0, what="the half frame to be read")
    daemon.kill9()
    writer.raw(cut[45:] + frame_of(3))  # no SIGPIPE: somebody still holds the other end
    daemon.start()
    office.published += [Published("claim", claim(2)), Published("claim", claim(3))]
    office.wait_settled()
    writer.raw(frame_of(4))
    office.published.append(Published("claim", claim(4)))
    office.wait_settled()
    assert not office.letters()
    writer.close()
    office.check()


def unread(writer):
    """How many bytes are in the pipe now (FIONREAD, ioctl_tty(2))."""
    n = array.array("i", [0])
    fcntl.ioctl(writer.fd, termios.FIONREAD, n)
    return n[0]


def test_pipe_is_kept_over_a_restart_in_order(office):
    daemon = office.daemon([office.fifo_stream("claim")])
    writer = PipeWriter(office.pipe("claim")).open()
    for round_ in range(3):
        writer.raw(frame_of(round_) + frame_of(10 + round_)[:33])
        assert daemon.terminate() == 0
        writer.raw(frame_of(10 + round_)[33:])
        daemon.start()
        office.published += [Published("claim", claim(round_)), Published("claim", claim(10 + round_))]
    office.wait_settled()
    assert not office.letters()
    writer.close()
    office.check()


def test_pipe_that_was_made_anew_meanwhile_is_followed(office):
    """The kept descriptor is of a pipe that is gone: its rest is read, then the new one."""
    daemon = office.daemon([office.fifo_stream("claim")])
    writer = PipeWriter(office.pipe("claim")).open()
    wait_until(lambda: daemon.manager.kept, what="the pipe to be kept")
    daemon.kill9()
    writer.raw(frame_of(1))
    writer.close()
    writer = PipeWriter(office.pipe("claim"))
    daemon.start()
    writer.open()
    writer.raw(frame_of(2))
    wait_until(lambda: office.sql("SELECT 1 FROM claim WHERE id = 2"), what="the new pipe's event")
    writer.close()


def test_kept_pipe_is_forgotten_when_its_publisher_ends(office):
    daemon = office.daemon([office.fifo_stream("claim")])
    writer = PipeWriter(office.pipe("claim")).open()
    wait_until(lambda: daemon.manager.kept, what="the pipe to be kept")
    writer.close()
    wait_until(lambda: not daemon.manager.kept, what="the pipe to be forgotten")


def test_without_a_manager(office):
    daemon = office.daemon(start=False)
    daemon.spawn(daemon.argv(), env={k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"})
    office.publish("claim", [claim(1)])
    office.wait_settled()
    assert daemon.terminate() == 0
