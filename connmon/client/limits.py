"""How many connections a database server has for applications, if that is to be asked.

This is the one thing that connmon executes in a database. It is one statement on the
first connection that a process opens to a server, in the thread that opens it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from connmon.model.records import MOST
from connmon.model.servers import address_of

# The one connection that is kept for administrators is beyond ``max_connections``.
_MYSQL = "SHOW VARIABLES LIKE 'max_connections'"

# What is kept for superusers, and from PostgreSQL 16 on for others, is a part of it.
# Whoever may log in may read this. A setting that a server lacks has no row.
_POSTGRESQL = """
SELECT sum(CASE name WHEN 'max_connections' THEN 1 ELSE -1 END
    * CAST(setting AS integer))
FROM pg_settings WHERE name IN
    ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
"""
_QUESTIONS = {
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "postgresql": _POSTGRESQL,
}
"""What to ask, by the dialect's name; of others it is not known how to."""

_KNOWN: dict[str, int | None] = {}
"""What was read, by server; ``None`` while it is, and if that failed."""


def limit_of(pool: str, dialect: str, connection: Any) -> int | None:
    """How many connections a pool's server has, through a new DBAPI connection.

    That is its ``max_connections`` without those that applications do not get.
    Each server is asked once by a process; whatever fails, there is no answer. The
    thread that opened the connection, which nobody else has yet.
    """
    server, question = address_of(pool), _QUESTIONS.get(dialect)
    if not server or question is None:
        return None
    if server not in _KNOWN:
        _KNOWN[server] = None  # two threads do not both ask
        _KNOWN[server] = _read(question, connection)
    return _KNOWN[server]


def _read(question: str, connection: Any) -> int | None:
    """The answer, a number in the last column of the one row."""
    found = None
    with suppress(Exception):
        cursor = connection.cursor()
        try:
            cursor.execute(question)
            value = cursor.fetchone()[-1]
        finally:
            cursor.close()
        number = int(value.decode() if isinstance(value, bytes) else value)
        found = number if 0 <= number <= MOST else None
    # Whatever the question began, or broke.
    with suppress(Exception):
        connection.rollback()
    return found
