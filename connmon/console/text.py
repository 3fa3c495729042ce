"""Text as it may be drawn: made harmless, measured in cells, cut and padded to fit.

Names come from the network, so they pass ``clean`` before anything measures or draws
them. What is left afterwards has a width all terminals agree on, but for the few they
have always disputed; ``ansi`` re-anchors after those.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

NAME_LIMIT = 256
"""The most characters of one name that are looked at."""

_MARKS = 2
"""The most combining marks one character may carry."""

_SUBSTITUTE = "?"


@dataclass(frozen=True)
class Glyphs:
    """The signs beyond ASCII that a screen may use, or what stands in for them.

    ``strokes`` are a bar's full cell, its half one and its track. ``levels`` are those
    of a sparkline above zero, the lowest first.
    """

    ascii: bool
    ellipsis: str
    arrows: str
    strokes: str
    levels: str


# No full block: those of neighbouring rows would merge into a wall.
UNICODE = Glyphs(
    ascii=False, ellipsis="…", arrows="↑↓", strokes="━╸─", levels="▁▂▃▄▅▆▇"
)
ASCII = Glyphs(
    ascii=True, ellipsis="~", arrows="Up Dn", strokes="=-.", levels=".:-=+*#"
)


class Style(Enum):
    """What a piece of text is; how it looks is decided where it is painted."""

    PLAIN = auto()
    #: Whose console this is.
    TITLE = auto()
    #: What a figure of the header is of, and the figure.
    LABEL = auto()
    VALUE = auto()
    #: The line over a table.
    HEADING = auto()
    #: What the viewer chose: the column that rows are sorted by, the filter.
    CHOSEN = auto()
    #: The row that the cursor is on.
    SELECTED = auto()
    GOOD = auto()
    #: A figure that is worth a warning, a sign that is, one that is worse.
    WARN = auto()
    WARN_BADGE = auto()
    CRIT = auto()
    #: The filled part of a bar, by what it says; a sparkline.
    BAR = auto()
    BAR_WARN = auto()
    BAR_CRIT = auto()
    #: Figures of what has ended, and of what nobody hears.
    GONE = auto()
    STALE = auto()
    #: What need not be read: zeros, tracks of bars, hints.
    QUIET = auto()
    #: What is printed on a key, and what the key does.
    KEY = auto()
    ACTION = auto()
    #: Where the next character goes.
    CARET = auto()


Segment = tuple[Style, str]
Line = tuple[Segment, ...]


class Cut(Enum):
    """Where a text is cut that is too long; an ellipsis marks it."""

    #: Its beginning tells most, as of a sentence.
    END = auto()
    #: Between its first and its last half, which tell names such as ``nova-api-1`` and
    #: ``nova-api-2`` apart.
    MIDDLE = auto()
    #: Its end tells most, as of a path.
    BEGINNING = auto()


def clean(text: str, limit: int = NAME_LIMIT, glyphs: Glyphs = UNICODE) -> str:
    """Return ``text`` with all that could harm or confuse a terminal as ``?``.

    That is: control and format characters, line and paragraph separators, text and
    marks that run from right to left, characters without a width or with a doubtful
    one, private and unassigned ones, and a third combining mark on one character. At
    most ``limit`` characters are kept; a cut is marked by an ellipsis.
    """
    if len(text) > limit:
        text = text[: max(0, limit - 1)] + glyphs.ellipsis[:limit]
    if text.isascii() and text.isprintable():
        return text
    if glyphs.ascii:
        return "".join(c if " " <= c <= "~" else _SUBSTITUTE for c in text)
    return _clean_marks("".join(c if _drawable(c) else _SUBSTITUTE for c in text))


def width(text: str) -> int:
    """Return how many cells ``text``, which is clean, takes on the screen."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def fit(
    text: str,
    cells: int,
    right: bool = False,
    cut: Cut = Cut.END,
    glyphs: Glyphs = UNICODE,
) -> str:
    """Cut or pad ``text``, which is clean, to exactly ``cells`` cells."""
    if width(text) > cells:
        text = _cut(text, cells, cut, glyphs)
    padding = " " * (cells - width(text))
    return padding + text if right else text + padding


def _cut(text: str, cells: int, cut: Cut, glyphs: Glyphs) -> str:
    if cells <= 0:
        return ""
    room = cells - 1
    tail = {Cut.END: 0, Cut.MIDDLE: room // 2, Cut.BEGINNING: room}[cut]
    pieces = _clusters(text)
    head = _taken(pieces, room - tail)
    last = _taken(pieces[::-1], tail)
    return "".join(head) + glyphs.ellipsis + "".join(reversed(last))


def _clusters(text: str) -> list[str]:
    """Split into characters, each with the marks that belong to it."""
    pieces: list[str] = []
    for char in text:
        if pieces and not _cells(char):
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


def _taken(pieces: list[str], cells: int) -> list[str]:
    """Return as many of the first ``pieces`` as fill no more than ``cells``."""
    taken = []
    for piece in pieces:
        cells -= width(piece)
        if cells < 0:
            break
        taken.append(piece)
    return taken


def _clean_marks(text: str) -> str:
    """Replace a mark that has nothing to stand on, and each after the second."""
    kept = []
    marks = _MARKS
    for char in text:
        marks = marks + 1 if not _cells(char) else 0
        kept.append(_SUBSTITUTE if marks > _MARKS else char)
    return "".join(kept)


@lru_cache(maxsize=4096)
def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


# Characters whose category looks harmless but whose width or look is not: Hangul that
# joins what stands before it, fillers that show nothing, flags and skin tones that
# merge with their neighbours, and signs that Unicode 16 made twice as wide.
_DOUBTFUL = (
    (0x034F, 0x034F),
    (0x115F, 0x11FF),
    (0x2630, 0x2637),
    (0x268A, 0x268F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0x4DC0, 0x4DFF),
    (0xD7B0, 0xD7FF),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0x1D300, 0x1D37F),
    (0x1F1E6, 0x1F1FF),
    (0x1F3FB, 0x1F3FF),
    (0xE0100, 0xE01EF),
)


@lru_cache(maxsize=4096)
def _drawable(char: str) -> bool:
    category = unicodedata.category(char)
    if category[0] in "CZ":
        return char == " "
    if category[0] == "M" and not unicodedata.combining(char):
        return False  # terminals differ on whether it takes a cell
    if unicodedata.bidirectional(char) in ("R", "AL", "AN"):
        return False
    return not any(first <= ord(char) <= last for first, last in _DOUBTFUL)
