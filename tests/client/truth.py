"""What tests know by themselves of pools and connections, to hold against the ledger.

It comes from three sources, none of which is the ledger: the fake server of
``tests.client.fakedb`` tells which connections are made and gone, tests say what they
took, and the tests' own listeners hear the rest. It is kept in the plainest way.
"""

from __future__ import annotations

import gc
import logging
import platform
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, ClassVar
from weakref import WeakSet, ref

from sqlalchemy import create_engine, event, exc, pool
from sqlalchemy.pool import StaticPool
from twisted.trial.unittest import SynchronousTestCase
from twisted.trial.util import suppress

from connmon.client import callables, events, listeners, tokens, transactions
from connmon.client.agent import HERE
from connmon.client.listeners import Watch
from connmon.client.options import ALL, NONE
from connmon.client.owner import owner_name
from connmon.model.histogram import BOUNDS, BUCKETS
from connmon.model.ledger import Ledger
from connmon.model.records import (
    DETACHED,
    IDLE,
    OUT,
    ConnectionRecord,
    Counters,
    Maxima,
    PoolRecord,
    Report,
)
from tests.client.fakedb import Clock, Server

IS_LATE = platform.python_implementation() == "PyPy"
"""Whether objects end when the collector gets to them, and so do connections."""


def collect() -> None:
    """Have the garbage collector do all it can."""
    for _ in range(6 if IS_LATE else 1):
        gc.collect()


class Tally:
    """All that one pool ever did, or the process."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.counts: Counter[str] = Counter()
        self.holds = [0] * BUCKETS
        self.held = 0.0
        self.creations = [0] * BUCKETS
        self.created = 0.0
        self.open = self.out = self.max_open = self.max_out = 0

    def counters(self) -> Counters:
        """The totals, as the ledger has them."""
        return Counters(**self.counts)

    def maxima(self) -> Maxima:
        """The high-water marks likewise."""
        return Maxima(self.max_open, self.max_out)

    def opens(self, by: int) -> None:
        """So many connections more are open."""
        self.open += by
        self.max_open = max(self.max_open, self.open)

    def outs(self, by: int) -> None:
        """So many connections more are out."""
        self.out += by
        self.max_out = max(self.max_out, self.out)


class Life:
    """One open connection."""

    def __init__(self, pool: int, now: float) -> None:
        """It was made just now, and is idle."""
        self.pool = pool
        self.opened = self.since = now
        self.state = IDLE
        self.uses = 0
        self.owner = ""
        #: Since when it is in a transaction, and since when idle in that.
        self.transaction: float | None = None
        self.quiet: float | None = None
        #: The pool object it was taken from last: there is another after a disposal.
        self.home: Callable[[], object] = lambda: None
        #: Whether a reset of it began, and whether that was for the collector.
        self.is_reset = self.is_collected = False
        #: Which of its uses has leaked, the last such.
        self.leaked = 0
        #: Whether its pool was disposed of: then nobody has to close it.
        self.is_let_go = False


class Truth:
    """The truth of some pools, by the number that their engines connect with."""

    def __init__(self, clock: Clock) -> None:
        """Begin with no pool."""
        self.clock = clock
        self.pools: dict[int, Tally] = {}
        self.process = Tally()
        self.lives: dict[int, Life] = {}
        #: The pools whose transactions are known.
        self.transacting: set[int] = set()
        self._disposed: WeakSet[Any] = WeakSet()

    def tallies(self, pool: int) -> tuple[Tally, Tally]:
        """Where to count what a pool does."""
        return self.pools.setdefault(pool, Tally()), self.process

    def count(self, pool: int, what: str) -> None:
        """Something happened once more."""
        for tally in self.tallies(pool):
            tally.counts[what] += 1

    # What the server tells.

    def made(self, serial: int, pool: int, seconds: float) -> None:
        """A connection was made."""
        self.lives[serial] = Life(pool, self.clock.now)
        self.count(pool, "connects")
        for tally in self.tallies(pool):
            tally.opens(1)
            tally.creations[bisect_left(BOUNDS, seconds)] += 1
            tally.created += seconds

    def refused(self, pool: int) -> None:
        """A connection was not made."""
        self.count(pool, "connect_failures")

    def gone(self, serial: int, closed: bool) -> None:
        """A connection is no more. Whatever it was used for has ended.

        That was a check-in if the pool closed it, and a reset of one that its user had
        detached.
        """
        life = self.lives[serial]
        if not closed and (
            life.state == OUT or (life.state == IDLE and not life.is_let_go)
        ):
            self._leaks(life)
        if life.state == OUT:
            if life.is_collected:
                self._leaks(life)
            self._end(life)
            if closed:
                self.count(life.pool, "checkins")
        elif life.state == DETACHED and closed and life.is_reset:
            self.count(life.pool, "resets")
        self.count(life.pool, "closes")
        for tally in self.tallies(life.pool):
            tally.opens(-1)
        del self.lives[serial]

    def executes(self, serial: int) -> None:
        """A statement begins, and a transaction if there is none.

        Not of a connection that was given back: one of ``StaticPool`` may have another
        user.
        """
        life = self.lives[serial]
        is_back = life.state == IDLE and life.uses
        if life.pool in self.transacting and not is_back:
            if life.transaction is None:
                life.transaction = self.clock.now
            life.quiet = None

    def executed(self, serial: int) -> None:
        """A statement is done."""
        life = self.lives[serial]
        if life.transaction is not None:
            life.quiet = self.clock.now

    def ends(self, serial: int, what: str) -> None:
        """A transaction ends, of whoever has the connection."""
        life = self.lives[serial]
        if life.transaction is not None and life.state != IDLE:
            self.count(life.pool, what)
        life.transaction = life.quiet = None

    def _leaks(self, life: Life) -> None:
        """Nobody gave a connection back, or closed it. Once for each use there was."""
        if life.uses > life.leaked:
            life.leaked = life.uses
            self.count(life.pool, "leaks")

    # What the test says.

    def disposed(self, pool: Any) -> None:
        """A pool is about to be disposed of. Another engine may go on using it."""
        self._disposed.add(pool)
        for life in self.lives.values():
            life.is_let_go = life.is_let_go or life.home() is pool

    def taken(self, fairy: Any, owner: str) -> None:
        """A pool handed out a connection: SQLAlchemy calls what it hands out a fairy.

        ``StaticPool`` hands one out that is out: that is two checkouts, of which one
        ends in a check-in, and the other at once.
        """
        life = self.lives[fairy.dbapi_connection.serial]
        self.count(life.pool, "checkouts")
        life.uses += 1
        if life.state == OUT:
            for tally in self.tallies(life.pool):
                tally.holds[0] += 1
            return
        life.state, life.since, life.owner = OUT, self.clock.now, owner
        life.home = ref(fairy._pool)
        life.is_let_go = life.is_let_go or fairy._pool in self._disposed
        life.is_reset = life.is_collected = False
        for tally in self.tallies(life.pool):
            tally.outs(1)

    def timed_out(self, pool: int) -> None:
        """A pool had no connection in time."""
        self.count(pool, "timeouts")

    # What the test's own listeners hear.

    def listen(self, engine: Any, number: int) -> None:
        """Hear what happens in an engine's pool."""
        for name in ("reset", "checkin", "detach"):
            event.listen(engine, name, getattr(self, name))
        self._hear(engine, number, "invalidate", "invalidations")
        self._hear(engine, number, "soft_invalidate", "soft_invalidations")
        plain = engine.dispose

        def dispose(close: bool = True) -> None:
            self.disposed(engine.pool)
            plain(close)

        engine.dispose = dispose

    def _hear(self, engine: Any, number: int, name: str, what: str) -> None:
        def hear(*arguments: Any) -> None:
            self.count(number, what)

        event.listen(engine, name, hear)

    def reset(self, *arguments: Any) -> None:
        """SQLAlchemy is about to reset a connection."""
        life = self.lives.get(arguments[0].serial)
        if life is not None:
            life.is_reset = True
            reference = getattr(arguments[1], "fairy_ref", None)
            life.is_collected = reference is not None and reference() is None

    def checkin(self, dbapi_connection: Any, record: Any) -> None:
        """A record came back to its pool, with its connection or without.

        ``StaticPool`` may reset the connection that a user had and take back another
        that took its place, when it has several users.
        """
        life = dbapi_connection and self.lives.get(dbapi_connection.serial)
        if life and life.state == OUT:
            if life.is_collected:
                self._leaks(life)
            self._end(life)
            self.count(life.pool, "checkins")
            if life.is_reset or type(life.home()) is StaticPool:
                self.count(life.pool, "resets")
            life.state, life.since = IDLE, self.clock.now
            life.transaction = life.quiet = None

    def detach(self, dbapi_connection: Any, record: Any) -> None:
        """A connection left its pool."""
        life = self.lives.get(dbapi_connection.serial)
        if life is None:
            return
        if life.state == OUT:
            if life.is_collected:
                self._leaks(life)
            self._end(life)
        life.state, life.since = DETACHED, self.clock.now

    def _end(self, life: Life) -> None:
        """A connection is not out any longer."""
        seconds = self.clock.now - life.since
        for tally in self.tallies(life.pool):
            tally.outs(-1)
            tally.holds[bisect_left(BOUNDS, seconds)] += 1
            tally.held += seconds


class Reader:
    """A node that believes what reports say."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.sequence = 0
        self.pools: dict[int, PoolRecord] = {}
        self.connections: dict[int, ConnectionRecord] = {}

    def read(self, report: Report) -> None:
        """Take a report, whole or of changes."""
        if report.base is None:
            self.pools.clear()
            self.connections.clear()
        else:
            same(self.sequence, report.base, "the report that this one builds on")
        self.sequence = report.sequence
        for each in report.dropped:
            self.pools.pop(each, None)
        for each in report.closed:
            del self.connections[each]
        self.pools.update((each.id, each) for each in report.pools)
        self.connections.update((each.id, each) for each in report.connections)


def same(expected: object, actual: object, what: str) -> None:
    """Complain of a difference, in a way that hypothesis can make smaller."""
    assert expected == actual, f"{what}\n  truth:  {expected}\n  ledger: {actual}"


class Comparison:
    """The ledger against the truth, again and again.

    ``ids`` are the ledger's numbers of the pools whose engines are there.
    """

    def __init__(self, truth: Truth, ledger: Callable[[], Ledger]) -> None:
        """Begin with nothing told."""
        self.truth = truth
        self.ledger = ledger
        self.reader = Reader()
        self.ids: dict[int, int] = {}

    def read(self) -> Report:
        """What the ledger says, the same by a report of changes and by a whole one."""
        now, sequence = self.truth.clock.now, self.reader.sequence
        self.reader.read(self.ledger().collect(sequence + 1, now, 0.0))
        told = dict(self.reader.pools), dict(self.reader.connections)
        report = self.ledger().whole(sequence + 2, now, 0.0)
        self.reader.read(report)
        read = self.reader.pools, self.reader.connections
        same(read, told, "what reports of changes add up to")
        return report

    def agree(self, has_engine: Callable[[int], bool]) -> None:
        """Complain unless the ledger says exactly what is true."""
        collect()
        report = self.read()
        process = self.truth.process
        same(process.counters(), report.counters, "the process's totals")
        same(process.maxima(), report.maxima, "the process's maxima")
        self._pools_agree(has_engine)
        self._connections_agree()

    def _pools_agree(self, has_engine: Callable[[int], bool]) -> None:
        pools = self.truth.pools
        there = {
            number: tally
            for number, tally in pools.items()
            if tally.open or (has_engine(number) and any(tally.counts.values()))
        }
        same({self.ids[each] for each in there}, set(self.reader.pools), "the pools")
        for number, tally in there.items():
            told = self.reader.pools[self.ids[number]]
            same(tally.counters(), told.counters, f"totals of pool {number}")
            same(tally.maxima(), told.maxima, f"maxima of pool {number}")
            closed = sum(times for _, times in told.closings)
            same(tally.counts["closes"], closed, f"closings of pool {number}")
            same(tuple(tally.holds), told.holds.counts, f"hold times of pool {number}")
            same(
                tuple(tally.creations), told.creations.counts, f"creations of {number}"
            )
            same(tally.counts["connects"], sum(told.creations.counts), "creations")
            ended = tally.counts["checkouts"] - tally.out
            same(ended, sum(told.holds.counts), "checkouts that ended")
            for expected, histogram in (
                (tally.held, told.holds),
                (tally.created, told.creations),
            ):
                assert abs(expected - histogram.seconds) < 1e-6, "a sum of seconds"

    def _connections_agree(self) -> None:
        expected = sorted(
            (
                self.ids[life.pool],
                life.state,
                life.since,
                life.opened,
                life.uses,
                life.owner if life.state != IDLE else "",
                # Nothing can be less than ``None``.
                (life.transaction or 0.0, life.quiet or 0.0),
            )
            for life in self.truth.lives.values()
        )
        told = sorted(
            (*tuple(each)[1:7], (each.transaction or 0.0, each.quiet or 0.0))
            for each in self.reader.connections.values()
        )
        same(expected, told, "the connections")


class Hand:
    """A thread that does what it is given, and keeps nothing of it."""

    def __init__(self, number: int) -> None:
        """Begin to wait for work."""
        self.name = f"hand {number}"
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], Any]) -> Any:
        """Have it done; what comes of it, ``None`` if that is an exception."""
        results: list[Any] = []
        done = threading.Event()

        def job() -> None:
            try:
                results.append(work())
            except Exception:  # noqa: BLE001  whatever SQLAlchemy says to it
                results.append(None)
            finally:
                done.set()

        self._jobs.put(job)
        done.wait()
        return results.pop()

    def _work(self) -> None:
        while self._jobs_go_on():
            pass

    def _jobs_go_on(self) -> bool:
        job = self._jobs.get()
        if job is not None:
            job()
        return job is not None

    def rest(self) -> None:
        """End."""
        self._jobs.put(None)
        self._thread.join()


class StandIn:
    """An agent that only keeps a ledger."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.ledger = Ledger(owner_name=owner_name)


class TruthCase(SynchronousTestCase):
    """Where time stands still, the collector comes when asked, and nobody complains."""

    if IS_LATE:
        skip = "each step would take several slow collections: see docs/pypy.rst"

    suppress: ClassVar[Any] = [
        suppress(category=exc.SAWarning),
        # SQLAlchemy 1.4 tells once in a process of what 2.0 does not have.
        suppress(category=exc.SADeprecationWarning),
        suppress(category=ResourceWarning),
    ]

    def setUp(self) -> None:
        """A server, what is true of it, and an agent to be held against that."""
        self.clock = Clock()
        for module in (callables, events, listeners, tokens, transactions):
            self.patch(module, "monotonic", self.clock.monotonic)
        self.patch(pool.base, "time", self.clock)
        for name in ("sqlalchemy", "tests", "asyncio"):
            self.silence(logging.getLogger(name))
        gc.disable()
        self.addCleanup(gc.enable)
        if not IS_LATE:
            # So that the collector looks at nothing but this test's.
            gc.freeze()
            self.addCleanup(gc.unfreeze)
        self.truth = Truth(self.clock)
        self.server = Server(self.clock, self.truth)
        self.agent: Any = StandIn()
        self.comparison = Comparison(self.truth, lambda: self.agent.ledger)
        self.watches: dict[int, Watch] = {}
        self.engines: dict[int, list[ref[Any]]] = {}
        failures = HERE.failures
        self.addCleanup(lambda: self.assertEqual(failures, HERE.failures))

    def silence(self, logger: logging.Logger) -> None:
        """What SQLAlchemy says of failed resets is nobody's business here."""
        handler = logging.NullHandler()
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        self.patch(logger, "propagate", False)

    def engine(self, **options: Any) -> Any:
        """A watched engine, its pool by default one connection and one of overflow."""
        return self.watch(self.bare(**options))

    def bare(self, **options: Any) -> Any:
        """An engine that nobody watches yet."""
        chosen: dict[str, Any] = {
            "module": self.server,
            "connect_args": {"pool": len(self.watches) + 1},
        }
        kind = options.get("poolclass", pool.QueuePool)
        if issubclass(kind, pool.QueuePool) and "pool" not in options:
            chosen |= {"pool_size": 1, "max_overflow": 1, "pool_timeout": 0}
        return create_engine("fakedb://db/main", **{**chosen, **options})

    def watch(self, engine: Any, transactions: bool = True) -> Any:
        """The engine, watched from now on."""
        number = len(self.watches) + 1
        which = ALL if transactions else NONE
        watch = self.watches[number] = Watch(self.agent, engine, which)
        self.truth.listen(engine, number)
        self.engines[number] = []
        self.comparison.ids[number] = watch.pool().id
        self.add(engine, number, transactions)
        return engine

    def share(self, engine: Any, number: int = 1) -> Any:
        """Another watched engine, on the same pool, which is of this number."""
        other = self.bare(pool=engine.pool, connect_args={})
        Watch(self.agent, other, transactions=ALL)
        self.add(other, number, True)
        return other

    def add(self, engine: Any, number: int, transactions: bool) -> None:
        """A pool has one engine more."""
        self.engines[number].append(ref(engine))
        if transactions:
            self.truth.transacting.add(number)

    def agree(self) -> None:
        """Complain unless what the ledger says is so."""
        self.comparison.agree(
            lambda number: any(each() is not None for each in self.engines[number])
        )

    def take(self, engine: Any) -> Any:
        """A connection from its pool, with nothing around it."""
        fairy = engine.raw_connection()
        if fairy._counter == 1:
            self.truth.taken(fairy, "MainThread")
        return fairy

    def connect(self, engine: Any) -> Any:
        """A connection as applications have it."""
        connection = engine.connect()
        self.truth.taken(connection.connection, "MainThread")
        return connection

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.now += seconds

    def report(self) -> Report:
        """What the ledger says."""
        return self.comparison.read()

    def assert_totals(self, **counts: int) -> None:
        """The ledger has these totals, none other, and they are true."""
        collect()
        self.assertEqual(Counters(**counts), self.report().counters)
        self.agree()

    def assert_states(self, *states: int) -> None:
        """The open connections are in these states."""
        collect()
        told = [each.state for each in self.report().connections]
        self.assertEqual(sorted(states), sorted(told))
