"""Lines of segments: how wide they are, and cut to a width."""

from __future__ import annotations

from collections.abc import Iterable

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


def folded(text: str, room: int) -> list[str]:
    """Text that is clean on as many lines as it takes, broken at its blanks.

    A word that is longer than a line is broken, too; no text is no line.
    """
    lines: list[str] = []
    for word in text.split(" "):
        if lines and cells_of(lines[-1]) + 1 + cells_of(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines += _pieces(word, max(room, 2))
    return lines if text else []


def packed(parts: Iterable[str], gap: str, room: int) -> list[str]:
    """Parts of a text on as few lines as they take in turn, with ``gap`` between two.

    A part that is longer than a line is folded; empty ones are left out.
    """
    lines: list[str] = []
    for part in parts:
        if lines and part and cells_of(lines[-1] + gap + part) <= room:
            lines[-1] += gap + part
        else:
            lines += folded(part, room)
    return lines


def _pieces(word: str, room: int) -> list[str]:
    """A word in pieces of at most so many cells."""
    pieces = [""]
    for letter in word:
        if cells_of(pieces[-1] + letter) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces
