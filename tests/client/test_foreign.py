"""Tests of exceptions that are not ours, raised in the middle of us."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import skipIf

from sqlalchemy import create_engine
from twisted.trial.unittest import SynchronousTestCase

from connmon.client import callables
from connmon.client.agent import HERE
from connmon.client.listeners import Watch
from connmon.client.options import ALL, NONE
from connmon.model.ledger import Ledger
from tests.client.fakedb import Clock, OperationalError, Server


class Alarm(Exception):
    """What a time limit of the application raises."""


class StandIn:
    """An agent that only keeps a ledger."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.ledger = Ledger()


class Unconcerned:
    """A witness to connections who does not care."""

    def made(self, serial: int, pool: int, seconds: float) -> None:
        """A connection was made."""

    def refused(self, pool: int) -> None:
        """A connection was not made."""

    def gone(self, serial: int, closed: bool) -> None:
        """A connection is no more."""

    def executes(self, serial: int) -> None:
        """A statement begins."""

    def executed(self, serial: int) -> None:
        """A statement is done."""

    def ends(self, serial: int, what: str) -> None:
        """A transaction ends."""


class ForeignTests(SynchronousTestCase):
    """An application that is interrupted, wherever it happens to be."""

    def setUp(self) -> None:
        """An engine that is watched."""
        agent: Any = StandIn()
        self.ledger: Ledger = agent.ledger
        server = Server(Clock(), Unconcerned())
        self.engine = create_engine("fakedb://", module=server)
        Watch(agent, self.engine, transactions=NONE)
        self.engine.connect().close()

    def interrupt(self, raises: Callable[[], None]) -> None:
        """Have something raised while a checkout is noted."""

        def interrupted() -> float:
            raises()
            return 0.0

        self.patch(callables, "monotonic", interrupted)

    def test_what_a_signal_handler_raises(self) -> None:
        """It reaches the application, whatever its type."""

        def handler(number: int, frame: Any) -> None:
            raise TimeoutError("the application's own")

        before = signal.signal(signal.SIGUSR1, handler)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        self.interrupt(lambda: signal.raise_signal(signal.SIGUSR1))
        failures = HERE.failures
        self.assertRaises(TimeoutError, self.engine.raw_connection)
        self.assertEqual(failures, HERE.failures)

    def test_what_another_thread_throws_in(self) -> None:
        """It is known by its type, which is none that we could raise."""

        def thrown() -> None:
            raise Alarm

        self.interrupt(thrown)
        self.assertRaises(Alarm, self.engine.raw_connection)

    def test_what_is_ours(self) -> None:
        """It is counted, and the application has its connection."""
        said: list[str] = []
        self.patch(HERE, "failures", 0)
        self.patch(HERE, "failed", lambda error: said.append(repr(error)))

        def fault() -> None:
            raise RuntimeError("a fault of ours")

        self.interrupt(fault)
        self.engine.raw_connection().close()
        self.assertIn("RuntimeError('a fault of ours')", said)


@skipIf(
    sys.version_info < (3, 11) or sys.implementation.name == "pypy",
    "Python 3.10 and PyPy restore what is left out",
)
class TracebackTests(SynchronousTestCase):
    """What a traceback shows that passed through us."""

    def setUp(self) -> None:
        """An engine that is watched, its transactions too, with one connection."""
        agent: Any = StandIn()
        self.server = Server(Clock(), Unconcerned())
        self.engine = create_engine(
            "fakedb://",
            module=self.server,
            pool_size=1,
            max_overflow=0,
            pool_timeout=0,
        )
        Watch(agent, self.engine, transactions=ALL)
        self.addCleanup(self.engine.dispose)

    def shown(self, work: Callable[[], object]) -> str:
        """The traceback of what this raises, with all that led to it."""
        try:
            work()
        except Exception:  # noqa: BLE001  whatever it is
            return traceback.format_exc()
        raise AssertionError("nothing was raised")

    def assert_unseen(self, work: Callable[[], object], *expected: str) -> None:
        """We are not in it, and all else is."""
        found = self.shown(work)
        self.assertNotIn(str(Path("connmon", "client")), found)
        for each in ("work()", *expected):
            self.assertIn(each, found)

    def test_a_statement(self) -> None:
        """One, several, and one without parameters."""

        def fail() -> None:
            raise OperationalError("no such table")

        with self.engine.connect() as connection:
            self.server.meanwhile = fail
            execute = connection.exec_driver_sql
            self.assert_unseen(lambda: execute("select 1"), "no such table", "in fail")
            self.assert_unseen(lambda: execute("insert ?", [(1,), (2,)]), "in fail")
            bare = connection.execution_options(no_parameters=True)
            self.assert_unseen(lambda: bare.exec_driver_sql("select 1"), "in fail")

    def test_an_end(self) -> None:
        """By commit, and by rollback."""
        for end in ("commit", "rollback"):
            with self.engine.connect() as connection:
                transaction = connection.begin()
                connection.exec_driver_sql("select 1")
                self.server.failures = 1
                self.assert_unseen(getattr(transaction, end), "out of space")

    def test_a_connection_that_is_refused(self) -> None:
        """The driver's own error, through pool and engine."""
        self.server.refusals = 1
        self.assert_unseen(self.engine.connect, "connection refused")

    def test_a_timeout(self) -> None:
        """That of a pool, also of one that was disposed of."""
        held: list[Any] = [self.engine.connect()]
        self.assert_unseen(self.engine.connect, "QueuePool limit")
        pool = self.engine.pool
        self.engine.dispose()
        held.append(pool.connect())
        self.assert_unseen(pool.connect, "QueuePool limit")
        for each in held:
            each.close()
