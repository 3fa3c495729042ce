"""Tests of homes: digests, and how long ago each was heard."""

from __future__ import annotations

from math import inf

from twisted.trial.unittest import SynchronousTestCase

from connmon.model.homes import FORGOTTEN_SECONDS, STALE_SECONDS, Homes
from connmon.model.records import GONE, LIVE, LOST, Home, Standing

OWN = Home("A", "a1")
OTHER = Home("B", "b1")
LIVING = Standing(1, 5, LIVE)


class HomesTests(SynchronousTestCase):
    """What one board knows of homes."""

    def setUp(self) -> None:
        """Nothing is known."""
        self.homes = Homes(OWN)

    def test_digests_are_the_same_whatever_came_first(self) -> None:
        """They say what is there, not how it came there."""
        there = Homes(OTHER)
        self.homes.put(OTHER, "p1", LIVING)
        self.homes.put(OTHER, "p2", Standing(2, 0, LIVE))
        there.put(OTHER, "p2", Standing(2, 0, LIVE))
        there.put(OTHER, "p1", Standing(1, 4, LIVE))
        there.take(OTHER, "p1", Standing(1, 4, LIVE))
        there.put(OTHER, "p1", LIVING)
        self.assertEqual(there.digests(), self.homes.digests())
        self.assertEqual(2, self.homes.digests()[OTHER][0])

    def test_digests_differ_with_each_part_of_a_version(self) -> None:
        """With the process, its registration, its report and its state."""
        found = set()
        for process, standing in (
            ("p1", LIVING),
            ("p2", LIVING),
            ("p1", Standing(2, 5, LIVE)),
            ("p1", Standing(1, 6, LIVE)),
            ("p1", Standing(1, 5, GONE)),
            ("p1", Standing(1, 5, LOST)),
        ):
            self.homes.put(OTHER, process, standing)
            found.add(self.homes.digests()[OTHER])
            self.homes.take(OTHER, process, standing)
        self.assertEqual(6, len(found))

    def test_ages_do_not_get_younger_on_their_way(self) -> None:
        """What is told of others is as old as it will be when it is heard."""
        self.homes.heard(OTHER, 7.0)
        self.assertEqual({OWN: 0.0, OTHER: 3.0}, self.homes.ages(10.0))
        self.assertEqual({OWN: 0.0, OTHER: 3.5}, self.homes.ages(10.0, 0.5))

    def test_a_home_without_records_has_no_digest(self) -> None:
        """Two boards agree on it, whether they heard of it or not."""
        self.homes.heard(OTHER, 1.0)
        self.homes.put(OTHER, "p1", LIVING)
        self.assertEqual(frozenset({"p1"}), self.homes.residents(OTHER))
        self.homes.take(OTHER, "p1", LIVING)
        self.assertEqual({}, self.homes.digests())
        self.assertEqual(frozenset(), self.homes.residents(OTHER))

    def test_two_starts_of_a_node_are_two_homes(self) -> None:
        """What was linked to the one is not linked to the other."""
        again = Home("B", "b2")
        self.homes.put(OTHER, "p1", LIVING)
        self.homes.put(again, "p2", LIVING)
        self.assertEqual({OTHER, again}, self.homes.digests().keys())

    def test_the_newest_word_of_a_home_counts(self) -> None:
        """Whoever heard it last; the own home is always heard."""
        self.assertEqual(inf, self.homes.unheard(OTHER, 10.0))
        self.homes.heard(OTHER, 8.0)
        self.homes.heard(OTHER, 5.0)
        self.homes.heard(OWN, 5.0)
        self.assertEqual(2.0, self.homes.unheard(OTHER, 10.0))
        self.assertEqual(0.0, self.homes.unheard(OWN, 10.0))
        self.assertEqual({OWN: 0.0, OTHER: 2.0}, self.homes.ages(10.0))

    def test_no_age_is_negative(self) -> None:
        """Though what was heard is dated by another clock."""
        self.homes.heard(OTHER, 11.0)
        self.assertEqual(0.0, self.homes.unheard(OTHER, 10.0))
        self.assertEqual(0.0, self.homes.ages(10.0)[OTHER])

    def test_a_home_with_records_is_stale_when_it_is_not_heard(self) -> None:
        """One without is nobody's concern, and the own one never is."""
        self.homes.put(OWN, "p0", LIVING)
        self.homes.put(OTHER, "p1", LIVING)
        self.homes.heard(OTHER, 0.0)
        self.homes.heard(Home("C", "c1"), 0.0)
        self.assertEqual([], list(self.homes.stale(STALE_SECONDS)))
        late = STALE_SECONDS + 1.0
        self.assertEqual([(OTHER, late)], list(self.homes.stale(late)))

    def test_a_home_of_which_nobody_heard_is_stale(self) -> None:
        """Forever, as far as is known."""
        self.homes.put(OTHER, "p1", LIVING)
        self.assertEqual([(OTHER, inf)], list(self.homes.stale(0.0)))

    def test_homes_are_forgotten_once_they_have_no_records(self) -> None:
        """Each start of a node is another one, and there may be many."""
        self.homes.put(OTHER, "p1", LIVING)
        self.homes.heard(OTHER, 0.0)
        self.homes.heard(Home("C", "c1"), 0.0)
        self.homes.expired(FORGOTTEN_SECONDS)
        self.assertEqual(3, len(self.homes.ages(FORGOTTEN_SECONDS)))
        late = FORGOTTEN_SECONDS + 1.0
        self.homes.expired(late)
        self.assertEqual({OWN, OTHER}, self.homes.ages(late).keys())
        self.homes.take(OTHER, "p1", LIVING)
        self.homes.expired(late)
        self.assertEqual({OWN}, self.homes.ages(late).keys())
