"""Tests of the journal: remarks of many writers, the same on every node."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connmon.model.journal import KEPT_SECONDS, Journal, Remark


def texts(journal: Journal, now: float = 0.0) -> list[str]:
    """What it says, the newest first."""
    return [each.text for each in journal.newest(now)]


def remark(sequence: int, text: str = "x", age: float = 0.0) -> Remark:
    """One of another node's remarks."""
    return Remark("b1", sequence, "B", age, text)


class JournalTests(SynchronousTestCase):
    """One node's journal, and another's."""

    def setUp(self) -> None:
        """Nothing happened."""
        self.journal = Journal("A", "a1")

    def test_the_newest_is_first(self) -> None:
        """Each with its number, its age and who saw it."""
        self.journal.note("one", 1.0)
        self.journal.note("two", 3.0)
        self.assertEqual(
            [Remark("a1", 2, "A", 1.0, "two"), Remark("a1", 1, "A", 3.0, "one")],
            self.journal.newest(4.0),
        )
        self.assertEqual({"a1": 2}, self.journal.heads())

    def test_what_another_lacks_is_told_by_heads(self) -> None:
        """In the order in which it was remarked, and aged meanwhile."""
        for number in range(12):
            self.journal.note(str(number), float(number))
        there = Journal("B", "b1")
        self.assertTrue(there.lacking(self.journal.heads()))
        there.adopt(self.journal.beyond({}, 20.0)[:10], 100.0)
        told = self.journal.beyond(there.heads(), 20.0)
        self.assertEqual(["10", "11"], [each.text for each in told])
        self.assertEqual([10.0, 9.0], [each.age for each in told])
        there.adopt(told, 100.0)
        self.assertFalse(there.lacking(self.journal.heads()))
        self.assertEqual(texts(self.journal), texts(there))
        self.assertEqual(9.0, there.newest(100.0)[0].age)

    def test_one_who_knows_as_much_or_more_lacks_nothing(self) -> None:
        """Of no origin, or of one that the other never heard of."""
        self.journal.note("one", 0.0)
        self.assertFalse(self.journal.lacking({}))
        self.assertFalse(self.journal.lacking({"a1": 1}))
        self.assertTrue(self.journal.lacking({"a1": 1, "b1": 1}))
        self.assertEqual([], self.journal.beyond({"a1": 1}, 0.0))

    def test_what_is_known_changes_nothing(self) -> None:
        """Told twice, or by two nodes in another order, it is there once."""
        self.journal.adopt([remark(1, "one"), remark(2, "two")], 0.0)
        self.journal.adopt([remark(1, "other"), remark(2, "other")], 5.0)
        self.assertEqual({"one", "two"}, set(texts(self.journal)))
        self.assertEqual({"b1": 2}, self.journal.heads())

    def test_it_is_bounded_and_the_oldest_go_first(self) -> None:
        """Also if they are the last that were told; heads stay, so none comes back."""
        journal = Journal("A", "a1", limit=3)
        for number in range(3):
            journal.note(str(number), 10.0 + number)
        journal.adopt([remark(1, "old", age=50.0)], 20.0)
        self.assertEqual(["2", "1", "0"], texts(journal, 20.0))
        journal.note("3", 20.0)
        self.assertEqual(["3", "2", "1"], texts(journal, 20.0))
        self.assertEqual({"a1": 4, "b1": 1}, journal.heads())
        journal.adopt([remark(1, "old", age=50.0)], 20.0)
        self.assertEqual(3, len(texts(journal, 20.0)))

    def test_heads_are_bounded_too(self) -> None:
        """Each start of a node is an origin; those without remarks go at last."""
        journal = Journal("A", "a1", limit=3)
        journal.note("mine", 0.0)
        for number in range(20):
            origin = f"b{number}"
            journal.adopt([Remark(origin, 1, "B", 0.0, origin)], 1.0 + number)
        self.assertEqual(["b19", "b18", "b17"], texts(journal, 30.0))
        self.assertLessEqual(len(journal.heads()), 4)
        journal.note("mine too", 30.0)
        self.assertEqual(2, journal.heads()["a1"])

    def test_old_remarks_go(self) -> None:
        """By their age, not by when they were told; they do not come back."""
        self.journal.adopt([remark(1, "old", age=KEPT_SECONDS - 10.0)], 0.0)
        self.journal.note("new", 0.0)
        self.journal.expired(9.0)
        self.assertEqual(["new", "old"], texts(self.journal))
        self.journal.expired(11.0)
        self.assertEqual(["new"], texts(self.journal))
        self.assertFalse(self.journal.lacking({"b1": 1}))
