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

    def test_a_storm_in_one_process(self) -> None:
        """It drives out its own oldest ones, and nothing of the others."""
        box = BlackBox(most=6)
        for process in ("p1", "p2"):
            box.keep(who(process), incident(1), 1.0)
        for number in range(1, 10):
            self.assertTrue(box.keep(who("storm"), incident(number), 10.0 + number))
        self.assertFalse(box.keep(who("storm"), incident(1), 11.0))
        self.assertEqual([6, 7, 8, 9], [each.number for each in box.of("storm")])
        self.assertEqual([1], [each.number for each in box.of("p1")])
        self.assertEqual([], box.of("p3"))
        self.assertEqual(6, len(box))

    def test_a_storm_everywhere(self) -> None:
        """Of processes that have as many the oldest goes."""
        box = BlackBox(most=3)
        for at, is_kept in ((9.0, True), (8.0, True), (7.0, True), (6.0, False)):
            self.assertEqual(is_kept, box.keep(who(f"p{at}"), incident(1), at))
        self.assertEqual([9.0, 8.0, 7.0], [each.at for each in box.newest()])

    @given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), max_size=40))
    def test_never_more_than_there_may_be(self, told: list[tuple[int, int]]) -> None:
        """As many as there is room for, and of each process at least one."""
        box = BlackBox(most=4)
        for process, number in told:
            box.keep(who(f"p{process}"), incident(number), number * 10.0 + process)
        found = [each.at for each in box.newest()]
        self.assertEqual(min(len(set(told)), 4), len(found))
        self.assertEqual(len(found), len(box))
        self.assertEqual(sorted(found, reverse=True), found)
        processes = {each.identity.process for each in box.newest()}
        self.assertEqual({f"p{process}" for process, _ in told}, processes)
