"""Lines to bytes: the only escape sequences in the project.

Only what differs from the last frame painted is drawn. If a line is as wide as the one
before it, those of its segments that differ are replaced, each in its place; else it is
erased and written anew. Either way what a terminal shows depends on the line alone,
never on what stood there before. Each sequence used is one that every terminal of the
last thirty years either knows or ignores.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from connmon.console.text import UNICODE, Glyphs, Line, Segment, Style
from connmon.console.text import width as cells_of


class Depth(Enum):
    """How many colours there are."""

    MONO = auto()
    SIXTEEN = auto()
    MANY = auto()


# A colour either comes with its own background, or is of a middle brightness that can
# be read on black and on white. Of the sixteen nobody knows how they look, so they come
# in pairs only. What is wrong is told by bold or reverse as well.
_STYLES: dict[Depth, dict[Style, str]] = {
    Depth.MONO: {
        Style.TITLE: "1",
        Style.VALUE: "1",
        Style.HEADING: "7",
        Style.CHOSEN: "1;4;7",
        Style.SELECTED: "7",
        Style.GOOD: "1",
        Style.WARN: "1",
        Style.WARN_BADGE: "7",
        Style.CRIT: "1;7",
        Style.BAR_WARN: "1",
        Style.BAR_CRIT: "1",
        Style.GONE: "3",
        Style.STALE: "3",
        Style.KEY: "1",
        Style.ACTION: "7",
        Style.CARET: "7",
    },
    Depth.SIXTEEN: {
        Style.TITLE: "1",
        Style.VALUE: "1",
        Style.HEADING: "37;44",
        Style.CHOSEN: "30;43",
        Style.SELECTED: "7",
        Style.GOOD: "1",
        Style.WARN: "1",
        Style.WARN_BADGE: "30;43",
        Style.CRIT: "37;41",
        Style.BAR_WARN: "1",
        Style.BAR_CRIT: "1",
        Style.GONE: "3",
        Style.STALE: "3",
        Style.KEY: "1",
        Style.ACTION: "37;44",
        Style.CARET: "7",
    },
    Depth.MANY: {
        Style.TITLE: "1;38;5;32",
        Style.LABEL: "38;5;32",
        Style.VALUE: "1",
        Style.HEADING: "38;5;231;48;5;24",
        Style.CHOSEN: "38;5;16;48;5;214",
        Style.SELECTED: "38;5;16;48;5;153",
        Style.GOOD: "38;5;30",
        Style.WARN: "1;38;5;166",
        Style.WARN_BADGE: "38;5;16;48;5;214",
        Style.CRIT: "1;38;5;16;48;5;203",
        Style.BAR: "38;5;32",
        Style.BAR_WARN: "38;5;166",
        Style.BAR_CRIT: "38;5;203",
        Style.GONE: "3;38;5;244",
        Style.STALE: "3;38;5;136",
        Style.QUIET: "38;5;244",
        Style.KEY: "1",
        Style.ACTION: "38;5;231;48;5;24",
        Style.CARET: "7",
    },
}

_CANCEL = "\x18"
"""Ends whatever sequence was half written, so that what follows is understood."""

_SYNC_BEGIN, _SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
_WRAP_ON, _WRAP_OFF = "\x1b[?7h", "\x1b[?7l"
_CURSOR_ON, _CURSOR_OFF = "\x1b[?25h", "\x1b[?25l"
_SCREEN_OWN, _SCREEN_BACK = "\x1b[?1049h", "\x1b[?1049l"
_PLAIN = "\x1b[0m"
_ERASE_ALL = "\x1b[2J"
_ERASE_LINE = "\x1b[2K"
_FAR = 8
"""For more cells than this it is shorter to name the place than to write blanks."""

_BOTTOM = 999
"""A row below every window; terminals take it for the last one."""


class Painter:
    """Draws frames on one terminal, and knows what it shows."""

    def __init__(
        self, depth: Depth, glyphs: Glyphs = UNICODE, synchronised: bool = True
    ) -> None:
        """Draw in ``depth``; ``synchronised`` has each frame appear at once."""
        self._styles = _STYLES[depth]
        self._encoding = "ascii" if glyphs.ascii else "utf-8"
        self._synchronised = synchronised
        self._size = (0, 0)
        self._painted: list[Line] = []

    def enter(self) -> bytes:
        """Return what takes the screen over; the first frame after it is whole."""
        self.forget()
        return self._encoded(
            _SCREEN_OWN + _CURSOR_OFF + _WRAP_OFF + _PASTE_ON + _PLAIN + _ERASE_ALL
        )

    def leave(self) -> bytes:
        """Return what gives the screen back, whatever state it is in.

        A terminal without a second screen keeps the last frame, with the cursor on a
        free line below it.
        """
        self.forget()
        sync = _SYNC_END if self._synchronised else ""
        bottom = _at(_BOTTOM, 1) + _ERASE_LINE
        modes = _PASTE_OFF + _WRAP_ON + _CURSOR_ON + _SCREEN_BACK
        return self._encoded(_CANCEL + sync + _PLAIN + bottom + modes)

    def forget(self) -> None:
        """Take nothing for granted about what is shown: draw the next frame whole."""
        self._size = (0, 0)
        self._painted = []

    def paint(self, lines: Sequence[Line], width: int, height: int) -> bytes:
        """Return what makes the screen show ``lines``; nothing if it does already."""
        wanted = [*lines[:height], *[()] * (height - len(lines))]
        pen = _Pen(self._styles)
        if self._size != (width, height):
            self._size = (width, height)
            self._painted = [()] * height
            pen.erase(_ERASE_ALL)
        for row, (line, old) in enumerate(zip(wanted, self._painted, strict=True)):
            if line != old:
                _draw(pen, line, old, row, width)
        self._painted = wanted
        drawn = pen.drawn()
        if drawn and self._synchronised:
            drawn = _SYNC_BEGIN + drawn + _SYNC_END
        return self._encoded(drawn)

    def _encoded(self, text: str) -> bytes:
        return text.encode(self._encoding, "replace")


class _Pen:
    """Writes text where it is put, and switches looks when they change."""

    def __init__(self, styles: dict[Style, str]) -> None:
        self._styles = styles
        self._drawn: list[str] = []
        self._look = ""

    def drawn(self) -> str:
        """Return all that was written, ended with plain looks."""
        self._switch("")
        return "".join(self._drawn)

    def erase(self, sequence: str) -> None:
        """Erase with plain looks: terminals erase in the colour they write in."""
        self._look = ""
        self._drawn.append(_PLAIN + sequence)

    def go(self, row: int, column: int) -> None:
        """Write at this place from now on; both count from 0."""
        self._drawn.append(_at(row + 1, column + 1))

    def write(self, segment: Segment) -> None:
        """Write text in its looks."""
        style, text = segment
        if not text.isprintable():  # views clean what they draw; this is the last door
            text = "".join(char if char.isprintable() else "?" for char in text)
        self._switch(self._styles.get(style, ""))
        self._drawn.append(text)

    def _switch(self, look: str) -> None:
        if look != self._look:
            before = "0;" if self._look and look else ""
            self._drawn.append(f"\x1b[{before}{look or 0}m")
            self._look = look


def _draw(pen: _Pen, line: Line, old: Line, row: int, width: int) -> None:
    """Turn one line into another, segment by segment if that leaves nothing behind."""
    pieces, end, reach = _placed(line)
    before, old_end, old_reach = _placed(old)
    erased = end != old_end or end < min(width, max(reach, old_reach))
    if erased:
        before = {}
        pen.go(row, 0)
        pen.erase(_ERASE_LINE)
    place = 0 if erased else -1
    # Terminals dispute the width of some characters: whoever comes next is put in its
    # place, and drawn again, so that a dispute spoils no other segment for good.
    spoilt = 0
    for start, segment in pieces.items():
        if start >= width:
            break
        there = before.get(start) == segment or (erased and _is_blank(segment))
        if there and start >= spoilt:
            continue
        if place != start:
            pen.go(row, start)
        pen.write(segment)
        _, text = segment
        place = start + cells_of(text)
        if not text.isascii():
            spoilt = max(spoilt, place + _disputed(text))
            place = -1


def _placed(line: Line) -> tuple[dict[int, Segment], int, int]:
    """The segments by the columns they begin in, and the column after the last one.

    The third is the column that it may come to on a terminal that takes more cells.
    """
    column = reach = 0
    pieces = {}
    for segment in line:
        _, text = segment
        if text:
            pieces[column] = segment
            column += cells_of(text)
            if not text.isascii():
                reach = max(reach, column + _disputed(text))
    return pieces, column, reach


def _disputed(text: str) -> int:
    """By how many cells a terminal may take ``text`` for wider than we do."""
    return sum(char > "\x7f" for char in text)


def _is_blank(segment: Segment) -> bool:
    """Whether erasing does as well, at less cost."""
    style, text = segment
    return style is Style.PLAIN and len(text) > _FAR and text.isspace()


def _at(row: int, column: int) -> str:
    return f"\x1b[{row};{column}H"
