"""Private database servers for tests: real ones, on a free loopback port.

``mariadb()`` and ``postgresql()`` give the test run's own server, started by the first
test that asks and stopped when the run ends, however it ends. The data lives in a
temporary directory. A test asks no more of the machine than the server's programs:
without them it is skipped, or fails where CONNMON_REQUIRE_SERVERS=1.

Servers that refuse to run as root are run as the account their package made, or as
``nobody``.
"""

from __future__ import annotations

import abc
import atexit
import functools
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import psycopg
import pymysql
from twisted.trial.unittest import SkipTest

if TYPE_CHECKING:
    from typing_extensions import Self

REQUIRE = "CONNMON_REQUIRE_SERVERS"
READY_WITHIN = 60.0
STOPPED_WITHIN = 30.0

# Runs a server whose life hangs on its standard input: a line stops it, and so does
# the end of the pipe, which comes also when the test process is killed; nobody is
# then left to remove the data, so the guard does, a second later: it cannot wait for
# a process that is not its child, and in a container nobody may collect the zombie.
GUARD = """
directory=$1 signal=$2
shift 2
exec 3<&0
(
    read -r order <&3
    kill -s "$signal" $$
    [ -n "$order" ] && exit
    sleep 1
    rm -rf "$directory"
) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
"""

_Server = TypeVar("_Server", bound="Server")


class ServerFailed(Exception):
    """A server that is installed did not start; the text ends with its log."""


def search_path() -> str:
    """Where programs are looked for: Debian keeps servers' outside of PATH."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest_first = sorted(
        versions, key=lambda place: float(place.parent.name), reverse=True
    )
    usual = os.environ.get("PATH", os.defpath)
    return os.pathsep.join([*map(str, newest_first), usual, "/usr/sbin"])


def eventually(check: Callable[[], object], within: float) -> bool:
    """Ask until the answer is true; false when it was not ``within`` these seconds."""
    deadline = time.monotonic() + within
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


_proposed: set[int] = set()


def free_port() -> int:
    """A loopback port that was free a moment ago, and another one each time.

    Who is given two may use the first one later than the second.
    """
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _proposed:
            _proposed.add(port)
            return port


class Server(abc.ABC):
    """One private server, its database ``test`` and its administrator ``root``.

    A context object: started on the way in, stopped on the way out.
    """

    name: ClassVar[str]
    dialect: ClassVar[str]
    account: ClassVar[str]
    stop_signal: ClassVar[str]
    # Each needed program, by all the names it goes by.
    needs: ClassVar[tuple[tuple[str, ...], ...]]
    directory: Path

    def __init__(self, choose_port: Callable[[], int] = free_port) -> None:
        """``choose_port`` proposes a port; again when another took it meanwhile."""
        self._choose_port = choose_port
        self.port = 0
        # Random, so that another's server on our port is not taken for ours.
        self.password = secrets.token_hex(8)
        self._prepare = self._serve = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._admin: Any = None

    @classmethod
    def programs(cls, path: str) -> list[str] | None:
        """The programs needed, in the order of ``needs``; None if one is missing."""
        found = [
            next(filter(None, (shutil.which(name, path=path) for name in names)), None)
            for names in cls.needs
        ]
        present = [program for program in found if program]
        return present if len(present) == len(found) else None

    def start(self) -> None:
        """Make the data directory, start the server, wait until it answers."""
        programs = self.programs(search_path())
        if programs is None:
            raise ServerFailed(f"{self.name} is not installed")
        self._prepare, self._serve = programs
        # /tmp: any account may pass through it, and a socket's path must be short.
        self.directory = Path(tempfile.mkdtemp(prefix="connmon-", dir="/tmp"))
        try:
            self._own(self.directory)
            self._run(self._preparation())
            self._start_on_a_free_port()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove its data; nothing happens the second time."""
        if self._admin is not None:
            self._admin.close()
            self._admin = None
        self._end_process()
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, driver: str) -> str:
        """The SQLAlchemy URL of the database ``test`` by this driver."""
        return (
            f"{self.dialect}+{driver}://root:{self.password}@127.0.0.1:{self.port}/test"
        )

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of one statement, over the administrator's own connection."""
        with self._admin.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    @abc.abstractmethod
    def sessions(self) -> set[int]:
        """The ids of the sessions that clients have open, without our own."""

    @abc.abstractmethod
    def kill(self, session: int) -> None:
        """End one client's session, as an administrator would."""

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()

    @abc.abstractmethod
    def _preparation(self) -> list[str]:
        """The command that fills the empty data directory."""

    @abc.abstractmethod
    def _service(self) -> list[str]:
        """The command that is the server, listening on ``self.port``."""

    @abc.abstractmethod
    def _connect(self) -> Any:
        """The administrator's connection, set to commit by itself; may raise."""

    def _account(self) -> pwd.struct_passwd | None:
        """Whom to run as; None is ourselves."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam(self.account)
        except KeyError:
            return pwd.getpwnam("nobody")

    def _identity(self) -> dict[str, Any]:
        """Popen's arguments for the account to run as."""
        account = self._account()
        if account is None:
            return {}
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def _own(self, path: Path) -> None:
        """Give a file of ours to the account the server runs as."""
        account = self._account()
        if account is not None:
            os.chown(path, account.pw_uid, account.pw_gid)

    def _write(self, name: str, text: str) -> str:
        """A file in the directory, for the server's eyes only; its path."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        self._own(path)
        return str(path)

    def _run(self, command: list[str]) -> None:
        """Run a command to its end, in the directory, as the server's account."""
        done = subprocess.run(
            command,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self._identity(),
        )
        if done.returncode != 0:
            output = done.stdout.decode(errors="replace")
            raise ServerFailed(f"{command[0]}: exit {done.returncode}\n{output}")

    def _start_on_a_free_port(self) -> None:
        """Start the server; again elsewhere if another took the port first."""
        for attempts_left in (2, 1, 0):
            self.port = self._choose_port()
            self._process = self._launch()
            eventually(self._answers_or_died, READY_WITHIN)
            if self._admin is not None:
                return
            self._end_process()
            if not attempts_left:
                raise ServerFailed(f"{self.name} did not start\n{self._log_tail()}")

    def _launch(self) -> subprocess.Popen[bytes]:
        """The server under its guard; in a session of its own, out of reach of ^C."""
        guard = ["/bin/sh", "-c", GUARD, "guard", str(self.directory)]
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                [*guard, self.stop_signal, *self._service()],
                cwd=self.directory,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._identity(),
            )

    def _answers_or_died(self) -> bool:
        """Try to connect the administrator, unless the server has ended."""
        if self._process is None or self._process.poll() is not None:
            return True
        try:
            self._admin = self._connect()
        except (psycopg.Error, pymysql.Error):
            return False
        return True

    def _end_process(self) -> None:
        """Have the guard end the server, and wait for the end."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.write(b"stop\n")
        process.stdin.close()
        try:
            process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _log_tail(self) -> str:
        """The last lines the server wrote."""
        lines = (self.directory / "log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-20:])


class MariaDB(Server):
    """A private MariaDB."""

    name = "MariaDB"
    dialect = "mysql"
    account = "mysql"
    # Nothing is worth writing back, and it leaves nothing outside of its directory.
    stop_signal = "KILL"
    needs = (("mariadb-install-db", "mysql_install_db"), ("mariadbd", "mysqld"))

    def sessions(self) -> set[int]:
        """The connection ids of the process list; the server's own threads are not."""
        rows = self.query(
            "SELECT id FROM information_schema.processlist"
            " WHERE id <> connection_id() AND command <> 'Daemon'"
            " AND user <> 'system user'"
        )
        return {int(row[0]) for row in rows}

    def kill(self, session: int) -> None:
        """End one connection."""
        self.query(f"KILL {session:d}")

    def _preparation(self) -> list[str]:
        """Make the system tables."""
        return [
            self._prepare,
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]

    def _service(self) -> list[str]:
        """Serve, small and without care for a power cut; the password is set first."""
        first = self._write(
            "first.sql",
            "CREATE DATABASE IF NOT EXISTS test;\n"
            f"ALTER USER root@localhost IDENTIFIED BY '{self.password}';\n"
            f"CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '{self.password}';"
            "\nGRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n",
        )
        return [
            self._serve,
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            f"--socket={self.directory / 'socket'}",
            f"--pid-file={self.directory / 'pid'}",
            f"--init-file={first}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--character-set-server=utf8mb4",
            "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=4M",
            "--innodb-flush-log-at-trx-commit=0",
            "--max-connections=500",
        ]

    def _connect(self) -> Any:
        """The administrator's connection."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            password=self.password,
            database="test",
            autocommit=True,
            # A stranger on our port may accept and then say nothing.
            read_timeout=10,
        )


class PostgreSQL(Server):
    """A private PostgreSQL."""

    name = "PostgreSQL"
    dialect = "postgresql"
    account = "postgres"
    # At once, but with its shared memory given back.
    stop_signal = "QUIT"
    needs = (("initdb",), ("postgres",))

    def sessions(self) -> set[int]:
        """The pids of the backends that serve clients."""
        rows = self.query(
            "SELECT pid FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return {int(row[0]) for row in rows}

    def kill(self, session: int) -> None:
        """End one backend."""
        self.query(f"SELECT pg_terminate_backend({session:d})")

    def _preparation(self) -> list[str]:
        """Make the cluster, with a password for whoever asks."""
        return [
            self._prepare,
            f"--pgdata={self.directory / 'data'}",
            f"--pwfile={self._write('password', self.password)}",
            "--username=root",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]

    def _service(self) -> list[str]:
        """Serve, small and without care for a power cut."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.directory,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "shared_buffers": "16MB",
            "max_connections": 300,
            # In the data directory, not left in /dev/shm if it is killed.
            "dynamic_shared_memory_type": "mmap",
        }
        options = [f"--{key}={value}" for key, value in settings.items()]
        return [self._serve, "-D", str(self.directory / "data"), *options]

    def _connect(self) -> Any:
        """The administrator's connection; the first also makes the database."""
        connection = psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            password=self.password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=10,
        )
        connection.execute("CREATE DATABASE test")
        return connection


SERVERS: dict[str, type[Server]] = {"mariadb": MariaDB, "postgresql": PostgreSQL}


def require(
    name: str, path: str | None = None, environ: Mapping[str, str] = os.environ
) -> None:
    """Skip the test that needs a server whose programs are not to be found.

    Where the environment says CONNMON_REQUIRE_SERVERS=1, fail it instead.
    """
    kind = SERVERS[name]
    if kind.programs(search_path() if path is None else path) is not None:
        return
    wanted = " and ".join(names[0] for names in kind.needs)
    text = f"{kind.name} is not installed here (looked for {wanted})"
    if environ.get(REQUIRE) == "1":
        raise AssertionError(f"{text}, and {REQUIRE}=1 wants it tested")
    raise SkipTest(text)


@functools.cache
def mariadb() -> MariaDB:
    """The test run's MariaDB; skips, or fails, the test where there is none."""
    require("mariadb")
    return _until_exit(MariaDB())


@functools.cache
def postgresql() -> PostgreSQL:
    """The test run's PostgreSQL; skips, or fails, the test where there is none."""
    require("postgresql")
    return _until_exit(PostgreSQL())


def _until_exit(server: _Server) -> _Server:
    """Start a server that this process, and no child forked from it, stops at exit."""
    owner = os.getpid()
    server.start()
    atexit.register(lambda: server.stop() if os.getpid() == owner else None)
    return server
