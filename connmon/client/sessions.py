"""Which of its server's sessions a connection is, by what its driver knows already.

A driver is told the session's id when it connects (a MySQL thread id, the pid of a
PostgreSQL backend), and has the socket whose local address is the client's in the lists
of servers, proxies and ``ss``. Reading these asks the server nothing. Each driver keeps
them in places of its own, and ``_DRIVERS`` says where, and in which versions.

What can be known is this end of the first hop:

* A proxy that speaks the protocol (PgBouncer, ProxySQL) makes up ids of its own, and
  they are the ones meant; one that only passes bytes on has the address in its list,
  and the server has the proxy's.
* Behind a translation of addresses, others see another one.
* A driver that reconnects without a word, as MySQL's once did, has another session
  afterwards. That is not followed.
"""

from __future__ import annotations

import _socket
import os
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter, methodcaller
from typing import Any, NamedTuple

from connmon.client.foreign import is_handlers


class Session(NamedTuple):
    """The server's id for a connection, if known, and the client's address.

    The address is ``10.0.0.5:53211`` or ``[fd00::5]:53211``; it is empty for a UNIX
    socket, and where the driver does not tell. IPv4 within IPv6 is written as IPv4, for
    so it arrives at the server.
    """

    id: int | None
    address: str


UNKNOWN = Session(None, "")
"""A driver that is not known, or tells nothing."""


def session_of(dbapi_connection: Any) -> Session:
    """The session of a connection that was just made, in whatever thread made it.

    It takes some microseconds, asks nobody but the driver and the kernel, and fails on
    no driver: what cannot be read is not known. Only what a signal handler of the
    application raises meanwhile goes its way.
    """
    connection = dbapi_connection
    package = _attempt(_package, connection)
    if package == _ADAPTERS:
        connection = _attempt(attrgetter("driver_connection"), connection)
        package = _attempt(_package, connection)
    driver = _DRIVERS.get(package or "")
    if driver is None:
        return UNKNOWN
    return Session(_id(driver, connection), _address(driver, connection))


def _id(driver: _Driver, connection: Any) -> int | None:
    """The id, if what the driver has is one: zero is no session."""
    found = _attempt(driver.id, connection)
    return int(found) if isinstance(found, int) and found > 0 else None


def _address(driver: _Driver, connection: Any) -> str:
    """The address, from the first place that has one."""
    for name in driver.names:
        text = _text(_attempt(name, connection))
        if text:
            return text
    return ""


def _text(name: Any) -> str:
    """A socket's name as lists have it; empty if it is none of TCP's."""
    if not isinstance(name, tuple) or len(name) not in (2, 4):
        return ""
    host, port = name[:2]
    if not isinstance(host, str) or not isinstance(port, int) or port <= 0:
        return ""
    # What follows is the interface, by a name that only this host has for it.
    host = host.partition("%")[0]
    if "." in host:
        host = host.removeprefix("::ffff:")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _attempt(read: Callable[[Any], Any], source: Any) -> Any:
    """What is read, or ``None`` where that fails."""
    try:
        return read(source)
    except Exception as error:
        if is_handlers(error):
            raise
        return None


# -- whose connection it is -----------------------------------------------------------

_ADAPTERS = "sqlalchemy"
"""The package whose objects stand before an asyncio driver's connection."""


def _package(connection: Any) -> str:
    """The known package that a connection's class, or one it builds upon, is from.

    Tracers put transparent proxies before connections: these name another class.
    """
    return _first(type(connection)) or _first(connection.__class__)


def _first(kind: type[Any]) -> str:
    """The first known package among those of a class and its bases.

    An adapter is one however it is derived: a driver may bring its own.
    """
    found = ""
    for each in kind.__mro__:
        package = each.__module__.partition(".")[0]
        if package == _ADAPTERS:
            return package
        if not found and package in _DRIVERS:
            found = package
    return found


# -- where drivers have it ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Driver:
    """How to read a driver's connections: the id, and a socket's name, by any of these.

    A name is as ``getsockname`` returns it.
    """

    id: Callable[[Any], Any]
    names: tuple[Callable[[Any], Any], ...]


def _socket_at(path: str) -> Callable[[Any], Any]:
    """The name of a socket that is an attribute, perhaps of an attribute."""
    find = attrgetter(path)
    return lambda connection: find(connection).getsockname()


def _transport_at(path: str) -> Callable[[Any], Any]:
    """The name of the socket under an asyncio transport, or the writer upon one."""
    find = attrgetter(path)
    return lambda connection: find(connection).get_extra_info("sockname")


def _descriptor_by(method: str) -> Callable[[Any], Any]:
    """The name of the socket whose number a method returns."""
    ask = methodcaller(method)
    return lambda connection: _name_of(ask(connection))


# Has the new object believe that the socket is non-blocking, be that so or not. Without
# it, and with ``socket.setdefaulttimeout``, the object would make the socket so: the
# driver's too, for it is the same one. Linux and the BSDs have it, macOS does not.
_UNTOUCHED = getattr(_socket, "SOCK_NONBLOCK", 0)
_TYPE = _socket.SOCK_STREAM | _UNTOUCHED


def _name_of(descriptor: int) -> Any:
    """The local name of a socket that belongs to C code, of which nothing changes.

    The number is copied, so that nothing can come to close the driver's own.
    """
    if not _UNTOUCHED and _socket.getdefaulttimeout() is not None:
        return None
    copy = os.dup(descriptor)
    try:
        # Not the standard library's class, which gevent and eventlet replace.
        twin = _socket.socket(-1, _TYPE, 0, copy)
    except OSError:
        os.close(copy)
        raise
    try:
        return twin.getsockname()
    finally:
        twin.close()


def _key_data(connection: Any) -> int:
    """The pid in pg8000's copy of the BackendKeyData message: its first number."""
    return int.from_bytes(connection._backend_key_data[:4], "big", signed=True)


_thread_id = methodcaller("thread_id")
_connection_id = attrgetter("connection_id")
_backend_pid = methodcaller("get_backend_pid")

# By package. The versions are those that were looked at; in between it is the same.
_DRIVERS = {
    # PyMySQL 1.0.2 to 1.2.4: Connection.thread_id() is the number of the handshake
    # packet, _sock the socket, plain or TLS.
    "pymysql": _Driver(_thread_id, (_socket_at("_sock"),)),
    # CyMySQL 1.1.2: the same, but the socket is in a wrapper.
    "cymysql": _Driver(_thread_id, (_socket_at("socket._sock"),)),
    # mysqlclient 1.4.6 to 2.3.2: _mysql.connection.thread_id() is mysql_thread_id(),
    # fileno() is MYSQL.net.fd.
    "MySQLdb": _Driver(_thread_id, (_descriptor_by("fileno"),)),
    # MySQL Connector/Python 8.0.29 to 26.10: the property connection_id. The socket is
    # _socket.sock with use_pure; the C extension, which is the default, has none to
    # show.
    "mysql": _Driver(_connection_id, (_socket_at("_socket.sock"),)),
    # MariaDB Connector/Python: the property connection_id. 1.1.14, which is in C:
    # _get_socket() is the descriptor (the property socket would close it one day).
    # 2.0.0: _client is in Python, with a socket or with an asyncio writer.
    "mariadb": _Driver(
        _connection_id,
        (
            _socket_at("_client.socket"),
            _transport_at("_client.writer"),
            _descriptor_by("_get_socket"),
        ),
    ),
    # aiomysql 0.2.0 to 0.3.2: thread_id() as in PyMySQL, _writer a StreamWriter.
    "aiomysql": _Driver(_thread_id, (_transport_at("_writer"),)),
    # asyncmy: thread_id() as in PyMySQL. 0.2.9 to 0.2.12: _writer a StreamWriter;
    # 0.2.13 to 0.2.18: _transport.
    "asyncmy": _Driver(
        _thread_id, (_transport_at("_transport"), _transport_at("_writer"))
    ),
    # psycopg2 2.9.13: get_backend_pid() is PQbackendPID(), fileno() is PQsocket().
    "psycopg2": _Driver(_backend_pid, (_descriptor_by("fileno"),)),
    # psycopg2cffi 2.9.0: the same.
    "psycopg2cffi": _Driver(_backend_pid, (_descriptor_by("fileno"),)),
    # psycopg 3.1.18 to 3.3.9, Connection and AsyncConnection: info.backend_pid is
    # PQbackendPID(), fileno() is PQsocket().
    "psycopg": _Driver(attrgetter("info.backend_pid"), (_descriptor_by("fileno"),)),
    # asyncpg 0.29.0 to 0.32.0: get_server_pid() is what BackendKeyData said,
    # _transport asyncio's or uvloop's.
    "asyncpg": _Driver(methodcaller("get_server_pid"), (_transport_at("_transport"),)),
    # pg8000 1.16.6 to 1.31.6: _backend_key_data is the message as it came, _usock the
    # socket, plain or TLS.
    "pg8000": _Driver(_key_data, (_socket_at("_usock"),)),
}
