"""Tests of when a process looks at what it has out."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connmon.client.lookout import Lookout
from connmon.model.ledger import Ledger
from connmon.model.records import PoolFacts
from tests.model.marks import give, take


class LookoutTests(SynchronousTestCase):
    """A ledger that counts how often it is looked at."""

    def setUp(self) -> None:
        """Nothing is out; owners are asked each second whether they have ended."""
        self.clock = Clock()
        self.clock.advance(100.0)
        self.ledger = Ledger(owner_end=lambda owner: None if owner == "main" else "")
        self.pool = self.ledger.pool("engine", PoolFacts("sqlite://", "QueuePool"))
        self.pool.slow = 30.0
        self.connection = self.ledger.opened(self.pool, 100.0)
        self.looks: list[float] = []
        self.warnings: list[str] = []
        plain = self.ledger.look

        def look(now: float) -> float | None:
            self.looks.append(now)
            return plain(now)

        self.patch(self.ledger, "look", look)
        self.lookout = Lookout(self.clock, self.ledger, self.warnings.append)

    def passes(self, seconds: int) -> None:
        """Time passes."""
        for _ in range(seconds * 4):
            self.clock.advance(0.25)

    def test_nothing_is_out(self) -> None:
        """One look, and nothing that would wake an idle process."""
        self.lookout.attend()
        self.passes(1000)
        self.assertEqual([100.0], self.looks)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_something_is_out(self) -> None:
        """Once a second, until it is not."""
        take(self.connection, 100.0, "worker")
        self.lookout.attend()
        self.passes(10)
        self.assertEqual(11, len(self.looks))
        give(self.connection, 110.0)
        self.passes(1000)
        self.assertEqual(12, len(self.looks))

    def test_an_owner_that_cannot_end(self) -> None:
        """There is nothing to see before it takes long, and nothing after."""
        take(self.connection, 100.0, "main")
        self.lookout.attend()
        self.passes(1000)
        self.assertEqual([100.0, 130.0], self.looks)

    def test_a_busy_process(self) -> None:
        """However often the books are kept, there is one look a second."""
        for _ in range(40):
            take(self.connection, self.clock.seconds(), "worker")
            self.lookout.attend()
            self.clock.advance(0.25)
            give(self.connection, self.clock.seconds())
            self.lookout.attend()
        self.assertEqual([100.0 + each for each in range(11)], self.looks)

    def test_taken_while_a_later_look_was_planned(self) -> None:
        """It is looked at within a second all the same."""
        take(self.connection, 100.0, "main")
        self.lookout.attend()
        take(self.ledger.opened(self.pool, 100.5), 100.5, "worker")
        self.clock.advance(0.5)
        self.lookout.attend()
        self.passes(1)
        self.assertEqual(2, len(self.looks))

    def test_what_fails(self) -> None:
        """Is said, and the next time the books are kept there is another look."""

        def look(now: float) -> float | None:
            self.looks.append(now)
            raise RuntimeError("broken")

        self.patch(self.ledger, "look", look)
        self.lookout.attend()
        self.assertEqual(["RuntimeError: broken"], self.warnings)
        self.clock.advance(1.0)
        self.lookout.attend()
        self.assertEqual(2, len(self.looks))
