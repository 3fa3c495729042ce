"""Tests of what is a leak, with proof, and of all that looks like one and is none."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import create_engine, exc
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool, QueuePool, SingletonThreadPool, StaticPool

from connmon.client.collector import is_open
from connmon.client.listeners import Watch
from connmon.client.options import NONE
from connmon.client.owner import owner_end, owner_name
from connmon.client.sites import described
from connmon.model.ledger import Ledger
from connmon.model.records import ABANDONED, COLLECTED, RETURNED, SLOW, UNCLOSED
from connmon.model.vigil import GRACE_SECONDS
from tests.client import fakedb
from tests.client.truth import TruthCase, collect


class LeakCase(TruthCase):
    """Engines watched by an agent that only keeps a ledger, which looks when told."""

    def setUp(self) -> None:
        """A ledger that knows owners and sites."""
        super().setUp()
        self.agent.ledger = Ledger(
            owner_name=owner_name, site_name=described, owner_end=owner_end
        )
        self.sequence = 0

    def watched(self, **options: Any) -> Any:
        """An engine on the database in memory, watched."""
        engine = self.bare(**options)
        Watch(self.agent, engine, transactions=NONE, slow=30.0)
        return engine

    def lite(self, **options: Any) -> Any:
        """The same on SQLite."""
        engine = create_engine(
            "sqlite://", connect_args={"check_same_thread": False}, **options
        )
        self.addCleanup(engine.dispose)
        Watch(self.agent, engine, transactions=NONE, slow=30.0)
        return engine

    def looks(self, *waits: float) -> None:
        """Time passes, and the reporting thread looks."""
        for wait in waits:
            self.wait(wait)
            self.agent.ledger.look(self.clock.now)

    def told(self) -> list[tuple[str, str]]:
        """What is new: of which kind, and the function that took the connection."""
        collect()
        self.sequence += 1
        report = self.agent.ledger.collect(self.sequence, 1e6, 0.0)
        return [(each.kind, each.site.rpartition(".")[2]) for each in report.notices]

    @property
    def leaks(self) -> int:
        """How many there are."""
        self.sequence += 1
        collect()
        report = self.agent.ledger.collect(self.sequence, 1e6, 0.0)
        return int(report.counters.leaks)

    def none(self) -> None:
        """Nothing has leaked, nor is anything told, however long one waits."""
        self.looks(0.0, 1.0, GRACE_SECONDS, 10.0)
        self.assertEqual([], self.told())
        self.assertEqual(0, self.leaks)


def run(work: Callable[[], Any]) -> None:
    """Have a thread do it, and end."""
    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()


class CollectedTests(LeakCase):
    """Connections that nobody had any more."""

    def test_a_connection(self) -> None:
        """It is told, with who took it and where, and for how long it was out."""
        engine = self.watched()
        connection = engine.connect()
        self.wait(12.0)
        del connection
        collect()
        (told,) = self.agent.ledger.collect(1, 1e6, 0.0).notices
        self.assertEqual((COLLECTED, 12.0), (told.kind, told.seconds))
        self.assertEqual("MainThread", told.owner)
        self.assertIn("test_leaks.py:", told.site)
        self.assertEqual(1, self.leaks)

    def test_each_use(self) -> None:
        """Is counted, also those of the same connection."""
        engine = self.watched()
        for _ in range(3):
            engine.raw_connection()
            collect()
        self.assertEqual(3, len(self.told()))
        self.assertEqual(3, self.leaks)

    def test_every_kind_of_pool(self) -> None:
        """That gives out connections which can be lost."""
        for kind in (QueuePool, NullPool, StaticPool, SingletonThreadPool):
            engine = self.watched(poolclass=kind)
            with engine.connect():
                pass
            self.assertEqual([], self.told())
            engine.connect()
            found = self.told()
            self.assertEqual([COLLECTED], [each[0] for each in found], kind)

    def test_a_session(self) -> None:
        """That was never closed, in a cycle too."""
        session: Any = Session(self.watched())
        session.connection()
        session.itself = session
        del session
        self.assertEqual([COLLECTED], [each[0] for each in self.told()])

    def test_after_a_disposal(self) -> None:
        """What was out then and is dropped has leaked."""
        engine = self.watched()
        connection = engine.connect()
        engine.dispose()
        del connection
        self.assertEqual([COLLECTED], [each[0] for each in self.told()])

    def test_what_is_none(self) -> None:
        """All the ways in which an application ends the use of a connection."""
        engine = self.watched()
        with engine.connect():
            pass
        engine.connect().close()
        engine.raw_connection().close()
        engine.connect().invalidate()
        fairy = engine.raw_connection()
        fairy.invalidate(soft=True)
        fairy.close()
        fairy = engine.raw_connection()
        self.server.failures = 1
        fairy.close()
        with Session(engine) as session:
            session.connection()
        connection = engine.connect()
        self.server.cut_off(next(iter(self.server.open)))
        self.assertRaises(exc.DBAPIError, connection.exec_driver_sql, "select 1")
        connection.close()
        del connection, fairy
        self.none()


class UnclosedTests(LeakCase):
    """Connections that are gone without having been closed."""

    def test_an_engine_that_is_dropped(self) -> None:
        """Each connection that it had used is one."""
        engine = self.watched(pool_size=2)
        held = [engine.connect(), engine.connect()]
        for each in held:
            each.close()
        del held, each, engine
        self.assertEqual([UNCLOSED] * 2, [each[0] for each in self.told()])
        self.assertEqual(2, self.leaks)

    def test_an_engine_that_is_disposed_of(self) -> None:
        """It is none: neither what it closes, nor what comes back later."""
        engine = self.watched()
        engine.connect().close()
        connection = engine.connect()
        engine.dispose()
        connection.close()
        del connection
        self.none()
        engine.connect().close()
        engine.dispose()
        del engine
        self.none()

    def test_an_engine_that_closes_all(self) -> None:
        """There is nothing that could leak."""
        engine = self.watched(poolclass=NullPool)
        engine.connect().close()
        del engine
        self.none()

    def test_a_connection_that_nobody_ever_had(self) -> None:
        """The application refused it as it was made."""
        engine = self.watched()
        from sqlalchemy import event

        def refuse(dbapi_connection: Any, record: Any) -> None:
            raise ValueError("refused")

        event.listen(engine, "connect", refuse)
        self.assertRaises(ValueError, engine.connect)
        del engine
        self.none()

    def test_detached_and_dropped(self) -> None:
        """If its driver says that it is open still."""
        self.patch(
            fakedb.Connection,
            "closed",
            property(lambda each: each.serial not in self.server.open),
        )
        for engine in (self.lite(poolclass=QueuePool), self.watched()):
            fairy = engine.raw_connection()
            fairy.detach()
            del fairy
            self.assertEqual([UNCLOSED], [each[0] for each in self.told()])

    def test_detached_and_dropped_in_a_cycle(self) -> None:
        """As SQLAlchemy's own connections are: all of it goes at once.

        From Python 3.13 on, the connections of ``sqlite3`` close themselves before.
        """
        self.patch(
            fakedb.Connection,
            "closed",
            property(lambda each: each.serial not in self.server.open),
        )
        engines = [self.watched()]
        if sys.version_info < (3, 13):
            engines.append(self.lite(poolclass=QueuePool))
        for engine in engines:
            for executes_first in (True, False):
                connection = engine.connect()
                if executes_first:
                    connection.exec_driver_sql("select 1")
                connection.detach()
                if not executes_first:
                    connection.exec_driver_sql("select 1")
                del connection
                self.assertEqual([UNCLOSED], [each[0] for each in self.told()])

    def test_detached_and_closed_in_a_cycle(self) -> None:
        """It is none."""
        self.patch(
            fakedb.Connection,
            "closed",
            property(lambda each: each.serial not in self.server.open),
        )
        for engine in (self.lite(poolclass=QueuePool), self.watched()):
            connection = engine.connect()
            connection.exec_driver_sql("select 1")
            connection.detach()
            connection.close()
            del connection
        self.none()

    def test_detached_and_closed(self) -> None:
        """However it is: by SQLAlchemy, or by the driver."""
        self.patch(
            fakedb.Connection,
            "closed",
            property(lambda each: each.serial not in self.server.open),
        )
        for engine in (self.lite(poolclass=QueuePool), self.watched()):
            fairy = engine.raw_connection()
            fairy.detach()
            fairy.close()
            fairy = engine.raw_connection()
            fairy.detach()
            fairy.dbapi_connection.close()
            del fairy
        self.none()

    def test_detached_where_nobody_can_tell(self) -> None:
        """A driver that does not say whether a connection is open proves nothing."""
        fairy = self.watched().raw_connection()
        fairy.detach()
        del fairy
        self.none()

    def test_what_drivers_say(self) -> None:
        """In one of three ways, or not at all."""

        class Told:
            """A driver's connection."""

            def __init__(self, **told: object) -> None:
                vars(self).update(told)

            def __getattr__(self, name: str) -> object:
                raise AttributeError(name)

        for told, expected in (
            ({"closed": False}, True),
            ({"closed": 0}, True),
            ({"closed": 2}, False),
            ({"open": True}, True),
            ({"open": 0}, False),
            ({"closed": lambda: False}, False),
            ({"total_changes": 7}, True),
            ({}, False),
        ):
            self.assertIs(expected, is_open(Told(**told)), told)
        self.assertFalse(is_open(None))


class AbandonedTests(LeakCase):
    """Connections whose thread has ended."""

    def test_a_thread(self) -> None:
        """That ends a moment after it took a connection which somebody else keeps."""
        engine, held = self.watched(), []
        run(lambda: held.append(engine.connect()))
        collect()
        self.looks(0.0, 1.0)
        self.assertEqual([], self.told())
        self.looks(GRACE_SECONDS)
        self.assertEqual([ABANDONED], [each[0] for each in self.told()])
        (told,) = self.agent.ledger.whole(99, 1e6, 0.0).connections
        self.assertEqual("its thread has ended", told.leak)
        self.assertEqual(1, self.leaks)

    def test_returned_after_all(self) -> None:
        """It was none: it is not counted any more, and that is told."""
        engine, held = self.watched(), []
        run(lambda: held.append(engine.connect()))
        collect()
        self.looks(0.0, GRACE_SECONDS)
        self.assertEqual([ABANDONED], [each[0] for each in self.told()])
        held.pop().close()
        self.assertEqual([RETURNED], [each[0] for each in self.told()])
        self.assertEqual(0, self.leaks)
        with engine.connect():
            self.looks(1.0)
        self.none()

    def test_left_to_the_collector_in_the_end(self) -> None:
        """It stays a leak, and is one only."""
        engine, held = self.watched(), []
        run(lambda: held.append(engine.connect()))
        collect()
        self.looks(0.0, GRACE_SECONDS)
        self.assertEqual([ABANDONED], [each[0] for each in self.told()])
        held.clear()
        collect()
        self.assertEqual([], self.told())
        self.assertEqual(1, self.leaks)

    def test_a_thread_whose_number_is_used_again(self) -> None:
        """The one that has it now has nothing to do with it."""
        engine, held = self.watched(), []
        run(lambda: held.append(engine.connect()))
        go, there = threading.Event(), threading.Event()

        def wait() -> None:
            engine.connect().close()
            there.set()
            go.wait()

        thread = threading.Thread(target=wait)
        thread.start()
        there.wait()
        collect()
        self.looks(0.0, GRACE_SECONDS)
        self.assertEqual([ABANDONED], [each[0] for each in self.told()])
        go.set()
        thread.join()

    def test_given_to_another(self) -> None:
        """Who returns it in time, or at once: none, and later from there it is not."""
        engine, held = self.watched(), []

        def begin() -> None:
            held.append(engine.connect())

        run(begin)
        self.looks(1.0)
        held.pop().close()
        self.none()
        run(begin)
        self.looks(1.0, GRACE_SECONDS, GRACE_SECONDS)
        self.assertEqual([], self.told())
        self.looks(30.0)
        self.assertEqual([SLOW], [each[0] for each in self.told()])
        held.pop().close()
        self.assertEqual(0, self.leaks)

    def test_given_to_another_after_it_was_told(self) -> None:
        """It is known from then on that others return what is taken there."""
        engine, held = self.watched(), []

        def begin() -> None:
            held.append(engine.connect())

        for _ in range(3):
            run(begin)
            collect()
            self.looks(1.0, GRACE_SECONDS)
            held.pop().close()
        self.assertEqual([ABANDONED, RETURNED], [each[0] for each in self.told()])
        self.assertEqual(0, self.leaks)

    def test_threads_of_a_pool(self) -> None:
        """They return what they take, and end with none."""
        engine = self.watched(pool_size=3)

        def work(number: int) -> None:
            with engine.connect() as connection:
                connection.exec_driver_sql("select 1")

        with ThreadPoolExecutor(3) as executor:
            list(executor.map(work, range(50)))
        self.none()

    def test_a_scoped_session(self) -> None:
        """Removed as it should be, by each thread."""
        session = scoped_session(sessionmaker(self.watched()))

        def work() -> None:
            session.connection()
            session.remove()

        for _ in range(3):
            run(work)
        self.none()

    def test_a_scoped_session_that_is_left(self) -> None:
        """It goes with its thread's variables: returned by the collector."""
        session = scoped_session(sessionmaker(self.watched()))
        run(session.connection)
        self.assertEqual([COLLECTED], [each[0] for each in self.told()])

    def test_a_generator_that_has_a_session(self) -> None:
        """Made in a thread that waits, closed by it."""
        engine = self.watched()

        def rows() -> Generator[int, None, None]:
            with Session(engine) as session:
                session.connection()
                yield from range(3)

        def work() -> None:
            found = rows()
            next(found)
            self.looks(1.0, GRACE_SECONDS)
            found.close()

        run(work)
        self.none()

    def test_pools_that_several_threads_share(self) -> None:
        """What one took and ended with, another has: nobody can tell."""
        engine, held = self.watched(poolclass=StaticPool), []
        run(lambda: held.append(engine.connect()))
        with engine.connect():
            self.looks(0.0, 1.0, GRACE_SECONDS)
            self.assertEqual([], self.told())
        held.pop().close()

    def test_connections_of_each_thread(self) -> None:
        """As ``SingletonThreadPool`` has them, returned before their threads ended."""
        engine = self.watched(poolclass=SingletonThreadPool, pool_size=2)
        for _ in range(5):
            run(lambda: engine.connect().close())
        self.none()

    def test_the_main_thread(self) -> None:
        """However long it has one: that is told, and no leak."""
        engine = self.watched()
        with engine.connect():
            self.looks(0.0, 29.0)
            self.assertEqual([], self.told())
            self.looks(1.0, 1.0)
            found = self.told()
        self.assertEqual([SLOW], [each[0] for each in found])
        self.assertEqual(0, self.leaks)


class TaskTests(LeakCase):
    """Connections of asyncio's tasks."""

    def aio(self) -> Any:
        """A watched engine for asyncio."""
        engine = create_async_engine("fakedb+aio://", module=self.server)
        Watch(self.agent, engine.sync_engine, transactions=NONE, slow=30.0)
        return engine

    def test_a_task(self) -> None:
        """That ends with a connection which somebody else keeps."""
        engine, held = self.aio(), []

        async def work() -> None:
            held.append(await engine.connect())

        async def main() -> None:
            await asyncio.create_task(work(), name="fetch 3")
            self.looks(0.0, 1.0, GRACE_SECONDS)
            collect()
            (told,) = self.agent.ledger.collect(1, 1e6, 0.0).notices
            self.assertEqual((ABANDONED, "fetch 3"), (told.kind, told.owner))
            await held.pop().close()
            await engine.dispose()

        asyncio.run(main())

    def test_a_task_of_nothing_but_sqlalchemy(self) -> None:
        """It takes a connection for whoever awaits it."""
        engine = self.aio()

        async def main() -> None:
            for limited in (True, False):
                async with AsyncSession(engine) as session:
                    work = session.connection()
                    # From Python 3.12 on a time limit makes no task.
                    await asyncio.wait_for(asyncio.create_task(work), 5)
                    self.looks(0.0, 1.0, GRACE_SECONDS)
                connection = engine.connect()
                work = connection.start() if limited else connection
                await asyncio.gather(work)
                self.looks(0.0, 1.0, GRACE_SECONDS)
                await connection.close()
            self.none()
            await engine.dispose()

        asyncio.run(main())

    def test_a_task_that_is_cancelled(self) -> None:
        """It gives back what it has, or its connection is invalidated."""
        engine = self.aio()

        async def work() -> None:
            async with engine.connect():
                await asyncio.Event().wait()

        async def main() -> None:
            for _ in range(3):
                task = asyncio.create_task(work())
                for _ in range(5):
                    await asyncio.sleep(0)
                self.looks(1.0)
                task.cancel()
                await asyncio.wait([task])
            self.none()
            await engine.dispose()

        asyncio.run(main())

    def test_what_a_child_took_for_its_parent(self) -> None:
        """As with ``asyncio.gather``: it is known as soon as it was seen once."""
        engine = self.aio()

        async def begin() -> Any:
            return await engine.connect()

        async def main() -> None:
            for wait in (1.0, 10.0):
                (connection,) = await asyncio.gather(begin())
                self.looks(0.0, wait, wait)
                await connection.close()
            self.none()
            await engine.dispose()

        asyncio.run(main())

    def test_left_to_the_collector(self) -> None:
        """It is one leak, though there are two signs of it."""
        engine = self.aio()

        async def main() -> None:
            await engine.connect()
            collect()
            found = self.told()
            self.assertEqual([COLLECTED], [each[0] for each in found])
            await engine.dispose()

        asyncio.run(main())
        gc.collect()
        self.assertEqual(1, self.leaks)
