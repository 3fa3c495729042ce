"""Tests of the feeds: the newest state, at the console's pace, never two in flight."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connmon.daemon.feeds import (
    CREDIT_SECONDS,
    MOST_PAUSE,
    PRESSED,
    SHARE,
    Feeds,
    Subscription,
)
from connmon.views.query import Query
from connmon.views.schema import HOSTS, NODES, PROGRAMS
from connmon.wire.commands import (
    ANSWER_SECONDS,
    MAX_FEED_SECONDS,
    MIN_FEED_SECONDS,
)

THESE, THOSE = (Query(PROGRAMS), Query(NODES)), (Query(HOSTS),)


class Console:
    """Whom feeds are shown to; it answers when told to, or at once."""

    def __init__(self, clock: Clock, quick: bool) -> None:
        """Nothing was shown yet."""
        self._clock = clock
        self.quick = quick
        self.shown: list[float] = []
        self.numbers: list[int] = []
        self.views: list[str] = []
        self.unanswered: list[Deferred[Any]] = []

    def show(self, number: int, feed: bytes) -> Deferred[Any]:
        """Note when a feed came, of which views; it says when it was made."""
        views, _, made = feed.decode().rpartition(" ")
        assert float(made) == self._clock.seconds()
        self.numbers.append(number)
        self.views.append(views)
        self.shown.append(self._clock.seconds())
        answer: Deferred[Any] = Deferred()
        self.unanswered.append(answer)
        if self.quick:
            self.answer()
        return answer

    def answer(self) -> None:
        """Answer the feed."""
        self.unanswered.pop().callback({})


class FeedsTests(SynchronousTestCase):
    """One console, a clock, and feeds that say when they were made."""

    def setUp(self) -> None:
        """A console that answers at once, and a node that takes no time."""
        self.clock = Clock()
        self.console = Console(self.clock, quick=True)
        #: How long it takes to make a feed.
        self.takes = 0.0
        #: What becomes of it instead.
        self.fails: Exception | None = None

    def made(self, queries: Sequence[Query]) -> bytes:
        """What is true now: the views that are asked for, and when that is."""
        self.clock.rightNow += self.takes
        if self.fails is not None:
            raise self.fails
        views = " ".join(each.view for each in queries)
        return f"{views} {self.clock.seconds()!r}".encode()

    def subscribe(self, interval: float) -> Subscription:
        """Begin to show feeds."""
        feeds = Feeds(self.clock, self.made)
        return feeds.subscribe(self.console.show, THESE, interval, 1)

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
        """Not even the first feed is sent then."""
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
        """A feed that cannot be sent is the last, without a word in the log."""
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
        """A change is answered by a feed, and the old beat is forgotten."""
        subscription = self.subscribe(10.0)
        self.clock.pump([0.0, 3.0])
        subscription.change(THOSE, 1.0, 2)
        self.clock.pump([0.0, 1.0, 1.0])
        self.assertEqual([0.0, 3.0, 4.0, 5.0], self.console.shown)
        self.assertEqual(["programs nodes", *["hosts"] * 3], self.console.views)
        self.assertEqual([1, 2, 2, 2], self.console.numbers)

    def test_another_pace_waits_for_the_answer(self) -> None:
        """A change does not put a second feed in flight."""
        self.console.quick = False
        subscription = self.subscribe(10.0)
        self.clock.advance(0.0)
        self.clock.advance(3.0)
        subscription.change(THOSE, 1.0, 2)
        self.clock.advance(1.0)
        self.assertEqual([0.0], self.console.shown)
        self.console.answer()
        self.clock.advance(0.0)
        self.assertEqual([0.0, 4.0], self.console.shown)
        self.assertEqual([1, 2], self.console.numbers)

    def test_of_many_changes_the_last_is_answered(self) -> None:
        """Whoever types in a filter is not sent what each letter of it found."""
        self.console.quick = False
        subscription = self.subscribe(10.0)
        self.clock.advance(0.0)
        for number in range(2, 9):
            subscription.change(THOSE if number == 8 else THESE, 1.0, number)
            self.clock.advance(0.01)
        self.console.answer()
        self.clock.advance(0.0)
        self.assertEqual([1, 8], self.console.numbers)
        self.assertEqual("hosts", self.console.views[-1])

    def test_nothing_follows_a_change_after_the_end(self) -> None:
        """Stopped is stopped."""
        subscription = self.subscribe(10.0)
        subscription.stop()
        subscription.change(THOSE, 1.0, 2)
        self.assertEqual([], self.clock.getDelayedCalls())

    def between(self, interval: float, takes: float, answers: float = 0.0) -> float:
        """The seconds from the end of one feed to the beginning of the next."""
        self.setUp()
        self.console.quick = False
        self.takes = takes
        subscription = self.subscribe(interval)
        for _ in range(5):
            self.clock.advance(0.0)
            self.clock.advance(answers)
            self.console.answer()
            self.clock.advance(max(self.next() - self.clock.seconds(), 0.0))
        subscription.stop()
        self.assertEqual(6, len(self.console.shown))
        *_, one, other = self.console.shown
        return other - takes - one

    def next(self) -> float:
        """When something happens next."""
        (call,) = self.clock.getDelayedCalls()
        return float(call.getTime())

    def test_a_slow_feed_leaves_a_pause(self) -> None:
        """So many times as long as it took, if that is longer than the interval."""
        self.assertAlmostEqual(SHARE * 0.15, self.between(0.1, 0.15))
        self.assertAlmostEqual(SHARE * 0.15, self.between(1.0, 0.15))

    def test_a_very_slow_feed_leaves_one_that_a_console_can_stand(self) -> None:
        """It would take the node for lost otherwise."""
        self.assertAlmostEqual(MOST_PAUSE, self.between(0.1, 1.0))
        self.assertAlmostEqual(MOST_PAUSE, self.between(0.1, 100.0))
        self.assertLess(MOST_PAUSE, ANSWER_SECONDS)

    def test_a_feed_that_is_quick_enough_keeps_its_beat(self) -> None:
        """The interval is from beginning to beginning."""
        self.assertAlmostEqual(1.96, self.between(2.0, 0.04))
        self.assertAlmostEqual(59.0, self.between(60.0, 1.0))

    def test_the_pause_is_none_of_the_console(self) -> None:
        """The time it takes to answer is not the node's, and may be part of it."""
        self.assertAlmostEqual(SHARE * 0.15, self.between(0.1, 0.15, answers=1.0))
        self.assertAlmostEqual(3.0, self.between(0.1, 0.15, answers=3.0))

    def test_a_change_does_not_wait_for_the_pause(self) -> None:
        """Someone pressed a key."""
        self.takes = 0.15
        subscription = self.subscribe(0.1)
        self.clock.advance(0.0)
        self.clock.advance(0.5)
        subscription.change(THOSE, 0.1, 2)
        self.clock.advance(0.0)
        self.assertEqual([1, 2], self.console.numbers)

    def presses(self, presses: int, every: float) -> list[float]:
        """How long each change waits for its feed, of so many in equal distances."""
        subscription = self.subscribe(60.0)
        self.clock.advance(0.0)
        waits = []
        for number in range(2, presses + 2):
            self.clock.advance(every)
            pressed = self.clock.seconds()
            subscription.change(THOSE, 60.0, number)
            self.clock.advance(max(self.next() - pressed, 0.0))
            self.assertEqual(number, self.console.numbers[-1])
            waits.append(self.console.shown[-1] - self.takes - pressed)
        subscription.stop()
        return waits

    def test_keys_are_answered_at_once(self) -> None:
        """A hand that types, on a node with much to show, never waits for a pause."""
        self.takes = 0.02
        self.assertAlmostEqual(0.0, max(self.presses(50, 0.2)))
        self.setUp()
        self.takes = 0.05
        self.assertAlmostEqual(0.0, max(self.presses(4, 0.05)))

    def test_a_hand_on_a_node_with_very_much_to_show(self) -> None:
        """A key a second waits for no pause where a feed takes a third of one."""
        self.takes = 0.3
        self.assertAlmostEqual(0.0, max(self.presses(30, 1.0)))

    def test_changes_all_the_time_wait_for_pauses(self) -> None:
        """They have the node for a share of its time, as without changes."""
        self.takes = 0.05
        waits = self.presses(100, 0.001)
        self.assertAlmostEqual(0.0, waits[0])
        for each in waits[50:]:
            self.assertAlmostEqual(PRESSED * 0.05 - 0.051, each)

    def test_changes_never_wait_longer_than_the_longest_pause(self) -> None:
        """However long a feed takes, and however many there were."""
        self.takes = 30.0
        self.assertAlmostEqual(MOST_PAUSE, max(self.presses(20, 0.0)))

    def test_changes_do_not_put_a_feed_off(self) -> None:
        """One that waits for the pause comes after it, whatever else is changed."""
        self.takes = 1.0
        subscription = self.subscribe(60.0)
        self.clock.advance(0.0)
        for number in range(2, 22):
            subscription.change(THOSE, 60.0, number)
            self.clock.advance(MOST_PAUSE / 20)
        # The second is on credit, and takes a second; then there is a pause of one.
        self.assertEqual([1, 2, 11], self.console.numbers)

    def test_a_feed_that_fails_is_followed_by_the_next(self) -> None:
        """The console gets nothing meanwhile, and everything again afterwards."""
        self.fails = ZeroDivisionError()
        self.subscribe(2.0)
        self.clock.pump([0.0, 2.0, 1.0])
        self.assertEqual([], self.console.shown)
        self.fails = None
        self.clock.pump([1.0, 2.0])
        self.assertEqual([4.0, 6.0], self.console.shown)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_feeds_that_fail_are_logged_once(self) -> None:
        """Until there was one again: then it is news."""
        self.subscribe(1.0)
        self.clock.advance(0.0)
        for _ in range(2):
            self.fails = ZeroDivisionError()
            self.clock.pump([1.0] * 30)
            self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
            self.fails = None
            self.clock.advance(1.0)
        self.assertEqual(3, len(self.console.shown))

    def test_a_feed_that_fails_costs_what_it_takes(self) -> None:
        """It leaves the same pause, and a change is answered as it was before."""
        self.takes, self.fails = 0.15, ZeroDivisionError()
        subscription = self.subscribe(0.1)
        self.clock.advance(0.0)
        self.assertAlmostEqual(0.15 + SHARE * 0.15, self.next())
        self.fails = None
        subscription.change(THOSE, 0.1, 2)
        self.clock.advance(0.0)
        self.assertEqual([2], self.console.numbers)
        subscription.stop()
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_stop_while_feeds_fail(self) -> None:
        """There is nothing to wait for then."""
        self.fails = ZeroDivisionError()
        subscription = self.subscribe(1.0)
        self.clock.advance(0.0)
        subscription.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    @given(
        st.sampled_from([0.0, 0.001, 0.01, 0.2]),
        st.lists(st.sampled_from([0.0, 0.01, 0.3, 7.0]), max_size=60),
    )
    def test_whatever_it_changes_a_console_has_its_share_of_a_node(
        self, takes: float, steps: list[float]
    ) -> None:
        """No more than the pauses allow, and what may be taken beforehand."""
        self.setUp()
        self.takes = takes
        subscription = self.subscribe(1.0)
        for number, seconds in enumerate(steps, 2):
            self.clock.advance(seconds)
            subscription.change(THOSE, 1.0, number)
        self.clock.advance(0.0)
        spent = len(self.console.shown) * takes
        room = self.clock.seconds() + CREDIT_SECONDS + PRESSED * takes
        self.assertLessEqual(PRESSED * spent, room + 1e-6)
        subscription.stop()

    @given(
        st.floats(0.1, 5.0),
        st.sampled_from([0.0, 0.01, 0.2, 3.0]),
        st.lists(st.tuples(st.floats(0.0, 7.0), st.booleans()), max_size=30),
    )
    def test_whatever_its_pace_a_console_is_not_overrun(
        self, interval: float, takes: float, steps: list[tuple[float, bool]]
    ) -> None:
        """One in flight at most, and never more feeds than the time has room for."""
        self.setUp()
        self.console.quick = False
        self.takes = takes
        subscription = self.subscribe(interval)
        for seconds, answers in steps:
            if answers and self.console.unanswered:
                self.console.answer()
            self.clock.advance(seconds)
            self.assertLessEqual(len(self.console.unanswered), 1)
            self.assertLessEqual(len(self.clock.getDelayedCalls()), 1)
            room = self.clock.seconds() / interval
            self.assertLessEqual(len(self.console.shown), room + 2)
        for one, other in pairwise(self.console.shown):
            pause = min(SHARE * takes, MOST_PAUSE)
            self.assertGreaterEqual(other - takes - one, pause - 1e-6)
        subscription.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
