"""What a pool's record keeps of us: its connection, and a token that dies with it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING
from weakref import ref

from connmon.model.connection import Connection

if TYPE_CHECKING:
    from connmon.client.listeners import Watch

KEY = "connmon"
"""Where a connection of the ledger is, in a record's ``info``."""

TOKEN = "connmon_token"
"""Where its token is."""


class Token:
    """Lives and dies with one database connection."""

    __slots__ = ("__weakref__", "connection", "detached", "handle", "watch")

    def __init__(self, watch: Watch, connection: Connection, handle: int) -> None:
        """Stand for ``connection``; ``handle`` is the ``id()`` of the DBAPI's."""
        self.watch = watch
        self.connection = connection
        self.handle = handle
        self.detached: dict[int, ref[Token]] | None = None

    def __del__(self) -> None:
        """The connection is gone, by an event or without; any thread, at any time."""
        try:
            if self.detached is not None:
                # Not another's entry, whose connection came to have the same number.
                entry = self.detached.get(self.handle)
                if entry is not None and entry() is None:
                    self.detached.pop(self.handle, None)
            self.connection.pool.ledger.dropped(self.connection, monotonic())
        except Exception:  # the interpreter may be half gone
            return
