"""The last line: the keys to remind of and where one is, or what is being typed."""

from __future__ import annotations

from connmon.console.cells import sentence
from connmon.console.line import clipped, extent
from connmon.console.place import Asking, Prompt
from connmon.console.shown import Keys
from connmon.console.text import Glyphs, Line, Segment, Style, clean
from connmon.console.text import width as cells_of

_ASKED = {
    Asking.FILTER: " Filter: ",
    Asking.SEARCH: " Search: ",
    Asking.DELAY: " Seconds between updates: ",
    Asking.SAVE: " Save as: ",
    Asking.JUMP: " Go to the time: ",
}


def reminder(keys: Keys, place: str, room: int, glyphs: Glyphs) -> Line:
    """As many keys as there is room for beside ``place``, which never gives way."""
    line: list[Segment] = []
    spare = room - cells_of(place) - 1
    for cap, word in keys:
        item = (
            (Style.KEY, sentence(cap, glyphs)),
            (Style.ACTION, sentence(word, glyphs)),
            (Style.PLAIN, " "),
        )
        if extent(item) > spare:
            break
        line += item
        spare -= extent(item)
    blanks = max(0, room - extent(tuple(line)) - cells_of(place))
    return (*line, (Style.QUIET, " " * blanks + place))


def place(first: int, last: int, count: int, total: int = 0, order: str = "") -> str:
    """Which rows are seen, of how many, and of how many before a filter.

    ``order`` is what they are sorted by, where no heading says so.
    """
    seen = f"{first + 1 if last > first else 0}-{last} of {count}"
    seen += f" ({total} in all)" if total > count else ""
    return f"{seen}, by {order}" if order else seen


def typed(prompt: Prompt, room: int, glyphs: Glyphs) -> Line:
    """What is asked for, and what is typed, cut so that the caret is seen."""
    asked = _ASKED[prompt.asking]
    asked = asked if len(asked) + 2 <= room else ""
    before, under, after = _at_caret(prompt, glyphs)
    spare = max(0, room - len(asked) - cells_of(under))
    while cells_of(before) > spare or (before and not cells_of(before[0])):
        before = before[1:]
    line = (
        (Style.CHOSEN, asked),
        (Style.PLAIN, before),
        (Style.CARET, under),
        (Style.PLAIN, after),
    )
    return clipped(line, room, glyphs)


def _at_caret(prompt: Prompt, glyphs: Glyphs) -> tuple[str, str, str]:
    """What is before the caret, under it, and after it."""
    text = clean(prompt.text, len(prompt.text), glyphs)
    start = max(0, min(prompt.caret, len(text)))
    # A character and the marks on it are one.
    while 0 < start < len(text) and not cells_of(text[start]):
        start -= 1
    end = start + 1
    while end < len(text) and not cells_of(text[end]):
        end += 1
    return text[:start], text[start:end] or " ", text[end:]
