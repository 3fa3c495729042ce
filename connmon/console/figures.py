"""How figures are written: short, of a width that is known, and clean as they are.

``-`` stands for what is not known: ``None``, a NaN, an infinity. What is below zero is
written as zero. Of two figures the larger is never written as the smaller one, and none
is rounded up to a whole one of the next unit: ``60.0s`` is ``1m00s``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from connmon.console.text import Glyphs

UNKNOWN = "-"

WIDEST = 6
"""Cells that no duration, rate, count or size exceeds."""

WIDEST_PERCENT = 5
"""Cells that no percentage exceeds."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400

_BEYOND_ALL = 1e300
"""More than any figure is written as, and little enough to be multiplied."""


def duration(seconds: float | None, exact: bool = False) -> str:
    """A duration, such as ``59ms``, ``38.2s``, ``6m52s``, ``2h30m`` and ``3d04h``.

    Below an hour it is rounded, above it the second unit is cut, as clocks do. Nothing
    at all is ``0s``, less than a millisecond ``<1ms``; from 100 days on there are only
    days.

    With ``exact`` it is plain seconds, such as ``0.059s``, ``412.0s`` and ``27000s``,
    as long as there is room: up to 99999 of them.
    """
    value = _known(seconds)
    if value is None:
        return UNKNOWN
    if not value:
        return "0s"
    if exact and round(value) < 100_000:
        return _plain_seconds(value)
    return _short_duration(value) if round(value * 10) < 600 else _clock(round(value))


def _plain_seconds(value: float) -> str:
    if round(value * 1000) < 1000:
        return f"0.{round(value * 1000):03d}s"
    tenths = round(value * 10)
    return f"{tenths / 10:.1f}s" if tenths < 10_000 else f"{round(value)}s"


def _short_duration(value: float) -> str:
    """Less than a minute."""
    if value < 0.001:
        return "<1ms"
    # The choice is made on what is written, so that nothing is rounded up to 100 ms.
    thousandths = round(value * 1000)
    if thousandths < 100:
        return f"{thousandths}ms"
    return f"{round(value * 10) / 10:.1f}s"


def _clock(seconds: int) -> str:
    """A minute and more."""
    if seconds < _HOUR:
        return f"{seconds // _MINUTE}m{seconds % _MINUTE:02d}s"
    if seconds < _DAY:
        return f"{seconds // _HOUR}h{seconds % _HOUR // _MINUTE:02d}m"
    days = seconds // _DAY
    if days < 100:
        return f"{days}d{seconds % _DAY // _HOUR:02d}h"
    return f"{days}d" if days < 10_000 else ">9999d"


def rate(per_second: float | None) -> str:
    """A rate such as ``0``, ``0.4``, ``99.9``, ``2310`` and ``12.3k``.

    What would be rounded to nothing, but is not, is ``<0.1``.
    """
    value = _known(per_second)
    if value is None:
        return UNKNOWN
    if not value:
        return "0"
    tenths = round(value * 10)
    if tenths < 1000:
        return f"{tenths / 10:.1f}" if tenths else "<0.1"
    if round(value) < 10_000:
        return str(round(value))
    return _scaled(value, 1000, "kMGTP", tenths_below=99.95)


def percent(ratio: float | None) -> str:
    """A share of 1.0 in whole percent, cut: only what is full is ``100%``.

    What there is of anything is ``1%`` at least. More than ``999%`` is ``>999%``.
    """
    value = _known(ratio)
    if value is None:
        return UNKNOWN
    if value >= 10:
        return ">999%"
    # 0.29 is a little less than 29 hundredths; nobody would call it 28 %.
    hundredths = math.floor(value * 100 + 1e-9)
    if 0 < value < 1:
        hundredths = min(max(hundredths, 1), 99)
    return f"{min(hundredths, 999)}%"


def count(number: int | None) -> str:
    """A count: to the last one up to six digits, then such as ``1.2M``."""
    if number is None:
        return UNKNOWN
    if number < 1_000_000:
        return str(max(number, 0))
    return _scaled(number, 1000, "kMGTPE", tenths_below=99.95)


def size(number: int | None) -> str:
    """A count of bytes, such as ``1.5K``: 1024 of a unit are the next one."""
    if number is None:
        return UNKNOWN
    if number < 1024:
        return str(max(number, 0))
    return _scaled(number, 1024, "KMGTPE", tenths_below=9.95)


def bar(ratio: float | None, cells: int, glyphs: Glyphs) -> tuple[str, str]:
    """The filled part of a bar of ``cells`` cells, and its track.

    It is full only from 1.0 on, and shows half a cell of the least there is. Where the
    ratio is not known there is no track either, but blanks.
    """
    cells = max(cells, 0)
    value = _known(ratio)
    if value is None:
        return "", " " * cells
    halves = math.floor(min(value, 1.0) * cells * 2 + 0.5)
    if 0 < value < 1 and cells:
        halves = min(max(halves, 1), cells * 2 - 1)
    full, half, track = tuple(glyphs.strokes)
    filled = full * (halves // 2) + half * (halves % 2)
    return filled, track * (cells - len(filled))


def spark(
    series: Sequence[float | None],
    cells: int,
    glyphs: Glyphs,
    top: float | None = None,
) -> str:
    """A sparkline of ``cells`` cells, the last of ``series`` at the right.

    Where there are more values than cells, the last ones are shown. The highest level
    stands for ``top`` and more, or for the largest of the values shown if ``top`` is
    none or not above zero. What is zero, below it or not known is blank, and so is what
    there are no values for; anything else has the lowest level at least.
    """
    if cells <= 0:
        return ""
    shown = [_known(value) or 0.0 for value in series[-cells:]]
    highest = _known(top) or max(shown, default=0.0)
    return "".join(_level(value, highest, glyphs) for value in shown).rjust(cells)


def _level(value: float, highest: float, glyphs: Glyphs) -> str:
    if not value:
        return " "
    steps = len(glyphs.levels)
    step = math.floor(min(value, highest) / highest * steps + 0.5)
    return glyphs.levels[max(step, 1) - 1]


def _known(value: float | None) -> float | None:
    """The value, not below zero, if it is a number."""
    if value is None or not math.isfinite(value):
        return None
    return min(max(value, 0.0), _BEYOND_ALL)


def _scaled(value: float, base: int, units: str, *, tenths_below: float) -> str:
    """A value of at least ``base``, in the unit that leaves the fewest digits."""
    if value >= base ** len(units) * (base - 0.5):
        return f">{base - 1}{units[-1]}"
    amount = value / base
    unit = 0
    while amount >= base - 0.5:
        amount /= base
        unit += 1
    digits = 1 if amount < tenths_below else 0
    return f"{amount:.{digits}f}{units[unit]}"
