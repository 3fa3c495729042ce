"""How many connections a server takes, as it tells itself if it is asked."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connmon.client import limits
from connmon.client.limits import limit_of

NAME = "mysql+pymysql://db:3306/nova"


class Cursor:
    """Of a connection; it notes what is done."""

    def __init__(self, connection: Connection) -> None:
        """Belong to a connection."""
        self._connection = connection

    def execute(self, question: str) -> None:
        """Note what is asked, or fail."""
        self._connection.done.append(question)
        if isinstance(self._connection.answer, Exception):
            raise self._connection.answer

    def fetchone(self) -> Any:
        """The answer."""
        return self._connection.answer

    def close(self) -> None:
        """Note it."""
        self._connection.done.append("close")


class Connection:
    """A DBAPI connection that gives one answer."""

    def __init__(self, answer: Any) -> None:
        """``answer`` is a row, or what is raised."""
        self.answer = answer
        self.done: list[str] = []

    def cursor(self) -> Cursor:
        """A new cursor."""
        return Cursor(self)

    def rollback(self) -> None:
        """Note it."""
        self.done.append("rollback")


class LimitTests(SynchronousTestCase):
    """``limit_of``."""

    def setUp(self) -> None:
        """Know no server yet, and again none afterwards."""
        self.patch(limits, "_KNOWN", {})

    def test_answers(self) -> None:
        """The number in the last column, however the driver writes it."""
        for number, (dialect, answer, expected) in enumerate(
            (
                ("mysql", ("max_connections", "151"), 151),
                ("mariadb", (b"max_connections", b"300"), 300),
                ("postgresql", ("100",), 100),
                ("postgresql", (100,), 100),
                ("mysql", None, None),
                ("mysql", (), None),
                ("mysql", ("max_connections", "many"), None),
                ("mysql", ("max_connections", "-1"), None),
                ("mysql", ("max_connections", str(2**70)), None),
                ("mysql", RuntimeError("no"), None),
            )
        ):
            connection = Connection(answer)
            name = f"{dialect}://db{number}/x"
            self.assertEqual(expected, limit_of(name, dialect, connection), answer)
            self.assertEqual(["close", "rollback"], connection.done[1:])

    def test_what_is_reserved(self) -> None:
        """PostgreSQL keeps some from applications, MariaDB none: one question."""
        for dialect, told in (
            ("mysql", ["max_connections"]),
            (
                "postgresql",
                [
                    "max_connections",
                    "reserved_connections",
                    "superuser_reserved_connections",
                ],
            ),
        ):
            connection = Connection(("7",))
            limit_of(f"{dialect}://db/x", dialect, connection)
            question, *rest = connection.done
            self.assertEqual(["close", "rollback"], rest)
            self.assertEqual(told, sorted({*re.findall(r"'(\w+)'", question)}))

    def test_once(self) -> None:
        """A server is asked once, whether or not it answered, by whichever driver."""
        first = Connection(("max_connections", "151"))
        self.assertEqual(151, limit_of(NAME, "mysql", first))
        second = Connection(("max_connections", "10"))
        again = limit_of("mysql+mysqldb://DB/glance", "mysql", second)
        self.assertEqual((151, []), (again, second.done))
        other = "postgresql://pg/x"
        self.assertIsNone(limit_of(other, "postgresql", Connection(OSError())))
        self.assertIsNone(limit_of(other, "postgresql", Connection(("9",))))

    def test_once_at_a_time(self) -> None:
        """Whoever comes while it is asked does not ask, too."""
        found: list[int | None] = []

        class Slow(Connection):
            def cursor(self) -> Cursor:
                found.append(limit_of(NAME, "mysql", Connection(("x", "7"))))
                return super().cursor()

        self.assertEqual(9, limit_of(NAME, "mysql", Slow(("x", "9"))))
        self.assertEqual([None], found)

    def test_who_is_not_asked(self) -> None:
        """What is no server, and what nobody knows how to ask."""
        for name, dialect in (
            ("sqlite:///x", "sqlite"),
            ("mysql:///x", "mysql"),
            ("oracle://db/x", "oracle"),
        ):
            connection = Connection(("1",))
            self.assertIsNone(limit_of(name, dialect, connection))
            self.assertEqual([], connection.done)
