"""Tests of the black box: which incidents a node keeps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.blackbox import BlackBox
from connmon.model.records import Identity, Incident, InLine, PoolFacts

FACTS = PoolFacts("sqlite:///x.db", "QueuePool", 5, 10)


def who(token: str) -> Identity:
    """A process."""
    return Identity(token, "h1", "api", 42)


def incident(number: int) -> Incident:
    """A process's incident of this number."""
    return Incident(number, 1, 0.0, number, FACTS, InLine(30.0, "MainThread"))


class BlackBoxTests(SynchronousTestCase):
    """Incidents come from several tellers, in any order."""

    def test_the_newest_first(self) -> None:
        """By when they were, not by when they came."""
        box = BlackBox()
        for at in (3.0, 1.0, 2.0):
            self.assertTrue(box.keep(who("p1"), incident(int(at)), at))
        self.assertEqual([3.0, 2.0, 1.0], [each.at for each in box.newest()])

    def test_told_twice(self) -> None:
        """It is kept once; another process's of the same number is another."""
        box = BlackBox()
        self.assertTrue(box.keep(who("p1"), incident(1), 1.0))
        self.assertFalse(box.keep(who("p1"), incident(1), 1.5))
        self.assertTrue(box.keep(who("p2"), incident(1), 1.0))
        self.assertEqual(2, len(box))

    @given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), max_size=40))
    def test_never_more_than_there_may_be(self, told: list[tuple[int, int]]) -> None:
        """The newest of all that were told stay, whatever the order."""
        box = BlackBox(most=4)
        moments = set()
        for process, number in told:
            # No two at the same moment, so that it is clear which are the newest.
            at = number * 10.0 + process
            box.keep(who(f"p{process}"), incident(number), at)
            moments.add(at)
        expected = sorted(moments, reverse=True)[:4]
        self.assertEqual(expected, [each.at for each in box.newest()])
