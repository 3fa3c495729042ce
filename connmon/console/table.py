"""What the tables of all views share: their parts, and how figures are written."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from connmon.console.text import Glyphs, Line, fit


@dataclass(frozen=True)
class Table:
    """A view's figures for one window: ``rows`` are those seen, of ``count``.

    ``cluster`` are wordings of how the nodes are, the longest first; none if there is
    nothing to say. ``whole`` says whether all of these nodes are up.
    """

    summary: str
    heading: Line
    rows: list[Line]
    first: int
    count: int
    cluster: tuple[str, ...] = ()
    whole: bool = True


def joined(
    cells: dict[str, str],
    columns: dict[str, int],
    glyphs: Glyphs,
    *,
    right: Collection[str],
    middle: Collection[str],
) -> str:
    """Return cells side by side, each cut or padded to its column's width.

    Those of the columns in ``right`` are put there, those in ``middle`` cut there.
    """
    return " ".join(
        fit(
            cells[name],
            size,
            right=name in right,
            middle=name in middle,
            glyphs=glyphs,
        )
        for name, size in columns.items()
    )


def age(seconds: float | None) -> str:
    """Return a duration as it is read at a glance, in one unit; ``-`` for none."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    for unit, size, most in (("s", 1, 99), ("m", 60, 99), ("h", 3600, 47)):
        if round(seconds / size) <= most:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds / 86400:.0f}d"
