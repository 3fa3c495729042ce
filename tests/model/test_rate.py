"""Tests of rates, and of how they were in the last minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connmon.model.rate import LAG, STEP, STEPS, WINDOW, History, Rate, Slots


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


class SlotsTests(SynchronousTestCase):
    """Events are laid over the time they happened in, as far as that is kept."""

    def setUp(self) -> None:
        """Five spans of two seconds; the newest is that from 20 to 22."""
        self.slots = Slots(2.0, 5, 21.0)

    def test_a_moments_events_are_in_one_span(self) -> None:
        """That in which the moment is."""
        self.slots.put(3, 0.0, 21.5)
        self.assertEqual([0, 0, 0, 0, 3], self.slots.last(5, 22.0))
        self.assertEqual(3, self.slots.sum())

    def test_a_times_events_are_laid_evenly_over_it(self) -> None:
        """Each span has the share of them that it covers."""
        self.slots.put(10, 5.0, 20.0)
        self.assertEqual([0, 2, 4, 4, 0], self.slots.last(5, 22.0))

    def test_what_is_older_than_the_ring_is_not_kept(self) -> None:
        """It does not turn up where something newer is."""
        self.slots.put(200, 100.0, 22.0)
        self.assertEqual([4] * 5, self.slots.last(5, 22.0))
        self.slots.put(7, 0.0, 3.0)
        self.slots.put(7, 2.0, 4.0)
        self.assertEqual(20, self.slots.sum())

    def test_the_ring_goes_on(self) -> None:
        """What it no longer covers is forgotten, all of it after a long time."""
        self.slots.put(10, 10.0, 22.0)
        self.slots.advance(24.5)
        self.assertEqual([2, 2, 2, 0, 0], self.slots.last(5, 26.0))
        self.slots.advance(1e9)
        self.assertEqual(0, self.slots.sum())

    def test_the_ring_does_not_go_back(self) -> None:
        """An older moment forgets nothing, and neither does what follows it."""
        self.slots.put(3, 0.0, 21.5)
        self.slots.advance(5.0)
        self.slots.advance(21.9)
        self.assertEqual(3, self.slots.sum())

    def test_spans_it_does_not_cover_are_empty(self) -> None:
        """Those to come, and those that are too long ago."""
        self.slots.put(10, 10.0, 22.0)
        self.assertEqual([2, 2, 0, 0, 0], self.slots.last(5, 28.0))
        self.assertEqual([0, 0, 0, 2, 2], self.slots.last(5, 16.0))

    def test_between_two_moments_spans_count_by_their_share(self) -> None:
        """A span that began before there was anything is all the shorter."""
        self.slots.put(8, 0.0, 19.0)
        self.assertEqual(8, self.slots.within(14.0, 22.0, 0.0))
        self.assertEqual(4, self.slots.within(19.0, 22.0, 0.0))
        self.assertEqual(2, self.slots.within(18.5, 19.0, 0.0))
        self.assertEqual(4, self.slots.within(19.5, 22.0, 19.0))
        self.assertEqual(0, self.slots.within(20.0, 22.0, 0.0))

    @given(
        st.lists(
            st.tuples(st.floats(0.0, 9.0), st.integers(0, 1000), st.floats(0.0, 12.0)),
            max_size=20,
        )
    )
    def test_all_is_kept_that_is_young_enough(
        self, events: list[tuple[float, int, float]]
    ) -> None:
        """Neither more nor less, however it came."""
        self.setUp()
        now, put = 21.0, []
        for wait, count, span in events:
            now += wait
            self.slots.advance(now)
            self.slots.put(count, span, now)
            put.append((now - span, now, count))
        end = (int(now / 2.0) + 1) * 2.0
        begin = end - 10.0
        kept = sum(
            count * (min(max(until - begin, 0.0) / (until - start), 1.0))
            if until - start >= 1e-3
            else count * (until >= begin)
            for start, until, count in put
        )
        self.assertAlmostEqual(kept, self.slots.sum(), places=6)
        self.assertAlmostEqual(kept, sum(self.slots.last(5, end)), places=6)


class HistoryTests(SynchronousTestCase):
    """What a sparkline shows: the last minute, in steps of three seconds."""

    def test_empty_at_first(self) -> None:
        """There are always as many steps, whatever is known."""
        self.assertEqual((0.0,) * STEPS, History(0.0).per_second(0.0))
        self.assertEqual((0.0,) * STEPS, History(1e6).per_second(1e6))

    def test_the_last_minute(self) -> None:
        """So many steps, of so many seconds, are a minute."""
        self.assertEqual(60.0, STEP * STEPS)

    def test_a_steady_rate_is_a_level_line(self) -> None:
        """Seven a second, reported each second, whenever one looks."""
        history = History(100.25)
        for second in range(1, 120):
            now = 100.25 + second
            history.add(7, 1.0, now)
            if second > 66:
                for later in (0.0, 0.5, 0.99):
                    self.assertEqual((7.0,) * STEPS, history.per_second(now + later))

    def test_a_burst_goes_by_from_right_to_left(self) -> None:
        """It comes when its step is over, and goes after a minute."""
        history = History(0.0)
        history.add(30, 1.0, 601.0)
        seen = []
        for step in range(STEPS + 2):
            steps = history.per_second(600.0 + STEP * step + LAG)
            self.assertEqual(STEPS, len(steps))
            self.assertIn(sum(steps), (0.0, 10.0))
            seen.append(steps.index(10.0) if 10.0 in steps else None)
        self.assertEqual([None, *range(STEPS - 1, -1, -1), None], seen)

    def test_a_step_is_shown_when_all_reports_of_it_are_there(self) -> None:
        """Busy processes report once a second: till then it would show too little."""
        history = History(0.0)
        for second in range(1, 64):
            history.add(5, 1.0, float(second))
        self.assertEqual(5.0, history.per_second(63.0)[-1])
        history.add(5, 1.0, 64.0)
        self.assertEqual((5.0,) * STEPS, history.per_second(63.0 + LAG))

    def test_a_report_held_up_is_no_burst(self) -> None:
        """It is laid over the time it tells of, but not over what was before."""
        history = History(600.0)
        history.add(300, 30.0, 630.0)
        expected = (0.0,) * 10 + (10.0,) * 10
        self.assertEqual(expected, history.per_second(630.0 + LAG))
        late = History(600.0)
        late.add(300, 3600.0, 630.0)
        self.assertEqual(expected, late.per_second(630.0 + LAG))

    def test_looking_changes_nothing(self) -> None:
        """However often and late; an answer to come is not lost by it."""
        looked, other = History(0.0), History(0.0)
        for second in range(1, 100):
            for history in (looked, other):
                history.add(second, 1.0, float(second))
            looked.per_second(second + 0.9)
        self.assertEqual(other.per_second(101.0), looked.per_second(101.0))

    def test_without_reports_it_empties(self) -> None:
        """What was is over after a minute, though nobody said so."""
        history = History(0.0)
        history.add(100, 1.0, 300.0)
        self.assertEqual((0.0,) * STEPS, history.per_second(366.0))
        self.assertEqual((0.0,) * STEPS, history.per_second(1e9))
