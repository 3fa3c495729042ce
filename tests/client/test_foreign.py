"""Tests of exceptions that are not ours, raised in the middle of us."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from sqlalchemy import create_engine
from twisted.trial.unittest import SynchronousTestCase

from connmon.client import callables
from connmon.client.agent import HERE
from connmon.client.listeners import Watch
from connmon.client.options import NONE
from connmon.model.ledger import Ledger
from tests.client.fakedb import Clock, Server


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
