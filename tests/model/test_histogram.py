"""Tests of durations, counted."""

from __future__ import annotations

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
