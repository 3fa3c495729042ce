"""What happens in an engine's pool, entered in the ledger.

Most of it comes from SQLAlchemy's pool events. Some does not, and is heard by taking
the place of a callable on the pool:

* ``pool.connect`` tells of checkouts, ``pool._return_conn`` of check-ins. Listeners of
  the two events would cost more than all the rest together, since SQLAlchemy leaves its
  fast path for them, and could not tell of a checkout that waits.
* ``pool.recreate`` makes the next pool for ``Engine.dispose``, which is followed too.
* ``connmon.client.queues`` hears who waits; ``pool.connect``, what timed out.
* the pool's creator makes connections, or fails to. A connection is entered as soon as
  it is made: the listener of ``connect`` may not be reached, where one of the dialect's
  or the application's that comes earlier fails.

Nor do events tell of every end: the pool of a disposed engine is collected without one,
and so is a detached connection that is dropped. So each connection has a *token* in its
record's ``info``, a dictionary that SQLAlchemy clears, copies or drops with the
connection: when the token dies, so has the connection. See docs/architecture.rst.

Nothing here may raise into, or wait in, the application. All this runs in whatever
thread uses the pool, and the garbage collector may run one part inside another.
"""

from __future__ import annotations

import signal
from _thread import get_ident
from collections.abc import Callable
from math import inf
from os import getpid
from time import monotonic
from typing import Any
from weakref import finalize, ref

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connmon.client import queues
from connmon.client.agent import HERE, Agent
from connmon.client.options import TRACE_OFF, TRACE_ON, TRACE_SLOW
from connmon.client.owner import current_owner
from connmon.client.queues import Word
from connmon.client.sessions import session_of
from connmon.client.sites import here
from connmon.client.tags import CURRENT, USED
from connmon.model.holding import Owner, Waiter
from connmon.model.ledger import NOT_IDLE, Connection, Pool
from connmon.model.records import OUT, PoolFacts

KEY = "connmon"
"""Where a connection of the ledger is, in a record's ``info``."""

TOKEN = "connmon_token"
"""Where its token is."""

_EVENTS = (
    "connect",
    "close",
    "invalidate",
    "soft_invalidate",
    "detach",
    "close_detached",
)


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


class Watch:
    """Follows one engine's pool, through disposals and forks."""

    def __init__(
        self,
        agent: Agent,
        engine: Engine,
        transactions: bool,
        trace: str = TRACE_ON,
    ) -> None:
        """Listen from now on; to commits and rollbacks too, if asked to.

        ``trace`` says of which checkouts to note the application's line.

        A pool that is watched already, for another engine that shares it, stays with
        the first one's watch, which then counts the transactions of both.
        """
        self._agent = agent
        self._facts = _facts(engine)
        self._over = False
        self._detached: dict[int, ref[Token]] = {}
        self._trace = trace
        #: Whether a checkout is told of the wait before it, by ``waited``.
        self.keeps_waits = trace == TRACE_SLOW
        self.waited = Word()
        #: Waits in vain, for the timeouts that follow.
        self.expired = Word()
        watch = _watch_of(engine.pool)
        if watch is None:
            watch = self
            self.follow(engine.pool)
            for name in _EVENTS:
                event.listen(engine, name, getattr(self, name))
            # A pool keeps all its engines: SQLAlchemy has them in listeners of its own.
            finalize(engine, self.retired).atexit = False
        if transactions:
            for kind in ("", "_twophase"):
                event.listen(engine, f"commit{kind}", watch.commit)
                event.listen(engine, f"rollback{kind}", watch.rollback)

    def follow(self, pool: Any) -> None:
        """Take the place of a pool's callables. Not of the creator that is ours."""
        owner = current_owner(pool)
        pool.connect = _connecting(self, pool.connect, owner, self._site(owner))
        pool._return_conn = _returning(self, pool._return_conn)
        pool.recreate = _recreating(self, pool.recreate, ref(pool))
        creator = getattr(pool, "_invoke_creator", None)
        if creator is not None and not hasattr(creator, "connmon"):
            # Not ``_creator``: a pool of the application's own may call that itself.
            pool._invoke_creator = _creating(self, creator)
        queues.hear(self, pool, owner)

    def let_go(self, pool: Any) -> None:
        """Follow a pool that was disposed of without keeping it alive.

        The connections of such a pool are closed when the last reference to it goes.
        """
        this, kind, owner = ref(pool), type(pool), current_owner(pool)
        pool.connect = _connecting(
            self, lambda: kind.connect(this()), owner, self._site(owner)
        )
        pool._return_conn = _returning(
            self, lambda record: kind._return_conn(this(), record)
        )
        pool.recreate = _recreating(self, lambda: kind.recreate(this()), this)

    def _site(self, owner: Callable[[], Owner]) -> Callable[[int], Any] | None:
        """What tells a checkout's site, ``None`` if it is not wanted."""
        if self._trace == TRACE_OFF:
            return None
        if not self.keeps_waits:
            return here

        waited = self.waited
        kept = waited.kept

        def waited_at(depth: int) -> Any:
            # Nearly always there is none, and nobody need be asked who this is.
            waiter = waited.take(owner()) if kept else None
            return None if waiter is None else waiter.site

        return waited_at

    # What the pool's callables tell; any thread.

    def took(
        self, fairy: Any, owner: Callable[[], Owner], left: int, site: object
    ) -> None:
        """A checkout left something to do: see what, and do it."""
        try:
            record = fairy._connection_record
            connection = record.info.get(KEY)
            pool = self.pool()
            if connection is None or connection.pool is not pool:
                # Made before we listened, or inherited across a fork.
                connection = self._open(fairy.dbapi_connection, record, monotonic())
                connection.taken(monotonic(), owner(), site)
                connection.tag = CURRENT.get()
            elif left == NOT_IDLE and connection.state == OUT and _is_first(fairy):
                # Not if it is closed: ``SingletonThreadPool`` does that to connections
                # that other threads have, and then hands them out to these once more.
                connection.shared()
            pool.stir()
        except Exception as error:
            self.broke(error)

    def waiter(self, owner: Callable[[], Owner]) -> tuple[Pool, Waiter] | None:
        """Someone who will have to wait, and for which pool; not entered yet."""
        try:
            site = None if self._trace == TRACE_OFF else here(2)
            return self.pool(), Waiter(owner(), monotonic(), site, CURRENT.get())
        except Exception as error:
            self.broke(error)
        return None

    def awaited(self, pool: Pool, waiter: Waiter) -> None:
        """Someone begins to wait."""
        try:
            pool.awaited(waiter)
        except Exception as error:
            self.broke(error)

    def served(self, pool: Pool, waiter: Waiter) -> None:
        """Someone does not wait any more; told twice, it counts once."""
        try:
            pool.served(waiter, monotonic())
        except Exception as error:
            self.broke(error)

    def timed_out(self) -> None:
        """A checkout failed for a timeout, of this pool if it waited just before."""
        try:
            waiter = self.expired.take(get_ident())
            if waiter is not None:
                self.pool().timed_out(waiter, monotonic())
        except Exception as error:
            self.broke(error)

    def created(self, dbapi_connection: Any, record: Any, seconds: float) -> None:
        """The driver made a connection, which took so long."""
        try:
            self.pool().created(seconds)
            self._open(dbapi_connection, record, monotonic())
        except Exception as error:
            self.broke(error)

    def refused(self) -> None:
        """The driver could not make a connection."""
        try:
            self.pool().refused()
        except Exception as error:
            self.broke(error)

    # SQLAlchemy's events; any thread.

    def connect(self, dbapi_connection: Any, record: Any) -> None:
        """A connection was made, perhaps not by the creator that we know."""
        try:
            token = record.info.get(TOKEN)
            if token is None or token.handle != id(dbapi_connection):
                self._open(dbapi_connection, record, monotonic())
        except Exception as error:
            self.broke(error)

    def close(self, dbapi_connection: Any, record: Any) -> None:
        """A connection was closed by its pool."""
        try:
            connection = record.info.get(KEY)
            if connection is not None:
                connection.pool.ledger.closed(connection, monotonic())
        except Exception as error:
            self.broke(error)

    def invalidate(self, dbapi_connection: Any, record: Any, exception: Any) -> None:
        """A connection was found, or declared, unusable; its closing follows."""
        try:
            connection = record.info.get(KEY)
            if connection is not None:
                connection.pool.ledger.invalidated(connection)
        except Exception as error:
            self.broke(error)

    def soft_invalidate(
        self, dbapi_connection: Any, record: Any, exception: Any
    ) -> None:
        """A connection is to be replaced at its next checkout."""
        try:
            connection = record.info.get(KEY)
            if connection is not None:
                connection.pool.ledger.invalidated(connection, soft=True)
        except Exception as error:
            self.broke(error)

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
            token.detached = self._detached
            self._detached[token.handle] = ref(token)
            token.connection.pool.ledger.detached(token.connection, monotonic())
        except Exception as error:
            self.broke(error)

    def close_detached(self, dbapi_connection: Any) -> None:
        """A detached connection was closed."""
        try:
            found = self._detached.pop(id(dbapi_connection), None)
            token = None if found is None else found()
            if token is not None:
                token.detached = None
                pool = token.connection.pool
                if not token.connection.closed:
                    pool.detached_closes += 1
                pool.ledger.closed(token.connection, monotonic())
        except Exception as error:
            self.broke(error)

    def commit(self, *arguments: Any) -> None:
        """A transaction was committed."""
        try:
            self.pool().committed()
        except Exception as error:
            self.broke(error)

    def rollback(self, *arguments: Any) -> None:
        """A transaction was rolled back."""
        try:
            self.pool().rolled_back()
        except Exception as error:
            self.broke(error)

    def retired(self) -> None:
        """The engine was collected."""
        try:
            self._over = True
            pool = self.pool()
            pool.ledger.retired(pool)
        except Exception as error:
            self.broke(error)

    # What they share.

    def pool(self) -> Pool:
        """This engine's pool in the ledger of this process, whichever it is now."""
        if getpid() != HERE.pid:
            HERE.forked_child()
        pool = self._agent.ledger.pool(self, self._facts)
        if self._over:
            # Its pool is used nevertheless, by someone who kept it.
            pool.retired = True
        return pool

    def _open(self, dbapi_connection: Any, record: Any, now: float) -> Connection:
        """Enter a new connection in the ledger of this process."""
        pool = self.pool()
        connection = pool.ledger.connection(pool, now)
        connection.session, connection.address = session_of(dbapi_connection)
        # The token first, so that whatever is entered, its death undoes it.
        record.info[TOKEN] = Token(self, connection, id(dbapi_connection))
        record.info[KEY] = connection
        pool.ledger.enter(connection)
        return connection

    def broke(self, error: Exception) -> None:
        """Something of ours failed: the application must not notice more than this."""
        if _is_foreign(error):
            raise error
        HERE.failed(error)


def _connecting(
    watch: Watch,
    enter: Callable[[], Any],
    owner: Callable[[], Owner],
    trace: Callable[[int], Any] | None,
) -> Callable[[], Any]:
    """What takes the place of ``pool.connect``."""
    took, broke, timed_out = watch.took, watch.broke, watch.timed_out

    def connect() -> Any:
        try:
            fairy = enter()
        except PoolTimeout:
            timed_out()
            raise
        try:
            connection = fairy._connection_record.info.get(KEY)
            left = NOT_IDLE
            site = None if trace is None else trace(2)
            if connection is not None:
                left = connection.taken(monotonic(), owner(), site)
                if USED and left != NOT_IDLE:
                    connection.tag = CURRENT.get()
            if left:
                took(fairy, owner, left, site)
        except Exception as error:
            # Without a record it is detached, and used once more by the thread that
            # has it: ``SingletonThreadPool`` hands it out again. That is no checkout.
            if getattr(fairy, "_connection_record", error) is not None:
                broke(error)
        return fairy

    connect.connmon = watch  # type: ignore[attr-defined]
    return connect


def _returning(watch: Watch, take_back: Callable[[Any], None]) -> Callable[[Any], None]:
    """What takes the place of ``pool._return_conn``, by which every check-in ends.

    It marks first: once the record is back, another thread may have it.
    """
    broke = watch.broke

    def return_conn(record: Any) -> None:
        try:
            connection = record.info.get(KEY)
            if connection is not None:
                if connection.returned(monotonic()):
                    connection.pool.stir()
                if record.dbapi_connection is None:
                    # The record comes back alone, perhaps without a word of closing:
                    # so it is when a listener of the ``connect`` event fails.
                    connection.pool.ledger.dropped(connection, monotonic())
        except Exception as error:
            broke(error)
        take_back(record)

    return return_conn


def _recreating(
    watch: Watch, again: Callable[[], Any], this: ref[Any]
) -> Callable[[], Any]:
    """What takes the place of ``pool.recreate``."""

    def recreate() -> Any:
        fresh = again()
        try:
            watch.follow(fresh)
            watch.let_go(this())
        except Exception as error:
            watch.broke(error)
        return fresh

    return recreate


def _creating(watch: Watch, plain: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What takes the place of a pool's creator."""

    def create(record: Any) -> Any:
        began = monotonic()
        try:
            created = plain(record)
        except Exception:
            watch.refused()
            raise
        watch.created(created, record, monotonic() - began)
        return created

    create.connmon = watch  # type: ignore[attr-defined]
    return create


def _watch_of(pool: Any) -> Watch | None:
    """Who follows a pool already, if anyone does."""
    return getattr(vars(pool).get("connect"), "connmon", None)


#: Where our own faults may come from; an exception of any other origin is not ours.
_ORIGINS = {
    "builtins",
    "connmon",
    "crochet",
    "msgpack",
    "sqlalchemy",
    "twisted",
    "zope",
}


def _is_foreign(error: Exception) -> bool:
    """Whether an exception is one of the application's that only passed through here.

    Such is what a signal handler raises, or one thread throws into another.
    """
    handlers = {
        getattr(signal.getsignal(each), "__code__", None)
        for each in signal.valid_signals()
    } - {None}
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return type(error).__module__.partition(".")[0] not in _ORIGINS


def _is_first(fairy: Any) -> bool:
    """Whether this is no nested use of what the same user has out already."""
    return getattr(fairy, "_counter", 1) == 1


def _facts(engine: Engine) -> PoolFacts:
    """What a pool is, as far as it tells."""
    url, pool = engine.url, engine.pool
    place = f"{url.host or ''}:{url.port}" if url.port else url.host or ""
    name = f"{url.drivername}://{place}/{url.database or ''}"
    size = getattr(pool, "size", None)
    return PoolFacts(
        name[:1024],
        type(pool).__name__[:255],
        _whole_number(size() if callable(size) else size),
        _whole_number(getattr(pool, "_max_overflow", None)),
        _seconds(getattr(pool, "_timeout", None)),
        _seconds(getattr(pool, "_recycle", None)),
        bool(getattr(pool, "_pre_ping", False)),
    )


def _whole_number(value: Any) -> int | None:
    """A bound, if it is one: -1 means that there is none."""
    return value if isinstance(value, int) and value >= 0 else None


def _seconds(value: Any) -> float | None:
    """A duration, if it is one: -1 means never."""
    is_number = isinstance(value, (int, float))
    return float(value) if is_number and 0 <= value < inf else None
