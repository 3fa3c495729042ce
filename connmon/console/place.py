"""Where the viewer is: a view, what it was narrowed to, the row the cursor is on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto

from connmon.console.choices import Choices
from connmon.views.query import Key
from connmon.views.schema import PROGRAMS


@dataclass(frozen=True)
class Place:
    """One level of a drill-down.

    ``scope`` narrows the view as ``Query.scope`` does; ``title`` are the words for it,
    such as ``("ctl1 nova-api", "pid 11200")``. The cursor is on the row ``selected``,
    ``line`` rows below the top of the window; while that is ``None``, it is on the
    first row, whichever it is. ``first`` is the index of the window's top row when last
    seen. ``target`` is the index of a row to go to that has not been seen yet; nothing
    is ``selected`` then. ``where`` is the filter.
    """

    view: str = PROGRAMS
    scope: tuple[tuple[str, object], ...] = ()
    title: tuple[str, ...] = ()
    selected: Key | None = None
    line: int = 0
    first: int = 0
    target: int | None = None
    where: str = ""


class Asking(Enum):
    """What a prompt asks for."""

    FILTER = auto()
    SEARCH = auto()
    DELAY = auto()
    SAVE = auto()
    JUMP = auto()


@dataclass(frozen=True)
class Prompt:
    """A line being typed: ``text`` with the caret after ``caret`` characters."""

    asking: Asking
    text: str = ""
    caret: int = 0


class Mode(Enum):
    """What stands in the place of the table."""

    TABLE = auto()
    HELP = auto()
    LOG = auto()
    STACK = auto()
    SORT = auto()
    #: All that the row under the cursor says.
    WHOLE = auto()


@dataclass(frozen=True)
class Screen:
    """All that keys change.

    ``places`` are the levels of the drill-down, the last the one shown. ``search`` is
    the last text searched for. ``notice`` is what there is to say about the last key,
    until the next one. ``scroll`` is the first line shown of the help, the log or a
    stack; in ``Mode.SORT`` the row of the column that is marked. ``held`` is whose
    stack is shown: a process's token, and the number of its connection.
    """

    places: tuple[Place, ...] = (Place(),)
    choices: Choices = field(default_factory=Choices)
    search: str = ""
    prompt: Prompt | None = None
    mode: Mode = Mode.TABLE
    paused: bool = False
    notice: str = ""
    notice_is_error: bool = False
    scroll: int = 0
    held: tuple[str, int] | None = None

    @property
    def place(self) -> Place:
        """Where the viewer is."""
        return self.places[-1]

    def at(self, place: Place) -> Screen:
        """The same with another place on the same level."""
        return replace(self, places=(*self.places[:-1], place))

    @property
    def where(self) -> str:
        """The filter of what is shown."""
        return self.place.where
