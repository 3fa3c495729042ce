"""What a viewer likes to look at: what ``W`` keeps from one session to the next."""

from __future__ import annotations

from dataclasses import dataclass, field

from connmon.views.schema import PROGRAMS


@dataclass(frozen=True)
class Choices:
    """Preferences, each with what holds until somebody chooses otherwise.

    ``sorts`` and ``sets`` have, by the view's name, the order (a field, ``-`` before it
    for downwards) and the set of columns; a view that is not named has its own.
    ``alerts_first`` puts what is wrong on top, ``busy`` hides what is idle, ``tree``
    has the programs below their hosts. ``exact`` shows durations in plain seconds,
    ``short_names`` cuts host names at their first dot. ``theme`` is one of ``auto``,
    ``many``, ``sixteen`` and ``mono``. ``view`` is the one to begin with, ``delay``
    seconds between two updates.
    """

    view: str = PROGRAMS
    delay: float = 2.0
    sorts: dict[str, str] = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)
    alerts_first: bool = True
    busy: bool = False
    tree: bool = False
    exact: bool = False
    short_names: bool = False
    theme: str = "auto"
