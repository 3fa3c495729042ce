"""A viewer without a screen, and a node without a network: what keys lead to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from connmon.console import asking, columns, search
from connmon.console.cursor import held, position, put, settled
from connmon.console.place import Mode, Place, Screen
from connmon.console.pressing import Do, Effect, Sight
from connmon.console.screen import press
from connmon.views.answer import answer
from connmon.views.frame import Frame, Head, Row
from connmon.views.query import Key, Query
from connmon.views.recorded import Recorded
from connmon.views.schema import PROGRAMS, VIEWS

HEAD = Head("default", "node1")


def a_row(view: str = PROGRAMS, **values: Any) -> Row:
    """A row of a view; what is not given is not known."""
    row = tuple(values.pop(each.name, None) for each in VIEWS[view].fields)
    assert not values, values
    return row


def a_frame(view: str = PROGRAMS, rows: Sequence[Row] = (), **changes: Any) -> Frame:
    """A frame of these rows, which are all there are unless told otherwise."""
    fields = tuple(each.name for each in VIEWS[view].fields)
    frame = Frame(HEAD, view, fields, tuple(rows), count=len(rows), total=len(rows))
    return replace(frame, **changes)


def programs(count: int, host: str = "ctl1") -> list[Row]:
    """Rows of the programs ``p00``, ``p01`` and so on, which are in order."""
    return [
        a_row(hostname=host, progname=f"p{number:02}", alert="ok")
        for number in range(count)
    ]


def key_of(number: int, host: str = "ctl1") -> Key:
    """Which row of ``programs`` that one is."""
    return host, f"p{number:02}"


class Node:
    """Answers queries as a node does, of rows that a test may change."""

    def __init__(self, **rows: Iterable[Row]) -> None:
        """Have these rows, by the names of their views."""
        self.rows = {view: list(each) for view, each in rows.items()}

    def answer(self, query: Query) -> Frame:
        """What a query shows now."""
        frames = [a_frame(view, rows) for view, rows in self.rows.items()]
        return answer(Recorded(frames), HEAD, query, 0.0)

    def order(self, query: Query) -> list[Key]:
        """Which rows there are for a query, in their order, the window apart."""
        key = VIEWS[query.view].key
        whole = replace(query, first=0, limit=-1, anchor=None, find="", fields=key)
        frame = self.answer(whole)
        columns = [frame.fields.index(name) for name in key]
        return [tuple(row[each] for each in columns) for row in frame.rows]


class Sent(NamedTuple):
    """A frame on its way, the number of its subscription, and all rows there were."""

    frame: Frame
    number: int
    order: list[Key]


class Viewer:
    """Asks and takes as the live screen does, but when the test says so.

    Questions and frames are under way until ``heard`` and ``taken``; ``rest`` is what
    happens once no key has been pressed for a while.
    """

    def __init__(self, node: Node, page: int, screen: Screen | None = None) -> None:
        """Ask for the first frame."""
        self.node = node
        self.page = page
        self.screen = screen or Screen()
        self.questions: list[tuple[Query, int]] = []
        self.frames: list[Sent] = []
        self.told = 0
        self.frame: Frame | None = None
        self.effects: list[Effect] = []
        self._of: tuple[object, ...] = ()
        self._subscription: tuple[Query, int] | None = None
        self._asked: tuple[object, ...] = ()
        self._query: Query | None = None
        self._number = self._useful = self._accepted = self._finding = 0
        self._unsettled = False
        self._ask()

    @property
    def place(self) -> Place:
        """Where the viewer is."""
        return self.screen.place

    @property
    def current(self) -> Frame | None:
        """The newest frame, if it is of what is shown now."""
        return self.frame if self._of == self._here() else None

    @property
    def seen(self) -> list[Key]:
        """Which rows are on the screen, as far as they are held."""
        frame = self.current
        if frame is None:
            return []
        top = position(self.place, frame, self.page).top - frame.first
        return self.held[max(0, top) : max(0, top + max(1, self.page))]

    @property
    def held(self) -> list[Key]:
        """Which rows the newest frame has."""
        frame = self.current
        if frame is None:
            return []
        columns = [frame.fields.index(name) for name in VIEWS[frame.view].key]
        return [tuple(row[each] for each in columns) for row in frame.rows]

    @property
    def on(self) -> Key | None:
        """The row under the cursor, if it is held."""
        frame = self.current
        if frame is None:
            return None
        number = position(self.place, frame, self.page).cursor - frame.first
        return self.held[number] if 0 <= number < len(self.held) else None

    @property
    def line(self) -> int:
        """The line of the window that the cursor is on."""
        frame = self.current
        assert frame is not None
        top, cursor = position(self.place, frame, self.page)
        return cursor - top

    # What happens.

    def pressed(self, *keys: str) -> None:
        """Keys are pressed, with nothing of an answer between them."""
        for key in keys:
            self.screen, effect = press(self.screen, key, self._sight())
            if effect != Effect():
                self.effects.append(effect)
            if effect.do is Do.FIND:
                self._find(effect)
            self._ask()

    def resized(self, page: int) -> None:
        """The window has room for another number of rows."""
        self.page = page
        self._ask()

    def heard(self) -> None:
        """The node hears the oldest question, and answers at once."""
        if self.questions:
            self._subscription = self.questions.pop(0)
            self.ticked()

    def ticked(self) -> None:
        """The node sends what is asked for as it is now."""
        if self._subscription is not None:
            query, number = self._subscription
            sent = Sent(self.node.answer(query), number, self.node.order(query))
            self.frames.append(sent)

    def taken(self) -> None:
        """The oldest frame under way arrives."""
        frame, number, _ = self.frames.pop(0)
        frozen = self.screen.paused and number <= self._accepted
        if frame.view == self.place.view and number >= self._useful:
            if not frozen:
                self._take(frame, number)
            self._found(frame, number)

    def rest(self) -> None:
        """No key was pressed for a while."""
        if self._unsettled and not self.screen.paused:
            self._unsettled = False
            query = asking.query(self.screen, self.page)
            if query != self._query:
                self._watch(query)

    def calm(self) -> None:
        """All that is under way arrives. Fails if that goes on for ever."""
        for _ in range(20):
            while self.questions or self.frames:
                self.heard()
                self.taken()
            if not self._unsettled or self.screen.paused:
                return
            self.rest()
        raise AssertionError("it never stops asking")

    def will_take(self, sent: Sent) -> bool:
        """Whether a frame on its way, once here, will be what is shown."""
        frozen = self.screen.paused and sent.number <= self._accepted
        useful = sent.number >= self._useful and sent.frame.view == self.place.view
        return useful and not frozen

    def will_find(self, sent: Sent) -> bool:
        """Whether a frame on its way is what a search waits for."""
        return sent.number == self._finding

    # How the live screen does it.

    def _take(self, frame: Frame, number: int) -> None:
        self._accepted = number
        self.frame, self._of = frame, self._here()
        newest = self._query is not None and number == self._number
        anchor = self._query.anchor if newest and self._query else None
        if self.screen.mode is not Mode.WHOLE:
            self._put(settled(self.place, frame, self.page, anchor))
        self._ask()

    def _found(self, frame: Frame, number: int) -> None:
        if number != self._finding:
            return
        self._finding = 0
        if frame.found and frame.selected is not None:
            self._put(put(self.place, frame, self.page, frame.selected))
        self._ask()

    def _find(self, effect: Effect) -> None:
        frame, paused = self.current, self.screen.paused
        at = search.found(self.place, frame, self.page, effect.text, partly=paused)
        if frame is not None and at is not None:
            self._put(put(self.place, frame, self.page, at))
        elif not paused:
            self._watch(asking.query(self.screen, self.page, effect.text, effect.step))
            self._finding = self._number

    def _ask(self) -> None:
        query = asking.query(self.screen, self.page)
        choices = self.screen.choices
        about = (asking.about(query), self.screen.paused, choices.delay)
        if about != self._asked:
            self._asked = about
            self._finding = 0
            self._watch(query)
            self._useful = self._number
        elif query != self._query and not self._finding:
            frame = self.current
            if frame is None or not held(self.place, frame, self.page):
                self._watch(query)
            elif asking.placing(query) != asking.placing(self._last()):
                self._unsettled = True

    def _last(self) -> Query:
        assert self._query is not None
        return self._query

    def _watch(self, query: Query) -> None:
        self._query = query
        self._number += 1
        self.told += 1
        self.questions.append((query, self._number))

    def _here(self) -> tuple[object, ...]:
        return self.place.view, self.place.scope

    def _put(self, place: Place) -> None:
        places = (*self.screen.places[:-1], place)
        self.screen = replace(self.screen, places=places)

    def _sight(self) -> Sight:
        view, choices = self.place.view, self.screen.choices
        shown = columns.visible(
            view, columns.chosen(view, choices), {}, 200, self.place.scope
        )
        return Sight(self.current, self.page, tuple(shown), lines=7)
