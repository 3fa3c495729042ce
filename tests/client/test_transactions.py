"""What is told of transactions, and what becomes of the dialect that tells of them.

``tests.client.test_truth`` has them in any order; the table beside it has the counts.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any
from unittest import mock

import sqlalchemy
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from connmon.client.agent import HERE
from connmon.client.autocommit import Autocommit
from connmon.client.listeners import Watch
from connmon.client.transactions import hearing_of
from connmon.model.records import DETACHED, OUT
from tests.client.fakedb import FakeDialect, Gone, OperationalError
from tests.client.truth import StandIn, TruthCase, collect

NONE = (None, None)

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
        self.assertEqual(NONE, self.told())
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
            self.assertEqual(NONE, self.told())
        connection.close()
        self.assertEqual(NONE, self.told())

    def test_a_begin_is_not_a_transaction_yet(self) -> None:
        """The database has not heard of it."""
        connection = self.connect(self.engine())
        transaction = connection.begin()
        self.wait(50.0)
        self.assertEqual(NONE, self.told())
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
        self.assertEqual(NONE, self.told())

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
        self.assertEqual(NONE, self.told())

    def test_an_end_that_fails(self) -> None:
        """It is over all the same: SQLAlchemy does not know of one any more."""
        connection = self.connect(self.engine())
        transaction = connection.begin()
        connection.exec_driver_sql("select 1")
        self.server.failures = 1
        self.assertRaises(DBAPIError, transaction.commit)
        self.assertEqual(NONE, self.told())
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
        self.assertEqual(NONE, self.told())
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
        self.assertEqual(NONE, self.told())

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
        self.assertEqual(NONE, (record.transaction, record.quiet))
        counters = self.report().counters
        self.assertEqual((1, 0), (counters.commits, counters.rollbacks))

    def test_left_to_the_pool(self) -> None:
        """Whoever does not end it has it rolled back with the check-in."""
        engine = self.engine()
        connection = self.connect(engine)
        connection.exec_driver_sql("select 1")
        del connection
        collect()
        self.assertEqual(NONE, self.told())
        self.assertEqual(1, self.report().counters.rollbacks)

    def test_a_check_in_that_ends_none(self) -> None:
        """Nobody is in it any more, and the next user begins another."""
        engine = self.engine(pool_reset_on_return=None)
        connection = self.connect(engine)
        connection.exec_driver_sql("select 1")
        del connection
        collect()
        self.assertEqual(NONE, self.told())
        self.wait(3.0)
        connection = self.connect(engine)
        self.assertEqual(NONE, self.told())
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
        self.assertEqual(NONE, self.told())

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

    def test_a_cursor_of_the_drivers_own(self) -> None:
        """What that does is not seen."""
        fairy = self.take(self.engine())
        self.truth.transacting.clear()
        fairy.cursor().execute("select 1")
        self.assertEqual(NONE, self.told())
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
        self.assertEqual(NONE, self.told())

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
            self.assertEqual(NONE, self.told())
        usual = engine.execution_options(isolation_level="SERIALIZABLE")
        with self.connect(usual) as connection:
            connection.exec_driver_sql("select 1")
            self.wait(1.0)
            self.assertEqual((1.0, 1.0), self.told())
        with self.connect(engine) as connection:
            connection.exec_driver_sql("select 1")
            self.assertEqual(NONE, self.told())

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
                self.assertEqual(NONE, self.told())
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
        Watch(self.agent, watched, transactions=True)
        self.assertIs(kind, type(watched.dialect))
        self.assertEqual(before, set(dir(kind)))
        self.assertIsNotNone(hearing_of(watched.dialect))
        self.assertIsNone(hearing_of(other.dialect))

    def test_nobody_asked(self) -> None:
        """Nothing takes any place."""
        engine = self.engine()
        before = set(vars(engine.dialect))
        Watch(self.agent, engine, transactions=False)
        self.assertEqual(before, set(vars(engine.dialect)))

    def test_nothing_is_left(self) -> None:
        """When its engine is gone, it is as it was, with what it had of its own."""
        engine: Any = self.engine()
        dialect = engine.dialect
        own = dialect.do_begin = dialect.do_rollback = lambda connection: None
        before = set(vars(dialect))
        Watch(self.agent, engine, transactions=True)
        self.assertIsNot(own, vars(dialect)["do_rollback"])
        self._cleanups.clear()
        del engine
        collect()
        self.assertEqual(before, set(vars(dialect)))
        self.assertIs(own, vars(dialect)["do_rollback"])

    def test_shared_by_two_engines(self) -> None:
        """Each counts once, and the last one leaves it as it was."""
        first: Any = self.engine()
        second: Any = Engine(first.pool.recreate(), first.dialect, first.url)
        dialect = first.dialect
        for each in (first, second):
            Watch(self.agent, each, transactions=True)
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
        Watch(self.agent, first, transactions=True)
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
        Watch(self.agent, engine, transactions=True)
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
        Watch(self.agent, engine, transactions=True)
        self.assertEqual([True], self.transactions(engine))
        self.assertIn("select 1", seen)

    def test_a_class_that_is_changed_afterwards(self) -> None:
        """As tests do that replace a method of it."""
        engine: Any = self.engine()
        Watch(self.agent, engine, transactions=True)
        with mock.patch.object(
            type(engine.dialect), "do_execute", side_effect=ValueError
        ) as replaced:
            self.assertRaises(ValueError, self.transactions, engine)
        self.assertTrue(replaced.called)
        self.assertEqual([True], self.transactions(engine))

    def test_an_instance_that_is_changed_afterwards(self) -> None:
        """A mock takes our place, and gives it back."""
        engine: Any = self.engine()
        Watch(self.agent, engine, transactions=True)
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
        Watch(self.agent, engine, transactions=True)
        self.assertEqual(["do_execute"], [str(each) for each in told])
        self.assertEqual(before, set(vars(engine.dialect)))
        self.assertEqual([False], self.transactions(engine))


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
