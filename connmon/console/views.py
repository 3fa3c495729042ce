"""What the screen shows: a pure function of the figures, the choices and the size.

Here is what all views have around their tables: who is watched, how fresh it is, what
there is to say, and where in the table one is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from connmon.console import nodes, programs
from connmon.console.keys import hints
from connmon.console.table import Table
from connmon.console.text import UNICODE, Glyphs, Line, Segment, Style, clean, fit
from connmon.console.text import width as cells_of
from connmon.model.summary import AnyFrame, Frame, NodesFrame
from connmon.wire.commands import NODES, PROGRAMS

_TALL = 8
"""From this height on there is a footer, and a line kept free for a message."""


class State(Enum):
    """How fresh the figures are."""

    LIVE = auto()
    CONNECTING = auto()
    LOST = auto()


@dataclass(frozen=True)
class Shown:
    """All that the screen depends on, besides its size.

    ``message`` is what there is to say about the link, in one line, such as ``lost
    node1 192.168.1.205:5800: connection refused; trying node2``. Figures that are no
    longer fresh are still given, and shown as stale. A frame of another view than
    ``view`` is not shown. All texts are cleaned here.
    """

    frame: AnyFrame | None
    state: State
    message: str = ""
    address: str = ""
    clock: str = ""
    offset: int = 0
    glyphs: Glyphs = UNICODE
    view: str = PROGRAMS


def lines(shown: Shown, width: int, height: int) -> list[Line]:
    """Return exactly ``height`` lines, none wider than ``width`` cells."""
    page = page_rows(shown, height)
    table = _table(shown, width, page)
    drawn = _top(shown, table, width, height) + table.rows
    drawn += [()] * (height - len(drawn))
    if height >= _TALL:
        drawn[height - 1] = _footer(shown.glyphs, table, page, width)
    return [_clipped(line, width, shown.glyphs) for line in drawn[:height]]


def page_rows(shown: Shown, height: int) -> int:
    """Return how many rows a screen of ``height`` lines has room for."""
    around = 5 if height >= _TALL else 4 if shown.message else 3
    return max(0, height - around)


def row_count(frame: AnyFrame | None) -> int:
    """Return how many rows a frame's table has."""
    if isinstance(frame, NodesFrame):
        return len(frame.nodes)
    return len(frame.programs) if frame else 0


def _table(shown: Shown, width: int, page: int) -> Table:
    """Return the table of the view that was chosen, empty without a frame of it."""
    frame, where = shown.frame, (shown.offset, width, page, shown.glyphs)
    if shown.view == NODES:
        return nodes.table(frame if isinstance(frame, NodesFrame) else None, *where)
    return programs.table(frame if isinstance(frame, Frame) else None, *where)


def _top(shown: Shown, table: Table, width: int, height: int) -> list[Line]:
    top: list[Line] = [
        _identity(shown, table, width),
        ((Style.PLAIN, table.summary),),
    ]
    if height >= _TALL or shown.message:
        style = Style.ALERT if shown.state is State.LOST else Style.PLAIN
        top.append(((style, clean(shown.message, glyphs=shown.glyphs)),))
    ((style, names),) = table.heading
    return [*top, ((style, fit(names, width, glyphs=shown.glyphs)),)]


def _identity(shown: Shown, table: Table, width: int) -> Line:
    """Return who is watched and how fresh it is; the freshness gives way last."""
    glyphs = shown.glyphs
    word = _word(shown)
    style = Style.GOOD if shown.state is State.LIVE else Style.ALERT
    clock = clean(shown.clock, glyphs=glyphs) + "  " if shown.clock else ""
    if width < len("connmon") + 1 + cells_of(clock) + len(word):
        clock = ""
    room = width - cells_of(clock) - len(word) - 1
    if room < 0:
        return ((style, word),)
    who = _who(shown, table, room)
    return (*who, (Style.PLAIN, clock), (style, word))


def _who(shown: Shown, table: Table, room: int) -> Line:
    """Return who is watched, in ``room`` cells and a blank.

    How the cluster is comes after the address, and the address goes if only one of the
    two fits.
    """
    glyphs = shown.glyphs
    name = "connmon"
    if shown.frame:
        name += f" {shown.frame.service}@{shown.frame.node}"
    name = clean(name, glyphs=glyphs)
    address = clean(shown.address, glyphs=glyphs)
    full = f"{name} {address}" if address else name
    said = [clean(each, glyphs=glyphs) for each in table.cluster]
    for left, cluster in [*((full, each) for each in said), *((name, s) for s in said)]:
        if cells_of(left) + 2 + cells_of(cluster) <= room:
            rest = room - cells_of(left) - 2
            style = Style.PLAIN if table.whole else Style.STALE
            ended = fit(cluster, rest, glyphs=glyphs)[len(cluster) :]
            return (
                (Style.TITLE, left),
                (Style.PLAIN, "  "),
                (style, cluster),
                (Style.PLAIN, ended + " "),
            )
    return ((Style.TITLE, fit(full, room, glyphs=glyphs) + " "),)


def _word(shown: Shown) -> str:
    if shown.state is State.LIVE:
        return "LIVE"
    return "STALE" if shown.frame else shown.state.name


def _footer(glyphs: Glyphs, table: Table, page: int, width: int) -> Line:
    first = table.first
    last = min(first + page, table.count)
    place = f"{first + 1 if last else 0}-{last} of {table.count}"
    room = width - len(place) - 1
    if room < 0:
        return ((Style.PLAIN, place),)
    hint = fit(hints(glyphs, room), room, glyphs=glyphs)
    return ((Style.QUIET, hint + " "), (Style.PLAIN, place))


def _clipped(line: Line, width: int, glyphs: Glyphs) -> Line:
    """Cut what passes ``width``; a line that fits is returned as it is."""
    if sum(cells_of(text) for _, text in line) <= width:
        return line
    kept: list[Segment] = []
    for style, text in line:
        size = cells_of(text)
        if size > width:
            kept.append((style, fit(text, width, glyphs=glyphs)))
            break
        kept.append((style, text))
        width -= size
    return tuple(kept)
