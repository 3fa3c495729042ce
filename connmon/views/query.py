"""What a console wants to see of a view: a plain value, the same on both sides."""

from __future__ import annotations

from dataclasses import dataclass

from connmon.views.schema import PROGRAMS

Key = tuple[object, ...]
"""The values of a row's key fields: which row it is."""

WHOLE = -1
"""As a limit: all rows there are."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows, in which order, and which window of them.

    ``scope`` are pairs of a field and the value it must have, as drilling down leaves
    them. ``where`` are filters, see ``connmon.views.filters``, all of which must hold;
    ``busy`` leaves out rows where nothing is checked out, waiting or wrong. ``sort``
    names a field, ``-`` before it for downwards; empty for the view's own order.
    ``alerts_first`` puts rows that are not ok on top. ``tree`` has the programs of each
    host below a row for it. ``fields`` are those wanted; none means all.

    The window is of at most ``limit`` rows, from ``first`` on; or, if ``anchor`` names
    a row that is there, so that this row is ``line`` rows below the window's first.
    Either way it is moved as far as needed to be full, and to hold that row. With
    ``find``, a filter, the anchor is the next row after it (``find_step`` 1) or before
    it (-1) that ``find`` matches, going on from the other end; if there is none, the
    anchor stays. Without an anchor the first row looked at is that at ``first``.
    """

    view: str = PROGRAMS
    scope: tuple[tuple[str, object], ...] = ()
    where: tuple[str, ...] = ()
    busy: bool = False
    sort: str = ""
    alerts_first: bool = False
    tree: bool = False
    fields: tuple[str, ...] = ()
    first: int = 0
    limit: int = WHOLE
    anchor: Key | None = None
    line: int = 0
    find: str = ""
    find_step: int = 1
