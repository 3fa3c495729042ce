"""The programs that there are, in order, and those at work."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connmon.model.extent import Program
from connmon.model.roll import Roll


class RollTests(SynchronousTestCase):
    """One roll."""

    def setUp(self) -> None:
        """Three programs on two hosts, which came in another order."""
        self.roll = Roll()
        self.last, self.first, self.second = (
            Program(*key, 0.0) for key in (("h2", "a"), ("h1", "b"), ("h1", "c"))
        )
        for each in (self.last, self.second, self.first):
            self.roll.join(each)

    def test_in_order(self) -> None:
        """By host and name, whoever comes and goes."""
        self.assertEqual([self.first, self.second, self.last], self.roll.ordered)
        self.assertEqual(
            {"h1": [self.first, self.second], "h2": [self.last]}, self.roll.hosts
        )
        self.roll.leave(self.first)
        self.assertEqual([self.second, self.last], self.roll.ordered)
        another = Program("h0", "z", 0.0)
        self.roll.join(another)
        self.assertEqual(["h0", "h1", "h2"], list(self.roll.hosts))

    def test_by_name(self) -> None:
        """As a mapping of host and name."""
        self.assertIs(self.last, self.roll["h2", "a"])
        self.assertIs(None, self.roll.get(("h2", "b")))
        self.assertEqual(3, len(self.roll))
        self.assertEqual(set(self.roll.values()), {self.roll[key] for key in self.roll})

    def test_at_work(self) -> None:
        """As long as something is out or somebody waits, and while it is there."""
        self.first.shift(1, 2, 1)
        self.second.shift(1, 2, 0, 1)
        for each in self.roll.values():
            self.roll.changed(each)
        self.assertEqual({self.first, self.second}, self.roll.busy)
        self.first.shift(0, 0, -1)
        self.roll.changed(self.first)
        self.assertEqual({self.second}, self.roll.busy)
        self.roll.leave(self.second)
        self.assertEqual(set(), self.roll.busy)
        self.first.note_waits(1, None, 0.0)
        self.roll.changed(self.first)
        self.assertEqual({self.first}, self.roll.busy)
