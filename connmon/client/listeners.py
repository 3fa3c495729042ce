"""SQLAlchemy's pool events, entered in the ledger.

Events alone do not tell the whole truth: some connections end without one (the pool of
a disposed engine is collected, a detached connection is dropped). So each connection
has a *token* in its record's ``info``, a dictionary SQLAlchemy clears, copies or drops
with the connection: when the token dies, so has the connection. See
docs/architecture.rst.

Nothing here may raise into, or wait in, the application. Handlers run in whatever
thread uses the pool, and the garbage collector may run one inside another.
"""

from __future__ import annotations

import logging
from os import getpid
from time import monotonic
from typing import Any
from weakref import finalize, ref

from sqlalchemy import event
from sqlalchemy.engine import Engine

from connmon.client.agent import HERE, Agent
from connmon.model.ledger import Connection, Ledger, Pool

KEY = "connmon"
"""Where the token is, in a record's ``info``."""

_log = logging.getLogger("connmon")


class Token:
    """Lives and dies with one database connection."""

    __slots__ = ("__weakref__", "connection", "detached", "handle", "ledger", "watch")

    def __init__(
        self, watch: Watch, ledger: Ledger, connection: Connection, handle: int
    ) -> None:
        """Stand for ``connection``; ``handle`` is the ``id()`` of the DBAPI's."""
        self.watch = watch
        self.ledger = ledger
        self.connection = connection
        self.handle = handle
        self.detached: dict[int, ref[Token]] | None = None

    def __del__(self) -> None:
        """The connection is gone, by an event or without; any thread, at any time."""
        try:
            if self.detached is not None:
                self.detached.pop(self.handle, None)
            self.ledger.closed(self.connection, monotonic())
        except Exception:  # the interpreter may be half gone
            return


class Watch:
    """Follows one engine's pool, through disposals and forks."""

    def __init__(self, agent: Agent, engine: Engine) -> None:
        """Listen to the engine from now on."""
        self._agent = agent
        self._facts = _facts(engine)
        self._ledger: Ledger | None = None
        self._pool: Pool | None = None
        self._detached: dict[int, ref[Token]] = {}
        self._failed = False
        for name in (
            "connect",
            "checkout",
            "checkin",
            "close",
            "invalidate",
            "detach",
            "close_detached",
        ):
            event.listen(engine, name, getattr(self, name))
        finalize(engine, self.retired).atexit = False

    # SQLAlchemy's events; any thread.

    def connect(self, dbapi_connection: Any, record: Any) -> None:
        """A connection was made."""
        try:
            token = record.info.get(KEY)
            if token is None or token.handle != id(dbapi_connection):
                self._open(dbapi_connection, record, monotonic())
        except Exception as error:
            self._broke(error)

    def checkout(self, dbapi_connection: Any, record: Any, proxy: Any) -> None:
        """A connection was taken from the pool."""
        try:
            now = monotonic()
            if getpid() != HERE.pid:
                HERE.forked_child()
            token = record.info.get(KEY)
            if token is None:
                # Made before we listened.
                token = self._open(dbapi_connection, record, now)
            elif token.watch is not self:
                # Two engines share the pool, and the other has counted it.
                return
            elif token.ledger is not self._agent.ledger:
                # Inherited across a fork.
                token = self._open(dbapi_connection, record, now)
            token.ledger.checked_out(token.connection, now)
        except Exception as error:
            self._broke(error)

    def checkin(self, dbapi_connection: Any, record: Any) -> None:
        """A connection was given back, or the record of one that was closed before."""
        try:
            token = record.info.get(KEY)
            if token is not None:
                token.ledger.checked_in(token.connection, monotonic())
        except Exception as error:
            self._broke(error)

    def close(self, dbapi_connection: Any, record: Any) -> None:
        """A connection was closed by its pool."""
        try:
            token = record.info.get(KEY)
            if token is not None:
                token.ledger.closed(token.connection, monotonic())
        except Exception as error:
            self._broke(error)

    def invalidate(self, dbapi_connection: Any, record: Any, exception: Any) -> None:
        """A connection was found, or declared, unusable; its closing follows."""
        try:
            token = record.info.get(KEY)
            if token is not None and token.watch is self:
                token.ledger.invalidated(token.connection)
        except Exception as error:
            self._broke(error)

    def detach(self, dbapi_connection: Any, record: Any) -> None:
        """A connection was taken out of the pool for good.

        The record went back to the pool before this, so another thread may have put a
        new connection into it: only a token of this very connection is taken.
        """
        try:
            token = record.info.get(KEY)
            if token is None or token.handle != id(dbapi_connection):
                return
            record.info.pop(KEY, None)
            token.detached = self._detached
            self._detached[token.handle] = ref(token)
            token.ledger.detached(token.connection, monotonic())
        except Exception as error:
            self._broke(error)

    def close_detached(self, dbapi_connection: Any) -> None:
        """A detached connection was closed."""
        try:
            found = self._detached.pop(id(dbapi_connection), None)
            token = None if found is None else found()
            if token is not None:
                token.detached = None
                token.ledger.closed(token.connection, monotonic())
        except Exception as error:
            self._broke(error)

    def retired(self) -> None:
        """The engine was collected."""
        try:
            if self._pool is not None and self._ledger is not None:
                self._ledger.retired(self._pool)
        except Exception as error:
            self._broke(error)

    def _open(self, dbapi_connection: Any, record: Any, now: float) -> Token:
        """Enter a new connection in the ledger of this process."""
        if getpid() != HERE.pid:
            HERE.forked_child()
        ledger = self._agent.ledger
        if ledger is not self._ledger or self._pool is None:
            self._pool = ledger.pool(*self._facts)
            self._ledger = ledger
        connection = ledger.connection(self._pool, now)
        # The token first, so that whatever is entered, its death undoes it.
        token = Token(self, ledger, connection, id(dbapi_connection))
        record.info[KEY] = token
        ledger.enter(connection)
        return token

    def _broke(self, error: Exception) -> None:
        """Something of ours failed: the application must not notice more than this."""
        if not self._failed:
            self._failed = True
            _log.warning("connmon: a pool event could not be noted: %r", error)


def _facts(engine: Engine) -> tuple[str, str, int | None, int | None]:
    """A pool's name, kind, size and largest overflow, as far as it has them."""
    url, pool = engine.url, engine.pool
    place = f"{url.host or ''}:{url.port}" if url.port else url.host or ""
    name = f"{url.drivername}://{place}/{url.database or ''}"
    size = getattr(pool, "size", None)
    size = size() if callable(size) else size
    overflow = getattr(pool, "_max_overflow", None)
    return (
        name[:1024],
        type(pool).__name__[:255],
        size if isinstance(size, int) and size >= 0 else None,
        overflow if isinstance(overflow, int) and overflow >= 0 else None,
    )
