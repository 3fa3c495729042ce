"""What a key meets, and what comes of it: the values that the rules of keys share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple

from connmon.console.place import Screen
from connmon.views.frame import Frame


class Do(Enum):
    """What must follow a key, besides drawing the screen as it now is."""

    NOTHING = auto()
    QUIT = auto()
    REDRAW = auto()
    #: Go to the next row that the filter ``text`` matches, backwards if
    #: ``step`` is -1.
    FIND = auto()
    #: Write the screen to the file ``text``.
    SAVE = auto()
    #: Keep the choices for the next time.
    KEEP = auto()
    #: Ask where the holder of connection ``step`` of process ``text`` is.
    STACK = auto()
    #: Of a recording: ``step`` pictures on, ``step`` doublings of the speed, or to the
    #: time that ``text`` says.
    STEP = auto()
    SPEED = auto()
    JUMP = auto()


class Effect(NamedTuple):
    """What to do, and with what."""

    do: Do = Do.NOTHING
    text: str = ""
    step: int = 0


@dataclass(frozen=True)
class Sight:
    """What the viewer sees while pressing a key.

    ``frame`` is of the place that is shown, if there is one yet; ``page`` rows of it
    have room. ``columns`` are the fields that are shown, in their order. ``lines`` is
    how many lines the help or the log has beyond what fits. ``replay`` says that a
    recording is shown; ``now`` is what to call a saved screen after.
    """

    frame: Frame | None = None
    page: int = 1
    columns: tuple[str, ...] = ()
    lines: int = 0
    replay: bool = False
    now: str = ""


Pressed = tuple[Screen, Effect]
"""The screen after a key, and what else is to be done."""

Rule = Callable[[Screen, Sight], Pressed]
"""What one action does."""


def noticed(screen: Screen, text: str, *, error: bool = False) -> Screen:
    """The screen with something to say, until the next key."""
    return replace(screen, notice=text, notice_is_error=error)
