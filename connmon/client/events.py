"""What SQLAlchemy's events tell of a pool's connections.

Checkouts and check-ins are none of them: see ``connmon.client.listeners``. Nothing here
may raise into, or wait in, the application. All this runs in whatever thread uses the
pool, and the garbage collector may run one part inside another.
"""

from __future__ import annotations

from sys import _getframe
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import ref

from sqlalchemy import event
from sqlalchemy.engine import Engine

from connmon.client import closings
from connmon.client.collector import detaching, is_collecting
from connmon.client.tokens import KEY, TOKEN, Token
from connmon.model.closings import COLLECTED as BY_COLLECTOR
from connmon.model.closings import PRE_PING, SOFT_INVALIDATED
from connmon.model.records import IDLE, OUT

if TYPE_CHECKING:
    from connmon.client.listeners import Watch


class Events:
    """The listeners of one engine's pool; any thread."""

    def __init__(self, watch: Watch) -> None:
        """What happens is told to this watch."""
        self._watch = watch
        #: The connections that were detached, by the number of the driver's object.
        self.detached: dict[int, ref[Token]] = {}

    def listen(self, engine: Engine) -> None:
        """Hear all of it from now on."""
        for name in (
            "connect",
            "close",
            "invalidate",
            "soft_invalidate",
            "detach",
            "close_detached",
        ):
            event.listen(engine, name, getattr(self, name))

    def connect(self, dbapi_connection: Any, record: Any) -> None:
        """A connection was made, perhaps not by the creator that we know."""
        try:
            token = record.info.get(TOKEN)
            if token is None or token.handle != id(dbapi_connection):
                self._watch.open(dbapi_connection, record, monotonic())
            self._watch.opened(dbapi_connection)
        except Exception as error:
            self._watch.broke(error)

    def close(self, dbapi_connection: Any, record: Any) -> None:
        """A connection was closed by its pool."""
        try:
            connection = record.info.get(KEY)
            if connection is not None:
                if connection.state == OUT and is_collecting(_getframe(1)):
                    self._watch.collected(connection)
                why = closings.of_closing(connection, record)
                connection.pool.ledger.closed(connection, monotonic(), why)
        except Exception as error:
            self._watch.broke(error)

    def invalidate(self, dbapi_connection: Any, record: Any, exception: Any) -> None:
        """A connection was found, or declared, unusable; its closing follows."""
        try:
            connection = record.info.get(KEY)
            if connection is not None:
                connection.fate = closings.of_invalidation(exception)
                if connection.fate == PRE_PING and connection.state == IDLE:
                    self._watch.stale(connection)
                connection.pool.ledger.invalidated(connection)
        except Exception as error:
            self._watch.broke(error)

    def soft_invalidate(
        self, dbapi_connection: Any, record: Any, exception: Any
    ) -> None:
        """A connection is to be replaced at its next checkout."""
        try:
            connection = record.info.get(KEY)
            if connection is not None:
                connection.fate = SOFT_INVALIDATED
                connection.pool.ledger.invalidated(connection, soft=True)
        except Exception as error:
            self._watch.broke(error)

    def detach(self, dbapi_connection: Any, record: Any) -> None:
        """A connection was taken out of the pool for good.

        The record went back to the pool before this, so another thread may have put a
        new connection into it: only a token of this very connection is taken.
        """
        try:
            token = record.info.get(TOKEN)
            if token is None or token.handle != id(dbapi_connection):
                return
            record.info.pop(KEY, None)
            record.info.pop(TOKEN, None)
            token.detached = self.detached
            self.detached[token.handle] = ref(token)
            frame = _getframe(1)
            if is_collecting(frame):
                token.connection.fate = BY_COLLECTOR
                self._watch.collected(token.connection)
            else:
                token.detach(dbapi_connection, detaching(frame))
            token.connection.pool.ledger.detached(token.connection, monotonic())
        except Exception as error:
            self._watch.broke(error)

    def close_detached(self, dbapi_connection: Any) -> None:
        """A detached connection was closed."""
        try:
            found = self.detached.pop(id(dbapi_connection), None)
            token = None if found is None else found()
            if token is not None:
                token.close()
                connection = token.connection
                pool, why = connection.pool, closings.of_detached(connection)
                if not connection.closed:
                    pool.detached_closes += 1
                pool.ledger.closed(connection, monotonic(), why)
        except Exception as error:
            self._watch.broke(error)
