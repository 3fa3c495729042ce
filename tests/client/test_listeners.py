"""Tests of the pool events that need more than one engine, or luck, to go wrong.

The usual ones are tested whole, against real databases.
"""

from __future__ import annotations

import gc
from typing import Any, ClassVar

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.pool import QueuePool, StaticPool
from twisted.trial.unittest import SynchronousTestCase
from twisted.trial.util import suppress

from connmon.client.listeners import Watch
from connmon.client.options import NONE
from connmon.model.ledger import Ledger
from connmon.model.records import DETACHED


class StandIn:
    """An agent that only keeps a ledger."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.ledger = Ledger()


class WatchTests(SynchronousTestCase):
    """Engines on SQLite in memory, watched by an agent that reports to nobody.

    Some leave a connection to the collector on purpose, which newer Pythons tell.
    """

    suppress: ClassVar[Any] = [suppress(category=ResourceWarning)]

    def setUp(self) -> None:
        """An agent and an engine."""
        self.agent: Any = StandIn()
        self.engine = self.watched(self.an_engine())

    def an_engine(self, **options: Any) -> Engine:
        """An engine like most."""
        engine = create_engine(
            "sqlite://", connect_args={"check_same_thread": False}, **options
        )
        self.addCleanup(engine.dispose)
        return engine

    def watched(self, engine: Engine) -> Engine:
        """The engine, watched by the agent."""
        Watch(self.agent, engine, transactions=NONE)
        return engine

    def counts(self) -> tuple[int, int, int]:
        """Checkouts ever, connections open, and connections out."""
        report = self.agent.ledger.whole(1, 0.0, 0.0)
        states = [each.state for each in report.connections]
        return report.counters.checkouts, len(states), states.count(1)

    def queue(self, **options: Any) -> Engine:
        """A watched engine with a queue pool."""
        return self.watched(self.an_engine(poolclass=QueuePool, **options))

    def test_the_names_we_rely_on(self) -> None:
        """Two of them are not public; SQLAlchemy must use what takes their place."""
        engine = self.queue()
        pool: Any = engine.pool
        for name in ("connect", "recreate", "_return_conn", "_invoke_creator"):
            self.assertIn(name, vars(pool))
            self.assertTrue(hasattr(pool.recreate(), name))
        with engine.connect():
            self.assertEqual((1, 1, 1), self.counts())
        self.assertEqual((1, 1, 0), self.counts())
        # Those by which it is heard who waits.
        self.assertEqual((-4, 10), (pool._overflow, pool._max_overflow))
        self.assertIn("_inc_overflow", vars(pool))
        self.assertEqual(1, pool._pool.qsize())
        self.assertTrue(callable(type(pool._pool).get))

    def test_engines_that_share_a_pool_count_once(self) -> None:
        """Whether they have the pool itself, or one made like it."""
        first = self.queue()
        for pool in (first.pool, first.pool.recreate()):
            self.agent.ledger = Ledger()
            second = self.watched(self.an_engine(pool=pool))
            held = [second.connect() for _ in range(3)]
            self.assertEqual((3, 3, 3), self.counts())
            for each in held:
                each.close()
            self.assertEqual((3, 3, 0), self.counts())
            second.dispose()
            self.assertEqual((3, 0, 0), self.counts())
            second.connect().close()
            self.assertEqual((4, 1, 0), self.counts())
            second.dispose()

    def test_an_engine_with_execution_options_is_the_same_engine(self) -> None:
        """A copy shares pool and listeners, and outlives the original."""
        copy = self.queue().execution_options(isolation_level="AUTOCOMMIT")
        gc.collect()
        with copy.connect():
            self.assertEqual((1, 1, 1), self.counts())
        copy.dispose()
        self.assertEqual((1, 0, 0), self.counts())

    def test_detached_connections_whose_numbers_repeat(self) -> None:
        """One that is closed does not take another's place in the book with it."""
        engine = self.queue()
        for _ in range(50):
            connection = engine.raw_connection()
            connection.detach()
            self.assertEqual(
                [DETACHED],
                [each.state for each in self.agent.ledger.whole(1, 0, 0).connections],
            )
            connection.close()
            self.assertEqual(0, self.counts()[1])

    def test_a_detach_event_that_finds_another_connection(self) -> None:
        """The record was used again meanwhile: its new connection is not detached."""
        engine = self.an_engine(poolclass=QueuePool)
        watch = Watch(self.agent, engine, transactions=NONE)
        connection: Any = engine.raw_connection()
        watch.events.detach(object(), connection._connection_record)
        self.assertEqual((1, 1, 1), self.counts())
        connection.close()

    def test_a_closed_detached_connection_leaves_the_book_alone(self) -> None:
        """When it is dropped, another may have its number there."""
        engine = self.an_engine(poolclass=QueuePool)
        watch = Watch(self.agent, engine, transactions=NONE)
        connection: Any = engine.raw_connection()
        number = id(connection.dbapi_connection)
        connection.detach()
        other = watch.events.detached[number]
        connection.close()
        watch.events.detached[number] = other
        del connection
        gc.collect()
        self.assertIn(number, watch.events.detached)

    def test_a_detached_connection_that_is_dropped(self) -> None:
        """No event tells of its end; its token does."""
        connection = self.queue().raw_connection()
        connection.detach()
        self.assertEqual(1, self.counts()[1])
        del connection
        gc.collect()
        self.assertEqual(0, self.counts()[1])

    def test_a_connection_left_to_the_collector(self) -> None:
        """Sooner or later it is back in its pool, and counted so."""
        engine = self.queue()
        engine.raw_connection()
        gc.collect()
        self.assertEqual((1, 1, 0), self.counts())

    def test_dispose_without_closing(self) -> None:
        """``dispose(close=False)`` leaves connections to the collector."""
        engine = self.queue()
        engine.connect().close()
        engine.dispose(close=False)
        gc.collect()
        self.assertEqual((1, 0, 0), self.counts())

    def test_a_connection_made_before_we_listened(self) -> None:
        """It counts from its next checkout."""
        engine = self.an_engine(poolclass=QueuePool)
        engine.connect().close()
        self.watched(engine)
        self.assertEqual((0, 0, 0), self.counts())
        with engine.connect():
            self.assertEqual((1, 1, 1), self.counts())

    def test_a_static_pool(self) -> None:
        """One connection, whoever uses it."""
        engine = self.watched(self.an_engine(poolclass=StaticPool))
        with engine.connect():
            self.assertEqual((1, 1, 1), self.counts())
        self.assertEqual((1, 1, 0), self.counts())

    def test_engines_by_the_hundred_leave_nothing(self) -> None:
        """Their pools go with them; the process's totals stay."""
        for _ in range(200):
            engine = self.watched(create_engine("sqlite://", poolclass=QueuePool))
            engine.connect().close()
            engine.dispose()
            del engine
        gc.collect()
        self.agent.ledger.fold()
        self.assertEqual((200, 0, 0), self.counts())
        self.assertEqual((), self.agent.ledger.whole(1, 0.0, 0.0).pools)
