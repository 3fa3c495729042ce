"""Who looks on: each console gets the newest state of its view, at its own pace.

A console that is slow to answer is not sent more: the next frame leaves when the last
one was answered, and shows what is true then. Nothing is queued.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from connmon.wire.commands import MAX_FEED_SECONDS, MIN_FEED_SECONDS

Views = Mapping[str, Callable[[], bytes]]
"""Of each view, by its name, what makes the payload of a frame."""

Show = Callable[[str, bytes], "Deferred[Any]"]
"""Shows a console a frame of a view."""


class Subscription:
    """One console's interest in a view."""

    def __init__(
        self, clock: Any, views: Views, show: Show, view: str, interval: float
    ) -> None:
        """Made by ``Feeds.subscribe``; begins with the next turn of the reactor."""
        self._clock = clock
        self._views = views
        self._show = show
        self._stopped = False
        self._in_flight = False
        self._timer: Any = None
        self.change(view, interval)

    def change(self, view: str, interval: float) -> None:
        """Another view or pace: a frame at once, or when the last is answered."""
        self._view = view
        self._interval = min(max(interval, MIN_FEED_SECONDS), MAX_FEED_SECONDS)
        self._due = self._clock.seconds()
        self._plan()

    def stop(self) -> None:
        """Send nothing more. Twice is once."""
        self._stopped = True
        self._cancel()

    def _plan(self) -> None:
        """Send the next frame when it is due, unless one is still on its way."""
        self._cancel()
        if not self._stopped and not self._in_flight:
            wait = max(self._due - self._clock.seconds(), 0.0)
            self._timer = self._clock.callLater(wait, self._tick)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        """The next frame is due: send it."""
        self._timer = None
        self._in_flight = True
        # Keep the beat, but never make up for beats that were missed.
        now = self._clock.seconds()
        self._due = max(self._due + self._interval, now + self._interval / 2)
        frame = self._views[self._view]()
        self._show(self._view, frame).addCallbacks(self._shown, self._lost)

    def _shown(self, answer: object) -> None:
        """The last frame was answered: there may be another when it is time."""
        self._in_flight = False
        self._plan()

    def _lost(self, failure: object) -> None:
        """The link is gone, or of no use; its closing is noticed elsewhere."""
        self._stopped = True


class Feeds:
    """All consoles of a node."""

    def __init__(self, clock: Any, views: Views) -> None:
        """``views`` tell what is true now."""
        self._clock = clock
        self._views = views

    def subscribe(self, show: Show, view: str, interval: float) -> Subscription:
        """Show a console frames of a view from now on, one at once."""
        return Subscription(self._clock, self._views, show, view, interval)
