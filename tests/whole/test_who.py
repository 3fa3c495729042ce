"""``connmon who``, asked for what the real servers and a proxy list."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy.engine import make_url
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.whole import servers
from tests.whole.drivers import OfDriver, OfMariaDB, OfPostgreSQL
from tests.whole.fleet import BIN, WITHIN, Application, Node, ran
from tests.whole.proxy import Proxy, can_listen

SHOP = """
import asyncio, threading
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
held = []

def begin(url):
    global engine
    engine = create_engine(url, future=True)

def hold():
    held.append(engine.connect())  # the line

def own(statement):
    number = held[-1].execute(text(statement)).scalar()
    held[-1].rollback()
    return number

def release():
    held.pop().close()
"""
"""A module that uses a database."""

AIO = """
import asyncio, threading
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
held = []
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()

def begin(url):
    global engine
    engine = create_async_engine(url)

def done(work):
    return asyncio.run_coroutine_threadsafe(work, loop).result(10)

async def take():
    connection = engine.connect()
    held.append(await connection.start())  # the line

async def ask(statement):
    number = (await held[-1].execute(text(statement))).scalar()
    await held[-1].rollback()
    return number

def hold():
    done(take())

def own(statement):
    return done(ask(statement))

def release():
    done(held.pop().close())
"""
"""The same with asyncio."""


class Asking(OfDriver):
    """A program that uses a driver, and what is known of its sessions."""

    #: The query string of the URL, beyond what is connmon's.
    query: ClassVar[dict[str, str]] = {}
    #: Whether the driver lets anybody at its socket.
    tells_address: ClassVar[bool] = True
    module: ClassVar[str] = SHOP
    function: ClassVar[str] = "hold"
    thread: ClassVar[str] = "MainThread"
    addCleanup: Any
    assertEqual: Any
    assertIn: Any
    assertTrue: Any
    mktemp: Any

    def setUp(self) -> None:
        """A node, and a program beside it."""
        super().setUp()
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.node = self.stack.enter_context(Node())
        self.place = Path(self.mktemp()).resolve()
        self.place.mkdir()
        (self.place / "shop.py").write_text(self.module)

    def holding(self, port: int, host: str = "127.0.0.1") -> tuple[Application, int]:
        """A program that has a connection out, and that session's id."""
        url = make_url(self.server.url(self.driver)).set(host=host, port=port)
        options = {
            "connmon_addr": self.node.address,
            "connmon_program": "shop",
            "plugin": "connmon",
            **self.query,
        }
        text = url.set(query=options).render_as_string(hide_password=False)
        setup = f"sys.path.insert(0, {str(self.place)!r})\nimport shop\n"
        application = self.stack.enter_context(Application(setup))
        application.do(f"shop.begin({text!r})")
        application.do("shop.hold()")
        return application, int(application.do(f"shop.own({self.own_id!r})"))

    def check(
        self,
        application: Application,
        own: int,
        row: dict[str, Any],
        asked: object,
        address: str,
    ) -> None:
        """A row is the connection of the application, as it has it out."""
        lines = self.module.splitlines()
        (line,) = [n for n, each in enumerate(lines, 1) if "# the line" in each]
        name = f"shop.py:{line} {self.function}"
        self.assertEqual(
            (str(asked), socket.gethostname(), "shop", application.pid, own),
            tuple(
                row[each]
                for each in ("asked", "hostname", "progname", "pid", "server_session")
            ),
        )
        self.assertTrue(row["site"].endswith(name), row["site"])
        self.assertTrue(row["owner"].startswith(self.thread), row["owner"])
        self.assertTrue(0.0 <= row["out_seconds"] <= row["age_seconds"] < 60.0, row)
        self.assertTrue(row["pool_name"].startswith(f"{self.server.dialect}+"), row)
        self.assertEqual(address if self.tells_address else None, row["address"])

    def found(
        self, asked: object, state: str = "out", **wanted: object
    ) -> dict[str, Any]:
        """What is known of a session, once that is known."""
        wanted["state"] = state
        rows: list[dict[str, Any]] = []

        def known() -> bool:
            done = self.asked(asked, "--json")
            rows[:] = [json.loads(line) for line in done.stdout.splitlines()]
            return done.returncode == 0 and all(
                row[name] == each for row in rows for name, each in wanted.items()
            )

        self.assertTrue(servers.eventually(known, WITHIN), (asked, rows))
        (row,) = rows
        return row

    def asked(self, *arguments: object) -> Any:
        """Run the command."""
        words = map(str, arguments)
        return ran(BIN / "connmon", "who", "-H", self.node.address, *words)


class DriverChecks(Asking):
    """What holds for each driver."""

    def test_what_the_server_lists(self) -> None:
        """The id, and the address beside it, lead to the line that has it out."""
        application, own = self.holding(self.server.port)
        self.check(application, own, self.found(own), own, self.listed()[own])
        if self.tells_address:
            address = self.listed()[own]
            for asked in (address, ":" + address.rpartition(":")[2]):
                row = self.found(asked)
                self.check(application, own, row, asked, address)

    def test_idle(self) -> None:
        """One that is in its pool is found as well, with the time since it is."""
        application, own = self.holding(self.server.port)
        application.do("shop.release()")
        row = self.found(own, state="idle", uses=1)
        self.assertEqual(
            (application.pid, None, None),
            (row["pid"], row["owner"], row["site"]),
        )
        self.assertTrue(row["idle_seconds"] >= 0.0, row)
        said = self.asked(own).stdout
        self.assertIn("nowhere: it is in its pool, taken once", said)


class ProxyChecks(Asking):
    """What holds with a proxy in between, whichever the driver is."""

    def test_through_a_proxy(self) -> None:
        """The proxy's list leads to it, and the server's id; its address does not."""
        with Proxy(self.server, "127.0.0.1") as proxy:
            application, own = self.holding(proxy.port)
            of_proxy = self.listed()[own]
            accepted = proxy.accepted(of_proxy)
            for asked in (own, accepted):
                self.check(application, own, self.found(asked), asked, accepted)
            done = self.asked(of_proxy)
            self.assertEqual((1, ""), (done.returncode, done.stdout))
            self.assertEqual(
                f"connmon who: {of_proxy}: no connection comes from there; 1 of 1 "
                "open ones tell their address\n",
                done.stderr,
            )

    def test_through_a_proxy_by_ipv6(self) -> None:
        """The address is understood however it is written."""
        if not can_listen("::1"):
            raise SkipTest("nothing can listen on ::1")
        with Proxy(self.server, "::1") as proxy:
            application, own = self.holding(proxy.port, "::1")
            accepted = proxy.accepted(self.listed()[own])
            port = accepted.rpartition(":")[2]
            for asked in (accepted, f"::1:{port}", f"0:0::1.{port}", f"::1({port})"):
                self.check(application, own, self.found(asked), asked, accepted)


class PyMySQLTests(DriverChecks, ProxyChecks, OfMariaDB, SynchronousTestCase):
    """PyMySQL."""

    driver = package = "pymysql"


class MysqlclientTests(DriverChecks, OfMariaDB, SynchronousTestCase):
    """mysqlclient, known as MySQLdb."""

    driver = "mysqldb"
    package = "MySQLdb"


class MySQLConnectorTests(DriverChecks, OfMariaDB, SynchronousTestCase):
    """MySQL Connector/Python, written in Python."""

    driver = "mysqlconnector"
    package = "mysql"
    query: ClassVar = {"use_pure": "true"}


class AiomysqlTests(DriverChecks, OfMariaDB, SynchronousTestCase):
    """aiomysql."""

    driver = package = "aiomysql"
    module = AIO
    function = "take"
    thread = "Task-"


class AsyncmyTests(DriverChecks, OfMariaDB, SynchronousTestCase):
    """asyncmy."""

    driver = package = "asyncmy"
    module = AIO
    function = "take"
    thread = "Task-"


class Psycopg2Tests(DriverChecks, OfPostgreSQL, SynchronousTestCase):
    """psycopg 2."""

    driver = package = "psycopg2"


class PsycopgTests(DriverChecks, ProxyChecks, OfPostgreSQL, SynchronousTestCase):
    """psycopg 3."""

    driver = package = "psycopg"


class AsyncpgTests(DriverChecks, OfPostgreSQL, SynchronousTestCase):
    """asyncpg."""

    driver = package = "asyncpg"
    module = AIO
    function = "take"
    thread = "Task-"


class Pg8000Tests(DriverChecks, OfPostgreSQL, SynchronousTestCase):
    """pg8000."""

    driver = package = "pg8000"


class SeveralTests(Asking, OfPostgreSQL, SynchronousTestCase):
    """Several sessions at once."""

    driver = package = "psycopg2"

    def test_several(self) -> None:
        """What is known is printed; what is not is said, and makes the status 1."""
        _, one = self.holding(self.server.port)
        _, two = self.holding(self.server.port)
        for each in (one, two):
            self.found(each)
        done = self.asked(one, two, one)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        heading, *lines = done.stdout.splitlines()
        self.assertEqual(["ASKED", "HOST", "PROGRAM", "PID"], heading.split()[:4])
        self.assertEqual([str(one), str(two)], [line.split()[0] for line in lines])
        done = self.asked("1", one)
        self.assertEqual((1, 2), (done.returncode, done.stdout.count("\n")))
        self.assertEqual(
            "connmon who: 1: no connection has that id; 2 of 2 open ones tell theirs\n",
            done.stderr,
        )
