"""Rows of a frame with all their cells written, before any of them is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connmon.console import cells, figures
from connmon.console.cells import Manner
from connmon.console.column import Column, Look
from connmon.console.marks import Mark, Values, mark, number
from connmon.console.text import Glyphs
from connmon.console.text import width as cells_of
from connmon.views.frame import Frame, Row
from connmon.views.schema import PROGRAMS

#: Columns in whose place a row may say that it is gone or stale, the best first.
_SPEAKING = ("pool_worst", "pool_used", "nproc", "conn", "ckout", "state", "owner")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: its values, what it is as a whole, and what its cells say.

    In a tree, ``branch`` stands before the name of a program; for a host, which
    ``is_host``, it is empty.
    """

    values: Values
    mark: Mark
    said: dict[str, str]
    is_host: bool = False
    branch: str = ""


@dataclass(frozen=True)
class Sheet:
    """Some rows of a view, with the columns they are written for."""

    view: str
    columns: tuple[Column, ...]
    manner: Manner
    entries: tuple[Entry, ...] = ()

    def needs(self) -> dict[str, int]:
        """The cells that each column takes if nothing is cut."""
        needs = {}
        for column in self.columns:
            name = column.name
            widths = [cells_of(each.said[name]) for each in self.entries]
            needs[name] = max(widths, default=0)
        if "progname" in needs:
            branches = [len(each.branch) for each in self.entries]
            needs["progname"] += max(branches, default=0)
        speaking = speaker(self.columns)
        if speaking is not None and speaking.look is not Look.BAR:
            words = [_asked(speaking, each.mark) for each in self.entries]
            needs[speaking.name] = max([needs[speaking.name], *words])
        return needs


def sheet(
    frame: Frame,
    rows: Sequence[Row],
    columns: Sequence[Column],
    manner: Manner,
    *,
    tree: bool = False,
    closed: bool = True,
) -> Sheet:
    """Write rows of a frame, if ``tree`` with programs below their hosts.

    The last one is the last of its host if ``closed``. Rows without a host's among
    them, as a node made them before the tree was asked for, are written as they are.
    """
    entries = tuple(_entry(frame, row, columns, manner) for row in rows)
    if tree and _has_hosts(frame):
        entries = _branched(entries, manner.glyphs, closed)
    return Sheet(frame.view, tuple(columns), manner, entries)


def is_host(values: Values) -> bool:
    """Whether a row of a tree sums up a host."""
    return not values.get("progname") and number(values.get("programs")) is not None


def speaker(columns: Sequence[Column]) -> Column | None:
    """The column in which a row says that it is gone or stale."""
    known = {each.name: each for each in columns}
    return next((known[name] for name in _SPEAKING if name in known), None)


def _asked(speaking: Column, mark: Mark) -> int:
    """The cells that a row wants for saying that it is gone or stale."""
    if not mark.words:
        return 0
    words = mark.words if speaking.look is Look.SHARE else mark.words[1:]
    return len((words or mark.words)[0])


def _entry(frame: Frame, row: Row, columns: Sequence[Column], manner: Manner) -> Entry:
    values = dict(zip(frame.fields, row, strict=False))
    said = {each.name: cells.written(each, values, manner) for each in columns}
    return Entry(values, mark(frame.view, values, manner.exact), said)


def _branched(
    entries: tuple[Entry, ...], glyphs: Glyphs, closed: bool
) -> tuple[Entry, ...]:
    """Rows of a tree. A host is named once, and again at the top of the window."""
    on, last = ("|- ", "`- ") if glyphs.ascii else ("├─ ", "└─ ")
    hosts = [is_host(each.values) for each in entries]
    drawn = []
    for index, entry in enumerate(entries):
        said = dict(entry.said)
        if hosts[index]:
            said["progname"] = _programs(entry.values)
            drawn.append(replace(entry, said=said, is_host=True))
            continue
        if index:
            said["hostname"] = ""
        closes = hosts[index + 1] if index + 1 < len(entries) else closed
        drawn.append(replace(entry, said=said, branch=last if closes else on))
    return tuple(drawn)


def _has_hosts(frame: Frame) -> bool:
    """Whether a frame is of a tree."""
    if frame.view != PROGRAMS or "programs" not in frame.fields:
        return False
    place = frame.fields.index("programs")
    return any(row[place : place + 1] not in ((), (None,)) for row in frame.rows)


def _programs(values: Values) -> str:
    some = int(number(values.get("programs")) or 0)
    return f"{figures.count(some)} program{'' if some == 1 else 's'}"
