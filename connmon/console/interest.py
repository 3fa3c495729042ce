"""What the viewer is interested in: what is asked, when, and which answers count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connmon.console import asking
from connmon.console.cursor import held
from connmon.console.place import Screen
from connmon.console.source import Source
from connmon.views.frame import Frame
from connmon.views.query import Key, Query

SETTLE_SECONDS = 0.25
"""After the last move of the cursor, how long until the node is told of it."""


class Interest:
    """What one viewer asks of a source.

    What changes which rows there are, or where they are looked at, is asked at once.
    Where the cursor is within the rows held is told once it has come to rest. While the
    screen is ``frozen``, one frame of many rows is taken; from then on it is only asked
    whether somebody is there.
    """

    def __init__(self, clock: Any, source: Source, rested: Callable[[], None]) -> None:
        """Call ``rested`` once the cursor has come to rest, to be answered by it."""
        self._clock = clock
        self._source = source
        self._rested = rested
        self._query: Query | None = None
        self._about: tuple[object, ...] = ()
        self._delay = 0.0
        #: The newest subscription, the first of those whose frames are of use, and the
        #: one that a search waits for.
        self._number = 0
        self._useful = 0
        self._finding = 0
        self._timer: Any = None
        self._stopped = False

    def stop(self) -> None:
        """Ask nothing more, and leave nothing behind that waits."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def ask(
        self, screen: Screen, page: int, frame: Frame | None, *, frozen: bool
    ) -> None:
        """Ask for what a screen needs that has ``frame``, if it has any, at once.

        If that can wait, it waits for the cursor to come to rest.
        """
        if self._stopped:
            return
        query = asking.query(screen, page)
        delay = screen.choices.delay
        # A picture that stands still is none the fresher for another pace.
        about = (asking.about(query), frozen, None if frozen else delay)
        if about != self._about:
            self._about = about
            self._finding = 0
            self._watch(query, delay)
            self._useful = self._number
        elif query != self._query and not self._finding:
            if frame is None or not held(screen.place, frame, page):
                self._watch(query, delay)
            elif self._moved(query):
                self._settle()

    def rest(self, screen: Screen, page: int) -> None:
        """Tell the node where the cursor is, now that it is at rest."""
        query = asking.query(screen, page)
        if query != self._query and not self._finding:
            self._watch(query, screen.choices.delay)

    def find(self, screen: Screen, page: int, text: str, step: int) -> None:
        """Ask for the next row that a filter matches."""
        self._watch(asking.query(screen, page, text, step), screen.choices.delay)
        self._finding = self._number

    def wanted(self, number: int) -> bool:
        """Whether frames of that subscription are of use."""
        return number >= self._useful

    def taken(self, number: int, *, frozen: bool) -> Key | None:
        """A frame of that subscription is shown; the row that its window is placed by.

        It is known for the newest subscription only.
        """
        newest = self._query if number == self._number else None
        if frozen:
            self._listen()
        return None if newest is None else newest.anchor

    def found(self, number: int) -> bool:
        """Whether that is what a search waits for; if so, it waits no longer."""
        if number != self._finding:
            return False
        self._finding = 0
        return True

    def refused(self, number: int) -> bool:
        """A subscription was not understood; whether there is no newer one."""
        self._finding = 0 if number == self._finding else self._finding
        return number == self._number

    def _listen(self) -> None:
        """Hear whether the node is there; no rows of it are wanted."""
        assert self._query is not None
        pulse = Query(self._query.view, limit=0)
        self._number = self._source.watch((pulse,), self._delay)
        self._useful = self._number + 1

    def _moved(self, query: Query) -> bool:
        """Whether the node would have to place the window by something else."""
        last = self._query
        return last is None or asking.placing(query) != asking.placing(last)

    def _settle(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.reset(SETTLE_SECONDS)
        else:
            self._timer = self._clock.callLater(SETTLE_SECONDS, self._rested)

    def _watch(self, query: Query, delay: float) -> None:
        self._query, self._delay = query, delay
        self._number = self._source.watch((query,), delay)
