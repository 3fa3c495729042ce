"""Tests of what is known of the last minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.histogram import BUCKETS, Histogram
from connmon.model.lately import Durations, Lately

STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.floats(0.0, 40.0)), min_size=1, max_size=60
)


class LatelyTests(SynchronousTestCase):
    """Counts, and durations."""

    def test_forgotten_after_a_minute(self) -> None:
        """Not before, and to the second."""
        lately = Lately()
        lately.add(3, 100.2)
        lately.add(2, 130.0)
        self.assertEqual(5, lately.within(130.0))
        self.assertEqual(5, lately.within(159.9))
        self.assertEqual(2, lately.within(160.0))
        self.assertEqual(0, lately.within(190.0))

    @given(STEPS)
    def test_exact_to_the_second(self, steps: list[tuple[int, float]]) -> None:
        """What is counted is what came in the last 60 whole seconds, and is bounded."""
        lately, now = Lately(), 1000.0
        told = []
        for count, pause in steps:
            now += pause
            lately.add(count, now)
            told.append((int(now), count))
            expected = sum(each for at, each in told if at > now - 60.0)
            self.assertEqual(expected, lately.within(now))
            self.assertLessEqual(len(lately._counts), 61)

    @given(STEPS)
    def test_durations_of_a_minute(self, steps: list[tuple[int, float]]) -> None:
        """All of the last 50 seconds count, and none older than 60."""
        durations, now = Durations(), 1000.0
        told = []
        for bucket, pause in steps:
            now += pause
            counts = [0] * BUCKETS
            counts[bucket] = 1
            durations.add(counts, now)
            told.append(now)
            found = sum(durations.histogram(now).counts)
            self.assertLessEqual(sum(at > now - 50.0 for at in told), found)
            self.assertLessEqual(found, sum(at > now - 60.0 for at in told))
            self.assertLessEqual(len(durations._spans), 7)

    def test_none(self) -> None:
        """Nothing is an empty histogram."""
        self.assertEqual(Histogram(), Durations().histogram(5.0))
