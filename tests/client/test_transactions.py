"""What is told of transactions, and what becomes of the dialect that tells of them.

``tests.client.test_truth`` has them in any order; the table beside it has the counts.
"""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from connmon.client import following, listeners
from connmon.client.agent import HERE
from connmon.client.autocommit import Autocommit
from connmon.client.hearing import hearing_of
from connmon.client.listeners import Watch
from connmon.client.options import ALL, NONE
from connmon.client.tokens import KEY
from connmon.model.records import DETACHED, OUT
from tests.client.fakedb import Clock, FakeDialect, Gone, OperationalError
from tests.client.truth import StandIn, TruthCase, collect

UNTOLD = (None, None)

IS_OLD = sqlalchemy.__version__.startswith("1.")


class TransactionTests(TruthCase):
    """A transaction from its first statement to its end."""

    def told(self) -> tuple[float | None, float | None]:
        """For how long the only connection is in one, and idle in it; both true."""
        self.agree()
        (record,) = self.report().connections
        return self.ago(record.transaction), self.ago(record.quiet)

    def ago(self, then: float | None) -> float | None:
        """How long ago that was."""
        return None if then is None else self.clock.now - then

    def heard(self) -> list[int]:
        """The connections of which there is news, by their state."""
        sequence = self.comparison.reader.sequence + 1
        report = self.agent.ledger.collect(sequence, self.clock.now, 0.0)
        self.comparison.reader.read(report)
        return [each.state for each in report.connections]

    def test_idle_in_it(self) -> None:
        """Since the last statement was done, by commit or rollback it is over."""
        connection = self.connect(self.engine())
        self.assertEqual(UNTOLD, self.told())
        for end in ("commit", "rollback"):
            self.server.slowness = 3.0
            transaction = connection.begin()
            connection.exec_driver_sql("select 1")
            self.assertEqual((3.0, 0.0), self.told())
            self.wait(4.0)
            connection.exec_driver_sql("insert ?", [(1,), (2,)])
            self.wait(5.0)
            self.assertEqual((15.0, 5.0), self.told())
            getattr(transaction, end)()
            self.assertEqual(UNTOLD, self.told())
        connection.close()
        self.assertEqual(UNTOLD, self.told())

    def test_a_begin_is_not_a_transaction_yet(self) -> None:
        """The database has not heard of it."""
        connection = self.connect(self.engine())
        transaction = connection.begin()
        self.wait(50.0)
        self.assertEqual(UNTOLD, self.told())
        connection.exec_driver_sql("select 1")
        self.assertEqual((0.0, 0.0), self.told())
        transaction.commit()

    def test_while_a_statement_is_executed(self) -> None:
        """It is in a transaction, and not idle in it."""
        seen = []
        connection = self.connect(self.engine())
        self.server.meanwhile = lambda: seen.append(self.told())
        with connection.begin():
            connection.exec_driver_sql("select 1")
            self.wait(2.0)
            connection.exec_driver_sql("select 1")
        self.assertEqual([(0.0, None), (2.0, None)], seen)

    def test_while_it_is_committed(self) -> None:
        """It is in a transaction still, and not idle."""
        seen = []
        connection = self.connect(self.engine())

        def commits(fairy: Any) -> None:
            (record,) = self.report().connections
            seen.append((self.ago(record.transaction), self.ago(record.quiet)))
            fairy.commit()

        with mock.patch.object(FakeDialect, "do_commit", lambda _, f: commits(f)):
            with connection.begin():
                connection.exec_driver_sql("select 1")
                self.wait(7.0)
            self.assertEqual([(7.0, None)], seen)
        self.assertEqual(UNTOLD, self.told())

    def test_a_statement_that_fails(self) -> None:
        """It is done; the transaction goes on until it is rolled back."""
        connection = self.connect(self.engine())

        def fail() -> None:
            raise OperationalError("no such table")

        with connection.begin() as transaction:
            connection.exec_driver_sql("select 1")
            self.server.meanwhile = fail
            with self.assertRaises(DBAPIError):
                connection.exec_driver_sql("select 1")
            self.truth.executed(connection.connection.dbapi_connection.serial)
            self.wait(1.0)
            self.assertEqual((1.0, 1.0), self.told())
            transaction.rollback()
        self.assertEqual(UNTOLD, self.told())

    def test_an_end_that_fails(self) -> None:
        """It is over all the same: SQLAlchemy does not know of one any more."""
        connection = self.connect(self.engine())
        transaction = connection.begin()
        connection.exec_driver_sql("select 1")
        self.server.failures = 1
        self.assertRaises(DBAPIError, transaction.commit)
        self.assertEqual(UNTOLD, self.told())
        self.assertEqual(1, self.report().counters.commits)

    def test_the_connection_is_lost(self) -> None:
        """And with it the transaction."""
        connection = self.connect(self.engine())
        with self.assertRaises(DBAPIError) as caught, connection.begin():
            connection.exec_driver_sql("select 1")
            self.server.cut_off(connection.connection.dbapi_connection.serial)
            connection.exec_driver_sql("select 1")
        self.assertIsInstance(caught.exception.orig, Gone)
        self.assertEqual((), self.report().connections)

    def test_savepoints(self) -> None:
        """They begin and end none: each of their statements is one more."""
        connection = self.connect(self.engine())
        with connection.begin():
            connection.exec_driver_sql("select 1")
            self.wait(1.0)
            nested = connection.begin_nested()
            self.assertEqual((1.0, 0.0), self.told())
            self.wait(1.0)
            nested.rollback()
            self.wait(1.0)
            self.assertEqual((3.0, 1.0), self.told())
            with connection.begin_nested():
                pass
            self.assertEqual((3.0, 0.0), self.told())
        self.assertEqual(UNTOLD, self.told())
        self.assertEqual(1, self.report().counters.commits)

    def test_two_phases(self) -> None:
        """It is over with the second."""
        connection = self.connect(self.engine())
        transaction = connection.begin_twophase()
        connection.exec_driver_sql("select 1")
        transaction.prepare()
        self.wait(9.0)
        self.assertEqual((9.0, 9.0), self.told())
        transaction.commit()
        self.assertEqual(UNTOLD, self.told())

    def test_two_phases_that_execute_and_roll_back_by_themselves(self) -> None:
        """As PostgreSQL's do: that is one commit, and no transaction of its own."""

        def commits(dialect: Any, connection: Any, xid: Any, *flags: Any) -> None:
            connection.exec_driver_sql("commit prepared")
            dialect.do_rollback(connection.connection)

        connection = self.connect(self.engine())
        with mock.patch.object(FakeDialect, "do_commit_twophase", commits):
            transaction = connection.begin_twophase()
            connection.exec_driver_sql("select 1")
            transaction.commit()
        (record,) = self.report().connections
        self.assertEqual(UNTOLD, (record.transaction, record.quiet))
        counters = self.report().counters
        self.assertEqual((1, 0), (counters.commits, counters.rollbacks))

    def test_left_to_the_pool(self) -> None:
        """Whoever does not end it has it rolled back with the check-in."""
        engine = self.engine()
        connection = self.connect(engine)
        connection.exec_driver_sql("select 1")
        del connection
        collect()
        self.assertEqual(UNTOLD, self.told())
        self.assertEqual(1, self.report().counters.rollbacks)

    def test_a_check_in_that_ends_none(self) -> None:
        """Nobody is in it any more, and the next user begins another."""
        engine = self.engine(pool_reset_on_return=None)
        connection = self.connect(engine)
        connection.exec_driver_sql("select 1")
        del connection
        collect()
        self.assertEqual(UNTOLD, self.told())
        self.wait(3.0)
        connection = self.connect(engine)
        self.assertEqual(UNTOLD, self.told())
        connection.exec_driver_sql("select 1")
        self.wait(1.0)
        self.assertEqual((1.0, 1.0), self.told())

    def test_detached(self) -> None:
        """It is in one as any other."""
        connection = self.connect(self.engine(future=True))
        connection.detach()
        connection.exec_driver_sql("select 1")
        self.wait(2.0)
        self.assertEqual((2.0, 2.0), self.told())
        self.assert_states(DETACHED)
        connection.exec_driver_sql("select 1")
        self.assertEqual((2.0, 0.0), self.told())
        connection.get_transaction().commit()
        self.assertEqual(UNTOLD, self.told())

    def test_two_users_of_one_connection(self) -> None:
        """A second one, as ``StaticPool`` allows, ends nobody's transaction."""
        engine = self.engine(poolclass=StaticPool)
        first = self.connect(engine)
        first.exec_driver_sql("select 1")
        self.wait(5.0)
        second = self.connect(engine)
        self.assertEqual((5.0, 5.0), self.told())
        second.exec_driver_sql("select 1")
        self.assertEqual((5.0, 0.0), self.told())

    def test_a_user_of_what_another_gave_back(self) -> None:
        """Nobody has that, as far as its pool is concerned."""
        engine = self.engine(poolclass=StaticPool)
        first, second = self.connect(engine), self.connect(engine)
        first.close()
        second.exec_driver_sql("select 1")
        self.assertEqual(UNTOLD, self.told())

    def test_a_cursor_of_the_drivers_own(self) -> None:
        """What that does is not seen."""
        fairy = self.take(self.engine())
        self.truth.transacting.clear()
        fairy.cursor().execute("select 1")
        self.assertEqual(UNTOLD, self.told())
        fairy.close()
        self.assertEqual(0, self.report().counters.rollbacks)

    def test_a_statement_of_no_context(self) -> None:
        """Dialects execute some things by themselves."""
        engine = self.engine()
        connection = self.connect(engine)
        cursor = connection.connection.cursor()
        self.truth.transacting.clear()
        for each in ("do_execute", "do_executemany"):
            getattr(engine.dialect, each)(cursor, "select 1", ())
        engine.dialect.do_execute_no_params(cursor, "select 1")
        self.assertEqual(UNTOLD, self.told())

    def test_statements_without_parameters(self) -> None:
        """They go another way."""
        connection = self.connect(self.engine())
        connection = connection.execution_options(no_parameters=True)
        connection.exec_driver_sql("select 1")
        self.wait(1.0)
        self.assertEqual((1.0, 1.0), self.told())

    def test_autocommit(self) -> None:
        """No transaction, whoever asked for it; the next one to have it is in one.

        With SQLAlchemy 1.4 each dialect takes that by itself, and this one does not.
        """
        if IS_OLD:
            raise SkipTest("the dialect of the tests has no isolation level then")
        engine = self.engine(isolation_level="AUTOCOMMIT")
        with self.connect(engine) as connection:
            connection.exec_driver_sql("select 1")
            self.assertEqual(UNTOLD, self.told())
        usual = engine.execution_options(isolation_level="SERIALIZABLE")
        with self.connect(usual) as connection:
            connection.exec_driver_sql("select 1")
            self.wait(1.0)
            self.assertEqual((1.0, 1.0), self.told())
        with self.connect(engine) as connection:
            connection.exec_driver_sql("select 1")
            self.assertEqual(UNTOLD, self.told())

    def test_autocommit_of_one_connection(self) -> None:
        """As long as it is out, or of a copy of the engine."""
        engine = self.engine()
        copy = engine.execution_options(isolation_level="AUTOCOMMIT")
        for again in range(2):
            with self.connect(engine) as plain:
                plain.exec_driver_sql("select 1")
                self.assertEqual((0.0, 0.0), self.told())
            with self.connect(copy if again else engine) as connection:
                each = connection.execution_options(isolation_level="AUTOCOMMIT")
                each.exec_driver_sql("select 1")
                self.assertEqual(UNTOLD, self.told())
        self.assertEqual((0, 2), self.report().counters[8:10])

    def test_what_is_news(self) -> None:
        """Each statement that begins or is done after the last report, and each end."""
        connection = self.connect(self.engine())
        self.heard()
        self.assertEqual([], self.heard())
        transaction = connection.begin()
        self.assertEqual([], self.heard())
        connection.exec_driver_sql("select 1")
        self.assertEqual([OUT], self.heard())
        self.wait(60.0)
        self.assertEqual([], self.heard())
        seen: list[Any] = []
        self.server.meanwhile = lambda: seen.append(self.heard())
        connection.exec_driver_sql("select 1")
        self.assertEqual([[OUT]], seen)
        self.assertEqual([OUT], self.heard())
        transaction.commit()
        self.assertEqual([OUT], self.heard())
        self.assertEqual([], self.heard())

    def test_many_statements_wake_once(self) -> None:
        """The reporting thread hears of the first after each report, and no more."""
        woken: list[bool] = []

        def wake() -> bool:
            woken.append(True)
            return True

        self.agent.ledger._wake = wake
        connection = self.connect(self.engine())
        self.heard()
        woken.clear()
        for _ in range(100):
            connection.exec_driver_sql("select 1")
        self.assertEqual([True], woken)


class DialectTests(SynchronousTestCase):
    """The engine's dialect is the application's."""

    def setUp(self) -> None:
        """An agent, and nothing of ours that has failed."""
        self.agent: Any = StandIn()
        failures = HERE.failures
        self.addCleanup(lambda: self.assertEqual(failures, HERE.failures))

    def engine(self, **options: Any) -> Engine:
        """An engine that nobody watches yet."""
        engine = create_engine("sqlite://", poolclass=QueuePool, **options)
        self.addCleanup(engine.dispose)
        return engine

    def transactions(self, *engines: Engine) -> list[bool]:
        """Use each engine; whether what is out is in a transaction then."""
        found = []
        for engine in engines:
            with engine.connect() as connection:
                connection.exec_driver_sql("select 1")
                report = self.agent.ledger.whole(1, 0.0, 0.0)
                found += [each.transaction is not None for each in report.connections]
            engine.dispose()
        return found

    def test_what_it_looks_like(self) -> None:
        """It is of its class, and another of that is not concerned."""
        watched, other = self.engine(), self.engine()
        kind = type(watched.dialect)
        before = set(dir(kind))
        Watch(self.agent, watched, transactions=ALL)
        self.assertIs(kind, type(watched.dialect))
        self.assertEqual(before, set(dir(kind)))
        self.assertIsNotNone(hearing_of(watched.dialect))
        self.assertIsNone(hearing_of(other.dialect))

    def test_nobody_asked(self) -> None:
        """Nothing takes any place."""
        engine = self.engine()
        before = set(vars(engine.dialect))
        Watch(self.agent, engine, transactions=NONE)
        self.assertEqual(before, set(vars(engine.dialect)))

    def test_nothing_is_left(self) -> None:
        """When its engine is gone, it is as it was, with what it had of its own."""
        engine: Any = self.engine()
        dialect = engine.dialect
        own = dialect.do_begin = dialect.do_rollback = lambda connection: None
        before = set(vars(dialect))
        Watch(self.agent, engine, transactions=ALL)
        self.assertIsNot(own, vars(dialect)["do_rollback"])
        self._cleanups.clear()
        del engine
        collect()
        self.assertEqual(before, set(vars(dialect)))
        self.assertIs(own, vars(dialect)["do_rollback"])

    def test_nothing_comes_back(self) -> None:
        """When its engine is gone, the books of its pool are kept nevertheless."""
        engine: Any = self.engine()
        dialect, watch = engine.dialect, Watch(self.agent, engine)
        self.transactions(engine)
        ours = {each for each in vars(dialect) if each.startswith(("do_", "__"))}
        self.assertIn("do_execute", ours)
        self._cleanups.clear()
        del engine
        collect()
        self.agent.ledger.collect(1, 0.0, 0.0)
        watch.following.resume(watch.pool())
        self.assertEqual(set(), ours & set(vars(dialect)))

    def test_a_class_whose_callable_is_no_function(self) -> None:
        """It is called as Python would call it."""
        engine: Any = self.engine()
        Watch(self.agent, engine, transactions=ALL)
        self.transactions(engine)
        kind, told = type(engine.dialect), []
        for callable_ in (
            mock.Mock(side_effect=lambda fairy: told.append("mock")),
            staticmethod(lambda fairy: told.append("static")),
            lambda dialect, fairy: told.append("function"),
        ):
            with mock.patch.object(kind, "do_rollback", callable_):
                self.transactions(engine)
        self.assertEqual(["mock", "static", "function"], told)

    def test_shared_by_two_engines(self) -> None:
        """Each counts once, and the last one leaves it as it was."""
        first: Any = self.engine()
        second: Any = Engine(first.pool.recreate(), first.dialect, first.url)
        dialect = first.dialect
        for each in (first, second):
            Watch(self.agent, each, transactions=ALL)
        self.assertEqual([True, True], self.transactions(first, second))
        self.assertEqual(2, self.agent.ledger.whole(1, 0.0, 0.0).counters.rollbacks)
        self._cleanups.clear()
        del first, each
        collect()
        self.assertIsNotNone(hearing_of(dialect))
        del second
        collect()
        self.assertEqual(
            [], [each for each in vars(dialect) if each.startswith(("do_", "__"))]
        )
        self.assertIsNone(hearing_of(dialect))

    def test_shared_with_an_engine_that_is_not_watched(self) -> None:
        """That works, and nothing is told of it."""
        first: Any = self.engine()
        Watch(self.agent, first, transactions=ALL)
        bare = create_engine("sqlite://", poolclass=QueuePool)
        other = Engine(bare.pool, first.dialect, first.url)
        self.assertEqual([], self.transactions(other))
        with other.begin() as connection:
            connection.exec_driver_sql("create table t (x)")
            connection.exec_driver_sql("insert into t values (?)", [(1,), (2,)])
        other.dispose()

    def test_copies_are_without_us(self) -> None:
        """So what is changed in one holds for that one."""
        engine: Any = self.engine()
        own = engine.dialect.do_commit = lambda connection: connection.commit()
        before = set(vars(engine.dialect))
        Watch(self.agent, engine, transactions=ALL)
        copied: Any = copy.copy(engine.dialect)
        self.assertEqual(before, set(vars(copied)))
        self.assertIs(own, vars(copied)["do_commit"])
        self.assertIs(type(engine.dialect), type(copied))

    def test_its_own_overrides_are_called(self) -> None:
        """An application's, from before, with whatever it replaces."""
        engine: Any = self.engine()
        seen = []
        plain = engine.dialect.do_execute

        def do_execute(cursor: Any, statement: str, *rest: Any) -> None:
            seen.append(statement)
            plain(cursor, statement, *rest)

        engine.dialect.do_execute = do_execute
        Watch(self.agent, engine, transactions=ALL)
        self.assertEqual([True], self.transactions(engine))
        self.assertIn("select 1", seen)

    def test_a_class_that_is_changed_afterwards(self) -> None:
        """As tests do that replace a method of it."""
        engine: Any = self.engine()
        Watch(self.agent, engine, transactions=ALL)
        with mock.patch.object(
            type(engine.dialect), "do_execute", side_effect=ValueError
        ) as replaced:
            self.assertRaises(ValueError, self.transactions, engine)
        self.assertTrue(replaced.called)
        self.assertEqual([True], self.transactions(engine))

    def test_an_instance_that_is_changed_afterwards(self) -> None:
        """A mock takes our place, and gives it back."""
        engine: Any = self.engine()
        Watch(self.agent, engine, transactions=ALL)
        self.assertEqual([True], self.transactions(engine))
        with mock.patch.object(engine.dialect, "do_rollback") as replaced:
            self.transactions(engine)
        self.assertTrue(replaced.called)
        self.assertEqual([True], self.transactions(engine))

    def test_a_dialect_that_keeps_its_callables(self) -> None:
        """It goes without; the engine works, and that is told once."""
        engine: Any = self.engine()

        class Stubborn(type(engine.dialect)):  # type: ignore[misc]
            """One that refuses the last of our callables."""

            supports_statement_cache = True

            def __setattr__(self, name: str, value: Any) -> None:
                if name == "do_execute":
                    raise AttributeError(name)
                super().__setattr__(name, value)

        engine.dialect.__class__ = Stubborn
        before = set(vars(engine.dialect))
        told: list[Exception] = []
        self.patch(HERE, "failed", told.append)
        Watch(self.agent, engine, transactions=ALL)
        self.assertEqual(["do_execute"], [str(each) for each in told])
        self.assertEqual(before, set(vars(engine.dialect)))
        self.assertEqual([False], self.transactions(engine))


class BudgetTests(SynchronousTestCase):
    """So many checkouts of a pool are followed from one report to the next."""

    def setUp(self) -> None:
        """Two at a time, in a process of its own."""
        self.patch(listeners, "FOLLOWED", 2)
        self.clock = Clock()
        self.patch(following, "monotonic", self.clock.monotonic)
        self.patch(following, "REST_SECONDS", 0.0)
        self.agent = cast("Any", StandIn())
        self.engine: Any = create_engine(
            "sqlite://",
            poolclass=QueuePool,
            pool_size=4,
            connect_args={"check_same_thread": False},
        )
        self.addCleanup(self.engine.dispose)
        self.watch: Any = Watch(self.agent, self.engine)
        self.sequence = 0

    def keep_books(self) -> None:
        """What a report does."""
        self.sequence += 1
        self.agent.ledger.collect(self.sequence, 0.0, 0.0)

    def taken(self, count: int) -> list[Any]:
        """So many, each in a transaction."""
        found = [self.engine.connect() for _ in range(count)]
        for connection in found:
            self.addCleanup(connection.close)
            connection.exec_driver_sql("select 1")
        return found

    def told(self, connection: Any) -> bool:
        """Whether that is told to be in a transaction."""
        ours = connection.connection._connection_record.info[KEY]
        return ours.look().transaction is not None

    def test_no_more(self) -> None:
        """Those beyond it are in no transaction, as far as anybody knows."""
        found = self.taken(4)
        self.assertEqual([True, True, False, False], list(map(self.told, found)))
        self.keep_books()
        found[3].exec_driver_sql("select 1")
        self.assertFalse(self.told(found[3]))

    def test_those_that_follow_a_report(self) -> None:
        """There are as many again."""
        self.taken(2)
        self.keep_books()
        self.assertEqual([True, True], list(map(self.told, self.taken(2))))

    def test_a_checkout_is_followed_to_its_end(self) -> None:
        """Whatever else is taken meanwhile, and through all of its transactions."""
        (first,) = self.taken(1)
        for _ in range(5):
            with self.engine.connect() as connection:
                connection.exec_driver_sql("select 1")
        first.commit() if hasattr(first, "commit") else first.begin().commit()
        self.assertFalse(self.told(first) and not IS_OLD)
        first.exec_driver_sql("select 1")
        self.assertTrue(self.told(first))

    def test_all_of_them(self) -> None:
        """If that is asked for, also by another engine with the same pool."""
        other = Engine(self.engine.pool, self.engine.dialect, self.engine.url)
        Watch(self.agent, other, transactions=ALL)
        Watch(self.agent, other, transactions=NONE)
        self.assertEqual([True] * 4, list(map(self.told, self.taken(4))))

    def test_of_a_connection_from_before_a_fork(self) -> None:
        """It is known anew, and what it was is not followed."""
        connection = self.engine.connect()
        connection.close()
        # What a child has at its first use of a pool.
        self.patch(self.watch, "_agent", StandIn())
        (connection,) = self.taken(1)
        self.assertEqual(1, len(self.watch.following.connections))
        self.assertTrue(self.told(connection))
        connection.close()
        self.assertEqual(set(), self.watch.following.connections)

    def heard(self) -> set[str]:
        """What of the dialect's is ours."""
        return {each for each in vars(self.engine.dialect) if each.startswith("do_")}

    def test_at_rest(self) -> None:
        """When the last that is followed is over, nothing stands in anybody's way."""
        everything = self.heard()
        self.assertIn("do_execute", everything)
        first, second, third = self.taken(3)
        first.close()
        self.assertEqual(everything, self.heard())
        second.close()
        self.assertEqual(set(), self.heard())
        third.exec_driver_sql("select 1")
        # Two threads may find that at once.
        self.watch.following.rest(self.watch.pool())
        for _ in range(2):
            self.keep_books()
            self.use_up(1)
        self.assertEqual(set(), self.heard() - everything)
        self.keep_books()
        self.assertEqual(everything, self.heard())
        self.assertEqual([True], list(map(self.told, self.taken(1))))

    def test_a_pool_that_is_used_much(self) -> None:
        """It is followed again after a rest; one that is used less, all the time."""
        self.patch(following, "REST_SECONDS", 10.0)
        told = []
        for used in (1, 1, 1, 2, 1, 1, 2, 2):
            self.keep_books()
            connections = self.taken(used)
            told.append([self.told(each) for each in connections])
            for connection in connections:
                connection.close()
            self.clock.now += 4.0
        self.assertEqual([[True]] * 3 + [[True] * 2], told[:4])
        self.assertEqual([[False]] * 2 + [[True] * 2, [False] * 2], told[4:])

    def test_a_pool_that_is_used_no_more(self) -> None:
        """It is followed again after a rest, though nothing is reported then."""
        self.patch(following, "REST_SECONDS", 10.0)
        for connection in self.taken(2):
            connection.close()
        ledger, began = self.agent.ledger, self.clock.now
        self.clock.now += 1.0
        self.keep_books()
        self.assertTrue(ledger.needs_looks)
        self.assertEqual(began + 10.0, ledger.look(self.clock.now))
        self.clock.now = began + 10.0
        self.assertIsNone(ledger.look(self.clock.now))
        self.assertFalse(ledger.needs_looks)
        self.assertEqual([True], list(map(self.told, self.taken(1))))

    def test_a_fork_at_rest(self) -> None:
        """The child hears again as soon as it uses the pool, whoever had the turn."""
        self.patch(following, "REST_SECONDS", 10.0)
        for connection in self.taken(2):
            connection.close()
        self.keep_books()
        self.assertEqual(set(), self.heard())
        self.watch.following._turn.acquire()
        self.watch.following.connections.add(object())
        self.patch(following, "getpid", lambda: -1)
        self.patch(self.watch, "_agent", StandIn())
        (connection,) = self.taken(1)
        self.assertTrue(self.told(connection))
        connection.close()
        self.assertEqual(set(), self.watch.following.connections)

    def test_a_wrapper_of_the_applications(self) -> None:
        """It looks like ours, and is left where it is, for every statement."""
        seen = []
        plain = self.engine.dialect.do_execute

        @functools.wraps(plain)
        def do_execute(*arguments: Any) -> Any:
            seen.append("own")
            return plain(*arguments)

        self.engine.dialect.do_execute = do_execute
        for times in range(1, 4):
            for connection in self.taken(3):
                connection.close()
            self.keep_books()
            self.assertEqual(3 * times, len(seen))
            self.assertIs(do_execute, self.engine.dialect.do_execute)

    def use_up(self, times: int) -> None:
        """Use up all that can be followed, so often."""
        for _ in range(times):
            for connection in self.taken(2):
                connection.close()
            self.keep_books()

    def test_a_patch_that_lasts_over_a_rest(self) -> None:
        """Nobody brings back what it had put there, and transactions are told."""
        with mock.patch.object(self.engine.dialect, "do_rollback") as patched:
            self.use_up(2)
        self.assert_undone(patched)

    def test_a_patch_that_begins_at_rest(self) -> None:
        """Likewise."""
        for connection in self.taken(2):
            connection.close()
        with mock.patch.object(self.engine.dialect, "do_rollback") as patched:
            self.keep_books()
            self.use_up(2)
        self.assert_undone(patched)

    def assert_undone(self, patched: Any) -> None:
        """What was patched is not called any more, and told of."""
        calls = patched.call_count
        self.assertGreater(calls, 0)
        for _ in range(2):
            self.use_up(1)
            found = self.taken(2)
            self.assertEqual([True] * 2, list(map(self.told, found)))
            for connection in found:
                self.engine.dialect.do_rollback(connection.connection)
            self.assertEqual([False] * 2, list(map(self.told, found)))
            for connection in found:
                connection.close()
            self.keep_books()
        self.assertEqual(calls, patched.call_count)

    def test_no_rest_for_those_who_follow_all(self) -> None:
        """Nor before the budget is used up; then a report changes nothing."""
        everything, ours = self.heard(), self.engine.dialect.do_execute
        self.taken(1)[0].close()
        self.assertEqual(everything, self.heard())
        self.keep_books()
        self.assertIs(ours, self.engine.dialect.do_execute)
        self.watch.follow_transactions(self.engine, ALL)
        for connection in self.taken(4):
            connection.close()
        self.assertEqual(everything, self.heard())

    def test_no_rest_while_another_pool_is_heard(self) -> None:
        """Of engines that share a dialect, the other may have checkouts to follow."""
        everything = self.heard()
        bare = create_engine("sqlite://", poolclass=QueuePool)
        other: Any = Engine(bare.pool, self.engine.dialect, self.engine.url)
        Watch(self.agent, other)
        for connection in self.taken(3):
            connection.close()
        self.assertEqual(everything, self.heard())
        with other.connect() as connection:
            connection.exec_driver_sql("select 1")
            self.assertTrue(self.told(connection))
        other.dispose()

    def test_what_an_application_does_to_a_dialect_at_rest(self) -> None:
        """It holds while we hear again, and is gone when it is taken back."""
        seen = []
        dialect = self.engine.dialect

        def do_execute(*arguments: Any) -> None:
            seen.append("own")
            type(dialect).do_execute(dialect, *arguments)

        for connection in self.taken(2):
            connection.close()
        dialect.do_execute = do_execute
        self.keep_books()
        first, second = self.taken(2)
        self.assertTrue(self.told(first))
        self.assertEqual(["own", "own"], seen)
        first.close()
        second.close()
        self.assertIs(do_execute, vars(dialect)["do_execute"])
        del dialect.do_execute
        self.keep_books()
        for connection in self.taken(2):
            connection.close()
        self.assertEqual(set(), self.heard())

    def test_nothing_is_left(self) -> None:
        """However a checkout ends, its connection is not followed any more."""
        Watch(self.agent, self.engine, transactions=ALL)
        ends: dict[str, Callable[[Any], Any]] = {
            "returned": lambda connection: connection.close(),
            "invalidated": lambda connection: connection.invalidate(),
            "detached": lambda connection: (connection.detach(), connection.close()),
            "collected": lambda connection: None,
        }
        for how, end in ends.items():
            connection = self.engine.connect()
            connection.exec_driver_sql("select 1")
            self.assertEqual(1, len(self.watch.following.connections), how)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                end(connection)
                del connection
                collect()
            self.assertEqual(set(), self.watch.following.connections, how)

    @given(st.lists(st.sampled_from(["take", "give", "execute", "commit", "report"])))
    def test_what_is_told_is_so(self, steps: list[str]) -> None:
        """Of each that is followed all, in any order of things, of others nothing."""
        history = History(self.engine, self.keep_books)
        try:
            for step in steps:
                history.does(step)
                for connection in history.out:
                    known = connection in history.within
                    self.assertEqual(known, self.told(connection))
        finally:
            for connection in history.out:
                connection.close()
        self.assertEqual(set(), self.watch.following.connections)


class History:
    """What became of the connections of an engine, and what is to be told of it."""

    def __init__(self, engine: Engine, report: Callable[[], None]) -> None:
        """None is out. Two checkouts are followed from one report to the next."""
        self._engine, self._keep_books = engine, report
        self.out: list[Any] = []
        #: Those that are followed, and of these the ones in a transaction.
        self.followed: list[Any] = []
        self.within: list[Any] = []
        self._left = 0
        self.report()

    def does(self, step: str) -> None:
        """One of the methods below, if there is anything to do it to."""
        if step == "report" or (len(self.out) < 4 if step == "take" else self.out):
            getattr(self, step)()

    def take(self) -> None:
        """Take a connection."""
        connection = self._engine.connect()
        self.out.append(connection)
        if self._left:
            self._left -= 1
            self.followed.append(connection)

    def give(self) -> None:
        """Return the one that was taken first."""
        connection = self.out.pop(0)
        for each in (self.followed, self.within):
            if connection in each:
                each.remove(connection)
        connection.close()

    def execute(self) -> None:
        """Do something by the one that was taken last."""
        connection = self.out[-1]
        connection.exec_driver_sql("select 1")
        if connection in self.followed and connection not in self.within:
            self.within.append(connection)

    def commit(self) -> None:
        """Have its dialect commit that."""
        connection = self.out[-1]
        self._engine.dialect.do_commit(connection.connection)
        if connection in self.within:
            self.within.remove(connection)

    def report(self) -> None:
        """Have the books kept."""
        self._left = 2
        self._keep_books()


class AskingTests(SynchronousTestCase):
    """Whether a driver commits each statement, behind SQLAlchemy's back."""

    def asked(self, driver: str, connection: object, level: str | None = None) -> bool:
        """What is said of a connection of this driver's."""
        dialect = SimpleNamespace(driver=driver, _on_connect_isolation_level=None)
        fairy = SimpleNamespace(dbapi_connection=connection)
        options = {} if level is None else {"isolation_level": level}
        return Autocommit(dialect).holds(
            SimpleNamespace(_execution_options=options, _dbapi_connection=fairy)
        )

    def test_an_attribute(self) -> None:
        """Those of PostgreSQL have one."""
        for driver in ("psycopg2", "psycopg", "psycopg_async", "asyncpg", "pg8000"):
            for value in (True, False):
                connection = SimpleNamespace(autocommit=value)
                self.assertEqual(value, self.asked(driver, connection), driver)

    def test_a_method(self) -> None:
        """Those of MySQL have one, SQLAlchemy's adapters not always."""
        for value in (True, False):
            connection = SimpleNamespace(get_autocommit=lambda value=value: value)
            for driver in ("pymysql", "mysqldb"):
                self.assertEqual(value, self.asked(driver, connection), driver)
            adapter = SimpleNamespace(_connection=connection)
            for driver in ("aiomysql", "asyncmy"):
                self.assertEqual(value, self.asked(driver, adapter), driver)

    def test_others_are_not_asked(self) -> None:
        """They might ask the server, or mean something else by it."""
        connection = mock.Mock(autocommit=True)
        for driver in ("mysqlconnector", "pysqlite", "unheard_of"):
            self.assertFalse(self.asked(driver, connection))
        self.assertEqual([], connection.mock_calls)

    def test_what_cannot_be_read(self) -> None:
        """It means no."""
        self.assertFalse(self.asked("psycopg", object()))
        self.assertFalse(self.asked("pymysql", None))

    def test_what_sqlalchemy_was_told_goes_first(self) -> None:
        """Then no driver is asked."""
        self.assertTrue(self.asked("psycopg", object(), "AUTOCOMMIT"))
        self.assertTrue(self.asked("psycopg", object(), "autocommit"))
        self.assertFalse(self.asked("psycopg", object(), "READ COMMITTED"))
