"""Who looks on: each console gets the newest state of what it asked, at its own pace.

A console that is slow to answer is not sent more: the next feed leaves when the last
one was answered, and shows what is true then. Nothing is queued. Nor can one keep the
node to itself: what is costly to make is followed by a pause. A change of the queries
cuts it short, for someone pressed a key, but not again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from connmon.views.query import Query
from connmon.wire.commands import MAX_FEED_SECONDS, MIN_FEED_SECONDS

_log = Logger(namespace="connmon.daemon")

SHARE = 10.0
"""So many times as long as a feed took to make is waited before the next, at least."""

MOST_PAUSE = 2.0
"""Seconds that such a pause lasts at most: the console must not take us for lost."""

PRESSED = 2.0
"""So many times as long as a feed took is the next away, if keys are pressed always."""

CREDIT_SECONDS = 2.0
"""How much of those pauses may be put off: a hand that types now and then has none."""

Made = Callable[[Sequence[Query]], bytes]
"""Makes the payload of a feed."""

Show = Callable[[int, bytes], "Deferred[Any]"]
"""Shows a console a feed, with the number of the subscription that it answers."""


class Subscription:
    """What one console wants to see."""

    def __init__(
        self,
        clock: Any,
        made: Made,
        show: Show,
        *,
        queries: Sequence[Query],
        interval: float,
        number: int,
    ) -> None:
        """Made by ``Feeds.subscribe``; begins with the next turn of the reactor."""
        self._clock = clock
        self._made = made
        self._show = show
        self._stopped = False
        self._in_flight = False
        self._is_failing = False
        #: When all pauses that its feeds cost will be over, were they one by one.
        self._paid = clock.seconds()
        self._timer: Any = None
        self.change(queries, interval, number)

    def change(self, queries: Sequence[Query], interval: float, number: int) -> None:
        """Other queries or another pace, and a feed as soon as there can be one.

        That is at once, unless there were too many changes of late for what they cost.
        """
        self._queries = queries
        self._number = number
        self._interval = min(max(interval, MIN_FEED_SECONDS), MAX_FEED_SECONDS)
        self._due = max(self._clock.seconds(), self._paid - CREDIT_SECONDS)
        self._plan()

    def stop(self) -> None:
        """Send nothing more. Twice is once."""
        self._stopped = True
        self._cancel()

    def _plan(self) -> None:
        """Send the next feed when it is due, unless one is still on its way."""
        self._cancel()
        if not self._stopped and not self._in_flight:
            wait = max(self._due - self._clock.seconds(), 0.0)
            self._timer = self._clock.callLater(wait, self._tick)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        """The next feed is due: send it, if it can be made."""
        self._timer = None
        began = self._clock.seconds()
        feed = self._feed()
        self._pace(began, self._clock.seconds())
        if feed is None:
            self._plan()
        else:
            self._in_flight = True
            self._show(self._number, feed).addCallbacks(self._shown, self._lost)

    def _feed(self) -> bytes | None:
        """What is true now; ``None`` if that fails, which is logged when it begins."""
        try:
            feed = self._made(self._queries)
        except Exception:  # noqa: BLE001  whatever it was, the next may be made
            if not self._is_failing:
                _log.failure("a feed cannot be made; the console waits for the next")
            self._is_failing = True
            return None
        self._is_failing = False
        return feed

    def _pace(self, began: float, now: float) -> None:
        """Settle when the next feed is due, after one that took from ``began``."""
        pause = SHARE * (now - began)
        # Keep the beat, but never make up for beats that were missed; and leave the
        # node time for others.
        busy = now + min(pause, MOST_PAUSE)
        self._due = max(self._due + self._interval, now + self._interval / 2, busy)
        most = now + MOST_PAUSE + CREDIT_SECONDS
        self._paid = min(max(self._paid, now) + PRESSED * (now - began), most)

    def _shown(self, answer: object) -> None:
        """The last feed was answered: there may be another when it is time."""
        self._in_flight = False
        self._plan()

    def _lost(self, failure: object) -> None:
        """The link is gone, or of no use; its closing is noticed elsewhere."""
        self._stopped = True


class Feeds:
    """All consoles of a node."""

    def __init__(self, clock: Any, made: Made) -> None:
        """``made`` tells what is true now."""
        self._clock = clock
        self._made = made

    def subscribe(
        self, show: Show, queries: Sequence[Query], interval: float, number: int
    ) -> Subscription:
        """Show a console what it asks from now on, a first feed at once."""
        return Subscription(
            self._clock,
            self._made,
            show,
            queries=queries,
            interval=interval,
            number=number,
        )
