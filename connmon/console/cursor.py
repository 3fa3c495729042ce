"""Where in a view's rows the window and the cursor are: a pure rule.

The cursor stays with its row while rows come, go and change places, and that row stays
on its line of the screen, so that nothing jumps under the eye that reads it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from connmon.console.place import Place
from connmon.views.frame import Frame
from connmon.views.query import Key
from connmon.views.schema import VIEWS

MARGIN = 1
"""Pages of rows that are asked for above the window, and below it."""


class Position(NamedTuple):
    """The index of the top row, and of the row under the cursor, among all of them."""

    top: int
    cursor: int


def line(place: Place, page: int) -> int:
    """How far below the window's top the cursor is, in a window of ``page`` rows."""
    return max(0, min(place.line, page - 1))


def aim(place: Place) -> int:
    """The index of the row under the cursor, as far as one knows without a frame."""
    if place.target is not None:
        return place.target
    return 0 if place.selected is None else place.first + place.line


def position(place: Place, frame: Frame, page: int) -> Position:
    """Place window and cursor over the rows that there are.

    Without any, both are 0.
    """
    found = _index(frame, place.selected)
    # The row is not there: the cursor stays where it was.
    last = max(0, frame.count - 1)
    cursor = max(0, min(aim(place), last)) if found is None else found
    return Position(_top(frame, page, cursor - line(place, page)), cursor)


def moved(place: Place, frame: Frame, page: int, rows: int) -> Place:
    """The place with the cursor so many rows further down, or up if negative.

    The window follows only where the cursor would leave it.
    """
    return put(place, frame, page, position(place, frame, page).cursor + rows)


def paged(place: Place, frame: Frame, page: int, rows: int) -> Place:
    """The same, with the window going along as far as there are rows."""
    now = position(place, frame, page)
    return _at(place, frame, page, now.cursor + rows, _top(frame, page, now.top + rows))


def put(place: Place, frame: Frame, page: int, at: int) -> Place:
    """The place with the cursor on the row of that index, or the nearest there is."""
    return _at(place, frame, page, at, position(place, frame, page).top)


def settled(place: Place, frame: Frame, page: int, anchor: Key | None = None) -> Place:
    """The place once a new frame is there: what was aimed at is found, or near.

    ``anchor`` is that of the query that the frame answers, if that is the newest one:
    without it, a row that is not among those held may yet be elsewhere, so that the
    cursor goes on waiting for it.
    """
    if place.selected is None and place.target is None:
        return place
    if place.selected is not None and not _told(place.selected, frame, anchor):
        return place
    top, cursor = position(place, frame, page)
    key = _key_at(frame, cursor)
    if key is None:
        return place
    return replace(place, selected=key, line=cursor - top, first=top, target=None)


def held(place: Place, frame: Frame, page: int) -> bool:
    """Whether all there is to be seen is among the rows held, and the selected one."""
    sought = place.selected if frame.count else None
    if sought is not None and _index(frame, sought) is None:
        return False
    top, _ = position(place, frame, page)
    end = min(top + page, frame.count)
    return frame.first <= top and end <= frame.first + len(frame.rows)


def row(place: Place, frame: Frame, page: int) -> dict[str, Any] | None:
    """The row under the cursor, by its fields' names, if it is among those held."""
    number = position(place, frame, page).cursor - frame.first
    if not 0 <= number < len(frame.rows):
        return None
    return dict(zip(frame.fields, frame.rows[number], strict=True))


def itself(place: Place, frame: Frame) -> dict[str, Any] | None:
    """The row that was selected, and never one beside it, if it is among those held."""
    if place.selected is not None and _index(frame, place.selected) is None:
        return None
    return row(place, frame, 1)


def _at(place: Place, frame: Frame, page: int, at: int, top: int) -> Place:
    """The place with the cursor on a row, in a window as near to that one as can be."""
    at = max(0, min(at, frame.count - 1))
    below = max(0, min(at - top, max(1, page) - 1))
    key = _key_at(frame, at)
    return replace(
        place,
        selected=key,
        line=below,
        first=at - below,
        target=at if key is None else None,
    )


def _top(frame: Frame, page: int, wanted: int) -> int:
    """The index of a window's top row: as wanted, but no room is left at the end."""
    return max(0, min(wanted, frame.count - max(1, page)))


def _told(key: Key, frame: Frame, anchor: Key | None) -> bool:
    """Whether a frame tells where a row is, or that it is gone."""
    whole = frame.first == 0 and len(frame.rows) >= frame.count
    gone = anchor == key and frame.selected is None
    return whole or gone or _index(frame, key) is not None


def _index(frame: Frame, key: Key | None) -> int | None:
    """The index of a row among all of them, if it is among those held."""
    if key is None:
        return None
    for number, each in enumerate(_keys(frame)):
        if each == key:
            return frame.first + number
    return None


def _key_at(frame: Frame, at: int) -> Key | None:
    """Which row has that index, if it is among those held."""
    number = at - frame.first
    keys = _keys(frame)
    return keys[number] if 0 <= number < len(keys) else None


def _keys(frame: Frame) -> list[Key]:
    """What tells each of the rows held from all others."""
    names = VIEWS[frame.view].key
    if not all(name in frame.fields for name in names):
        return []
    columns = [frame.fields.index(name) for name in names]
    return [tuple(each[column] for column in columns) for each in frame.rows]
