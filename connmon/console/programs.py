"""The programs view: totals, and a row for each program on each host.

Its parts serve the plain text of a batch too, where nothing needs cutting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from connmon.console.screen import clamped
from connmon.console.table import Table, age, joined
from connmon.console.text import UNICODE, Glyphs, Line, Style, clean
from connmon.console.text import width as cells_of
from connmon.model.summary import Frame, Gauge, ProgramRow

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
_STALE = "stale"
_COUNTS = _NUMBERS[:3]
_RIGHT = (*_NUMBERS, _STALE)
_DROPPED_FIRST = ("maxnproc", "maxconn", "maxckout", "ckoutpersec", "nproc", "conn")

GONE = "gone"
"""The word that marks a departed program, in place of its count of processes."""


def table(
    frame: Frame | None, offset: int, width: int, page: int, glyphs: Glyphs
) -> Table:
    """Return what a window of ``width`` cells with room for ``page`` rows shows."""
    rows = frame.programs if frame else ()
    first = clamped(offset, len(rows), page)
    columns = layout(rows, width, glyphs)
    seen = [row_line(row, columns, glyphs) for row in rows[first : first + page]]
    if frame and not rows:
        seen = [((Style.QUIET, "no program has reported yet"),)]
    return Table(
        totals(frame, width) if frame else "",
        heading(columns, glyphs),
        seen,
        first,
        len(rows),
        cluster(frame) if frame else (),
        frame is None or frame.nodes_up >= frame.nodes,
    )


def layout(
    rows: Sequence[ProgramRow], width: int | None, glyphs: Glyphs = UNICODE
) -> dict[str, int]:
    """Choose the columns for ``width`` cells (``None``: no limit) and their widths.

    The widths follow from all rows, seen or not, so that scrolling moves nothing
    sideways. Numbers are never cut for the sake of a name. There is a column of what
    is stale only while something is.
    """
    grid = [_cells(row, glyphs) for row in rows]
    marks = (_STALE,) if any(row.stale for row in rows) else ()
    wanted = {
        name: max([len(name), *(cells_of(cells[name]) for cells in grid)])
        for name in (*_NAMES, *_NUMBERS, *marks)
    }
    if width is None:
        return wanted
    numbers = {name: wanted[name] for name in (*_NUMBERS, *marks)}
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
    """Return the line of one program.

    One that has departed says so in a word, one with stale processes in a column of
    its own: how many, and how old the oldest knowledge is. Figures of which none is
    fresh look it.
    """
    cells = _cells(row, glyphs)
    if not row.connected:
        cells[next(name for name in _COUNTS if name in columns)] = GONE
        return ((Style.GONE, _joined(cells, columns, glyphs)),)
    if not row.stale:
        return ((Style.PLAIN, _joined(cells, columns, glyphs)),)
    doubtful = [name for name in columns if name not in _NAMES]
    if row.stale < row.nproc:
        doubtful = [_STALE]
    fresh = {name: size for name, size in columns.items() if name not in doubtful}
    stale = {name: columns[name] for name in doubtful}
    return (
        (Style.PLAIN, _joined(cells, fresh, glyphs) + " "),
        (Style.STALE, _joined(cells, stale, glyphs)),
    )


def totals(frame: Frame, width: int | None) -> str:
    """Return the totals in the longest of three wordings that fits ``width``.

    Where none does, whole figures are left out from the end, never digits.
    """
    gauges = (frame.hosts, frame.processes, frame.connections, frame.checkouts)
    short = ("Hosts", "Procs", "Conns", "Ckout")
    wordings = (
        (
            ("Hosts", "Processes", "Connections", "Checkouts"),
            "{} {} (max {}{})",
            ", stale {}",
        ),
        (short, "{} {} max {}{}", " stale {}"),
        (short, "{} {}/{}{}", " stale {}"),
    )
    parts: list[str] = []
    for names, form, mark in wordings:
        marks = ("", mark.format(frame.stale) if frame.stale else "", "", "")
        parts = [_gauge(form, *each) for each in zip(names, gauges, marks, strict=True)]
        parts.append(per_second(frame.per_second) + "/s")
        if width is None or len("  ".join(parts)) <= width:
            return "  ".join(parts)
    while len(parts) > 1 and len("  ".join(parts)) > (width or 0):
        del parts[-1]
    return "  ".join(parts)


def cluster(frame: Frame) -> tuple[str, ...]:
    """Return how many of several nodes are up, at first with the names of others."""
    if frame.nodes <= 1:
        return ()
    up = f"cluster {frame.nodes_up}/{frame.nodes} up"
    if not frame.down:
        return (up,)
    return (f"{up} ({', '.join(frame.down)} down)", up)


def per_second(rate: float | None) -> str:
    """Return a rate as it is read at a glance; ``-`` where there is none yet."""
    if rate is None or not math.isfinite(rate):
        return "-"
    if rate == 0:
        return "0"
    return f"{rate:.1f}" if abs(rate) < 99.95 else f"{rate:.0f}"


def _gauge(form: str, name: str, gauge: Gauge, mark: str) -> str:
    return form.format(name, gauge.current, gauge.maximum, mark)


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
        _STALE: _mark(row),
    }


def _mark(row: ProgramRow) -> str:
    """Return how much of a row is stale, and how much so, such as ``2 11s``."""
    if not row.stale:
        return ""
    much = "all" if row.stale >= row.nproc else str(row.stale)
    return much if row.stale_seconds is None else f"{much} {age(row.stale_seconds)}"


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
    return joined(cells, columns, glyphs, right=_RIGHT, middle=_NAMES)
