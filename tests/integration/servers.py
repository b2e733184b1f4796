"""The real servers the tests run against, each private: its own port, its own directory, its own log."""
import contextlib
import ctypes
import os
import pathlib
import pwd
import selectors
import shutil
import signal
import socket
import subprocess
import threading
import time

import psycopg2
import redis

HOST = "127.0.0.1"
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def wait_until(condition, timeout=20.0, what="the condition", every=0.02):
    """Polls until the condition is true and returns what it said; fails loudly when it never is."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while True:
        said = condition()
        if said:
            return said
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}; it last said {said!r}")
        pause.wait(every)


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def adopt_orphans():
    """Children of our children come to us when their parent dies, so that no leaked process can hide."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid=None):
    """The living children of a process, {pid: command}. Zombies are not alive."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            name, rest = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)
            state, parent = rest.split()[:2]
            if int(parent) == (pid or os.getpid()) and state != "Z":
                found[int(entry)] = name.split("(", 1)[1]
    return found


def alive(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


class Process:
    """A program we started: its output goes to a file, and it is ended by its own pid."""

    def __init__(self, log):
        self.log = pathlib.Path(log)
        self.process = None

    def spawn(self, argv, **options):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=options.pop("stdout", out),
                                            stderr=out, **options)
        return self.process

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=30):
        return self.process.wait(timeout)

    def kill9(self):
        if self.running:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Postgres(Process):
    """A Postgres of our own. As root it runs as the user postgres, who owns only its data directory."""

    def __init__(self, home, fsync=False, settings=()):
        self.home = pathlib.Path(home)
        super().__init__(self.home.with_suffix(".log"))
        self.data = self.home / "data"
        self.port = free_port()
        self.settings = {"fsync": "on" if fsync else "off", "listen_addresses": HOST, "port": str(self.port),
                         "unix_socket_directories": str(self.home), "max_connections": "60",
                         "logging_collector": "off", **dict(settings)}
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.home.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(self.home, "postgres", "postgres")
        self._run("initdb", "-D", self.data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync",
                  "--auth-local=trust", "--auth-host=scram-sha-256")

    @staticmethod
    def _program(name):
        for folder in sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
            if (folder / name).exists():
                return str(folder / name)
        return name

    def _identity(self):
        return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}

    def _run(self, program, *args):
        subprocess.run([self._program(program), *map(str, args)], check=True, stdout=subprocess.DEVNULL,
                       cwd=self.home, **self._identity())

    def start(self):
        settings = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        self.spawn([self._program("postgres"), "-D", str(self.data), *settings], cwd=self.home,
                   start_new_session=True, **self._identity())
        wait_until(self._answers, 60, "Postgres to accept connections")
        return self

    def _answers(self):
        if not self.running:
            raise AssertionError(f"Postgres ended at start, see {self.log}: {self.log_text()[-800:]}")
        with contextlib.suppress(psycopg2.OperationalError):
            self.connect("template1").close()
            return True
        return False

    def stop(self, mode="fast"):
        """smart, fast or immediate, as pg_ctl(1) has it."""
        if self.running:
            self.signal({"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
            self.wait(60)

    def kill9(self):
        """The whole cluster at once, as when the machine loses power, but for the page cache."""
        if not self.running:
            return
        backends = children(self.pid)
        self.process.kill()
        for pid in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(alive(pid) for pid in backends), 10, "Postgres' processes to end")

    def freeze(self):
        """Stops every process of it: connections stay open and nobody answers."""
        for pid in [self.pid, *children(self.pid)]:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in [self.pid, *children(self.pid)]:
            os.kill(pid, signal.SIGCONT)

    def restart(self, mode="fast"):
        self.stop(mode)
        return self.start()

    def connect(self, database, user="postgres"):
        """A superuser's connection over the Unix socket, each statement its own transaction."""
        c = psycopg2.connect(host=str(self.home), port=self.port, dbname=database, user=user, connect_timeout=10)
        c.autocommit = True
        return c

    def url(self, database, port=None):
        """As the practice hands it out: its user, who is no superuser, by TCP and with a password."""
        return f"postgresql://dataeng:best@{HOST}:{port or self.port}/{database}"


class Redis(Process):
    """A Redis of our own; with appendonly every write is on disk before it is answered."""

    def __init__(self, home, appendonly=False, settings=()):
        self.home = pathlib.Path(home)
        super().__init__(self.home.with_suffix(".log"))
        self.port = free_port()
        self.home.mkdir(parents=True)
        self.settings = {"port": str(self.port), "bind": HOST, "dir": str(self.home), "save": "",
                         "appendonly": "yes" if appendonly else "no",
                         "appendfsync": "always" if appendonly else "no",
                         **dict(settings)}

    def start(self):
        settings = [word for name, value in self.settings.items() for word in (f"--{name}", value)]
        self.spawn(["redis-server", *settings])
        wait_until(self._answers, 30, "Redis to answer")
        return self

    def _answers(self):
        if not self.running:
            raise AssertionError(f"Redis ended at start, see {self.log}: {self.log_text()[-800:]}")
        with contextlib.suppress(redis.exceptions.RedisError), self.client() as c:
            return c.ping()
        return False

    def stop(self):
        if self.running:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            self.wait()

    def restart(self):
        self.stop()
        return self.start()

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def client(self, **options):
        return redis.Redis(host=HOST, port=self.port, socket_timeout=30, **options)

    def url(self, stream, port=None):
        return f"redis://{HOST}:{port or self.port}/0/{stream}"


class StallProxy:
    """
    A TCP proxy that can freeze without closing: what a peer sees of a host that hangs, or of a firewall that
    forgot the connection. "replies" freezes only what comes back, so that requests are carried out unseen.
    """

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.listener.setblocking(False)
        self.frozen = None  # None, "both" or "replies"
        self.connections = 0
        self._peers = {}   # socket -> (its peer, is it the server's side)
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="stall-proxy", daemon=True)
        self._thread.start()

    def freeze(self, what="both"):
        self._change(what)

    def thaw(self):
        self._change(None)

    def drop(self):
        """Closes every connection, as a server that is shot does."""
        with self._lock:
            for s in list(self._peers):
                self._close(s)

    def close(self):
        self._closing = True
        self._wake.send(b"x")
        self._thread.join()
        for s in (self.listener, self._wake, self._woken, *self._peers):
            s.close()

    def _change(self, frozen):
        with self._lock:
            self.frozen = frozen
            for s, (_, server) in self._peers.items():
                stopped = frozen == "both" or (frozen == "replies" and server)
                if stopped and s in self._selector.get_map():
                    self._selector.unregister(s)
                elif not stopped and s not in self._selector.get_map():
                    self._selector.register(s, selectors.EVENT_READ)
        self._wake.send(b"x")

    def _serve(self):
        while not self._closing:
            for key, _ in self._selector.select():
                with self._lock:
                    self._turn(key.fileobj)

    def _turn(self, s):
        if s is self._woken:
            s.recv(64)
        elif s is self.listener:
            self._accept()
        elif s in self._peers and s in self._selector.get_map():
            self._carry(s)

    def _accept(self):
        client, _ = self.listener.accept()
        self.connections += 1
        try:
            server = socket.create_connection((HOST, self.target), 5)
        except OSError:
            client.close()
            return
        for s, peer, is_server in ((client, server, False), (server, client, True)):
            s.setblocking(True)
            s.settimeout(10)
            self._peers[s] = (peer, is_server)
            if self.frozen != "both" and not (self.frozen == "replies" and is_server):
                self._selector.register(s, selectors.EVENT_READ)

    def _carry(self, s):
        peer, _ = self._peers[s]
        try:
            got = s.recv(1 << 16)
            if got:
                peer.sendall(got)
                return
        except OSError:
            pass
        self._close(s)

    def _close(self, s):
        if s not in self._peers:
            return
        peer, _ = self._peers[s]
        for end in (s, peer):
            self._peers.pop(end, None)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
