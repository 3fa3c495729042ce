"""Pools as applications write their own, for tests."""

from __future__ import annotations

from typing import Any

from sqlalchemy.pool import Pool, QueuePool


class TaggingPool(QueuePool):
    """One of an application's own, with something to do at each checkout."""

    tags = 0

    def connect(self) -> Any:
        """Take a connection, and count."""
        fairy = super().connect()
        self.tags += 1
        return fairy


class StackPool(Pool):
    """One of an application's own, from the ground up: it hands out the youngest."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Begin empty."""
        super().__init__(*arguments, **options)
        self._stack: list[Any] = []

    def _do_get(self) -> Any:
        return self._stack.pop() if self._stack else self._create_connection()

    def _do_return_conn(self, record: Any) -> None:
        self._stack.append(record)

    def recreate(self) -> Any:
        """The next one, after a disposal."""
        return type(self)(
            self._creator,
            recycle=self._recycle,
            pre_ping=self._pre_ping,
            reset_on_return=self._reset_on_return,
            _dispatch=self.dispatch,
            dialect=self._dialect,
        )

    def dispose(self) -> None:
        """Close what is idle."""
        while self._stack:
            self._stack.pop().close()

    def status(self) -> str:
        """How many are idle."""
        return f"{len(self._stack)} idle"
