"""What a row is as a whole: in order or not, gone, not heard of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from connmon.console.figures import count, duration
from connmon.views import alert, roster
from connmon.views.schema import ADVICE, EVENTS, NODES

Values = Mapping[str, Any]
"""A row by the names of its fields. It came from elsewhere, so nothing is sure."""


class Level(IntEnum):
    """How bad something is."""

    OK = 0
    WARN = 1
    CRIT = 2


_SAID_BY = {ADVICE: "severity", EVENTS: "severity", NODES: "state"}
"""The field that says how bad it is, where that is not ``alert``."""

_BY_ALERT = {alert.OK: Level.OK, alert.WARN: Level.WARN, alert.CRIT: Level.CRIT}

LEVELS = {
    **_BY_ALERT,
    **{word: _BY_ALERT[level] for word, level in alert.STATES.items()},
    roster.STALE: Level.WARN,
    roster.UNREACHABLE: Level.CRIT,
    roster.REFUSED: Level.CRIT,
}
"""What words for an alert, a severity or a state say."""


_MOST = 10**30
"""More than any count, and little enough to be a float."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A row's state.

    ``gone`` has no process any more; of one that is ``stale`` nothing is heard.
    ``words`` say either, or how much of it is stale, the longest wording first.
    """

    level: Level = Level.OK
    gone: bool = False
    stale: bool = False
    words: tuple[str, ...] = ()


def number(value: object) -> int | float | None:
    """The value, if it is a number that can be written."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return max(-_MOST, min(value, _MOST))
    return value if isinstance(value, float) and math.isfinite(value) else None


def mark(view: str, values: Values, exact: bool = False) -> Mark:
    """What a row of a view is. ``exact`` has durations in plain seconds."""
    said = values.get(_SAID_BY.get(view, "alert"))
    level = LEVELS.get(said, Level.OK) if isinstance(said, str) else Level.OK
    gone = number(values.get("gone_seconds"))
    connected = values.get("connected")
    if connected is False or (connected is None and gone is not None):
        return Mark(level, gone=True, words=_aged("gone", gone, exact))
    return _heard(level, values, exact)


def _heard(level: Level, values: Values, exact: bool) -> Mark:
    """The same of what has not gone."""
    age = number(values.get("stale_seconds"))
    if "stale" not in values:
        # A process, or something of it: its node is heard or not.
        stale = age is not None
        return Mark(level, stale=stale, words=_aged("stale", age, exact) * stale)
    some = number(values["stale"])
    if not some:
        return Mark(level)
    if some >= (number(values.get("nproc")) or 0):
        return Mark(level, stale=True, words=_aged("stale", age, exact))
    partly = f"{count(int(some))} stale"
    return Mark(level, words=(*_aged(partly, age, exact), "stale"))


def _aged(word: str, seconds: float | None, exact: bool) -> tuple[str, ...]:
    if seconds is None:
        return (word,)
    return f"{word} {duration(seconds, exact)}", word
