"""Random histories of pools, each step held against what is really so.

Real SQLAlchemy pools of every class, over a database in memory that knows which
connections are open. What is compared, and where the truth comes from, is in
``tests.client.truth``.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet, ref

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import create_engine, event, exc
from sqlalchemy.pool import (
    AssertionPool,
    NullPool,
    Pool,
    QueuePool,
    SingletonThreadPool,
    StaticPool,
)

from connmon.client.agent import HERE
from connmon.client.listeners import Watch
from connmon.client.options import ALL
from connmon.model.records import DETACHED, OUT
from tests.client.fakedb import Clock, Server
from tests.client.ownpools import StackPool, TaggingPool
from tests.client.truth import IS_LATE, Comparison, Hand, StandIn, Truth, TruthCase

HANDS = 3
"""How many threads use the pools, one at a time."""


@dataclass(frozen=True)
class Shape:
    """How an engine's pool is made."""

    kind: type[Pool]
    lifo: bool = False
    size: int = 1
    overflow: int = 1
    recycle: int = -1
    pre_ping: bool = False
    reset: str | None = "rollback"
    #: Whether the application's own listeners were there before ours.
    early: bool = False
    #: Whether the application listens to ``checkout`` too, off SQLAlchemy's fast path.
    checks: bool = False

    def options(self) -> dict[str, Any]:
        """The arguments of ``create_engine``."""
        options: dict[str, Any] = {
            "poolclass": self.kind,
            "pool_recycle": self.recycle,
            "pool_pre_ping": self.pre_ping,
            "pool_reset_on_return": self.reset,
        }
        if issubclass(self.kind, QueuePool):
            options |= {
                "pool_size": self.size,
                "max_overflow": self.overflow,
                "pool_timeout": 0,
                "pool_use_lifo": self.lifo,
            }
        elif self.kind is SingletonThreadPool:
            options["pool_size"] = self.size
        return options


shapes = st.builds(
    Shape,
    kind=st.sampled_from(
        [
            QueuePool,
            QueuePool,
            NullPool,
            StaticPool,
            SingletonThreadPool,
            AssertionPool,
            TaggingPool,
            StackPool,
        ]
    ),
    lifo=st.booleans(),
    size=st.integers(1, 3),
    overflow=st.sampled_from([0, 1, -1]),
    recycle=st.sampled_from([-1, 50]),
    pre_ping=st.booleans(),
    reset=st.sampled_from(["rollback", "rollback", "commit", None]),
    early=st.booleans(),
    checks=st.booleans(),
)

hands = st.integers(0, HANDS - 1)
numbers = st.integers(0, 5)
pauses = st.sampled_from([1e-6, 0.0005, 0.001, 0.002, 0.3, 2.0, 70.0, 400.0])


class Held:
    """A connection that the application has: a fairy of SQLAlchemy's, and its users.

    There are several users of one fairy where ``SingletonThreadPool`` nests them.
    """

    def __init__(self, fairy: Any, hand: Hand) -> None:
        """Nobody uses it yet."""
        self.fairy = fairy
        self.hand = hand
        self.users: list[Any] = []

    @property
    def serial(self) -> int:
        """Which connection it is, 0 if it is none any more."""
        found = self.fairy.dbapi_connection
        return 0 if found is None else int(found.serial)


def transact(connection: Any, how: int) -> None:
    """Execute something; SQLAlchemy 1.4 cannot do all of it."""
    if how == 0:
        connection.exec_driver_sql("select 1")
    elif how == 7:
        connection.exec_driver_sql("insert ?", [(1,), (2,)])
    elif how > 7:
        (connection.commit if how == 8 else connection.rollback)()
    else:
        transaction = connection.begin_twophase() if how > 4 else connection.begin()
        try:
            connection.exec_driver_sql("select 1")
        finally:
            if how in {1, 5}:
                transaction.commit()
            elif how in {2, 6}:
                transaction.rollback()


class PoolHistory(RuleBasedStateMachine):
    """Engines and their pools, and what applications and servers do to them."""

    def __init__(self, clock: Clock) -> None:
        """Begin with no engine."""
        super().__init__()
        # So that the collector, who comes after each step, looks at this history only.
        gc.collect()
        gc.freeze()
        self.clock = clock
        self.truth = Truth(clock)
        self.server = Server(clock, self.truth)
        self.agent: Any = StandIn()
        self.comparison = Comparison(self.truth, lambda: self.agent.ledger)
        self.hands = [Hand(number) for number in range(HANDS)]
        self.engines: list[Any] = []
        self.numbers: dict[int, list[ref[Any]]] = {}
        self.held: list[Held] = []
        self.records: list[ref[Any]] = []
        self.disposed: WeakSet[Any] = WeakSet()
        #: What the application's next listeners raise.
        self.upsets: dict[str, list[Exception]] = {"connect": [], "checkout": []}
        self.failures = HERE.failures

    def teardown(self) -> None:
        """Have the threads end."""
        for each in self.hands:
            each.rest()

    # Engines.

    @initialize(shape=shapes)
    def begins(self, shape: Shape) -> None:
        """There is an engine."""
        self.make(shape, len(self.numbers) + 1)

    @precondition(lambda self: len(self.engines) < 4)
    @rule(shape=shapes)
    def makes_another(self, shape: Shape) -> None:
        """There is another, on the same URL."""
        self.make(shape, len(self.numbers) + 1)

    def make(self, shape: Shape, number: int) -> None:
        """Make an engine, and watch it."""
        engine: Any = create_engine(
            "fakedb://db/main",
            module=self.server,
            connect_args={"pool": number},
            **shape.options(),
        )
        if shape.early:
            self.upset_by(engine, shape)
        watch = Watch(self.agent, engine, transactions=ALL)
        if not shape.early:
            self.upset_by(engine, shape)
        self.truth.listen(engine, number)
        self.comparison.ids[number] = watch.pool().id
        self.numbers[number] = []
        self.add(engine, number)

    def add(self, engine: Any, number: int) -> None:
        """There is an engine more."""
        self.truth.transacting.add(number)
        self.numbers[number].append(ref(engine))
        self.engines.append(self.seen(engine, number))

    def seen(self, engine: Any, number: int) -> Any:
        """An engine of which we see what it takes from its pool, and when."""
        plain = engine.raw_connection

        def raw_connection() -> Any:
            try:
                fairy = plain()
            except exc.TimeoutError:
                self.truth.timed_out(number)
                raise
            # SingletonThreadPool hands out again what the same thread has.
            if fairy._counter == 1:
                self.truth.taken(fairy, threading.current_thread().name)
            return fairy

        engine.raw_connection = raw_connection
        return engine

    def upset_by(self, engine: Any, shape: Shape) -> None:
        """Have the application's own listeners, which may fail."""

        def connect(dbapi_connection: Any, record: Any) -> None:
            self.records.append(ref(record))
            if self.upsets["connect"]:
                raise self.upsets["connect"].pop()

        def checkout(dbapi_connection: Any, record: Any, fairy: Any) -> None:
            if self.upsets["checkout"]:
                raise self.upsets["checkout"].pop()

        event.listen(engine, "connect", connect)
        if shape.checks:
            event.listen(engine, "checkout", checkout)

    def engine(self, which: int) -> Any:
        """One of the engines."""
        return self.engines[which % len(self.engines)]

    @precondition(lambda self: 0 < len(self.engines) < 4)
    @rule(which=numbers, copied=st.booleans())
    def shares(self, which: int, copied: bool) -> None:
        """Another engine uses the same pool: its copy, or one made for it."""
        engine = self.engine(which)
        if copied:
            copy = engine.execution_options(stream_results=False)
            self.engines.append(self.seen(copy, self.number_of(engine)))
            return
        number = self.number_of(engine)
        other = create_engine("fakedb://db/main", module=self.server, pool=engine.pool)
        Watch(self.agent, other, transactions=ALL)
        self.add(other, number)

    def number_of(self, engine: Any) -> int:
        """Which pool it is that an engine uses."""
        found = engine
        while hasattr(found, "_proxied"):
            found = found._proxied
        return next(
            number
            for number, engines in self.numbers.items()
            if found in [each() for each in engines]
        )

    @precondition(lambda self: len(self.engines) > 1)
    @rule(which=numbers)
    def forgets(self, which: int) -> None:
        """An engine is dropped, with what it has open."""
        del self.engines[which % len(self.engines)]

    @rule(which=numbers, close=st.booleans())
    def disposes(self, which: int, close: bool) -> None:
        """An engine gets a new pool, and the old one's idle connections are closed."""
        engine = self.engine(which)
        self.disposed.add(engine.pool)
        self.truth.disposed(engine.pool)
        engine.dispose(close=close)

    # Checkouts.

    @rule(which=numbers, hand=hands, raw=st.booleans(), pause=pauses)
    def takes(self, which: int, hand: int, raw: bool, pause: float) -> None:
        """A thread asks for a connection, and gets one or not."""
        self.clock.now += pause
        engine = self.engine(which)
        worker = self.hands[hand]
        user = worker.do(engine.raw_connection if raw else engine.connect)
        if user is None:
            return
        self.hold(user if raw else user.connection, user, worker)

    def hold(self, fairy: Any, user: Any, worker: Hand) -> None:
        """The application has a connection, perhaps one that it has already."""
        held = next((each for each in self.held if each.fairy is fairy), None)
        if held is None:
            held = Held(fairy, worker)
            self.held.append(held)
        held.users.append(user)

    @rule(
        which=numbers,
        hand=hands,
        pause=pauses,
        pace=st.sampled_from([0.0, 0.004, 0.7]),
        refusals=st.integers(0, 2),
        connect=st.integers(0, 1),
        checkout=st.lists(
            st.sampled_from(
                [exc.DisconnectionError(), exc.InvalidatePoolError(), ValueError()]
            ),
            max_size=3,
        ),
    )
    def takes_with_bad_luck(
        self,
        *,
        which: int,
        hand: int,
        pause: float,
        pace: float,
        refusals: int,
        connect: int,
        checkout: list[Exception],
    ) -> None:
        """A thread asks for one while the server, or the application, has a bad day."""
        self.server.pace = pace
        self.server.refusals = refusals
        self.upsets["connect"] = [ValueError()] * connect
        self.upsets["checkout"] = [type(each)() for each in checkout]
        self.takes(which, hand, raw=True, pause=pause)
        self.server.pace = 0.0
        self.server.refusals = 0
        self.upsets = {"connect": [], "checkout": []}

    def have(self, which: int) -> Held | None:
        """One of the connections that the application has.

        No precondition may depend on that: ``SingletonThreadPool`` closes arbitrary
        connections, so the same history may go otherwise another time.
        """
        return self.held[which % len(self.held)] if self.held else None

    def worker(self, held: Held, hand: int) -> Hand:
        """Who does something with it: ``SingletonThreadPool`` wants the same thread."""
        if type(held.fairy._pool) is SingletonThreadPool:
            return held.hand
        return self.hands[hand]

    def use(self, held: Held, hand: int, work: Callable[[], Any]) -> None:
        """Have a thread do something with it.

        If that ends with none where there was a detached one, SQLAlchemy only let go
        of that one: it is known to be gone when what the application had of it is.
        """
        worker = self.worker(held, hand)
        life = self.truth.lives.get(held.serial)
        worker.do(work)
        if life is not None and life.state == DETACHED and not held.serial:
            self.held.remove(held)
            return
        user = held.users[-1]
        if user is held.fairy or user.closed or user.invalidated:
            return
        if user.connection is not held.fairy:
            self.hold(user.connection, held.users.pop(), worker)
            self.let_go(held)

    def let_go(self, held: Held) -> None:
        """Forget it, if it has no user any more."""
        if not held.users:
            self.held.remove(held)

    @rule(which=numbers, hand=hands, pause=pauses, fails=st.booleans())
    def gives(self, which: int, hand: int, pause: float, fails: bool) -> None:
        """A thread is done with a connection, which can perhaps not be reset."""
        self.clock.now += pause
        held = self.have(which)
        if held is None:
            return
        serial, life = held.serial, self.truth.lives.get(held.serial)
        is_shared = type(held.fairy._pool) is StaticPool or len(held.users) > 1
        self.server.failures = int(fails)
        self.worker(held, hand).do(held.users.pop().close)
        if not self.server.failures and fails:
            # A transaction that could not be ended: nothing was given back.
            is_shared = True
        self.server.failures = 0
        if life is not None and not is_shared and not fails:
            assert serial not in self.truth.lives or life.state != OUT
        self.let_go(held)

    @rule(which=numbers, pause=pauses)
    def drops(self, which: int, pause: float) -> None:
        """The application forgets a connection, and the collector finds it."""
        self.clock.now += pause
        held = self.have(which)
        if held is None:
            return
        self.held.remove(held)
        serial = held.serial
        is_static = type(held.fairy._pool) is StaticPool
        del held
        gc.collect()
        life = self.truth.lives.get(serial)
        assert life is None or life.state != OUT or is_static

    @rule(which=numbers, hand=hands, pause=pauses)
    def detaches(self, which: int, hand: int, pause: float) -> None:
        """A connection is taken away from its pool for good.

        Not one that two have at once: SQLAlchemy loses count then.
        """
        self.clock.now += pause
        held = self.have(which)
        if held is None:
            return
        if type(held.fairy._pool) is not StaticPool and held.serial:
            self.use(held, hand, held.users[-1].detach)
            life = self.truth.lives.get(held.serial)
            assert life is None or life.state == DETACHED

    # Ends.

    @rule(which=numbers, hand=hands, pause=pauses, soft=st.booleans())
    def invalidates(self, which: int, hand: int, pause: float, soft: bool) -> None:
        """A connection is declared unusable, at once or from its next checkout on."""
        self.clock.now += pause
        held = self.have(which)
        if held is None:
            return
        if soft:
            self.worker(held, hand).do(lambda: held.fairy.invalidate(soft=True))
        else:
            self.use(held, hand, held.users[-1].invalidate)

    @rule(which=st.integers(0, 50), hand=hands, pause=pauses, soft=st.booleans())
    def invalidates_idle(self, which: int, hand: int, pause: float, soft: bool) -> None:
        """The same is said of one that nobody has."""
        self.clock.now += pause
        alive = [record for each in self.records if (record := each()) is not None]
        record = alive[which % len(alive)] if alive else None
        if record is not None and not record.in_use:
            self.hands[hand].do(lambda: record.invalidate(soft=soft))

    @rule(which=st.integers(0, 50), everyone=st.booleans())
    def is_cut_off(self, which: int, everyone: bool) -> None:
        """The server ends a session, or all; clients will find out."""
        serials = sorted(self.truth.lives)
        if not everyone and serials:
            serials = [serials[which % len(serials)]]
        for serial in serials:
            self.server.cut_off(serial)

    # Statements and transactions.

    @rule(
        which=numbers,
        hand=hands,
        pause=pauses,
        how=st.integers(0, 9),
        slowness=st.sampled_from([0.0, 0.002, 3.0]),
    )
    def transacts(
        self, *, which: int, hand: int, pause: float, how: int, slowness: float
    ) -> None:
        """A statement is executed, in a transaction that ends in some way."""
        self.clock.now += pause
        self.server.slowness = slowness
        held = self.have(which)
        if held is None:
            return
        connection = held.users[-1]
        if connection is held.fairy:
            return

        self.use(held, hand, lambda: transact(connection, how))

    # What must be so at any moment.

    @invariant()
    def the_ledger_is_right(self) -> None:
        """What connmon says is so."""
        self.comparison.agree(self.has_engine)
        same_failures = HERE.failures == self.failures
        assert same_failures, "something of ours failed"

    def has_engine(self, number: int) -> bool:
        """Whether a pool has an engine still."""
        return any(each() is not None for each in self.numbers[number])

    @invariant()
    def the_pools_agree(self) -> None:
        """SQLAlchemy's own counts are the same, where it keeps them."""
        for engine in self.engines:
            pool = engine.pool
            if not isinstance(pool, QueuePool) or pool in self.disposed:
                continue
            mine = [life for life in self.truth.lives.values() if life.home() is pool]
            out = [life for life in mine if life.state == OUT]
            assert pool.checkedout() == len(out), (pool.status(), len(out))
            self.places_agree(engine)
            queue: Any = pool._pool
            full = [each for each in queue.queue if each.dbapi_connection is not None]
            idle = [life for life in mine if life.state not in {OUT, DETACHED}]
            assert len(full) == len(idle), (pool.status(), len(idle))
            assert pool.checkedin() >= len(idle)

    def places_agree(self, engine: Any) -> None:
        """As many of a pool's places are taken as it says, whatever came before it.

        Of engines that shared one, and each disposed of it, each has another now.
        """
        number = self.number_of(engine)
        lives = self.truth.lives.values()
        out = [each for each in lives if each.state == OUT and each.pool == number]
        known = {engine.pool, *self.disposed}
        if any(each.home() not in known for each in out):
            return
        told = self.comparison.reader.connections.values()
        id = self.comparison.ids[number]
        taken = sum(each.takes_place for each in told if each.pool == id)
        assert engine.pool.checkedout() == taken, (engine.pool.status(), taken)


class HistoryTests(TruthCase):
    """Histories, long and short."""

    if IS_LATE:
        skip = "connections end when the collector gets to them: see docs/pypy.rst"

    def test_random_histories(self) -> None:
        """Whatever happens, in whatever order, the ledger says what is so."""
        run_state_machine_as_test(
            lambda: PoolHistory(self.clock),  # type: ignore[arg-type]
            settings=settings(
                max_examples=150,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
