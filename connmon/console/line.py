"""Lines of segments: how wide they are, and cut to a width."""

from __future__ import annotations

from connmon.console.text import Glyphs, Line, Segment, fit
from connmon.console.text import width as cells_of


def extent(line: Line) -> int:
    """The cells that a line, which is clean, takes."""
    return sum(cells_of(text) for _, text in line)


def clipped(line: Line, room: int, glyphs: Glyphs) -> Line:
    """Cut what passes ``room`` cells; a line that fits is returned as it is."""
    if extent(line) <= room:
        return line
    kept: list[Segment] = []
    for style, text in line:
        size = cells_of(text)
        if size > room:
            kept.append((style, fit(text, room, glyphs=glyphs)))
            break
        kept.append((style, text))
        room -= size
    return tuple(kept)
