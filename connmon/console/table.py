"""The rows of a frame as lines: those in a window of the screen, or all as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from connmon.console import cells, columns, rows
from connmon.console.cells import Manner
from connmon.console.choices import Choices
from connmon.console.column import Column, Look, column
from connmon.console.columns import GUTTER
from connmon.console.cursor import position
from connmon.console.layout import Widths
from connmon.console.line import clipped
from connmon.console.marks import Values
from connmon.console.place import Place
from connmon.console.sheet import Entry, Sheet, is_host, sheet
from connmon.console.text import Glyphs, Line, Style
from connmon.console.text import width as cells_of
from connmon.views.frame import Frame
from connmon.views.schema import NODES, VIEWS

_INDENT = "    "
"""Before what is said of a row below it."""


@dataclass(frozen=True)
class Window:
    """Rows ``first`` to before ``last``, with the cursor on ``cursor``.

    All count among the ``count`` rows of the frame's query. ``cursor`` is ``None``
    where there is no row.
    """

    first: int
    last: int
    count: int
    cursor: int | None


@dataclass(frozen=True)
class Table:
    """What is seen of a frame: the rows of ``window``, with what is said below them.

    ``selected`` is the row that the cursor is on. ``order`` is what somebody chose to
    sort by, if its column, which would say so, is not shown.
    """

    heading: Line
    lines: list[Line]
    window: Window
    selected: Values | None = None
    order: str = ""


def empty(place: Place, choices: Choices, room: int, glyphs: Glyphs) -> Line:
    """The heading of a table that there is no frame of."""
    view = place.view
    among = columns.columns(view, columns.chosen(view, choices), place.scope)
    shown = columns.fitted(view, among, {}, room)
    return rows.heading(view, shown, room, columns.sort(view, choices), glyphs)


def table(
    frame: Frame,
    place: Place,
    choices: Choices,
    manner: Manner,
    *,
    room: int,
    page: int,
    most: Mapping[str, int],
) -> Table:
    """What a window of ``room`` cells and ``page`` lines shows of a frame.

    ``most`` are cells that columns have needed earlier.
    """
    view, seen = frame.view, _window(frame, place, page)
    among = columns.columns(view, columns.chosen(view, choices), place.scope)
    written = _written(frame, seen, among, manner, choices.tree)
    needs = {
        name: max(need, most.get(name, 0)) for name, need in written.needs().items()
    }
    shown = columns.fitted(view, among, needs, room)
    below = _below(written, shown, room)
    if below and seen.count + sum(map(len, below)) > page:
        written = _written(frame, seen, among, replace(manner, remarks=True), False)
        below = []
    cursor = None if seen.cursor is None else seen.cursor - seen.first
    drawn = [
        rows.row(each, shown, manner.glyphs, cursor=index == cursor, room=room)
        for index, each in enumerate(written.entries)
    ]
    sort = columns.sort(view, choices)
    return Table(
        rows.heading(view, shown, room, sort, manner.glyphs),
        _interleaved(drawn, below),
        seen,
        None if cursor is None else written.entries[cursor].values,
        _unseen(view, choices.sorts.get(view, ""), shown, manner.glyphs),
    )


def _unseen(view: str, sort: str, shown: Widths, glyphs: Glyphs) -> str:
    """The chosen order, with the sign for which way, unless its column is shown.

    Empty as well if none was chosen, or no field of the view.
    """
    name = sort.removeprefix("-")
    if not VIEWS[view].field(name) or any(each.name == name for each, _ in shown):
        return ""
    heading = column(view, name).heading
    return f"{heading} {columns.sign(view, sort, glyphs)}"


def text_lines(
    frame: Frame,
    width: int | None,
    choices: Choices,
    glyphs: Glyphs,
    time: float | None = None,
) -> list[Line]:
    """The columns' names and all rows of a frame, to be read without a screen.

    Nothing is cut if there is no ``width``. In place of signs, what is wrong with a row
    is in words at its end, while there is any such row.
    """
    view = frame.view
    among = columns.for_text(view, columns.chosen(view, choices))
    manner = columns.manner_of(frame, choices, glyphs, time)
    written = sheet(frame, frame.rows, among, manner, tree=choices.tree)
    needs = written.needs()
    among = tuple(
        each for each in among if each.look is not Look.ALERT or needs[each.name]
    )
    shown = (
        [(each, max(len(each.heading), needs[each.name])) for each in among]
        if width is None
        else columns.fitted(view, among, needs, width + GUTTER)
    )
    drawn = [rows.row(each, shown, glyphs)[2:] for each in written.entries]
    heading = ((Style.HEADING, rows.headings(shown, glyphs)),)
    lines = [heading, *_interleaved(drawn, _below(written, shown, width))]
    return lines if width is None else [clipped(each, width, glyphs) for each in lines]


def _window(frame: Frame, place: Place, page: int) -> Window:
    """Which rows are seen: those of the cursor's page, or the nearest that are held."""
    start = max(0, frame.first)
    end = start + len(frame.rows)
    wanted = position(place, frame, page)
    first = max(start, min(wanted.top, end - page))
    last = max(first, min(first + page, end))
    cursor = max(first, min(wanted.cursor, last - 1)) if first < last else None
    return Window(first, last, max(frame.count, end), cursor)


def _written(
    frame: Frame, seen: Window, among: Sequence[Column], manner: Manner, tree: bool
) -> Sheet:
    """The rows of a window, written."""
    start = seen.first - max(0, frame.first)
    end = seen.last - max(0, frame.first)
    after = [
        dict(zip(frame.fields, each, strict=False)) for each in frame.rows[end:][:1]
    ]
    closed = is_host(after[0]) if after else seen.last >= seen.count
    return sheet(frame, frame.rows[start:end], among, manner, tree=tree, closed=closed)


def _interleaved(drawn: list[Line], below: list[list[Line]]) -> list[Line]:
    """Rows, each with what is said below it."""
    if not below:
        return drawn
    return list(chain.from_iterable((a, *b) for a, b in zip(drawn, below, strict=True)))


def _below(written: Sheet, shown: Widths, room: int | None) -> list[list[Line]]:
    """What is to be said of nodes in lines of its own; nothing of other rows."""
    if written.view != NODES:
        return []
    sizes = {column.name: size for column, size in shown}
    return [
        _notes(each, sizes.get("reason", 0), room, written.manner.glyphs)
        for each in written.entries
    ]


def _notes(entry: Entry, cut_at: int, room: int | None, glyphs: Glyphs) -> list[Line]:
    """The lines below a node: its reason if that is cut above, and its remarks."""
    reason = cells.sentences((entry.values.get("reason"),), glyphs)
    said = [each for each in reason if cells_of(each) > cut_at]
    said += cells.sentences(entry.values.get("remarks"), glyphs)
    return [
        ((Style.PLAIN, _INDENT + piece),)
        for each in said
        for piece in wrapped(each, None if room is None else room - len(_INDENT))
    ]


def wrapped(text: str, room: int | None) -> list[str]:
    """Break ``text``, which is clean, at blanks, into what fits into ``room`` cells.

    A word that is longer than that stays whole.
    """
    if room is None:
        return [text]
    pieces = [""]
    for word in text.split(" "):
        longer = f"{pieces[-1]} {word}" if pieces[-1] else word
        if pieces[-1] and cells_of(longer) > max(1, room):
            pieces.append(word)
        else:
            pieces[-1] = longer
    return pieces
