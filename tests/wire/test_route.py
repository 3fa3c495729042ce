"""Tests of the walk over a service's nodes."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.config import Address
from connmon.wire.route import FIRST_PAUSE, LONGEST_PAUSE, Route


def addresses(count: int) -> tuple[Address, ...]:
    """So many nodes."""
    return tuple(Address(f"n{number}", 5800) for number in range(count))


class RouteTests(SynchronousTestCase):
    """Every node is tried, in random order, with growing pauses."""

    @given(st.integers(1, 6), st.randoms(use_true_random=False))
    def test_each_round_tries_every_node_once(self, count: int, random: Random) -> None:
        """No node is tried twice before all were."""
        nodes = addresses(count)
        route = Route(nodes, random)
        for _ in range(3):
            tried = {route.next_hop()[0] for _ in range(count)}
            self.assertEqual(set(nodes), tried)

    @given(st.integers(1, 6), st.randoms(use_true_random=False))
    def test_pauses_come_between_rounds_and_are_bounded(
        self, count: int, random: Random
    ) -> None:
        """None before the first round; then growing to a bound, never nothing."""
        route = Route(addresses(count), random)
        pauses = []
        for _ in range(12):
            hops = [route.next_hop()[1] for _ in range(count)]
            self.assertEqual([0.0] * (count - 1), hops[1:])
            pauses.append(hops[0])
        self.assertEqual(0.0, pauses[0])
        self.assertLessEqual(pauses[1], FIRST_PAUSE)
        for pause in pauses[1:]:
            self.assertTrue(FIRST_PAUSE / 2 <= pause <= LONGEST_PAUSE, pause)
        self.assertGreaterEqual(pauses[-1], LONGEST_PAUSE / 2)

    def test_a_long_outage(self) -> None:
        """However many rounds were fruitless, the next pause is like the one before."""
        route = Route(addresses(1), Random(1))
        pauses = [route.next_hop()[1] for _ in range(3000)][10:]
        self.assertGreaterEqual(min(pauses), LONGEST_PAUSE / 2)
        self.assertLessEqual(max(pauses), LONGEST_PAUSE)
        self.assertGreater(max(pauses) - min(pauses), LONGEST_PAUSE / 4)

    def test_the_order_is_random(self) -> None:
        """A fleet spreads over the nodes."""
        first = {Route(addresses(3), Random(seed)).next_hop()[0] for seed in range(50)}
        self.assertEqual(set(addresses(3)), first)

    def test_arriving_starts_afresh(self) -> None:
        """A link that worked is replaced without a pause."""
        route = Route(addresses(2), Random(1))
        for _ in range(9):
            route.next_hop()
        route.arrived()
        self.assertEqual([0.0, 0.0], [route.next_hop()[1] for _ in range(2)])

    @given(st.integers(2, 6), st.randoms(use_true_random=False))
    def test_a_lost_node_is_tried_last(self, count: int, random: Random) -> None:
        """It may be one that does not even refuse, and cost seconds."""
        route = Route(addresses(count), random)
        lost, _ = route.next_hop()
        route.arrived()
        tried = [route.next_hop()[0] for _ in range(count)]
        self.assertEqual(lost, tried[-1])
        self.assertEqual(set(addresses(count)), set(tried))

    def test_a_fleet_that_lost_its_node_spreads_in_time_and_over_the_others(
        self,
    ) -> None:
        """No two thousand links in the same moment, at the same node."""
        hops = []
        for seed in range(300):
            route = Route(addresses(3), Random(seed), spread=0.5)
            self.assertEqual(0.0, route.next_hop()[1])
            route.arrived()
            hops.append(route.next_hop())
        waits = sorted(wait for _, wait in hops)
        self.assertTrue(0.0 <= waits[0] < 0.05, waits[0])
        self.assertTrue(0.45 < waits[-1] <= 0.5, waits[-1])
        self.assertTrue(0.2 < waits[150] < 0.3, waits[150])
        for address in addresses(3):
            self.assertGreater(sum(each == address for each, _ in hops), 70)

    def test_vain_is_a_whole_round(self) -> None:
        """Until every address was tried there is still hope."""
        route = Route(addresses(2), Random(1))
        seen = []
        for _ in range(3):
            route.next_hop()
            seen.append(route.vain)
        self.assertEqual([False, False, True], seen)
