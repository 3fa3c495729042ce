"""Tests of the checkout rate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.rate import LAG, WINDOW, Rate


class RateTests(SynchronousTestCase):
    """The rate is what an operator means by "per second, over the last ten"."""

    def test_unknown_before_two_reports(self) -> None:
        """One report is a starting point, not a rate."""
        rate = Rate(100.0)
        self.assertIsNone(rate.per_second(100.0))
        self.assertIsNone(rate.per_second(105.0))

    def test_known_from_the_second_report(self) -> None:
        """The second report makes a rate over the time between the two."""
        rate = Rate(100.0)
        rate.add(20, 1.0, 101.0)
        self.assertAlmostEqual(20.0, rate.per_second(101.0) or 0.0)

    def test_a_second_report_without_checkouts_is_a_rate_of_zero(self) -> None:
        """Nothing happened is knowledge too."""
        rate = Rate(100.0)
        rate.add(0, 1.0, 101.0)
        self.assertEqual(0.0, rate.per_second(101.0))

    def test_a_steady_rate_is_exact_at_any_moment_between_reports(self) -> None:
        """Seven a second, reported each second, is seven whenever one looks."""
        rate = Rate(50.25)
        for second in range(1, 60):
            rate.add(7, 1.0, 50.25 + second)
            for later in (0.0, 0.3, 0.6, 0.99):
                self.assertAlmostEqual(
                    7.0, rate.per_second(50.25 + second + later) or 0.0
                )

    def test_decays_to_zero_without_reports(self) -> None:
        """After the window has passed, what happened before it counts no more."""
        rate, half_way = Rate(0.0), Rate(0.0)
        for second in range(1, 21):
            rate.add(10, 1.0, float(second))
            half_way.add(10, 1.0, float(second))
        seen = [rate.per_second(20.0 + wait) or 0.0 for wait in range(14)]
        self.assertEqual(sorted(seen, reverse=True), seen)
        self.assertAlmostEqual(0.0, seen[-1])
        self.assertAlmostEqual(5.0, half_way.per_second(20.0 + LAG + WINDOW / 2) or 0.0)

    def test_a_report_held_up_for_a_minute_is_no_burst(self) -> None:
        """A minute's checkouts reported at once are spread over that minute."""
        rate = Rate(0.0)
        rate.add(600, 60.0, 60.0)
        self.assertAlmostEqual(10.0, rate.per_second(61.25) or 0.0)

    def test_a_burst_after_quiet_counts_whole(self) -> None:
        """A report tells when its changes began, so a burst is not diluted."""
        rate = Rate(0.0)
        rate.add(50, 0.5, 100.0)
        self.assertAlmostEqual(5.0, rate.per_second(102.0) or 0.0)

    @given(
        st.lists(
            st.tuples(st.floats(0.05, 40.0), st.integers(0, 1000), st.floats(0.0, 1.0)),
            min_size=1,
            max_size=40,
        )
    )
    def test_never_more_than_what_was_reported(
        self, reports: list[tuple[float, int, float]]
    ) -> None:
        """Whatever comes, the rate is finite, not negative, and not invented."""
        now, rate, total = 1000.0, Rate(1000.0), 0
        for wait, count, part in reports:
            now += wait
            rate.add(count, wait * part, now)
            total += count
            shown = rate.per_second(now)
            assert shown is not None
            self.assertGreaterEqual(shown, 0.0)
            self.assertLessEqual(shown, total + 1e-6)
