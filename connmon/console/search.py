"""Searching the rows that the console has, before the node is asked."""

from __future__ import annotations

from connmon.console.cursor import position
from connmon.console.place import Place
from connmon.errors import QueryError
from connmon.views import filters
from connmon.views.frame import Frame
from connmon.views.schema import VIEWS


def found(
    place: Place, frame: Frame | None, page: int, text: str, *, partly: bool = False
) -> int | None:
    """The index of the next row below the cursor that a filter matches, if it is here.

    Where rows between are not here, or lack a field that it looks at, none is found but
    if ``partly`` is enough: then what is lacking is passed over.
    """
    if frame is None:
        return None
    try:
        wanted = filters.parse(text, VIEWS[frame.view])
    except QueryError:
        return None
    if not (partly or wanted.fields.issubset(frame.fields)):
        return None  # the node can look at all of them
    start = position(place, frame, page).cursor + 1 - frame.first
    if start < 0 and not partly:
        return None
    for number in range(max(0, start), len(frame.rows)):
        row = dict(zip(frame.fields, frame.rows[number], strict=True))
        if wanted.holds(row.get):
            return frame.first + number
    return None
