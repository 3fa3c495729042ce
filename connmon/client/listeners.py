"""What happens in an engine's pool, entered in the ledger.

Most of it comes from SQLAlchemy's pool events, by ``connmon.client.events``. Some does
not, and is heard by taking the place of a callable on the pool, as
``connmon.client.callables`` does:

* ``pool.connect`` tells of checkouts, ``pool._return_conn`` of check-ins. Listeners of
  the two events would cost more than all the rest together, since SQLAlchemy leaves its
  fast path for them, and could not tell of a checkout that waits.
* ``pool.recreate`` makes the next pool for ``Engine.dispose``, which is followed too.
* ``connmon.client.queues`` hears who waits; ``pool.connect``, what timed out.
* ``connmon.client.transactions`` hears of transactions, at the engine's dialect.
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

from _thread import get_ident
from collections.abc import Callable
from math import inf
from os import getpid
from sys import _getframe
from time import monotonic
from typing import Any
from weakref import finalize, ref

from sqlalchemy.engine import Engine

from connmon.client import queues
from connmon.client.agent import HERE, Agent
from connmon.client.callables import (
    connecting,
    creating,
    entered,
    recreating,
    returning,
    watch_of,
    way_back,
    way_out,
)
from connmon.client.collector import is_collecting
from connmon.client.events import Events
from connmon.client.facts import facts_of
from connmon.client.following import FOLLOWED, following_of
from connmon.client.foreign import is_foreign
from connmon.client.limits import limit_of
from connmon.client.options import NONE, SLOW, WITHIN_BUDGET
from connmon.client.owner import current_owner
from connmon.client.queues import Word
from connmon.client.sessions import session_of
from connmon.client.sites import here
from connmon.client.tags import CURRENT
from connmon.client.tokens import KEY, TOKEN, Lot, Token, is_late, lot_of
from connmon.model.connection import LASTED, NOT_IDLE, Connection
from connmon.model.holding import Owner, Waiter
from connmon.model.pool import Pool
from connmon.model.records import COLLECTED, INHERITED, OUT, RETURNED, STALE

LINES = 500
"""Of how many checkouts of a pool the line is noted in a second, unless all are wanted.

A line takes a microsecond: this is 0.05 % of a CPU, however busy the application is.
"""


class Watch:
    """Follows one engine's pool, through disposals and forks."""

    def __init__(
        self,
        agent: Agent,
        engine: Engine,
        transactions: str = WITHIN_BUDGET,
        trace: str = WITHIN_BUDGET,
        slow: float = inf,
        *,
        reads_limit: bool = False,
    ) -> None:
        """Listen from now on.

        ``transactions`` says which checkouts to follow into their transactions,
        ``trace`` of which to note the application's line, ``slow`` from how many
        seconds on they are told to last too long, ``reads_limit`` that the first
        connection is to ask the server for its limit.

        A pool that is watched already, for another engine that shares it, stays with
        the first one's watch.
        """
        self._agent = agent
        self._facts = facts_of(engine)
        self._reads_limit = reads_limit
        self._dialect = engine.dialect.name
        self._over = False
        self.events = Events(self)
        self._trace = trace
        self._lines = _budget(trace, LINES)
        self._followed = 0.0
        self._owner = current_owner()
        self._slow = slow
        #: Whether a checkout is told of the wait before it, by ``waited``.
        self.keeps_waits = trace == SLOW
        self.waited = Word()
        #: Waits in vain, for the timeouts that follow.
        self.expired = Word()
        watch = watch_of(engine.pool)
        if watch is None:
            watch = self
            self.following = following_of(engine.dialect, self.broke)
            self.following.pools += 1
            self.follow(engine.pool)
            self.events.listen(engine)
            # A pool keeps all its engines: SQLAlchemy has them in listeners of its own.
            finalize(engine, self.retired).atexit = False
        watch.follow_transactions(engine, transactions)

    def follow_transactions(self, engine: Engine, which: str) -> None:
        """Hear of the transactions of an engine that has this pool, if asked to.

        Of several engines the one counts that asks for most.
        """
        wanted = _budget(which, FOLLOWED)
        if wanted and self.following.hear(engine):
            self._followed = max(self._followed, wanted)
            self.pool()

    def follow(self, pool: Any) -> None:
        """Take the place of a pool's callables. Not of the creator that is ours."""
        pool.connmon = Lot()
        owner = current_owner()
        enter, whose = way_out(pool.connect)
        pool.connect = connecting(self, enter, whose, owner, self._site(owner))
        pool._return_conn = returning(self, way_back(pool._return_conn), owner)
        pool.recreate = recreating(self, pool.recreate, ref(pool))
        creator = getattr(pool, "_invoke_creator", None)
        if creator is not None and not hasattr(creator, "connmon"):
            # Not ``_creator``: a pool of the application's own may call that itself.
            pool._invoke_creator = creating(self, creator)
        queues.hear(self, pool, owner)

    def let_go(self, pool: Any) -> None:
        """Follow a pool that was disposed of without keeping it alive.

        The connections of such a pool are closed when the last reference to it goes.
        """
        pool.connmon.disposed = True
        this, kind, owner = ref(pool), type(pool), current_owner()
        pool.connect = connecting(
            self, lambda its: kind.connect(its()), this, owner, self._site(owner)
        )
        pool._return_conn = returning(
            self, lambda record: kind._return_conn(this(), record), owner
        )
        pool.recreate = recreating(self, lambda: kind.recreate(this()), this)
        for each in list(self.pool().open):
            # Others may be of another engine's, which disposed of this one before.
            if each.lot is pool.connmon:
                each.outlives_pool()

    def _site(self, owner: Callable[[], Owner]) -> Callable[[int], Any]:
        """What tells a checkout's site, if it is wanted."""
        if self._trace == NONE:
            return _nowhere
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
                known, now = connection, monotonic()
                connection = self.open(fairy.dbapi_connection, record, now)
                connection.holder = record.fairy_ref
                connection.taken(now, owner(), site)
                connection.tag = CURRENT.get()
                if known is not None:
                    self.following.connections.discard(known)
                if self._followed:
                    self.following.connections.add(connection)
                if known is not None and known.pool.ledger is not pool.ledger:
                    self._inherited(connection, now)
            elif left == NOT_IDLE and connection.state == OUT and _is_first(fairy):
                # Not if it is closed: ``SingletonThreadPool`` does that to connections
                # that other threads have, and then hands them out to these once more.
                connection.shared()
                # Who has it now need not be who it was noted to be.
                pool.handed_over(connection.site)
            pool.stir()
        except Exception as error:
            self.broke(error)

    def left_alone(self, connection: Connection) -> None:
        """A connection is about to be returned, but perhaps by the collector."""
        try:
            # From beyond this, what called it, and SQLAlchemy's own check-in.
            if connection.state == OUT and is_collecting(_getframe(3)):
                self.collected(connection)
        except Exception as error:
            self.broke(error)

    def came_back(
        self, connection: Connection, left: int, owner: Callable[[], Owner]
    ) -> None:
        """A check-in left something to do: see what, and do it."""
        try:
            pool = connection.pool
            if left == LASTED and not connection.is_collected:
                if owner() != connection.owner:
                    pool.handed_over(connection.site)
                if connection.recovers():
                    pool.ledger.noticed(connection, RETURNED, connection.since, 0.0)
            pool.stir()
        except Exception as error:
            self.broke(error)

    def waiter(self, owner: Callable[[], Owner]) -> tuple[Pool, Waiter] | None:
        """Someone who will have to wait, and for which pool; not entered yet."""
        try:
            site = None if self._trace == NONE else here(entered())
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
            self.open(dbapi_connection, record, monotonic())
        except Exception as error:
            self.broke(error)

    def refused(self) -> None:
        """The driver could not make a connection."""
        try:
            self.pool().refused()
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

    def opened(self, dbapi_connection: Any) -> None:
        """A connection is ready: have the server tell its limit, if that is wanted."""
        if not self._reads_limit:
            return
        self._reads_limit = False
        limit = limit_of(self._facts.name, self._dialect, dbapi_connection)
        if limit is not None:
            self._facts = self._facts._replace(limit=limit)
            pool = self.pool()
            pool.facts = self._facts
            pool.stir()

    # What they share.

    def pool(self) -> Pool:
        """This engine's pool in the ledger of this process, whichever it is now."""
        if getpid() != HERE.pid:
            HERE.forked_child()
        pool = self._agent.ledger.pool(self, self._facts)
        if self._over:
            # Its pool is used nevertheless, by someone who kept it.
            pool.retired = True
        pool.slow = self._slow
        if pool.lines != self._lines:
            pool.lines = pool.lines_left = self._lines
        if pool.following is not self.following.connections:
            self.following.joins(pool)
        if pool.followed != self._followed:
            pool.followed = self._followed
            self.following.resume(pool)
        return pool

    def open(self, dbapi_connection: Any, record: Any, now: float) -> Connection:
        """Enter a new connection in the ledger of this process."""
        pool = self.pool()
        connection = pool.ledger.connection(pool, now)
        connection.session, connection.address = session_of(dbapi_connection)
        # Others may go on with a pool of which one engine has disposed.
        connection.lot, connection.disposed = lot_of(record), is_late(record)
        # The token first, so that whatever is entered, its death undoes it.
        record.info[TOKEN] = Token(self, connection, record, id(dbapi_connection))
        record.info[KEY] = connection
        pool.ledger.enter(connection)
        if is_late(record) and not connection.disposed:
            # Whoever disposed of it meanwhile may not have seen this one.
            connection.outlives_pool()
        return connection

    def stale(self, connection: Connection) -> None:
        """Note that a connection was found broken as it was about to be taken."""
        now = monotonic()
        # It is idle, so these are only told with the notice: who it is that found it.
        connection.owner = self._owner()
        connection.site, connection.tag = self._where(), CURRENT.get()
        idle = now - connection.since
        connection.pool.ledger.noticed(connection, STALE, now, idle)

    def _inherited(self, connection: Connection, now: float) -> None:
        """Note that a connection was taken which another process had opened.

        That is sure: a process begins another ledger only when it is a fork's child.
        """
        if connection.site is None:
            connection.site = self._where()
        connection.pool.ledger.noticed(connection, INHERITED, now, 0.0)

    def _where(self) -> Any:
        """The application's line, of what happens seldom enough to be always told."""
        return None if self._trace == NONE else here(entered())

    def collected(self, connection: Connection) -> None:
        """The garbage collector returns a connection, or gives it up."""
        now = monotonic()
        seconds = now - connection.since
        connection.pool.ledger.noticed(connection, COLLECTED, now, seconds)

    def broke(self, error: Exception) -> None:
        """Something of ours failed: the application must not notice more than this."""
        if is_foreign(error):
            raise error
        HERE.failed(error)


def _budget(which: str, within: float) -> float:
    """Of how many checkouts a second that is; all, unless it is one of these two."""
    return {WITHIN_BUDGET: within, NONE: 0}.get(which, inf)


def _nowhere(depth: int) -> None:
    """Tell no site."""


def _is_first(fairy: Any) -> bool:
    """Whether this is no nested use of what the same user has out already."""
    return getattr(fairy, "_counter", 1) == 1
