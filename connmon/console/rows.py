"""Rows as lines, once it is known which columns there are and how wide each is."""

from __future__ import annotations

from connmon.console import cells, columns, figures
from connmon.console.column import Column, Look
from connmon.console.columns import GUTTER
from connmon.console.layout import Widths
from connmon.console.line import extent
from connmon.console.marks import Level
from connmon.console.sheet import Entry, speaker
from connmon.console.text import Glyphs, Line, Segment, Style, fit

_SIGNS = {
    Level.OK: (Style.PLAIN, " "),
    Level.WARN: (Style.WARN, "*"),
    Level.CRIT: (Style.CRIT, "!"),
}
_CURSOR = ">"


def heading(view: str, shown: Widths, room: int, sort: str, glyphs: Glyphs) -> Line:
    """The line over the columns, with a sign at the one that rows are sorted by."""
    text = fit(" " * GUTTER + headings(shown, glyphs), room, glyphs=glyphs)
    start = GUTTER
    for column, size in shown:
        if column.name == sort.removeprefix("-"):
            begin = start - column.right
            named = _sorted(column, size, columns.sign(view, sort, glyphs))[
                : max(0, room - begin)
            ]
            ended = text[begin + len(named) :]
            return (
                (Style.HEADING, text[:begin]),
                (Style.CHOSEN, named),
                (Style.HEADING, ended),
            )
        start += size + 1
    return ((Style.HEADING, text),)


def headings(shown: Widths, glyphs: Glyphs) -> str:
    """The names of the columns, each over its own."""
    return " ".join(
        fit(each.heading, size, each.right, glyphs=glyphs) for each, size in shown
    )


def row(
    entry: Entry, shown: Widths, glyphs: Glyphs, *, cursor: bool = False, room: int = 0
) -> Line:
    """One row with what is in the gutter before it, filled up to ``room`` cells.

    The one that the cursor is on looks so over all of them.
    """
    look, sign = _SIGNS[entry.mark.level]
    line = [(look, sign), (Style.PLAIN, _CURSOR if cursor else " ")]
    speaking = speaker([column for column, _ in shown])
    for number, (column, size) in enumerate(shown):
        pieces = _cell(entry, column, size, column is speaking, glyphs)
        if number:
            look, text = pieces[0]
            if look is Style.CRIT:
                line.append((Style.PLAIN, " "))
            else:
                pieces[0] = (look, " " + text)
        line += pieces
    blanks = room - extent(tuple(line))
    if blanks > 0:
        line.append((Style.PLAIN, " " * blanks))
    return _selected(line) if cursor else tuple(line)


def _selected(line: list[Segment]) -> Line:
    """The same under the cursor. What is critical still looks so, but for the sign."""
    (_, sign), *rest = line
    kept = ((s if s is Style.CRIT else Style.SELECTED, text) for s, text in rest)
    return ((Style.SELECTED, sign), *kept)


def _sorted(column: Column, size: int, sign: str) -> str:
    """The name of the column that sorts, with the sign beside it.

    If there is no room the sign is in the gap between two columns: before figures, and
    after what is aligned at its left.
    """
    if column.right:
        return (sign + column.heading).rjust(size + 1)
    return (column.heading[:size] + sign).ljust(size)


def _cell(
    entry: Entry, column: Column, size: int, speaks: bool, glyphs: Glyphs
) -> list[Segment]:
    if column.look is Look.BAR:
        return cells.bar(column, size, entry.values, entry.mark, glyphs)
    if column.look is Look.SPARK:
        series = cells.series(entry.values.get(column.name))
        return [(Style.BAR, figures.spark(series, size, glyphs))]
    said, look = entry.said[column.name], cells.style(column, entry.values, entry.mark)
    if speaks and (words := _spoken(entry, column, size, glyphs)):
        return [(Style.GONE if entry.mark.gone else Style.WARN, words)]
    if column.name != "progname":
        return [(look, cells.cell(column, size, said, glyphs))]
    branch = entry.branch[:size]
    name = cells.cell(column, size - len(branch), said, glyphs)
    return [(Style.QUIET if entry.is_host else look, branch + name)]


def _spoken(entry: Entry, column: Column, size: int, glyphs: Glyphs) -> str:
    """That a row is gone or stale, in the place of a figure; nothing if it is neither.

    How many are stale is said only if there is room for the number.
    """
    mark = entry.mark
    words = mark.words if mark.gone or mark.stale else mark.words[:-1]
    if not words or (column.look is not Look.COUNT and words is not mark.words):
        return ""
    said = cells.longest(words, size)
    if words is not mark.words and len(said) > size:
        return ""
    return fit(said, size, column.right, glyphs=glyphs)
