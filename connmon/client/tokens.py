"""What a pool's record keeps of us: its connection, and a token that dies with it.

A connection whose token dies without an event was not closed by its pool. That is a
leak if it had ever been used, unless its pool was disposed of: then SQLAlchemy lets go
of what comes back to it, and of all with ``dispose(close=False)``. Nor is one that was
returned a leak to ``connmon run``: tests make engines and drop them. Of a connection
that was detached the driver is asked whether it is still open.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import ref

from connmon.client.collector import is_open
from connmon.client.options import in_tree
from connmon.model.connection import Connection
from connmon.model.records import DETACHED, IDLE, UNCLOSED

if TYPE_CHECKING:
    from connmon.client.listeners import Watch

_IN_TREE = in_tree(os.environ)
"""Whether engines are dropped by tests, with connections that were all returned."""

KEY = "connmon"
"""Where a connection of the ledger is, in a record's ``info``."""

TOKEN = "connmon_token"
"""Where its token is."""


class Lot:
    """What the connections of one pool have in common, whatever becomes of it."""

    __slots__ = ("disposed",)

    def __init__(self) -> None:
        """The pool is in use."""
        #: Whether it was disposed of, so that nobody needs to close what is in it.
        self.disposed = False


_UNKNOWN = Lot()
"""That of a pool of which nothing is known, so nothing is said."""
_UNKNOWN.disposed = True


def lot_of(record: Any) -> Lot:
    """That of the pool which a record belongs to."""
    found = getattr(getattr(record, "_ConnectionRecord__pool", None), "connmon", None)
    return found if isinstance(found, Lot) else _UNKNOWN


def is_late(record: Any) -> bool:
    """Whether the pool which a record belongs to is known to be disposed of."""
    lot = lot_of(record)
    return lot.disposed and lot is not _UNKNOWN


class Token:
    """Lives and dies with one database connection."""

    __slots__ = (
        "__weakref__",
        "_holder",
        "_left_open",
        "_looked_open",
        "_lot",
        "_raw",
        "_record",
        "connection",
        "detached",
        "handle",
        "watch",
    )

    def __init__(
        self, watch: Watch, connection: Connection, record: Any, handle: int
    ) -> None:
        """Stand for ``connection``, which a pool's record has; see the module.

        ``handle`` is the ``id()`` of the DBAPI's connection.
        """
        self.watch = watch
        self.connection = connection
        self.handle = handle
        self.detached: dict[int, ref[Token]] | None = None
        self._record = ref(record)
        self._lot = lot_of(record)
        self._holder: Any = None
        self._raw: Any = None
        #: Whether the driver said that it is open when it was detached, and when the
        #: last one dropped it that it was detached for.
        self._looked_open = False
        self._left_open: bool | None = None

    def detach(self, dbapi_connection: Any, holder: Any) -> None:
        """It was taken out of its pool, for whoever has ``holder``.

        As that dies, the driver is asked whether the connection is still open.
        """
        if holder is None:
            return
        this = ref(self)
        self._looked_open = is_open(dbapi_connection)
        try:
            raw = ref(dbapi_connection)
        except TypeError:
            # That of sqlite3, which can be asked only as long as we have it.
            self._raw = dbapi_connection
            return

        def dropped(_: object) -> None:
            token = this()
            if token is not None:
                token._left_open = is_open(raw())

        self._holder = ref(holder, dropped)

    def close(self) -> None:
        """It was closed by who had it."""
        self.detached = self._holder = self._raw = None

    def __del__(self) -> None:
        """The connection is gone, by an event or without; any thread, at any time."""
        try:
            if self.detached is not None:
                # Not another's entry, whose connection came to have the same number.
                entry = self.detached.get(self.handle)
                if entry is not None and entry() is None:
                    self.detached.pop(self.handle, None)
            now, connection = monotonic(), self.connection
            ledger = connection.pool.ledger
            if self._is_unclosed(connection):
                ledger.noticed(connection, UNCLOSED, now, now - connection.since)
            ledger.dropped(connection, now)
        except Exception:  # the interpreter may be half gone
            return

    def _is_unclosed(self, connection: Connection) -> bool:
        """Whether it is certain that nobody has closed it who should have."""
        if connection.closed or not connection.uses:
            return False
        if connection.state == DETACHED:
            return self._is_dropped()
        if self._record() is not None:
            # It goes on, and only what it said of us is gone.
            return False
        return connection.state != IDLE or not (self._lot.disposed or _IN_TREE)

    def _is_dropped(self) -> bool:
        """Whether whoever it was detached for left it open."""
        if self._raw is not None:
            return is_open(self._raw)
        if self._left_open is None and self._holder is not None:
            # Where all of them were in a cycle, the collector ends them together, and
            # nobody is told in between.
            return self._looked_open and self._holder() is None
        return bool(self._left_open)
