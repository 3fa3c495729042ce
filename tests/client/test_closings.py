"""Why connections are closed: each reason with what leads to it, by real pools."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from sqlalchemy import create_engine, event, exc
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import (
    AssertionPool,
    NullPool,
    Pool,
    QueuePool,
    SingletonThreadPool,
    StaticPool,
)

from connmon.client.listeners import Watch
from connmon.client.options import NONE
from connmon.client.sites import described
from connmon.model.closings import MOST_EXCEPTIONS
from connmon.model.ledger import Ledger
from connmon.model.records import STALE, Notice
from tests.client.ownpools import StackPool, TaggingPool
from tests.client.test_truth_async import IS_OLD, AioCase
from tests.client.truth import Hand, TruthCase, collect


class KeeplessPool(Pool):
    """One of an application's own, that keeps nothing."""

    def _do_get(self) -> Any:
        return self._create_connection()

    def _do_return_conn(self, record: Any) -> None:
        self.let_go(record)

    def let_go(self, record: Any) -> None:
        """Close it, a step further away."""
        record.close()

    def dispose(self) -> None:
        """There is nothing to close."""


class ClosingsCase(TruthCase):
    """Where closings are told by reason."""

    def assert_closings(self, expected: dict[str, int]) -> None:
        """All pools together have these, and what else is told is true."""
        collect()
        told: Counter[str] = Counter()
        for each in self.report().pools:
            self.assertEqual(
                sorted(each.closings, key=lambda one: (-one[1], one[0])),
                list(each.closings),
            )
            told.update(dict(each.closings))
        self.assertEqual(expected, dict(told))
        self.agree()

    def notices(self, kind: str) -> list[Notice]:
        """The last notices of a kind."""
        return [each for each in self.report().notices if each.kind == kind]


class ReasonTests(ClosingsCase):
    """One reason after the other."""

    def test_nothing_closed(self) -> None:
        """No reason, then."""
        held = self.take(self.engine())
        self.assert_closings({})
        held.close()
        self.assert_closings({})

    def test_overflow(self) -> None:
        """What comes back to a pool that has all it keeps."""
        engine = self.engine(pool_size=2, max_overflow=3)
        held = [self.take(engine) for _ in range(5)]
        for each in held:
            each.close()
        self.assert_closings({"overflow": 3})

    def test_left_to_the_collector_as_overflow(self) -> None:
        """It comes back by the collector, and is too much."""
        engine = self.engine()
        held = [self.take(engine), self.take(engine)]
        held.pop(0).close()
        held.clear()
        self.assert_closings({"overflow": 1})

    def test_not_pooled(self) -> None:
        """What comes back to a pool that keeps none, whosever it is."""
        for kind in (NullPool, KeeplessPool):
            engine = self.engine(poolclass=kind)
            for _ in range(2):
                self.take(engine).close()
            del engine
        self.assert_closings({})
        engines = [self.engine(poolclass=each) for each in (NullPool, KeeplessPool)]
        for each in engines:
            self.take(each).close()
        self.assert_closings({"not pooled": 2})

    def test_recycled(self) -> None:
        """What is too old when it is to be used again."""
        engine = self.engine(pool_recycle=50)
        self.take(engine).close()
        self.wait(60.0)
        self.take(engine).close()
        self.assert_closings({"recycle": 1})

    def test_a_ping_that_fails(self) -> None:
        """One did not answer; that others are as old is another reason."""
        engine = self.engine(pool_size=3, pool_pre_ping=True)
        held = [self.take(engine) for _ in range(3)]
        for each in held:
            each.close()
        self.wait(1.0)
        self.server.cut_off(1)
        self.take(engine).close()
        self.assert_closings({"pre-ping": 1})
        self.wait(1.0)
        held = [self.take(engine) for _ in range(3)]
        for each in held:
            each.close()
        self.assert_closings({"pool invalidated": 2, "pre-ping": 1})

    def test_a_ping_of_the_applications_own(self) -> None:
        """It is a listener's exception, though SQLAlchemy raises the same."""
        for error in (exc.InvalidatePoolError, exc.DisconnectionError):
            engine = self.bare(pool_pre_ping=True)
            upsets = [error]

            def checkout(*arguments: Any, upsets: list[Any] = upsets) -> None:
                if upsets:
                    raise upsets.pop()

            event.listen(engine, "checkout", checkout)
            self.take(self.watch(engine)).close()
            self.addCleanup(engine.dispose)
        self.assert_closings(
            {
                "invalidated: InvalidatePoolError": 1,
                "invalidated: DisconnectionError": 1,
            }
        )
        self.assertEqual([], self.notices(STALE))

    def test_a_disconnection(self) -> None:
        """By the class of the driver's own exception."""
        engine = self.engine(pool_size=2)
        connection, other = self.connect(engine), self.take(engine)
        other.close()
        self.wait(1.0)
        self.server.cut_off(1)
        self.assertRaises(exc.OperationalError, connection.exec_driver_sql, "select 1")
        connection.close()
        self.assert_closings({"invalidated: Gone": 1})
        self.wait(1.0)
        held = [self.take(engine), self.take(engine)]
        self.assert_closings({"invalidated: Gone": 1, "pool invalidated": 1})
        del held

    def test_a_reset_that_fails(self) -> None:
        """Likewise."""
        engine = self.engine()
        fairy = self.take(engine)
        self.server.failures = 1
        fairy.close()
        self.assert_closings({"invalidated: OperationalError": 1})

    def test_invalidated(self) -> None:
        """The application need not say why."""
        engine = self.engine()
        self.take(engine).invalidate()
        self.take(engine).invalidate(ValueError("x"))
        self.assert_closings({"invalidated": 1, "invalidated: ValueError": 1})

    def test_many_classes_of_exceptions(self) -> None:
        """A few are told apart, by no more of their names than can be read."""
        engine = self.engine()
        for number in range(MOST_EXCEPTIONS + 3):
            error = type(f"E{number}" + "x" * 300, (Exception,), {})()
            for _ in range(2):
                self.take(engine).invalidate(error)
        (pool,) = self.report().pools
        self.assertEqual(MOST_EXCEPTIONS + 1, len(pool.closings))
        self.assertEqual(("invalidated: others", 6), pool.closings[0])
        self.assertEqual(
            {len("invalidated: ") + 60}, {len(each) for each, _ in pool.closings[1:]}
        )
        self.agree()

    def test_invalidated_softly(self) -> None:
        """If that is what closes it: another reason may come first."""
        engine = self.engine()
        first, second = self.take(engine), self.take(engine)
        self.wait(1.0)
        for each in (first, second):
            each.invalidate(soft=True)
            each.close()
        self.assert_closings({"overflow": 1})
        self.take(engine).close()
        self.assert_closings({"overflow": 1, "soft invalidated": 1})

    def test_disposed(self) -> None:
        """What is idle at once; what is out, when it has come back."""
        engine = self.engine()
        fairy = self.take(engine)
        self.take(engine).close()
        engine.dispose()
        self.assert_closings({"dispose": 1})
        fairy.close()
        del fairy
        self.assert_closings({"dispose": 2})
        self.take(engine).close()
        self.assert_closings({"dispose": 2})

    def test_disposed_without_closing(self) -> None:
        """No event tells of it, but it is known."""
        engine = self.engine(pool_size=3)
        held = [self.take(engine), self.take(engine)]
        self.take(engine).close()
        engine.dispose(close=False)
        self.take(engine).close()
        held.pop().invalidate(KeyError())
        held.pop().close()
        self.assert_closings({"dispose": 2, "invalidated: KeyError": 1})

    def test_detached(self) -> None:
        """By who closes it then."""
        engine = self.engine()
        fairy = self.take(engine)
        fairy.detach()
        self.take(engine).close()
        self.assert_closings({})
        fairy.close()
        self.assert_closings({"detached": 1})

    def test_detached_by_a_connection(self) -> None:
        """And closed after its pool was disposed of."""
        engine = self.engine()
        connection = self.connect(engine)
        engine.dispose()
        connection.detach()
        connection.close()
        self.assert_closings({"detached": 1})

    def test_detached_and_dropped(self) -> None:
        """Nobody closed it."""
        engine = self.engine()
        connection = self.connect(engine)
        connection.detach()
        engine.dispose()
        del connection
        self.assert_closings({"collected": 1})

    def test_an_engine_that_is_dropped(self) -> None:
        """Its idle connections go with it."""
        engine = self.engine(pool_size=2)
        held = [self.take(engine), self.take(engine)]
        held.pop().close()
        pool = self.watches[1].pool()
        del engine
        collect()
        self.assertEqual(1, len(self.report().pools))
        del held
        collect()
        self.assertEqual((), self.report().pools)
        self.assertEqual((("collected", 2),), pool.closings.told())

    def test_one_that_was_refused(self) -> None:
        """By a listener of the application's, before anyone had it."""
        engine = self.engine()
        upsets = [ValueError()]

        def connect(*arguments: Any) -> None:
            if upsets:
                raise upsets.pop()

        event.listen(engine, "connect", connect)
        self.assertRaises(ValueError, engine.raw_connection)
        self.assert_states()
        self.take(engine).close()
        self.assert_closings({"other": 1})

    def test_closed_by_the_application(self) -> None:
        """Whoever has its record can."""
        engine = self.engine()
        fairy = self.take(engine)
        fairy._connection_record.close()
        self.assert_closings({"other": 1})
        del fairy


class ClassTests(ClosingsCase):
    """Every class of pool at its disposal, and what else is its own."""

    def test_disposals(self) -> None:
        """Each pool disposes of what it has in a way of its own."""
        kinds = (QueuePool, StaticPool, AssertionPool, SingletonThreadPool, StackPool)
        engines = [self.engine(poolclass=each) for each in kinds]
        for each in engines:
            self.take(each).close()
            each.dispose()
        self.assert_closings({"dispose": len(kinds)})

    def test_too_many_threads(self) -> None:
        """``SingletonThreadPool`` closes what is over its size."""
        engine = self.engine(poolclass=SingletonThreadPool, pool_size=1)
        fairy = self.take(engine)
        hand = Hand(0)
        other = hand.do(engine.raw_connection)
        self.truth.taken(other, hand.name)
        self.assert_closings({"overflow": 1})
        fairy.close()
        hand.do(other.close)
        del other
        hand.rest()


class AioReasonTests(AioCase, ClosingsCase):
    """With asyncio."""

    def test_left_to_the_collector(self) -> None:
        """It is detached and closed by the collector; 1.4 tries to reset it."""
        connection = self.run_task(self.taken())
        del connection
        if IS_OLD:
            self.assert_closings({"invalidated: MissingGreenlet": 1})
        else:
            self.assert_closings({"collected": 1})

    def test_detached(self) -> None:
        """By the application."""
        connection = self.run_task(self.taken())
        self.run_task(connection.run_sync(lambda each: each.detach()))
        self.run_task(connection.close())
        self.assert_closings({"detached": 1})

    def test_cancelled_in_a_statement(self) -> None:
        """The exception is the task's."""

        async def work() -> None:
            async with self.aio.begin() as connection:
                await connection.exec_driver_sql("select 1")

        self.run_task(self.taken_and_given())
        self.run_task(self.cancelled(work(), "execute"))
        self.assert_closings({"invalidated: CancelledError": 1})

    def test_overflow_and_disposal(self) -> None:
        """As without asyncio."""
        aio: Any = create_async_engine(
            "fakedb+aio://db/main",
            module=self.server,
            connect_args={"pool": 2},
            pool_size=1,
            max_overflow=1,
        )
        self.watch(aio.sync_engine)

        async def work() -> None:
            held = [await aio.connect(), await aio.connect()]
            for each in held:
                self.truth.taken(each.sync_connection.connection, "me")
            for each in held:
                await each.close()

        self.run_task(work())
        self.assert_closings({"overflow": 1})
        self.run_task(aio.dispose())
        self.assert_closings({"dispose": 1, "overflow": 1})


class StaleTests(ClosingsCase):
    """Connections that were found broken before use."""

    def stale_engine(self, trace: str, **options: Any) -> Any:
        """An engine with an idle connection that is broken."""
        engine = self.bare(pool_pre_ping=True, **options)
        number = len(self.watches) + 1
        self.agent.ledger.site_name = described
        self.watches[number] = Watch(self.agent, engine, NONE, trace)
        engine.raw_connection().close()
        self.server.cut_off(max(self.server.open))
        self.wait(612.0)
        return engine

    def test_noticed(self) -> None:
        """For how long it was idle, and who found it where."""
        engine = self.stale_engine("on")
        engine.raw_connection().close()
        (told,) = self.notices(STALE)
        self.assertEqual((1, STALE, 1, 612.0), (told[1], *told[3:6]))
        self.assertEqual((self.clock.now, "MainThread"), (told.at, told.owner))
        self.assertIn("tests/client/test_closings.py:", told.site)
        self.assertIn("test_noticed", told.site)
        self.assertEqual(0, self.report().counters.leaks)
        engine.raw_connection().close()
        self.assertEqual(1, len(self.notices(STALE)))

    def test_in_a_pool_of_the_application_s_own(self) -> None:
        """The line that called its ``connect``, not one in there."""
        self.stale_engine("on", poolclass=TaggingPool).raw_connection().close()
        (told,) = self.notices(STALE)
        self.assertIn("test_in_a_pool_of_the_application_s_own", told.site)

    def test_without_a_trace(self) -> None:
        """``off`` is no line, ``slow`` is one."""
        for trace in ("slow", "off"):
            self.stale_engine(trace).raw_connection().close()
        slow, off = self.notices(STALE)
        self.assertIn("test_without_a_trace", slow.site)
        self.assertEqual("", off.site)

    def test_one_that_is_out(self) -> None:
        """Of a connection that others use meanwhile, nobody knows for how long."""
        engine = self.engine(poolclass=StaticPool, pool_pre_ping=True)
        held = self.take(engine)
        self.server.cut_off(1)
        engine.raw_connection().close()
        self.assertEqual([], self.notices(STALE))
        del held


class ThreadTests(ClosingsCase):
    """Closings in several threads at once."""

    def test_none_is_lost(self) -> None:
        """Eight threads close, a ninth keeps the books."""
        ledger = Ledger()
        self.agent.ledger = ledger
        engine = create_engine(
            "fakedb://db/main",
            module=self.server,
            connect_args={"pool": 1},
            poolclass=NullPool,
        )
        Watch(self.agent, engine, NONE)
        over = threading.Event()

        def work() -> None:
            for number in range(200):
                fairy = engine.raw_connection()
                if number % 4:
                    fairy.close()
                else:
                    fairy.invalidate(KeyError())

        def keep() -> None:
            while not over.is_set():
                ledger.fold()

        threads = [threading.Thread(target=work) for _ in range(8)]
        keeper = threading.Thread(target=keep)
        for each in (keeper, *threads):
            each.start()
        for each in threads:
            each.join()
        over.set()
        keeper.join()
        (pool,) = ledger.whole(1, 0.0, 0.0).pools
        expected = (("not pooled", 1200), ("invalidated: KeyError", 400))
        self.assertEqual(expected, pool.closings)
        self.assertEqual(1600, pool.counters.closes)
