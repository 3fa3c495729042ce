"""What stands in the cells of a table: values as text, and how each of them looks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from connmon.console import figures, text
from connmon.console.column import ELASTIC, FILLING, Column, Look
from connmon.console.marks import LEVELS, Level, Mark, Values, number
from connmon.console.text import UNICODE, Cut, Glyphs, Segment, Style
from connmon.views import roster
from connmon.views.alert import LONG_SECONDS, OK, USED, WELL
from connmon.views.schema import WAIT_HISTOGRAM, Taking, up_to
from connmon.views.servers import NEAR

SENTENCE_LIMIT = 1024
"""The most characters of a sentence that are looked at; names have fewer."""

_DAY = 86400
_PERCENT = 4
"""Cells for the percentage beside a bar; the few that need five take one of the bar."""


@dataclass(frozen=True)
class Manner:
    """How values are written.

    ``exact`` has durations in plain seconds, ``short_names`` cuts host names at their
    first dot, ``time`` (Unix seconds) makes times of day of ages, ``own`` is the node
    that the console looks through, and ``remarks`` puts what is odd about a node behind
    the reason.
    """

    glyphs: Glyphs = UNICODE
    exact: bool = False
    short_names: bool = False
    time: float | None = None
    own: str = ""
    remarks: bool = False


def harmless(value: object, glyphs: Glyphs) -> str:
    """A name made harmless; empty if it is none."""
    return (
        _cleaned(value[: text.NAME_LIMIT + 1], glyphs) if isinstance(value, str) else ""
    )


def sentence(value: object, glyphs: Glyphs) -> str:
    """A sentence made harmless; empty if it is none."""
    if not isinstance(value, str):
        return ""
    return text.clean(value, SENTENCE_LIMIT, glyphs)


def sentences(value: object, glyphs: Glyphs) -> list[str]:
    """Several of them, as many as there are."""
    if not isinstance(value, (list, tuple)):
        return []
    return [said for each in value if (said := sentence(each, glyphs))]


def takings(value: object) -> list[Taking]:
    """Those of records that can be read; what their parts are is not sure."""
    return [
        Taking(*each[: len(Taking._fields)])
        for each in (value if isinstance(value, (list, tuple)) else ())
        if isinstance(each, (list, tuple)) and len(each) > 2
    ]


def records(value: object, manner: Manner) -> list[str]:
    """Who has connections, or waits for them, and for how long, one by one."""
    said = []
    for each in takings(value):
        names = (harmless(name, manner.glyphs) for name in each[:2])
        seconds = figures.duration(number(each.seconds), manner.exact)
        said.append(" ".join(filter(None, (*names, seconds))))
    return said


def tallies(name: str, values: Values, glyphs: Glyphs) -> list[str]:
    """How many there were for each reason, or of which length, one by one."""
    said, value = [], values.get(name)
    called = _up_to if name == WAIT_HISTOGRAM else str
    for each in value if isinstance(value, (list, tuple)) else ():
        if isinstance(each, (list, tuple)) and len(each) > 1:
            count = number(each[1])
            many = figures.count(None if count is None else int(count))
            said.append(f"{called(harmless(each[0], glyphs))} {many}")
    return said


def _up_to(reason: str) -> str:
    """What durations are up to, exactly: they are read side by side."""
    seconds = up_to(reason)
    if seconds is None:
        return "longer"
    return f"{seconds:g}s" if seconds >= 1.0 else f"{seconds * 1000:g}ms"


def written(column: Column, values: Values, manner: Manner) -> str:
    """The text of a cell, harmless and not cut; empty for what is only drawn."""
    return _WRITERS[column.look](column.name, values, manner)


def series(value: object) -> list[float | None]:
    """Rates to be drawn."""
    return [number(each) for each in value] if isinstance(value, (list, tuple)) else []


def cell(column: Column, cells: int, said: str, glyphs: Glyphs) -> str:
    """What is ``written``, cut or padded to so many cells."""
    if said.isascii() and len(said) <= cells:
        return said.rjust(cells) if column.right else said.ljust(cells)
    return _fitted(said, cells, column.right, column.cut, glyphs)


def style(column: Column, values: Values, mark: Mark) -> Style:
    """How a cell looks that is neither a bar nor a sparkline."""
    if column.look in _NAMES:
        return Style.PLAIN
    if mark.gone:
        return Style.GONE
    if column.look is Look.WORD:
        return _of_word(values.get(column.name))
    if not values.get(column.name):
        return Style.QUIET
    if mark.stale:
        return Style.STALE
    return _ALARMING[alarm(column.name, values, mark)]


def bar(
    column: Column, cells: int, values: Values, mark: Mark, glyphs: Glyphs
) -> list[Segment]:
    """A bar and its percentage, or what the row is instead, in so many cells."""
    ratio = number(values.get(column.name))
    share = figures.percent(ratio)
    width = max(0, cells - 1 - max(_PERCENT, len(share)))
    if mark.gone or mark.stale or (mark.words and ratio is None):
        look = Style.GONE if mark.gone else Style.WARN
        return [(look, text.fit(longest(mark.words, cells), cells, glyphs=glyphs))]
    look = style(column, values, mark)
    ended = [(look, share.rjust(cells - width)[-(cells - width) :])]
    if look is not Style.CRIT:
        beside: list[Segment] = []
    else:
        beside, ended = [(Style.PLAIN, " ")], [(look, share.rjust(cells - width - 1))]
    if mark.words:
        words = text.fit(longest(mark.words, width), width, glyphs=glyphs)
        return [(Style.WARN, words), *beside, *ended]
    filled, track = figures.bar(ratio, width, glyphs)
    drawn = [(_BARS.get(look, Style.BAR), filled), (Style.QUIET, track)]
    return [*(each for each in drawn if each[1]), *beside, *ended]


def longest(words: tuple[str, ...], cells: int) -> str:
    """The longest wording that fits, or the shortest."""
    return next((each for each in words if len(each) <= cells), words[-1])


def alarm(name: str, values: Values, mark: Mark) -> Level:
    """How bad a figure is; no worse than its row is as a whole."""
    if not mark.level or name not in _ALARMS:
        return Level.OK
    level, bound = _ALARMS[name]
    value = number(values.get(name))
    return Level.OK if value is None or value < bound else min(level, mark.level)


_LEAST = 1e-9
_ALARMS = {
    "waiting": (Level.CRIT, _LEAST),
    "timeouts": (Level.CRIT, _LEAST),
    "timeouts_per_minute": (Level.CRIT, _LEAST),
    "leaks": (Level.CRIT, _LEAST),
    "pool_worst": (Level.CRIT, USED),
    "pool_used": (Level.CRIT, USED),
    "used": (Level.CRIT, NEAR),
    "unbounded": (Level.WARN, _LEAST),
    "wait_p99_seconds": (Level.WARN, 1.0),
    "oldest_seconds": (Level.WARN, LONG_SECONDS),
    "out_seconds": (Level.WARN, LONG_SECONDS),
    "txn_seconds": (Level.WARN, LONG_SECONDS),
    "invalidations_per_second": (Level.WARN, _LEAST),
}

_ALARMING = {
    Level.OK: Style.PLAIN,
    Level.WARN: Style.WARN,
    Level.CRIT: Style.CRIT,
}
_NAMES = (*ELASTIC, *FILLING, Look.MOMENT)
_BARS = {Style.CRIT: Style.BAR_CRIT, Style.WARN: Style.BAR_WARN}


def _of_word(word: object) -> Style:
    """How a word looks that says how bad something is; all others are plain."""
    if word == roster.UP:
        return Style.GOOD
    if word == WELL:
        return Style.QUIET  # what is wrong is to be seen among many that are not
    return _ALARMING[LEVELS.get(word, Level.OK) if isinstance(word, str) else Level.OK]


# Each writes one look. They are given the column's name, the row, and the manner.


def _name(name: str, values: Values, manner: Manner) -> str:
    said = harmless(values.get(name), manner.glyphs)
    if manner.short_names and name == "hostname":
        said = _short(said)
    return said or figures.UNKNOWN


def _short(host: str) -> str:
    """A host's name up to its first dot; an address as it is."""
    first, _, _ = host.partition(".")
    return host if not first or first.isdigit() or ":" in host else first


def _sentence(name: str, values: Values, manner: Manner) -> str:
    return sentence(values.get(name), manner.glyphs) or figures.UNKNOWN


def _several(name: str, values: Values, manner: Manner) -> str:
    names = sentences(values.get(name), manner.glyphs)
    if manner.short_names and name == "hostnames":
        names = [_short(each) for each in names]
    return sentence(", ".join(names), manner.glyphs) or figures.UNKNOWN


def _flag(name: str, values: Values, _: Manner) -> str:
    value = values.get(name)
    return ("yes" if value else "no") if isinstance(value, bool) else figures.UNKNOWN


def _figure(write: Callable[[Any], str]) -> Callable[[str, Values, Manner], str]:
    return lambda name, values, _: write(number(values.get(name)))


def _whole(write: Callable[[int | None], str]) -> Callable[[Any], str]:
    return lambda value: write(None if value is None else int(value))


def _digits(value: int | None) -> str:
    return figures.UNKNOWN if value is None else str(value)


def _seconds(name: str, values: Values, manner: Manner) -> str:
    return figures.duration(number(values.get(name)), manner.exact)


def _limit(name: str, values: Values, manner: Manner) -> str:
    """A pool's size and overflow.

    An overflow that is not known has no bound, unless there is one to all places: then
    it is not the same in all pools.
    """
    size = number(values.get(name))
    if size is None:
        return figures.UNKNOWN
    overflow = number(values.get("max_overflow"))
    if overflow is not None and overflow >= 0:
        more = figures.count(int(overflow))
    elif overflow is None and number(values.get("capacity")) is not None:
        more = "?"
    else:
        more = "inf" if manner.glyphs.ascii else "∞"
    return f"{figures.count(int(size))}+{more}"


def _who(name: str, values: Values, manner: Manner) -> str:
    program = harmless(values.get(name), manner.glyphs)
    pid = number(values.get("pid"))
    if program and pid is not None:
        return f"{program}[{int(pid)}]"
    return program or harmless(values.get("node"), manner.glyphs) or figures.UNKNOWN


def _moment(name: str, values: Values, manner: Manner) -> str:
    """The time of day; for what is older than a day, with the date."""
    age = number(values.get(name))
    if age is None or manner.time is None:
        return figures.duration(age, manner.exact)
    form = "%H:%M:%S" if age < _DAY else "%m-%d %H:%M"
    try:
        return time.strftime(form, time.localtime(manner.time - age))
    except (OverflowError, ValueError, OSError):
        return figures.UNKNOWN


def _why(name: str, values: Values, manner: Manner) -> str:
    """Why a node is not up; with ``remarks`` also what else there is to say of it."""
    said = sentences((values.get(name),), manner.glyphs)
    if manner.remarks:
        said += sentences(values.get("remarks"), manner.glyphs)
    if not said and manner.own and values.get("node") == manner.own:
        said = [OWN]
    return "; ".join(said)


def _records(name: str, values: Values, manner: Manner) -> str:
    said = "; ".join(records(values.get(name), manner))
    return sentence(said, manner.glyphs) or figures.UNKNOWN


def _tallies(name: str, values: Values, manner: Manner) -> str:
    said = sentence(", ".join(tallies(name, values, manner.glyphs)), manner.glyphs)
    return said or (figures.UNKNOWN if values.get(name) is None else "0")


def _alert(name: str, values: Values, manner: Manner) -> str:
    """Nothing for what is in order."""
    level = harmless(values.get(name), manner.glyphs)
    reason = sentence(values.get("reason"), manner.glyphs)
    return "" if level in ("", OK) else f"{level}: {reason}" if reason else level


OWN = "this console"
"""What is said of the node that the console looks through."""

_WRITERS: dict[Look, Callable[[str, Values, Manner], str]] = {
    Look.NAME: _name,
    Look.TEXT: _sentence,
    Look.SITE: _sentence,
    Look.WORD: _name,
    Look.COUNT: _figure(_whole(figures.count)),
    Look.NUMBER: _figure(_whole(_digits)),
    Look.SIZE: _figure(_whole(figures.size)),
    Look.SECONDS: _seconds,
    Look.RATE: _figure(figures.rate),
    Look.FLAG: _flag,
    Look.BAR: _figure(figures.percent),
    Look.SPARK: lambda *_: "",
    Look.LIMIT: _limit,
    Look.WHO: _who,
    Look.MOMENT: _moment,
    Look.WHY: _why,
    Look.ALERT: _alert,
    Look.RECORDS: _records,
    Look.TALLIES: _tallies,
    Look.SHARE: _figure(figures.percent),
    Look.NAMES: _several,
}


@lru_cache(maxsize=4096)
def _cleaned(value: str, glyphs: Glyphs) -> str:
    return text.clean(value, glyphs=glyphs)


@lru_cache(maxsize=4096)
def _fitted(said: str, cells: int, right: bool, cut: Cut, glyphs: Glyphs) -> str:
    return text.fit(said, cells, right, cut, glyphs)
