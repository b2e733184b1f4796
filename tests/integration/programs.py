"""Our own programs under test: the daemon with its service manager, ingestctl, and the demo publisher."""
import contextlib
import fcntl
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import threading
import time

from servers import Process, wait_until

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("INGESTD_BUILD", REPO / "build"))
INGESTD = BUILD / "daemon/ingestd/ingestd"
INGESTCTL = BUILD / "daemon/ingestctl/ingestctl"
PUBLISHER = BUILD / "setup/demo/ingest-demo-publisher"
START_TIMEOUT = 30
KEPT_FD_FIRST = 200  # where we park descriptors ourselves, well away from those we hand over


class ServiceManager:
    """
    What systemd is to a Type=notify service: it reads the notifications, keeps the descriptors it is given
    (FDSTORE=1), and hands them to the next process (LISTEN_FDS). See sd_notify(3).
    """

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.messages = []  # (monotonic time, {NAME: value})
        self.kept = {}      # FDNAME -> (descriptor, polled by the manager)
        self._changed = threading.Condition()
        self._wake_in, self._wake_out = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="service-manager", daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            ready, _, _ = select.select([self.socket, self._wake_in], [], [])
            if self._wake_in in ready:
                return
            text, fds, _, _ = socket.recv_fds(self.socket, 1 << 16, 64)
            fields = dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)
            with self._changed:
                self._keep(fields, fds)
                self.messages.append((time.monotonic(), fields))
                self._changed.notify_all()

    def _keep(self, fields, fds):
        name = fields.get("FDNAME", "stored")
        if fields.get("FDSTOREREMOVE") == "1" and name in self.kept:
            os.close(self.kept.pop(name)[0])
        for fd in fds:
            if fields.get("FDSTORE") == "1":
                if name in self.kept:
                    os.close(self.kept.pop(name)[0])
                self.kept[name] = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, KEPT_FD_FIRST), fields.get("FDPOLL") != "0")
            os.close(fd)

    def forget_hung_up(self):
        """systemd drops a kept descriptor that hangs up, unless it was stored with FDPOLL=0."""
        for name, (fd, polled) in list(self.kept.items()):
            p = select.poll()
            p.register(fd, 0)
            if polled and p.poll(0):
                os.close(self.kept.pop(name)[0])

    def wait(self, condition, timeout=START_TIMEOUT, what="a notification", process=None):
        """Waits for a message whose fields satisfy the condition; returns when it came."""
        deadline, seen = time.monotonic() + timeout, 0
        with self._changed:
            while True:
                for when, fields in self.messages[seen:]:
                    if condition(fields):
                        return when
                seen = len(self.messages)
                if process is not None and not process.running:
                    raise AssertionError(f"{what}: the program ended with {process.process.returncode}:\n"
                                         f"{process.log_text()[-2000:]}")
                if time.monotonic() > deadline:
                    raise AssertionError(f"waited {timeout} s in vain for {what}; got {self.messages[-5:]}")
                self._changed.wait(0.2)

    def clear(self):
        with self._changed:
            self.messages.clear()

    def said(self, name):
        """Every value of one field so far, in order."""
        with self._changed:
            return [fields[name] for _, fields in self.messages if name in fields]

    def close(self):
        os.write(self._wake_out, b"x")
        self._thread.join()
        self.socket.close()
        for fd, _ in self.kept.values():
            os.close(fd)
        for fd in (self._wake_in, self._wake_out):
            os.close(fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


class Daemon(Process):
    """ingestd with a configuration of its own: config is a dict, or the file's text."""

    def __init__(self, home, config, watchdog_us=0, env=()):
        self.home = pathlib.Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        super().__init__(self.home / "stderr")
        self.config_path = self.home / "ingestd.yaml"
        self.control = self.home / "control"
        self.state_dir = self.home / "state"
        self.state_dir.mkdir(exist_ok=True)
        self.state_dir.chmod(0o700)
        self.watchdog_us = watchdog_us
        self.env = dict(env)
        self.killed = False
        self.crashes = []
        self.manager = ServiceManager(self.home / "notify")
        self.write_config(config)

    def write_config(self, config):
        if isinstance(config, dict):
            config = to_yaml({"control": str(self.control), "state_dir": str(self.state_dir), **config})
        self.config_path.write_text(config)

    def start(self, wait=True):
        """Starts it and returns the seconds until it said READY=1 (None without waiting)."""
        self.note_crash()
        self.killed = False
        self.manager.clear()
        began = time.monotonic()
        self.spawn(self.argv(), env=self._environment(), pass_fds=[fd for fd, _ in self.manager.kept.values()])
        if not wait:
            return None
        return self.manager.wait(lambda m: m.get("READY") == "1", what="READY=1", process=self) - began

    def argv(self):
        argv = [str(INGESTD), "--config", str(self.config_path)]
        self.manager.forget_hung_up()
        if not self.manager.kept:
            return argv
        moves = [f"{3 + i}<&{fd} {fd}<&-" for i, (fd, _) in enumerate(self.manager.kept.values())]
        return ["bash", "-c", f'LISTEN_PID=$$ exec "$@" {" ".join(moves)}', "ingestd", *argv]

    def _environment(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_"))}
        env["NOTIFY_SOCKET"] = self.manager.path
        if self.watchdog_us:
            env["WATCHDOG_USEC"] = str(self.watchdog_us)
        if self.manager.kept:
            env["LISTEN_FDS"] = str(len(self.manager.kept))
            env["LISTEN_FDNAMES"] = ":".join(self.manager.kept)
        return {**env, **self.env}

    def kill9(self):
        if self.running:
            self.killed = True
        super().kill9()

    def note_crash(self):
        """Remembers an end by a signal that was none of ours, or by a sanitizer."""
        code = self.process.poll() if self.process is not None else None
        if code is not None and code not in (0, 1, 2) and not self.killed:
            self.crashes.append(f"{self.log}: ingestd ended with {code}")
            self.killed = True

    def terminate(self, timeout=15):
        """SIGTERM, and the exit code; an error when it takes longer."""
        if not self.running:
            return self.process.returncode
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def reload(self):
        self.manager.clear()
        self.signal(signal.SIGHUP)

    def ctl(self, *args, json_output=True, timeout=60):
        """(exit code, what it printed as JSON or None). Without JSON: (exit code, text)."""
        done = self.ctl_raw(*(["--json"] if json_output else []), *args, timeout=timeout)
        if not json_output:
            return done.returncode, done.stdout
        try:
            return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None
        except json.JSONDecodeError as e:
            raise AssertionError(f"ingestctl {args} printed no JSON ({e}): {done.stdout!r} {done.stderr!r}") from e

    def ctl_raw(self, *args, timeout=60):
        argv = [str(INGESTCTL), "--socket", str(self.control), "--config", str(self.config_path), *map(str, args)]
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)

    def streams(self):
        """What `streams` says, by name."""
        code, streams = self.ctl("streams")
        assert code == 0
        return {s["name"]: s for s in streams}

    def conditions(self):
        """What `status` says is wrong."""
        _, status = self.ctl("status")
        return (status or {}).get("conditions", [])

    def wait_for_condition(self, words, timeout=30):
        """Until a condition mentions every one of the words, in any of its fields, whatever their case."""
        def there():
            for c in self.conditions():
                text = json.dumps(c).lower()
                if all(w.lower() in text for w in words):
                    return c
            return None
        return wait_until(there, timeout, f"a condition about {words}", every=0.1)

    def wait_healthy(self, timeout=30):
        wait_until(lambda: self.ctl("status")[0] == 0, timeout, "the daemon to be healthy", every=0.1)

    def wait_running(self, timeout=30):
        """Until every stream is read."""
        wait_until(lambda: all(s["state"] == "running" for s in self.streams().values()), timeout,
                   "all streams to run", every=0.05)

    def memory(self):
        """{VmRSS, RssAnon, …} in KiB."""
        lines = pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)
                if name.startswith(("Vm", "Rss"))}

    def assert_small(self, mib=24):
        """Its resident memory is within the bounds; what a sanitizer takes beside it is not counted."""
        if b"__asan_init" not in INGESTD.read_bytes():
            assert self.memory()["VmRSS"] <= mib * 1024

    def cpu_ticks(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def close(self):
        self.note_crash()
        self.kill9()
        self.manager.close()


class Publisher(Process):
    """ingest-demo-publisher; options as it names them, without the dashes."""

    def __init__(self, home, **options):
        self.home = pathlib.Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        super().__init__(self.home / "publisher.log")
        self.record_path = self.home / "record.ndjson"
        if options.pop("record", True):
            options["record"] = self.record_path
        self.options = options

    def start(self):
        argv = [str(PUBLISHER)]
        for name, value in self.options.items():
            argv += [f"--{name.replace('_', '-')}", str(value)]
        self.spawn(argv)
        return self

    def terminate(self):
        if self.running:
            self.signal(signal.SIGTERM)
        return self.wait()

    def run(self, timeout=120):
        self.start()
        code = self.wait(timeout)
        assert code == 0, f"the publisher ended with {code}: {self.log_text()[-800:]}"
        return self

    def record(self):
        with open(self.record_path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]


class PipeWriter:
    """A practice's publisher in miniature: makes the pipe, waits for a reader, writes length and body apart."""

    def __init__(self, path, make=True):
        self.path = str(path)
        if make:
            os.mkfifo(self.path)
        self.fd = -1

    def open(self, timeout=20):
        def try_open():
            with contextlib.suppress(OSError):
                self.fd = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
                os.set_blocking(self.fd, True)
                return True
            return False
        wait_until(try_open, timeout, f"a reader at {self.path}")
        return self

    def frame(self, body, length=None):
        self.raw(frame_header(len(body) if length is None else length))
        self.raw(body)

    def raw(self, octets):
        view = memoryview(octets)
        while view:
            view = view[os.write(self.fd, view):]

    def close(self, unlink=True):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if unlink:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)


def frame_header(length):
    """32 bytes, unsigned, big-endian."""
    return length.to_bytes(32, "big")


def to_yaml(value, indent=""):
    """The little YAML a configuration needs: nested mappings, scalars quoted as JSON does."""
    lines = []
    for key, item in value.items():
        if item == {}:
            lines.append(f"{indent}{key}: {{}}")
        elif isinstance(item, dict):
            lines += [f"{indent}{key}:", to_yaml(item, indent + "  ").rstrip("\n")]
        elif item is not None:
            lines.append(f"{indent}{key}: {json.dumps(item, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


class Varlink:
    """A raw client of the control socket, for what ingestctl would never send."""

    def __init__(self, path, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self._rest = b""

    def send(self, message):
        self.raw(json.dumps(message).encode() + b"\0")

    def raw(self, octets):
        self.socket.sendall(octets)

    def receive(self):
        """The next message; None when the server hung up."""
        while b"\0" not in self._rest:
            try:
                got = self.socket.recv(1 << 16)
            except ConnectionResetError:
                return None
            if not got:
                return None
            self._rest += got
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.send({"method": method, "parameters": parameters})
        return self.receive()

    def peer_pid(self):
        return struct.unpack("3i", self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
