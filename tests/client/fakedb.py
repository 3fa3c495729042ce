"""A database that is all in memory, with its driver and its dialects, for tests.

A ``Server`` stands for the database and is the DBAPI module too: give it to
``create_engine("fakedb://", module=server)``, or to ``create_async_engine`` with
``fakedb+aio://``. It knows which connections are open, and tells a ``Witness`` when one
is made and when one goes: closed by its user, or left to the garbage collector. Clients
can be cut off, connections refused, resets made to fail, and, with asyncio, any call be
held up until its task is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from itertools import count
from typing import Any, Protocol

from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool
from sqlalchemy.util import await_only

registry.register("fakedb", __name__, "FakeDialect")
registry.register("fakedb.aio", __name__, "AioDialect")


PING = "SELECT 1"
"""What SQLAlchemy has executed to see if a connection is alive, in its own spelling."""


class Error(Exception):
    """What DBAPI says all errors are."""


class OperationalError(Error):
    """The database cannot do it."""


class Gone(OperationalError):
    """The connection is of no use any more."""


class Clock:
    """The time of the driver, of SQLAlchemy's pools and of connmon, as tests say."""

    def __init__(self) -> None:
        """Begin late enough for nothing to seem to have happened at zero."""
        self.now = 1000.0

    def time(self) -> float:
        """In place of ``time.time`` and ``time.monotonic``."""
        return self.now

    monotonic = time


class Witness(Protocol):
    """Who is told of each connection, as it happens."""

    def made(self, serial: int, pool: int, seconds: float) -> None:
        """A connection was made for this pool, which took so long."""

    def refused(self, pool: int) -> None:
        """A connection was not made."""

    def gone(self, serial: int, closed: bool) -> None:
        """A connection is no more: it was ``closed``, or nobody had it any longer."""

    def executes(self, serial: int) -> None:
        """A statement of a transaction begins."""

    def executed(self, serial: int) -> None:
        """A statement of a transaction is done, or has failed."""

    def ends(self, serial: int, what: str) -> None:
        """A transaction, if there is one, ends: ``commits`` or ``rollbacks``."""


class Server:
    """A database server, and the module of its driver."""

    apilevel = "2.0"
    threadsafety = 1
    paramstyle = "qmark"
    Error = Error
    OperationalError = OperationalError

    def __init__(self, clock: Clock, witness: Witness) -> None:
        """Begin with nobody connected, and no fault."""
        self.clock = clock
        self.witness = witness
        #: Whether each open connection can still reach the server, by serial number.
        self.open: dict[int, bool] = {}
        #: How long making a connection takes.
        self.pace = 0.0
        #: How long executing a statement takes, and what happens meanwhile.
        self.slowness = 0.0
        self.meanwhile: Callable[[], object] = lambda: None
        #: How many attempts to connect fail from now on.
        self.refusals = 0
        #: How many commits and rollbacks fail from now on, without a disconnection.
        self.failures = 0
        #: Whether the next connection cannot reach the server as soon as it is made.
        self.cut_off_next = False
        #: What is held up where, asyncio only.
        self.held_up: dict[str, asyncio.Event] = {}
        self._serials = count(1)

    def connect(self, pool: int = 0) -> Connection:
        """Make a connection. ``pool`` says who for."""
        made: Connection = self._connect(Connection, pool)
        return made

    def connect_aio(self, pool: int = 0) -> AioConnection:
        """The same in a greenlet of asyncio's."""
        await_only(self.passes("connect"))
        made: AioConnection = self._connect(AioConnection, pool)
        return made

    def _connect(self, kind: Any, pool: int) -> Any:
        if self.refusals:
            self.refusals -= 1
            self.witness.refused(pool)
            raise OperationalError("connection refused")
        self.clock.now += self.pace
        serial = next(self._serials)
        self.open[serial] = not self.cut_off_next
        self.cut_off_next = False
        self.witness.made(serial, pool, self.pace)
        return kind(self, serial)

    def cut_off(self, serial: int) -> None:
        """End a client's session: what the client does next fails."""
        if serial in self.open:
            self.open[serial] = False

    def execute(self, connection: Connection, statement: str) -> None:
        """A client has a statement executed; a ping is none, nor is it with others."""
        connection.use()
        if connection.autocommit or statement == PING:
            return
        self.witness.executes(connection.serial)
        self.meanwhile()
        self.clock.now += self.slowness
        self.witness.executed(connection.serial)

    def passes(self, what: str) -> Passage:
        """What to await before this call is made."""
        return Passage(self.held_up.get(what))


class Passage:
    """What a call waits for where tests want it to be held up.

    No coroutine, which would complain where it cannot be awaited.
    """

    def __init__(self, held_up: asyncio.Event | None) -> None:
        """Go on when this happens, or at once."""
        self._held_up = held_up

    def __await__(self) -> Generator[Any, None, None]:
        """Wait for it."""
        if self._held_up is not None:
            yield from self._held_up.wait().__await__()


class Connection:
    """The driver's end of one connection."""

    #: Whether it is closed, if a driver tells that; this one does not.
    closed: Any = None

    def __init__(self, server: Server, serial: int) -> None:
        """Made by ``Server.connect`` only."""
        self.server = server
        self.serial = serial
        self.autocommit = False

    def __del__(self) -> None:
        """Nobody has it any more: the operating system closes it."""
        self._go(False)

    def _go(self, closed: bool) -> None:
        if self.server.open.pop(self.serial, None) is not None:
            self.server.witness.gone(self.serial, closed)

    def use(self) -> None:
        """Fail if it can no longer be used."""
        if not self.server.open.get(self.serial, False):
            raise Gone("server has gone away")

    def ends(self, what: str) -> None:
        """Whatever comes of what is begun here, the transaction is over by it."""
        if self.serial in self.server.open:
            self.server.witness.ends(self.serial, what)

    def finish(self) -> None:
        """End a transaction, or fail to."""
        self.use()
        if self.server.failures:
            self.server.failures -= 1
            raise OperationalError("out of space")

    def cursor(self) -> Cursor:
        """What executes statements."""
        return Cursor(self)

    def commit(self) -> None:
        """End a transaction."""
        self.ends("commits")
        self.finish()

    def rollback(self) -> None:
        """Abandon a transaction."""
        self.ends("rollbacks")
        self.finish()

    def close(self) -> None:
        """End the session."""
        self._go(True)

    def terminate(self) -> None:
        """End the session without a word to the server."""
        self._go(True)


class AioConnection(Connection):
    """The driver's end, where each call may be held up, and its task be cancelled."""

    def commit(self) -> None:
        """End a transaction."""
        self.ends("commits")
        await_only(self.server.passes("finish"))
        self.finish()

    def rollback(self) -> None:
        """Abandon a transaction."""
        self.ends("rollbacks")
        await_only(self.server.passes("finish"))
        self.finish()

    def cursor(self) -> Cursor:
        """What executes statements."""
        return AioCursor(self)

    def close(self) -> None:
        """End the session, also if its task is cancelled meanwhile."""
        try:
            await_only(self.server.passes("close"))
        finally:
            self._go(True)


class Cursor:
    """What executes statements: each succeeds, and has no rows."""

    description = None
    rowcount = -1
    lastrowid = None
    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        """Made by ``Connection.cursor`` only."""
        self.connection = connection

    def execute(self, statement: str, parameters: object = ()) -> None:
        """Do nothing with it."""
        self.connection.server.execute(self.connection, statement)

    def executemany(self, statement: str, parameters: object) -> None:
        """Do nothing with it, often."""
        self.execute(statement, parameters)

    def close(self) -> None:
        """Nothing is left."""


class AioCursor(Cursor):
    """The same, where it may be held up."""

    def execute(self, statement: str, parameters: object = ()) -> None:
        """Do nothing with it."""
        await_only(self.connection.server.passes("execute"))
        super().execute(statement, parameters)


class FakeDialect(DefaultDialect):
    """How SQLAlchemy talks to it."""

    name = "fakedb"
    driver = "fakedb"
    supports_statement_cache = True
    default_isolation_level = "SERIALIZABLE"

    def initialize(self, connection: Any) -> None:
        """Look at the first connection, as dialects do."""
        connection.exec_driver_sql("select version()")

    def create_connect_args(self, url: Any) -> Any:
        """Say nothing to the driver."""
        return [], {}

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Whether an error means that the connection is of no use."""
        return isinstance(e, Gone)

    @classmethod
    def get_pool_class(cls, url: Any) -> Any:
        """What a real database has."""
        return QueuePool

    def get_isolation_level_values(self, dbapi_connection: Any) -> Any:
        """What there is."""
        return ["SERIALIZABLE", "AUTOCOMMIT"]

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        """What it is, of one that commits each statement too."""
        return "SERIALIZABLE"

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        """Whether a connection commits each statement by itself."""
        dbapi_connection.autocommit = level == "AUTOCOMMIT"

    def do_begin_twophase(self, connection: Any, xid: Any) -> None:
        """Everything is one phase here."""

    def do_prepare_twophase(self, connection: Any, xid: Any) -> None:
        """Nothing to prepare."""

    def do_commit_twophase(self, connection: Any, xid: Any, *flags: Any) -> None:
        """End a transaction."""
        connection.connection.commit()

    def do_rollback_twophase(self, connection: Any, xid: Any, *flags: Any) -> None:
        """Abandon a transaction."""
        connection.connection.rollback()


class AioDialect(FakeDialect):
    """How SQLAlchemy talks to it with asyncio."""

    driver = "aio"
    is_async = True
    has_terminate = True

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Make a connection."""
        dbapi: Any = self.dbapi
        return dbapi.connect_aio(*arguments, **options)

    @classmethod
    def get_pool_class(cls, url: Any) -> Any:
        """What every asyncio driver has."""
        return AsyncAdaptedQueuePool

    def do_terminate(self, dbapi_connection: Any) -> None:
        """End the session where nothing can be awaited."""
        dbapi_connection.terminate()
