"""Tests of which session a connection is said to be, with stand-ins for the drivers."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import AdaptedConnection
from twisted.trial.unittest import SynchronousTestCase

from connmon.client import sessions
from connmon.client.sessions import UNKNOWN, Session, session_of

ID = 48197
ADDRESS = "10.0.0.5:53211"
NAME = ("10.0.0.5", 53211)


def made(module: str, **members: Any) -> Any:
    """A connection whose class is from that module and has these members."""
    return type("Connection", (), {"__module__": module, **members})()


def returning(value: object) -> Callable[..., object]:
    """A method that returns a value, whatever it is asked with."""
    return lambda *arguments: value


def raising(error: BaseException) -> Callable[..., object]:
    """A method that fails."""

    def fail(*arguments: object) -> object:
        raise error

    return fail


def plain(name: object = NAME) -> Any:
    """A socket of this local name."""
    return SimpleNamespace(getsockname=returning(name))


def transport(name: object = NAME) -> Any:
    """An asyncio transport, or a writer, over a socket of this local name."""
    return SimpleNamespace(get_extra_info={"sockname": name}.get)


def named(name: object) -> Any:
    """A connection over a socket of this local name."""
    return made("pymysql.connections", thread_id=returning(ID), _sock=plain(name))


def numbered(descriptor: object) -> Any:
    """A connection of a driver in C, which tells the number of its socket."""
    return made(
        "psycopg2.extensions",
        get_backend_pid=returning(ID),
        fileno=returning(descriptor),
    )


def lowest_free() -> int:
    """The number that the next descriptor gets."""
    probe = os.dup(0)
    os.close(probe)
    return probe


#: What each driver has that keeps a socket of Python's. Those in C are tested with
#: real sockets.
PYTHON_DRIVERS = {
    "PyMySQL": made("pymysql.connections", thread_id=returning(ID), _sock=plain()),
    "CyMySQL": made(
        "cymysql.connections",
        thread_id=returning(ID),
        socket=SimpleNamespace(_sock=plain()),
    ),
    "MySQL Connector/Python": made(
        "mysql.connector.connection",
        connection_id=ID,
        _socket=SimpleNamespace(sock=plain()),
    ),
    "MariaDB Connector/Python 2": made(
        "mariadb.sync_connection",
        connection_id=ID,
        _client=SimpleNamespace(socket=plain()),
    ),
    "MariaDB Connector/Python 2, asyncio": made(
        "mariadb.async_connection",
        connection_id=ID,
        _client=SimpleNamespace(writer=transport()),
    ),
    "aiomysql": made(
        "aiomysql.connection", thread_id=returning(ID), _writer=transport()
    ),
    "asyncmy": made(
        "asyncmy.connection", thread_id=returning(ID), _transport=transport()
    ),
    "asyncmy to 0.2.12": made(
        "asyncmy.connection", thread_id=returning(ID), _writer=transport()
    ),
    "asyncpg": made(
        "asyncpg.connection", get_server_pid=returning(ID), _transport=transport()
    ),
    "pg8000": made(
        "pg8000.legacy",
        _backend_key_data=ID.to_bytes(4, "big") + b"\xff" * 4,
        _usock=plain(),
    ),
}


class DriverTests(SynchronousTestCase):
    """Whose connection it is, and what that driver tells."""

    def test_drivers_with_a_socket(self) -> None:
        """Each has the id and the socket's name in its own places."""
        for driver, connection in PYTHON_DRIVERS.items():
            self.assertEqual((driver, (ID, ADDRESS)), (driver, session_of(connection)))

    def test_drivers_with_a_number(self) -> None:
        """Each has the id and the socket's number in its own places."""
        number = {"fileno": returning(self.client().fileno())}
        drivers = {
            "mysqlclient": made(
                "MySQLdb.connections", thread_id=returning(ID), **number
            ),
            "MariaDB Connector/Python 1.1": made(
                "mariadb.connections", connection_id=ID, _get_socket=number["fileno"]
            ),
            "psycopg2": made(
                "psycopg2.extensions", get_backend_pid=returning(ID), **number
            ),
            "psycopg2cffi": made(
                "psycopg2cffi._impl.connection", get_backend_pid=returning(ID), **number
            ),
            "psycopg": made("psycopg", info=SimpleNamespace(backend_pid=ID), **number),
        }
        for driver, connection in drivers.items():
            expected = (ID, self.address)
            self.assertEqual((driver, expected), (driver, session_of(connection)))

    def test_an_id_without_an_address(self) -> None:
        """MySQL Connector's extension in C has no socket to show."""
        connection = made("mysql.connector.connection_cext", connection_id=ID)
        self.assertEqual(Session(ID, ""), session_of(connection))

    def test_behind_an_adapter(self) -> None:
        """SQLAlchemy's asyncio adapters have the driver's connection within."""
        for driver, connection in PYTHON_DRIVERS.items():
            adapter: Any = AdaptedConnection()
            adapter._connection = connection
            self.assertEqual((driver, (ID, ADDRESS)), (driver, session_of(adapter)))

    def test_behind_an_adapter_of_the_drivers(self) -> None:
        """An adapter is one though its class is from the driver's package."""
        connection = PYTHON_DRIVERS["MariaDB Connector/Python 2, asyncio"]
        members = {"__module__": "mariadb.sqlalchemy_mariadb_async"}
        adapter: Any = type("Adapter", (AdaptedConnection,), members)()
        adapter._connection = connection
        self.assertEqual(Session(ID, ADDRESS), session_of(adapter))

    def test_an_empty_adapter(self) -> None:
        """It has no session, nor has one within another."""
        self.assertEqual(UNKNOWN, session_of(AdaptedConnection()))
        outer: Any = AdaptedConnection()
        inner: Any = AdaptedConnection()
        outer._connection, inner._connection = inner, named(NAME)
        self.assertEqual(UNKNOWN, session_of(outer))

    def test_a_class_of_the_applications(self) -> None:
        """One that builds upon the driver's is as good as the driver's."""
        for driver, connection in PYTHON_DRIVERS.items():
            kind = type("Traced", (type(connection),), {"__module__": "shop.db"})
            self.assertEqual((driver, (ID, ADDRESS)), (driver, session_of(kind())))

    def test_a_transparent_proxy(self) -> None:
        """One that passes for what it stands before is read through."""

        class Proxy:
            @property  # type: ignore[misc]
            def __class__(self) -> Any:
                return type(within)

            def __getattr__(self, name: str) -> Any:
                return getattr(within, name)

        within = named(NAME)
        self.assertEqual(Session(ID, ADDRESS), session_of(Proxy()))

    def test_what_is_not_known(self) -> None:
        """Another driver, another wrapper, and what is no connection: no session."""
        sqlite = sqlite3.connect(":memory:")
        self.addCleanup(sqlite.close)
        wrapper = made("shop.db", driver_connection=named(NAME), thread_id=lambda: ID)
        likeness = made("pymysqlish", thread_id=returning(ID), _sock=plain())
        for other in (sqlite, wrapper, likeness, None, object(), 7, session_of):
            self.assertEqual(UNKNOWN, session_of(other))

    def test_nothing_else_is_touched(self) -> None:
        """No cursor is made, and no query: two attributes are read, and no more."""
        touched: list[str] = []

        class Watched:
            def __getattribute__(self, name: str) -> Any:
                touched.append(name)
                return object.__getattribute__(self, name)

        Watched.__module__ = "pymysql.connections"
        connection: Any = Watched()
        connection.thread_id, connection._sock = returning(ID), plain()
        self.assertEqual(Session(ID, ADDRESS), session_of(connection))
        self.assertEqual(["thread_id", "_sock"], touched)

    def client(self) -> socket.socket:
        """A TCP socket that is connected, from ``self.address``."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        client = socket.create_connection(listener.getsockname())
        self.addCleanup(client.close)
        self.address = "{}:{}".format(*client.getsockname())
        return client


class IdTests(SynchronousTestCase):
    """What is an id."""

    def test_what_is_none(self) -> None:
        """Zero and less are no session's, nor is what is no number."""
        for value in (0, -1, None, "48197", 48197.0, b"", ()):
            connection = made("pymysql", thread_id=returning(value), _sock=plain())
            self.assertEqual(Session(None, ADDRESS), session_of(connection))

    def test_keys_of_pg8000(self) -> None:
        """The first number counts, however long the key; no message, no id."""
        for message, expected in (
            (b"\0\0\x01\0" + b"\xff" * 4, 256),
            (b"\0\0\x01\0" + b"\xff" * 32, 256),
            (b"\xff\xff\xff\xf0" + b"\0" * 4, None),
            (b"", None),
            (None, None),
        ):
            connection = made("pg8000.dbapi", _backend_key_data=message, _usock=plain())
            self.assertEqual(Session(expected, ADDRESS), session_of(connection))


class AddressTests(SynchronousTestCase):
    """How an address is written."""

    def test_addresses_of_tcp(self) -> None:
        """As servers and ``ss`` write them, IPv4 within IPv6 as servers do."""
        for name, expected in (
            (("127.0.0.1", 1), "127.0.0.1:1"),
            (("::1", 5432, 0, 0), "[::1]:5432"),
            (("fd00::5", 65535, 0, 0), "[fd00::5]:65535"),
            (("fe80::1%eth0", 9, 0, 2), "[fe80::1]:9"),
            (("::ffff:10.0.0.5", 53211, 0, 0), ADDRESS),
            (("::10.0.0.5", 53211, 0, 0), "[::10.0.0.5]:53211"),
        ):
            self.assertEqual(expected, session_of(named(name)).address)

    def test_what_is_none(self) -> None:
        """UNIX sockets and other families have none, nor have unconnected ones."""
        names: list[Any] = ["", "/run/db.sock", b"\0db", ("0.0.0.0", 0), (2, 3306)]
        names += [None, 7, (), ("h",), ("h", "1"), ("h", 1, 2), ("h", 1, 2, 3, 4)]
        for name in names:
            self.assertEqual(Session(ID, ""), session_of(named(name)))


class DescriptorTests(SynchronousTestCase):
    """A socket known by its number belongs to code that knows nothing of us."""

    def pair(self, host: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
        """Two TCP sockets, connected to each other."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, 0), family=family) as listener:
            near = socket.socket(family)
            near.settimeout(None)
            near.connect(listener.getsockname())
            far, _ = listener.accept()
        for each in (near, far):
            self.addCleanup(each.close)
        return near, far

    def others(self) -> tuple[socket.socket, socket.socket, int, int]:
        """Two UNIX sockets, connected to each other, and the ends of a pipe."""
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        for each in (ours, theirs):
            self.addCleanup(each.close)
        for number in (reading, writing):
            self.addCleanup(os.close, number)
        return ours, theirs, reading, writing

    def test_it_goes_on_as_it_was(self) -> None:
        """Blocking or not, whatever the default is, it stays so and works."""
        for default in (None, 0.0, 5.0):
            for is_blocking in (True, False):
                self.addCleanup(socket.setdefaulttimeout, None)
                socket.setdefaulttimeout(None)
                near, far = self.pair()
                os.set_blocking(near.fileno(), is_blocking)
                socket.setdefaulttimeout(default)
                session = session_of(numbered(near.fileno()))
                self.assertEqual("{}:{}".format(*far.getpeername()), session.address)
                self.assertEqual(is_blocking, os.get_blocking(near.fileno()))
                os.write(near.fileno(), b"on")
                self.assertEqual(b"on", far.recv(2))

    def test_where_that_cannot_be_had(self) -> None:
        """Where a new object would change the socket, there is no address."""
        near, far = self.pair()
        self.patch(sessions, "_UNTOUCHED", 0)
        self.patch(sessions, "_TYPE", socket.SOCK_STREAM)
        expected = "{}:{}".format(*far.getpeername())
        self.assertEqual(expected, session_of(numbered(near.fileno())).address)
        self.addCleanup(socket.setdefaulttimeout, None)
        socket.setdefaulttimeout(5.0)
        self.assertEqual(Session(ID, ""), session_of(numbered(near.fileno())))
        self.assertTrue(os.get_blocking(near.fileno()))

    def test_no_number_is_left(self) -> None:
        """Whether it is a TCP socket or not, no copy stays, and none is closed."""
        near, _ = self.pair()
        ours, theirs, reading, writing = self.others()
        free = lowest_free()
        for number in (near.fileno(), ours.fileno(), reading, free, -1, None, "3"):
            session_of(numbered(number))
            self.assertEqual(free, lowest_free())
        for number in (near.fileno(), ours.fileno(), theirs.fileno(), reading, writing):
            self.assertTrue(os.fstat(number))

    def test_what_has_no_address(self) -> None:
        """A UNIX socket, a pipe, a closed number and no number at all."""
        ours, _, reading, _ = self.others()
        for number in (ours.fileno(), reading, lowest_free(), -1, None, "3"):
            self.assertEqual(Session(ID, ""), session_of(numbered(number)))

    def test_ipv6(self) -> None:
        """Its family is found out, not supposed."""
        try:
            near, far = self.pair("::1")
        except OSError as error:
            self.skipTest(f"no IPv6 on loopback: {error}")
        self.assertEqual(
            f"[::1]:{far.getpeername()[1]}",
            session_of(numbered(near.fileno())).address,
        )

    def test_with_sockets_replaced(self) -> None:
        """Neither gevent's class nor eventlet's, put in its place, is used."""
        near, far = self.pair()
        self.patch(socket, "socket", raising(RuntimeError("a green socket")))
        expected = "{}:{}".format(*far.getpeername())
        self.assertEqual(expected, session_of(numbered(near.fileno())).address)


class Broken(Exception):
    """A driver's own error."""


values = st.one_of(
    st.none(),
    st.integers(),
    st.text(),
    st.binary(),
    st.tuples(st.text(), st.integers()),
    st.tuples(st.text(), st.integers(), st.integers(), st.integers()),
    st.lists(st.integers()),
)
errors = st.sampled_from(
    [Broken(), AttributeError(), OSError(9, "closed"), RecursionError(), MemoryError()]
)
answers = st.one_of(values.map(returning), errors.map(raising), values)

#: Everything that is read of anyone.
MEMBERS = (
    "thread_id",
    "connection_id",
    "get_backend_pid",
    "get_server_pid",
    "info",
    "fileno",
    "socket",
    "_sock",
    "_socket",
    "_usock",
    "_client",
    "_get_socket",
    "_writer",
    "_transport",
    "_backend_key_data",
    "_connection",
    "driver_connection",
)


class FailureTests(SynchronousTestCase):
    """A driver that fails is nobody's trouble."""

    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        module=st.sampled_from([*sessions._DRIVERS, "sqlalchemy"]),
        members=st.dictionaries(st.sampled_from(MEMBERS), answers),
        name=values,
    )
    def test_whatever_a_driver_has(
        self, module: str, members: dict[str, Any], name: Any
    ) -> None:
        """There is an answer of the right kind."""
        # Numbers of descriptors that may be open are another test's.
        for method in ("fileno", "_get_socket"):
            members.pop(method, None)
        members.setdefault("_sock", plain(name))
        session = session_of(made(module, **members))
        self.assertIsInstance(session, Session)
        self.assertTrue(session.id is None or session.id > 0)
        self.assertIsInstance(session.address, str)

    def test_one_fact_without_the_other(self) -> None:
        """What fails does not take the rest with it."""
        for error in (Broken("gone"), OSError("closed"), AttributeError("none")):
            no_id = made("pymysql", thread_id=raising(error), _sock=plain())
            self.assertEqual(Session(None, ADDRESS), session_of(no_id))
            deaf = SimpleNamespace(getsockname=raising(error))
            no_name = made("pymysql", thread_id=returning(ID), _sock=deaf)
            self.assertEqual(Session(ID, ""), session_of(no_name))
            unnumbered = numbered(None)
            type(unnumbered).fileno = raising(error)
            self.assertEqual(Session(ID, ""), session_of(unnumbered))

    def test_a_class_without_a_module(self) -> None:
        """Nor is a class that says nothing of itself any trouble."""
        self.assertEqual(UNKNOWN, session_of(made(None)))  # type: ignore[arg-type]

    def test_what_a_signal_handler_raises(self) -> None:
        """It reaches the application, be it of a type that drivers raise too."""

        def handler(number: int, frame: object) -> None:
            raise TimeoutError("the application's own")

        def interrupted(*arguments: object) -> int:
            signal.raise_signal(signal.SIGUSR1)
            return ID

        before = signal.signal(signal.SIGUSR1, handler)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        connection = made("pymysql", thread_id=interrupted, _sock=plain())
        self.assertRaises(TimeoutError, session_of, connection)

    def test_what_is_no_failure(self) -> None:
        """Neither is the end of the program or of a greenlet withheld."""
        for error in (KeyboardInterrupt(), SystemExit(), GeneratorExit()):
            connection = made("pymysql", thread_id=raising(error), _sock=plain())
            self.assertRaises(type(error), session_of, connection)
