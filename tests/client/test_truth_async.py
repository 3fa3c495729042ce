"""The truth of pools with asyncio: held-up calls, cancelled tasks, collected leftovers.

Random histories over the database in memory, whose driver waits where it is told to, so
that a task can be cancelled in any of its calls.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import __version__ as sqlalchemy_version
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, StaticPool
from sqlalchemy.util import greenlet_spawn

from connmon.client.agent import HERE
from connmon.client.listeners import Watch
from connmon.client.options import ALL
from connmon.model.records import DETACHED, IDLE, OUT
from tests.client.fakedb import Clock, Server
from tests.client.truth import IS_LATE, Comparison, StandIn, Truth, TruthCase, collect

CYCLES = 40
"""How often the loop goes round before a task is taken to be held up."""

IS_OLD = sqlalchemy_version.startswith("1.")


def task_name() -> str:
    """Who runs."""
    task = asyncio.current_task()
    return "" if task is None else task.get_name()


def seen(engine: Any, truth: Truth) -> None:
    """See what an engine takes from its pool, and when."""
    plain = engine.raw_connection

    def raw_connection() -> Any:
        try:
            fairy = plain()
        except exc.TimeoutError:
            truth.timed_out(1)
            raise
        truth.taken(fairy, task_name())
        return fairy

    engine.raw_connection = raw_connection


async def go_round(task: asyncio.Task[Any], cycles: int) -> None:
    """Let a task go on as far as it can."""
    for _ in range(cycles):
        if task.done():
            return
        await asyncio.sleep(0)


places = st.sampled_from(["connect", "finish", "execute", "close", ""])
numbers = st.integers(0, 5)
pauses = st.sampled_from([1e-6, 0.002, 0.3, 70.0, 400.0])


class AioHistory(RuleBasedStateMachine):
    """One engine of asyncio's, its tasks, and what becomes of them."""

    def __init__(self, clock: Clock) -> None:
        """Begin with a loop, and no engine."""
        super().__init__()
        collect()
        gc.freeze()
        self.clock = clock
        self.truth = Truth(clock)
        self.server = Server(clock, self.truth)
        self.agent: Any = StandIn()
        self.comparison = Comparison(self.truth, lambda: self.agent.ledger)
        self.loop = asyncio.new_event_loop()
        self.held: list[Any] = []
        self.tasks = 0
        self.disposed: WeakSet[Any] = WeakSet()
        self.failures = HERE.failures

    def teardown(self) -> None:
        """Leave nothing to the loop."""
        self.held.clear()
        collect()
        self.loop.close()

    @initialize(
        kind=st.sampled_from([None, None, NullPool, StaticPool]),
        size=st.integers(1, 2),
        recycle=st.sampled_from([-1, 50]),
        pre_ping=st.booleans(),
        is_lifo=st.booleans(),
    )
    def begins(
        self, *, kind: Any, size: int, recycle: int, pre_ping: bool, is_lifo: bool
    ) -> None:
        """There is an engine."""
        options: dict[str, Any] = {
            "pool_size": size,
            "max_overflow": 1,
            "pool_use_lifo": is_lifo,
        }
        self.engine = create_async_engine(
            "fakedb+aio://db/main",
            module=self.server,
            connect_args={"pool": 1},
            pool_recycle=recycle,
            pool_pre_ping=pre_ping,
            **(options if kind is None else {"poolclass": kind}),
        )
        sync: Any = self.engine.sync_engine
        watch = Watch(self.agent, sync, transactions=ALL)
        self.truth.listen(sync, 1)
        self.truth.transacting.add(1)
        self.comparison.ids[1] = watch.pool().id
        seen(sync, self.truth)

    # Tasks.

    def do(self, work: Coroutine[Any, Any, Any], place: str = "", late: int = 0) -> Any:
        """Have a task do something; what comes of it, ``None`` if that is an exception.

        At ``place`` it is held up, and cancelled there ``late`` cycles after, if it
        gets there.
        """
        if place:
            self.server.held_up[place] = asyncio.Event()
        self.tasks += 1
        name = f"task {self.tasks}"
        return self.loop.run_until_complete(self.watch(work, name, late))

    async def watch(self, work: Coroutine[Any, Any, Any], name: str, late: int) -> Any:
        """Cancel a task that does not get on."""
        task = self.loop.create_task(work, name=name)
        await go_round(task, CYCLES + late)
        if not task.done():
            task.cancel()
            await go_round(task, CYCLES)
        for held_up in self.server.held_up.values():
            held_up.set()
        self.server.held_up.clear()
        with suppress(Exception, asyncio.CancelledError):
            return await task
        return None

    def have(self, which: int) -> Any:
        """One of the connections that the application has, if it has any."""
        return self.held[which % len(self.held)] if self.held else None

    @rule(pause=pauses, place=places, refuse=st.integers(0, 4))
    def takes(self, pause: float, place: str, refuse: int) -> None:
        """A task asks for a connection, and gets one, or not, or is cancelled.

        So it is too if it waits for one, for nobody gives one back meanwhile.
        """
        self.clock.now += pause
        self.server.refusals = int(refuse == 1)
        connection = self.do(self._take(), place)
        self.server.refusals = 0
        if connection is not None:
            self.held.append(connection)

    async def _take(self) -> Any:
        return await self.engine.connect()

    @rule(which=numbers, pause=pauses)
    def hands_on(self, which: int, pause: float) -> None:
        """A task waits for a connection until another gives one back."""
        self.clock.now += pause
        connection = self.have(which)
        if connection is None:
            return
        self.held.remove(connection)

        async def work() -> Any:
            taker = self.loop.create_task(self._take(), name="taker")
            await go_round(taker, CYCLES)
            # If that fails, the connection is no less given back.
            with suppress(Exception):
                await connection.close()
            await go_round(taker, CYCLES)
            if not taker.done():
                taker.cancel()
            return await taker

        taken = self.do(work(), late=3 * CYCLES)
        if taken is not None:
            self.held.append(taken)

    @rule(which=numbers, pause=pauses, place=places, fails=st.booleans())
    def gives(self, which: int, pause: float, place: str, fails: bool) -> None:
        """A task is done with a connection; it may be cancelled over that."""
        self.clock.now += pause
        connection = self.have(which)
        if connection is None:
            return
        self.held.remove(connection)
        self.server.failures = int(fails)
        self.do(connection.close(), place)
        self.server.failures = 0

    @rule(which=numbers, pause=pauses, place=places, how=st.integers(0, 3))
    def transacts(self, which: int, pause: float, place: str, how: int) -> None:
        """A task executes a statement, in a transaction that ends in some way."""
        self.clock.now += pause
        connection = self.have(which)
        if connection is None:
            return

        async def work() -> None:
            transaction = await connection.begin()
            await connection.exec_driver_sql("select 1")
            if how == 1:
                await transaction.commit()
            elif how == 2:
                await transaction.rollback()

        self.do(work(), place)

    @rule(which=numbers, pause=pauses)
    def drops(self, which: int, pause: float) -> None:
        """The application forgets a connection; it cannot go back to its pool."""
        self.clock.now += pause
        if self.held:
            del self.held[which % len(self.held)]
            collect()

    @rule(which=numbers, pause=pauses, soft=st.booleans())
    def invalidates(self, which: int, pause: float, soft: bool) -> None:
        """A connection is declared unusable."""
        self.clock.now += pause
        self.use(which, lambda each: each.connection.invalidate(soft=soft))

    @rule(which=numbers, pause=pauses)
    def detaches(self, which: int, pause: float) -> None:
        """A connection is taken away from its pool for good."""
        self.clock.now += pause
        if self.engine.sync_engine.pool.__class__ is not StaticPool:
            self.use(which, lambda each: each.detach())

    def use(self, which: int, work: Callable[[Any], None]) -> None:
        """Have a task do something with a connection, in the way of no asyncio.

        A detached one that is lost by it is forgotten: see ``PoolHistory.use``.
        """
        connection = self.have(which)
        if connection is None:
            return
        life = self.truth.lives.get(serial_of(connection))
        self.do(connection.run_sync(work))
        if life is not None and life.state == DETACHED and not serial_of(connection):
            self.held.remove(connection)

    @rule(close=st.booleans(), place=places)
    def disposes(self, close: bool, place: str) -> None:
        """The engine gets a new pool."""
        sync = self.engine.sync_engine
        self.disposed.add(sync.pool)
        self.do(spawn(lambda: sync.dispose(close)), place)

    @rule(which=st.integers(0, 20))
    def is_cut_off(self, which: int) -> None:
        """The server ends a session."""
        serials = sorted(self.truth.lives)
        if serials:
            self.server.cut_off(serials[which % len(serials)])

    @invariant()
    def the_ledger_is_right(self) -> None:
        """What connmon says is so."""
        self.comparison.agree(lambda number: True)
        assert HERE.failures == self.failures, "something of ours failed"

    @invariant()
    def the_pool_agrees(self) -> None:
        """SQLAlchemy's own count is the same, where it keeps one."""
        pool: Any = self.engine.sync_engine.pool
        if hasattr(pool, "checkedout") and pool not in self.disposed:
            mine = [each for each in self.truth.lives.values() if each.home() is pool]
            out = [each for each in mine if each.state == OUT]
            assert pool.checkedout() == len(out), (pool.status(), len(out))


def serial_of(connection: Any) -> int:
    """Which connection of the server's it is, 0 if it is none any more."""
    sync = connection.sync_connection
    if sync.closed or sync.invalidated:
        return 0
    found = sync.connection.dbapi_connection
    return 0 if found is None else int(found.serial)


def spawn(work: Callable[[], Any]) -> Coroutine[Any, Any, Any]:
    """Do something of SQLAlchemy's in the way of asyncio."""

    async def spawned() -> Any:
        return await greenlet_spawn(work)

    return spawned()


class AioHistoryTests(TruthCase):
    """Histories of tasks."""

    if IS_LATE:
        skip = "connections end when the collector gets to them: see docs/pypy.rst"

    def test_random_histories(self) -> None:
        """Whoever is cancelled wherever, the ledger says what is so."""
        run_state_machine_as_test(
            lambda: AioHistory(self.clock),  # type: ignore[arg-type]
            settings=settings(
                max_examples=150,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


class AioCase(TruthCase):
    """Where there is an engine of asyncio's, and tasks that use it."""

    def setUp(self) -> None:
        """An engine of asyncio's, and a loop."""
        super().setUp()
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)
        self.aio: Any = create_async_engine(
            "fakedb+aio://db/main",
            module=self.server,
            connect_args={"pool": 1},
            pool_size=1,
            max_overflow=0,
        )
        self.watch(self.aio.sync_engine)
        seen(self.aio.sync_engine, self.truth)

    def run_task(self, work: Coroutine[Any, Any, Any], name: str = "me") -> Any:
        """Have a task do something."""
        return self.loop.run_until_complete(self.loop.create_task(work, name=name))

    async def taken(self) -> Any:
        """A connection."""
        return await self.aio.connect()

    async def cancelled(self, work: Awaitable[Any], place: str) -> None:
        """Cancel a task where it is held up."""
        self.server.held_up[place] = asyncio.Event()

        async def waits() -> Any:
            return await work

        task = self.loop.create_task(waits(), name="cancelled")
        await go_round(task, CYCLES)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self.server.held_up.clear()

    async def taken_and_given(self) -> None:
        """One use, which makes a connection."""
        await (await self.aio.connect()).close()


class AioTests(AioCase):
    """What each thing that can happen to a task counts, one by one."""

    def test_a_task_owns_what_it_took(self) -> None:
        """By its name, for as long as it has it."""
        connection = self.run_task(self.taken(), "painter")
        (told,) = self.report().connections
        self.assertEqual((OUT, "painter"), (told.state, told.owner))
        self.run_task(connection.close(), "somebody else")
        (told,) = self.report().connections
        self.assertEqual((IDLE, ""), (told.state, told.owner))
        self.assert_totals(checkouts=1, checkins=1, connects=1, resets=1)

    def test_left_to_the_collector(self) -> None:
        """It cannot be reset without its loop: it is closed, and was not given back.

        SQLAlchemy 1.4 tries to, fails, and invalidates it.
        """
        connection = self.run_task(self.taken())
        del connection
        if IS_OLD:
            self.assert_totals(
                checkouts=1, checkins=1, connects=1, closes=1, invalidations=1, leaks=1
            )
        else:
            self.assert_totals(checkouts=1, connects=1, closes=1, resets=1, leaks=1)
        self.assert_states()
        self.assertEqual({}, self.server.open)

    def test_cancelled_in_a_statement(self) -> None:
        """The connection is invalidated."""

        async def work() -> None:
            async with self.aio.begin() as connection:
                await connection.exec_driver_sql("select 1")

        self.run_task(self.taken_and_given())
        self.run_task(self.cancelled(work(), "execute"))
        counts = {"checkouts": 2, "checkins": 2, "connects": 1, "closes": 1}
        self.assert_totals(**counts, invalidations=1, resets=1)

    def test_cancelled_while_connecting(self) -> None:
        """There is no connection, nor did anything refuse it."""
        self.run_task(self.cancelled(self.taken(), "connect"))
        self.assert_totals()
        self.run_task(self.taken_and_given())
        self.assert_totals(checkouts=1, checkins=1, connects=1, resets=1)

    def test_cancelled_in_the_reset(self) -> None:
        """The connection is invalidated, and was not reset."""
        self.run_task(self.taken_and_given())
        connection = self.run_task(self.taken())
        self.run_task(self.cancelled(connection.close(), "finish"))
        self.assert_totals(
            checkouts=2, checkins=2, connects=1, closes=1, invalidations=1, resets=1
        )

    def test_cancelled_while_waiting(self) -> None:
        """Whoever waits in vain took nothing."""
        connection = self.run_task(self.taken())
        self.run_task(self.cancelled(self.taken(), "nowhere"))
        self.assert_totals(checkouts=1, connects=1)
        self.run_task(connection.close())
        self.assert_totals(checkouts=1, checkins=1, connects=1, resets=1)

    def test_handed_on(self) -> None:
        """From one task to another that waits for it."""

        async def work() -> Any:
            first = await self.aio.connect()
            waits = self.loop.create_task(self.taken(), name="patient")
            await go_round(waits, CYCLES)
            await first.close()
            return await waits

        second = self.run_task(work())
        (told,) = self.report().connections
        self.assertEqual((OUT, "patient", 2), (told.state, told.owner, told.uses))
        self.assert_totals(checkouts=2, checkins=1, connects=1, resets=1)
        self.run_task(second.close())

    def test_detached(self) -> None:
        """And closed in the way of asyncio."""
        connection = self.run_task(self.taken())
        self.run_task(connection.run_sync(lambda each: each.detach()))
        self.assert_states(DETACHED)
        self.run_task(connection.close())
        self.assert_totals(checkouts=1, connects=1, closes=1, resets=1)

    def test_disposed(self) -> None:
        """With a connection out, that comes back to nowhere."""
        connection = self.run_task(self.taken())
        self.run_task(self.aio.dispose())
        self.assert_states(OUT)
        self.run_task(connection.close())
        del connection
        self.assert_totals(checkouts=1, checkins=1, connects=1, closes=1, resets=1)
