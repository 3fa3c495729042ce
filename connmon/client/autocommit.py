"""Whether a connection commits each statement by itself: then it is in no transaction.

SQLAlchemy is told so by the isolation level ``AUTOCOMMIT``, which it knows of an engine
and of a connection. Drivers can be told behind its back too, and know it of each of
their connections. Those are asked that know it by heart: ``_DRIVERS`` has them. Some
others would ask the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter, methodcaller
from typing import Any

from connmon.client.foreign import is_handlers

AUTOCOMMIT = "AUTOCOMMIT"

_attribute = attrgetter("autocommit")
_method = methodcaller("get_autocommit")


def _adapted(connection: Any) -> Any:
    """SQLAlchemy 1.4's adapters for MySQL lack the method: the driver is behind."""
    return connection._connection.get_autocommit()


# By the name of the dialect's driver. The connection is the driver's, or the object
# of SQLAlchemy's that stands before an asyncio driver's.
_DRIVERS: Mapping[str, Callable[[Any], Any]] = {
    # A member of the C structure, or of the object.
    "psycopg2": _attribute,
    "psycopg2cffi": _attribute,
    "psycopg": _attribute,
    "psycopg_async": _attribute,
    "asyncpg": _attribute,
    "pg8000": _attribute,
    # A bit of what the server said with its last answer.
    "pymysql": _method,
    "cymysql": _method,
    "mysqldb": _method,
    "aiomysql": _adapted,
    "asyncmy": _adapted,
}


class Autocommit:
    """Who knows of the connections that have one dialect, and what to ask of them."""

    __slots__ = ("_ask", "_usual", "is_possible")

    def __init__(self, dialect: Any) -> None:
        """Look at what SQLAlchemy was told of the whole engine."""
        # The second is what SQLAlchemy 1.4 calls it.
        level = getattr(dialect, "_on_connect_isolation_level", None)
        level = level or getattr(dialect, "isolation_level", None)
        self._usual = _is_autocommit(level)
        self._ask = _DRIVERS.get(str(getattr(dialect, "driver", "")))
        #: Whether a connection has to be asked that has no options of its own.
        self.is_possible = self._usual or self._ask is not None

    def holds(self, connection: Any) -> bool:
        """Whether a connection of SQLAlchemy's commits each statement by itself.

        The answer is a matter of attributes; what cannot be read means no.
        """
        options = connection._execution_options
        level = options.get("isolation_level") if options else None
        if self._usual if level is None else _is_autocommit(level):
            return True
        ask = self._ask
        return ask is not None and _answered(ask, connection._dbapi_connection)


def _is_autocommit(level: object) -> bool:
    """Whether an isolation level is that, as SQLAlchemy reads it."""
    return isinstance(level, str) and level.upper() == AUTOCOMMIT


def _answered(ask: Callable[[Any], Any], fairy: Any) -> bool:
    """What a driver knows of the connection in a fairy."""
    try:
        return bool(ask(fairy.dbapi_connection))
    except Exception as error:
        if is_handlers(error):
            raise
        return False
