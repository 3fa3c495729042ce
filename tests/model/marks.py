"""The marks that listeners make of a checkout and of a check-in, for tests."""

from __future__ import annotations

from connmon.model.connection import Connection


def take(connection: Connection, now: float, owner: str = "me") -> None:
    """Check a connection out."""
    if connection.taken(now, owner):
        connection.pool.stir()


def give(connection: Connection, now: float) -> None:
    """Check a connection in."""
    if connection.returned(now):
        connection.pool.stir()
