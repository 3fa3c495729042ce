"""What the viewer chose, and how a key changes it: a pure rule.

The number of rows and how many of them the window holds are arguments, so that a choice
stays what it was while rows come and go and the window changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from connmon.console.keys import Action, action
from connmon.wire.commands import NODES, PROGRAMS


class Effect(Enum):
    """What must follow a key, besides drawing the screen as it now is."""

    NONE = auto()
    QUIT = auto()
    REDRAW = auto()


@dataclass(frozen=True)
class Screen:
    """The viewer's choices: how many rows are scrolled past, and of which view."""

    offset: int = 0
    view: str = PROGRAMS


_VIEWS = {Action.PROGRAMS: PROGRAMS, Action.NODES: NODES}


def clamped(offset: int, rows: int, page: int) -> int:
    """Return the offset nearest to ``offset`` that leaves no room unused."""
    return max(0, min(offset, rows - max(1, page)))


def press(screen: Screen, key: str, rows: int, page: int) -> tuple[Screen, Effect]:
    """Return the choices after ``key``, with ``rows`` rows of which ``page`` fit.

    ``REDRAW`` asks to forget what the terminal is believed to show. A key without a
    meaning changes nothing, nor does that of the view one is looking at; another view
    is seen from its first row.
    """
    wanted = action(key)
    if wanted is None:
        return screen, Effect.NONE
    if wanted is Action.QUIT:
        return screen, Effect.QUIT
    if wanted is Action.REDRAW:
        return screen, Effect.REDRAW
    if wanted in _VIEWS:
        view = _VIEWS[wanted]
        return (screen if view == screen.view else Screen(0, view)), Effect.NONE
    # A page keeps one row of the last one in sight.
    steps = {
        Action.UP: -1,
        Action.DOWN: 1,
        Action.PAGE_UP: -max(1, page - 1),
        Action.PAGE_DOWN: max(1, page - 1),
        Action.TOP: -rows,
        Action.BOTTOM: rows,
    }
    now = clamped(screen.offset, rows, page)
    moved = clamped(now + steps[wanted], rows, page)
    return replace(screen, offset=moved), Effect.NONE
