"""What may stand in the place of the table: help, the log, the columns to sort by."""

from __future__ import annotations

from collections.abc import Iterable

from connmon.console import blackbox, columns
from connmon.console.cells import sentence, sentences
from connmon.console.column import Column, column
from connmon.console.cursor import itself
from connmon.console.line import extent, folded, packed
from connmon.console.marks import Values
from connmon.console.place import Mode
from connmon.console.shown import Keys, Shown
from connmon.console.text import Cut, Glyphs, Line, Segment, Style, fit, width
from connmon.views.alert import LONG_SECONDS, USED
from connmon.views.schema import TIMEOUTS, VIEWS

_MARGIN = 10
"""Cells for the name of a section, and for what a line of the legend is about."""

_HANG = 13
"""Cells before what does not fit on a line of who held and who waited."""

_ONWARD = {TIMEOUTS: "its processes"}
"""What one goes on to from a row that is shown whole."""

_SLOT = 23
"""Cells of a column of keys; three of them fit into a width of 80."""

_LONG = f"a checkout or transaction over {LONG_SECONDS:.0f} s"
_SIGNS = (
    ("!", "critical: somebody waits, or gave up waiting; or connecting fails"),
    ("*", f"warning: a pool {USED * 100:.0f} % used, {_LONG}, or stale figures"),
    (">", "the row that the cursor is on"),
    ("stale", "its node is not heard; figures are as old as it says"),
    ("gone", "its last process ended so long ago"),
    ("-", "not known"),
)


def panel(shown: Shown, room: int) -> list[Line]:
    """All lines of what is asked for; none while that is the table."""
    mode = shown.screen.mode
    if mode is Mode.HELP:
        return _help(shown, room)
    if mode is Mode.LOG:
        return _log(shown)
    if mode is Mode.STACK:
        return _stack(shown, room)
    if mode is Mode.WHOLE:
        return _whole(shown, room)
    return _sorts(shown, room) if mode is Mode.SORT else []


def title(shown: Shown, room: int) -> Line:
    """What it is, and how one leaves it."""
    arrows = shown.glyphs.arrows
    view = shown.screen.place.view
    onward = f"Enter opens {_ONWARD[view]}, " if view in _ONWARD else ""
    words = {
        Mode.HELP: f"HELP: {arrows} scroll, any other key returns",
        Mode.LOG: f"LOG: {arrows} scroll, any other key returns",
        Mode.STACK: f"STACK: s asks again, {arrows} scroll, any other key returns",
        Mode.WHOLE: f"{view.upper()}: {onward}{arrows} scroll, any other key returns",
        Mode.SORT: f"SORT BY: {arrows} Enter, Esc returns",
    }
    said = words.get(shown.screen.mode, "")
    return ((Style.HEADING, fit(f"  {said}", room, glyphs=shown.glyphs)),)


def _help(shown: Shown, room: int) -> list[Line]:
    """The keys by sections, the columns of the set in use, and the signs."""
    place, choices = shown.screen.place, shown.screen.choices
    named = columns.columns(place.view, columns.chosen(place.view, choices))
    lines: list[Line] = []
    for section, keys in shown.help:
        lines += _section(section, keys, room, shown.glyphs)
    lines.append(())
    lines += [_meaning(place.view, each) for each in named]
    lines.append(())
    lines += [_entry(sign, meaning) for sign, meaning in _SIGNS]
    return lines


def _section(name: str, keys: Keys, room: int, glyphs: Glyphs) -> list[Line]:
    """Keys in columns, as many as there is room for; long meanings take several."""
    lines: list[list[Segment]] = []
    taken = room
    for cap, word in keys:
        item = (
            (Style.KEY, sentence(cap, glyphs)),
            (Style.PLAIN, f" {sentence(word, glyphs)}"),
        )
        slots = -(-(extent(item) + 1) // _SLOT) * _SLOT
        if taken + extent(item) > room:
            margin = "" if lines else f" {sentence(name, glyphs)}"
            lines.append([(Style.LABEL, fit(margin, _MARGIN, glyphs=glyphs))])
            taken = _MARGIN
        lines[-1] += (*item, (Style.PLAIN, " " * (slots - extent(item))))
        taken += slots
    return [tuple(line[:-1]) for line in lines]  # no gap at the end


def _meaning(view: str, each: Column) -> Line:
    field = VIEWS[view].field(each.name)
    assert field is not None
    return _entry(each.heading, field.meaning)


def _entry(name: str, meaning: str) -> Line:
    return (Style.KEY, f" {name:<{_MARGIN}} "), (Style.PLAIN, meaning)


def _log(shown: Shown) -> list[Line]:
    lines: Iterable[str] = shown.log or ("nothing has been logged",)
    return [((Style.PLAIN, f" {sentence(each, shown.glyphs)}"),) for each in lines]


def _stack(shown: Shown, room: int) -> list[Line]:
    """Lines of code, whose ends tell most."""
    return [
        ((Style.PLAIN, f" {_ending(each, room - 1, shown.glyphs)}"),)
        for each in (sentence(said, shown.glyphs) for said in shown.log)
    ]


def _ending(said: str, room: int, glyphs: Glyphs) -> str:
    """A line that is indented, with its beginning cut if it is too long."""
    text = said.lstrip()
    indent = said[: len(said) - len(text)]
    if width(said) <= room:
        return said
    return indent + fit(text, room - len(indent), cut=Cut.BEGINNING, glyphs=glyphs)


def _whole(shown: Shown, room: int) -> list[Line]:
    """All that the row under the cursor says."""
    place, frame = shown.screen.place, shown.frame
    values = None if frame is None else itself(place, frame)
    if values is None:
        return [((Style.QUIET, " it is not there any more"),)]
    if place.view == TIMEOUTS:
        return _paragraphs(blackbox.lines(values, shown.time, shown.glyphs), room)
    return _fields(place.view, values, room, shown.glyphs)


def _paragraphs(said: Iterable[str], room: int) -> list[Line]:
    """Lines with what does not fit on further ones, which are indented."""
    indent = min(_HANG, room // 2)
    lines: list[Line] = []
    for each in said:
        text = each.lstrip()
        margin = " " * (1 + len(each) - len(text))
        fits = len(margin) + width(text) <= room
        parts = [text] if fits else packed(text.split("  "), "  ", room - indent)
        for part in parts:
            lines.append(((Style.PLAIN, margin + part),))
            margin = " " * indent
    return lines


def _fields(view: str, values: Values, room: int, glyphs: Glyphs) -> list[Line]:
    """What a row says, each field by its heading."""
    lines: list[Line] = []
    for field in VIEWS[view].fields:
        value = values.get(field.name)
        several = value if isinstance(value, (list, tuple)) else (value,)
        said = ", ".join(sentences(several, glyphs))
        heading = field.heading
        for part in folded(said, room - _MARGIN - 2):
            lines.append(_entry(heading, part))
            heading = ""
    return lines


def _sorts(shown: Shown, room: int) -> list[Line]:
    """The columns to sort by, with a sign at the one in use, and one marked."""
    place, choices = shown.screen.place, shown.screen.choices
    view, used = place.view, columns.sort(place.view, choices)
    names = columns.sortable(view, columns.chosen(view, choices), place.scope)
    lines: list[Line] = []
    for number, name in enumerate(names):
        field = VIEWS[view].field(name)
        assert field is not None
        sign = (
            columns.sign(view, used, shown.glyphs)
            if name == used.removeprefix("-")
            else " "
        )
        marked = number == shown.screen.scroll
        cursor = ">" if marked else " "
        heading = column(view, name).heading
        text = f"{cursor}{sign} {heading:<{_MARGIN + 1}}{field.meaning}"
        look = Style.SELECTED if marked else Style.PLAIN
        lines.append(((look, fit(text, room, glyphs=shown.glyphs)),))
    return lines
