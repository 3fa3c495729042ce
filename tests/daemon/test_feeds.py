"""Tests of the feeds: the newest state, at the console's pace, never two in flight."""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connmon.daemon.feeds import Feeds, Subscription
from connmon.wire.commands import MAX_FEED_SECONDS, MIN_FEED_SECONDS


class Console:
    """Whom frames are shown to; it answers when told to, or at once."""

    def __init__(self, clock: Clock, quick: bool) -> None:
        """Nothing was shown yet."""
        self._clock = clock
        self.quick = quick
        self.shown: list[float] = []
        self.views: list[str] = []
        self.unanswered: list[Deferred[Any]] = []

    def show(self, view: str, frame: bytes) -> Deferred[Any]:
        """Note when a frame came, of which view; it says when it was made."""
        assert frame.decode() == f"{view} {self._clock.seconds()}"
        self.views.append(view)
        self.shown.append(self._clock.seconds())
        answer: Deferred[Any] = Deferred()
        self.unanswered.append(answer)
        if self.quick:
            self.answer()
        return answer

    def answer(self) -> None:
        """Answer the frame."""
        self.unanswered.pop().callback({})


class FeedsTests(SynchronousTestCase):
    """One console, a clock, and frames that say when they were made."""

    def setUp(self) -> None:
        """A console that answers at once."""
        self.clock = Clock()
        self.console = Console(self.clock, quick=True)

    def frame(self, view: str) -> bytes:
        """What a view shows now: its name, and when that is."""
        return f"{view} {self.clock.seconds()}".encode()

    def subscribe(self, interval: float) -> Subscription:
        """Begin to show frames."""
        feeds = Feeds(
            self.clock,
            {view: partial(self.frame, view) for view in ("these", "those")},
        )
        return feeds.subscribe(self.console.show, "these", interval)

    def test_one_at_once_and_then_one_every_interval(self) -> None:
        """The first does not wait, and is not sent within the question's own turn."""
        self.subscribe(2.0)
        self.assertEqual([], self.console.shown)
        self.clock.pump([0.0, 1.9, 0.1, 2.0, 2.0])
        self.assertEqual([0.0, 2.0, 4.0, 6.0], self.console.shown)

    def test_the_beat_is_kept_by_a_console_that_takes_its_time(self) -> None:
        """An answer within the interval shifts nothing."""
        self.console.quick = False
        self.subscribe(2.0)
        for _ in range(3):
            self.clock.advance(0.0)
            self.clock.advance(0.5)
            self.console.answer()
            self.clock.advance(1.5)
        self.assertEqual([0.0, 2.0, 4.0, 6.0], self.console.shown)

    def test_never_two_in_flight(self) -> None:
        """Nothing is sent to a console that has not answered, however long."""
        self.console.quick = False
        self.subscribe(1.0)
        self.clock.pump([1.0] * 100)
        self.assertEqual(1, len(self.console.shown))

    def test_a_slow_console_gets_the_newest_and_no_more(self) -> None:
        """What it missed is not made up for."""
        self.console.quick = False
        self.subscribe(2.0)
        self.clock.advance(0.0)
        self.clock.advance(9.0)
        self.console.quick = True
        self.console.answer()
        self.clock.pump([0.0, 0.1, 0.8, 0.1])
        self.assertEqual([0.0, 9.0, 10.0], self.console.shown)
        self.clock.pump([1.9, 0.1])
        self.assertEqual([0.0, 9.0, 10.0, 12.0], self.console.shown)

    def test_stop_cancels(self) -> None:
        """Nothing ticks and nothing is sent after it; twice is once."""
        subscription = self.subscribe(2.0)
        self.clock.advance(0.0)
        subscription.stop()
        subscription.stop()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stop_before_the_first(self) -> None:
        """Not even the first frame is sent then."""
        self.subscribe(2.0).stop()
        self.clock.advance(9.0)
        self.assertEqual([], self.console.shown)

    def test_stop_with_one_in_flight(self) -> None:
        """Its answer is not followed by another."""
        self.console.quick = False
        subscription = self.subscribe(2.0)
        self.clock.advance(0.0)
        subscription.stop()
        self.console.answer()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_a_lost_link_is_the_end(self) -> None:
        """A frame that cannot be sent is the last, without a word in the log."""
        self.console.quick = False
        self.subscribe(2.0)
        self.clock.advance(0.0)
        self.console.unanswered.pop().errback(ZeroDivisionError())
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_the_interval_is_held_within_its_limits(self) -> None:
        """Neither a flood nor an eternity can be asked for."""
        for asked, given_ in ((0.0, MIN_FEED_SECONDS), (1e8, MAX_FEED_SECONDS)):
            self.setUp()
            subscription = self.subscribe(asked)
            self.clock.advance(0.0)
            (tick,) = self.clock.getDelayedCalls()
            self.assertEqual(given_, tick.getTime())
            subscription.stop()

    def test_another_pace_begins_at_once(self) -> None:
        """A change is answered by a frame, and the old beat is forgotten."""
        subscription = self.subscribe(10.0)
        self.clock.pump([0.0, 3.0])
        subscription.change("those", 1.0)
        self.clock.pump([0.0, 1.0, 1.0])
        self.assertEqual([0.0, 3.0, 4.0, 5.0], self.console.shown)
        self.assertEqual(["these", *["those"] * 3], self.console.views)

    def test_another_pace_waits_for_the_answer(self) -> None:
        """A change does not put a second frame in flight."""
        self.console.quick = False
        subscription = self.subscribe(10.0)
        self.clock.advance(0.0)
        self.clock.advance(3.0)
        subscription.change("those", 1.0)
        self.clock.advance(1.0)
        self.assertEqual([0.0], self.console.shown)
        self.console.answer()
        self.clock.advance(0.0)
        self.assertEqual([0.0, 4.0], self.console.shown)

    def test_nothing_follows_a_change_after_the_end(self) -> None:
        """Stopped is stopped."""
        subscription = self.subscribe(10.0)
        subscription.stop()
        subscription.change("those", 1.0)
        self.assertEqual([], self.clock.getDelayedCalls())

    @given(
        st.floats(0.1, 5.0),
        st.lists(st.tuples(st.floats(0.0, 7.0), st.booleans()), max_size=30),
    )
    def test_whatever_its_pace_a_console_is_not_overrun(
        self, interval: float, steps: list[tuple[float, bool]]
    ) -> None:
        """One in flight at most, and never more frames than the time has room for."""
        self.setUp()
        self.console.quick = False
        subscription = self.subscribe(interval)
        for seconds, answers in steps:
            if answers and self.console.unanswered:
                self.console.answer()
            self.clock.advance(seconds)
            self.assertLessEqual(len(self.console.unanswered), 1)
            self.assertLessEqual(len(self.clock.getDelayedCalls()), 1)
            room = self.clock.seconds() / interval
            self.assertLessEqual(len(self.console.shown), room + 2)
        subscription.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
