"""The tests' private database servers start, answer, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pymysql
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.whole import servers

CHECKOUT = Path(__file__).parents[2]

# Starts a server, says where it is, and waits to be killed.
VICTIM = """
import sys
from tests.whole import servers
server = servers.SERVERS[sys.argv[1]]()
server.start()
print(server.pid, server.port, server.directory, flush=True)
sys.stdin.read()
"""


def listening(port: int) -> bool:
    """Whether anyone accepts connections on this loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def running(pid: int) -> bool:
    """Whether there is such a process, other than one that only waits for a parent."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except FileNotFoundError:
        return False


class ServerChecks:
    """What holds for each kind of server; mixed into a test case for each."""

    key: ClassVar[str]
    refusal: ClassVar[type[Exception]]
    assertEqual: Any
    assertTrue: Any
    assertRaises: Any

    def setUp(self) -> None:
        """Skip where the server is not installed."""
        servers.require(self.key)

    def client(self, server: servers.Server, password: str) -> Any:
        """A connection such as an application opens."""
        raise NotImplementedError

    def test_answers_and_shows_sessions(self) -> None:
        """A query is answered; sessions are the clients'; the password is asked for."""
        with servers.SERVERS[self.key]() as server:
            self.assertEqual([(2,)], server.query("SELECT 1 + 1"))
            self.assertEqual(set(), server.sessions())
            client = self.client(server, server.password)
            self.assertEqual(1, len(server.sessions()))
            client.close()
            gone = servers.eventually(lambda: not server.sessions(), 10)
            self.assertTrue(gone, "the closed session stays in the list")
            self.assertRaises(self.refusal, self.client, server, "wrong")

    def test_kill_ends_a_session(self) -> None:
        """A killed session is gone from the list, and its client's next query fails."""
        with servers.SERVERS[self.key]() as server:
            client = self.client(server, server.password)
            (session,) = server.sessions()
            server.kill(session)
            gone = servers.eventually(lambda: not server.sessions(), 10)
            self.assertTrue(gone, "the killed session stays in the list")
            self.assertRaises(self.refusal, client.cursor().execute, "SELECT 1")
            client.close()

    def test_url_names_driver_and_database(self) -> None:
        """The URL is the whole of what an application needs."""
        server = servers.SERVERS[self.key]()
        server.port, server.password = 1234, "pw"
        self.assertEqual(
            f"{server.dialect}+some_connmon://root:pw@127.0.0.1:1234/test",
            server.url("some_connmon"),
        )

    def test_stop_leaves_nothing(self) -> None:
        """After stop: no process, no listener, no data; stopping again is no error."""
        with servers.SERVERS[self.key]() as server:
            pid = server.pid
            self.assertTrue(pid and running(pid))
        server.stop()
        self.assertEqual(None, server.pid)
        self.assertEqual(
            (False, False, False),
            (running(pid or 0), listening(server.port), server.directory.exists()),
        )

    def test_a_port_taken_is_another_tried(self) -> None:
        """A port that another takes first costs an attempt, not the run."""
        with socket.socket() as taker:
            taker.bind(("127.0.0.1", 0))
            taken: int = taker.getsockname()[1]
            ports = iter([taken, servers.free_port()])
            server = servers.SERVERS[self.key](choose_port=lambda: next(ports))
            with server:
                self.assertTrue(server.port != taken)
                self.assertEqual([(1,)], server.query("SELECT 1"))

    def test_dies_with_a_killed_test_process(self) -> None:
        """``kill -9`` of the test process ends the server and removes its data."""
        with subprocess.Popen(
            [sys.executable, "-c", VICTIM, self.key],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as victim:
            assert victim.stdout is not None
            pid, port, directory = victim.stdout.readline().split()
            self.assertTrue(running(int(pid)) and listening(int(port)))
            victim.send_signal(signal.SIGKILL)
        gone = servers.eventually(
            lambda: (
                not (
                    running(int(pid))
                    or listening(int(port))
                    or Path(directory).exists()
                )
            ),
            20,
        )
        self.assertTrue(gone, f"{pid} or {directory} outlives its owner")


class MariaDBTests(ServerChecks, SynchronousTestCase):
    """MariaDB."""

    key = "mariadb"
    refusal = pymysql.err.OperationalError

    def client(self, server: servers.Server, password: str) -> Any:
        """By PyMySQL."""
        return pymysql.connect(
            host="127.0.0.1",
            port=server.port,
            user="root",
            password=password,
            database="test",
        )


class PostgreSQLTests(ServerChecks, SynchronousTestCase):
    """PostgreSQL."""

    key = "postgresql"
    refusal = psycopg.OperationalError

    def client(self, server: servers.Server, password: str) -> Any:
        """By psycopg 3."""
        return psycopg.connect(
            host="127.0.0.1",
            port=server.port,
            user="root",
            password=password,
            dbname="test",
        )


class PortTests(SynchronousTestCase):
    """``free_port``."""

    def test_never_the_same(self) -> None:
        """Of so many taken by chance some would be."""
        ports = [servers.free_port() for _ in range(500)]
        self.assertEqual(len(ports), len(set(ports)))


class RequireTests(SynchronousTestCase):
    """What becomes of a test whose server is not installed."""

    def test_skipped(self) -> None:
        """It is skipped, and says which programs are missing."""
        error = self.assertRaises(
            SkipTest, servers.require, "mariadb", path="/nowhere", environ={}
        )
        self.assertEqual(
            "MariaDB is not installed here"
            " (looked for mariadb-install-db and mariadbd)",
            str(error),
        )

    def test_failed_where_servers_are_required(self) -> None:
        """It fails where the environment insists."""
        error = self.assertRaises(
            AssertionError,
            servers.require,
            "postgresql",
            path="/nowhere",
            environ={"CONNMON_REQUIRE_SERVERS": "1"},
        )
        self.assertIn("PostgreSQL is not installed here", str(error))

    def test_one_program_of_two_is_not_enough(self) -> None:
        """A server without the program that prepares its data is a missing one."""
        place = Path(self.mktemp())
        place.mkdir()
        (place / "mariadbd").touch(mode=0o755)
        self.assertRaises(
            SkipTest, servers.require, "mariadb", path=str(place), environ={}
        )

    def test_present(self) -> None:
        """Either name of each program will do."""
        place = Path(self.mktemp())
        place.mkdir()
        for name in ("mysqld", "mysql_install_db"):
            (place / name).touch(mode=0o755)
        servers.require("mariadb", path=str(place), environ={})


class SharedTests(SynchronousTestCase):
    """The servers that a whole test run shares."""

    def test_one_for_all(self) -> None:
        """Every test that asks gets the same running server."""
        self.assertIs(servers.mariadb(), servers.mariadb())
        self.assertEqual([(1,)], servers.mariadb().query("SELECT 1"))

    def test_a_forked_child_leaves_it_alone(self) -> None:
        """A child that forks and exits in the ordinary way does not stop it."""
        server = servers.postgresql()
        script = (
            "import os, sys\n"
            "from tests.whole import servers\n"
            "server = servers.postgresql()\n"
            "child = os.fork()\n"
            "if not child: sys.exit()\n"
            "os.waitpid(child, 0)\n"
            "print(server.query('SELECT 1'))\n"
        )
        output = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        self.assertEqual("[(1,)]\n", output)
        self.assertEqual([(1,)], server.query("SELECT 1"))
