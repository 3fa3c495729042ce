"""Who looks on: each console gets the newest state of what it asked, at its own pace.

A console that is slow to answer is not sent more: the next feed leaves when the last
one was answered, and shows what is true then. Nothing is queued.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from connmon.views.query import Query
from connmon.wire.commands import MAX_FEED_SECONDS, MIN_FEED_SECONDS

SHARE = 10.0
"""So many times as long as a feed took to make is waited before the next, at least."""

MOST_PAUSE = 2.0
"""Seconds that such a pause lasts at most: the console must not take us for lost."""

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
        self._timer: Any = None
        self.change(queries, interval, number)

    def change(self, queries: Sequence[Query], interval: float, number: int) -> None:
        """Other queries or another pace, and a feed as soon as there can be one."""
        self._queries = queries
        self._number = number
        self._interval = min(max(interval, MIN_FEED_SECONDS), MAX_FEED_SECONDS)
        self._due = self._clock.seconds()
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
        """The next feed is due: send it."""
        self._timer = None
        self._in_flight = True
        began = self._clock.seconds()
        feed = self._made(self._queries)
        # Keep the beat, but never make up for beats that were missed; and leave the
        # node time for others.
        now = self._clock.seconds()
        busy = now + min(SHARE * (now - began), MOST_PAUSE)
        self._due = max(self._due + self._interval, now + self._interval / 2, busy)
        self._show(self._number, feed).addCallbacks(self._shown, self._lost)

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
