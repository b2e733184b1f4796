"""A private MariaDB: its own port, its own directory, its own log, no privileges."""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

from servers import HOST, Process, free_port, wait_until


class MariaDB(Process):
    """As root it runs as the user mysql, or nobody, who owns only its directory. Its root has no password, on the
    Unix socket and by TCP; `dataeng` with the password `best` has all rights on every database named *_db."""

    def __init__(self, home, settings=(), port=None):
        self.home = pathlib.Path(home)
        super().__init__(self.home.with_suffix(".log"))
        self.data = self.home / "data"
        self.socket = self.home / "sock"
        self.port = port or free_port()
        self.settings = {"port": self.port, "bind-address": HOST, "socket": self.socket, "datadir": self.data,
                         "pid-file": self.home / "pid", "innodb-flush-log-at-trx-commit": "2",
                         "innodb-buffer-pool-size": "32M", "innodb-log-file-size": "16M", "skip-name-resolve": "1",
                         "performance-schema": "OFF", "tmpdir": self.home, "character-set-server": "utf8mb4",
                         "innodb-use-native-aio": "0", **dict(settings)}
        self.home.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(self.home, self._user(), pwd.getpwnam(self._user()).pw_gid)
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", f"--tmpdir={self.home}",
                        "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-use-native-aio=0",
                        "--innodb-log-file-size=16M"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.home,
                       **self._identity())

    @staticmethod
    def _user():
        with contextlib.suppress(KeyError):
            return pwd.getpwnam("mysql").pw_name
        return "nobody"

    def _identity(self):
        if os.geteuid() != 0:
            return {}
        return {"user": self._user(), "group": pwd.getpwnam(self._user()).pw_gid, "extra_groups": []}

    def start(self):
        program = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        settings = [f"--{name}={value}" for name, value in self.settings.items()]
        self.spawn([program or "mariadbd", "--no-defaults", *settings], cwd=self.home, start_new_session=True,
                   **self._identity())
        wait_until(self._answers, 60, "MariaDB to accept connections")
        self.sql("CREATE USER IF NOT EXISTS dataeng@'%' IDENTIFIED BY 'best'; "
                 "GRANT ALL ON `%\\_db`.* TO dataeng@'%'")
        return self

    def _answers(self):
        if not self.running:
            raise AssertionError(f"MariaDB ended at start, see {self.log}: {self.log_text()[-800:]}")
        with contextlib.suppress(subprocess.CalledProcessError):
            return self.sql("SELECT 1") == [["1"]]
        return False

    def stop(self):
        if self.running:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            self.wait(60)

    def restart(self):
        self.stop()
        return self.start()

    def sql(self, text, database=""):
        """What the statements return, as the superuser: rows of strings."""
        done = subprocess.run(["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch",
                               "--skip-column-names", "--default-character-set=utf8mb4", database],
                              input=text, capture_output=True, text=True, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def create_database(self, name):
        self.sql(f"DROP DATABASE IF EXISTS `{name}`; CREATE DATABASE `{name}`")

    def url(self, database, port=None, user="dataeng", password="best"):
        return f"mysql://{user}:{password}@{HOST}:{port or self.port}/{database}"
