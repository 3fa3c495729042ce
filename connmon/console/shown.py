"""All that the screen depends on, besides its size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from connmon.console.place import Screen
from connmon.console.text import UNICODE, Glyphs
from connmon.views.frame import Frame


class State(Enum):
    """How fresh the figures are."""

    LIVE = auto()
    PAUSED = auto()
    CONNECTING = auto()
    LOST = auto()
    REPLAY = auto()


Keys = tuple[tuple[str, str], ...]
"""What is printed on keys, and what they do."""


@dataclass(frozen=True)
class Shown:
    """A moment of the screen.

    ``frame`` is of the view of ``screen.place``; of another one only the header is
    shown. ``message`` is what there is to say about the link, in one line, such as
    ``lost node1 192.168.1.205:5800: connection refused; trying node2``. Figures that
    are not fresh are still given, and shown as ``age`` seconds old. ``clock`` is the
    time of day as it is shown, ``time`` the same in Unix seconds, which makes times of
    day of the ages of events. ``widest`` are the cells that each column has needed
    since the view was opened, see ``table.widest``. ``log`` are the lines of the log,
    or those of a stack while that is shown.
    ``footer`` are the keys to remind of, the most important first; ``help`` is by
    sections. All texts are cleaned here.
    """

    screen: Screen
    frame: Frame | None
    state: State
    message: str = ""
    address: str = ""
    clock: str = ""
    age: float | None = None
    glyphs: Glyphs = UNICODE
    widest: Mapping[str, int] = field(default_factory=dict)
    log: tuple[str, ...] = ()
    footer: Keys = ()
    help: tuple[tuple[str, Keys], ...] = ()
    time: float | None = None
