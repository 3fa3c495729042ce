"""Lines to bytes: the only escape sequences in the project.

A line is drawn by erasing it and writing it anew, so what a terminal shows depends on
the line alone, never on what stood there before. Only lines that differ from the last
ones painted are drawn. Each sequence used is one that every terminal of the last thirty
years either knows or ignores.
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
# be read on black and on white.
_STYLES: dict[Depth, dict[Style, str]] = {
    Depth.MONO: {
        Style.TITLE: "1",
        Style.LABEL: "7",
        Style.GOOD: "1",
        Style.ALERT: "1;7",
        Style.GONE: "3",
        Style.STALE: "3",
    },
    Depth.SIXTEEN: {
        Style.TITLE: "1",
        Style.LABEL: "7",
        Style.GOOD: "1",
        Style.ALERT: "37;41",
        Style.GONE: "3",
        Style.STALE: "3",
    },
    Depth.MANY: {
        Style.TITLE: "1;38;5;32",
        Style.LABEL: "7",
        Style.GOOD: "1;38;5;30",
        Style.ALERT: "38;5;16;48;5;203",
        Style.GONE: "3;38;5;244",
        Style.STALE: "3;38;5;136",
        Style.QUIET: "38;5;244",
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
        drawn = ""
        if self._size != (width, height):
            self._size = (width, height)
            self._painted = [()] * height
            drawn = _PLAIN + _ERASE_ALL
        for row, (line, old) in enumerate(zip(wanted, self._painted, strict=True)):
            if line != old:
                drawn += _at(row + 1, 1) + _ERASE_LINE + self._line(line, row, width)
        self._painted = wanted
        if drawn and self._synchronised:
            drawn = _SYNC_BEGIN + drawn + _SYNC_END
        return self._encoded(drawn)

    def _line(self, line: Line, row: int, width: int) -> str:
        drawn = ""
        column = 0
        adrift = False
        for style, text in line:
            if adrift and column < width:
                drawn += _at(row + 1, column + 1)
            drawn += self._segment((style, text))
            column += cells_of(text)
            # Terminals dispute the width of some characters: whoever comes next is
            # put in its place, so that a dispute spoils one segment only.
            adrift = not text.isascii()
        return drawn

    def _segment(self, segment: Segment) -> str:
        style, text = segment
        if not text.isprintable():  # views clean what they draw; this is the last door
            text = "".join(char if char.isprintable() else "?" for char in text)
        codes = self._styles.get(style)
        return f"\x1b[{codes}m{text}{_PLAIN}" if codes and text else text

    def _encoded(self, text: str) -> bytes:
        return text.encode(self._encoding, "replace")


def _at(row: int, column: int) -> str:
    return f"\x1b[{row};{column}H"
