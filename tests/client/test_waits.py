"""Who waits for a pool, for how long and in vain: real pools, threads and tasks."""

from __future__ import annotations

import asyncio
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, ClassVar
from unittest import skipIf

from sqlalchemy import create_engine, exc
from sqlalchemy.pool import NullPool, QueuePool, SingletonThreadPool, StaticPool
from sqlalchemy.util.queue import Empty
from twisted.trial import util
from twisted.trial.unittest import SynchronousTestCase

import connmon
from connmon.client import listeners, tokens
from connmon.client.agent import HERE
from connmon.client.listeners import LINES, Watch
from connmon.client.options import NONE
from connmon.client.owner import owner_name
from connmon.client.sites import described
from connmon.client.tags import tag
from connmon.model.histogram import Histogram
from connmon.model.holding import EACH_SECOND
from connmon.model.ledger import Ledger
from connmon.model.records import Report

WITHIN = 60.0
"""Seconds after which a thread that must go on does not."""


def use(engine: Any) -> None:
    """Take a connection, and give it back."""
    engine.connect().close()


class StandIn:
    """An agent that only keeps a ledger, and says when something stirs in it."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.stirred = threading.Event()
        self.ledger = Ledger(self.wake, owner_name, 0.0, described)

    def wake(self) -> bool:
        """Something has."""
        self.stirred.set()
        return True


class WaitsCase(SynchronousTestCase):
    """An engine whose pool has one connection, and an agent that only listens."""

    suppress: ClassVar[Any] = [
        util.suppress(category=ResourceWarning),
        util.suppress(category=exc.SADeprecationWarning),
    ]

    def setUp(self) -> None:
        """Nobody has used it."""
        self.agent: Any = StandIn()
        self.sequence = 0
        self.report: Report = self.agent.ledger.whole(0, 0.0, 0.0)
        failures = HERE.failures
        self.addCleanup(lambda: self.assertEqual(failures, HERE.failures))

    def engine(self, trace: str = "on", **options: Any) -> Any:
        """A watched engine."""
        chosen = {"pool_size": 1, "max_overflow": 0, "pool_timeout": WITHIN}
        if options.get("poolclass", QueuePool) is not QueuePool:
            chosen = {}
        engine = create_engine(
            "sqlite://",
            connect_args={"check_same_thread": False},
            **{"poolclass": QueuePool, **chosen, **options},
        )
        self.addCleanup(engine.dispose)
        # What is returned to it after a disposal is its own to close.
        self.addCleanup(engine.pool.dispose)
        Watch(self.agent, engine, transactions=NONE, trace=trace)
        return engine

    def read(self) -> Report:
        """The next report."""
        self.sequence += 1
        self.report = self.agent.ledger.collect(self.sequence, 0.0, 0.0)
        return self.report

    def await_waiting(self, count: int) -> Report:
        """Read reports, each when there is one, until so many wait."""
        while self.read().waiting != count:
            if not self.agent.stirred.wait(WITHIN):
                self.fail(f"{self.report.waiting} wait, not {count}")
            self.agent.stirred.clear()
        return self.report

    @contextmanager
    def working(self, name: str, work: Callable[[], Any]) -> Iterator[list[Any]]:
        """A thread that works meanwhile; what came of it at the end."""
        results: list[Any] = []

        def run() -> None:
            try:
                results.append(work())
            except BaseException as error:  # noqa: BLE001  whatever it is
                results.append(error)

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        yield results
        thread.join(WITHIN)
        self.assertFalse(thread.is_alive())

    def totals(self) -> tuple[int, int, int]:
        """Who waits now, waits that are over, and timeouts."""
        report = self.agent.ledger.whole(0, 0.0, 0.0)
        return report.waiting, report.counters.waits, report.counters.timeouts


class ThreadTests(WaitsCase):
    """Threads that wait for one another."""

    def test_a_thread_that_waits(self) -> None:
        """It is told of while it waits, with name, line and tag, and counted after."""
        engine = self.engine()
        held = engine.connect()

        def takes() -> None:
            with tag("import-job"):
                engine.connect().close()

        with self.working("patient", takes):
            (waiter,) = self.await_waiting(1).waiters
            self.agent.ledger.pools()[0].waiting.copy().pop().since -= 1.0
            held.close()
        self.assertEqual(("patient", "import-job"), (waiter.owner, waiter.tag))
        self.assertRegex(waiter.site, r"test_waits\.py:\d+ .*takes$")
        self.assertFalse(waiter.holds)
        (pool,) = self.await_waiting(0).pools
        self.assertEqual((1, 0), (pool.counters.waits, pool.counters.timeouts))
        self.assertEqual(1, sum(pool.waits.counts))
        self.assertGreater(pool.waits.seconds, 1.0)
        self.assertEqual((0, 1, 0), self.totals())

    def test_several_wait_in_their_order(self) -> None:
        """The longest is told first, with those of another pool among them."""
        engines = [self.engine(), self.engine()]
        held = [each.connect() for each in engines]
        working = ExitStack()
        for number in range(4):
            work = self.working(f"w{number}", partial(use, engines[number % 2]))
            working.enter_context(work)
            self.await_waiting(number + 1)
        self.assertEqual(
            ["w0", "w1", "w2", "w3"], [each.owner for each in self.report.waiters]
        )
        self.assertEqual([1, 2, 1, 2], [each.pool for each in self.report.waiters])
        for each in held:
            each.close()
        working.close()
        self.assertEqual(0, self.await_waiting(0).waiting)

    def test_a_pool_that_is_not_full_is_left_alone(self) -> None:
        """Nothing of ours is in the way of its queue before its last connection."""
        engine = self.engine(pool_size=2, max_overflow=1)
        first, second = engine.connect(), engine.connect()
        self.assertNotIn("get", vars(engine.pool._pool))
        third = engine.connect()
        self.assertIn("get", vars(engine.pool._pool))
        for each in (first, second, third):
            each.close()
        engine.connect().close()
        self.assertEqual((0, 0, 0), self.totals())

    def test_a_pool_that_was_full_when_it_was_attached(self) -> None:
        """Who waits for it is seen all the same."""
        engine = create_engine(
            "sqlite://",
            connect_args={"check_same_thread": False},
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
        )
        self.addCleanup(engine.dispose)
        held = engine.connect()
        Watch(self.agent, engine, transactions=NONE)
        with self.working("patient", partial(use, engine)):
            self.assertEqual(1, self.await_waiting(1).waiting)
            held.close()

    def test_through_a_disposal(self) -> None:
        """Who waits for the pool that was goes on, and the next is heard as well."""
        engine = self.engine()
        held = engine.connect()
        with self.working("old", partial(use, engine)):
            self.await_waiting(1)
            engine.dispose()
            self.assertEqual(1, self.agent.ledger.whole(0, 0.0, 0.0).waiting)
            fresh = engine.connect()
            with self.working("new", partial(use, engine)):
                self.await_waiting(2)
                fresh.close()
            held.close()
        self.assertEqual(0, self.totals()[0])

    def test_what_outlived_the_pool_before(self) -> None:
        """It is out, but takes no place, and nobody waits for it."""
        engine = self.engine(pool_timeout=0)
        old = engine.connect()
        engine.dispose()
        (told,) = self.read().connections
        self.assertTrue(told.disposed)
        new = engine.connect()
        self.assertRaises(exc.TimeoutError, engine.connect)
        report = self.read()
        (incident,) = report.incidents
        self.assertEqual(1, incident.held)
        known = {each.id: each for each in report.connections}
        self.assertEqual([False], [each.disposed for each in known.values()])
        self.assertEqual([*known], [each.connection for each in incident.holders])
        old.close()
        new.close()

    def test_disposed_of_while_one_is_opened(self) -> None:
        """It is of the pool before, though nobody could mark it in time."""
        engine = self.engine()
        plain = tokens.Token

        def token(*arguments: Any) -> Any:
            self.patch(listeners, "Token", plain)
            engine.dispose()
            return plain(*arguments)

        self.patch(listeners, "Token", token)
        with engine.connect():
            (told,) = self.read().connections
        self.assertTrue(told.disposed)

    def test_what_is_of_another_engines_pool(self) -> None:
        """Of two that shared one, the later disposal marks only what is of that one."""
        engine = self.engine()
        other = create_engine("sqlite://", pool=engine.pool)
        Watch(self.agent, other, transactions=NONE)
        other.dispose()
        self.addCleanup(other.dispose)
        with other.connect():
            engine.dispose()
            report = self.agent.ledger.whole(0, 0.0, 0.0)
            self.assertEqual([False], [each.disposed for each in report.connections])

    def test_who_waits_for_the_pool_before(self) -> None:
        """SQLAlchemy gives him a connection of that one, which takes no place here."""
        engine = self.engine(pool_timeout=0.3)
        old = engine.connect()
        with self.working("patient", engine.connect) as found:
            self.await_waiting(1)
            engine.dispose()
            new = engine.connect()
        report = self.agent.ledger.whole(0, 0.0, 0.0)
        told = [(each.owner, each.disposed) for each in report.connections]
        me = threading.current_thread().name
        self.assertEqual([(me, False), (me, True), ("patient", True)], sorted(told))
        for each in (old, new, *found):
            each.close()

    def test_what_its_owner_has_of_the_pool_before(self) -> None:
        """To wait with such a one out is not to wait for oneself."""
        engine = self.engine()
        held: list[Any] = []

        def takes() -> None:
            held.append(engine.connect())
            engine.dispose()
            taken.set()
            self.assertTrue(full.wait(WITHIN))
            use(engine)

        taken, full = threading.Event(), threading.Event()
        with self.working("both", takes):
            self.assertTrue(taken.wait(WITHIN))
            new = engine.connect()
            full.set()
            (waiter,) = self.await_waiting(1).waiters
            new.close()
        self.assertEqual(("both", False), (waiter.owner, waiter.holds))
        held.pop().close()

    def test_a_copy_with_other_options(self) -> None:
        """It has the same pool, and so the same line."""
        engine = self.engine()
        copy = engine.execution_options(isolation_level="AUTOCOMMIT")
        held = engine.connect()
        with self.working("patient", partial(use, copy)):
            self.assertEqual(1, self.await_waiting(1).waiting)
            held.close()

    def test_pools_that_cannot_be_waited_for(self) -> None:
        """They have no line, and nothing of ours in their queue if they have one."""
        for kind in (NullPool, StaticPool, SingletonThreadPool):
            engine = self.engine(poolclass=kind)
            with suppress(exc.DBAPIError), engine.connect():
                pass
            self.assertNotIn("_inc_overflow", vars(engine.pool))
        engine = self.engine(max_overflow=-1)
        held = [engine.connect() for _ in range(20)]
        self.assertNotIn("_inc_overflow", vars(engine.pool))
        for each in held:
            each.close()
        self.assertEqual((0, 0, 0), self.totals())

    def test_a_pool_of_the_applications_own(self) -> None:
        """One whose queue is another than we know has no line, and works."""

        class Stack:
            """A queue that cannot be changed."""

            __slots__ = ("__weakref__", "held", "maxsize", "use_lifo")

            def __init__(self, maxsize: int, use_lifo: bool) -> None:
                self.held: list[Any] = []
                self.maxsize = maxsize
                self.use_lifo = use_lifo

            def get(self, block: bool = True, timeout: float | None = None) -> Any:
                if not self.held:
                    raise Empty
                return self.held.pop()

            def put(self, item: Any, block: bool = True) -> None:
                self.held.append(item)

            def qsize(self) -> int:
                return len(self.held)

        class StackPool(QueuePool):
            """A pool with such a queue."""

            _queue_class: Any = Stack

        engine = self.engine(
            poolclass=StackPool, pool_size=1, max_overflow=0, pool_timeout=0
        )
        held = engine.connect()
        self.assertRaises(exc.TimeoutError, engine.connect)
        held.close()
        engine.connect().close()
        self.assertEqual((0, 0, 0), self.totals())

    def test_a_timeout(self) -> None:
        """It is counted, and who held and who waited is kept as it was."""
        engine = self.engine(pool_timeout=0.002)
        held = engine.connect()
        self.read()
        with self.working("late", engine.connect) as results:
            pass
        self.assertIsInstance(results[0], exc.TimeoutError)
        self.assertEqual("3o7r", results[0].code)
        report = self.read()
        self.assertEqual((0, 1, 1), self.totals())
        (incident,) = report.incidents
        self.assertEqual((1, 1, 1), (incident.number, incident.held, incident.timeouts))
        self.assertEqual("late", incident.victim.owner)
        self.assertGreaterEqual(incident.seconds(incident.victim.since), 0.002)
        (holder,) = incident.holders
        self.assertEqual("MainThread", holder.owner)
        self.assertRegex(holder.site, r"test_waits\.py:\d+ .*test_a_timeout$")
        self.assertEqual((0, ()), (incident.waiting, incident.waiters))
        held.close()

    def test_a_timeout_without_a_wait(self) -> None:
        """``pool_timeout=0`` refuses at once: no wait, but a timeout."""
        engine = self.engine(pool_timeout=0)
        held = engine.connect()
        self.assertRaises(exc.TimeoutError, engine.connect)
        self.assertEqual((0, 0, 1), self.totals())
        held.close()

    def test_a_pool_of_the_application_s_own(self) -> None:
        """Its methods are not the line that took what is waited for, or timed out."""

        class OwnPool(QueuePool):
            """With something to do at each checkout."""

            def connect(self) -> Any:
                """Before all."""
                return super().connect()

            def _do_get(self) -> Any:
                return super()._do_get()

        def takes() -> Any:
            return engine.connect()

        options: Any = {"poolclass": OwnPool, "pool_size": 1, "max_overflow": 0}
        for trace in ("on", "slow"):
            engine = self.engine(trace, pool_timeout=WITHIN, **options)
            held = takes()
            with self.working("patient", takes) as results:
                (waiter,) = self.await_waiting(1).waiters
                held.close()
            self.assertRegex(waiter.site, r"test_waits\.py:\d+ .*takes$")
            (holder,) = (each for each in self.read().connections if each.site)
            self.assertEqual(waiter.site, holder.site)
            results.pop().close()
        engine = self.engine(pool_timeout=0.002, **options)
        held = takes()
        self.assertRaises(exc.TimeoutError, takes)
        (incident,) = self.read().incidents
        self.assertEqual(waiter.site, incident.victim.site)
        held.close()

    def test_a_pool_entered_by_another_way(self) -> None:
        """Has waiters with a line, too: the nearest."""
        engine = self.engine()
        held = engine.connect()

        def takes() -> Any:
            return engine.pool._do_get()

        with self.working("patient", takes) as results:
            (waiter,) = self.await_waiting(1).waiters
            held.close()
        self.assertRegex(waiter.site, r"test_waits\.py:\d+ .*takes$")
        engine.pool._do_return_conn(results.pop())

    def test_who_waits_for_itself(self) -> None:
        """A second checkout by a thread that has the only connection is known."""
        engine = self.engine(pool_timeout=0.002)
        held = engine.connect()
        self.assertRaises(exc.TimeoutError, engine.connect)
        (incident,) = self.read().incidents
        self.assertTrue(incident.victim.holds)
        held.close()

        def holds_and_waits() -> None:
            first = patient.connect()
            patient.connect().close()
            first.close()

        patient = self.engine(pool_size=2)
        other = patient.connect()
        with self.working("greedy", holds_and_waits):
            (waiter,) = self.await_waiting(1).waiters
            self.assertTrue(waiter.holds)
            other.close()

    def test_those_who_wait_when_another_times_out(self) -> None:
        """They are in its incident, those who hold something marked."""
        engine = self.engine()
        held = engine.connect()
        with self.working("patient", partial(use, engine)):
            self.await_waiting(1)
            engine.pool._timeout = 0
            self.assertRaises(exc.TimeoutError, engine.connect)
            (incident,) = self.read().incidents
            held.close()
        self.assertEqual(["patient"], [each.owner for each in incident.waiters])
        self.assertEqual(1, incident.waiting)
        self.assertTrue(incident.victim.holds)
        self.assertFalse(incident.waiters[0].holds)

    @skipIf(
        platform.python_implementation() == "PyPy",
        "PyPy changes threads within a mark too: see docs/pypy.rst",
    )
    def test_many_threads(self) -> None:
        """Each timeout counts, and in the end nobody waits, whoever reads meanwhile."""
        engine = self.engine(pool_size=2, pool_timeout=0.001)
        failed: list[int] = []

        def works() -> None:
            for _ in range(150):
                try:
                    with engine.connect() as connection:
                        connection.exec_driver_sql("select 1")
                except exc.TimeoutError:
                    failed.append(1)

        with ExitStack() as working:
            for number in range(8):
                working.enter_context(self.working(f"t{number}", works))
            for _ in range(50):
                report = self.read()
                self.assertLessEqual(report.waiting, 8)
        totals = self.read().counters
        self.assertEqual(len(failed), totals.timeouts)
        self.assertEqual(8 * 150 - len(failed), totals.checkouts)
        self.assertEqual(totals.checkouts, totals.checkins)
        self.assertEqual(0, self.report.waiting)
        self.assertEqual(totals.waits, sum(self.pool_waits().counts))

    def pool_waits(self) -> Histogram:
        """How long those of the one pool waited."""
        (pool,) = self.agent.ledger.whole(0, 0.0, 0.0).pools
        waits: Histogram = pool.waits
        return waits

    def test_several_at_once(self) -> None:
        """Each is told by itself, with who held and who still waited then."""
        engine = self.engine(pool_timeout=0.3)
        held = engine.connect()
        failed: list[Any] = []
        with ExitStack() as working:
            for number in range(4):
                work = self.working(f"w{number}", engine.connect)
                failed.append(working.enter_context(work))
        self.assertEqual([exc.TimeoutError] * 4, [type(each) for (each,) in failed])
        told = self.read().incidents
        self.assertEqual([1, 2, 3, 4], [each.timeouts for each in told])
        victims = [each.victim.owner for each in told]
        self.assertEqual(["w0", "w1", "w2", "w3"], sorted(victims))
        for number, each in enumerate(told):
            self.assertEqual(1, each.held)
            self.assertEqual(told[0].holders, each.holders)
            self.assertEqual(each.waiting, len(each.waiters))
            later = {one.owner for one in each.waiters}
            self.assertLessEqual(later, set(victims[number + 1 :]))
            self.assertGreaterEqual(each.seconds(each.victim.since), 0.3)
        held.close()

    def test_a_storm_of_timeouts(self) -> None:
        """Each counts, but only so many a second are kept with who held what."""
        now = [100.0]
        self.patch(listeners, "monotonic", lambda: now[0])
        engine = self.engine(pool_timeout=0)
        held = engine.connect()
        for _ in range(3):
            for _ in range(EACH_SECOND + 50):
                self.assertRaises(exc.TimeoutError, engine.connect)
            now[0] += 1.0
            told = [each.timeouts for each in self.read().incidents]
            first = self.totals()[2] - EACH_SECOND - 50 + 1
            self.assertEqual([*range(first, first + EACH_SECOND)], told)
        self.assertEqual((0, 0, 3 * (EACH_SECOND + 50)), self.totals())
        self.assertEqual(3 * 50, self.agent.ledger.incidents_dropped)
        held.close()

    def test_another_pools_timeout_is_not_ours(self) -> None:
        """One that passes through, from a creator that uses a pool, does not count."""
        inner = self.engine(pool_timeout=0)
        held = inner.connect()
        outer = self.engine(creator=inner.raw_connection)
        self.assertRaises(exc.TimeoutError, outer.connect)
        report = self.agent.ledger.whole(0, 0.0, 0.0)
        self.assertEqual(1, report.counters.timeouts)
        self.assertEqual([1], [each.pool for each in report.incidents])
        held.close()

    @skipIf(not hasattr(signal, "setitimer"), "no timers here")
    def test_an_exception_from_a_signal_handler(self) -> None:
        """It ends the wait, and leaves nobody in the line."""

        class Enough(Exception):
            pass

        def handle(*arguments: Any) -> None:
            raise Enough

        engine = self.engine()
        held = engine.connect()
        before = signal.signal(signal.SIGALRM, handle)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        self.assertRaises(Enough, engine.connect)
        self.assertEqual((0, 1, 0), self.totals())
        held.close()

    def test_what_fails_in_the_middle_of_leaving(self) -> None:
        """A handler may raise there too; who waited is taken out all the same."""
        engine = self.engine(pool_timeout=0)
        held = engine.connect()
        self.read()
        (pool,) = self.agent.ledger.pools()
        plain = type(pool).served
        calls = []

        def served(this: Any, waiter: Any, now: float) -> None:
            calls.append(waiter)
            if len(calls) == 1:
                raise KeyboardInterrupt
            plain(this, waiter, now)

        self.patch(type(pool), "served", served)
        self.assertRaises(KeyboardInterrupt, engine.connect)
        self.assertEqual((2, 0), (len(calls), self.totals()[0]))
        held.close()


class TraceTests(WaitsCase):
    """Of which checkouts the line is noted."""

    def sites(self, trace: str) -> list[str]:
        """The sites of a checkout that did not wait, and of one that did."""
        engine = self.engine(trace)
        held = engine.connect()
        self.read()
        sites = [self.report.connections[0].site]
        taken: list[Any] = []
        with self.working("patient", lambda: taken.append(engine.connect())):
            self.await_waiting(1)
            held.close()
        sites.append(self.read().connections[0].site)
        taken.pop().close()
        return [each.rpartition(" ")[2].rpartition(".")[2] for each in sites]

    def test_all(self) -> None:
        """Both, by default."""
        for trace in ("on", "all"):
            self.assertEqual(["sites", "<lambda>"], self.sites(trace))

    def test_very_many(self) -> None:
        """So many between two keepings of the books, unless all are wanted."""
        for trace, noted in (("on", [LINES, LINES]), ("all", [LINES + 2] * 2)):
            engine = self.engine(trace, pool_size=1)
            engine.connect().close()
            self.read()
            lines = []
            for _ in range(2):
                found = 0
                for _ in range(LINES + 2):
                    with engine.connect():
                        (pool,) = (
                            each for each in self.agent.ledger.pools() if each.out
                        )
                        found += any(each.site for each in pool.open)
                lines.append(found)
                self.read()
            self.assertEqual(noted, lines)

    def test_slow(self) -> None:
        """Only of that which waited."""
        self.assertEqual(["", "<lambda>"], self.sites("slow"))

    def test_none(self) -> None:
        """Of neither."""
        self.assertEqual(["", ""], self.sites("off"))

    def test_tags(self) -> None:
        """The inner of two holds; after, and for an idle connection, there is none."""
        engine = self.engine()
        tags = []
        with tag("outer"), tag("inner"), engine.connect():
            tags.append(self.read().connections[0].tag)
        tags.append(self.read().connections[0].tag)
        with engine.connect():
            tags.append(self.read().connections[0].tag)
        self.assertEqual(["inner", "", ""], tags)
        self.assertIs(tag, connmon.tag)
        self.assertRaises(TypeError, tag, 3)
        self.assertRaises(ValueError, tag, "a\nb")


class TaskTests(WaitsCase):
    """Tasks of asyncio that wait for one another."""

    if platform.python_implementation() == "PyPy":
        skip = "the driver's thread and the collector are slow there"

    def run_tasks(self, work: Callable[[Any], Any], **options: Any) -> None:
        """Have tasks work with an engine of asyncio's."""
        from sqlalchemy.ext.asyncio import create_async_engine

        from tests.client.fakedb import Clock, Server
        from tests.client.truth import Truth

        clock = Clock()
        server = Server(clock, Truth(clock))
        chosen = {"pool_size": 1, "max_overflow": 0, "pool_timeout": WITHIN, **options}
        engine = create_async_engine(
            "fakedb+aio://db/main",
            module=server,
            connect_args={"pool": 1},
            **chosen,
        )
        Watch(self.agent, engine.sync_engine, transactions=NONE)

        async def run() -> None:
            await work(engine)
            await engine.dispose()

        asyncio.run(run())

    async def until_waiting(self, count: int) -> Report:
        """Let others go on until so many wait."""
        for _ in range(200):
            if self.read().waiting == count:
                return self.report
            await asyncio.sleep(0)
        raise self.failureException(f"{self.report.waiting} wait, not {count}")

    def test_a_task_that_waits(self) -> None:
        """By its name, and the line of its coroutine."""

        async def takes(engine: Any) -> None:
            async with engine.connect():
                pass

        async def work(engine: Any) -> None:
            async with engine.connect():
                task = asyncio.create_task(takes(engine), name="patient")
                (waiter,) = (await self.until_waiting(1)).waiters
                self.assertEqual("patient", waiter.owner)
                self.assertRegex(waiter.site, r"test_waits\.py:\d+ .*takes$")
            await task
            self.assertEqual(0, self.totals()[0])

        self.run_tasks(work)

    def test_a_task_that_is_cancelled(self) -> None:
        """It leaves nobody in the line."""

        async def work(engine: Any) -> None:
            async with engine.connect():
                task = asyncio.create_task(engine.connect().start(), name="patient")
                await self.until_waiting(1)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                self.assertEqual((0, 0), self.totals()[::2])

        self.run_tasks(work)

    def test_many_at_once_for_one_connection(self) -> None:
        """All but the first wait, though each found it idle when it asked."""

        async def takes(engine: Any, go: asyncio.Event) -> None:
            async with engine.connect():
                await go.wait()

        async def work(engine: Any) -> None:
            async with engine.connect():
                pass
            go = asyncio.Event()
            tasks = [asyncio.create_task(takes(engine, go)) for _ in range(4)]
            self.assertEqual(3, len((await self.until_waiting(3)).waiters))
            go.set()
            await asyncio.gather(*tasks)
            self.assertEqual((0, 0), self.totals()[::2])

        self.run_tasks(work)

    def test_a_timeout(self) -> None:
        """It is counted and kept, as that of a thread."""

        async def work(engine: Any) -> None:
            async with engine.connect():
                with self.assertRaises(exc.TimeoutError):
                    await engine.connect().start()
            (incident,) = self.read().incidents
            self.assertEqual((0, 1), self.totals()[::2])
            self.assertTrue(incident.victim.holds)
            self.assertEqual(1, len(incident.holders))

        self.run_tasks(work, pool_timeout=0.002)
