"""What the screen shows: a pure function of the figures, the choices and the size.

The table's parts serve the plain text of a batch too, where nothing needs cutting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from connmon.console.keys import hints
from connmon.console.screen import clamped
from connmon.console.text import UNICODE, Glyphs, Line, Segment, Style, clean, fit
from connmon.console.text import width as cells_of
from connmon.model.summary import Frame, Gauge, ProgramRow

_TALL = 8
"""From this height on there is a footer, and a line kept free for a message."""

_NAME_MINIMUM = 8
"""Columns are dropped before host and program get fewer cells than this, if cut."""

_NAMES = ("hostname", "progname")
_NUMBERS = (
    "nproc",
    "conn",
    "ckout",
    "maxnproc",
    "maxconn",
    "maxckout",
    "ckoutpersec",
)
_COUNTS = _NUMBERS[:3]
_DROPPED_FIRST = ("maxnproc", "maxconn", "maxckout", "ckoutpersec", "nproc", "conn")

GONE = "gone"
"""The word that marks a departed program, in place of its count of processes."""


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
    longer fresh are still given, and shown as stale. All texts are cleaned here.
    """

    frame: Frame | None
    state: State
    message: str = ""
    address: str = ""
    clock: str = ""
    offset: int = 0
    glyphs: Glyphs = UNICODE


def lines(shown: Shown, width: int, height: int) -> list[Line]:
    """Return exactly ``height`` lines, none wider than ``width`` cells."""
    rows = shown.frame.programs if shown.frame else ()
    page = page_rows(shown, height)
    first = clamped(shown.offset, len(rows), page)
    columns = layout(rows, width, shown.glyphs)
    drawn = _top(shown, columns, width, height)
    drawn += [row_line(r, columns, shown.glyphs) for r in rows[first : first + page]]
    if shown.frame and not rows:
        drawn.append(((Style.QUIET, "no program has reported yet"),))
    drawn += [()] * (height - len(drawn))
    if height >= _TALL:
        drawn[height - 1] = _footer(shown.glyphs, first, page, len(rows), width)
    return [_clipped(line, width, shown.glyphs) for line in drawn[:height]]


def page_rows(shown: Shown, height: int) -> int:
    """Return how many programs a screen of ``height`` lines has room for."""
    around = 5 if height >= _TALL else 4 if shown.message else 3
    return max(0, height - around)


def layout(
    rows: Sequence[ProgramRow], width: int | None, glyphs: Glyphs = UNICODE
) -> dict[str, int]:
    """Choose the columns for ``width`` cells (``None``: no limit) and their widths.

    The widths follow from all rows, seen or not, so that scrolling moves nothing
    sideways. Numbers are never cut for the sake of a name.
    """
    grid = [_cells(row, glyphs) for row in rows]
    wanted = {
        name: max([len(name), *(cells_of(cells[name]) for cells in grid)])
        for name in _NAMES + _NUMBERS
    }
    if width is None:
        return wanted
    numbers = {name: wanted[name] for name in _NUMBERS}
    for name in _DROPPED_FIRST:
        if _room(numbers, width) >= 2 * _NAME_MINIMUM:
            break
        del numbers[name]
    host, program = _shared(
        max(2, _room(numbers, width)), wanted["hostname"], wanted["progname"]
    )
    return {"hostname": host, "progname": program, **numbers}


def heading(columns: dict[str, int], glyphs: Glyphs = UNICODE) -> Line:
    """Return the line of column names."""
    return ((Style.LABEL, _joined({name: name for name in columns}, columns, glyphs)),)


def row_line(row: ProgramRow, columns: dict[str, int], glyphs: Glyphs) -> Line:
    """Return the line of one program; one that has departed says so in a word."""
    cells = _cells(row, glyphs)
    if not row.connected:
        cells[next(name for name in _COUNTS if name in columns)] = GONE
    style = Style.PLAIN if row.connected else Style.GONE
    return ((style, _joined(cells, columns, glyphs)),)


def totals(frame: Frame, width: int | None) -> str:
    """Return the totals in the longest of three wordings that fits ``width``.

    Where none does, whole figures are left out from the end, never digits.
    """
    gauges = (frame.hosts, frame.processes, frame.connections, frame.checkouts)
    short = ("Hosts", "Procs", "Conns", "Ckout")
    wordings = (
        (("Hosts", "Processes", "Connections", "Checkouts"), "{} {} (max {})"),
        (short, "{} {} max {}"),
        (short, "{} {}/{}"),
    )
    parts: list[str] = []
    for names, form in wordings:
        parts = [_gauge(form, *pair) for pair in zip(names, gauges, strict=True)]
        parts.append(per_second(frame.per_second) + "/s")
        if width is None or len("  ".join(parts)) <= width:
            return "  ".join(parts)
    while len(parts) > 1 and len("  ".join(parts)) > (width or 0):
        del parts[-1]
    return "  ".join(parts)


def per_second(rate: float | None) -> str:
    """Return a rate as it is read at a glance; ``-`` where there is none yet."""
    if rate is None or not math.isfinite(rate):
        return "-"
    if rate == 0:
        return "0"
    return f"{rate:.1f}" if abs(rate) < 99.95 else f"{rate:.0f}"


def _gauge(form: str, name: str, gauge: Gauge) -> str:
    return form.format(name, gauge.current, gauge.maximum)


def _top(shown: Shown, columns: dict[str, int], width: int, height: int) -> list[Line]:
    summary = totals(shown.frame, width) if shown.frame else ""
    top: list[Line] = [_identity(shown, width), ((Style.PLAIN, summary),)]
    if height >= _TALL or shown.message:
        style = Style.ALERT if shown.state is State.LOST else Style.PLAIN
        top.append(((style, clean(shown.message, glyphs=shown.glyphs)),))
    ((style, names),) = heading(columns, shown.glyphs)
    return [*top, ((style, fit(names, width, glyphs=shown.glyphs)),)]


def _identity(shown: Shown, width: int) -> Line:
    """Return who is watched and how fresh it is; the freshness gives way last."""
    glyphs = shown.glyphs
    word = _word(shown)
    style = Style.GOOD if shown.state is State.LIVE else Style.ALERT
    left = "connmon"
    if shown.frame:
        left += f" {shown.frame.service}@{shown.frame.node}"
    if shown.address:
        left += f" {shown.address}"
    left = clean(left, glyphs=glyphs)
    clock = clean(shown.clock, glyphs=glyphs) + "  " if shown.clock else ""
    if width < len("connmon") + 1 + cells_of(clock) + len(word):
        clock = ""
    room = width - cells_of(clock) - len(word) - 1
    if room < 0:
        return ((style, word),)
    name = fit(left, room, glyphs=glyphs) + " "
    return ((Style.TITLE, name), (Style.PLAIN, clock), (style, word))


def _word(shown: Shown) -> str:
    if shown.state is State.LIVE:
        return "LIVE"
    return "STALE" if shown.frame else shown.state.name


def _footer(glyphs: Glyphs, first: int, page: int, rows: int, width: int) -> Line:
    last = min(first + page, rows)
    place = f"{first + 1 if last else 0}-{last} of {rows}"
    room = width - len(place) - 1
    if room < 0:
        return ((Style.PLAIN, place),)
    hint = fit(hints(glyphs), room, glyphs=glyphs)
    return ((Style.QUIET, hint + " "), (Style.PLAIN, place))


def _cells(row: ProgramRow, glyphs: Glyphs) -> dict[str, str]:
    return {
        "hostname": clean(row.hostname, glyphs=glyphs),
        "progname": clean(row.progname, glyphs=glyphs),
        "nproc": str(row.nproc),
        "conn": str(row.conn),
        "ckout": str(row.ckout),
        "maxnproc": str(row.maxnproc),
        "maxconn": str(row.maxconn),
        "maxckout": str(row.maxckout),
        "ckoutpersec": per_second(row.ckoutpersec),
    }


def _room(numbers: dict[str, int], width: int) -> int:
    """Return what the numbers and the gap between the two names leave for these."""
    return width - 1 - sum(cells + 1 for cells in numbers.values())


def _shared(room: int, host: int, program: int) -> tuple[int, int]:
    """Divide ``room`` between two columns, taking from the one that wants more."""
    if host + program <= room:
        return host, program
    half = room // 2
    if host <= half:
        return host, room - host
    if program <= room - half:
        return room - program, program
    return half, room - half


def _joined(cells: dict[str, str], columns: dict[str, int], glyphs: Glyphs) -> str:
    return " ".join(
        fit(
            cells[name],
            size,
            right=name in _NUMBERS,
            middle=name in _NAMES,
            glyphs=glyphs,
        )
        for name, size in columns.items()
    )


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
