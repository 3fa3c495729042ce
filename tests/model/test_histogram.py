"""Tests of durations, counted."""

from __future__ import annotations

from bisect import bisect_left
from math import ceil

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.histogram import BOUNDS, BUCKETS, Durations, Histogram


class HistogramTests(SynchronousTestCase):
    """Each duration is in one bucket."""

    def test_bounds_rise(self) -> None:
        """There is one bucket more than bounds."""
        self.assertEqual(sorted(set(BOUNDS)), list(BOUNDS))
        self.assertEqual(len(BOUNDS) + 1, BUCKETS)
        self.assertEqual(BUCKETS, len(Histogram().counts))

    def test_a_bound_belongs_to_its_bucket(self) -> None:
        """As in Prometheus: "less or equal"."""
        for index, bound in enumerate(BOUNDS):
            durations = Durations()
            durations.add(bound)
            self.assertEqual(1, durations.histogram().counts[index])

    @given(st.lists(st.floats(0.0, 1e6), max_size=50))
    def test_nothing_is_lost(self, seconds: list[float]) -> None:
        """All are counted, each where it belongs, and added up."""
        durations = Durations()
        for each in seconds:
            durations.add(each)
        made = durations.histogram()
        self.assertEqual(len(seconds), sum(made.counts))
        self.assertAlmostEqual(sum(seconds), made.seconds)
        for index, bound in enumerate(BOUNDS):
            below = [each for each in seconds if each <= bound]
            self.assertEqual(len(below), sum(made.counts[: index + 1]))


def of(*seconds: float) -> Histogram:
    """Of these durations."""
    durations = Durations()
    for each in seconds:
        durations.add(each)
    return durations.histogram()


class QuantileTests(SynchronousTestCase):
    """The duration that a share of all do not pass."""

    def test_of_none_there_is_none(self) -> None:
        """Not even the shortest."""
        for share in (0.0, 0.5, 1.0):
            self.assertIsNone(Histogram().quantile(share))

    def test_within_a_bucket_they_are_spread_evenly(self) -> None:
        """Four between 0.1 and 0.25 s: each quarter of that has one of them."""
        four = of(0.2, 0.2, 0.2, 0.2)
        for share, expected in (
            (0.0, 0.1),
            (0.25, 0.1375),
            (0.5, 0.175),
            (0.75, 0.2125),
            (1.0, 0.25),
        ):
            self.assertAlmostEqual(expected, four.quantile(share) or 0.0)

    def test_the_first_bucket_begins_at_zero(self) -> None:
        """Half of those up to a millisecond took less than half of one."""
        self.assertEqual(0.0005, of(0.001).quantile(0.5))

    def test_the_last_bucket_has_no_end(self) -> None:
        """What is in it took at least so long; more is not known."""
        for share in (0.01, 0.5, 1.0):
            self.assertEqual(300.0, of(301.0, 1e6).quantile(share))

    def test_empty_buckets_are_passed_over(self) -> None:
        """The 99th of a hundred short ones and a long one is short."""
        mixed = of(*[0.004] * 99, 20.0)
        self.assertAlmostEqual(0.005, mixed.quantile(0.99) or 0.0)
        self.assertAlmostEqual(20.0, mixed.quantile(0.995) or 0.0)
        self.assertAlmostEqual(30.0, mixed.quantile(1.0) or 0.0)

    @given(
        st.lists(st.floats(0.0, 299.0), min_size=1, max_size=50),
        st.lists(st.floats(0.0, 1.0), min_size=2, max_size=5).map(sorted),
    )
    def test_in_the_bucket_of_the_one_that_is_meant(
        self, seconds: list[float], shares: list[float]
    ) -> None:
        """So it is no further off than the bucket is wide; a larger share, no less."""
        made = of(*seconds)
        found = [made.quantile(share) for share in shares]
        for share, quantile in zip(shares, found, strict=True):
            meant = sorted(seconds)[max(ceil(share * len(seconds)) - 1, 0)]
            index = bisect_left(BOUNDS, meant)
            assert quantile is not None
            low = BOUNDS[index - 1] if index else 0.0
            self.assertTrue(low - 1e-9 <= quantile <= BOUNDS[index] + 1e-9, quantile)
        self.assertEqual(sorted(each or 0.0 for each in found), found)

    @given(st.lists(st.integers(0, 2**63 - 1), min_size=BUCKETS, max_size=BUCKETS))
    def test_whatever_a_process_says_it_counted(self, counts: list[int]) -> None:
        """The answer is one of a duration that there may be."""
        found = Histogram(tuple(counts)).quantile(0.99)
        self.assertEqual(any(counts), found is not None)
        self.assertTrue(0.0 <= (found or 0.0) <= BOUNDS[-1])
