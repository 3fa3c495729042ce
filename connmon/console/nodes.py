"""The nodes view: a row for each node of the service, and why one is not up.

Its parts serve the plain text of a batch too, where nothing needs cutting.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from connmon.console.screen import clamped
from connmon.console.table import Table, age, joined
from connmon.console.text import UNICODE, Glyphs, Line, Style, clean
from connmon.console.text import width as cells_of
from connmon.model.summary import (
    NODE_STATES,
    STALE,
    UNREACHABLE,
    UP,
    NodeRow,
    NodesFrame,
)
from connmon.wire.commands import TEXT_LIMIT

#: The columns in their order, and the fewest cells that each is cut to.
_COLUMNS = {
    "node": 12,
    "address": 21,
    "state": len(UNREACHABLE),
    "since": 5,
    "clients": 7,
    "consoles": 8,
    "agreed": 6,
    "lag": 5,
    "bytesout": 8,
    "bytesin": 7,
    "msgsout": 7,
    "msgsin": 6,
    "version": 7,
    "reason": 16,
}
_CUT = ("node", "address", "reason")
_MIDDLE = ("node", "address")
_LEFT = ("node", "address", "state", "version", "reason")
_RIGHT = tuple(name for name in _COLUMNS if name not in _LEFT)
_DROPPED_FIRST = (
    "version",
    "msgsin",
    "msgsout",
    "bytesin",
    "bytesout",
    "consoles",
    "agreed",
    "lag",
    "address",
    "clients",
    "since",
    "reason",
)
_INDENT = "    "


def table(
    frame: NodesFrame | None, offset: int, width: int, page: int, glyphs: Glyphs
) -> Table:
    """Return what a window of ``width`` cells with room for ``page`` lines shows.

    If there is room for that, what does not fit into the last column, and each remark,
    has lines of its own below its node; else remarks are in the last column as well.
    """
    rows = frame.nodes if frame else ()
    first = clamped(offset, len(rows), page)
    columns = layout(rows, width, glyphs)
    below = [notes(row, columns, width, glyphs) for row in rows]
    if len(rows) + sum(map(len, below)) <= page:
        spread = zip(rows, below, strict=True)
        seen = [
            line
            for row, its in spread
            for line in (row_line(row, columns, glyphs), *its)
        ]
    else:
        seen = [
            row_line(row, columns, glyphs, remarks=True)
            for row in rows[first : first + page]
        ]
    return Table(
        totals(frame) if frame else "",
        heading(columns, glyphs),
        seen,
        first,
        len(rows),
    )


def layout(
    rows: Sequence[NodeRow], width: int | None, glyphs: Glyphs = UNICODE
) -> dict[str, int]:
    """Choose the columns for ``width`` cells (``None``: no limit) and their widths.

    What is left over is the last column's, so that a reason can be read.
    """
    grid = [_cells(row, glyphs) for row in rows]
    wanted = {
        name: max([len(name), *(cells_of(cells[name]) for cells in grid)])
        for name in _COLUMNS
    }
    if width is None:
        return wanted
    columns = {name: _least(name, wanted[name]) for name in _COLUMNS}
    for name in _DROPPED_FIRST:
        if _total(columns) <= width:
            break
        del columns[name]
    for name in _MIDDLE:
        if name in columns:
            more = wanted[name] - columns[name]
            columns[name] += max(0, min(more, width - _total(columns)))
    if "reason" in columns:
        columns["reason"] += width - _total(columns)
    return columns


def heading(columns: dict[str, int], glyphs: Glyphs = UNICODE) -> Line:
    """Return the line of column names."""
    return ((Style.LABEL, _joined({name: name for name in columns}, columns, glyphs)),)


def row_line(
    row: NodeRow, columns: dict[str, int], glyphs: Glyphs, *, remarks: bool = False
) -> Line:
    """Return the line of one node, its ``remarks`` in the last column or not at all."""
    cells = _cells(row, glyphs, remarks=remarks)
    names = list(columns)
    after = names.index("state") + 1
    before = {name: columns[name] for name in names[: after - 1]}
    rest = {name: columns[name] for name in names[after:]}
    state = _joined(cells, {"state": columns["state"]}, glyphs)
    return (
        (Style.PLAIN, _joined(cells, before, glyphs) + " "),
        (_style(row.state), state.rstrip()),
        (
            Style.PLAIN,
            state[len(state.rstrip()) :]
            + " " * bool(rest)
            + _joined(cells, rest, glyphs),
        ),
    )


def notes(
    row: NodeRow, columns: dict[str, int], width: int | None, glyphs: Glyphs
) -> list[Line]:
    """Return the lines below a node: its reason if that is cut above, its remarks."""
    reason = _text(row.reason, glyphs)
    cut = cells_of(reason) > columns.get("reason", 0)
    said = ([reason] if cut else []) + [_text(each, glyphs) for each in row.remarks]
    return [
        ((Style.PLAIN, _INDENT + piece),)
        for piece in chain.from_iterable(_wrapped(each, width) for each in said)
    ]


def totals(frame: NodesFrame) -> str:
    """Return how many nodes are in which state, and how many are linked to them."""
    counts = Counter(row.state for row in frame.nodes)
    states = ", ".join(
        f"{counts[state]} {state}"
        for state in NODE_STATES
        if counts[state] or state == UP
    )
    clients = sum(row.clients or 0 for row in frame.nodes)
    consoles = sum(row.consoles or 0 for row in frame.nodes)
    return (
        f"Nodes {len(frame.nodes)} ({states})  Clients {clients}  Consoles {consoles}"
    )


def lag(seconds: float | None) -> str:
    """Return a round trip in milliseconds; ``-`` where none is known."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    thousandths = seconds * 1000
    return f"{thousandths:.1f}ms" if thousandths < 9.95 else f"{thousandths:.0f}ms"


def size(number: int) -> str:
    """Return a count, of bytes or others, short: 1024 of a unit are the next one."""
    if number < 1024:
        return str(number)
    amount = float(number)
    for unit in "KMGTP":
        amount /= 1024
        if amount < 1023.5 or unit == "P":
            break
    return f"{amount:.1f}{unit}" if amount < 9.95 else f"{amount:.0f}{unit}"


def _cells(row: NodeRow, glyphs: Glyphs, *, remarks: bool = False) -> dict[str, str]:
    said = (row.reason, *row.remarks) if remarks else (row.reason,)
    return {
        "node": clean(row.node, glyphs=glyphs),
        "address": clean(row.address, glyphs=glyphs),
        "state": clean(row.state, glyphs=glyphs),
        "since": age(row.since_seconds),
        "clients": _known(row.clients),
        "consoles": _known(row.consoles),
        "agreed": age(row.agreed_seconds),
        "lag": lag(row.lag_seconds),
        "bytesout": size(row.bytes_sent),
        "bytesin": size(row.bytes_received),
        "msgsout": str(row.messages_sent),
        "msgsin": str(row.messages_received),
        "version": clean(row.version, glyphs=glyphs) or "-",
        "reason": "; ".join(_text(each, glyphs) for each in said if each),
    }


def _known(number: int | None) -> str:
    return "-" if number is None else str(number)


def _text(text: str, glyphs: Glyphs) -> str:
    return clean(text, TEXT_LIMIT, glyphs)


def _style(state: str) -> Style:
    """Return how a state looks; what it is, is said by its word."""
    if state == UP:
        return Style.PLAIN
    return Style.STALE if state == STALE else Style.ALERT


def _least(name: str, wanted: int) -> int:
    """Return the fewest cells a column takes; a reason's are kept free without one."""
    least = _COLUMNS[name]
    if name == "reason":
        return least
    return min(wanted, least) if name in _CUT else max(wanted, least)


def _total(columns: dict[str, int]) -> int:
    return sum(columns.values()) + len(columns) - 1


def _wrapped(text: str, width: int | None) -> list[str]:
    """Break text into what fits beside the indent, at blanks where there are some."""
    if width is None:
        return [text]
    room = max(1, width - len(_INDENT))
    pieces = [""]
    for word in text.split(" "):
        longer = f"{pieces[-1]} {word}" if pieces[-1] else word
        if pieces[-1] and cells_of(longer) > room:
            pieces.append(word)
        else:
            pieces[-1] = longer
    return pieces


def _joined(cells: dict[str, str], columns: dict[str, int], glyphs: Glyphs) -> str:
    return joined(cells, columns, glyphs, right=_RIGHT, middle=_MIDDLE)
