"""Which session a connection is, as the real servers and proxies see it.

Each driver that is installed is asked as soon as it has made a connection, before
SQLAlchemy says a word to the server, and what it tells is compared with the server's
own list, and with what a proxy accepted. A driver that is not installed is skipped.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import Any, ClassVar

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from connmon.client.sessions import Session, session_of
from tests.whole import servers
from tests.whole.drivers import OfDriver, OfMariaDB, OfPostgreSQL
from tests.whole.proxy import Proxy, can_listen


class Made:
    """What was known of a connection when it was made, and what the server had done."""

    def __init__(
        self, dbapi_connection: Any, last: Callable[[], dict[int, Any]]
    ) -> None:
        """Ask for the session; ``last`` is what each session's last statement was."""
        self.before = last()
        self.session = session_of(dbapi_connection)
        self.after = last()


Check = Callable[[Any, Made], None]


class SessionChecks(OfDriver):
    """What holds for each driver; mixed into a test case for each."""

    #: What to connect with, beyond the URL.
    arguments: ClassVar[dict[str, Any]] = {}
    #: Whether the driver lets anybody at its socket.
    tells_address: ClassVar[bool] = True
    assertEqual: Any
    assertNotEqual: Any

    def last(self) -> dict[int, Any]:
        """What tells each session's last statement from another, by id."""
        raise NotImplementedError

    def by_socket(self) -> dict[str, Any]:
        """What to connect with to use the server's UNIX socket, without a host."""
        raise NotImplementedError

    # What the drivers' tests are.

    def test_at_the_server(self) -> None:
        """The id is that of the server's, and the address the one it lists with it."""

        def check(connection: Any, made: Made) -> None:
            session, own = made.session, self.id_of(connection)
            self.assertEqual(self.told(own, self.listed()[own]), session)

        self.connected(self.server.url(self.driver), check)

    def test_asks_nothing(self) -> None:
        """The server has had no statement meanwhile, and it would be seen if it had."""

        def check(connection: Any, made: Made) -> None:
            own = self.id_of(connection)
            self.assertEqual(made.before[own], made.after[own])
            self.assertNotEqual(made.after[own], self.last()[own])

        self.connected(self.server.url(self.driver), check)

    def test_when_the_server_is_done_with_it(self) -> None:
        """It is still told of a session that the server has ended."""

        def check(connection: Any, made: Made) -> None:
            own = self.id_of(connection)
            dbapi_connection = connection.connection.dbapi_connection
            self.server.kill(own)
            servers.eventually(lambda: own not in self.listed(), 10)
            self.assertEqual(made.session, session_of(dbapi_connection))
            connection.invalidate()

        self.connected(self.server.url(self.driver), check)

    def test_through_a_proxy(self) -> None:
        """The address is the one the proxy accepted; the server's is the proxy's."""
        self.proxied("127.0.0.1")

    def test_through_a_proxy_by_ipv6(self) -> None:
        """The address is written as such."""
        self.proxied("::1")

    def test_by_a_unix_socket(self) -> None:
        """There is an id and no address."""

        def check(connection: Any, made: Made) -> None:
            self.assertEqual(Session(self.id_of(connection), ""), made.session)

        url = f"{self.server.dialect}+{self.driver}://root:{self.server.password}@/test"
        self.connected(url, check, **self.by_socket())

    # What they share.

    def id_of(self, connection: Any) -> int:
        """The id of a session, by its own query."""
        return int(connection.execute(text(self.own_id)).scalar())

    def told(self, id: int, address: str) -> Session:
        """What this driver is to tell of such a session."""
        return Session(id, address if self.tells_address else "")

    def proxied(self, host: str) -> None:
        """Connect through a proxy on that address."""
        if not can_listen(host):
            raise SkipTest(f"nothing can listen on {host}")

        def check(connection: Any, made: Made) -> None:
            own = self.id_of(connection)
            # By what the server says: a driver may have come more than once.
            accepted = proxy.accepted(self.listed()[own])
            self.assertEqual(self.told(own, accepted), made.session)

        with Proxy(self.server, host) as proxy:
            url = make_url(self.server.url(self.driver)).set(host=host, port=proxy.port)
            self.connected(url, check)

    def connected(self, url: Any, check: Check, **arguments: Any) -> None:
        """Check a connection and what was known when it was made."""
        options = {
            "poolclass": NullPool,
            "connect_args": {**self.arguments, **arguments},
        }
        if self.is_async:
            asyncio.run(self.async_connected(url, check, options))
            return
        engine = create_engine(url, **options)
        noted = self.noting(engine)
        with engine.connect() as connection:
            check(connection, noted[0])

    async def async_connected(
        self, url: Any, check: Check, options: dict[str, Any]
    ) -> None:
        """The same with asyncio."""
        engine = create_async_engine(url, **options)
        noted = self.noting(engine.sync_engine)
        async with engine.connect() as connection:
            await connection.run_sync(lambda sync: check(sync, noted[0]))

    def noting(self, engine: Any) -> list[Made]:
        """What is known of each connection before anything else is done with it."""
        noted: list[Made] = []

        def connect(dbapi_connection: Any, record: Any) -> None:
            noted.append(Made(dbapi_connection, self.last))

        event.listen(engine, "connect", connect, insert=True)
        return noted


class MariaDBChecks(OfMariaDB, SessionChecks):
    """What holds for each driver of MariaDB."""

    def last(self) -> dict[int, Any]:
        """By the server's count of statements."""
        return dict(
            self.server.query("SELECT id, query_id FROM information_schema.processlist")
        )

    def by_socket(self) -> dict[str, Any]:
        """The path of the socket."""
        return {"unix_socket": str(self.server.directory / "socket")}


class PostgreSQLChecks(OfPostgreSQL, SessionChecks):
    """What holds for each driver of PostgreSQL."""

    def last(self) -> dict[int, Any]:
        """By the moment it began, and the one in which the session came to rest."""
        return {
            pid: (began, rested)
            for pid, began, rested in self.server.query(
                "SELECT pid, query_start, state_change FROM pg_stat_activity"
            )
        }

    def by_socket(self) -> dict[str, Any]:
        """The directory of the socket."""
        return {"host": str(self.server.directory), "port": self.server.port}


class PyMySQLTests(MariaDBChecks, SynchronousTestCase):
    """PyMySQL."""

    driver = package = "pymysql"


class CyMySQLTests(MariaDBChecks, SynchronousTestCase):
    """CyMySQL."""

    driver = package = "cymysql"

    def test_by_a_unix_socket(self) -> None:
        """Not by this driver, which sets an option of TCP's on it (1.1.2)."""
        raise SkipTest("CyMySQL cannot connect by a UNIX socket")


class MysqlclientTests(MariaDBChecks, SynchronousTestCase):
    """mysqlclient, known as MySQLdb."""

    driver = "mysqldb"
    package = "MySQLdb"


class MySQLConnectorTests(MariaDBChecks, SynchronousTestCase):
    """MySQL Connector/Python, written in Python."""

    driver = "mysqlconnector"
    package = "mysql"
    arguments: ClassVar = {"use_pure": True}


class MySQLConnectorExtensionTests(MariaDBChecks, SynchronousTestCase):
    """MySQL Connector/Python, its extension in C, which does not tell the socket."""

    driver = "mysqlconnector"
    package = "mysql"
    arguments: ClassVar = {"use_pure": False}
    tells_address = False

    def setUp(self) -> None:
        """Skip where the extension cannot be loaded."""
        super().setUp()
        if not importlib.import_module("mysql.connector").HAVE_CEXT:
            raise SkipTest("the extension cannot be loaded")


class MariaDBConnectorTests(MariaDBChecks, SynchronousTestCase):
    """MariaDB Connector/Python."""

    driver = "mariadbconnector"
    package = "mariadb"

    def test_through_a_proxy_by_ipv6(self) -> None:
        """Not by this driver since it is in Python, which takes names only (2.0.0)."""
        if importlib.import_module("mariadb").__version__.startswith("2."):
            raise SkipTest("MariaDB Connector/Python 2 takes no IPv6 address")
        super().test_through_a_proxy_by_ipv6()


class AiomysqlTests(MariaDBChecks, SynchronousTestCase):
    """aiomysql."""

    driver = package = "aiomysql"
    is_async = True


class AsyncmyTests(MariaDBChecks, SynchronousTestCase):
    """asyncmy."""

    driver = package = "asyncmy"
    is_async = True


class Psycopg2Tests(PostgreSQLChecks, SynchronousTestCase):
    """psycopg 2."""

    driver = package = "psycopg2"


class PsycopgTests(PostgreSQLChecks, SynchronousTestCase):
    """psycopg 3."""

    driver = package = "psycopg"


class AsyncPsycopgTests(PostgreSQLChecks, SynchronousTestCase):
    """psycopg 3 with asyncio."""

    driver = package = "psycopg"
    is_async = True


class AsyncpgTests(PostgreSQLChecks, SynchronousTestCase):
    """asyncpg."""

    driver = package = "asyncpg"
    is_async = True


class Pg8000Tests(PostgreSQLChecks, SynchronousTestCase):
    """pg8000."""

    driver = package = "pg8000"

    def by_socket(self) -> dict[str, Any]:
        """The path of the socket."""
        path = self.server.directory / f".s.PGSQL.{self.server.port}"
        return {"unix_sock": str(path)}
