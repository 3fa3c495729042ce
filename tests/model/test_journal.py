"""Tests of the journal: remarks of many writers, the same on every node."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.journal import (
    CRIT,
    INFO,
    KEPT_SECONDS,
    SEVERITIES,
    WARN,
    Journal,
    Remark,
    Severity,
)

NAMES = ("A", "B", "C")


def texts(journal: Journal, now: float = 0.0) -> list[str]:
    """What it says, the newest first."""
    return [each.text for each in journal.newest(now)]


def remark(
    sequence: int, text: str = "x", age: float = 0.0, severity: Severity = INFO
) -> Remark:
    """One of another node's remarks."""
    return Remark("b1", sequence, "B", age, text, severity)


def tell(teller: Journal, hearer: Journal, now: float) -> bool:
    """Have one journal tell another as nodes do; whether that lacked something."""
    lacking = hearer.lacking(teller.heads())
    if lacking:
        hearer.adopt(teller.beyond(hearer.heads(), now), now)
    return lacking


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

    def test_whom_it_is_about(self) -> None:
        """Nobody and nothing bad unless it is said; and it stays as it was said."""
        self.journal.note("node A started", 0.0)
        self.journal.note(
            "pool full", 1.0, severity=WARN, hostname="h", progname="api", pid=7
        )
        full = Remark("a1", 2, "A", 1.0, "pool full", WARN, "h", "api", 7)
        started = Remark("a1", 1, "A", 2.0, "node A started", INFO, "", "", None)
        self.assertEqual([full, started], self.journal.newest(2.0))
        self.assertEqual([started, full], self.journal.beyond({}, 2.0))

    def test_what_happened_earlier_is_as_old_as_it_is(self) -> None:
        """Its number says when it was noted, its age when it happened."""
        self.journal.note("second", 5.0)
        self.journal.note("first", 2.0)
        self.assertEqual(["second", "first"], texts(self.journal, 5.0))
        self.assertEqual([0.0, 3.0], [each.age for each in self.journal.newest(5.0)])
        self.assertEqual(
            ["second", "first"], [each.text for each in self.journal.beyond({}, 5.0)]
        )

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
        journal.adopt([remark(1, "old", age=0.0)], 20.0)
        self.assertEqual(["3", "2", "1"], texts(journal, 20.0))

    def test_the_least_severe_go_first(self) -> None:
        """Whichever came last; so what is wrong is not lost among what is not."""
        journal = Journal("A", "a1", limit=3)
        journal.note("crit", 0.0, severity=CRIT)
        journal.note("warn", 1.0, severity=WARN)
        for number in range(5):
            journal.note(str(number), 2.0 + number)
        self.assertEqual(["4", "warn", "crit"], texts(journal, 10.0))
        journal.adopt([remark(1, "worse", severity=CRIT), remark(2, "good")], 10.0)
        self.assertEqual(["worse", "warn", "crit"], texts(journal, 10.0))
        journal.note("info", 11.0)
        self.assertEqual(["worse", "warn", "crit"], texts(journal, 11.0))
        journal.note("worst", 12.0, severity=CRIT)
        journal.note("warn too", 12.0, severity=WARN)
        self.assertEqual(["worst", "worse", "crit"], texts(journal, 12.0))

    def test_what_was_dropped_is_not_offered(self) -> None:
        """Else one who never heard of it would lack it for ever."""
        journal = Journal("A", "a1", limit=2)
        for number in range(2):
            journal.note(str(number), 0.0, severity=WARN)
        journal.note("info", 1.0)
        journal.adopt([remark(1, "info")], 1.0)
        self.assertEqual({"a1": 2}, journal.heads())
        self.assertFalse(journal.lacking({"a1": 3, "b1": 1}))
        fresh = Journal("C", "c1", limit=2)
        self.assertTrue(tell(journal, fresh, 2.0))
        self.assertFalse(tell(journal, fresh, 2.0))
        journal.expired(KEPT_SECONDS + 2.0)
        self.assertEqual({}, journal.heads())
        journal.note("next", KEPT_SECONDS + 2.0)
        self.assertEqual({"a1": 4}, journal.heads())

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["note", "note", "note", "tell", "restart"]),
                st.sampled_from(NAMES),
                st.sampled_from(NAMES),
                st.sampled_from(SEVERITIES),
            ),
            min_size=20,
            max_size=60,
        )
    )
    def test_all_come_to_hold_the_same(
        self, steps: list[tuple[str, str, str, Severity]]
    ) -> None:
        """Whoever told whom what and in which order, as long as origins are few."""
        limit = 8
        journals = {name: Journal(name, f"{name}0", limit) for name in NAMES}
        starts = len(NAMES)
        for number, (what, one, other, severity) in enumerate(steps):
            if what == "note":
                journals[one].note(str(number), float(number), severity=severity)
            elif what == "tell":
                tell(journals[one], journals[other], float(number))
            elif starts < limit:
                starts += 1
                journals[one] = Journal(one, f"{one}{starts}", limit)
        now = float(len(steps))
        pairs = [(a, b) for a in journals.values() for b in journals.values()]
        for _ in NAMES:
            for teller, hearer in pairs:
                tell(teller, hearer, now)
        self.assertNotIn(True, [tell(*pair, now) for pair in pairs])
        for each in journals.values():
            self.assertLessEqual(len(each.newest(now)), limit)
            self.assertEqual(journals["A"].newest(now), each.newest(now))

    def test_heads_are_bounded_too(self) -> None:
        """Each start of a node is an origin; those without remarks go at last."""
        journal = Journal("A", "a1", limit=3)
        journal.note("mine", 0.0)
        for number in range(20):
            origin = f"b{number}"
            journal.adopt([Remark(origin, 1, "B", 0.0, origin)], 1.0 + number)
        self.assertEqual(["b19", "b18", "b17"], texts(journal, 30.0))
        self.assertEqual({"b19": 1, "b18": 1, "b17": 1}, journal.heads())
        self.assertFalse(journal.lacking({"b17": 1}))
        self.assertTrue(journal.lacking({"b0": 1}))
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
